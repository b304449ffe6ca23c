"""The contract of every encoder: what goes in, what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from kineme.errors import KinemeError
from kineme.layouts import Layout

COORDINATES = 3  # C of every clip


@dataclass(frozen=True)
class ClipShape:
    """What an encoder is built for: T frames of M bodies in a layout of V joints."""

    layout: Layout
    frames: int
    bodies: int


@dataclass(frozen=True)
class Features:
    """What an encoder gives.

    Attributes:
        clip: (N, D) one feature a clip.
        temporal: (N, T', D') a feature a time step, where the encoder has them.
        spatial: (N, L, D') a feature a joint, where the encoder has them.
    """

    clip: Tensor
    temporal: Tensor | None = None
    spatial: Tensor | None = None


class Encoder(nn.Module, ABC):
    """A network from clips to features.

    Subclasses take a `ClipShape` first and their own settings, with defaults, by keyword: those are the keys
    under `encoder:` in a recipe, described by the class's docstring.
    """

    shape: ClipShape
    dim: int  # D of Features.clip

    @abstractmethod
    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → features."""


class DenseEncoder(Encoder):
    """An encoder with temporal and spatial tokens, D' each, whose clip feature is their two halves."""

    hidden: int  # D' of a token; the clip's feature has 2·D'

    def check_input(self, clips: Tensor) -> None:
        """Refuses clips of another shape than the encoder was built for."""
        wanted = (COORDINATES, self.shape.frames, self.shape.layout.num_joints, self.shape.bodies)
        if clips.shape[1:] != wanted:
            raise KinemeError(
                f"clips of (C, T, V, M) = {tuple(clips.shape[1:])} given to an encoder for {wanted}; "
                "resize the clips or build the encoder for their shape"
            )
