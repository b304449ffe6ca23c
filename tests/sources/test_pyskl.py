"""pyskl's annotation pickles: clips by value, in two dimensions and three, and refusals by annotation."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.fuzz import held, mutations, survives
from sources.writers import packed, pyskl_2d, pyskl_3d, write_pyskl

from kineme.__main__ import main
from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.pyskl import open_pyskl

NAMES = ["S001C002P003R002A013", "S017C001P008R001A060", "S002C003P001R001A001"]
THREE = [pyskl_3d(NAMES[0], 12, 5), pyskl_3d(NAMES[1], 59, 4, bodies=2), pyskl_3d(NAMES[2], 0, 3)]
TWO = [pyskl_2d("v_first", 3, 5), pyskl_2d("v_second", 0, 4, bodies=2)]
SPLITS = {"xsub_train": [NAMES[1], NAMES[2], "S009C001P001R001A001"], "xsub_val": [NAMES[0]]}


def read(path: Path) -> list[Clip]:
    source = open_pyskl(path)
    return [source.read(item) for item in source.items]


def test_clips_in_three_dimensions(tmp_path: Path) -> None:
    path = write_pyskl(tmp_path / "ntu60_3danno.pkl", THREE, **SPLITS)
    source = open_pyskl(path)
    assert (source.layout, source.bodies, source.units) == (LAYOUTS["ntu25"], 2, "metres")
    assert not source.confidence
    assert (len(source.class_names), source.class_names[12]) == (60, "tear up paper")
    assert list(source.names) == NAMES
    clips = [source.read(item) for item in source.items]
    for clip, annotation in zip(clips, THREE, strict=True):
        expected = annotation["keypoint"].astype(np.float32).transpose(1, 0, 2, 3)
        np.testing.assert_array_equal(clip.xyz, expected)
        assert clip.xyz.dtype == np.float32
    first = clips[0]
    assert (first.setup, first.camera, first.subject, first.replication, first.label) == (1, 2, "3", 2, 12)
    assert [clip.splits for clip in clips] == [{"xsub": False}, {"xsub": True}, {"xsub": True}]


def test_clips_in_two_dimensions(tmp_path: Path) -> None:
    """A picture of 200 x 100 pixels: its middle is the origin, its height 1, and y points up."""
    annotation = pyskl_2d("video", 0, 2) | {"img_shape": (100, 200)}
    annotation["keypoint"][:] = (100, 50)
    annotation["keypoint"][0, 0, 4] = (0, 0)  # a corner, of a body that is there
    annotation["keypoint"][0, 0, 5] = (200, 100)
    annotation["keypoint"][0, 1] = 0  # nobody
    source = open_pyskl(write_pyskl(tmp_path / "hrnet.pkl", [annotation]))
    assert (source.layout, source.confidence, source.units) == (LAYOUTS["coco17"], True, "image heights")
    clip = source.read(source.items[0])
    expected = np.zeros((2, 1, 17, 3))
    expected[0, 0, 4] = (-1, 0.5, 0)
    expected[0, 0, 5] = (1, -0.5, 0)
    np.testing.assert_array_equal(clip.xyz, expected)
    score = annotation["keypoint_score"].astype(np.float32).transpose(1, 0, 2)
    assert score.max() > 1  # a heatmap's peak
    np.testing.assert_array_equal(clip.confidence, np.minimum(score, 1))


def test_other_names_say_nothing(tmp_path: Path) -> None:
    source = open_pyskl(write_pyskl(tmp_path / "gym.pkl", TWO))
    assert source.class_names == ("0", "1", "2", "3")
    clip = source.read(source.items[0])
    assert (clip.label, clip.subject, clip.camera, clip.setup, clip.splits) == (3, "", -1, -1, {})


def test_ntu_names_with_labels_of_their_own_are_numbered(tmp_path: Path) -> None:
    source = open_pyskl(write_pyskl(tmp_path / "some.pkl", [pyskl_3d(NAMES[0], 1, 2)]))
    assert source.class_names == ("0", "1")
    assert source.read(source.items[0]).subject == "3"


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"train": ["v_first"], "val": ["v_second"]}, ({"published": True}, {"published": False})),
        (
            {"train1": ["v_first"], "test1": ["v_second"], "train2": ["v_second"], "test2": []},
            ({"published1": True}, {"published1": False, "published2": True}),
        ),
        ({"train": [], "val": ["v_first"], "test": ["v_second"]}, ({}, {"published": False})),
        ({"all": ["v_first"], "../../x_train": ["v_first"]}, ({}, {})),
    ],
)
def test_lists_are_splits(tmp_path: Path, lists: Any, expected: Any) -> None:
    clips = read(write_pyskl(tmp_path / "a.pkl", TWO, **lists))
    assert tuple(clip.splits for clip in clips) == expected


def test_a_bare_list_and_clips_without_labels(tmp_path: Path) -> None:
    unlabelled = {key: value for key, value in TWO[0].items() if key not in ("label", "keypoint_score")}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([unlabelled]))
    source = open_pyskl(tmp_path)
    (clip,) = map(source.read, source.items)
    assert (clip.label, clip.confidence, source.confidence, source.class_names) == (-1, None, False, ())


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("protocol", [2, 5])
def test_prepare_in_three_dimensions(tmp_path: Path, zipped: bool, protocol: int) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    raw = write_pyskl(folder / "ntu60_3danno.pkl", THREE, protocol, **SPLITS)
    raw = packed(folder, tmp_path / "raw.zip") if zipped else raw
    assert main(["prepare", "pyskl", str(raw), str(tmp_path / "store")]) == 0
    store = ClipStore(tmp_path / "store")
    xyz = THREE[1]["keypoint"].astype(np.float32).transpose(1, 0, 2, 3)
    np.testing.assert_allclose(store.clip(1), xyz - xyz[:, :1, :1], atol=1e-5)
    assert (store.manifest.source, store.manifest.preprocessing.id, store.bodies) == ("pyskl", "plain", 2)
    assert split_rows(store, "xsub", "train").tolist() == [1, 2]
    assert split_rows(store, "xsub60", "train").tolist() == [1, 2]  # by the names of performers
    assert split_rows(store, "xview", "train").tolist() == [0, 2]


def test_prepare_in_two_dimensions_keeps_confidences(tmp_path: Path) -> None:
    raw = write_pyskl(tmp_path / "gym.pkl", TWO)
    assert main(["prepare", "pyskl", str(raw), str(tmp_path / "store")]) == 0
    store = ClipStore(tmp_path / "store")
    assert (store.layout, store.manifest.units) == (LAYOUTS["coco17"], "image heights")
    assert store.confidence is not None
    expected = np.minimum(TWO[1]["keypoint_score"], np.float16(1)).transpose(1, 0, 2)
    np.testing.assert_array_equal(store.confidence[5:9], expected)
    pixels = TWO[1]["keypoint"].astype(np.float32)
    hips = pixels[:1, :, 11:13].mean(axis=2, keepdims=True)
    expected = ((pixels - hips) * [1, -1] / 1080).transpose(1, 0, 2, 3)
    np.testing.assert_allclose(store.clip(1)[..., :2], expected, atol=1e-5)


def without(annotation: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in annotation.items() if name != key}


UNSCORED = without(TWO[1], "keypoint_score")


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (7, "annotation 1: lacks 'frame_dir' or 'keypoint'"),
        (without(TWO[1], "keypoint"), "annotation 1: lacks"),
        (TWO[1] | {"frame_dir": 5}, "annotation 1: 'frame_dir' is not a name"),
        (TWO[1] | {"frame_dir": ""}, "'frame_dir' is not a name"),
        (TWO[1] | {"frame_dir": "a\nb"}, "'frame_dir' is not a name"),
        (TWO[1] | {"frame_dir": "v_first"}, "two annotations have the 'frame_dir' 'v_first'"),
        (TWO[1] | {"keypoint": [1, 2]}, "'keypoint' is a list; expected numbers (M, T, 25, 3) or (M,"),
        (TWO[1] | {"keypoint": np.zeros((2, 4, 18, 2))}, "'keypoint' is float64 (2, 4, 18, 2)"),
        (TWO[1] | {"keypoint": np.zeros((4, 17, 2))}, "'keypoint' is float64 (4, 17, 2)"),
        (TWO[1] | {"keypoint": np.full((2, 4, 17, 2), "a")}, "'keypoint' is <U1"),
        (TWO[1] | {"keypoint": np.full((2, 4, 17, 2), None)}, "'keypoint' is object"),
        (TWO[1] | {"keypoint_score": np.zeros((2, 5, 17))}, "'keypoint_score' is float64 (2, 5, 17); expe"),
        (TWO[1] | {"img_shape": None}, "'img_shape' is not the height and width"),
        (TWO[1] | {"img_shape": (1080,)}, "'img_shape' is not"),
        (TWO[1] | {"img_shape": (0, 100)}, "'img_shape' is not"),
        (TWO[1] | {"label": "walk"}, "'label' is not a class number"),
        (TWO[1] | {"label": [1, 2]}, "'label' is not a class number"),
        (TWO[1] | {"label": -2}, "the label of 'v_second' is -2; expected a class number"),
        (TWO[1] | {"label": 2**62}, "the label of 'v_second' is 4611686018427387904"),
        (THREE[0], "mixes skeletons of (17, 2) and (25, 3)"),
        (TWO[1] | {"total_frames": 5}, "v_second: 'keypoint' has 4 frames, which is not 'total_frames'"),
        (TWO[1] | {"keypoint": np.full((2, 4, 17, 2), np.nan)}, "v_second: 'keypoint' contains invalid"),
        (TWO[1] | {"keypoint": np.full((2, 4, 17, 2), 1e9)}, "v_second: 'keypoint' contains invalid"),
        (UNSCORED | {"keypoint": np.zeros((1, 0, 17, 2))}, "v_second: has no frames or no bodies"),
        (UNSCORED | {"keypoint": np.zeros((0, 4, 17, 2))}, "v_second: has no frames or no bodies"),
    ],
)  # fmt: skip
def test_damaged_annotations_are_refused(tmp_path: Path, annotation: Any, reason: str) -> None:
    path = write_pyskl(tmp_path / "gym.pkl", [TWO[0], annotation])
    with pytest.raises(KinemeError) as refusal:
        read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"split": {}}, "has no list of 'annotations'"),
        ({"annotations": []}, "has no list of 'annotations', or an empty one"),
        ("text", "has no list of 'annotations'"),
        (os.system, "contains 'posix.system', not only arrays and plain containers"),
        ({"annotations": TWO, "split": {"train": 5}}, "the split 'train' is not a list of clips' names"),
        ({"annotations": TWO, "split": {"a_train": ["x", [1]]}}, "the split 'a_train' is not a list"),
        (
            {"annotations": TWO, "split": {"a_train": ["v_first"], "a_val": ["v_first"]}},
            "'v_first' is in both parts of the split 'a'",
        ),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, content: Any, reason: str) -> None:
    (tmp_path / "gym.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(KinemeError) as refusal:
        open_pyskl(tmp_path / "gym.pkl")
    assert str(refusal.value).startswith(f"{tmp_path / 'gym.pkl'}: ")
    assert reason in str(refusal.value)


def test_a_folder_has_one_pickle(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"contains no annotation pickle \(\.pkl\)"):
        open_pyskl(tmp_path)
    for name in ("one.pkl", "two.pkl"):
        write_pyskl(tmp_path / name, TWO)
    with pytest.raises(KinemeError, match="contains 2 pickles; name one of them"):
        open_pyskl(tmp_path)


def test_a_damaged_clip_is_skipped(tmp_path: Path) -> None:
    raw = write_pyskl(tmp_path / "gym.pkl", [TWO[0], TWO[1] | {"total_frames": 5}])
    assert main(["prepare", "pyskl", str(raw), str(tmp_path / "store"), "--skip-bad"]) == 0
    assert ClipStore(tmp_path / "store").names.tolist() == ["v_first"]


@pytest.mark.parametrize("annotations", [THREE, TWO], ids=["3d", "2d"])
def test_damaged_files_are_refused_or_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, annotations: Any
) -> None:
    small = [a | {"keypoint": a["keypoint"][:, :1], "total_frames": 1} for a in annotations]
    small = [a | ({"keypoint_score": a["keypoint_score"][:, :1]} if "img_shape" in a else {}) for a in small]
    good = write_pyskl(tmp_path / "a.pkl", small, **SPLITS).read_bytes()
    taken = 0
    for data in mutations(good, 2000, seed=3):
        monkeypatch.setattr("kineme.sources.pyskl.find_files", lambda *_, data=data: [held("a.pkl", data)])
        taken += survives(lambda: read(tmp_path))
    assert 100 < taken < 1900
