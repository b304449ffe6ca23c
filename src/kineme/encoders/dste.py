"""DSTE: dense spatio-temporal encoder of USDRL (Weng et al., AAAI 2025)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.base import ClipShape
from kineme.encoders.dropout import check_dropout
from kineme.encoders.layer import Layer
from kineme.encoders.tokens import SelfAttention, TokenEncoder
from kineme.errors import check_between


class DSTE(TokenEncoder):
    """Dense shift attention and convolutional attention in parallel, over frames and over joints.

    Args:
        shape: of the clips.
        hidden: Width D of a token; the clip feature has 2·D.
        heads: Attention heads; a divisor of `hidden`.
        depth: Layers per stream.
        drop_path: Stochastic depth: share of clips that skip an attention or MLP branch in training.
        gap: The dense shift leaves every gap-th token unmixed.
        alpha: Weight of the convolutional attention; the dense shift attention has 1 - alpha.

    Raises:
        KinemeError: `heads` does not divide `hidden`, or a setting is out of range.

    >>> import kineme
    >>> encoder = DSTE(ClipShape(kineme.get_layout("ntu25"), 64, 2), hidden=8)
    >>> encoder(torch.randn(4, 3, 64, 25, 2)).clip.shape
    torch.Size([4, 16])
    """

    def __init__(
        self,
        shape: ClipShape,
        *,
        hidden: int = 1024,
        heads: int = 1,
        depth: int = 2,
        drop_path: float = 0.1,
        gap: int = 4,
        alpha: float = 0.5,
    ):
        check_dropout(drop_path, "drop_path")
        check_between("gap", gap, 1)
        check_between("alpha", alpha, 0, 1)

        def layer(tokens: int) -> DSTLayer:
            return DSTLayer(hidden, heads, tokens, drop_path, gap, alpha)

        super().__init__(shape, hidden, depth, layer, position_each_layer=True)


class DSTLayer(Layer):
    """α·CA(x) + (1 - α)·DSA(x) with a shared attention module."""

    def __init__(self, dim: int, heads: int, tokens: int, drop_path: float, gap: int, alpha: float):
        super().__init__()
        self.alpha = alpha
        self.attention = SelfAttention(dim, heads)  # shared: passed to the two parts, not owned by them
        self.convolutional = ConvolutionalAttention(dim, drop_path)
        self.shift = DenseShiftAttention(dim, tokens, drop_path, gap)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D), from the tokens that are present (N, L)."""
        convolutional = self.convolutional(x, self.attention, present)
        shift = self.shift(x, self.attention, present)
        out: Tensor = self.alpha * convolutional + (1 - self.alpha) * shift
        return out


class ConvolutionalAttention(nn.Module):
    """CA: a convolution over channels before the attention; no residual around the MLP."""

    def __init__(self, dim: int, drop_path: float):
        super().__init__()
        self.convolution = nn.Linear(dim, dim)  # kernel size 1
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, attention: SelfAttention, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D)."""
        y = x + F.relu(self.convolution(x))
        a = x + self.drop_path(attention(self.norm1(y), present))
        out: Tensor = self.drop_path(self.mlp(self.norm2(a)))
        return out


class DenseShiftAttention(nn.Module):
    """DSA: the mean of a pre-norm attention block on the tokens and on a mixture of them."""

    mixed: Tensor

    def __init__(self, dim: int, tokens: int, drop_path: float, gap: int):
        super().__init__()
        self.mix1 = nn.Linear(tokens, tokens)
        self.mix2 = nn.Linear(tokens, tokens)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim)
        self.drop_path = DropPath(drop_path)
        mixed = torch.ones(tokens, 1)
        mixed[::gap] = 0
        self.register_buffer("mixed", mixed, persistent=False)

    def shifted(self, x: Tensor) -> Tensor:
        """x + W2·ReLU(W1·x) over the token axis, but x itself at every `gap`-th token."""
        hidden = F.relu(_over_tokens(x, self.mix1.weight, self.mix1.bias))
        return x + _over_tokens(hidden, self.mix2.weight * self.mixed, self.mix2.bias * self.mixed[:, 0])

    def forward(self, x: Tensor, attention: SelfAttention, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D); what is not present is not mixed into other tokens."""
        # In sequence: one batch of 2·N takes a tenth longer at D = 1024 on a CPU.
        shown = x if present is None else x.masked_fill(~present[..., None], 0)
        mixed, own = self._block(self.shifted(shown), attention, present), self._block(x, attention, present)
        return torch.lerp(mixed, own, 0.5)

    def _block(self, x: Tensor, attention: SelfAttention, present: Tensor | None) -> Tensor:
        x = x + self.drop_path(attention(self.norm1(x), present))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out


def _over_tokens(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear map of the token axis without transposing: x (N, L, D), weight (L, L), bias (L,)."""
    return torch.baddbmm(bias[:, None], weight.expand(x.shape[0], *weight.shape), x)


class MLP(nn.Module):
    """Linear D → 2D, GELU, Linear 2D → D."""

    def __init__(self, dim: int):
        super().__init__()
        self.linear1 = nn.Linear(dim, 2 * dim)
        self.linear2 = nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) → (..., D)."""
        out: Tensor = self.linear2(F.gelu(self.linear1(x)))
        return out


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., ECCV 2016): in training, zeroes the branch for a share of the clips."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, branch: Tensor) -> Tensor:
        """(N, L, D) → (N, L, D)."""
        if not self.training or self.share == 0:
            return branch
        keep = 1 - self.share
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(keep).div_(keep)
