"""Gaps: short ones interpolated, long ones by the parent, absent bodies zero; confidence 0 where filled."""

from __future__ import annotations

import numpy as np

from kineme.layouts import Layout
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.gaps import filled
from kineme.typing import Array

ARM = Layout.from_names("arm", ["hip", "shoulder", "elbow", "hand"], [None, "hip", "shoulder", "elbow"])
FPS = 10.0  # gaps of up to 5 frames are interpolated


def moving(frames: int = 20, bodies: int = 1) -> Array:
    """(T, M, V, 3): joint v of body m in frame t at (t, v + 1, m)."""
    t, m, v = np.mgrid[:frames, :bodies, :4]
    return np.stack([t, v + 1, m], axis=-1).astype(np.float32)


def test_nothing_missing_is_left_as_it_is() -> None:
    points, confidence = filled(Poses(moving(), None), ARM, FPS)
    np.testing.assert_array_equal(points, moving())
    np.testing.assert_array_equal(confidence, np.ones((20, 1, 4)))


def test_a_short_gap_of_a_joint_is_interpolated() -> None:
    poses = moving()
    poses[4:9, 0, 3] = np.nan
    points, confidence = filled(Poses(poses, np.full((20, 1, 4), 0.5, np.float32)), ARM, FPS)
    np.testing.assert_allclose(points, moving(), atol=1e-5)
    expected = np.full((20, 1, 4), 0.5)
    expected[4:9, 0, 3] = 0
    np.testing.assert_array_equal(confidence, expected)


def test_in_a_long_gap_a_joint_moves_with_its_parent() -> None:
    poses = moving()
    poses[:, 0, 3, 1] = np.linspace(4, 23, 20)  # the hand rises by 1 a frame: 4 + t
    poses[5:15, 0, 0:3, 0] += 7  # while it is gone, the others are elsewhere
    expected = poses.copy()
    expected[5:15, 0, 3, 0] += 7
    poses[5:15, 0, 3] = np.nan
    points, confidence = filled(Poses(poses, None), ARM, FPS)
    # The offset from the elbow goes evenly from that of frame 4 to that of frame 15: here the straight line.
    np.testing.assert_allclose(points, expected, atol=1e-5)
    np.testing.assert_array_equal(confidence[:, 0, 3], [1] * 5 + [0] * 10 + [1] * 5)


def test_at_the_ends_a_joint_keeps_its_place_relative_to_its_parent() -> None:
    poses = moving()
    poses[:3, 0, 2:] = np.nan  # elbow and hand; short as it is, there is nothing before it
    points, _ = filled(Poses(poses, None), ARM, FPS)
    np.testing.assert_allclose(points, moving(), atol=1e-5)


def test_a_joint_that_is_never_found_lies_on_its_parent() -> None:
    poses = moving()
    poses[:, 0, 2] = np.nan
    points, confidence = filled(Poses(poses, None), ARM, FPS)
    np.testing.assert_array_equal(points[:, 0, 2], moving()[:, 0, 1])
    np.testing.assert_array_equal(points[:, 0, 3], moving()[:, 0, 3])
    assert not confidence[:, 0, 2].any()


def test_a_root_that_is_gone_keeps_its_place_among_the_others() -> None:
    poses = moving()
    poses[10:, 0, 0] = np.nan
    points, _ = filled(Poses(poses, None), ARM, FPS)
    # The middle of hip, shoulder, elbow and hand is at height 2.5, that of the last three at 3.
    np.testing.assert_allclose(points[10:, 0, 0], [[t, 3 - 1.5, 0] for t in range(10, 20)], atol=1e-5)


def test_a_body_that_is_gone_for_long_is_absent() -> None:
    poses = moving(bodies=2)
    poses[4:9, 0] = np.nan
    poses[4:10, 1] = np.nan
    points, confidence = filled(Poses(poses, None), ARM, FPS)
    np.testing.assert_allclose(points[:, 0], moving()[:, 0], atol=1e-5)
    expected = moving(bodies=2)[:, 1]
    expected[4:10] = 0
    np.testing.assert_array_equal(points[:, 1], expected)
    assert confidence[:, 0].sum() == 15 * 4
    assert confidence[:, 1].sum() == 14 * 4


def test_before_it_comes_and_after_it_goes_a_body_is_absent() -> None:
    poses = moving()
    poses[:2] = poses[18:] = np.nan
    points, _ = filled(Poses(poses, None), ARM, FPS)
    np.testing.assert_array_equal(points.any(axis=(1, 2, 3)), [False] * 2 + [True] * 16 + [False] * 2)


def test_few_joints_make_no_body() -> None:
    chain = Layout.from_names("chain", [f"j{i}" for i in range(8)], [None, *range(7)])
    poses = np.ones((20, 1, 8, 3), dtype=np.float32)
    poses[10:, 0, 1:] = np.nan  # one of eight
    points, confidence = filled(Poses(poses, None), chain, FPS)
    assert points[:10].all()
    assert not points[10:].any()
    assert not confidence[10:].any()


def test_a_bridged_frame_has_all_joints_though_none_was_seen_on_both_sides() -> None:
    poses = moving()
    poses[10:13] = np.nan
    poses[:10, 0, :2] = poses[13:, 0, 2:] = np.nan
    points, confidence = filled(Poses(poses, None), ARM, FPS)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(points[..., 0], moving()[..., 0], atol=1e-5)
    assert not confidence[10:13].any()
