"""The fast form of every method gives what its plain form gives, with the same weights and draws."""

import pytest
import torch

from benchmarks.plain import PLAIN
from kineme.checkpoints import build_encoder, build_method
from kineme.clips.batches import Clips
from kineme.encoders import ClipShape
from kineme.layouts import get_layout
from kineme.methods import METHODS

SMALL = {
    "stgcn": {"channels": (8, 64, 64), "strided": (1,), "dropout": 0.0},
    "sttr": {"hidden": 32},
    "dste": {"hidden": 32, "drop_path": 0.0},
    "disentangled": {"hidden": 32, "stem": (8, 16, 8), "dropout": 0.0},
    "mamp": {"hidden": 32, "depth": 1},
    "slim": {"hidden": 32, "depth": 1},
}
CASES = [
    ("aimclr", "stgcn", "joint", {"queue": 8}),
    ("aimclr", "stgcn", "bone", {"queue": 8}),
    ("scdnet", "disentangled", "joint", {"queue": 8}),
    ("usdrl", "sttr", "joint", {}),
    ("usdrl", "dste", "motion", {}),
    ("mpct", "sttr", "joint+bone+motion", {"cross": 0.001}),
    ("mamp", "mamp", "joint", {"decoder_hidden": 32, "decoder_depth": 1, "min_frames": 16}),
    ("mamp", "mamp", "joint", {"decoder_hidden": 32, "decoder_depth": 1, "masking": "random"}),
    ("slim", "slim", "joint", {"prototypes": 32, "head_hidden": 16, "head_out": 8}),
]


def ragged_clips(bodies: int = 2) -> Clips:
    """Six clips of 20 to 35 frames of smooth random motion."""
    length = torch.arange(20, 38, 3)
    frames = torch.randn(int(length.sum()), bodies, 25, 3).cumsum(0) / 10
    return Clips(frames, length.cumsum(0) - length, length)


@pytest.mark.parametrize(("name", "encoder", "stream", "settings"), CASES)
def test_plain_and_fast_agree(name: str, encoder: str, stream: str, settings: dict[str, object]) -> None:
    torch.manual_seed(0)
    shape = ClipShape(get_layout("ntu25"), 16, 2, stream)
    method = build_method(
        {"name": name, **settings}, build_encoder({"name": encoder, **SMALL[encoder]}, shape)
    )
    method.train()
    clips = ragged_clips()
    fast, plain = (
        views(clips, torch.Generator().manual_seed(1))
        for views in (method.views, lambda *given: PLAIN[name].views(method, *given))
    )
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours.clips, theirs.clips, rtol=1e-5, atol=1e-5)
        assert ours.stream == theirs.stream
        if ours.kept is not None:
            assert theirs.kept is not None
            torch.testing.assert_close(ours.kept.tokens.sort().values, theirs.kept.tokens.sort().values)
        if ours.mask is not None:
            torch.testing.assert_close(ours.mask, theirs.mask)
    method.before_step(0.0)
    losses = [method.loss(fast, 0.0), PLAIN[name].loss(method, plain)]
    torch.testing.assert_close(losses[0]["loss"], losses[1]["loss"], rtol=1e-4, atol=1e-5)
    weights = [weight for weight in method.parameters() if weight.requires_grad]
    gradients = [
        torch.cat(
            [part.flatten() for part in torch.autograd.grad(each["loss"], weights, materialize_grads=True)]
        )
        for each in losses
    ]
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[1].norm()
    if "keys" in losses[0]:
        torch.testing.assert_close(losses[0]["keys"], losses[1]["keys"], rtol=1e-4, atol=1e-4)


def test_every_method_but_tandem_has_a_plain_form() -> None:
    assert set(PLAIN) == set(METHODS) - {"tandem"}
