"""Recipes and grids that come with Kineme: next to the package when installed, at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError

BASE = "tandem"  # the recipe of the default; a better method replaces this one by its name
OTHER_CELLS = {"xview": "ntu60-xview", "xsub120": "ntu120-xsub", "xset": "ntu120-xset"}  # of NTU RGB+D


def recipes() -> dict[str, Path]:
    """Name → file of the recipes that come with Kineme."""
    return _files("recipes")


def grids() -> dict[str, Path]:
    """Name → file of the grids that come with Kineme."""
    return _files("grids")


def find_recipe(name: str) -> Path:
    """The file of a recipe, given by its path or by the name of one that comes with Kineme.

    Raises:
        KinemeError: no recipe has that name.
    """
    return _find(name, recipes(), "recipe", "`kineme pretrain --help` lists those that come with Kineme")


def find_grid(name: str) -> Path:
    """The file of a grid, given by its path or by the name of one that comes with Kineme.

    Raises:
        KinemeError: no grid has that name.
    """
    return _find(name, grids(), "grid", f"choose from {', '.join(grids())}, or name a YAML file")


def published_recipe(method: str, encoder: str, split: str = "xsub") -> Path | None:
    """The recipe of a published system on NTU RGB+D; None for other methods.

    Its cell is that of the split: `xview`, `xsub120` or `xset`; of any other split NTU-60, cross-subject.
    """
    known, cell = recipes(), OTHER_CELLS.get(split, "ntu60-xsub")
    names = (f"{method}-{cell}", f"{method}-{encoder}-{cell}")
    return next((known[name] for name in names if name in known), None)


def _find(name: str, known: dict[str, Path], kind: str, otherwise: str) -> Path:
    given = Path(name)
    if given.suffix in (".yaml", ".yml") or given.is_file():
        return given
    if name not in known:
        raise KinemeError(f"{name}: no such {kind}{did_you_mean(name, known) or f'; {otherwise}'}")
    return known[name]


def _files(folder: str) -> dict[str, Path]:
    package = Path(__file__).resolve().parent
    installed, checkout = package / folder, package.parents[1] / folder
    found = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(found.glob("*.yaml"))}
