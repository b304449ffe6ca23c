"""`ctrgcn`: the published arrays by value, and what becomes of people who come, go and overlap."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from golden_fill import GOLDEN, load_golden

from kineme.layouts import get_layout
from kineme.preparing import prepare
from kineme.preprocessing import get_preprocessing, parse_preprocessing
from kineme.sources.ntu import read_skeleton
from kineme.sources.raw import RawFile
from kineme.typing import Array

NTU = get_layout("ntu25")
FILES = {path.stem: path for folder in ("ntu_raw", "ntu_raw_bodies") for path in (GOLDEN / folder).iterdir()}


def people(name: str) -> Array:
    """The raw clip of a golden file, a slot for every person."""
    path = FILES[name]
    return read_skeleton(RawFile(PurePosixPath(path.name), path), by_person=True)


@pytest.mark.parametrize("name", sorted(FILES))
def test_agrees_with_the_published_arrays(name: str) -> None:
    golden = load_golden("preprocess_ctrgcn.npz")
    (row,) = np.flatnonzero(golden["name"] == name)
    ours = get_preprocessing("ctrgcn")(people(name), NTU)
    assert len(ours) == golden["frames"][row]
    assert (ours.shape[1] == 2) == golden["two_bodies"][row]
    padded = np.zeros((90, 2, 25, 3), dtype=np.float32)
    padded[: len(ours), : ours.shape[1]] = ours
    np.testing.assert_allclose(padded[::4].reshape(-1, 150), golden["x"][row], rtol=0, atol=1e-5)


def test_a_store_is_prepared_from_people_not_from_places_in_a_list(tmp_path: Path) -> None:
    """In the clip of five bodies a place in the list is taken by one person after another."""
    store = prepare("ntu60", GOLDEN / "ntu_raw_bodies", tmp_path / "store", preprocessing="ctrgcn").store
    golden = load_golden("preprocess_ctrgcn.npz")
    assert len(store) == 3
    for row, name in enumerate(store.names):
        (theirs,) = np.flatnonzero(golden["name"] == name)
        ours = np.asarray(store.clip(row))[::4].reshape(-1, 150)
        np.testing.assert_allclose(ours, golden["x"][theirs][: len(ours)], rtol=0, atol=1e-5)


def standing(frames: int, seed: int, sway: float) -> Array:
    """(T, V, C): someone of one height who sways."""
    pose = np.random.default_rng(9).normal(size=(NTU.num_joints, 3)) * [0.2, 0.6, 0.1] + [seed, 0, 3]
    rng = np.random.default_rng(seed)
    return (pose + sway * rng.normal(size=(frames, 1, 3))).astype(np.float32)


def together(frames: int, **bodies: tuple[int, Array]) -> Array:
    """(T, M, V, C): each body from its first frame on."""
    xyz = np.zeros((frames, len(bodies), NTU.num_joints, 3), dtype=np.float32)
    for slot, (first, body) in enumerate(bodies.values()):
        xyz[first : first + len(body), slot] = body
    return xyz


def test_one_who_follows_another_joins_the_same_body() -> None:
    one, other = standing(20, 0, 0.3), standing(20, 1, 0.1)
    result = get_preprocessing("ctrgcn")(together(40, one=(0, one), other=(20, other)), NTU)
    origin = one[0, 1]
    np.testing.assert_allclose(result[:, 0], np.concatenate([one, other]) - origin, atol=1e-6)
    assert not result[:, 1].any()


def test_the_one_who_moves_most_is_the_first_body_and_a_third_is_lost() -> None:
    still, lively, third = standing(30, 0, 0.05), standing(30, 1, 0.5), standing(29, 2, 0.02)
    clip = together(30, still=(0, still), lively=(0, lively), third=(1, third))
    result = get_preprocessing("ctrgcn")(clip, NTU)
    np.testing.assert_allclose(result[:, 0], lively - lively[0, 1], atol=1e-6)
    np.testing.assert_allclose(result[:, 1], still - lively[0, 1], atol=1e-6)


def test_short_and_wide_bodies_are_noise_unless_alone() -> None:
    person, brief = standing(30, 0, 0.1), standing(11, 1, 2.0)
    wide = standing(30, 2, 3.0)[..., [1, 0, 2]]  # lies on the floor
    result = get_preprocessing("ctrgcn")(together(30, a=(0, brief), b=(0, wide), c=(0, person)), NTU)
    np.testing.assert_allclose(result[:, 0], person - person[0, 1], atol=1e-6)
    assert result.shape[1] == 1
    for alone in (brief, wide):
        assert get_preprocessing("ctrgcn")(alone[:, None], NTU).shape == (len(alone), 1, 25, 3)
    both = get_preprocessing("ctrgcn")(together(12, a=(0, brief), b=(4, brief[:8])), NTU)
    np.testing.assert_allclose(both[:, 0], brief - brief[0, 1], atol=1e-6)  # the longer of two short ones


def test_a_lone_body_is_copied_as_for_ntu_120() -> None:
    lone, pair = standing(20, 0, 0.3), together(20, a=(0, standing(20, 0, 0.3)), b=(0, standing(20, 1, 0.1)))
    copied = parse_preprocessing("ctrgcn(bodies=copied)")
    result = copied(lone[:, None], NTU)
    np.testing.assert_array_equal(result[:, 0], result[:, 1])
    np.testing.assert_array_equal(copied(pair, NTU), get_preprocessing("ctrgcn")(pair, NTU))


def test_bodies_as_recorded_are_those_of_pku_mmd() -> None:
    pair = together(20, a=(2, standing(18, 0, 0.3)), b=(5, standing(10, 1, 0.1)))
    recorded = parse_preprocessing("ctrgcn(bodies=recorded)")
    np.testing.assert_array_equal(recorded(pair, NTU), pair[:18])  # 18 frames show somebody
