"""Joints that a clip lacks: drawing them, and placing them where their neighbours are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kineme.augment.draws import draw_uniform
from kineme.layouts import Layout
from kineme.streams import numbers
from kineme.typing import Array


def fill_weights(present: Tensor, layout: Layout) -> Tensor:
    """(N, V) bool → (N, V, V) float32: each joint as a weighted mean of those that are present.

    A joint that is present is itself. Every other is the mean of the joints that a bone links it with
    (harmonic interpolation on the skeleton), so that a joint between two present ones lies between them, and
    a limb that ends in absent ones ends at its last present joint. With none present, all are zero.

    >>> arm = Layout.from_names("arm", ["shoulder", "elbow", "hand"], [None, "shoulder", "elbow"])
    >>> fill_weights(torch.tensor([[True, False, True], [True, False, False]]), arm).tolist()
    [[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]
    """
    own = torch.eye(layout.num_joints, device=present.device, dtype=torch.float64)
    ends = numbers([joint for bone in layout.bones for joint in bone], present.device)
    child, parent = ends.view(-1, 2).unbind(1)
    down = own[parent].mT @ own[child]  # from a joint to those that hang on it
    linked = down + down.mT
    mean = own - linked / linked.sum(1, keepdim=True).clamp_min(1)
    # Clips of one sensor lack the same joints.
    present, which = present.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    # Joints without any present one would all equal each other; they are set to zero instead.
    given = present | ~present.any(1, keepdim=True)
    kept = present.to(own.dtype).diag_embed()
    found: Tensor = torch.linalg.solve(torch.where(given[..., None], own, mean), kept)
    return found.float()[which]


def filled(clips: Tensor, present: Tensor, layout: Layout) -> Tensor:
    """Clips (N, C, T, V, M) with absent joints placed where their neighbours are, see `fill_weights`.

    What the clips hold for absent joints is ignored, even NaN. Absent bodies, zero, stay zero.

    >>> arm = Layout.from_names("arm", ["shoulder", "elbow", "hand"], [None, "shoulder", "elbow"])
    >>> clips = torch.tensor([1.0, float("nan"), 2.0]).view(1, 1, 1, 3, 1)
    >>> filled(clips, torch.tensor([[True, False, True]]), arm).flatten()
    tensor([1.0000, 1.5000, 2.0000])
    """
    clips = without(clips, present)
    with torch.autocast(clips.device.type, enabled=False):  # coordinates are not rounded to 8 bits
        weights = fill_weights(present, layout).to(clips.dtype)
        placed = torch.einsum("nvw,nctwm->nctvm", weights, clips)
    return torch.where(present[:, None, None, :, None], clips, placed)


def without(clips: Tensor, present: Tensor) -> Tensor:
    """Clips (N, C, T, V, M) with zeros for absent joints (N, V)."""
    return clips.masked_fill(~present[:, None, None, :, None], 0)


def filled_frames(xyz: Array, present: Array | None, layout: Layout) -> Array:
    """The same of one clip (T, M, V, C), as arrays; `present` (V,), None: nothing is absent."""
    if present is None or np.all(present):
        return xyz
    clips = torch.from_numpy(np.array(xyz)).permute(3, 0, 2, 1)[None]
    placed = filled(clips, torch.from_numpy(np.asarray(present, dtype=bool))[None], layout)
    return np.ascontiguousarray(placed[0].permute(1, 3, 2, 0).numpy())


def draw_present(n: int, joints: int, share: float, generator: torch.Generator) -> Tensor:
    """(n, joints) bool: which joints a clip keeps when it loses each with probability `share`.

    The joint with the greatest draw is always kept, so that no clip loses all joints.

    >>> draw_present(2, 5, 0.5, torch.Generator().manual_seed(0)).int().tolist()
    [[0, 1, 0, 0, 0], [1, 0, 1, 0, 1]]
    """
    chance = draw_uniform((n, joints), 0.0, 1.0, generator)
    return (chance >= share) | (chance == chance.amax(1, keepdim=True))


def bones_present(present: Tensor, layout: Layout) -> Tensor:
    """(N, V): the bones of which both ends are present; the root's is there with the root.

    >>> arm = Layout.from_names("arm", ["shoulder", "elbow", "hand"], [None, "shoulder", "elbow"])
    >>> bones_present(torch.tensor([[True, False, True]]), arm).tolist()
    [[True, False, False]]
    """
    parents = [joint if parent == -1 else parent for joint, parent in enumerate(layout.parents)]
    return present & present[:, numbers(parents, present.device)]
