"""Subjects with their own proportions, tempo, posture and habits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kineme.generate.anatomy import ARM, Body, Controls

# Idle hands: hanging, clasped in front, clasped behind, on the hips.
HANDS = ("hanging", "in front", "behind", "on hips")
_HANDS_SHARE = (0.55, 0.2, 0.12, 0.13)
_HANDS_AT = {"in front": (0.02, -0.42, 0.16), "behind": (0.04, -0.42, -0.13), "on hips": (0.2, -0.44, 0.03)}


@dataclass(frozen=True)
class Person:
    """One subject."""

    body: Body
    left_handed: bool  # performs all actions mirrored
    tempo: float  # factor on durations
    energy: float  # 0..1, from small to large movements
    step_seconds: float  # duration of a gait cycle
    sway: float  # factor on idle sway
    hands: str  # their idle position, one of `HANDS`
    rest: Controls = field(repr=False)  # control → value of the standing pose, without the arms


def draw_person(generator: np.random.Generator) -> Person:
    """A random adult of 1.52 to 1.95 m; one in six is left-handed."""
    g = generator
    body = Body.from_height(
        float(np.clip(g.normal(1.71, 0.1), 1.52, 1.95)),
        arms=float(np.clip(g.normal(1, 0.04), 0.9, 1.1)),
        legs=float(np.clip(g.normal(1, 0.035), 0.92, 1.08)),
        shoulders=float(g.uniform(0.88, 1.14)),
        hips=float(g.uniform(0.85, 1.2)),
    )
    slouch = float(g.uniform(0, 12))
    rest: Controls = {
        "tilt": -0.3 * slouch,
        "bend": slouch,
        "nod": float(g.uniform(-6, 14)),
        "lean": float(g.normal(0, 1.2)),
    }
    stance, splay = float(g.uniform(0.02, 0.11)), float(g.uniform(4, 22))
    for side in ("r", "l"):
        rest |= {f"out_{side}": stance, f"splay_{side}": splay, f"fore_{side}": float(g.normal(0, 0.025))}
    return Person(
        body=body,
        left_handed=bool(g.random() < 1 / 6),
        tempo=float(np.exp(g.normal(0, 0.2))),
        energy=float(g.uniform(0, 1)),
        step_seconds=float(g.uniform(0.95, 1.25)),
        sway=float(g.uniform(0.5, 1.6)),
        hands=draw_hands(g),
        rest=rest,
    )


def draw_hands(generator: np.random.Generator) -> str:
    """One of `HANDS`, with its frequency among people."""
    return HANDS[int(generator.choice(len(HANDS), p=_HANDS_SHARE))]


def rest_hands(body: Body, hands: str, generator: np.random.Generator) -> Controls:
    """The arms' controls of a person standing with the hands at one of `HANDS`."""
    rest: Controls = {}
    for side in ("r", "l"):
        if hands == "hanging":
            ranges = ((5, 65), (-86, -77), (0.92, 0.985))
            azimuth, elevation, reach = (float(generator.uniform(*each)) for each in ranges)
            swivel = azimuth + float(generator.uniform(5, 25))
        else:
            miss = generator.normal(0, 0.015, 3)
            azimuth, elevation, reach = body.reach_for(*(np.array(_HANDS_AT[hands]) + miss))
            swivel = {"in front": 0.0, "behind": 85.0, "on hips": 75.0}[hands] + float(generator.normal(0, 6))
        for name, value in zip(ARM, (azimuth, elevation, reach, swivel), strict=True):
            rest[f"{name}_{side}"] = value
    return rest
