"""The contract of every encoder: its input and output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from kineme.errors import KinemeError
from kineme.layouts import COORDINATES as COORDINATES
from kineme.layouts import Layout
from kineme.streams import single_streams, to_stream


@dataclass(frozen=True)
class ClipShape:
    """The clips an encoder is built for: T frames of M bodies with the V joints of a layout, in one stream.

    Attributes:
        layout: the V joints.
        frames: T.
        bodies: M.
        stream: input modality, `joint`, `bone` or `motion`; or several, as `joint+bone+motion`, for encoders
            that compute each of them from joint positions.

    >>> import kineme, torch
    >>> shape = ClipShape(kineme.get_layout("coco17"), frames=4, bodies=2, stream="motion")
    >>> clips = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(1, 3, 4, 17, 1)  # one body at 0, 1, 2, 3
    >>> shape.take(clips)[0, 0, :, 0].tolist()  # one step per frame; the second body is absent
    [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """

    layout: Layout
    frames: int
    bodies: int
    stream: str = "joint"

    def take(self, joints: Tensor) -> Tensor:
        """Joint positions (N, C, T, V, M') → the stream (N, C, T, V, M); missing bodies are zero.

        Raises:
            KinemeError: M' is more than M, and one of the extra bodies is not absent.
        """
        if joints.shape[-1] > self.bodies and joints[..., self.bodies :].any():
            raise KinemeError(
                f"a clip shows a body beside the first {self.bodies}, and the encoder reads no more"
            )
        return to_stream(F.pad(joints, (0, self.bodies - joints.shape[-1])), self.stream, self.layout)


@dataclass(frozen=True)
class View:
    """Augmented clips, the input of one encoder pass.

    Attributes:
        clips: (N, C, T, V, M) of one stream, or joint positions for several; T may differ between views.
        mask: (N, T, V, M) bool, false where a joint is hidden, to be predicted; None: nothing is hidden.
        stream: input modality; None: that of the encoder's shape.
        kept: tokens that the encoder computes, drawn with the view; None: all of them.
        present: (N, V) bool, false for joints that were never recorded, or dropped as if they had not been;
            None: all were recorded.

    >>> import torch
    >>> view = View(torch.zeros(8, 3, 64, 25, 2), stream="bone")
    >>> view.clips.shape, view.stream, view.mask
    (torch.Size([8, 3, 64, 25, 2]), 'bone', None)
    """

    clips: Tensor
    mask: Tensor | None = None
    stream: str | None = None
    kept: Kept | None = None
    present: Tensor | None = None


@dataclass(frozen=True)
class Kept:
    """Indices of the tokens that an encoder computes; None: all of them.

    Attributes:
        temporal: (N, K) int64, frames or segments.
        spatial: (N, L) int64, joints of bodies.
        tokens: (N, M, K) int64, patches of each body: segment · V + joint.

    >>> import kineme, torch
    >>> encoder = kineme.STTR(ClipShape(kineme.get_layout("coco17"), 16, 1), hidden=8)
    >>> kept = Kept(temporal=torch.tensor([[0, 5, 9]]))
    >>> encoder(torch.randn(1, 3, 16, 17, 1), kept).temporal.shape
    torch.Size([1, 3, 8])
    """

    temporal: Tensor | None = None
    spatial: Tensor | None = None
    tokens: Tensor | None = None


@dataclass(frozen=True)
class Features:
    """The output of an encoder.

    Attributes:
        clip: (N, D), one feature per clip.
        temporal: (N, T', D'), one per time step; None if the encoder has none.
        spatial: (N, L, D'), one per joint; None if the encoder has none.
        tokens: (N, M, K, D'), one per patch of each body; None if the encoder has none.

    >>> import torch
    >>> features = Features(clip=torch.tensor([[3.0, 4.0]]))
    >>> features.clip.norm(dim=1), features.temporal
    (tensor([5.]), None)
    """

    clip: Tensor
    temporal: Tensor | None = None
    spatial: Tensor | None = None
    tokens: Tensor | None = None


class Encoder(nn.Module, ABC):
    """A network from clips to features.

    Subclasses take a `ClipShape` and, as keyword arguments with defaults, their own settings. These are the
    keys under `encoder:` in a recipe; their help comes from the class's docstring.

    >>> import kineme, torch
    >>> class MeanPosition(kineme.Encoder):
    ...     def __init__(self, shape):
    ...         super().__init__()
    ...         self.shape, self.dim = shape, 3
    ...     def forward(self, clips):
    ...         return Features(clips.mean((2, 3, 4)))
    >>> MeanPosition(ClipShape(kineme.get_layout("coco17"), 8, 1))(torch.ones(1, 3, 8, 17, 1)).clip
    tensor([[1., 1., 1.]])
    """

    several_streams: ClassVar[bool] = False  # can be built for clips of several streams
    takes_missing: ClassVar[bool] = (
        False  # `forward(clips, present=...)` leaves out joints (N, V) that are absent
    )
    places_missing: bool = True  # if it needs a place for them; false where clips have them placed already
    shape: ClipShape
    dim: int  # D of Features.clip
    __call__: Callable[..., Features]  # as `forward`, for type checkers

    @property
    def streams(self) -> tuple[str, ...]:
        """The single streams that it takes, together or each alone."""
        return single_streams(self.shape.stream)

    @abstractmethod
    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → features."""

    def check_input(self, clips: Tensor) -> None:
        """Refuses clips whose shape differs from the one the encoder was built for, and whole numbers."""
        wanted = (COORDINATES, self.shape.frames, self.shape.layout.num_joints, self.shape.bodies)
        if clips.shape[1:] != wanted:
            raise KinemeError(
                f"clips of (C, T, V, M) = {tuple(clips.shape[1:])} given to an encoder for {wanted}; "
                "resize the clips or build the encoder for their shape"
            )
        if not clips.is_floating_point():
            raise KinemeError(f"clips are {clips.dtype}; give coordinates as clips.float()")


class MapEncoder(Encoder):
    """An encoder whose clip feature is pooled from an activation map.

    >>> import kineme, torch
    >>> encoder = kineme.STGCN(ClipShape(kineme.get_layout("coco17"), 16, 2), channels=[8, 16], strided=[1])
    >>> clips = torch.randn(3, 3, 16, 17, 2)
    >>> feature_map = encoder.feature_map(clips)  # of 3 · 2 bodies
    >>> feature_map.shape, encoder.pool(feature_map, bodies=2).shape
    (torch.Size([6, 8, 17, 16]), torch.Size([3, 16]))
    """

    @abstractmethod
    def feature_map(self, clips: Tensor) -> Tensor:
        """(N, C, T, V, M) → activations (N·M, T', V, D)."""

    @abstractmethod
    def pool(self, feature_map: Tensor, bodies: int) -> Tensor:
        """(N·M, T', V, D) → (N, D)."""


class DenseEncoder(Encoder):
    """An encoder with temporal and spatial tokens of width D'; each gives one half of its clip feature.

    Attributes:
        hidden: D'; the clip feature has 2·D'.
        runs_on_kept_tokens: whether `forward(clips, kept)` computes only the tokens in `kept` (see `Kept`),
            as masked modelling needs.

    >>> import kineme, torch
    >>> encoder = kineme.DSTE(ClipShape(kineme.get_layout("coco17"), 16, 2), hidden=8)
    >>> features = encoder(torch.randn(1, 3, 16, 17, 2))
    >>> features.clip.shape, features.temporal.shape, features.spatial.shape
    (torch.Size([1, 16]), torch.Size([1, 16, 8]), torch.Size([1, 34, 8]))
    """

    runs_on_kept_tokens: ClassVar[bool] = False
    hidden: int


class PatchEncoder(Encoder):
    """An encoder of patches that can compute only some of them, as masked modelling needs.

    A patch is a joint of one body over a few frames; its token, of width D, is in `Features.tokens`.

    Attributes:
        hidden: D.
        heads: of its attention.
        patch: frames of a patch.

    >>> import kineme, torch
    >>> shape = ClipShape(kineme.get_layout("coco17"), 16, 2)
    >>> encoder = kineme.JointTransformer(shape, hidden=8, heads=2, depth=1)
    >>> kept = Kept(tokens=torch.tensor([[[0, 20, 67], [1, 2, 3]]]))  # three of 4 · 17, of each body
    >>> encoder(torch.randn(1, 3, 16, 17, 2), kept).tokens.shape
    torch.Size([1, 2, 3, 8])
    """

    hidden: int
    heads: int
    patch: int

    @property
    def segments(self) -> int:
        """S, patches of a joint in a clip."""
        return self.shape.frames // self.patch

    @abstractmethod
    def forward(self, clips: Tensor, kept: Kept | None = None, *, present: Tensor | None = None) -> Features:
        """(N, C, T, V, M) → features with tokens, of all patches or of those in `kept.tokens`."""

    @abstractmethod
    def stages(self) -> Sequence[Sequence[nn.Parameter]]:
        """All parameters in groups, from input to output; fine-tuning may slow down the first ones."""

    @abstractmethod
    def set_drop_path(self, greatest: float) -> None:
        """Sets stochastic depth, which fine-tuning may use."""


class MaskedEncoder(Encoder):
    """An encoder of patches with a class token, and a learned token in place of masked patches.

    A patch is a joint of one body over a few frames. Clips may have any number M of bodies, and any number of
    frames that makes whole patches.

    Attributes:
        hidden: D, the width of a token.
        patch: frames of a patch.

    >>> import kineme, torch
    >>> shape = ClipShape(kineme.get_layout("coco17"), 16, 2)
    >>> encoder = kineme.RotaryTransformer(shape, hidden=8, heads=2, depth=1, patch=4)
    >>> clips, mask = torch.randn(3, 3, 8, 17, 1), torch.rand(3, 8, 17, 1) < 0.9
    >>> kind, patches = encoder.tokens(clips, mask)
    >>> kind.shape, patches.shape
    (torch.Size([3, 1, 8]), torch.Size([3, 1, 34, 8]))
    """

    hidden: int
    patch: int

    @abstractmethod
    def tokens(
        self, clips: Tensor, mask: Tensor | None = None, *, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(N, C, T, V, M) → class tokens (N, M, D) and patches (N, M, L, D), L = T / patch · V.

        Joints that are not `present`, (N, V) or (1, V) if all clips lack the same, take no part.
        """

    @abstractmethod
    def embedding_parameters(self) -> Sequence[nn.Parameter]:
        """Those of the first layer, which turns coordinates into tokens."""

    def hidden_patches(self, mask: Tensor) -> Tensor:
        """(N, T, V, M) bool, see `View` → (N, M, L): which patches are masked, even if in one frame only."""
        n, frames, joints, bodies = mask.shape
        seen = mask.reshape(n, frames // self.patch, self.patch, joints, bodies).all(2)
        return ~seen.permute(0, 3, 1, 2).flatten(2)
