"""Kinematics: from the controls of a pose to joint positions.

Axes of a body's own stage: x to its right, y up, z backwards (it faces -z, like someone facing the camera in
the camera's frame), the floor at y = 0. The spine is turned joint by joint. Arms and legs are placed by their
ends (a direction and reach from the shoulder; a foothold on the floor), and elbows and knees follow from the
segment lengths, so feet stay on the floor and bones keep their length.
"""

from __future__ import annotations

import numpy as np

from kineme.generate.anatomy import CONTROLS, FPS, LAYOUT, PATH, SIGN, Body
from kineme.typing import Array

_JOINT = {name: index for index, name in enumerate(LAYOUT.joints)}


def pose(body: Body, controls: Array, step_seconds: float = 1.0) -> Array:
    """Joint positions of a body, given its controls in each frame.

    Args:
        body: its proportions.
        controls: (T, K), columns as in `CONTROLS`.
        step_seconds: duration of a gait cycle; while the path moves or turns, the feet step after it.

    Returns:
        (T, V, 3) metres on the body's own stage, layout ntu25.
    """
    c = dict(zip(CONTROLS, controls.T, strict=True))
    joints = np.empty((len(controls), LAYOUT.num_joints, 3))

    def put(name: str, positions: Array) -> None:
        joints[:, _JOINT[name]] = positions

    yaw = np.radians(c["yaw"])
    pelvis_turn = _turn(yaw + np.radians(c["hip_yaw"]), np.radians(c["tilt"]), np.radians(c["hip_roll"]))
    ankles, toes = _feet(body, controls, c, step_seconds)

    # Hips: as high as the legs allow, less the drop. A lifted foot does not hold the body down.
    hip_offset = pelvis_turn @ (np.array([[1, -0.35, 0], [-1, -0.35, 0]]) * body.hip).T  # (T, 3, 2)
    hip_offset = np.moveaxis(hip_offset, -1, 0)
    ground = np.zeros((len(controls), 3))
    ground[:, 0] = c["right"] + body.scale * (c["shift"] * np.cos(yaw) - c["push"] * np.sin(yaw))
    ground[:, 2] = -c["ahead"] - body.scale * (c["shift"] * np.sin(yaw) + c["push"] * np.cos(yaw))
    apart = ((ground + hip_offset - ankles)[..., [0, 2]] ** 2).sum(-1)
    free = 3.0 * (ankles[..., 1] - body.ankle - body.scale * c["air"])
    allowed = ankles[..., 1] + np.sqrt(np.maximum(body.leg**2 - apart, 0.01)) - hip_offset[..., 1] + free
    ground[:, 1] = allowed.min(axis=0) - body.scale * c["drop"]
    put("spine_base", ground)

    hips = ground + hip_offset
    forward = np.stack([-np.sin(yaw), np.full_like(yaw, 0.6), -np.cos(yaw)], axis=-1)
    sideways = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=-1)
    knees, ankles = _two_bones(
        hips, ankles, body.thigh, body.shank, forward + 0.15 * SIGN[..., None] * sideways
    )
    for side, name in enumerate(("right", "left")):
        put(f"{name}_hip", hips[side])
        put(f"{name}_knee", knees[side])
        put(f"{name}_ankle", ankles[side])
        put(f"{name}_foot", ankles[side] + toes[side])

    bend, lean, twist = (np.radians(c[name]) for name in ("bend", "lean", "twist"))
    waist_turn = pelvis_turn @ _turn(0.4 * twist, 0.45 * bend, 0.4 * lean)
    chest_turn = waist_turn @ _turn(0.6 * twist, 0.55 * bend, 0.6 * lean)
    head_turn = chest_turn @ _turn(*(np.radians(c[name]) for name in ("look", "nod", "cock")))
    spine_mid = ground + waist_turn @ np.array([0, body.waist, 0.03 * body.scale])
    spine_shoulder = spine_mid + chest_turn @ np.array([0, body.chest, 0.0])
    neck = spine_shoulder + chest_turn @ np.array([0, body.neck, -0.005 * body.height])
    put("spine_mid", spine_mid)
    put("spine_shoulder", spine_shoulder)
    put("neck", neck)
    put("head", neck + head_turn @ np.array([0, body.head, -0.25 * body.head]))

    arms = _arms(body, c)  # (2, joints of an arm, T, 3) in the chest's frame
    arms = spine_shoulder + np.einsum("tij,sntj->snti", chest_turn, arms)
    for side, name in enumerate(("right", "left")):
        for part, joint in enumerate(("shoulder", "elbow", "wrist", "hand", "hand_tip", "thumb")):
            put(f"{name}_{joint}", arms[side, part])
    return joints


def mirrored(joints: Array) -> Array:
    """The pose mirrored at the stage's middle: a left-hander's version of the same action."""
    flipped: Array = joints[..., LAYOUT.mirror, :] * np.array([-1.0, 1.0, 1.0])
    return flipped


def _both(c: dict[str, Array], name: str) -> Array:
    """(2, T) a control of the right and the left limb."""
    return np.stack([c[f"{name}_r"], c[f"{name}_l"]])


def _feet(body: Body, controls: Array, c: dict[str, Array], step_seconds: float) -> tuple[Array, Array]:
    """(2, T, 3) ankles, and the vectors from them to the toes."""
    path = controls[:, : len(PATH)]
    held = [_footholds(path, phase, step_seconds * FPS) for phase in (0.0, 0.5)]
    home = np.stack([foothold for foothold, _ in held])  # (2, T, 3): right, ahead, yaw
    heading = np.radians(home[..., 2])
    out = SIGN * (body.hip + body.scale * _both(c, "out"))
    fore = body.scale * _both(c, "fore")
    # One foot stays on the floor, whatever lifts both, unless the whole body is in the air.
    rise = np.stack([rise for _, rise in held]) + body.scale * _both(c, "lift")
    rise += body.scale * c["air"] - rise.min(axis=0)
    ankles = np.stack(
        [
            home[..., 0] + out * np.cos(heading) - fore * np.sin(heading),
            body.ankle + rise,
            -home[..., 1] - out * np.sin(heading) - fore * np.cos(heading),
        ],
        axis=-1,
    )
    # The toe joint lies flat on the floor, a little lower than the ankle; `toe` points it down.
    heading = heading - SIGN * np.radians(_both(c, "splay"))
    dip = np.arctan2(0.65 * body.ankle, body.foot) + np.radians(_both(c, "toe"))
    length = np.hypot(0.65 * body.ankle, body.foot)
    level = length * np.cos(dip)
    return ankles, np.stack(
        [-level * np.sin(heading), -length * np.sin(dip), -level * np.cos(heading)], axis=-1
    )


def _footholds(path: Array, phase: float, cycle: float) -> tuple[Array, Array]:
    """Position of one foot while the body follows `path` (T, 3), and how high it is lifted.

    In each gait cycle of `cycle` frames the foot stands where the path is at its mid-stance, then swings to
    the next such place. While the path rests, both are the same and nothing moves.
    """
    time = np.arange(len(path)) / cycle + phase
    count = np.floor(time)
    swing = ease((time - count - 0.28) / 0.44)
    stance = np.clip(np.rint((np.stack([count, count + 1]) - phase) * cycle), 0, len(path) - 1).astype(int)
    here, there = path[stance]
    moved = np.hypot(*(there - here)[:, :2].T) + 0.003 * np.abs(there - here)[:, 2]
    return here + (there - here) * swing[:, None], 0.09 * np.minimum(moved / 0.2, 1.0) * np.sin(np.pi * swing)


def _arms(body: Body, c: dict[str, Array]) -> Array:
    """(2, 6, T, 3): shoulder, elbow, wrist, hand, hand tip and thumb of both arms in the chest's frame."""
    azimuth, elevation, swivel = (np.radians(_both(c, name)) for name in ("azimuth", "elevation", "swivel"))
    reach = np.clip(_both(c, "reach"), 0.25, 0.995)[..., None] * body.arm
    sin_a, cos_a, sin_e, cos_e = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    line = np.stack([SIGN * sin_a * cos_e, sin_e, -cos_a * cos_e], axis=-1)
    higher = np.stack([-SIGN * sin_a * sin_e, cos_e, cos_a * sin_e], axis=-1)
    outward = np.stack([SIGN * cos_a, np.zeros_like(cos_a), sin_a], axis=-1)
    # The elbow hangs below the line from shoulder to hand; `swivel` turns it outwards.
    pole = np.sin(swivel)[..., None] * outward - np.cos(swivel)[..., None] * higher
    across, up = body.shoulder_at(elevation)
    shoulder = np.stack([SIGN * across, up, np.zeros_like(up)], axis=-1)
    elbow, hand = _two_bones(
        shoulder, shoulder + reach * line, body.upper_arm, body.forearm + body.hand, pole
    )
    fore = (hand - elbow) / (body.forearm + body.hand)
    thumb_side = -pole + (pole * fore).sum(-1, keepdims=True) * fore
    thumb_side /= np.linalg.norm(thumb_side, axis=-1, keepdims=True)
    wrist = elbow + body.forearm * fore
    tip = hand + 0.042 * body.height * fore
    thumb = hand + 0.015 * body.height * fore + 0.03 * body.height * thumb_side
    return np.stack([shoulder, elbow, wrist, hand, tip, thumb], axis=1)


def _two_bones(start: Array, end: Array, first: float, second: float, pole: Array) -> tuple[Array, Array]:
    """Inverse kinematics of a limb of two bones from `start` to `end`: its middle joint and its end.

    The middle joint lies towards `pole`; an end out of reach is moved within reach.
    """
    line = end - start
    distance = np.sqrt((line * line).sum(-1, keepdims=True))
    line = line / distance
    span = np.clip(distance, abs(first - second) + 0.01, 0.999 * (first + second))
    along = (first**2 - second**2 + span**2) / (2 * span)
    aside = pole - (pole * line).sum(-1, keepdims=True) * line
    aside = aside / np.sqrt((aside * aside).sum(-1, keepdims=True))
    return start + along * line + np.sqrt(first**2 - along**2) * aside, start + span * line


def _turn(yaw: Array, pitch: Array, roll: Array) -> Array:
    """(T, 3, 3): rolled to the right, then pitched forwards, then yawed to the left, about fixed axes."""
    cy, cp, cr = np.cos(yaw), np.cos(pitch), np.cos(roll)
    sy, sp, sr = np.sin(yaw), np.sin(pitch), np.sin(roll)
    turn = np.empty((len(yaw), 3, 3))
    turn[:, 0, 0] = cy * cr + sy * sp * sr
    turn[:, 0, 1] = cy * sr - sy * sp * cr
    turn[:, 0, 2] = sy * cp
    turn[:, 1, 0] = -cp * sr
    turn[:, 1, 1] = cp * cr
    turn[:, 1, 2] = sp
    turn[:, 2, 0] = -sy * cr + cy * sp * sr
    turn[:, 2, 1] = -sy * sr - cy * sp * cr
    turn[:, 2, 2] = cy * cp
    return turn


def ease(u: Array) -> Array:
    """The minimum-jerk profile of a point-to-point movement (Flash and Hogan, 1985); u is clipped to 0..1."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 - 15.0 * u + 6.0 * u * u)
