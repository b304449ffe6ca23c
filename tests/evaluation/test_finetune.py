"""Fine-tuning, on all labels and on few: settings, draws, what is learned, and that seeds decide all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kineme.__main__ import main
from kineme.checkpoints import build_encoder, save_encoder
from kineme.clips.batches import Clips, resident
from kineme.clips.store import ClipStore
from kineme.clips.subsets import label_subset
from kineme.config import FinetuneConfig, TrainConfig
from kineme.encoders import ClipShape
from kineme.errors import KinemeError
from kineme.evaluation import classifier
from kineme.evaluation.classifier import classify
from kineme.evaluation.finetune import finetune, semi, settings_for, training
from kineme.evaluation.linear import Epoch
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import PRETRAINED, SCRATCH, Predictions, Result
from kineme.evaluation.task import Task, open_task
from kineme.layouts import get_layout
from kineme.loading import load_run
from kineme.metrics.accuracy import top_k
from kineme.packaged import find_recipe, recipes
from kineme.preprocessing import get_preprocessing
from kineme.settings import load_config
from kineme.training.supervised import weak_view

ENCODERS = {
    "aimclr": {"name": "stgcn", "channels": [8, 16], "strided": [1], "dropout": 0.0},
    "scdnet": {"name": "disentangled", "hidden": 16, "heads": 2, "stem": [8, 8, 8]},
    "usdrl": {"name": "sttr", "hidden": 16, "depth": 1},
    "mamp": {"name": "mamp", "hidden": 16, "heads": 2, "depth": 1},
    "slim": {"name": "slim", "hidden": 16, "heads": 2, "depth": 1, "patch": 4},
}
CPU = TaskOptions(device="cpu")
QUICK = {"epochs": 12, "lr": 5e-3, "batch_size": 6}


def write_run(
    path: Path, moves: Path, method: str, *, bodies: int = 2, finetune: Mapping[str, object] | None = None
) -> Path:
    """A run whose encoder is as it was drawn; settings of `finetune` besides those of the small recipe."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = build_encoder(ENCODERS[method], ClipShape(ClipStore(moves).layout, 8, bodies))
    sizes = {"queue": 8, "projection": 4} if method in ("aimclr", "scdnet") else {}
    evaluate = asdict(load_config(find_recipe(f"{method}-small")).evaluate)
    config = {
        "data": {"store": str(moves), "split": "odd-even", "stream": "joint", "frames": 8},
        "train": {"seed": 0},
        "method": {"name": method, **sizes},
        "encoder": ENCODERS[method],
        "evaluate": {**evaluate, "finetune": {**evaluate["finetune"], **(finetune or {})}},
    }
    save_encoder(path / "model.safetensors", encoder, get_preprocessing("plain"), config)
    return path


@pytest.fixture
def run(tmp_path: Path, moves: Path) -> Path:
    return write_run(tmp_path / "run", moves, "usdrl")


@pytest.fixture
def task(run: Path) -> Task:
    return open_task(run, CPU)


# Settings

RUN = Path("runs/x")
AIMCLR = load_config(find_recipe("aimclr-ntu60-xsub")).evaluate.finetune


PUBLISHED = [name for name in recipes() if name.endswith(("sub", "view", "set"))]


@pytest.mark.parametrize("recipe", [name for name in PUBLISHED if name.startswith("mamp")])
def test_mamp_is_fine_tuned_as_published(recipe: str) -> None:
    found = load_config(find_recipe(recipe)).evaluate.finetune
    published = FinetuneConfig(
        lr=3e-4, final_lr=1e-5, schedule="warmup-cosine", warmup=5, epochs=100, milestones=(), batch_size=48,
        optimizer="adamw", weight_decay=0.05, decay_vectors=False, layer_decay=0.8, label_smoothing=0.1,
        head="joints", dropout=0.3, drop_path=0.3, min_crop=0.5, min_frames=64, rotation=0.3, draw="all",
    )  # fmt: skip
    assert found == published
    few = settings_for(found, 200, RUN, epochs=50)
    assert (few.batch_size, few.optimizer, few.lr) == (25, "adamw", 3e-4)  # eight batches, its own optimiser
    assert few.warmup == 2.5


@pytest.mark.parametrize("recipe", [name for name in PUBLISHED if name.startswith("slim")])
def test_slim_spares_the_encoder_as_published(recipe: str) -> None:
    found = load_config(find_recipe(recipe)).evaluate.finetune
    published = FinetuneConfig(
        lr=1e-3, encoder_lr=1e-5, batch_size=256, epochs=100, schedule="cosine", milestones=(),
        weight_decay=1e-4, min_crop=0.5, min_frames=16, rotation=0.3,
        mirror=True, bone_scale=0.15, turn=3.1416, noise=0.01,
    )  # fmt: skip
    assert found == published
    few = settings_for(found, 400, RUN)
    assert (few.batch_size, few.optimizer, few.lr) == (50, "sgd", 1e-3)  # eight batches, its own optimiser


@pytest.mark.parametrize("recipe", [name for name in PUBLISHED if not name.startswith(("mamp", "slim"))])
def test_the_settings_of_every_published_recipe(recipe: str) -> None:
    """Of its pre-training (optimiser, rate, batch, decay) and its linear evaluation (epochs, milestones)."""
    config = load_config(find_recipe(recipe))
    train, linear, found = config.train, config.evaluate.linear, config.evaluate.finetune
    assert (found.optimizer, found.weight_decay) == (train.optimizer, train.weight_decay)
    assert (found.lr, found.batch_size) == (train.lr, train.batch_size)
    assert (found.epochs, found.milestones) == (linear.epochs, linear.milestones)
    views = {name: value for name, value in config.method.items() if name in ("min_crop", "shear")}
    assert found.pad_crop == recipe.startswith("aimclr")
    assert found.min_crop == views.get("min_crop", 1.0)
    assert found.shear == (views["shear"] if found.pad_crop else 0.0)


@pytest.mark.parametrize(("clips", "batch"), [(1024, 128), (1023, 127), (431, 53), (128, 16), (27, 16)])
def test_few_clips_get_eight_batches_an_epoch_and_adam(clips: int, batch: int) -> None:
    found = settings_for(AIMCLR, clips, RUN)
    assert found.batch_size == batch
    assert (found.optimizer, found.lr) == (("sgd", 0.1) if clips >= 1024 else ("adam", 5e-4))
    assert found.epochs == 100


def test_what_is_asked_for_is_taken_and_milestones_move_along() -> None:
    config = FinetuneConfig(lr=0.01, batch_size=64, epochs=80, milestones=(50, 70))
    found = settings_for(config, 40_000, RUN, epochs=40, lr=0.5, batch_size=7)
    assert (found.epochs, found.milestones, found.lr, found.batch_size) == (40, (25, 35), 0.5, 7)
    assert settings_for(config, 12, RUN, lr=0.5).lr == 0.5  # few clips or not
    with pytest.raises(KinemeError, match=r"`batch_size`: is 0; it must be above 0"):
        settings_for(config, 400, RUN, batch_size=0)


def test_a_rate_that_nobody_sets_is_refused() -> None:
    with pytest.raises(KinemeError) as refused:
        settings_for(FinetuneConfig(), 40_000, RUN)
    assert str(refused.value) == "runs/x: the recipe sets no evaluate.finetune.lr; set it there, or pass `lr`"
    assert settings_for(FinetuneConfig(), 40_000, RUN, lr=0.2).lr == 0.2


# Training


def few(task: Task, **overrides: Any) -> TrainConfig:
    """The settings for the task's twelve clips."""
    return training(settings_for(task.model.protocols.finetune, 12, task.run, **overrides), seed=0)


@pytest.mark.parametrize("method", ["aimclr", "mamp", "scdnet", "usdrl"])
def test_what_can_be_told_apart_is_learned(tmp_path: Path, moves: Path, method: str) -> None:
    task = open_task(write_run(tmp_path / "run", moves, method), CPU)
    (last,) = classify(task, task.model, task.train_rows, few(task, epochs=40, lr=5e-3))
    assert (last.epoch, last.top1) == (40, 100.0)
    assert top_k(last.scores, task.test_labels) == 100.0


def test_the_pre_trained_encoder_itself_stays_as_it_is(task: Task, run: Path) -> None:
    classify(task, task.model, task.train_rows, few(task, **QUICK))
    state, before = task.model.encoder.state_dict(), load_run(run).encoder.state_dict()
    assert all(torch.equal(state[name], before[name]) for name in before)
    assert not task.model.encoder.training


def test_the_seed_decides_all_and_nothing_else_does(task: Task) -> None:
    settings = few(task, **QUICK)
    torch.manual_seed(123)
    state = torch.get_rng_state()
    first = classify(task, task.model, task.train_rows, settings)[-1].scores
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers are left alone
    torch.manual_seed(7)
    again = classify(task, task.model, task.train_rows, settings)[-1].scores
    other = classify(task, task.model, task.train_rows, replace(settings, seed=1))[-1].scores
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_on_a_cpu_no_gpu_is_touched(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(device: object = None) -> Any:
        raise AssertionError("a GPU was asked for its generator")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", touched)
    classify(task, task.model, task.train_rows, TrainConfig(epochs=1, batch_size=6, lr=0.01))


def test_a_seed_below_zero_is_refused(task: Task) -> None:
    with pytest.raises(KinemeError, match="`seed`: is -1; it must be at least 0"):
        finetune(task, seed=-1)


def test_looking_at_the_test_clips_changes_nothing(task: Task) -> None:
    settings = few(task, **QUICK)
    often = classify(task, task.model, task.train_rows, settings, every=5)
    assert [epoch.epoch for epoch in often] == [5, 10, 12]
    (last,) = classify(task, task.model, task.train_rows, settings)
    np.testing.assert_array_equal(often[-1].scores, last.scores)


def test_bodies_that_the_store_lacks_are_empty(tmp_path: Path, moves: Path) -> None:
    task = open_task(write_run(tmp_path / "run", moves, "usdrl", bodies=3), CPU)
    shown: list[torch.Tensor] = []
    task.model.encoder.register_forward_pre_hook(lambda _, clips: shown.append(clips[0]))
    classify(task, task.model, task.train_rows, few(task, epochs=1))
    assert all(clips[..., 0].any() and not clips[..., 2].any() for clips in shown)
    assert len(shown) >= 2  # in training and for the test clips


# Protocols


def test_progress_is_told_in_clips_over_all_epochs(task: Task) -> None:
    told: list[tuple[int, int]] = []
    finetune(task, **QUICK, from_scratch=True, progress=lambda *done: told.append(done))
    assert told == [(6 * step, 2 * 12 * 12) for step in range(1, 49)]  # two networks, 12 epochs, 12 clips


def test_fine_tuning_stands_beside_training_from_scratch(task: Task) -> None:
    result, predictions = finetune(task, **QUICK, from_scratch=True)
    assert list(result.scores) == list(result.baselines[SCRATCH]) == ["last", "best"]
    assert result.scores["last"].epoch == 12
    assert result.scores["best"].value >= result.scores["last"].value
    assert list(predictions.scores) == ["last"]
    assert top_k(predictions.scores["last"], predictions.labels) == result.scores["last"].value
    assert (result.settings["epochs"], result.settings["lr"], result.settings["batch_size"]) == (12, 5e-3, 6)


def fake_classify(calls: list[tuple[Any, ...]], right: dict[tuple[int, int], int]) -> Any:
    """Stands for training: notes its arguments, and gets `right[clips, seed]` of the 12 test clips right."""

    def classify(task: Task, pretrained: Any, rows: Any, settings: Any, **_: Any) -> list[Epoch]:
        calls.append((pretrained.weights, rows.tolist(), settings.seed))
        guesses = task.test_labels.copy()
        guesses[right[len(rows), settings.seed] :] += 1
        scores = np.eye(3)[guesses % 3]
        return [Epoch(settings.epochs, top_k(scores, task.test_labels), scores)]

    return classify


def test_few_labels_are_drawn_class_by_class_and_seed_by_seed(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []
    right = {(3, 5): 3, (3, 6): 6, (6, 5): 9, (6, 6): 12}
    monkeypatch.setattr("kineme.evaluation.classifier.classify", fake_classify(calls, right))
    result = semi(task, fractions=(0.1, 0.5), seeds=2, seed=5, from_scratch=True)
    rows, labels = task.train_rows, task.train_labels
    drawn = [label_subset(rows, labels, f, s).tolist() for f in (0.1, 0.5) for s in (5, 6)]
    assert [rows for _, rows, _ in calls] == drawn * 2
    assert [seed for *_, seed in calls] == [5, 6, 5, 6] * 2
    beginnings = [weights for weights, *_ in calls]
    assert set(beginnings[4:]) == {task.model.weights}
    assert beginnings[0] == beginnings[2] != beginnings[1] == beginnings[3]  # a fresh encoder a seed
    assert list(result.scores) == ["10 %", "50 %"]
    few = result.scores["10 %"]
    assert few.values == (25.0, 50.0)
    assert few.value == pytest.approx(37.5)
    assert few.deviation == pytest.approx(25 / np.sqrt(2))
    assert result.scores["50 %"].value == pytest.approx(87.5)
    assert result.baselines[SCRATCH] == result.scores
    assert result.detailed == "50 %"
    assert np.sum(result.confusion_matrix) == 24  # of both seeds
    assert np.trace(result.confusion_matrix) == 9 + 12
    assert result.settings["training"]["10 %"]["clips"] == 3


def test_one_seed_has_no_deviation(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kineme.evaluation.classifier.classify", fake_classify([], {(3, 0): 3}))
    score = semi(task, fractions=(0.01,), seeds=1).scores["1 %"]
    assert (score.value, score.values, score.deviation) == (25.0, (25.0,), None)
    with pytest.raises(KinemeError, match="set `seeds` to at least 1"):
        semi(task, seeds=0)


# Commands


def test_the_same_command_gives_the_same_files(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for _ in range(2):
        words = [str(run), "--from-scratch", "--epochs", "2", "--device", "cpu"]
        assert main(["evaluate", "finetune", *words]) == 0
        more = ["--fractions", "0.25", "1", "--seeds", "2", "--seed", "3"]
        assert main(["evaluate", "semi", *words, *more]) == 0
        found = [run / "results" / name for name in ("finetune.json", "semi-seed3.json")]
        data = [json.loads(path.read_text()) for path in found]
        for each in data:
            del each["time"], each["seconds"], each["commit"]
        files.append(data)
    assert files[0] == files[1]
    result = Result.from_json(run / "results" / "semi-seed3.json")
    assert list(result.scores) == ["25 %", "100 %"]
    assert len(result.scores["25 %"].values or ()) == 2
    assert list(result.baselines) == [SCRATCH]
    kept = Predictions.load(run / "results" / "finetune.npz")
    tuned = Result.from_json(run / "results" / "finetune.json")
    assert top_k(kept.scores["last"], kept.labels) == pytest.approx(tuned.scores["last"].value)
    shown = capsys.readouterr().out
    assert "Fine-tuned last" in shown
    assert PRETRAINED in shown
    assert "±" in shown


PATCHES = {
    "head": "joints", "dropout": 0.1, "drop_path": 0.1, "layer_decay": 0.5, "label_smoothing": 0.1,
    "optimizer": "adamw", "decay_vectors": False, "schedule": "warmup-cosine", "milestones": [],
}  # fmt: skip


def test_an_encoder_of_patches_learns_with_mamps_head(tmp_path: Path, moves: Path) -> None:
    task = open_task(write_run(tmp_path / "run", moves, "mamp", finetune=PATCHES), CPU)
    (last,) = classify(task, task.model, task.train_rows, few(task, epochs=40, lr=5e-3))
    assert last.top1 == 100.0
    assert all(block.drop_path == 0 for block in task.model.encoder.blocks)  # only the copy's are set


@pytest.mark.parametrize(
    "setting", [{"head": "joints"}, {"drop_path": 0.1}, {"layer_decay": 0.5}], ids=lambda each: str(*each)
)
def test_what_only_encoders_of_patches_have_is_refused_by_name(
    tmp_path: Path, moves: Path, setting: dict[str, object]
) -> None:
    task = open_task(write_run(tmp_path / "run", moves, "usdrl", finetune=setting), CPU)
    (name,) = setting
    with pytest.raises(KinemeError, match=rf"evaluate\.finetune\.{name}.* is for encoders of patches"):
        classify(task, task.model, task.train_rows, few(task, epochs=1))


def test_from_scratch_all_stages_learn_at_one_rate(
    tmp_path: Path, moves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = open_task(write_run(tmp_path / "run", moves, "mamp", finetune=PATCHES), CPU)
    shares: list[list[float]] = []
    monkeypatch.setattr(
        classifier, "fit", lambda module, _: shares.append([share for share, _ in module.shares()])
    )
    for fresh in (False, True):
        classify(task, task.model, task.train_rows, few(task, epochs=1), fresh=fresh)
    assert shares == [[0.25, 0.5, 1.0, 1.0], [1.0]]  # positions, the block, the norm, the head


@pytest.mark.parametrize("method", ["slim", "usdrl"])
def test_the_encoder_can_have_a_rate_of_its_own(
    tmp_path: Path, moves: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    task = open_task(write_run(tmp_path / "run", moves, method, finetune={"encoder_lr": 1e-4}), CPU)
    shares: list[list[float]] = []
    monkeypatch.setattr(
        classifier, "fit", lambda module, _: shares.append([share for share, _ in module.shares()])
    )
    for fresh in (False, True):
        classify(task, task.model, task.train_rows, few(task, epochs=1, lr=1e-2), fresh=fresh)
    assert shares == [[pytest.approx(0.01), 1.0], [1.0]]


def test_a_masked_encoder_learns_with_its_class_token_and_patches(tmp_path: Path, moves: Path) -> None:
    """The classes differ by the direction of a movement, so clips are neither turned nor mirrored."""
    still = {"turn": 0.0, "mirror": False}
    task = open_task(write_run(tmp_path / "run", moves, "slim", finetune=still), CPU)
    (last,) = classify(task, task.model, task.train_rows, few(task, epochs=60, lr=5e-3))
    assert last.top1 > 90.0


def test_few_labels_can_be_drawn_from_all_classes_at_once(
    tmp_path: Path, moves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = open_task(write_run(tmp_path / "run", moves, "usdrl", finetune={"draw": "all"}), CPU)
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr("kineme.evaluation.classifier.classify", fake_classify(calls, {(6, 0): 3}))
    semi(task, fractions=(0.5,), seeds=1, lr=0.1)
    ((_, drawn, _),) = calls
    assert drawn == label_subset(task.train_rows, task.train_labels, 0.5, 0, by_class=False).tolist()


# What the classifier is shown


def test_pad_crop_mirrors_a_sixth_of_the_frames_on_and_crops(moves: Path) -> None:
    """Of 8 frames there are three crops: one frame is mirrored on at each end."""
    store = ClipStore(moves)
    clips = resident(store)
    whole = clips.resize(8)
    padded = torch.cat([whole[:, :, :1], whole, whole[:, :, -1:]], dim=2)
    view = weak_view(ClipShape(store.layout, 8, 2), FinetuneConfig(pad_crop=True))
    views, _ = view(clips, torch.Generator().manual_seed(0))
    crops = torch.stack([padded[:, :, start : start + 8] for start in range(3)])
    fits = (crops - views).abs().amax(dim=(2, 3, 4, 5)) < 1e-6
    assert fits.any(dim=0).all()
    assert fits.sum(dim=1).min() > 0  # each of the three is drawn for some clip


def test_min_crop_takes_a_window_of_at_least_that_share(moves: Path) -> None:
    """A clip whose coordinates are its frame's number is a ramp; of half of it or more is left."""
    ramp = torch.arange(40.0)[:, None, None, None].expand(40, 2, 3, 3)
    clips = Clips(ramp, torch.zeros(64, dtype=torch.int64), torch.full((64,), 40))
    shape = ClipShape(ClipStore(moves).layout, 8, 2)
    view, _ = weak_view(shape, FinetuneConfig(min_crop=0.5))(clips, torch.Generator().manual_seed(0))
    assert view.shape == (64, 3, 8, 3, 2)
    frames = view[:, 0, :, 0, 0]
    step = frames.diff(dim=1)
    assert torch.allclose(step, step[:, :1].expand_as(step), atol=1e-4)  # resized linearly
    length = 8 * step[:, 0]
    assert 20 - 1e-3 <= length.min() < 22
    assert 38 < length.max() <= 40 + 1e-3


def test_a_rotation_turns_a_clip_by_one_matrix(moves: Path) -> None:
    store = ClipStore(moves)
    shape, clips = ClipShape(store.layout, 8, 2), resident(store)
    turned, _ = weak_view(shape, FinetuneConfig(rotation=0.3))(clips, torch.Generator().manual_seed(0))
    for before, after in zip(clips.resize(8).flatten(2), turned.flatten(2), strict=True):
        matrix = torch.linalg.lstsq(before.T, after.T).solution.T
        torch.testing.assert_close(matrix @ before, after, atol=1e-4, rtol=0)
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(3), atol=1e-4, rtol=0)
        assert 0 < torch.arccos((matrix.trace() - 1) / 2) < 0.3 * 3**0.5 + 0.05


def of_half(found: torch.Tensor, before: torch.Tensor) -> float:
    """The share of clips that a transform has left alone."""
    return (found - before).flatten(1).abs().amax(1).lt(1e-5).float().mean().item()


def test_half_of_the_clips_are_mirrored_scaled_turned_and_noisy() -> None:
    frames = torch.randn(1, 2, 25, 3, generator=torch.Generator().manual_seed(0)).repeat(9, 1, 1, 1)
    frames[:, 1] = 0  # a second body that is not there
    clips = Clips(frames, torch.zeros(400, dtype=torch.int64), torch.full((400,), 9))
    shape = ClipShape(get_layout("ntu25"), 8, 2)

    def view(**settings: object) -> torch.Tensor:
        return weak_view(shape, FinetuneConfig(**settings))(clips, torch.Generator().manual_seed(0))[0]  # type: ignore[arg-type]

    before = view()
    for settings in ({"mirror": True}, {"bone_scale": 0.15}, {"noise": 0.01}):
        found = view(**settings)
        assert of_half(found, before) == pytest.approx(0.5, abs=0.08), settings
        assert not found[..., 1].any(), settings
    turned = view(turn=3.1416)
    torch.testing.assert_close(turned[:, 1], before[:, 1])  # the vertical stays
    lengths = before.norm(dim=1)
    torch.testing.assert_close(turned.norm(dim=1), lengths)
    assert of_half(turned, before) == pytest.approx(0.5, abs=0.08)
    noisy = (view(noise=0.01) - before)[..., 0].std(dim=(1, 2, 3))
    assert noisy[noisy > 0].mean().item() == pytest.approx(0.01, rel=0.05)


def test_min_frames_is_the_shortest_window() -> None:
    frames = torch.arange(100.0)[:, None, None, None].expand(100, 1, 25, 3)
    clips = Clips(frames, torch.zeros(200, dtype=torch.int64), torch.full((200,), 100))
    shape = ClipShape(get_layout("ntu25"), 10, 1)
    settings = FinetuneConfig(min_crop=0.1, min_frames=64)
    view, _ = weak_view(shape, settings)(clips, torch.Generator().manual_seed(0))
    spans = 10 * view[:, 0, :, 0, 0].diff(dim=1)[:, 4]
    assert 64 - 1e-3 <= spans.min() < 64.1


def test_shear_mixes_the_coordinates_of_a_clip_by_one_matrix(moves: Path) -> None:
    store = ClipStore(moves)
    shape, clips = ClipShape(store.layout, 8, 2), resident(store)
    plain, _ = weak_view(shape, FinetuneConfig())(clips, torch.Generator().manual_seed(0))
    sheared, _ = weak_view(shape, FinetuneConfig(shear=0.5))(clips, torch.Generator().manual_seed(0))
    torch.testing.assert_close(plain, clips.resize(8))
    for before, after in zip(plain.flatten(2), sheared.flatten(2), strict=True):
        matrix = torch.linalg.lstsq(before.T, after.T).solution.T
        torch.testing.assert_close(matrix @ before, after, atol=1e-4, rtol=0)
        torch.testing.assert_close(matrix.diagonal(), torch.ones(3), atol=1e-4, rtol=0)
        assert (matrix - torch.eye(3)).abs().max() <= 0.5 + 1e-4


def test_weights_that_diverge_in_the_last_step_are_told(tmp_path: Path, moves: Path) -> None:
    """The loss of that step is still finite, and there is no other."""
    task = open_task(write_run(tmp_path / "run", moves, "usdrl"), CPU)
    with pytest.raises(KinemeError, match="epoch 1: scores of test clips are not finite; lower `lr`"):
        finetune(task, epochs=1, lr=1e30, batch_size=len(task.train_rows))
