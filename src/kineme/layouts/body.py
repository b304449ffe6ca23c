"""Maps the joints of any layout to `BODY`, the layout with every part of the body.

A joint's name tells its place. Where the name is unknown, its position in the skeleton does: trunk, arm or
leg, left or right by its mirrored pair, and how far along. Places that nothing claims stay empty, and joints
for which no place is left, such as most of those of fingers and faces, have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from kineme.layouts import LAYOUTS, Layout
from kineme.layouts.correspondence import JointMap, anatomical_points, check_joint_map, placed
from kineme.layouts.parts import hops, joint_kinds, start, walk
from kineme.typing import Array

BODY = LAYOUTS["body"]


@lru_cache(maxsize=64)
def body_places(layout: Layout) -> tuple[int | None, ...]:
    """The place of each joint of a layout, an index of `BODY`'s joints; None if it has none.

    Places are distinct, and mirrored pairs have mirrored places.

    >>> places = body_places(LAYOUTS["kinect20"])
    >>> [BODY.joints[place] for place in places[:5]]
    ['pelvis', 'lower_spine', 'neck_base', 'head', 'left_shoulder']
    >>> dog = Layout.from_names("dog", ["hub", "left_a", "left_b", "right_a", "right_b"], [None, 0, 1, 0, 3])
    >>> [BODY.joints[place] for place in body_places(dog)]
    ['pelvis', 'left_collar', 'left_hand_tip', 'right_collar', 'right_hand_tip']
    """
    points = {point: place for place, point in enumerate(anatomical_points(BODY))}
    found: dict[int, int] = {}  # joint → place
    for joint, point in enumerate(anatomical_points(layout)):
        if point is not None and points[point] not in found.values():
            found[joint] = points[point]
    by_position = _ByPosition(layout)
    for joint in by_position.order:
        twin = int(layout.mirror[joint])
        if joint in found:
            continue
        place = int(BODY.mirror[found[twin]]) if twin in found else by_position.nearest(joint, found)
        if place is None or place in found.values():
            continue
        found[joint] = place
        if twin not in found:
            found[twin] = int(BODY.mirror[place])
    return tuple(found.get(joint) for joint in range(layout.num_joints))


def body_weights(layout: Layout, joint_map: JointMap | None = None) -> tuple[Array, Array, Array]:
    """The joints of a layout in `BODY`: `weights @ xyz`, xyz (..., V, C).

    Joints of `BODY` without a counterpart are placed from others if possible, see `correspondence`, so that
    the body has a centre, a front and a size.

    Args:
        layout: of the given joints.
        joint_map: joint of `BODY` → joints of `layout` whose mean it is; overrides places.

    Returns:
        (59, V) float32; (59,) bool, which joints are in their place; (59,) bool, which are placed at all.

    Raises:
        KinemeError: the map names an unknown joint.

    >>> weights, own, placed = body_weights(LAYOUTS["coco17"])
    >>> weights.shape, int(own.sum()), int(placed.sum())
    ((59, 17), 17, 59)
    """
    joint_map = joint_map or {}
    check_joint_map(joint_map, layout, BODY)
    places = body_places(layout)
    names = [f"joint {i}" if place is None else BODY.joints[place] for i, place in enumerate(places)]
    renamed = replace(layout, name=BODY.name, joints=tuple(names))
    called = dict(zip(layout.joints, names, strict=True))
    given = {joint: [called[each] for each in joints] for joint, joints in joint_map.items()}
    weights, lost = placed(renamed, BODY, given)
    own = [joint in given or place in places for place, joint in enumerate(BODY.joints)]
    return weights, np.array(own), np.array([joint not in lost for joint in BODY.joints])


class _ByPosition:
    """Finds a place for a joint whose name tells none."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.kinds, self.along = joint_kinds(layout), _along(layout)
        self.above = dict(walk(layout, start(layout)))  # joint → the next one towards the start
        self.order = [start(layout), *self.above]
        self.left = {left for left, _ in layout.mirrored}

    def nearest(self, joint: int, found: Mapping[int, int]) -> int | None:
        """The free place as far along the same kind of limb, beyond that of the last joint that has one."""
        kind, paired = self.kinds[joint], self.layout.mirror[joint] != joint
        known: int | None = joint
        while known is not None and (known not in found or self.kinds[known] != kind):
            known = self.above.get(known)
        free = [
            place
            for place in range(BODY.num_joints)
            if _KINDS[place] == kind
            and (BODY.mirror[place] != place) == paired
            and (place in _LEFT) == (joint in self.left)
            and not {place, int(BODY.mirror[place])} & set(found.values())
            and (known is None or found[known] in _ABOVE[place])
        ]
        return min(free, key=lambda place: abs(_ALONG[place] - self.along[joint]), default=None)


def _along(layout: Layout) -> Sequence[float]:
    """How far along its part, trunk, arms or legs, each joint is: 0 where it begins, 1 where it ends."""
    kinds, away = joint_kinds(layout), hops(layout, start(layout))
    reach = {
        kind: [far for far, each in zip(away, kinds, strict=True) if each == kind] for kind in set(kinds)
    }
    return [
        (far - min(reach[kind])) / max(1, max(reach[kind]) - min(reach[kind]))
        for far, kind in zip(away, kinds, strict=True)
    ]


def _above(layout: Layout) -> list[frozenset[int]]:
    """Of each joint those on the way to it from the root."""
    found: dict[int, frozenset[int]] = {}
    for joint in layout.topological:
        parent = layout.parents[joint]
        found[joint] = frozenset() if parent == -1 else found[parent] | {parent}
    return [found[joint] for joint in range(layout.num_joints)]


_KINDS, _ALONG, _ABOVE = joint_kinds(BODY), _along(BODY), _above(BODY)
_LEFT = {left for left, _ in BODY.mirrored}
