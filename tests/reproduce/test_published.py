"""A published figure stands beside its own cell and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kineme.packaged import grids, recipes
from kineme.reproduce.grid import FUSED, Cell, Variant, load_grid
from kineme.reproduce.published import published
from kineme.settings import load_config
from kineme.streams import TOGETHER


def cell(name: str, **changes: Any) -> Cell:
    """The cell of the published grid with this recipe, on joints."""
    cells = load_grid(grids()["published"]).cells
    found = next(each for each in cells if each.recipe.stem == name and each.stream in ("joint", TOGETHER))
    return replace(found, **changes)


class Store:
    """As much of a clip store as tells which data set it is."""

    def __init__(self, source: str, clips: int) -> None:
        self.manifest = SimpleNamespace(source=source)
        self.clips = clips

    def __len__(self) -> int:
        return self.clips


WHOLE = Store("ntu60", 56_578)


@pytest.mark.parametrize(
    ("recipe", "stream", "protocol", "score", "value"),
    [
        ("aimclr-ntu60-xsub", "joint", "linear", "last", 74.3),
        ("aimclr-ntu60-xview", FUSED, "fused", "last", 84.0),
        ("aimclr-pkummd1-xsub", FUSED, "fused", "last", 87.8),
        ("aimclr-pkummd2-xsub", "joint", "linear", "best", 38.5),
        ("scdnet-ntu60-xsub", "joint", "knn", "knn", 76.2),
        ("scdnet-ntu120-xset", "joint", "linear", "last", 80.1),
        ("usdrl-sttr-ntu60-xview", "joint", "linear", "last", 90.8),
        ("usdrl-sttr-pkummd2-xsub", "joint", "linear", "last", 51.8),
        ("usdrl-dste-ntu120-xsub", FUSED, "fused", "last", 79.3),
        ("usdrl-dste-ntu60-xsub", "bone", "linear", "last", None),
        ("usdrl-dste-ntu60-xsub", "joint", "linear", "logistic", None),
        ("usdrl-dste-ntu60-xsub", "joint", "knn", "knn", None),
        ("usdrl-dste-ntu60-xsub", "joint", "finetune", "last", None),
        ("scdnet-ntu60-xsub", FUSED, "fused", "last", None),
        ("mamp-ntu60-xsub", "joint", "linear", "best", 84.9),
        ("mamp-ntu120-xset", "joint", "linear", "last", 79.1),
        ("mamp-pkummd2-xsub", "joint", "linear", "last", 53.8),
        ("mamp-ntu60-xview", "joint", "knn", "knn", 70.0),
        ("mamp-ntu120-xsub", "joint", "finetune", "best", 89.8),
        ("mamp-ntu60-xsub", "joint", "semi", "1 %", 66.0),
        ("mamp-ntu60-xview", "joint", "semi", "10 %", 91.5),
        ("mamp-ntu60-xview", "joint", "semi", "20 %", None),
        ("mamp-pkummd2-xsub", "joint", "finetune", "last", None),
        ("mpct-sttr-ntu60-xview", TOGETHER, "linear", "best", 91.8),
        ("mpct-sttr-pkummd2-xsub", TOGETHER, "linear", "last", 54.7),
        ("mpct-sttr-ntu60-xsub", TOGETHER, "fused", "last", None),
        ("usdrl-dste-ntu60-xsub", "joint", "early", "50 %", 73.6),
        ("usdrl-dste-ntu60-xsub", "joint", "early", "20 %", None),
    ],
)
def test_the_figures_are_those_of_the_papers(
    recipe: str, stream: str, protocol: str, score: str, value: float | None
) -> None:
    found = published(cell(recipe), stream, protocol, score, None)
    assert (found and found.value) == value
    assert found is None or found.source


def test_recipes_say_the_same_figures_in_their_first_line() -> None:
    """Two hands wrote them down: `# ... Published: 74.3 % (joint, linear).`"""
    said = 0
    for name, path in recipes().items():
        first = path.read_text().splitlines()[0]
        if "Published: " in first:
            value = float(first.partition("Published: ")[2].split()[0])
            stream = load_config(path).data.stream
            found = published(cell(name), stream, "linear", "best", None)
            assert found is not None, name
            assert found.value == value, name
            said += 1
    assert said == 37


def told(store: Store | None, **changes: Any) -> bool:
    mine = cell("usdrl-dste-ntu60-xsub", **changes)
    return published(mine, "joint", "linear", "last", store) is not None


def test_it_is_of_the_whole_data_set() -> None:
    assert told(WHOLE)
    assert told(Store("ntu60", 56_880))  # with the 302 incomplete ones
    assert not told(Store("ntu60", 56_577))
    assert not told(Store("ntu120", 56_578))
    assert not told(Store("generated", 56_578))


def test_it_is_of_the_published_split_and_the_packaged_recipe(tmp_path: Path) -> None:
    assert not told(WHOLE, split="xview")
    assert not told(WHOLE, variant=Variant("slow", (("train.lr", "1e-4"),)))
    own = tmp_path / "usdrl-dste-ntu60-xsub.yaml"
    own.write_text(recipes()["usdrl-dste-ntu60-xsub"].read_text())
    assert not told(WHOLE, recipe=own)
    assert not told(WHOLE, recipe=recipes()["usdrl-dste-small"])


def test_clips_that_are_not_there_are_those_that_the_command_would_make() -> None:
    assert told(None)
    assert not told(None, command="kineme prepare ntu120 RAW stores/ntu60")
    assert not told(None, command="kineme generate stores/ntu60")
