"""Where joints belong in the layout of the whole body."""

from __future__ import annotations

import pytest

from kineme.layouts import LAYOUTS, Layout
from kineme.layouts.body import BODY, body_places
from kineme.layouts.correspondence import anatomical_points

DOG = Layout.from_names(
    "dog",
    (
        "nose withers rump left_fore_a left_fore_b left_shin left_paw right_fore_a right_fore_b right_shin "
        "right_paw"
    ).split(),
    ["withers", "rump", None, *["withers", "left_fore_a", "rump", "left_shin"],
     *["withers", "right_fore_a", "rump", "right_shin"]],
)  # fmt: skip


def placed(layout: Layout) -> dict[str, str]:
    """Joint → its place, of those that have one."""
    places = body_places(layout)
    return {joint: BODY.joints[at] for joint, at in zip(layout.joints, places, strict=True) if at is not None}


@pytest.mark.parametrize("layout", [*LAYOUTS.values(), DOG], ids=lambda layout: layout.name)
def test_places_are_distinct_and_mirrored_pairs_have_mirrored_places(layout: Layout) -> None:
    places = body_places(layout)
    taken = [place for place in places if place is not None]
    assert len(set(taken)) == len(taken)
    for joint, place in enumerate(places):
        mirrored = places[layout.mirror[joint]]
        assert mirrored == (None if place is None else BODY.mirror[place])
    left = {pair[0] for pair in layout.mirrored}
    assert all(BODY.joints[places[joint]].startswith("left") for joint in left if places[joint] is not None)


def test_the_body_has_a_joint_for_every_point_in_its_own_place() -> None:
    assert body_places(BODY) == tuple(range(59))
    points = {point for layout in LAYOUTS.values() for point in anatomical_points(layout)} - {None}
    assert points == set(anatomical_points(BODY))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_joint_whose_name_is_known_stands_for_the_same_point_in_the_body(layout: Layout) -> None:
    points, known = anatomical_points(layout), anatomical_points(BODY)
    for point, place in zip(points, body_places(layout), strict=True):
        assert point is None or (place is not None and known[place] == point)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("ntu25", {"spine_base": "pelvis", "spine_shoulder": "neck_base", "left_foot": "left_foot"}),
        ("kinect20", {"spine": "lower_spine", "head": "head", "right_hand": "right_hand"}),
        ("azure32", {"spine_chest": "chest", "clavicle_left": "left_collar"}),
        ("coco17", {"left_hip": "left_hip", "nose": "nose"}),
        ("coco133", {"face_36": "right_outer_eye", "face_54": "left_mouth",
                     "left_hand_middle_finger4": "left_hand_tip"}),
        ("halpe26", {"head": "head_top", "neck": "neck", "hip": "pelvis"}),
        ("h36m17", {"thorax": "neck_base", "head": "head_top"}),
        ("openpose25", {"neck": "neck_base", "mid_hip": "pelvis"}),
        ("body25b", {"upper_neck": "neck", "left_heel": "left_heel"}),
        ("mediapipe33", {"mouth_left": "left_mouth", "left_foot_index": "left_toes"}),
        ("holistic75", {"left_index": "left_index", "left_hand_middle_tip": "left_hand_tip"}),
        ("smpl22", {"left_collar": "left_collar", "head": "head_base"}),
        ("rig22", {"LeftArm": "left_shoulder", "LeftHand": "left_wrist", "LeftToe": "left_toes"}),
        ("mixamo65", {"HeadTop_End": "head_top", "LeftHandThumb3": "left_thumb",
                      "LeftToe_End": "left_big_toe"}),
        ("cmu31", {"LHipJoint": "left_hip_bone", "LowerBack": "lumbar", "RThumb": "right_thumb"}),
    ],
)  # fmt: skip
def test_where_joints_of_the_built_in_layouts_go(name: str, places: dict[str, str]) -> None:
    found = placed(LAYOUTS[name])
    assert {joint: found[joint] for joint in places} == places


def test_only_some_joints_of_fingers_and_faces_have_no_place() -> None:
    numbers = {name: len(placed(layout)) for name, layout in LAYOUTS.items()}
    short = {name: number for name, number in numbers.items() if number < LAYOUTS[name].num_joints}
    assert short == {"coco133": 39, "holistic75": 37, "mixamo65": 35}


def test_unknown_joints_are_placed_by_side_limb_and_how_far_along_they_are() -> None:
    assert placed(DOG) == {
        "nose": "nose", "withers": "neck", "rump": "pelvis",
        "left_fore_a": "left_collar", "left_fore_b": "left_hand_tip",
        "left_shin": "left_knee", "left_paw": "left_big_toe",
        "right_fore_a": "right_collar", "right_fore_b": "right_hand_tip",
        "right_shin": "right_knee", "right_paw": "right_big_toe",
    }  # fmt: skip


def test_joints_beyond_the_places_of_a_part_have_none() -> None:
    snake = Layout.from_names("snake", [f"bone {n}" for n in range(15)], [None, *range(14)])
    assert placed(snake) == {f"bone {n}": joint for n, joint in enumerate(BODY.joints[:10])}
