"""The joints of files → the joints of a layout: by order, by name, from markers, or by the user's map."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout, canonical_joint, named_layout, without_prefix
from kineme.layouts.correspondence import JointMap, anatomical_point, correspondence, placed
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.markers import MarkerSet, Shares, marker_sets, mixed
from kineme.sources.poses.trees import guessed_tree
from kineme.sources.raw import RemediedError, SkeletonError, few, shown

LEAST_JOINTS = 10  # of a built-in layout that has more, for files to be a part of it
_MOST = 2 / 3  # of a file's joints that a layout has, where others are left out
_AUGMENTED = "_study"  # markers that OpenCap, and Pose2Sim with its network, add to the joints of a video
SHOWN = 3  # joints named in a message
_OF_THE_FILE = "with the tree of the file"
_ANOTHER = 1 / 3  # of the first file's joints that a file lacks whose skeleton is another
_WANTED = "as `layout` says"
# (program, joints, coordinates) → layout, if unambiguous
_LAYOUTS = {
    ("openpose", 25, 2): "openpose25",
    ("coco", 17, 2): "coco17",
    ("", 17, 2): "coco17",
    ("coco", 26, 2): "halpe26",
    ("coco", 133, 2): "coco133",
    ("coco", 33, 2): "mediapipe33",
    **{(program, 33, columns): "mediapipe33" for program in ("mediapipe", "") for columns in (2, 3)},
}


_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_ANIMALS = ("deeplabcut", "sleap")  # any animal: no layout can be built in
_HUMAN = ("mediapipe", "openpose")

logger = logging.getLogger(__name__)


class UnknownJointsError(ValueError):
    """The joints of a file are of no layout that is known."""


@dataclass(frozen=True)
class Fit:
    """How clips like the first one come into a layout.

    Attributes:
        layout: of the result.
        how: in words, such as `markers of Plug-in Gait`.
        shares: joint → joints of the files and their shares, where joints are not taken one for one.
    """

    layout: Layout
    how: str
    shares: Mapping[str, Shares] | None = None

    def __call__(self, poses: Poses) -> Poses:
        """Poses in the layout.

        Raises:
            ValueError: a joint is missing, or without names the number of joints differs.
        """
        return self._in_order(poses) if self.shares is None else self._mixed(poses, self.shares)

    def _mixed(self, poses: Poses, shares: Mapping[str, Shares]) -> Poses:
        needed = [(marker, joint) for joint, markers in shares.items() for marker in markers]
        if missing := [each for each in needed if each[0] not in poses.joints]:
            marker, joint = missing[0]
            lacks = f"lacks {marker!r}, from which the joint {joint!r} is placed"
            if len(missing) > _ANOTHER * len(needed):
                raise SkeletonError(lacks)
            raise RemediedError(lacks, "label it there, or say by `joint_map` what stands for that joint")
        return mixed(poses, self.layout, shares)

    def _in_order(self, poses: Poses) -> Poses:
        layout = self.layout
        if not poses.joints:
            joints = poses.points.shape[2]
            if joints != layout.num_joints:
                raise RemediedError(
                    f"has {joints} joints, but layout {layout.name} has {layout.num_joints}",
                    "name the layout of its joints with `layout`",
                )
            return poses
        given = [canonical_joint(joint) for joint in poses.joints]
        if missing := [joint for joint in layout.joints if canonical_joint(joint) not in given]:
            lacks = f"lacks the joint {missing[0]!r} of layout {layout.name}; {listed(poses.joints)}"
            many = self.how != _WANTED and len(missing) > _ANOTHER * layout.num_joints
            if many or self.how == _OF_THE_FILE:
                raise SkeletonError(lacks)
            remedy = (
                "name the layout of its joints with `layout`, or say by `joint_map` what stands for that one"
            )
            raise RemediedError(lacks, remedy)
        order = [given.index(canonical_joint(joint)) for joint in layout.joints]
        confidence = None if poses.confidence is None else poses.confidence[:, :, order]
        points = np.ascontiguousarray(poses.points[:, :, order])
        return replace(poses, points=points, confidence=confidence, joints=layout.joints, parents=())


def fit(poses: Poses, layout: Layout | None, joint_map: JointMap | None, name: str) -> Fit:
    """How a clip, and others like it, come into a layout.

    Args:
        poses: the clip.
        layout: the wanted one; by default the one that the joints' names or their number tell.
        joint_map: joint of `layout` → joints of the files whose mean it is; the others are found by name, or
            among the markers of a known set.
        name: for a layout that comes from the tree in the files.

    Raises:
        UnknownJointsError: they tell none.
        KinemeError: the map does not fit.
    """
    if joint_map:
        return _mapped(poses, layout, joint_map, name)
    if layout is not None:
        return _wanted(poses, layout)
    if not poses.joints:
        known = _LAYOUTS.get((poses.program, *poses.points.shape[-2:]))
        if known is None:
            raise UnknownJointsError(_unnamed(poses))
        return Fit(LAYOUTS[known], "by their number")
    given = [canonical_joint(joint) for joint in poses.joints]
    body = [joint for joint in poses.joints if not joint.endswith("_end")]
    if named := named_layout(poses.joints) or named_layout(body):
        return Fit(named, "by their names")
    if poses.parents and not (poses.program in _HUMAN and _part(poses.joints, set(given))):
        tree = [None if parent == -1 else poses.joints[parent] for parent in poses.parents]
        return Fit(Layout.from_names(name, poses.joints, tree), _OF_THE_FILE)
    if found := _part(poses.joints, set(given)):
        return found
    for markers in marker_sets():
        if shares := markers.shares(poses.joints):
            _remark_on_unused(markers, poses.joints)
            return Fit(markers.layout, f"markers of {markers.title}", shares)
    if poses.program in _ANIMALS:
        return _with_tree(poses, name)
    if found := _amid(poses.joints, given):
        return found
    remedy = "name a layout or a layout file with `layout`, or write one by `kineme layouts --template`"
    raise UnknownJointsError(f"has {listed(poses.joints)}, none of the built-in layouts; {remedy}")


def _remark_on_unused(chosen: MarkerSet, joints: Sequence[str]) -> None:
    """Warns where another set could place some joints that the chosen one does not have."""
    for more in marker_sets():
        some = more.placed(joints)
        beyond = [joint for joint in some if joint not in chosen.joints]
        if beyond:
            lost = [joint for joint in more.joints if joint not in some]
            logger.warning(
                "markers of %s for %s are not used, as %s cannot be placed; the layout is %s. To use them, "
                "set `layout` to %s, and `joint_map` to a file that says what stands for %s",
                more.title,
                few(beyond, SHOWN),
                few(lost, SHOWN),
                chosen.layout.name,
                more.layout.name,
                lost[0],
            )
            return


def _with_tree(poses: Poses, name: str) -> Fit:
    """A layout of the joints that a file names without a tree, as those of animals are."""
    parents = guessed_tree(poses, poses.joints)
    tree = [None if parent == -1 else poses.joints[parent] for parent in parents]
    logger.info(
        "the joints of %s have no tree in the file; it is guessed from which keep their distance "
        "(kineme layouts --template writes it down)",
        name,
    )
    return Fit(Layout.from_names(name, poses.joints, tree), "with a guessed tree")


def listed(joints: Sequence[str]) -> str:
    """'joints: hip_r, knee_r, ankle_r, …; 25 of them'."""
    more = ", …" if len(joints) > SHOWN else ""
    some = [joint if joint.isprintable() else shown(joint) for joint in joints[:SHOWN]]
    return f"joints: {', '.join(some)}{more}; {len(joints)} of them"


def _unnamed(poses: Poses) -> str:
    joints = poses.points.shape[2]
    fitting = ", ".join(layout.name for layout in LAYOUTS.values() if layout.num_joints == joints)
    hint = f" (of this size: {fitting})" if fitting else ""
    return (
        f"has {joints} joints without names, of unknown layout; name it or a layout file with `layout`{hint}"
    )


def _wanted(poses: Poses, layout: Layout) -> Fit:
    """By name; where the names are those of markers, from these."""
    given = {canonical_joint(joint) for joint in poses.joints}
    if poses.joints and not given >= {canonical_joint(joint) for joint in layout.joints}:
        for markers in marker_sets():
            if markers.layout == layout and (shares := markers.shares(poses.joints)):
                return Fit(layout, f"markers of {markers.title}", shares)
    return Fit(layout, _WANTED)


def _mapped(poses: Poses, layout: Layout | None, joint_map: JointMap, name: str) -> Fit:
    if layout is None:
        raise KinemeError(
            "`joint_map`: name the layout whose joints it places with `layout`, such as kinect20"
        )
    if not poses.joints:
        raise KinemeError("`joint_map`: the joints of these files have no names; leave it out")
    # Names are all that counts; any tree will do.
    star = Layout.from_names(name, poses.joints, [None, *[0] * (len(poses.joints) - 1)], mirrored=[])
    sets = (markers.placed(poses.joints) for markers in marker_sets() if markers.layout == layout)
    among = max(sets, key=len, default={})
    weights, lost = placed(star, layout, joint_map)
    if not among.keys() >= {*lost}:
        correspondence(star, layout, joint_map)  # which says what is missing
    shares = {
        joint: among[joint]
        if joint in lost
        else {poses.joints[i]: float(row[i]) for i in np.flatnonzero(row)}
        for joint, row in zip(layout.joints, weights, strict=True)
    }
    return Fit(layout, "by the joint map", shares)


def _part(joints: Sequence[str], given: set[frozenset[str]]) -> Fit | None:
    """The part of a built-in layout that a file has, as Pose2Sim leaves out ears and eyes."""
    if len(joints) < LEAST_JOINTS:
        return None
    fitting = [each for each in LAYOUTS.values() if given < {canonical_joint(joint) for joint in each.joints}]
    if not fitting:
        return None
    return _part_of(min(fitting, key=lambda each: each.num_joints), given)


def _amid(joints: Sequence[str], given: Sequence[frozenset[str]]) -> Fit | None:
    """The built-in layout, or the part of one, that makes up most of a file's joints; programs add others,
    such as centres of mass."""
    layouts = [each for each in LAYOUTS.values() if each.name != "body"]
    shared = {each.name: {canonical_joint(joint) for joint in each.joints} & {*given} for each in layouts}
    layout = max(layouts, key=lambda each: (len(shared[each.name]), -each.num_joints))
    there = shared[layout.name]
    own = [joint for joint in joints if not joint.endswith(_AUGMENTED)]
    if len(there) < max(LEAST_JOINTS, _MOST * len(own)):
        return None
    others = [joint for joint, words in zip(joints, given, strict=True) if words not in there]
    if {*map(_limb, others)} - {*map(_limb, {*joints} - {*others})} - {None}:
        return None  # it names an arm or a leg otherwise: a body without it would be no remark's matter
    logger.info("joints that %s does not have are left out: %s", layout.name, listed(others))
    if len(there) == layout.num_joints:
        return Fit(layout, "by their names")
    return _part_of(layout, there)


def _limb(joint: str) -> str | None:
    """The joint of an arm or leg that a name stands for; None if it is none."""
    point = anatomical_point(without_prefix(joint), rig=True)
    return point if point and point.partition(" ")[2] in _LIMBS else None


def _part_of(whole: Layout, given: set[frozenset[str]]) -> Fit:
    """The part of a layout that has the given joints."""
    kept = [joint for joint in range(whole.num_joints) if canonical_joint(whole.joints[joint]) in given]
    above = {joint: _nearest(whole, joint, kept) for joint in kept}
    tops = [joint for joint in kept if above[joint] == -1]
    # Without its root the tree falls apart; its parts hang on the largest one.
    root = max(tops, key=lambda top: sum(_below(joint, top, above) for joint in kept))
    parents = [
        None if joint == root else whole.joints[root if above[joint] == -1 else above[joint]]
        for joint in kept
    ]
    names = [whole.joints[joint] for joint in kept]
    origin = [whole.joints[joint] for joint in whole.origin if joint in kept]
    hips = [name for name in ("left_hip", "right_hip") if name in names]
    layout = Layout.from_names(
        f"{whole.name}-{len(kept)}", names, parents, origin=origin or (hips if len(hips) == 2 else None)
    )
    return Fit(layout, f"{len(kept)} joints of {whole.name}")


def _nearest(layout: Layout, joint: int, kept: Sequence[int]) -> int:
    """The nearest kept ancestor, -1 without one."""
    parent = layout.parents[joint]
    while parent != -1 and parent not in kept:
        parent = layout.parents[parent]
    return parent


def _below(joint: int, top: int, above: Mapping[int, int]) -> bool:
    while joint != -1 and joint != top:
        joint = above[joint]
    return joint == top
