"""Numbers of a pickle's memo: those that it can need pass, and those that only take memory are refused."""

from __future__ import annotations

import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.fuzz import address_space_below, held

from kineme.errors import KinemeError
from kineme.sources.memo import LEAST, MemoError, check_memo
from kineme.sources.raw import find_files
from kineme.sources.unpickle import read_pickle, unpickled

PROTOCOLS = pytest.mark.parametrize("protocol", range(6))
VALUES: list[Any] = [
    {"split": {"a": ["x", "é", "line\nbreak"]}, "scores": [0.5, -1e300, 2**70, -(2**3000), True, None]},
    [np.arange(60, dtype=np.float32).reshape(3, 4, 5), np.array(["a", "b"]), b"r\xff\xff\xff\xff" * 99],
    [[[]] for _ in range(LEAST + 300)],  # more numbers than pass unseen
    (b"\0" * 300, "p999999999999\n" * 30, {1, 2}, frozenset({3}), bytearray(b"r\xff\xff\xff\xff")),
]


@PROTOCOLS
@pytest.mark.parametrize("value", VALUES, ids=["plain", "arrays", "many", "misleading"])
def test_what_python_writes_passes(value: Any, protocol: int) -> None:
    check_memo(pickle.dumps(value, protocol))
    check_memo(pickletools.optimize(pickle.dumps(value, protocol)))


@PROTOCOLS
@pytest.mark.parametrize("value", VALUES[:2], ids=["plain", "arrays"])
@pytest.mark.parametrize("number", [LEAST + 1, 1 << 31, (1 << 32) - 1])
def test_a_number_far_ahead_is_found_wherever_it_stands(value: Any, protocol: int, number: int) -> None:
    """After each instruction of a pickle in turn."""
    data = pickle.dumps(value, protocol)
    places = [at for _, _, at in pickletools.genops(data)][1 if protocol > 1 else 0 :]
    for far in (b"r" + struct.pack("<I", number), f"p{number}\n".encode()):
        for at in places:
            with pytest.raises(MemoError, match=f"numbers an object {number:,}; [0-9,]+ bytes cannot"):
                check_memo(data[:at] + far + data[at:])
        check_memo(data + far)  # nobody reads what comes after the end


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_pickle_that_is_cut_off_is_left_to_the_unpickler(cut: int) -> None:
    for protocol in range(6):
        data = pickle.dumps(VALUES[0], protocol)
        check_memo(data[: cut * len(data) // 40])
    check_memo(b"p12")
    check_memo(b"pabc\n.")
    check_memo(b"")


def test_an_array_beyond_the_end_is_refused_before_there_is_room_for_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Python's unpickler would print an error of its own, and go on."""
    for size in (100, 1 << 40, (1 << 63) - 1):
        data = b"\x80\x05\x96" + struct.pack("<Q", size) + b"abc."
        with pytest.raises(MemoError, match=f"^announces {size:,} bytes, and has 15$"):
            check_memo(data)
        with pytest.raises(ValueError, match=f"announces {size:,} bytes"):
            unpickled(data)
    assert capfd.readouterr() == ("", "")


def test_a_small_pickle_takes_little_memory(tmp_path: Path) -> None:
    """Of 754 bytes, 2.7 GB."""
    bad = b"\x80\x02](" + b"K\x00" * 371 + b"e" + b"r" + struct.pack("<I", 170_000_000) + b"0."
    (tmp_path / "labels.pkl").write_bytes(bad)
    (file,) = find_files(tmp_path, ".pkl")
    refusal = (
        r"labels\.pkl: numbers an object 170,000,000; 754 bytes cannot hold so many; download the file again"
    )
    with address_space_below(1 << 30):
        for each in (file, held("labels.pkl", bad)):
            with pytest.raises(KinemeError, match=refusal):
                read_pickle(each)
        with pytest.raises(ValueError, match="numbers an object 170,000,000"):
            unpickled(bad)
