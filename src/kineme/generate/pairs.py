"""Actions of two people. `a` begins, `b` faces `a` at `gap` metres and responds."""

from __future__ import annotations

from kineme.generate.performer import Performer
from kineme.generate.solo import AWAY

NEAR = (0.8, 1.25)  # metres between two people who stand together
FAR = (2.4, 3.2)


def _meet(a: Performer, b: Performer, gap: float | None = None) -> None:
    """Whoever is ready first waits for the other; `gap`, where they have moved, is their new distance."""
    a.time = b.time = max(a.time, b.time)
    a.gap = b.gap = a.gap if gap is None else gap


def _height(p: Performer, metres: float) -> float:
    """A height above the floor, as `up` in the frame of the performer's chest."""
    return (metres - p.person.body.chest_height) / p.person.body.scale


def shake_hands(a: Performer, b: Performer) -> None:
    """Right hands meet halfway and go up and down."""
    height = 0.62 * 0.5 * (a.person.body.height + b.person.body.height)
    lean = max(0.0, (a.gap - 0.75)) * 25
    for p in (a, b):
        if p is b:
            p.wait(p.pick(0.0, 0.2))
        # Everyone shakes with the right hand, and left-handers are mirrored.
        side = "l" if p.person.left_handed else "r"
        ahead = 0.47 * a.gap / p.person.body.scale
        point = p.hand(side, 0.02, _height(p, height), ahead, swivel=15)
        bend, twist = p.home["bend"] + 0.5 * lean, 8 if side == "r" else -8
        p.along(0.0, 0.6, tilt=0.3 * lean, bend=bend, twist=twist, push=0.004 * lean)
        p.move(0.65, **point)
    _meet(a, b)
    shakes, size, seconds = a.times(2, 4), a.vary(4, 11), a.span(0.32)
    for p in (a, b):
        side = "l" if p.person.left_handed else "r"
        # In true seconds, so that different tempos do not separate the hands.
        for count in range(shakes):
            p.pulse(count * seconds, seconds, **{f"elevation_{side}": size})
        p.time += shakes * seconds
        p.along(0.0, 0.6, **p.at_rest("tilt", "bend", "twist", "push"))
        p.move(0.6, **p.arms_at_rest(side))
    _meet(a, b)


def hug(a: Performer, b: Performer) -> None:
    """Both step up, arms around each other, a pat on the back, and apart again."""
    step, over = 0.5 * (a.gap - 0.42), a.likes(0.5)
    for p in (a, b):
        high = over == (p is a)
        p.along(0.0, 0.8, **p.hand("r", 0.3, 0.0 if high else -0.2, 0.38, swivel=30))
        p.along(0.0, 0.8, **p.hand("l", 0.3, -0.2 if high else 0.0, 0.38, swivel=30))
        p.go(step, 1.1)
    _meet(a, b)
    held, pats = a.span(1.0), a.times(1, 3)
    for p in (a, b):
        high = over == (p is a)
        p.along(0.0, 0.5, **p.hand("r", -0.04, -0.02 if high else -0.22, 0.5, swivel=45))
        p.along(0.0, 0.5, **p.hand("l", -0.04, -0.22 if high else -0.02, 0.5, swivel=45))
        p.move(0.5, tilt=2, cock=p.pick(4, 16), bend=p.home["bend"] + 3)
    _meet(a, b)
    for p in (a, b):
        for count in range(pats):
            p.pulse(count * held / pats, held / pats, elevation_r=p.vary(3, 9), azimuth_r=6)
        p.time += held
        p.along(0.0, 0.6, **p.at_rest("tilt", "cock", "bend"))
        p.along(0.2, 0.8, **p.arms_at_rest())
        p.go(-step, 1.1)
    _meet(a, b)


def push(a: Performer, b: Performer) -> None:
    """Both hands against the other's chest; the other staggers back."""
    step, reach = max(a.gap - 0.7, 0.0), 0.6
    for side in "rl":
        a.along(0.0, 0.5, **a.hand(side, 0.14, -0.12, 0.26, swivel=35))
    a.go(step, 0.7)
    height = b.person.body.chest_height - 0.12
    for side in "rl":
        a.along(0.0, 0.28, **a.hand(side, 0.12, _height(a, height), reach, swivel=35))
    a.pulse(0.0, 0.35, lift_l=0.06)
    a.along(0.0, 0.3, push=0.12, tilt=12, fore_l=a.pick(0.1, 0.25))
    b.time = a.time + 0.16
    far = b.vary(0.15, 0.5)
    b.along(0.0, 0.25, bend=b.home["bend"] - 12, tilt=-9, nod=14, **b.hand("r", 0.34, -0.25, 0.3),
            **b.hand("l", 0.34, -0.2, 0.28))  # fmt: skip
    b.go(-far, 0.7)
    a.time += 0.5
    a.along(0.0, 0.5, **a.at_rest("push", "tilt", "fore_l"))
    a.move(0.6, **a.arms_at_rest())
    b.along(0.0, 0.5, **b.arms_at_rest())
    b.move(0.6, **b.at_rest("bend", "tilt", "nod"))
    _meet(a, b, a.gap - step + far)
    _come_back(a, b)


def kick_other(a: Performer, b: Performer) -> None:
    """A kick at the other, who flinches back."""
    high = a.vary(0.25, 0.7)
    step = max(a.gap - 0.95, 0.0)
    a.go(step, 0.5)
    a.along(0.0, 0.4, shift=-0.08, **a.hand("l", 0.2, -0.2, 0.3), **AWAY)
    a.move(0.45, fore_r=-0.22, lift_r=0.14, toe_r=35)
    b.time = a.time + 0.1
    a.along(0.0, 0.3, tilt=-12, bend=a.home["bend"] + 6)
    a.move(0.32, fore_r=0.66, lift_r=high, toe_r=5, hip_yaw=14)
    a.along(0.1, 0.5, **a.at_rest("tilt", "bend", "hip_yaw"))
    a.move(0.45, **a.at_rest("fore_r", "lift_r", "toe_r"))
    a.move(0.5, **a.at_rest("shift"), **a.arms_at_rest())
    far = b.vary(0.05, 0.35)
    b.along(0.0, 0.3, bend=b.home["bend"] + 16, push=-0.12, **b.hand("r", 0.1, -0.35, 0.3),
            **b.hand("l", 0.1, -0.32, 0.32))  # fmt: skip
    b.go(-far, 0.6)
    b.along(0.2, 0.6, **b.arms_at_rest())
    b.move(0.7, **b.at_rest("bend", "push"))
    _meet(a, b, a.gap - step + far)
    _come_back(a, b)


def _come_back(a: Performer, b: Performer) -> None:
    """After a scuffle: both correct a distance that does not suit the next action, half each."""
    wanted = 0.5 * sum(NEAR)
    if not NEAR[0] - 0.1 <= a.gap <= NEAR[1] + 0.15:
        for p in (a, b):
            p.go(0.5 * (a.gap - wanted), 0.8)
        _meet(a, b, wanted)


def walk_towards(a: Performer, b: Performer) -> None:
    """From far apart until they stand together."""
    near = a.pick(*NEAR)
    for p in (a, b):
        if abs(p.now["yaw"]) > 90:
            p.turn(-p.now["yaw"], 1.4)
        p.wait(p.pick(0.0, 0.4))
        p.go(0.5 * (a.gap - near), a.pick(1.9, 2.8))
    _meet(a, b, near)


def walk_apart(a: Performer, b: Performer) -> None:
    """They turn away from each other and leave."""
    far = a.pick(*FAR)
    for p in (a, b):
        p.wait(p.pick(0.0, 0.3))
        p.turn(p.pick(165, 195), 1.3)
        p.go(0.5 * (far - a.gap), p.pick(1.7, 2.4))
    _meet(a, b, far)
