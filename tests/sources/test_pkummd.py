"""PKU-MMD: which files are found, what clips they make, and the published splits by name afterwards."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kineme.__main__ import main
from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.pkummd import CLASS_NAMES, open_pkummd, read_clip
from kineme.sources.pkummd_text import CLASSES

FRAMES = 12
# video → its label lines: class, first and last frame from 1, confidence
LABELS = {
    "0002-L": ["1,2,5,1", "51,6,6,2", "34,8,12,1"],
    "0002-M": ["1,2,5,1"],
    "0002-R": ["1,3,5,1"],
    "0003-L": ["7,1,12,1"],
}
XSUB = "Training videos:\n0002-L, 0002-M, 0002-R\n\nValidation videos:\n0009-L, 0003-L\n"
XVIEW = "Training videos:\n0002-M, 0002-R, \nValidation videos:\n0002-L\n"  # 0003-L is in neither


def bodies(video: str) -> npt.NDArray[np.float32]:
    """(T, 2, 25, 3) random bodies, whole millimetres; the second one is there from frame 4 on."""
    rng = np.random.default_rng(sum(map(ord, video)))
    xyz = rng.integers(-2000, 2000, (FRAMES, 2, 25, 3)) / 1000
    xyz[:4, 1] = 0
    return xyz.astype(np.float32)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_video(path: Path, xyz: npt.NDArray[np.float32]) -> None:
    rows = xyz.reshape(len(xyz), 150).tolist()
    write(path, "".join(" ".join(f"{value:.3f}" for value in row) + "\n" for row in rows))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Phase I as it is given out."""
    folder = tmp_path / "raw"
    for video, lines in LABELS.items():
        write_video(folder / "Data" / "skeleton" / f"{video}.txt", bodies(video))
        write(folder / "Label" / "Train_final" / f"{video}.txt", "\n".join(lines) + "\n")
    write(folder / "Split" / "cross-subject.txt", XSUB)
    write(folder / "Split" / "cross-view.txt", XVIEW)
    return folder


def test_trimmed_clips_are_the_frames_of_every_label_line(raw: Path) -> None:
    source = open_pkummd(raw, 1)
    assert source.names == [
        "0002-L-001",
        "0002-L-002",
        "0002-L-003",
        "0002-M-001",
        "0002-R-001",
        "0003-L-001",
    ]
    assert (source.name, source.layout, source.fps) == ("pkummd1", LAYOUTS["ntu25"], 30.0)
    assert (source.bodies, source.untrimmed) == (2, False)
    clips = [read_clip(item) for item in source.items]
    video = bodies("0002-L")
    np.testing.assert_array_equal(clips[0].xyz, video[1:5])
    np.testing.assert_array_equal(clips[1].xyz, video[5:6])
    np.testing.assert_array_equal(clips[2].xyz, video[7:12])
    np.testing.assert_array_equal(clips[5].xyz, bodies("0003-L"))
    assert [clip.label for clip in clips] == [0, 50, 33, 0, 0, 6]
    assert [clip.camera for clip in clips] == [1, 1, 1, 2, 3, 1]
    assert {clip.subject for clip in clips} == {""}
    assert clips[2].splits == {"xsub": True, "xview": False}
    assert clips[5].splits == {"xsub": False}


def test_untrimmed_clips_are_whole_videos_with_intervals(raw: Path) -> None:
    source = open_pkummd(raw, 1, untrimmed=True)
    assert source.names == ["0002-L", "0002-M", "0002-R", "0003-L"]
    assert source.untrimmed
    clip = read_clip(source.items[0])
    np.testing.assert_array_equal(clip.xyz, bodies("0002-L"))
    assert clip.intervals == [(1, 5, 0), (5, 6, 50), (7, 12, 33)]
    assert (clip.label, clip.camera, clip.splits) == (-1, 1, {"xsub": True, "xview": False})


def test_untrimmed_videos_need_no_lists_of_splits(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (raw / "Split" / "cross-view.txt").unlink()
    assert read_clip(open_pkummd(raw, 1, untrimmed=True).items[0]).splits == {"xsub": True}
    shutil.rmtree(raw / "Split")
    assert run("pkummd1", raw, tmp_path / "store", "--untrimmed") == 0
    store = ClipStore(tmp_path / "store")
    assert (len(store), store.clip_intervals(3)) == (4, [(0, 12, 6)])
    assert main(["info", str(tmp_path / "store")]) == 0
    assert "xsub" not in capsys.readouterr().out  # xview follows from the cameras


def test_classes_are_the_published_actions() -> None:
    assert len(CLASS_NAMES) == CLASSES == 51
    assert list(CLASS_NAMES) == sorted(CLASS_NAMES)  # they were numbered in order of the alphabet
    assert [CLASS_NAMES[number - 1] for number in (1, 14, 34, 51)] == [
        "bow", "handshaking", "standing up", "writing",
    ]  # fmt: skip


def test_phase_2_has_names_and_splits_of_its_own(raw: Path) -> None:
    write_video(raw / "v2" / "skeletons" / "A01N02-R.txt", bodies("A01N02-R"))
    write(raw / "v2" / "Label_PKUMMD_v2" / "A01N02-R.txt", "3,1,4,1")
    for split in ("cross_subject_v2", "cross_view_v2"):
        write(raw / "v2" / f"{split}.txt", "Training:\nA01N02-R\nValidation:\nA02N02-R\n")
    source = open_pkummd(raw, 2)
    assert (source.name, source.names) == ("pkummd2", ["A01N02-R-001"])
    clip = read_clip(source.items[0])
    np.testing.assert_array_equal(clip.xyz, bodies("A01N02-R")[:4])
    assert (clip.label, clip.camera, clip.splits) == (2, 3, {"xsub": True, "xview": True})
    assert len(open_pkummd(raw, 1).names) == 6


def packed(path: Path, folder: Path, *parts: str) -> None:
    """What lies below some parts of a folder, as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.txt")):
            place = file.relative_to(folder)
            if not parts or place.parts[0] in parts:
                archive.write(file, place)


@pytest.mark.parametrize("untrimmed", [False, True])
def test_zips_hold_the_same_clips_as_a_folder(raw: Path, tmp_path: Path, untrimmed: bool) -> None:
    packed(tmp_path / "PKUMMD.zip", raw)
    zips = tmp_path / "zips"
    zips.mkdir()
    for part in ("Data", "Label", "Split"):
        packed(zips / f"{part}.zip", raw, part)
    expected = open_pkummd(raw, 1, untrimmed=untrimmed)
    for place in (tmp_path / "PKUMMD.zip", zips):
        source = open_pkummd(place, 1, untrimmed=untrimmed)
        assert source.names == expected.names
        for item, other in zip(source.items, expected.items, strict=True):
            clip, wanted = read_clip(item), read_clip(other)
            np.testing.assert_array_equal(clip.xyz, wanted.xyz)
            assert (clip.label, clip.camera, clip.intervals, clip.splits) == (
                wanted.label, wanted.camera, wanted.intervals, wanted.splits,
            )  # fmt: skip


def test_errors_name_the_zip_and_the_line(raw: Path, tmp_path: Path) -> None:
    write(raw / "Label/Train_final/0002-M.txt", "1,2,5,1\n\n52,2,5,1\n")
    packed(tmp_path / "PKUMMD.zip", raw)
    source = open_pkummd(tmp_path / "PKUMMD.zip", 1)
    with pytest.raises(KinemeError) as refusal:
        read_clip(source.items[source.names.index("0002-M-003")])
    place = f"{tmp_path}/PKUMMD.zip/Label/Train_final/0002-M.txt, line 3: class 52"
    assert str(refusal.value).startswith(place)


def test_split_names_may_have_underscores_in_phase_1(raw: Path) -> None:
    for name in ("subject", "view"):
        (raw / "Split" / f"cross-{name}.txt").rename(raw / f"cross_{name}.txt")
    assert len(open_pkummd(raw, 1).names) == 6


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("Data", None, "contains no skeletons of PKU-MMD I; looked for files such as 0002-L.txt"),
        ("Label", None, "0002-L.txt: has no labels; looked for 0002-L.txt in all folders"),
        ("Label/Train_final/0002-M.txt", None, "0002-M.txt: has no labels; looked for 0002-M.txt"),
        ("Label/Train_final/0003-L.txt", b"\n", "0003-L.txt: is empty"),
        ("Label/Train_final/0003-L.txt", b"\xff\x00", "0003-L.txt: is binary"),
        ("Label/Train_final/0003-L.txt", b"1" * (1 << 21), "0003-L.txt: is far too large for a .txt file"),
        ("old/0002-R.txt", b"1,3,5,1", "0002-R.txt: duplicates"),
        ("Split/cross-subject.txt", None, "lacks the split xsub of PKU-MMD I; looked for cross_subject.txt"),
        ("Split/cross-view.txt", None, "lacks the split xview of PKU-MMD I; looked for cross_view.txt"),
        ("cross_view.txt", XVIEW.encode(), "duplicates"),
        ("Split/cross-view.txt", b"Training\n0002-L\n", "has 2 lines; expected a title, training videos"),
        (
            "Split/cross-view.txt",
            b"T\n0002-L; 3\nV\n0002-M",
            "cross-view.txt, line 2: expected names such as 0002-L",
        ),
        (
            "Split/cross-view.txt",
            b"T\n0002-L\nV\n0002-L",
            "cross-view.txt, line 4: 0002-L is also a training",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(raw: Path, path: str, content: bytes | None, reason: str) -> None:
    target = raw / path
    if content is not None:
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    elif target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()
    with pytest.raises(KinemeError) as refusal:
        open_pkummd(raw, 1)
    assert reason in str(refusal.value)
    assert str(raw) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_folder_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="nowhere: no such folder or file"):
        open_pkummd(tmp_path / "nowhere", 2)


@pytest.mark.parametrize("untrimmed", [False, True])
def test_an_action_beyond_the_video_is_refused_with_its_line(raw: Path, untrimmed: bool) -> None:
    write(raw / "Label/Train_final/0002-M.txt", "1,2,12,1\n\n2,12,13,1\n")
    source = open_pkummd(raw, 1, untrimmed=untrimmed)
    item = source.items[source.names.index("0002-M" if untrimmed else "0002-M-003")]
    with pytest.raises(
        KinemeError, match=r"0002-M.txt, line 3: '2,12,13,1' exceeds the 12 frames of .*0002-M.txt"
    ):
        read_clip(item)


def test_an_action_that_begins_beyond_the_video_is_refused(raw: Path) -> None:
    write(raw / "Label/Train_final/0002-M.txt", "1,40,50,1\n")
    source = open_pkummd(raw, 1)
    with pytest.raises(KinemeError, match=r"0002-M.txt, line 1: '1,40,50,1' exceeds the 12 frames of"):
        read_clip(source.items[source.names.index("0002-M-001")])


def run(*words: str | Path) -> int:
    return main(["prepare", *map(str, words)])


def test_trimmed_from_the_command_line(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pkummd1", raw, tmp_path / "store") == 0
    store = ClipStore(tmp_path / "store")
    assert (store.manifest.preprocessing.id, store.manifest.source) == ("agcn", "pkummd1")
    assert store.names.tolist()[:2] == ["0002-L-001", "0002-L-002"]
    assert store.index["frames"].tolist() == [4, 1, 5, 4, 3, 12]
    assert store.index["bodies"].tolist() == [2, 2, 2, 2, 2, 2]
    assert split_rows(store, "xsub", "train").tolist() == [0, 1, 2, 3, 4]
    assert split_rows(store, "xsub", "test").tolist() == [5]
    assert split_rows(store, "xview", "train").tolist() == [3, 4]
    assert split_rows(store, "xview", "test").tolist() == [0, 1, 2]
    assert split_rows(store, "xsub+cameras:1", "train").tolist() == [0, 1, 2]
    printed = capsys.readouterr().out
    assert "split xsub: 5 train, 1 test, 0 in neither\n" in printed
    assert "split xview: 2 train, 3 test, 1 in neither\n" in printed


def test_untrimmed_from_the_command_line_keeps_every_frame_in_its_place(raw: Path, tmp_path: Path) -> None:
    late = bodies("0003-L")
    late[:3] = 0  # nobody there: agcn would bring frame 3 to frame 0
    write_video(raw / "Data/skeleton/0003-L.txt", late)
    assert run("pkummd1", raw, tmp_path / "store", "--untrimmed") == 0
    store = ClipStore(tmp_path / "store")
    assert store.manifest.preprocessing.id == "plain(facing=True)"
    assert store.labels.tolist() == [-1] * 4
    assert store.clip_intervals(0) == [(1, 5, 0), (5, 6, 50), (7, 12, 33)]
    assert split_rows(store, "xview", "train").tolist() == [1, 2]
    for row, video in enumerate((bodies("0002-L"), bodies("0002-M"), bodies("0002-R"), late)):
        height = store.clip(row)[..., 1]  # no preprocessing of this kind turns about another axis than y
        origin = video[..., 0, 1]  # the root is ntu25's first joint
        expected = np.where(video.any(axis=(2, 3))[..., None], video[..., 1] - origin[:, :1, None], 0)
        np.testing.assert_allclose(height, expected, atol=1e-5)


@pytest.mark.parametrize("preprocessing", ["agcn", "crossclr"])
def test_preprocessings_that_move_frames_are_refused_for_untrimmed_videos(
    raw: Path, tmp_path: Path, preprocessing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("pkummd1", raw, tmp_path / "store", "--untrimmed", "--preprocessing", preprocessing) == 2
    assert (
        f"preprocessing {preprocessing} moves frames, so the intervals of untrimmed recordings"
        in capsys.readouterr().err
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["raw"]


def test_damaged_actions_are_left_out_and_listed(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = raw / "Label/Train_final/0002-L.txt"
    write(path, "1,2,5,1\n52,6,6,2\n34,8,12\n")
    assert run("pkummd1", raw, tmp_path / "store") == 2
    assert f"{path}, line 2: class 52 is not one of 1 to 51" in capsys.readouterr().err
    assert run("pkummd1", raw, tmp_path / "store", "--skip-bad", "--workers", "2") == 0
    assert ClipStore(tmp_path / "store").names.tolist()[:2] == ["0002-L-001", "0002-M-001"]
    printed = capsys.readouterr().out
    assert "left out as damaged: 2\n" in printed
    assert f"{path}, line 3: expected class,first,last,confidence, found '34,8,12'" in printed
