"""Performances in front of cameras: trimmed clips, and untrimmed recordings with labelled intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError, check_between
from kineme.generate.actions import Action, choose_actions
from kineme.generate.anatomy import FPS
from kineme.generate.pairs import FAR, NEAR
from kineme.generate.people import Person, draw_person
from kineme.generate.performer import Performer
from kineme.generate.sensor import CAMERAS, sense, view
from kineme.typing import Array

BODIES = 2
SETUP = 1
SHORTEST_RECORDING = 15  # seconds, enough for a few actions
_LONGEST_ACTION = 8.0

# Purpose of a random stream: the number after the user's in its seed. Renumbering would change all clips.
_PERSON, _HABITS, _EXECUTION, _PROGRAMME, _PLACE, _SITUATION, _GAP, _SENSOR = range(8)
Key = tuple[int, int, int]  # subject, action, repetition
_RECORDING = 1000  # instead of an action's number in a recording's seeds


def generate_clips(
    *,
    subjects: int,
    repetitions: int,
    cameras: Sequence[int] = (1, 2, 3),
    actions: Sequence[str] | None = None,
    seed: int,
) -> Iterator[Clip]:
    """Trimmed clips of every subject, action, repetition and camera, nested in this order.

    Clips are named as in NTU RGB+D, `S001C002P003R001A004`: camera 2, subject 3, repetition 1, action 4
    (1-based; the action's number in `ACTIONS`). Each subject has its own partner for two-person actions.

    Args:
        subjects: number of people.
        repetitions: performances of each action by each subject.
        cameras: 1-based ids of the cameras, of 1, 2, 3.
        actions: names of the actions, in the order of their labels. Default: all of `ACTIONS`.
        seed: of all randomness; a clip depends only on it and its own name.

    Yields:
        Clips of (T, 2, 25, 3) in the camera's coordinates, metres, layout ntu25, 30 frames per second; the
        second body is zero if one person acts.

    Raises:
        KinemeError: a number out of range, an unknown action or camera.
    """
    chosen = choose_actions(actions)
    _check(subjects, repetitions, cameras, seed)

    def clips() -> Iterator[Clip]:
        people = _people(subjects, seed)
        for subject in range(1, subjects + 1):
            for label, action in enumerate(chosen):
                for repetition in range(1, repetitions + 1):
                    key = (subject, action.number, repetition)
                    cast = people[subject][: action.bodies]
                    performers, gap = _enter(cast, _situation(action, seed, key), seed, key)
                    seconds = _perform(action, performers, seed, key)
                    room = _on_stage(performers, gap, round(seconds * FPS), _random(seed, _PLACE, *key))
                    clip = Clip(f"A{action.number:03d}", room, label)
                    yield from (_filmed(clip, camera, seed, key) for camera in cameras)

    return clips()


def generate_recordings(
    *,
    subjects: int,
    recordings: int,
    seconds: float = 60.0,
    cameras: Sequence[int] = (1, 2, 3),
    actions: Sequence[str] | None = None,
    seed: int,
) -> Iterator[Clip]:
    """Untrimmed recordings: a sequence of actions with idling in between, each with its interval.

    Every third recording of a subject is with a partner, if `actions` has actions for two.

    Args:
        subjects, cameras, actions, seed: as for `generate_clips`.
        recordings: recordings of each subject.
        seconds: length of each recording, at least 15.

    Yields:
        Unlabelled clips with `intervals` of the actions, named `S001C002P003R001`; otherwise as
        `generate_clips`.

    Raises:
        KinemeError: as `generate_clips`, or `seconds` is too short.
    """
    chosen = choose_actions(actions)
    _check(subjects, recordings, cameras, seed)
    check_between("`seconds`", seconds, SHORTEST_RECORDING)

    def filmed() -> Iterator[Clip]:
        people = _people(subjects, seed)
        labels = {action.number: label for label, action in enumerate(chosen)}
        kinds = [kind for kind in (1, 1, 2) if any(action.bodies == kind for action in chosen)]
        for subject in range(1, subjects + 1):
            for recording in range(1, recordings + 1):
                key = (subject, _RECORDING, recording)
                bodies = kinds[(subject + recording) % len(kinds)]
                pool = [action for action in chosen if action.bodies == bodies]
                performers, gap = _enter(people[subject][:bodies], pool[0].before[0], seed, key)
                done = _programme(pool, performers, seconds, seed, key)
                room = _on_stage(performers, gap, round(seconds * FPS), _random(seed, _PLACE, *key))
                intervals = tuple((start, end, labels[action.number]) for start, end, action in done)
                clip = Clip("", room, intervals=intervals)
                yield from (_filmed(clip, camera, seed, key) for camera in cameras)

    return filmed()


def _check(subjects: int, repetitions: int, cameras: Sequence[int], seed: int) -> None:
    check_between("`subjects`", subjects, 1, 999)
    check_between("`repetitions`", repetitions, 1, 999)
    check_between("`seed`", seed, 0)
    if not cameras or len(set(cameras)) != len(cameras):
        raise KinemeError("`cameras`: name at least one, and each only once")
    for camera in cameras:
        if camera not in CAMERAS:
            known = ", ".join(map(str, CAMERAS))
            raise KinemeError(f"`cameras`: there is no camera {camera}; choose from {known}")


def _random(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng([seed, *key])


def _people(subjects: int, seed: int) -> dict[int, list[Person]]:
    """Subjects by number, each with an exclusive partner, so that splits by subject do not leak."""
    return {
        number: [draw_person(_random(seed, _PERSON, number, role)) for role in range(BODIES)]
        for number in range(1, subjects + 1)
    }


def _situation(action: Action, seed: int, key: Key) -> str:
    """The situation a trimmed clip starts in: the action's first one in seven of ten clips, else another."""
    usual, *others = action.before
    generator = _random(seed, _SITUATION, *key)
    return others[int(generator.integers(len(others)))] if others and generator.random() < 0.3 else usual


def _enter(cast: list[Person], situation: str, seed: int, key: Key) -> tuple[list[Performer], float]:
    """Performers in their first situation, and the metres between them (0 for one)."""
    gap = 0.0
    if len(cast) == 2:
        gap = float(_random(seed, _GAP, *key).uniform(*(FAR if situation == "far" else NEAR)))
    performers = [
        Performer(person, _random(seed, _EXECUTION, *key, role), gap) for role, person in enumerate(cast)
    ]
    if situation == "seated":
        performers[0].begin(situation)
    return performers, gap


def _act(action: Action, performers: list[Performer], seed: int, subject: int, time: float) -> float:
    """Performs an action from `time` seconds on, with everyone's own habits. Returns when it ends."""
    for role, p in enumerate(performers):
        p.habits = _random(seed, _HABITS, subject, action.number, role)
        p.time = time
    action.perform(*performers)
    return max(p.time for p in performers)


def _perform(action: Action, performers: list[Performer], seed: int, key: Key) -> float:
    """One action between two moments of idling, cut as people would. Returns its duration in seconds."""
    generator = _random(seed, _PROGRAMME, *key)
    for p in performers:
        p.fidget()
    end = _act(action, performers, seed, key[0], float(generator.uniform(0.05, 1.3)))
    return end + float(generator.uniform(-0.15, 1.3))


def _programme(
    pool: list[Action], performers: list[Performer], seconds: float, seed: int, key: Key
) -> list[tuple[int, int, Action]]:
    """Fills a recording with actions that fit the previous situation. Frames, end exclusive."""
    situation = pool[0].before[0]
    generator = _random(seed, _PROGRAMME, *key)
    done: list[tuple[int, int, Action]] = []
    end = 0.0
    while True:
        for p in performers:
            p.time = end
            p.fidget()
        start = end + float(generator.uniform(0.6, 3.0))
        possible = [action for action in pool if situation in action.before]
        if not possible or start + _LONGEST_ACTION > seconds:
            return done
        action = possible[int(generator.integers(len(possible)))]
        end = _act(action, performers, seed, key[0], start)
        situation = action.after or situation
        done.append((round(start * FPS), min(round(end * FPS), round(seconds * FPS)), action))


def _on_stage(performers: list[Performer], gap: float, frames: int, generator: np.random.Generator) -> Array:
    """(T, m, V, 3) the performance somewhere in the room, facing roughly -z.

    The origin is on the floor in the middle of the room. Pairs stand face to face across the view.
    """
    heading = np.radians(generator.uniform(-25, 25))
    middle = np.array([generator.uniform(-0.5, 0.5), 0.0, generator.uniform(-0.4, 0.4)])
    facing = [heading]
    if len(performers) == 2:
        heading += np.pi * generator.integers(2)
        facing = [heading - np.pi / 2, heading + np.pi / 2]
    bodies = []
    for p, yaw in zip(performers, facing, strict=True):
        cos, sin = np.cos(yaw), np.sin(yaw)
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        place = middle + turn @ np.array([0, 0, 0.5 * gap])  # half the gap behind the middle
        bodies.append(p.render(frames) @ turn.T + place)
    return np.stack(bodies, axis=1)


def _filmed(clip: Clip, camera: int, seed: int, key: Key) -> Clip:
    """A clip of the room as one camera's tracker gives it: (T, BODIES, V, 3) float32, either body first."""
    subject, _, repetition = key
    room, generator = clip.xyz, _random(seed, _SENSOR, *key, camera)
    tracked = sense(view(room, CAMERAS[camera]), generator)
    if room.shape[1] == BODIES:
        if generator.random() < 0.5:
            tracked = tracked[:, ::-1]
        if generator.random() < 0.05:  # tracking was lost and resumed with the bodies swapped
            frame = int(generator.integers(len(tracked)))
            tracked = np.concatenate([tracked[:frame], tracked[frame:, ::-1]])
    film = np.zeros((len(room), BODIES, *room.shape[2:]), dtype=np.float32)
    film[:, : room.shape[1]] = tracked
    return replace(
        clip,
        name=f"S{SETUP:03d}C{camera:03d}P{subject:03d}R{repetition:03d}{clip.name}",
        xyz=film,
        subject=str(subject),
        camera=camera,
        setup=SETUP,
        replication=repetition,
    )
