"""Exported encoders: how far onnxruntime is from PyTorch, and how long each takes for a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import onnxruntime
import torch

from benchmarks.uses import Figure, Options
from kineme.checkpoints import build_encoder, save_encoder
from kineme.encoders import ClipShape
from kineme.inference.exporting.export import ENCODER, TOLERANCE, export
from kineme.layouts import get_layout
from kineme.loading import load_run
from kineme.model import Model
from kineme.packaged import find_recipe
from kineme.preprocessing import parse_preprocessing
from kineme.settings import load_config

SYSTEMS = {  # encoder → the recipe of its published size, and of a small one
    "ST-GCN (AimCLR)": ("aimclr-ntu60-xsub", "aimclr-small"),
    "STTR (USDRL)": ("usdrl-sttr-ntu60-xsub", "usdrl-small"),
    "DSTE (USDRL)": ("usdrl-dste-ntu60-xsub", "usdrl-dste-small"),
    "disentangled (SCD-Net)": ("scdnet-ntu60-xsub", "scdnet-small"),
}
CLIPS, ROUNDS = 8, 5


def measure(options: Options) -> Iterator[Figure]:
    for name, recipes in SYSTEMS.items():
        recipe = recipes[options.small]
        model = untrained(recipe, options.folder / recipe)
        exported = export(model, options.folder / f"exported-{recipe}")
        yield Figure(
            f"{name}: onnxruntime differs by, of the largest feature", exported.difference, "", TOLERANCE
        )
        yield Figure(f"{name}: export", exported.seconds, "s")
        threads = onnxruntime.SessionOptions()
        threads.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(exported.path / ENCODER, threads)
        shape = model.shape
        clips = torch.randn(CLIPS, 3, shape.frames, shape.layout.num_joints, shape.bodies)
        arrays = {"clips": clips.numpy()}
        yield Figure(f"{name}: onnxruntime, per clip", timed(lambda: session.run(None, arrays)), "ms")  # noqa: B023
        with torch.inference_mode():
            yield Figure(f"{name}: PyTorch, per clip", timed(lambda: model.encoder(clips)), "ms")  # noqa: B023


def untrained(recipe: str, folder: Path) -> Model:
    """The encoder of a recipe with random weights and the statistics of random clips."""
    config = load_config(find_recipe(recipe)).to_dict()
    torch.manual_seed(0)
    shape = ClipShape(get_layout("ntu25"), config["data"]["frames"], 2, config["data"]["stream"])
    encoder = build_encoder(config["encoder"], shape).train()
    with torch.no_grad():
        for _ in range(3):
            encoder(torch.randn(CLIPS, 3, shape.frames, 25, 2))
    folder.mkdir()
    preprocessing = parse_preprocessing(config["data"]["preprocessing"] or "plain")
    save_encoder(folder / "model.safetensors", encoder, preprocessing, config, units="metres")
    return load_run(folder)


def timed(once: Callable[[], object]) -> float:
    """Milliseconds per clip: the median of several rounds after one that does not count."""
    once()
    seconds = []
    for _ in range(ROUNDS):
        began = perf_counter()
        once()
        seconds.append(perf_counter() - began)
    return 1000 * median(seconds) / CLIPS
