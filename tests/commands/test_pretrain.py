"""`kineme pretrain`: from a recipe's name to a run, interrupted and resumed."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kineme.__main__ import INTERRUPTED, USAGE_ERROR, main
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.generate import generate_store
from kineme.layouts import get_layout
from kineme.loading import load_run
from kineme.methods import AimCLR
from kineme.packaged import find_recipe, recipes
from kineme.preprocessing import get_preprocessing
from kineme.settings import load_config
from kineme.training.directory import load_run_config
from kineme.training.timing import Stopwatch

RECIPE = """\
data:
  store: {store}
  frames: 8
train:
  epochs: 2
  batch_size: 8
  device: cpu
method:
  name: aimclr
  queue: 16
encoder:
  name: stgcn
  channels: [8, 16]
  strided: [1]
"""


@pytest.fixture
def recipe(tmp_path: Path, moves: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE.format(store=moves))
    return str(path)


def history(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "history.csv").open()))


def test_a_recipe_is_found_by_name_or_path(recipe: str) -> None:
    assert find_recipe("aimclr-small") == recipes()["aimclr-small"]
    assert load_config(find_recipe("aimclr-small")).method["name"] == "aimclr"
    assert find_recipe(recipe) == Path(recipe)


def test_a_recipe_that_is_not_there_is_named() -> None:
    with pytest.raises(KinemeError, match="aimclr-smal: no such recipe; did you mean aimclr-small"):
        find_recipe("aimclr-smal")
    with pytest.raises(KinemeError, match="xyz: no such recipe; `kineme pretrain --help` lists"):
        find_recipe("xyz")


def test_help_lists_recipes_and_a_recipe_s_help_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain"]) == main(["pretrain", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f" {name}\n" in shown for name in recipes())
    assert "\n  --resume PATH " in shown
    assert main(["pretrain", "aimclr-small", "--train.epochs=7", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for key in ("--data.store", "--train.epochs", "--method.queue", "--encoder.channels"):
        assert key in shown
    assert "Passes over the training clips. (type: int, default: 7)" in shown  # the recipe's own value
    assert "--encoder.hidden" not in shown
    assert main(["pretrain", "usdrl-small", "--help"]) == 0
    assert "--encoder.hidden" in capsys.readouterr().out


def test_several_stores_are_named_one_by_one(
    recipe: str, moves: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", recipe, "--store", str(moves), "--store", str(moves)]) == USAGE_ERROR
    assert f"{moves}: is given twice; give each store once" in capsys.readouterr().err


def test_a_run_goes_where_it_is_told(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", recipe, "--train.epochs", "1"]) == 0
    assert (tmp_path / "runs" / "mine-joint" / "model.safetensors").is_file()
    shown = capsys.readouterr().out
    assert shown == (
        "the run is in runs/mine-joint; next: kineme evaluate knn runs/mine-joint --split odd-even\n"
    )
    assert main(["pretrain", recipe, "--out=here", "--data.stream", "bone", "--train.epochs=1"]) == 0
    assert load_run(tmp_path / "here").stream == "bone"
    assert len(history(tmp_path / "here")) == 1
    assert main(["pretrain", recipe, "--out", "here"]) == USAGE_ERROR
    assert "here: already holds a run; set --resume to continue it, --overwrite to" in capsys.readouterr().err
    assert main(["pretrain", recipe, "--overwrite", "--out", "here"]) == 0
    assert len(history(tmp_path / "here")) == 2


def test_without_a_recipe_settings_fit_the_clips(
    moves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", "--store", str(moves), "--train.epochs", "2", "--encoder.hidden=16"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[:3] == [
        "clips: 12 of 24 (split odd-even); the others are held out for evaluation",
        "views: 8 frames (the minimum), because the median clip has 11 frames (0.4 s)",
        "training: tandem with canonical, 2 epochs (given) of 1 batch of 12 clips: 2 steps",
    ]
    assert said.out == ("the run is in runs/moves; next: kineme evaluate linear runs/moves\n")
    config = load_run_config(Path("runs/moves"))
    assert (config.data.split, config.train.batch_size, config.encoder["hidden"]) == ("odd-even", 12, 16)
    assert main(["evaluate", "linear", "runs/moves", "--no-baselines"]) == 0
    assert main(["pretrain", str(moves)]) == USAGE_ERROR
    assert f"{moves}: is a clip store, not a recipe; name it by --store" in capsys.readouterr().err
    assert main(["pretrain", "--train.epochs=7", "--help"]) == 0
    assert "Passes over the training clips. (type: int, default: 7)" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_time_is_bounded_where_epochs_would_take_longer(
    moves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stopwatch, "epochs", 3)
    words = ["pretrain", "--store", str(moves), "--encoder.hidden=16", "--overwrite", "--out"]
    assert main([*words, str(tmp_path / "run")]) == 0
    assert len(history(tmp_path / "run")) == load_run_config(tmp_path / "run").train.epochs == 3
    assert main([*words, str(tmp_path / "run"), "--train.epochs=2", "--train.max_minutes=1"]) == 0
    assert len(history(tmp_path / "run")) == 2


def finished(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The command that a finished run names, in words."""
    return capsys.readouterr().out.partition("next: kineme ")[2].split()


def test_the_next_command_works_on_these_clips(
    recipe: str, unlabelled_moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, page = tmp_path / "run", tmp_path / "report.html"
    train = ["pretrain", recipe, "--out", str(run), "--overwrite", "--train.epochs=1"]
    assert main([*train, "--data.split=odd-even", "--evaluate.linear.lr=0.1"]) == 0
    words = finished(capsys)  # no `:=` in an assert: pytest 8.2 would call it again at the next one
    assert words == ["evaluate", "linear", str(run)]
    assert main([*words, "--no-baselines"]) == 0
    assert main([*train]) == 0
    words = finished(capsys)
    assert words == ["evaluate", "knn", str(run), "--split", "odd-even"]
    assert main([*words, "--no-baselines"]) == 0
    assert main([*train, "--store", str(unlabelled_moves)]) == 0
    words = finished(capsys)
    cluster = ["cluster", str(run), str(unlabelled_moves)]
    assert words == [*cluster, "or", "kineme", "report", str(run)]
    kinds = str(tmp_path / "kinds.html")
    assert main([*cluster, "--k=2", "--out", str(tmp_path / "kinds.csv"), "--page", kinds]) == 0
    assert main([*words[5:], "--out", str(page)]) == 0
    assert page.is_file()


def test_after_several_unlabelled_stores_their_kinds_are_looked_for_together(
    recipe: str, unlabelled_moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, again = tmp_path / "run", tmp_path / "again"
    shutil.copytree(unlabelled_moves, again)
    words = ["--store", str(unlabelled_moves), "--store", str(again), "--data.split=all"]
    assert main(["pretrain", recipe, *words, "--out", str(run), "--train.epochs=1"]) == 0
    words = finished(capsys)
    cluster = ["cluster", str(run), str(unlabelled_moves), str(again)]
    assert words == [*cluster, "or", "kineme", "report", str(run)]
    assert main([*cluster, "--k=2", "--out", str(tmp_path / "kinds.csv")]) == 0


@pytest.mark.parametrize(("seconds", "following"), [(11, "cluster"), (9, "report")])
def test_a_few_recordings_have_kinds_if_they_are_long(
    seconds: int, following: str, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, rng = get_layout("ntu25"), np.random.default_rng(0)
    with StoreWriter(tmp_path / "few", Manifest(layout, get_preprocessing("plain"), "test"), 1) as writer:
        for name in "ab":
            sway = 0.1 * rng.normal(size=(30 * seconds, 1, 1, 3)).cumsum(axis=0)
            writer.add(Clip(name, (rng.normal(size=(1, 1, 25, 3)) + sway).astype(np.float32)))
    words = ["--store", str(tmp_path / "few"), "--out", str(tmp_path / "run"), "--data.split=all"]
    assert main(["pretrain", recipe, *words, "--train.epochs=1", "--train.batch_size=2"]) == 0
    assert finished(capsys)[0] == following


def test_untrimmed_recordings_are_measured_by_detection(
    tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = generate_store(
        tmp_path / "long", subjects=2, repetitions=1, cameras=[1], untrimmed=True, seconds=16
    )
    words = [
        "--store",
        str(store.path),
        "--out",
        str(tmp_path / "run"),
        "--data.window=32",
        "--train.epochs=1",
    ]
    assert main(["pretrain", recipe, *words, "--train.batch_size=4"]) == 0
    assert finished(capsys)[:2] == ["evaluate", "detect"]


MINE = """\
from torch import nn

from kineme.encoders.base import Encoder, Features, View
from kineme.methods import Method


class Still(Method):
    '''A clip and its noisy copy have nearby features.

    Args:
        noise: standard deviation of the noise.
    '''

    def __init__(self, encoder, noise: float = 0.1):
        super().__init__()
        self.encoder = encoder
        self.noise = noise

    def views(self, clips, generator):
        shape = self.encoder.shape
        view = shape.take(clips.resize(shape.frames))
        return View(view), View(view + self.noise * view.new_empty(view.shape).normal_(generator=generator))

    def loss(self, views, progress):
        one, other = (self.encoder(view.clips).clip for view in views)
        return {"loss": (one - other).square().mean()}


class Mean(Encoder):
    '''A linear layer on the mean frame.

    Args:
        width: D.
    '''

    def __init__(self, shape, width: int = 4):
        super().__init__()
        self.shape, self.dim = shape, width
        self.linear = nn.Linear(3 * shape.layout.num_joints, width)

    def forward(self, clips):
        return Features(self.linear(clips.mean((2, 4)).flatten(1)))
"""


def test_methods_and_encoders_of_one_s_own_are_named_by_dotted_path(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine_alone.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    text = Path(recipe).read_text().partition("method:")[0] + (
        "method:\n  name: mine_alone.Still\n  noise: 0.2\nencoder:\n  name: mine_alone.Mean\n  width: 3\n"
    )
    Path(recipe).write_text(text)
    run = str(tmp_path / "run")
    assert main(["pretrain", recipe, "--out", run, "--train.epochs=1", "--data.split=odd-even"]) == 0
    config = load_run_config(Path(run))
    assert config.method == {"name": "mine_alone.Still", "noise": 0.2}
    assert config.encoder == {"name": "mine_alone.Mean", "width": 3}
    assert load_run(run).encoder.dim == 3
    assert main(["evaluate", "knn", run, "--no-baselines"]) == 0
    capsys.readouterr()
    assert main(["pretrain", recipe, "--help"]) == 0
    assert "--method.noise NOISE  standard deviation of the noise." in capsys.readouterr().out
    assert main(["pretrain", recipe, "--method.nois=1"]) == USAGE_ERROR
    assert "unknown setting --method.nois; did you mean --method.noise?" in capsys.readouterr().err
    assert main(["pretrain", recipe, "--encoder.width=wide"]) == USAGE_ERROR
    assert "--encoder.width is wide; it must be a whole number" in capsys.readouterr().err


def test_an_interrupted_run_says_how_it_is_continued(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    original, steps = AimCLR.loss, iter(range(100))

    def loss(self: AimCLR, *arguments: object, **options: object) -> object:
        if next(steps) == 4:
            raise KeyboardInterrupt
        return original(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(AimCLR, "loss", loss)
        assert main(["pretrain", recipe, "--out", str(run)]) == INTERRUPTED
    shown = capsys.readouterr().err
    assert f"to continue: kineme pretrain --resume {run}\n" in shown
    assert "Traceback" not in shown
    assert main(["pretrain", "--resume", str(run)]) == 0
    assert main(["pretrain", recipe, "--out", str(whole)]) == 0
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["aimclr-smal"], "aimclr-smal: no such recipe; did you mean aimclr-small?"),
        (["nothing.yaml"], "nothing.yaml: cannot be read as a recipe (No such file or directory)"),
        (["aimclr-small", "--train.epoch=3"], "unknown setting --train.epoch; did you mean --train.epochs?"),
        (["aimclr-small", "--train.epochs=many"], "--train.epochs is many; it must be a whole number"),
        (["aimclr-small"], "no clips to train on; set data.store to a clip store"),
        (["aimclr-small", "--overwrit"], "unknown option --overwrit; did you mean --overwrite?"),
        (["aimclr-small", "--data.store", "/nowhere"], "/nowhere: no such clip store"),
        (["--train.epochs=3"], "no clips to train on; name a --store, with or without a recipe"),
        (["--out", "run"], "no clips to train on"),
        (["--store", "/nowhere"], "/nowhere: no such clip store"),
        (["aimclr-small", "--out"], "--out needs a value; see kineme pretrain --help"),
        (["--resume"], "--resume needs a value"),
        (["--resume", "/nowhere"], "/nowhere: is not a run directory"),
        (
            ["--resume", "run", "--train.epochs=3"],
            "--resume takes the run's own settings; leave out all but --train.devices and --train.nodes",
        ),
        (
            ["--resume", "run", "--train.devices", "x"],
            "--train.devices is x; it must be a whole number of",
        ),
    ],
)
def test_mistakes_earn_one_line(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", *words]) == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kineme pretrain: error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_train_one_model(recipe: str, tmp_path: Path) -> None:
    """Each takes half of every batch; the queue gets the keys of both."""
    run = tmp_path / "run"
    words = [
        "pretrain",
        recipe,
        "--out",
        str(run),
        "--train.devices=2",
        "--train.batch_size=4",
        "--train.knn_every=1",
    ]
    command = [sys.executable, "-m", "kineme", *words]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=quiet, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the run is in") == 1
    assert [line.split("  ")[0] for line in done.stderr.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert [(row["epoch"], row["step"]) for row in history(run)] == [("1", "3"), ("2", "6")]
    state = torch.load(run / "state.ckpt", weights_only=True)["state_dict"]
    assert state["method.queue.next_row"] == 6 * 8 % 16
    for name, tensor in load_run(run).encoder.state_dict().items():
        assert torch.equal(tensor, state[f"method.encoder.{name}"])
