"""Features of whole recordings, or of windows of them, as a table that is built block by block."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from kineme.clips.batches import Clips, joined
from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.evaluation.features import identity
from kineme.inference.parts import NOTHING, Parts
from kineme.inference.recordings import Inputs, Recordings, open_inputs
from kineme.inference.tables import Block
from kineme.inference.windows import Cut, Windows, labels_of, stretches
from kineme.model import Model, device_of
from kineme.progress import Progress, silent, within
from kineme.sources.reading import Reading, joint_map_of
from kineme.typing import Array

FRAMES = 1 << 16  # of recordings that are encoded together: 80 MB with two bodies of 25 joints
ROWS = 1 << 12  # of a block


def embed_table(
    model: Model,
    inputs: Inputs,
    *,
    window: float | None = None,
    step: float | None = None,
    allow_preprocessing: bool = False,
    skip_bad: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    precision: str = "float32",
    parts: str | Path | None = None,
    progress: Progress = silent,
    **reading: Unpack[Reading],
) -> Iterator[Block]:
    """Features of recordings as the blocks of a table: one row per clip, or per window.

    Memory does not grow with the number of rows: only one block and the recordings it comes from are held at
    a time. A recording of more than 73 minutes at 30 frames per second that is cut into windows is read and
    prepared in stretches of 18 minutes, if it is a .npy or CSV file or in a store. (A store whose layout
    differs from the model's is first retargeted in memory.)

    Args:
        model: see `kineme.load`.
        inputs: one or several clip stores, and files or folders of poses, as `Model.embed` takes them.
        window: seconds; windows are cut from the preprocessed recording. Default: the whole recording.
        step: seconds from one window's start to the next one's; by default half a window.
        allow_preprocessing: accept stores with another preprocessing or units.
        skip_bad: skip damaged recordings, with a warning, instead of stopping at the first.
        batch_size: clips per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        precision: of the encoder, `float32` or `bfloat16`.
        parts: folder where finished blocks are kept. If it has some from the same inputs, model and settings,
            they are reused and only the rest is computed, with bit-identical results on one thread. Files
            with the same name, size and time count as unchanged. Default: nothing is kept.
        progress: called with the rows done and in total; the total is estimated while recordings are read.
        **reading: what files do not say themselves, see `kineme.sources.reading.Reading`.

    Raises:
        KinemeError: an input cannot be read or does not fit the model, or a window cannot be cut. What can be
            known beforehand is raised immediately, the rest when its block comes.

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
    opened = open_inputs(model, inputs, reading, allow_preprocessing=allow_preprocessing, skip_bad=skip_bad)
    if windows is not None:
        for each in opened:
            windows.check(each)
    place = device_of(device)
    encoding: dict[str, Any] = {"batch_size": batch_size, "device": place, "precision": precision}
    settings = {
        "window": windows and (windows.length, windows.step),
        "joint_map": joint_map_of(reading),
        **encoding,
    }
    kept = Parts(None if parts is None else Path(parts), _key(model, opened, settings))
    encode = partial(model.on(place).encode, **encoding)
    return blocks_of(opened, windows, encode, device=place, parts=kept, progress=progress)


def _key(model: Model, inputs: Sequence[Recordings], settings: Mapping[str, Any]) -> str:
    """Changes with everything that the blocks depend on."""
    parts = {
        **identity(model, settings["precision"]),
        **settings,
        "layout": model.shape.layout.to_dict(),
        "preprocessing": model.preprocessing.to_dict(),
        "inputs": [(each.name, each.identity) for each in inputs],
        "blocks": (FRAMES, ROWS),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def blocks_of(
    inputs: Sequence[Recordings],
    windows: Windows | None,
    encode: Callable[..., Array],
    *,
    device: str,
    parts: Parts = NOTHING,
    progress: Progress = silent,
) -> Iterator[Block]:
    """The blocks of all inputs. Recordings are gathered until they have `FRAMES` frames.

    Args:
        inputs: opened, see `open_input`.
        windows: how they are cut; None: not.
        encode: clips on the device, and `progress` → their features (N, D).
        device: of the clips.
        parts: where finished blocks are kept, and taken from.
        progress: called with the rows done and in total, as far as that is known.
    """
    count = sum(each.count for each in inputs)
    kept = number = begin = rows = 0  # blocks on disk; then the block, recording and rows where work goes on
    done = 0
    for block, recordings in parts.kept():
        yield block
        kept, done = kept + 1, done + len(block)
        if recordings:  # no recording is done in part
            number, begin, rows = kept, recordings, done
    for group, read in groups(inputs, begin, windows):
        table = _table(group, windows is not None)
        clips = pieces([clip for _, clip, _ in group], [cut for _, _, cut in group], device)
        rows += len(clips)
        for first in range(0, len(clips), ROWS):
            number += 1
            if number <= kept:
                continue
            part = slice(first, first + ROWS)
            meanwhile = within(progress, done, round(rows * count / read))
            features = encode(clips[part], progress=meanwhile)
            done += len(features)
            block = Block(features, **{name: column[part] for name, column in table.items()})
            parts.keep(
                number - 1, block, int(read) if first + ROWS >= len(clips) and read == int(read) else 0
            )
            yield block
    if count and not rows:
        raise KinemeError(f"{', '.join(each.name for each in inputs)}: nobody is in any frame")


def groups(
    inputs: Sequence[Recordings], first: int, windows: Windows | None
) -> Iterator[tuple[list[tuple[Recordings, Clip, Cut]], float]]:
    """All recordings from a number on, and how they are cut, in groups; each depends on none before it.

    With each comes how many recordings are done with it, counted over all inputs; of a long one, the share.
    """
    group: list[tuple[Recordings, Clip, Cut]] = []
    frames = bodies = 0
    read, before = float(first), 0
    for recordings in inputs:
        for number, opened in recordings.opened(min(max(first - before, 0), recordings.count)):
            for share, clip, cut in stretches(opened, windows, recordings.fps):
                frames, bodies = frames + len(clip.xyz), clip.xyz.shape[1]
                if group and (frames > FRAMES or bodies != group[0][1].xyz.shape[1]):
                    yield group, read
                    group, frames = [], len(clip.xyz)
                group.append((recordings, clip, cut))
                read = before + number - 1 + share
        before += recordings.count
    if group:
        yield group, read


def _table(group: Sequence[tuple[Recordings, Clip, Cut]], windows: bool) -> dict[str, Array]:
    """The columns of a block, without the features."""
    cuts = [cut for _, _, cut in group]
    repeats = [len(cut["first"]) for cut in cuts]
    labels = []
    for recordings, clip, cut in group:
        names = np.array([*recordings.class_names, ""], dtype=np.str_)  # -1 is unknown
        labels.append(names[labels_of(clip, cut["first"], cut["length"]) if windows else [clip.label]])
    texts = {
        "source": [recordings.name for recordings, _, _ in group],
        "name": [clip.name for _, clip, _ in group],
        "subject": [clip.subject for _, clip, _ in group],
    }
    return {
        **{name: np.repeat(np.array(column, dtype=np.str_), repeats) for name, column in texts.items()},
        **{name: np.concatenate([cut[name] for cut in cuts]) for name in ("start", "end")},
        "label": np.concatenate(labels),
    }


def pieces(recordings: Sequence[Clip], cuts: Sequence[Cut], device: str) -> Clips:
    """The windows of recordings, on a device; they share frames."""
    clips = joined([each.xyz for each in recordings], [each.present for each in recordings])
    first = torch.from_numpy(np.concatenate([cut["first"] for cut in cuts]))
    length = torch.from_numpy(np.concatenate([cut["length"] for cut in cuts]))
    repeats = torch.tensor([len(cut["first"]) for cut in cuts])
    every = clips[torch.arange(len(clips)).repeat_interleave(repeats)]
    return replace(every, start=every.start + first, length=length).to(device)
