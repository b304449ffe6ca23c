"""Preprocessings: what is done to a raw clip before it goes into a store.

The same checkpoint scores 85.3 or 79.9 % depending on this step alone, so every preprocessing has a name and
parameters, which travel from the store into checkpoints and results. The built-in ones are:

- `plain`: centred, optionally turned to the front and scaled; any layout.
- `crossclr`: 50 frames, each body centred and turned frame by frame (AimCLR, after CrossCLR).
- `agcn`: the two most energetic bodies, gaps at the end filled, aligned by frame 0 (SCD-Net, USDRL, after
  2s-AGCN).
- `ctrgcn`: tracked people, denoised and merged into two bodies, never turned (MAMP, after CTR-GCN).

A preprocessing maps (T, M, V, C) float32, y up, with all bodies of a recording to (T', M', V, C), M' at
most two. Absent bodies are zero before and after.
"""

from kineme.preprocessing.agcn import AGCN
from kineme.preprocessing.base import MAX_BODIES, PREPROCESSINGS, Preprocessing, Unavailable
from kineme.preprocessing.bodies import first_bodies
from kineme.preprocessing.crossclr import CrossCLR
from kineme.preprocessing.ctrgcn import CTRGCN
from kineme.preprocessing.names import get_preprocessing, parse_preprocessing, stored_preprocessing
from kineme.preprocessing.plain import Plain

__all__ = [
    "AGCN",
    "CTRGCN",
    "MAX_BODIES",
    "PREPROCESSINGS",
    "CrossCLR",
    "Plain",
    "Preprocessing",
    "Unavailable",
    "first_bodies",
    "get_preprocessing",
    "parse_preprocessing",
    "stored_preprocessing",
]
