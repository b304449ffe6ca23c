"""Where actions begin and end: a second network moves the boundaries that the classifier of frames found.

The classifier reads long windows. They tell which action is under way, but windows a few frames apart are
nearly alike. The second network reads windows a quarter as long. For a frame near a boundary it tells how
many frames away the nearest start and the nearest end are, as learnt by regression near true boundaries.

ASRF (Ishikawa et al., WACV 2021) also refines labels of frames by a second branch for boundaries; that branch
gives each frame the probability of a boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.evaluation.detection.classes import frame_labels
from kineme.evaluation.detection.classifier import ClassifierSettings, Context, FrameNetwork, fit
from kineme.evaluation.detection.frames import Windows
from kineme.progress import Progress, silent
from kineme.typing import Array

SHORTER = 4  # times than the classifier's windows
MOVES = 2  # of each boundary, one after the other


def short_windows(windows: Windows) -> Windows:
    """Windows a quarter as long, at the same step, at most one after another."""
    frames = max(windows.frames // SHORTER, 2)
    return Windows(windows.kind, frames, min(windows.step, frames))


def context_in(short: Windows, neighbours: int) -> Context:
    """Neighbours a quarter of a short window apart."""
    return Context(neighbours, max(short.frames // 4, 1))


def reach_of(short: Windows) -> int:
    """Frames from a boundary within which the network is trained: ten for windows of 16."""
    return max(5 * short.frames // 8, 1)


def boundaries_settings(windows: Windows, neighbours: int) -> dict[str, Any]:
    """What a result says of how boundaries are moved, where the classifier reads these windows."""
    short = short_windows(windows)
    context = asdict(context_in(short, neighbours))
    return {"windows": asdict(short), "context": context, "reach": reach_of(short), "moves": MOVES}


@dataclass(frozen=True)
class Boundaries:
    """The trained network, and what it reads.

    Attributes:
        windows: the short ones.
        network: of frames; its outputs are the distances to the nearest start and end, in units of the reach.
    """

    windows: Windows
    network: FrameNetwork

    def moves(self, features: Array) -> Array:
        """(T, D) features of one recording → (T, 2) frames from each frame to the nearest start and end."""
        return reach_of(self.windows) * self.network.outputs(features)

    def described(self) -> dict[str, Any]:
        """What a detector's file says of it."""
        return {"windows": asdict(self.windows), "context": asdict(self.network.context)}


def fit_boundaries(
    features: Array,
    offsets: Array,
    labels: Array,
    short: Windows,
    neighbours: int,
    settings: ClassifierSettings,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Boundaries:
    """Trains the network; as `classifier.fit`, of which it takes the settings.

    Args:
        features: (F, D) of the training recordings' frames in short windows.
        offsets: (R + 1,) where each recording begins, and the end.
        labels: (F,) classes, 0 the background.
        short: windows.
        neighbours: of a frame on each side that are read as well.
        settings, seed, device, progress: as of `fit`.
    """
    targets = distances(labels, offsets) / reach_of(short)
    near = np.flatnonzero((np.abs(targets) <= 1).any(axis=1))
    network = fit(
        features,
        offsets,
        targets,
        2,
        context_in(short, neighbours),
        settings,
        frames=near,
        loss=_loss_near,
        seed=seed,
        device=device,
        progress=progress,
    )
    return Boundaries(short, network)


def distances(labels: Array, offsets: Array) -> Array:
    """(F,) labels → (F, 2) float32 frames to the nearest start and end of an action in the same recording.

    They are negative where the boundary is past, and infinite where there is none. An end is the frame after
    the last. Nothing starts with the first frame of a recording or ends with its last.

    >>> distances(np.array([0, 0, 1, 1, 2, 0]), np.array([0, 6])).T
    array([[ 2.,  1.,  0., -1.,  0., -1.],
           [ 4.,  3.,  2.,  1.,  0.,  0.]], dtype=float32)
    """
    from scipy.ndimage import distance_transform_edt

    found = np.full((len(labels), 2), np.inf, dtype=np.float32)
    for first, end in pairwise(offsets.tolist()):
        now = labels[first:end]
        before = np.concatenate([now[:1], now[:-1]])
        for column, action in enumerate((now, before)):
            boundary = (now != before) & (action > 0)
            if boundary.any():
                nearest = distance_transform_edt(~boundary, return_distances=False, return_indices=True)[0]
                found[first:end, column] = nearest - np.arange(end - first)
    return found


def moved(segments: Array, moves: Array) -> Array:
    """(n, 2) starts and ends, (T, 2) moves of one recording → (n, 2) where the boundaries are moved to.

    A segment that would vanish stays where it is.

    >>> moved(np.array([[2, 9]]), np.tile([1.0, -0.4], (12, 1)))
    array([[4, 8]])
    """
    frames, row = len(moves), np.arange(2)
    places = segments.astype(np.float64)
    for _ in range(MOVES):
        at = places.round().astype(np.int64).clip(0, frames - 1)
        places += moves[at, row]
    found = places.round().astype(np.int64).clip(0, frames)
    return np.where(found[:, :1] < found[:, 1:], found, segments)


def moved_labels(labels: Array, offsets: Array, moves: Sequence[Array]) -> Array:
    """(F,) labels of recordings one after another, and the moves of each → (F,) labels, boundaries moved."""
    found = [np.zeros((0, 4), dtype=np.int64)]
    for recording, (first, end) in enumerate(pairwise(offsets.tolist())):
        mine = labels[first:end]
        start = np.flatnonzero(np.diff(mine, prepend=-1))
        runs = np.stack([start, np.append(start[1:], end - first)], axis=1)[mine[start] > 0]
        named = np.stack([np.full(len(runs), recording), mine[runs[:, 0]]], axis=1)
        found.append(np.concatenate([named, moved(runs, moves[recording])], axis=1))
    return frame_labels(np.concatenate(found), offsets)


def _loss_near(outputs: Tensor, targets: Tensor) -> Tensor:
    """Smooth L1 where the boundary is in reach."""
    near = targets.abs() <= 1
    return F.smooth_l1_loss(outputs[near], targets[near], beta=0.3)
