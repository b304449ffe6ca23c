"""Coordinates: y up, metres in three dimensions, comparable sizes in two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.coordinates import Coordinates, coordinates_of, image_size, metres_per_unit

ANY = Layout.from_names("any", ["a", "b"], [None, "a"])
MEDIAPIPE = LAYOUTS["mediapipe33"]


def poses(*points: Any) -> Poses:
    """One frame of one body."""
    return Poses(np.array([[points]], dtype=np.float32), None)


def brought(coordinates: Coordinates, *points: Any) -> Any:
    return coordinates(poses(*points)).points[0, 0].tolist()


@pytest.mark.parametrize(
    ("axes", "expected"),
    [("y-up", [1, 2, 3]), ("y-down", [1, -2, -3]), ("z-up", [1, 3, -2]), ("z-down", [1, -3, 2]),
     ("x-up", [-2, 1, 3]), ("x-down", [2, -1, 3])],
)  # fmt: skip
def test_y_comes_to_point_up_by_a_turn(axes: str, expected: list[float]) -> None:
    assert brought(Coordinates(axes, metric=True), [1, 2, 3], [0, 0, 0]) == [expected, [0, 0, 0]]
    turn = np.array(brought(Coordinates(axes, metric=True), *np.eye(3)))
    assert np.linalg.det(turn) == pytest.approx(1)  # no mirror


@pytest.mark.parametrize(("axes", "expected"), [("unity", [1, 2, -3]), ("unreal", [1, 3, 2])])
def test_left_handed_coordinates_are_mirrored(axes: str, expected: list[float]) -> None:
    coordinates = Coordinates(axes, metric=True)
    assert brought(coordinates, [1, 2, 3], [0, 0, 0]) == [expected, [0, 0, 0]]
    assert np.linalg.det(np.array(brought(coordinates, *np.eye(3)))) == pytest.approx(-1)


def test_metres_of_millimetres() -> None:
    shown = brought(Coordinates("y-up", metric=True, scale=0.001), [1000, 1700, 0], [0, 0, 500])
    np.testing.assert_allclose(shown, [[1, 1.7, 0], [0, 0, 0.5]], rtol=1e-6)


@pytest.mark.parametrize(
    ("units", "metres"), [("m", 1), ("cm", 0.01), ("mm", 0.001), ("in", 0.0254), ("0.0564", 0.0564)]
)
def test_units_in_metres(units: str, metres: float) -> None:
    assert metres_per_unit(units) == metres


def test_giants_are_not_in_metres() -> None:
    with pytest.raises(ValueError, match="no third number above 1; set `scores`, if it is a confidence"):
        Coordinates("y-up", metric=True)(poses([100, 1700, 0.9], [50, 20, 0.4]))
    with pytest.raises(ValueError, match="a body 1,700 metres tall; set `units` to mm"):
        Coordinates("y-up", metric=True)(poses([0, 1700, 0], [0, 0, 0]))


def test_image_heights_where_the_image_is_known() -> None:
    in_image = Coordinates("y-down", metric=False, image=(1920, 1080))
    assert in_image.units == "image heights"
    assert brought(in_image, [960, 540], [960, 0]) == [[0, 0, 0], [0, 0.5, 0]]
    np.testing.assert_allclose(brought(in_image, [0, 1080], [1920, 540])[0], [-16 / 18, -0.5, 0], rtol=1e-6)


def test_an_image_from_above_is_the_floor() -> None:
    """Seen along -y, x points to the right and z down, as in the image: left remains left."""
    in_image = Coordinates("above", metric=False, image=(1920, 1080))
    assert (in_image.units, Coordinates("above", False).units) == (
        "image heights from above",
        "body sizes from above",
    )
    assert brought(in_image, [960, 540], [960, 0]) == [[0, 0, 0], [0, 0, -0.5]]
    assert coordinates_of(poses([1, 2], [3, 4]), ANY, "above", None, None) == Coordinates("above", False)


def test_fractions_of_the_image_are_not_distorted() -> None:
    in_image = Coordinates("y-down", metric=False, image=(2000, 1000))
    assert brought(in_image, [0.5, 0.5], [0.75, 0.25]) == [[0, 0, 0], [0.5, 0.25, 0]]
    assert brought(in_image, [0.5, 0.5, 0], [0.75, 0.25, 0.25]) == [[0, 0, 0], [0.5, 0.25, -0.5]]


def test_body_sizes_elsewhere() -> None:
    in_image = Coordinates("y-down", metric=False)
    assert in_image.units == "body sizes"
    assert brought(in_image, [300, 100], [400, 300]) == [[-0.25, 0.5, 0], [0.25, -0.5, 0]]


def test_size_and_place_in_the_image_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(9, 2, 5, 2)).astype(np.float32)
    points[3, 0, 2] = np.nan
    in_image = Coordinates("y-down", metric=False)
    near = in_image(Poses(points * 300 + [800, 500], None)).points
    far = in_image(Poses(points * 30 + [1200, 400], None)).points
    np.testing.assert_allclose(near, far, atol=1e-3)
    assert np.isnan(near[3, 0, 2]).all()
    assert not near[..., 2][np.isfinite(near[..., 2])].any()


def test_what_a_source_holds_is_judged_by_its_first_clip() -> None:
    flat, solid = poses([1, 2], [3, 4]), poses([1, 2, 3], [4, 5, 6])
    assert coordinates_of(flat, ANY, None, None, None) == Coordinates("y-down", metric=False)
    assert coordinates_of(flat, ANY, "y-up", None, (4, 3)) == Coordinates("y-up", False, None, (4, 3))
    assert coordinates_of(solid, ANY, None, None, None) == Coordinates("y-up", metric=True)
    assert coordinates_of(solid, ANY, "z-up", "cm", None) == Coordinates("z-up", True, 0.01)


def test_world_landmarks_have_the_hips_at_the_origin() -> None:
    body = np.random.default_rng(0).normal(size=(33, 3))
    body -= body[[23, 24]].mean(axis=0)
    assert coordinates_of(poses(*body), MEDIAPIPE, None, None, None) == Coordinates(
        "y-down", True, mediapipe=True
    )
    in_image = coordinates_of(poses(*(body * 0.1 + 0.5)), MEDIAPIPE, None, None, (640, 480))
    assert in_image == Coordinates("y-down", False, None, (640, 480), mediapipe=True)


def test_options_without_sense_are_refused() -> None:
    flat, solid = poses([1, 2], [3, 4]), poses([1, 2, 3], [4, 5, 6])
    with pytest.raises(KinemeError, match="`units`: these poses are two-dimensional"):
        coordinates_of(flat, ANY, None, "mm", None)
    with pytest.raises(KinemeError, match="`axes`: is z-up, but these poses are two-dimensional"):
        coordinates_of(flat, ANY, "z-up", None, None)
    with pytest.raises(KinemeError, match="`axes`: is above, but these poses have a depth; use y-up"):
        coordinates_of(solid, ANY, "above", None, None)
    with pytest.raises(KinemeError, match="`image`: these poses are three-dimensional"):
        coordinates_of(solid, ANY, None, None, (4, 3))


@pytest.mark.parametrize("text", ["", "1920", "1920x", "-1x2", "0x1080", "1920x1080x3", "١x٢"])
def test_sizes_of_images_are_width_and_height(text: str) -> None:
    assert image_size("1920x1080") == (1920, 1080)
    with pytest.raises(KinemeError, match="such as 1920x1080"):
        image_size(text)
