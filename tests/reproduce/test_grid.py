"""Grids as they are written: every combination is a cell, and a mistake is told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.packaged import find_grid, grids, recipes
from kineme.reproduce.grid import DEFAULT, Measurement, load_grid
from kineme.settings import load_config

GRID = """\
epochs: 2
stores:
  mine: kineme generate stores/mine
  other: kineme prepare ntu60 RAW stores/other
runs:
  - recipes: [usdrl-small, own.yaml]
    stores: mine
    split: subjects:1,3
    streams: [motion, joint, bone]
    protocols: [linear, {transfer: other, split: xsub}]
  - recipes: usdrl-small
    stores: [mine, other]
    protocols: knn
"""


def write(folder: Path, text: str = GRID) -> Path:
    (folder / "own.yaml").write_text(recipes()["aimclr-small"].read_text())
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_every_combination_is_a_cell(tmp_path: Path) -> None:
    grid = load_grid(write(tmp_path))
    assert (grid.name, grid.epochs, grid.minutes, grid.baselines) == ("mine", 2, None, False)
    assert [cell.name for cell in grid.cells] == [
        "usdrl-small-mine-subjects-1-3-joint",
        "usdrl-small-mine-subjects-1-3-bone",
        "usdrl-small-mine-subjects-1-3-motion",
        "own-mine-subjects-1-3-joint",
        "own-mine-subjects-1-3-bone",
        "own-mine-subjects-1-3-motion",
        "usdrl-small-mine-joint",
        "usdrl-small-other-joint",
    ]
    first, own, last = grid.cells[0], grid.cells[3], grid.cells[-1]
    assert (first.recipe, own.recipe) == (recipes()["usdrl-small"], tmp_path / "own.yaml")
    assert first.measurements == (Measurement("linear"), Measurement("transfer", "other", "xsub"))
    assert [str(each) for each in first.measurements] == ["linear", "transfer to other (xsub)"]
    assert (last.command, last.split) == ("kineme prepare ntu60 RAW stores/other", None)


def test_seeds_repeat_every_cell_and_windows_are_of_an_entry(tmp_path: Path) -> None:
    text = GRID.replace("epochs: 2", "epochs: 2\nseeds: 2").replace(
        "    protocols: knn", "    window: 64\n    protocols: knn"
    )
    grid = load_grid(write(tmp_path, text))
    assert len(grid.cells) == 16
    assert [cell.seed for cell in grid.cells] == 8 * [0] + 8 * [1]
    assert grid.cells[15].name == "usdrl-small-other-seed1-joint"
    assert [cell.window for cell in grid.cells[:8]] == 6 * [None] + 2 * [64]
    assert [[cell.seed for cell in cells] for cells in grid.fusions] == [3 * [0], 3 * [0], 3 * [1], 3 * [1]]


def test_the_default_stands_in_a_grid_like_a_recipe(tmp_path: Path) -> None:
    grid = load_grid(write(tmp_path, GRID.replace("recipes: usdrl-small", "recipes: [default, usdrl-small]")))
    assert [cell.name for cell in grid.cells if cell.recipe == DEFAULT] == [
        "default-mine-joint",
        "default-other-joint",
    ]


def test_a_grid_may_set_what_a_recipe_does(tmp_path: Path) -> None:
    tuned = "{finetune: {lr: 3e-2, epochs: 5}}"
    grid = load_grid(write(tmp_path, GRID.replace("[linear,", "[" + tuned + ", {linear: {lr: 0.5}},")))
    finetune, linear, _ = grid.cells[0].measurements
    assert finetune == Measurement("finetune", settings=(("lr", 0.03), ("epochs", 5)))
    assert str(finetune) == "finetune (lr 0.03, epochs 5)"
    assert grid.cells[0].linear == linear == Measurement("linear", settings=(("lr", 0.5),))


def test_a_grid_may_set_the_draws_of_few_labels(tmp_path: Path) -> None:
    few = "{semi: {lr: 0.01, seeds: 5}}, {semi-frozen: {seeds: 10}}"
    grid = load_grid(write(tmp_path, GRID.replace("[linear,", f"[{few}, linear,")))
    semi, frozen, *_ = grid.cells[0].measurements
    assert (str(semi), str(frozen)) == ("semi (lr 0.01, seeds 5)", "semi-frozen (seeds 10)")


def test_another_store_may_have_another_layout(tmp_path: Path) -> None:
    mapped = GRID.replace("split: xsub}", "map_joints: true}")
    measurement = load_grid(write(tmp_path, mapped)).cells[0].measurements[1]
    assert measurement == Measurement("transfer", "other", map_joints=True)


def test_three_streams_of_a_recipe_are_fused(tmp_path: Path) -> None:
    found = load_grid(write(tmp_path)).fusions
    assert [[cell.stream for cell in cells] for cells in found] == [["joint", "bone", "motion"]] * 2
    assert [cells[0].kin for cells in found] == ["usdrl-small-mine-subjects-1-3", "own-mine-subjects-1-3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs: 2", "epoch: 2"), "line 1: unknown key 'epoch'; did you mean epochs?"),
        (("epochs: 2", "epochs: 2.5"), "line 1: epochs must be a whole number above 0"),
        (("epochs: 2", "minutes: soon"), "line 1: minutes must be a number above 0"),
        (("epochs: 2", "baselines: maybe"), "line 1: baselines must be true or false"),
        (("epochs: 2", "epochs: 2\nminutes: 3"), "line 2: epochs and minutes exclude each other"),
        (("epochs: 2", "stores: {}"), "line 2: 'stores' is there twice"),
        (
            ("recipes: [usdrl-small,", "recipes: [usdrl-smal,"),
            "line 6: usdrl-smal: no such recipe; did you mean",
        ),
        (("own.yaml]", "its.yaml]"), "line 6: its.yaml: no such recipe, neither here nor beside the grid"),
        (("stores: mine", "stores: mind"), "line 7: no store is called 'mind'; did you mean mine?"),
        (
            ("streams: [motion", "streams: [motions"),
            "line 9: no stream is called 'motions'; did you mean motion?",
        ),
        (("[linear,", "[liner,"), "line 10: no protocol is called 'liner'; did you mean linear?"),
        (
            ("[linear,", "[transfer,"),
            "line 10: transfer is on another store; write {transfer: STORE, split: ...}",
        ),
        (
            ("transfer: other", "transfer: others"),
            "line 10: no store is called 'others'; did you mean other?",
        ),
        (("{transfer: other, split", "{split"), "line 10: name a protocol, such as knn"),
        (("{transfer: other, split: xsub", "{semi: {lr: 1}, map_joints: true"), "line 10: name a protocol"),
        (("split: xsub}", "map_joints: maybe}"), "line 10: map_joints must be true or false"),
        (("{transfer: other, split", "{semi: {lr: 1}, split"), "line 10: name a protocol, such as knn"),
        (("[linear,", "[{linear: {rate: 1}},"), "line 10: unknown key 'rate'; linear has lr"),
        (("[linear,", "[{semi: {lr: -1}},"), "line 10: lr must be a number above 0"),
        (("[linear,", "[{semi: {epochs: 2.5}},"), "line 10: epochs must be a whole number above 0"),
        (("[linear,", "[{semi: {seeds: 0}},"), "line 10: seeds must be a whole number above 0"),
        (("[linear,", "[{knn: {k: 5}},"), "line 10: unknown key 'knn'"),
        (
            ("[linear,", "[linear, {linear: {lr: 1}},"),
            "line 10: a protocol is listed twice on the same clips",
        ),
        (("    streams:", "    stream:"), "line 9: unknown key 'stream'; did you mean streams?"),
        (("    protocols: knn\n", ""), "line 11: this entry of runs has no protocols"),
        (("[mine, other]", "[mine, mine]"), "line 11: usdrl-small-mine-joint is in the grid twice"),
        (("[mine, other]", "[]"), "line 12: stores must be a list, and not an empty one"),
        (("runs:", "run:"), "line 5: unknown key 'run'; did you mean runs?"),
        ((GRID, "- a\n"), "line 1: a grid must be a mapping, with `key: value`"),
        ((GRID, ""), "is empty; a grid has the keys epochs, minutes, baselines, seeds, stores, runs"),
        ((GRID, "epochs: 3\n"), "line 1: has no stores"),
        ((GRID, "stores: ["), "cannot be read as a grid (line 2: did not find expected node"),
    ],
)
def test_a_mistake_is_told_by_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in GRID
    path = write(tmp_path, GRID.replace(*change, 1))
    with pytest.raises(KinemeError) as caught:
        load_grid(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grid_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"publish: no such grid; did you mean published\?"):
        find_grid("publish")
    with pytest.raises(
        KinemeError, match="xyz: no such grid; choose from published, small, or name a YAML file"
    ):
        find_grid("xyz")
    with pytest.raises(KinemeError, match=r"no.yaml: cannot be read as a grid \(No such file or directory\)"):
        load_grid(tmp_path / "no.yaml")


def test_the_published_grid_has_every_published_recipe() -> None:
    grid = load_grid(grids()["published"])
    published = {name for name in recipes() if not name.endswith("small")} - {"demo", "tandem"}
    assert {cell.recipe.stem for cell in grid.cells} == published
    for cell in grid.cells:  # a recipe names its data, and its store is made of them
        data = cell.recipe.stem.split("-")[-2]
        wanted = load_config(cell.recipe).data.preprocessing
        assert wanted is not None
        quoted = f'"{wanted}"' if "(" in wanted else wanted
        chosen = "" if wanted == "agcn" else f" --preprocessing {quoted}"  # which NTU and PKU-MMD have anyway
        assert cell.command == f"kineme prepare {data} RAW stores/{cell.store}{chosen}"


def test_the_small_grid_trains_all_systems_on_equal_terms() -> None:
    grid = load_grid(grids()["small"])
    systems = {
        "usdrl-small", "usdrl-dste-small", "mpct-small", "scdnet-small", "aimclr-small", "mamp-small",
        "slim-small", "default",
    }  # fmt: skip
    for store in grid.stores:
        cells = [cell for cell in grid.cells if cell.store == store]
        assert {cell.recipe.stem for cell in cells} == systems
        assert len({(cell.split, cell.window, cell.measurements) for cell in cells}) == 1
    assert grid.minutes == 1
    assert grid.baselines


ABLATION = """\
stores: {mine: kineme generate stores/mine}
runs:
  - recipes: usdrl-small
    stores: mine
    split: [odd-even/1, odd-even/2]
    settings:
      full: {}
      alike: {method.similarity: 1.0, train.betas: [0.9, 0.99], train.warmup: 5e-1}
    protocols: knn
"""


def test_settings_and_splits_are_combined_like_all_lists(tmp_path: Path) -> None:
    cells = load_grid(write(tmp_path, ABLATION)).cells
    assert [cell.name for cell in cells] == [
        "usdrl-small-full-mine-odd-even-1-joint",
        "usdrl-small-full-mine-odd-even-2-joint",
        "usdrl-small-alike-mine-odd-even-1-joint",
        "usdrl-small-alike-mine-odd-even-2-joint",
    ]
    assert (cells[0].variant.words, cells[1].split) == ([], "odd-even/2")
    assert cells[2].variant.words == [
        "--method.similarity=1.0",
        "--train.betas=[0.9, 0.99]",
        "--train.warmup=5e-1",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("recipes: usdrl-small", "recipes: [usdrl-small, aimclr-small]"),
            "line 8: settings.alike: unknown setting --method.similarity",  # of USDRL only
        ),
        (("warmup: 5e-1", "warmup: soon"), "line 8: settings.alike: --train.warmup"),
        (
            ("method.similarity", "method.similarit"),
            "line 8: .*unknown setting --method.similarit; did you mean",
        ),
        (("method.similarity: 1.0", "data.split: all"), "line 8: data.split is not set here, but by `split`"),
        (("method.similarity: 1.0", "train: {lr: 1}"), "line 8: train must be a word or a list"),
        (("full: {}", "full: none"), "line 7: settings.full must be a mapping"),
        (("settings:\n      full: {}\n      alike: ", "settings: {} # "), "line 6: settings is empty"),
    ],
)
def test_wrong_settings_are_told_by_their_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(KinemeError, match=message):
        load_grid(write(tmp_path, ABLATION.replace(*change)))
