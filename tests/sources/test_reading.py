"""The options of reading: what is set, refused, and read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.sources.poses.given import given_poses
from kineme.sources.reading import Reading, check_no_effect, joint_map_of, stated


def test_what_is_left_out_or_none_is_not_set() -> None:
    assert stated({"fps": 25, "axes": None, "scores": False}) == {"fps": 25}


def test_a_misspelt_option_is_named_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'fsp'; did you mean fps"):
        stated({"fsp": 25})


@pytest.mark.parametrize("fps", [0, -1.0, float("nan"), 1e4])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(KinemeError, match=r"`fps`: is .*; it must be frames per second, such as 30"):
        stated({"fps": fps})


def test_a_joint_map_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("neck: [C7, CLAV]\nhead: helmet\n")
    read = joint_map_of(Reading(joint_map=tmp_path / "map.yaml"))
    assert read is not None
    assert list(read["neck"]) == ["C7", "CLAV"]
    assert joint_map_of(Reading()) is None


def test_an_option_without_effect_is_refused() -> None:
    check_no_effect(Reading(joint_map={}), "a store")
    with pytest.raises(KinemeError, match="`units` has no effect on a store; drop it"):
        check_no_effect(Reading(units="mm"), "a store")


def test_arrays_with_scores_have_two_coordinates() -> None:
    """The third number of a joint is a confidence, as of files; what says nothing of arrays is refused."""
    array = np.random.default_rng(0).random((9, 17, 3))
    source = given_poses([array], get_layout("coco17"), Reading(scores=True, image="100x200"))
    assert source.units == "image heights"
    assert not source.read(0).xyz[..., 2].any()
    with pytest.raises(KinemeError, match="`components` has no effect on arrays; drop it"):
        given_poses([array], get_layout("coco17"), Reading(components="pose"))
