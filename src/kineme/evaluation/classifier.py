"""An encoder and a classifier on it, trained together with labels and scored on test clips."""

from __future__ import annotations

from copy import deepcopy

import lightning as L
import numpy as np
import torch

from kineme.clips.batches import resident
from kineme.config import TrainConfig
from kineme.errors import KinemeError, check_between
from kineme.evaluation.linear import Epoch
from kineme.evaluation.task import Task, on_device_of
from kineme.metrics.accuracy import top_k
from kineme.model import Model, clip_input
from kineme.progress import Progress, silent
from kineme.training.devices import devices_in_use
from kineme.training.heads import make_head, of_patches
from kineme.training.run import fit
from kineme.training.supervised import StepProgress, Supervised, weak_view
from kineme.typing import Array

TEST_BATCH = 256


def classify(
    task: Task,
    model: Model,
    rows: Array,
    settings: TrainConfig,
    *,
    fresh: bool = False,
    every: int | None = None,
    progress: Progress = silent,
) -> list[Epoch]:
    """Trains an encoder and a classifier on it with labels, and scores the test clips.

    Args:
        task: what is measured on which clips.
        model: where training begins; a copy of it is trained.
        rows: (n,) of the store, the labelled clips to train on.
        settings: how; its seed decides all that is drawn. Classifier and views are those of the model's
            protocols.
        fresh: the encoder is not pre-trained, so all of its stages are trained at one rate.
        every: score the test clips every so many epochs and after the last; None: after the last only.
        progress: called after each step with the clips done and in total, over all epochs.

    Returns:
        The epochs at which the test clips were scored.

    Raises:
        KinemeError: the seed is below 0, the protocol does not fit the encoder, or the loss or a score is not
            finite.
    """
    check_between("`seed`", settings.seed, 0)
    encoder, tuning = deepcopy(model.encoder).train(), model.protocols.finetune
    if tuning.drop_path:
        of_patches(encoder, "drop_path").set_drop_path(tuning.drop_path)
    with torch.random.fork_rng(devices_in_use(task.device)):
        torch.manual_seed(settings.seed)
        head = make_head(encoder, task.classes, tuning)
        labels = task.store.index["label"][rows].astype(np.int64)
        train = on_device_of(task, settings)
        module = Supervised(
            encoder,
            head,
            weak_view(encoder.shape, tuning),
            train,
            task.store,
            rows,
            labels,
            label_smoothing=tuning.label_smoothing,
            layer_decay=1.0 if fresh else tuning.layer_decay,
            encoder_share=1.0 if fresh or tuning.encoder_lr is None else tuning.encoder_lr / settings.lr,
        )
        scorer = _Scorer(task, model.crop, every or settings.epochs)
        fit(module, [scorer, StepProgress(progress, settings.epochs * len(rows))])
    return scorer.epochs


class _Scorer(L.Callback):
    """Scores the test clips every few epochs and after the last."""

    def __init__(self, task: Task, crop: float, every: int) -> None:
        self.task, self.crop, self.every = task, crop, every
        self.epochs: list[Epoch] = []

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Brings the test clips where the encoder is."""
        self.clips = resident(self.task.store, self.task.test_rows, module.device)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Scores the test clips: in evaluation mode and float32, as frozen encoders are measured."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        assert isinstance(module, Supervised)
        module.eval()
        with torch.inference_mode():
            batches = (self.clips[i : i + TEST_BATCH] for i in range(0, len(self.clips), TEST_BATCH))
            shape = module.encoder.shape
            logits = torch.cat(
                [module(clip_input(clips, shape, self.crop), clips.present) for clips in batches]
            )
        module.train()
        scores = logits.cpu().numpy()
        if not np.isfinite(scores).all():  # after its last step, training does not look any more
            raise KinemeError(f"epoch {epoch}: scores of test clips are not finite; {module.remedy}")
        self.epochs.append(Epoch(epoch, top_k(scores, self.task.test_labels), scores))
