"""MediaPipe's results as they are found: CSV and JSON of many shapes, in metres and in fractions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.estimators import (
    FRAMES,
    IMAGE,
    NAMES,
    VISIBLE,
    WORLD,
    hand,
    landmarks,
    mediapipe_csv,
    mediapipe_json,
)

from kineme.errors import KinemeError
from kineme.sources.poses import open_poses


def read(path: Path, **options: Any) -> Any:
    source = open_poses(path, **options)
    return source, source.read(source.items[0])


def written(folder: Path, content: Any) -> Path:
    path = folder / "squat.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("form", sorted(mediapipe_json()))
def test_every_form_of_json_is_the_same_clip_in_metres(tmp_path: Path, form: str) -> None:
    source, clip = read(written(tmp_path, mediapipe_json()[form]))
    assert (source.layout.name, source.units) == ("mediapipe33", "metres")
    np.testing.assert_allclose(clip.xyz[:, 0], WORLD * [1, -1, -1], atol=1e-5)
    assert clip.xyz[3, 0, 11].tolist() == pytest.approx(
        [0.045, 0.51, 0], abs=1e-5
    )  # 0.05 * 0.9; (0.55 - 0.25) * 1.7


@pytest.mark.parametrize("form", sorted(mediapipe_csv()))
def test_every_form_of_csv_is_the_same_clip_in_metres(tmp_path: Path, form: str) -> None:
    (tmp_path / "squat.csv").write_text(mediapipe_csv()[form])
    source, clip = read(tmp_path)
    assert (source.layout.name, source.units) == ("mediapipe33", "metres")
    np.testing.assert_allclose(clip.xyz[:, 0], WORLD * [1, -1, -1], atol=1e-5)
    expected = 1 if form in ("without visibility", "axis first") else VISIBLE
    np.testing.assert_allclose(clip.confidence[:, 0], np.broadcast_to(expected, VISIBLE.shape), atol=1e-6)


def test_the_first_frame_may_show_nobody(tmp_path: Path) -> None:
    frames = mediapipe_json()["protobuf"]
    _, clip = read(written(tmp_path, [dict.fromkeys(frames[0]), *frames]))
    assert not clip.xyz[0].any()
    np.testing.assert_allclose(clip.xyz[1:, 0], WORLD * [1, -1, -1], atol=1e-5)


@pytest.mark.parametrize("more", [0, 126, 1530])
def test_arrays_of_a_row_a_frame(tmp_path: Path, more: int) -> None:
    """Body, then the hands, or the face and the hands, as many programs concatenate Holistic's results."""
    body = np.concatenate([WORLD, VISIBLE[..., None]], axis=-1).reshape(FRAMES, -1)
    np.save(tmp_path / "squat.npy", np.pad(body, ((0, 0), (0, more))))
    source, clip = read(tmp_path)
    assert source.layout.name == "mediapipe33"
    np.testing.assert_allclose(clip.xyz[:, 0], WORLD * [1, -1, -1], atol=1e-5)
    np.testing.assert_allclose(clip.confidence[:, 0], VISIBLE, atol=1e-6)


@pytest.mark.parametrize(("form", "fps"), [("timed", 30.0), ("named", 30.0)])
def test_times_in_json_give_the_rate(tmp_path: Path, form: str, fps: float) -> None:
    source, _ = read(written(tmp_path, mediapipe_json()[form]))
    assert (source.fps, source.fps_known) == (fps, True)


@pytest.mark.parametrize(("form", "fps"), [("wide", 25.0), ("sources", 50.0)])
def test_times_in_csv_give_the_rate(tmp_path: Path, form: str, fps: float) -> None:
    (tmp_path / "squat.csv").write_text(mediapipe_csv()[form])
    source, _ = read(tmp_path)
    assert (source.fps, source.fps_known) == (fps, True)


class TestFractions:
    """Landmarks in fractions of the image: x and y have different lengths."""

    def test_without_the_size_of_the_image_they_are_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path, [landmarks(IMAGE, t) for t in range(FRAMES)])
        with pytest.raises(KinemeError, match=r"`image`: .* fractions of the image's width and height"):
            open_poses(path)

    def test_so_they_are_where_half_a_body_is_below_the_picture(self, tmp_path: Path) -> None:
        """MediaPipe guesses the legs of people at a table: of a true video y went up to 2.1."""
        near = IMAGE * [1, 2, 1] + [0, 0.3, 0]
        assert (near[..., 1] > 1).mean() > 0.6
        with pytest.raises(KinemeError, match="fractions of the image's width and height"):
            open_poses(written(tmp_path, [landmarks(near, t) for t in range(FRAMES)]))

    def test_so_are_later_clips(self, tmp_path: Path) -> None:
        pixels = [[{**each, "x": each["x"] * 1920, "y": each["y"] * 1080} for each in landmarks(IMAGE, 0)]]
        (tmp_path / "a.json").write_text(json.dumps(pixels))
        (tmp_path / "b.json").write_text(json.dumps([landmarks(IMAGE, 0)]))
        source = open_poses(tmp_path)
        with pytest.raises(KinemeError, match=r"b.json: x and y are fractions .* set `image` to the size"):
            source.read(source.items[1])

    def test_the_size_gives_image_heights_of_one_length(self, tmp_path: Path) -> None:
        source, clip = read(
            written(tmp_path, [landmarks(IMAGE, t) for t in range(FRAMES)]), image="1920x1080"
        )
        assert source.units == "image heights"
        expected = (IMAGE[..., :2] - 0.5) * [1920 / 1080, -1]
        np.testing.assert_allclose(clip.xyz[:, 0, :, :2], expected, atol=1e-5)

    def test_a_file_that_says_the_size_needs_no_option(self, tmp_path: Path) -> None:
        content = {
            "imageSize": [1920, 1080],
            "frames": [{"landmarks": landmarks(IMAGE, t)} for t in range(3)],
        }
        source, clip = read(written(tmp_path, content))
        assert source.units == "body sizes"
        left, right = clip.xyz[0, 0, NAMES.index("left_hip")], clip.xyz[0, 0, NAMES.index("right_hip")]
        # 0.1 * 1920 pixels apart, in a body that is 0.87 * 1080 pixels tall.
        assert left[0] - right[0] == pytest.approx(192 / (0.87 * 1080), abs=1e-5)

    def test_another_layout_does_not_make_metres_of_them(self, tmp_path: Path) -> None:
        path = written(tmp_path, [{"landmarks": dict(zip(NAMES, landmarks(IMAGE, 0), strict=True))}])
        with pytest.raises(KinemeError, match="fractions of the image's width and height"):
            open_poses(path, layout="coco17")

    def test_clips_in_metres_and_in_the_image_do_not_mix(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text(json.dumps(mediapipe_json()["timed"]))
        (tmp_path / "b.json").write_text(json.dumps([landmarks(IMAGE, 0)]))
        source = open_poses(tmp_path)
        with pytest.raises(
            KinemeError, match=r"b.json: has fractions of an image, and the first clip metres"
        ):
            source.read(source.items[1])
        (tmp_path / "a.json").rename(tmp_path / "c.json")
        source = open_poses(tmp_path, image="640x480")
        with pytest.raises(KinemeError, match=r"c.json: is in metres, the first clip in the image"):
            source.read(source.items[1])

    def test_one_outlier_does_not_make_pixels_of_them(self, tmp_path: Path) -> None:
        frames = [landmarks(IMAGE, t) for t in range(FRAMES)]
        frames[4][31]["y"] = 7.5  # a foot far below the image
        _, clip = read(written(tmp_path, frames), image="1000x1000")
        np.testing.assert_allclose(clip.xyz[0, 0, :, :2], (IMAGE[0, :, :2] - 0.5) * [1, -1], atol=1e-5)


class TestHolistic:
    def content(self) -> list[Any]:
        return [
            {"pose_landmarks": landmarks(IMAGE, t), "left_hand_landmarks": hand(t) if t > 2 else None,
             "right_hand_landmarks": None, "face_landmarks": [landmarks(IMAGE, t)[0]] * 468}
            for t in range(FRAMES)
        ]  # fmt: skip

    def test_the_hands_come_with_the_body(self, tmp_path: Path) -> None:
        source, clip = read(written(tmp_path, self.content()), image="1000x1000")
        assert source.layout.name == "holistic75-54"  # the right hand is in no frame
        tip = source.layout.joints.index("left_hand_thumb_tip")
        expected = IMAGE[5, 15] + np.array([0.004, 0.008, 0]) - 0.5 * np.array([1, 1, 0])
        np.testing.assert_allclose(clip.xyz[5, 0, tip], expected * [1, -1, -1], atol=1e-5)
        assert clip.confidence[5, 0, tip] == 1  # hands have no visibility
        assert clip.confidence[0, 0, tip] == 0

    def test_the_body_in_metres_comes_first_unless_components_are_named(self, tmp_path: Path) -> None:
        content = [
            frame | {"pose_world_landmarks": landmarks(WORLD, t)} for t, frame in enumerate(self.content())
        ]
        path = written(tmp_path, content)
        assert open_poses(path).units == "metres"
        source = open_poses(path, components="pose,left_hand", image="640x480")
        assert (source.layout.num_joints, source.units) == (54, "image heights")
        with pytest.raises(KinemeError, match="has no component 'legs'; it has pose, pose_world, left_hand"):
            open_poses(path, components="legs")

    def test_numbered_groups_in_a_table(self, tmp_path: Path) -> None:
        joints = (
            [f"pose_{j}" for j in range(33)] + [f"left_hand_{j}" for j in range(21)] + ["face_0", "face_1"]
        )
        header = ",".join(f"{joint}_{axis}" for joint in joints for axis in "xyz")
        rows = [",".join(map(str, [*IMAGE[t].ravel(), *[0.5, 0.5, 0] * 23])) for t in range(FRAMES)]
        (tmp_path / "sign.csv").write_text("\n".join([header, *rows]))
        source, clip = read(tmp_path / "sign.csv", image="1000x1000")
        assert source.layout.name == "holistic75-54"
        np.testing.assert_allclose(clip.xyz[2, 0, 0], [0.02, 0.4, 0.1], atol=1e-5)


def test_several_people_are_tracked_and_nobody_is_a_gap(tmp_path: Path) -> None:
    frames: list[Any] = [
        {"pose_world_landmarks": [landmarks(WORLD, t), landmarks(WORLD + np.array([1, 0, 0]), t)]}
        for t in range(FRAMES)
    ]
    frames[4] = {"pose_world_landmarks": []}
    _, clip = read(written(tmp_path, frames))
    assert clip.xyz.shape[:2] == (FRAMES, 2)
    assert (clip.confidence[4] == 0).all()


def test_people_in_metres_are_told_apart_by_where_they_are_in_the_image(tmp_path: Path) -> None:
    """In metres both have the hips at the origin, and here they change postures at once."""
    aside, low = np.array([0.3, 0, 0]), 0.6 * WORLD
    one, other = (np.stack([(WORLD, low)[(t + who) % 2][t] for t in range(FRAMES)]) for who in range(2))
    frames = [
        {
            "landmarks": [landmarks(IMAGE - aside, t), landmarks(IMAGE + aside, t)][:: 1 if t % 3 else -1],
            "worldLandmarks": [landmarks(one, t), landmarks(other, t)][:: 1 if t % 3 else -1],
        }
        for t in range(FRAMES)
    ]
    _, clip = read(written(tmp_path, frames))
    found = clip.xyz[:, [0, 1] if clip.xyz[0, 0, 0, 1] > clip.xyz[0, 1, 0, 1] else [1, 0]]
    np.testing.assert_allclose(found, np.stack([one, other], axis=1) * [1, -1, -1], atol=1e-5)


def test_places_in_the_image_are_checked_too(tmp_path: Path) -> None:
    frames = mediapipe_json()["tasks"]
    frames[2]["landmarks"][0][5]["x"] = 1e300
    with pytest.raises(KinemeError, match="contains infinite coordinates"):
        open_poses(written(tmp_path, frames))


def test_a_landmark_may_be_null(tmp_path: Path) -> None:
    frames = mediapipe_json()["tasks"]
    frames[0]["worldLandmarks"][0][0] = {"x": None, "y": None, "z": None, "visibility": 0}
    _, clip = read(written(tmp_path, frames))
    assert clip.confidence[:2, 0, 0].tolist() == pytest.approx([0, VISIBLE[1, 0]])
    np.testing.assert_allclose(clip.xyz[:, 0, 1:], (WORLD * [1, -1, -1])[:, 1:], atol=1e-5)


def test_landmarks_with_unlike_keys_are_read_as_alike_ones(tmp_path: Path) -> None:
    """One with a key of its own, two names for the visibility, a number as a Boolean."""
    alike, unlike = mediapipe_json()["tasks"], mediapipe_json()["tasks"]
    for frame in range(0, FRAMES, 2):
        landmark = unlike[frame]["worldLandmarks"][0][3]
        landmark["presence"] = 0.5
        landmark["score"], landmark["visibility"] = landmark["visibility"], None
    alike[1]["worldLandmarks"][0][4]["x"] = 1.0
    unlike[1]["worldLandmarks"][0][4]["x"] = True
    one, other = read(written(tmp_path, alike))[1], read(written(tmp_path, unlike))[1]
    np.testing.assert_array_equal(one.xyz, other.xyz)
    np.testing.assert_array_equal(one.confidence, other.confidence)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([{"landmarks": [{"x": 1, "y": 2}]}, {"other": 1}], "frame 1 has no 'landmarks'; it has .'other'"),
        ([{"landmarks": [{"x": 1, "y": 2}, {"x": "a", "y": 2}]}], "frame 0 has a landmark without x and y"),
        (
            [{"landmarks": [{"x": 1, "y": 2}, {"x": 1, "y": [2]}]}],
            "frame 0 has a landmark that is not of numbers",
        ),
        ([{"landmarks": [{"x": 1, "y": 10**400}] * 2}], "frame 0 has a landmark that is not of numbers"),
        (
            {"made": "by", "version": 3},
            "it has no 'xyz', 'keypoints' or 'landmarks'; it has .'made', 'version'",
        ),
    ],
)
def test_what_is_none_of_these_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(KinemeError, match=reason):
        open_poses(written(tmp_path, content))
