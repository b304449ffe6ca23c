"""Evaluate your own features, from any model: linear probe, kNN, mAP.

python examples/probe_own_features.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import kineme
from kineme.metrics.accuracy import bootstrap_interval, is_in_top, top_k
from kineme.metrics.neighbours import nearest_label
from kineme.metrics.ranking import rank
from kineme.protocols import logistic


def mean_pose(xyz: np.ndarray) -> np.ndarray:
    """(T, M, V, C) → the mean over time, flat."""
    return xyz.mean(axis=0).ravel()


def range_of_motion(xyz: np.ndarray) -> np.ndarray:
    """(T, M, V, C) → the standard deviation over time, flat."""
    return xyz.std(axis=0).ravel()


def main() -> None:
    """Compares two hand-crafted features of generated motion; use arrays (N, D) from your model instead."""
    with TemporaryDirectory() as folder:
        store = kineme.generate_store(Path(folder, "store"), subjects=10, repetitions=1, cameras=[2])
        train, test = (kineme.split_rows(store, "odd-even", part) for part in ("train", "test"))
        clips = [np.array(store.clip(row)) for row in range(len(store))]
        labels, classes = store.labels, len(store.manifest.class_names)

    print(f"{len(train)} training and {len(test)} test clips, {classes} classes")
    for feature in (mean_pose, range_of_motion):
        x = np.stack([feature(clip) for clip in clips]).astype(np.float32)
        scores = logistic(x[train], labels[train], x[test], classes)
        low, high = bootstrap_interval(100.0 * is_in_top(scores, labels[test]))
        knn = 100 * np.mean(nearest_label(x[train], labels[train], x[test]) == labels[test])
        precision = rank(x[train], labels[train], x[test], labels[test]).average_precision
        print(
            f"{feature.__name__:16} linear {top_k(scores, labels[test]):.1f} % ({low:.1f}-{high:.1f})  "
            f"kNN {knn:.1f} %  mAP {100 * precision.mean():.1f} %"
        )


if __name__ == "__main__":
    main()
