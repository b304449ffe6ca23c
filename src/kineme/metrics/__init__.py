"""Metrics: plain functions of arrays. Some have names, and other packages can add theirs.

A metric's parameters say what it is computed from: `labels` (N,) true classes, `predicted` (N,) classes,
`scores` (N, classes), higher is more likely, and `classes`, the number of classes; for what was found without
labels, `clusters` (N,), `true_boundaries` and `found_boundaries`. It may take any of these:

    @METRICS.register("error")
    def error(predicted, labels):
        return 100 * np.mean(predicted != labels)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import numpy as np

from kineme.errors import KinemeError
from kineme.registry import Registry

logger = logging.getLogger(__name__)

PER_CLIP = ("labels", "predicted", "scores", "clusters")

Figures = dict[str, float | list[float | None]]  # by name; of a figure per class, None: it has no clips

METRICS: Registry[Callable[..., Any]] = Registry(
    "metric",
    {
        "top-1": "kineme.metrics.accuracy.top_1",
        "top-5": "kineme.metrics.accuracy.top_5",
        "balanced accuracy": "kineme.metrics.accuracy.balanced_accuracy",
        "macro-F1": "kineme.metrics.accuracy.macro_f1",
        "per-class recall": "kineme.metrics.accuracy.per_class_recall",
        "adjusted mutual information": "kineme.metrics.clustering.adjusted_mutual_information",
        "boundary F1": "kineme.metrics.clustering.boundary_f1",
    },
)


def measure(**given: Any) -> Figures:
    """Every metric in `METRICS` that can be computed from what is given (see above).

    A figure that is not finite has no meaning here and is left out. So is a metric that fails, with a
    warning: it must not cost a result that took hours.

    Args:
        **given: see above; lists and tensors are taken as arrays.

    Raises:
        KinemeError: labels, classes and scores are not of equally many clips.

    >>> measure(labels=[0, 1, 1, 0], predicted=[0, 1, 1, 1], classes=2)["top-1"]
    75.0
    """
    given |= {key: np.asarray(given[key]) for key in PER_CLIP if key in given}
    lengths = {key: len(given[key]) for key in PER_CLIP if key in given}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"`{key}` has {length}" for key, length in lengths.items())
        raise KinemeError(f"{counts} clips; give the same clips, in the same order")
    found: Figures = {}
    for name in METRICS:
        try:
            metric = METRICS[name]
            parameters = signature(metric).parameters
            needed = {key for key, each in parameters.items() if each.default is Parameter.empty}
            if needed <= given.keys():
                value = np.asarray(metric(**{key: given[key] for key in parameters if key in given}), float)
                if value.ndim:
                    found[name] = [each if np.isfinite(each) else None for each in value.tolist()]
                elif np.isfinite(value):
                    found[name] = float(value)
        except Exception as error:  # anybody's code
            logger.warning("metric %s is left out: %s: %s", name, type(error).__name__, error)
    return found
