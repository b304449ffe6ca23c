"""MAMP as a method: agreement with the published program, views, masking, targets."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from golden_fill import GOLDEN, golden_inputs, load_filled, load_golden
from torch import Tensor

from kineme import augment
from kineme.authors.mamp import authors_name, from_state
from kineme.clips.batches import Clips
from kineme.encoders import ClipShape, JointTransformer, Kept, View
from kineme.layouts import Layout
from kineme.methods import MAMP
from kineme.streams import to_stream

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
SETTINGS = ("mamp", "mamp_mae")
Golden = dict[str, np.ndarray]


def published(name: str) -> tuple[MAMP, Tensor, Tensor, Golden]:
    """The golden's method, clips and noise, and what the published program makes of them."""
    golden = load_golden(f"{name}.npz")
    (clips,) = golden_inputs(golden, (4, 3, 120, 25, 2))
    clip, slot = golden["empty_body"]
    clips[clip, ..., slot] = 0
    noise = np.random.default_rng(int(golden["noise_seed"])).random((8, 750)).astype(np.float32)
    encoder = from_state(load_filled("mamp.keys.json")).encoder
    plain = {"masking": "random", "target": "joint"} if name == "mamp_mae" else {}
    method = MAMP(encoder, decoder_hidden=32, decoder_depth=1, **plain)
    method.load_state_dict(from_state(load_filled("mamp.keys.json")).state_dict())
    return method.eval(), clips, torch.from_numpy(noise).view(4, 2, 750), golden


def part(each: Tensor) -> Tensor:
    """What the goldens hold of an array (N, M, 750, ...): of two bodies every 15th token."""
    return each.flatten(0, 1)[:2, ::15]


def assert_agrees(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6 * np.abs(theirs).max())


def test_the_encoder_agrees_with_the_published_program() -> None:
    method, clips, _, golden = published("mamp")
    features = method.encoder(clips)
    assert_agrees(part(method.encoder.embedded(clips).view(4, 2, 750, -1)), golden["embedded"])
    assert_agrees(part(features.tokens), golden["tokens"])
    assert_agrees(features.clip, golden["feature"])


def test_the_masking_agrees_with_the_published_program() -> None:
    _, clips, _, golden = published("mamp")
    intensity = augment.motion_intensity(augment.to_patches(clips, 4), 25)
    logits = augment.masking_logits(intensity, float(golden["tau"])).flatten(0, 1)
    assert_agrees(logits[:4], golden["scaled_intensity"])
    assert_agrees(logits.softmax(1)[:4], golden["probability"])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_step_agrees_with_the_published_program(name: str) -> None:
    method, clips, noise, golden = published(name)
    kept = method.kept(clips, noise)
    assert kept.shape == (4, 2, 74)
    hidden = augment.hidden_patches(kept, 750)
    np.testing.assert_array_equal(hidden.flatten(0, 1), golden["mask"].astype(bool))
    target = golden["normalized_target" if name == "mamp_mae" else "normalized_target_stride1"]
    assert_agrees(part(method.target(clips)), target)
    assert_agrees(part(method.predict(clips, kept)), golden["prediction"])
    assert_agrees(method.loss([View(clips, kept=Kept(tokens=kept))], 0.0)["loss"], golden["loss"])


def test_strides_and_plain_targets_agree_with_the_published_program() -> None:
    method, clips, noise, golden = published("mamp")
    view = View(clips, kept=Kept(tokens=method.kept(clips, noise)))
    method.stride = 2
    assert_agrees(part(method.target(clips)), golden["normalized_target_stride2"])
    assert_agrees(method.loss([view], 0.0)["loss"], golden["loss_stride2"])
    method.standardise = False
    assert_agrees(part(method.target(clips)), golden["motion_target_stride2"])
    method.stride = 1
    assert_agrees(part(method.target(clips)), golden["motion_target_stride1"])
    assert_agrees(method.loss([view], 0.0)["loss"], golden["loss_not_normalized"])
    mae, _, _, golden = published("mamp_mae")
    mae.standardise = False
    assert_agrees(part(mae.target(clips)), golden["target"])


@pytest.mark.parametrize("name", SETTINGS)
def test_gradients_agree_with_the_published_program(name: str) -> None:
    method, clips, noise, _ = published(name)
    method.loss([View(clips, kept=Kept(tokens=method.kept(clips, noise)))], 0.0)["loss"].backward()
    expected = json.loads((GOLDEN / f"{name}.grads.json").read_text())
    ours = {authors_name(name): parameter.grad for name, parameter in method.named_parameters()}
    assert ours.keys() == expected.keys()
    largest = max(norm for norm, _ in expected.values())
    for key, (norm, total) in expected.items():
        gradient = ours[key]
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6 * largest), key
        assert abs(gradient.sum().item() - total) <= 1e-3 * norm * math.sqrt(gradient.numel()), key


def test_the_rotation_agrees_with_the_published_program() -> None:
    _, clips, _, golden = published("mamp")
    angles = torch.from_numpy(golden["rotation_angles"])[None]
    assert_agrees(augment.rotate(clips[:1, :, :4], angles.rad2deg())[0], golden["rotated"])


def small(stream: str = "joint", bodies: int = 1, **settings: object) -> MAMP:
    torch.manual_seed(0)
    encoder = JointTransformer(ClipShape(STICK, 8, bodies, stream), hidden=8, heads=2, depth=1, patch=2)
    settings = {"mask_ratio": 0.75, "decoder_hidden": 8, "decoder_depth": 1, "min_frames": 8, **settings}
    return MAMP(encoder, **settings)


def clips(count: int = 5) -> Clips:
    length = torch.tensor([9, 30, 12, 8, 50])[:count]
    frames = torch.randn(int(length.sum()), 1, 3, 3, generator=torch.Generator().manual_seed(1))
    return Clips(frames, length.cumsum(0) - length, length)


def view_of(method: MAMP, clips: Clips, seed: int = 0) -> tuple[Tensor, Tensor]:
    (view,) = method.views(clips, torch.Generator().manual_seed(seed))
    return view.clips, view.kept.tokens


def test_a_view_and_its_mask_repeat_with_the_generator() -> None:
    method = small(bodies=2)
    first, again, other = (view_of(method, clips(), seed) for seed in (3, 3, 4))
    assert first[0].shape == (5, 3, 8, 3, 2)
    assert first[1].shape == (5, 2, 3)  # a quarter of 4 · 3 patches
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1], other[1])


def test_a_view_is_a_window_turned_as_a_whole() -> None:
    """A ramp in x: its direction after the turn, and its length, tell the matrix and the window."""
    ramp = torch.zeros(100, 1, 3, 3)
    ramp[..., 0] = torch.arange(100.0)[:, None, None]
    many = Clips(ramp, torch.zeros(300, dtype=torch.int64), torch.full((300,), 100))
    view, _ = view_of(small(min_frames=64), many)
    steps = view[:, :, :, 0, 0].diff(dim=2)
    torch.testing.assert_close(steps, steps[:, :, :1].expand_as(steps), atol=2e-3, rtol=0)
    frames = 8 * steps[:, :, 0].norm(dim=1)
    assert 64 - 1e-2 <= frames.min() < 65
    assert 98 < frames.max() <= 100 + 1e-2
    direction = steps[:, :, 0] / steps[:, :, 0].norm(dim=1, keepdim=True)
    about_z, about_y = torch.atan2(direction[:, 1], direction[:, 0]), torch.asin(direction[:, 2])
    assert 0.28 < about_z.abs().max() <= 0.3 + 1e-4
    assert 0.28 < about_y.abs().max() <= 0.3 + 1e-4


def test_the_stream_is_taken_after_the_turn() -> None:
    joint, motion = (view_of(small(stream), clips())[0] for stream in ("joint", "motion"))
    torch.testing.assert_close(motion, to_stream(joint, "motion", STICK))


def test_what_moves_is_hidden_unless_masking_is_random() -> None:
    """One joint moves, two stand still: at a low temperature it is seldom seen."""
    frames = torch.zeros(8, 1, 3, 3)
    frames[:, 0, 2] = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    still = Clips(frames, torch.zeros(400, dtype=torch.int64), torch.full((400,), 8))

    def seen(**settings: object) -> float:
        _, kept = view_of(small(rotation=0.0, **settings), still)
        return (kept % 3 == 2).float().mean().item()

    assert seen(temperature=0.1) < 0.15
    assert seen(masking="random") == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("masking", ["motion-aware", "random"])
def test_equal_clips_are_hidden_differently(masking: str) -> None:
    frames = torch.randn(8, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    equal = Clips(frames, torch.zeros(50, dtype=torch.int64), torch.full((50,), 8))
    _, kept = view_of(small(rotation=0.0, masking=masking, min_crop=1.0), equal)
    assert len(kept.sort(-1).values.unique(dim=0)) > 5


def test_hidden_patches_are_not_seen_but_are_predicted() -> None:
    method = small()
    x, kept = view_of(method, clips(1))
    hidden = augment.hidden_patches(kept, 12)
    other = x.clone()
    segment, joint = divmod(int(hidden[0, 0].nonzero()[0]), 3)
    other[:, :, 2 * segment : 2 * segment + 2, joint] += 1
    assert torch.equal(method.predict(other, kept), method.predict(x, kept))
    assert not torch.equal(method.target(other), method.target(x))
    shown = method.decoder(torch.zeros(1, 3, 8), kept[0])
    assert torch.equal(shown, method.decoder(torch.zeros(1, 3, 8), kept[0].flip(1)))  # places, not order


def test_an_absent_body_has_the_target_zero_and_counts() -> None:
    method = small(bodies=2)
    x, kept = view_of(method, clips())
    assert not method.target(x)[:, 1].any()
    hidden = augment.hidden_patches(kept, 12)
    error = (method.predict(x, kept) - method.target(x)).square().mean(-1)
    expected = error[hidden].mean()
    loss = method.loss([View(x, kept=Kept(tokens=kept))], 0.0)["loss"]
    torch.testing.assert_close(loss, expected)


def test_the_loss_stays_in_float32_under_mixed_precision() -> None:
    method = small()
    x, kept = view_of(method, clips())
    view = View(x, kept=Kept(tokens=kept))
    full = method.loss([view], 0.0)["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        half = method.loss([view], 0.0)["loss"]
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(full.item(), rel=0.02)
