"""USDRL as a method: agreement with the published program, views, batches over several processes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import GOLDEN, golden_inputs, load_filled, load_golden
from spawning import on_two
from stepping import drawn, step
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from kineme.authors.usdrl import authors_name, from_state
from kineme.clips.batches import Clips
from kineme.encoders.base import ClipShape
from kineme.encoders.disentangled import Disentangled
from kineme.encoders.dste import DSTE
from kineme.encoders.sttr import STTR
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout, get_layout
from kineme.methods.usdrl import USDRL
from kineme.streams import STREAMS, to_stream

NTU = LAYOUTS["ntu25"]
STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
VIEW = (8, 3, 64, 25, 2)


def published(encoder: str, stream: str) -> tuple[USDRL, tuple[Tensor, ...], dict[str, np.ndarray]]:
    """The golden's model, its four views in the stream, and what the published program makes of them."""
    golden = load_golden(f"usdrl_{encoder}_{stream}.npz")
    views = golden_inputs(golden, VIEW, VIEW, VIEW, VIEW)
    method = from_state(load_filled(f"usdrl_{encoder}.keys.json")).eval()
    return method, tuple(to_stream(view, stream, NTU) for view in views), golden


def assert_agrees(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("encoder", ["sttr", "dste"])
def test_agrees_with_the_published_program(encoder: str, stream: str) -> None:
    method, views, golden = published(encoder, stream)
    features = method.encoder(views[0])
    assert features.temporal is not None
    assert features.spatial is not None
    assert_agrees(features.temporal[:2], golden["temporal_tokens"])
    assert_agrees(features.spatial[:2], golden["spatial_tokens"])
    assert_agrees(features.clip, golden["feature"])
    for grain, z in method.project(features, 1).items():
        assert_agrees(z[0], golden[f"z_{grain}"])
    losses = step(method, views)
    for name in ("similarity", "variance_covariance", "cross_correlation"):
        assert_agrees(losses[name], golden[f"loss_{name}"])
    assert_agrees(losses["loss"], golden["loss"])


@pytest.mark.parametrize("encoder", ["sttr", "dste"])
def test_gradients_agree_with_the_published_program(encoder: str) -> None:
    method, views, _ = published(encoder, "joint")
    step(method, views)["loss"].backward()
    expected = json.loads((GOLDEN / f"usdrl_{encoder}.grads.json").read_text())
    ours = {authors_name(name, encoder == "dste"): p.grad for name, p in method.named_parameters()}
    assert ours.keys() == expected.keys()
    largest = max(norm for norm, _ in expected.values())
    for name, (norm, total) in expected.items():
        gradient = ours[name]
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6 * largest), name
        if norm > 1e-6 * largest:  # those below are analytically zero
            assert abs(gradient.sum().item() - total) <= 1e-3 * norm * math.sqrt(gradient.numel()), name


def small(encoder: type[STTR] | type[DSTE] = STTR, stream: str = "joint", **settings: float) -> USDRL:
    torch.manual_seed(0)
    return USDRL(encoder(ClipShape(STICK, 8, 1, stream), hidden=8), **settings)


def clips(count: int = 5) -> Clips:
    length = torch.tensor([9, 30, 12, 8, 50])[:count]
    frames = torch.randn(int(length.sum()), 1, 3, 3, generator=torch.Generator().manual_seed(1))
    return Clips(frames, length.cumsum(0) - length, length)


def test_views_are_four_distinct_ones_that_repeat_with_the_generator() -> None:
    method = small()
    first, again, other = (drawn(method, clips(), s) for s in (3, 3, 4))
    assert [tuple(view.shape) for view in first] == [(5, 3, 8, 3, 1)] * 4
    for view, same, different in zip(first, again, other, strict=True):
        assert torch.equal(view, same)
        assert not torch.equal(view, different)
    assert not torch.equal(first[0], first[1])


def test_views_corrupt_the_same_joints_in_every_frame_or_shear_all() -> None:
    """A clip that stands still at one point: what the augmentations do to that point shows in each joint."""
    point = torch.tensor([1.0, 2.0, 3.0])
    still = Clips(point.expand(9, 1, 3, 3).contiguous(), torch.zeros(200).long(), torch.full((200,), 9))
    view = drawn(small(), still, 0)[0]
    assert torch.allclose(view, view[:, :, :1])  # nothing moves
    joints = view[:, :, 0, :, 0]  # (N, C, V)
    kept = (joints - point[:, None]).abs().amax(1) < 1e-5
    zeroed = joints.abs().amax(1) == 0
    corrupted = kept.sum(1) == 1  # 15 of 25 joints are 2 of 3
    sheared = kept.sum(1) == 0
    assert (corrupted | sheared).all()
    assert (zeroed.sum(1)[sheared] == 0).all()
    assert set(zeroed.sum(1)[corrupted].tolist()) == {0, 2}
    assert 70 < sheared.sum() < 130
    assert 25 < (zeroed.sum(1) == 2).sum() < 75


def test_views_take_the_stream_after_augmentation() -> None:
    joint, motion = (drawn(small(stream=stream), clips()) for stream in ("joint", "motion"))
    assert torch.equal(motion[2], to_stream(joint[2], "motion", STICK))


def test_loss_is_the_weighted_sum_of_its_terms_and_grains() -> None:
    method = small(similarity=2.0, variance=3.0, cross=0.5, grain=0.25)
    out = step(method, drawn(method, clips(), 0))
    weights = {"similarity": 2.0, "variance_covariance": 3.0, "cross_correlation": 0.5}
    assert out["loss"].item() == pytest.approx(sum(w * out[n].item() for n, w in weights.items()), rel=1e-5)
    for name in weights:
        dense = out[f"{name}/temporal"] + out[f"{name}/spatial"]
        assert out[name].item() == pytest.approx((out[f"{name}/instance"] + 0.25 * dense).item(), rel=1e-5)
    assert [name for name, value in out.items() if value.requires_grad] == ["loss"]
    assert 1 <= out["effective_rank"] <= 4  # 5 clips have at most 4 dimensions


def test_each_view_has_its_own_batch_statistics() -> None:
    method = small().train()
    pooled = torch.randn(4, 6, 16)
    together = method.instance_projector(pooled)
    alone = method.instance_projector(pooled[2:3])
    assert torch.allclose(together[2:3], alone, atol=1e-6)


def test_losses_stay_in_float32_under_mixed_precision() -> None:
    method = small(DSTE)
    views = drawn(method, clips(), 0)
    with torch.autocast("cpu", torch.bfloat16):
        half = step(method.eval(), views)
    full = step(method, views)
    assert all(value.dtype == torch.float32 for value in half.values())
    assert half["loss"].item() == pytest.approx(full["loss"].item(), rel=0.02)


def test_a_batch_of_one_clip_is_refused() -> None:
    method = small()
    with pytest.raises(KinemeError, match="at least 2 clips"):
        step(method, drawn(method, clips(1), 0))


class Trained(torch.nn.Module):
    """A method as a trainer wraps it: the loss is what `forward` gives."""

    def __init__(self, method: USDRL):
        super().__init__()
        self.method = method

    def forward(self, views: tuple[Tensor, ...]) -> Tensor:
        return step(self.method, views)["loss"]


def trained(method: USDRL, wrapped: torch.nn.Module, views: Tensor) -> dict[str, Tensor]:
    """Loss, gradients and running statistics of one training step."""
    loss = wrapped.train()(tuple(views))
    loss.backward()
    gradients = {name: p.grad for name, p in method.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **gradients, **dict(method.named_buffers())}


def half_a_batch(rank: int, views: Tensor, out: str) -> None:
    method = small()
    half = views.chunk(2, dim=1)[rank]
    torch.save(trained(method, DistributedDataParallel(Trained(method)), half), f"{out}/{rank}.pt")


def test_two_processes_train_as_one_with_both_batches(tmp_path: Path) -> None:
    views = torch.randn(4, 6, 3, 8, 3, 1, generator=torch.Generator().manual_seed(0))
    method = small()
    expected = trained(method, Trained(method), views)
    on_two(half_a_batch, views, str(tmp_path))
    largest = max(value.float().norm().item() for name, value in expected.items() if name != "loss")
    for rank in range(2):
        ours = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert ours.keys() == expected.keys()
        for name, value in expected.items():
            allowed = 1e-5 * value.float().norm() + 1e-6 * largest  # several gradients are analytically zero
            assert (ours[name] - value).float().norm() <= allowed, name


def test_views_lose_a_share_of_their_joints_and_only_then_are_any_drawn() -> None:
    clips = Clips(torch.randn(400, 1, 25, 3), torch.arange(0, 400, 4), torch.full((100,), 4))
    shape = ClipShape(get_layout("ntu25"), 8, 1)
    plain, thin = (USDRL(STTR(shape, hidden=8), missing=missing) for missing in (0.0, 0.3))
    before = plain.views(clips, torch.Generator().manual_seed(0))
    after = thin.views(clips, torch.Generator().manual_seed(0))
    assert all(view.present is None for view in before)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one.clips, other.clips)  # the coordinates are drawn as without
    present = torch.stack([view.present for view in after if view.present is not None])
    assert present.float().mean().item() == pytest.approx(0.7, abs=0.02)
    assert not torch.equal(present[0], present[1])
    lacking = torch.arange(25) > 2
    held = thin.views(replace(clips, present=lacking.expand(100, 25)), torch.Generator().manual_seed(0))
    assert not any(view.present[:, :3].any() for view in held if view.present is not None)


def test_joints_are_dropped_only_for_encoders_that_can_leave_them_out() -> None:
    shape = ClipShape(get_layout("ntu25"), 8, 1)
    with pytest.raises(KinemeError, match="Disentangled cannot leave joints out"):
        USDRL(Disentangled(shape, hidden=8, stem=[8]), missing=0.1)
