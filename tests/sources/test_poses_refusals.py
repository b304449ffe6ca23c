"""What a refused file of poses is said to need: the remedy that helps it, and not always to fix the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.writers import packed

from kineme.errors import FileError, KinemeError
from kineme.preparing import prepare
from kineme.sources.poses import UnknownLayoutError, open_poses
from kineme.sources.raw import skippable

XY = np.random.default_rng(0).uniform(100, 400, (4, 17, 2)).round(1)
HEADER = ",".join(f"{name}_{axis}" for name in ("hip", "head") for axis in "xy")
MOTION = {"poses": np.zeros((4, 66)), "trans": np.zeros((4, 3)), "mocap_framerate": 60}


def content(image: str) -> dict[str, Any]:
    """COCO annotations of two images."""
    person = np.pad(XY[0], ((0, 0), (0, 1)), constant_values=2).ravel().tolist()
    return {
        "images": [{"id": at, "file_name": f"{image}{at}.jpg"} for at in (1, 2)],
        "annotations": [{"image_id": at, "keypoints": person} for at in (1, 2)],
        "categories": [],
    }


def write(path: Path, given: Any) -> Path:
    if path.suffix == ".npy":
        np.save(path, given)
    elif path.suffix == ".npz":
        np.savez(path, **given)
    else:
        path.write_text(given if isinstance(given, str) else json.dumps(given))
    return path


def test_a_folder_of_files_that_are_no_poses_is_refused_with_what_they_are(tmp_path: Path) -> None:
    for name in ("trial/angles.mot", "trial/forces.sto", "readme.txt"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_text("")
    for raw in (tmp_path / "raw", packed(tmp_path / "raw", tmp_path / "raw.zip")):
        with pytest.raises(
            FileError, match=r"angles\.mot: holds joint angles or forces of OpenSim, .*; use the"
        ):
            open_poses(raw)
    (tmp_path / "raw" / "trial" / "walk.npy").write_bytes(
        b""
    )  # where there are poses, the others are left alone
    with pytest.raises(FileError, match=r"walk\.npy"):
        open_poses(tmp_path / "raw")


@pytest.mark.parametrize(
    ("name", "given", "options", "remedy"),
    [
        ("walk.npz", MOTION, {}, "and name its file with `body_model`"),
        ("walk.npz", {"joints": XY}, {}, r"it has joints float64 \(4, 17, 2\); call that of the joints so"),
        ("walk.npy", np.zeros((4, 99)), {}, r"reshape it, as by array.reshape\(len\(array\), -1, 3\)"),
        ("walk.npy", np.zeros((4, 263)), {}, "features of HumanML3D: take the arrays in new_joints"),
        ("walk.npy", np.zeros((4, 100)), {}, "save it so"),
        ("walk.npy", XY, {"layout": "ntu25"}, "name the layout of its joints with `layout`"),
        ("walk.npy", XY * 0, {"layout": "coco17"}, "has nobody in any frame; remove it"),
        ("walk.csv", f"{HEADER}\n1,2,3,4\n", {"label_column": "Action"},
         "has no column 'Action'; all are of joints; name one that it has"),
        ("walk.csv", f"{HEADER},Class\n1,2,3,4,wave\n", {"label_column": "Action"},
         "has no column 'Action'; beside those of joints it has 'Class'; name one that it has"),
        ("walk.csv", f"{HEADER},who\n1,2,3,4,a\n1,2,3,4,b\n", {"subject_column": "who"},
         "line 3: column 'who' changes from 'a' to 'b'; write a file for each clip"),
        ("walk.csv", f"{HEADER}\n1,2,3,4\n", {"layout": "coco17"},
         "or say by `joint_map` what stands for that one"),
        ("walk.json", {"images": [], "annotations": []}, {}, "take those of keypoints"),
        ("walk.json", content("portrait"), {}, None),  # numbered images are the frames of a video
        ("walk.json", {**content(""), "images": [{"id": 1, "file_name": "cat.jpg"}, {"id": 2}]}, {},
         "COCO annotations of separate images, which are no clips; take those of one video"),
        ("walk.json", {"people": []}, {}, r"name it NAME_0+12_keypoints\.json, by its number"),
        ("walk.json", [{"image_id": 1, "bbox": [1, 2, 3]}], {}, "it is a box; estimate poses in the boxes"),
        ("flies.csv", f"track,frame_idx,instance.score,{HEADER}\n,1,1,2,3,4,5\n,1,1,6,7,8,9\n", {},
         "line 3: duplicates a joint of a frame; add a column 'person', or keep one"),
        ("walk.xyz", "MATLAB", {}, "give it the suffix of its format, or convert it"),
        ("walk.mat", "MATLAB", {}, "is not a MATLAB file of the versions 5 to 7; fix the file"),
        ("walk.mot", "", {}, "of OpenSim, not positions; use the markers' .trc, or export one"),
        ("walk.asf", "", {}, "is a skeleton without motion; give the .amc files that belong to it"),
        ("walk.fbx", "", {}, "is an animated scene; export its skeleton as .bvh, as Blender does"),
        ("walk.svo", "", {}, "export its bodies as JSON, or its video and use kineme prepare video"),
        ("walk.pkl", "", {}, "save its arrays as .npz, or see kineme prepare pyskl"),
        ("walk.mp4", "", {}, "is a video; use kineme prepare video"),
        ("walk.csv", f"{HEADER}\n1,2,x,4\n", {}, "line 2: 'x' is not a number; fix the file"),
    ],
)  # fmt: skip
def test_the_remedy_is_the_one_that_helps(
    tmp_path: Path, name: str, given: Any, options: dict[str, str], remedy: str | None
) -> None:
    path = write(tmp_path / name, given)
    if remedy is None:
        assert open_poses(path, **options).names == ["walk"]  # type: ignore[arg-type]
        return
    with pytest.raises(FileError, match=f"{remedy}$"):
        open_poses(path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tall", "unit"), [(170, "cm"), (1700, "mm"), (66, "in")])
def test_a_giant_is_offered_the_unit_in_which_it_is_a_person(tmp_path: Path, tall: float, unit: str) -> None:
    body = np.pad(XY - XY.min(axis=1, keepdims=True), ((0, 0), (0, 0), (0, 1)))
    path = write(tmp_path / "walk.npy", body / body.max() * tall)
    source = open_poses(path, layout="coco17", units="m")
    with pytest.raises(FileError, match=f"metres tall; set `units` to {unit}$"):
        source.read(source.items[0])


def test_a_file_unlike_the_first_may_be_left_out_as_well(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", XY)
    write(tmp_path / "b.npy", XY[:, :9])
    with pytest.raises(KinemeError, match=r"with `layout`, or set `skip_bad` to leave it out$"):
        prepare("poses", tmp_path, tmp_path / "store", layout="coco17")


def test_what_is_wrong_with_all_of_them_is_not_mended_by_leaving_one_out() -> None:
    whole = KinemeError("`image`: not given")
    assert skippable(whole) is whole
    assert not issubclass(UnknownLayoutError, FileError)
