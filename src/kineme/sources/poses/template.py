"""A layout file to begin with, from a recording of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kineme.layouts import Layout, without_prefix
from kineme.layouts.correspondence import anatomical_point
from kineme.sources.poses import first_poses
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.formats import Told
from kineme.sources.poses.recordings import find_recordings
from kineme.typing import Array

_FRAMES = 100  # looked at
_NEAR = 0.1  # how much a distance counts, next to how much it changes


def layout_template(raw: Path, told: Told) -> Layout:
    """The joints of the first recording, with the tree of its file or a guess at one.

    Without a tree those joints are linked whose distance changes least over the recording, as along a bone,
    and among equals the near ones (a minimum spanning tree). The guess is to be looked over.

    Args:
        raw: file or folder of recordings.
        told: as for `open_poses`.

    Raises:
        KinemeError: there is no recording that can be read.
    """
    poses = first_poses(find_recordings(raw, 30.0)[0], told)
    joints = poses.joints or tuple(f"joint_{number}" for number in range(poses.points.shape[2]))
    parents = poses.parents or _tree(poses, joints)
    name = raw.resolve().stem
    return Layout.from_names(name, joints, [None if parent == -1 else joints[parent] for parent in parents])


def _tree(poses: Poses, joints: tuple[str, ...]) -> list[int]:
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    cost = _costs(poses.points)
    kinds = [anatomical_point(without_prefix(joint)) for joint in joints]
    middle = int(np.argmin(cost.sum(axis=0)))
    root = next((kinds.index(kind) for kind in ("pelvis", "neck base", "neck") if kind in kinds), middle)
    tree = minimum_spanning_tree(cost)
    _, parents = breadth_first_order(tree, root, directed=False)
    return [-1 if joint == root else max(int(parents[joint]), 0) for joint in range(len(joints))]


def _costs(points: Array) -> Array:
    """(V, V) of linking two joints, above 0: how much their distance changes, and a little how large."""
    body = points[:, 0]
    frames = max(min(_FRAMES, (1 << 24) // body.shape[1] ** 2), 2)
    some = body[np.linspace(0, len(body) - 1, min(frames, len(body))).astype(int)].astype(np.float64)
    distance = np.linalg.norm(some[:, :, None] - some[:, None], axis=-1)
    seen = np.isfinite(distance)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, distance, 0).sum(axis=0) / count
    change = np.sqrt(np.where(seen, np.square(distance - mean), 0).sum(axis=0) / count)
    cost: Array = change + _NEAR * mean
    return np.where(seen.any(axis=0), np.maximum(cost, 1e-9), 1e6)
