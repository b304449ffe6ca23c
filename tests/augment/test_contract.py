"""What every transform keeps, whatever the layout: seeds repeat, clips are drawn apart, inputs stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kineme import augment
from kineme.layouts import LAYOUTS, Layout

BATCH, FRAMES = 16, 24
Parameters = tuple[Tensor, ...]


def binary_tree(joints: int) -> Layout:
    names = [f"joint{i}" for i in range(joints)]
    parents = [None, *(names[(i - 1) // 2] for i in range(1, joints))]
    return Layout.from_names("tree", names, parents, mirrored=[(names[1], names[2])])


LAYOUT_CASES = [LAYOUTS["coco17"], LAYOUTS["kinect20"], LAYOUTS["ntu25"], binary_tree(31)]


def mirror(layout: Layout) -> Tensor:
    return torch.from_numpy(layout.mirror)


def coin(generator: torch.Generator) -> Tensor:
    return augment.draw_coin(BATCH, 0.5, generator)


# Name → (draw, apply, neutral): apply(clips, *draw(layout, generator)), and parameters that change nothing.
Draw = Callable[[Layout, torch.Generator], Parameters]
Apply = Callable[..., Tensor]
TRANSFORMS: dict[str, tuple[Draw, Apply, Draw]] = {
    "shear": (
        lambda _, g: (augment.draw_shear(BATCH, 0.5, g),),
        augment.shear,
        lambda *_: (torch.zeros(BATCH, 6),),
    ),
    "rotate": (
        lambda _, g: (augment.draw_rotation(BATCH, g),),
        augment.rotate,
        lambda *_: (torch.zeros(BATCH, 3),),
    ),
    "flip": (
        lambda layout, g: (coin(g), mirror(layout)),
        augment.flip,
        lambda layout, _: (torch.zeros(BATCH, dtype=torch.bool), mirror(layout)),
    ),
    "reflect": (
        lambda layout, g: (coin(g), mirror(layout)),
        augment.reflect,
        lambda layout, _: (torch.zeros(BATCH, dtype=torch.bool), mirror(layout)),
    ),
    "mask_axis": (
        lambda _, g: (augment.draw_axis(BATCH, g),),
        augment.mask_axis,
        lambda *_: (torch.full((BATCH,), -1),),
    ),
    "pad_crop": (
        lambda _, g: (augment.draw_pad_crop(BATCH, FRAMES, g),),
        augment.pad_crop,
        lambda *_: (torch.full((BATCH,), FRAMES // 6),),
    ),
    "reverse_time": (
        lambda _, g: (coin(g),),
        augment.reverse_time,
        lambda *_: (torch.zeros(BATCH, dtype=torch.bool),),
    ),
    "blur": (lambda _, g: (augment.draw_blur(BATCH, g),), augment.blur, lambda *_: (torch.zeros(BATCH),)),
    "mask_joints": (
        lambda layout, g: (augment.draw_region(BATCH, augment.two_hops(layout), g),),
        augment.mask_joints,
        lambda layout, _: (torch.zeros(BATCH, layout.num_joints, dtype=torch.bool),),
    ),
    "mask_frames": (
        lambda _, g: (augment.draw_segments(BATCH, FRAMES, g),),
        augment.mask_frames,
        lambda *_: (torch.zeros(BATCH, FRAMES, dtype=torch.bool),),
    ),
    "corrupt": (
        lambda layout, g: augment.draw_corruption(BATCH, layout.num_joints, g),
        augment.corrupt,
        lambda layout, _: (torch.zeros(BATCH, layout.num_joints, dtype=torch.bool), torch.ones(BATCH, 3, 3)),
    ),
}

every_transform = pytest.mark.parametrize("name", TRANSFORMS)
every_layout = pytest.mark.parametrize(
    "layout", LAYOUT_CASES, ids=lambda layout: f"{layout.num_joints} joints"
)


def batch(layout: Layout, bodies: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(BATCH, 3, FRAMES, layout.num_joints, bodies, generator=generator)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@every_transform
@every_layout
def test_each_clip_has_its_own_draw(name: str, layout: Layout) -> None:
    """A clip comes out of a batch as it does alone with its own parameters, and not all draws are alike."""
    draw, apply, _ = TRANSFORMS[name]
    clips, drawn = batch(layout), draw(layout, seeded(1))
    result = apply(clips, *drawn)
    assert result.shape == clips.shape
    assert result.dtype == torch.float32
    for row in (0, 5, BATCH - 1):
        own = [each[row : row + 1] if len(each) == BATCH else each for each in drawn]
        torch.testing.assert_close(apply(clips[row : row + 1], *own)[0], result[row], rtol=1e-6, atol=1e-6)
    assert len(drawn[0].unique(dim=0)) > 1


@every_transform
def test_a_seed_repeats_its_result_and_another_seed_does_not(name: str) -> None:
    layout = LAYOUTS["ntu25"]
    draw, apply, _ = TRANSFORMS[name]
    first, again, other = (apply(batch(layout), *draw(layout, seeded(s))) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_transform
@every_layout
def test_neutral_parameters_leave_the_clips(name: str, layout: Layout) -> None:
    _, apply, neutral = TRANSFORMS[name]
    clips = batch(layout)
    torch.testing.assert_close(apply(clips, *neutral(layout, seeded(0))), clips, rtol=0, atol=1e-6)


@every_transform
def test_the_batch_itself_is_not_changed(name: str) -> None:
    layout = LAYOUTS["coco17"]
    draw, apply, _ = TRANSFORMS[name]
    clips = batch(layout)
    apply(clips, *draw(layout, seeded(1)))
    assert torch.equal(clips, batch(layout))


@every_transform
@pytest.mark.parametrize("bodies", [1, 2])
def test_the_order_in_memory_does_not_matter(name: str, bodies: int) -> None:
    """`Clips.resize` gives frames whose coordinates lie side by side."""
    layout = LAYOUTS["ntu25"]
    draw, apply, _ = TRANSFORMS[name]
    clips, drawn = batch(layout, bodies), draw(layout, seeded(1))
    interleaved = clips.permute(0, 2, 4, 3, 1).contiguous().permute(0, 4, 1, 3, 2)
    assert torch.equal(apply(interleaved, *drawn), apply(clips, *drawn))


@every_transform
def test_the_global_generator_is_left_alone(name: str) -> None:
    draw, apply, _ = TRANSFORMS[name]
    before = torch.get_rng_state()
    apply(batch(LAYOUTS["ntu25"]), *draw(LAYOUTS["ntu25"], seeded(1)))
    assert torch.equal(torch.get_rng_state(), before)
