"""AimCLR as a method: agreement with the published program, its views, and when mining begins."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from golden_fill import GOLDEN, golden_inputs, load_filled, load_golden
from stepping import drawn, step
from torch import Tensor

from kineme.authors.aimclr import authors_name
from kineme.checkpoints import from_authors
from kineme.clips.batches import Clips
from kineme.encoders.base import ClipShape, View
from kineme.encoders.stgcn import STGCN
from kineme.layouts import LAYOUTS, Layout
from kineme.losses.contrast import contrast_logits, distribution_divergence, info_nce, mined_info_nce
from kineme.methods.aimclr import AimCLR, energy_attention_drop
from kineme.streams import to_stream

NTU = LAYOUTS["ntu25"]
STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
VIEW = (4, 3, 50, 25, 2)
TERMS = ("infonce", "d3m_extreme", "d3m_dropped", "loss")


def assert_agrees(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6 * np.abs(theirs).max())


def published() -> AimCLR:
    method = from_authors("aimclr", load_filled("aimclr.keys.json"))
    assert isinstance(method, AimCLR)
    return method


def channels_first(feature_map: Tensor) -> Tensor:
    """(B, T, V, C) → (B, C, T, V), as the goldens hold it."""
    return feature_map.permute(0, 3, 1, 2)


@torch.no_grad()
def test_features_and_projections_agree_with_the_published_program() -> None:
    method, golden = published(), load_golden("aimclr_encoder.npz")
    extreme = golden_inputs(golden, VIEW)[0]
    assert_agrees(method.encoder.graph, golden["A"])
    feature = method.encoder(extreme).clip
    assert_agrees(feature, golden["feature"])
    assert_agrees(method.head(feature), golden["projection"])
    feature_map = method.encoder.feature_map(extreme)
    assert_agrees(channels_first(feature_map)[:2, :8], golden["feature_map_slice"])
    dropped = energy_attention_drop(feature_map)
    assert_agrees(channels_first(dropped)[:2, :8], golden["dropped_slice"])
    assert (dropped == 0).double().mean().item() == pytest.approx(float(golden["dropped_fraction"]), abs=1e-5)
    assert_agrees(method.head(method.encoder.pool(dropped, bodies=2)), golden["projection_dropped"])


def test_energy_attention_drop_agrees_with_the_published_program() -> None:
    """Joints stand out in this map, so that whole joints and single entries are dropped."""
    golden = load_golden("aimclr_eadm.npz")
    feature_map = torch.from_numpy(golden["feature_map"]).permute(0, 2, 3, 1)
    dropped = channels_first(energy_attention_drop(feature_map))
    assert_agrees(dropped, golden["dropped"])
    assert (dropped == 0).all(dim=(1, 2)).any()


def test_energy_attention_drop_passes_gradients_through_what_it_keeps() -> None:
    feature_map = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    dropped = energy_attention_drop(feature_map)
    dropped.sum().backward()
    assert feature_map.grad is not None
    torch.testing.assert_close(feature_map.grad * feature_map, dropped)


def test_contrast_losses_agree_with_the_published_program() -> None:
    golden = {name: torch.from_numpy(np.asarray(a)) for name, a in load_golden("aimclr_contrast.npz").items()}
    logits = [
        contrast_logits(golden[name], golden["key"], golden["queue"].T, float(golden["temperature"]))
        for name in ("query", "query_extreme", "query_dropped")
    ]
    assert_agrees(info_nce(logits[0]), golden["infonce"].numpy())
    assert_agrees(distribution_divergence(logits[0], logits[1]), golden["d3m_extreme"].numpy())
    assert_agrees(distribution_divergence(logits[0], logits[2]), golden["d3m_dropped"].numpy())
    for k in (1, 2, 3):
        assert_agrees(mined_info_nce(logits, k), golden[f"mining_infonce_k{k}"].numpy())
        nearest = [set(each[:, 1:].topk(k).indices[row].tolist()) for row in range(6) for each in logits]
        union = [1 + len(set.union(*nearest[3 * row : 3 * row + 3])) for row in range(6)]
        assert union == golden[f"positives_k{k}"].tolist()


def test_the_divergence_holds_its_target_fixed() -> None:
    target = torch.randn(3, 5, requires_grad=True)
    logits = torch.randn(3, 5, requires_grad=True)
    distribution_divergence(target, logits).backward()
    assert target.grad is None
    expected = (logits.softmax(1) - target.softmax(1)) / 3
    torch.testing.assert_close(logits.grad, expected.detach())


@pytest.mark.parametrize(("name", "mining"), [("plain", 0), ("mining", 1)])
def test_a_training_step_agrees_with_the_published_program(name: str, mining: int) -> None:
    method, golden = published(), load_golden(f"aimclr_{name}.npz")
    views = golden_inputs(load_golden("aimclr_encoder.npz"), VIEW, VIEW, VIEW)
    losses = step(method, tuple(views), progress=0.9 if mining else 0.0)
    for term in TERMS:
        assert_agrees(losses[term], golden["loss" if term == "loss" else f"loss_{term}"])
    assert_agrees(method.queue.keys[:8].T, golden["queue_after"])
    assert method.queue.next_row == 4
    assert_agrees(method.key_head[0].weight[:4, :8], golden["encoder_k_fc0"])

    losses["loss"].backward()
    expected = json.loads((GOLDEN / f"aimclr_{name}.grads.json").read_text())
    ours = {
        authors_name(key).removeprefix("encoder_q."): parameter.grad
        for key, parameter in method.named_parameters()
        if parameter.requires_grad
    }
    assert ours.keys() == expected.keys()
    largest = max(norm for norm, _ in expected.values())
    for key, (norm, total) in expected.items():
        gradient = ours[key]
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6 * largest), key
        assert abs(gradient.sum().item() - total) <= 1e-3 * norm * math.sqrt(gradient.numel()), key


def small(stream: str = "joint", **settings: float) -> AimCLR:
    torch.manual_seed(0)
    encoder = STGCN(ClipShape(STICK, 8, 1, stream), channels=(4, 8), strided=(1,))
    return AimCLR(encoder, **{"queue": 20, "projection": 6} | settings)


def clips(count: int = 5) -> Clips:
    length = torch.tensor([9, 30, 12, 8, 50])[:count]
    frames = torch.randn(int(length.sum()), 1, 3, 3, generator=torch.Generator().manual_seed(1))
    return Clips(frames, length.cumsum(0) - length, length)


def views(method: AimCLR, seed: int = 0) -> tuple[Tensor, ...]:
    return drawn(method, clips(), seed)


def test_views_are_an_extreme_and_two_normal_ones_that_repeat_with_the_generator() -> None:
    method = small()
    first, again, other = views(method, seed=3), views(method, seed=3), views(method, seed=4)
    assert [tuple(view.shape) for view in first] == [(5, 3, 8, 3, 1)] * 3
    for view, same, different in zip(first, again, other, strict=True):
        assert torch.equal(view, same)
        assert not torch.equal(view, different)
    assert not torch.equal(first[1], first[2])


def test_only_the_extreme_view_loses_an_axis() -> None:
    point = torch.tensor([1.0, 2.0, 3.0])
    still = Clips(point.expand(9, 1, 3, 3).contiguous(), torch.zeros(200).long(), torch.full((200,), 9))
    extreme, query, key = drawn(small(), still, 0)
    lost = (extreme.abs().amax(dim=(2, 3, 4)) == 0).sum(1)
    assert set(lost.tolist()) == {0, 1}
    assert 70 < (lost == 1).sum() < 130
    for normal in (query, key):
        assert (normal.abs().amax(dim=(2, 3, 4)) > 0).all()


def test_views_take_the_stream_after_augmentation() -> None:
    joint, motion = views(small(min_crop=0.5)), views(small("motion", min_crop=0.5))
    for view, moved in zip(joint, motion, strict=True):
        assert torch.equal(moved, to_stream(view, "motion", STICK))


def test_mining_begins_after_its_share_of_training() -> None:
    method = small(mining=2, mining_from=0.5).eval()
    batch = [View(view) for view in views(method)]
    before, at, after = (method.loss(batch, progress)["infonce"] for progress in (0.49, 0.5, 0.9))
    assert before == small(mining=0).eval().loss(batch, 0.9)["infonce"]
    assert at == after != before


def test_a_loss_changes_nothing_and_the_hooks_do() -> None:
    method = small(momentum=0.5).eval()
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    outputs = method.loss([View(view) for view in views(method)], 0.0)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    method.before_step(0.0)
    name = "encoder.blocks.0.spatial.weight"
    torch.testing.assert_close(method.state_dict()[f"key_{name}"], before[f"key_{name}"] + 0.5)
    method.after_step(outputs, 0.0)
    torch.testing.assert_close(method.queue.keys[:5], outputs["keys"])


def test_without_the_extreme_view_it_is_skeletonclr() -> None:
    method = small(extreme=False)
    pair = views(method)
    assert len(pair) == 2
    losses = step(method, pair)
    assert set(losses) == {"infonce", "loss"}
    assert losses["loss"] is losses["infonce"]


def test_only_the_query_side_learns() -> None:
    method = small()
    step(method, views(method))["loss"].backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is None) == name.startswith("key_"), name


def test_losses_stay_in_float32_under_mixed_precision() -> None:
    method = small().eval()
    batch = views(method)
    full = step(small().eval(), batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = step(method, batch)
    for term in TERMS:
        assert half[term].dtype == torch.float32
        assert half[term].item() == pytest.approx(full[term].item(), rel=0.05)
