"""Fixtures of grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reproduce.runs import GRID, RECIPE, MakePlan

from kineme.reproduce.grid import load_grid
from kineme.reproduce.plan import Plan, make_plan


@pytest.fixture
def plan_of(tmp_path: Path, moves: Path) -> MakePlan:
    """Makes a plan, on `moves` and in the same place each time, of a grid and the recipe `mine`."""

    def made(grid: str = GRID, recipe: str = RECIPE, **options: Any) -> Plan:
        (tmp_path / "mine.yaml").write_text(recipe)
        (tmp_path / "grid.yaml").write_text(grid)
        return make_plan(load_grid(tmp_path / "grid.yaml"), tmp_path / "out", {"moves": moves}, **options)

    return made
