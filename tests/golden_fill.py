"""Weights and inputs of the golden files, rebuilt from names and seeds.

The goldens hold what the published programs compute, not their weights: each tensor of a state dict is drawn
from a random stream seeded by its own key, so that weights of any size can be made anywhere.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"


def is_structural(key: str) -> bool:
    """Adjacency and positional-encoding buffers: computed by the model, never filled."""
    return key.split(".")[-1] in ("A", "pe")


def fill(key: str, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    """The tensor of this name and shape: float32, but int64 zeros for counters and queue pointers."""
    assert not is_structural(key), f"{key} keeps the model's own values"
    name = key.split(".")[-1]
    if name.endswith(("num_batches_tracked", "queue_ptr")):
        return np.zeros(shape, np.int64)
    # USDRL's DSTE lists one shared attention module under two names; both give the same values.
    seed = zlib.crc32(key.replace(".DSA.attn.", ".CA.attn.").encode())
    draw = np.random.default_rng(seed).standard_normal(tuple(shape))
    return _scaled(key, name, draw).astype(np.float32)


def _scaled(key: str, name: str, draw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Brings a standard normal draw to the range that suits the tensor's role."""
    if name == "running_var":
        return 1 + 0.2 * np.abs(draw)
    if name.endswith("queue"):  # (dimensions, entries): unit columns
        return draw / np.linalg.norm(draw, axis=0, keepdims=True)
    if name == "alpha":
        return np.full(draw.shape, 0.5)
    if name == "spe":  # learned positional encoding
        return 0.02 * draw
    if name in ("running_mean", "PA"):  # PA: a learned adjacency
        return 0.1 * draw
    if "edge_importance" in key or (name.endswith("weight") and draw.ndim == 1):  # 1-D: a norm's scale
        return 1 + 0.1 * draw
    if name.endswith("bias"):
        return 0.1 * draw
    return draw / np.sqrt(np.prod(draw.shape[1:]))


def load_filled(keys_json: str | Path) -> dict[str, Tensor]:
    """The filled state dict in the authors' layout; structural keys are left out.

    A bare file name is looked up in tests/golden.
    """
    layout = json.loads((GOLDEN / keys_json).read_text(encoding="utf-8"))
    return {key: torch.from_numpy(fill(key, tuple(shape))) for key, shape in layout if not is_structural(key)}


def golden_inputs(golden: Mapping[str, npt.NDArray[np.generic]], *shapes: tuple[int, ...]) -> list[Tensor]:
    """The golden's inputs, one shape an array: `scale` times a normal draw seeded by `input_seed[i]`."""
    seeds, scale = np.atleast_1d(golden["input_seed"]), float(golden["scale"])
    assert len(seeds) >= len(shapes), f"{len(shapes)} shapes but {len(seeds)} seeds"
    return [
        torch.from_numpy((np.random.default_rng(int(seed)).standard_normal(shape) * scale).astype(np.float32))
        for seed, shape in zip(seeds, shapes, strict=False)
    ]


def load_golden(name: str) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of tests/golden/`name`."""
    with np.load(GOLDEN / name) as arrays:
        return dict(arrays)
