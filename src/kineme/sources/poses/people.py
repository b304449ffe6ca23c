"""JSON of people in frames, as MediaPipe, MMPose, Ultralytics, Azure Kinect and many programs write it.

A file is a list of frames, `{"frames": [...]}` (or data, results, instance_info, ...), `{"0": ..., "1": ...}`
or an object of lists.
A frame is one person, a list of people, null, or an object with people (`instances`, `predictions`, ...) or
with MediaPipe's groups of landmarks; with `frame`, `timestamp` where the program adds them. Frames of one
number, or of one image, are one frame.
A person is a list of points, an object of points by number or name, `{"x": [...], "y": [...]}`, or an object
with such `keypoints` and `keypoint_scores`, and `track_id`.
The names of the joints may be listed beside the frames (`joint_names`), or in what describes them.
A point is `{"x", "y", "z", "visibility", "name"}` or a list of numbers.

Functions raise ValueError with what is wrong, and in which frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from kineme.sources.poses.about import names_said, rate_said, size_of, tell
from kineme.sources.poses.arrays import MAX_FRAMES, STANDING, Detections, renumber, step_of
from kineme.sources.poses.assembling import Person, assembled
from kineme.sources.poses.fractions import in_pixels
from kineme.sources.poses.headers import plain
from kineme.sources.poses.keypoints import by_name, integer, is_point, numbered, points, points_by_name
from kineme.sources.poses.times import rate_of, seconds, times_unit
from kineme.sources.raw import shown
from kineme.typing import Array

_OF_FRAMES = "frames data results predictions instanceinfo poses skeletons history sequence".split()
_OF_PEOPLE = "people persons instances predictions detections poses bodies objects annotations tracks".split()
_GROUPS = {
    "pose_world": "poseworldlandmarks worldlandmarks poselandmarksworld worldposelandmarks keypoints3d ea",
    "pose": "poselandmarks landmarks pose keypoints landmark body keypoints2d normalizedlandmarks joints "
    "jointpositions",
    "left_hand": "lefthandlandmarks lefthand",
    "right_hand": "righthandlandmarks righthand",
}
_GROUP = {name: group for group, names in _GROUPS.items() for name in names.split()}
_IMAGES = "image imagename imagefile imagepath filename file framename".split()
_NUMBERS = "frame frameindex frameid frameidx framenumber frameno framenum".split()
_IDS = "trackid personid bodyid trackingid idx instanceid poseid id".split()
_SCORES = (
    "keypointscores scores keypointsvisible visibility visible confidence confidences conf score".split()
)


@dataclass
class _Frame:
    """A frame of the file: what it shows, and its number and time where it says them."""

    place: int
    shows: Any
    number: int | None = None
    time: Any = None
    image: str = ""
    who: int | None = None


def people(content: Any, wanted: Sequence[str] = ()) -> Detections:
    """Parsed JSON → the people of its frames.

    Args:
        content: of the file.
        wanted: groups of landmarks, see `holistic.chosen`.
    """
    frames = list(_frames(content))
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise ValueError(f"has {len(frames):,} frames; expected 1 to {MAX_FRAMES:,}")
    found = [person for frame in frames for person in _people(frame)]
    place, count = _places(frames)
    seen = assembled(found, place, count, _times(frames, place, count), wanted)
    if isinstance(content, Mapping) and "k4abt_sdk_version" in content:  # Azure Kinect, seen from its camera
        seen = replace(seen, scale=0.001, axes="y-down")
    if isinstance(content, Mapping) and "meta_info" in content and seen.points.shape[2] == 3:
        seen = replace(seen, axes=STANDING)  # MMPose turns the poses that it lifts upright, with z up
    names = names_said(content)
    if not seen.joints and len(names) == seen.points.shape[1] and tell(names):
        seen = replace(seen, joints=names)
    size = size_of(content) or next((size_of(frame.shows) for frame in frames if frame.shows), None)
    return replace(seen, points=in_pixels(seen.points, size)) if size and seen.scale is None else seen


def told(content: Any) -> dict[str, Any]:
    """The frame rate that a file says, or that the times of its frames tell."""
    frames = list(_frames(content))
    times = _times(frames, *_places(frames))
    rate = None if times is None else rate_of(times)
    return {} if rate is None else {"fps": rate, "measured": True}


def rate_of_frames(content: Any) -> float | None:
    """Frames a second of what is in a file: where they are every k-th of a video, a k-th of what it says."""
    rate = rate_said(content)
    if rate is None:
        return None
    with suppress(ValueError):
        numbers = [frame.number for frame in _frames(content) if frame.number is not None]
        if all(abs(number) < 1 << 62 for number in numbers):
            return rate / step_of(numbers)
    return rate


def _frames(content: Any) -> Iterator[_Frame]:
    if isinstance(content, Mapping):
        keys = by_name(content)
        inner = next((keys[name] for name in _OF_FRAMES if isinstance(keys.get(name), list | dict)), None)
        if _is_frame(keys):
            content = [content]
        elif inner is not None:
            content = inner
        else:
            content = _transposed(content) or content
    if isinstance(content, Mapping) and (numbers := numbered(content)):
        for place, (number, shows) in enumerate(sorted(numbers.items())):
            yield _frame(place, shows, number)
        return
    if isinstance(content, list) and content and all(map(_of_an_image, content)):
        content = [content]
    if not isinstance(content, list):
        raise ValueError("is not a list of frames, nor an object with one, such as 'frames'")
    for place, shows in enumerate(content):
        yield _frame(place, shows, None)


def _of_an_image(entry: Any) -> bool:
    """Whether it is one of the people of an image, as MMPose writes them."""
    return isinstance(entry, Mapping) and {"keypoints", "keypoint_scores", "bbox_score"} <= set(entry)


def _is_frame(keys: Mapping[str, Any]) -> bool:
    """Whether it is one frame: its landmarks are points, and not frames of landmarks."""
    firsts = [_first(_unwrapped(value)) for name, value in keys.items() if name in _GROUP and value]
    return any(is_point(first) or isinstance(first, int | float) for first in firsts)


def _transposed(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An object of lists, one a group of landmarks, each a value a frame → a list of frames."""
    lists = {
        key: value
        for key, value in content.items()
        if isinstance(value, list) and (plain(str(key)) in _GROUP or times_unit(str(key)) is not None)
    }
    if not any(plain(key) in _GROUP for key in lists):
        return []
    count = max(map(len, lists.values()))
    return [{key: value[at] for key, value in lists.items() if at < len(value)} for at in range(count)]


def _frame(place: int, shows: Any, number: int | None) -> _Frame:
    if not isinstance(shows, Mapping):
        return _Frame(place, shows, number)
    keys = by_name(shows)
    own = integer(next((keys[name] for name in _NUMBERS if name in keys), None))
    image = next((keys[name] for name in _IMAGES if isinstance(keys.get(name), str)), "")
    return _Frame(place, shows, number if own is None else own, _time(shows), image, _who(keys))


def _who(keys: Mapping[str, Any]) -> int | None:
    """The number by which a person is told apart."""
    return next((who for name in _IDS if (who := integer(keys.get(name))) is not None), None)


def _time(shows: Mapping[str, Any]) -> Any:
    """(value, unit) of a frame's time; None without one."""
    for key, value in shows.items():
        unit = times_unit(str(key))
        if unit is not None and isinstance(value, int | float | str):
            return value, unit
    return None


def _places(frames: Sequence[_Frame]) -> tuple[Array, int]:
    """The place of each frame of the file in the clip, and how many there are.

    Those of one number or image are one frame, as where each person is an entry of its own; without, so are
    different people of one time.
    """
    numbers = [frame.number for frame in frames if frame.number is not None]
    if len(numbers) == len(frames) and len(set(numbers)) > 1:
        return renumber(numbers)
    images = [frame.image for frame in frames]
    at = {image: place for place, image in enumerate(dict.fromkeys(images))}
    if len(at) > 1 and "" not in at:
        return np.array([at[image] for image in images]), len(at)
    place = np.cumsum([0, *(one.time != other.time for one, other in pairwise(frames))])
    pairs = ((frame.who, where) for frame, where in zip(frames, place.tolist(), strict=True))
    seen = {(who, where) for who, where in pairs if who is not None}
    again = len({who for who, _ in seen}) < len(seen)  # else they number entries
    if again and len(seen) == len(frames) and all(frame.time is not None for frame in frames):
        return place, int(place[-1]) + 1
    return np.arange(len(frames)), len(frames)


def _times(frames: Sequence[_Frame], place: Array, count: int) -> Array | None:
    """(count,) seconds; None where some frame has no time."""
    first = np.unique(place, return_index=True)[1]
    given = [frames[at].time for at in first]
    if not given or any(each is None for each in given) or len({unit for _, unit in given}) > 1:
        return None
    times = seconds([value for value, _ in given], given[0][1])
    if times is None:
        return None
    known = np.isfinite(times)
    return np.interp(np.arange(count), place[first][known], times[known])


def _people(frame: _Frame) -> Iterator[Person]:
    shows = frame.shows
    if isinstance(shows, Mapping):
        keys = by_name(shows)
        several = next((keys[name] for name in _OF_PEOPLE if isinstance(keys.get(name), list | dict)), None)
        groups = _groups(keys)
        if several is None and groups:
            yield from _grouped(frame, groups, keys)
            return
        if several is None and keys and not points_by_name(shows):
            raise ValueError(
                f"frame {frame.place} has no 'landmarks'; it has {shown(sorted(map(str, shows))[:6])}"
            )
        shows = several if several is not None else [shows]
    if not shows:
        return
    if isinstance(shows, Mapping):  # people by id
        shows = [
            {"id": int(who), "keypoints": each} if str(who).isdecimal() and len(str(who)) < 10 else each
            for who, each in shows.items()
        ]
    if not isinstance(shows, list):
        raise ValueError(f"frame {frame.place} is not a list of landmarks")
    if is_point(shows[0]):
        shows = [shows]
    for person in shows:
        groups = _groups(by_name(person)) if isinstance(person, Mapping) else {}
        if groups:
            yield from _grouped(frame, groups, by_name(person))
        elif isinstance(person, Mapping) and person and not points_by_name(person):
            has = shown(sorted(map(str, person))[:6])
            raise ValueError(f"frame {frame.place}: a person has no 'keypoints' or 'landmarks'; it has {has}")
        elif isinstance(person, list | Mapping):
            if person:
                yield Person(frame.place, {"pose": points(person, None, True, frame.place)}, None)
        elif person is not None:
            raise ValueError(f"frame {frame.place} is not a list of landmarks")


def _groups(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Group → its landmarks; landmarks of another name (`rawLandmarks`) where there are no others."""
    found = {_GROUP[name]: value for name, value in keys.items() if name in _GROUP}
    others = [name for name in keys if name.endswith("landmarks") and not name.startswith("face")]
    if not found and others:
        return {"pose": keys[others[0]]}
    return found


def _grouped(frame: _Frame, groups: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterator[Person]:
    """The people of an object with groups of landmarks: one, or several as in the Tasks API."""
    who = _who(keys)
    scores = next((keys[name] for name in _SCORES if isinstance(keys.get(name), list)), None)
    depth = "keypoints" not in keys or scores is not None  # a third number is z, and not a score
    each = {name: _several(_unwrapped(value)) for name, value in groups.items() if value}
    for index in range(max(map(len, each.values()), default=0)):
        found = {
            name: points(values[index], _own(scores, values, index), depth, frame.place)
            for name, values in each.items()
            if index < len(values) and values[index]
        }
        if found:
            yield Person(frame.place, found, who if index == 0 else None)


def _own(scores: Any, values: Sequence[Any], index: int) -> Any:
    """The scores of a person, where they come in a list for each, as RTMLib has them."""
    several = isinstance(scores, list) and len(scores) == len(values) and isinstance(scores[index], list)
    return scores[index] if several and len(scores[index]) == len(values[index]) else scores


def _unwrapped(value: Any) -> Any:
    while (
        isinstance(value, Mapping)
        and len(value) == 1
        and isinstance(inner := next(iter(value.values())), list)
    ):
        value = inner
    return value


def _several(value: Any) -> list[Any]:
    """People of a group: a list of people, or one person."""
    if isinstance(value, list) and value and not is_point(value[0]) and not isinstance(value[0], int | float):
        return [_unwrapped(each) for each in value]
    return [value]


def _first(value: Any) -> Any:
    if isinstance(value, Mapping):
        return next(iter(value.values()), None)
    return value[0] if isinstance(value, list) and value else None
