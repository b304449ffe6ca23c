"""`kineme watch`: poses come in as they are made, events go out."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineme.commands.paths import check_models, check_stores
from kineme.commands.reading import Axes
from kineme.errors import KinemeError
from kineme.evaluation.options import Device
from kineme.words import counted

if TYPE_CHECKING:
    from kineme.inference.watching.events import Counts, Event, Judge
    from kineme.inference.watching.streams import Bad
    from kineme.inference.watching.watcher import Watcher
    from kineme.model import Model
    from kineme.sources.poses.lines import Beginning, Frame, Header

logger = logging.getLogger(__name__)


def watch(
    run: Path,
    *,
    classifier: str | None = None,
    none: float | None = None,
    like: list[str] | None = None,
    library: Path | None = None,
    threshold: float | None = None,
    window: str | None = None,
    step: str | None = None,
    follow: Path | None = None,
    listen: int | None = None,
    camera: int | None = None,
    video: Path | None = None,
    people: int = 1,
    model: Path | None = None,
    strict: bool = False,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    joint_map: Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    axes: Axes | None = None,
    units: str | None = None,
    image: str | None = None,
) -> None:
    """Watch a live stream of poses, and report what begins and ends.

    Poses arrive as JSON lines on stdin, one frame per line. Events go to stdout as JSON lines, immediately,
    with the delay since the frame that completed them. It watches for the classes taught by `kineme teach`
    or, with --like, for motion that resembles the given examples.

      my-camera | kineme watch runs/mine
      my-camera | kineme watch runs/mine --like "walk[2s:4s]" --library stores/mine

    With --camera or --video, MediaPipe finds the people in the pictures (pip install "kineme[video]").

      kineme watch runs/mine --camera 0

    A line is {"t": 0.033, "joints": [[x, y, z], ...]}, or {"people": [{"id": "anna", "joints": ...}, ...]}
    for several people. `t` and `id` may be left out. The first line may be a header such as {"layout":
    "coco17", "fps": 25, "axes": "y-up", "units": "m"}.

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        classifier: Name of a classifier in RUN/classifiers, or a file. Default: the only one there.
        none: Share of motions of the classes that may be taken for none of them; with 0, every moment gets a
            class. Default: 0.05, or the least that the number of examples allows.
        like: Examples of what to watch for: clips of the library, by name, or files of poses. Part of one is
            given in brackets, such as "walk[2s:4s]".
        library: Clip store of the examples, which also sets the threshold.
        threshold: Probability or similarity at which an event starts. Default: 0.6 for a classifier; for
            examples, what 5 % of the library's moments reach.
        window: Length of the moments that are judged, such as 2s. Default: the typical length of the
            classifier's examples, or that of the longest --like example.
        step: Seconds from one moment to the next, such as 0.5s; by default a quarter of the window, at most
            0.5s.
        follow: Read a growing file instead of stdin, from its beginning, like `tail -f`.
        listen: Read from this TCP port instead of stdin. Only programs on this machine can connect.
        camera: Watch through this camera instead, counted from 0. If finding people takes longer than the
            time between frames, frames are skipped so that events are not late.
        video: Watch this video instead, as fast as possible; times are those of the video.
        people: For a camera or video: the most people to find in a frame.
        model: For a camera or video: the .task file of MediaPipe's pose landmarker; by default the published
            one, which is downloaded once.
        strict: Stop at the first bad line. Without it, bad lines are reported and skipped.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a library whose preprocessing differs from the encoder's.
        joint_map: YAML file that maps each joint to the joints or markers it is the mean of (`head: helmet`,
            `neck: [C7, CLAV]`), if their names do not match.
        layout: Layout of the poses: a built-in layout or a layout file. Default: what the header says, else
            the model's.
        fps: Frames per second of the poses, where lines have no `t`. Default: what the header says; else
            frames are timed as they arrive. Needed for a recording that is piped in all at once.
        axes: Which axis points up or down in the poses, as for `kineme prepare poses`.
        units: Unit of the coordinates of poses in three dimensions, as for `kineme prepare poses`.
        image: Size of the image that poses are in, such as 1920x1080.
    """
    from kineme.commands.inputs import check_inputs, lines_input, pictures_input
    from kineme.commands.times import seconds

    _check(like, classifier, none, library)
    inputs = {"follow": follow, "listen": listen, "camera": camera, "video": video}
    check_inputs(inputs, {"layout": layout, "axes": axes, "units": units, "image": image, "strict": strict})
    check_models(run)
    check_stores(library)
    length, every = seconds(window, "window"), seconds(step, "step")
    taught = None if like else _classifier(run, classifier)
    from kineme.evaluation.task import chosen_device
    from kineme.inference.watching.watcher import Watcher
    from kineme.layouts.correspondence import read_joint_map
    from kineme.loading import load
    from kineme.sources.live import arriving, lines
    from kineme.sources.poses.lines import Header, frames

    seen = pictures_input(camera, video, people, model)
    encoder, place = load(run), chosen_device(device)
    joints = read_joint_map(joint_map) if joint_map else None
    with _one_thread():
        judge: Judge
        if taught is not None:
            judge = _taught(encoder, taught, none, window=length, threshold=threshold, device=place)
        else:
            options = {"joint_map": joints, "allow_preprocessing": allow_preprocessing, "device": place}
            judge = _likeness(encoder, like or [], library, window=length, threshold=threshold, **options)

        def start(header: Header) -> Watcher:
            return Watcher(
                encoder,
                judge,
                layout=layout or header.layout,
                fps=fps or header.fps or 30.0,
                axes=axes or header.axes,
                units=units or header.units,
                image=image or header.image,
                joint_map=joints,
                step=every,
            )

        start(Header())  # options are checked before the first line comes
        if seen is not None:
            with seen as items:
                _watch(lambda bad: items, start, strict=strict)
        else:
            with closing(arriving(lines_input(follow, listen))) as chunks:
                tolerant = listen is not None
                taken = partial(frames, lines(chunks), fps=fps, tolerant=tolerant)
                _watch(taken, start, strict=strict, tolerant=tolerant)


def _check(
    like: Sequence[str] | None,
    classifier: str | None,
    none: float | None,
    library: Path | None,
) -> None:
    """Refuses options that contradict each other or have no effect."""
    if like and classifier:
        raise KinemeError("`like` and `classifier` are two things to watch for; choose one")
    if like and none is not None:
        raise KinemeError("`none` has no effect on examples; set their `threshold`")
    if library is not None and not like:
        raise KinemeError("`library` has no effect without `like`; name an example")


def _taught(
    model: Model, classifier: Path, none: float | None, *, threshold: float | None, **options: Any
) -> Judge:
    from kineme.inference.classifying.classifier import read_classifier
    from kineme.inference.watching.taught import STARTS, Taught

    starts = STARTS if threshold is None else threshold
    return Taught(model, read_classifier(classifier, model), threshold=starts, none=none, **options)


def _likeness(model: Model, examples: Sequence[str], library: Path | None, **options: Any) -> Judge:
    from kineme.clips.store import ClipStore
    from kineme.commands.bar import progress_bar
    from kineme.commands.times import part_of
    from kineme.inference.watching import likeness

    store = None if library is None else ClipStore(library)
    parts = {
        text: (text, None) if store is not None and store.row(text) is not None else part_of(text, "like")
        for text in examples
    }
    with progress_bar("threshold") as progress:
        return likeness.like(model, parts, library=store, progress=progress, **options)


def _classifier(run: Path, name: str | None) -> Path:
    from kineme.inference.classifying.paths import find_classifier

    path = find_classifier(run, name)
    if path.parent.name == "results":
        raise KinemeError(
            f"{path}: is a detector, which reads whole recordings; teach a classifier with `kineme teach`, "
            "or name an example by `like`"
        )
    return path


def _watch(
    taken: Callable[[Bad], Iterator[Beginning | Frame | None]],
    start: Callable[[Header], Watcher],
    *,
    strict: bool,
    tolerant: bool = False,
) -> None:
    """Watches until the input ends or Ctrl-C; says in the end what has been done.

    Args:
        taken: what to do with what is left out → the items.
        start: see `Streams`.
        strict, tolerant: as of `watch`, and of `frames`.
    """
    from kineme.commands.live import LiveLine
    from kineme.inference.watching.sparing import Sparing
    from kineme.inference.watching.streams import Streams

    say, left_out = Sparing(logger.warning), 0

    def bad(kind: str, message: str) -> None:
        nonlocal left_out
        if strict:
            raise KinemeError(message.removesuffix("; left out"))
        left_out += 1
        say(kind, message)

    def tell(events: Iterable[Event]) -> None:
        for event in events:
            live.tell(event, json.dumps(event.to_dict(), ensure_ascii=False))

    streams = Streams(start, bad, tolerant=tolerant)
    with LiveLine() as live:
        try:
            for item in taken(bad):
                if item is not None:
                    tell(streams.take(item))
                live.show(streams)
            tell(streams.finish())
        except KeyboardInterrupt:
            try:
                tell(streams.finish())
            except BrokenPipeError:  # Ctrl-C has ended the reader as well; Python flushes once more at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise KeyboardInterrupt(_summary(streams.counts, left_out)) from None
        finally:
            say.finish()
    if not streams.counts.frames:
        raise KinemeError('no frames received; a line looks like {"t": 0.0, "joints": [[x, y, z], ...]}')
    print(_summary(streams.counts, left_out), file=sys.stderr)


def _summary(counts: Counts, left_out: int) -> str:
    parts = [
        counted(counts.frames, "frame"),
        counted(counts.windows, "window"),
        counted(counts.events, "event"),
    ]
    if left_out:
        parts.append(f"{counted(left_out, 'bad line')} left out")
    if counts.events:
        mean = counts.delay / counts.events
        parts.append(f"delay {mean:.3f} s on average and {counts.longest:.3f} s at most")
    if counts.windows and not counts.events:
        parts[-1] += f"; the highest score was {counts.highest:.2f}: to report more, lower --threshold"
        parts[-1] += " or, with a classifier, set --none 0"
    return ", ".join(parts)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for PyTorch, unless OMP_NUM_THREADS says otherwise.

    A window of one person is too little work to share, and threads that wait for it in a loop slow down what
    runs beside, such as the program that makes the poses.
    """
    import torch

    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
