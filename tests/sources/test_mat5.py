"""MATLAB's files, against scipy's writer and reader; and what they claim, against the bytes they have."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import scipy.io
from sources.fuzz import memory_below, mutations, survives
from sources.writers import mat5

from kineme.errors import KinemeError
from kineme.sources.mat5 import read_mat5

LIMIT = 1 << 20
NUMBERS = np.arange(24.0).reshape(2, 3, 4)


def written(compressed: bool = True, version: str = "5", **variables: Any) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, variables, format=version, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        NUMBERS,
        NUMBERS / 7,
        NUMBERS.astype(np.float32),
        NUMBERS.astype(np.int16),
        np.zeros((0, 3)),
        np.array([[5]], dtype=np.uint8),  # a small element
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_what_scipy_writes(array: Any, compressed: bool) -> None:
    data = written(compressed, other=np.eye(3), name="text", d_skel=array, last=np.eye(2))
    read = read_mat5(data, "d_skel", LIMIT)
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("stored", ["u1", "i2", "f4", "f8"])
def test_doubles_may_be_stored_as_other_numbers(order: str, stored: str) -> None:
    data = mat5("d_skel", NUMBERS, stored=stored, order=order)
    np.testing.assert_array_equal(scipy.io.loadmat(io.BytesIO(data))["d_skel"], NUMBERS)
    np.testing.assert_array_equal(read_mat5(data, "d_skel", LIMIT), NUMBERS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is no MATLAB file of level 5"),
        (b"text " * 100, "is no MATLAB file of level 5"),
        (b"\x89HDF\r\n\x1a\n" + bytes(500), "is a MATLAB 7.3 file; save it with -v7"),
        (b"MATLAB 7.3 MAT-file".ljust(600), "is a MATLAB 7.3 file"),
        (written(version="4", d_skel=NUMBERS[0]), "is no MATLAB file of level 5"),
        (written(d_skeleton=NUMBERS), "holds no variable 'd_skel'"),
        (written(d_skel="text"), "no plain array of numbers"),
        (written(d_skel=NUMBERS + 1j), "no plain array of numbers"),
        (written(d_skel={"a": 1}), "no plain array of numbers"),
        (written(d_skel=np.array([[1, "a"]], dtype=object)), "no plain array of numbers"),
        (mat5("d_skel", NUMBERS)[:200], "is cut off"),
        (mat5("d_skel", NUMBERS, compressed=False)[:-8], "is cut off"),
        (mat5("d_skel", NUMBERS)[:150] + b"\xff" * 100, r"is damaged \(.*\)"),
    ],
    ids=range(13),
)
def test_others_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_mat5(data, "d_skel", LIMIT)


def claimed(*shape: int) -> bytes:
    """An array of 24 numbers that claims a shape."""
    data = mat5("d_skel", NUMBERS, compressed=False)
    return data.replace(struct.pack("<3i", 2, 3, 4), struct.pack("<3i", *shape))


def swelling() -> bytes:
    """A compressed element of a megabyte that becomes a gigabyte."""
    packed = zlib.compressobj()
    zeros = bytes(1 << 20)
    content = b"".join(packed.compress(zeros) for _ in range(1 << 10)) + packed.flush()
    return mat5("x", NUMBERS)[:128] + struct.pack("<II", 15, len(content)) + content


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (claimed(10_000_000, 3, 4), r"of shape \(10000000, 3, 4\), but 192 bytes"),
        (claimed(2**31 - 1, 2**31 - 1, 2**31 - 1), "but 192 bytes of it"),
        (claimed(-2, -3, 4), "but 192 bytes of it"),
        (claimed(2, 3, 3), "but 192 bytes of it"),
        (swelling(), "swells beyond what such a file can hold"),
    ],
    ids=range(5),
)
def test_what_a_file_claims_takes_no_memory(data: bytes, reason: str) -> None:
    with memory_below(8 * LIMIT), pytest.raises(ValueError, match=reason):
        read_mat5(data, "d_skel", LIMIT)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_are_refused_or_read(compressed: bool) -> None:
    def read(data: bytes) -> None:
        try:
            read_mat5(data, "d_skel", LIMIT)
        except ValueError as error:
            raise KinemeError(str(error)) from error

    good = written(compressed, other=np.eye(2), d_skel=NUMBERS)
    taken = [survives(lambda data=data: read(data)) for data in mutations(good, 2000, seed=1)]
    assert 50 < sum(taken) < 1900
