"""MATLAB files: as SciPy writes them, with nothing that a hostile one could do."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
import scipy.io
from sources.fuzz import memory_below, mutations
from sources.writers import mat5

from kineme.sources.matlab import matlab_variables
from kineme.sources.raw import RemediedError

CUBE = np.arange(24.0).reshape(2, 3, 4) / 7
MUCH = 1 << 24


def same(found: Any, given: Any) -> bool:
    """Whether a value is what was written; MATLAB has a row for a list, and an array for a number."""
    if isinstance(given, dict):
        return set(found) == set(given) and all(same(found[key], given[key]) for key in given)
    if isinstance(given, list):
        return len(found) == len(given) and all(map(same, found, given))
    if isinstance(given, str):
        return bool(found == given)
    return bool(np.array_equal(found, np.atleast_2d(given)) and found.dtype == np.asarray(given).dtype)


def cell(*values: Any) -> Any:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


@pytest.mark.parametrize("compressed", [False, True])
def test_variables_are_what_was_written(compressed: bool) -> None:
    given = {
        "cube": CUBE,
        "small": np.arange(5, dtype=np.uint8),
        "single": CUBE.astype(np.float32),
        "many": np.arange(6, dtype=np.int64).reshape(2, 3),
        "empty": np.zeros((0, 3)),
        "who": "Jürgen",
        "fps": 29.97,
        "s": {"x": 1.5, "inner": {"cube": CUBE}, "name": "a"},
    }
    found = matlab_variables(mat5(compressed, **given, names=cell("hip", "left knee", 3.0)), MUCH)
    assert found.keys() == {*given, "names"}
    for name, value in given.items():
        assert same(found[name], value), name
    assert same(found["names"], ["hip", "left knee", 3.0])


def test_structs_in_a_row_and_text_in_rows() -> None:
    row = np.zeros(2, dtype=[("q", "O"), ("w", "O")])
    row["q"], row["w"] = [1.0, 2.0], ["a", "b"]
    found = matlab_variables(mat5(row=row, text=np.array(["ab", "cde"])), MUCH)
    assert same(found["row"], [{"q": 1.0, "w": "a"}, {"q": 2.0, "w": "b"}])
    assert found["text"] == "ab\ncde"


def test_of_other_kinds_only_the_name_is_known() -> None:
    import scipy.sparse

    found = matlab_variables(mat5(c=CUBE + 1j, sparse=scipy.sparse.eye_array(3).tocsc(), x=1.0), MUCH)
    assert found.keys() == {"c", "sparse", "x"}
    assert (found["c"], found["sparse"]) == (None, None)


def swapped(data: bytes) -> bytes:
    """A file of one array of doubles (2, 3), written by hand as a machine does that has high bytes first."""

    def element(kind: int, content: bytes) -> bytes:
        return np.array([kind, len(content)], ">u4").tobytes() + content.ljust(
            -(-len(content) // 8) * 8, b"\0"
        )

    body = element(6, np.array([6, 0], ">u4").tobytes()) + element(5, np.array([2, 3], ">i4").tobytes())
    body += element(1, b"wide") + element(9, np.arange(6.0).reshape(2, 3).T.astype(">f8").tobytes())
    return data[:124] + b"\x01\x00MI" + element(14, body)


def test_high_bytes_may_come_first() -> None:
    data = swapped(mat5(a=1.0))
    np.testing.assert_array_equal(matlab_variables(data, MUCH)["wide"], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(scipy.io.loadmat(io.BytesIO(data))["wide"], np.arange(6.0).reshape(2, 3))


def test_what_inflates_to_more_than_a_clip_is_refused() -> None:
    bomb = zlib.compress(b"\0" * 50_000_000)
    data = mat5(a=1.0)[:128] + np.array([15, len(bomb)], "<u4").tobytes() + bomb
    with memory_below(5_000_000), pytest.raises(ValueError, match="inflates to more than a clip can have"):
        matlab_variables(data, 1_000_000)
    with pytest.raises(ValueError, match="inflates to more"):
        matlab_variables(mat5(a=np.zeros(1000), b=np.zeros(1000)), 10_000)  # all together


def test_depth_and_number_of_values_are_bounded() -> None:
    deep: Any = 1.0
    for _ in range(12):
        deep = cell(deep, deep)
    with pytest.raises(ValueError, match="or deeper ones than a clip's"):
        matlab_variables(mat5(deep=deep), MUCH)


@pytest.mark.parametrize(
    ("at", "written", "reason"),
    [
        (126, b"XX", "is not a MATLAB file of the versions 5 to 7"),
        (132, b"\xff\xff\xff\x7f", "an element is longer than what holds it"),
        (128, b"\x09", "has an element of type 9 where a variable belongs"),
        (140, b"\x04", "lacks its dimensions or its name"),
        (160, b"\xff\xff\xff\xff", "has the shape"),
        (160, b"\x07", "bytes of numbers of shape"),
        (176, b"\x14", "has numbers of type 20"),  # a code by which SciPy ends the process
    ],
)
def test_what_is_wrong_is_said(at: int, written: bytes, reason: str) -> None:
    good = mat5(compressed=False, a=CUBE[0])
    with pytest.raises(ValueError, match=reason):
        matlab_variables(good[:at] + written + good[at + len(written) :], MUCH)


def test_version_7_3_is_told_from_damage() -> None:
    with pytest.raises(RemediedError, match=r"of version 7\.3; save it by save\(name, '-v7'\)"):
        matlab_variables(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), MUCH)


def test_damaged_files_are_refused_or_read() -> None:
    good = mat5(compressed=False, cube=CUBE, s={"x": 1.5, "names": cell("hip", "knee")}, who="anna")
    refused = 0
    for data in mutations(good, 3000, seed=5):
        try:
            matlab_variables(data, MUCH)
        except ValueError:
            refused += 1
    assert 300 < refused < 2900
