"""Small raw sets in every format, as their distributors write them, for tests to read."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from kineme.typing import Array


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


def motion(frames: int, joints: int, seed: int = 0) -> Array:
    """(T, V, 3) in metres, in front of the camera."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(joints, 3)) + rng.normal(0, 0.05, (frames, joints, 3)) + [0, 0, 3]).round(6)


def write_nwucla(folder: Path, name: str, xyz: Array, label: int, **changes: Any) -> Path:
    """(T, 20, 3) → a JSON file as the field passes NW-UCLA on."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"file_name": name, "skeletons": xyz.tolist(), "label": label} | changes
    path = folder / f"{name}.json"
    path.write_text(json.dumps(data))
    return path


def mat5(compressed: bool = True, **variables: Any) -> bytes:
    """A MATLAB file of level 5, as MATLAB 5 to 7 write it."""
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=compressed)
    return b"MATLAB 5.0 MAT-file, written by a test".ljust(124) + file.getvalue()[124:]  # without a date


def write_utdmhad(folder: Path, name: str, skeleton: Array, **options: Any) -> Path:
    """(20, 3, T) → a MATLAB file such as those of UTD-MHAD's Skeleton.zip."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_skeleton.mat"
    path.write_bytes(mat5(d_skel=skeleton, **options))
    return path


def pyskl_3d(name: str, label: int, frames: int, bodies: int = 1) -> dict[str, Any]:
    """An annotation of NTU RGB+D in three dimensions, as pyskl has it."""
    keypoint = np.stack([motion(frames, 25, seed) for seed in range(bodies)]).astype(np.float16)
    return {"frame_dir": name, "label": label, "keypoint": keypoint, "total_frames": frames}


def pyskl_2d(name: str, label: int, frames: int, bodies: int = 1) -> dict[str, Any]:
    """An annotation of poses that HRNet found in a video of 1920 x 1080 pixels, as pyskl has it."""
    rng = np.random.default_rng(label)
    return {
        "frame_dir": name,
        "label": label,
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "total_frames": frames,
        "keypoint": rng.uniform(100, 1000, (bodies, frames, 17, 2)).astype(np.float16),
        "keypoint_score": rng.uniform(0.3, 1.05, (bodies, frames, 17)).astype(np.float16),
    }


def write_pyskl(path: Path, annotations: Sequence[Any], protocol: int = 4, **split: list[str]) -> Path:
    """An annotation pickle."""
    path.write_bytes(pickle.dumps({"split": split, "annotations": list(annotations)}, protocol))
    return path


def padded(clips: Sequence[Array], frames: int) -> Array:
    """Clips (T, M, 25, 3) → (N, 3, frames, 25, M) float32, zero after their ends."""
    data = np.zeros((len(clips), 3, frames, 25, clips[0].shape[1]), dtype=np.float32)
    for row, clip in zip(data, clips, strict=True):
        row[:, : len(clip)] = clip.transpose(3, 0, 2, 1)
    return data


def write_arrays(
    folder: Path,
    part: str,
    clips: Sequence[Array],
    names: Sequence[str],
    labels: Sequence[int],
    *,
    frames: int = 12,
    kind: str = "data_joint",
    num_frame: bool = True,
) -> None:
    """One part of a folder of processed arrays, as 2s-AGCN's and AimCLR's preparation writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{part}_{kind}.npy", padded(clips, frames))
    (folder / f"{part}_label.pkl").write_bytes(pickle.dumps((list(names), list(labels))))
    if num_frame:
        np.save(folder / f"{part}_num_frame.npy", np.array([len(clip) for clip in clips]))


def write_ctrgcn(
    path: Path, parts: dict[str, tuple[Array, Sequence[int]]], *, compressed: bool = False
) -> Path:
    """`train` and `test` → ((N, 3, T, V, M) clips, labels) as an .npz file such as NTU60_CS.npz."""
    arrays = {}
    for part, (data, labels) in parts.items():
        clips, _, frames, _, _ = data.shape
        arrays[f"x_{part}"] = data.transpose(0, 2, 4, 3, 1).reshape(clips, frames, -1)
        arrays[f"y_{part}"] = np.eye(60)[list(labels)]
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path
