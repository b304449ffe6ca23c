"""The contract of every encoder: what goes in, what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.streams import to_stream

COORDINATES = 3  # C of every clip


@dataclass(frozen=True)
class ClipShape:
    """What an encoder is built for: T frames of M bodies in a layout of V joints, and which stream of them.

    Attributes:
        layout: the V joints.
        frames: T.
        bodies: M.
        stream: the input modality: `joint`, `bone` or `motion`.
    """

    layout: Layout
    frames: int
    bodies: int
    stream: str = "joint"

    def take(self, joints: Tensor) -> Tensor:
        """Joint positions (N, C, T, V, M') → the stream (N, C, T, V, M); bodies that are missing are zero."""
        return to_stream(F.pad(joints, (0, self.bodies - joints.shape[-1])), self.stream, self.layout)


@dataclass(frozen=True)
class View:
    """Clips as an encoder is to see them in one pass.

    Attributes:
        clips: (N, C, T, V, M) of one stream; T may differ from view to view.
        mask: (N, T, V, M) bool, true where a joint is there and no padding; None: everywhere.
        stream: the input modality; None: that of the encoder's shape.
    """

    clips: Tensor
    mask: Tensor | None = None
    stream: str | None = None


@dataclass(frozen=True)
class Kept:
    """The tokens that an encoder runs on, by their places in the full sequences; None: all.

    Attributes:
        temporal: (N, K) int64, frames or segments.
        spatial: (N, L) int64, joints of bodies.
    """

    temporal: Tensor | None = None
    spatial: Tensor | None = None


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


class MapEncoder(Encoder):
    """An encoder with an activation map, from which its clip feature is pooled."""

    @abstractmethod
    def feature_map(self, clips: Tensor) -> Tensor:
        """(N, C, T, V, M) → activations (N·M, T', V, D)."""

    @abstractmethod
    def pool(self, feature_map: Tensor, bodies: int) -> Tensor:
        """(N·M, T', V, D) → (N, D)."""


class DenseEncoder(Encoder):
    """An encoder with temporal and spatial tokens, D' each, whose clip feature is their two halves.

    Attributes:
        hidden: D'; the clip's feature has 2·D'.
        runs_on_kept_tokens: `forward(clips, kept)` computes the tokens in `kept` only, as masked modelling
            needs it; others have no second argument.
    """

    runs_on_kept_tokens: ClassVar[bool] = False
    hidden: int

    def check_input(self, clips: Tensor) -> None:
        """Refuses clips of another shape than the encoder was built for."""
        wanted = (COORDINATES, self.shape.frames, self.shape.layout.num_joints, self.shape.bodies)
        if clips.shape[1:] != wanted:
            raise KinemeError(
                f"clips of (C, T, V, M) = {tuple(clips.shape[1:])} given to an encoder for {wanted}; "
                "resize the clips or build the encoder for their shape"
            )
