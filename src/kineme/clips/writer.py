"""Writes clip stores: clip by clip in bounded memory, whole or not at all, and on from where one was killed.

.STORE.partial/
    journal     see `journal.py`
    store/      what becomes the store
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from kineme.clips.index import Row, index_columns
from kineme.clips.journal import GrowingArray, Journal
from kineme.clips.store import FORMAT_VERSION, UNLABELLED, Clip, Manifest
from kineme.errors import KinemeError
from kineme.files import replace_directory, synchronise, unwritable
from kineme.typing import Array

COMMIT_SECONDS = 5.0  # of work are lost at most


class StoreWriter:
    """Writes clips one by one and moves the store into place at the end.

        with StoreWriter(path, manifest, bodies=2) as writer:
            for clip in clips:
                writer.add(clip)

    Leaving the block by an exception leaves an earlier store as it was, and removes what was written, unless
    a key says what is being made: then a later writer of the same key goes on from there, and one of another
    key begins anew.

    Attributes:
        done: clips that an earlier writer of this key added or left out; go on with the next one.
        left_out: reasons why clips were left out, in order.
        replaced: unfinished work of another key was thrown away.
    """

    def __init__(
        self,
        path: str | Path,
        manifest: Manifest,
        bodies: int,
        *,
        overwrite: bool = False,
        confidence: bool = False,
        key: str = "",
    ) -> None:
        """Begins a store beside `path`.

        Args:
            path: directory of the store.
            manifest: what it says of itself; the fingerprint is filled in.
            bodies: M, that every frame holds; absent ones are zero.
            overwrite: replace a store that is there already, once the new one is whole.
            confidence: keep the clips' confidences; clips without one count as certain of what is there.
            key: of all that the clips follow from, if the work may be continued.

        Raises:
            KinemeError: something is at `path` already and `overwrite` is not set, or it is no store. On
                entering the block: the directory cannot be written, or another process is making the store.
        """
        self.path = Path(path)
        self.manifest = manifest
        self.bodies = bodies
        self.confidence = confidence
        self.done = 0
        self.left_out: list[str] = []
        self.replaced = False
        self._overwrite = overwrite
        self._key = key
        self._check_free()
        self._work = self.path.with_name(f".{self.path.name}.partial" + ("" if key else f"-{os.getpid()}"))
        self._store = self._work / "store"
        self._journal: Journal | None = None
        self._arrays: list[GrowingArray] = []
        self._rows: list[Row] = []
        self._names: set[str] = set()
        self._new: list[Any] = []  # rows and reasons that the journal does not have yet
        self._committed = time.monotonic()

    def _check_free(self) -> None:
        if self.path.exists():
            if not self._overwrite:
                raise KinemeError(f"{self.path}: exists already; choose another name or pass --overwrite")
            if not (self.path / "manifest.json").is_file():
                raise KinemeError(f"{self.path}: exists and is not a clip store, so it is not overwritten")

    def __enter__(self) -> StoreWriter:
        try:
            self._work.mkdir(parents=True, exist_ok=bool(self._key))
            batches: list[Any] = []
            if self._key:
                self._journal = Journal(self._work / "journal", self.path)
                self._check_free()  # the process that had it may have finished just now
                batches, self.replaced = self._journal.begin(self._key)
            if not batches:
                shutil.rmtree(self._store, ignore_errors=True)
            self._open()
            accepted = 0
            while accepted < len(batches) and self._accept(batches[accepted]):
                accepted += 1
            if self._journal is not None:
                self._journal.accept(accepted)
            for array in self._arrays:
                array.cut()
        except OSError as error:
            self._end(keep=bool(self._key))
            raise unwritable(self.path, error) from error
        except KinemeError:
            self._end(keep=True)
            raise
        return self

    def _open(self) -> None:
        self._store.mkdir(exist_ok=True)
        joints = self.manifest.layout.num_joints
        self._arrays.append(GrowingArray(self._store / "frames.npy", "<f4", (self.bodies, joints, 3)))
        if self.confidence:
            self._arrays.append(GrowingArray(self._store / "confidence.npy", "<f2", (self.bodies, joints)))

    def _accept(self, batch: Any) -> bool:
        """Takes up what an earlier writer did, if it is all there."""
        try:
            entries = batch["entries"]
            rows = [Row(*entry) for entry in entries if not isinstance(entry, str)]
            frames = sum(row.frames for row in rows)
            digests = [array.digest_ahead(frames) for array in self._arrays]
            if [digest and digest.hexdigest() for digest in digests] != batch["sha256"]:
                return False
        except (KeyError, TypeError, ValueError):
            return False
        for array, digest in zip(self._arrays, digests, strict=True):
            array.rows, array.digest = array.rows + frames, digest
        self._rows += rows
        self._names.update(row.name for row in rows)
        self.left_out += [entry for entry in entries if isinstance(entry, str)]
        self.done += len(entries)
        return True

    def add(self, clip: Clip) -> None:
        """Appends one clip; fewer bodies than the store holds are padded with zeros.

        Raises:
            KinemeError: a wrong shape, non-finite coordinates, confidences that are none, a name that is
                there already, a label without a class name, an interval outside the clip, a full disk.
        """
        xyz = np.asarray(clip.xyz, dtype=np.float32)
        self._check(clip, xyz)
        arrays = [xyz]
        if self.confidence:
            arrays.append(_confidence(clip, xyz))
        row = Row(
            name=clip.name,
            frames=len(xyz),
            bodies=int(np.any(xyz, axis=(0, 2, 3)).sum()),
            label=int(clip.label),
            subject=clip.subject,
            camera=int(clip.camera),
            setup=int(clip.setup),
            replication=int(clip.replication),
            intervals=[(int(start), int(end), int(label)) for start, end, label in clip.intervals],
            splits={name: bool(trains) for name, trains in clip.splits.items()},
        )
        assert self._arrays, "add() outside the writer's with block"
        missing = self.bodies - xyz.shape[1]
        try:
            for file, values in zip(self._arrays, arrays, strict=True):
                padding = [(0, 0), (0, missing), *[(0, 0)] * (values.ndim - 2)]
                file.append(np.pad(values, padding) if missing else values)
            self._rows.append(row)
            self._names.add(clip.name)
            self._note(row)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def leave_out(self, reason: str) -> None:
        """Remembers that the next clip is not in the store, and why."""
        self.left_out.append(reason)
        try:
            self._note(reason)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _check(self, clip: Clip, xyz: Array) -> None:
        joints = self.manifest.layout.num_joints
        if xyz.ndim != 4 or xyz.shape[2:] != (joints, 3) or xyz.shape[1] > self.bodies:
            raise KinemeError(
                f"{clip.name}: clip has shape {xyz.shape}; expected (frames, up to {self.bodies} bodies, "
                f"{joints} joints, 3)"
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

    def _note(self, entry: Any) -> None:
        """Commits what is new every few seconds, if the work may be continued."""
        if self._journal is not None:
            self._new.append(entry)
            if time.monotonic() - self._committed >= COMMIT_SECONDS:
                self._commit(self._journal)

    def _commit(self, journal: Journal) -> None:
        for array in self._arrays:
            array.flush()
        if self._new:
            digests = [array.digest.hexdigest() for array in self._arrays]
            journal.append({"entries": self._new, "sha256": digests})
            self._new = []
        self._committed = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keep = self._journal is not None and bool(self._rows)
        try:
            if kind is None:
                if not self._rows:
                    raise KinemeError(f"{self.path}: no clips to store")
                if self._journal is not None:
                    self._commit(self._journal)
                self._finish()
                keep = False
            elif self._journal is not None:
                with contextlib.suppress(OSError):  # a full disk: what was committed before is kept
                    self._commit(self._journal)
        except OSError as failure:
            raise unwritable(self.path, failure) from failure
        finally:
            self._end(keep)

    def _finish(self) -> None:
        for array in self._arrays:
            array.finish()
        columns = index_columns(self._rows)
        digest = self._arrays[0].digest.copy()
        for array in self._arrays[1:]:
            digest.update(array.digest.digest())
        for name in sorted(columns):
            digest.update(columns[name].tobytes())
        np.savez(self._store / "index.npz", **columns)
        manifest = replace(self.manifest, fingerprint=digest.hexdigest())
        data = {"format_version": FORMAT_VERSION, **manifest.to_dict()}
        (self._store / "manifest.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        for path in (self._store / "index.npz", self._store / "manifest.json", self._store):
            synchronise(path)
        replace_directory(self._store, self.path)

    def _end(self, keep: bool) -> None:
        """Closes everything; the journal last, since its lock guards the rest."""
        for array in self._arrays:
            array.close()
        if not keep:
            shutil.rmtree(self._work, ignore_errors=True)
        if self._journal is not None:
            self._journal.close()


def _confidence(clip: Clip, xyz: Array) -> Array:
    """(T, M, V) float16; of a clip without, 1 for bodies that are there and 0 for those that are not."""
    if clip.confidence is None:
        present = np.any(xyz, axis=(2, 3))[..., None]
        return np.broadcast_to(present, xyz.shape[:3]).astype(np.float16)
    values = np.asarray(clip.confidence)
    if values.shape != xyz.shape[:3]:
        raise KinemeError(
            f"{clip.name}: confidences have shape {values.shape}; expected {xyz.shape[:3]}, as the joints"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise KinemeError(f"{clip.name}: confidences go beyond 0 to 1")
    return values.astype(np.float16)
