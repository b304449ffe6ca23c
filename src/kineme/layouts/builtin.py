"""The built-in layouts as data: joints in the order of their publisher, and the tree as chains.

A chain `hip > knee > ankle` makes the hip the parent of the knee and the knee that of the ankle; the joint
that no chain has as a child is the root. `SOURCES` says whose definition it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

SOURCES: Mapping[str, str] = {
    "ntu25": "NTU RGB+D and PKU-MMD: Kinect v2, bones as 2s-AGCN draws them",
    "kinect20": "Kinect v1: UTD-MHAD, Northwestern-UCLA",
    "azure32": "Azure Kinect body tracking (k4abt_joint_id_t)",
    "coco17": "COCO keypoints: AlphaPose, HRNet, ViTPose, YOLO-pose, RTMPose",
    "coco133": "COCO-WholeBody: body, feet, face and hands",
    "halpe26": "Halpe: body and feet, as RTMPose and AlphaPose give them, and Pose2Sim",
    "h36m17": "Human3.6M as VideoPose3D, MotionBERT and MMPose take it",
    "openpose25": "OpenPose BODY_25",
    "body25b": "OpenPose BODY_25B",
    "mediapipe33": "MediaPipe Pose",
    "holistic75": "MediaPipe Holistic: pose and both hands, without the face",
    "smpl22": "body joints of SMPL, SMPL-H and SMPL-X: AMASS, HumanML3D",
    "rig22": "body of animation rigs: LaFAN1, Mixamo without fingers; names are bones",
    "mixamo65": "Mixamo's standard rig with fingers",
    "cmu31": "CMU motion library as BVH",
    "body": "every part of the body that other layouts have, for one encoder of them all",
}


@dataclass(frozen=True)
class Definition:
    """A layout before its joints have numbers; `centre` and `origin` as in `Layout`."""

    joints: tuple[str, ...]
    chains: tuple[str, ...]
    centre: str | None = None
    origin: tuple[str, ...] | None = None
    mirrored: tuple[tuple[str, str], ...] = ()  # (left, right), besides those whose names say so

    @property
    def parents(self) -> list[str | None]:
        """Of each joint, by name."""
        parent: dict[str, str] = {}
        for chain in self.chains:
            names = chain.split(" > ")
            for above, below in pairwise(names):
                assert below not in parent, f"{below} has two parents"
                parent[below] = above
        return [parent.get(joint) for joint in self.joints]


def _sides(*chains: str) -> tuple[str, ...]:
    """Each chain for both sides: `~` is left and right, `^` Left and Right, `%` L and R."""
    return tuple(
        chain.replace("~", low).replace("^", high).replace("%", high[0])
        for chain in chains
        for low, high in (("left", "Left"), ("right", "Right"))
        if low == "left" or any(mark in chain for mark in "~^%")
    )


def _fingers(hand: str, names: str, count: int, first: int = 1) -> list[str]:
    return [f"{hand}{name}{number}" for name in names.split() for number in range(first, first + count)]


_HIPS = ("left_hip", "right_hip")
_BODY_SIDE = (
    "inner_eye eye outer_eye ear mouth collar shoulder elbow radius wrist hand hand_tip thumb index pinky "
    "hip_bone hip knee ankle heel foot toes big_toe small_toe"
).split()
_COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
_COCO_CHAINS = _sides(
    "nose > ~_eye > ~_ear", "nose > ~_shoulder > ~_elbow > ~_wrist", "~_shoulder > ~_hip > ~_knee > ~_ankle"
)
_FEET = _sides("~_ankle > ~_heel", "~_ankle > ~_big_toe > ~_small_toe")
_MEDIAPIPE = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
    "right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
).split()
_MEDIAPIPE_CHAINS = _sides(
    "nose > ~_eye_inner > ~_eye > ~_eye_outer > ~_ear",
    "nose > mouth_~",
    "nose > ~_shoulder > ~_elbow > ~_wrist > ~_pinky",
    "~_wrist > ~_index",
    "~_wrist > ~_thumb",
    "~_shoulder > ~_hip > ~_knee > ~_ankle > ~_heel > ~_foot_index",
)
_MEDIAPIPE_HAND = "wrist thumb_cmc thumb_mcp thumb_ip thumb_tip " + " ".join(
    f"{finger}_{part}"
    for finger in ("index", "middle", "ring", "pinky")
    for part in ("mcp", "pip", "dip", "tip")
)
_COCO_HAND = ["root", *_fingers("", "thumb forefinger middle_finger ring_finger pinky_finger", 4)]
_RIG = (
    "Hips LeftUpLeg LeftLeg LeftFoot LeftToe RightUpLeg RightLeg RightFoot RightToe Spine Spine1 Spine2 Neck "
    "Head LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder RightArm RightForeArm RightHand"
).split()
_RIG_SPINE = ("Hips > Spine > Spine1 > Spine2 > Neck > Head",)
_RIG_ARMS = _sides("Spine2 > ^Shoulder > ^Arm > ^ForeArm > ^Hand")


# COCO-WholeBody's face landmarks are those of 300-W; low numbers lie on the right side of the face.
_FACE_PAIRS = (
    *((right, 16 - right) for right in range(8)),  # contour
    *((right, 43 - right) for right in range(17, 22)),  # brows
    *((31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),  # nose, eyes
    *((48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)),  # lips
)


def _mixamo(side: str) -> list[str]:
    arm = [f"{side}{part}" for part in ("Shoulder", "Arm", "ForeArm", "Hand")]
    return arm + _fingers(f"{side}Hand", "Thumb Index Middle Ring Pinky", 4)


def _numbered(chain: str, count: int) -> str:
    return " > ".join(f"{chain}{number}" for number in range(1, count + 1))


DEFINITIONS: Mapping[str, Definition] = {
    "ntu25": Definition(
        tuple(
            (
                "spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand "
                "right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot "
                "right_hip right_knee right_ankle right_foot spine_shoulder left_hand_tip left_thumb "
                "right_hand_tip right_thumb"
            ).split()
        ),
        # NTU RGB+D's bones hang from the spine at the shoulders; a hand tip hangs from its thumb.
        (
            "spine_shoulder > spine_mid > spine_base",
            "spine_shoulder > neck > head",
            *_sides(
                "spine_shoulder > ~_shoulder > ~_elbow > ~_wrist > ~_hand > ~_thumb > ~_hand_tip",
                "spine_base > ~_hip > ~_knee > ~_ankle > ~_foot",
            ),
        ),
        centre="spine_shoulder",
        origin=("spine_base",),
    ),
    "kinect20": Definition(
        tuple(
            (
                "hip_center spine shoulder_center head left_shoulder left_elbow left_wrist left_hand "
                "right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot "
                "right_hip right_knee right_ankle right_foot"
            ).split()
        ),
        (
            "hip_center > spine > shoulder_center > head",
            *_sides(
                "shoulder_center > ~_shoulder > ~_elbow > ~_wrist > ~_hand",
                "hip_center > ~_hip > ~_knee > ~_ankle > ~_foot",
            ),
        ),
        centre="shoulder_center",
        origin=("hip_center",),
    ),
    "azure32": Definition(
        tuple(
            (
                "pelvis spine_navel spine_chest neck clavicle_left shoulder_left elbow_left wrist_left "
                "hand_left handtip_left thumb_left clavicle_right shoulder_right elbow_right wrist_right "
                "hand_right handtip_right thumb_right hip_left knee_left ankle_left foot_left hip_right "
                "knee_right ankle_right foot_right head nose eye_left ear_left eye_right ear_right"
            ).split()
        ),
        (
            "pelvis > spine_navel > spine_chest > neck > head > nose",
            *_sides(
                "spine_chest > clavicle_~ > shoulder_~ > elbow_~ > wrist_~ > hand_~ > handtip_~",
                "wrist_~ > thumb_~",
                "pelvis > hip_~ > knee_~ > ankle_~ > foot_~",
                "head > eye_~",
                "head > ear_~",
            ),
        ),
    ),
    "coco17": Definition(tuple(_COCO), _COCO_CHAINS, origin=_HIPS),
    "coco133": Definition(
        (
            *_COCO,
            *"left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel".split(),
            *(f"face_{number}" for number in range(68)),
            *(f"{side}_hand_{part}" for side in ("left", "right") for part in _COCO_HAND),
        ),
        (
            *_COCO_CHAINS,
            *_FEET,
            *(f"nose > face_{number}" for number in range(68)),
            *_sides(
                "~_wrist > ~_hand_root",
                *(
                    "~_hand_root > " + _numbered(f"~_hand_{finger}", 4)
                    for finger in "thumb forefinger middle_finger ring_finger pinky_finger".split()
                ),
            ),
        ),
        origin=_HIPS,
        mirrored=tuple((f"face_{left}", f"face_{right}") for right, left in _FACE_PAIRS),
    ),
    "halpe26": Definition(
        (
            *_COCO,
            *"head neck hip left_big_toe right_big_toe left_small_toe right_small_toe".split(),
            *"left_heel right_heel".split(),
        ),
        (
            "hip > neck > nose > head",
            *_sides(
                "nose > ~_eye > ~_ear",
                "neck > ~_shoulder > ~_elbow > ~_wrist",
                "hip > ~_hip > ~_knee > ~_ankle",
            ),
            *_FEET,
        ),
    ),
    "h36m17": Definition(
        tuple(
            (
                "root right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head "
                "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
            ).split()
        ),
        (
            "root > spine > thorax > nose > head",
            *_sides("root > ~_hip > ~_knee > ~_ankle", "thorax > ~_shoulder > ~_elbow > ~_wrist"),
        ),
    ),
    "openpose25": Definition(
        tuple(
            (
                "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
                "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye "
                "right_ear left_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe "
                "right_heel"
            ).split()
        ),
        (
            "neck > nose",
            "neck > mid_hip",
            *_sides(
                "nose > ~_eye > ~_ear",
                "neck > ~_shoulder > ~_elbow > ~_wrist",
                "mid_hip > ~_hip > ~_knee > ~_ankle",
            ),
            *_FEET,
        ),
        origin=("mid_hip",),
    ),
    "body25b": Definition(
        (
            *_COCO,
            *"upper_neck head_top left_big_toe left_small_toe left_heel".split(),
            *"right_big_toe right_small_toe right_heel".split(),
        ),
        (
            "upper_neck > nose",
            "upper_neck > head_top",
            *_sides(
                "nose > ~_eye > ~_ear",
                "upper_neck > ~_shoulder > ~_elbow > ~_wrist",
                "~_shoulder > ~_hip > ~_knee > ~_ankle",
            ),
            *_FEET,
        ),
        origin=_HIPS,
    ),
    "mediapipe33": Definition(tuple(_MEDIAPIPE), _MEDIAPIPE_CHAINS, origin=_HIPS),
    "holistic75": Definition(
        (
            *_MEDIAPIPE,
            *(f"{side}_hand_{part}" for side in ("left", "right") for part in _MEDIAPIPE_HAND.split()),
        ),
        (
            *_MEDIAPIPE_CHAINS,
            *_sides(
                "~_wrist > ~_hand_wrist > "
                + " > ".join(f"~_hand_thumb_{part}" for part in ("cmc", "mcp", "ip", "tip")),
                *(
                    "~_hand_wrist > "
                    + " > ".join(f"~_hand_{finger}_{part}" for part in ("mcp", "pip", "dip", "tip"))
                    for finger in ("index", "middle", "ring", "pinky")
                ),
            ),
        ),
        origin=_HIPS,
    ),
    "smpl22": Definition(
        tuple(
            (
                "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
                "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder "
                "left_elbow right_elbow left_wrist right_wrist"
            ).split()
        ),
        (
            "pelvis > spine1 > spine2 > spine3 > neck > head",
            *_sides(
                "pelvis > ~_hip > ~_knee > ~_ankle > ~_foot",
                "spine3 > ~_collar > ~_shoulder > ~_elbow > ~_wrist",
            ),
        ),
    ),
    "rig22": Definition(
        tuple(_RIG),
        (*_RIG_SPINE, *_RIG_ARMS, *_sides("Hips > ^UpLeg > ^Leg > ^Foot > ^Toe")),
    ),
    "mixamo65": Definition(
        (
            *"Hips Spine Spine1 Spine2 Neck Head HeadTop_End".split(),
            *_mixamo("Left"),
            *_mixamo("Right"),
            *(
                f"{side}{part}"
                for side in ("Left", "Right")
                for part in ("UpLeg", "Leg", "Foot", "ToeBase", "Toe_End")
            ),
        ),
        (
            *_RIG_SPINE,
            "Head > HeadTop_End",
            *_RIG_ARMS,
            *_sides(
                "Hips > ^UpLeg > ^Leg > ^Foot > ^ToeBase > ^Toe_End",
                *(
                    "^Hand > " + _numbered(f"^Hand{finger}", 4)
                    for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")
                ),
            ),
        ),
    ),
    "cmu31": Definition(
        tuple(
            (
                "Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg "
                "RightFoot RightToeBase LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm "
                "LeftForeArm LeftHand LeftFingerBase LeftHandIndex1 LThumb RightShoulder RightArm "
                "RightForeArm RightHand RightFingerBase RightHandIndex1 RThumb"
            ).split()
        ),
        (
            "Hips > LowerBack > Spine > Spine1 > Neck > Neck1 > Head",
            *_sides(
                "Hips > %HipJoint > ^UpLeg > ^Leg > ^Foot > ^ToeBase",
                "Spine1 > ^Shoulder > ^Arm > ^ForeArm > ^Hand > ^FingerBase > ^HandIndex1",
                "^Hand > %Thumb",
            ),
        ),
    ),
    # A joint for every point that `correspondence` knows; the radius is a point of the forearm.
    "body": Definition(
        (
            *"pelvis lumbar lower_spine middle_spine chest neck_base neck".split(),
            *"head_base head head_top nose".split(),
            *(f"{side}_{part}" for side in ("left", "right") for part in _BODY_SIDE),
        ),
        (
            "pelvis > lumbar > lower_spine > middle_spine > chest > neck_base > neck > head_base > head",
            "head > head_top",
            "head > nose",
            *_sides(
                "nose > ~_inner_eye > ~_eye > ~_outer_eye > ~_ear",
                "nose > ~_mouth",
                "neck_base > ~_collar > ~_shoulder > ~_elbow > ~_radius > ~_wrist > ~_hand > ~_hand_tip",
                "~_wrist > ~_thumb",
                "~_hand > ~_index",
                "~_hand > ~_pinky",
                "pelvis > ~_hip_bone > ~_hip > ~_knee > ~_ankle > ~_heel",
                "~_ankle > ~_foot > ~_toes > ~_big_toe",
                "~_toes > ~_small_toe",
            ),
        ),
    ),
}
