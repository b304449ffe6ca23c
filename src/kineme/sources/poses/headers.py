"""Column names of tables: which joint and axis, frame, person, time a column holds.

left_wrist_x  LEFT_WRIST_X  HipCenterX  SpineBase.X  Pos_Neck_X_m  Hips_px  0_x  landmark_0_x  x0  x_0
x_nose  nose_world_x
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kineme.sources.poses.times import times_unit
from kineme.sources.raw import RemediedError, few, shown

logger = logging.getLogger(__name__)

AXES = {"x": 0, "y": 1, "z": 2} | dict.fromkeys(
    ("c", "v", "conf", "confidence", "score", "visibility", "vis", "visible", "likelihood", "prob"), 3
)
_AXIS = "|".join(sorted(AXES, key=len, reverse=True))
_GAP = r"[ _.:\-(\[]"
_POSITION = rf"(?:(?:pos|position|coord){_GAP}?)?"
_UNIT = rf"(?:{_GAP}+(?P<unit>mm|cm|m))?[)\]]?"
_BEFORE = rf"(?:(?:pos|position){_GAP}+)?"
_FORMS = (
    re.compile(rf"(?P<axis>{_AXIS}){_GAP}?(?P<joint>\d+)", re.IGNORECASE),  # x0, v_12
    # left_wrist_x, Pos_Neck_X_m
    re.compile(rf"{_BEFORE}(?P<joint>.+?){_GAP}+{_POSITION}(?P<axis>{_AXIS}){_UNIT}", re.IGNORECASE),
    re.compile(rf"(?P<joint>.*\d)(?P<axis>{_AXIS})", re.IGNORECASE),  # 12x
    re.compile(r"(?P<joint>.*?[a-z])(?:Pos|Position)?(?P<axis>[XYZ])"),  # HipCenterX
)
_AXIS_FIRST = re.compile(rf"(?P<axis>{_AXIS}){_GAP}(?P<joint>.+)", re.IGNORECASE)  # x_nose
_OF_A_POSE = re.compile(rf"(?P<joint>.+?){_GAP}p(?P<axis>[xyz])", re.IGNORECASE)  # Hips_px, beside Hips_qx
_WORLD = re.compile(rf"(?:^|{_GAP})world(?={_GAP}|$)", re.IGNORECASE)
_NO_PLACE = re.compile(
    r".*(?:rotation|quaternion|quat|orientation|velocity|acceleration|angle|bbox|center_?of_?mass)"
    rf"|(?:.*{_GAP})?(?:rot|orient|vel|acc|box)|b?box{_GAP}.+|min|max",
    re.IGNORECASE,
)
_NAMED = 3  # joints in a message
_CORNERS = ["x1", "y1", "x2", "y2"]  # of a box around a person
_PROGRAMS = {"sleap": {"instance.score"}, "freemocap": {"reprojection_error", "timestamp_by_camera"}}
_ROLES = {
    "frame": "frame frameid frameindex frameidx frameno framenum framenumber frames framecount",
    "body": "body person bodyid bodyindex personid personindex personidx track trackid trackingid player "
    "playerid skeletonid userid poseid poseindex individual individuals",
    "joint": "landmarkname jointname keypointname bodypart bodyparts part joint landmark keypoint jointtype "
    "landmarkid jointid keypointid landmarkindex landmarkidx jointindex keypointindex keypointidx "
    "landmarknumber pointid id index idx name",
    "group": "type landmarktype source component model",
    "version": "trajectory",
}


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are not joints, by their place; None without one."""

    frame: int | None
    body: int | None
    joint: int | None  # of a row per joint
    group: int | None  # of landmarks, such as `pose` and `left_hand`, in a row per joint
    version: int | None  # of FreeMoCap's points, such as measured and of rigid bones
    time: int | None
    fps: int | None


@lru_cache(maxsize=1024)  # JSON repeats its keys in every point
def plain(name: str) -> str:
    """Lower-case letters and digits of a name.

    >>> plain("Landmark_ID")
    'landmarkid'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def columns_of(header: Sequence[str]) -> Columns:
    """Which columns are frame, person, joint (of a row per joint), time and frame rate.

    >>> columns_of(["id", "x", "y"]).joint, columns_of(["id", "nose_x", "nose_y"]).joint
    (0, None)
    """
    return _columns(tuple(header))


@lru_cache(maxsize=8)  # the tables of a folder have the same header
def _columns(header: tuple[str, ...]) -> Columns:
    given = [plain(name) for name in header]

    def first(role: str) -> int | None:
        return next((given.index(name) for name in _ROLES[role].split() if name in given), None)

    times = [place for place, name in enumerate(header) if times_unit(name) is not None]
    rates = [place for place, name in enumerate(given) if name in ("fps", "framerate", "videofps")]
    return Columns(
        first("frame"),
        first("body"),
        first("joint") if {0, 1} <= set(places(header)) else None,
        first("group"),
        first("version"),
        min(times, key=lambda place: times_unit(header[place]) == 0.0, default=None),
        next(iter(rates), None),
    )


def columns_beside_joints(header: Sequence[str]) -> list[str]:
    """The names of columns that are not called like a joint's place.

    >>> columns_beside_joints(["Action", "head_x", "HeadY"])
    ['Action']
    """
    return [name for name in header if not any(form.fullmatch(name) for form in _FORMS)]


def program_of(header: Sequence[str]) -> str:
    """The program that wrote a table, where a column tells it; else empty."""
    return next((program for program, columns in _PROGRAMS.items() if columns & {*header}), "")


def unit_of(header: Sequence[str]) -> float | None:
    """Metres of the unit that all columns of places name, as in `head_x_mm`; None without.

    >>> unit_of(["time (ms)", "head_x_mm", "head_y_mm"])
    0.001
    """
    named = [
        match["unit"] for name in header if (match := _FORMS[1].fullmatch(name)) and match["axis"] in "xyzXYZ"
    ]
    return {"mm": 0.001, "cm": 0.01, "m": 1.0}.get(str(named[0]).lower()) if len({*named}) == 1 else None


def places(header: Sequence[str]) -> dict[int, int]:
    """Axis, 3 for the confidence, → column, of a table with a row per joint, in the world if told."""
    found: dict[tuple[bool, int], int] = {}
    for column, name in enumerate(header):
        rest = _WORLD.sub("", name).strip(" _.:-")
        axis = re.sub(r"^(?:position|pos|coord)", "", plain(rest)) or plain(rest)
        if axis in AXES:
            found.setdefault((rest != name, AXES[axis]), column)
    world = {axis for there, axis in found if there} >= {0, 1}
    kept = {axis: column for (there, axis), column in found.items() if there == world}
    if world and (False, 3) in found:
        kept.setdefault(3, found[False, 3])
    return kept


def joint_columns(header: Sequence[str], taken: Sequence[int | None]) -> dict[str, dict[int, int]]:
    """Joint → its axes and their columns, of a table with a row per frame; in the world where it is there.

    Args:
        header: names of the columns.
        taken: columns that are something else.

    Raises:
        ValueError: there is none, one is there twice, or one has other axes than the others.
    """
    forms = (_FORMS, (_AXIS_FIRST,), (_OF_A_POSE,))
    found = next(filter(None, (_found(header, taken, each) for each in forms)), {})
    world = {joint: columns for (there, joint), columns in found.items() if there}
    image = {joint: columns for (there, joint), columns in found.items() if not there}
    joints = world if len(world) > 1 else image
    if not joints:
        some = shown(", ".join(header[:4]))
        expected = (
            "call its columns left_wrist_x, left_wrist_y and so on, or the file labels.csv if it lists labels"
        )
        raise RemediedError(f"line 1: names no joints; found {some}", expected)
    flat = [joint for joint, columns in joints.items() if 2 not in columns]
    if 0 < len(flat) < len(joints) / 2:  # such as Kinect's Lean
        logger.warning("without a column of z, and left out: %s", few(flat, _NAMED))
        joints = {joint: columns for joint, columns in joints.items() if 2 in columns}
    axes = set.intersection(*map(set, joints.values()))
    for joint, columns in joints.items():
        if set(columns) - axes - {3}:
            raise ValueError(
                f"line 1: joint {shown(joint)} has other columns than {shown(_other(joints, axes))}"
            )
    for joint, columns in joints.items():
        if 3 not in axes and world and 3 in image.get(joint, {}):
            columns[3] = image[joint][3]
    axes = set.intersection(*map(set, joints.values()))
    return {joint: {axis: columns[axis] for axis in sorted(axes)} for joint, columns in joints.items()}


def _other(joints: Mapping[str, Mapping[int, int]], axes: set[int]) -> str:
    return next(joint for joint, columns in joints.items() if set(columns) - {3} <= axes)


def _box(header: Sequence[str]) -> range:
    """The columns x1, y1, x2, y2 of a box, where they are not joints 1 and 2 of more."""
    names = [name.lower() for name in header]
    at = next((at for at in range(len(names)) if names[at : at + 4] == _CORNERS), None)
    return range(0) if at is None or {"x0", "x3"} & {*names} else range(at, at + 4)


def _found(
    header: Sequence[str], taken: Sequence[int | None], forms: Sequence[re.Pattern[str]]
) -> dict[tuple[bool, str], dict[int, int]]:
    found: dict[tuple[bool, str], dict[int, int]] = {}
    others = {*taken, *_box(header)}
    for column, name in enumerate(header):
        place = None if column in others else _place(name, tuple(forms))
        if place is None:
            continue
        in_world, joint, axis = place
        columns = found.setdefault((in_world, joint), {})
        if AXES[axis.lower()] in columns:
            raise ValueError(f"line 1: has {axis} of joint {shown(joint)} twice")
        columns[AXES[axis.lower()]] = column
    joints = {joint: columns for joint, columns in found.items() if {0, 1} <= set(columns)}
    for (_, joint), columns in found.items():
        if joints and len(lacks := {0, 1, 2} - set(columns)) == 1 and lacks != {2}:
            there, missing = ("y and z", "x") if 0 in lacks else ("x and z", "y")
            logger.warning(
                "%s has columns of %s but none of %s, and is left out", shown(joint), there, missing
            )
    return joints


@lru_cache(maxsize=4096)
def _place(name: str, forms: tuple[re.Pattern[str], ...]) -> tuple[bool, str, str] | None:
    """Whether a column is in the world, its joint, and its axis as written; None if it is of no joint."""
    rest = _WORLD.sub("", name).strip(" _.:-")
    match = next(filter(None, (form.fullmatch(rest) for form in forms)), None)
    if match is None or _NO_PLACE.fullmatch(match["joint"]):
        return None
    return rest != name.strip(" _.:-"), match["joint"].rstrip(" _.:-"), match["axis"]
