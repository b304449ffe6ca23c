"""Semantic tube masking: consecutive joints of a body part, over consecutive segments (SLiM, Do et al.)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kineme.augment.draws import draw_uniform, rand

TRIES = 10  # to place a tube, after which a mask is left as it is
LARGEST = 100  # patches of a tube
ROUNDS = 32, 4  # tries in all: so many, and so many a segment, which 999 of 1,000 clips do not need


def part_places(parts: Sequence[Sequence[int]], joints: int) -> Tensor:
    """(parts, V): the place of each joint in the list of each part, -1 where it is not in it.

    >>> part_places([[0, 2], [1]], joints=3).tolist()
    [[0, -1, 1], [-1, 0, -1]]
    """
    places = torch.full((len(parts), joints), -1)
    for number, part in enumerate(parts):
        places[number, list(part)] = torch.arange(len(part))
    return places


def draw_ratios(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(n,) ratios between `low` and `high`, one in each n-th of that range, rising.

    >>> draw_ratios(4, 0.0, 1.0, torch.Generator().manual_seed(0))
    tensor([0.1241, 0.4421, 0.5221, 0.7830])
    """
    within = draw_uniform((n,), 0.0, 1.0, generator)
    return low + (high - low) * (torch.arange(n, device=generator.device) + within) / max(n, 1)


def draw_tubes(
    budget: Tensor, segments: Tensor, least: Tensor, places: Tensor, most: int, generator: torch.Generator
) -> Tensor:
    """Patches to mask, tube by tube, until each clip's budget is used up or ten tries in a row find no room.

    Deviation: there is a limit to the tries, see `ROUNDS`, so that no device is waited for.

    A tube is a run of consecutive joints in the list of one body part, over a run of segments. The part, the
    number of joints and their first are uniform, and so are the area, from `least` to what is left of the
    budget (at most 100), and the first segment. It is taken if it masks at least one patch more and not
    more than are left.

    Args:
        budget: (N,) int64, patches to mask in each clip.
        segments: (N,) int64, segments of each clip; they may differ.
        least: (N,) int64, the smallest area.
        places: (parts, V), see `part_places`.
        most: S, the segments of the longest clip.
        generator: on the device of the others.

    Returns:
        (N, S, V) bool.

    >>> places = part_places([[0, 1], [2, 3]], joints=4)
    >>> two, one = torch.tensor([2]), torch.tensor([1])
    >>> draw_tubes(2 * two, two, one, places, 2, torch.Generator().manual_seed(0)).int().tolist()
    [[[1, 1, 0, 0], [0, 1, 0, 1]]]
    """
    n, device = len(budget), budget.device
    sizes = (places >= 0).sum(1)
    number = torch.arange(most, device=device)
    masked = torch.zeros(n, most, places.shape[1], dtype=torch.bool, device=device)
    left, failed = budget.clone(), torch.zeros_like(budget)
    rounds = ROUNDS[0] + ROUNDS[1] * most
    for chance in rand((n, rounds, 5), generator).permute(1, 2, 0):
        part = _uniform(chance[0], torch.full_like(left, len(places)))
        size = sizes[part]
        joints = 1 + _uniform(chance[1], size)
        first = _uniform(chance[2], size - joints + 1)[:, None]
        area = least + chance[3] * (left.clamp_max(LARGEST) - least)
        height = (area / joints).round().long().clamp_min(1).minimum(segments)
        begin = _uniform(chance[4], segments - height + 1)[:, None]
        chosen = (places[part] >= first) & (places[part] < first + joints[:, None])  # (N, V)
        during = (number >= begin) & (number < begin + height[:, None])  # (N, S)
        tube = during[:, :, None] & chosen[:, None]
        added = (tube & ~masked).sum((1, 2))
        taken = (added >= 1) & (added <= left) & (failed < TRIES)
        masked |= tube & taken[:, None, None]
        left = left - added * taken
        failed = torch.where(taken, 0, failed + 1)
    return masked


def _uniform(chance: Tensor, count: Tensor) -> Tensor:
    """(N,) uniform in [0, 1) → (N,) int64, uniform in 0..count - 1."""
    return (chance * count).long().minimum(count - 1)
