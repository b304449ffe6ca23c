"""What strangers' bytes can reach: each parser with files that it takes, from which fuzzing begins."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from golden_fill import GOLDEN
from safetensors import SafetensorError
from sources.fuzz import held
from sources.test_fuzz import first_frames
from sources.test_poses_estimators_fuzz import FILES
from sources.test_poses_mocap_fuzz import KINDS, damaged, opened, write

from conftest import write_store
from kineme.clips.store import ClipStore
from kineme.loading import load_run
from kineme.settings import load_config
from kineme.sources.ntu import read_skeleton
from kineme.sources.pkummd_text import read_skeletons
from kineme.sources.poses import open_poses
from kineme.sources.raw import RawFile
from kineme.sources.unpickle import read_pickle
from kineme.untrusted import read_arrays, read_yaml

UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)  # what the bounded readers say they raise


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        seeds: files that it takes.
        read: takes the bytes of a file; may raise KinemeError of one line, and nothing else.
    """

    seeds: list[bytes]
    read: Callable[[bytes], object]


def targets(folder: Path) -> dict[str, Callable[[], Target]]:
    """By name; each may write into its folder."""
    poses = {name: partial(_poses, folder, name) for name in FILES}
    capture = {kind: partial(_capture, folder, kind) for kind in KINDS}
    return {
        **poses,
        **capture,
        "ntu": lambda: Target(
            [first_frames(2)], lambda data: read_skeleton(held("S001C001P001R001A001.skeleton", data))
        ),
        "pkummd": lambda: Target(
            [b" ".join([b"0.5"] * 150) + b"\n"], partial(_pkummd, folder / "0002-L.txt")
        ),
        "pickle": lambda: Target(_pickles(), lambda data: read_pickle(held("labels.pkl", data))),
        "yaml": lambda: Target([b"a: [1, {b: 'c'}]\n"], partial(_in_file, folder / "a.yaml", read_yaml)),
        "arrays": lambda: Target([_arrays()], partial(_in_file, folder / "a.npz", read_arrays)),
        "recipe": lambda: Target([_recipe()], partial(_in_file, folder / "recipe.yaml", load_config)),
        "manifest": partial(_manifest, folder / "store"),
        "model": partial(_model, folder / "model.safetensors"),
    }


def _poses(folder: Path, name: str) -> Target:
    path, good = folder / name, FILES[name]()
    path.write_bytes(good)
    source = open_poses(path, image="640x480" if name == "walk_1.txt" else None)
    return Target([good], lambda data: _finite(source, name, data))


def _capture(folder: Path, kind: str) -> Target:
    path, options = write(folder, kind)
    source = opened(path, options)
    return Target([path.read_bytes()], lambda data: _finite(source, path.name, data))


def _finite(source: Any, name: str, data: bytes) -> None:
    clip = source.read(replace(source.items[0], files=(damaged(name, data),)))
    assert clip.xyz.shape[2:] == (source.layout.num_joints, 3)
    assert np.isfinite(clip.xyz).all()


def _in_file(path: Path, read: Callable[[Path], object], data: bytes) -> None:
    path.write_bytes(data)
    with suppress(*UNREADABLE):
        read(path)


def _pkummd(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert np.isfinite(read_skeletons(RawFile(PurePosixPath(path.name), path))).all()


def _pickles() -> list[bytes]:
    import pickle

    value = {"split": {"a": ["x"]}, "annotations": [{"keypoint": np.ones((1, 2, 17, 2)), "label": 3}]}
    return [pickle.dumps(value, protocol) for protocol in (0, 2, 5)]


def _arrays() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(6).reshape(2, 3), b=np.array(["x", "y"]))
    return file.getvalue()


def _recipe() -> bytes:
    return (Path(__file__).parents[2] / "recipes" / "aimclr-small.yaml").read_bytes()


def _manifest(store: Path) -> Target:
    manifest = write_store(store) / "manifest.json"

    def read(data: bytes) -> None:
        manifest.write_bytes(data)
        ClipStore(store)

    return Target([manifest.read_bytes()], read)


def _model(path: Path) -> Target:
    """The settings in the header of a model; its framing is safetensors' own."""
    good = (GOLDEN / "format1/runs/usdrl/model.safetensors").read_bytes()
    size = int.from_bytes(good[:8], "little")
    header, weights = json.loads(good[8 : 8 + size]), good[8 + size :]

    def read(data: bytes) -> None:
        told = {**header, "__metadata__": {"kineme": data.decode("utf-8", "replace")}}
        packed = json.dumps(told).encode()
        path.write_bytes(len(packed).to_bytes(8, "little") + packed + weights)
        with suppress(SafetensorError):
            load_run(path, stranger=True)

    return Target([header["__metadata__"]["kineme"].encode()], read)
