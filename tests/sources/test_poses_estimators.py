"""MMPose, Ultralytics, AlphaPose, OpenPose's hands, ViTPose, COCO annotations, FreeMoCap and Kinect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Detections
from kineme.sources.poses.documents import json_poses
from kineme.sources.poses.yolo import yolo, yolo_frame
from kineme.typing import Array

RNG = np.random.default_rng(3)
STICK = RNG.uniform(-60, 60, (17, 2)).round(1)
XY = STICK + np.array([300.0, 200.0]) + np.arange(6)[:, None, None]  # (T, 17, 2), a pixel a frame


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def found_in(content: Any) -> Detections:
    found = json_poses(json.dumps(content).encode(), scores=False)
    assert isinstance(found, Detections)
    return found


def instance(xy: Array, **more: Any) -> dict[str, Any]:
    """A person as MMPose writes one."""
    return {"keypoints": xy.tolist(), "keypoint_scores": [0.5] * len(xy), "bbox": [[0, 0, 9, 9]]} | more


def points_of(xy: Array) -> list[list[float]]:
    """x, y and a score of each joint."""
    return [[*place, 0.5] for place in xy.tolist()]


class TestMMPose:
    @pytest.mark.parametrize(
        "wrap", [lambda frames: frames, lambda frames: {"meta_info": {}, "instance_info": frames}]
    )
    def test_predictions_of_a_video(self, wrap: Any) -> None:
        frames = [{"frame_id": t + 1, "instances": [instance(XY[t])]} for t in range(6) if t != 2]
        found = found_in(wrap(frames))
        assert (found.frame.tolist(), found.frames) == ([0, 1, 3, 4, 5], 6)
        np.testing.assert_allclose(found.points[2], XY[3], rtol=1e-6)
        assert found.confidence is not None
        assert (found.confidence == 0.5).all()

    def test_of_images_in_a_row(self) -> None:
        found = found_in([[instance(XY[t]), instance(XY[t] + 200)] for t in range(6)])
        assert found.frame.tolist() == [t for t in range(6) for _ in range(2)]

    def test_the_people_of_one_image_are_no_frames(self) -> None:
        found = found_in([instance(XY[0], bbox_score=0.9), instance(XY[0] + 200, bbox_score=0.8)])
        assert (found.frame.tolist(), found.frames) == ([0, 0], 1)

    def test_scores_of_each_person_beside_the_points_of_all(self) -> None:
        """RTMLib's arrays as lists."""
        frames = [
            {
                "frame": t,
                "keypoints": [XY[t].tolist(), (XY[t] + 200).tolist()],
                "scores": [[0.5] * 17, [0.25] * 17],
            }
            for t in range(6)
        ]
        found = found_in(frames)
        np.testing.assert_allclose(found.points[2::2], XY[1:], rtol=1e-6)
        assert found.confidence is not None
        assert found.confidence[:, 0].tolist() == [0.5, 0.25] * 6

    def test_in_three_dimensions(self) -> None:
        solid = np.concatenate([XY, XY[..., :1]], axis=-1) / 100
        found = found_in([{"frame_id": t, "instances": [instance(solid[t])]} for t in range(6)])
        np.testing.assert_allclose(found.points, solid, rtol=1e-6)

    def test_human36m_by_its_names_of_the_joints(self, tmp_path: Path) -> None:
        names = [
            name.replace("ankle", "foot").replace("nose", "neck_base") for name in LAYOUTS["h36m17"].joints
        ]
        solid = np.random.default_rng(1).uniform(0, 0.2, (4, 17, 3)).round(3)
        solid[:, names.index("head"), 2] += 1.7  # metres, z up
        content = {
            "meta_info": {"dataset_name": "h36m", "keypoint_id2name": dict(enumerate(names))},
            "instance_info": [{"frame_id": t, "instances": [instance(solid[t])]} for t in range(4)],
        }
        source = open_poses(written(tmp_path / "a.json", content))
        assert source.layout == LAYOUTS["h36m17"]
        turned = solid[..., [0, 2, 1]] * [1, 1, -1]
        np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0], turned, atol=1e-5)

    def test_tracks_are_who_is_who(self, tmp_path: Path) -> None:
        """Two who change places at once, which nothing but their track tells."""
        one, other = XY[0], XY[0] + 150
        frames = []
        for t in range(6):
            places = (one, other) if t % 2 else (other, one)
            tracks = [instance(each, track_id=who) for each, who in zip(places, (3, 8), strict=True)]
            frames.append({"frame_id": t, "instances": tracks})
        source = open_poses(written(tmp_path / "a.json", frames), layout="coco17")
        clip = source.read(source.items[0])
        steps = np.abs(np.diff(clip.xyz[..., 0], axis=0))
        assert (steps.min(axis=(1, 2)) > 0.5).all()


class TestAnEntryForEachPerson:
    """A list of people of all frames, in any order, as programs write who use an estimator."""

    def entries(self, **more: Any) -> list[dict[str, Any]]:
        return [
            {"frame": t, **more, "person_id": who, "keypoints": points_of(XY[t] + 200 * who)}
            for t in range(6)
            for who in range(2)
        ]

    def check(self, entries: Any) -> None:
        found = found_in(entries)
        assert (found.frames, sorted(found.frame.tolist())) == (6, sorted([*range(6)] * 2))
        assert found.identity is not None
        for who in range(2):
            mine = found.identity == who
            np.testing.assert_allclose(found.points[mine], XY + 200 * who, rtol=1e-6)

    def test_entries_of_one_number_are_one_frame(self) -> None:
        entries = self.entries()
        self.check(entries)
        self.check(sorted(entries, key=lambda entry: -entry["person_id"]))
        self.check([each | {"frame": float(each["frame"])} for each in entries])

    def test_entries_of_one_image_are_one_frame(self) -> None:
        entries = self.entries()
        self.check([each | {"frame": None, "image": f"{9 - each['frame']}.jpg"} for each in entries])
        for each in entries:
            each |= {"frame": None, "image": "video.mp4"}  # says nothing of frames
        assert found_in(entries).frames == 12

    def test_different_people_of_one_time_are_one_frame(self) -> None:
        entries = [each | {"frame": None, "timestamp": each["frame"] / 25} for each in self.entries()]
        self.check(entries)
        again = [each | {"person_id": 0} for each in entries]  # one who is twice in a time is in two frames
        assert found_in(again).frames == 12
        rows = [{"id": at, "timestamp": "12:00:00", "keypoints": points_of(XY[0])} for at in range(12)]
        assert found_in(rows).frames == 12  # numbers of rows, in one second

    def test_numbers_that_never_come_back_are_of_rows(self, tmp_path: Path) -> None:
        rows = [{"frame": t, "id": 70 + t, "keypoints": points_of(XY[t])} for t in range(6)]
        source = open_poses(written(tmp_path / "a.json", rows))
        assert source.read(source.items[0]).xyz.any(axis=(2, 3)).sum(axis=0).tolist() == [6]

    def test_a_running_number_is_nobody(self) -> None:
        self.check([{"id": at, **each} for at, each in enumerate(self.entries())])

    def test_their_times_are_those_of_frames(self, tmp_path: Path) -> None:
        entries = [each | {"timestamp": each["frame"] / 25} for each in self.entries()]
        source = open_poses(written(tmp_path / "a.json", entries))
        assert (source.fps, source.read(source.items[0]).xyz.shape[:2]) == (25, (6, 2))


class TestUltralytics:
    def person(self, t: int, **more: Any) -> dict[str, Any]:
        columns = {"x": XY[t, :, 0].tolist(), "y": XY[t, :, 1].tolist(), "visible": [0.75] * 17}
        return {
            "name": "person",
            "class": 0,
            "confidence": 0.9,
            "box": {"x1": 1, "y1": 2},
            "keypoints": columns,
        } | more

    def test_results_as_json(self) -> None:
        found = found_in([[self.person(t, track_id=1)] for t in range(6)])
        np.testing.assert_allclose(found.points, XY, rtol=1e-6)
        assert found.identity is not None
        assert found.identity.tolist() == [1] * 6
        assert found.confidence is not None
        assert (found.confidence == 0.75).all()

    def test_normalised_results_need_the_image(self, tmp_path: Path) -> None:
        frames = []
        for t in range(6):
            person = self.person(t)
            person["keypoints"]["x"] = (XY[t, :, 0] / 640).tolist()
            person["keypoints"]["y"] = (XY[t, :, 1] / 480).tolist()
            frames.append([person])
        path = written(tmp_path / "a.json", frames)
        with pytest.raises(KinemeError, match="fractions of the image"):
            open_poses(path)
        source = open_poses(path, image="640x480")
        expected = (XY - [320, 240]) / [480, -480]
        np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0, :, :2], expected, atol=1e-5)

    def line(self, t: int, *more: str) -> str:
        points = " ".join(f"{x / 640:.6f} {y / 480:.6f} 0.9" for x, y in XY[t])
        return " ".join([f"0 0.5 0.5 0.2 0.4 {points}", *more])

    def test_text_files_a_frame(self, tmp_path: Path) -> None:
        for t in range(6):
            written(tmp_path / f"walk_{t + 1}.txt", self.line(t))
        written(tmp_path / "classes.txt", "person\n")
        source = open_poses(tmp_path, image="640x480")
        assert (source.layout.name, list(source.names)) == ("coco17", ["walk"])
        expected = (XY - [320, 240]) / [480, -480]
        np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0, :, :2], expected, atol=1e-5)
        with pytest.raises(KinemeError, match="fractions of the image"):
            open_poses(tmp_path)

    def test_confidences_and_tracks_at_the_end_of_a_line(self) -> None:
        frames = [yolo_frame(f"{self.line(t, '0.91', '4')}\n".encode()) for t in range(2)]
        found = yolo((1, 2), frames, None)
        assert found.identity is not None
        assert found.identity.tolist() == [4, 4]
        assert yolo((1, 2), [yolo_frame(self.line(0, "0.91").encode()), []], None).identity is None

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("0 0.5 0.5 0.2 0.4 0.1", "has 6 numbers a person; expected 2 or 3 for each of 17 joints"),
            (" ".join(["0"] * 55 + ["x"]), "has 'x' in place of a number"),
        ],
    )
    def test_what_is_none_is_refused(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            yolo((1,), [yolo_frame(text.encode())], None)


class TestAlphaPose:
    def entries(self, names: list[str], **more: Any) -> list[dict[str, Any]]:
        flat = [np.concatenate([each, np.full((17, 1), 0.5)], axis=1).ravel().tolist() for each in XY]
        return [
            {"image_id": name, "category_id": 1, "keypoints": each, "score": 2.9} | more
            for name, each in zip(names, flat, strict=True)
        ]

    @pytest.mark.parametrize(
        "names",
        [
            [f"cam_{1627401234567 + 40 * t}.jpg" for t in range(6)],
            [f"{1627401234.5 + 0.04 * t:.3f}.png" for t in range(6)],
            [f"2021-07-27_15-53-54-{t * 40:03}.jpg" for t in range(6)],
        ],
    )
    def test_times_in_the_names_of_images_are_the_rate(self, names: list[str]) -> None:
        found = found_in(self.entries(names))
        assert (found.frame.tolist(), found.frames) == (list(range(6)), 6)
        assert found.times is not None
        np.testing.assert_allclose(found.times, np.arange(6) * 0.04, atol=1e-3)

    def test_zeros_before_a_number_are_no_time(self) -> None:
        found = found_in(self.entries([f"{t:012}.jpg" for t in range(6)]))
        assert (found.frame.tolist(), found.times) == (list(range(6)), None)

    @pytest.mark.parametrize("idx", [2, 2.0, [2.0]])
    def test_idx_is_who_in_any_of_alphapose_s_spellings(self, idx: Any) -> None:
        found = found_in(self.entries([f"{t}.jpg" for t in range(6)], idx=idx))
        assert found.identity is not None
        assert found.identity.tolist() == [2] * 6


def test_alphapose_writes_an_object_by_the_names_of_images() -> None:
    """With its option --format open."""
    flat = [np.ravel(points_of(XY[t])).tolist() for t in range(6)]
    content = {f"{t}.jpg": {"version": "v0.3", "bodies": [{"joints": flat[t]}]} for t in (5, 2, 0)}
    found = found_in(content)
    assert (found.frame.tolist(), found.frames) == ([0, 2, 5], 6)
    np.testing.assert_allclose(found.points[1], XY[2], rtol=1e-6)
    assert found.confidence is not None
    assert (found.confidence == 0.5).all()


def test_posenet_has_positions_of_parts() -> None:
    parts = [name.replace("left_", "left-").replace("right_", "right-") for name in LAYOUTS["coco17"].joints]
    found = found_in(
        [
            {"score": 0.9, "keypoints": [
                {"score": 0.5, "part": part, "position": {"x": x, "y": y}}
                for part, (x, y) in zip(parts, frame.tolist(), strict=True)
            ]}
            for frame in XY
        ]
    )  # fmt: skip
    np.testing.assert_allclose(found.points, XY, rtol=1e-6)
    assert found.joints[5] == "left-shoulder"
    assert found.confidence is not None
    assert (found.confidence == 0.5).all()


def test_easy_vitpose_has_y_before_x() -> None:
    names = LAYOUTS["coco17"].joints
    frames = [{"7": [[y, x, 0.5] for x, y in frame.tolist()]} for frame in XY]
    found = found_in({"keypoints": frames, "skeleton": {str(at): name for at, name in enumerate(names)}})
    np.testing.assert_allclose(found.points, XY, rtol=1e-6)
    assert found.joints == names
    assert found.identity is not None
    assert found.identity.tolist() == [7] * 6


def annotations(**image: Any) -> dict[str, Any]:
    names = ["nose", "head_bottom", "head_top", "left_ear", "right_ear", *LAYOUTS["coco17"].joints[5:]]
    bones = [[1, 2], [2, 3], [2, 6], [2, 7], [6, 8], [8, 10], [7, 9], [9, 11], [6, 12], [7, 13], [12, 14]]
    bones += [[14, 16], [13, 15], [15, 17], [1, 4], [1, 5]]
    keypoints = np.concatenate([XY[0], np.full((17, 1), 2)], axis=1).ravel().tolist()
    return {
        "images": [{"id": 500 + t, "file_name": f"clip/{t:06}.jpg", **image} for t in range(3)],
        "annotations": [
            {"image_id": 500 + t, "keypoints": keypoints, "num_keypoints": 17, "track_id": 0}
            for t in range(3)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": bones}],
    }


class TestAzureKinect:
    """Microsoft's offline processor: names beside the frames, millimetres from the camera, y down."""

    def test_its_json(self, tmp_path: Path) -> None:
        joints = LAYOUTS["azure32"].joints
        places = RNG.uniform(-800, 800, (3, 32, 3)).round(1) + np.array([0, 0, 2000])
        frames = [
            {
                "bodies": [
                    {"body_id": 7, "joint_orientations": [[1, 0, 0, 0]] * 32, "joint_positions": body}
                ],
                "frame_id": t,
                "timestamp_usec": 1000 + 33333 * t,
            }
            for t, body in enumerate(places.tolist())
        ]
        content = {"k4abt_sdk_version": "1.1.0", "joint_names": [*map(str.upper, joints)], "frames": frames}
        source = open_poses(written(tmp_path / "a.json", content))
        assert (source.layout.name, source.fps, source.units) == ("azure32", 30, "metres")
        found = source.read(source.items[0]).xyz[:, 0]
        np.testing.assert_allclose(found, places * [0.001, -0.001, -0.001], atol=1e-6)


class TestNamesBesideTheFrames:
    def frames(self, count: int) -> list[dict[str, Any]]:
        return [{"keypoints": RNG.uniform(9, 99, (count, 2)).tolist()} for _ in range(3)]

    def test_names_of_joints_that_no_layout_has(self) -> None:
        names = [f"part {letter}" for letter in "abcdefg"]
        numbers = {str(at): name for at, name in enumerate(names)}
        for said in (
            {"joint_names": names},
            {"joints": names},
            {"meta_info": {"keypoint_id2name": numbers}},
        ):
            assert found_in({**said, "frames": self.frames(7)}).joints == tuple(names)

    def test_they_are_not_taken_where_the_number_says_more(self) -> None:
        """Programs call Human3.6M's joints otherwise; by number they are still found."""
        names = [f"joint {letter}" for letter in "abcdefghijklmnopq"]
        assert found_in({"joint_names": names, "frames": self.frames(17)}).joints == ()


class TestCocoAnnotations:
    def test_they_name_their_joints_and_have_a_skeleton(self, tmp_path: Path) -> None:
        source = open_poses(written(tmp_path / "posetrack.json", annotations()))
        assert (source.layout.name, source.layout.joints[1]) == ("posetrack", "head_bottom")
        assert source.layout.joints[source.layout.root] == "head_bottom"
        clip = source.read(source.items[0])
        assert clip.xyz.shape == (3, 1, 17, 3)
        assert (clip.confidence == 1).all()

    def test_images_that_are_no_video_are_told_from_results(self, tmp_path: Path) -> None:
        content = annotations(file_name="portrait.jpg")
        with pytest.raises(KinemeError, match="COCO annotations of separate images, which are no clips"):
            open_poses(written(tmp_path / "person_keypoints.json", content))
        content["annotations"] = [{"image_id": 500, "bbox": [1, 2, 3, 4]}]
        with pytest.raises(KinemeError, match="has COCO annotations without keypoints"):
            open_poses(written(tmp_path / "person_keypoints.json", content))


class TestOpenPose:
    def frames(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        for t in range(4):
            person = {
                "pose_keypoints_2d": [100 + t, 200, 0.9] + [110, 210, 0.8] * 24,
                "hand_left_keypoints_2d": [120 + t, 220, 0.7] * 21,
                "hand_right_keypoints_2d": [],
            }
            written(folder / f"sign_{t:012}_keypoints.json", {"people": [person]})
        return folder

    def test_hands_come_as_components(self, tmp_path: Path) -> None:
        source = open_poses(self.frames(tmp_path), components="pose,left_hand,right_hand", image="400x400")
        layout = source.layout
        assert layout.num_joints == 25 + 21 + 21
        wrist, thumb = layout.joints.index("left_hand_0"), layout.joints.index("left_hand_1")
        assert layout.joints[layout.parents[wrist]] == "left_wrist"
        assert layout.parents[thumb] == wrist
        clip = source.read(source.items[0])
        assert clip.xyz[3, 0, wrist, :2].tolist() == pytest.approx([(123 - 200) / 400, (200 - 220) / 400])
        assert clip.confidence is not None
        assert clip.confidence[0, 0, -1] == 0  # nothing of the right hand

    @pytest.mark.parametrize("by_number", [False, True])
    def test_frames_in_one_file(self, tmp_path: Path, by_number: bool) -> None:
        files = sorted(self.frames(tmp_path / "frames").iterdir())
        frames = [json.loads(path.read_text()) for path in files]
        content: Any = {str(t): each for t, each in enumerate(frames)} if by_number else frames
        path = written(tmp_path / "sign.json", content)
        source = open_poses(path, image="400x400")
        assert source.layout.name == "openpose25"
        clip = source.read(source.items[0])
        assert clip.xyz[3, 0, 0, :2].tolist() == pytest.approx([(103 - 200) / 400, 0])
        assert open_poses(path, components="pose,left_hand").layout.num_joints == 46

    def test_without_components_the_body_alone(self, tmp_path: Path) -> None:
        assert open_poses(self.frames(tmp_path)).layout.name == "openpose25"
        with pytest.raises(KinemeError, match="has no component 'legs'; OpenPose has pose, left_hand"):
            open_poses(tmp_path, components="legs")


class TestFreeMoCap:
    """Several cameras: MediaPipe's landmarks in mm, z up, not from the hips."""

    def body(self) -> Array:
        from sources.estimators import WORLD

        x, y, z = np.moveaxis(WORLD * 1000, -1, 0)
        return np.stack([x + 400, z, 940 - y], axis=-1)

    @pytest.mark.parametrize("count", [33, 553])
    def test_arrays(self, tmp_path: Path, count: int) -> None:
        points = np.zeros((10, count, 3))
        points[:, :33] = self.body()
        points[:, 33:] = points[:, :1]
        np.save(tmp_path / "mediapipe_skel_3d.npy", points)
        self.check(tmp_path)

    def test_tables(self, tmp_path: Path) -> None:
        from sources.estimators import NAMES

        header = ",".join(f"{name}_{axis}" for name in NAMES for axis in "xyz")
        rows = [",".join(map(str, frame.ravel())) for frame in self.body()]
        written(tmp_path / "mediapipe_body_3d_xyz.csv", "\n".join([header, *rows]))
        self.check(tmp_path)

    def check(self, folder: Path) -> None:
        source = open_poses(folder, units="mm")
        assert (source.layout.name, source.units) == ("mediapipe33", "metres")
        clip = source.read(source.items[0])
        nose, foot = clip.xyz[0, 0, 0], clip.xyz[0, 0, 31]
        assert nose[1] == pytest.approx(0.94 + 0.45 * 1.7, abs=1e-4)  # 0.45 image heights above the hips
        assert nose[1] - foot[1] > 1.3
        guessed = open_poses(folder)
        np.testing.assert_allclose(guessed.read(guessed.items[0]).xyz, clip.xyz, atol=1e-5)


KINECTS = {
    "kinect20": (
        "HipCenter Spine ShoulderCenter Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight "
        "ElbowRight WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight "
        "FootRight"
    ).split(),
    "ntu25": (
        "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight "
        "WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight "
        "SpineShoulder HandTipLeft ThumbLeft HandTipRight ThumbRight"
    ).split(),
    "azure32": (
        "PELVIS SPINE_NAVAL SPINE_CHEST NECK CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT HAND_LEFT "
        "HANDTIP_LEFT THUMB_LEFT CLAVICLE_RIGHT SHOULDER_RIGHT ELBOW_RIGHT WRIST_RIGHT HAND_RIGHT "
        "HANDTIP_RIGHT THUMB_RIGHT HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT HIP_RIGHT KNEE_RIGHT "
        "ANKLE_RIGHT FOOT_RIGHT HEAD NOSE EYE_LEFT EAR_LEFT EYE_RIGHT EAR_RIGHT"
    ).split(),
}


FORMS = ("{}_X", "{}.X", "{} X", "{}_PosX", "Pos_{}_X")


class TestKinect:
    @pytest.mark.parametrize(
        ("layout", "form"),
        [("kinect20", "{}X"), ("ntu25", "{}X"), *((layout, form) for layout in KINECTS for form in FORMS)],
    )
    def test_microsoft_s_names_with_any_separator(self, tmp_path: Path, layout: str, form: str) -> None:
        names = KINECTS[layout]
        header = ",".join(form.format(name)[:-1] + axis for name in names for axis in "XYZ")
        values = np.random.default_rng(1).normal(size=(4, len(names), 3)).round(3) * 0.4
        rows = [f"{1000 + 33 * t},{','.join(map(str, frame.ravel()))},0.5" for t, frame in enumerate(values)]
        written(tmp_path / "squat.csv", "\n".join([f"timestamp,{header},Head_OrientationX", *rows]))
        source = open_poses(tmp_path)
        assert (source.layout.name, source.fps_known) == (layout, True)
        clip = source.read(source.items[0])
        at, column = source.layout.joints.index("head"), [name.lower() for name in names].index("head")
        np.testing.assert_allclose(clip.xyz[2, 0, at], values[2, column], atol=1e-5)

    def test_columns_may_name_their_unit(self, tmp_path: Path) -> None:
        names = KINECTS["azure32"]
        header = ",".join(f"Pos_{name.title()}_{axis}_mm" for name in names for axis in "XYZ")
        values = np.random.default_rng(1).normal(size=(4, len(names), 3)).round(3) * 400
        rows = [",".join(map(str, frame.ravel())) for frame in values]
        written(tmp_path / "squat.csv", "\n".join([f"Datetime,{header}", *(f"0,{row}" for row in rows)]))
        source = open_poses(tmp_path)
        np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0], values / 1000, atol=1e-5)

    def test_skeletons_as_northwestern_ucla_circulates(self) -> None:
        """The data set has a source of its own; here it is another JSON file of frames."""
        values = np.random.default_rng(1).normal(size=(4, 20, 3)).round(3)
        content = {"file_name": "a01_s01_e00_v01", "skeletons": values.tolist(), "label": 1}
        found = json_poses(json.dumps(content).encode(), scores=False)
        np.testing.assert_allclose(found.points, values, atol=1e-6)

    def test_a_line_about_the_recording_above_the_header(self, tmp_path: Path) -> None:
        """As LSL-Kinect writes it, with a confidence for each joint and times in a local notation."""
        names, values = KINECTS["ntu25"], np.random.default_rng(1).normal(size=(4, 25, 3)).round(3) * 0.4
        header = ",".join(f"{name}_{axis}" for name in names for axis in ("X", "Y", "Z", "Conf"))
        rows = ["".join(f",{x},{y},{z},0.5" for x, y, z in frame) for frame in values]
        lines = ["Software : LSL_Kinect,Version : 1.0.4.1,Stream nominal rate : 15,Sequence Name : Steering"]
        lines += ["", f"TimeSpan,{header}", *(f'"1,594038E+12"{row}' for row in rows)]
        source = open_poses(written(tmp_path / "steer.csv", "\n".join(lines)))
        assert (source.layout.name, source.fps, source.fps_known) == ("ntu25", 15, True)
        clip = source.read(source.items[0])
        np.testing.assert_allclose(clip.xyz[:, 0], values, atol=1e-5)
        assert clip.confidence is not None
        assert (clip.confidence[:, 0] == 0.5).all()

    def test_what_has_no_depth_is_left_out(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Programs log how far a body leans beside its joints; rows of several people share a time."""
        names, values = KINECTS["ntu25"], np.random.default_rng(1).normal(size=(4, 2, 25, 3)).round(3) * 0.4
        header = "".join(f"{name}_X,{name}_Y,{name}_Z,{name}_inferred," for name in names)
        lines = [f"Timestamp,Index,BodyID,{header}HandLeftState,Lean_X,Lean_Y,Posture"]
        for at, frame in enumerate(values):
            for who, body in enumerate(frame):
                row = "".join(f"{x},{y},{z},0," for x, y, z in body)
                lines += [f"2016-05-10 11:22:33.{at * 40:03d},{2 * at + who},{who},{row}Open,0.1,0.2,sitting"]
        source = open_poses(written(tmp_path / "sit.csv", "\n".join(lines)))
        assert (source.layout.name, source.fps) == ("ntu25", 25)
        assert "without a column of z, and left out: Lean" in caplog.text
        clip = source.read(source.items[0])
        both = clip.xyz.transpose(1, 0, 2, 3)
        expected = values.transpose(1, 0, 2, 3)
        assert any(np.allclose(both, expected[list(order)], atol=1e-5) for order in ((0, 1), (1, 0)))


class TestAppleVision:
    NAMES = (
        "head neck_1 left_eye left_ear right_eye right_ear left_shoulder_1 left_forearm left_hand "
        "right_shoulder_1 right_forearm right_hand left_upLeg left_leg left_foot right_upLeg right_leg "
        "right_foot"
    ).split()

    def frame(self, place: int, without: str = "") -> dict[str, Any]:
        points = {f"{name}_joint": (at, place) for at, name in enumerate(self.NAMES)} | {"root": (18, place)}
        return {
            name: {"x": 0.1 + 0.04 * x, "y": 0.5 + 0.01 * y, "confidence": 0.8}
            for name, (x, y) in points.items()
            if name != without
        }

    def test_its_joints_are_called_like_bones(self, tmp_path: Path) -> None:
        frames = [{"joints": self.frame(at), "frameNumber": at, "timestamp": at / 25} for at in range(4)]
        source = open_poses(written(tmp_path / "a.json", json.dumps({"poses": frames})), image="100x100")
        assert (source.layout.name, source.fps) == ("openpose25-19", 25)
        clip, at = source.read(source.items[0]), source.layout.joints.index
        for joint, name in (("nose", "head"), ("left_wrist", "left_hand"), ("right_hip", "right_upLeg")):
            x = 0.1 + 0.04 * self.NAMES.index(name) - 0.5
            np.testing.assert_allclose(clip.xyz[:, 0, at(joint), 0], x, atol=1e-5)

    def test_frames_may_lack_joints_that_were_not_found(self) -> None:
        frames = [self.frame(0), self.frame(1, without="left_hand_joint")]
        found = json_poses(json.dumps(frames).encode(), scores=False)
        wrist = found.joints.index("left_wrist")
        assert np.isnan(found.points[:, wrist, 0]).tolist() == [False, True]
        assert not np.isnan(np.delete(found.points, wrist, axis=1)).any()


def test_a_limb_by_another_name_is_not_left_out(tmp_path: Path) -> None:
    """Else a table of a rig whose legs are called thigh and shin would lose them by a remark."""
    sides = "Shoulder Arm ForeArm Hand Thigh Shin Foot Toe".split()
    joints = ["Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"]
    joints += [f"{side}{name}" for side in ("Left", "Right") for name in sides]
    header = ",".join(f"{joint}_{axis}" for joint in joints for axis in "xyz")
    rows = "\n".join(",".join(map(str, row)) for row in RNG.uniform(-1, 1, (3, 3 * len(joints))).round(3))
    with pytest.raises(KinemeError, match="Hips, Spine, Spine1, …; 22 of them, none of the built-in"):
        open_poses(written(tmp_path / "a.csv", f"{header}\n{rows}"))


def test_what_programs_add_to_landmarks_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    values = np.random.default_rng(1).uniform(100, 400, (4, 34, 2)).round(1)
    for name, joints in (
        ("numbers", [f"landmark_{at}" for at in range(33)]),
        ("names", LAYOUTS["mediapipe33"].joints),
    ):
        header = ",".join(f"{joint}_{axis}" for joint in (*joints, "COM") for axis in "xy")
        rows = [",".join(map(str, frame.ravel())) for frame in values]
        source = open_poses(written(tmp_path / f"{name}.csv", "\n".join([header, *rows])))
        assert source.layout.name == "mediapipe33"
    assert "joints that mediapipe33 does not have are left out: joints: COM; 1 of them" in caplog.text


def test_what_describes_itself_without_end_is_read_no_deeper_than_it_matters() -> None:
    """Else a crafted file would end Python's stack."""
    content = '{"frames": [{"keypoints": [[1, 2], [3, 4]]}], ' + '"meta": {' * 600 + '"fps": 3' + "}" * 601
    found = json_poses(content.encode(), scores=False)
    np.testing.assert_array_equal(found.points, [[[1, 2], [3, 4]]])
