"""The language of action programs: a performer moves controls to targets, at the person's own tempo.

A movement is a sum of overlapping strokes (submovements): each moves some controls to a target with a
minimum-jerk profile, or swings them there and back. A cursor, `Performer.time`, orders them; every stroke
advances it. Rendering is a few matrix products over all frames and strokes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kineme.generate.anatomy import ARM, CONTROL, CONTROLS, FPS, SIDES, Controls
from kineme.generate.kinematics import ease, mirrored, pose
from kineme.generate.people import Person, draw_hands, rest_hands
from kineme.typing import Array

# Amplitude of controls' drift while idle, in metres and degrees.
_SWAY = {"shift": 0.012, "push": 0.008, "lean": 0.8, "bend": 0.8, "look": 3.0, "nod": 1.5, "twist": 1.2}
_SWAY |= {"elevation_r": 1.2, "elevation_l": 1.2, "azimuth_r": 2.5, "azimuth_l": 2.5}
_SWAY |= {"reach_r": 0.006, "reach_l": 0.006}


def both(**controls: float) -> Controls:
    """The same for both limbs: `elevation=-80` → `elevation_r=-80, elevation_l=-80`."""
    return {f"{name}_{side}": value for name, value in controls.items() for side in SIDES}


class Performer:
    """One person on stage, and the strokes so far."""

    def __init__(self, person: Person, execution: np.random.Generator, gap: float = 0.0) -> None:
        """At home and idle; `execution` draws what differs between performances."""
        self.person = person
        self.execution = execution
        self.habits = execution  # draws what this person always does alike; set before each action
        self.gap = gap  # metres to a partner ahead, 0 without one
        self.time = 0.0  # the cursor, in seconds: where the next stroke begins
        self._moves: list[tuple[float, float, Controls]] = []
        self._swings: list[tuple[float, float, float, Controls]] = []
        self._pulses: list[tuple[float, float, Controls]] = []
        self._hops: list[tuple[float, float, float]] = []
        standing = self._stand()
        self._homes = {"standing": standing, "seated": standing | self._sit()}
        self.home = standing  # the pose to return to
        self.start = dict(standing)
        self.now = dict(standing)  # after all strokes so far

    def _stand(self) -> Controls:
        """This person's standing pose, a little different each time."""
        g, person = self.execution, self.person
        hands = person.hands if g.random() < 0.65 else draw_hands(g)
        home = dict.fromkeys(CONTROLS, 0.0) | person.rest | rest_hands(person.body, hands, g)
        for name, spread in (("bend", 2.5), ("twist", 4.0), ("nod", 4.0), ("look", 7.0), ("hip_yaw", 5.0)):
            home[name] += g.normal(0, spread)
        home["shift"] += g.normal(0, 0.025)
        for side in ("r", "l"):
            home[f"splay_{side}"] += g.normal(0, 4)
            home[f"fore_{side}"] += g.normal(0, 0.04)
        return home

    def _sit(self) -> Controls:
        """The seated pose: on a chair behind the feet, the hands on the thighs."""
        g = self.execution
        seat = {"drop": g.uniform(0.4, 0.48), "push": g.uniform(-0.4, -0.33), "tilt": g.uniform(-12, -2)}
        hands = (self.hand(side, g.uniform(0.05, 0.18), -0.4, g.uniform(0.2, 0.33)) for side in "rl")
        return {name: float(value) for name, value in seat.items()} | next(hands) | next(hands)

    def settle(self, situation: str) -> None:
        """Makes the pose of a situation, `standing` or `seated`, the one to return to; moves nothing."""
        self.home = self._homes[situation]

    def begin(self, situation: str) -> None:
        """Starts in a situation."""
        self.settle(situation)
        self.start, self.now = dict(self.home), dict(self.home)

    # Choices

    def pick(self, low: float, high: float) -> float:
        """This person's usual value between two, a little different each time."""
        mixed = self.habits.random() + self.execution.normal(0, 0.15)
        return low + (high - low) * float(np.clip(mixed, 0, 1))

    def vary(self, small: float, large: float) -> float:
        """As `pick`, but energetic people tend to the second value."""
        mixed = 0.5 * self.person.energy + 0.5 * self.habits.random() + self.execution.normal(0, 0.12)
        return small + (large - small) * float(np.clip(mixed, 0, 1))

    def times(self, fewest: int, most: int) -> int:
        """A random number of repetitions."""
        return int(self.execution.integers(fewest, most + 1))

    def likes(self, share: float) -> bool:
        """Whether this person has a habit that `share` of people have; inverted one time in ten."""
        habit, whim = self.habits.random() < share, self.execution.random() < 0.1
        return bool(habit ^ whim)

    # Targets

    def hand(self, side: str, out: float, up: float, ahead: float, swivel: float = 25.0) -> Controls:
        """Controls that bring a hand near a point of the chest's frame, see `Body.reach_for`."""
        miss = self.execution.normal(0, 0.012, 3)
        azimuth, elevation, reach = self.person.body.reach_for(out + miss[0], up + miss[1], ahead + miss[2])
        return {
            f"azimuth_{side}": azimuth,
            f"elevation_{side}": elevation,
            f"reach_{side}": reach,
            f"swivel_{side}": swivel + self.execution.normal(0, 6),
        }

    def at_rest(self, *names: str) -> Controls:
        """Controls of this person's idle pose; without names, all but the path."""
        return {name: self.home[name] for name in names or CONTROLS[3:]}

    def arms_at_rest(self, sides: str = "rl") -> Controls:
        """The arms' controls of the idle pose."""
        return self.at_rest(*(f"{name}_{side}" for side in sides for name in ARM))

    # Strokes

    def span(self, seconds: float) -> float:
        """Time this person takes, this time, for what takes others `seconds`."""
        return seconds * self.person.tempo * float(np.exp(self.execution.normal(0, 0.12)))

    def wait(self, seconds: float) -> None:
        """Holds the pose."""
        self.time += self.span(seconds)

    def move(self, seconds: float, **targets: float) -> None:
        """Moves controls to targets, and the cursor to the end."""
        self.time += self.along(0.0, seconds, **targets)

    def along(self, delay: float, seconds: float, **targets: float) -> float:
        """As `move`, from `delay` seconds after the cursor, which stays. Returns the true duration."""
        seconds = self.span(seconds)
        begin = self.time + delay * self.person.tempo
        changes = {name: target - self.now[name] for name, target in targets.items()}
        self._moves.append((begin, seconds, changes))
        self.now.update(targets)
        return seconds

    def swing(self, seconds: float, cycles: float, **amplitudes: float) -> None:
        """Swings controls around their values, for `cycles` whole or half cycles, and ends there."""
        self.time += self.swing_along(seconds, cycles, **amplitudes)

    def swing_along(self, seconds: float, cycles: float, **amplitudes: float) -> float:
        """As `swing`, but the cursor stays. Returns the true duration."""
        seconds = self.span(seconds)
        self._swings.append((self.time, seconds, cycles, amplitudes))
        return seconds

    def pulse(self, delay: float, seconds: float, **peaks: float) -> None:
        """Out and back once, `delay` seconds after the cursor, which stays. In true seconds."""
        self._pulses.append((self.time + delay, seconds, peaks))

    def hop(self, height: float) -> float:
        """Jumps from the cursor on, which stays: a parabola under gravity. Returns its duration."""
        seconds = 2.0 * float(np.sqrt(2.0 * height * self.person.body.scale / 9.81))
        self._hops.append((self.time, seconds, height))
        return seconds

    def turn(self, degrees: float, seconds: float) -> None:
        """Turns on the spot, head and shoulders first; positive to the left."""
        look, twist = self.home["look"], self.home["twist"]
        self.along(0.0, 0.4, look=look + 0.25 * degrees, twist=twist + 0.12 * degrees)
        self.along(0.6 * seconds, 0.6, look=look, twist=twist)
        self.move(seconds, yaw=self.now["yaw"] + degrees)

    def go(self, metres: float, seconds: float) -> None:
        """Walks straight ahead (backwards if negative), swinging the arms with the steps."""
        heading = np.radians(self.now["yaw"])
        begin, far = self.time, abs(metres) > 0.8
        if far:
            self.along(0.0, 0.5, **both(azimuth=20, elevation=-82, reach=0.96, swivel=40))
        self.move(
            seconds,
            right=self.now["right"] - metres * float(np.sin(heading)),
            ahead=self.now["ahead"] + metres * float(np.cos(heading)),
        )
        if far:
            # A foot is farthest ahead a quarter of a gait cycle after the other's mid-stance, which for the
            # right foot is at whole cycles. The opposite arm swings with it.
            half = 0.5 * self.person.step_seconds
            first, halves = np.ceil(begin / half), np.floor((self.time - begin) / half)
            arms = self.vary(8, 26) * (-1) ** int(first)
            swung = {"elevation_r": arms, "elevation_l": -arms, "twist": 0.25 * arms}
            self._swings.append((first * half, halves * half, 0.5 * halves, swung))
            self.along(0.0, 0.6, **self.arms_at_rest())

    def fidget(self) -> None:
        """Idle movements: looking aside, shifting weight. The cursor stays."""
        g = self.execution
        if g.random() < 0.4:
            look = float(g.uniform(-45, 45))
            self.along(0.1, 0.5, look=look, twist=0.2 * look)
            self.along(1.0, 0.6, **self.at_rest("look", "twist"))
        if g.random() < 0.5:
            shift = float(g.uniform(-0.05, 0.05))
            self.along(0.0, 0.9, shift=shift, hip_roll=-60 * shift)

    # On stage

    def render(self, frames: int) -> Array:
        """(frames, V, 3): the performance from its beginning at `FPS`, on the performer's own stage."""
        time = np.arange(frames) / FPS
        controls = np.tile([self.start[name] for name in CONTROLS], (frames, 1))
        if self._moves:
            begin, seconds = _columns(self._moves, 2)
            controls += ease((time[:, None] - begin) / seconds) @ _weights(self._moves)
        if self._pulses:
            begin, seconds = _columns(self._pulses, 2)
            u = np.clip((time[:, None] - begin) / seconds, 0, 1)
            controls += np.sin(np.pi * u) ** 2 @ _weights(self._pulses)
        if self._swings:
            begin, seconds, cycles = _columns(self._swings, 3)
            u = np.clip((time[:, None] - begin) / seconds, 0, 1)
            fade = np.minimum(ease(u * cycles * 2), ease((1 - u) * cycles * 2))
            controls += fade * np.sin(2 * np.pi * cycles * u) @ _weights(self._swings)
        for begin, seconds, height in self._hops:
            u = np.clip((time - begin) / seconds, 0, 1)
            controls[:, CONTROL["air"]] += 4 * height * u * (1 - u)
        controls += self._sway(time)
        joints = pose(self.person.body, controls, self.person.step_seconds)
        return mirrored(joints) if self.person.left_handed else joints

    def _sway(self, time: Array) -> Array:
        """(T, K) permanent movements: breathing, balance, a wandering gaze."""
        g, names = self.execution, list(_SWAY)
        slow, quick = g.uniform(0.08, 0.25, len(names)), g.uniform(0.25, 0.6, len(names))
        phase = g.uniform(0, 2 * np.pi, (2, len(names)))
        angle = 2 * np.pi * time[:, None]
        sway = np.zeros((len(time), len(CONTROLS)))
        waves = np.sin(angle * slow + phase[0]) + 0.4 * np.sin(angle * quick + phase[1])
        sway[:, [CONTROL[name] for name in names]] = self.person.sway * np.array(list(_SWAY.values())) * waves
        breath = np.sin(2 * np.pi * 0.27 * time / self.person.tempo + phase[0, 0])
        sway[:, CONTROL["bend"]] -= 0.7 * breath
        return sway


def _columns(strokes: Sequence[tuple[Any, ...]], count: int) -> Array:
    """(count, strokes): the leading numbers of each stroke."""
    return np.array([stroke[:count] for stroke in strokes], dtype=float).T


def _weights(strokes: Sequence[tuple[Any, ...]]) -> Array:
    """(strokes, K) from the controls at the end of each stroke."""
    weights = np.zeros((len(strokes), len(CONTROLS)))
    for row, (*_, changes) in enumerate(strokes):
        for name, value in changes.items():
            weights[row, CONTROL[name]] = value
    return weights
