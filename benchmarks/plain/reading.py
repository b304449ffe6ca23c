"""NTU text files and the `agcn` recipe as one writes them first, to measure Kineme's against."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kineme.typing import Array

LOWER_SPINE, UPPER_SPINE, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 4, 8  # of NTU's 25 joints


def read_line_by_line(path: Path) -> Array:
    """What one writes first: a loop over lines, a float for every field that is looked at."""
    with path.open(encoding="ascii") as file:
        frames = []
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                file.readline()
                joints = int(file.readline())
                bodies.append(
                    [[float(field) for field in file.readline().split()[:3]] for _ in range(joints)]
                )
            frames.append(bodies)
    xyz = np.zeros((len(frames), max(map(len, frames)), 25, 3), dtype=np.float32)
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies):
            xyz[t, m] = body
    return xyz


def agcn_frame_by_frame(xyz: Array) -> Array:
    """(T, M, V, C) → (T, 2, V, C), as in `recipes.py`, in loops over bodies, frames, and to centre joints."""
    frames = len(xyz)
    bodies = []
    for m in range(min(xyz.shape[1], 4)):
        present = [frame for frame in xyz[:, m] if frame.any()]
        energy = sum(np.array(present)[..., c].std() for c in range(3)) if present else 0.0
        bodies.append((energy, m))
    bodies.sort(key=lambda body: -body[0])
    result = np.zeros((frames, 2, *xyz.shape[2:]))
    for slot, (_, m) in enumerate(bodies[:2]):
        present = [t for t in range(frames) if xyz[t, m].any()]
        if not present:
            continue
        kept = [xyz[t, m] for t in (present if present[0] > 0 else range(present[-1] + 1))]
        for t in range(frames):
            result[t, slot] = kept[t % len(kept)]
    for t in range(frames):
        origin = result[t, 0, UPPER_SPINE].copy()
        for slot in range(result.shape[1]):
            if result[t, slot].any():
                for joint in range(result.shape[2]):
                    if result[t, slot, joint].any():
                        result[t, slot, joint] -= origin
    spine = (LOWER_SPINE, UPPER_SPINE, np.array([0.0, 0.0, 1.0]))
    shoulders = (LEFT_SHOULDER, RIGHT_SHOULDER, np.array([1.0, 0.0, 0.0]))
    for start, end, axis in (spine, shoulders):
        turn = rotation(result[0, 0, end] - result[0, 0, start], axis)
        for t in range(frames):
            for slot in range(result.shape[1]):
                result[t, slot] = result[t, slot] @ turn.T
    return result


def rotation(vector: Array, axis: Array) -> Array:
    """(3, 3), by Rodrigues' formula."""
    x, y, z = np.cross(vector, axis)
    sine, cosine = np.linalg.norm([x, y, z]), vector @ axis
    angle = np.arctan2(sine, cosine)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / sine
    turn: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turn
