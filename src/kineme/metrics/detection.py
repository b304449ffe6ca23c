"""Average precision of proposed segments: three metrics that papers all call "mAP".

- **PKU-MMD's own** (Liu et al., 2017): several proposals may match one true interval, and a list of proposals
  is cut from its lowest score up. A false alarm below all others still counts: a perfect detection
  and one low-scored false alarm get 0.5.
- **Pascal VOC's**: highest score first; a proposal may match the true interval that it overlaps most, and
  each is matched once. Overlaps count a frame more, as VOC counts pixels.
- **ActivityNet's**: the same with ends that are exclusive, and a proposal whose best interval is taken may
  match another.

Intervals are rows (recording, class, start, end) of frames, end exclusive, as in `predictions`; a proposal
can match an interval of its own recording and class alone. All figures are shares of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kineme.typing import Array


@dataclass(frozen=True)
class Pairs:
    """Proposals and true intervals that overlap, sorted by proposal, then from the largest overlap down.

    Attributes:
        segment, truth: (P,) rows of the two.
        overlap: (P,) intersection over union.
    """

    segment: Array
    truth: Array
    overlap: Array


def pair(truth: Array, segments: Array, *, extra: int = 0) -> Pairs:
    """All overlapping pairs of one recording and class.

    Args:
        truth: (n, 4) true intervals.
        segments: (m, 4) proposals.
        extra: frames that each length counts more than end - start (1: ends are inclusive).
    """
    classes = 1 + max((int(rows[:, 1].max()) for rows in (truth, segments) if len(rows)), default=0)
    key, wanted = (rows[:, 0] * classes + rows[:, 1] for rows in (truth, segments))
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(key[order], wanted, "left")
    count = np.searchsorted(key[order], wanted, "right") - first
    segment = np.repeat(np.arange(len(segments)), count)
    number = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    true = order[first[segment] + number]
    begin, end = truth[true, 2:].T
    low, high = segments[segment, 2:].T
    together = np.minimum(end, high) - np.maximum(begin, low) + extra
    meeting = together > 0
    segment, true, together = segment[meeting], true[meeting], together[meeting]
    apart = (end - begin + high - low + 2 * extra)[meeting]
    overlap = together / (apart - together)
    order = np.lexsort((true, -overlap, segment))
    return Pairs(segment[order], true[order], overlap[order])


def best_match(pairs: Pairs, segments: int, threshold: float) -> Array:
    """(m,) the true interval that each proposal overlaps most, -1 where by less than the threshold."""
    match = np.full(segments, -1)
    rows, first = np.unique(pairs.segment, return_index=True)
    match[rows] = np.where(pairs.overlap[first] >= threshold, pairs.truth[first], -1)
    return match


@dataclass(frozen=True)
class Proposals:
    """Proposals, highest score first, with the truth: the input of all three metrics.

    Attributes:
        truth: (n, 4) true intervals.
        segments: (m, 4) proposals; equal scores keep the order they were given in.
        pairs: those that overlap.
        inclusive: the same where both ends count.
    """

    truth: Array
    segments: Array
    pairs: Pairs
    inclusive: Pairs

    @classmethod
    def of(cls, truth: Array, segments: Array, scores: Array) -> Proposals:
        """Ranks (m, 4) proposals by their (m,) scores."""
        ranked = segments[np.argsort(-scores, kind="stable")]
        return cls(truth, ranked, pair(truth, ranked), pair(truth, ranked, extra=1))

    def matches(self, threshold: float) -> Array:
        """(m,) the interval that each proposal matches in PKU-MMD's metric, -1 for none."""
        return best_match(self.pairs, len(self.segments), threshold)


def pku_mmd(proposals: Proposals, threshold: float, *, recordings: int, classes: int) -> dict[str, float]:
    """PKU-MMD's metric: `mAP_a` over actions, `mAP_v` over videos, `AP` and `F1` of all together.

    Args:
        proposals: with the truth.
        threshold: overlap from which a proposal matches.
        recordings: R; mAP_v is the mean over all of them.
        classes: K; mAP_a is the mean over classes 1 to K - 1, one without truth or proposals counting 0.
    """
    match, truths = proposals.matches(threshold), len(proposals.truth)
    return {
        "mAP_a": float(np.mean(precisions(proposals, match, "class", classes)[1:])),
        "mAP_v": float(np.mean(precisions(proposals, match, "recording", recordings))),
        "AP": list_precision(match, truths),
        "F1": f1(match, truths),
    }


def precisions(proposals: Proposals, match: Array, by: Literal["recording", "class"], groups: int) -> Array:
    """(groups,) PKU-MMD's average precision of each recording's or each class's list."""
    column = ("recording", "class").index(by)
    truths = np.bincount(proposals.truth[:, column], minlength=groups).tolist()
    lists = rows_of(proposals.segments[:, column], groups)
    return np.array([list_precision(match[rows], count) for rows, count in zip(lists, truths, strict=True)])


def list_precision(match: Array, truths: int) -> float:
    """PKU-MMD's average precision of one list.

    A proposal is taken off the list from the lowest score up; after a matched one, the best precision of the
    lists so far weighs the recall that was lost.

    Args:
        match: (m,) matched interval of each proposal or -1, highest score first.
        truths: number of true intervals.
    """
    if truths == 0 or len(match) == 0:
        return 0.0
    new = _first_of_its_kind(match)
    found = np.cumsum(new) - new  # intervals that the proposals before each have found
    precision = found / np.maximum(np.arange(len(match)), 1)
    considered = np.where(match >= 0, precision, 0.0)
    whole_list = new.sum() / len(match)
    best = np.maximum.accumulate(np.append(whole_list, considered[::-1]))[:0:-1]
    return float(best[new].sum() / truths)


def f1(match: Array, truths: int) -> float:
    """2PR / (P + R) of a whole list: precision and recall count the intervals that are found."""
    found = len(np.unique(match[match >= 0]))
    return 2 * found / (len(match) + truths) if found else 0.0


def pascal_voc(proposals: Proposals, threshold: float) -> float:
    """Pascal VOC's: area under the precision envelope, mean over the classes present in the truth."""
    match = best_match(proposals.inclusive, len(proposals.segments), threshold)
    return _mean_area(_first_of_its_kind(match), proposals)


def activitynet(proposals: Proposals, threshold: float) -> float:
    """ActivityNet's: interpolated average precision, mean over the classes present in the truth."""
    pairs = proposals.pairs
    close = pairs.overlap >= threshold
    correct = np.zeros(len(proposals.segments), dtype=bool)
    taken = np.zeros(len(proposals.truth), dtype=bool)
    for segment, true in zip(pairs.segment[close].tolist(), pairs.truth[close].tolist(), strict=True):
        if not (correct[segment] or taken[true]):
            correct[segment] = taken[true] = True
    return _mean_area(correct, proposals)


def _mean_area(correct: Array, proposals: Proposals) -> float:
    """Mean over the classes present of the area under the envelope, of (m,) proposals right or wrong."""
    present, counts = np.unique(proposals.truth[:, 1], return_counts=True)
    if len(present) == 0:
        return 0.0
    areas = []
    for label, count in zip(present.tolist(), counts.tolist(), strict=True):
        hits = correct[proposals.segments[:, 1] == label]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        areas.append(envelope[hits].sum() / count)
    return float(np.mean(areas))


def _first_of_its_kind(match: Array) -> Array:
    """(m,) whether a proposal matches an interval that none before it does."""
    first = np.zeros(len(match), dtype=bool)
    first[np.unique(match, return_index=True)[1]] = True
    return first & (match >= 0)


def rows_of(groups: Array, count: int) -> list[Array]:
    """Rows of each group 0 .. count - 1, in order."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.searchsorted(groups[order], np.arange(1, count)))
