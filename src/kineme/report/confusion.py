"""Which classes are recognised, and which are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.evaluation.results import Result
from kineme.report.html import Html, boxed, tag
from kineme.report.numbers import TITLES, title_of
from kineme.report.runs import DETECT, Run
from kineme.typing import Array

PAIRS = 12  # of classes that are confused most
LETTER = 0.56  # width of a letter, of the font's size


def confusion(run: Run) -> list[Html]:
    """A foldable part for each result of a run: matrix, most confused pairs, accuracy of each class."""
    return [
        tag(
            "details",
            tag(
                "summary",
                f"{TITLES.get(each.result.protocol, each.result.protocol)} ({each.file}), "
                f"{title_of(each.result, each.result.detailed)}",
            ),
            _detail(each.result),
            class_="block",
            open=number == 0,
        )
        for number, each in enumerate(run.measured)
    ]


def _detail(result: Result) -> Html:
    matrix = np.array(result.confusion_matrix)
    counted = "frames" if result.protocol == DETECT else "clips"
    return tag(
        "div",
        tag(
            "div",
            boxed(_matrix(matrix, result.class_names), label="Confusion matrix"),
            tag(
                "output",
                f"Rows are true classes of {counted}, columns predicted ones. Point at a cell to read it.",
                class_="read",
            ),
            class_="matrix",
        ),
        tag(
            "div",
            tag("div", tag("h4", "Most confused"), _pairs(matrix, result.class_names, counted)),
            tag("div", tag("h4", "Accuracy of each class"), _classes(result, matrix)),
            class_="columns",
        ),
        class_="detail",
    )


def _matrix(matrix: Array, names: Sequence[str]) -> Html:
    """Cells that are not empty, as dark as their share of the row; each says what it is."""
    classes = len(names)
    cell, size = (20, 12) if classes <= 30 else (15, 11) if classes <= 70 else (12, 10)
    short = [name if len(name) <= 26 else name[:25] + "…" for name in names]
    margin = round(LETTER * size * max(map(len, short), default=1)) + 12
    side = cell * classes
    totals = matrix.sum(axis=1)
    cells, labels = [], []
    for row, column in zip(*np.nonzero(matrix), strict=True):
        share = matrix[row, column] / totals[row]
        said = (
            f"{names[row]} → {names[column]}: {matrix[row, column]} of {totals[row]} ({100 * share:.0f} %)"
            if row != column
            else f"{names[row]}: {matrix[row, column]} of {totals[row]} recognised ({100 * share:.0f} %)"
        )
        cells.append(
            tag(
                "rect",
                tag("title", said),
                x=margin + cell * column,
                y=margin + cell * row,
                width=cell,
                height=cell,
                fill_opacity=f"{0.12 + 0.88 * share:.2f}",
                class_=None if row == column else "wrong",
            )
        )
    for i, name in enumerate(short):
        middle = margin + cell * (i + 0.5)
        labels.append(tag("text", name, x=margin - 6, y=middle, dy="0.35em", text_anchor="end"))
        labels.append(
            tag("text", name, transform=f"translate({middle} {margin - 6}) rotate(-90)", dy="0.35em")
        )
    bands = [
        tag("rect", x=margin, y=margin + cell * row, width=side, height=cell, class_="band")
        for row in range(0, classes, 2)
    ]
    recognised = 100 * np.trace(matrix) / max(1, matrix.sum())
    return tag(
        "svg",
        bands,
        tag("rect", x=margin, y=margin, width=side, height=side, class_="frame"),
        cells,
        labels,
        width=margin + side + 2,
        height=margin + side + 2,
        viewBox=f"0 0 {margin + side + 2} {margin + side + 2}",
        font_size=size,
        role="img",
        aria_label=f"Confusion matrix of {classes} classes, {recognised:.1f} % on the diagonal; the most "
        "confused classes are listed after it",
    )


def _pairs(matrix: Array, names: Sequence[str], counted: str) -> Html:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    totals = matrix.sum(axis=1)
    rows = [
        tag(
            "tr",
            tag("td", names[row]),
            tag("td", names[column]),
            tag("td", f"{wrong[row, column]} of {totals[row]}", class_="figure"),
        )
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column]
    ]
    if not rows:
        return tag("p", "None was taken for another class.")
    head = tag("tr", [tag("th", text, scope="col") for text in ("true class", "taken for", counted)])
    return boxed(tag("table", tag("thead", head), tag("tbody", rows)), label="Most confused classes")


def _classes(result: Result, matrix: Array) -> Html:
    """From the worst to the best; classes without test clips are left out."""
    known = [(share, i) for i, share in enumerate(result.per_class_accuracy) if share is not None]
    counts = matrix.sum(axis=1)
    items = [
        tag(
            "li",
            tag("span", result.class_names[i], class_="name", title=result.class_names[i]),
            tag("span", tag("i", style=f"width:{share:.1f}%"), class_="bar", aria_hidden="true"),
            tag("span", f"{share:.0f} %", class_="figure", title=f"{matrix[i, i]} of {counts[i]}"),
        )
        for share, i in sorted(known)
    ]
    return tag("ol", items, class_="classes")
