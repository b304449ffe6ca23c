"""All figures of a detector on a test set, under names that say which metric they are of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.results import Score
from kineme.metrics.accuracy import bootstrap_interval
from kineme.metrics.detection import (
    Proposals,
    activitynet,
    list_precision,
    pascal_voc,
    pku_mmd,
    precisions,
    rows_of,
)
from kineme.metrics.framewise import edit_scores, f1_at
from kineme.typing import Array

ACCURACY, HEADLINE = "frame accuracy", "mAP_a@0.5 (PKU-MMD)"
THRESHOLDS = (0.1, 0.3, 0.5)
RANGE = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))  # ActivityNet's 0.5:0.05:0.95
SEGMENTAL = (0.1, 0.25, 0.5)
RESAMPLES = 200  # of test recordings, where lists have to be made anew for each
SHOWN = (
    ACCURACY,
    "edit score",
    "F1@50 (segmentation)",
    "mAP_a@0.1 (PKU-MMD)",
    "mAP_a@0.3 (PKU-MMD)",
    HEADLINE,
    "mAP_v@0.5 (PKU-MMD)",
    "mAP@0.5 (Pascal VOC)",
    "mAP@0.5 (ActivityNet)",
)


def score(found: Detections, classes: int) -> dict[str, Score]:
    """Every figure by its full name, in per cent; intervals are over resampled test recordings."""
    recordings, offsets, labels, predicted = len(found.names), found.offsets, found.labels, found.predicted
    hits = np.add.reduceat((labels == predicted).astype(np.int64), offsets[:-1])
    edits = 100 * edit_scores(labels, predicted, offsets)
    scores = {
        ACCURACY: Score(100 * float(np.mean(labels == predicted)), _share_interval(hits, np.diff(offsets))),
        "edit score": Score(float(edits.mean()), bootstrap_interval(edits)),
        **{
            f"F1@{100 * threshold:g} (segmentation)": Score(
                100 * f1_at(labels, predicted, offsets, threshold)
            )
            for threshold in SEGMENTAL
        },
    }
    proposals = Proposals.of(found.truth, found.segments, found.segment_scores)

    def figures(threshold: float) -> dict[tuple[str, str], float]:
        pku = pku_mmd(proposals, threshold, recordings=recordings, classes=classes)
        return {
            **{(name, "PKU-MMD"): value for name, value in pku.items()},
            ("mAP", "Pascal VOC"): pascal_voc(proposals, threshold),
            ("mAP", "ActivityNet"): activitynet(proposals, threshold),
        }

    at = {threshold: figures(threshold) for threshold in {*THRESHOLDS, *RANGE}}
    for name, source in at[0.5]:
        for threshold in THRESHOLDS:
            scores[f"{name}@{threshold} ({source})"] = Score(100 * at[threshold][name, source])
        if name.startswith("mAP"):
            mean = np.mean([at[threshold][name, source] for threshold in RANGE])
            scores[f"{name}@0.5:0.95 ({source})"] = Score(100 * float(mean))
    match = proposals.matches(0.5)
    videos = 100 * precisions(proposals, match, "recording", recordings)
    scores["mAP_v@0.5 (PKU-MMD)"] = Score(float(videos.mean()), bootstrap_interval(videos))
    interval = _action_interval(proposals, match, recordings, classes)
    scores[HEADLINE] = replace(scores[HEADLINE], interval=interval)
    return scores


def _share_interval(hits: Array, frames: Array, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the share of frames that are right, over resampled recordings."""
    drawn = np.random.default_rng(seed).integers(len(hits), size=(resamples, len(hits)))
    shares = 100 * hits[drawn].sum(axis=1) / frames[drawn].sum(axis=1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def _action_interval(
    proposals: Proposals, match: Array, recordings: int, classes: int, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of mAP_a over resampled recordings; one that is drawn twice has its intervals twice."""
    generator = np.random.default_rng(seed)
    mine = rows_of(proposals.segments[:, 0], recordings)
    truths = np.zeros((recordings, classes), dtype=np.int64)
    np.add.at(truths, (proposals.truth[:, 0], proposals.truth[:, 1]), 1)
    means = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(recordings, size=recordings)
        rows = np.concatenate([mine[each] for each in drawn])
        copy = np.repeat(np.arange(recordings), [len(mine[each]) for each in drawn])
        order = np.argsort(rows, kind="stable")  # rows are ranked by score
        rows, copy = rows[order], copy[order]
        matched = np.where(match[rows] >= 0, match[rows] + copy * len(proposals.truth), -1)
        lists = rows_of(proposals.segments[rows, 1], classes)
        counts = truths[drawn].sum(axis=0).tolist()
        means.append(np.mean([list_precision(matched[lists[k]], counts[k]) for k in range(1, classes)]))
    low, high = np.percentile(100 * np.array(means), [2.5, 97.5])
    return float(low), float(high)
