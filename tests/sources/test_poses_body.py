"""What a body tells: which axis is up, which side is left, and in which unit it is."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.drawing.layouts import standing
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.layouts.correspondence import anatomical_points
from kineme.sources.poses.arrays import STANDING, Poses
from kineme.sources.poses.body import guessed_scale, mirrored, upright
from kineme.sources.poses.coordinates import Coordinates, check_sides, coordinates_of, metres_per_unit
from kineme.typing import Array

BODIES = [layout for layout in LAYOUTS.values() if None not in anatomical_points(layout)]


def stand(layout: Layout) -> Array:
    """(1, 1, V, 3) a standing figure, y up, in metres."""
    flat = standing(layout)
    return np.concatenate([flat, 0 * flat[:, :1]], axis=1)[None, None]


@pytest.mark.parametrize("layout", BODIES, ids=lambda layout: layout.name)
@pytest.mark.parametrize(
    ("order", "signs", "expected"),
    [([0, 1, 2], [1, 1, 1], "y-up"), ([0, 1, 2], [1, -1, -1], "y-down"), ([0, 2, 1], [1, -1, 1], "z-up"),
     ([0, 2, 1], [1, 1, -1], "z-down"), ([1, 0, 2], [1, -1, 1], "x-up"), ([1, 0, 2], [-1, 1, 1], "x-down")],
)  # fmt: skip
def test_heads_are_above_feet(layout: Layout, order: list[int], signs: list[int], expected: str) -> None:
    assert upright(stand(layout)[..., order] * signs, layout) == expected


def facing(layout: Layout, depth: float = 0.1) -> Array:
    """(10, 1, V, 3) a standing figure whose toes and nose point to the viewer, along z."""
    shown = stand(layout).repeat(10, axis=0)
    ahead = [
        bool(point) and point.endswith(("toes", "big toe", "foot", "nose"))
        for point in anatomical_points(layout)
    ]
    shown[..., ahead, 2] += depth
    return shown


@pytest.mark.parametrize("name", ["ntu25", "coco17", "openpose25", "mediapipe33", "smpl22", "rig22", "body"])
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 2, 0], [2, 0, 1]])
def test_toes_and_noses_tell_which_side_is_left(name: str, order: list[int]) -> None:
    layout = LAYOUTS[name]
    body = facing(layout)[..., order]  # turned
    assert mirrored(body, layout) is False
    assert mirrored(body * [1, 1, -1], layout) is True
    assert mirrored(body[:, :, layout.mirror], layout) is True  # names swapped


def test_sides_are_not_told_where_frames_differ_or_nothing_points_forwards() -> None:
    layout = LAYOUTS["rig22"]
    body = facing(layout)
    assert mirrored(np.concatenate([body] * 9 + [facing(layout, -0.1)]), layout) is False
    assert mirrored(np.concatenate([body] * 8 + [facing(layout, -0.1)] * 2), layout) is None
    assert mirrored(stand(layout), layout) is None  # flat
    assert mirrored(body * np.nan, layout) is None
    assert mirrored(body[:9], layout) is None  # too few frames
    assert mirrored(facing(LAYOUTS["h36m17"]), LAYOUTS["h36m17"]) is None  # neither toes nor ears
    assert (
        mirrored(np.ones((2, 1, 3, 3)), Layout.from_names("stick", ["a", "b", "c"], [None, "a", "a"])) is None
    )


@pytest.mark.parametrize(
    ("axes", "mirror", "warning"),
    [
        ("y-up", False, ""),
        ("y-up", True, "left-handed; then set `axes` to unity"),
        ("z-up", True, "or to unreal where z is up"),
        ("unity", True, ""),
        ("unity", False, "as in unity, toes or noses would point backwards"),
        ("unreal", False, "set `axes` to z-up\n"),
    ],
)
def test_swapped_sides_are_warned_of(
    axes: str, mirror: bool, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    layout = LAYOUTS["rig22"]
    body = facing(layout) * [1, 1, -1 if mirror else 1]
    if axes.startswith("z"):
        body = body[..., [2, 0, 1]]  # a turn
    poses = Poses(body.astype(np.float32), None)
    check_sides(poses, layout, coordinates_of(poses, layout, axes, "m", None))
    assert warning in caplog.text
    assert bool(warning) == bool(caplog.text)


@pytest.mark.parametrize(
    ("unit", "name"),
    [(1, "m"), (0.01, "cm"), (0.001, "mm"), (0.0254, "in"), (0.0254 / 0.45, "0.0564 m (CMU)")],
)
@pytest.mark.parametrize("size", [0.85, 1.0, 1.15])
def test_the_unit_of_a_rig_is_that_in_which_it_is_as_tall_as_people(
    unit: float, name: str, size: float
) -> None:
    for layout in (LAYOUTS["rig22"], LAYOUTS["cmu31"], LAYOUTS["mixamo65"]):
        assert guessed_scale(stand(layout) * size / unit, layout) == (unit, name)


def test_option_then_file_then_body_then_metres(caplog: pytest.LogCaptureFixture) -> None:
    rig = LAYOUTS["rig22"]
    caplog.set_level("INFO")
    tall = stand(rig).astype(np.float32) * 100
    poses = Poses(tall, None, rig.joints, axes=STANDING)
    assert coordinates_of(poses, rig, None, None, None) == Coordinates("y-up", True, 0.01, rig=rig)
    assert "the unit is taken to be cm" in caplog.text
    assert coordinates_of(poses, rig, None, "mm", None).scale == 0.001
    told = Poses(tall, None, rig.joints, axes=STANDING, scale=0.001)
    assert coordinates_of(told, rig, None, None, None) == Coordinates("y-up", True, None)
    np.testing.assert_allclose(Coordinates("y-up", True)(told).points, tall / 1000, rtol=1e-6)
    assert coordinates_of(Poses(tall, None), rig, None, None, None).scale is None


def test_up_is_what_the_user_says_then_the_format_then_the_body(caplog: pytest.LogCaptureFixture) -> None:
    rig = LAYOUTS["rig22"]
    caplog.set_level("INFO")
    lying = (stand(rig)[..., [0, 2, 1]] * [1, -1, 1]).astype(np.float32)  # z up
    assert coordinates_of(Poses(lying, None, axes=STANDING), rig, None, "m", None).axes == "z-up"
    assert "bodies stand z-up; set `axes` if that is wrong" in caplog.text
    assert coordinates_of(Poses(lying, None, axes=STANDING), rig, "y-up", "m", None).axes == "y-up"
    assert coordinates_of(Poses(lying, None, axes="y-up"), rig, None, "m", None).axes == "y-up"
    caplog.clear()
    assert (
        coordinates_of(Poses(lying, None), rig, None, "m", None).axes == "y-up"
    )  # arrays: as always, with a remark
    assert "y-up is assumed, but heads are above feet as in z-up" in caplog.text


def test_who_lies_along_x_is_not_put_upright(caplog: pytest.LogCaptureFixture) -> None:
    """No program has x up, so a first clip of someone on the floor turns nothing."""
    rig = LAYOUTS["rig22"]
    caplog.set_level("INFO")
    lying = (stand(rig)[..., [1, 0, 2]] * [1, -1, 1]).astype(np.float32)
    assert coordinates_of(Poses(lying, None, axes=STANDING), rig, None, "m", None).axes == "y-up"
    assert "the vertical axis is not clear from the body; y-up is assumed" in caplog.text
    caplog.clear()
    assert coordinates_of(Poses(lying[..., :2] * 300, None), rig, None, None, None).axes == "y-down"
    assert not caplog.records  # nor is it a question in an image


def test_units_are_names_or_metres() -> None:
    assert (metres_per_unit("in"), metres_per_unit("0.0564")) == (0.0254, 0.0564)
    for text in ("yard", "-1", "0", "nan", "1e9"):
        with pytest.raises(KinemeError, match=rf"`units`: is {text}; it must be one of m, cm, mm, in, or"):
            metres_per_unit(text)


@pytest.mark.parametrize("unit", [1.0, 0.001, 0.0254])
def test_files_of_another_unit_than_the_first_get_their_own(unit: float) -> None:
    rig = LAYOUTS["rig22"]
    metres = stand(rig).astype(np.float32)
    first = Poses(metres * 100, None, rig.joints, axes=STANDING)
    coordinates = coordinates_of(first, rig, None, None, None)
    other = Poses(metres / unit, None, rig.joints, axes=STANDING)
    np.testing.assert_allclose(coordinates(other).points, metres, rtol=1e-5, atol=1e-6)


def test_a_child_keeps_the_unit_of_the_first_file() -> None:
    """In inches, 0.9 m would be nearer to the height of a grown person."""
    rig = LAYOUTS["rig22"]
    first = Poses(stand(rig).astype(np.float32) * 100, None, rig.joints, axes=STANDING)
    coordinates = coordinates_of(first, rig, None, None, None)
    child = Poses(first.points * 0.55, None, rig.joints, axes=STANDING)
    assert guessed_scale(child.points, rig)[1] == "in"
    np.testing.assert_allclose(coordinates(child).points, child.points / 100, rtol=1e-6)


def test_a_unit_in_the_file_counts_more_than_one_guessed_from_the_first() -> None:
    rig = LAYOUTS["rig22"]
    first = Poses(stand(rig).astype(np.float32) * 100, None, rig.joints, axes=STANDING)
    coordinates = coordinates_of(first, rig, None, None, None)
    told = Poses(first.points * 10, None, rig.joints, axes=STANDING, scale=0.001)
    np.testing.assert_allclose(coordinates(told).points, first.points / 100, rtol=1e-6)
