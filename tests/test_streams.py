"""Joint, bone and motion of a small skeleton, by hand."""

from __future__ import annotations

import pytest
import torch

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.streams import STREAMS, to_stream

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
CLIPS = torch.tensor([[1.0, 3.0, 6.0], [2.0, 5.0, 9.0]]).view(1, 1, 2, 3, 1).expand(1, 3, 2, 3, 2)


def test_joint_is_the_clip_itself() -> None:
    assert torch.equal(to_stream(CLIPS, "joint", STICK), CLIPS)


def test_bone_is_a_joint_minus_its_parent_and_zero_at_the_root() -> None:
    bones = to_stream(CLIPS, "bone", STICK)
    assert bones.shape == CLIPS.shape
    assert bones[0, 0, :, :, 0].tolist() == [[0, 2, 3], [0, 3, 4]]


def test_motion_is_the_next_frame_minus_this_and_zero_in_the_last() -> None:
    motion = to_stream(CLIPS, "motion", STICK)
    assert motion.shape == CLIPS.shape
    assert motion[0, 0, :, :, 0].tolist() == [[1, 2, 3], [0, 0, 0]]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bones_add_up_to_joints(layout: Layout) -> None:
    """From the root outwards, each joint is its parent and its bone."""
    clips = torch.randn(2, 3, 4, layout.num_joints, 2, generator=torch.Generator().manual_seed(0))
    bones = to_stream(clips, "bone", layout)
    rebuilt = clips.clone()
    for joint in layout.topological[1:]:
        rebuilt[:, :, :, joint] = rebuilt[:, :, :, layout.parents[joint]] + bones[:, :, :, joint]
    torch.testing.assert_close(rebuilt, clips)
    assert (bones[:, :, :, layout.root] == 0).all()


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_does_not_depend_on_the_order_in_memory(stream: str) -> None:
    layout = LAYOUTS["ntu25"]
    clips = torch.randn(2, 3, 4, 25, 2, generator=torch.Generator().manual_seed(0))
    interleaved = clips.permute(0, 2, 4, 3, 1).contiguous().permute(0, 4, 1, 3, 2)
    assert torch.equal(to_stream(interleaved, stream, layout), to_stream(clips, stream, layout))


def test_an_unknown_stream_is_named_with_the_known_ones() -> None:
    with pytest.raises(KinemeError, match="velocity: no such stream; choose joint, bone, motion"):
        to_stream(CLIPS, "velocity", STICK)
