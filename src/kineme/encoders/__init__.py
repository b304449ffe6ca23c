"""Encoders: clips (N, C, T, V, M) → features, one file each; `ENCODERS` finds them by name."""

from kineme.encoders.base import (
    ClipShape,
    DenseEncoder,
    Encoder,
    Features,
    Kept,
    MapEncoder,
    MaskedEncoder,
    PatchEncoder,
    View,
)
from kineme.encoders.canonical import Canonical
from kineme.encoders.disentangled import Disentangled
from kineme.encoders.dste import DSTE
from kineme.encoders.mamp import JointTransformer
from kineme.encoders.slim import RotaryTransformer
from kineme.encoders.stgcn import STGCN
from kineme.encoders.sttr import STTR
from kineme.registry import Registry

ENCODERS: Registry[type[Encoder]] = Registry(
    "encoder",
    {
        "stgcn": "kineme.encoders.stgcn.STGCN",
        "sttr": "kineme.encoders.sttr.STTR",
        "dste": "kineme.encoders.dste.DSTE",
        "disentangled": "kineme.encoders.disentangled.Disentangled",
        "mamp": "kineme.encoders.mamp.JointTransformer",
        "canonical": "kineme.encoders.canonical.Canonical",
        "slim": "kineme.encoders.slim.RotaryTransformer",
    },
    base=Encoder,
)

__all__ = [
    "DSTE",
    "ENCODERS",
    "STGCN",
    "STTR",
    "Canonical",
    "ClipShape",
    "DenseEncoder",
    "Disentangled",
    "Encoder",
    "Features",
    "JointTransformer",
    "Kept",
    "MapEncoder",
    "MaskedEncoder",
    "PatchEncoder",
    "RotaryTransformer",
    "View",
]
