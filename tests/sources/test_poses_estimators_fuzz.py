"""Damaged files of estimators: a finite clip or a KinemeError of one line, in bounded memory."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sources.animals import deeplabcut, deeplabcut_h5, sleap_analysis, sleap_project
from sources.estimators import mediapipe_csv, mediapipe_json
from sources.fuzz import held, memory_below, mutations, survives
from sources.test_poses_estimators import XY, TestUltralytics, annotations, instance

from kineme.layouts import LAYOUTS
from kineme.sources.poses import open_poses

FEW, MANY = 60, 2000
DATA = Path(__file__).with_name("data")
FILES = {
    "timed.json": lambda: json.dumps(mediapipe_json()["timed"][:3]).encode(),
    "protobuf.json": lambda: json.dumps(mediapipe_json()["protobuf"][:2]).encode(),
    "numbered.json": lambda: json.dumps({key: mediapipe_json()["numbered"][key] for key in "012"}).encode(),
    "records.json": lambda: json.dumps(mediapipe_json()["records"][:66]).encode(),
    "mmpose.json": lambda: json.dumps(
        {"instance_info": [{"frame_id": t, "instances": [instance(XY[t], track_id=1)]} for t in range(3)]}
    ).encode(),
    "vitpose.json": lambda: json.dumps(
        {
            "keypoints": [
                {"0": np.pad(XY[t], ((0, 0), (0, 1)), constant_values=1).tolist()} for t in range(3)
            ],
            "skeleton": {str(at): name for at, name in enumerate(LAYOUTS["coco17"].joints)},
        }
    ).encode(),
    "ultralytics.json": lambda: json.dumps([[TestUltralytics().person(t)] for t in range(3)]).encode(),
    "annotations.json": lambda: json.dumps(annotations()).encode(),
    "wide.csv": lambda: mediapipe_csv()["wide"].encode(),
    "long.csv": lambda: "\n".join(mediapipe_csv()["sources"].splitlines()[:133]).encode(),
    "quoted.csv": lambda: (
        "\n".join(f'"{line}"' for line in mediapipe_csv()["wide"].splitlines()).replace(",", '","').encode()
    ),
    "points.csv": (DATA / "freemocap_rtmpose.csv").read_bytes,
    "tracks.csv": (DATA / "sleap_io.csv").read_bytes,
    "tasks.json": (DATA / "mediapipe_tasks.json").read_bytes,
    "alphapose.json": lambda: json.dumps(
        [
            {
                "image_id": f"{t}.jpg",
                "idx": [float(who)],
                "keypoints": np.pad(XY[t] + 99 * who, ((0, 0), (0, 1)), constant_values=0.9).ravel().tolist(),
            }
            for t in range(3)
            for who in (0, 1)
        ]
    ).encode(),
    "stream.jsonl": lambda: "\n".join(
        ['{"layout": "coco17", "fps": 25}', *(json.dumps({"joints": XY[t].tolist()}) for t in range(3))]
    ).encode(),
    "mouse.csv": lambda: deeplabcut(["one", "two"]).encode(),
    "mouse.h5": deeplabcut_h5,
    "flies.h5": sleap_analysis,
    "fly.slp": sleap_project,
    "walk_1.txt": lambda: (
        f"{TestUltralytics().line(0, '0.9', '2')}\n{TestUltralytics().line(3, '0.9', '5')}".encode()
    ),
    "mediapipe.pose": (DATA / "mediapipe.pose").read_bytes,
    "openpose.pose": (DATA / "openpose.pose").read_bytes,
}


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_gives_a_finite_clip_or_a_kineme_error(tmp_path: Path, name: str, count: int) -> None:
    path, good = tmp_path / name, FILES[name]()
    path.write_bytes(good)
    source = open_poses(path, image="640x480" if name == "walk_1.txt" else None)

    def read(data: bytes) -> None:
        clip = source.read(replace(source.items[0], files=(held(name, data),)))
        assert clip.xyz.shape[2:] == (source.layout.num_joints, 3)
        assert np.isfinite(clip.xyz).all()

    assert survives(partial(read, good))
    with memory_below(400_000_000):
        well = sum(survives(partial(read, data)) for data in mutations(good, count, seed=0))
    assert 0.005 * count < well < 0.995 * count  # otherwise the damage is not where it matters


@pytest.mark.parametrize("name", FILES)
def test_opening_a_damaged_file_is_as_safe(tmp_path: Path, name: str) -> None:
    path, good = tmp_path / name, FILES[name]()
    for data in mutations(good, 30, seed=1):
        path.write_bytes(data)
        survives(lambda: open_poses(path))
