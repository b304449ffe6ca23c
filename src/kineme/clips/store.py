"""The clip store: a directory of ragged, memory-mapped clips.

    frames.npy      (F, M, V, C), the frames of all clips one after another, no padding: float32, float16, or
                    int16 in steps that the manifest states
    index.npz       a row per clip: name, offset, frames, bodies, label, subject, camera, setup, replication;
                    for untrimmed recordings, a row per interval: clip, label, start, end; a column per split
                    that the data set publishes as a list, such as `split_xsub`; `present`, (N, V) bool,
                    where a clip lacks joints
    confidence.npy  (F, M, V) float16, 0 to 1, confidence of the pose estimator, if the source has it
    manifest.json   format version, layout, units, fps, source, preprocessing, class names, fingerprint

`writer.py` writes a store aside and moves it into place when complete. A store of many shards is a directory
of such stores, and what `shards.py` writes next to them.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.columns import Columns, mapped_columns, repeated, row_of
from kineme.clips.disk import DiskArray
from kineme.clips.folders import Folder, folder_of
from kineme.clips.shards import Shard
from kineme.errors import KinemeError, one_line
from kineme.layouts import Layout
from kineme.preprocessing import Preprocessing, stored_preprocessing
from kineme.typing import Array
from kineme.untrusted import bad_name, bad_names, load_array, read_arrays

FORMAT_VERSION = 3  # 1 called the preprocessing a recipe; 2 had float32 frames and one shard
UNLABELLED = -1
_DAMAGES = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, OverflowError),
    *(zipfile.BadZipFile, zlib.error),
)
CLIP_COLUMNS = ("name", "offset", "frames", "bodies", "label", "subject", "camera", "setup", "replication")
INTERVAL_COLUMNS = ("clip", "label", "start", "end")
TRAINS, TESTS, NEITHER = 1, 0, -1  # in the column of a split


@dataclass(frozen=True)
class Manifest:
    """The description of a store.

    Attributes:
        layout: of all clips.
        preprocessing: the one they went through.
        source: what they were prepared from.
        class_names: indexed by labels.
        fps: frames per second.
        units: of the coordinates.
        fingerprint: SHA-256 of frames, confidences and index.
        fps_status: `known` if the recordings or the user gave the frame rate; `assumed` if neither did;
            `missing` in stores written before this was recorded.

    >>> import kineme
    >>> manifest = kineme.open_store(example_store).manifest
    >>> manifest.source, manifest.units, manifest.fps, manifest.preprocessing.id
    ('generated', 'metres', 30.0, 'plain')
    """

    layout: Layout
    preprocessing: Preprocessing
    source: str
    class_names: tuple[str, ...] = ()
    fps: float = 30.0
    units: str = "metres"
    fingerprint: str = ""
    fps_status: str = "known"

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as in manifest.json."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**own, "layout": self.layout.to_dict(), "preprocessing": self.preprocessing.to_dict()}


@dataclass(frozen=True)
class Clip:
    """One clip to be written to a store.

    Attributes:
        name: unique within the store.
        xyz: (T, M, V, C) float32.
        label: class index, -1 if unknown or untrimmed.
        subject: the performer; free text, digits in the published data sets.
        camera, setup, replication: as in NTU RGB+D's file names, -1 if unknown.
        intervals: (start, end, label) of an untrimmed recording's actions, 0-based frames, end exclusive.
        splits: split that the data set publishes as a list → whether the clip is in its training (else its
            test) part; splits that do not list the clip are left out.
        confidence: (T, M, V), 0 to 1; None if the source has none.
        present: (V,) bool, false for joints that were never recorded, of any body in any frame; None: all
            were.

    >>> clip = Clip("wave01", np.zeros((40, 1, 25, 3), dtype=np.float32), label=0, subject="anna")
    >>> clip.xyz.shape, clip.camera
    ((40, 1, 25, 3), -1)
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
    present: Array | None = None


class ClipStore:
    """A store opened for reading.

    Attributes:
        path: its directory; of an address, the one in the cache folder.
        address: as it was given.
        manifest: its description.
        shards: those it is made of; none if it is in one piece.
        frames: (F, M, V, C), memory-mapped; reads return float32.
        columns: of the index, as they are named there; those of many shards are memory-mapped.
        index: those of clips: column name → (N,) array.
        intervals: column name → (number of intervals,) array; empty for trimmed clips.
        splits: name → (N,) array of TRAINS, TESTS or NEITHER, for splits that come with the data set.
        confidence: (F, M, V) float16, memory-mapped; None if the source has none.
        present: (N, V) bool, false for the joints that a clip lacks; None if no clip lacks any.

    >>> store = ClipStore(example_store)
    >>> len(store), store.bodies, store.manifest.class_names
    (24, 2, ('wave', 'bow', 'sit down'))
    >>> print(store.names[0], store.labels[0], store.clip(0).shape)  # (T, M, V, C)
    S001C002P001R001A001 0 (125, 2, 25, 3)
    """

    frames: Array | DiskArray
    confidence: Array | DiskArray | None

    def __init__(self, path: str | Path) -> None:
        """Opens a store.

        Args:
            path: of its directory; or the address of one in object storage, such as `s3://bucket/mine`, whose
                files are downloaded when needed and kept in the user's cache folder.

        Raises:
            KinemeError: the path is missing, is not a store, or was written by a newer Kineme; or what is
                behind an address cannot be reached.
        """
        folder = folder_of(path)
        self.path, self.address = folder.path, str(path)
        if not self.path.exists():
            raise KinemeError(
                f"{path}: no such clip store; make one with `kineme prepare` or `kineme generate`"
            )
        if not (self.path / "manifest.json").is_file():
            if (self.path / "model.safetensors").is_file():
                raise KinemeError(f"{path}: is a run, but a clip store is expected; name a clip store")
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
                preprocessing=stored_preprocessing(
                    data["recipe" if data["format_version"] == 1 else "preprocessing"]
                ),
                source=data["source"],
                class_names=tuple(data["class_names"]),
                fps=float(data["fps"]),
                units=data["units"],
                fingerprint=data["fingerprint"],
                fps_status=str(data.get("fps_status", "missing")),
            )
            self.shards = tuple(Shard(**each) for each in data.get("shards", ()))
            columns = self._open_shards(folder, data) if self.shards else self._open_one(folder, data)
            self.columns = columns
            self.index: dict[str, Array] = {name: columns[name] for name in CLIP_COLUMNS}
            self.intervals: dict[str, Array] = {
                name: columns[f"interval_{name}"] for name in INTERVAL_COLUMNS
            }
            self.splits: dict[str, Array] = {
                key.removeprefix("split_"): columns[key] for key in columns if key.startswith("split_")
            }
            self.present: Array | None = columns.get("present")
            self._check()
        except KinemeError:
            raise
        except PermissionError as error:
            raise KinemeError(f"{error.filename}: permission denied; fix its permissions") from error
        except _DAMAGES as error:
            raise KinemeError(f"{path}: damaged clip store ({one_line(error)}); prepare it again") from error

    def _open_one(self, folder: Folder, data: Mapping[str, Any]) -> Columns:
        """Opens the files of a store of one shard; gives its columns."""
        path = folder.shard(".", self.manifest.fingerprint)
        self.frames, self.confidence = load_array(path / "frames.npy", mapped=True), None
        if self.frames.dtype != np.float32:
            files, count = [path / "frames.npy"], [len(self.frames)]
            self.frames = DiskArray(files.__getitem__, count, self.frames.shape[1:], step=data.get("step", 1))
        if (path / "confidence.npy").is_file():
            self.confidence = load_array(path / "confidence.npy", mapped=True)
        return read_arrays(path / "index.npz")

    def _open_shards(self, folder: Folder, data: Mapping[str, Any]) -> Columns:
        """Opens the index of a store of many shards, whose own files are opened when they are read."""
        counts = [each.frames for each in self.shards]
        row = int(data["bodies"]), self.layout.num_joints

        def path_of(name: str) -> Callable[[int], Path]:
            return lambda i: folder.shard(self.shards[i].path, self.shards[i].fingerprint) / name

        self.frames = DiskArray(path_of("frames.npy"), counts, (*row, 3), step=data.get("step", 1))
        self.confidence = None
        if data["confidence"]:
            self.confidence = DiskArray(path_of("confidence.npy"), counts, row, dtype=np.float16)
        return mapped_columns(folder.files(data["index"], data["columns"]), list(data["columns"]))

    def _check(self) -> None:
        """Raises ValueError where files and index disagree, or hold what no store does.

        What is in shards was checked when they were joined, and is checked again when they are read.
        """
        if self.shards:
            frames, offset = self.index["frames"], self.index["offset"]
            if any(column.shape != frames.shape for column in (*self.index.values(), *self.splits.values())):
                raise ValueError("the index: columns differ in length")
            clips, count = sum(each.clips for each in self.shards), len(self.frames)
            if len(frames) != clips or int(offset[-1]) + int(frames[-1]) != count:
                raise ValueError(f"the index has {len(frames)} clips, the shards {clips}")
            return
        manifest, index, intervals = self.manifest, self.index, self.intervals
        for name, column in (*index.items(), *intervals.items(), *self.splits.items()):
            if column.ndim != 1 or column.dtype.kind != ("U" if name in ("name", "subject") else "i"):
                raise ValueError(f"index.npz: {name} is {column.dtype} of shape {column.shape}")
        texts = (*manifest.class_names, manifest.source, manifest.units, manifest.fingerprint, *self.splits)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("manifest.json: a name is not text")
        wrong = bad_names(index["name"]) or bad_names(index["subject"]) or bad_name(filter(None, texts))
        if wrong:
            raise ValueError(wrong)
        if not 0 < manifest.fps < float("inf"):
            raise ValueError(f"manifest.json: fps is {manifest.fps}")
        frames, offset, classes = index["frames"], index["offset"], len(manifest.class_names)
        if any(column.shape != frames.shape for column in (*index.values(), *self.splits.values())):
            raise ValueError("index.npz: columns differ in length")
        if len({len(column) for column in intervals.values()}) > 1:
            raise ValueError("index.npz: columns of intervals differ in length")
        for name, column, lowest, count in (
            ("label", index["label"], UNLABELLED, classes),
            ("interval_label", intervals["label"], UNLABELLED, classes),
            ("interval_clip", intervals["clip"], 0, len(frames)),
        ):
            if ((column < lowest) | (column >= count)).any():
                raise ValueError(f"index.npz: {name} is not in {lowest}..{count - 1}")
        if len(frames) and (twice := repeated(index["name"])) is not None:
            raise ValueError(f"index.npz: two clips are named {twice!r}")
        if len(frames) == 0 or (frames < 1).any() or (offset != np.cumsum(frames) - frames).any():
            raise ValueError("index.npz: clips do not follow one another")
        expected = int(frames.sum()), self.layout.num_joints, 3
        shape = self.frames.shape
        if len(shape) != 4 or shape[1] < 1 or (shape[0], *shape[2:]) != expected:
            raise ValueError(f"frames.npy is {shape}, the index counts {expected[0]} frames")
        if self.confidence is not None and self.confidence.shape != shape[:3]:
            raise ValueError(f"confidence.npy is {self.confidence.shape}, frames.npy {shape}")
        for array, kind in ((self.frames, np.float32), (self.confidence, np.float16)):
            if array is not None and array.dtype != kind:
                raise ValueError(f"holds {array.dtype} instead of {np.dtype(kind)}")
        joints = len(frames), self.layout.num_joints
        if self.present is not None and (self.present.shape != joints or self.present.dtype != np.bool_):
            raise ValueError(f"index.npz: column present is {self.present.shape}, it should be {joints}")

    def __len__(self) -> int:
        return len(self.index["name"])

    def __repr__(self) -> str:
        manifest = self.manifest
        return (
            f"<{type(self).__name__} {self.path}: {len(self)} clips, {len(manifest.class_names)} classes, "
            f"{self.layout.name}, {manifest.preprocessing.id}, {manifest.fps:g} fps>"
        )

    @property
    def layout(self) -> Layout:
        """The joint layout of all clips."""
        return self.manifest.layout

    @property
    def bodies(self) -> int:
        """M, bodies per frame; absent ones are zero."""
        return int(self.frames.shape[1])

    @property
    def labels(self) -> Array:
        """(N,) class indices, -1 if unknown."""
        return self.index["label"]

    @property
    def names(self) -> Array:
        """(N,) clip names."""
        return self.index["name"]

    def clip(self, row: int) -> Array:
        """(T, M, V, C) float32 frames of one clip; a view of the memory map if stored as float32."""
        start = int(self.index["offset"][row])
        return self.frames[start : start + int(self.index["frames"][row])]

    def row(self, name: str) -> int | None:
        """The row of the clip of a name; None if there is none.

        >>> import kineme
        >>> kineme.open_store(example_store).row("S001C002P001R001A001")
        0
        """
        return row_of(self.names, name)

    def clip_present(self, row: int) -> Array | None:
        """(V,) bool, which joints one clip has; None if no clip of the store lacks any."""
        return None if self.present is None else self.present[row]

    def clip_intervals(self, row: int) -> list[tuple[int, int, int]]:
        """(start, end, label) of the actions in one recording, sorted."""
        mine = slice(*np.searchsorted(self.intervals["clip"], (row, row + 1)))  # they are in order of clips
        rows = zip(*(self.intervals[name][mine].tolist() for name in ("start", "end", "label")), strict=True)
        return sorted(rows)


def is_manifest(path: Path) -> bool:
    """Whether a file is a store's manifest: no other program writes a format version and this fingerprint."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return isinstance(data["format_version"], int) and len(bytes.fromhex(data["fingerprint"])) == 32
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def open_store(path: str | Path) -> ClipStore:
    """Opens a clip store for reading.

    Raises:
        KinemeError: the path is missing, is not a store, or was written by a newer Kineme.

    >>> store = open_store(example_store)
    >>> len(store), store.layout.name, store.clip(0).shape[1:]
    (24, 'ntu25', (2, 25, 3))
    """
    return ClipStore(path)


def present_rows(present: Iterable[Array | None], joints: int) -> Array | None:
    """What clips say of their joints as one array (N, V) bool; None where no clip lacks any.

    >>> present_rows([None, np.array([True, True])], joints=2) is None
    True
    """
    rows = [np.ones(joints, dtype=bool) if each is None else np.asarray(each, dtype=bool) for each in present]
    return None if all(row.all() for row in rows) else np.stack(rows)
