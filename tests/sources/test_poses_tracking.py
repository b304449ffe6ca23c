"""Who is who: people who cross, leave, come back, and are too many."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.tracking import sizes, strongest, tracked
from kineme.typing import Array

FPS = 30.0
STICK = np.array([[0, 0], [0, 50], [0, 100], [20, 60], [-20, 60]], dtype=np.float64)  # 100 pixels tall


def detected(bodies: Array, seed: int = 0, confidence: Array | None = None) -> Detections:
    """(T, M, V, C), NaN where somebody is absent → detections, in random order within each frame."""
    rng = np.random.default_rng(seed)
    frame, body = np.nonzero(np.isfinite(bodies[..., 0]).any(axis=-1))
    order = np.lexsort((rng.random(len(frame)), frame))
    frame, body = frame[order], body[order]
    scores = None if confidence is None else confidence[frame, body].astype(np.float32)
    return Detections(frame, bodies[frame, body].astype(np.float32), scores, len(bodies), "openpose")


def walking(start: float, speed: float, frames: int = 60, swing: float = 5) -> Array:
    """(T, V, 2) a stick figure from x = `start`, `speed` pixels a frame, its hands swinging."""
    body = np.tile(STICK, (frames, 1, 1))
    body[..., 0] += start + speed * np.arange(frames)[:, None]
    body[:, 3:, 1] += swing * np.sin(np.arange(frames) / 3)[:, None]
    return body


def absent(body: Array, start: int, end: int) -> Array:
    body = body.copy()
    body[start:end] = np.nan
    return body


def same(poses: Poses, bodies: Array) -> bool:
    """Whether these are the bodies, in whatever order."""
    return any(
        np.array_equal(poses.points, bodies[:, list(order)].astype(np.float32), equal_nan=True)
        for order in ((0, 1), (1, 0))
    )


@pytest.mark.parametrize("seed", range(5))
def test_two_people_who_cross_keep_their_places(seed: int) -> None:
    # They meet at x = 120 in frame 30, with equal poses: only the way they were going tells them apart.
    both = np.stack([walking(0, 4), walking(240, -4)], axis=1)
    np.testing.assert_allclose(both[30, 0], both[30, 1])
    assert same(tracked(detected(both, seed), FPS, 2), both)


@pytest.mark.parametrize("seed", range(10))
def test_after_they_crossed_they_are_who_they_were_though_joints_shake(seed: int) -> None:
    both = np.stack([walking(0, 4), walking(241, -4)], axis=1)
    shaky = both + 2 * np.random.default_rng(seed).standard_normal(both.shape)  # 2 % of their height
    poses = tracked(detected(shaky, seed), FPS, 2)
    first, last = poses.points[[0, -1]].mean(axis=2)[..., 0]
    assert np.sort(first)[0] < 20 < 220 < np.sort(first)[1]
    np.testing.assert_allclose(last, 241 - first, atol=10)  # each at the other's side


def test_who_is_hidden_while_they_cross_goes_on_where_he_was_going() -> None:
    both = np.stack([walking(0, 4), absent(walking(240, -4), 26, 35)], axis=1)
    assert same(tracked(detected(both), FPS, 2), both)


def test_a_body_that_comes_back_within_a_second_keeps_its_place() -> None:
    gone = np.stack([walking(0, 0), absent(walking(300, 0), 20, 45)], axis=1)
    assert same(tracked(detected(gone), FPS, 2), gone)


def test_a_body_that_comes_back_later_is_another() -> None:
    one, other = walking(0, 0), absent(walking(300, 0), 15, 50)
    three = tracked(detected(np.stack([one, other], axis=1)), FPS, 3)
    there = [np.flatnonzero(np.isfinite(three.points[:, body, 0, 0])) for body in range(3)]
    assert [(frames[0], frames[-1]) for frames in there] == [(0, 59), (0, 14), (50, 59)]


def test_who_appears_elsewhere_is_another() -> None:
    first, second = absent(walking(0, 0), 30, 60), absent(walking(300, 0), 0, 30)
    third = walking(700, 0)
    poses = tracked(detected(np.stack([first, second, third], axis=1)), FPS, 3)
    assert poses.points.shape[1] == 3


def test_where_nobody_is_with_another_it_is_one_body() -> None:
    jumps = walking(0, 0)
    jumps[20:] += 500  # a cut in the video
    jumps = absent(jumps, 25, 58)
    poses = tracked(detected(jumps[:, None]), FPS, 2)
    np.testing.assert_array_equal(poses.points, jumps[:, None].astype(np.float32))


def test_those_who_are_there_and_move_are_kept_the_foremost_first() -> None:
    mover = walking(0, 3)
    waver = walking(300, 0, swing=30)
    poster = walking(600, 0, swing=0)
    flicker = absent(walking(900, 10), 3, 60)
    poses = tracked(detected(np.stack([poster, flicker, waver, mover], axis=1)), FPS, 2)
    np.testing.assert_array_equal(poses.points, np.stack([mover, waver], axis=1).astype(np.float32))


def test_confidence_goes_with_the_body_and_counts_as_presence() -> None:
    both = np.stack([walking(0, 4), walking(240, -4)], axis=1)
    confidence = np.tile([[[0.25], [0.75]]], (60, 1, 5))
    poses = tracked(detected(both, confidence=confidence), FPS, 2)
    np.testing.assert_array_equal(poses.points[:, 0], both[:, 1].astype(np.float32))
    assert poses.confidence is not None
    np.testing.assert_array_equal(poses.confidence, confidence[:, ::-1])


def test_joints_that_come_and_go_do_not_confuse() -> None:
    both = np.stack([walking(0, 4), walking(242, -4)], axis=1)
    both[::2, 0, 3:] = np.nan
    both[::3, 1, :2] = np.nan
    assert same(tracked(detected(both), FPS, 2), both)


def test_nobody_and_crowds_are_refused() -> None:
    nothing = detected(np.full((3, 1, 5, 2), np.nan))
    with pytest.raises(ValueError, match="shows nobody"):
        tracked(nothing, FPS, 2)
    crowd = np.tile(STICK, (101, 1, 1)) + 1
    with pytest.raises(ValueError, match="101 people in a frame; the limit is 100"):
        tracked(Detections(np.zeros(101, dtype=np.int64), crowd, None, 1, ""), FPS, 2)


def test_a_file_with_many_bodies_keeps_the_strongest_in_its_order() -> None:
    points = np.stack([walking(0, 0, swing=0), walking(300, 1), walking(600, 3)], axis=1).astype(np.float32)
    confidence = np.zeros((60, 3, 5), dtype=np.float32) + np.array([0.1, 0.2, 0.3], dtype=np.float32)[:, None]
    kept = strongest(Poses(points, confidence), 2)
    np.testing.assert_array_equal(kept.points, points[:, 1:])
    np.testing.assert_array_equal(kept.confidence, confidence[:, 1:])
    assert strongest(Poses(points, None), 3).points is points


def test_the_size_is_the_longest_side_of_the_box_about_what_is_found() -> None:
    body = np.array([STICK, STICK])
    body[1, 2] = np.nan
    np.testing.assert_array_equal(sizes(body), [100, 60])


def test_who_moves_most_for_their_size_comes_first() -> None:
    """Somebody near the camera is ten times as tall, and moves three times as far."""
    far, near = walking(0, 0, swing=5), 10 * walking(50, 0, swing=1.5)
    poses = tracked(detected(np.stack([near, far], axis=1)), FPS, 1)
    np.testing.assert_array_equal(poses.points[:, 0], far.astype(np.float32))
