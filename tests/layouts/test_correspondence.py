"""Joints of one layout found in another: by name, by geometry, by a file."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout, match_layout
from kineme.layouts.correspondence import (
    anatomical_point,
    anatomical_points,
    correspondence,
    read_joint_map,
)

KINECT, NTU, COCO = LAYOUTS["kinect20"], LAYOUTS["ntu25"], LAYOUTS["coco17"]

# The skeleton of HDM05 and the CMU motion library; a joint is the end of the bone whose name it has.
ASF = {
    "root": None, "lhipjoint": "root", "lfemur": "lhipjoint", "ltibia": "lfemur", "lfoot": "ltibia",
    "ltoes": "lfoot", "rhipjoint": "root", "rfemur": "rhipjoint", "rtibia": "rfemur", "rfoot": "rtibia",
    "rtoes": "rfoot", "lowerback": "root", "upperback": "lowerback", "thorax": "upperback",
    "lowerneck": "thorax", "upperneck": "lowerneck", "head": "upperneck", "lclavicle": "thorax",
    "lhumerus": "lclavicle", "lradius": "lhumerus", "lwrist": "lradius", "lhand": "lwrist",
    "lfingers": "lhand", "lthumb": "lwrist", "rclavicle": "thorax", "rhumerus": "rclavicle",
    "rradius": "rhumerus", "rwrist": "rradius", "rhand": "rwrist", "rfingers": "rhand", "rthumb": "rwrist",
}  # fmt: skip
VICON = Layout.from_names("vicon", list(ASF), list(ASF.values()))
BODIES = [
    layout for layout in LAYOUTS.values() if None not in anatomical_points(layout)
]  # no fingers, no face


def sources(source: Layout, target: Layout, **given: list[str]) -> dict[str, dict[str, float]]:
    """Joint of the target → joints of the source and their weights."""
    weights = correspondence(source, target, given)
    return {
        joint: {source.joints[i]: round(float(row[i]), 3) for i in np.flatnonzero(row)}
        for joint, row in zip(target.joints, weights, strict=True)
    }


@pytest.mark.parametrize(
    ("names", "point"),
    [
        ("left_knee KneeLeft l_knee lknee LeftKnee knee.L lfemur", "left knee"),
        ("right_hand_tip rfingers HandTipRight", "right hand tip"),
        ("hip_center spine_base mid_hip root Hips pelvis", "pelvis"),
        ("shoulder_center spine_shoulder lowerneck", "neck base"),
        ("lclavicle ShoulderLeft left_shoulder", "left shoulder"),
        ("rhumerus right_elbow", "right elbow"),
        ("spine lowerback", "lower spine"),
        ("nose", "nose"),
        ("LeftUpLeg thigh_l LeftUpperLeg mixamorig:LeftUpLeg Bip01_L_Thigh lhipjoint", "left hip"),
        ("RightForeArm forearm.R lowerarm_r RightLowArm ELBOW_RIGHT", "right elbow"),
        ("SPINE_NAVEL Spine1 spine_01", "lower spine"),
        ("HeadTop_End head_top Head_end", "head top"),
        ("tail blob left_blob lroot", None),
    ],
)
def test_spellings_of_a_point(names, point):
    assert {anatomical_point(name) for name in names.split()} == {point}


def test_all_joints_of_the_built_in_layouts_are_known_but_fingers_and_faces() -> None:
    for layout in LAYOUTS.values():
        points = anatomical_points(layout)
        known = [point for point in points if point]
        assert len(set(known)) == len(known)
        unknown = [joint for joint, point in zip(layout.joints, points, strict=True) if not point]
        assert all("hand" in joint.lower() or "face" in joint or "Toe_End" in joint for joint in unknown)
    assert {layout.name for layout in BODIES} == set(LAYOUTS) - {"coco133", "holistic75", "mixamo65"}


@pytest.mark.parametrize(
    ("layout", "joint", "point"),
    [
        ("rig22", "LeftShoulder", "left collar"),
        ("rig22", "LeftArm", "left shoulder"),
        ("rig22", "RightHand", "right wrist"),
        ("rig22", "RightFoot", "right ankle"),
        ("rig22", "Neck", "neck base"),
        ("mixamo65", "LeftToeBase", "left toes"),
        ("cmu31", "LowerBack", "lumbar"),  # of no length: it begins in the hips
        ("cmu31", "Spine", "lower spine"),
        ("cmu31", "RThumb", "right thumb"),
        ("azure32", "clavicle_left", "left collar"),
        ("azure32", "shoulder_left", "left shoulder"),
        ("smpl22", "left_foot", "left foot"),
        ("h36m17", "thorax", "neck base"),
        ("ntu25", "left_foot", "left foot"),  # no rig: a foot is a foot
    ],
)
def test_a_name_depends_on_the_convention_of_its_layout(layout: str, joint: str, point: str) -> None:
    found = dict(zip(LAYOUTS[layout].joints, anatomical_points(LAYOUTS[layout]), strict=True))
    assert found[joint] == point


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("rig22", "ntu25", {
            "spine_base": {"Hips": 1}, "spine_shoulder": {"Neck": 1}, "spine_mid": {"Spine1": 1},
            "left_shoulder": {"LeftArm": 1}, "left_elbow": {"LeftForeArm": 1}, "left_wrist": {"LeftHand": 1},
            "right_hip": {"RightUpLeg": 1}, "right_knee": {"RightLeg": 1}, "right_ankle": {"RightFoot": 1},
            "right_foot": {"RightToe": 0.5, "RightFoot": 0.5}, "head": {"Head": 1},
            "left_hand": {"LeftHand": 1.3, "LeftForeArm": -0.3},
        }),
        ("mixamo65", "kinect20", {
            "hip_center": {"Hips": 1}, "spine": {"Spine": 1}, "shoulder_center": {"Neck": 1},
            "head": {"Head": 0.5, "HeadTop_End": 0.5}, "left_hand": {"LeftHandMiddle1": 1},
            "left_ankle": {"LeftFoot": 1}, "left_foot": {"LeftToeBase": 0.5, "LeftFoot": 0.5},
        }),
        ("cmu31", "coco17", {
            "left_shoulder": {"LeftArm": 1}, "right_elbow": {"RightForeArm": 1},
            "left_wrist": {"LeftHand": 1},
            "left_hip": {"LeftUpLeg": 1}, "right_knee": {"RightLeg": 1}, "left_ankle": {"LeftFoot": 1},
            "nose": {"Head": 1},
        }),
        ("azure32", "ntu25", {
            "spine_base": {"pelvis": 1}, "spine_shoulder": {"neck": 1}, "left_shoulder": {"shoulder_left": 1},
            "left_hand_tip": {"handtip_left": 1}, "left_thumb": {"thumb_left": 1},
            "right_foot": {"foot_right": 1},
        }),
        ("azure32", "coco17", {"nose": {"nose": 1}, "left_ear": {"ear_left": 1}}),
        ("smpl22", "kinect20", {
            "hip_center": {"pelvis": 1}, "spine": {"spine1": 1}, "shoulder_center": {"neck": 1},
            "left_foot": {"left_foot": 1}, "left_hand": {"left_wrist": 1.3, "left_elbow": -0.3},
        }),
        ("halpe26", "ntu25", {
            "spine_base": {"hip": 1},
            "left_foot": {"left_ankle": 0.5, "left_big_toe": 0.25, "left_small_toe": 0.25},
        }),
        ("h36m17", "kinect20", {"hip_center": {"root": 1}, "shoulder_center": {"thorax": 1}}),
        ("body25b", "openpose25", {"mid_hip": {"left_hip": 0.5, "right_hip": 0.5}}),
        ("coco133", "coco17", {"left_wrist": {"left_wrist": 1}, "nose": {"nose": 1}}),
        ("holistic75", "mediapipe33", {"left_pinky": {"left_pinky": 1}}),
    ],
)  # fmt: skip
def test_where_joints_of_other_systems_are_found(
    source: str, target: str, expected: dict[str, dict[str, float]]
) -> None:
    found = sources(LAYOUTS[source], LAYOUTS[target])
    assert {joint: found[joint] for joint in expected} == expected


def test_a_layout_corresponds_to_itself():
    for layout in (*LAYOUTS.values(), VICON):
        np.testing.assert_array_equal(correspondence(layout, layout), np.eye(layout.num_joints))


def test_vicon_bones_are_taken_by_their_ends():
    found = sources(VICON, KINECT)
    assert found == {
        "hip_center": {"root": 1}, "spine": {"lowerback": 1}, "shoulder_center": {"lowerneck": 1},
        "head": {"head": 1}, "left_shoulder": {"lclavicle": 1}, "left_elbow": {"lhumerus": 1},
        "left_wrist": {"lwrist": 1}, "left_hand": {"lhand": 1}, "right_shoulder": {"rclavicle": 1},
        "right_elbow": {"rhumerus": 1}, "right_wrist": {"rwrist": 1}, "right_hand": {"rhand": 1},
        "left_hip": {"lhipjoint": 1}, "left_knee": {"lfemur": 1}, "left_ankle": {"ltibia": 1},
        "left_foot": {"lfoot": 1}, "right_hip": {"rhipjoint": 1}, "right_knee": {"rfemur": 1},
        "right_ankle": {"rtibia": 1}, "right_foot": {"rfoot": 1},
    }  # fmt: skip


def test_what_a_layout_lacks_is_placed_between_or_beyond_its_joints():
    found = sources(COCO, NTU)
    assert found["spine_base"] == {"left_hip": 0.5, "right_hip": 0.5}
    assert found["spine_shoulder"] == {"left_shoulder": 0.5, "right_shoulder": 0.5}
    assert found["spine_mid"] == dict.fromkeys(
        ("left_hip", "right_hip", "left_shoulder", "right_shoulder"), 0.25
    )
    assert found["head"] == {"left_ear": 0.5, "right_ear": 0.5}
    assert found["left_hand"] == {"left_wrist": 1.3, "left_elbow": -0.3}
    assert found["left_hand_tip"] == {"left_wrist": 1.54, "left_elbow": -0.54}
    assert sources(NTU, COCO)["right_ear"] == {"head": 1}
    assert sources(VICON, NTU)["spine_mid"] == {"upperback": 1}
    assert sources(KINECT, VICON)["thorax"] == {"hip_center": 0.2, "shoulder_center": 0.8}


def test_the_neck_of_openpose_lies_between_the_shoulders():
    assert sources(NTU, LAYOUTS["openpose25"])["neck"] == {"spine_shoulder": 1}
    assert sources(LAYOUTS["openpose25"], KINECT)["shoulder_center"] == {"neck": 1}
    assert sources(VICON, NTU)["neck"] == {"upperneck": 1}


def test_between_all_pairs_weights_sum_to_1_and_keep_left_and_right():
    for source, target in product((*LAYOUTS.values(), VICON), (*BODIES, VICON)):
        weights = correspondence(source, target)
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(weights[target.mirror][:, source.mirror], weights, atol=1e-7)


def test_a_standing_figure_keeps_its_posture():
    """From each built-in layout to Kinect v1's: the hands reach beyond the wrists, the head is on top."""
    standing = {
        "hip_center": (0, 0), "spine": (0, 0.06), "shoulder_center": (0, 0.4), "head": (0, 0.6),
        "left_shoulder": (0.2, 0.35), "left_elbow": (0.2, 0.1), "left_wrist": (0.2, -0.15),
        "left_hand": (0.2, -0.23), "left_hip": (0.1, -0.07), "left_knee": (0.1, -0.5),
        "left_ankle": (0.1, -0.9), "left_foot": (0.1, -0.97),
    }  # fmt: skip
    xyz = np.zeros((20, 3))
    for joint, (x, y) in standing.items():
        xyz[KINECT.joints.index(joint), :2] = x, y
        if joint.startswith("left"):
            xyz[KINECT.joints.index(joint.replace("left", "right")), :2] = -x, y
    for other in (*BODIES, VICON):
        back = correspondence(other, KINECT) @ correspondence(KINECT, other) @ xyz
        assert np.abs(back - xyz).max() < 0.08, other.name


def test_a_joint_map_goes_before_the_names():
    found = sources(KINECT, COCO, nose=["head", "shoulder_center"], left_ear=["left_hand"])
    assert found["nose"] == {"head": 0.5, "shoulder_center": 0.5}
    assert found["left_ear"] == {"left_hand": 1}
    assert found["right_ear"] == {"head": 1}


def test_unknown_names_are_found_by_their_spelling_or_refused():
    robot = Layout.from_names("robot", ["torso_plate", "left_claw", "head"], [None, 0, 0])
    camera = Layout.from_names("camera", ["TorsoPlate", "head", "nose"], [None, 0, 1])
    with pytest.raises(
        KinemeError, match=r"'camera' has no joints to place these of 'robot': left_claw; .*`joint_map`"
    ):
        correspondence(camera, robot)
    found = sources(camera, robot, left_claw=["nose"])
    assert found == {"torso_plate": {"TorsoPlate": 1}, "left_claw": {"nose": 1}, "head": {"head": 1}}


def test_a_root_on_the_floor_is_not_the_hips():
    """Unreal, Move.ai and others write one below them."""
    joints = "root pelvis spine_01 neck_01 head".split()
    for order in (joints, ["pelvis", "root", *joints[2:]]):
        rig = Layout.from_names("rig", order, [None, *range(4)])
        target = Layout.from_names("target", ["hip_center", "head"], [None, 0])
        assert sources(rig, target)["hip_center"] == {"pelvis": 1}


@pytest.mark.parametrize(
    ("names", "joints"),
    [
        ("J_Bip_C_Hips J_Bip_~_UpperArm J_Bip_~_LowerArm J_Bip_~_Hand J_Bip_~_UpperLeg J_Bip_~_LowerLeg "
         "J_Bip_~_Foot", [0, 1, 2, 3, 4, 5, 6]),  # VRoid
        ("hip -Collar -Shldr -ForeArm -Hand -Buttock -Thigh -Shin -Foot", [0, 2, 3, 4, 6, 7, 8]),  # Poser
        ("hip -Collar -ShldrBend -ForearmBend -Hand -ThighBend -Shin -Foot", [0, 2, 3, 4, 5, 6, 7]),  # Daz
        ("Hips ^Arm ^ForeArm ^Hand ^Thigh ^Shin ^Foot", [0, 1, 2, 3, 4, 5, 6]),  # Rokoko
        ("Hips ^UpArm ^LowArm ^Hand ^UpLeg ^LowLeg ^Foot", [0, 1, 2, 3, 4, 5, 6]),  # first examples of BVH
        ("root ~_shoulder ~_up_arm ~_low_arm ~_hand ~_up_leg ~_low_leg ~_foot",
         [0, 2, 3, 4, 5, 6, 7]),  # mocopi
    ],
)  # fmt: skip
def test_limbs_of_rigs_by_the_names_of_their_programs(names: str, joints: list[int]):
    left, right = (
        names.replace("~", side[0]).replace("-", side[0].lower()).replace("^", side).split()
        for side in ("Left", "Right")
    )
    rig = Layout.from_names("rig", [*left, *right[1:]], [None, *[0] * (2 * len(left) - 2)])
    wanted = "hip_center left_shoulder left_elbow left_wrist left_hip left_knee left_ankle".split()
    target = Layout.from_names("target", wanted, [None, *[0] * 6])
    assert [*sources(rig, target).values()] == [{left[at]: 1.0} for at in joints]
    assert rig.facing is not None
    assert rig.joints[rig.facing[0]] == left[joints[1]]


def test_a_point_without_any_neighbours_is_refused():
    legs = Layout.from_names("legs", ["pelvis", "left_knee", "right_knee"], [None, 0, 0])
    with pytest.raises(KinemeError, match="shoulder_center, head, left_shoulder"):
        correspondence(legs, KINECT)


def test_a_joint_map_is_read_from_a_file(tmp_path):
    file = tmp_path / "joints.yaml"
    file.write_text("nose: head\nleft_ear: [head, left_shoulder]\n")
    assert read_joint_map(file) == {"nose": ("head",), "left_ear": ("head", "left_shoulder")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- head", "a joint map has lines such as"),
        ("", "a joint map has lines such as"),
        ("nose: 3", r"nose: is 3; it must be a joint's name"),
        ("nose: []", r"nose: is \[\]"),
        ("nose: [head, head]", "nose: lists a joint twice"),
        ("nose: [head", "cannot be read as a joint map"),
    ],
)
def test_what_is_no_joint_map_is_refused(tmp_path, text, reason):
    (tmp_path / "joints.yaml").write_text(text)
    with pytest.raises(KinemeError, match=rf"joints\.yaml: .*{reason}"):
        read_joint_map(tmp_path / "joints.yaml")


def test_a_joint_map_that_is_missing_or_names_no_joint_is_refused(tmp_path):
    with pytest.raises(KinemeError, match=r"none\.yaml: cannot be read"):
        read_joint_map(tmp_path / "none.yaml")
    with pytest.raises(KinemeError, match="layout 'coco17' has no joint 'tail'; its joints are nose"):
        correspondence(KINECT, COCO, {"tail": ["head"]})
    with pytest.raises(KinemeError, match="layout 'kinect20' has no joint 'nose'"):
        correspondence(KINECT, COCO, {"nose": ["nose"]})


@pytest.mark.data
def test_people_keep_their_measures():
    """Recorded by Vicon and by Kinect, in Kinect's joints: limbs of one length within a fifth, heads up."""
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA names no folder of recordings")
    limbs = {}
    for file in ("hdm05_11", "utd_mhad", "precog"):
        data = np.load(Path(folder) / f"{file}.npz")
        layout, order = match_layout(list(data["joint_names"]), list(data["parents"]), file)
        xyz = data["xyz"][::10, order]
        xyz = correspondence(layout, KINECT) @ xyz[xyz.any(axis=(1, 2))]
        child, parent = np.array(KINECT.bones).T
        length = np.median(np.linalg.norm(xyz[:, child] - xyz[:, parent], axis=-1), axis=0)
        by_name = dict(zip([KINECT.joints[i] for i in child], length, strict=True))
        limbs[file] = [
            by_name[f"{side}_{upper}"] + by_name[f"{side}_{lower}"]
            for side in ("left", "right")
            for upper, lower in (("elbow", "wrist"), ("knee", "ankle"))
        ]
        height = np.median(xyz[..., 1], axis=0)
        order = [height[KINECT.joints.index(j)] for j in ("head", "shoulder_center", "spine", "hip_center")]
        order += [height[[KINECT.joints.index(f"{s}_{j}") for s in ("left", "right")]].mean()
                  for j in ("knee", "ankle", "foot")]  # fmt: skip
        assert order == sorted(order, reverse=True), file
    for file in ("utd_mhad", "precog"):
        np.testing.assert_allclose(limbs["hdm05_11"], limbs[file], rtol=0.2)
