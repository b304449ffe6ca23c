"""JSON and what is in it: the points of a person by number, by name, in a row or in columns → an array.

Functions raise ValueError with what is wrong, and in which frame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kineme.sources.poses.headers import plain
from kineme.sources.poses.holistic import BODY, landmark_name
from kineme.sources.poses.vision import vision_names
from kineme.typing import Array

_SCORE = "visibility visible score confidence conf likelihood v c".split()
_PICTURE = re.compile(r"\.(?:jpe?g|png|bmp)$", re.IGNORECASE)
_NAME = ("name", "part", "landmark", "label")
Number = int | float | None  # JSON's null is NaN
_NUMBERS = {int, float, bool, type(None)}  # the types of these


def parsed(data: bytes) -> Any:
    """The bytes of a JSON file → lists, dictionaries, numbers and text."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"is not JSON, or is cut off{where}") from error


def integer(value: Any) -> int | None:
    """The number of a frame or person: 2, as some programs write it 2.0 or [2.0]; None for what is none."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def by_name(content: Mapping[str, Any]) -> dict[str, Any]:
    """An object by the plain names of its keys."""
    return {plain(str(key)): value for key, value in content.items()}


def numbered(content: Mapping[str, Any]) -> dict[int, Any]:
    """`{"0": ..., "frame_1": ..., "2.jpg": ...}` by number; empty where a key has none."""
    bare = {key: _PICTURE.sub("", str(key)) for key in content}
    digits = {key: "".join(filter(str.isdigit, name)) for key, name in bare.items()}
    names = {plain(name).rstrip("0123456789") for name in bare.values()}
    if (
        not content
        or names - {"", "frame", "f"}
        or not all(d.isascii() and 0 < len(d) < 10 for d in digits.values())
    ):
        return {}
    return {int(digits[key]): value for key, value in content.items()}


def is_point(value: Any) -> bool:
    """Whether it is an object with x, which may be null, or a list of two to four numbers."""
    if isinstance(value, Mapping):
        value = _whole(value)
        return isinstance(value.get("x", value.get("X", "")), Number)
    return (
        isinstance(value, list) and 2 <= len(value) <= 4 and all(isinstance(each, Number) for each in value)
    )


def _whole(point: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"part": ..., "position": {"x": ..., "y": ...}}`, as PoseNet has it, in one."""
    place = point.get("position")
    return {**point, **place} if isinstance(place, Mapping) else point


def points_by_name(shows: Mapping[str, Any]) -> bool:
    """Whether it is an object of points, or one of lists of their coordinates."""
    points = [each for each in shows.values() if is_point(each)]
    return len(points) > 1 or isinstance(shows.get("x"), list)


def points(person: Any, scores: Any, depth: bool, place: int) -> tuple[tuple[str, ...], Array]:
    """Names and (V, 4) x, y, z, confidence of a person's points, NaN where not given."""
    names: tuple[str, ...] = ()
    if isinstance(person, Mapping) and isinstance(person.get("x"), list):  # Ultralytics
        columns = [person.get("x"), person.get("y"), None, person.get("visible", person.get("confidence"))]
        return (), _columns(columns, len(person["x"]), place)
    if isinstance(person, Mapping):
        given = {str(key): value for key, value in person.items() if is_point(value)}
        numbers = numbered(given)
        person = [value for _, value in sorted(numbers.items())] if numbers else list(given.values())
        names = () if numbers else tuple(given)
    if not isinstance(person, list):
        raise ValueError(f"frame {place} is not a list of landmarks")
    if all(isinstance(each, Number) for each in person):
        width = 3
        if scores is not None:
            width = 2 if len(person) == 2 * len(scores) else 3
        elif depth and len(person) in (3 * BODY, 4 * BODY):  # MediaPipe's
            width = len(person) // BODY
        else:
            depth = False
        if len(person) % width:
            raise ValueError(f"frame {place}: a person has {len(person)} numbers; expected {width} per joint")
        person = [person[at : at + width] for at in range(0, len(person), width)]
    values = _alike(person)
    if values is None:
        values = np.array([_point(point, depth, place) for point in person]).reshape(-1, 4)
    own = [name for point in person if isinstance(point, dict) for name in _named(point)]
    if scores is not None:
        values[:, 3] = _columns([scores], len(values), place)[:, 0]
    if len(own) == len(values) and len(set(own)) == len(own):
        names = tuple(own)
    return tuple(map(landmark_name, vision_names(names))), values


def _alike(person: Sequence[Any]) -> Array | None:
    """(V, 4) of points that are objects of the same keys, as MediaPipe's thousands a second are; None of
    others, and of what `_point` refuses."""
    if {*map(type, person)} != {dict}:
        return None
    first = person[0]
    if "position" in first or any(point.keys() != first.keys() for point in person):
        return None
    keys = {plain(key): key for key in first}
    scores = [name for name in _SCORE if name in keys]
    if not {"x", "y"} <= keys.keys() or len(scores) > 1:
        return None
    values = np.full((len(person), 4), np.nan)
    for at, name in enumerate(("x", "y", "z", *scores)):
        if name in keys:
            column = [point[keys[name]] for point in person]
            if not {*map(type, column)} <= _NUMBERS:
                return None
            try:
                values[:, at] = column
            except OverflowError:
                return None
    return values


def _named(point: Mapping[str, Any]) -> list[str]:
    """The name of a point, if it has one."""
    return [name for key in _NAME if key in point and isinstance(name := point[key], str)][:1]


def _point(point: Any, depth: bool, place: int) -> list[float]:
    try:
        if isinstance(point, Mapping):
            if not is_point(point) or "y" not in (keys := by_name(_whole(point))):
                raise ValueError(f"frame {place} has a landmark without x and y")
            score = next((keys[name] for name in _SCORE if keys.get(name) is not None), None)
            return [_float(each) for each in (keys["x"], keys["y"], keys.get("z"), score)]
        if isinstance(point, list) and 2 <= len(point) <= 4:
            x, y, *rest = map(_float, point)
            if len(rest) == 2 or (len(rest) == 1 and depth):
                return [x, y, *rest, float("nan")][:4]
            return [x, y, float("nan"), *(rest or [float("nan")])]
    except (TypeError, OverflowError) as error:
        raise ValueError(f"frame {place} has a landmark that is not of numbers") from error
    raise ValueError(f"frame {place} has a landmark without x and y")


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _columns(columns: Sequence[Any], count: int, place: int) -> Array:
    values = np.full((count, len(columns)), np.nan)
    for at, column in enumerate(columns):
        if column is None:
            continue
        if not isinstance(column, list) or len(column) != count:
            raise ValueError(f"frame {place}: a person has lists of unequal length")
        try:
            values[:, at] = [_float(each[0] if isinstance(each, list) and each else each) for each in column]
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"frame {place}: a person has values that are not numbers") from error
    return values
