"""The contract of every method: views of a batch, a loss of the views, hooks around the optimiser's step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from kineme.clips.batches import Clips
from kineme.encoders.base import Encoder, View


class Method(nn.Module, ABC):
    """An encoder in training.

    Subclasses take the encoder first and their own settings, with defaults, by keyword: those are the keys
    under `method:` in a recipe, described by the class's docstring.

    A step is: `before_step`, then `views` and `loss` of each batch (several where gradients are accumulated),
    the optimiser's step, then `after_step` with what each `loss` gave.

    Attributes:
        encoder: what is trained.
        encoder_type: what the encoder has to be.
    """

    encoder_type: ClassVar[type] = Encoder
    encoder: Encoder

    @abstractmethod
    def views(self, clips: Clips, generator: torch.Generator) -> Sequence[View]:
        """Augmented views of a batch, each clip with its own draws from `generator`.

        They are of the stream of `encoder.shape`, or of several; they may differ in length and carry masks.
        """

    @abstractmethod
    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """The loss of some views; changes nothing.

        Args:
            views: what `views` gave.
            progress: share of training that is over, 0 to 1.

        Returns:
            by name: `loss`, which is minimised; other scalars, which are logged; and tensors with axes, which
            `after_step` gets, such as the keys that go into a queue.
        """

    def before_step(self, progress: float) -> None:
        """What comes before the losses of a step, such as moving a key encoder."""

    def after_step(self, outputs: Mapping[str, Tensor], progress: float) -> None:
        """What comes after the optimiser's step, such as filling a queue or moving a teacher.

        Args:
            outputs: what `loss` gave, detached; called once for each batch of the step.
            progress: share of training that was over at its beginning.
        """
