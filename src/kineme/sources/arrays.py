"""Processed arrays as published with other programs, with clips padded to a common number of frames.

- A folder with `train_data_joint.npy` (or `train_position.npy`, `train_data.npy`), (N, C, T, V, M);
  `train_label.pkl`, names of clips and their labels; and possibly `train_num_frame.npy`, (N,). The same for
  `val` or `test`.
- An .npz file such as NTU60_CS.npz with `x_train`, (N, T, M·V·C), and one-hot `y_train`, (N, classes);
  `x_test` and `y_test`.

Skeletons are Kinect v2's 25 joints in three dimensions. Their preprocessing is unknown, so they are taken as
they are, without the padding: it begins at `num_frame`, or else consists of the zeros at the end. Arrays
whose clips were resized to a common length keep the recordings' `num_frame`, some longer than the array; such
numbers are ignored.

The parts become a split: `xsub`, `xview` or `xset` if the folder or file is named so (or CS, CSub, CV,
CSet), else `published`. Arrays are never loaded as a whole.
"""

from __future__ import annotations

import operator
import re
import zipfile
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.sources import Source
from kineme.sources.names import name_classes, ntu_columns
from kineme.sources.npy import NpyRows
from kineme.sources.raw import FETCH, MAX_METRES, RawFile, find_files
from kineme.sources.unpickle import read_pickle

_DATA = re.compile(r"(train|val|test)_(?:data_joint|position|data)\.npy")
_PARTS = ("train", "val", "test")
_SPLITS = {"cs": "xsub", "csub": "xsub", "cv": "xview", "cset": "xset"}
_SPLITS |= {name: name for name in ("xsub", "xview", "xset")}
_JOINTS = 25
_MAX_BODIES = 100
_MAX_FRAMES = 100_000
_MAX_CLIPS = 2_000_000
_MAX_CLASSES = 10_000
_ROWS = 1024  # of labels, read at a time


@dataclass(frozen=True)
class _Part:
    """Clips of one array."""

    rows: NpyRows
    bodies: int  # M
    stacked: bool  # rows are (T, M·V·C); otherwise (C, T, V, M)
    names: Sequence[str]
    labels: Sequence[int]
    frames: Sequence[int]  # their lengths without padding; empty if unknown
    splits: dict[str, bool]  # as in `Clip`


def open_arrays(raw: Path) -> Source:
    """The clips of processed arrays, in their order, the training ones first.

    Headers and labels are checked here, coordinates when they are read.

    Args:
        raw: a folder, a zip of one, or an .npz file.

    Raises:
        KinemeError: there are no such arrays or several sets of them, labels and arrays do not match, or
            skeletons are not Kinect v2's.
    """
    files = find_files(raw, ".npy", ".npz", ".pkl")
    arrays = [file for file in files if _DATA.fullmatch(file.name)]
    packed = [] if arrays else [file for file in files if file.place.suffix.lower() == ".npz"]
    if len(packed) + len({file.place.parent for file in arrays}) != 1:
        several, none = "several sets of arrays; name one of them", "no train_data_joint.npy and no .npz file"
        raise KinemeError(f"{raw}: contains {several if arrays or packed else none}")
    parts = list(_packed_parts(packed[0]) if packed else _folder_parts(arrays, files))
    names = [name for part in parts for name in part.names]
    if len(set(names)) != len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise KinemeError(f"{raw}: two clips are named {twice!r}; {FETCH}")
    labels = [label for part in parts for label in part.labels]
    try:
        class_names = name_classes(names, labels)
    except ValueError as error:
        raise KinemeError(f"{raw}: {error}; {FETCH}") from error
    return Source(
        name="arrays",
        layout=get_layout("ntu25"),
        class_names=class_names,
        fps=30.0,
        fps_known=False,
        bodies=max(part.bodies for part in parts),
        names=names,
        items=[(i, row) for i, part in enumerate(parts) for row in range(len(part.names))],
        read=partial(_read, parts),
    )


def _read(parts: Sequence[_Part], item: tuple[int, int]) -> Clip:
    """A row → its clip.

    Raises:
        KinemeError: it cannot be read, or contains invalid coordinates.
    """
    part, row = parts[item[0]], item[1]
    name = part.names[row]
    data = part.rows.read(row)[0].astype(np.float32)
    xyz = data.reshape(len(data), part.bodies, _JOINTS, 3) if part.stacked else data.transpose(1, 3, 2, 0)
    if not (np.abs(xyz) < MAX_METRES).all():  # False for NaN too
        raise part.rows.file.error(f"{name} (row {row}) contains invalid coordinates")
    seen = np.flatnonzero(xyz.any(axis=(1, 2, 3)))
    padded_from = part.frames[row] if part.frames else int(seen[-1]) + 1 if len(seen) else 1
    return Clip(
        name=name, xyz=xyz[:padded_from], label=part.labels[row], splits=part.splits, **ntu_columns(name)
    )


def _folder_parts(arrays: Sequence[RawFile], files: Sequence[RawFile]) -> Iterator[_Part]:
    """The parts of a folder of arrays with their labels."""
    beside = {file.name: file for file in files if file.place.parent == arrays[0].place.parent}
    folder = arrays[0].place.parent.name or arrays[0].path.parent.resolve().name
    split = _SPLITS.get(folder.lower(), "published")
    data: dict[str, RawFile] = {}
    for file in arrays:
        part = file.name.partition("_")[0]
        if part in data:
            raise KinemeError(f"{file}: conflicts with {data[part].name}; remove one of them")
        data[part] = file
    for part in filter(data.__contains__, _PARTS):
        rows = NpyRows(data[part])
        if len(rows.shape) != 5 or rows.shape[1] != 3 or rows.shape[3] != _JOINTS:
            raise rows.file.error(
                f"has shape {rows.shape}", f"expected (clips, 3, frames, {_JOINTS}, bodies)"
            )
        _, _, frames, _, bodies = rows.shape
        _check_size(rows, frames, bodies)
        if f"{part}_label.pkl" not in beside:
            raise KinemeError(f"{rows.file}: lacks {part}_label.pkl next to it, the clips' names and labels")
        names, labels = _names_and_labels(beside[f"{part}_label.pkl"], rows)
        known = beside.get(f"{part}_num_frame.npy")
        numbers = _frame_numbers(NpyRows(known), rows) if known else []
        yield _Part(rows, bodies, False, names, labels, numbers, _splits(split, part, data))


def _packed_parts(file: RawFile) -> Iterator[_Part]:
    """The parts of an .npz file. Its clips have no names, so they are numbered."""
    if file.member is not None:
        raise KinemeError(f"{file}: is an archive in an archive; unpack the outer one")
    with file.checked(), zipfile.ZipFile(file.path) as archive:
        members = set(archive.namelist())
    parts = [part for part in _PARTS if {f"x_{part}.npy", f"y_{part}.npy"} <= members]
    if not parts:
        raise KinemeError(f"{file}: lacks the arrays x_train and y_train, as in NTU60_CS.npz")
    split = _SPLITS.get(file.stem.rpartition("_")[2].lower(), "published")
    for part in parts:
        members_of = (f"x_{part}.npy", f"y_{part}.npy")
        rows, classes = (NpyRows(RawFile(file.place / name, file.path, name)) for name in members_of)
        if len(rows.shape) != 3 or rows.shape[2] % (_JOINTS * 3):
            expected = f"expected (clips, frames, bodies x {_JOINTS} x 3)"
            raise rows.file.error(f"has shape {rows.shape}", expected)
        bodies = rows.shape[2] // (_JOINTS * 3)
        _check_size(rows, rows.shape[1], bodies)
        labels = _labels_of_columns(classes, rows)
        names = [f"{part}-{number:06}" for number in range(len(labels))]
        yield _Part(rows, bodies, True, names, labels, [], _splits(split, part, parts))


def _check_size(rows: NpyRows, frames: int, bodies: int) -> None:
    if frames > _MAX_FRAMES or bodies > _MAX_BODIES or rows.shape[0] > _MAX_CLIPS:
        limits = f"{_MAX_CLIPS:,}, {_MAX_FRAMES:,} and {_MAX_BODIES}"
        sizes = f"{rows.shape[0]:,} clips of {frames:,} frames and {bodies:,} bodies"
        raise rows.file.error(f"has {sizes}; the limits are {limits}", FETCH)


def _names_and_labels(file: RawFile, rows: NpyRows) -> tuple[list[str], list[int]]:
    """The contents of a label pickle: a list of names and a list (or an array) of classes, from 0."""
    data = read_pickle(file)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise file.error("is not a pair of clips' names and labels", FETCH)
    try:
        names = [str(name).removesuffix(".skeleton") for name in data[0] if isinstance(name, str)]
        labels = [operator.index(label) for label in data[1]]
    except (TypeError, ValueError) as error:
        raise file.error("contains labels that are not class numbers", FETCH) from error
    valid = [name.isprintable() and 0 < len(name) <= 300 for name in names]
    if not all(valid) or len(names) != len(data[0]):
        raise file.error("contains invalid clip names", FETCH)
    if not len(names) == len(labels) == rows.shape[0]:
        clips = f"{rows.file.name} has {rows.shape[0]:,} clips"
        raise file.error(f"has {len(names):,} names and {len(labels):,} labels, and {clips}", FETCH)
    return names, labels


def _frame_numbers(numbers: NpyRows, rows: NpyRows) -> list[int]:
    """Frames of each clip without its padding; empty if the numbers mean something else."""
    clips, _, frames, _, _ = rows.shape
    if numbers.shape != (clips,):
        raise numbers.file.error(
            f"has shape {numbers.shape}, and {rows.file.name} has {clips:,} clips", FETCH
        )
    values = numbers.read(0, clips)
    if not (values >= 1).all() or not (values == np.floor(values)).all() or not np.isfinite(values).all():
        raise numbers.file.error("contains invalid numbers of frames", FETCH)
    return [] if values.max() > frames else values.astype(np.int64).tolist()


def _labels_of_columns(columns: NpyRows, rows: NpyRows) -> list[int]:
    """(N, classes), one-hot → (N,)."""
    if len(columns.shape) != 2 or columns.shape[0] != rows.shape[0] or columns.shape[1] > _MAX_CLASSES:
        raise columns.file.error(
            f"has shape {columns.shape}; expected ({rows.shape[0]}, classes), like {rows.file.name}", FETCH
        )
    labels: list[int] = []
    for start in range(0, columns.shape[0], _ROWS):
        block = columns.read(start, _ROWS)
        if not ((block == 1).sum(axis=1) == 1).all() or not ((block != 0).sum(axis=1) == 1).all():
            raise columns.file.error("has rows that are not one-hot", FETCH)
        labels += block.argmax(axis=1).tolist()
    return labels


def _splits(split: str, part: str, parts: Container[str]) -> dict[str, bool]:
    """Whether a part trains. If there are `val` and `test`, clips of `val` are in neither part."""
    if part == "val" and "test" in parts:
        return {}
    return {split: part == "train"}
