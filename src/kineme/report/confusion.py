"""Which classes are recognised, and which are confused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from kineme.evaluation.results import Result
from kineme.report.numbers import TITLES, title_of
from kineme.report.runs import DETECT, Run
from kineme.report.templating import render
from kineme.typing import Array

PAIRS = 12  # of classes that are confused most
LETTER = 0.56  # width of a letter, of the font's size


def confusion(run: Run) -> Markup:
    """A foldable part for each result of a run: matrix, most confused pairs, accuracy of each class."""
    return render("confusion.html", results=[_result(each.file, each.result) for each in run.measured])


def _result(file: str, result: Result) -> dict[str, object]:
    """What the template shows of a result."""
    matrix, names = np.array(result.confusion_matrix), result.class_names
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)]
    totals = matrix.sum(axis=1)
    accuracies = [(share, i) for i, share in enumerate(result.per_class_accuracy) if share is not None]
    title = TITLES.get(result.protocol, result.protocol)
    return {
        "title": f"{title} ({file}), {title_of(result, result.detailed)}",
        "counted": "frames" if result.protocol == DETECT else "clips",
        "matrix": _matrix(matrix, names),
        "pairs": [(names[i], names[j], f"{wrong[i, j]} of {totals[i]}") for i, j in pairs if wrong[i, j]],
        "classes": [
            (names[i], share, f"{matrix[i, i]} of {totals[i]}") for share, i in sorted(accuracies)
        ],  # from the worst to the best; classes without test clips are left out
    }


def _matrix(matrix: Array, names: Sequence[str]) -> dict[str, object]:
    """Geometry and the cells that are not empty, as dark as their share of the row, each with its text."""
    classes = len(names)
    cell, size = (20, 12) if classes <= 30 else (15, 11) if classes <= 70 else (12, 10)
    labels = [name if len(name) <= 26 else name[:25] + "…" for name in names]
    margin = round(LETTER * size * max(map(len, labels), default=1)) + 12
    totals = matrix.sum(axis=1)
    cells = []
    for row, column in zip(*np.nonzero(matrix), strict=True):
        share = matrix[row, column] / totals[row]
        said = f"{matrix[row, column]} of {totals[row]}"
        cells.append(
            {
                "x": margin + cell * column,
                "y": margin + cell * row,
                "opacity": f"{0.12 + 0.88 * share:.2f}",
                "wrong": row != column,
                "text": f"{names[row]} → {names[column]}: {said} ({100 * share:.0f} %)"
                if row != column
                else f"{names[row]}: {said} recognised ({100 * share:.0f} %)",
            }
        )
    return {
        "cell": cell,
        "size": size,
        "labels": labels,
        "margin": margin,
        "cells": cells,
        "recognised": 100 * np.trace(matrix) / max(1, matrix.sum()),
    }
