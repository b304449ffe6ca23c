"""Fine-tuning for detection: the encoder learns, with a linear layer on its features, to label frames."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Sampler

from kineme.augment import draw_shear, draw_uniform, shear
from kineme.clips.store import ClipStore
from kineme.config import TrainConfig
from kineme.encoders.absent import encoded
from kineme.encoders.base import Encoder
from kineme.errors import check_positive
from kineme.evaluation.detection.extract import offsets_of
from kineme.evaluation.detection.frames import Windows, times, tokens
from kineme.model import Model, with_encoder
from kineme.progress import Progress, silent
from kineme.training.devices import devices_in_use, resolve_device
from kineme.training.module import Training
from kineme.training.run import fit
from kineme.training.supervised import EvenBatches, StepProgress
from kineme.typing import Array

SETTINGS = TrainConfig(
    epochs=10, batch_size=64, optimizer="adamw", lr=5e-4, weight_decay=1e-2, schedule="cosine", warmup=0.5
)
SPEED = 1.25  # windows are played up to so many times faster or slower
SHEAR = 0.2
OUTSIDE = -100  # label of a time beyond a recording's ends


def settings(epochs: int | None = None, lr: float | None = None) -> TrainConfig:
    """The settings of fine-tuning, with other epochs or another rate if they are given.

    Raises:
        KinemeError: one is not above 0.
    """
    check_positive(epochs=epochs, lr=lr)
    return replace(SETTINGS, epochs=epochs or SETTINGS.epochs, lr=lr or SETTINGS.lr)


class FrameTraining(Training):
    """Cross-entropy on the frames of random windows: of every token, or of the middle frame.

    Args:
        encoder: is trained in place.
        windows: how recordings are cut; in an epoch there is one window for each of their steps, begun and
            played at random.
        train: settings.
        store: where the recordings are.
        rows: (R,) which of them.
        labels: (F,) classes of their frames, one recording after another.
        classes: K.
    """

    remedy = "set a smaller `lr`"
    labels: Tensor
    first: Tensor  # (R,) frame of all, with which each recording begins
    recording: Tensor  # of each step
    place: Tensor  # of each step, in its recording

    def __init__(
        self,
        encoder: Encoder,
        windows: Windows,
        train: TrainConfig,
        store: ClipStore,
        rows: Array,
        labels: Array,
        classes: int,
    ) -> None:
        super().__init__(train, store, rows)
        self.encoder, self.windows = encoder, windows
        self.head = nn.Linear(encoder.dim, classes)
        offsets = offsets_of(store, rows)
        lengths = np.diff(offsets)
        count = -(-lengths // windows.step)
        recording = np.repeat(np.arange(len(rows)), count)
        place = (np.arange(len(recording)) - np.repeat(np.cumsum(count) - count, count)) * windows.step
        for name, values in (
            ("labels", labels),
            ("first", offsets[:-1]),
            ("recording", recording),
            ("place", place),
        ):
            self.register_buffer(name, torch.from_numpy(values.astype(np.int64)), persistent=False)

    def batches(self) -> Sampler[Tensor]:
        """Every place once an epoch."""
        return EvenBatches(len(self.place), self.train_config)

    def losses(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy, in float32."""
        recording, n = self.recording[rows], len(rows)
        clips, shape, windows = self.clips[recording], self.encoder.shape, self.windows
        centre = self.place[rows] + windows.step * draw_uniform((n,), -0.5, 0.5, generator)
        stretch = math.log(SPEED)
        span = windows.frames * draw_uniform((n,), -stretch, stretch, generator).exp()
        at = times(centre - (span - 1) / 2, span, shape.frames)
        joints = shear(clips.sample(at), draw_shear(n, SHEAR, generator))
        features = encoded(self.encoder, joints, clips.present)
        seen = tokens(features) if windows.kind == "tokens" else features.clip[:, None]
        when = (at if windows.kind == "tokens" else centre[:, None]).round().long()
        inside = (when >= 0) & (when < clips.length[:, None])
        frame = self.first[recording][:, None] + torch.where(inside, when, 0)
        labels = torch.where(inside, self.labels[frame], OUTSIDE)
        return {"loss": F.cross_entropy(self.head(seen).float().flatten(0, 1), labels.flatten())}


def finetuned(
    model: Model,
    windows: Windows,
    store: ClipStore,
    rows: Array,
    labels: Array,
    classes: int,
    settings: TrainConfig,
    progress: Progress = silent,
) -> Model:
    """A copy of the encoder, trained on the frames of some recordings.

    Args:
        model: where training begins.
        windows: how recordings are cut.
        store: where they are.
        rows: (R,) which of them.
        labels: (F,) classes of their frames.
        classes: K.
        settings: of the training; its seed decides all that is drawn.
        progress: called after each step with the windows done and in total, over all epochs.

    Raises:
        KinemeError: the training diverges.
    """
    encoder = copy.deepcopy(model.encoder).train()
    with torch.random.fork_rng(devices_in_use(resolve_device(settings)[0])):
        torch.manual_seed(settings.seed)
        module = FrameTraining(encoder, windows, settings, store, rows, labels, classes)
        fit(module, [StepProgress(progress, settings.epochs * len(module.place))])
    return with_encoder(model, encoder.cpu())
