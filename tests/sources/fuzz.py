"""Damaged files in plenty: a reader gives a clean result or a KinemeError, whatever a file holds.

for data in mutations(good, 2000, seed=0):
    survives(lambda: read(held("clip.json", data)))
"""

from __future__ import annotations

import io
import random
import re
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from kineme.errors import KinemeError
from kineme.sources.raw import RawFile

_COUNTS = [
    *(0, 1, 2, 3, 7, 8, 16, 20, 25, 127, 128, 255, 256, 1000, 10_000_000),
    *(2**power + less for power in (15, 16, 31, 32, 53, 63, 64) for less in (-1, 0)),
]
_NUMBERS = [
    *(str(count).encode() for count in _COUNTS),
    *(b"-1", b"-10000000", b"1.5", b"1e5", b"1e999", b"-1e999", b"nan", b"NaN", b"inf", b"Infinity"),
    *(
        b"-0",
        b"1e-320",
        b"",
        b" ",
        b"-",
        b"0x10",
        b"1_0",
        b"null",
        b"true",
        b'"3"',
        b"[]",
        b"9" * 5000,
        "٣".encode(),
    ),
]


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Damaged versions of a file, the same ones for the same seed, each damaged in one to three places.

    Bits flipped, bytes overwritten, runs cut out, doubled, moved or inserted, ends cut off; numbers in text
    and integers in binary replaced by those that break readers.
    """
    rng = random.Random(seed)
    for _ in range(count):
        damaged = data
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            damaged = rng.choice(_KINDS)(damaged, rng)
        yield damaged


def survives(read: Callable[[], object]) -> bool:
    """Whether a reader takes what it is given. It may refuse by a KinemeError of one line only."""
    try:
        read()
    except KinemeError as error:
        message = str(error)
        assert message.strip()
        assert "\n" not in message
        assert len(message) < 1000
        return False
    return True


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Fails where more than so many bytes are asked for at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@contextmanager
def address_space_below(limit: int) -> Iterator[None]:
    """Makes asking for so many bytes more a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@dataclass(frozen=True)
class HeldFile(RawFile):
    """A file of an archive that is none: its bytes are at hand, for readers to be tried in thousands."""

    data: bytes = b""
    others: tuple[HeldFile, ...] = ()

    def beside(self, suffix: str) -> list[RawFile]:
        return [each for each in self.others if each.place.suffix == suffix]

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> IO[bytes]:
        return io.BytesIO(self.data)


def held(name: str, data: bytes, *others: HeldFile) -> HeldFile:
    """A file of this name and these bytes, and others beside it."""
    return HeldFile(PurePosixPath(name), Path("held.zip"), name, data, others)


def _flip(data: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 4)) if data else 0):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    start, end = _run(data, rng)
    filling = rng.choice((rng.randbytes(end - start), b"\0" * (end - start), b"\xff" * (end - start)))
    return data[:start] + filling + data[end:]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _cut(data: bytes, rng: random.Random) -> bytes:
    start, end = _run(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = _run(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 20)) + data[end:]


def _move(data: bytes, rng: random.Random) -> bytes:
    start, end = _run(data, rng)
    rest = data[:start] + data[end:]
    to = rng.randrange(len(rest) + 1)
    return rest[:to] + data[start:end] + rest[to:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 3, 50))) + data[at:]


def _change_text_number(data: bytes, rng: random.Random) -> bytes:
    near = rng.randrange(len(data) + 1)
    match = re.compile(rb"-?\d+(\.\d+)?(e-?\d+)?").search(data, near) or re.search(rb"\d+", data)
    if match is None:
        return _insert(data, rng)
    return data[: match.start()] + rng.choice(_NUMBERS) + data[match.end() :]


def _change_integer(data: bytes, rng: random.Random) -> bytes:
    """Writes a count over 1, 2, 4 or 8 bytes, near the start (where headers are) as often as elsewhere."""
    size = rng.choice((1, 2, 4, 4, 8))
    reach = max(len(data) - size, 0)
    at = rng.randrange((min(reach, 200) if rng.random() < 0.5 else reach) + 1)
    number = rng.choice(_COUNTS) % (1 << 8 * size)
    return data[:at] + number.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def _run(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(start + rng.choice((1, 2, 8, 100)), len(data))


_KINDS = (
    *(_flip, _overwrite, _truncate, _cut, _repeat, _move, _insert),
    *(_change_text_number, _change_text_number, _change_integer, _change_integer),
)
