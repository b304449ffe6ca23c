"""The joints of Apple's Vision framework (`VNHumanBodyPoseObservation`), as apps write them.

They are called like bones of a rig; the wrist is `left_hand_joint`.
"""

from __future__ import annotations

from collections.abc import Sequence

_SIDES = {
    "eye": "eye", "ear": "ear", "shoulder_1": "shoulder", "forearm": "elbow", "hand": "wrist", "upLeg": "hip",
    "leg": "knee", "foot": "ankle",
}  # fmt: skip
_NAMES = {"head_joint": "nose", "neck_1_joint": "neck", "root": "mid_hip"} | {
    f"{side}_{bone}_joint": f"{side}_{joint}" for bone, joint in _SIDES.items() for side in ("left", "right")
}


def vision_names(names: Sequence[str]) -> tuple[str, ...]:
    """The usual names of Vision's joints, `left_hand_joint` → `left_wrist`; others stay, also those of
    ARKit's skeleton, which has more joints of such names.

    >>> vision_names(["root", "left_upLeg_joint"]), vision_names(["root", "left_arm_joint"])
    (('mid_hip', 'left_hip'), ('root', 'left_arm_joint'))
    """
    known = len(set(names) - {"root"}) > 0 and _NAMES.keys() >= set(names)
    return tuple(_NAMES[name] for name in names) if known else tuple(names)
