"""MediaPipe's groups of landmarks: the body, both hands, the face; and which of them make a clip."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kineme.layouts import LAYOUTS
from kineme.sources.raw import RemediedError, shown

BODY, HAND = 33, 21
_GROUPS = {
    "body": "pose body poselandmark poselandmarks posekeypoint",
    "left_hand": "lefthand lhand lh lefthandlandmark lefthandlandmarks handleft",
    "right_hand": "righthand rhand rh righthandlandmark righthandlandmarks handright",
    "face": "face facelandmark facelandmarks facemesh",
}
_GROUP = {name: group for group, names in _GROUPS.items() for name in names.split()}
_PREFIXES = {
    "body": "body", "pose": "body", "left_hand": "", "right_hand": "", "face": "", "com": "",
}  # fmt: skip
_ROWS = {132, 258, 1662}  # x, y, z, visibility of the body, then x, y, z of hands; of the face and hands
_FLAT = {501, 511, 553}  # body first: with 468 or 478 points of a face; FreeMoCap's, hands and face


def body_names() -> tuple[str, ...]:
    """Of the 33 landmarks."""
    return LAYOUTS["mediapipe33"].joints


def hand_names(side: str) -> tuple[str, ...]:
    """Of the 21 landmarks of a hand, as `holistic75` calls them; `side` is left or right."""
    return tuple(joint for joint in LAYOUTS["holistic75"].joints if joint.startswith(f"{side}_hand_"))


def is_hand(joints: Sequence[str]) -> bool:
    """Whether these are the 21 landmarks of MediaPipe's hand."""
    return len(joints) == HAND and joints[1].upper().startswith("THUMB_CMC")


def landmark_name(name: str) -> str:
    """As `holistic75` has it: `LEFT_HAND_INDEX_FINGER_MCP` → `left_hand_index_mcp`; others stay."""
    found = re.sub(r"(?<=index|iddle)_finger|(?<=ring|inky)_finger", "", name.lower())
    return found if found in LAYOUTS["holistic75"].joints else name


def named(joints: Sequence[str]) -> dict[str, str]:
    """Joint of a file → its name, for joints numbered by group (`pose_0`, `left_hand_20`).

    The face is left out. Empty where they are not numbered so.
    """
    found: dict[str, str] = {}
    groups: set[str] = set()
    for joint in joints:
        match = re.fullmatch(r"(.*?)[ _.:-]?(\d{1,3})", joint)
        group = _GROUP.get(re.sub(r"[^a-z]", "", match[1].lower())) if match else None
        if match is None or group is None:
            return {}
        groups.add(group)
        if group != "face":
            of = body_names() if group == "body" else hand_names(group.split("_")[0])
            if int(match[2]) >= len(of):
                return {}
            found[joint] = of[int(match[2])]
    return found if "body" in groups and len(groups) > 1 else {}


def group_of(text: str) -> str | None:
    """The group that a word or two name: `pose`, `mediapipe_body`, `rtmpose.left_hand`."""
    words = [word for word in re.split(r"[^a-z]+", text.lower()) if word]
    return _GROUP.get("".join(words)) or _GROUP.get("".join(words[1:]))


def named_body(joints: Sequence[str]) -> dict[str, str]:
    """Joint of a file → its name, for joints named by group (`body_nose`, `face_0000`): those of the body.

    Empty where they are not named so.
    """
    found: dict[str, str] = {}
    for joint in joints:
        match = re.fullmatch(rf"(?P<group>{'|'.join(_PREFIXES)})_(?P<name>.+)", joint, re.IGNORECASE)
        if match is None:
            return {}
        if _PREFIXES[match["group"].lower()] == "body":
            found[joint] = match["name"]
    return found


def body_of(count: int) -> slice | None:
    """The body among so many landmarks without names; None where they are something else."""
    return slice(0, BODY) if count in _FLAT else None


def body_of_row(count: int) -> int | None:
    """How many of so many numbers of a frame are x, y, z and visibility of the body; None if it is none."""
    return 4 * BODY if count in _ROWS else None


def chosen(groups: Mapping[str, int], wanted: Sequence[str]) -> tuple[str, ...]:
    """Which groups of landmarks make the clip: those wanted, else the body in the world, else all there are.

    Args:
        groups: name, such as `pose_world`, → number of landmarks; those that a file has.
        wanted: names, without `_landmarks`; empty for the default.

    Raises:
        ValueError: a wanted one is not there.
    """
    if wanted:
        if len(set(wanted)) < len(wanted):
            raise RemediedError("`components` names one twice", "name it once")
        for name in wanted:
            if name not in groups:
                has = shown(", ".join(groups))[1:-1]
                raise RemediedError(f"has no component {name!r}; it has {has}", "name some of these")
        return tuple(wanted)
    if "pose_world" in groups:
        return ("pose_world",)
    return tuple(name for name in ("pose", "left_hand", "right_hand") if name in groups)
