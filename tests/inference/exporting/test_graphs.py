"""What is recorded of an encoder."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kineme.augment.missing import filled
from kineme.encoders import DSTE, STTR, ClipShape, JointTransformer, RotaryTransformer
from kineme.encoders.absent import encoded
from kineme.encoders.base import Encoder
from kineme.errors import KinemeError
from kineme.inference.exporting import graphs
from kineme.inference.exporting.graphs import PresentFeatures
from kineme.layouts import get_layout
from kineme.layouts.body import BODY, body_weights
from kineme.streams import TOGETHER

_, COCO, _ = body_weights(get_layout("coco17"))
MAKERS: dict[str, Callable[[ClipShape], Encoder]] = {
    "sttr": lambda shape: STTR(shape, hidden=8, heads=2, depth=1),
    "dste": lambda shape: DSTE(shape, hidden=8, heads=2, depth=1),
    "mamp": lambda shape: JointTransformer(shape, hidden=8, heads=2, depth=2),
    "slim": lambda shape: RotaryTransformer(shape, hidden=8, heads=2, depth=2, patch=4, registers=2),
}


def make(name: str, stream: str = "joint") -> Encoder:
    torch.manual_seed(0)
    return MAKERS[name](ClipShape(BODY, 8, 2, stream)).eval()


def clips() -> Tensor:
    return torch.randn(3, 3, 8, BODY.num_joints, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        *((name, stream) for name in MAKERS for stream in ("joint", "bone", "motion")),
        ("sttr", TOGETHER),
        ("dste", TOGETHER),
    ],
)
def test_of_clips_that_lack_joints_it_has_the_features_of_the_encoder(name: str, stream: str) -> None:
    """In the clips that it is shown, absent joints are where their neighbours are."""
    encoder, present = make(name, stream), torch.from_numpy(COCO).expand(3, -1)
    shown = encoder.shape.take(filled(clips(), present, BODY))
    with torch.no_grad():
        found, expected = PresentFeatures(encoder, COCO)(shown), encoded(encoder, clips(), present).clip
    torch.testing.assert_close(found, expected)
    assert encoder.places_missing  # the encoder itself stays as it was


@pytest.mark.parametrize(("name", "front"), [("sttr", 0), ("mamp", 0), ("slim", 3)])
def test_only_tokens_of_present_joints_are_computed(name: str, front: int) -> None:
    """COCO's 17 joints, of two bodies or in two segments; in front of SLiM's a class token and registers."""
    encoder, computed = make(name), []

    def note(layer: Any, inputs: tuple[Tensor, ...], *_: Any) -> None:
        computed.append(inputs[0].shape[1])

    layers = encoder.spatial.layers if isinstance(encoder, STTR) else encoder.blocks
    layers[0].register_forward_hook(note)
    PresentFeatures(encoder, COCO)(clips())
    assert computed == [front + 17 * 2]
    assert np.count_nonzero(COCO) == 17


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "find_spec", lambda name: None if name.startswith("onnx") else name)
    with pytest.raises(
        KinemeError, match=r'needs onnx, onnxscript, onnxruntime; pip install "kineme\[export\]"'
    ):
        graphs.check_installed()


def test_what_is_needed_is_what_the_extra_brings() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    brought = {line.partition(">=")[0] for line in project["project"]["optional-dependencies"]["export"]}
    assert brought == set(graphs.NEEDED)
