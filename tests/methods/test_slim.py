"""SLiM as a method: views, masks, the terms of the loss, the teacher, by hand and by what they must keep."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from stepping import step
from torch import Tensor

from conftest import Settings
from kineme.augment import rotate
from kineme.clips.batches import Clips
from kineme.encoders import ClipShape, RotaryTransformer, View
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.loading import load_run
from kineme.losses import koleo, sinkhorn
from kineme.methods import SLiM
from kineme.methods.prototypes import PrototypeHead
from kineme.streams import to_stream
from kineme.training.run import train

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
QUIET = {"bone_scale": 0.0, "tilt": 0.0, "turn": 0.0, "noise": 0.0}
LOCALS = [(8, 0.3, 0.6), (4, 0.2, 0.4)]


def small(layout: Layout = STICK, bodies: int = 1, stream: str = "joint", **settings: object) -> SLiM:
    torch.manual_seed(0)
    encoder = RotaryTransformer(
        ClipShape(layout, 16, bodies, stream), hidden=8, heads=2, depth=1, patch=4, registers=2
    )
    sizes = {"prototypes": 6, "head_hidden": 8, "head_out": 4, "local_crops": LOCALS}
    return SLiM(encoder, **{**sizes, **settings})


def clips(count: int = 5, joints: int = 3, bodies: int = 1) -> Clips:
    length = torch.tensor([19, 40, 22, 16, 50])[:count]
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(int(length.sum()), bodies, joints, 3, generator=generator)
    return Clips(frames, length.cumsum(0) - length, length)


def ramps(count: int, length: int, joints: int = 3) -> Clips:
    """Clips whose z is the number of the frame, and whose x and y are small constants."""
    frames = torch.full((length, 1, joints, 3), 0.5)
    frames[..., 2] = torch.arange(float(length))[:, None, None]
    return Clips(frames, torch.zeros(count, dtype=torch.int64), torch.full((count,), length))


def views_of(method: SLiM, some: Clips, seed: int = 0) -> tuple[View, ...]:
    return method.views(some, torch.Generator().manual_seed(seed))


def test_views_are_two_whole_ones_and_pieces_of_each_of_one_body() -> None:
    views = views_of(small(bodies=2), clips(bodies=2))
    assert [view.clips.shape[2] for view in views] == [16, 16, 8, 4, 8, 4]
    for view in views:
        assert view.clips.shape == (5, 3, view.clips.shape[2], 3, 1)
        assert view.mask is not None
        assert view.mask.shape == view.clips[:, 0].shape


def test_views_and_masks_repeat_with_the_generator() -> None:
    method = small()
    first, again, other = (views_of(method, clips(), seed) for seed in (3, 3, 4))
    for one, two, three in zip(first, again, other, strict=True):
        assert torch.equal(one.clips, two.clips)
        assert torch.equal(one.mask, two.mask)
        assert not torch.equal(one.clips, three.clips)
    assert not torch.equal(first[0].clips, first[1].clips)


def test_windows_of_whole_views_and_of_pieces_in_them() -> None:
    """Times of views of clips of 400 frames: z is the time, less its value in the first frame."""
    views = views_of(small(**QUIET), ramps(400, 400))
    kept = views[1].clips[:, 2].flatten(1).any(1)  # the second view may have lost this axis
    times = [view.clips[kept, 2, :, 0, 0] for view in views]
    lengths = [each[:, -1] - each[:, 0] for each in times]
    assert all((each.diff(dim=1) > 0).all() for each in times)
    for number in (0, 1):
        assert 0.4 * 400 < lengths[number].min() < 0.5 * 400
        assert 0.9 * 400 < lengths[number].max() < 400
    part = 400 / 16  # a view shows where its window ends to within one of its parts
    for number, outer in ((2, 0), (3, 0), (4, 1), (5, 1)):
        assert (times[number][:, 0] >= times[outer][:, 0] - part).all()
        assert (times[number][:, -1] <= times[outer][:, -1] + part).all()
        share = (lengths[number] / lengths[outer]).mean().item()
        _, low, high = LOCALS[number % 2]
        # Of T parts the first and the last frame are one part less than the window apart, on average.
        shown = 1 - 1 / views[number].clips.shape[2]
        assert share == pytest.approx(shown * (low + high) / 2 * 16 / 15, rel=0.06)


def test_short_clips_are_taken_whole() -> None:
    """Of 8 frames a window is at least 16, so it is all of them, and every view is a resize."""
    some = ramps(3, 8)
    views = views_of(small(**QUIET, mask_ratio=(0.5, 0.5), local_crops=[(4, 0.2, 0.3)]), some)
    torch.testing.assert_close(views[0].clips[:, 2], some.resize(16)[:, 2])
    assert torch.equal(
        views[2].clips[:, 2, :, 0, 0].diff(dim=1).max(1).values <= 4, torch.ones(3, dtype=bool)
    )


def test_a_body_that_is_there_is_taken_relative_to_its_spine() -> None:
    some = clips(joints=25, bodies=2)
    some.frames[:, 0] = 0  # the first body is never there
    some.frames[:, 1] += 10
    views = views_of(small(LAYOUTS["ntu25"], bodies=2, **QUIET), some)
    middle = torch.stack([some.frames[first, 1, 1] for first in some.start])  # joint 2, counted from 1
    for view in views:
        assert view.clips.abs().mean() < 3  # not 10: something has been subtracted
        assert not (view.clips == 0).all(dim=1).all()
    whole = small(LAYOUTS["ntu25"], bodies=2, **QUIET, global_crop=(1.0, 1.0))
    (still, *_) = views_of(whole, Clips(some.frames[:1], torch.tensor([0]), torch.tensor([1])))
    z = still.clips[0, 2, 0, :, 0]
    flipped = LAYOUTS["ntu25"].mirror
    expected = some.frames[0, 1, :, 2] - middle[0, 2]
    assert torch.allclose(z, expected) or torch.allclose(z, expected[flipped])


def test_both_bodies_are_drawn_and_all_views_show_the_same() -> None:
    some = clips(bodies=2)
    some = Clips(some.frames, some.start[:1].repeat(200), some.length[:1].repeat(200))
    some.frames[:, 0, :, 1], some.frames[:, 1, :, 1] = 1.0, 2.0  # and less that of the first frame: 0
    some.frames[0, :, :, 1] = 0
    views = views_of(small(bodies=2, **QUIET), some)
    found = [view.clips[:, 1].flatten(1).amax(1).round() for view in views]
    for each in found[2:]:  # the second view may have lost this axis
        assert torch.equal(each, found[0])
    assert 0.35 < (found[0] == 1).float().mean() < 0.65


def test_half_of_the_global_views_are_masked_and_every_local_one() -> None:
    method = small(LAYOUTS["ntu25"])
    views = views_of(method, clips(joints=25))
    hidden = [method.encoder.hidden_patches(view.mask).float().mean((1, 2)) for view in views]
    whole = torch.cat(hidden[:2])
    assert int((whole > 0).sum()) == 5  # of 10
    assert (whole <= 0.9).all()
    for each in hidden[2:]:
        assert (each > 0).all()
        assert (each <= 0.9).all()
    segments = views[0].mask[..., 0].unflatten(1, (4, 4))  # whole patches
    assert torch.equal(segments.all(2), segments.any(2))


def test_views_are_turned_mirrored_scaled_and_noisy() -> None:
    """A body at rest: of its bones, lengths tell the scale, directions the turn."""
    frames = torch.randn(1, 1, 25, 3, generator=torch.Generator().manual_seed(0))
    some = Clips(frames.expand(40, -1, -1, -1), torch.zeros(400, dtype=torch.int64), torch.full((400,), 40))

    def bone(joint: int, parent: int, **settings: object) -> Tensor:
        method = small(LAYOUTS["ntu25"], **{**QUIET, **settings})
        view = views_of(method, some)[0].clips[:, :, 0, :, 0]
        return view[:, :, joint] - view[:, :, parent]

    before = frames[0, 0, 3] - frames[0, 0, 2]  # the head, which has no other side
    plain = bone(3, 2)
    mirrored = plain[:, 0].sign() != before[0].sign()
    assert 0.4 < mirrored.float().mean() < 0.6
    torch.testing.assert_close(plain.abs(), before.abs().expand(400, 3))
    ratio = bone(3, 2, bone_scale=0.15).norm(dim=1) / before.norm()
    assert 0.4 < (ratio - 1).abs().lt(1e-5).float().mean() < 0.6
    assert 0.85 <= ratio.min() < 0.87
    assert 1.13 < ratio.max() <= 1.15
    turned = bone(3, 2, turn=math.pi)
    torch.testing.assert_close(turned[:, 1], before[1].expand(400))  # the vertical stays
    assert 0.4 < (turned - plain).norm(dim=1).gt(1e-5).float().mean() < 0.6
    tilted = bone(3, 2, tilt=0.3)
    torch.testing.assert_close(tilted.norm(dim=1), before.norm().expand(400))
    upright = rotate(torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1, 1), torch.tensor([[17.2, 0.0, 17.2]]))
    assert upright[0, 1].item() > math.cos(0.3) ** 2 - 1e-3
    method = small(LAYOUTS["ntu25"], **{**QUIET, "noise": 0.01})
    views = views_of(method, some)
    spread = [view.clips.std(2).flatten(1).mean(1) for view in views]
    zero_free = [each[each > 1e-6] for each in spread]
    assert len(zero_free[0]) == 400  # always
    assert zero_free[0].mean().item() == pytest.approx(0.0097, rel=0.1)
    assert len(zero_free[1]) / 400 == pytest.approx(0.1, abs=0.05)
    assert zero_free[1].mean().item() == pytest.approx(0.0485, rel=0.2)
    assert len(zero_free[2]) / 400 == pytest.approx(0.5, abs=0.08)
    lost = (views[1].clips == 0).flatten(2).all(2).any(1).float().mean()
    assert lost.item() == pytest.approx(0.2, abs=0.06)
    assert not (views[0].clips == 0).flatten(2).all(2).any()


def test_the_stream_is_taken_last() -> None:
    joint, bone = (views_of(small(stream=stream), clips())[0].clips for stream in ("joint", "bone"))
    torch.testing.assert_close(bone, to_stream(joint, "bone", STICK))


def by_hand(method: SLiM, views: tuple[View, ...], progress: float) -> tuple[Tensor, Tensor, Tensor]:
    """The three terms, view by view as they are written down."""
    teacher, student = method.teacher.tokens, method.encoder.tokens
    tau = method.teacher_temperature(progress)
    seen = [teacher(view.clips) for view in views[:2]]
    shown = [student(view.clips, view.mask) for view in views]
    clip_target = sinkhorn(torch.cat([method.teacher_clip_head(kind[:, 0]) for kind, _ in seen]), tau)
    target = clip_target.chunk(2)
    logits = [method.clip_head(kind[:, 0]) for kind, _ in shown]

    def error(goal: Tensor, found: Tensor) -> Tensor:
        return F.cross_entropy(found / 0.1, goal)

    local = sum(error(goal, each) for goal in target for each in logits[2:])
    crossed = (error(target[0], logits[1]) + error(target[1], logits[0])) / 2
    contrast = (local + 2 * crossed) / (2 * len(logits[2:]) + 2)

    hidden = [method.encoder.hidden_patches(view.mask) for view in views[:2]]
    goals = sinkhorn(
        torch.cat(
            [
                method.teacher_patch_head(patches[gone])
                for (_, patches), gone in zip(seen, hidden, strict=True)
            ]
        ),
        tau,
    )
    prediction, row = torch.zeros(()), 0
    for (_, patches), gone in zip(shown[:2], hidden, strict=True):
        for clip in range(len(patches)):
            count = int(gone[clip].sum())
            if count:
                found = method.patch_head(patches[clip][gone[clip]])
                prediction = prediction + error(goals[row : row + count], found)
                row += count
    assert row == len(goals)
    prediction = prediction / (2 * len(views[0].clips))
    apart = sum(koleo(kind[:, 0]) for kind, _ in shown[:2])
    return contrast, prediction, torch.as_tensor(apart)


def test_the_loss_is_the_sum_of_its_three_terms() -> None:
    method = small(LAYOUTS["ntu25"])
    views = views_of(method, clips(joints=25))
    with torch.no_grad():  # a teacher of its own
        for parameter in (*method.teacher.parameters(), *method.teacher_clip_head.parameters()):
            parameter.add_(0.1 * torch.randn_like(parameter))
    losses = method.loss(views, 0.1)
    contrast, prediction, apart = by_hand(method, views, 0.1)
    torch.testing.assert_close(losses["contrast"], contrast.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses["prediction"], prediction.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses["koleo"], apart.detach(), rtol=1e-4, atol=1e-5)
    expected = contrast + prediction + 0.1 * apart
    torch.testing.assert_close(losses["loss"], expected, rtol=1e-4, atol=1e-5)


def test_the_loss_has_no_side_effects_and_no_gradient_for_the_teacher() -> None:
    method = small()
    views = views_of(method, clips())
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    first, again = method.loss(views, 0.5)["loss"], method.loss(views, 0.5)["loss"]
    assert torch.equal(first, again)
    first.backward()
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    assert all(parameter.grad is not None for parameter in method.encoder.parameters())


def test_views_without_masks_have_nothing_to_predict() -> None:
    method = small(masked=0.0)
    losses = method.loss(views_of(method, clips()), 0.5)
    assert losses["prediction"] == 0
    assert torch.isfinite(losses["loss"])


def test_the_teacher_follows_along_a_cosine() -> None:
    """m: 0.9 at first, 0.95 half-way, 1 at the end."""
    method = small(momentum=0.9)
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.fill_(1.0)
        for progress, expected in ((0.0, 0.1), (0.5, 0.05), (1.0, 0.0)):
            for parameter in method.teacher.parameters():
                parameter.zero_()
            method.before_step(progress)
            for parameter in method.teacher.parameters():
                assert parameter.flatten()[0].item() == pytest.approx(expected, abs=1e-6)
    assert not any(parameter.requires_grad for parameter in method.teacher.parameters())
    assert method.learned is method.teacher


def test_heads_follow_too() -> None:
    method = small(momentum=0.0)
    with torch.no_grad():
        method.clip_head.gain.fill_(3.0)
        method.patch_head.direction.fill_(2.0)
    method.before_step(0.0)
    assert (method.teacher_clip_head.gain == 3).all()
    assert (method.teacher_patch_head.direction == 2).all()


def test_the_teachers_temperature_rises_over_a_fifth_of_training() -> None:
    """30 of 150 epochs from 0.04 to 0.07."""
    found = [small().teacher_temperature(epoch / 150) for epoch in (0, 15, 30, 149)]
    assert found == pytest.approx([0.04, 0.055, 0.07, 0.07])
    assert small(temperature_rise=0.0).teacher_temperature(0.0) == 0.07


def test_prototypes_stay_in_the_first_epoch() -> None:
    method = small(freeze=0.1)
    views = views_of(method, clips())
    method.loss(views, 0.05)["loss"].backward()
    for head in (method.clip_head, method.patch_head):
        assert not head.direction.grad.any()
        assert not head.gain.grad.any()
        assert head.mlp[0].weight.grad.any()
    method.zero_grad()
    method.loss(views, 0.1)["loss"].backward()
    assert method.clip_head.direction.grad.any()
    assert method.patch_head.gain.grad.any()


def test_a_head_gives_cosines_times_gains() -> None:
    torch.manual_seed(0)
    head = PrototypeHead(4, 8, 3, prototypes=5)
    x = torch.randn(2, 4)
    feature = head.mlp(x)
    cosine = torch.nn.functional.cosine_similarity(feature[:, None], head.direction[None], dim=2)
    torch.testing.assert_close(head(x), cosine)
    with torch.no_grad():
        head.gain[2] = 4.0
    torch.testing.assert_close(head(x)[:, 2], 4 * cosine[:, 2])


def test_the_first_layer_is_slower_and_parts_are_clipped_by_themselves() -> None:
    method = small()
    (full, rest), (slow, few) = method.shares()
    assert (slow, full) == (0.2, 1.0)
    assert {id(each) for each in few} == {id(each) for each in method.encoder.embedding.parameters()}
    assert len(few) + len(rest) == len(list(method.parameters()))
    clipped = [id(each) for group in method.clipped_together() for each in group]
    learning = [id(each) for each in method.parameters() if each.requires_grad]
    assert sorted(clipped) == sorted(learning)
    assert len(method.clipped_together()) == 3


def test_the_terms_stay_in_float32_under_mixed_precision() -> None:
    method = small(LAYOUTS["ntu25"])
    views = views_of(method, clips(joints=25))
    full = method.loss(views, 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        half = method.loss(views, 0.5)
    for name in full:
        assert half[name].dtype == torch.float32, name
        assert half[name].item() == pytest.approx(full[name].item(), rel=0.03), name


def test_a_single_clip_has_no_neighbour() -> None:
    method = small()
    with pytest.raises(KinemeError, match="at least 2 clips per batch"):
        method.loss(views_of(method, clips(1)), 0.5)


def test_the_student_learns_to_tell_clips_apart() -> None:
    """Not to know which of 6 prototypes it is costs log 6; prototypes that stay keep clips apart."""
    method = small(LAYOUTS["ntu25"], momentum=0.9, freeze=1.0, teacher_temperatures=(0.04, 0.04))
    optimizer = torch.optim.Adam([each for each in method.parameters() if each.requires_grad], 3e-3)
    some = clips(joints=25)
    found = []
    for number in range(250):
        losses = step(method, views_of(method, some, number), 0.5)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        found.append(losses["contrast"].item())
    assert sum(found[-20:]) / 20 < math.log(6) - 0.2


SMALL_RUN = {
    "method_name": "slim",
    "method_prototypes": 8,
    "method_head_hidden": 8,
    "method_head_out": 4,
    "method_local_crops": [[4, 0.3, 0.6]],
    "encoder_name": "slim",
    "encoder_hidden": 8,
    "encoder_heads": 2,
    "encoder_depth": 1,
    "encoder_patch": 4,
    "train_optimizer": "adamw",
    "train_lr": 1e-2,
    "train_clip_gradients": 3.0,
    "train_decay_vectors": False,
    "train_weight_decay": 0.04,
    "train_final_weight_decay": 0.2,
    "train_schedule": "warmup-cosine",
    "train_warmup": 1.0,
    "train_final_lr": 1e-6,
    "train_precision": "float32",
}


def of_slim(settings: Settings, **changes: object):  # type: ignore[no-untyped-def]
    """The settings of a small run of SLiM."""
    from kineme.settings import config_from_dict

    sections: dict[str, dict[str, object]] = {
        "data": {"store": str(settings.store), "frames": 8},
        "train": {"epochs": 3, "batch_size": 8, "device": "cpu", "knn_every": 1},
        "method": {},
        "encoder": {},
    }
    for key, value in {**SMALL_RUN, **changes}.items():
        section, _, name = key.partition("_")
        sections[section][name] = value
    return config_from_dict(sections, "test")


def test_a_run_keeps_the_teacher(tmp_path: Path, settings: Settings) -> None:
    train(of_slim(settings), tmp_path / "run")
    state = torch.load(tmp_path / "run" / "state.ckpt", weights_only=True)["state_dict"]
    found = load_run(tmp_path / "run").encoder.state_dict()
    for name, tensor in found.items():
        assert torch.equal(tensor, state[f"method.teacher.{name}"]), name
    assert any(not torch.equal(tensor, state[f"method.encoder.{name}"]) for name, tensor in found.items())


def test_an_interrupted_run_ends_as_one_that_was_not(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, teacher, heads, schedules and the optimiser's groups: to the last bit."""
    config = of_slim(settings)
    train(config, tmp_path / "whole")
    original, calls = SLiM.loss, iter(range(100))

    def loss(self: SLiM, views: tuple[View, ...], progress: float) -> dict[str, Tensor]:
        if next(calls) == 7:  # in the third epoch
            raise KeyboardInterrupt
        return original(self, views, progress)

    with monkeypatch.context() as patch:
        patch.setattr(SLiM, "loss", loss)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped")
    train(config, tmp_path / "stopped", resume=True)
    ours, theirs = (
        torch.load(tmp_path / name / "state.ckpt", weights_only=True) for name in ("whole", "stopped")
    )
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    for name, tensor in ours["state_dict"].items():
        assert torch.equal(tensor, theirs["state_dict"][name]), name
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert one == other
    (groups,) = (state["optimizer_states"][0]["param_groups"] for state in (theirs,))
    assert {group["weight_decay"] for group in groups} > {0.0}
    assert max(group["weight_decay"] for group in groups) > 0.15  # near the end of the cosine
