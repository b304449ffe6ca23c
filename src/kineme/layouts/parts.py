"""Parts of the body, derived from the names and mirrored pairs of a layout: trunk, arms and legs."""

from __future__ import annotations

from kineme.layouts import Layout, joint_words

# How words begin that stand for a leg or an arm, also in rigs ('upleg') and among markers ('LKNE').
OF_LEGS = (
    *("hip", "thi", "femur", "upleg", "upperleg", "leg", "kne", "tib", "shin", "calf", "lowleg", "lowerleg"),
    *("ank", "foot", "hee", "toe", "bigtoe", "smalltoe"),
)
OF_ARMS = ("clav", "collar", "sho", "arm", "uparm", "upperarm", "hum", "elb", "forearm", "rad", "wri", "hand")
HEAD = {"head", "face", "eye", "ear", "mouth", "nose", "neck", "jaw"}
TRUNK, ARM, LEGS = range(3)


def joint_kinds(layout: Layout) -> tuple[int, ...]:
    """For each joint, whether it belongs to trunk and head (0), an arm (1) or a leg (2).

    Joints without a mirrored partner are trunk. A paired joint whose name does not say belongs to the leg
    that it hangs on, and else to an arm.

    >>> import kineme
    >>> layout = kineme.get_layout("coco17")
    >>> [layout.joints[joint] for joint, kind in enumerate(joint_kinds(layout)) if kind == TRUNK]
    ['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear']
    """
    paired = {joint for pair in layout.mirrored for joint in pair}
    found: dict[int, int] = {}
    for joint in layout.topological:
        words = set(joint_words(layout.joints[joint]))
        if not words & {"left", "right"}:  # the side is a letter: 'lfemur'
            words |= {word[1:] for word in words}
        if joint not in paired or words & HEAD:
            found[joint] = TRUNK
        elif any(word.startswith(OF_LEGS) for word in words):
            found[joint] = LEGS
        else:
            hangs = found.get(layout.parents[joint]) == LEGS and layout.parents[joint] in paired
            found[joint] = LEGS if hangs and not any(word.startswith(OF_ARMS) for word in words) else ARM
    return tuple(found[joint] for joint in range(layout.num_joints))


def body_parts(layout: Layout) -> tuple[tuple[int, ...], ...]:
    """The joints of the trunk, then those of each arm and each leg, left before right.

    The trunk is ordered from the origin upwards, so that neighbours in it are neighbours in the body; limbs
    keep the order of the layout.

    >>> import kineme
    >>> for part in body_parts(kineme.get_layout("ntu25")):  # counted from 1, as by the data set's authors
    ...     print([joint + 1 for joint in part])
    [1, 2, 21, 3, 4]
    [5, 6, 7, 8, 22, 23]
    [9, 10, 11, 12, 24, 25]
    [13, 14, 15, 16]
    [17, 18, 19, 20]
    """
    kinds, away = joint_kinds(layout), hops(layout, start(layout))
    left = {pair[0] for pair in layout.mirrored}
    trunk = sorted((joint for joint, kind in enumerate(kinds) if kind == TRUNK), key=lambda j: (away[j], j))
    limbs = [
        tuple(joint for joint, each in enumerate(kinds) if each == kind and (joint in left) == on_the_left)
        for kind in (ARM, LEGS)
        for on_the_left in (True, False)
    ]
    return tuple(part for part in (tuple(trunk), *limbs) if part)


def halves(layout: Layout) -> dict[str, tuple[int, ...]]:
    """The joints of the upper, lower, left and right half of a body.

    The legs are the lower half, all else the upper one. Trunk and head are in both the left and the right
    half. Without legs, or without pairs, there are no such halves.

    >>> import kineme
    >>> {name: len(joints) for name, joints in halves(kineme.get_layout("ntu25")).items()}
    {'upper': 17, 'lower': 8, 'left': 15, 'right': 15}
    """
    kinds = joint_kinds(layout)
    every = range(layout.num_joints)
    found = {
        "upper": tuple(joint for joint in every if kinds[joint] != LEGS),
        "lower": tuple(joint for joint in every if kinds[joint] == LEGS),
    }
    if not all(found.values()):
        found = {}
    if layout.mirrored:
        left, right = (set(side) for side in zip(*layout.mirrored, strict=True))
        found["left"] = tuple(joint for joint in every if joint not in right)
        found["right"] = tuple(joint for joint in every if joint not in left)
    return found


def start(layout: Layout) -> int:
    """The joint from which a body is built up: its origin, or the root where that is not a single joint."""
    return layout.origin[0] if len(layout.origin) == 1 else layout.root


def hops(layout: Layout, joint: int) -> tuple[int, ...]:
    """Bones between each joint and the given one."""
    order = walk(layout, joint)
    found = {joint: 0}
    for child, parent in order:
        found[child] = found[parent] + 1
    return tuple(found[each] for each in range(layout.num_joints))


def walk(layout: Layout, joint: int) -> list[tuple[int, int]]:
    """All bones as (farther joint, nearer joint), those near the given joint first."""
    linked: dict[int, list[int]] = {each: [] for each in range(layout.num_joints)}
    for child, parent in layout.bones:
        linked[child].append(parent)
        linked[parent].append(child)
    order, reached = [], [joint]
    for nearer in reached:
        for farther in linked[nearer]:
            if farther not in reached:
                order.append((farther, nearer))
                reached.append(farther)
    return order
