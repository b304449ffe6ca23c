"""An encoder that is told of absent joints computes what one without these joints would."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kineme.encoders import DSTE, STGCN, STTR, ClipShape, JointTransformer, RotaryTransformer
from kineme.encoders.absent import encoded, mean_for_absent
from kineme.encoders.base import Encoder, Features, Kept
from kineme.encoders.tokens import SelfAttention
from kineme.encoders.transformer import FusedAttention
from kineme.layouts import Layout

ARM = ["chest", "shoulder", "elbow", "hand"]
WHOLE = Layout.from_names("arm", ARM, [None, "chest", "shoulder", "elbow"])
KEPT = [0, 1, 3]
PART = Layout.from_names("arm3", ["chest", "shoulder", "hand"], [None, "chest", "shoulder"])
PRESENT = torch.tensor([[True, True, False, True]])
MAKERS: dict[str, Callable[[ClipShape], Encoder]] = {
    "sttr": lambda shape: STTR(shape, hidden=8, heads=2),
    "dste": lambda shape: DSTE(shape, hidden=8, heads=2),
    "mamp": lambda shape: JointTransformer(shape, hidden=8, heads=2, depth=2),
    "slim": lambda shape: RotaryTransformer(shape, hidden=8, heads=2, depth=2),
}


def make(name: str, layout: Layout = WHOLE, stream: str = "joint") -> Encoder:
    torch.manual_seed(0)
    return MAKERS[name](ClipShape(layout, 16, 2, stream)).eval()


def clips(n: int = 3) -> Tensor:
    return torch.randn(n, 3, 16, 4, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("attention", [SelfAttention, FusedAttention])
def test_attention_leaves_absent_tokens_out(attention: type[nn.Module]) -> None:
    torch.manual_seed(0)
    module, tokens = attention(8, 2), torch.randn(3, 4, 8)
    found = module(tokens, present=PRESENT.expand(3, 4))[:, KEPT]
    torch.testing.assert_close(found, module(tokens[:, KEPT]))


@pytest.mark.parametrize("name", ["mamp", "slim"])
def test_patches_are_those_of_an_encoder_without_the_joint(name: str) -> None:
    whole, part = make(name), make(name, PART)
    state = whole.state_dict()
    key, rows = ("joint_position", KEPT) if name == "mamp" else ("position", [0, 1, 2, 4])
    part.load_state_dict({**state, key: state[key][rows]})
    x = clips()
    found, expected = whole(x, present=PRESENT.expand(3, 4)), part(x[:, :, :, KEPT])
    torch.testing.assert_close(found.clip, expected.clip)
    tokens, others = (each.tokens.unflatten(2, (-1, v)) for each, v in ((found, 4), (expected, 3)))
    torch.testing.assert_close(tokens[:, :, :, KEPT], others)
    torch.testing.assert_close(tokens[:, :, :, 2], others.mean(3))  # the absent joint's are their mean
    if name == "mamp":
        torch.testing.assert_close(found.temporal, expected.temporal)


def test_spatial_tokens_are_those_of_an_encoder_without_the_joint() -> None:
    whole, part = make("sttr"), make("sttr", PART)
    state = {name: value for name, value in whole.state_dict().items() if name.startswith("spatial.")}
    of_two = [joint + 4 * body for body in range(2) for joint in KEPT]
    part.load_state_dict({**state, "spatial.position": state["spatial.position"][of_two]}, strict=False)
    x = clips()
    found, expected = whole(x, present=PRESENT.expand(3, 4)), part(x[:, :, :, KEPT])
    assert found.spatial is not None
    torch.testing.assert_close(found.spatial[:, of_two], expected.spatial)
    torch.testing.assert_close(found.clip[:, 8:], expected.clip[:, 8:])  # the maximum over them


def test_in_temporal_tokens_an_absent_joint_is_where_its_neighbours_are() -> None:
    encoder, x = make("sttr"), clips()
    between = x.clone()
    between[:, :, :, 2] = (x[:, :, :, 1] + x[:, :, :, 3]) / 2
    torch.testing.assert_close(
        encoder(x, present=PRESENT.expand(3, 4)).temporal, encoder(between).temporal, atol=1e-6, rtol=1e-5
    )


def spoiled(x: Tensor, present: Tensor, value: float) -> Tensor:
    return x.masked_fill(~present[:, None, None, :, None], value)


@pytest.mark.parametrize("stream", ["joint", "bone", "motion"])
@pytest.mark.parametrize("name", MAKERS)
def test_the_coordinates_of_absent_joints_play_no_part(name: str, stream: str) -> None:
    encoder, x = make(name, stream=stream), clips(4)
    present = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    found = encoded(encoder, x, present).clip
    assert found.isfinite().all()
    for value in (float("nan"), 1e6):
        assert torch.equal(encoded(encoder, spoiled(x, present, value), present).clip, found)
    alone = encoded(encoder, x[1:2], present[1:2]).clip
    torch.testing.assert_close(alone, found[1:2])


@pytest.mark.parametrize("name", MAKERS)
def test_clips_without_anybody_may_lack_joints(name: str) -> None:
    found = make(name)(torch.zeros(2, 3, 16, 4, 2), present=PRESENT.expand(2, 4)).clip
    assert found.isfinite().all()
    torch.testing.assert_close(found[0], found[1])


def test_which_joints_all_clips_lack_may_be_said_once() -> None:
    encoder, x = make("slim"), clips()
    x[0, ..., 1] = 0
    found, expected = encoder(x, present=PRESENT), encoder(x, present=PRESENT.expand(3, 4))
    torch.testing.assert_close(found.clip, expected.clip)
    torch.testing.assert_close(found.tokens, expected.tokens)


@pytest.mark.parametrize("name", MAKERS)
def test_with_all_joints_present_nothing_changes(name: str) -> None:
    encoder, x = make(name), clips()
    torch.testing.assert_close(encoder(x, present=torch.ones(3, 4, dtype=torch.bool)).clip, encoder(x).clip)


@pytest.mark.parametrize("stream", ["joint", "motion", "joint+bone+motion"])
def test_an_encoder_of_several_streams_leaves_joints_out_of_each(stream: str) -> None:
    torch.manual_seed(0)
    encoder = STTR(ClipShape(WHOLE, 16, 2, "joint+bone+motion"), hidden=8).eval()
    x, present = clips(), PRESENT.expand(3, 4)
    found = encoder(x, stream=stream, present=present).clip
    assert torch.equal(encoder(spoiled(x, present, 7.0), stream=stream, present=present).clip, found)


def test_a_bone_with_an_absent_end_is_no_token() -> None:
    encoder, x = make("mamp", stream="bone"), clips()
    tokens = encoder(x, present=PRESENT.expand(3, 4)).tokens.unflatten(2, (-1, 4))
    mean = tokens[:, :, :, :2].mean(3)
    for joint in (2, 3):  # the elbow is absent, and so is the bone from it to the hand
        torch.testing.assert_close(tokens[:, :, :, joint], mean)


def test_of_kept_patches_the_absent_ones_take_no_part() -> None:
    encoder, x = make("mamp"), clips(1)
    kept = torch.tensor([[[0, 2, 5], [1, 3, 6]]])  # 2 and 6 are the elbow's
    found = encoder(x, Kept(tokens=kept), present=PRESENT).tokens
    first = encoder(x, Kept(tokens=torch.tensor([[[0, 5], [1, 3]]]))).tokens
    torch.testing.assert_close(found[:, 0, [0, 2]], first[:, 0])
    torch.testing.assert_close(found[:, 1, [0, 1]], first[:, 1])


def test_mean_for_absent_keeps_mean_and_maximum() -> None:
    tokens = torch.randn(2, 5, 3)
    present = torch.tensor([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1]]).bool()
    alone = mean_for_absent(tokens[:1], torch.tensor([[0, 0, 1, 0, 0]]).bool())
    assert torch.equal(alone, tokens[:1, 2:3].expand(-1, 5, -1))
    found = mean_for_absent(tokens, present)
    torch.testing.assert_close(found[0].mean(0), tokens[0, present[0]].mean(0))
    assert torch.equal(found[0].amax(0), tokens[0, present[0]].amax(0))
    assert torch.equal(found[1], tokens[1])


def test_encoders_that_cannot_are_shown_neighbours_and_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    encoder = STGCN(ClipShape(WHOLE, 16, 2), channels=[8], strided=[]).eval()

    class Other(type(encoder)):  # type: ignore[misc]
        """A kind of encoder that was not warned of yet."""

    encoder.__class__ = Other
    x, between = clips(), clips()
    between[:, :, :, 2] = (x[:, :, :, 1] + x[:, :, :, 3]) / 2
    with caplog.at_level(logging.WARNING):
        found: Features = encoded(
            encoder, spoiled(x, PRESENT.expand(3, 4), float("nan")), PRESENT.expand(3, 4)
        )
        encoded(encoder, x, PRESENT.expand(3, 4))
    torch.testing.assert_close(found.clip, encoder(between).clip, atol=1e-6, rtol=1e-5)
    assert caplog.messages == [
        "Other cannot leave out joints that a clip lacks; they are placed where their neighbours are"
    ]
