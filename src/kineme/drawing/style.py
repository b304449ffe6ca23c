"""What all figures share: colours, a canvas, atomic writes.

Drawn through matplotlib's Figure objects with the Agg canvas, never through pyplot: no global state, no
window, no display needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from kineme.files import atomic_write

INK, FAINT, GRID = "#2b2f36", "#8a929e", "#e6e8eb"
# A body's left side, right side and spine; of the first body and of the second. As in player.css.
LEFT, RIGHT, MIDDLE = "#1f6fb4", "#d9601a", "#3c434d"
LEFT_2, RIGHT_2, MIDDLE_2 = "#12866a", "#a8458a", "#858d99"
BODIES = ((LEFT, RIGHT, MIDDLE), (LEFT_2, RIGHT_2, MIDDLE_2))
# Hues that stay apart for colour-blind readers (after Okabe and Ito 2008); markers change where they repeat.
HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b4c9a", "#4d4d4d")
MARKERS = "os^DvPX*<>"
_DATED = {".svg": "Date", ".pdf": "CreationDate"}  # what a file says that differs each time


def new_figure(width: float, height: float) -> Figure:
    """A white figure; width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def rendered(figure: Figure) -> npt.NDArray[np.uint8]:
    """(rows, columns, 3) pixels of a figure."""
    canvas: Any = figure.canvas  # matplotlib's canvases have no types
    _take_names_as_text(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _take_names_as_text(figure: Figure) -> None:
    """Names with two `$` are no formulas; the numbers of a logarithmic axis are."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text() and not text.get_text().startswith(r"$\mathdefault{"):
            text.set_parse_math(False)


def plain(axes: Axes, grid: Literal["x", "y"] | None = None) -> None:
    """Axes without a box, with grid lines across one axis behind the drawing."""
    if grid is not None:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c4c9d0")
    axes.tick_params(colors=INK, labelsize=9, length=3)


def short(name: str, length: int) -> str:
    """A name cut to a length."""
    return name if len(name) <= length else name[: length - 1] + "…"


def save(figure: Figure, path: str | Path) -> None:
    """Writes a PNG, SVG or PDF file, by the suffix; equal figures make equal files.

    Raises:
        KinemeError: it cannot be written.
    """
    path = Path(path)
    undated = {_DATED.get(path.suffix.lower(), "Software"): None}
    _take_names_as_text(figure)
    with atomic_write(path) as aside, rc_context({"svg.hashsalt": "kineme"}):
        figure.savefig(aside, dpi=150, bbox_inches="tight", pad_inches=0.1, metadata=undated)
