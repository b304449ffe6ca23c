"""Where motions begin and end, in signals whose boundaries are known."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from conftest import STICK
from kineme.errors import KinemeError
from kineme.inference.clustering.changes import (
    DEFAULTS,
    Changes,
    boundaries,
    motions,
    poses_of,
    rarity,
    segments,
)
from kineme.metrics.clustering import boundary_f1
from kineme.sources.container import open_container
from kineme.typing import Array

FPS = 30.0


def recording(
    lengths: list[int], rests: list[int], noise: float = 0.005, seed: int = 0
) -> tuple[Array, Array]:
    """(T, 1, 3, 3): the hand goes out and back, each time another way, with rests around; boundaries."""
    rng = np.random.default_rng(seed)
    parts, edges, frame = [], [], 0
    ways = np.eye(3)[[0, 1, 2]]
    for number, rest in enumerate(rests):
        parts.append(np.zeros((rest, 3)))
        frame += rest
        if number < len(lengths):
            out = np.sin(np.linspace(0, np.pi, lengths[number])) ** 2
            parts.append(0.8 * out[:, None] * ways[number % 3])
            edges += [frame, frame + lengths[number]]
            frame += lengths[number]
    hand = np.concatenate(parts)
    xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (frame, 1, 1, 1)).astype(np.float32)
    xyz[:, 0, 2] += hand
    xyz[:, 0] += noise * rng.standard_normal(xyz[:, 0].shape)
    xyz[:, 0, 0] = 0
    return xyz, np.unique([edge for edge in edges if 0 < edge < frame])


def test_motions_between_rests_are_found_within_a_quarter_of_a_second() -> None:
    xyz, true = recording([40, 60, 30], [40, 30, 50, 40])
    found = motions(xyz, STICK, FPS, DEFAULTS)
    assert boundary_f1([true], [found], tolerance=8) == 100


def test_motions_that_follow_at_once_are_parted_where_the_body_comes_back() -> None:
    xyz, _ = recording([45, 45, 45], [0, 0, 0, 0])
    found = motions(xyz, STICK, FPS, DEFAULTS)
    assert {int(np.abs(np.array([0, 45, 90, 135]) - each).argmin()) for each in found} == {0, 1, 2, 3}
    assert np.abs(found[:, None] - [0, 45, 90, 135]).min(axis=1).max() <= 6  # the hand slows down before


@pytest.mark.parametrize("seed", range(3))
def test_better_than_even_cuts_of_the_same_number(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths, rests = rng.integers(20, 80, size=12).tolist(), rng.integers(15, 60, size=13).tolist()
    xyz, true = recording(lengths, rests, noise=0.01, seed=seed)
    found = motions(xyz, STICK, FPS, DEFAULTS)
    even = np.linspace(0, len(xyz), len(found) + 2)[1:-1].round().astype(int)
    assert boundary_f1([true], [found]) > boundary_f1([true], [even]) + 30


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_a_body_that_stands_still_does_one_thing(noise: float) -> None:
    xyz, _ = recording([], [300], noise)
    assert motions(xyz, STICK, FPS, DEFAULTS).tolist() == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seconds", [2, 200])
def test_an_absent_body_does_one_thing(seconds: int) -> None:
    absent = np.zeros((round(FPS) * seconds, 2, 3, 3), dtype=np.float32)
    assert motions(absent, STICK, FPS, DEFAULTS).tolist() == []


def test_segments_begin_and_end_where_somebody_comes_and_goes() -> None:
    """Two recordings with nobody before, between and after; a glimpse of two frames is no segment."""
    one, _ = recording([40, 60], [40, 30, 40])
    other, _ = recording([50], [30, 40], seed=1)
    gap = np.zeros((45, 1, 3, 3), dtype=np.float32)
    xyz = np.concatenate([gap, one, gap, other, gap, one[:2], gap])
    alone = [[0, *motions(each, STICK, FPS, DEFAULTS), len(each)] for each in (one, other)]
    expected = [(45 + np.array(alone[0])).tolist(), (90 + len(one) + np.array(alone[1])).tolist()]
    found = segments(xyz, STICK, FPS, DEFAULTS)
    assert found.tolist() == [[*pair] for each in expected for pair in pairwise(each)]
    assert segments(one[:2], STICK, FPS, DEFAULTS).tolist() == [[0, 2]]
    assert segments(gap, STICK, FPS, DEFAULTS).tolist() == []


def test_who_is_lost_for_a_moment_has_not_left() -> None:
    xyz, _ = recording([40, 60], [40, 30, 40])
    xyz[9::10] = 0
    found = segments(xyz, STICK, FPS, DEFAULTS)
    assert [found[0, 0], found[-1, 1]] == [0, len(xyz) - (len(xyz) % 10 == 0)]
    np.testing.assert_array_equal(found[1:, 0], found[:-1, 1])


def test_while_the_second_body_stays_nobody_has_left() -> None:
    xyz, _ = recording([40, 60], [40, 30, 40])
    both = np.concatenate([xyz, xyz + 1], axis=1)
    both[60:120, 0] = 0
    found = segments(both, STICK, FPS, DEFAULTS)
    assert [found[0, 0], found[-1, 1]] == [0, len(xyz)]
    np.testing.assert_array_equal(found[1:, 0], found[:-1, 1])


def test_minutes_are_blended() -> None:
    """A pose drifts for 90 s, so in the second minute the first frame is rare, and in the first it is not."""
    poses = np.linspace(0, 1, 900)[:, None]
    found, first, second = rarity(poses, 10), rarity(poses[:600], 10), rarity(poses[300:], 10)
    assert found[300] == pytest.approx((300 * first[300] + second[0]) / 301)
    assert found[449:451] == pytest.approx((first[449:451] + second[149:151]) / 2, rel=1e-2)
    assert found[:300] == pytest.approx(first[:300])


def test_a_single_frame_does_one_thing() -> None:
    assert motions(np.ones((1, 1, 3, 3), dtype=np.float32), STICK, FPS, DEFAULTS).tolist() == []


def test_size_and_place_of_the_body_do_not_matter() -> None:
    xyz, _ = recording([40, 60], [30, 30, 30])
    found = motions(xyz, STICK, FPS, DEFAULTS)
    np.testing.assert_array_equal(motions(100 * xyz + 7, STICK, FPS, DEFAULTS), found)
    np.testing.assert_allclose(np.sqrt(np.square(poses_of(xyz, STICK)).sum(axis=1).mean()), 1, atol=0.05)


def test_less_prominence_finds_no_fewer_motions() -> None:
    xyz, _ = recording([40, 60, 30, 50], [20] * 5, noise=0.03)
    counts = [len(motions(xyz, STICK, FPS, Changes(prominence=p))) for p in (0.02, 0.5, 1.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    with pytest.raises(KinemeError, match=r"`prominence`: is 0; it must be at least 0\.001"):
        Changes(prominence=0)


def test_no_segment_is_shorter_than_the_shortest() -> None:
    rng = np.random.default_rng(0)
    inner = boundaries(rng.standard_normal(600), FPS, Changes(smooth=0.02, shortest=0.5))
    assert np.diff([0, *inner, 600]).min() >= 15
    assert len(inner) > 5


def test_rarity_is_low_where_the_body_often_is() -> None:
    """Of ten equal poses and one that is far away, by the logarithm of 10/11 and 1/11."""
    poses = np.zeros((11, 2))
    poses[5] = 100
    expected = np.full(11, -np.log(10 / 11))
    expected[5] = -np.log(1 / 11)
    np.testing.assert_allclose(rarity(poses, FPS), expected, atol=1e-6)


def test_what_is_rare_is_judged_by_the_minute_around() -> None:
    """Ten minutes at 2 frames per second: a motion is found as if its minute stood alone."""
    lengths, rests = [20] * 30, [20] * 31
    xyz, true = recording(lengths, rests)
    found = motions(xyz, STICK, 2.0, Changes(smooth=1.0))
    assert boundary_f1([true], [found], tolerance=5) > 95


@pytest.mark.data
def test_recorded_people_are_cut_far_better_than_evenly() -> None:
    """The odd people of PRECOG, on whom the defaults were chosen."""
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA names no folder of recordings")
    source = open_container(Path(folder) / "precog.npz")
    true, found, even = [], [], []
    for item in source.items:
        clip = source.read(item)
        if int(clip.subject) % 2:
            frames = len(clip.xyz)
            edges = np.unique([edge for start, end, _ in clip.intervals for edge in (start, end)])
            true.append(edges[(edges > 0) & (edges < frames)])
            found.append(motions(clip.xyz, source.layout, source.fps, DEFAULTS))
            even.append(np.linspace(0, frames, len(found[-1]) + 2)[1:-1].round().astype(int))
    assert boundary_f1(true, found) > 78
    assert boundary_f1(true, found) > boundary_f1(true, even) + 20
