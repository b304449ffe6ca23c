"""Figures of training and evaluation: curves, embeddings, confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kineme.drawing.projection import has_collapsed, tsne
from kineme.drawing.style import GRID, HUES, INK, MARKERS, new_figure, plain, save, short
from kineme.errors import KinemeError
from kineme.metrics.accuracy import per_class_accuracy
from kineme.typing import Array

RANKS = ("effective_rank", "feature_rank")  # of a batch's views, of whole clips: they fall in a collapse
ASIDE = ("epoch", "step", "seconds", "lr", "knn", "loss", "embedding_std", "feature_std", *RANKS)
MAX_POINTS = 1500  # of a scatter: more only cover each other, and t-SNE takes minutes


def training_curves(history: Sequence[Mapping[str, float]], path: str | Path) -> None:
    """Loss, its terms, effective ranks and the online kNN over epochs, each in a panel.

    Args:
        history: a run's rows (`kineme.training.history.read_history`); `knn` is a share of 1. Learning rate,
            timings and terms of one grain (`similarity/spatial`) are not drawn.
        path: of the figure, .png, .svg or .pdf.

    Raises:
        KinemeError: the history has no rows.
    """
    if not history:
        raise KinemeError(f"{path}: the history has no epochs to draw; train the run first")
    names = list(dict.fromkeys(name for row in history for name in row))
    panels = {
        "loss": [name for name in names if name == "loss"],
        "terms": [name for name in names if name not in ASIDE and "/" not in name],
        "effective rank": [name for name in names if name in RANKS],
        "online kNN, %": [name for name in names if name == "knn"],
    }
    panels = {label: drawn for label, drawn in panels.items() if drawn}
    figure = new_figure(6.4, 0.6 + 2.2 * len(panels))
    drawings = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, drawn) in zip(drawings, panels.items(), strict=True):
        scale = 100 if drawn == ["knn"] else 1
        _lines(axes, history, drawn, scale)
        axes.set_ylabel(label, color=INK)
        if label == "terms":
            axes.set_yscale("log")  # they differ by orders of magnitude
    drawings[-1].set_xlabel("epoch", color=INK)
    drawings[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    save(figure, path)


def _lines(axes: Axes, rows: Sequence[Mapping[str, float]], names: Sequence[str], scale: int) -> None:
    x = np.array([row["epoch"] for row in rows])
    for i, name in enumerate(names):
        y = scale * np.array([row.get(name, np.nan) for row in rows], dtype=float)
        known = np.isfinite(y)
        if not known.any():
            continue
        total = name == "loss"
        axes.plot(
            x[known], y[known], color=INK if total else HUES[i % len(HUES)], linewidth=2.0 if total else 1.3,
            marker="o" if known.sum() < 30 else None, markersize=3, label=name.replace("_", " "),
        )  # fmt: skip
    plain(axes)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    if len(axes.lines) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)


def embedding(
    features: Array, labels: Array, class_names: Sequence[str], path: str | Path, *, seed: int = 0
) -> None:
    """A scatter of clip features in the plane (t-SNE), coloured by class.

    Args:
        features: (N, D); of more than 1500 clips a random 1500 are drawn.
        labels: (N,) classes.
        class_names: names of the classes.
        path: of the figure, .png, .svg or .pdf.
        seed: of the choice of clips and of t-SNE.
    """
    if len(features) > MAX_POINTS:
        chosen = np.random.default_rng(seed).choice(len(features), MAX_POINTS, replace=False)
        features, labels = features[chosen], labels[chosen]
    points = tsne(features, seed=seed)
    figure = new_figure(7.6, 5.4)
    axes = figure.subplots()
    for rank, label in enumerate(np.unique(labels)):
        x, y = points[labels == label].T
        hue, marker = HUES[rank % len(HUES)], MARKERS[rank // len(HUES) % len(MARKERS)]
        name = short(class_names[int(label)], 24)
        axes.scatter(x, y, s=16, color=hue, marker=marker, linewidths=0.3, edgecolors="white", label=name)
    plain(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    if has_collapsed(features):
        axes.set_title("all features are the same: the embedding has collapsed", fontsize=10, color=INK)
    classes = len(np.unique(labels))
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9 if classes <= 24 else 7,
        ncols=1 + (classes - 1) // 24, handletextpad=0.3, borderaxespad=0.0,
    )  # fmt: skip
    save(figure, path)


def confusion(counts: npt.ArrayLike, class_names: Sequence[str], path: str | Path) -> None:
    """A confusion matrix (classes, classes) of counts, each row as shares of its class."""
    matrix = np.asarray(counts, dtype=float)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100 * matrix, totals, out=np.full_like(matrix, np.nan), where=totals > 0)
    classes = len(class_names)
    side = min(16.0, max(3.2, 0.34 * classes))
    figure = new_figure(side + 2.2, side + 1.6)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    names = [short(name, 22) for name in class_names]
    size = 9 if classes <= 30 else 7 if classes <= 60 else 5
    recall = [f"{name}  {share:3.0f}" for name, share in zip(names, per_class_accuracy(matrix), strict=True)]
    axes.set_xticks(range(classes), names, fontsize=size)
    if max(map(len, names)) > 3:
        for text in axes.get_xticklabels():
            text.set(rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), recall, fontsize=size)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true, with % recognised", color=INK)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    if classes <= 30:
        for row, column in zip(*np.nonzero(shares >= 0.5), strict=True):
            share = shares[row, column]
            axes.text(
                column, row, f"{share:.0f}", ha="center", va="center", fontsize=size - 2.0,
                color="white" if share > 55 else INK,
            )  # fmt: skip
    bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.02)
    bar.set_label("% of the true class", color=INK)
    bar.outline.set_visible(False)
    save(figure, path)
