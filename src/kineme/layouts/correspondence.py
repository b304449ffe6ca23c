"""Finds the joints of one layout among those of another, by their names.

A name stands for a point of the body: 'ShoulderLeft', 'l_shoulder' and Vicon's 'lclavicle' are all the left
shoulder. A point without a joint of its own is placed between or beyond other joints: the middle of the spine
half-way from pelvis to neck, a hand some way beyond the wrist. Vicon's names (AMC/ASF) are bones, and the
point is where the bone ends: 'lfemur' is the knee. A joint map, a small YAML file, overrides names that are
unknown or misleading:

    head: top_of_helmet             # target joint: source joint,
    spine: [pelvis, shoulder_mid]   # or the mean of several
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout, canonical_joint, joint_words, read_yaml
from kineme.typing import Array

JointMap = Mapping[str, Sequence[str]]

# Point → its names, without spaces, hyphens and side.
_MIDDLE = {
    "pelvis": "pelvis hips hip hipcenter hipcentre midhip spinebase root",
    "lower spine": "spine spine1 lowerback",
    "middle spine": "spinemid midspine spine2 upperback",
    "chest": "chest thorax spine3",
    "neck base": "shouldercenter shouldercentre spineshoulder neckbase lowerneck",
    "neck": "neck upperneck",
    "head": "head",
    "nose": "nose",
}
_PAIRED = {name: name for name in "eye ear mouth collar wrist hand thumb index pinky heel foot".split()}
_PAIRED |= {
    "inner eye": "eyeinner innereye",
    "outer eye": "eyeouter outereye",
    "shoulder": "shoulder clavicle",
    "elbow": "elbow humerus",
    "forearm": "radius",
    "hand tip": "handtip fingers",
    "hip": "hip hipjoint",
    "knee": "knee femur",
    "ankle": "ankle tibia",
    "toes": "toes footindex",
    "big toe": "bigtoe",
    "small toe": "smalltoe",
}
_POINTS = {
    **{name: point for point, names in _MIDDLE.items() for name in names.split()},
    **{
        f"{side} {name}": f"{side} {point}"
        for point, names in _PAIRED.items()
        for name in names.split()
        for side in ("left", "right")
    },
}
_OTHERWISE = {("openpose25", "neck"): "neck base"}  # the middle of the shoulders; others' necks are higher

# Point → ways to place it, the best first; '~' is its own side. Shares are from Kinect and Vicon skeletons; a
# negative one places the point beyond the other joint.
_PLACES: dict[str, list[dict[str, float]]] = {
    "pelvis": [{"left hip": 0.5, "right hip": 0.5}],
    "lower spine": [{"pelvis": 0.8, "neck base": 0.2}],
    "middle spine": [{"pelvis": 0.5, "neck base": 0.5}],
    "chest": [{"pelvis": 0.2, "neck base": 0.8}],
    "neck base": [{"left shoulder": 0.5, "right shoulder": 0.5}],
    "neck": [{"neck base": 0.5, "head": 0.5}],
    "head": [{"left ear": 0.5, "right ear": 0.5}, {"nose": 1}],
    "nose": [{"head": 1}],
    "~eye": [{"nose": 1}],
    "~inner eye": [{"~eye": 1}],
    "~outer eye": [{"~eye": 1}],
    "~ear": [{"head": 1}],
    "~mouth": [{"nose": 1}],
    "~collar": [{"neck base": 0.5, "~shoulder": 0.5}],
    "~forearm": [{"~elbow": 0.35, "~wrist": 0.65}],
    "~wrist": [{"~hand": 1}],
    "~hand": [
        {"~wrist": 0.5, "~hand tip": 0.5},
        {"~index": 0.5, "~pinky": 0.5},
        {"~wrist": 1.3, "~elbow": -0.3},
    ],
    "~hand tip": [{"~index": 1}, {"~hand": 1.8, "~wrist": -0.8}],
    "~thumb": [{"~hand": 1}],
    "~index": [{"~hand tip": 1}],
    "~pinky": [{"~hand tip": 1}],
    "~ankle": [{"~heel": 1}],
    "~heel": [{"~ankle": 1.15, "~knee": -0.15}],
    "~foot": [{"~toes": 0.5, "~ankle": 0.5}, {"~ankle": 1.15, "~knee": -0.15}],
    "~toes": [{"~big toe": 0.5, "~small toe": 0.5}, {"~foot": 1.5, "~ankle": -0.5}],
    "~big toe": [{"~toes": 1}],
    "~small toe": [{"~toes": 1}],
}
_WAYS = {
    point.replace("~", f"{side} "): [
        {part.replace("~", f"{side} "): share for part, share in way.items()} for way in ways
    ]
    for point, ways in _PLACES.items()
    for side in ("left", "right")
}


def anatomical_point(joint: str, layout: str = "") -> str | None:
    """The point of the body that a joint's name stands for, such as `left knee`; None if unknown."""
    if (layout, joint) in _OTHERWISE:
        return _OTHERWISE[layout, joint]
    words = joint_words(joint)
    sides = [word for word in words if word in ("left", "right")]
    name = "".join(word for word in words if word not in sides)
    if len(sides) == 1:
        return _POINTS.get(f"{sides[0]} {name}")
    if name in _POINTS:
        return _POINTS[name]
    for prefix, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
        if name.startswith(prefix) and (point := _POINTS.get(f"{side} {name.removeprefix(prefix)}")):
            return point
    return None


def correspondence(source: Layout, target: Layout, joint_map: JointMap | None = None) -> Array:
    """Weights that place the joints of one layout among those of another: `weights @ xyz`, xyz (..., V, C).

    Args:
        source: layout of the given joints.
        target: layout of the wanted joints.
        joint_map: joint of `target` → joints of `source` whose mean it is; overrides the names.

    Returns:
        (V of the target, V of the source) float32; each row sums to 1.

    Raises:
        KinemeError: a joint of the target cannot be placed, or the map names an unknown joint.
    """
    joint_map = joint_map or {}
    _check(joint_map, source, target)
    points: dict[str, str] = {}  # point → joint of the source; the first of several
    for joint in source.joints:
        points.setdefault(anatomical_point(joint, source.name) or "", joint)
    spellings = {canonical_joint(joint): joint for joint in source.joints}
    weights = np.zeros((target.num_joints, source.num_joints), dtype=np.float32)
    lost = []
    for row, joint in zip(weights, target.joints, strict=True):
        point = anatomical_point(joint, target.name)
        if joint in joint_map:
            found: dict[str, float] | None = dict.fromkeys(joint_map[joint], 1 / len(joint_map[joint]))
        elif point is not None:
            found = _placed(point, points, ())
        else:
            twin = spellings.get(canonical_joint(joint))
            found = {twin: 1.0} if twin else None
        if found is None:
            lost.append(joint)
        for name, share in (found or {}).items():
            row[source.joints.index(name)] = share
    if lost:
        raise KinemeError(
            f"layout {source.name!r} has no joints to place these of {target.name!r}: {', '.join(lost)}; "
            f"set `joint_map` to a file with a line for each, such as `{lost[0]}: {source.joints[0]}`"
        )
    return weights


def read_joint_map(path: Path) -> dict[str, tuple[str, ...]]:
    """Reads a joint map (see the module docstring).

    Raises:
        KinemeError: the file is missing, is not YAML, or does not map names to names.
    """
    data = read_yaml(path, "a joint map")
    if not isinstance(data, dict) or not data:
        raise KinemeError(f"{path}: a joint map has lines such as `head: nose` or `spine: [hip, neck]`")
    found = {}
    for joint, sources in data.items():
        listed = sources if isinstance(sources, list) else [sources]
        if not listed or not all(isinstance(name, str) for name in (joint, *listed)):
            raise KinemeError(f"{path}: {joint}: is {sources!r}; it must be a joint's name or a list of them")
        if len(set(listed)) != len(listed):
            raise KinemeError(f"{path}: {joint}: lists a joint twice")
        found[joint] = tuple(listed)
    return found


def _check(joint_map: JointMap, source: Layout, target: Layout) -> None:
    for joint, sources in joint_map.items():
        for name, layout in ((joint, target), *((each, source) for each in sources)):
            if name not in layout.joints:
                known = f"its joints are {', '.join(layout.joints)}"
                raise KinemeError(f"joint map: layout {layout.name!r} has no joint {name!r}; {known}")


def _placed(point: str, points: Mapping[str, str], asked: tuple[str, ...]) -> dict[str, float] | None:
    """Joints of the source and their shares that make up a point; None if they do not determine it.

    `asked` are the points that are being placed by way of this one: using them would be circular.
    """
    if point in points:
        return {points[point]: 1.0}
    for way in _WAYS.get(point, []):
        sum_of: dict[str, float] = {}
        for part, share in way.items():
            parts = None if part in asked else _placed(part, points, (*asked, point))
            if parts is None:
                break
            for joint, inner in parts.items():
                sum_of[joint] = sum_of.get(joint, 0.0) + share * inner
        else:
            return {joint: share for joint, share in sum_of.items() if abs(share) > 1e-9}
    return None
