"""What `kineme info` tells of a run."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kineme.model import Model

TIMED = 256  # clips that are encoded to tell how fast that is


def described(run: Path) -> dict[str, Any]:
    """A run's encoder: what it takes, what it was trained on, what it costs, and what there is of it.

    Raises:
        KinemeError: it cannot be read.
    """
    from kineme.clips.folders import is_address
    from kineme.config import DataConfig
    from kineme.inference.classifying.paths import FOLDER
    from kineme.loading import load
    from kineme.reproduce.cost import cost_of

    model = load(run)
    shape, cost, data = model.shape, cost_of(model.encoder), DataConfig(**model.config["data"])
    folder = run if run.is_dir() else run.parent
    return {
        "method": model.method,
        "encoder": model.config["encoder"]["name"],
        "stream": model.stream,
        "trained on": [
            each if is_address(each) else str(Path(each).resolve()) for each in map(str, data.stores)
        ],
        "split": list(data.splits),
        "epochs": model.epochs,
        "joints": f"{shape.layout.num_joints} ({shape.layout.name})",
        "bodies": shape.bodies,
        "frames": shape.frames,
        "units": model.units,
        "preprocessing": model.preprocessing.id,
        "features": model.encoder.dim,
        "parameters": cost.parameters,
        "MFLOP a clip": round(cost.flops / 1e6, 1),
        "clips/s here": round(_speed(model)),
        "classifiers": sorted(path.stem for path in (folder / FOLDER).glob("*.safetensors")),
        "results": sorted(path.stem for path in (folder / "results").glob("*.json")),
        "weights": model.weights,
    }


def _speed(model: Model) -> float:
    """Clips that are encoded in a second, here and now."""
    import numpy as np

    from kineme.clips.batches import joined
    from kineme.encoders.base import COORDINATES

    shape = model.shape
    clip = np.ones((shape.frames, shape.bodies, shape.layout.num_joints, COORDINATES), np.float32)
    clips = joined([clip] * TIMED)
    model.encode(clips[:1])  # the first pass takes longer
    began = perf_counter()
    model.encode(clips)
    return TIMED / (perf_counter() - began)
