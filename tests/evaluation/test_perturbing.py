"""What each perturbation does to clips made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from kineme.clips.batches import Clips
from kineme.evaluation.perturbing import body_height, gathered, missing_joints, perturbations
from kineme.layouts import LAYOUTS, Layout

LAYOUT = LAYOUTS["coco17"]
UP = (0.0, 1.0, 0.0)


def ramps() -> Clips:
    """Two clips of 41 and 11 frames of a longer array, whose coordinates are the number of the frame."""
    frames = torch.arange(60.0)[:, None, None, None].repeat(1, 2, 17, 3)
    frames[:, 1] = 0  # a body that is not there
    return Clips(frames, torch.tensor([0, 45]), torch.tensor([41, 11]))


def after(
    name: str, clips: Clips, *, height: float = 2.0, up: tuple[float, ...] = UP, seed: int = 0
) -> Clips:
    change = perturbations(LAYOUT, height, up)[name]
    return change(clips, torch.Generator().manual_seed(seed))


def first(clips: Clips, row: int) -> torch.Tensor:
    """The first coordinate of a clip over its frames."""
    start = int(clips.start[row])
    return clips.frames[start : start + int(clips.length[row]), 0, 0, 0]


def test_gathered_clips_have_frames_of_their_own() -> None:
    clips = gathered(ramps())
    assert clips.start.tolist() == [0, 41]
    assert first(clips, 1).tolist() == list(range(45, 56))


def test_a_third_of_the_joints_is_missing_at_most() -> None:
    few = Layout.from_names("three", ["hip", "neck", "head"], [None, "hip", "neck"])
    assert [missing_joints(layout) for layout in (few, LAYOUT, LAYOUTS["ntu25"])] == [1, 5, 8]
    found = after("joints missing", ramps())
    assert found.present is not None
    assert (~found.present).sum(1).tolist() == [5, 5]
    assert not torch.equal(*found.present)  # drawn for each clip
    again = after("joints missing", ramps())
    assert torch.equal(again.present, found.present)  # type: ignore[arg-type]


def test_joints_go_missing_of_those_that_a_clip_has() -> None:
    """In the layout of the whole body, a clip lacks most joints; it loses as many as in its own layout."""
    has = torch.zeros(2, 17, dtype=torch.bool)
    has[0, :12] = has[1, 5:] = True
    for seed in range(20):
        found = after("joints missing", replace(ramps(), present=has), seed=seed).present
        assert found is not None
        assert not (found & ~has).any()
        assert found.sum(1).tolist() == [12 - 4, 12 - 4]


def test_what_a_clip_lacks_already_stays_missing() -> None:
    lacking = torch.ones(2, 17, dtype=torch.bool)
    lacking[0, :3] = False
    lacking[1, :] = torch.arange(17) == 15  # an ankle alone
    clips = replace(ramps(), present=lacking)
    found = after("upper half only", clips).present
    assert found is not None
    assert not found[0, :3].any()
    assert found[1].tolist() == lacking[1].tolist()  # nothing would be left


@pytest.mark.parametrize(("share", "std"), [("1", 0.02), ("3", 0.06)])
def test_jitter_is_a_share_of_the_height_and_spares_absent_bodies(share: str, std: float) -> None:
    clips = ramps()
    clips = Clips(clips.frames + 1, clips.start, clips.length)
    clips.frames[:, 1] = 0
    difference = after(f"jitter {share} %", clips).frames - gathered(clips).frames
    assert difference[:, 0].std().item() == pytest.approx(std, rel=0.05)
    assert not difference[:, 1].any()


def test_dropped_frames_are_interpolated_between_those_left() -> None:
    clips = gathered(ramps())
    straight = after("80 % of frames dropped", clips)
    torch.testing.assert_close(straight.frames, clips.frames)  # a ramp is its own interpolation
    zigzag = Clips(clips.frames % 2, clips.start, clips.length)
    found = first(after("80 % of frames dropped", zigzag), 0)
    assert (found == first(zigzag, 0)).float().mean() < 0.6
    torch.testing.assert_close(found[[0, -1]], first(zigzag, 0)[[0, -1]])


def test_a_clip_of_twice_the_frames_moves_half_as_fast() -> None:
    slow, fast = after("2x as long", ramps()), after("0.5x as long", ramps())
    assert slow.length.tolist() == [82, 22]
    assert fast.length.tolist() == [20, 6]
    torch.testing.assert_close(first(slow, 0).diff()[2:-2], torch.full((77,), 0.5))
    assert first(slow, 0)[:3].tolist() == [0, 0.25, 0.75]  # frames are centred in their time
    torch.testing.assert_close(first(fast, 0).diff()[1:-1], torch.full((17,), 41 / 20))
    assert first(slow, 1).min() == 45  # of its own frames


def test_one_half_of_the_motion_is_played_twice_as_fast() -> None:
    many = ramps()[torch.zeros(1000, dtype=torch.int64)]
    found = after("uneven speed", many)
    steps = torch.stack([first(found, row).diff() for row in range(1000)])
    early, late = steps[:, 3], steps[:, -3]
    ratio = early / late
    assert set(ratio.round(decimals=3).tolist()) == {0.5, 2.0}
    assert first(found, 0)[0] == 0
    assert first(found, 0)[-1] == 40
    assert (ratio > 1).float().mean().item() == pytest.approx(0.5, abs=0.05)  # three deviations


@pytest.mark.parametrize(("up", "axis"), [(UP, 1), ((0.0, 0.0, 1.0), 2)])
def test_a_turn_is_about_the_vertical_axis(up: tuple[float, ...], axis: int) -> None:
    point = torch.tensor([1.0, 1.0, 1.0])
    point[axis] = 5
    frames = point.repeat(30, 1, 17, 1)
    found = after("turned by 90°", Clips(frames, torch.arange(30), torch.ones(30, dtype=torch.int64)), up=up)
    assert torch.allclose(found.frames[..., axis], torch.tensor(5.0))
    across = [each for each in range(3) if each != axis]
    flat = found.frames[:, 0, 0, across]
    torch.testing.assert_close(flat.norm(dim=1), torch.full((30,), math.sqrt(2)))
    assert torch.allclose(flat.prod(1), torch.tensor(-1.0), atol=1e-5)  # (1, 1) → (±1, ∓1)
    assert len(set(flat[:, 0].sign().tolist())) == 2  # some to the left, some to the right


def test_half_of_the_body_is_left() -> None:
    names = LAYOUT.joints
    for half, gone in (("left", "right_"), ("right", "left_")):
        present = after(f"{half} half only", ramps()).present
        assert present is not None
        assert {name for name, there in zip(names, present[0], strict=True) if not there} == {
            name for name in names if name.startswith(gone)
        }
    lower = after("lower half only", ramps()).present
    assert lower is not None
    kept = [name.partition("_")[2] for name, there in zip(names, lower[0], strict=True) if there]
    assert kept == ["hip", "hip", "knee", "knee", "ankle", "ankle"]


def test_the_height_is_that_of_the_first_bodies() -> None:
    frames = torch.zeros(20, 2, 17, 3)
    frames[:, 0, 3, 1], frames[:, 0, 4, 1] = 1.5, -0.25
    frames[:, 1, 3, 1] = 100
    clips = Clips(frames, torch.tensor([0, 10]), torch.tensor([10, 10]))
    assert body_height(clips, UP) == pytest.approx(1.75)
    assert body_height(Clips(0 * frames, clips.start, clips.length), UP) == 0
