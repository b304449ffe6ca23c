"""Preprocessings: the published preprocessings by value, and what `plain` promises for any layout."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.errors import KinemeError
from kineme.layouts import Layout, get_layout
from kineme.preprocessing import (
    Plain,
    Preprocessing,
    Unavailable,
    get_preprocessing,
    parse_preprocessing,
    stored_preprocessing,
)
from kineme.preprocessing.bodies import spine_end
from kineme.sources.ntu import read_skeleton
from kineme.sources.raw import RawFile
from kineme.typing import Array

NTU = get_layout("ntu25")
KINECT = get_layout("kinect20")
RAW = [RawFile(PurePosixPath(path.name), path) for path in sorted((GOLDEN / "ntu_raw").glob("*.skeleton"))]


def moving(frames: int = 20, bodies: int = 1, layout: Layout = NTU, seed: int = 0) -> Array:
    """People of layout `layout` who stand a few metres off and move at random."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(1, bodies, layout.num_joints, 3)) * 0.4
    drift = np.cumsum(rng.normal(size=(frames, bodies, 1, 3)) * 0.02, axis=0)
    noise = rng.normal(size=(frames, bodies, layout.num_joints, 3)) * 0.03
    return (pose + drift + noise + np.array([0.3, 0.1, 3.0])).astype(np.float32)


def turned(xyz: Array, degrees: float) -> Array:
    """About the vertical axis; left alone where zero."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (xyz @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])).astype(np.float32)


def golden(name: str, row: int) -> Array:
    """(T, M, V, C) of one golden clip."""
    with np.load(GOLDEN / "preprocess_ntu.npz") as stored:
        array: Array = stored[name][row]
    return array.transpose(1, 3, 2, 0)


@pytest.mark.parametrize("shape", [(20, 25, 3), (20, 1, 25, 2), (20, 1, 17, 3), (20, 25, 1, 3)])
def test_a_clip_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    message = re.escape(f"shape {shape} was given; it must be an array (T, M, V=25, C=3) for layout ntu25")
    for prepare in (Plain(), Plain().apply):
        with pytest.raises(KinemeError, match=message):
            prepare(np.ones(shape), NTU)


def test_present_joints_of_another_layout_are_refused() -> None:
    with pytest.raises(KinemeError, match=r"`present`: has the shape \(20,\); it must be \(V=25,\)"):
        Plain()(moving(), NTU, np.ones(20, dtype=bool))


def test_a_preprocessing_must_return_a_clip() -> None:
    class Flat(Preprocessing):
        def apply(self, xyz: Array, layout: Layout) -> Array:
            return xyz[:, 0]

    message = re.escape(
        "`apply` returns the shape (20, 25, 3); return (T, M, V=25, C=3) with at most 2 bodies"
    )
    with pytest.raises(KinemeError, match=message):
        Flat()(moving(), NTU)


def with_two_bodies(xyz: Array) -> Array:
    return np.pad(xyz, ((0, 0), (0, 2 - xyz.shape[1]), (0, 0), (0, 0)))


@pytest.mark.parametrize("row", range(5), ids=[file.stem for file in RAW])
def test_crossclr_agrees_with_the_published_arrays(row: int) -> None:
    ours = with_two_bodies(get_preprocessing("crossclr")(read_skeleton(RAW[row]), NTU))
    np.testing.assert_allclose(ours, golden("position_50", row), rtol=0, atol=1e-5)


@pytest.mark.parametrize("row", range(5), ids=[file.stem for file in RAW])
def test_agcn_agrees_with_the_published_arrays(row: int) -> None:
    ours = with_two_bodies(get_preprocessing("agcn")(read_skeleton(RAW[row]), NTU))
    with np.load(GOLDEN / "preprocess_ntu.npz") as stored:
        assert len(ours) == stored["num_frames"][row]
    np.testing.assert_allclose(ours, golden("prenormalized", row)[: len(ours)], rtol=0, atol=1e-5)


def test_agcn_keeps_the_two_bodies_that_move_most_of_the_first_four() -> None:
    xyz = np.concatenate([moving(seed=body) * scale for body, scale in enumerate([1, 3, 0.5, 2, 9])], axis=1)
    chosen = get_preprocessing("agcn")(xyz, NTU)
    expected = get_preprocessing("agcn")(xyz[:, [1, 3]], NTU)
    np.testing.assert_array_equal(chosen, expected)


def test_agcn_fills_gaps_as_2s_agcn_does() -> None:
    """The spine lies along z and the shoulders along x already, so nothing is turned and frames compare."""
    pose = moving(1, 1)[0, 0]
    pose[1] = pose[0] + [0, 0, 0.5]
    pose[8] = pose[4] + [0.4, 0, 0]
    frames = pose + np.arange(6)[:, None, None] * np.linspace(0, 0.1, 25)[None, :, None]
    centred = (frames - frames[:, 1:2]).astype(np.float32)

    def prepared_of(*order: int) -> Array:
        """The clip of these frames in order; -1 is an absent one."""
        shown = np.where(np.array(order)[:, None, None] < 0, 0, frames[list(order)])
        return get_preprocessing("agcn")(shown[:, None].astype(np.float32), NTU)[:, 0]

    def expect(result: Array, *order: int) -> None:
        wanted = np.where(np.array(order)[:, None, None] < 0, 0, centred[list(order)])
        np.testing.assert_allclose(result, wanted, atol=1e-5)

    expect(prepared_of(0, 1, 2, -1, -1, -1, -1, -1), 0, 1, 2, 0, 1, 2, 0, 1)  # looped
    expect(prepared_of(0, 1, -1, 3, -1, -1), 0, 1, -1, 3, 0, 1)  # the gap inside stays
    expect(prepared_of(-1, 0, 1, -1, 3), 0, 1, 3, 0, 1)  # begins late: moved up, the gap closed


def test_agcn_aligns_the_first_frame_of_any_layout_with_shoulders() -> None:
    for layout, spine in ((NTU, (0, 1)), (KINECT, (0, 1)), (get_layout("openpose25"), (8, 1))):
        result = get_preprocessing("agcn")(moving(layout=layout), layout)[0, 0]
        bottom, top = spine
        np.testing.assert_allclose(result[top], 0, atol=1e-5)
        assert layout.facing is not None
        left, right = layout.facing
        across = result[right] - result[left]
        np.testing.assert_allclose(across[1:] / np.linalg.norm(across), 0, atol=1e-5)
        assert np.linalg.norm(result[top] - result[bottom]) > 0.1


def test_plain_centres_each_frame_on_the_origin_of_the_first_body() -> None:
    xyz = moving(bodies=2)
    result = get_preprocessing("plain")(xyz, NTU)
    np.testing.assert_allclose(result, xyz - xyz[:, :1, :1], atol=1e-6)
    pelvis_between_hips = get_preprocessing("plain")(
        moving(layout=get_layout("coco17")), get_layout("coco17")
    )
    np.testing.assert_allclose(pelvis_between_hips[:, 0, [11, 12]].mean(axis=1), 0, atol=1e-6)


def test_plain_can_keep_the_way_that_a_body_goes() -> None:
    xyz = moving()
    result = get_preprocessing("plain", centre="clip")(xyz, NTU)
    np.testing.assert_allclose(result, xyz - xyz[0, 0, 0], atol=1e-6)


def test_plain_leaves_absent_bodies_zero_and_borrows_the_last_origin() -> None:
    xyz = moving(6, bodies=2)
    xyz[[0, 3], 0] = 0
    xyz[4, 1] = 0
    result = get_preprocessing("plain", facing=True, scale=True)(xyz, NTU)
    assert not result[[0, 3], 0].any()
    assert not result[4, 1].any()
    plain = get_preprocessing("plain")(xyz, NTU)
    np.testing.assert_allclose(plain[3, 1], xyz[3, 1] - xyz[2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(plain[0, 1], xyz[0, 1] - xyz[1, 0, 0], atol=1e-6)


def test_plain_passes_over_slots_that_are_empty_throughout() -> None:
    xyz = moving(bodies=4)
    xyz[:, [0, 2]] = 0
    np.testing.assert_array_equal(
        get_preprocessing("plain")(xyz, NTU), get_preprocessing("plain")(xyz[:, [1, 3]], NTU)
    )


@pytest.mark.parametrize("degrees", [-170, -35, 0, 90, 180])
def test_facing_undoes_any_turn_of_the_whole_clip(degrees: float) -> None:
    prepare = get_preprocessing("plain", facing=True)
    upright = prepare(moving(bodies=2), NTU)
    np.testing.assert_allclose(prepare(turned(moving(bodies=2), degrees), NTU), upright, atol=2e-6)
    line = (upright[:, 0, 8] - upright[:, 0, 4]).sum(axis=0)
    assert line[0] > 0
    assert abs(line[2]) < 1e-4


def test_facing_is_one_angle_a_clip_so_a_turn_within_it_remains() -> None:
    first = moving(1)
    xyz = np.concatenate([turned(first, angle) for angle in np.linspace(0, 90, 10)])
    result = get_preprocessing("plain", facing=True)(xyz, NTU)[:, 0]
    line = result[:, 8] - result[:, 4]
    angle = np.degrees(np.arctan2(line[:, 2], line[:, 0]))
    np.testing.assert_allclose(np.abs(np.diff(angle)), 10, atol=1e-3)


def test_scale_makes_bodies_of_any_size_alike() -> None:
    prepare = get_preprocessing("plain", scale=True)
    result = prepare(moving(), NTU)
    np.testing.assert_allclose(prepare(moving() * 1.7, NTU), result, atol=2e-6)
    child, parent = np.array(NTU.bones).T
    bones = np.linalg.norm(result[:, 0, child] - result[:, 0, parent], axis=-1).mean(axis=1)
    np.testing.assert_allclose(np.median(bones), 0.2, rtol=1e-5)


def test_plain_serves_flat_skeletons() -> None:
    coco = get_layout("coco17")
    flat = moving(layout=coco)
    flat[..., 2] = 0
    result = get_preprocessing("plain", facing=True, scale=True)(flat, coco)
    assert not result[..., 2].any()
    assert (result[:, 0, 6, 0] - result[:, 0, 5, 0]).mean() > 0


@pytest.mark.parametrize("text", ["plain", "crossclr", "agcn", "plain(centre=clip, facing=True, scale=True)"])
def test_a_preprocessing_is_read_back_from_its_id(text: str) -> None:
    assert parse_preprocessing(text).id == text


def test_defaults_that_are_spelt_out_make_the_same_preprocessing() -> None:
    spelt_out = parse_preprocessing(" plain( facing=False, scale=True, centre='frame') ")
    assert spelt_out == get_preprocessing("plain", scale=True) == get_preprocessing("plain", scale=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("plane", "unknown preprocessing 'plane'; did you mean plain?"),
        ("plain(face=True)", "'plain' has no parameter 'face'; did you mean facing?"),
        ("plain(width=True)", "'plain' has no parameter 'width'; choose from centre, facing, scale"),
        ("agcn(facing=True)", "'agcn' has no parameter 'facing'; it has none"),
        ("plain(facing=1)", "facing is one of False, True, not 1"),
        ("plain(centre=hips)", "centre is one of frame, clip, not 'hips'"),
        ("plain(True)", "is not a preprocessing"),
        ("plain(facing=__import__('os'))", "is not a preprocessing"),
        ("plain(**{'facing': True})", "is not a preprocessing"),
        ("plain(facing=True", "is not a preprocessing"),
        ("", "is not a preprocessing"),
        ("(" * 500, "is not a preprocessing"),
    ],
)
def test_mistyped_preprocessings_are_refused_with_a_suggestion(text: str, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        parse_preprocessing(text)
    assert reason in str(refusal.value)


@pytest.mark.parametrize("name", ["plain", "crossclr", "agcn"])
def test_a_clip_without_bodies_is_refused(name: str) -> None:
    for empty in (np.zeros((9, 2, 25, 3), np.float32), np.zeros((9, 0, 25, 3), np.float32)):
        with pytest.raises(KinemeError, match="no body is present"):
            get_preprocessing(name)(empty, NTU)


@pytest.mark.parametrize("text", ["crossclr", "agcn", "plain(facing=True)"])
def test_turning_needs_shoulders(text: str) -> None:
    blind = replace(NTU, name="blind", facing=None)
    with pytest.raises(KinemeError, match="'blind' names none"):
        parse_preprocessing(text)(moving(), blind)


def test_inputs_stay_as_they_were() -> None:
    preprocessings: list[Callable[[Array, Layout], Array]] = [
        parse_preprocessing(text) for text in ("plain(facing=True, scale=True)", "crossclr", "agcn")
    ]
    xyz = moving(bodies=2)
    xyz.flags.writeable = False
    for prepare in preprocessings:
        result = prepare(xyz, NTU)
        assert result.dtype == np.float32
        assert result.flags.c_contiguous
        assert not np.shares_memory(result, xyz)


EVERY = ["plain", "plain(facing=True)", "plain(centre=clip)", "crossclr", "agcn"]


@pytest.mark.parametrize("line", EVERY)
def test_what_is_known_of_a_preprocessing_s_clips_holds_for_real_ones(line: str) -> None:
    preprocess = parse_preprocessing(line)
    raw = read_skeleton(RAW[0])
    clip = preprocess(raw, NTU)[:, 0]
    height = clip @ preprocess.up
    assert (height[:, 3] - height[:, [15, 19]].mean(axis=1) > 1.2).all()  # from the feet to the head
    at_zero = np.flatnonzero(~clip.any(axis=(0, 2)))
    known = preprocess.joint_at_zero(NTU)
    assert at_zero.tolist() == ([] if known is None else [known])
    raw[:, :, 23] = 0  # a hand tip was not seen
    stays = not preprocess(raw, NTU)[:, 0, 23].any()
    assert stays == preprocess.keeps_zeros


def test_no_joint_lies_at_an_origin_between_joints() -> None:
    coco = get_layout("coco17")
    assert [parse_preprocessing(line).joint_at_zero(coco) for line in ("plain", "agcn")] == [
        None,
        None,
    ]
    assert parse_preprocessing("crossclr").joint_at_zero(coco) == coco.centre


def test_scaled_clips_are_in_mean_bones() -> None:
    assert get_preprocessing("plain", scale=True).units("metres") == "5 mean bones"
    assert get_preprocessing("plain", facing=True).units("metres") == "metres"


def test_a_preprocessing_that_is_not_installed_keeps_its_name_and_refuses_to_run() -> None:
    stored = stored_preprocessing({"name": "theirs.Upright", "parameters": {"degrees": 3}})
    assert isinstance(stored, Unavailable)
    assert stored.id == "theirs.Upright(degrees=3)"
    assert stored.to_dict() == {"name": "theirs.Upright", "parameters": {"degrees": 3}}
    with pytest.raises(KinemeError, match=r"theirs\.Upright\(degrees=3\) is not installed"):
        stored(moving(), NTU)


def test_what_is_stored_comes_back() -> None:
    assert stored_preprocessing(Plain(facing=True).to_dict()) == Plain(facing=True)


def test_y_points_up_unless_a_preprocessing_says_otherwise() -> None:
    assert get_preprocessing("plain").up == (0.0, 1.0, 0.0)


def test_what_moves_frames_is_unfit_for_untrimmed_recordings() -> None:
    get_preprocessing("plain").check_keeps_frames()
    with pytest.raises(KinemeError, match="preprocessing crossclr moves frames"):
        get_preprocessing("crossclr").check_keeps_frames()


def test_crossclr_takes_a_first_body_of_a_single_frame_and_none_of_no_frame() -> None:
    xyz = np.random.default_rng(0).normal(size=(1, 1, 25, 3))
    assert get_preprocessing("crossclr").apply(xyz, NTU).shape == (50, 1, 25, 3)
    with pytest.raises(KinemeError, match="the first body is absent from every frame"):
        get_preprocessing("crossclr").apply(np.zeros((3, 1, 25, 3)), NTU)


def test_a_spine_whose_shoulders_meet_in_its_origin_ends_between_them() -> None:
    names = ["hip", "left shoulder", "right shoulder", "left hip", "right hip"]
    cross = Layout.from_names("cross", names, [None, "hip", "hip", "hip", "hip"])
    assert spine_end(cross, "agcn") == [1, 2]


def test_a_body_without_extent_is_not_scaled() -> None:
    still = np.ones((4, 1, 25, 3))
    assert np.isfinite(parse_preprocessing("plain(scale=True)").apply(still, NTU)).all()


def test_a_preprocessing_of_ones_own_that_returns_no_coordinates() -> None:
    class Forgetful(Preprocessing):
        """Without a `return`."""

        def apply(self, xyz: np.ndarray, layout: Layout) -> np.ndarray:
            return None  # type: ignore[return-value]

    class Undefined(Preprocessing):
        """Divides by nothing."""

        def apply(self, xyz: np.ndarray, layout: Layout) -> np.ndarray:
            return xyz * np.nan

    clip, ntu = np.ones((4, 1, 25, 3), np.float32), NTU
    with pytest.raises(KinemeError, match=r"`apply` returns NoneType; return an array"):
        Forgetful()(clip, ntu)
    with pytest.raises(KinemeError, match=r"are NaN or infinite after .*Undefined"):
        Undefined()(clip, ntu)
