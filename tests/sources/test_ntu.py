"""NTU RGB+D's text files: read by value, and refused with the line that is wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.errors import KinemeError
from kineme.sources.ntu import open_ntu, read_clip, read_skeleton
from kineme.sources.raw import RawFile

RAW = GOLDEN / "ntu_raw"
SHORT = RAW / "S017C001P008R002A060.skeleton"  # starts with frames without a body

Lines = list[str]


def body(seed: int, person: int = 72057594037931691) -> Lines:
    """A body's lines; joint j is at (seed, j, 0.5)."""
    state = f"{person} 0 1 1 1 1 0 -0.06 -0.01 2"
    return [state, "25", *(f"{seed} {joint} 0.5 257 248 963 645 0.1 0.9 0.1 0.1 2" for joint in range(25))]


def text(*frames: list[Lines]) -> Lines:
    """A whole file of frames of bodies."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines += [str(len(bodies)), *(line for each in bodies for line in each)]
    return lines


GOOD = text([body(1)], [], [body(2), body(3)])


def raw_file(path: Path) -> RawFile:
    return RawFile(PurePosixPath(path.name), path)


def write(folder: Path, lines: Lines, end: str = "\n") -> RawFile:
    path = folder / "S001C002P003R002A013.skeleton"
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    return raw_file(path)


def test_a_small_file_by_hand(tmp_path: Path) -> None:
    xyz = read_skeleton(write(tmp_path, GOOD))
    expected = np.zeros((3, 2, 25, 3), np.float32)
    for frame, slot, seed in ((0, 0, 1), (2, 0, 2), (2, 1, 3)):
        expected[frame, slot] = np.stack([np.full(25, seed), np.arange(25), np.full(25, 0.5)], axis=-1)
    np.testing.assert_array_equal(xyz, expected)
    assert xyz.dtype == np.float32


def test_a_slot_can_be_a_person_instead_of_a_place_in_the_list(tmp_path: Path) -> None:
    anna, ben, carl = 7, 3, 5
    frames = [[body(1, anna)], [body(2, ben), body(3, anna)], [], [body(4, ben), body(5, carl)]]
    file = write(tmp_path, text(*frames))
    seeds = read_skeleton(file, by_person=True)[:, :, 0, 0]
    np.testing.assert_array_equal(seeds, [[1, 0, 0], [3, 2, 0], [0, 0, 0], [0, 4, 5]])
    np.testing.assert_array_equal(read_skeleton(file)[:, :, 0, 0], [[1, 0], [2, 3], [0, 0], [4, 5]])


def test_more_people_than_a_clip_can_show_are_refused(tmp_path: Path) -> None:
    """A slot for each would take memory that grows with the square of the file."""
    crowd = text(*([body(1, person)] for person in range(65)))
    with pytest.raises(KinemeError, match="tracks 65 people, more than the 64"):
        read_skeleton(write(tmp_path, crowd), by_person=True)


@pytest.mark.parametrize("end", ["\r\n", " \n", "\n\n"], ids=["dos", "trailing blanks", "blank lines"])
def test_line_ends_do_not_matter(tmp_path: Path, end: str) -> None:
    np.testing.assert_array_equal(
        read_skeleton(write(tmp_path, GOOD, end)), read_skeleton(write(tmp_path, GOOD))
    )


@pytest.mark.parametrize("row", range(5))
def test_coordinates_are_the_published_parsers(row: int) -> None:
    """`raw_two_bodies` holds the two bodies of largest energy, in that order."""
    with np.load(GOLDEN / "preprocess_ntu.npz") as stored:
        path, frames = RAW / str(stored["names"][row]), int(stored["num_frames"][row])
        expected = stored["raw_two_bodies"][row].transpose(1, 3, 2, 0)
    xyz = read_skeleton(raw_file(path))
    assert len(xyz) == frames
    assert not expected[frames:].any()
    for slot in range(2):
        wanted = expected[:frames, slot]
        if wanted.any():
            nearest = min(np.abs(xyz[:, body] - wanted).max() for body in range(xyz.shape[1]))
            assert nearest < 1e-6


def test_a_name_says_who_what_and_where(tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path, GOOD))
    assert clip.name == "S001C002P003R002A013"
    assert (clip.setup, clip.camera, clip.subject, clip.replication, clip.label) == (1, 2, "3", 2, 12)


def test_a_file_without_bodies_is_read(tmp_path: Path) -> None:
    assert read_skeleton(write(tmp_path, text([], []))).shape == (2, 0, 25, 3)


def test_a_folder_holds_the_clips_of_its_data_set() -> None:
    sixty, both = open_ntu(RAW, 60), open_ntu(RAW, 120)
    assert (sixty.name, both.name) == ("ntu60", "ntu120")
    assert [name[-4:] for name in both.names] == ["A001", "A050", "A055", "A060", "A103"]
    assert list(sixty.names) == list(both.names)[:4]
    assert sixty.class_names[:2] == ("drink water", "eat meal/snack")
    assert (sixty.class_names[49], both.class_names[102]) == ("punching/slapping other person", "yawn")
    assert len(set(both.class_names)) == 120
    assert (len(sixty.class_names), len(both.class_names)) == (60, 120)
    assert both.read(both.items[4]).label == 102


def packed(path: Path, *files: Path) -> Path:
    """A zip with a folder, as the data set is given out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"nturgb+d_skeletons/{file.name}")
    return path


def test_zips_hold_the_same_clips_as_a_folder(tmp_path: Path) -> None:
    files = sorted(RAW.iterdir())
    whole = packed(tmp_path / "whole.zip", *files)
    (tmp_path / "zips").mkdir()
    packed(tmp_path / "zips" / "s018_to_s032.zip", *files[2::2])
    packed(tmp_path / "zips" / "s001_to_s017.zip", *files[:2], *files[3::2])
    expected = open_ntu(RAW, 120)
    for raw in (whole, tmp_path / "zips"):
        source = open_ntu(raw, 120)
        assert source.names == expected.names
        for item, other in zip(source.items, expected.items, strict=True):
            clip, wanted = read_clip(item), read_clip(other)
            np.testing.assert_array_equal(clip.xyz, wanted.xyz)
            assert (clip.name, clip.subject, clip.label) == (wanted.name, wanted.subject, wanted.label)


def test_errors_name_the_zip_and_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, replaced(2, "7")(GOOD)).path
    (item,) = open_ntu(packed(tmp_path / "clips.zip", path), 60).items
    with pytest.raises(KinemeError) as refusal:
        read_clip(item)
    place = f"{tmp_path}/clips.zip/nturgb+d_skeletons/{path.name}, line 2: expected the number of bodies"
    assert str(refusal.value).startswith(place)


def test_a_name_that_is_there_twice_is_refused_before_reading(tmp_path: Path) -> None:
    packed(tmp_path / "s001_to_s017.zip", SHORT)
    (tmp_path / "nturgb+d_skeletons").mkdir()
    (tmp_path / "nturgb+d_skeletons" / SHORT.name).touch()
    with pytest.raises(KinemeError, match="duplicates") as refusal:
        open_ntu(tmp_path, 60)
    for place in ("s001_to_s017.zip/nturgb+d_skeletons", "nturgb+d_skeletons"):
        assert str(tmp_path / place / SHORT.name) in str(refusal.value)


def replaced(line: int, by: str) -> Callable[[Lines], Lines]:
    """Line numbers count from 1, as in messages."""
    return lambda lines: [*lines[: line - 1], by, *lines[line:]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: [], "is empty"),
        (lambda _: ["", "  "], "is empty"),
        (lambda lines: lines[:30], "cut off: it ends before the number of bodies in frame 3 of 3"),
        (
            lambda lines: lines[:20],
            "cut off: it ends before 12 numbers of joint 17 of body 1 in frame 1 of 3",
        ),
        (lambda lines: lines[:3], "cut off: it ends before 25, the joints of body 1 in frame 1 of 3"),
        (lambda lines: [*lines[:19], "1 1"], ", line 20: expected 12 numbers of joint 16 of body 1"),
        (lambda lines: [*lines, "1"], "continues after the 3 frames of line 1"),
        (replaced(1, "2"), ", line 31: continues after the 2 frames"),
        (replaced(1, "4"), "cut off: it ends before the number of bodies in frame 4 of 4"),
        (replaced(1, "0"), ", line 1: expected the number of frames (1 to 100000), found '0'"),
        (replaced(1, "-3"), ", line 1: expected the number of frames (1 to 100000), found '-3'"),
        (replaced(1, "3.5"), ", line 1: expected the number of frames (1 to 100000), found '3.5'"),
        (replaced(1, "10000000"), ", line 1: expected the number of frames (1 to 100000), found '10000000'"),
        (replaced(1, "9" * 5000), ", line 1: expected the number of frames (1 to 100000), found '9999"),
        (replaced(2, "7"), ", line 2: expected the number of bodies in frame 1 of 3 (0 to 6), found '7'"),
        (replaced(2, "-1"), ", line 2: expected the number of bodies in frame 1 of 3 (0 to 6), found '-1'"),
        (replaced(3, "1 2 3"), ", line 3: expected the 10 numbers of body 1 in frame 1 of 3, found '1 2 3'"),
        (replaced(4, "24"), ", line 4: expected 25, the joints of body 1 in frame 1 of 3, found '24'"),
        (
            replaced(4, "10000000"),
            ", line 4: expected 25, the joints of body 1 in frame 1 of 3, found '10000000'",
        ),
        (replaced(9, "0.1 oops 0.5 1 1 1 1 0 0 0 0 2"), ", line 9: expected 12 numbers of joint 5 of body 1"),
        (replaced(9, "0.1 nan 0.5 1 1 1 1 0 0 0 0 2"), "found '0.1 nan 0.5 1 1 1 1 0 0 0 0 2'"),
        (replaced(9, "0.1 inf 0.5 1 1 1 1 0 0 0 0 2"), ", line 9: expected 12 numbers of joint 5"),
        (replaced(9, "0.1 1e300 0.5 1 1 1 1 0 0 0 0 2"), ", line 9: expected 12 numbers of joint 5"),
        (replaced(9, "naïve"), ", line 9: expected 12 numbers of joint 5"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(
    tmp_path: Path, change: Callable[[Lines], Lines], reason: str
) -> None:
    path = write(tmp_path, change(GOOD))
    with pytest.raises(KinemeError) as refusal:
        read_skeleton(path)
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
    assert message.endswith("download the file again")


def test_a_binary_file_is_called_binary(tmp_path: Path) -> None:
    path = tmp_path / "S001C002P003R002A013.skeleton"
    path.write_bytes(np.random.default_rng(0).bytes(4096))
    with pytest.raises(KinemeError, match="is binary, not an NTU RGB"):
        read_skeleton(raw_file(path))


def test_every_cut_of_a_file_is_noticed(tmp_path: Path) -> None:
    data = SHORT.read_bytes()
    path = tmp_path / SHORT.name
    for end in np.random.default_rng(0).integers(0, len(data) - 4, 40):
        path.write_bytes(data[:end])
        with pytest.raises(KinemeError):
            read_skeleton(raw_file(path))


def test_missing_paths_are_called_missing(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"cannot be read \(.*No such file or directory"):
        read_skeleton(raw_file(tmp_path / SHORT.name))
    with pytest.raises(KinemeError, match="no such folder"):
        open_ntu(tmp_path / "nowhere", 60)
    with pytest.raises(KinemeError, match=r"contains no \.skeleton files of actions 1 to 60"):
        open_ntu(tmp_path, 60)


def test_a_strange_file_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wave.skeleton").write_text("1\n0\n")
    with pytest.raises(KinemeError, match=r"have names such as S001C002P003R002A013\.skeleton"):
        open_ntu(tmp_path, 60)
