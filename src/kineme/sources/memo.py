"""The memo of a pickle, looked at before it is loaded: its numbers decide how much memory Python takes.

A pickle numbers the objects that it refers to again. Python's unpickler keeps them in an array that is twice
as long as the largest number, so a few bytes could ask for all memory there is. Here the numbers are read
and compared with the size of the file. Nothing is loaded: the instructions are stepped over, most of them by
one regular expression, and the data of arrays are not touched.
"""

from __future__ import annotations

import mmap
import pickletools
import re
from functools import cache

LEAST = 1 << 16  # numbers that any pickle may use: a megabyte of memory
BYTES = 4  # of a pickle for each of its numbers; at least six are needed to make and number an object

_PUT, _LONG_PUT, _BYTEARRAY = b"p", b"r", b"\x96"
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_TWO_LINES = ("GLOBAL", "INST")


class MemoError(ValueError):
    """A pickle asks for more memory than it can need."""


def check_memo(data: bytes | mmap.mmap) -> None:
    """Refuses a pickle that numbers its memo far ahead, or announces more of an array than it has.

    Raises:
        MemoError: it does.
    """
    bound = max(LEAST, len(data) // BYTES)
    plain, prefixed = _steps(bound.bit_length() - 1, len(str(bound)) - 1), _prefixes()
    at = 0
    while True:
        found = plain.match(data, at)
        at = found.end() if found else at
        code = data[at : at + 1]
        if code in prefixed:
            size = prefixed[code]
            follow = int.from_bytes(data[at + 1 : at + 1 + size], "little")
            at += 1 + size + follow
            if code == _BYTEARRAY and follow > len(data):  # Python makes room before it looks
                raise MemoError(f"announces {follow:,} bytes, and has {len(data):,}")
            continue
        if code == _LONG_PUT:
            number, end = int.from_bytes(data[at + 1 : at + 5], "little"), at + 5
        elif code == _PUT:
            line = data.find(b"\n", at)
            number, end = _decimal(data[at + 1 : line]), line + 1
        else:  # the end, or what is no instruction
            return
        if number > bound:
            raise MemoError(f"numbers an object {number:,}; {len(data):,} bytes cannot hold so many")
        if not at < end <= len(data):  # cut off
            return
        at = end


def _decimal(line: bytes) -> int:
    """A number as Python reads it; what is none stops the unpickler too."""
    try:
        return int(line[:40])
    except ValueError:
        return 0


@cache
def _steps(bits: int, digits: int) -> re.Pattern[bytes]:
    """As many instructions as follow one another whose length is fixed, or that end with their line.

    Numbers of the memo below 2 ** bits, or of so many digits, are among them.
    """
    sized: dict[int, bytes] = {}
    lines = b""
    for each in pickletools.opcodes:
        code = each.code.encode("latin-1")
        size = each.arg.n if each.arg else 0
        if each.name == "STOP" or code in (_PUT, _LONG_PUT) or size in _LENGTHS:
            continue
        if size >= 0:
            sized[size] = sized.get(size, b"") + re.escape(code)
        elif each.name not in _TWO_LINES:
            lines += re.escape(code)
    third, fourth = min(1 << max(bits - 16, 0), 256) - 1, (1 << max(bits - 24, 0)) - 1
    steps = [b"[%s].{%d}" % (codes, size) for size, codes in sorted(sized.items())]
    steps += [b"r..[\\x00-\\x%02x][\\x00-\\x%02x]" % (third, min(fourth, 255))]
    steps += [b"p[0-9]{1,%d}\n" % digits, b"[%s][^\n]*+\n" % lines, b"[ci][^\n]*+\n[^\n]*+\n"]
    return re.compile(b"(?:%s)*+" % b"|".join(steps), re.DOTALL)


@cache
def _prefixes() -> dict[bytes, int]:
    """Instructions whose data come after their length: code → bytes of the length."""
    found = {}
    for each in pickletools.opcodes:
        if each.arg and each.arg.n in _LENGTHS:
            found[each.code.encode("latin-1")] = _LENGTHS[each.arg.n]
    return found
