"""The contents of a store as a figure: clips per class, and how long they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kineme.drawing.style import HUES, INK, new_figure, plain, save, short
from kineme.typing import Array


def distributions(
    class_names: Sequence[str], class_clips: Array, lengths: Array, fps: float, path: Path, *, what: str
) -> None:
    """Two panels: a bar for each class, in the order of the classes, and a histogram of lengths.

    Args:
        class_names: (classes,) names; without any, only lengths are drawn.
        class_clips: (classes,) counts.
        lengths: (n,) in frames, at least one.
        fps: frames per second, to show lengths in seconds.
        path: of the PNG or SVG.
        what: what is counted, `clips` or `intervals`.
    """
    classes = len(class_names)
    size = 8 if classes <= 40 else 6
    tall = max(3.4, (0.19 if classes <= 40 else 0.13) * classes)
    figure = new_figure(9.0 if classes else 4.8, tall)
    if classes:
        bars, histogram = figure.subplots(1, 2)
        bars.barh(range(classes), class_clips, color=HUES[0], height=0.72)
        bars.set_yticks(range(classes), [short(name, 28) for name in class_names])
        bars.set_ylim(classes - 0.4, -0.6)
        bars.set_xlabel(f"{what} per class", color=INK)
        plain(bars, "x")
        bars.tick_params(axis="y", labelsize=size, length=0)
    else:
        histogram = figure.subplots()
    seconds = np.asarray(lengths) / fps
    histogram.hist(seconds, bins=min(40, max(8, int(np.sqrt(len(seconds))))), color=HUES[2])
    median = float(np.median(seconds))
    histogram.axvline(median, color=INK, linewidth=1)
    histogram.annotate(
        f"median {median:.1f} s", (median, 1), (4, -2), xycoords=("data", "axes fraction"),
        textcoords="offset points", va="top", fontsize=9, color=INK,
    )  # fmt: skip
    histogram.set_xlabel("length (s)", color=INK)
    histogram.set_ylabel(what, color=INK)
    plain(histogram, "y")
    save(figure, path)
