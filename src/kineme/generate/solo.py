"""Actions of one person, written for right-handers; left-handers are mirrored afterwards.

Lengths are in metres for a person 1.75 m tall in the chest's frame, angles in degrees. `vary(small, large)`
is this person's value between two, `pick` the same regardless of the person's energy.
"""

from __future__ import annotations

from kineme.generate.anatomy import Controls
from kineme.generate.performer import Performer, both


def wave(p: Performer) -> None:
    """A raised hand goes from side to side."""
    high = p.likes(0.5)
    p.along(0.1, 0.5, lean=p.pick(-4, 2), look=p.pick(-8, 12))
    p.move(
        p.pick(0.5, 0.8), **p.hand("r", p.pick(0.28, 0.45), p.vary(0.2, 0.34) if high else p.vary(0.0, 0.12),
                                   p.pick(0.05, 0.3), swivel=p.pick(20, 50))
    )  # fmt: skip
    count, width = p.times(2, 5), p.vary(12, 28)
    p.swing(p.pick(0.38, 0.6) * count, count, azimuth_r=width, swivel_r=-0.6 * width, twist=1.5)
    p.move(p.pick(0.5, 0.8), **p.arms_at_rest("r"), **p.at_rest("lean", "look"))


def clap(p: Performer) -> None:
    """Both hands meet in front, several times."""
    up, ahead, open_to = p.pick(-0.32, -0.02), p.pick(0.25, 0.36), p.vary(0.1, 0.26)
    p.along(0.0, 0.5, **p.hand("l", open_to, up, ahead, swivel=p.pick(20, 50)))
    p.move(0.5, **p.hand("r", open_to, up, ahead, swivel=p.pick(20, 50)), nod=p.pick(-2, 10))
    beat = p.vary(0.3, 0.2)
    for _ in range(p.times(3, 6)):
        p.along(0.0, beat, **p.hand("l", 0.015, up, ahead + 0.03, swivel=30))
        p.move(beat, **p.hand("r", 0.015, up, ahead + 0.03, swivel=30))
        p.along(0.0, beat, **p.hand("l", open_to, up, ahead, swivel=40))
        p.move(beat, **p.hand("r", open_to, up, ahead, swivel=40))
    p.move(p.pick(0.5, 0.8), **p.arms_at_rest(), **p.at_rest("nod"))


def drink(p: Performer) -> None:
    """A cup is taken from the front and brought to the mouth; the head tilts back."""
    p.along(0.0, 0.6, nod=p.pick(5, 20))
    p.move(p.pick(0.6, 0.9), **p.hand("r", p.pick(0.05, 0.25), p.pick(-0.35, -0.2), p.pick(0.25, 0.4)))
    p.wait(0.15)
    p.along(0.4, 0.5, nod=p.pick(-20, -6), bend=p.now["bend"] - p.pick(0, 4))
    p.move(p.pick(0.6, 0.9), **p.hand("r", 0.05, p.pick(0.1, 0.16), p.pick(0.15, 0.2), swivel=p.pick(15, 40)))
    p.along(0.0, 0.4, swivel_r=p.now["swivel_r"] + p.pick(15, 35), elevation_r=p.now["elevation_r"] + 6)
    p.wait(p.pick(0.6, 1.3))
    p.along(0.0, 0.6, **p.at_rest("nod", "bend"))
    p.move(p.pick(0.6, 0.9), **p.hand("r", p.pick(0.1, 0.25), p.pick(-0.35, -0.25), p.pick(0.22, 0.35)))
    p.move(p.pick(0.4, 0.6), **p.arms_at_rest("r"))


def sit_down(p: Performer) -> None:
    """Down onto a chair behind, the trunk going forward first."""
    p.settle("seated")
    if p.likes(0.4):
        p.along(0.0, 0.4, look=p.pick(-50, -25), twist=p.pick(-20, -8))
        p.wait(0.3)
    forward = p.vary(18, 42)
    p.along(0.0, 0.6, bend=p.home["bend"] + 0.5 * forward, tilt=forward, **p.at_rest("look", "twist"))
    p.along(p.pick(0.3, 0.8), 0.8, **p.arms_at_rest())
    p.along(0.1, p.pick(0.9, 1.2), **p.at_rest("push"))
    p.move(p.pick(1.0, 1.4), **p.at_rest("drop"))
    p.move(p.pick(0.4, 0.7), **p.at_rest("tilt"), bend=p.home["bend"] + p.pick(-2, 8))
    p.wait(p.pick(0.1, 0.6))


def stand_up(p: Performer) -> None:
    """Up from a chair: the trunk forward, then the legs."""
    p.settle("standing")
    forward = p.vary(20, 45)
    p.wait(p.pick(0.0, 0.3))
    p.along(0.0, 0.6, tilt=forward, bend=p.home["bend"] + 0.4 * forward)
    p.wait(p.pick(0.25, 0.45))
    p.along(0.0, p.pick(0.8, 1.1), **p.at_rest("push"))
    p.along(p.pick(0.3, 0.7), 0.8, **p.arms_at_rest())
    p.along(0.25, 0.75, **p.at_rest("tilt", "bend"))
    p.move(p.pick(1.0, 1.4), drop=0.0)


def squat(p: Performer) -> None:
    """Knee bends, the arms stretched forward."""
    depth, forward = p.vary(0.25, 0.5), p.pick(15, 35)
    with_arms, seconds = p.likes(0.7), p.pick(0.7, 1.1)
    for _ in range(p.times(1, 3)):
        if with_arms:
            arms = p.hand("r", 0.15, p.pick(-0.1, 0.15), 0.55) | p.hand("l", 0.15, 0.0, 0.55)
            p.along(0.0, seconds, **arms)
        p.along(0.0, seconds, bend=0.6 * forward, tilt=forward, nod=-8, push=-0.14 * depth / 0.4)
        p.move(seconds, drop=depth)
        p.along(0.0, seconds, **p.at_rest("bend", "tilt", "nod", "push"))
        if with_arms:
            p.along(0.1, seconds, **p.arms_at_rest())
        p.move(seconds, drop=0.0)
        p.wait(0.1)


def jump_up(p: Performer) -> None:
    """Off the floor with both feet, the arms swinging up."""
    height, arms = p.vary(0.08, 0.4), p.vary(-40, 60)
    for _ in range(p.times(1, 2)):
        back = both(azimuth=10, elevation=-115, reach=0.9, swivel=20)
        p.along(0.0, 0.4, **back, bend=p.home["bend"] + 12, tilt=18)
        p.move(0.45, drop=p.vary(0.14, 0.26))
        p.along(0.0, 0.45, **both(elevation=arms, reach=0.85))
        p.along(0.0, 0.3, **p.at_rest("bend", "tilt"))
        p.move(0.24, drop=0.0)
        p.time -= 0.06
        flight = p.hop(height)
        p.pulse(-0.05, flight + 0.1, **both(toe=45))
        p.time += flight
        p.along(0.0, 0.6, **p.arms_at_rest())
        p.along(-0.02, 0.16, drop=p.pick(0.08, 0.18), bend=p.home["bend"] + 8, tilt=8)
        p.time += 0.18
        p.move(p.pick(0.35, 0.5), drop=0.0, **p.at_rest("bend", "tilt"))


# A right arm held out behind for balance.
AWAY: Controls = {"azimuth_r": 75.0, "elevation_r": -60.0, "reach_r": 0.93, "swivel_r": 80.0}


def kick(p: Performer) -> None:
    """The weight shifts to one leg, the other swings forward."""
    for _ in range(p.times(1, 2)):
        high, far = p.vary(0.2, 0.75), p.vary(0.45, 0.7)
        p.along(0.0, 0.4, shift=-0.08, lean=-3)
        p.along(0.15, 0.4, **p.hand("l", 0.2, p.pick(-0.35, -0.15), 0.3), **AWAY)
        p.move(p.pick(0.4, 0.6), fore_r=-0.22, lift_r=0.14, toe_r=35, hip_yaw=-8)
        p.along(0.05, 0.3, tilt=-10, bend=p.home["bend"] + 6, push=0.04)
        p.move(p.vary(0.42, 0.28), fore_r=far, lift_r=high, toe_r=10, hip_yaw=14)
        p.along(0.1, 0.5, **p.at_rest("tilt", "bend", "push", "hip_yaw"))
        p.move(p.pick(0.4, 0.6), **p.at_rest("fore_r", "lift_r", "toe_r"))
        p.along(0.0, 0.4, **p.at_rest("shift", "lean"))
    p.move(0.5, **p.arms_at_rest())


def punch(p: Performer) -> None:
    """From a guard, the fist shoots out."""
    guard_r = p.hand("r", 0.14, p.pick(-0.15, 0.05), 0.24, swivel=15)
    guard_l = p.hand("l", 0.12, p.pick(-0.15, 0.05), 0.28, swivel=15)
    p.along(0.0, 0.4, drop=0.05, fore_l=0.14, lift_l=0.0, twist=-15)
    p.pulse(0.05, 0.35, lift_l=0.06)
    p.move(p.pick(0.35, 0.55), **guard_r, **guard_l)
    up, alternate = p.pick(-0.12, 0.12), p.likes(0.35)
    for count in range(p.times(1, 3)):
        side = "l" if alternate and count % 2 else "r"
        twist = 28 if side == "r" else -34
        quick = p.vary(0.28, 0.18)
        p.along(0.0, quick, twist=twist, push=0.06, tilt=5)
        p.move(quick, **p.hand(side, 0.04, up, p.vary(0.52, 0.64), swivel=35))
        p.wait(0.05)
        p.along(0.0, 0.3, twist=-15, push=0.0, tilt=0)
        p.move(p.pick(0.25, 0.4), **(guard_l if side == "l" else guard_r))
    p.pulse(0.05, 0.4, lift_l=0.06)
    p.move(0.5, **p.arms_at_rest(), **p.at_rest("drop", "fore_l", "twist", "push", "tilt"))


_SWUNG_BACK: Controls = {"azimuth_r": 12.0, "elevation_r": -138.0, "reach_r": 0.94, "swivel_r": 15.0}


def throw(p: Performer) -> None:
    """The hand goes back and throws something forward, overarm or underarm."""
    overarm = p.likes(0.65)
    if overarm:
        back = p.hand("r", 0.42, p.pick(0.05, 0.25), -0.12, swivel=0)
        front = p.hand("r", 0.0, p.pick(-0.15, 0.1), 0.55)
    else:
        back, front = _SWUNG_BACK, p.hand("r", 0.12, p.pick(-0.05, 0.2), 0.56)
    step = p.vary(0.1, 0.3)
    p.along(0.0, 0.5, twist=-38, push=-0.05, shift=0.03, **p.hand("l", 0.15, -0.2, 0.3))
    p.move(p.pick(0.55, 0.8), **back)
    p.pulse(0.0, 0.35, lift_l=0.08)
    p.along(0.0, 0.35, fore_l=step, push=0.45 * step)
    p.along(0.1, 0.4, twist=34, tilt=10, bend=p.home["bend"] + 8)
    p.time += 0.1
    p.along(0.05, 0.5, **p.arms_at_rest("l"))
    p.move(p.vary(0.46, 0.32), **front)
    if overarm:
        p.move(0.25, **p.hand("r", -0.12, -0.35, 0.3))
    p.pulse(0.1, 0.45, lift_l=0.07)
    p.along(0.0, 0.6, **p.at_rest("twist", "tilt", "bend", "push", "shift", "fore_l"))
    p.move(p.pick(0.6, 0.8), **p.arms_at_rest("r"))


def bow(p: Performer) -> None:
    """The trunk bends and comes back; the arms hang or rest on the thighs."""
    deep, seconds = p.vary(25, 62), p.pick(0.7, 1.1)
    hang = 0.85 * deep if p.likes(0.5) else 0.25 * deep
    arms = {f"elevation_{side}": p.home[f"elevation_{side}"] + hang for side in "rl"}
    arms |= both(azimuth=10, swivel=20)
    p.along(0.0, seconds, tilt=0.6 * deep, push=-0.0016 * deep, nod=p.pick(0, 20), **arms)
    p.move(seconds, bend=p.home["bend"] + 0.5 * deep)
    p.wait(p.pick(0.1, 0.8))
    p.along(0.0, seconds, **p.at_rest("tilt", "push", "nod"), **p.arms_at_rest())
    p.move(seconds, **p.at_rest("bend"))


def stretch(p: Performer) -> None:
    """Both arms go up, the back straightens, perhaps leaning to the sides."""
    out, seconds = p.pick(0.06, 0.3), p.pick(0.8, 1.2)
    p.along(0.2, seconds, bend=-p.vary(2, 10), nod=p.pick(-22, 0), tilt=0)
    p.along(0.0, seconds, **p.hand("l", out, 0.62, p.pick(-0.05, 0.1), swivel=70))
    p.move(seconds, **p.hand("r", out, 0.62, p.pick(-0.05, 0.1), swivel=70))
    if p.home["drop"] == 0:  # on tiptoe, unless seated
        p.along(0.0, 0.5, **both(toe=18), air=0.03)
    if p.likes(0.5):
        p.swing(p.pick(1.4, 2.0), 1, lean=p.vary(8, 18))
    else:
        p.wait(p.pick(0.4, 1.0))
    p.along(0.0, 0.4, **p.at_rest("toe_r", "toe_l", "air"))
    p.along(0.0, seconds, **p.at_rest("bend", "nod", "tilt"))
    p.move(seconds, **p.arms_at_rest())


def walk_in_place(p: Performer) -> None:
    """Knees up in turn, the arms swinging against them."""
    period, high, arms = p.person.step_seconds * p.pick(0.85, 1.1), p.vary(0.08, 0.3), p.vary(8, 32)
    steps = 2 * p.times(2, 4)
    p.along(0.0, 0.5, **both(azimuth=10, elevation=-80, reach=p.vary(0.96, 0.75), swivel=20))
    for step in range(steps):
        side, sign = ("r", 1) if step % 2 else ("l", -1)
        own = {f"lift_{side}": high, f"fore_{side}": 0.5 * high, f"toe_{side}": 30}
        p.pulse(0.0, 0.58 * period, **own, shift=-0.035 * sign, hip_yaw=4 * sign)
        p.pulse(-0.05, 0.6 * period, **{f"elevation_{side}": -arms, f"elevation_{'lr'[side == 'l']}": arms})
        p.time += 0.5 * period
    p.move(0.5, **p.arms_at_rest())


def turn_around(p: Performer) -> None:
    """About face, in a few steps."""
    p.turn(p.pick(165, 190), p.pick(1.6, 2.4))
    p.wait(0.2)


def pick_up(p: Performer) -> None:
    """Down to the floor with one hand, and up again holding something."""
    knees, seconds = p.pick(0.1, 0.38), p.pick(0.8, 1.1)
    forward = 92 - 110 * knees
    p.along(0.0, seconds, tilt=0.55 * forward, bend=p.home["bend"] + 0.45 * forward, nod=10, push=-0.08)
    p.along(0.0, seconds, fore_r=p.pick(-0.12, 0.05))
    arm: Controls = {"azimuth_r": p.pick(-10, 15), "elevation_r": -88 + forward, "reach_r": 0.98}
    p.along(0.0, 0.9 * seconds, **arm, swivel_r=15)
    if p.likes(0.5):
        p.along(0.0, seconds, **p.hand("l", 0.16, -0.4, 0.25))
    else:
        p.along(0.0, seconds, azimuth_l=15, elevation_l=-88 + 0.7 * forward, reach_l=0.95, swivel_l=20)
    p.move(seconds, drop=knees)
    p.wait(p.pick(0.15, 0.4))
    p.along(0.0, seconds, **p.at_rest("tilt", "bend", "push", "fore_r"))
    p.along(0.2, seconds, **p.hand("r", p.pick(0.05, 0.2), p.pick(-0.35, -0.2), 0.28))
    p.along(0.2, seconds, **p.arms_at_rest("l"))
    p.move(seconds, drop=0.0)
    p.wait(p.pick(0.1, 0.5))
    p.move(0.5, **p.arms_at_rest("r"), **p.at_rest("nod"))


def touch_head(p: Performer) -> None:
    """A hand to the head, scratching a little."""
    p.along(0.1, 0.6, nod=p.pick(0, 16), cock=p.pick(-2, 8))
    seconds, out, up = p.pick(0.6, 0.9), p.pick(0.06, 0.13), p.pick(0.17, 0.28)
    p.move(seconds, **p.hand("r", out, up, p.pick(-0.06, 0.06), swivel=60))
    p.swing(p.pick(0.5, 1.2), p.times(1, 4), elevation_r=p.vary(1, 5), azimuth_r=4)
    p.move(p.pick(0.6, 0.9), **p.arms_at_rest("r"), **p.at_rest("nod", "cock"))


def check_watch(p: Performer) -> None:
    """The left forearm comes up in front, the head bows to it."""
    p.along(0.15, 0.5, nod=p.pick(18, 38), look=p.pick(0, 14))
    up = p.pick(-0.25, -0.06)
    seconds, out, ahead = p.pick(0.5, 0.8), p.pick(-0.08, 0.06), p.pick(0.22, 0.32)
    p.move(seconds, **p.hand("l", out, up, ahead, swivel=p.pick(45, 75)))
    if p.likes(0.4):
        p.move(0.4, **p.hand("r", p.pick(-0.06, 0.02), up + 0.01, 0.3, swivel=40))
    p.wait(p.pick(0.5, 1.2))
    p.along(0.0, 0.5, **p.at_rest("nod", "look"))
    p.move(p.pick(0.5, 0.8), **p.arms_at_rest())


def jumping_jack(p: Performer) -> None:
    """Legs apart and arms up, legs together and arms down, hopping."""
    wide, up, beat = p.vary(0.14, 0.32), p.vary(10, 78), p.vary(0.52, 0.4)
    for count in range(2 * p.times(2, 4)):
        opening = count % 2 == 0
        p.along(0.0, 0.8 * beat, drop=0.06, bend=p.home["bend"] + 4)
        p.time += 0.15
        if opening:
            target = both(out=wide, azimuth=80, elevation=up, reach=0.96, swivel=20)
        else:
            target = p.at_rest("out_r", "out_l") | both(azimuth=35, elevation=-82, reach=0.96, swivel=50)
        flight = p.hop(p.vary(0.04, 0.09))
        p.pulse(0.0, flight, **both(toe=30))
        p.move(beat, **target, drop=0.0, **p.at_rest("bend"))
    p.move(0.4, **p.arms_at_rest())
