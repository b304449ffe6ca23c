"""Published figures, each with its source, for the recipes that train as published.

A figure belongs to one cell: the recipe that comes with Kineme under that name, on the data set that it
names, by the published split, and on these streams. It is shown for no other cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from kineme.clips.published import is_complete
from kineme.clips.store import ClipStore
from kineme.packaged import recipes
from kineme.reproduce.grid import FUSED, Cell
from kineme.streams import TOGETHER


@dataclass(frozen=True)
class Published:
    """A figure in per cent, and its source."""

    value: float
    source: str


_CELLS = ("ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset", "pkummd1-xsub", "pkummd2-xsub")
_AIMCLR = "AimCLR's repository; USDRL (arXiv 2412.09220), table 1"
_RELEASED = "AimCLR's repository, released models"
_SCDNET = "SCD-Net (arXiv 2309.05834)"
_USDRL = "USDRL (arXiv 2412.09220), table 1"
_JOURNAL = "the results table of USDRL's journal version (arXiv 2508.12586)"
_EARLY = "USDRL's journal version (arXiv 2508.12586), at second hand"
_MAMP = "MAMP (arXiv 2308.07092)"
_TUNED = "MAMP's repository, released models"
_SLIM = "SLiM (arXiv 2603.10648), project page"
_OTHERS = "as measured in arXiv 2603.10648"
# Top-1 of linear evaluation by recipe, stream and cell; `fused` of three runs.
_LINEAR: tuple[tuple[str, str, str, tuple[float | None, ...], str], ...] = (
    ("aimclr", "joint", "linear", (74.3, 79.7, 63.4, 63.4, 83.4, 38.5), _AIMCLR),
    ("aimclr", FUSED, "fused", (79.2, 84.0, None, None, 87.8, None), _RELEASED),
    ("scdnet", "joint", "linear", (86.6, 91.7, 76.9, 80.1, 91.9, 54.0), _SCDNET),
    ("usdrl-sttr", "joint", "linear", (84.2, 90.8, 76.0, 76.9, None, 51.8), _USDRL),
    ("usdrl-dste", "joint", "linear", (85.2, 91.7, 76.6, 78.1, None, 54.4), _USDRL),
    ("usdrl-dste", FUSED, "fused", (87.1, 93.2, 79.3, 80.6, None, 59.7), _USDRL),
    ("mpct-sttr", TOGETHER, "linear", (85.8, 91.8, 77.5, 78.8, None, 54.7), _JOURNAL),
    ("mamp", "joint", "linear", (84.9, 89.1, 78.6, 79.1, None, 53.8), _MAMP),
    ("slim", "joint", "linear", (87.9, 93.2, 81.2, 83.6, None, 59.7), _SLIM),
)
# Top-1 of other protocols, joint stream: protocol, score if not all, cell, figure.
_OTHER: tuple[tuple[str, str, str, Published], ...] = (
    ("knn", "", "scdnet-ntu60-xsub", Published(76.2, "SCD-Net's log")),
    ("knn", "", "mamp-ntu60-xsub", Published(62.0, _OTHERS)),
    ("knn", "", "mamp-ntu60-xview", Published(70.0, _OTHERS)),
    ("finetune", "", "mamp-ntu60-xsub", Published(93.0, _TUNED)),
    ("finetune", "", "mamp-ntu60-xview", Published(97.5, _TUNED)),
    ("finetune", "", "mamp-ntu120-xsub", Published(89.8, _TUNED)),
    ("finetune", "", "mamp-ntu120-xset", Published(91.5, _TUNED)),
    ("early", "10 %", "usdrl-dste-ntu60-xsub", Published(25.5, _EARLY)),
    ("early", "50 %", "usdrl-dste-ntu60-xsub", Published(73.6, _EARLY)),
    ("early", "100 %", "usdrl-dste-ntu60-xsub", Published(85.2, _EARLY)),
    ("semi", "1 %", "mamp-ntu60-xsub", Published(66.0, _MAMP)),
    ("semi", "1 %", "mamp-ntu60-xview", Published(68.7, _MAMP)),
    ("semi", "10 %", "mamp-ntu60-xsub", Published(88.0, _MAMP)),
    ("semi", "10 %", "mamp-ntu60-xview", Published(91.5, _MAMP)),
    ("knn", "", "slim-ntu60-xsub", Published(72.5, _SLIM)),
    ("knn", "", "slim-ntu60-xview", Published(89.9, _SLIM)),
    ("semi", "1 %", "slim-ntu60-xsub", Published(72.1, _SLIM)),
    ("semi", "1 %", "slim-ntu60-xview", Published(75.8, _SLIM)),
    ("semi", "10 %", "slim-ntu60-xsub", Published(88.8, _SLIM)),
    ("semi", "10 %", "slim-ntu60-xview", Published(91.9, _SLIM)),
)
# The scores of a protocol that are measured as the papers do. They report the best epoch of the probe.
_PROBES = {
    "linear": ("last", "best"),
    "finetune": ("last", "best"),
    "fused": ("last",),
    "knn": ("knn",),
    "semi": ("1 %", "10 %"),
    "early": ("10 %", "50 %", "100 %"),
}
# (recipe, stream, protocol, score) → figure
_FIGURES: dict[tuple[str, str, str, str], Published] = {
    (f"{method}-{cell}", stream, protocol, score): Published(value, source)
    for method, stream, protocol, values, source in _LINEAR
    for cell, value in zip(_CELLS, values, strict=True)
    if value is not None
    for score in _PROBES[protocol]
} | {
    (recipe, "joint", protocol, score): figure
    for protocol, only, recipe, figure in _OTHER
    for score in ((only,) if only else _PROBES[protocol])
}


def published(
    cell: Cell, stream: str, protocol: str, probe: str, store: ClipStore | None
) -> Published | None:
    """The published figure of a cell, if that very cell was published.

    Args:
        cell: what was trained on which data.
        stream: its stream, or `FUSED`.
        protocol: such as `linear`.
        probe: the score of that protocol.
        store: its clips; where they are not there, the command that would make them says what they are.
    """
    name = cell.recipe.stem
    figure = _FIGURES.get((name, stream, protocol, probe))
    if figure is None or recipes().get(name) != cell.recipe or cell.split or cell.variant.settings:
        return None
    return figure if _is_of(store, cell, name.split("-")[-2]) else None


def _is_of(store: ClipStore | None, cell: Cell, data: str) -> bool:
    """Whether the clips are a data set, all of it."""
    if store is None:
        return cell.command.split()[:3] == ["kineme", "prepare", data]
    return store.manifest.source == data and is_complete(store)
