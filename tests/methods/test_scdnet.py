"""SCD-Net as a method: agreement with the published program, views, queues over several processes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import GOLDEN, golden_inputs, load_filled, load_golden
from spawning import on_two
from stepping import drawn, step
from torch import Tensor

from kineme.authors.scdnet import authors_name, from_state, members
from kineme.clips.batches import Clips
from kineme.encoders.base import ClipShape
from kineme.encoders.disentangled import Disentangled
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.losses.contrast import info_nce
from kineme.methods.scdnet import SCDNet
from kineme.streams import STREAMS, to_stream

NTU, COCO = LAYOUTS["ntu25"], LAYOUTS["coco17"]
CONTRASTS = (
    "temporal_to_instance",
    "spatial_to_instance",
    "instance_to_temporal",
    "instance_to_spatial",
)
VIEW = (4, 3, 64, 25, 2)


def assert_agrees(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6 * np.abs(theirs).max())


def test_agrees_with_the_published_program() -> None:
    golden = load_golden("scdnet.npz")
    query, key = golden_inputs(golden, VIEW, VIEW)
    method = from_state(load_filled("scdnet.keys.json"))
    features = method.encoder(query)
    clues = {"temporal": features.clip[:, :64], "spatial": features.clip[:, 64:], "instance": features.clip}
    for name in ("temporal", "spatial"):
        assert_agrees(clues[name], golden[name])
    for name, clue in clues.items():
        assert_agrees(method.heads[name](clue), golden[f"z_{name}"])
    losses = step(method, (query, key))
    assert_agrees(losses["loss"], golden["loss"])
    for name in CONTRASTS:
        assert_agrees(losses[name], golden[f"loss_{name}"])
    for name in clues:
        assert_agrees(method.queues[name].keys[:8].T, golden[f"{name[0]}_queue_after"])
        assert method.queues[name].next_row == 4


def test_gradients_agree_with_the_published_program() -> None:
    method = from_state(load_filled("scdnet.keys.json"))
    step(method, tuple(golden_inputs(load_golden("scdnet.npz"), VIEW, VIEW)))["loss"].backward()
    expected = json.loads((GOLDEN / "scdnet.grads.json").read_text())
    largest = max(norm for norm, _ in expected.values())
    ours: dict[str, Tensor] = {}
    for name, parameter in method.named_parameters():
        if parameter.grad is not None:
            names = members(authors_name(name))
            ours |= zip(names, parameter.grad.chunk(len(names)), strict=True)
    assert {name.removeprefix("encoder_q.") for name in ours} == expected.keys()
    for name, gradient in ours.items():
        norm, total = expected[name.removeprefix("encoder_q.")]
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6 * largest), name
        if norm > 1e-6 * largest:  # those below are analytically zero
            assert abs(gradient.sum().item() - total) <= 1e-3 * norm * math.sqrt(gradient.numel()), name


def small(
    layout: Layout = COCO, frames: int = 16, bodies: int = 1, stream: str = "joint", **settings: float
) -> SCDNet:
    torch.manual_seed(0)
    shape = ClipShape(layout, frames, bodies, stream)
    encoder = Disentangled(shape, hidden=16, heads=2, stem=(8, 16, 8), dropout=0)
    return SCDNet(encoder, **{"queue": 24, "projection": 8, **settings})


def random_clips(layout: Layout, bodies: int) -> Clips:
    length = torch.tensor([20, 9, 64, 137])
    drawn = torch.Generator().manual_seed(1)
    frames = torch.randn(int(length.sum()), bodies, layout.num_joints, 3, generator=drawn)
    return Clips(frames, length.cumsum(0) - length, length)


@pytest.mark.parametrize(("layout", "bodies"), [(NTU, 2), (COCO, 1)])
def test_a_step_on_any_layout(layout: Layout, bodies: int) -> None:
    method = small(layout, bodies=bodies).train()
    first, again, other = (drawn(method, random_clips(layout, bodies), s) for s in (3, 3, 4))
    assert [tuple(view.shape) for view in first] == [(4, 3, 16, layout.num_joints, bodies)] * 2
    for view, same, different in zip(first, again, other, strict=True):
        assert torch.equal(view, same)
        assert not torch.equal(view, different)
    assert not torch.equal(*first)
    losses = step(method, first)
    assert losses.keys() == {"loss", *CONTRASTS}
    assert losses["loss"].item() == pytest.approx(sum(losses[name].item() for name in CONTRASTS), rel=1e-6)
    losses["loss"].backward()
    trained = {name for name, p in method.named_parameters() if not name.startswith("key_")}
    assert {name for name, p in method.named_parameters() if p.grad is not None} == trained


def still(count: int, layout: Layout, point: Tensor) -> Clips:
    """Clips of 64 frames in which every joint rests at one point."""
    frames = point.expand(64, 1, layout.num_joints, 3).contiguous()
    return Clips(frames, torch.zeros(count).long(), torch.full((count,), 64))


def test_masks_hide_eight_joints_and_six_segments_of_half_of_the_clips() -> None:
    view, _ = drawn(small(NTU, 64), still(400, NTU, torch.ones(3)))
    hidden = (view[..., 0] == 0).all(1)  # (N, T, V)
    joints, frames = hidden.all(1), hidden.all(2)
    assert torch.equal(hidden, joints[:, None, :] | frames[:, :, None])
    assert set(joints.sum(1).tolist()) == {0, 8}
    assert set(frames.sum(1).tolist()) == {0, 24}
    segments = frames.view(400, 16, 4)
    assert torch.equal(segments.all(2), segments.any(2))
    for masked in (joints.any(1), frames.any(1)):
        assert 160 < masked.sum() < 240
    one = joints[joints.any(1)][0].nonzero().flatten().tolist()  # a region hangs together
    assert sum(child in one and parent in one for child, parent in NTU.bones) >= 5


def test_half_of_the_clips_are_turned_and_half_are_sheared() -> None:
    """A turn keeps a point's distance from the origin, a shear does not."""
    point = torch.tensor([1.0, 2.0, 3.0])
    view, _ = drawn(small(NTU, 64), still(400, NTU, point), 0)
    moved = view.abs().amax(dim=(2, 3, 4)) * view.sign().sum(dim=(2, 3, 4)).sign()  # (N, C), masks apart
    same = (moved - point).norm(dim=1) < 1e-4
    sheared = (moved.norm(dim=1) - point.norm()).abs() > 1e-4
    assert 70 < same.sum() < 130
    assert 160 < sheared.sum() < 240
    assert 70 < (~same & ~sheared).sum() < 130


def test_half_of_the_clips_have_left_and_right_swapped() -> None:
    layout = Layout.from_names("pair", ["left_hand", "hip", "right_hand"], ["hip", None, "hip"])
    frames = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 3, 1).expand(64, 1, 3, 3).contiguous()
    clips = Clips(frames, torch.zeros(400).long(), torch.full((400,), 64))
    torch.manual_seed(0)
    view, _ = drawn(small(layout, 64, shear=0.0), clips, 0)
    left, right = view.sum(dim=(1, 2, 4))[:, [0, 2]].unbind(
        1
    )  # a turn of 30 degrees keeps the sign of x + y + z
    seen = (left != 0) | (right != 0)
    swapped = (left > 0) | (right < 0)
    assert (left * right <= 0).all()
    assert 0.4 < swapped[seen].float().mean() < 0.6


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_are_taken_before_the_spatial_augmentations(stream: str) -> None:
    """The crop leaves a clip of T frames whole, so that a view is the stream, in part hidden or mapped."""
    clips = random_clips(COCO, 1)
    clips = Clips(clips.frames, torch.arange(200) % 100, torch.full((200,), 16))
    view, _ = drawn(small(stream=stream), clips)
    expected = to_stream(clips.resize(16), stream, COCO)
    kept = view.abs().sum(1, keepdim=True) > 0
    assert kept.float().mean() < 0.95
    untouched = torch.isclose(view, expected, atol=1e-5).flatten(1)
    untouched = (untouched | ~kept.expand_as(view).flatten(1)).all(1)
    assert 10 < untouched.sum() < 45  # neither turned nor flipped nor sheared: an eighth


def test_views_are_windows_of_the_clip() -> None:
    """A coordinate that counts frames shows what share of the clip a view covers."""
    frames = torch.zeros(200, 1, 17, 3)
    frames[..., 1] = torch.arange(200).view(-1, 1, 1) + 1
    clips = Clips(frames, torch.zeros(500).long(), torch.full((500,), 200))
    view, _ = drawn(small(min_crop=0.5), clips, 0)
    time = view.norm(dim=1).amax(dim=(2, 3))  # (N, T)
    plain = torch.isclose(view[:, 1].amax(dim=(2, 3)), time).all(1) & (time > 0).all(1)  # no map, no segments
    covered = (time[:, -1] - time[:, 0])[plain] * 16 / 15
    assert len(covered) > 50
    assert 99 <= covered.min() < 110
    assert 190 < covered.max() <= 200.5


def test_contrasts_are_with_the_key_and_queue_of_the_other_kind() -> None:
    method = small(temperature=0.5).eval()
    query, key = torch.randn(2, 6, 3, 16, 17, 1)
    negatives = {name: queue.keys.clone() for name, queue in method.queues.items()}

    def embed(encoder: torch.nn.Module, heads: torch.nn.ModuleDict, view: Tensor) -> dict[str, Tensor]:
        clip = encoder(view).clip
        clues = {"temporal": clip[:, :16], "spatial": clip[:, 16:], "instance": clip}
        return {n: torch.nn.functional.normalize(heads[n](clue), dim=1) for n, clue in clues.items()}

    queries = embed(method.encoder, method.heads, query)
    keys = embed(method.key_encoder, method.key_heads, key)
    losses = step(method, (query, key))
    for name in CONTRASTS:
        one, other = name.split("_to_")
        own = (queries[one] * keys[other]).sum(1, keepdim=True)
        logits = torch.cat([own, queries[one] @ negatives[other].T], dim=1) / 0.5
        assert losses[name].item() == pytest.approx(info_nce(logits).item(), rel=1e-5)
    for name, queue in method.queues.items():
        torch.testing.assert_close(queue.keys[:6], keys[name])
        assert torch.equal(queue.keys[6:], negatives[name][6:])


def test_the_key_network_follows_and_keeps_its_own_statistics() -> None:
    method = small(momentum=0.9).train()
    before = [p.clone() for p in method.key_encoder.parameters()]
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1)
    views = torch.randn(2, 6, 3, 16, 17, 1)
    views[1] += 3
    step(method, tuple(views))
    for old, new in zip(before, method.key_encoder.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)
        assert not new.requires_grad
    query, key = (
        e.temporal_stem.input_norm.running_mean.mean() for e in (method.encoder, method.key_encoder)
    )
    assert query.item() == pytest.approx(0, abs=0.05)
    assert key.item() == pytest.approx(0.3, abs=0.05)


def test_mixed_precision_changes_the_loss_by_less_than_a_hundredth() -> None:
    views = tuple(torch.randn(2, 6, 3, 16, 17, 1, generator=torch.Generator().manual_seed(0)))
    full = step(small().train(), views)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = step(small().train(), views)
    for name, value in mixed.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(full[name].item(), rel=1e-2)


def test_a_queue_that_is_no_multiple_of_the_batch_is_refused() -> None:
    with pytest.raises(KinemeError, match="queue of 24 entries is not a multiple of the batch of 5"):
        step(small(), tuple(torch.randn(2, 5, 3, 16, 17, 1)))


def test_without_a_queue_two_processes_contrast_with_the_clips_of_both(tmp_path: Path) -> None:
    views = torch.randn(2, 2, 6, 3, 16, 17, 1, generator=torch.Generator().manual_seed(0))
    expected = two_steps(small(queue=0), views)
    assert set(expected) == {f"{name} {step}" for name in ("loss", *CONTRASTS) for step in (0, 1)}
    halves = on_two_processes(views, tmp_path, queue=0)
    for name, value in expected.items():
        torch.testing.assert_close((halves[0][name] + halves[1][name]) / 2, value)


def test_heads_have_a_batch_norm_on_request() -> None:
    plain, normed = small(), small(head_norm=True)
    assert [type(layer).__name__ for layer in plain.heads["temporal"]] == ["Linear", "ReLU", "Linear"]
    names = ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert [type(layer).__name__ for layer in normed.heads["instance"]] == names
    assert all(type(p) is torch.nn.Parameter and not p.requires_grad for p in normed.key_heads.parameters())


def two_steps(method: SCDNet, views: Tensor) -> dict[str, Tensor]:
    """The losses of two steps, and the queues after them."""
    method.eval()
    steps = [step(method, tuple(each)) for each in views]
    losses = {f"{name} {i}": step[name].detach() for i, step in enumerate(steps) for name in step}
    return losses | {name: queue.keys for name, queue in method.queues.items()}


def half_a_batch(rank: int, views: Tensor, out: str, settings: dict[str, int]) -> None:
    torch.save(two_steps(small(**settings), views.chunk(2, dim=2)[rank]), f"{out}/{rank}.pt")


def on_two_processes(views: Tensor, folder: Path, **settings: int) -> list[dict[str, Tensor]]:
    on_two(half_a_batch, views, str(folder), settings)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_two_processes_fill_the_queues_as_one_with_both_batches(tmp_path: Path) -> None:
    views = torch.randn(2, 2, 6, 3, 16, 17, 1, generator=torch.Generator().manual_seed(0))
    expected = two_steps(small(), views)
    halves = on_two_processes(views, tmp_path)
    for name, value in expected.items():
        if name in ("temporal", "spatial", "instance"):  # the queues
            torch.testing.assert_close(halves[0][name], value)
            assert torch.equal(halves[0][name], halves[1][name])
        else:
            torch.testing.assert_close((halves[0][name] + halves[1][name]) / 2, value)
            assert not torch.equal(halves[0][name], halves[1][name])
