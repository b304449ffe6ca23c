"""The clip store: a directory of ragged clips that is read by memory map.

    frames.npy      (F, M, V, C) float32, all clips' frames one after another, no padding
    index.npz       one row a clip: name, offset, frames, bodies, label, subject, camera, setup, replication;
                    of untrimmed recordings, one row an interval: clip, label, start, end; and one column for
                    each split that the data set publishes as a list, `split_xsub` and such
    confidence.npy  (F, M, V) float16, 0 to 1, how sure the pose estimator was, where the source tells
    manifest.json   format version, layout, units, fps, source, recipe, class names, fingerprint

A store appears under its final name when it is whole and not before: the writer works beside it and moves it
into place.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from kineme.errors import KinemeError
from kineme.layouts import Layout

Array = npt.NDArray[Any]

FORMAT_VERSION = 1
UNLABELLED = -1
CLIP_COLUMNS = ("name", "offset", "frames", "bodies", "label", "subject", "camera", "setup", "replication")
INTERVAL_COLUMNS = ("clip", "label", "start", "end")
TRAINS, TESTS, NEITHER = 1, 0, -1  # in the column of a split


@dataclass(frozen=True)
class Recipe:
    """A named preprocessing and its parameters. Two stores of equal recipes hold comparable clips."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """One line that travels into every checkpoint and result, such as `plain(facing=True)`."""
        inside = ", ".join(f"{key}={value}" for key, value in sorted(self.parameters.items()))
        return f"{self.name}({inside})" if inside else self.name


@dataclass(frozen=True)
class Manifest:
    """What a store says of itself. `fingerprint` is the SHA-256 of its frames and index."""

    layout: Layout
    recipe: Recipe
    source: str
    class_names: tuple[str, ...] = ()
    fps: float = 30.0
    units: str = "metres"
    fingerprint: str = ""


@dataclass(frozen=True)
class Clip:
    """One clip on its way into a store.

    Attributes:
        name: unique within the store.
        xyz: (T, M, V, C) float32.
        label: class index, -1 where unknown (or untrimmed).
        subject: who moves; free text, digits in the published data sets.
        camera, setup, replication: as in NTU RGB+D's file names, -1 where unknown.
        intervals: (start, end, label) of an untrimmed recording's actions, 0-based frames, end exclusive.
        splits: name of a split that the data set publishes as a list → whether the clip trains (or tests) in
            it; without a split that does not list the clip.
        confidence: (T, M, V), 0 to 1, where the source tells.
    """

    name: str
    xyz: Array
    label: int = UNLABELLED
    subject: str = ""
    camera: int = -1
    setup: int = -1
    replication: int = -1
    intervals: Sequence[tuple[int, int, int]] = ()
    splits: Mapping[str, bool] = field(default_factory=dict)
    confidence: Array | None = None


class ClipStore:
    """A store opened for reading.

    Attributes:
        path: its directory.
        manifest: what it says of itself.
        frames: (F, M, V, C) float32, memory-mapped.
        index: column name → (N,) array.
        intervals: column name → (number of intervals,) array; empty for trimmed clips.
        splits: name → (N,) array of TRAINS, TESTS or NEITHER, for splits that come with the data set.
        confidence: (F, M, V) float16, memory-mapped; None where the source tells nothing.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens a store.

        Raises:
            KinemeError: the path is missing, is no store, or was written by a newer Kineme.
        """
        self.path = Path(path)
        if not self.path.exists():
            raise KinemeError(
                f"{path}: no such clip store; make one with `kineme prepare` or `kineme generate`"
            )
        if not (self.path / "manifest.json").is_file():
            raise KinemeError(
                f"{path}: not a clip store (it has no manifest.json); make one with `kineme prepare`"
            )
        try:
            data = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
            if data["format_version"] > FORMAT_VERSION:
                raise KinemeError(
                    f"{path}: store format {data['format_version']} is newer than this Kineme reads "
                    f"({FORMAT_VERSION}); update Kineme"
                )
            self.manifest = Manifest(
                layout=Layout.from_dict(data["layout"], where=f"{path}/manifest.json"),
                recipe=Recipe(**data["recipe"]),
                source=data["source"],
                class_names=tuple(data["class_names"]),
                fps=float(data["fps"]),
                units=data["units"],
                fingerprint=data["fingerprint"],
            )
            self.frames: Array = np.load(self.path / "frames.npy", mmap_mode="r", allow_pickle=False)
            self.confidence: Array | None = None
            if (self.path / "confidence.npy").is_file():
                self.confidence = np.load(self.path / "confidence.npy", mmap_mode="r", allow_pickle=False)
            with np.load(self.path / "index.npz", allow_pickle=False) as stored:
                self.index: dict[str, Array] = {name: stored[name] for name in CLIP_COLUMNS}
                self.intervals: dict[str, Array] = {
                    name: stored[f"interval_{name}"] for name in INTERVAL_COLUMNS
                }
                self.splits: dict[str, Array] = {
                    key.removeprefix("split_"): stored[key] for key in stored if key.startswith("split_")
                }
            self._check()
        except KinemeError:
            raise
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise KinemeError(f"{path}: damaged clip store ({_line(error)}); prepare it again") from error

    def _check(self) -> None:
        """Raises ValueError where files and index do not fit together."""
        frames, offset = self.index["frames"], self.index["offset"]
        if any(column.shape != frames.shape for column in (*self.index.values(), *self.splits.values())):
            raise ValueError("index.npz: columns differ in length")
        if (frames < 1).any() or (offset != np.cumsum(frames) - frames).any():
            raise ValueError("index.npz: clips do not follow one another")
        expected = int(frames.sum()), self.layout.num_joints, 3
        if self.frames.ndim != 4 or (len(self.frames), *self.frames.shape[2:]) != expected:
            raise ValueError(f"frames.npy is {self.frames.shape}, the index counts {expected[0]} frames")
        if self.confidence is not None and self.confidence.shape != self.frames.shape[:3]:
            raise ValueError(f"confidence.npy is {self.confidence.shape}, frames.npy {self.frames.shape}")

    def __len__(self) -> int:
        return len(self.index["name"])

    @property
    def layout(self) -> Layout:
        """The joint layout of all its clips."""
        return self.manifest.layout

    @property
    def bodies(self) -> int:
        """M, bodies a frame holds at most; absent ones are zero."""
        return int(self.frames.shape[1])

    @property
    def labels(self) -> Array:
        """(N,) class indices, -1 where unknown."""
        return self.index["label"]

    @property
    def names(self) -> Array:
        """(N,) clip names."""
        return self.index["name"]

    def clip(self, row: int) -> Array:
        """(T, M, V, C) frames of one clip, a view of the memory map."""
        start = int(self.index["offset"][row])
        return self.frames[start : start + int(self.index["frames"][row])]

    def clip_intervals(self, row: int) -> list[tuple[int, int, int]]:
        """(start, end, label) of one recording's actions, in order of start."""
        mine = np.flatnonzero(self.intervals["clip"] == row)
        rows = zip(*(self.intervals[name][mine].tolist() for name in ("start", "end", "label")), strict=True)
        return sorted(rows)


class StoreWriter:
    """Writes clips one by one, in bounded memory, and moves the store into place at the end.

        with StoreWriter(path, manifest, bodies=2) as writer:
            for clip in clips:
                writer.add(clip)

    Leaving the block by an exception removes what was written and leaves an earlier store as it was.
    """

    def __init__(self, path: str | Path, manifest: Manifest, bodies: int, *, overwrite: bool = False) -> None:
        """Begins a store beside `path`.

        Raises:
            KinemeError: something is at `path` already and `overwrite` is not set, or it is no store; or the
                directory cannot be written.
        """
        self.path = Path(path)
        self.manifest = manifest
        self.bodies = bodies
        if self.path.exists():
            if not overwrite:
                raise KinemeError(f"{path}: exists already; choose another name or pass --overwrite")
            if not (self.path / "manifest.json").is_file():
                raise KinemeError(f"{path}: exists and is not a clip store, so it is not overwritten")
        self._work = self.path.with_name(f".{self.path.name}.partial-{os.getpid()}")
        self._rows: list[tuple[Any, ...]] = []
        self._intervals: list[tuple[int, int, int, int]] = []
        self._splits: list[Mapping[str, bool]] = []
        self._names: set[str] = set()
        self._count = 0
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None

    def __enter__(self) -> StoreWriter:
        try:
            self._work.mkdir(parents=True)
            self._file = (self._work / "frames.npy").open("wb")
            self._write_header()
        except OSError as error:
            self._discard()
            raise _unwritable(self.path, error) from error
        return self

    def _shape(self) -> tuple[int, int, int, int]:
        return self._count, self.bodies, self.manifest.layout.num_joints, 3

    def _write_header(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        # Version 1.0 headers leave room for the first axis to grow, so the final one has the same length.
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": "<f4", "fortran_order": False, "shape": self._shape()}
        )

    def add(self, clip: Clip) -> None:
        """Appends one clip; fewer bodies than the store holds are padded with zeros.

        Raises:
            KinemeError: a wrong shape, non-finite coordinates, a name that is there already, a label without
                a class name, an interval outside the clip, a full disk.
        """
        _, bodies, joints, coordinates = self._shape()
        xyz = np.asarray(clip.xyz, dtype=np.float32)
        if xyz.ndim != 4 or xyz.shape[2:] != (joints, coordinates) or xyz.shape[1] > bodies:
            raise KinemeError(
                f"{clip.name}: clip has shape {xyz.shape}; expected (frames, up to {bodies} bodies, {joints} "
                f"joints, {coordinates})"
            )
        if len(xyz) == 0:
            raise KinemeError(f"{clip.name}: clip has no frames")
        if not np.isfinite(xyz).all():
            frame = int(np.flatnonzero(~np.isfinite(xyz).all(axis=(1, 2, 3)))[0])
            raise KinemeError(f"{clip.name}: frame {frame} holds NaN or infinite coordinates")
        if clip.name in self._names:
            raise KinemeError(f"{clip.name}: two clips have this name; names must be unique in a store")
        classes = len(self.manifest.class_names)
        for label in (clip.label, *(label for _, _, label in clip.intervals)):
            if not UNLABELLED <= label < classes:
                raise KinemeError(f"{clip.name}: label {label} has no class name (there are {classes})")
        for start, end, _ in clip.intervals:
            if not 0 <= start < end <= len(xyz):
                raise KinemeError(f"{clip.name}: interval {start}..{end} lies outside its {len(xyz)} frames")
        present = int(np.any(xyz, axis=(0, 2, 3)).sum())
        if xyz.shape[1] < bodies:
            xyz = np.pad(xyz, ((0, 0), (0, bodies - xyz.shape[1]), (0, 0), (0, 0)))
        data = np.ascontiguousarray(xyz).tobytes()
        assert self._file is not None, "add() outside the writer's with block"
        try:
            self._file.write(data)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._digest.update(data)
        row = len(self._rows)
        self._names.add(clip.name)
        self._rows.append(
            (clip.name, self._count, len(xyz), present, clip.label, clip.subject, clip.camera, clip.setup,
             clip.replication)
        )  # fmt: skip
        self._intervals.extend((row, label, start, end) for start, end, label in clip.intervals)
        self._splits.append(clip.splits)
        self._count += len(xyz)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            if not self._rows:
                raise KinemeError(f"{self.path}: no clips to store")
            self._finish()
        except OSError as failure:
            raise _unwritable(self.path, failure) from failure
        finally:
            self._discard()

    def _finish(self) -> None:
        assert self._file is not None
        self._write_header()
        self._file.close()
        columns: dict[str, Any] = dict(
            zip(CLIP_COLUMNS, map(np.array, zip(*self._rows, strict=True)), strict=True)
        )
        intervals = np.array(self._intervals, dtype=np.int64).reshape(-1, len(INTERVAL_COLUMNS))
        for i, name in enumerate(INTERVAL_COLUMNS):
            columns[f"interval_{name}"] = intervals[:, i]
        for name in sorted({name for splits in self._splits for name in splits}):
            parts = [int(splits.get(name, NEITHER)) for splits in self._splits]
            columns[f"split_{name}"] = np.array(parts, dtype=np.int8)
        for name in sorted(columns):
            self._digest.update(columns[name].tobytes())
        np.savez(self._work / "index.npz", **columns)
        manifest = replace(self.manifest, fingerprint=self._digest.hexdigest())
        data = {"format_version": FORMAT_VERSION, **asdict(manifest), "layout": manifest.layout.to_dict()}
        (self._work / "manifest.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        replace_directory(self._work, self.path)

    def _discard(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk: what is left in the buffer is not wanted
                self._file.close()
        shutil.rmtree(self._work, ignore_errors=True)


def replace_directory(source: Path, target: Path) -> None:
    """Moves a finished directory to its final name; one that is there already is put aside, then removed."""
    if not target.exists():
        source.rename(target)
        return
    aside = target.with_name(f".{target.name}.old-{os.getpid()}")
    target.rename(aside)
    try:
        source.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> KinemeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KinemeError(f"{path}: the disk is full; free some space or choose another place")
    return KinemeError(f"{path}: cannot be written ({_line(error)})")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
