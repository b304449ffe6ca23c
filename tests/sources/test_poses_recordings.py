"""Which files make a clip, and what it shows: by a list, by the files themselves, or by their folders."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from sources.fuzz import mutations, survives

from kineme.errors import KinemeError
from kineme.sources.poses import recordings
from kineme.sources.poses.recordings import Recording, find_recordings
from kineme.sources.raw import RawFile


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("[]")
    return folder


def tables(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        files(folder, name)
        (folder / name).write_text(text)


def names(folder: Path) -> list[str]:
    return [recording.name for recording in find_recordings(folder, None)[0]]


def shown(folder: Path) -> list[tuple[str, str, str, int]]:
    """(name, class, subject, camera) of each clip."""
    recordings, classes, _ = find_recordings(folder, None)
    return [
        (each.name, classes[each.label] if each.label >= 0 else "", each.subject, each.camera)
        for each in recordings
    ]


def test_a_clip_is_a_file(tmp_path: Path) -> None:
    files(tmp_path, "b/one.npy", "a.json", "b/two.csv", "notes.txt", "labels.CSV.bak")
    assert names(tmp_path) == ["a", "b/one", "b/two"]


def test_openpose_frames_are_clips_by_folder_and_name(tmp_path: Path) -> None:
    frames = [f"{frame:012}_keypoints.json" for frame in (10, 9, 100)]
    files(
        tmp_path, *(f"x/left_cam_{frame}" for frame in frames), *(f"x/right_{frame}" for frame in frames[:2])
    )
    files(tmp_path, *(f"walk/{frame}" for frame in frames), *(f"run/run_{frame}" for frame in frames))
    recordings, _, _ = find_recordings(tmp_path, None)
    assert [each.name for each in recordings] == ["run", "walk", "x/left_cam", "x/right"]
    assert [each.numbers for each in recordings] == [(9, 10, 100)] * 3 + [(9, 10)]
    assert [file.name for file in recordings[3].files] == [f"right_{frame}" for frame in sorted(frames[:2])]


def test_frames_beside_each_other_need_no_folder(tmp_path: Path) -> None:
    assert names(files(tmp_path, "000_keypoints.json", "a_000_keypoints.json")) == ["a", "poses"]


def test_a_folder_is_a_class_where_there_are_several(tmp_path: Path) -> None:
    files(tmp_path, "wave/a.npy", "wave/v1/000_keypoints.json", "10/b.npy", "9/c.npy", "d.npy")
    assert shown(tmp_path) == [
        ("10/b", "10", "", -1),
        ("9/c", "9", "", -1),
        ("d", "", "", -1),
        ("wave/a", "wave", "", -1),
        ("wave/v1", "wave", "", -1),
    ]
    assert find_recordings(tmp_path, None)[1] == ("9", "10", "wave")


def test_one_folder_is_no_class(tmp_path: Path) -> None:
    assert shown(files(tmp_path, "mine/a.npy", "mine/b.npy")) == [
        ("mine/a", "", "", -1),
        ("mine/b", "", "", -1),
    ]


def test_a_list_tells_label_subject_and_camera(tmp_path: Path) -> None:
    files(tmp_path, "x/a.npy", "x/b.npy", "y/c.json", "y/d.npy", "y/e.npy")
    (tmp_path / "labels.csv").write_text(
        "\ufeffName,Label,subject,camera\nx/a,wave,ann,2\nb.npy,kick,bob,\n\ny/c.json,wave,ann,3\nnobody,x,,\nd,,,\n"
    )
    assert shown(tmp_path) == [
        ("x/a", "wave", "ann", 2),
        ("x/b", "kick", "bob", -1),
        ("y/c", "wave", "ann", 3),
        ("y/d", "", "", -1),
        ("y/e", "", "", -1),
    ]


def test_names_of_a_list_that_are_of_no_clip_are_remarked_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files(tmp_path, "x/anna_01.npy", "x/anna_02.npy")
    (tmp_path / "labels.csv").write_text("name,label\nanna_01,wave\nx/anna_02.npy,kick\n")
    assert [label for _, label, _, _ in shown(tmp_path)] == ["wave", "kick"]
    assert not caplog.records
    (tmp_path / "labels.csv").write_text("name,label\nanna_01,wave\nana_02,kick\nben,kick\n")
    assert [label for _, label, _, _ in shown(tmp_path)] == ["wave", ""]
    (record,) = caplog.records
    assert record.getMessage().endswith(
        "labels.csv: 2 of its 3 names match no clip, such as 'ana_02'; did you mean anna_02?"
    )


def test_names_of_a_list_stand_below_its_folder(tmp_path: Path) -> None:
    files(tmp_path, "set/x/a.npy", "set/y/a.npy")
    (tmp_path / "set" / "labels.csv").write_text("name,label\nx/a,wave\na,kick\n")
    assert shown(tmp_path) == [("set/x/a", "wave", "", -1), ("set/y/a", "", "", -1)]


def test_files_tell_their_label_subject_and_fps(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", xyz=np.ones((2, 2, 3)), label="wave", subject="ann", fps=50)
    (tmp_path / "b.json").write_text('{"xyz": [[[1, 2]]], "label": 7, "fps": 50.0}')
    files(tmp_path, "folder/c.npy")
    np.savez(tmp_path / "d.npz", xyz=np.ones((2, 2, 3)), label=np.array([[3.0]]), subject=0.5)  # as of MATLAB
    (tmp_path / "broken.npz").write_text("no zip")
    assert shown(tmp_path) == [
        ("a", "wave", "ann", -1),
        ("b", "7", "", -1),
        ("broken", "", "", -1),
        ("d", "3", "", -1),
        ("folder/c", "", "", -1),
    ]
    assert find_recordings(tmp_path, None)[2] == 50
    found, _, rate = find_recordings(tmp_path, 25.0)
    assert (rate, [each.fps for each in found]) == (25, [50, 50, None, None, None])  # to be resampled


def test_the_same_fps_in_32_and_64_bits_are_one(tmp_path: Path) -> None:
    for name, fps in (("a", 29.97), ("b", np.float32(29.97))):
        np.savez(tmp_path / f"{name}.npz", xyz=np.ones((2, 2, 3)), fps=fps)
    assert find_recordings(tmp_path, None)[2] == 29.97


def test_different_fps_are_refused(tmp_path: Path) -> None:
    for name, fps in (("a", 25), ("b", 30), ("c", 30)):
        np.savez(tmp_path / f"{name}.npz", xyz=np.ones((2, 2, 3)), fps=fps)
    told = r"2 different frame rates \(25 a second in a, 30 a second in b\); set `fps` .*most common, 30$"
    with pytest.raises(KinemeError, match=told):
        find_recordings(tmp_path, None)
    found, _, rate = find_recordings(tmp_path, 30.0)
    assert (rate, [each.fps for each in found]) == (30, [25, None, None])  # the first is to be resampled


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "contains no poses; expected .npy, .npz, .csv, .tsv, .json, .jsonl"),
        (["a.npy", "a.json"], "a.npy: is clip 'a' too, like .*a.json; keep one"),
        (["a/a_1_keypoints.json", "a.npy"], "is clip 'a' too"),
        (["a.npy", "labels.csv", "b/labels.csv"], "labels.csv: duplicates"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path: Path, found: list[str], reason: str) -> None:
    with pytest.raises(KinemeError, match=reason):
        find_recordings(files(tmp_path, *found), None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "labels.csv, line 1: has no column 'name'; its first line is empty; expected name,label"),
        ("name;class\n", "labels.csv, line 1: has no column 'label'; its columns are name, class; expected"),
        ("name,label,Label\n", "labels.csv, line 1: has two columns 'label'; keep one"),
        ("name,label\na,wave,3\n", "labels.csv, line 2: has 3 fields, the header 2"),
        ("name,label\na,wave\na,kick\n", "labels.csv, line 3: names 'a' again"),
        ("name,label,subject,camera\na,wave,1,left\n", "labels.csv, line 2: camera 'left' is not an integer"),
        ("name,label\nb,wave\n", "names none of the clips; their names are like 'a'"),
        ("name,label\n\xff", "is not a CSV file in UTF-8"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    files(tmp_path, "a.npy")
    (tmp_path / "labels.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(KinemeError, match=reason):
        find_recordings(tmp_path, None)


@pytest.mark.parametrize(
    "text",
    ["name,label\na,wave\nb,bow\n", "file;class\na.csv;wave\nc.csv;bow\nb.csv;bow\n",
     "id,clip,left_x,left_y,right_x,right_y\n1,day/a,1,2,3,4\n2,day/b,5,6,7,8\n"],
)  # fmt: skip
def test_a_list_by_another_name_is_refused_with_what_to_call_it(tmp_path: Path, text: str) -> None:
    """It would be read as a recording, or with `skip_bad` left out, and with it all labels."""
    for clip in "abc":
        tables(tmp_path, {f"day/{clip}.csv": "hip_x,hip_y,head_x,head_y\n1,2,3,4\n"})
    tables(tmp_path, {"day/annotations.csv": text})
    reason = (
        r"annotations\.csv: is no recording, but a list that names others, such as 'day/a'; "
        r"call it labels\.csv if it has their labels \(name,label\), or move it away"
    )
    with pytest.raises(KinemeError, match=reason):
        find_recordings(tmp_path, None)


def test_a_class_or_a_clip_of_origin_in_a_table_does_not_make_it_a_list(tmp_path: Path) -> None:
    def motion(text: str) -> str:
        return f"of,hip_x,hip_y,head_x,head_y\n{text},1,2,3,4\n{text},1,2,3,5\n"

    tables(tmp_path, {"wave.csv": motion("wave"), "anna/1.csv": motion("wave"), "2.csv": motion("1")})
    assert [name for name, *_ in shown(tmp_path)] == ["2", "anna/1", "wave"]


@pytest.mark.parametrize(("mark", "apart"), [("utf-8-sig", ";"), ("utf-16", "\t"), ("utf-8", ",")])
def test_a_list_as_excel_saves_it(tmp_path: Path, mark: str, apart: str) -> None:
    files(tmp_path, "a.npy", "b.npy")
    (tmp_path / "labels.csv").write_bytes(f"name{apart}label\r\na{apart}grüßen\r\n".encode(mark))
    assert shown(tmp_path) == [("a", "grüßen", "", -1), ("b", "", "", -1)]


def test_a_list_may_have_other_columns_in_any_order(tmp_path: Path) -> None:
    files(tmp_path, "a.npy", "b.npy")
    (tmp_path / "labels.csv").write_text("Trial;Subject;Label;Name\n1;anna;wave;a.npy\n2;ben;;b\n")
    assert shown(tmp_path) == [("a", "wave", "anna", -1), ("b", "", "ben", -1)]


def test_a_list_can_name_files_with_outer_spaces(tmp_path: Path) -> None:
    """Fields of a list have no spaces around them; so have names of clips none."""
    files(tmp_path, "day 1 / walk .npy")
    (tmp_path / "labels.csv").write_text("name,label\nday 1/walk,walking\n")
    assert shown(tmp_path) == [("day 1/walk", "walking", "", -1)]


@pytest.mark.parametrize(("there", "listed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_are_spelt_as_on_this_system_wherever_files_and_list_come_from(
    tmp_path: Path, there: str, listed: str
) -> None:
    """macOS takes the letters of file names apart, Windows writes backslashes between folders."""
    files(tmp_path, unicodedata.normalize(there, "Größe/Jörg 1.npy"), "Größe/b.npy")
    text = "name,label,subject\nGröße\\Jörg 1.npy,Grüßen,Jörg\n"
    (tmp_path / "labels.csv").write_text(unicodedata.normalize(listed, text), encoding="utf-8")
    assert shown(tmp_path) == [("Größe/Jörg 1", "Grüßen", "Jörg", -1), ("Größe/b", "", "", -1)]


def test_a_damaged_list_is_refused_or_read(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [RawFile(PurePosixPath(name), Path(name)) for name in ("a.npy", "labels.csv", "x/b.npy")]
    monkeypatch.setattr(recordings, "find_files", lambda *_: held)
    read = 0
    for data in mutations(b'name,label,subject,camera\na,wave,1,2\nx/b,"sit, down",2,3\n', 2000, seed=0):
        monkeypatch.setattr(RawFile, "read", lambda self, limit, data=data: data)
        read += survives(lambda: find_recordings(Path(), None))
    assert 50 < read < 1950


def test_recordings_are_small(tmp_path: Path) -> None:
    """They are sent to other processes."""
    recordings, _, _ = find_recordings(files(tmp_path, "a.npy"), None)
    assert recordings == [Recording("a", (RawFile(PurePosixPath("a.npy"), tmp_path / "a.npy"),))]
