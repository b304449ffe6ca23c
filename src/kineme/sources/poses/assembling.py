"""People whose joints come in groups, with or without names → detections in one order of joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kineme.sources.poses import holistic
from kineme.sources.poses.arrays import Detections, check_size, split_columns
from kineme.sources.raw import RemediedError
from kineme.typing import Array


@dataclass(frozen=True)
class Person:
    """Someone in a frame of a file.

    Attributes:
        frame: place of the frame in the file.
        groups: `pose`, `pose_world`, `left_hand` or `right_hand` → names of its joints, which may be none,
            and their (V, 4) x, y, z, confidence.
        who: a number by which the file tells people apart; None if it does not.
    """

    frame: int
    groups: dict[str, tuple[tuple[str, ...], Array]]
    who: int | None


def assembled(
    found: Sequence[Person], place: Array, frames: int, times: Array | None, wanted: Sequence[str]
) -> Detections:
    """People → detections of the groups that are chosen. Joints that a person lacks by name are missing.

    Args:
        found: people in the order of the file.
        place: (frames of the file,) number of each frame.
        frames: of the clip.
        times: (frames,) seconds, or None.
        wanted: groups, see `holistic.chosen`.

    Raises:
        ValueError: joints without names differ in number, or a wanted group is not there.
    """
    if not found:
        return Detections(np.zeros(0, np.int64), np.zeros((0, 2, 2), np.float32), None, frames, "")
    names, size = _joints(found)
    chosen = holistic.chosen(size, wanted)
    parts = [_named(group, names[group], size[group], len(chosen)) for group in chosen]
    check_size(1, 1, sum(size[group] for group in chosen), 4)
    joints = tuple(joint for part in parts for joint in part)
    # In metres everybody is at the origin: where they are in the image tells them apart.
    apart = tuple(chosen) == ("pose_world",) and "pose" in size
    places = _values(found, names, size, ("pose",))[..., :2] if apart else None
    return _detections(
        found, _values(found, names, size, chosen), places, joints, chosen, place, frames, times
    )


def _values(
    found: Sequence[Person],
    names: Mapping[str, Sequence[str]],
    size: Mapping[str, int],
    groups: Sequence[str],
) -> Array:
    """(people, V, 4) x, y, z, confidence of the joints of some groups, NaN where not given."""
    values = np.full((len(found), sum(size[group] for group in groups), 4), np.nan)
    start = 0
    for group in groups:
        column = {joint: start + at for at, joint in enumerate(names[group])}
        whole = slice(start, start + size[group])
        for row, person in enumerate(found):
            if group in person.groups:
                given, points = person.groups[group]
                values[row, [column[joint] for joint in given] if given else whole] = points
        start += size[group]
    return values


def _joints(found: Sequence[Person]) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Names and number of the joints of each group."""
    names: dict[str, dict[str, None]] = {}
    sizes: dict[str, set[int]] = {}
    for person in found:
        for group, (given, points) in person.groups.items():
            names.setdefault(group, {}).update(dict.fromkeys(given))
            sizes.setdefault(group, set()).add(0 if given else len(points))
    for group, seen in sizes.items():
        if len(seen) > 1:
            some = " or ".join(str(each or len(names[group])) for each in sorted(seen)[:2])
            raise RemediedError(f"its people have {some} joints", "write files of one kind")
    return {group: tuple(each) for group, each in names.items()}, {
        group: len(names[group]) or next(iter(seen)) for group, seen in sizes.items()
    }


def _detections(
    found: Sequence[Person], values: Array, places: Array | None, names: tuple[str, ...],
    chosen: Sequence[str], place: Array, frames: int, times: Array | None,
) -> Detections:  # fmt: skip
    frame = place[[person.frame for person in found]]
    order = np.argsort(frame, kind="stable")
    solid = not np.isnan(values[..., 2]).all()
    if solid:  # some programs leave out a z of 0
        values[..., 2] = np.where(np.isnan(values[..., 2]) & ~np.isnan(values[..., 0]), 0, values[..., 2])
    scored = not np.isnan(values[..., 3]).all()
    if scored:  # hands have no visibility
        values[..., 3] = np.where(np.isnan(values[..., 3]) & ~np.isnan(values[..., 0]), 1, values[..., 3])
    kept = [axis for axis, there in enumerate((True, True, solid, scored)) if there]
    points, confidence = split_columns(values[order][..., kept], scores=scored)
    who = [person.who for person in found]
    once = len({*zip(frame.tolist(), who, strict=True)}) == len(who)
    known = once and all(each is not None and abs(each) < 1 << 62 for each in who)
    world = tuple(chosen) == ("pose_world",)
    return Detections(
        frame[order].astype(np.int64),
        points,
        confidence,
        frames,
        "mediapipe" if solid or points.shape[1] == holistic.BODY else "coco",
        names if len(names) == points.shape[1] else (),
        identity=np.array(who, dtype=np.int64)[order] if known else None,
        scale=1.0 if world else None,
        axes="y-down" if world else None,
        times=times,
        places=None if places is None else split_columns(places[order], scores=False)[0],
    )


def _named(group: str, names: tuple[str, ...], count: int, groups: int) -> tuple[str, ...]:
    """Names of a group's joints; the usual ones where several groups make up a clip."""
    if group.endswith("_hand"):
        if count == holistic.HAND:
            return holistic.hand_names(group.removesuffix("_hand"))
        return tuple(f"{group}_{point}" for point in range(count))
    if names or groups == 1:
        return names
    return holistic.body_names() if count == holistic.BODY else tuple(f"joint_{i}" for i in range(count))
