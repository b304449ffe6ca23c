"""Trunk, arms and legs, told from names and mirrored pairs."""

from __future__ import annotations

import re

import pytest

from kineme.layouts import LAYOUTS, Layout
from kineme.layouts.parts import body_parts, halves, hops, joint_kinds, start


def named(layout: Layout) -> list[list[str]]:
    return [[layout.joints[joint] for joint in part] for part in body_parts(layout)]


def test_the_parts_of_ntu_are_those_of_slim() -> None:
    counted_from_one = [[joint + 1 for joint in part] for part in body_parts(LAYOUTS["ntu25"])]
    assert counted_from_one == [
        [1, 2, 21, 3, 4],
        [5, 6, 7, 8, 22, 23],
        [9, 10, 11, 12, 24, 25],
        [13, 14, 15, 16],
        [17, 18, 19, 20],
    ]


def test_eyes_belong_to_the_trunk_and_hips_to_the_legs() -> None:
    parts = named(LAYOUTS["coco17"])
    assert set(parts[0]) == {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}
    assert parts[1:] == [
        ["left_shoulder", "left_elbow", "left_wrist"],
        ["right_shoulder", "right_elbow", "right_wrist"],
        ["left_hip", "left_knee", "left_ankle"],
        ["right_hip", "right_knee", "right_ankle"],
    ]


def test_sides_may_be_a_letter_as_in_acclaims_skeletons() -> None:
    trunk = ["root", "lowerback", "head"]
    arm = ["clavicle", "humerus", "radius", "wrist", "hand", "fingers", "thumb"]
    leg = ["hipjoint", "femur", "tibia", "foot", "toes"]
    joints = [*trunk, *(side + name for side in "lr" for name in (*leg, *arm))]
    layout = Layout.from_names("acclaim", joints, [None, *["root"] * (len(joints) - 1)])
    parts = named(layout)
    assert [set(part) for part in parts] == [
        set(trunk),
        *({side + name for name in arm} for side in "lr"),
        *({side + name for name in leg} for side in "lr"),
    ]
    assert halves(layout)["lower"] == tuple(i for i, name in enumerate(joints) if name[1:] in leg)


@pytest.mark.parametrize(
    ("leg", "arm"),
    [
        (["LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase"], ["LeftArm", "LeftForeArm", "LeftHand"]),
        (
            ["leftUpperLeg", "leftLowerLeg", "leftFoot", "leftToes"],
            ["leftShoulder", "leftUpperArm", "leftHand"],
        ),
        (["L_thigh", "L_calf", "L_foot", "L_toe0"], ["L_clavicle", "L_upperarm", "L_forearm"]),
        (["LTHI", "LKNE", "LTIB", "LANK", "LHEE", "LTOE"], ["LSHO", "LELB", "LWRA", "LFIN"]),
    ],
)
def test_legs_of_rigs_and_markers_are_told_from_arms(leg: list[str], arm: list[str]) -> None:
    def other(name: str) -> str:
        return re.sub(
            "^[Ll](eft)?",
            lambda side: side[0].translate(str.maketrans("Ll", "Rr")).replace("eft", "ight"),
            name,
        )

    joints = ["root", *leg, *arm, *map(other, [*leg, *arm])]
    layout = Layout.from_names("rig", joints, [None, *["root"] * (len(joints) - 1)])
    assert named(layout)[1:] == [arm, [*map(other, arm)], leg, [*map(other, leg)]]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_every_built_in_body_has_five_parts_with_each_joint_once(layout: Layout) -> None:
    parts = body_parts(layout)
    assert len(parts) == 5
    assert sorted(joint for part in parts for joint in part) == list(range(layout.num_joints))
    assert set(joint_kinds(layout)) == {0, 1, 2}


def test_a_layout_without_sides_is_all_trunk() -> None:
    stick = Layout.from_names("stick", ["head", "neck", "hip"], ["neck", "hip", None])
    assert named(stick) == [["hip", "neck", "head"]]


def test_hops_count_bones_from_the_origin() -> None:
    layout = LAYOUTS["ntu25"]
    assert layout.joints[start(layout)] == "spine_base"
    found = dict(zip(layout.joints, hops(layout, start(layout)), strict=True))
    wanted = {"spine_base": 0, "spine_mid": 1, "spine_shoulder": 2, "head": 4, "left_foot": 4, "left_hand": 6}
    assert {name: found[name] for name in wanted} == wanted
    assert start(LAYOUTS["coco17"]) == LAYOUTS["coco17"].root  # its origin lies between two hips
