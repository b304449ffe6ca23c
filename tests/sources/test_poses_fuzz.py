"""Damaged files of poses: a finite clip or a KinemeError, for each format 2,000 times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sources.fuzz import mutations, survives
from sources.writers import write_coco, write_mediapipe, write_openpose

from kineme.layouts import LAYOUTS, Layout
from kineme.sources.poses import open_poses
from kineme.sources.poses.recordings import Recording
from kineme.sources.raw import RawFile

RNG = np.random.default_rng(0)
PEOPLE = np.concatenate(
    [RNG.normal(size=(5, 2, 25, 2)).round(2) * 50 + 200, RNG.random((5, 2, 25, 1)).round(2)], axis=-1
)


def write(folder: Path, kind: str) -> Path:
    """One small recording of a kind; the file that is to be damaged."""
    path = folder / kind
    clip = RNG.normal(size=(4, 2, 3)).round(3)
    if kind == "clip.npy":
        np.save(path, clip)
    elif kind == "clip.npz":
        np.savez(path, xyz=clip[:, None], confidence=RNG.random((4, 1, 2)), label="wave", fps=25)
    elif kind == "wide.csv":
        rows = "\n".join(f"{t},{','.join(map(str, frame.ravel()))}" for t, frame in enumerate(clip))
        path.write_text(f"frame,hip_x,hip_y,hip_z,head_x,head_y,head_z\n{rows}\n")
    elif kind == "long.csv":
        rows = "\n".join(
            f"{t},{name},{x},{y},{z},1"
            for t, frame in enumerate(clip)
            for name, (x, y, z) in zip(("hip", "head"), frame, strict=True)
        )
        path.write_text(f"frame,joint,x,y,z,c\n{rows}\n")
    elif kind == "bare.csv":
        path.write_text("\n".join(",".join(map(str, frame.ravel())) for frame in clip))
    elif kind == "clip.json":
        path.write_text(f'{{"label": "wave", "fps": 25, "xyz": {clip.tolist()}}}')
    elif kind == "coco.json":
        write_coco(path, PEOPLE[:, :, :2], "{}.jpg")
    elif kind == "mediapipe.json":
        write_mediapipe(path, RNG.random((3, 2, 4)).round(3))
    else:
        write_openpose(folder, "walk", PEOPLE[:, :, :2])
        return folder / "walk_000000000001_keypoints.json"
    return path


@pytest.fixture(autouse=True)
def layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAYOUTS, "pair", Layout.from_names("pair", ["hip", "head"], [None, "hip"]))


@dataclass(frozen=True)
class Held(RawFile):
    """A file whose bytes are held: no disk takes thousands of versions in a second."""

    data: bytes = b""

    def read(self, limit: int) -> bytes:
        assert len(self.data) <= limit
        return self.data


def with_data(recording: Recording, path: Path, data: bytes) -> Recording:
    """A recording with other bytes in one of its files."""
    files = (
        Held(file.place, file.path, data=data) if file.path == path else file for file in recording.files
    )
    return replace(recording, files=tuple(files))


@pytest.mark.parametrize(
    "kind",
    ["clip.npy", "clip.npz", "wide.csv", "long.csv", "bare.csv", "clip.json", "coco.json", "mediapipe.json",
     "openpose"],
)  # fmt: skip
def test_a_damaged_file_gives_a_finite_clip_or_a_kineme_error(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    source = open_poses(tmp_path, layout="pair")

    def read(data: bytes) -> None:
        clip = source.read(with_data(source.items[0], path, data))
        assert clip.xyz.shape[1:] in ((1, 2, 3), (2, 2, 3))
        assert np.isfinite(clip.xyz).all()
        assert clip.confidence is not None
        assert clip.confidence.shape == clip.xyz.shape[:3]
        assert ((clip.confidence >= 0) & (clip.confidence <= 1)).all()

    good = path.read_bytes()
    assert survives(lambda: read(good))
    damaged = list(mutations(good, 2000, seed=0))
    well = sum(survives(partial(read, data)) for data in damaged)
    assert 50 < well < 1950  # otherwise the damage is not where it matters
    for data in damaged[::40]:
        path.write_bytes(data)
        survives(lambda: open_poses(tmp_path, layout="pair"))
