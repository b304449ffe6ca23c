"""A method or encoder that breaks its contract is named in one line that says what to change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kineme.checkpoints import build_method
from kineme.clips.batches import Clips
from kineme.encoders import STTR, ClipShape, Encoder, Features, View
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.methods import METHODS, Method
from kineme.training.contract import check_encoder, check_losses, check_views

SHAPE = ClipShape(get_layout("ntu25"), frames=4, bodies=2)


class Mean(Encoder):
    """Coordinates of the mean pose, projected."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.shape, self.dim = shape, 8
        self.linear = nn.Linear(3 * 25 * 2, 8)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → (N, 8)."""
        return Features(clip=self.norm(self.linear(clips.mean(2).flatten(1))))


class Nothing(Method):
    """A method without a loss of its own."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def views(self, clips: Clips, generator: torch.Generator) -> Sequence[View]:
        return []

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        return {}


def test_the_trial_of_an_encoder_leaves_it_as_it_was() -> None:
    encoder = Mean(SHAPE)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    check_encoder(encoder)
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize("name", ["shape", "dim"])
def test_an_encoder_without_an_attribute(name: str) -> None:
    encoder = Mean(SHAPE)
    delattr(encoder, name)
    with pytest.raises(KinemeError, match=rf"encoder \S+Mean: sets no `self.{name}`"):
        check_encoder(encoder)


def test_an_encoder_whose_feature_is_not_what_it_says() -> None:
    encoder = Mean(SHAPE)
    encoder.dim = 16
    with pytest.raises(KinemeError, match=r"\(2, 3, 4, 25, 2\), the feature is \(2, 8\), not \(2, 16\)"):
        check_encoder(encoder)


@pytest.mark.parametrize(
    ("part", "shape", "axes"), [("temporal", (2, 8), "N, T', D'"), ("tokens", (4, 1, 3, 8), "N, M, K, D'")]
)
def test_an_encoder_whose_parts_have_other_axes(
    monkeypatch: pytest.MonkeyPatch, part: str, shape: tuple[int, ...], axes: str
) -> None:
    given: dict[str, Any] = {part: torch.zeros(shape)}
    monkeypatch.setattr(Mean, "forward", lambda self, clips: Features(clip=torch.zeros(2, 8), **given))
    message = re.escape(f"`{part}` of clips (N, C, T, V, M) = (2, 3, 4, 25, 2) is {shape}, not ({axes})")
    with pytest.raises(KinemeError, match=message):
        check_encoder(Mean(SHAPE))


def test_an_encoder_whose_feature_is_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mean, "forward", lambda self, clips: Features(clip=np.zeros((2, 8))))  # type: ignore[arg-type]
    with pytest.raises(KinemeError, match=r"the feature is ndarray, not \(2, 8\)"):
        check_encoder(Mean(SHAPE))


def test_an_encoder_that_returns_a_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mean, "forward", lambda self, clips: clips)
    with pytest.raises(KinemeError, match=r"its `forward` returns Tensor; return Features\(clip=\.\.\.\)"):
        check_encoder(Mean(SHAPE))


def test_views_are_of_the_clips_that_the_encoder_takes() -> None:
    method = Nothing(Mean(SHAPE))
    check_views(method, [View(torch.zeros(3, 3, t, 25, 2)) for t in (4, 7)])
    with pytest.raises(KinemeError, match="`views` must return a sequence of View"):
        check_views(method, [torch.zeros(3, 3, 4, 25, 2)])  # type: ignore[list-item]
    check_views(method, [View(torch.zeros(6, 3, 4, 25, 1))])  # each body a clip of its own, as in SLiM
    with pytest.raises(KinemeError, match=r"view 2 are \(3, 3, 4, 25, 3\), not \(N, 3, T, 25, 2\)"):
        check_views(method, [View(torch.zeros(3, 3, 4, 25, bodies)) for bodies in (2, 3)])
    with pytest.raises(KinemeError, match=r"view 1 are \(3, 4\), not"):
        check_views(method, [View(torch.zeros(3, 4))])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.zeros((), requires_grad=True), "`loss` must return tensors by name"),
        ({"loss": 1.0}, "`loss` must return tensors by name"),
        ({"total": torch.zeros(())}, "`loss` returns total; what is minimised must be called loss"),
        ({}, "`loss` returns nothing"),
        ({"loss": torch.zeros(3, requires_grad=True)}, r"`loss` has the axes \(3,\)"),
        ({"loss": torch.zeros(())}, "`loss` has no gradient"),
    ],
)
def test_losses_have_names_and_one_of_them_a_gradient(returned: Any, message: str) -> None:
    with pytest.raises(KinemeError, match=rf"method \S+Nothing: {message}"):
        check_losses(Nothing(Mean(SHAPE)), returned)


def test_a_method_without_its_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(Nothing):
        def __init__(self, encoder: Encoder) -> None:
            nn.Module.__init__(self)
            self.network = encoder

    monkeypatch.setattr(METHODS, "_registered", {"elsewhere": Elsewhere})
    with pytest.raises(KinemeError, match=r"method elsewhere: sets no `self\.encoder`"):
        build_method({"name": "elsewhere"}, STTR(SHAPE, hidden=8))
