"""Small raw sets in every format, as their distributors write them, for tests to read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def packed(folder: Path, path: Path) -> Path:
    """A folder's files as one compressed zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return path


def write_openpose(folder: Path, name: str, people: Array) -> None:
    """(T, M, V, 3) x, y, confidence → OpenPose's files, one a frame; who is NaN throughout is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, bodies in enumerate(people):
        content = {
            "version": 1.3,
            "people": [
                {"person_id": [-1], "pose_keypoints_2d": body.ravel().tolist(), "face_keypoints_2d": []}
                for body in bodies
                if not np.isnan(body).all()
            ],
        }
        (folder / f"{name}_{frame:012}_keypoints.json").write_text(json.dumps(content))


def write_coco(path: Path, people: Array, image: str | None = None) -> None:
    """(T, M, V, 3) → COCO keypoint results; `image` such as "{}.jpg" names frames as AlphaPose does."""
    path.write_text(
        json.dumps(
            [
                {
                    "image_id": image.format(frame) if image else frame,
                    "category_id": 1,
                    "keypoints": body.ravel().tolist(),
                    "score": 1.5,
                }
                for frame, bodies in enumerate(people)
                for body in bodies
                if not np.isnan(body).all()
            ]
        )
    )


def write_mediapipe(path: Path, people: Array) -> None:
    """(T, V, 4) x, y, z, visibility → a list of landmarks a frame, null where the body is NaN."""
    keys = ("x", "y", "z", "visibility")
    frames = [
        None if np.isnan(body).all() else [dict(zip(keys, joint, strict=True)) for joint in body.tolist()]
        for body in people
    ]
    path.write_text(json.dumps(frames))
