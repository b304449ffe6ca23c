"""PKU-MMD's text files: read by value, and refused with the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.sources.pkummd_text import count_frames, read_action, read_skeletons
from kineme.sources.raw import RawFile

Lines = list[str]
REMEDY = "download the file again"
# Frame t, number i: t + i / 1000.
GOOD = [" ".join(f"{frame + i / 1000:.3f}" for i in range(150)) for frame in range(5)]


def raw_file(path: Path) -> RawFile:
    return RawFile(PurePosixPath(path.name), path)


def write(folder: Path, lines: Lines, ending: str = "\n") -> RawFile:
    path = folder / "0002-L.txt"
    path.write_bytes("".join(line + ending for line in lines).encode())
    return raw_file(path)


def test_a_line_is_two_bodies_of_25_joints(tmp_path: Path) -> None:
    xyz = read_skeletons(write(tmp_path, GOOD))
    assert (xyz.shape, xyz.dtype) == ((5, 2, 25, 3), np.float32)
    np.testing.assert_allclose(xyz[3, 0, 0], [3.000, 3.001, 3.002], rtol=1e-6)
    np.testing.assert_allclose(xyz[3, 0, 24], [3.072, 3.073, 3.074], rtol=1e-6)
    np.testing.assert_allclose(xyz[3, 1, 0], [3.075, 3.076, 3.077], rtol=1e-6)
    np.testing.assert_allclose(xyz[4, 1, 24], [4.147, 4.148, 4.149], rtol=1e-6)


def test_frames_are_counted_from_1_and_the_last_is_included(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    whole = read_skeletons(path)
    np.testing.assert_array_equal(read_skeletons(path, 2, 4), whole[1:4])
    np.testing.assert_array_equal(read_skeletons(path, 5, 5), whole[4:])
    np.testing.assert_array_equal(read_skeletons(path, 4, 9), whole[3:])
    assert read_skeletons(path, 6, 9).shape == (0, 2, 25, 3)


@pytest.mark.parametrize("ending", ["\r\n", " \n", "\n"])
def test_line_endings_and_blank_lines_at_the_end_do_no_harm(tmp_path: Path, ending: str) -> None:
    expected = read_skeletons(write(tmp_path, GOOD))
    path = write(tmp_path, [*GOOD, "", ""], ending)
    np.testing.assert_array_equal(read_skeletons(path), expected)
    assert count_frames(path) == 5


def test_damage_elsewhere_does_not_touch_an_action(tmp_path: Path) -> None:
    path = write(tmp_path, ["oops", *GOOD[1:]])
    assert read_skeletons(path, 2, 5)[0, 0, 0, 0] == 1


def replaced(number: int, line: str) -> Callable[[Lines], Lines]:
    return lambda lines: [*lines[: number - 1], line, *lines[number:]]


def with_number(number: int, column: int, value: str) -> Callable[[Lines], Lines]:
    fields = GOOD[number - 1].split()
    fields[column - 1] = value
    return replaced(number, " ".join(fields))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: [], ": is empty"),
        (lambda lines: ["", "  "], ": is empty"),
        (replaced(3, ""), ", line 3: expected 150 numbers, found 0"),
        (replaced(3, " ".join(GOOD[2].split()[:149])), ", line 3: expected 150 numbers, found 149"),
        (replaced(3, GOOD[2] + " 1"), ", line 3: expected 150 numbers, found more"),
        (
            lambda lines: [line.rsplit(" ", 1)[0] for line in lines],
            ", line 1: expected 150 numbers, found 149",
        ),
        (lambda lines: [" ".join(lines)], ", line 1: expected 150 numbers, found more"),
        (replaced(2, GOOD[1].replace(" ", ",")), ", line 2: expected 150 numbers, found 1"),
        (with_number(4, 7, "oops"), ", line 4: expected 150 numbers in metres, found 'oops' as number 7"),
        (with_number(4, 7, "nan"), ", line 4: expected 150 numbers in metres, found 'nan' as number 7"),
        (with_number(5, 150, "-inf"), ", line 5: expected 150 numbers in metres, found '-inf' as number 150"),
        (with_number(1, 1, "1e300"), ", line 1: expected 150 numbers in metres, found '1e300' as number 1"),
        (with_number(1, 2, "1_0"), ", line 1: expected 150 numbers in metres, found '1_0' as number 2"),
        (
            with_number(1, 2, "naïve"),
            r", line 1: expected 150 numbers in metres, found 'na\\xc3\\xafve' as number 2",
        ),
        (with_number(2, 3, "x" * 5000), ", line 2: expected 150 numbers in metres, found 'xxxx"),
        (with_number(2, 3, "0." + "0" * 9000), ", line 2: expected 150 numbers, found a line of 9,"),
        (replaced(2, GOOD[1].replace(" ", "\r", 1)), ", line 2: expected 150 numbers, found 1"),
        (with_number(2, 3, "1\0"), ": is binary, not a text file"),
    ],
)
def test_damaged_skeletons_are_refused_with_their_line(
    tmp_path: Path, change: Callable[[Lines], Lines], reason: str
) -> None:
    path = write(tmp_path, change(GOOD))
    with pytest.raises(KinemeError) as refusal:
        read_skeletons(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}{reason}")
    assert message.endswith(REMEDY)
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300


def test_the_line_is_that_of_the_file_not_of_the_action(tmp_path: Path) -> None:
    path = write(tmp_path, replaced(4, "1 2 3")(GOOD))
    with pytest.raises(KinemeError, match=r"0002-L\.txt, line 4: expected 150 numbers, found 3"):
        read_skeletons(path, 3, 5)


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    path.write_bytes(np.random.default_rng(0).bytes(4096))
    with pytest.raises(KinemeError, match="is binary, not a text file of skeletons"):
        read_skeletons(raw_file(path))


def test_a_file_of_far_too_many_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no room
    with pytest.raises(KinemeError, match=r"0002-L\.txt: is far too large"):
        read_skeletons(raw_file(path))


def test_far_too_many_frames_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    path.write_bytes(b"1\n" * 200_000)
    with pytest.raises(KinemeError, match="has more than 100000 frames"):
        read_skeletons(raw_file(path))


def test_missing_files_are_called_missing(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"0002-L\.txt: cannot be read \(.*No such file or directory"):
        read_skeletons(raw_file(tmp_path / "0002-L.txt"))


def test_a_label_line_by_value() -> None:
    assert read_action(raw_file(Path("0002-L.txt")), 1, "51, 20,  31,2") == (20, 31, 50)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3", "expected class,first,last,confidence, found '1,2,3'"),
        ("1,2,3,4,5", "expected class,first,last,confidence"),
        ("1 2 3 4", "expected class,first,last,confidence"),
        ("one,2,3,1", "expected class,first,last,confidence"),
        ("1,2.5,3,1", "expected class,first,last,confidence"),
        ("1,2,3,sure", "expected class,first,last,confidence"),
        ("9" * 9000, "expected class,first,last,confidence"),
        ("0,2,3,1", "class 0 is not one of 1 to 51"),
        ("52,2,3,1", "class 52 is not one of 1 to 51"),
        ("-1,2,3,1", "class -1 is not one of 1 to 51"),
        ("1,0,3,1", "'1,0,3,1' is not a range of frames"),
        ("1,4,3,1", "'1,4,3,1' is not a range of frames"),
        ("1,4,99999999999999999999,1", "is not a range of frames"),
    ],
)
def test_damaged_label_lines_are_refused(line: str, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        read_action(raw_file(Path("0002-L.txt")), 7, line)
    message = str(refusal.value)
    assert message.startswith("0002-L.txt, line 7: ")
    assert reason in message
    assert message.endswith(REMEDY)
    assert len(message) < 250
