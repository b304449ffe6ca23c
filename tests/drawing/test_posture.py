"""The viewpoint of drawings."""

import numpy as np
import pytest

from kineme.drawing.posture import ASIDE, present, view_axes
from kineme.layouts import Layout

STICK = Layout.from_names(
    "stick", ["hip", "neck", "left_hand", "right_hand"], [None, "hip", "neck", "neck"], facing=[2, 3]
)


def standing(turn=0.0):
    """One frame of a body that faces +z, turned about the vertical axis."""
    xyz = np.array([[0, 0, 0], [0, 2, 0], [1, 1.5, 0], [-1, 1.5, 0]], dtype=float)
    about_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    return (xyz @ about_y.T)[None, None]


def test_absent_bodies_are_zero_or_nan():
    clip = np.concatenate([standing(), np.zeros_like(standing()), np.full_like(standing(), np.nan)], axis=1)
    assert present(clip).tolist() == [[True, False, False]]


@pytest.mark.parametrize("turn", [0.0, 1.0, -2.5])
def test_a_body_is_seen_from_its_front_whichever_way_it_faces(turn):
    axes = view_axes(standing(turn), STICK)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    seen = standing(turn)[0, 0] @ axes.T
    left = 2 * np.array([np.cos(np.radians(ASIDE)), 0, -np.sin(np.radians(ASIDE))])
    np.testing.assert_allclose(seen[2] - seen[3], left, atol=1e-12)  # right in the picture, and back
    np.testing.assert_allclose(seen[1] - seen[0], [0, 2, 0], atol=1e-12)


def test_what_lies_on_the_floor_is_seen_from_above_as_it_was_filmed():
    image = np.array([[0, 0], [2, 0.5], [1, 1], [1, -1]])  # to the right, and up in the image
    clip = np.stack([image[:, 0], np.zeros(4), -image[:, 1]], axis=-1)[None, None]
    seen = clip[0, 0] @ view_axes(clip, STICK).T
    np.testing.assert_allclose(seen, np.pad(image, ((0, 0), (0, 1))), atol=1e-12)
