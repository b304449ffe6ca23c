"""Writes clip stores clip by clip in bounded memory, and moves them into place when they are complete."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.clips.disk import STEP, STORED, FramesAs, encoded
from kineme.clips.fingerprints import fingerprint
from kineme.clips.store import (
    FORMAT_VERSION,
    INTERVAL_COLUMNS,
    NEITHER,
    UNLABELLED,
    Clip,
    Manifest,
    is_manifest,
    present_rows,
)
from kineme.errors import KinemeError
from kineme.files import check_own, followed, locked, remove_own, replace_directory, synchronise, unwritable
from kineme.typing import Array
from kineme.untrusted import bad_name

FLOAT32_FORMAT = 2  # of stores that earlier versions read too
_SHARD = ("frames.npy", "confidence.npy", "index.npz", "manifest.json")
OWN = (
    *_SHARD,
    *(f"*/{name}" for name in _SHARD),
    "index-*/*.npy",
)  # what is in a store, of one shard or many
_TEXT, _NUMBERS = ("name", "subject"), ("label", "camera", "setup", "replication")  # of a clip's index


class StoreWriter:
    """Writes clips one by one and moves the store into place at the end.

    >>> import kineme, numpy
    >>> manifest = kineme.Manifest(kineme.get_layout("ntu25"), kineme.Plain(), "mine")
    >>> with kineme.StoreWriter(example_folder / "mine", manifest, bodies=1) as writer:
    ...     for name in ("walk", "wave"):
    ...         writer.add(kineme.Clip(name, numpy.ones((30, 1, 25, 3))))
    >>> kineme.open_store(example_folder / "mine").names.tolist()
    ['walk', 'wave']

    Until then it is `.NAME.partial` beside `path`. Leaving the block by an exception removes it and keeps an
    earlier store as it was. What a killed process left behind is removed by the next writer of the same path.
    """

    def __init__(
        self,
        path: str | Path,
        manifest: Manifest,
        bodies: int,
        *,
        overwrite: bool = False,
        confidence: bool = False,
        frames_as: FramesAs = "float32",
    ) -> None:
        """Nothing is written before the `with` block.

        Args:
            path: directory of the store.
            manifest: metadata of the store; the fingerprint is filled in.
            bodies: M, the bodies of every frame; absent ones are zero.
            overwrite: replace an existing store once the new one is complete.
            confidence: store the clips' confidences; in clips without any, all joints that are present get 1.
            frames_as: `int16` halves the size of the frames: coordinates become multiples of 0.0002 up to
                6.55 in either direction, so that in metres they are accurate to a tenth of a millimetre.
                `float16` is that accurate only up to 0.25.
        """
        self.path = followed(Path(path))
        self.manifest = manifest
        self.bodies = bodies
        self.confidence = confidence
        self.frames_as: FramesAs = frames_as
        self._overwrite = overwrite
        self._partial = self.path.with_name(f".{self.path.name}.partial")
        self._arrays: list[_NpyFile] = []
        self._rows: list[tuple[Clip, int, int]] = []  # without arrays; frames and bodies
        self._names: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> StoreWriter:
        """Begins the store.

        Raises:
            KinemeError: something is at `path` already and `overwrite` is not set, or it is not a store;
                another process is writing this store; or the directory cannot be written.
        """
        with ExitStack() as stack:
            stack.enter_context(locked(self.path, "this store"))
            check_free(self.path, self._overwrite)
            try:
                if self._partial.exists():
                    remove_own(self._partial, OWN)  # of a killed process
                stack.callback(remove_own, self._partial, OWN)
                self._partial.mkdir()
                joints = self.manifest.layout.num_joints
                self._open(stack, "frames.npy", STORED[self.frames_as], (self.bodies, joints, 3))
                if self.confidence:
                    self._open(stack, "confidence.npy", "<f2", (self.bodies, joints))
            except OSError as error:
                raise unwritable(self.path, error) from error
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: ExitStack, name: str, dtype: str, row: tuple[int, ...]) -> None:
        array = _NpyFile(self._partial / name, dtype, row)
        stack.callback(array.close)
        self._arrays.append(array)

    def add(self, clip: Clip) -> None:
        """Appends one clip; fewer bodies than the store has are padded with zeros.

        Joints that the clip lacks are stored where their neighbours are, so that code that ignores `present`
        reads no zeros.

        Raises:
            KinemeError: a wrong shape, coordinates that are not finite or that `frames_as` cannot hold,
                confidences outside 0 to 1, a duplicate name, a label without a class name, an interval
                outside the clip, no joint present, or a full disk.
        """
        xyz = np.asarray(clip.xyz, dtype=np.float32)
        self._check(clip, xyz)
        if clip.present is not None:
            from kineme.augment.missing import filled_frames  # with PyTorch, which writing need not load

            xyz = filled_frames(xyz, clip.present, self.manifest.layout)
        try:
            frames = encoded(xyz, self.frames_as)
        except KinemeError as error:
            raise KinemeError(f"{clip.name}: {error}") from error
        arrays = [frames, _confidence(clip, xyz)] if self.confidence else [frames]
        assert self._arrays, "add() outside the writer's with block"
        missing = self.bodies - xyz.shape[1]
        try:
            for file, values in zip(self._arrays, arrays, strict=True):
                padding = [(0, 0), (0, missing), *[(0, 0)] * (values.ndim - 2)]
                file.append(np.pad(values, padding) if missing else values)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._names.add(clip.name)
        bodies = int(np.any(xyz, axis=(0, 2, 3)).sum())
        self._rows.append((replace(clip, xyz=np.empty(0), confidence=None), len(xyz), bodies))

    def _check(self, clip: Clip, xyz: Array) -> None:
        joints = self.manifest.layout.num_joints
        if xyz.ndim != 4 or xyz.shape[2:] != (joints, 3) or xyz.shape[1] > self.bodies:
            expected = f"(frames, up to {self.bodies} bodies, {joints} joints, 3)"
            raise KinemeError(f"{clip.name}: clip has shape {xyz.shape}; expected {expected}")
        if len(xyz) == 0:
            raise KinemeError(f"{clip.name}: clip has no frames")
        if not np.isfinite(xyz).all():
            frame = int(np.flatnonzero(~np.isfinite(xyz).all(axis=(1, 2, 3)))[0])
            raise KinemeError(f"{clip.name}: frame {frame} contains NaN or infinite coordinates")
        if wrong := bad_name((clip.name, clip.subject or "none")):
            raise KinemeError(f"{ascii(clip.name)[:80]}: {wrong}; rename it")
        if clip.name in self._names:
            raise KinemeError(f"{clip.name}: two clips have this name; names must be unique in a store")
        if clip.present is not None and np.shape(clip.present) != (joints,):
            raise KinemeError(
                f"{clip.name}: `present` has shape {np.shape(clip.present)}; expected ({joints},)"
            )
        if clip.present is not None and not np.any(clip.present):
            raise KinemeError(f"{clip.name}: no joint is present; leave the clip out")
        classes = len(self.manifest.class_names)
        for label in (clip.label, *(label for _, _, label in clip.intervals)):
            if not UNLABELLED <= label < classes:
                raise KinemeError(f"{clip.name}: label {label} has no class name (there are {classes})")
        for start, end, _ in clip.intervals:
            if not 0 <= start < end <= len(xyz):
                raise KinemeError(f"{clip.name}: interval {start}..{end} lies outside its {len(xyz)} frames")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                if not self._rows:
                    raise KinemeError(f"{self.path}: no clips to store")
                try:
                    self._finish()
                except OSError as failure:
                    raise unwritable(self.path, failure) from failure

    def _finish(self) -> None:
        for array in self._arrays:
            array.finish()
        columns = _index_columns(self._rows)
        present = present_rows((clip.present for clip, _, _ in self._rows), self.manifest.layout.num_joints)
        columns |= {} if present is None else {"present": present}
        np.savez(self._partial / "index.npz", **columns)
        mark = fingerprint([array.digest for array in self._arrays], columns)
        data = {"format_version": FLOAT32_FORMAT, **replace(self.manifest, fingerprint=mark).to_dict()}
        if self.frames_as != "float32":
            data |= {"format_version": FORMAT_VERSION, "step": STEP}
        (self._partial / "manifest.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        for path in (self._partial / "index.npz", self._partial / "manifest.json", self._partial):
            synchronise(path)
        replace_directory(self._partial, self.path, OWN)


def check_free(path: Path, overwrite: bool) -> None:
    """Checks that a store may be written at a path.

    Raises:
        KinemeError: something is there already and `overwrite` is not set, or it is no store.
    """
    if path.exists():
        if not overwrite:
            remedy = "set `overwrite` to replace it, or choose another name"
            raise KinemeError(f"{path}: already exists; {remedy}")
        if not is_manifest(path / "manifest.json"):
            raise KinemeError(f"{path}: exists and is not a clip store, so it is not overwritten")
        check_own(path, OWN)


def _index_columns(rows: Sequence[tuple[Clip, int, int]]) -> dict[str, Any]:
    """The arrays of `index.npz`, by name."""
    clips, frames, bodies = zip(*rows, strict=True)
    columns: dict[str, Any] = {name: np.array([getattr(clip, name) for clip in clips]) for name in _TEXT}
    columns |= {name: np.array([getattr(clip, name) for clip in clips], dtype=np.int64) for name in _NUMBERS}
    columns |= {"frames": np.array(frames), "bodies": np.array(bodies)}
    columns["offset"] = np.cumsum(columns["frames"]) - columns["frames"]
    intervals = [(i, label, *span) for i, clip in enumerate(clips) for *span, label in clip.intervals]
    table = np.array(intervals, dtype=np.int64).reshape(-1, len(INTERVAL_COLUMNS))
    columns |= {f"interval_{name}": table[:, i] for i, name in enumerate(INTERVAL_COLUMNS)}
    for name in sorted({name for clip in clips for name in clip.splits}):
        parts = [int(clip.splits.get(name, NEITHER)) for clip in clips]
        columns[f"split_{name}"] = np.array(parts, dtype=np.int8)
    return columns


class _NpyFile:
    """An .npy file written row by row, with the SHA-256 of its rows."""

    def __init__(self, path: Path, dtype: npt.DTypeLike, row: tuple[int, ...]) -> None:
        self.digest = hashlib.sha256()
        self._rows = 0
        self._dtype = np.dtype(dtype)
        self._row = row
        self._file = path.open("wb")
        self._write_header()

    def append(self, rows: Array) -> None:
        """Adds (n, *row) at the end."""
        data = np.ascontiguousarray(rows, dtype=self._dtype).data
        self._file.write(data)
        self.digest.update(data)
        self._rows += len(rows)

    def finish(self) -> None:
        """Writes the number of rows into the header, and everything to the disk."""
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file, even on a full disk."""
        with suppress(OSError):
            self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        # Version 1.0 headers leave room for the first axis to grow, so the final one has the same length.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._rows, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, header)


def _confidence(clip: Clip, xyz: Array) -> Array:
    """(T, M, V) float16; in a clip without confidences 1 for bodies that are there and 0 for absent ones."""
    if clip.confidence is None:
        present = np.any(xyz, axis=(2, 3))[..., None]
        return np.broadcast_to(present, xyz.shape[:3]).astype(np.float16)
    values = np.asarray(clip.confidence)
    if values.shape != xyz.shape[:3]:
        expected = f"{xyz.shape[:3]}, like the joints"
        raise KinemeError(f"{clip.name}: confidences have shape {values.shape}; expected {expected}")
    if not ((values >= 0) & (values <= 1)).all():
        raise KinemeError(f"{clip.name}: confidences must lie between 0 and 1")
    return values.astype(np.float16)
