"""Encoders: clips (N, C, T, V, M) → features. One file each; `ENCODERS` names them."""

from kineme.encoders.base import ClipShape, Encoder, Features
from kineme.encoders.stgcn import STGCN

ENCODERS: dict[str, type[Encoder]] = {"stgcn": STGCN}

__all__ = ["ENCODERS", "STGCN", "ClipShape", "Encoder", "Features"]
