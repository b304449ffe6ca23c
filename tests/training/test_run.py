"""Runs: complete, repeatable, resumed as if they had never stopped, and safe when they fail."""

from __future__ import annotations

import csv
import gc
import json
import os
import resource
import shutil
import signal
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers.logger import DummyLogger
from safetensors.torch import load_file
from spawning import prepared
from torch import Tensor

from conftest import Settings, write_store
from kineme.checkpoints import build_encoder, build_method
from kineme.clips.batches import Clips
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.config import Config, TrainConfig
from kineme.encoders import View
from kineme.errors import KinemeError
from kineme.evaluation.task import open_task
from kineme.loading import load_run
from kineme.methods import AimCLR, Tandem
from kineme.settings import config_from_dict, load_config
from kineme.training.devices import resolve_device
from kineme.training.directory import load_run_config
from kineme.training.module import Pretraining, step_seed, weight_decay
from kineme.training.run import train

SPREAD = ["feature_rank", "feature_std"]  # in the history, of the features of some clips
FILES = {"clips.npz", "config.yaml", "history.csv", "model.safetensors", "state.ckpt"}


def history(run: Path) -> list[dict[str, str]]:
    """Rows of history.csv, without the seconds, which differ from run to run."""
    rows = list(csv.DictReader((run / "history.csv").open()))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_same_end(run: Path, other: Path) -> None:
    """Weights to the byte, losses to the last digit, and all that training carries along."""
    assert (run / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert history(run) == history(other)
    ours, theirs = (torch.load(each / "state.ckpt", weights_only=True) for each in (run, other))
    assert ours["global_step"] == theirs["global_step"]
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    for name, tensor in ours["state_dict"].items():
        assert torch.equal(tensor, theirs["state_dict"][name]), name


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def before_loss(monkeypatch: pytest.MonkeyPatch, step: int, happening: Callable[[], object]) -> None:
    """Something happens as the method computes the loss of this step, counted from 0 in this process."""
    original, steps = AimCLR.loss, iter(range(10**6))

    def loss(self: AimCLR, *arguments: Any, **options: Any) -> dict[str, Tensor]:
        if next(steps) == step:
            happening()
        return original(self, *arguments, **options)

    monkeypatch.setattr(AimCLR, "loss", loss)


def train_until(step: int, config: Config, run: Path, happening: Callable[[], object] | None = None) -> None:
    """Trains until something happens at this step; if nothing else is said, the user interrupts."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        before_loss(patch, step, happening or interrupt)
        train(config, run)


def test_a_run_holds_all_there_is_to_know_of_it(tmp_path: Path, settings: Settings) -> None:
    config, run = settings(), tmp_path / "runs" / "mine"
    train(config, run)
    assert {path.name for path in run.iterdir()} == FILES
    assert yaml.safe_load((run / "config.yaml").read_text()) == config.to_dict()
    assert load_run_config(run).to_dict() == config.to_dict()
    rows = list(csv.DictReader((run / "history.csv").open()))
    terms = ["loss", "infonce", "d3m_extreme", "d3m_dropped"]
    assert list(rows[0]) == ["epoch", "step", "seconds", "lr", *terms, "knn", *SPREAD]
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6")]
    for row in rows:
        infonce, extreme, dropped = (float(row[term]) for term in terms[1:])
        assert float(row["loss"]) == pytest.approx(infonce + (extreme + dropped) / 2)
        assert 0 <= float(row["knn"]) <= 1


NUMBERS = {  # of every method's recipe, what sets the size of what is built or trained on
    "aimclr-small": ["encoder.channels", "method.projection", "method.queue"],
    "usdrl-small": ["encoder.depth", "encoder.hidden"],
    "usdrl-dste-small": ["encoder.depth", "encoder.hidden"],
    "mpct-small": ["encoder.depth", "encoder.hidden"],
    "scdnet-small": ["encoder.hidden", "encoder.stem", "method.projection", "method.queue"],
    "mamp-small": ["encoder.depth", "encoder.hidden", "method.decoder_depth", "method.decoder_hidden"],
    "slim-small": ["encoder.depth", "encoder.hidden", "encoder.registers", "method.prototypes"],
    "tandem": ["encoder.depth", "encoder.hidden"],
}
SIZES = [
    (recipe, key) for recipe, keys in NUMBERS.items() for key in (*keys, "data.frames", "train.batch_size")
]


@pytest.mark.parametrize(("recipe", "key"), SIZES)
def test_absurd_sizes_are_refused_before_memory_is_taken(
    tmp_path: Path, moves: Path, recipe: str, key: str
) -> None:
    size = 10**9
    small = {"data.store": moves, "data.preprocessing": "plain", "data.split": "all", "train.device": "cpu"}
    several = key in ("encoder.channels", "encoder.stem")
    config = load_config(recipe, {"train.batch_size": 4, **small, key: [size] if several else size})
    before = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(
        KinemeError, match=f"^({key} is {size}; |these settings ask for an encoder and a meth)"
    ):
        train(config, tmp_path / "run")
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 20  # seconds; less than one is usual
    assert after.ru_maxrss - before.ru_maxrss < 300_000  # KB
    assert not (tmp_path / "run").exists()


def test_a_list_of_very_many_layers_is_refused(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(KinemeError, match=r"over 1,073,741,824 numbers, or of hundreds of layers"):
        train(settings(encoder_channels=[4] * 1000), tmp_path / "run")


def test_a_run_lists_the_clips_it_was_trained_on(tmp_path: Path, settings: Settings) -> None:
    train(settings(data_split="subjects:1,3", train_epochs=1), tmp_path / "run")
    seen = Seen.load(tmp_path / "run" / SEEN_CLIPS)
    assert seen.names.tolist() == [f"clip{i:02}" for i in (*range(6), *range(12, 18))]


def test_the_saved_encoder_is_the_one_that_was_trained(tmp_path: Path, settings: Settings) -> None:
    train(settings(data_stream="bone"), tmp_path / "run")
    found = load_run(tmp_path / "run")
    trained = torch.load(tmp_path / "run" / "state.ckpt", weights_only=True)["state_dict"]
    for name, tensor in found.encoder.state_dict().items():
        assert torch.equal(tensor, trained[f"method.encoder.{name}"]), name
    assert (found.method, found.stream, found.preprocessing.id) == ("aimclr", "bone", "plain")
    shape = found.encoder.shape
    assert (shape.layout.joints, shape.frames, shape.bodies) == (("hip", "neck", "hand"), 8, 2)
    torch.manual_seed(0)
    untrained = AimCLR(type(found.encoder)(shape, channels=[8, 16], strided=[1])).encoder
    assert not torch.equal(found.encoder.blocks[0].spatial.weight, untrained.blocks[0].spatial.weight)


def test_the_same_seed_trains_the_same_and_another_another(tmp_path: Path, settings: Settings) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        train(settings(train_seed=seed), tmp_path / name)
    assert_same_end(tmp_path / "first", tmp_path / "again")
    assert history(tmp_path / "first") != history(tmp_path / "other")


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_streams_train_on_their_own_data(tmp_path: Path, settings: Settings, stream: str) -> None:
    for each in ("joint", stream):
        train(settings(data_stream=each, train_epochs=1), tmp_path / each)
    losses = [float(history(tmp_path / each)[0]["loss"]) for each in ("joint", stream)]
    assert losses[0] != losses[1]


def test_one_process_trains_again_and_again_in_the_memory_of_one_training(
    tmp_path: Path, settings: Settings
) -> None:
    for i in range(4):
        train(settings(train_epochs=1), tmp_path / str(i))
        left = sum(type(each) is Pretraining for each in gc.get_objects())
        assert left == 1, i  # the one that has just ended


def test_skeletonclr_trains(tmp_path: Path, settings: Settings) -> None:
    train(settings(method_extreme=False), tmp_path / "run")
    assert list(history(tmp_path / "run")[0]) == ["epoch", "step", "lr", "loss", "infonce", "knn", *SPREAD]


def test_mixed_precision_trains(tmp_path: Path, settings: Settings) -> None:
    train(settings(train_precision="bfloat16"), tmp_path / "half")
    train(settings(train_precision="float32"), tmp_path / "full")
    half, full = (float(history(tmp_path / each)[0]["loss"]) for each in ("half", "full"))
    assert half != full
    assert half == pytest.approx(full, rel=0.05)
    weights = load_run(tmp_path / "half").encoder.state_dict().values()
    assert not any(weight.dtype == torch.bfloat16 for weight in weights)


def test_views_are_of_full_precision_in_mixed_precision(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method may turn coordinates by a matrix product, which would leave them 8 bits."""
    products: set[torch.dtype] = set()
    original = AimCLR.views

    def views(self: AimCLR, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        products.add((torch.eye(3) @ torch.eye(3)).dtype)
        return original(self, clips, generator)

    monkeypatch.setattr(AimCLR, "views", views)
    train(settings(train_precision="bfloat16", train_epochs=1), tmp_path / "run")
    assert products == {torch.float32}


def test_clips_without_labels_train_and_nothing_is_looked_at(
    tmp_path: Path, settings: Settings, unlabelled_moves: Path
) -> None:
    train(settings(data_store=str(unlabelled_moves)), tmp_path / "blind")
    train(settings(), tmp_path / "seeing")
    assert "knn" not in history(tmp_path / "blind")[0]
    blind, seeing = (load_run(tmp_path / each).weights for each in ("blind", "seeing"))
    assert blind == seeing  # labels change nothing


def test_long_recordings_train_by_windows(tmp_path: Path, settings: Settings) -> None:
    """24 clips of 9 to 13 frames have 4 to 6 windows of 4 frames each, 114 in all: 14 batches of 8."""
    train(settings(data_window=4, train_epochs=1), tmp_path / "run")
    assert [row["step"] for row in history(tmp_path / "run")] == ["14"]


def test_the_accuracy_is_looked_at_every_few_epochs_and_at_the_end(
    tmp_path: Path, settings: Settings
) -> None:
    train(settings(train_epochs=5, train_knn_every=2), tmp_path / "run")
    assert [bool(row["knn"]) for row in history(tmp_path / "run")] == [False, True, False, True, True]
    train(settings(train_epochs=2, train_knn_every=0), tmp_path / "never")
    assert "knn" not in history(tmp_path / "never")[0]


def test_looking_at_the_features_changes_no_weight(tmp_path: Path, settings: Settings) -> None:
    for every in (0, 1):
        train(settings(train_knn_every=every), tmp_path / str(every))
    never, always = (load_run(tmp_path / each).weights for each in ("0", "1"))
    assert never == always


@pytest.mark.parametrize("step", [3, 5, 7])
def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path, settings: Settings, step: int) -> None:
    config = settings(train_epochs=4, train_schedule="cosine", train_warmup=1.0)
    train(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_until(step, config, tmp_path / "stopped")
    assert len(history(tmp_path / "stopped")) == step // 3
    train(load_run_config(tmp_path / "stopped"), tmp_path / "stopped", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "stopped")


def test_groups_of_parameters_resume_too(tmp_path: Path, settings: Settings) -> None:
    config = settings(
        train_epochs=4,
        train_optimizer="adamw",
        train_weight_decay=0.05,
        train_decay_vectors=False,
        train_schedule="warmup-cosine",
        train_warmup=1.0,
        train_final_lr=1e-4,
    )
    train(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_until(7, config, tmp_path / "stopped")
    train(load_run_config(tmp_path / "stopped"), tmp_path / "stopped", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "stopped")


def test_the_default_resumes_with_its_moments_of_the_clip_feature(tmp_path: Path, settings: Settings) -> None:
    plain = settings(train_epochs=4).to_dict()
    parts = {"method": {"name": "tandem"}, "encoder": {"name": "canonical", "hidden": 8}}
    config = config_from_dict(plain | parts, "test")
    train(config, tmp_path / "whole")
    moves, steps = Tandem.before_step, iter(range(7))

    def interrupted(method: Tandem, progress: float) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        moves(method, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tandem, "before_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped")
    train(load_run_config(tmp_path / "stopped"), tmp_path / "stopped", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "stopped")
    reading = load_run(tmp_path / "stopped").encoder.reading
    assert not torch.equal(reading, torch.eye(*reading.shape))


def test_epochs_after_the_last_checkpoint_are_done_again(tmp_path: Path, settings: Settings) -> None:
    config = settings(train_epochs=4, train_save_every=2)
    train(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_until(10, config, tmp_path / "stopped")  # in the fourth epoch
    assert len(history(tmp_path / "stopped")) == 3
    train(config, tmp_path / "stopped", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "stopped")


def test_the_last_epoch_is_saved_however_often_others_are(tmp_path: Path, settings: Settings) -> None:
    train(settings(train_epochs=3, train_save_every=2), tmp_path / "run")
    assert load_run(tmp_path / "run").epochs == 3


def train_until_killed(step: int, config: Config, run: Path) -> None:
    train_until(step, config, run, lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path, settings: Settings) -> None:
    config = settings(train_epochs=3)
    train(config, tmp_path / "whole")
    child = prepared().Process(target=train_until_killed, args=(4, config, tmp_path / "killed"))
    child.start()
    child.join(timeout=120)
    assert child.exitcode == -signal.SIGKILL
    assert len(history(tmp_path / "killed")) == 1
    train(config, tmp_path / "killed", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "killed")


def test_a_finished_run_resumed_stays_as_it_is(tmp_path: Path, settings: Settings) -> None:
    train(settings(), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    train(settings(), tmp_path / "run", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_its_checkpoint(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, run = settings(train_epochs=3), tmp_path / "run"
    original, steps = AimCLR.loss, iter(range(100))

    def loss(self: AimCLR, *arguments: Any, **options: Any) -> dict[str, Tensor]:
        losses = original(self, *arguments, **options)
        if next(steps) == 4:
            losses["d3m_dropped"] = losses["loss"] = losses["loss"] * float("nan")
        return losses

    with monkeypatch.context() as patch:
        patch.setattr(AimCLR, "loss", loss)
        with pytest.raises(
            KinemeError, match=r"step 4 \(epoch 2\): d3m_dropped is not finite; training stopped"
        ):
            train(config, run)
    assert len(history(run)) == 1
    assert torch.load(run / "state.ckpt", weights_only=True)["global_step"] == 3
    train(config, run, resume=True)
    train(config, tmp_path / "whole")
    assert_same_end(run, tmp_path / "whole")


def test_a_rate_that_is_far_too_high_is_the_user_s_to_mend(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(KinemeError, match=r"not finite.*Lower train\.lr"):
        train(settings(train_lr=1e15), tmp_path / "run")


@pytest.mark.parametrize(("size", "file"), [(4_000, "state.ckpt"), (25_000, "state.ckpt")])
def test_a_full_disk_keeps_the_last_checkpoint_whole(
    tmp_path: Path,
    settings: Settings,
    file_size_limit: Callable[[int], AbstractContextManager[None]],
    size: int,
    file: str,
) -> None:
    config, run = settings(train_epochs=3), tmp_path / "run"
    refused = pytest.raises(KinemeError, match=rf"{file}: cannot be written")
    with refused, ExitStack() as disk:
        train_until(4, config, run, lambda: disk.enter_context(file_size_limit(size)))
    assert {path.name for path in run.iterdir()} == FILES
    assert torch.load(run / "state.ckpt", weights_only=True)["global_step"] == 3
    load_run(run)
    train(config, run, resume=True)
    train(config, tmp_path / "whole")
    assert_same_end(run, tmp_path / "whole")


def test_an_existing_run_is_kept_unless_it_may_be_overwritten(tmp_path: Path, settings: Settings) -> None:
    run = tmp_path / "run"
    train(settings(train_epochs=1), run)
    for folder in ("results", "classifiers"):  # what evaluation and teaching leave there
        (run / folder).mkdir()
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(
        KinemeError, match=r"run: already holds a run; set `resume` to continue it, `overwrite` to replace"
    ):
        train(settings(train_seed=1), run)
    assert (run / "model.safetensors").read_bytes() == before
    train(settings(train_seed=1), run, overwrite=True)
    assert (run / "model.safetensors").read_bytes() != before
    assert {path.name for path in run.iterdir()} == FILES  # results of the former run are gone


@pytest.mark.parametrize(
    "name",
    [
        "results/mine.json",
        "results/linear-mine.json",
        "results/linear-mine.npz",
        "results/detect-mine.safetensors",
        "results/figure.npz",
        "classifiers/mine.safetensors",
        "features/mine.npy",
        "logs/notes.txt",
    ],
)
def test_what_one_keeps_in_a_run_is_not_removed_with_it(
    tmp_path: Path, settings: Settings, name: str
) -> None:
    run = tmp_path / "run"
    train(settings(train_epochs=1), run)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("years of work")
    before = contents(run)
    with pytest.raises(KinemeError, match=f"run: holds {name}, which is not part of a run"):
        train(settings(), run, overwrite=True)
    assert contents(run) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_overwritten(tmp_path: Path, settings: Settings, overwrite: bool) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("years of work")
    for name, reason in (("thesis", "holds chapter.tex, which is not part of a run"), ("file", "is a file")):
        with pytest.raises(KinemeError, match=f"{name}: {reason}"):
            train(settings(), tmp_path / name, overwrite=overwrite)
    assert (
        (tmp_path / "thesis" / "chapter.tex").read_text()
        == (tmp_path / "file").read_text()
        == "years of work"
    )


FOREIGN = {
    "title": "title: years of work\n",
    "our sections": "data: {}\ntrain: {}\nmethod: {name: a}\nencoder: {name: b}\n",
}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("text", FOREIGN.values(), ids=list(FOREIGN))
def test_a_folder_with_another_program_s_settings_is_never_overwritten(
    tmp_path: Path, settings: Settings, text: str, overwrite: bool
) -> None:
    site = tmp_path / "site"
    (site / "results").mkdir(parents=True)
    (site / "config.yaml").write_text(text)
    (site / "results" / "linear.json").write_text("years of work")
    before = contents(site)
    with pytest.raises(KinemeError, match="site: is not a run directory; choose another place"):
        train(settings(), site, overwrite=overwrite)
    assert contents(site) == before


@pytest.mark.parametrize("name", ["notes.txt", "results/notes.txt", "features/mine/1.npy", "notes/a"])
def test_a_run_with_somebody_s_notes_is_not_overwritten(
    tmp_path: Path, settings: Settings, name: str
) -> None:
    run = tmp_path / "run"
    train(settings(train_epochs=1), run)
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text("years of work")
    before = contents(run)
    with pytest.raises(KinemeError, match=r"run: holds \S+, which is not part of a run; move it"):
        train(settings(train_epochs=1), run, overwrite=True)
    assert contents(run) == before


@pytest.mark.parametrize("aside", [".run.old/config.yaml", ".run.old/notes.txt"])
def test_what_others_keep_where_a_run_is_put_aside_is_kept(
    tmp_path: Path, settings: Settings, aside: str
) -> None:
    (tmp_path / aside).parent.mkdir()
    (tmp_path / aside).write_text("years of work")
    train(settings(train_epochs=1), tmp_path / "run")
    assert (tmp_path / aside).read_text() == "years of work"


def test_notes_taken_while_a_run_is_replaced_survive(tmp_path: Path, settings: Settings) -> None:
    run = tmp_path / "run"
    train(settings(train_epochs=1), run)

    def noted() -> None:
        (tmp_path / ".run.old" / "notes.txt").write_text("seen at the last moment")

    with pytest.MonkeyPatch.context() as patch:
        before_loss(patch, 1, noted)
        train(settings(train_epochs=1, train_seed=1), run, overwrite=True)
    assert [path.name for path in (tmp_path / ".run.old").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "changes",
    [
        {"data_store": "/nowhere"},
        {"train_batch_size": 25},
        {"method_queue": 12},  # found out in the first step
        {"train_lr": 1e15},  # and this in the second
    ],
)
def test_settings_that_are_refused_leave_the_old_run_as_it_was(
    tmp_path: Path, settings: Settings, changes: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    train(settings(), run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(KinemeError):
        train(settings(**changes), run, overwrite=True)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert list(tmp_path.iterdir()) == [run]


def test_a_run_that_a_killed_overwriting_put_aside_comes_back_and_is_still_protected(
    tmp_path: Path, settings: Settings
) -> None:
    run = tmp_path / "run"
    train(settings(train_epochs=1), run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    run.rename(tmp_path / ".run.old")  # as a process leaves it that is killed before its first checkpoint
    run.mkdir()
    (run / "config.yaml").write_bytes(before["config.yaml"])
    with pytest.raises(KinemeError, match="run: already holds a run"):
        train(settings(train_epochs=1, train_seed=1), run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert list(tmp_path.iterdir()) == [run]


def test_two_trainings_do_not_share_a_directory(tmp_path: Path, settings: Settings) -> None:
    run = tmp_path / "run"

    def second() -> None:
        with pytest.raises(
            KinemeError, match=r"run: this run is being written by another process \(pid \d+\)"
        ):
            train(settings(train_seed=1), run, overwrite=True)

    train_until(2, settings(), run, second)
    train(settings(), tmp_path / "alone")
    assert_same_end(run, tmp_path / "alone")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "alone"}  # no lock is left


def test_accumulated_batches_make_one_step(tmp_path: Path, settings: Settings) -> None:
    train(settings(train_accumulate=2, train_batch_size=4, train_knn_every=0), tmp_path / "run")
    rows = history(tmp_path / "run")
    assert [row["step"] for row in rows] == ["3", "6"]  # six batches of 4 each
    terms = [float(rows[0][term]) for term in ("infonce", "d3m_extreme", "d3m_dropped")]
    assert float(rows[0]["loss"]) == pytest.approx(terms[0] + (terms[1] + terms[2]) / 2, rel=1e-5)
    state = torch.load(tmp_path / "run" / "state.ckpt", weights_only=True)["state_dict"]
    assert state["method.queue.next_row"] == 2 * 6 * 4 % 16  # the keys of every batch


def test_all_batches_of_a_step_have_its_progress_and_its_rate(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 6 batches of 4, two make a step."""
    called: list[tuple[str, float]] = []

    def noting(name: str) -> Callable[..., Any]:
        original = getattr(AimCLR, name)

        def noted(self: AimCLR, *arguments: Any) -> Any:
            called.append((name, round(6 * arguments[-1], 6)))
            return original(self, *arguments)

        return noted

    for name in ("before_step", "loss", "after_step"):
        monkeypatch.setattr(AimCLR, name, noting(name))
    few = {"train_accumulate": 2, "train_batch_size": 4, "train_knn_every": 0}
    train(settings(**few, train_epochs=1, train_warmup=1.0), tmp_path / "run")
    assert called == [
        (name, step)
        for step in (0.0, 2.0, 4.0)
        for name in ("before_step", "loss", "loss", "after_step", "after_step")
    ]
    assert float(history(tmp_path / "run")[0]["lr"]) == pytest.approx(0.05 * 5 / 6)  # of the fifth batch


def test_progress_dropout_and_the_penalty_go_on_from_epoch_to_epoch(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 2 epochs of 3 batches, each draws its own dropout; vectors stay free of the penalty."""
    progress, seeds, penalties = [], [], []
    seeded, hook = torch.manual_seed, AimCLR.before_step

    def noted(self: AimCLR, now: float) -> None:
        progress.append(round(6 * now, 6))
        return hook(self, now)

    class Penalties(L.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            monkeypatch.setattr(torch, "manual_seed", lambda seed: [seeds.append(seed), seeded(seed)][1])

        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            monkeypatch.setattr(torch, "manual_seed", seeded)
            penalties.append([group["weight_decay"] for group in trainer.optimizers[0].param_groups])

    monkeypatch.setattr(AimCLR, "before_step", noted)
    changes = {"train_weight_decay": 0.1, "train_final_weight_decay": 0.3, "train_decay_vectors": False}
    train(settings(train_knn_every=0, **changes), tmp_path / "run", callbacks=[Penalties()])
    assert progress == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert seeds == [step_seed(0, batch, 0) for batch in range(6)]
    expected = [weight_decay(settings(**changes).train, batch / 6) for batch in range(6)]
    assert [sorted(each) for each in penalties] == [[0.0, pytest.approx(decay)] for decay in expected]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimiser_clips_in_mixed_precision(tmp_path: Path, settings: Settings, optimizer: str) -> None:
    train(
        settings(
            train_optimizer=optimizer, train_precision="bfloat16", train_clip_gradients=1.0, train_epochs=1
        ),
        tmp_path / "run",
    )
    assert len(history(tmp_path / "run")) == 1


def test_gradients_are_clipped_to_a_norm(tmp_path: Path, settings: Settings) -> None:
    """With SGD without momentum a step is the rate times the clipped gradient, 1e-3 long at most."""
    still = {"train_epochs": 1, "train_momentum": 0.0, "train_weight_decay": 0.0, "train_lr": 1.0}
    whole = settings(**still, train_batch_size=24, method_queue=24, train_clip_gradients=1e-3)
    train(whole, tmp_path / "run")
    trained = torch.load(tmp_path / "run" / "state.ckpt", weights_only=True)["state_dict"]
    found = load_run(tmp_path / "run")
    torch.manual_seed(0)
    before = build_method(whole.method, build_encoder(whole.encoder, found.shape)).state_dict()
    learning = [name for name in before if name.startswith(("encoder.", "head.")) and "running" not in name]
    moved = torch.cat(
        [(trained[f"method.{n}"] - before[n]).flatten().float() for n in learning if "num_batches" not in n]
    )
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_loggers_are_lightning_s_own(tmp_path: Path, settings: Settings) -> None:
    train(settings(train_loggers=["csv"]), tmp_path / "run")
    logged = list(csv.DictReader((tmp_path / "run" / "logs" / "csv" / "metrics.csv").open()))
    told = history(tmp_path / "run")
    assert [row["step"] for row in logged] == [row["step"] for row in told] == ["3", "6"]
    assert [float(row["loss"]) for row in logged] == pytest.approx([float(row["loss"]) for row in told])


def test_loggers_are_told_all_settings(tmp_path: Path, settings: Settings) -> None:
    config = settings(train_epochs=1)
    told: list[Any] = []

    class Told(DummyLogger):
        def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
            told.append(params)

    train(config, tmp_path / "run", loggers=[Told()])
    assert told == [config.to_dict()]


def test_a_callback_may_stop_by_what_the_history_has(tmp_path: Path, settings: Settings) -> None:
    stop = EarlyStopping("loss", stopping_threshold=1e6, check_on_train_epoch_end=True)
    train(settings(train_epochs=3), tmp_path / "run", callbacks=[stop])
    (row,) = history(tmp_path / "run")
    assert float(row["loss"]) < 1e6
    assert load_run(tmp_path / "run").epochs == 1


@pytest.mark.skipif(find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_a_logger_that_is_not_installed_is_named(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(KinemeError, match=r"train\.loggers: .*tensorboard"):
        train(settings(train_loggers=["tensorboard"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_callback_may_save_checkpoints_of_its_own(tmp_path: Path, settings: Settings) -> None:
    best = ModelCheckpoint(tmp_path / "best", monitor="loss", save_weights_only=True)
    train(settings(train_epochs=2), tmp_path / "run", callbacks=[best])
    losses = [float(row["loss"]) for row in history(tmp_path / "run")]
    assert best.best_model_score == pytest.approx(min(losses))
    assert len([*(tmp_path / "best").iterdir()]) == 1
    assert load_run(tmp_path / "run").epochs == 2


def test_callbacks_are_lightning_s(tmp_path: Path, settings: Settings) -> None:
    class Counting(L.Callback):
        epochs = 0

        def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
            self.epochs += 1

    counting = Counting()
    train(settings(train_epochs=3), tmp_path / "run", callbacks=[counting])
    assert counting.epochs == 3


def test_an_empty_directory_is_used(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "run").mkdir()
    train(settings(train_epochs=1), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_store": None}, "no clips to train on; set data.store"),
        ({"data_store": "/nowhere/at/all"}, "/nowhere/at/all: no such clip store"),
        ({"data_split": "xsab"}, "xsab"),
        ({"train_batch_size": 25}, "24 training clips do not fill one batch of 25"),
        (
            {"train_accumulate": 25},
            "24 training clips do not fill one batch of 200; lower train.batch_size or train.accumulate",
        ),
        ({"method_queue": 12}, "queue of 12 entries is not a multiple of the batch of 8 clips"),
        ({"data_preprocessing": "agcn"}, "was prepared by plain, but data.preprocessing is agcn"),
        ({"train_recompute": True}, "train.recompute: stgcn has no attention layers; leave it out"),
    ],
)
def test_settings_that_do_not_fit_the_clips_are_refused(
    tmp_path: Path, settings: Settings, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(KinemeError, match=message) as caught:
        train(settings(**changes), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def transformer(settings: Settings, **changes: Any) -> Config:
    """Settings of a small run of USDRL."""
    config = settings(**changes)
    return replace(config, method={"name": "usdrl"}, encoder={"name": "sttr", "hidden": 8})


def test_activations_computed_again_train_the_same_weights(tmp_path: Path, settings: Settings) -> None:
    train(transformer(settings), tmp_path / "kept")
    train(transformer(settings, train_recompute=True), tmp_path / "again")
    ours, theirs = (load_file(tmp_path / run / "model.safetensors") for run in ("kept", "again"))
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor)


@pytest.mark.slow
def test_a_compiled_encoder_trains_the_same_weights(tmp_path: Path, settings: Settings) -> None:
    one = {"train_epochs": 1, "train_precision": "float32", "train_knn_every": 0}
    train(transformer(settings, **one), tmp_path / "eager")
    train(transformer(settings, train_compile="default", **one), tmp_path / "compiled")
    ours, theirs = (load_file(tmp_path / run / "model.safetensors") for run in ("eager", "compiled"))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-3, atol=1e-4)


def test_an_encoder_that_cannot_be_compiled_is_told_in_one_line(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_a_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found\nin a list of places")

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", without_a_compiler)
    with pytest.raises(
        KinemeError, match=r"^train\.compile: .*No working C\+\+ compiler found\); set it to off$"
    ):
        train(transformer(settings, train_compile="default"), tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()
    slim = replace(
        transformer(settings, train_compile="default"),
        method={"name": "slim"},
        encoder={"name": "slim", "hidden": 8, "heads": 2, "depth": 1},
    )
    with pytest.raises(KinemeError, match=r"train\.compile"):  # it calls `tokens` alone
        train(slim, tmp_path / "slim")


def test_bfloat16_needs_a_gpu_that_does_not_emulate_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert resolve_device(TrainConfig()) == ("cuda", "32-true")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert resolve_device(TrainConfig()) == ("cuda", "bf16-mixed")
    assert resolve_device(TrainConfig(precision="float32")) == ("cuda", "32-true")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, settings: Settings
) -> None:
    with pytest.raises(KinemeError, match="no GPU"):
        train(settings(train_device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_only_a_run_with_a_checkpoint_is_resumed(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(
        KinemeError,
        match=r"config\.yaml: cannot be read \(No such file or directory\); is .*run a run directory",
    ):
        load_run_config(tmp_path / "run")
    with pytest.raises(KinemeError, match="nothing to resume"):
        train(settings(), tmp_path / "run", resume=True)
    train(settings(), tmp_path / "run")
    (tmp_path / "run" / "state.ckpt").write_bytes(b"damage")
    with pytest.raises(KinemeError, match=r"state\.ckpt: cannot be read"):
        train(settings(), tmp_path / "run", resume=True)


def test_a_state_of_which_a_bit_has_changed_is_not_resumed(tmp_path: Path, settings: Settings) -> None:
    train(settings(), tmp_path / "run")
    state = tmp_path / "run" / "state.ckpt"
    data = bytearray(state.read_bytes())
    with zipfile.ZipFile(state) as archive:
        weights = archive.read(max(archive.infolist(), key=lambda member: member.file_size))
    data[data.index(weights) + len(weights) // 2] ^= 1
    state.write_bytes(data)
    with pytest.raises(KinemeError, match=r"state\.ckpt: cannot be read, so the run cannot be resumed"):
        train(settings(), tmp_path / "run", resume=True)


def test_a_state_of_another_model_or_program_is_not_resumed(tmp_path: Path, settings: Settings) -> None:
    config, run = settings(), tmp_path / "run"
    train(config, run)
    wider = settings(encoder_channels=[8, 12])
    with pytest.raises(KinemeError, match=r"state\.ckpt: is of another model than config\.yaml describes"):
        train(wider, run, resume=True)
    torch.save({"state_dict": {}}, run / "state.ckpt")
    with pytest.raises(KinemeError, match=r"state\.ckpt: cannot be read, so the run cannot be resumed"):
        train(config, run, resume=True)


OLD = Path(__file__).parents[1] / "golden" / "format1" / "runs"


@pytest.mark.parametrize("name", ["aimclr", "usdrl", "dste", "scdnet"])
def test_a_run_of_version_0_1_resumes_and_ends_with_the_weights_it_would_have_had(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])  # its settings name the store from there
    run = tmp_path / name
    shutil.copytree(OLD / name, run)
    train(load_run_config(run), run, resume=True)
    assert [row["epoch"] for row in history(run)] == ["1", "2"]
    ended, expected = (load_run(path).encoder.state_dict() for path in (run, run / "whole.safetensors"))
    for key, tensor in expected.items():
        torch.testing.assert_close(ended[key], tensor, rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.parametrize(("before", "left"), [("state.ckpt", set()), ("model.safetensors", {"state.ckpt"})])
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_kill_between_state_and_weights_of_the_first_checkpoint_loses_nothing(
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    left: set[str],
    epochs: int,
) -> None:
    config, run = settings(train_epochs=epochs), tmp_path / "run"

    class Killed(BaseException):
        pass

    def replace(self: Path, target: Path) -> Path:
        if target.name == before:
            raise Killed
        return move(self, target)

    move = Path.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            train(config, run)
    assert {"state.ckpt", "model.safetensors"} & {path.name for path in run.iterdir()} == left
    train(config, run, resume=bool(left))
    train(config, tmp_path / "whole")
    assert_same_end(run, tmp_path / "whole")
    assert {path.name for path in run.iterdir()} == FILES


@pytest.mark.parametrize("what", ["clips", "joints"])
def test_a_run_goes_on_with_the_clips_and_joints_it_began_with_only(
    tmp_path: Path, settings: Settings, what: str
) -> None:
    store, run = write_store(tmp_path / "moves"), tmp_path / "run"
    config = settings(data_store=str(store), train_epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train_until(4, config, run)
    manifest = json.loads((store / "manifest.json").read_text())
    if what == "clips":
        manifest["fingerprint"] = "0" * 64
    else:
        manifest["layout"]["joints"] = ["hip", "head", "hand"]
    (store / "manifest.json").write_text(json.dumps(manifest))
    before = contents(run)
    with pytest.raises(KinemeError, match=f"run: began with other {what} than the store has now"):
        train(load_run_config(run), run, resume=True)
    assert contents(run) == before


def test_a_run_that_goes_on_with_other_threads_says_so(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config, run = settings(train_epochs=2), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_until(4, config, run)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 64)
        train(config, run, resume=True)
    assert f"the run began with threads {torch.get_num_threads()} (now 64); it continues" in caplog.text


def test_a_run_finds_its_store_from_everywhere(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path / "stores" / "mine")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_until(4, settings(data_store="stores/mine"), Path("runs/mine"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = Path("../runs/mine")
    train(load_run_config(run), run, resume=True)
    assert Path(load_run(run).config["data"]["store"]).resolve() == tmp_path / "stores" / "mine"


def test_a_run_finds_its_store_behind_an_address(
    tmp_path: Path, settings: Settings, moves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run, address = tmp_path / "run", f"file://{moves}"
    train(settings(data_store=address, data_split="odd-even"), run)
    assert load_run_config(run).data.store == address
    train(load_run_config(run), run, resume=True)
    task = open_task(run)
    assert (task.split, task.seen_clips, task.qualifiers) == ("odd-even", 0, ())


def test_a_run_is_written_where_a_link_leads(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "run")
    for seed in (0, 1):
        train(settings(train_epochs=1, train_seed=seed), tmp_path / "link", overwrite=True)
        assert load_run(tmp_path / "disk" / "run").config["train"]["seed"] == seed
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["run"]


def test_a_training_state_is_read_as_data_wherever_it_is_read(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only where it is checked: what the check lets pass is not what a stranger may put there later."""
    train(settings(train_epochs=1), tmp_path / "run")
    original, safely = torch.load, []

    def load(*arguments: Any, **options: Any) -> Any:
        safely.append(options.get("weights_only"))
        return original(*arguments, **options)

    monkeypatch.setattr(torch, "load", load)
    train(settings(train_epochs=1), tmp_path / "run", resume=True)
    assert safely == [True, True]  # checked, then loaded by Lightning
