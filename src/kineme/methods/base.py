"""The contract of every method: views of a batch, their loss, hooks around the optimiser's step."""

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

    Subclasses take the encoder and, as keyword arguments with defaults, their own settings. These are the
    keys under `method:` in a recipe; their help comes from the class's docstring.

    A step consists of `before_step`, then `views` and `loss` for each batch (several if gradients are
    accumulated), the optimiser's step, and `after_step` for each batch.

    Attributes:
        encoder: the network that is trained.
        encoder_type: the class of encoders that this method can train.
        fewest_clips: clips of a batch, over all processes, that its statistics need; fewer are warned of.

    >>> import kineme
    >>> class Agreement(kineme.Method):
    ...     def __init__(self, encoder, *, shear=0.5):
    ...         super().__init__()
    ...         self.encoder, self.shear = encoder, shear
    ...     def views(self, clips, generator):
    ...         shape, augment = self.encoder.shape, kineme.augment
    ...         x = clips.resize(shape.frames)
    ...         draws = [augment.draw_shear(len(x), self.shear, generator) for _ in range(2)]
    ...         return [View(shape.take(augment.shear(x, each))) for each in draws]
    ...     def loss(self, views, progress):
    ...         one, other = (self.encoder(view.clips).clip for view in views)
    ...         return {"loss": (one - other).square().mean()}
    """

    encoder_type: ClassVar[type] = Encoder
    fewest_clips: ClassVar[int] = 2
    encoder: Encoder

    @property
    def learned(self) -> Encoder:
        """The encoder that a run keeps, in `model.safetensors`: the trained one, or its teacher."""
        return self.encoder

    def shares(self) -> list[tuple[float, list[nn.Parameter]]]:
        """All parameters in groups, each with the share of the learning rate at which it is trained."""
        return [(1.0, list(self.parameters()))]

    def clipped_together(self) -> list[list[nn.Parameter]]:
        """Groups of parameters; `train.clip_gradients` limits the norm of each group's gradient."""
        return [list(self.parameters())]

    @abstractmethod
    def views(self, clips: Clips, generator: torch.Generator) -> Sequence[View]:
        """Augmented views of a batch, each clip with its own draws from `generator`.

        Views may differ in length and stream, and carry masks.
        """

    @abstractmethod
    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """The loss of the views; free of side effects.

        Args:
            views: from `views`.
            progress: share of training completed, 0 to 1.

        Returns:
            by name: `loss`, which is minimised; other scalars, which are logged; and tensors with axes, which
            are passed to `after_step`, such as the keys for a queue.
        """

    def before_step(self, progress: float) -> None:
        """Called before the losses of a step, for example to move a key encoder."""

    def after_step(self, outputs: Mapping[str, Tensor], progress: float) -> None:
        """Called after the optimiser's step, once per batch, for example to fill a queue or move a teacher.

        Args:
            outputs: the tensors with axes that `loss` returned, detached.
            progress: as in `before_step`.
        """
