"""Features of whole recordings, or of windows of them, as a table that is made block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kineme.clips.batches import Clips, joined
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference.tables import Block
from kineme.layouts.correspondence import JointMap
from kineme.model import Model, default_device, open_recordings
from kineme.preprocessing import Preprocessing
from kineme.progress import Progress, silent, within
from kineme.typing import Array

FRAMES = 1 << 16  # of recordings that are encoded together: 80 MB with two bodies of 25 joints
ROWS = 1 << 12  # of a block


@dataclass(frozen=True)
class Windows:
    """How recordings are cut, in seconds: window i starts at i·step and lasts `length`.

    The last one ends inside the recording. A recording that is shorter than a window, or that lasts at most
    `whole`, is one row.

    >>> Windows(length=2.0, step=0.5).cut(frames=90, fps=30.0)["start"].tolist()
    [0.0, 0.5, 1.0]
    """

    length: float
    step: float
    whole: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("window", self.length), ("step", self.step)):
            if not 0 < value < math.inf:
                raise KinemeError(f"`{name}`: is {value:g} s; it must be longer than 0 s")

    def check(self, recordings: Recordings) -> None:
        """Checks that recordings can be cut so.

        Raises:
            KinemeError: a window or step is shorter than a frame, or the preprocessing moves frames.
        """
        try:
            recordings.preprocessing.check_keeps_frames()
        except KinemeError as error:
            raise KinemeError(f"`window`: cannot be cut from {recordings.name}: {error}") from error
        for option, value in (("window", self.length), ("step", self.step)):
            if value * recordings.fps < 1 - 1e-9:
                frame = f"a frame of {recordings.name}, {1 / recordings.fps:.3g} s"
                raise KinemeError(f"`{option}`: {value:g} s is shorter than {frame}")

    def cut(self, frames: int, fps: float) -> dict[str, Array]:
        """Columns `first` and `length` in frames, `start` and `end` in seconds, a row per window."""
        if frames / fps < self.length - 1e-9 or frames / fps <= self.whole:
            return whole(frames, fps)
        count = math.floor((frames / fps - self.length) / self.step + 1e-9) + 1
        start = np.arange(count) * self.step
        length = min(math.floor(self.length * fps + 0.5), frames)
        first = np.floor(start * fps + 0.5).astype(np.int64)
        return {
            "first": np.minimum(first, frames - length),
            "length": np.full(count, length),
            "start": start,
            "end": start + self.length,
        }


def whole(frames: int, fps: float) -> dict[str, Array]:
    """As `Windows.cut`: one row, of the whole recording."""
    return {
        "first": np.zeros(1, dtype=np.int64),
        "length": np.array([frames]),
        "start": np.zeros(1),
        "end": np.array([frames / fps]),
    }


@dataclass(frozen=True)
class Recordings:
    """An input, opened: its recordings are preprocessed and in the model's layout.

    Attributes:
        name: as it was given.
        preprocessing: of its clips.
        fps: frames per second.
        class_names: that labels index.
        count: of recordings.
        clips: they, one by one.
    """

    name: str
    preprocessing: Preprocessing
    fps: float
    class_names: Sequence[str]
    count: int
    clips: Iterable[Clip]


def embed_table(
    model: Model,
    inputs: Sequence[str | Path | ClipStore],
    *,
    window: float | None = None,
    step: float | None = None,
    layout: str | None = None,
    fps: float | None = None,
    axes: str | None = None,
    units: str | None = None,
    image: str | None = None,
    joint_map: JointMap | None = None,
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    precision: str = "float32",
    progress: Progress = silent,
) -> Iterator[Block]:
    """Features of recordings as the blocks of a table: one row per clip, or per window.

    Memory does not grow with the number of rows: one block is held at a time, and the recordings that it is
    from. (A store in another layout than the model's is retargeted in memory first.)

    Args:
        model: see `kineme.load`.
        inputs: clip stores, and files or folders of poses, as `Model.embed` takes them.
        window: seconds; windows are cut from the preprocessed recording. Default: the whole recording.
        step: seconds from one window's start to the next one's; default half a window.
        layout: of the joints in files: a name or a layout file. Default: what the files say.
        fps: frames per second of the files. Default: what they say, else 30.
        axes, units, image: of the files, see `Model.embed`.
        joint_map: see `Model.embed`.
        allow_preprocessing: accept stores with another preprocessing or units.
        batch_size: clips per pass of the encoder.
        device: of the encoder; default a GPU if there is one.
        precision: of the encoder, `float32` or `bfloat16`.
        progress: called with the rows done and in total; the total is estimated while recordings are read.

    Raises:
        KinemeError: an input cannot be read or does not fit the model, or a window cannot be cut. What can be
            known beforehand is raised at once, the rest when its block comes.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> blocks = list(embed_table(model, [example_store], window=2.0, step=0.5))
    >>> print(blocks[0].name[1], blocks[0].start[1], blocks[0].end[1], blocks[0].label[1])
    S001C002P001R001A001 0.5 2.5 wave
    """
    if step is not None and window is None:
        raise KinemeError("`step` has no effect without `window`; pass both")
    if batch_size < 1:
        raise KinemeError(f"`batch_size`: is {batch_size}; it must be 1 or more")
    windows = None if window is None else Windows(window, window / 2 if step is None else step)
    options = {"layout": layout, "fps": fps, "axes": axes, "units": units, "image": image}
    opened = [open_input(model, each, options, joint_map, allow_preprocessing) for each in inputs]
    if windows is not None:
        for each in opened:
            windows.check(each)
    place = device or default_device()
    encode = partial(model.encode, batch_size=batch_size, device=place, precision=precision)
    return blocks_of(opened, windows, encode, device=place, progress=progress)


def open_input(
    model: Model,
    given: str | Path | ClipStore,
    options: Mapping[str, Any],
    joint_map: JointMap | None = None,
    allow_preprocessing: bool = False,
) -> Recordings:
    """Opens a store, or files of poses with the options of `embed_table`.

    Raises:
        KinemeError: it cannot be read, does not fit the model, or an option has no effect on it.
    """
    if isinstance(given, str | Path) and (Path(given) / "manifest.json").is_file():
        given = ClipStore(given)
    if isinstance(given, ClipStore):
        if told := [name for name, value in options.items() if value is not None]:
            raise KinemeError(f"`{told[0]}` has no effect on the store {given.path}, which describes itself")
        store = model.fitted(given, joint_map)
        model.check(store, allow_preprocessing=allow_preprocessing)
        manifest = store.manifest
        return Recordings(
            name=str(given.path),
            preprocessing=manifest.preprocessing,
            fps=manifest.fps,
            class_names=manifest.class_names,
            count=len(store),
            clips=_stored(store),
        )
    rest = {name: value for name, value in options.items() if name != "layout"}
    source = open_recordings(Path(given), options["layout"], rest)
    return Recordings(
        name=str(given),
        preprocessing=model.preprocessing,
        fps=source.fps,
        class_names=source.class_names,
        count=len(source.items),
        clips=model.prepared(source, joint_map),
    )


def _stored(store: ClipStore) -> Iterator[Clip]:
    for row, (name, label, subject) in enumerate(
        zip(store.names.tolist(), store.labels.tolist(), store.index["subject"].tolist(), strict=True)
    ):
        yield Clip(name, store.clip(row), label=label, subject=subject)


def blocks_of(
    inputs: Sequence[Recordings],
    windows: Windows | None,
    encode: Callable[..., Array],
    *,
    device: str,
    progress: Progress = silent,
) -> Iterator[Block]:
    """The blocks of all inputs. Recordings are gathered until they have `FRAMES` frames.

    Args:
        inputs: opened, see `open_input`.
        windows: how they are cut; None: not.
        encode: clips on the device, and `progress` → their features (N, D).
        device: of the clips.
        progress: called with the rows done and in total, as far as that is known.
    """
    count = sum(each.count for each in inputs)
    read = rows = done = 0
    for group in _groups(inputs):
        cut = windows.cut if windows else whole
        cuts = [cut(len(clip.xyz), recordings.fps) for recordings, clip in group]
        table = _table(group, cuts)
        clips = _cut([clip.xyz for _, clip in group], cuts, device)
        read, rows = read + len(group), rows + len(clips)
        for first in range(0, len(clips), ROWS):
            part = slice(first, first + ROWS)
            meanwhile = within(progress, done, round(rows * count / read))
            features = encode(clips[part], progress=meanwhile)
            done += len(features)
            yield Block(features, **{name: column[part] for name, column in table.items()})


def _groups(inputs: Sequence[Recordings]) -> Iterator[list[tuple[Recordings, Clip]]]:
    group: list[tuple[Recordings, Clip]] = []
    frames = bodies = 0
    for recordings in inputs:
        for clip in recordings.clips:
            frames, bodies = frames + len(clip.xyz), clip.xyz.shape[1]
            if group and (frames > FRAMES or bodies != group[0][1].xyz.shape[1]):
                yield group
                group, frames = [], len(clip.xyz)
            group.append((recordings, clip))
    if group:
        yield group


def _table(group: Sequence[tuple[Recordings, Clip]], cuts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The columns of a block, without the features."""
    repeats = [len(cut["first"]) for cut in cuts]
    texts = {
        "source": [recordings.name for recordings, _ in group],
        "name": [clip.name for _, clip in group],
        "subject": [clip.subject for _, clip in group],
        "label": [(*recordings.class_names, "")[clip.label] for recordings, clip in group],  # -1 is unknown
    }
    return {
        **{name: np.repeat(np.array(column, dtype=np.str_), repeats) for name, column in texts.items()},
        **{name: np.concatenate([cut[name] for cut in cuts]) for name in ("start", "end")},
    }


def _cut(arrays: Sequence[Array], cuts: Sequence[Mapping[str, Array]], device: str) -> Clips:
    """The windows of recordings, on a device; they share frames."""
    clips = joined(arrays)
    first = torch.from_numpy(np.concatenate([cut["first"] for cut in cuts]))
    length = torch.from_numpy(np.concatenate([cut["length"] for cut in cuts]))
    repeats = torch.tensor([len(cut["first"]) for cut in cuts])
    start = clips.start.repeat_interleave(repeats) + first
    return Clips(clips.frames.to(device), start.to(device), length.to(device))
