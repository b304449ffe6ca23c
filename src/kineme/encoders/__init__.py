"""Encoders: clips (N, C, T, V, M) → features. One file each; `ENCODERS` names them."""

from kineme.encoders.base import ClipShape, DenseEncoder, Encoder, Features
from kineme.encoders.disentangled import Disentangled
from kineme.encoders.dste import DSTE
from kineme.encoders.stgcn import STGCN
from kineme.encoders.sttr import STTR

ENCODERS: dict[str, type[Encoder]] = {
    "stgcn": STGCN,
    "sttr": STTR,
    "dste": DSTE,
    "disentangled": Disentangled,
}

__all__ = [
    "DSTE",
    "ENCODERS",
    "STGCN",
    "STTR",
    "ClipShape",
    "DenseEncoder",
    "Disentangled",
    "Encoder",
    "Features",
]
