"""The generator's cameras and what they get wrong."""

import numpy as np
import pytest

from kineme.generate.anatomy import LAYOUT
from kineme.generate.sensor import CAMERAS, Camera, _hidden, sense, view

JOINT = {name: index for index, name in enumerate(LAYOUT.joints)}


def still_body(frames):
    """(T, 1, V, 3): everything in one spot three metres off, apart from a hand behind the trunk."""
    joints = np.zeros((frames, 1, LAYOUT.num_joints, 3))
    joints[..., 2] = 3.0
    joints[..., JOINT["spine_shoulder"], 1] = 0.5
    joints[..., JOINT["spine_mid"], 1] = 0.25
    for joint in range(LAYOUT.num_joints):
        if "spine" not in LAYOUT.joints[joint]:
            joints[..., joint, :] = [0.6, 0.2, 3.0]
    joints[..., JOINT["left_wrist"], :] = [0.0, 0.2, 3.2]
    return joints


def test_a_camera_straight_ahead_only_shifts():
    level = Camera(yaw=0, distance=3.0, height=0.85)
    np.testing.assert_allclose(view(np.array([0.2, 1.0, -0.5]), level), [0.2, 0.15, 2.5])


def test_a_camera_to_the_right_sees_the_right_side_nearer():
    right_hand, left_hand = np.array([0.5, 0.85, 0]), np.array([-0.5, 0.85, 0])
    camera = Camera(yaw=45, distance=3.0, height=0.85)
    assert view(right_hand, camera)[2] == pytest.approx(3 - 0.5**1.5)
    assert view(left_hand, camera)[2] == pytest.approx(3 + 0.5**1.5)


@pytest.mark.parametrize("number", sorted(CAMERAS))
def test_every_camera_looks_at_the_middle_of_the_room(number):
    x, y, z = view(np.array([0, 0.85, 0]), CAMERAS[number])
    assert (x, y) == pytest.approx((0, 0), abs=1e-9)
    assert z == pytest.approx(np.hypot(CAMERAS[number].distance, CAMERAS[number].height - 0.85))


def test_jitter_is_correlated_larger_at_the_hands_and_larger_still_behind_the_trunk():
    noise = sense(still_body(4000), np.random.default_rng(0))[:, 0] - still_body(4000)[:, 0]
    size = np.median(np.abs(noise), axis=(0, 2))  # the median: lost joints do not count
    assert size[JOINT["right_hand"]] > 2 * size[JOINT["spine_mid"]]
    assert size[JOINT["left_wrist"]] == pytest.approx(3 * size[JOINT["right_wrist"]], rel=0.1)
    trunk = noise[:, JOINT["spine_mid"], 0]
    lagged = [np.corrcoef(trunk[lag:], trunk[:-lag])[0, 1] for lag in (1, 8)]
    assert 0.3 < lagged[0] < 0.8
    assert abs(lagged[1]) < 0.1


def test_another_body_hides_what_is_behind_it():
    """A hand at 3.2 m, beside its own trunk and behind that of somebody else, whichever of them is first."""
    hand = still_body(1)
    hand[..., 0] += 1.0
    hand[..., JOINT["left_wrist"], 0] = 0.0
    other = still_body(1) - [0, 0, 0.5]
    for bodies, own in (([hand, other], 0), ([other, hand], 1)):
        hidden = _hidden(np.concatenate(bodies, axis=1))[0, own]
        assert np.flatnonzero(hidden).tolist() == [JOINT["left_wrist"]]


def test_joints_get_stuck_or_jump_for_a_while_with_all_that_hangs_on_them():
    hand, tip = JOINT["right_hand"], JOINT["right_hand_tip"]
    stuck = jumped = 0
    for seed in range(150):
        tracked = sense(still_body(90), np.random.default_rng(seed))[:, 0]
        at_rest = (np.diff(tracked[:, hand], axis=0) == 0).all(axis=-1)
        assert (at_rest <= (np.diff(tracked[:, tip], axis=0) == 0).all(axis=-1)).all()
        assert at_rest.sum() <= 3 * 25
        stuck += at_rest.any()
        jumped += np.abs(tracked[:, hand] - [0.6, 0.2, 3.0]).max() > 0.1
        assert not (np.diff(tracked[:, JOINT["spine_base"]], axis=0) == 0).all(axis=-1).any()
    assert stuck > 5
    assert jumped > 3
