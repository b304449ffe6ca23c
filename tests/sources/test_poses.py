"""`kineme prepare poses`: from the files people have to clips, a store and a training step."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.writers import packed, write_coco, write_mediapipe, write_openpose

from kineme.__main__ import USAGE_ERROR, main
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preparing import prepare
from kineme.sources.poses import open_poses
from kineme.sources.raw import RawFile
from kineme.typing import Array

COCO = LAYOUTS["coco17"]
STICK = np.random.default_rng(7).normal(size=(25, 2)) * 60


def people(frames: int = 12, joints: int = 25, seed: int = 0) -> Array:
    """(T, 2, V, 3) two who walk towards each other and pass, in pixels, with confidences."""
    rng = np.random.default_rng(seed)
    xyc = np.zeros((frames, 2, joints, 3))
    xyc[..., :2] = STICK[:joints] + np.array([600, 400])
    xyc[..., 0] += (np.linspace(-200, 200, frames)[:, None] * [1, -0.9])[..., None]
    xyc[..., 2] = 0.25 + 0.5 * rng.random((frames, 2, joints))
    return xyc.round(3)


def in_sizes(xyc: Array) -> Array:
    """(T, M, V, 3) what is to become of pixels: y up, about the middle, in sizes of the body."""
    xy = xyc[..., :2]
    size = np.median((xy.max(axis=2) - xy.min(axis=2)).max(axis=-1))
    middle = (xy.reshape(-1, 2).max(axis=0) + xy.reshape(-1, 2).min(axis=0)) / 2
    x, y = np.moveaxis((xy - middle) / size, -1, 0)
    return np.stack([x, -y, 0 * x], axis=-1)


def only(raw: Path, **options: Any) -> Any:
    source = open_poses(raw, **options)
    (item,) = source.items
    return source.read(item)


def test_openpose_from_frames_to_a_clip(tmp_path: Path) -> None:
    xyc = people()
    write_openpose(tmp_path / "wave", "anna", xyc)
    write_openpose(tmp_path / "kick", "anna", xyc[::-1])
    source = open_poses(tmp_path)
    assert (source.name, source.layout, source.fps) == (tmp_path.name, LAYOUTS["openpose25"], 30)
    assert (source.class_names, list(source.names)) == (("kick", "wave"), ["kick/anna", "wave/anna"])
    assert (source.units, source.confidence, source.bodies) == ("body sizes", True, 2)
    clip = pickle.loads(pickle.dumps(source)).read(source.items[1])  # as other processes do
    assert (clip.name, clip.label) == ("wave/anna", 1)
    np.testing.assert_allclose(clip.xyz, in_sizes(xyc), atol=1e-5)
    np.testing.assert_allclose(clip.confidence, xyc[..., 2], atol=1e-6)


def test_joints_and_frames_that_openpose_misses_are_filled_with_confidence_0(tmp_path: Path) -> None:
    xyc = people(frames=40)
    shown = xyc.copy()
    shown[3:7, 0, 4] = 0  # a joint
    shown[10:20, 1] = np.nan  # somebody, for a third of a second
    write_openpose(tmp_path, "anna", shown)
    clip = only(tmp_path)
    np.testing.assert_allclose(clip.xyz, in_sizes(xyc), atol=0.02)  # they walk evenly; the box is seen less
    expected = xyc[..., 2].copy()
    expected[3:7, 0, 4] = expected[10:20, 1] = 0
    np.testing.assert_allclose(clip.confidence, expected, atol=1e-6)


@pytest.mark.parametrize("image", [None, "{}.jpg"])
def test_coco_results_of_one_clip_a_file(tmp_path: Path, image: str | None) -> None:
    xyc = people(joints=17)
    write_coco(tmp_path / "anna.json", xyc, image)
    source = open_poses(tmp_path / "anna.json")
    assert (source.layout, list(source.names)) == (COCO, ["anna"])
    np.testing.assert_allclose(only(tmp_path).xyz, in_sizes(xyc), atol=1e-5)


def test_mediapipe_s_world_landmarks_are_metres_with_y_turned_up(tmp_path: Path) -> None:
    landmarks = np.random.default_rng(0).normal(size=(9, 33, 4)) * 0.5
    landmarks[..., :3] -= landmarks[:, 23:25, :3].mean(axis=1, keepdims=True)
    landmarks[..., 3] = 0.9
    landmarks[4] = np.nan
    write_mediapipe(tmp_path / "anna.json", landmarks)
    source = open_poses(tmp_path)
    assert (source.layout.name, source.units) == ("mediapipe33", "metres")
    clip = only(tmp_path)
    expected = landmarks[..., :3] * [1, -1, -1]
    expected[4] = (expected[3] + expected[5]) / 2
    np.testing.assert_allclose(clip.xyz[:, 0], expected, atol=1e-5)
    assert clip.confidence[:, 0, 0].tolist() == pytest.approx([0.9] * 4 + [0] + [0.9] * 4)


def test_the_size_of_the_image_makes_clips_of_one_camera_comparable(tmp_path: Path) -> None:
    xyc = people(joints=17)
    write_coco(tmp_path / "anna.json", xyc)
    source = open_poses(tmp_path, image="1280x720")
    assert source.units == "image heights"
    expected = (xyc[..., :2] - [640, 360]) / [720, -720]
    np.testing.assert_allclose(source.read(source.items[0]).xyz[..., :2], expected, atol=1e-5)


def test_arrays_in_three_dimensions_stay_as_they_are(tmp_path: Path) -> None:
    xyz = np.random.default_rng(0).normal(size=(6, 3, 20, 3)).astype(np.float32)
    xyz[:, 1] = xyz[0, 1]  # who stands still
    np.save(tmp_path / "anna.npy", xyz)
    source = open_poses(tmp_path, layout="kinect20", fps=15.0)
    assert (source.units, source.confidence, source.fps) == ("metres", False, 15)
    np.testing.assert_array_equal(source.read(source.items[0]).xyz, xyz[:, [0, 2]])
    turned = only(tmp_path, layout="kinect20", axes="z-up", units="cm")
    np.testing.assert_allclose(turned.xyz, xyz[:, [0, 2]][..., [0, 2, 1]] * [0.01, 0.01, -0.01], rtol=1e-5)


def test_named_joints_come_into_the_order_of_the_layout(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(17)
    header = ",".join(f"{COCO.joints[joint].upper()}_{axis}" for joint in order for axis in "xyz")
    values = np.random.default_rng(1).normal(size=(4, 17, 3)).round(3)
    rows = "\n".join(",".join(map(str, frame[order].ravel())) for frame in values)
    (tmp_path / "anna.csv").write_text(f"{header},mood\n" + rows.replace("\n", ",good\n") + ",bad\n")
    source = open_poses(tmp_path)
    assert source.layout == COCO
    np.testing.assert_allclose(only(tmp_path).xyz[:, 0], values, atol=1e-6)


def test_joints_beyond_the_layout_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text("name: pair\njoints: [hip, head]\nparents: [null, hip]\n")
    (tmp_path / "anna.csv").write_text(
        "head_x,head_y,head_z,hat_x,hat_y,hat_z,hip_x,hip_y,hip_z\n1,2,3,4,5,6,7,8,9\n"
    )
    clip = only(tmp_path, layout=str(tmp_path / "pair.yaml"))
    assert clip.xyz.tolist() == [[[[7, 8, 9], [1, 2, 3]]]]
    with pytest.raises(
        KinemeError,
        match=r"joints: head, hat, hip; 3 of them, none of the built-in layouts; .* --template`",
    ):
        open_poses(tmp_path)
    with pytest.raises(KinemeError, match="lacks the joint 'nose' of layout coco17"):
        open_poses(tmp_path, layout="coco17")


def test_a_zip_is_as_good_as_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_openpose(folder / "wave" / "anna", "anna", people())
    np.save(folder / "kick.npy", people()[..., :2])
    source = open_poses(packed(folder, tmp_path / "packed.zip"))
    assert list(source.names) == ["mine/kick", "mine/wave/anna"]
    np.testing.assert_allclose(source.read(source.items[1]).xyz, in_sizes(people()), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (
            (4, 25, 3),
            "of unknown layout; name it .* `layout` \\(of this size: ntu25, openpose25, body25b",
        ),
        ((4, 17, 3), "`layout` \\(of this size: coco17, h36m17\\)$"),  # Human3.6M has 17 joints as well
        (
            (4, 7, 2),
            "anna.npy: has 7 joints without names, of unknown layout; name it .* `layout`$",
        ),
    ],
)
def test_a_layout_is_not_guessed_where_there_is_a_doubt(
    tmp_path: Path, shape: tuple[int, ...], reason: str
) -> None:
    np.save(tmp_path / "anna.npy", np.ones(shape))
    with pytest.raises(KinemeError, match=reason):
        open_poses(tmp_path)


def test_clips_of_another_kind_and_damaged_ones_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    write_openpose(raw / "wave", "anna", people())
    (raw / "wave" / "anna_000000000005_keypoints.json").write_text('{"people": [')
    write_openpose(raw / "wave", "bea", people())
    np.save(raw / "carl.npy", np.ones((4, 2, 24, 2)))
    np.save(raw / "zora.npy", np.ones((4, 2, 25, 3)))
    np.save(raw / "empty.npy", np.zeros((4, 25, 2)))
    assert main(["prepare", "poses", str(raw), str(tmp_path / "store")]) == USAGE_ERROR
    assert (
        main(["prepare", "poses", str(raw), str(tmp_path / "store"), "--layout", "openpose25", "--skip-bad"])
        == 0
    )
    assert ClipStore(tmp_path / "store").names.tolist() == ["wave/bea"]
    printed = capsys.readouterr().out
    assert "left out as damaged: 4\n" in printed
    assert (
        f"{raw}/wave/anna_000000000005_keypoints.json: is not JSON, or is cut off (line 1); fix the"
        in printed
    )
    assert f"{raw}/carl.npy: has 24 joints, but layout openpose25 has 25; name the layout" in printed
    assert f"{raw}/zora.npy: has 3 coordinates per joint, the first clip 2; make two stores" in printed
    assert f"{raw}/empty.npy: has nobody in any frame" in printed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fps": 0.0}, "`fps`: is 0; it must be frames per second"),
        ({"layout": "coco18"}, "coco18: no such layout; built in are"),
        ({"image": "big"}, "`image`: is big; it must be width and height"),
        ({"units": "mm"}, "`units`: these poses are two-dimensional"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    write_coco(tmp_path / "anna.json", people(joints=17))
    with pytest.raises(KinemeError, match=reason):
        open_poses(tmp_path, **options)


def test_options_of_poses_are_refused_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "ntu60", str(tmp_path), str(tmp_path / "s"), "--axes", "z-up"]) == USAGE_ERROR
    assert "source ntu60 has no option --axes; it takes none" in capsys.readouterr().err


def test_from_files_to_a_store_and_a_trained_encoder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, store, run = tmp_path / "raw", tmp_path / "store", tmp_path / "run"
    rows = ["name,label,subject"]
    raw.mkdir()
    for index in range(12):
        write_coco(raw / f"{index}.json", people(joints=17, seed=index)[:: 1 + index % 2])
        rows.append(f"{index},{('walk', 'run')[index % 2]},{index // 4}")
    (raw / "labels.csv").write_text("\n".join(rows))
    assert (
        main(
            ["prepare", "poses", str(raw), str(store), "--preprocessing", "plain(scale=True)", "--fps", "25"]
        )
        == 0
    )
    assert "12 clips, 108 frames, 2 classes, 3 subjects\nlayout coco17" in capsys.readouterr().out
    prepared = ClipStore(store)
    manifest = prepared.manifest
    assert (manifest.units, manifest.fps, manifest.class_names) == ("5 mean bones", 25, ("run", "walk"))
    assert prepared.labels.tolist()[:4] == [1, 0, 1, 0]
    assert prepared.confidence is not None
    np.testing.assert_allclose(prepared.confidence[:12], people(joints=17)[..., 2], atol=1e-3)  # float16
    words = (
        f"--data.store {store} --out {run} --data.frames 8 --train.epochs 2 --train.batch_size 4 "
        "--train.device cpu --method.queue 8 --encoder.channels [8] --encoder.strided []"
    )
    assert main(["pretrain", "aimclr-small", *words.split()]) == 0
    assert (run / "model.safetensors").is_file()


def test_each_recording_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one too, which tells the layout and is measured before it is stored."""
    for name in ("a", "b", "c"):
        np.save(tmp_path / f"{name}.npy", people()[:, 0, :17])
    opened: list[str] = []
    whole = RawFile.read
    monkeypatch.setattr(
        RawFile, "read", lambda file, limit: (opened.append(file.name), whole(file, limit))[1]
    )
    store = prepare("poses", tmp_path, tmp_path / "store", scores=True, workers=1).store
    assert sorted(opened) == ["a.npy", "b.npy", "c.npy"]
    np.testing.assert_array_equal(store.clip(0), store.clip(1))


def test_what_is_kept_of_the_first_recording_is_not_sent_to_other_processes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.tile(people()[:, 0, :17], (100, 1, 1)))
    source = open_poses(tmp_path, scores=True)
    sent = pickle.dumps(source.read)
    assert len(sent) < 20_000
    item = source.items[0]
    first, again, later = (read(item).xyz for read in (source.read, pickle.loads(sent), source.read))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, later)
