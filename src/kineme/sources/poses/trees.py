"""The tree of joints: from the bones of a file, or guessed from which joints keep their distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.layouts import without_prefix
from kineme.layouts.correspondence import anatomical_point
from kineme.sources.poses.arrays import Poses
from kineme.typing import Array

_FRAMES = 100  # looked at
_NEAR = 0.1  # how much a distance counts, next to how much it changes


def tree_of(joints: int, bones: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Parents of joints, -1 for the root, along the bones of a graph.

    The root is the joint with the most bones. Bones that close a circle are left out; parts without a bone to
    the others hang on the root.

    >>> tree_of(5, [(0, 1), (1, 2), (2, 0), (3, 1)])
    (1, -1, 1, 1, 1)
    """
    near: list[list[int]] = [[] for _ in range(joints)]
    for one, other in bones:
        near[one].append(other)
        near[other].append(one)
    root = max(range(joints), key=lambda joint: len(near[joint]))
    parents = [-2] * joints
    for start in (root, *range(joints)):
        if parents[start] != -2:
            continue
        parents[start] = -1 if start == root else root
        reached = [start]
        for joint in reached:
            for other in near[joint]:
                if parents[other] == -2:
                    parents[other] = joint
                    reached.append(other)
    return tuple(parents)


def guessed_tree(poses: Poses, joints: Sequence[str]) -> tuple[int, ...]:
    """Parents of joints, -1 for the root: a minimum spanning tree of how much their distances change, and a
    little of how large they are, in the body that is seen most."""
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    cost = _costs(poses.points)
    kinds = [anatomical_point(without_prefix(joint)) for joint in joints]
    middle = int(np.argmin(cost.sum(axis=0)))
    root = next((kinds.index(kind) for kind in ("pelvis", "neck base", "neck") if kind in kinds), middle)
    _, parents = breadth_first_order(minimum_spanning_tree(cost), root, directed=False)
    return tuple(-1 if joint == root else max(int(parents[joint]), 0) for joint in range(len(joints)))


def _costs(points: Array) -> Array:
    """(V, V) of linking two joints, above 0: how much their distance changes, and a little how large."""
    body = points[:, int(np.isfinite(points[..., 0]).sum(axis=(0, 2)).argmax())]
    body = body[np.isfinite(body[..., 0]).any(axis=1)]
    frames = max(min(_FRAMES, (1 << 24) // body.shape[1] ** 2), 2)
    some = body[np.linspace(0, len(body) - 1, min(frames, len(body))).astype(int)].astype(np.float64)
    distance = np.linalg.norm(some[:, :, None] - some[:, None], axis=-1)
    distance[:, ~np.isfinite(distance).any(axis=0)] = 1e6
    low, high = np.nanpercentile(distance, (10, 90), axis=0)  # without the frames in which one is misplaced
    cost: Array = high - low + _NEAR * (low + high)
    return np.maximum(cost, 1e-9)
