"""Proportions of a body, and the controls that pose it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kineme.layouts import LAYOUTS

Controls = dict[str, float]  # control → target or amplitude

LAYOUT = LAYOUTS["ntu25"]
FPS = 30.0
REFERENCE_HEIGHT = 1.75  # lengths in action programs are in metres for a person of this height

# Controls of a pose. Angles in degrees, lengths in metres of the reference person.
PATH = ("right", "ahead", "yaw")  # where the body stands on its stage, in true metres
TRUNK = ("air", "shift", "push", "drop", "tilt", "hip_roll", "hip_yaw")
SPINE = ("bend", "lean", "twist", "nod", "look", "cock")
ARM = ("azimuth", "elevation", "reach", "swivel")
LEG = ("out", "fore", "lift", "toe", "splay")
SIDES = ("r", "l")
SIGN = np.array([1.0, -1.0])[:, None]  # of the sides
CONTROLS = (
    *PATH,
    *TRUNK,
    *SPINE,
    *(f"{name}_{side}" for limb in (ARM, LEG) for side in SIDES for name in limb),
)
CONTROL = {name: column for column, name in enumerate(CONTROLS)}


@dataclass(frozen=True)
class Body:
    """Segment lengths in metres.

    `from_height` takes Drillis and Contini's (1964) fractions of stature, with joints placed as by a Kinect
    v2 (hips and shoulders nearer the midline).
    """

    height: float
    upper_arm: float
    forearm: float
    hand: float
    shoulder: float
    hip: float
    thigh: float
    shank: float
    ankle: float
    foot: float
    waist: float
    chest: float
    neck: float
    head: float

    @classmethod
    def from_height(
        cls, height: float, *, arms: float = 1.0, legs: float = 1.0, shoulders: float = 1.0, hips: float = 1.0
    ) -> Body:
        """A body of `height` metres; the factors are relative to average proportions."""
        leg = 0.478 * height * legs
        trunk = (0.818 - 0.53) * height - (leg - 0.478 * height)  # long legs go with a short trunk
        return cls(
            height=height,
            upper_arm=0.172 * height * arms,
            forearm=0.146 * height * arms,
            hand=0.045 * height * arms,
            shoulder=0.102 * height * shoulders,
            hip=0.048 * height * hips,
            thigh=0.5 * leg,
            shank=0.5 * leg,
            ankle=0.043 * height,
            foot=0.075 * height,
            waist=0.47 * trunk,
            chest=0.53 * trunk,
            neck=0.035 * height,
            head=0.085 * height,
        )

    @property
    def scale(self) -> float:
        """Height relative to the reference person of the action programs."""
        return self.height / REFERENCE_HEIGHT

    @property
    def arm(self) -> float:
        """Shoulder to hand, stretched."""
        return self.upper_arm + self.forearm + self.hand

    @property
    def leg(self) -> float:
        """Hip to ankle, standing straight."""
        return 0.985 * (self.thigh + self.shank)

    @property
    def chest_height(self) -> float:
        """Height of the spine at the shoulders when standing upright."""
        return self.ankle + self.leg + 0.02 * self.height + self.waist + self.chest

    def shoulder_at(self, elevation: Any) -> tuple[Any, Any]:
        """Offset of a shoulder from the spine, outwards and up, with its arm at `elevation` radians.

        The collar bone rises with the arm, by 0.3 degrees per degree, from 30° below the horizontal. Takes
        floats or arrays.
        """
        rise = 0.3 * np.clip(elevation + 0.5, 0.0, 1.6)
        sin, cos, fall = np.sin(rise), np.cos(rise), 0.012 * self.height
        return self.shoulder * cos + fall * sin, self.shoulder * sin - fall * cos

    def reach_for(self, out: float, up: float, ahead: float) -> tuple[float, float, float]:
        """(azimuth, elevation, reach) that bring a hand to a point of the chest's frame.

        Args:
            out, up, ahead: metres of the reference person from the spine at the shoulders; `out` is towards
                the hand's own side.

        Returns:
            Angles in degrees; reach as a fraction of the arm's length, at most 0.995.
        """
        out, up, ahead = out * self.scale, up * self.scale, ahead * self.scale
        elevation = -1.0
        for _ in range(3):  # the shoulder moves with the arm: fixed-point iteration
            shoulder_out, shoulder_up = self.shoulder_at(elevation)
            aside, above = out - shoulder_out, up - shoulder_up
            distance = float(np.sqrt(aside**2 + above**2 + ahead**2))
            elevation = float(np.arcsin(above / distance))
        azimuth = float(np.arctan2(aside, ahead))
        if abs(azimuth) > 1.75 and elevation < 0:  # behind and below: past the hanging arm, not aside
            azimuth -= np.copysign(np.pi, azimuth)
            elevation = -np.pi - elevation
        return float(np.degrees(azimuth)), float(np.degrees(elevation)), min(distance / self.arm, 0.995)
