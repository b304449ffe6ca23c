"""The depth camera: its point of view, jitter, and lost joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kineme.generate.anatomy import LAYOUT
from kineme.typing import Array


@dataclass(frozen=True)
class Camera:
    """Position of a camera."""

    yaw: float  # degrees around the middle of the room; 0 is in front of people, positive to their right
    distance: float  # metres from the middle of the room
    height: float  # metres above the floor


# As in NTU RGB+D: three simultaneous cameras, 45 degrees apart (Shahroudy et al., CVPR 2016).
CAMERAS = {1: Camera(-45.0, 3.4, 1.35), 2: Camera(0.0, 3.1, 1.05), 3: Camera(45.0, 3.7, 0.85)}
_AIM = 0.85  # metres above the floor, where all cameras look

_JOINT = {name: index for index, name in enumerate(LAYOUT.joints)}
# Metres of jitter: the trunk is steady, hands and feet are not.
_STEADY = {"hand": 2.2, "tip": 3.6, "thumb": 3.6, "wrist": 1.6, "elbow": 1.2}
_STEADY |= {"foot": 2.6, "ankle": 1.8, "knee": 1.2}
_JITTER = 0.0035 * np.array(
    [max((factor for part, factor in _STEADY.items() if part in name), default=0.7) for name in LAYOUT.joints]
)
_TRUNK = [_JOINT[name] for name in ("spine_base", "spine_mid", "spine_shoulder")]
# Joints that are lost together: a joint with the rest of its limb.
_GROUPS = [
    [_JOINT[f"{side}_{part}"] for part in limb[first:]]
    for side in ("left", "right")
    for limb in (("elbow", "wrist", "hand", "hand_tip", "thumb"), ("knee", "ankle", "foot"))
    for first in (2, 1, 0)
]


def view(room: Array, camera: Camera) -> Array:
    """(..., 3) points of the room (origin on the floor in its middle) in the camera's coordinates.

    These are Kinect v2's: metres, y up, z away from the camera, x to the right of people who face it.
    """
    yaw, tilt = np.radians(camera.yaw), np.arctan2(_AIM - camera.height, camera.distance)
    around = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    towards = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    seen: Array = (room @ around.T + np.array([0.0, -camera.height, camera.distance])) @ towards.T
    return seen


def sense(joints: Array, generator: np.random.Generator) -> Array:
    """True joints → tracked joints, both (T, M, V, 3) in the camera's coordinates.

    Jitter is half correlated over about five frames, half white; joints hidden behind a trunk jitter three
    times as much and are lost six times as often. A lost joint stays where it was last seen or is found in a
    wrong place.
    """
    frames, bodies = joints.shape[:2]
    hidden = _hidden(joints)
    noise = generator.standard_normal((frames + 4, bodies, LAYOUT.num_joints, 3), dtype=np.float32)
    slow = (noise[:-4] + noise[1:-3] + noise[2:-2] + noise[3:-1] + noise[4:]) * np.float32(5**-0.5)
    size = _JITTER[:, None] * generator.lognormal(0.0, 0.25) * (1.0 + 2.0 * hidden[..., None])
    tracked: Array = joints + size * (0.8 * slow + 0.6 * noise[2:-2])
    for body in range(bodies):
        _lose_joints(tracked[:, body], hidden[:, body], generator)
    return tracked


def _hidden(joints: Array) -> Array:
    """(T, M, V) whether any body's trunk is between the joint and the camera."""
    trunk = joints[:, :, _TRUNK].mean(axis=2)  # (T, M, 3)
    base, top = joints[:, :, _TRUNK[0], 1], joints[:, :, _TRUNK[-1], 1]
    hidden = np.zeros(joints.shape[:3], dtype=bool)
    for body in range(joints.shape[1]):
        middle = trunk[:, body, None, None]
        beyond = joints[..., 2] / middle[..., 2]
        aside = np.abs(joints[..., 0] - middle[..., 0] * beyond)
        low, high = base[:, body, None, None], top[:, body, None, None] + 0.05
        between = (joints[..., 1] > low) & (joints[..., 1] < high)
        hidden |= (joints[..., 2] - middle[..., 2] > 0.07) & (aside < 0.17 * beyond) & between
    return hidden


def _lose_joints(tracked: Array, hidden: Array, generator: np.random.Generator) -> None:
    """Loses groups of joints of one body (T, V, 3) for 3 to 25 frames at a time, in place."""
    frames = len(tracked)
    share_hidden = hidden.mean(axis=0)
    rate = np.array([0.03 + 0.2 * share_hidden[group[0]] for group in _GROUPS]) / len(_GROUPS)
    for which in np.flatnonzero(generator.random((len(_GROUPS),)) < 1 - np.exp(-rate * frames)):
        group = _GROUPS[which]
        seen = np.flatnonzero(hidden[:, group[0]]) if share_hidden[group[0]] > 0.05 else np.arange(frames)
        start = int(generator.choice(seen))
        stop = min(start + int(generator.integers(3, 26)), frames)
        if generator.random() < 0.6:
            tracked[start:stop, group] = tracked[max(start - 1, 0), group]
        else:
            tracked[start:stop, group] += generator.normal(0, 0.12, (1, 1, 3))
