"""Layouts as pictures: everything is drawn, once, with left and right where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.drawing.layouts import layout_figure, standing
from kineme.layouts import LAYOUTS, Layout


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_standing_figure_is_symmetric_and_no_joint_hides_another(layout: Layout) -> None:
    places = standing(layout)
    assert np.isfinite(places).all()
    left, right = np.array(layout.mirrored).T
    bodily = [i for i, joint in enumerate(left) if not layout.joints[joint].startswith("face_")]
    np.testing.assert_allclose(places[left[bodily]], places[right[bodily]] * [-1, 1], atol=1e-9)
    apart = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(layout.num_joints)
    assert apart.min() > 1e-3


def test_unknown_joints_stand_near_their_parents() -> None:
    odd = Layout.from_names("odd", ["pelvis", "tail", "tip"], [None, 0, 1])
    places = standing(odd)
    assert places[0].tolist() == [0, 0.95]
    np.testing.assert_allclose(np.linalg.norm(np.diff(places, axis=0), axis=1), 0.03)


def test_one_alone_is_drawn_with_names(tmp_path: Path) -> None:
    layout_figure([LAYOUTS["coco17"]], tmp_path / "one.svg")
    layout_figure([LAYOUTS["coco17"], LAYOUTS["ntu25"]], tmp_path / "two.svg")
    assert "left_elbow" in (tmp_path / "one.svg").read_text()
    assert "left_elbow" not in (tmp_path / "two.svg").read_text()
