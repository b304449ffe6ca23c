"""Classifiers on an encoder's features, for supervised training."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from kineme.config import FinetuneConfig
from kineme.encoders import Encoder, Features, PatchEncoder
from kineme.encoders.dropout import Dropout
from kineme.encoders.transformer import init_linear
from kineme.errors import KinemeError

INIT_STD = 0.01  # of the last layer's weights, as in the linear protocols
HIDDEN = 2048


class LinearHead(nn.Module):
    """A linear layer on the clip feature."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.linear = _last(dim, classes)

    def forward(self, features: Features) -> Tensor:
        """Features → (N, classes) logits."""
        logits: Tensor = self.linear(features.clip)
        return logits


class JointHead(nn.Module):
    """MAMP's: the mean token of each joint, over segments and bodies; Linear, batch norm, ReLU, Linear."""

    def __init__(self, encoder: PatchEncoder, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.joints = encoder.shape.layout.num_joints
        self.dropout = Dropout(dropout)
        self.linear1 = init_linear(nn.Linear(self.joints * encoder.hidden, HIDDEN))
        self.norm = nn.BatchNorm1d(HIDDEN)
        self.linear2 = _last(HIDDEN, classes)

    def forward(self, features: Features) -> Tensor:
        """Features → (N, classes) logits."""
        assert features.tokens is not None, "the encoder gives no tokens"
        grid = self.dropout(features.tokens).unflatten(2, (-1, self.joints))  # (N, M, S, V, D)
        pooled = grid.mean(2).mean(1).flatten(1)
        logits: Tensor = self.linear2(F.relu(self.norm(self.linear1(pooled))))
        return logits


def make_head(encoder: Encoder, classes: int, settings: FinetuneConfig) -> nn.Module:
    """The classifier that the settings name.

    Raises:
        KinemeError: it does not fit the encoder.
    """
    if settings.head == "linear":
        return LinearHead(encoder.dim, classes)
    return JointHead(of_patches(encoder, "head: joints"), classes, settings.dropout)


def of_patches(encoder: Encoder, setting: str) -> PatchEncoder:
    """The encoder, if it is one of patches.

    Raises:
        KinemeError: it is not, so it cannot take the setting.
    """
    if not isinstance(encoder, PatchEncoder):
        raise KinemeError(
            f"evaluate.finetune.{setting} is for encoders of patches, such as mamp; leave it out"
        )
    return encoder


def _last(dim: int, classes: int) -> nn.Linear:
    linear = nn.Linear(dim, classes)
    nn.init.normal_(linear.weight, std=INIT_STD)
    nn.init.zeros_(linear.bias)
    return linear
