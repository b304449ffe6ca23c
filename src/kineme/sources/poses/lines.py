"""JSON lines of poses that come in as they are made: a header perhaps, then a frame a line.

    {"layout": "coco17", "fps": 25}
    {"t": 0.00, "joints": [[x, y, z], ...]}
    {"t": 0.04, "people": [{"id": "anna", "joints": [...]}, {"id": "ben", "joints": [...]}]}

Joints are x, y, z, or x, y in an image; null or NaN where one was not found. Without `t`, a line comes every
1/`fps` seconds; where the rate is not known either, the time of arrival counts. People without an `id` are
tracked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.live import MAX_LINE, Line
from kineme.sources.poses.arrays import MAX_PEOPLE
from kineme.sources.raw import shown
from kineme.typing import Array

Person = int | str
People = Mapping[Person, Array] | Sequence[Array]
LONGEST_ID = 64  # characters
LATEST = 1e12  # seconds; now is 2e9 after 1970


class BadFrame(KinemeError):
    """A frame that cannot be used, and that the next ones can do without."""


@dataclass(frozen=True)
class Header:
    """What a stream says of itself in its first line.

    Attributes:
        layout: of the joints; None if it does not say, and so for the rest.
        fps: frames per second.
        axes, units, image: as of `open_poses`.

    >>> Header.read({"layout": "coco17", "fps": 25}).fps
    25
    """

    layout: str | None = None
    fps: float | None = None
    axes: str | None = None
    units: str | None = None
    image: str | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Header:
        """From the JSON object. Layouts are built-in ones: whoever sends poses cannot name files.

        Raises:
            KinemeError: a key is unknown or a value is not one.
        """
        known = [each.name for each in fields(cls)]
        for key, value in told.items():
            if key not in known:
                near = did_you_mean(key, [*known, "joints", "people"]) or f"; choose from {', '.join(known)}"
                raise KinemeError(f"the header has the unknown key {shown(key)}{near}")
            if not (_is_number(value) and 0 < value < 1e4 if key == "fps" else isinstance(value, str)):
                wanted = "frames per second, such as 30" if key == "fps" else "text"
                raise KinemeError(f"the header's {key} is {shown(value)}; it must be {wanted}")
        if (layout := told.get("layout")) is not None and layout not in LAYOUTS:
            near = did_you_mean(layout, LAYOUTS) or f"; built in are {', '.join(LAYOUTS)}"
            raise KinemeError(f"the header's layout {shown(layout)} is not built in{near}; or set `layout`")
        return cls(**told)


@dataclass(frozen=True)
class Beginning:
    """A stream begins.

    Attributes:
        header: what it says of itself.
        name: for messages.
    """

    header: Header
    name: str


@dataclass(frozen=True)
class Frame:
    """The people of one moment.

    Attributes:
        people: joints (V, C) of each by id, or of people without ids; NaN where a joint was not found.
        time: in seconds.
        arrived: on the clock `time.monotonic`.
        name: for messages, such as `line 3`.
    """

    people: People
    time: float
    arrived: float
    name: str


def frames(
    lines: Iterable[Line | None],
    bad: Callable[[str, str], None],
    *,
    fps: float | None = None,
    tolerant: bool = False,
) -> Iterator[Beginning | Frame | None]:
    """Lines → the beginnings of streams and their frames; None where nothing has come for a while.

    Args:
        lines: see `kineme.sources.live.lines`.
        bad: called with the kind of mistake and the message about a line that is left out; it may raise.
        fps: frames per second, if they are known without a header.
        tolerant: a stream with a malformed header is left out, and the next one waited for.

    Raises:
        KinemeError: a header is malformed, unless `tolerant`.

    >>> text = [b'{"layout": "coco17", "fps": 25}', b'{"t": 0.5, "joints": [[0, 1, 2]]}', b"oops"]
    >>> lines = [Line(each, f"line {i + 1}", 0, float(i)) for i, each in enumerate(text)]
    >>> beginning, frame = frames(lines, lambda kind, message: print(message))
    line 3: is not JSON; left out
    >>> beginning.header.layout, frame.time, frame.people[1].tolist()
    ('coco17', 0.5, [[0.0, 1.0, 2.0]])
    """
    stream: int | None = None
    timed: bool | None = None
    left_out, rate, begun, number = False, fps, 0.0, 0  # of lines that are frames, or should be
    before = -1.0  # when the last frame of the stream arrived
    for line in lines:
        if line is None:
            yield None
            continue
        try:
            told: Any = _parsed(line.text)
            wrong = None
        except BadFrame as error:
            told, wrong = {"joints": None}, error
        if line.stream != stream:
            stream, timed, begun, number, left_out = line.stream, None, line.arrived, 0, False
            before = -1.0
            header = Header()
            if "joints" not in told and "people" not in told:
                try:
                    header, told = Header.read(told), None
                except KinemeError as error:
                    if not tolerant:
                        raise KinemeError(f"{line.name}: {error}") from error
                    bad("stream", f"{line.name}: {error}; the rest of it is left out")
                    left_out = True
                    continue
            rate = fps or header.fps
            yield Beginning(header, line.name)
            if told is None:
                continue
        if left_out:
            continue
        number += 1
        try:
            if wrong:
                raise wrong
            people, time = _people(told), _time(told)
            if timed is None:
                timed = time is not None
            if timed != (time is not None):
                raise BadFrame(f"has {'no ' if timed else ''}'t', unlike the frames before it")
            if not timed and not rate and line.arrived <= before:
                raise BadFrame("has no 't' and came together with the frame before it; set `fps`")
        except BadFrame as error:
            bad("line", f"{line.name}: {error}; left out")
            continue
        before = line.arrived
        if time is None:
            time = (number - 1) / rate if rate else line.arrived - begun
        yield Frame(people, time, line.arrived, line.name)


def _parsed(text: bytes | None) -> dict[str, Any]:
    if text is None:
        raise BadFrame(f"is longer than {MAX_LINE:,} bytes")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("is not JSON") from error
    if not isinstance(told, dict):
        raise BadFrame('is not an object such as {"joints": [[x, y, z], ...]}')
    return told


def _people(told: Mapping[str, Any]) -> People:
    if unknown := [key for key in told if key not in ("t", "joints", "people")]:
        near = did_you_mean(unknown[0], ("t", "joints", "people"), 0.5)
        raise BadFrame(f"has the unknown key {shown(unknown[0])}{near}")
    if "joints" in told:
        if "people" in told:
            raise BadFrame("has both 'joints' and 'people'")
        return {1: _joints(told["joints"])}
    people = told.get("people")
    if not isinstance(people, list) or not all(isinstance(each, dict) for each in people):
        raise BadFrame("has no 'joints' and no list of 'people'")
    if len(people) > MAX_PEOPLE:
        raise BadFrame(f"has {len(people):,} people; the limit is {MAX_PEOPLE}")
    joints = [_joints(each.get("joints")) for each in people]
    named = [each["id"] for each in people if each.get("id") is not None]
    if not named:
        return joints
    if len(named) < len(people):
        raise BadFrame("has people with and without 'id'")
    for name in named:
        text = isinstance(name, str) and name.isprintable() and 0 < len(name) <= LONGEST_ID
        if not text and not (isinstance(name, int) and not isinstance(name, bool) and abs(name) < 1 << 63):
            raise BadFrame(
                f"has the id {shown(name)}; it must be a number or text of 1 to {LONGEST_ID} characters"
            )
    if len(set(named)) < len(named):
        raise BadFrame("has the same 'id' twice")
    return dict(zip(named, joints, strict=True))


def _joints(nested: Any) -> Array:
    """(V, C) of nested lists of numbers; null, for a joint or a number, is NaN."""
    found = [each for each in nested if each is not None] if isinstance(nested, list) else []
    if found and all(isinstance(each, list) for each in found):
        nowhere = [None] * len(found[0])
        try:
            return np.array([nowhere if each is None else each for each in nested], dtype=np.float64)
        except (ValueError, TypeError, OverflowError, RecursionError):
            pass
    raise BadFrame("has joints that are not a list of [x, y, z]")


def _time(told: Mapping[str, Any]) -> float | None:
    time = told.get("t")
    if time is None:
        return None
    if not _is_number(time) or not abs(time) <= LATEST:
        raise BadFrame(f"has the time {shown(time)}; it must be seconds")
    return float(time)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
