"""The generator's body: pose controls in, joints out."""

import numpy as np
import pytest

from kineme.generate.anatomy import CONTROL, CONTROLS, LAYOUT, Body
from kineme.generate.kinematics import ease, mirrored, pose

BODY = Body.from_height(1.75)
JOINT = {name: index for index, name in enumerate(LAYOUT.joints)}
HANGING = {f"{name}_{side}": v for side in "rl" for name, v in (("elevation", -85), ("reach", 0.95))}


def posed(frames=1, body=BODY, **controls):
    values = np.zeros((frames, len(CONTROLS)))
    for name, value in (HANGING | controls).items():
        values[:, CONTROL[name]] = value
    joints = pose(body, values)
    return {name: joints[:, index] for name, index in JOINT.items()} | {"all": joints}


def angle(a, b, c):
    """Degrees at b between a and c."""
    u, v = a - b, c - b
    return np.degrees(np.arccos((u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)))


def test_standing_figure_has_the_height_and_symmetry_of_a_person():
    figure = posed()
    assert figure["head"][0, 1] == pytest.approx(0.93 * 1.75, abs=0.03)  # the centre of the head
    assert figure["spine_base"][0, 1] == pytest.approx(0.53 * 1.75, abs=0.04)
    np.testing.assert_allclose(figure["left_ankle"][0, 1], BODY.ankle, atol=1e-6)
    np.testing.assert_allclose(mirrored(figure["all"]), figure["all"], atol=1e-9)
    assert figure["right_shoulder"][0, 0] > 0.1
    assert figure["right_foot"][0, 2] < figure["right_ankle"][0, 2]  # toes to the front, which is -z


def test_bones_keep_their_lengths_whatever_the_pose():
    values = np.random.default_rng(0).normal(0, 1, (200, len(CONTROLS)))
    lengths_in_metres = ("right", "ahead", "air", "shift", "push", "drop", "out", "fore", "lift", "reach")
    scale = [0.1 if name.split("_")[0] in lengths_in_metres else 30.0 for name in CONTROLS]
    joints = pose(BODY, values * scale)
    child, parent = np.array(LAYOUT.bones).T
    lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-9)


def test_a_hand_reaches_the_point_it_is_sent_to():
    azimuth, elevation, reach = BODY.reach_for(0.1, 0.15, 0.3)
    figure = posed(azimuth_r=azimuth, elevation_r=elevation, reach_r=reach)
    from_chest = figure["right_hand"] - figure["spine_shoulder"]
    np.testing.assert_allclose(from_chest[0], [0.1, 0.15, -0.3], atol=0.01)


def test_a_hand_is_not_sent_farther_than_the_arm_is_long():
    assert BODY.reach_for(0.2, 0.0, 2.0)[2] == 0.995


@pytest.mark.parametrize("drop", [0.0, 0.2, 0.45])
def test_knees_bend_forwards_and_feet_stay_when_the_body_goes_down(drop):
    figure, standing = posed(drop=drop), posed()
    np.testing.assert_allclose(figure["left_ankle"], standing["left_ankle"], atol=1e-9)
    assert figure["left_knee"][0, 2] < figure["left_ankle"][0, 2]
    np.testing.assert_allclose(standing["spine_base"][0, 1] - figure["spine_base"][0, 1], drop, atol=1e-9)


def test_elbow_of_a_raised_forearm_points_down_and_of_a_hanging_arm_back():
    ahead = posed(elevation_r=0, reach_r=0.7)
    assert ahead["right_elbow"][0, 1] < ahead["right_shoulder"][0, 1] - 0.1
    hanging = posed(elevation_r=-90, reach_r=0.8)
    assert hanging["right_elbow"][0, 2] > hanging["right_shoulder"][0, 2] + 0.1
    assert angle(hanging["right_shoulder"], hanging["right_elbow"], hanging["right_wrist"])[0] < 120


def test_positive_turns_go_forwards_to_the_right_and_to_the_left():
    assert posed(bend=40)["head"][0, 2] < posed()["head"][0, 2] - 0.2
    assert posed(lean=20)["head"][0, 0] > 0.1
    turned = posed(yaw=90)  # to the left: the right shoulder is where the front was
    assert turned["right_shoulder"][0, 2] < -0.1


def test_one_foot_stays_on_the_floor_unless_the_body_is_in_the_air():
    both_lifted = posed(lift_r=0.3, lift_l=0.1)
    assert both_lifted["left_ankle"][0, 1] == pytest.approx(BODY.ankle)
    assert both_lifted["right_ankle"][0, 1] == pytest.approx(BODY.ankle + 0.2)
    rise = posed(air=0.25)["all"] - posed()["all"]
    np.testing.assert_allclose(rise, np.broadcast_to([0, 0.25, 0], rise.shape), atol=1e-9)


def test_feet_step_after_a_path_one_at_a_time_and_do_not_slide():
    frames = 120
    values = np.zeros((frames, len(CONTROLS)))
    for name, value in HANGING.items():
        values[:, CONTROL[name]] = value
    values[:, CONTROL["ahead"]] = 2.0 * ease(np.arange(frames) / 100)
    joints = pose(BODY, values)
    ankles = joints[:, [JOINT["right_ankle"], JOINT["left_ankle"]]]
    moves = np.linalg.norm(np.diff(ankles[..., [0, 2]], axis=0), axis=-1) > 1e-4
    assert not moves.all(axis=1).any()
    assert moves.any(axis=0).all()
    np.testing.assert_allclose(ankles[-1, :, 2], -2.0, atol=1e-6)
    assert np.ptp(joints[:, JOINT["spine_base"], 1]) < 0.12


def test_ease_is_the_minimum_jerk_course():
    np.testing.assert_allclose(ease(np.array([-1, 0, 0.25, 0.5, 1, 2])), [0, 0, 0.103515625, 0.5, 1, 1])
