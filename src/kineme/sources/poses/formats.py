"""The formats of poses: which files have them, and how a file becomes a clip.

A format is a reader and a row of `BUILT_IN`, or of `FORMATS` if it is another package's. Its reader takes a
file and what the user said, and returns `Poses` (bodies with a fixed place each) or `Detections` (people to
be tracked): points, and as far as the file says them the names of the joints, their tree, the unit and the
axis that is up. It raises ValueError with what is wrong; whoever calls names the file. `notes` gives `fps`,
`label` and `subject` from the first bytes, where a file has them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.registry import Registry
from kineme.sources.poses import (
    amass,
    amc,
    arrays,
    bvh,
    c3d,
    deeplabcut,
    documents,
    hdf5,
    jsonlines,
    labs,
    mat,
    mvnx,
    signs,
    table_notes,
    tables,
    trc,
)
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.foreign import FOREIGN
from kineme.sources.raw import RawFile, RemediedError
from kineme.typing import Array


@dataclass(frozen=True)
class Told:
    """What the user said about the files, as far as readers need it.

    Attributes:
        layout: as in `Reading`.
        scores: as in `Reading`.
        body_model: as in `Reading`.
        least_confidence: as in `Reading`.
        components: of MediaPipe's and OpenPose's results, such as pose and left_hand.
        columns: label, subject and camera → column of a table.
    """

    layout: Layout | None = None
    scores: bool = False
    body_model: Path | None = None
    components: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    least_confidence: float = 0.0


def _silent(data: bytes, told: Told) -> Mapping[str, Any]:
    return {}


def _alone(notes: Callable[[bytes], Mapping[str, Any]]) -> Callable[[bytes, Told], Mapping[str, Any]]:
    """Notes that do not depend on what the user said."""
    return lambda data, told: notes(data)


def _any(file: RawFile) -> bool:
    return True


@dataclass(frozen=True)
class Format:
    """A file format of poses.

    Attributes:
        name: in words.
        suffix: of its files, in lower case, with its dot.
        read: file and what the user said → clip; raises ValueError with what is wrong with its contents, or
            KinemeError if the file cannot be read.
        notes: the first `head` bytes of a file and what the user said → `fps`, `label`, `subject` and
            `camera`, as far as it says them, and `measured` where the rate is that of its times; may raise
            ValueError.
        head: how many bytes that are.
        is_one: whether a file with this suffix has this format, where several share it.
        usual_rate: of files that never say theirs, in words.

    >>> def read_steps(file, told):
    ...     points = np.array([line.split() for line in file.read(1 << 20).splitlines()], dtype=np.float32)
    ...     return Poses(points.reshape(-1, 1, 2, 3), None, joints=("left_foot", "right_foot"))
    >>> steps = Format("steps", ".steps", read_steps, notes=lambda head, told: {"fps": 100.0})
    >>> path = example_folder / "walk.steps"
    >>> _ = path.write_text("0 0 0 0.2 0 0.1\\n0 0 0 0.2 0 0.2\\n")
    >>> steps.read(RawFile(path, path), Told()).points.shape  # (T, M, V, C)
    (2, 1, 2, 3)
    """

    name: str
    suffix: str
    read: Callable[[RawFile, Told], Poses | Detections]
    notes: Callable[[bytes, Told], Mapping[str, Any]] = _silent
    head: int = 1 << 20
    is_one: Callable[[RawFile], bool] = _any
    usual_rate: str = ""


FORMATS: Registry[Callable[[], Format]] = Registry("format", {})
"""Of other packages: name → function that returns a `Format`."""


def _amass(file: RawFile) -> bool:
    with file.checked(), file.open() as stream:
        packed = io.BytesIO(stream.read(arrays.MAX_ARRAY_BYTES)) if file.member else stream
        try:
            with zipfile.ZipFile(packed) as archive:
                return amass.is_amass({name.removesuffix(".npy") for name in archive.namelist()})
        except zipfile.BadZipFile:
            return False


def _table(suffix: str) -> tuple[Format, Format]:
    """The formats of tables: of a motion-capture program, and any other."""
    return (
        Format(
            "Motive, Nexus or Qualisys",
            suffix,
            lambda file, told: labs.lab_poses(file.read(labs.MAX_LAB_BYTES)),
            _alone(labs.lab_notes),
            labs.MAX_LAB_BYTES,
            is_one=lambda file: labs.is_lab(_head(file)),
        ),
        Format(
            "CSV",
            suffix,
            lambda file, told: tables.csv_poses(
                file.read(tables.MAX_CSV_BYTES), told.scores, told.layout, tuple(told.columns.values())
            ),
            lambda data, told: table_notes.csv_notes(data, told.columns),
            table_notes.NOTES_BYTES,
        ),
    )


def _head(file: RawFile) -> bytes:
    with file.checked(), file.open() as stream:
        return stream.read(1 << 10)


def _buffer(file: RawFile) -> Array:
    """The bytes of a file; a memory map, where it is no member of an archive."""
    if file.member is not None:
        return np.frombuffer(file.read(c3d.MAX_C3D_BYTES), np.uint8)
    if file.size == 0:
        raise ValueError("is empty")
    with file.checked():
        return np.memmap(file.path, np.uint8, "r")


BUILT_IN: tuple[Format, ...] = (
    Format(
        "NumPy array",
        ".npy",
        lambda file, told: arrays.npy_poses(file.read(arrays.MAX_ARRAY_BYTES), told.scores),
    ),
    Format(
        "AMASS",
        ".npz",
        lambda file, told: amass.amass_poses(file.read(arrays.MAX_ARRAY_BYTES), told.body_model),
        _alone(amass.amass_notes),
        arrays.MAX_ARRAY_BYTES,
        is_one=_amass,
    ),
    Format(
        "NumPy arrays",
        ".npz",
        lambda file, told: arrays.npz_poses(file.read(arrays.MAX_ARRAY_BYTES), told.scores),
        _alone(arrays.npz_notes),
        arrays.MAX_ARRAY_BYTES,
    ),
    Format(
        "DeepLabCut",
        ".csv",
        lambda file, told: deeplabcut.deeplabcut_csv(file.read(tables.MAX_CSV_BYTES)),
        is_one=lambda file: deeplabcut.is_deeplabcut(_head(file)),
    ),
    *_table(".csv"),
    *_table(".tsv"),
    Format(
        "JSON",
        ".json",
        lambda file, told: documents.json_poses(
            file.read(documents.MAX_JSON_BYTES), told.scores, told.components
        ),
        _alone(documents.json_notes),
        documents.MAX_JSON_BYTES,
    ),
    Format(
        "JSON lines",
        ".jsonl",
        lambda file, told: jsonlines.jsonl_poses(
            file.read(documents.MAX_JSON_BYTES), told.scores, told.components
        ),
        _alone(jsonlines.jsonl_notes),
        documents.MAX_JSON_BYTES,
    ),
    *(
        Format(program, suffix, lambda file, told: hdf5.hdf5_poses(file.read(hdf5.MAX_HDF5_BYTES)))
        for program, suffix in (("SLEAP or DeepLabCut", ".h5"), ("SLEAP", ".slp"))
    ),
    Format(
        "MATLAB",
        ".mat",
        lambda file, told: mat.mat_poses(file.read(mat.MAX_MAT_BYTES), told.scores, told.layout),
        _alone(mat.mat_notes),
        mat.MAX_MAT_BYTES,
    ),
    Format(
        "pose-format",
        ".pose",
        lambda file, told: signs.signs_poses(file.read(signs.MAX_POSE_BYTES), told.components),
        _alone(signs.signs_notes),
    ),
    Format(
        "TRC", ".trc", lambda file, told: trc.trc_poses(file.read(trc.MAX_TRC_BYTES)), _alone(trc.trc_notes)
    ),
    Format("C3D", ".c3d", lambda file, told: c3d.c3d_poses(_buffer(file)), _alone(c3d.c3d_notes)),
    Format(
        "MVNX",
        ".mvnx",
        lambda file, told: mvnx.mvnx_poses(file.read(mvnx.MAX_MVNX_BYTES)),
        _alone(mvnx.mvnx_notes),
    ),
    Format(
        "BVH", ".bvh", lambda file, told: bvh.bvh_poses(file.read(bvh.MAX_BVH_BYTES)), _alone(bvh.bvh_notes)
    ),
    Format("AMC", ".amc", lambda file, told: amc.amc_file(file), usual_rate="most of CMU and HDM05 have 120"),
)
_FRAMES = ".txt"
"""Of YOLO's files, one a frame, which are read together."""


def suffixes() -> tuple[str, ...]:
    """Of all files of poses, in lower case."""
    theirs = [form.suffix for _, form in registered()]
    return (*dict.fromkeys((*(each.suffix for each in BUILT_IN), _FRAMES, *theirs)),)


def registered() -> Iterator[tuple[Callable[[], Format], Format]]:
    """The formats of other packages, and the functions that are registered for them.

    Raises:
        KinemeError: one cannot be imported, or is no format that can be told from Kineme's own.
    """
    for name, make in FORMATS.items():
        form = make()
        if not isinstance(form, Format):
            raise KinemeError(f"format {name}: returns {type(form).__name__}; return a Format")
        if not re.fullmatch(r"\.[^./\\A-Z]+", form.suffix):
            raise KinemeError(
                f"format {name}: its suffix is {form.suffix!r}; write it in lower case, as .csv"
            )
        if form.is_one is _any and any(each.suffix == form.suffix for each in BUILT_IN):
            raise KinemeError(
                f"format {name}: Kineme reads {form.suffix} files too; tell its own apart by `is_one`"
            )
        yield make, form


def format_of(file: RawFile) -> Format:
    """The format of a file, by its suffix and, where that is ambiguous, its contents.

    Raises:
        ValueError: it has none of the suffixes.
        KinemeError: it cannot be read.
    """
    suffix = file.place.suffix.lower()
    known = (*(form for _, form in registered()), *BUILT_IN)
    sharing = [each for each in known if each.suffix == suffix]
    if not sharing and suffix in FOREIGN:
        raise RemediedError(*FOREIGN[suffix])
    if not sharing:
        *first, last = suffixes()
        remedy = "give it the suffix of its format, or convert it"
        raise RemediedError(f"is not a {', '.join(first)} or {last} file", remedy)
    return next(each for each in sharing if each is sharing[-1] or each.is_one(file))


def notes_of(file: RawFile, told: Told) -> Mapping[str, Any]:
    """`fps`, `label`, `subject`, ..., as far as a file says them. Damage is reported when it is read."""
    try:
        form = format_of(file)
        if form.notes is _silent:
            return {}
        with file.checked(), file.open() as stream:
            return form.notes(stream.read(form.head), told)
    except (KinemeError, ValueError):
        return {}
