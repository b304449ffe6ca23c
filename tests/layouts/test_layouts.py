"""Layouts: partitions by value, layout files, and joint names in the spellings that data sets use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout, get_layout, joint_words, match_layout, spatial_partitions
from kineme.layouts.correspondence import anatomical_points

STICK = """
name: stick5
joints: [hip, neck, head, left_hand, right_hand]
parents: [null, hip, neck, neck, neck]
"""


def layout_file(folder: Path, text: str) -> Path:
    path = folder / "layout.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_ntu_partitions_are_the_published_ones() -> None:
    with np.load(GOLDEN / "aimclr_encoder.npz") as stored:
        np.testing.assert_allclose(spatial_partitions(LAYOUTS["ntu25"]), stored["A"], rtol=1e-6)


def test_partitions_of_a_small_tree_by_hand() -> None:
    """hip 0 - neck 1 (centre) - hand 2: columns of the adjacency with self-loops divided by their sums."""
    layout = Layout.from_names("chain", ["hip", "neck", "hand"], [-1, 0, 1], centre="neck")
    own, inward, outward = spatial_partitions(layout)
    np.testing.assert_allclose(own, np.diag([1 / 2, 1 / 3, 1 / 2]))
    np.testing.assert_allclose(inward, [[0, 1 / 3, 0], [0, 0, 0], [0, 1 / 3, 0]])
    np.testing.assert_allclose(outward, [[0, 0, 0], [1 / 2, 0, 1 / 2], [0, 0, 0]])


@pytest.mark.parametrize("name", LAYOUTS)
def test_built_in_layouts_are_symmetric(name: str) -> None:
    """Mirroring swaps left and right names and leaves the tree as it is; ntu25's hands hang as published."""
    layout = LAYOUTS[name]
    other = {"left": "right", "right": "left"}
    for joint, twin in enumerate(layout.mirror):
        if layout.joints[joint].startswith("face_"):
            continue  # named by numbers
        swapped = [other.get(word, word) for word in joint_words(layout.joints[joint])]
        assert joint_words(layout.joints[twin]) == swapped
    for child, parent in layout.bones:
        assert layout.parents[layout.mirror[child]] == layout.mirror[parent]
    assert layout.facing is not None
    points = anatomical_points(layout)
    assert [points[joint] for joint in layout.facing] == ["left shoulder", "right shoulder"]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        # (number in the publisher's list, joint)
        ("halpe26", {0: "nose", 16: "right_ankle", 17: "head", 18: "neck", 19: "hip", 20: "left_big_toe",
                     21: "right_big_toe", 22: "left_small_toe", 24: "left_heel", 25: "right_heel"}),
        ("body25b", {16: "right_ankle", 17: "upper_neck", 18: "head_top", 19: "left_big_toe", 21: "left_heel",
                     22: "right_big_toe", 24: "right_heel"}),
        ("h36m17", {0: "root", 1: "right_hip", 4: "left_hip", 7: "spine", 8: "thorax", 10: "head",
                    11: "left_shoulder", 14: "right_shoulder", 16: "right_wrist"}),
        ("smpl22", {0: "pelvis", 3: "spine1", 9: "spine3", 12: "neck", 13: "left_collar", 15: "head",
                    21: "right_wrist"}),
        ("azure32", {0: "pelvis", 3: "neck", 4: "clavicle_left", 10: "thumb_left", 18: "hip_left", 26: "head",
                     27: "nose", 28: "eye_left", 31: "ear_right"}),
        ("coco133", {17: "left_big_toe", 22: "right_heel", 23: "face_0", 90: "face_67", 91: "left_hand_root",
                     95: "left_hand_thumb4", 112: "right_hand_root", 132: "right_hand_pinky_finger4"}),
        ("holistic75", {32: "right_foot_index", 33: "left_hand_wrist", 37: "left_hand_thumb_tip",
                        53: "left_hand_pinky_tip", 54: "right_hand_wrist"}),
        ("rig22", {1: "LeftUpLeg", 5: "RightUpLeg", 9: "Spine", 13: "Head", 14: "LeftShoulder",
                   21: "RightHand"}),
        ("cmu31", {1: "LHipJoint", 11: "LowerBack", 16: "Head", 17: "LeftShoulder", 30: "RThumb"}),
    ],
)  # fmt: skip
def test_joints_have_the_numbers_of_their_publishers(name: str, numbers: dict[int, str]) -> None:
    assert {number: LAYOUTS[name].joints[number] for number in numbers} == numbers


def test_smpl_s_tree_is_its_kinematic_table() -> None:
    published = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
    assert list(LAYOUTS["smpl22"].parents) == published


def test_the_landmarks_of_the_face_are_mirrored() -> None:
    layout = LAYOUTS["coco133"]
    pairs = {(layout.joints[left], layout.joints[right]) for left, right in layout.mirrored}
    assert {
        ("face_16", "face_0"),
        ("face_26", "face_17"),
        ("face_45", "face_36"),
        ("face_54", "face_48"),
    } <= pairs
    alone = {23 + number for number in (8, 27, 28, 29, 30, 33, 51, 57, 62, 66)} | {
        0
    }  # the midline, and the nose
    assert {joint for joint, twin in enumerate(layout.mirror) if joint == twin} == alone


def test_ntu_bones_are_the_published_ones() -> None:
    """(child, parent), 1-based."""
    published = (
        "1,2 2,21 3,21 4,3 5,21 6,5 7,6 8,7 9,21 10,9 11,10 12,11 13,1 14,13 15,14 16,15 17,1 18,17 19,18 "
        "20,19 22,23 23,8 24,25 25,12"
    )
    ours = [f"{child + 1},{parent + 1}" for child, parent in LAYOUTS["ntu25"].bones]
    assert ours == published.split()


def test_topological_order_puts_parents_first() -> None:
    for layout in LAYOUTS.values():
        place = {joint: i for i, joint in enumerate(layout.topological)}
        assert len(place) == layout.num_joints
        assert all(place[parent] < place[child] for child, parent in layout.bones)


def test_a_layout_file_with_defaults(tmp_path: Path) -> None:
    layout = get_layout(layout_file(tmp_path, STICK))
    assert layout.parents == (-1, 0, 1, 1, 1)
    assert layout.mirrored == ((3, 4),)  # found by name
    assert (layout.root, layout.centre, layout.origin, layout.facing) == (0, 0, (0,), None)


def test_a_layout_file_that_says_everything(tmp_path: Path) -> None:
    text = (
        STICK
        + "mirrored: [[left_hand, 4]]\ncentre: neck\norigin: [hip, neck]\nfacing: [left_hand, right_hand]\n"
    )
    layout = get_layout(layout_file(tmp_path, text))
    assert (layout.mirrored, layout.centre, layout.origin, layout.facing) == (((3, 4),), 1, (0, 1), (3, 4))


def test_a_layout_survives_json() -> None:
    for layout in LAYOUTS.values():
        assert Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("[null, hip, neck, neck, neck]", "[null, hip, left_hand, head, neck]"), "form a cycle"),
        (("[null, hip, neck, neck, neck]", "[null, hip, head, neck, neck]"), "form a cycle"),
        (
            ("[null, hip, neck, neck, neck]", "[null, null, neck, neck, neck]"),
            "exactly one joint must be the root",
        ),
        (
            ("[null, hip, neck, neck, neck]", "[neck, hip, neck, neck, neck]"),
            "exactly one joint must be the root",
        ),
        (("[null, hip, neck, neck, neck]", "[null, hip, neck, neck]"), "5 joints but 4 parents"),
        (
            ("[null, hip, neck, neck, neck]", "[null, hip, neck, neck, 7]"),
            "parents: there is no joint 7 among 5",
        ),
        (
            ("[null, hip, neck, neck, neck]", "[null, hip, nekc, neck, neck]"),
            "'nekc' is not one of its joints",
        ),
        (("head,", "neck,"), "duplicate joint names: neck"),
        (("name: stick5", "nam: stick5"), "a layout needs 'name', 'joints' and 'parents'"),
        (("name: stick5", "name: stick5\nheight: 2"), "unknown keys ['height']"),
        (("name: stick5", "name: stick5\nmirrored: [[3, 4], [4, 2]]"), "is in two mirrored pairs"),
        (("name: stick5", "name: stick5\nmirrored: [[3]]"), "a list of [left, right] pairs"),
        (("name: stick5", "name: stick5\norigin: []"), "'origin' names no joint"),
        (("name: stick5", "name: stick5\nfacing: [left_hand]"), "'facing' is one [left, right] pair"),
        (("name: stick5", "name: stick5\njoints: 5"), "malformed layout"),
        (("name: stick5", "name: [stick5"), "cannot be read as a layout"),
    ],
)
def test_layout_files_that_describe_no_body_are_refused(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    text = STICK.replace(*change)
    if change[1].endswith("joints: 5"):
        text = text.replace("joints: [hip, neck, head, left_hand, right_hand]\n", "")
    with pytest.raises(KinemeError) as refusal:
        get_layout(layout_file(tmp_path, text))
    assert reason in str(refusal.value)


def test_a_layout_is_shown_in_short() -> None:
    assert repr(get_layout("ntu25")) == "<Layout ntu25: 25 joints>"


def test_an_unknown_layout_names_those_there_are() -> None:
    with pytest.raises(KinemeError, match="ntu24: no such layout; built in are ntu25, kinect20"):
        get_layout("ntu24")


# As the joints of two public Kinect v1 recordings are called: UTD-MHAD and PRECOG.
UTD_MHAD = (
    "head shoulder_center spine hip_center left_shoulder left_elbow left_wrist left_hand right_shoulder "
    "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee "
    "right_ankle right_foot"
)
UTD_MHAD_PARENTS = [1, 2, 3, -1, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18]
PRECOG = (
    "HipCenter Spine ShoulderCenter Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight "
    "WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight"
)
PRECOG_PARENTS = [-1, 0, 1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18]


@pytest.mark.parametrize(
    ("joints", "parents", "order"),
    [(UTD_MHAD, UTD_MHAD_PARENTS, [3, 2, 1, 0, *range(4, 20)]), (PRECOG, PRECOG_PARENTS, list(range(20)))],
    ids=["UTD-MHAD", "PRECOG"],
)
def test_known_joints_are_brought_into_a_built_in_layout(
    joints: str, parents: list[int], order: list[int]
) -> None:
    layout, found = match_layout(joints.split(), parents, "recording")
    assert layout is LAYOUTS["kinect20"]
    assert found.tolist() == order


def test_other_joints_make_a_layout_of_their_own() -> None:
    """Names as in motion capture files: sides by a first letter, shoulders where collar bones end."""
    joints = ["root", "thorax", "lclavicle", "rclavicle", "lhumerus", "rhumerus"]
    layout, order = match_layout(joints, [-1, 0, 1, 1, 2, 3], "mocap6")
    assert (layout.name, layout.joints, layout.mirrored) == ("mocap6", tuple(joints), ((2, 3), (4, 5)))
    assert layout.facing == (2, 3)
    assert order.tolist() == list(range(6))


@pytest.mark.parametrize(("arm", "forearm"), [("Arm", "ForeArm"), ("UpperArm", "LowerArm")])
def test_rigs_face_by_their_arms(arm: str, forearm: str) -> None:
    """Their shoulders begin at the spine, where both often are in one place."""
    joints = [f"{side}{bone}" for side in ("Left", "Right") for bone in ("Shoulder", arm, forearm)]
    rig = Layout.from_names("rig", ["Spine", *joints], [None, 0, 1, 2, 0, 4, 5])
    assert rig.facing == (2, 5)


def test_animals_without_shoulders_or_hips_face_by_their_ears() -> None:
    mouse = Layout.from_names(
        "mouse", ["nose", "earL", "earR", "forearm_left", "forearm_right"], [None] + 4 * [0]
    )
    assert mouse.mirrored == ((1, 2), (3, 4))
    assert mouse.facing == (1, 2)
    lacking = Layout.from_names("arms", ["nose", "forearm_left", "forearm_right"], [None, 0, 0])
    assert lacking.facing is None


@pytest.mark.parametrize(
    ("left", "right"),
    [("left_knee", "right_knee"), ("KneeLeft", "KneeRight"), ("l_knee", "r_knee"), ("LKnee", "RKnee"),
     ("lknee", "rknee"), ("leftknee", "rightknee"), ("LKNE", "RKNE")],
)  # fmt: skip
def test_mirrored_joints_are_found_by_name(left: str, right: str) -> None:
    layout = Layout.from_names("legs", ["hip", right, "lung", left], [-1, 0, 0, 0])
    assert layout.mirrored == ((3, 1),)
    assert layout.mirror.tolist() == [0, 3, 2, 1]
