"""Runs of a grid that are trained in no time: their encoders are as they were drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from conftest import STICK
from kineme.checkpoints import build_encoder, save_encoder
from kineme.clips.store import ClipStore
from kineme.config import Config
from kineme.encoders import ClipShape
from kineme.evaluation import recognition
from kineme.evaluation.results import save
from kineme.evaluation.task import open_task
from kineme.preprocessing import get_preprocessing
from kineme.reproduce.plan import Plan
from kineme.runs import WEIGHTS
from kineme.training.directory import write_config
from kineme.training.history import HISTORY, write_history

RECIPE = """\
data: {split: odd-even, frames: 8}
train: {epochs: 2, batch_size: 8, device: cpu}
method: {name: usdrl}
encoder: {name: sttr, hidden: 8, depth: 1}
evaluate: {linear: {lr: 0.1, epochs: 5}, finetune: {lr: 0.001, epochs: 2}, fusion: {bone: 2.0}}
"""
MakePlan = Callable[..., Plan]
GRID = """\
stores: {moves: kineme generate stores/moves, other: kineme generate stores/other}
runs: [{recipes: mine.yaml, stores: moves, protocols: [knn, linear]}]
"""


def fake_training(config: Config, run: Path, epochs: int | None = None, **options: Any) -> None:
    """Stands for `training.run.train`: a run that looks trained after three seconds."""
    seed = config.train.seed + ("joint", "bone", "motion").index(config.data.stream)
    bodies = ClipStore(str(config.data.store)).bodies
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = build_encoder(config.encoder, ClipShape(STICK, 8, bodies, config.data.stream))
    preprocessing, epochs = get_preprocessing("plain"), epochs or config.train.epochs
    save_encoder(run / WEIGHTS, encoder, preprocessing, config.to_dict(), epochs)
    write_config(run, config)
    write_history(
        run / HISTORY, [{"epoch": epoch + 1, "seconds": 1.5 * (epoch + 1)} for epoch in range(epochs)]
    )


def measure_by_hand(run: Path, seed: int = 0, **options: float) -> None:
    """As `kineme evaluate linear` does."""
    task = open_task(run)
    result, predictions = recognition.linear(task, seed=seed, baselines=False, **options)
    save(result, task.result_path("linear", seed=seed), beside={".npz": predictions})
