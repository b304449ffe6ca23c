"""Supervised training of an encoder with a classifier on its features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Sampler

from kineme import augment
from kineme.clips.batches import Clips
from kineme.clips.store import ClipStore
from kineme.config import FinetuneConfig, TrainConfig
from kineme.encoders import ClipShape, Encoder
from kineme.encoders.absent import encoded
from kineme.progress import Progress
from kineme.streams import numbers
from kineme.training.heads import of_patches
from kineme.training.module import Training
from kineme.training.order import epoch_order

Augmentation = Callable[[Clips, torch.Generator], tuple[Tensor, Tensor | None]]


def weak_view(shape: ClipShape, settings: FinetuneConfig) -> Augmentation:
    """The augmentation of fine-tuning: a random window of each clip, resized; the others if they are set.

    It gives joint positions (N, C, T, V, M), and which joints (N, V) are present.
    """
    shortest = shape.frames if settings.min_frames is None else settings.min_frames

    def augmented(clips: Clips, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        window = augment.draw_window(clips.length, shortest, (settings.min_crop, 1.0), generator)
        x = clips.resize(shape.frames, *window)
        if settings.pad_crop:
            x = augment.pad_crop(x, augment.draw_pad_crop(len(x), shape.frames, generator))
        if settings.shear:
            x = augment.shear(x, augment.draw_shear(len(x), settings.shear, generator))
        if settings.rotation:
            angles = augment.draw_uniform((len(x), 3), -settings.rotation, settings.rotation, generator)
            x = augment.rotate(x, angles.rad2deg())
        return _varied(x, clips.present, shape, settings, generator)

    return augmented


def _varied(
    x: Tensor,
    given: Tensor | None,
    shape: ClipShape,
    settings: FinetuneConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor | None]:
    """Joints (N, C, T, V, M); where that is set, half are mirrored, half scaled, half turned, half noisy."""
    n = len(x)
    if settings.mirror:
        mirror = numbers(shape.layout.mirror.tolist(), x.device)
        apply = augment.draw_coin(n, 0.5, generator)
        x = augment.reflect(x, apply, mirror)
        given = None if given is None else augment.where(apply, given[:, mirror], given)
    if settings.bone_scale:
        x = augment.scale_bones(x, augment.draw_bone_scales(x, settings.bone_scale, generator), shape.layout)
    if settings.turn:
        x = augment.rotate(x, augment.draw_turn(n, 0.0, settings.turn, generator))
    if settings.noise:
        present = (x != 0).any(3, keepdim=True).any(2, keepdim=True).any(1, keepdim=True)
        x = augment.noise(x, settings.noise * augment.draw_coin(n, 0.5, generator), generator) * present
    return x, given


class Supervised(Training):
    """Cross-entropy of labelled clips; trains encoder and classifier in place.

    Args:
        encoder: the network.
        head: from its features to the logits of the classes.
        view: augments a batch of clips, see `weak_view`.
        train: settings; `devices` is 1.
        store: the clips.
        rows: (n,) those to train on.
        labels: (n,) their classes.
        label_smoothing: share of a label that is spread over all classes.
        layer_decay: the rate of each stage of an encoder of patches is this many times that of the next; the
            last stage has that of the head.
        encoder_share: the encoder's rate is this share of the head's.

    Raises:
        KinemeError: the encoder has no stages, but `layer_decay` is not 1.
    """

    remedy = "lower `lr`"
    labels: Tensor

    def __init__(
        self,
        encoder: Encoder,
        head: nn.Module,
        view: Augmentation,
        train: TrainConfig,
        store: ClipStore,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        *,
        label_smoothing: float = 0.0,
        layer_decay: float = 1.0,
        encoder_share: float = 1.0,
    ) -> None:
        super().__init__(train, store, rows)
        self.encoder, self.head = encoder, head
        self.view = view
        self.label_smoothing = label_smoothing
        self.stages = () if layer_decay == 1 else of_patches(encoder, "layer_decay").stages()
        self.layer_decay = layer_decay
        self.encoder_share = encoder_share
        self.register_buffer("labels", torch.from_numpy(labels), persistent=False)

    def batches(self) -> Sampler[Tensor]:
        """Every clip once an epoch."""
        return EvenBatches(len(self.clips), self.train_config)

    def losses(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy, in float32."""
        with torch.no_grad():
            joints, present = self.view(self.clips[rows], generator)
        logits, labels = self(joints, present).float(), self.labels[rows]
        return {"loss": F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)}

    def shares(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Of each stage of the encoder, and of the rest, which is the head if there are stages."""
        if self.encoder_share != 1:
            return [(self.encoder_share, [*self.encoder.parameters()]), (1.0, [*self.head.parameters()])]
        slowed = {id(each) for stage in self.stages for each in stage}
        depth = len(self.stages)
        return [
            *((self.layer_decay ** (depth - 1 - at), [*stage]) for at, stage in enumerate(self.stages)),
            (1.0, [each for each in self.parameters() if id(each) not in slowed]),
        ]

    def forward(self, joints: Tensor, present: Tensor | None = None) -> Tensor:
        """Joint positions (N, C, T, V, M) → (N, classes) logits."""
        logits: Tensor = self.head(encoded(self.encoder, joints, present))
        return logits


class EvenBatches(Sampler[Tensor]):
    """The batches of each epoch: a permutation of all clips from (seed, epoch), split evenly.

    Even sizes matter with few labels: no step has the batch statistics and gradient of one or two clips.
    """

    def __init__(self, clips: int, train: TrainConfig) -> None:
        self.clips, self.train = clips, train
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.clips // self.train.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        yield from epoch_order(self.train.seed, self.epoch, self.clips).tensor_split(len(self))


class StepProgress(L.Callback):
    """Tells after each step the clips, or windows, that were trained on, and their total over all epochs."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.done = 0

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts the rows of the batch."""
        self.done += len(batch)
        self.progress(self.done, self.total)
