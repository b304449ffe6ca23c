"""Finds the joints of one layout among those of another, by their names.

A name stands for a point of the body: 'ShoulderLeft', 'l_shoulder' and Vicon's 'lclavicle' are all the left
shoulder. A point without a joint of its own is placed between or beyond other joints: the middle of the spine
half-way from pelvis to neck, a hand some way beyond the wrist. Vicon's names (AMC/ASF) are bones, and the
point is where the bone ends: 'lfemur' is the knee. In animation rigs (BVH, Mixamo, Unity, Unreal) it is where
the bone begins: 'LeftUpLeg' is the hip, and 'LeftFoot' the ankle. A layout with bones such as an upper leg
or a forearm is taken to be a rig. A joint map, a small YAML file, overrides names that are
unknown or misleading:

    head: top_of_helmet             # target joint: source joint,
    spine: [pelvis, shoulder_mid]   # or the mean of several
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout, canonical_joint, joint_words, read_described
from kineme.typing import Array

JointMap = Mapping[str, Sequence[str]]

# Point → its names, without spaces, hyphens and side.
_MIDDLE = {
    "pelvis": "pelvis hips hip hipcenter hipcentre midhip spinebase root",
    "lumbar": "lumbar",
    "lower spine": "lowerspine spine spine1 spine01 lowerback spinenavel spinenaval abdomen",
    "middle spine": "middlespine spinemid midspine spine2 spine02 upperback",
    "chest": "chest thorax spine3 spine03 spinechest upperchest chest2",
    "neck base": "shouldercenter shouldercentre spineshoulder neckbase lowerneck",
    "neck": "neck upperneck neck01",
    "head base": "headbase",
    "head": "head",
    "head top": "headtop headtopend headend",
    "nose": "nose",
}
_NAMED = 5  # joints in a message
_PAIRED = {name: name for name in "eye ear mouth collar wrist heel foot".split()}
_PAIRED |= {
    "inner eye": "eyeinner innereye",
    "outer eye": "eyeouter outereye",
    "shoulder": "shoulder clavicle arm upperarm uparm shldr shldrbend",
    "elbow": "elbow humerus forearm lowerarm lowarm forearmbend",
    "forearm": "radius",
    "hand": "hand handmiddle1 handmiddlefinger1 handmiddlemcp fingerbase",
    "hand tip": "handtip handmiddle4 handmiddlefinger4 handmiddletip fingers handend wristend",
    "thumb": "thumb handthumb3",
    "index": "index handindex1 handforefinger1",
    "pinky": "pinky handpinky1 handpinkyfinger1",
    "hip bone": "hipbone",
    "hip": "hip hipjoint upleg upperleg thigh thighbend",
    "knee": "knee femur leg lowerleg lowleg shin calf",
    "ankle": "ankle tibia",
    "toes": "toes toe toebase toe0 ball footindex footend ankleend",
    "big toe": "bigtoe",
    "small toe": "smalltoe",
}
# Bones of animation rigs only, and what names that others have too stand for there.
_RIG_BONES = frozenset(
    "upleg upperleg thigh lowerleg lowleg shin calf uparm upperarm forearm lowerarm lowarm".split()
)
_IN_RIGS = {
    "shoulder": "collar",
    "clavicle": "collar",
    "hand": "wrist",
    "foot": "ankle",
    "hipjoint": "hip bone",
    "lowerback": "lumbar",
    "spine1": "middle spine",
    "spine2": "chest",
    "spine02": "middle spine",
    "chest": "middle spine",
    "upperchest": "chest",
    "neck": "neck base",
    "neck01": "neck base",
    "neck1": "neck",
    "head": "head base",
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
_OTHERWISE = {
    ("openpose25", "neck"): "neck base",  # the middle of the shoulders; others' necks are higher
    ("azure32", "neck"): "neck base",
    ("halpe26", "head"): "head top",
    ("h36m17", "head"): "head top",
    ("h36m17", "thorax"): "neck base",  # at the height of the shoulders
    ("smpl22", "neck"): "neck base",  # SMPL's joints are where its bones begin
    ("smpl22", "head"): "head base",
    ("coco133", "face_36"): "right outer eye",  # landmarks of 300-W: corners of eyes and mouth
    ("coco133", "face_39"): "right inner eye",
    ("coco133", "face_42"): "left inner eye",
    ("coco133", "face_45"): "left outer eye",
    ("coco133", "face_48"): "right mouth",
    ("coco133", "face_54"): "left mouth",
}

# Point → ways to place it, the best first; '~' is its own side. Shares are from Kinect and Vicon skeletons; a
# negative one places the point beyond the other joint.
_PLACES: dict[str, list[dict[str, float]]] = {
    "pelvis": [{"left hip": 0.5, "right hip": 0.5}],
    "lower spine": [{"pelvis": 0.8, "neck base": 0.2}],
    "middle spine": [{"pelvis": 0.5, "neck base": 0.5}],
    "chest": [{"pelvis": 0.2, "neck base": 0.8}],
    "neck base": [{"left shoulder": 0.5, "right shoulder": 0.5}],
    "neck": [{"neck base": 0.5, "head": 0.5}],
    "lumbar": [{"pelvis": 1}],
    "head": [
        {"left ear": 0.5, "right ear": 0.5},
        {"head base": 0.5, "head top": 0.5},
        {"head base": 1},
        {"nose": 1},
        {"head top": 1},
    ],
    "head base": [{"neck base": 0.35, "head": 0.65}],
    "head top": [{"neck base": -0.35, "head": 1.35}],
    "nose": [{"head": 1}],
    "~eye": [{"nose": 1}],
    "~inner eye": [{"~eye": 1}],
    "~outer eye": [{"~eye": 1}],
    "~ear": [{"head": 1}],
    "~mouth": [{"nose": 1}],
    "~hip bone": [{"pelvis": 1}],
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


def anatomical_point(joint: str, rig: bool = False) -> str | None:
    """The point of the body that a joint's name stands for, such as `left knee`; None if unknown.

    Args:
        joint: its name.
        rig: it is that of a bone, and the point is where the bone begins.

    >>> anatomical_point("LeftFoot"), anatomical_point("mixamorig:LeftFoot", rig=True)
    ('left foot', 'left ankle')
    """
    side, name = _side_and_name(joint)
    if rig and name in _IN_RIGS:
        return f"{side} {_IN_RIGS[name]}".strip()
    return _POINTS.get(f"{side} {name}".strip())


def anatomical_points(layout: Layout) -> tuple[str | None, ...]:
    """The point of each joint of a layout, see `anatomical_point`.

    >>> from kineme.layouts import LAYOUTS
    >>> anatomical_points(LAYOUTS["rig22"])[:5]
    ('pelvis', 'left hip', 'left knee', 'left ankle', 'left toes')
    """
    parts = [_side_and_name(joint) for joint in layout.joints]
    rig = sum(name in _RIG_BONES for _, name in parts) > 1
    shoulders = any(name == "shoulder" for _, name in parts)
    points = []
    for joint, (side, name) in zip(layout.joints, parts, strict=True):
        point = _OTHERWISE.get((layout.name, joint)) or anatomical_point(joint, rig)
        if name == "clavicle" and shoulders:  # Azure Kinect has both
            point = f"{side} collar"
        points.append(point)
    return tuple(points)


def _side_and_name(joint: str) -> tuple[str, str]:
    """'upper_arm.L' → ('left', 'upperarm'); ('', name) without a side."""
    words = joint_words(joint)
    sides = [word for word in words if word in ("left", "right")]
    name = "".join(word for word in words if word not in sides)
    if len(sides) == 1:
        return sides[0], name
    if name not in _POINTS and name not in _IN_RIGS:
        for prefix, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
            if name.startswith(prefix) and f"{side} {name.removeprefix(prefix)}" in _POINTS:
                return side, name.removeprefix(prefix)
    return "", name


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
    weights, lost = placed(source, target, joint_map)
    if lost:
        named = ", ".join(lost[:_NAMED]) + (f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else "")
        remedy = f"set `joint_map` to a file with a line for each, such as `{lost[0]}: {source.joints[0]}`"
        raise KinemeError(
            f"layout {source.name!r} has no joints to place these of {target.name!r}: {named}; {remedy}, or "
            "use a model whose joints these recordings have"
        )
    return weights


def placed(source: Layout, target: Layout, joint_map: JointMap | None = None) -> tuple[Array, list[str]]:
    """The weights of `correspondence`, and the target joints that cannot be placed, whose rows are zero.

    Raises:
        KinemeError: the map names an unknown joint.
    """
    joint_map = joint_map or {}
    check_joint_map(joint_map, source, target)
    points: dict[str, str] = {}  # point → joint of the source; the first of several
    given = zip(source.joints, anatomical_points(source), strict=True)
    # A rig's root may lie on the floor below its hips, so what is called so comes last.
    for joint, there in sorted(given, key=lambda pair: _side_and_name(pair[0])[1] == "root"):
        points.setdefault(there or "", joint)
    spellings = {canonical_joint(joint): joint for joint in source.joints}
    weights = np.zeros((target.num_joints, source.num_joints), dtype=np.float32)
    lost = []
    for row, joint, point in zip(weights, target.joints, anatomical_points(target), strict=True):
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
    return weights, lost


def read_joint_map(path: Path) -> dict[str, tuple[str, ...]]:
    """Reads a joint map (see the module docstring).

    Raises:
        KinemeError: the file is missing, is not YAML, or does not map names to names.
    """
    data = read_described(path, "a joint map")
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


def check_joint_map(joint_map: JointMap, source: Layout, target: Layout) -> None:
    """Raises KinemeError if a joint map names a joint that its layout does not have."""
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
