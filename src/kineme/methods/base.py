"""The contract of every method: views of a batch, and a loss of the views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from kineme.augment import draw_window
from kineme.clips.batches import Clips
from kineme.encoders.base import Encoder
from kineme.streams import to_stream


class Method(nn.Module, ABC):
    """An encoder in training.

    Subclasses take the encoder first and their own settings, with defaults, by keyword: those are the keys
    under `method:` in a recipe, described by the class's docstring.
    """

    encoder: Encoder
    min_crop: float = 1.0  # least share of a clip's frames that a view shows
    crop: float = 1.0  # share of a clip's frames, about its centre, that evaluation looks at

    @abstractmethod
    def views(self, clips: Clips, stream: str, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Augmented views (N, C, T, V, M) of a batch, each clip with its own draws from `generator`."""

    @abstractmethod
    def loss(self, views: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Named scalars; the one called `loss` is minimised."""

    def weak_view(self, clips: Clips, stream: str, generator: torch.Generator) -> Tensor:
        """One view (N, C, T, V, M) for training with labels: a random window of each clip, resized.

        A method whose fine-tuning is published with other augmentations has its own.
        """
        shape = self.encoder.shape
        window = draw_window(clips.length, shape.frames, (self.min_crop, 1.0), generator)
        return to_stream(clips.resize(shape.frames, *window), stream, shape.layout)

    def loss_options(self, progress: float) -> dict[str, Any]:
        """Keyword arguments of `loss` after this share (0 to 1) of training, for methods with phases."""
        return {}
