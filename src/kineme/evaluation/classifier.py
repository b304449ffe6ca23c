"""An encoder and a linear layer on it, trained together with labels and scored on test clips."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import nn

from kineme.clips.batches import resident
from kineme.config import TrainConfig
from kineme.errors import check_between
from kineme.evaluation.linear import Epoch
from kineme.evaluation.task import Task
from kineme.metrics.accuracy import top_k
from kineme.model import Model, clip_input
from kineme.training.run import fit
from kineme.training.supervised import Supervised, weak_view
from kineme.typing import Array

INIT_STD = 0.01  # of the linear layer's weights, as in the linear protocols
TEST_BATCH = 256


def classify(
    task: Task,
    pretrained: Model,
    rows: Array,
    settings: TrainConfig,
    *,
    every: int | None = None,
    advance: Callable[[int], None] = lambda clips: None,
) -> list[Epoch]:
    """Trains an encoder and a linear layer on it with labels, and scores the test clips.

    Args:
        task: what is measured on which clips.
        pretrained: the encoder to begin with, of which a copy is trained.
        rows: (n,) of the store, the labelled clips to train on.
        settings: how; its seed decides all that is drawn.
        every: epochs between two looks at the test clips; None: at the last one only.
        advance: is told after each step how many clips it took.

    Returns:
        The epochs at which the test clips were scored; the last one of training is the last.

    Raises:
        KinemeError: the seed is below 0, or the loss is not finite.
    """
    check_between("--seed", settings.seed, 0)
    encoder = deepcopy(pretrained.encoder).train()
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        head = nn.Linear(encoder.dim, len(task.store.manifest.class_names))
        nn.init.normal_(head.weight, std=INIT_STD)
        nn.init.zeros_(head.bias)
        labels = task.store.index["label"][rows].astype(np.int64)
        train = where_measured(settings, task)
        view = weak_view(encoder.shape, pretrained.protocols.finetune)
        module = Supervised(encoder, head, view, train, task.store, rows, labels)
        watch = _Watch(task, pretrained, every or settings.epochs, advance)
        fit(module, [watch])
    return watch.epochs


def where_measured(settings: TrainConfig, task: Task) -> TrainConfig:
    """The settings with the task's device."""
    return replace(settings, device="cuda" if task.device == "cuda" else "cpu")


class _Watch(L.Callback):
    """Scores the test clips every few epochs and after the last; says how far training is."""

    def __init__(self, task: Task, pretrained: Model, every: int, advance: Callable[[int], None]) -> None:
        self.task, self.pretrained = task, pretrained
        self.every, self.advance = every, advance
        self.epochs: list[Epoch] = []

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Brings the test clips where the encoder is."""
        self.clips = resident(self.task.store, self.task.test, module.device)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar."""
        self.advance(len(batch))

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Scores the test clips: in evaluation mode and float32, as frozen encoders are measured."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        assert isinstance(module, Supervised)
        shape, crop = module.encoder.shape, self.pretrained.crop
        module.eval()
        with torch.inference_mode():
            batches = (self.clips[i : i + TEST_BATCH] for i in range(0, len(self.clips), TEST_BATCH))
            logits = torch.cat([module(clip_input(clips, shape, crop)) for clips in batches])
        module.train()
        scores = logits.cpu().numpy()
        self.epochs.append(Epoch(epoch, top_k(scores, self.task.test_labels), scores))
