"""Joint layouts as data: the joints of a skeleton, their tree, and which mirror each other.

The built-in ones are in `builtin.py`; `kineme layouts` lists them. Others are small YAML or JSON
files:

    name: stick5
    joints:  [hip, neck, head, left_hand, right_hand]
    parents: [null, hip, neck, neck, neck]      # by name, or by index with -1 for the root
    mirrored: [[left_hand, right_hand]]         # optional: pairs called left.../right... are found
    centre: neck                                # optional: default the root
    origin: [hip]                               # optional: default the root
    facing: [left_hand, right_hand]             # optional: left and right end of the shoulder or hip line
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kineme.errors import KinemeError, one_line
from kineme.layouts.builtin import DEFINITIONS, Definition
from kineme.typing import Array
from kineme.untrusted import read_yaml

COORDINATES = 3  # C of every clip
MAX_JOINTS = 1024  # a file that claims more is damaged or hostile, and V × V arrays depend on it


@dataclass(frozen=True)
class Layout:
    """A tree of named joints.

    Attributes:
        name: in stores and checkpoints.
        joints: joint names, in the order of the V axis.
        parents: index of each joint's parent, -1 for the root.
        mirrored: (left, right) pairs of joint indices.
        centre: the joint from which the graph's hop distances count.
        origin: joints whose mean is the body's origin (the pelvis, where there is one).
        facing: (left, right) joints of the shoulder line; None without such a pair.

    >>> joints = ["hip", "neck", "left_hand", "right_hand"]
    >>> stick = Layout.from_names("stick", joints, [None, "hip", "neck", "neck"])
    >>> stick.parents, stick.bones, stick.mirrored
    ((-1, 0, 1, 1), [(1, 0), (2, 1), (3, 1)], ((2, 3),))
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    mirrored: tuple[tuple[int, int], ...]
    centre: int
    origin: tuple[int, ...]
    facing: tuple[int, int] | None

    def __post_init__(self) -> None:
        count = len(self.joints)
        where = f"layout {self.name!r}"
        if not 2 <= count <= MAX_JOINTS:
            raise KinemeError(f"{where}: has {count} joints; it needs between 2 and {MAX_JOINTS}")
        if len(set(self.joints)) != count:
            twice = sorted({j for j in self.joints if self.joints.count(j) > 1})
            raise KinemeError(f"{where}: duplicate joint names: {', '.join(twice)}")
        if len(self.parents) != count:
            wrong = f"{count} joints but {len(self.parents)} parents"
            raise KinemeError(f"{where}: {wrong}; give each joint one parent")
        if sum(p == -1 for p in self.parents) != 1:
            raise KinemeError(f"{where}: exactly one joint must be the root (parent null or -1)")
        paired = [j for pair in self.mirrored for j in pair]
        for what, indices in (
            ("parents", [p for p in self.parents if p != -1]),
            ("mirrored", paired),
            ("centre, origin, facing", [self.centre, *self.origin, *(self.facing or ())]),
        ):
            if strange := [index for index in indices if not 0 <= index < count]:
                raise KinemeError(f"{where}: {what}: there is no joint {strange[0]} among {count}")
        if len(set(paired)) != len(paired):
            raise KinemeError(f"{where}: a joint is in two mirrored pairs")
        if not self.origin:
            raise KinemeError(f"{where}: 'origin' names no joint")
        if astray := set(range(count)) - set(self.topological):  # not below the root
            raise KinemeError(f"{where}: the parents of {self.joints[min(astray)]!r} form a cycle")

    def __repr__(self) -> str:
        return f"<Layout {self.name}: {self.num_joints} joints>"

    @property
    def num_joints(self) -> int:
        """V, the number of joints."""
        return len(self.joints)

    @property
    def root(self) -> int:
        """Index of the joint without a parent."""
        return self.parents.index(-1)

    @property
    def bones(self) -> list[tuple[int, int]]:
        """(child, parent) pairs, in joint order."""
        return [(child, parent) for child, parent in enumerate(self.parents) if parent != -1]

    @cached_property
    def mirror(self) -> Array:
        """(V,) permutation that swaps left and right joints."""
        order = np.arange(self.num_joints)
        for left, right in self.mirrored:
            order[left], order[right] = right, left
        return order

    @cached_property
    def topological(self) -> tuple[int, ...]:
        """Joint indices with every parent before its children."""
        order = [self.root]
        for joint in order:
            order.extend(child for child, parent in self.bones if parent == joint)
        return tuple(order)

    @classmethod
    def from_names(
        cls,
        name: str,
        joints: Sequence[str],
        parents: Sequence[str | int | None],
        *,
        mirrored: Sequence[Sequence[str | int]] | None = None,
        centre: str | int | None = None,
        origin: Sequence[str | int] | None = None,
        facing: Sequence[str | int] | None = None,
    ) -> Layout:
        """A layout from joint names and parents.

        By default mirrored pairs are names that differ only in left/right (`left_knee`, `KneeRight`,
        `l_knee`, `lknee`), and the facing pair is their shoulders, else their hips or ears.

        Raises:
            KinemeError: an unknown joint name, no root or several, a cycle.
        """
        joints = tuple(map(str, joints))

        def index(joint: str | int | None) -> int:
            if joint is None:
                return -1
            if isinstance(joint, str):
                if joint not in joints:
                    raise KinemeError(f"layout {name!r}: {joint!r} is not one of its joints")
                return joints.index(joint)
            return int(joint)

        resolved = tuple(index(parent) for parent in parents)
        if any(len(pair) != 2 for pair in mirrored or ()):
            raise KinemeError(f"layout {name!r}: 'mirrored' is a list of [left, right] pairs")
        if mirrored is None:
            pairs = _mirrored_by_name(joints)
        else:
            pairs = tuple((index(left), index(right)) for left, right in mirrored)
        if facing is not None and len(facing) != 2:
            raise KinemeError(f"layout {name!r}: 'facing' is one [left, right] pair")
        root = resolved.index(-1) if -1 in resolved else 0
        return cls(
            name=name,
            joints=joints,
            parents=resolved,
            mirrored=pairs,
            centre=root if centre is None else index(centre),
            origin=(root,) if origin is None else tuple(index(j) for j in origin),
            facing=_facing_by_name(joints, pairs) if facing is None else (index(facing[0]), index(facing[1])),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "layout") -> Layout:
        """The inverse of `to_dict`; also reads what a layout file holds. `where` names the file in errors."""
        known = {"name", "joints", "parents", "mirrored", "centre", "origin", "facing"}
        if not isinstance(data, Mapping) or not {"name", "joints", "parents"} <= set(data):
            raise KinemeError(f"{where}: a layout needs 'name', 'joints' and 'parents'")
        if unknown := set(data) - known:
            raise KinemeError(f"{where}: unknown keys {sorted(unknown)}; a layout has {sorted(known)}")
        rest = {key: data[key] for key in known - {"name", "joints", "parents"} if key in data}
        try:
            return cls.from_names(str(data["name"]), data["joints"], data["parents"], **rest)
        except TypeError as error:
            raise KinemeError(f"{where}: malformed layout ({error})") from error

    @classmethod
    def from_file(cls, path: str | Path) -> Layout:
        """Reads a layout file (YAML or JSON, see the module docstring).

        Raises:
            KinemeError: the file is missing, is not YAML, or does not describe a tree.
        """
        return cls.from_dict(read_described(Path(path), "a layout"), where=str(path))

    def to_dict(self) -> dict[str, Any]:
        """Plain containers with joint indices, for manifests and checkpoints."""
        return {
            "name": self.name,
            "joints": list(self.joints),
            "parents": list(self.parents),
            "mirrored": [list(pair) for pair in self.mirrored],
            "centre": self.centre,
            "origin": list(self.origin),
            "facing": list(self.facing) if self.facing else None,
        }

    def to_yaml(self) -> str:
        """The text of a layout file, with joints by name.

        >>> print(Layout.from_names("arm", ["elbow", "hand"], [None, "elbow"]).to_yaml(), end="")
        name: arm
        joints: [elbow, hand]
        parents: [null, elbow]
        mirrored: []
        centre: elbow
        origin: [elbow]
        """

        def named(joints: Sequence[int]) -> list[str | None]:
            return [None if joint == -1 else self.joints[joint] for joint in joints]

        lines = {
            "name": self.name,
            "joints": list(self.joints),
            "parents": named(self.parents),
            "mirrored": [named(pair) for pair in self.mirrored],
            "centre": self.joints[self.centre],
            "origin": named(self.origin),
            **({"facing": named(self.facing)} if self.facing else {}),
        }
        return yaml.safe_dump(lines, default_flow_style=None, sort_keys=False, width=100)


def read_described(path: Path, what: str) -> Any:
    """The contents of a YAML or JSON file; raises KinemeError if it cannot be read as `what`."""
    try:
        return read_yaml(path)
    except (OSError, ValueError) as error:
        raise KinemeError(f"{path}: cannot be read as {what} ({one_line(error)})") from error


def without_prefix(joint: str) -> str:
    """A joint's name without that of its character or rig: 'mixamorig:Hips', 'anna:LASI', 'Bip01 L Thigh',
    'J_Bip_C_Hips'."""
    return re.sub(r"^(?:.*:|mixamorig\d*_?|Bip\d+[ _]|J_Bip_(?:C_)?|ValveBiped\.)(?=.)", "", joint)


def joint_words(joint: str) -> list[str]:
    """The lower-case words of a joint name: 'EarL' → ['ear', 'left'], 'leftear' → ['left', 'ear']."""
    split = r"[Ll]eft|[Rr]ight|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+"
    words = [word.lower() for word in re.findall(split, without_prefix(joint))]
    spelt = {"l": "left", "r": "right", "naval": "navel"}  # so Microsoft's page on Azure Kinect has it
    return [spelt.get(word, word) for word in words]


@lru_cache(maxsize=4096)  # recordings of one folder have the same joints
def canonical_joint(joint: str) -> frozenset[str]:
    """A spelling-independent key: the same for 'ShoulderLeft', 'left_shoulder' and 'l_shoulder'."""
    words = frozenset(joint_words(joint))
    return words - {"base"} if "toe" in words else words  # rigs say LeftToe or LeftToeBase


def _mirrored_by_name(joints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    by_words = {canonical_joint(joint): i for i, joint in enumerate(joints)}
    pairs = []
    for i, joint in enumerate(joints):
        words = canonical_joint(joint)
        if "left" in words:
            twin = by_words.get((words - {"left"}) | {"right"})
        elif joint.startswith("l") and "r" + joint[1:] in joints:  # 'lfemur', 'rfemur'
            twin = joints.index("r" + joint[1:])
        elif joint.startswith("L") and joint.isupper() and "R" + joint[1:] in joints:  # 'LASI', 'RASI'
            twin = joints.index("R" + joint[1:])
        else:
            twin = None
        if twin is not None:
            pairs.append((i, twin))
    return tuple(pairs)


def _facing_by_name(joints: tuple[str, ...], mirrored: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    named = {
        "".join(word for word in joint_words(joints[left]) if word != "left"): (left, right)
        for left, right in mirrored
    }
    # In a rig an arm begins in the shoulder, and a shoulder at the spine.
    if {"forearm", "forearmbend", "lowerarm", "lowarm"} & set(named):
        for arm in ("arm", "upperarm", "uparm", "shldr", "shldrbend"):
            if arm in named:
                return named[arm]
    # In motion capture a joint is the end of the bone it is named after: a clavicle ends in the shoulder.
    for part in ("shoulder", "clavicle", "humerus", "hip", "femur"):
        for left, right in mirrored:
            if part in joints[left].lower():
                return left, right
    ears = ((left, right) for left, right in mirrored if canonical_joint(joints[left]) == {"left", "ear"})
    return next(ears, None)


def spatial_partitions(layout: Layout) -> Array:
    """The (3, V, V) adjacency of ST-GCN's spatial configuration, as AimCLR's program builds it.

    Â is the adjacency with self-loops divided by its column sums. Subset 0 is its diagonal; subset 2 has the
    bones that lead away from the centre, dist(v) < dist(w), and subset 1 the others. Distances are computed
    up to one hop only (0, 1, infinite), so all bones beyond the centre's neighbours are in subset 1.
    (Yan et al., AAAI 2018, section 3.3.)
    """
    count = layout.num_joints
    linked = np.eye(count)
    for child, parent in layout.bones:
        linked[child, parent] = linked[parent, child] = 1
    normalised = linked / linked.sum(axis=0, keepdims=True)
    distance = np.where(linked[layout.centre] > 0, 1.0, np.inf)
    distance[layout.centre] = 0
    outward = distance[:, None] < distance[None, :]
    own = np.eye(count, dtype=bool)
    subsets = (own, ~own & ~outward, ~own & outward)
    return np.stack([np.where(subset, normalised, 0) for subset in subsets]).astype(np.float32)


def _builtin(name: str, each: Definition) -> Layout:
    return Layout.from_names(
        name,
        each.joints,
        each.parents,
        mirrored=[*_mirrored_by_name(each.joints), *each.mirrored],
        centre=each.centre,
        origin=each.origin,
    )


LAYOUTS: Mapping[str, Layout] = {name: _builtin(name, each) for name, each in DEFINITIONS.items()}


def get_layout(name_or_path: str | Path) -> Layout:
    """A built-in layout by name, or one from a layout file.

    Raises:
        KinemeError: neither a built-in name nor a readable layout file.

    >>> layout = get_layout("coco17")
    >>> layout.joints[5:7], layout.mirror.tolist()
    (('left_shoulder', 'right_shoulder'), [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
    """
    if str(name_or_path) in LAYOUTS:
        return LAYOUTS[str(name_or_path)]
    if Path(name_or_path).is_file():
        return Layout.from_file(name_or_path)
    known = ", ".join(LAYOUTS)
    raise KinemeError(f"{name_or_path}: no such layout; built in are {known}; or pass a layout file")


def named_layout(joints: Sequence[str]) -> Layout | None:
    """The built-in layout whose joints have these names, in any order and spelling; None if there is none.

    >>> named_layout([joint.upper() for joint in get_layout("coco17").joints]).name
    'coco17'
    """
    given = {canonical_joint(joint) for joint in joints}
    for layout in LAYOUTS.values():
        if given == {canonical_joint(joint) for joint in layout.joints}:
            return layout
    return None


def match_layout(joints: Sequence[str], parents: Sequence[int], name: str) -> tuple[Layout, Array]:
    """The layout of named joints, and the order that brings them into it: `xyz[..., order, :]`.

    It is a built-in layout if that has the same names, in any order and spelling ('ShoulderLeft',
    'left_shoulder'), else a new one called `name`.
    """
    layout = named_layout(joints)
    if layout is not None and layout.num_joints == len(joints):
        given = [canonical_joint(joint) for joint in joints]
        return layout, np.array([given.index(canonical_joint(joint)) for joint in layout.joints])
    return Layout.from_names(name, joints, [int(p) for p in parents]), np.arange(len(joints))
