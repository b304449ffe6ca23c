"""Pickles of strangers: numpy arrays and plain containers come out of them, and nothing else goes in.

Pickle is a small language. Python's own unpickler can be kept from foreign globals, but a file can harm it
before it names one: it allots the length that a file claims and a table as long as the largest index in the
file, and tuples nested in a key crash it. So the language is spoken here (`unpickle_machine`), less all that
data has no use for: no objects but arrays (`unpickle_globals`), no persistent or external ones; keys are
text, bytes, integers or truth values. What a file claims is held against the bytes that it has.

Pickles of Python 2 are read with their text as latin-1, protocols 0 to 5 and old module paths of numpy too.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any

from kineme.errors import KinemeError
from kineme.sources.raw import RawFile
from kineme.sources.unpickle_globals import RefusedError
from kineme.sources.unpickle_machine import Machine

_MAX_PACKED_BYTES = 1 << 30  # in an archive, where a file has to be held besides what is made of it
_REMEDY = "fetch the file again, or export its data with numpy.savez"


def read_pickle(file: RawFile) -> Any:
    """What a pickle holds: dict, list, tuple, set, str, bytes, numbers, None, arrays.

    A file of its own is mapped, not read, so only what is made of it takes memory.

    Raises:
        KinemeError: it cannot be read, is damaged, or holds anything else; the message names it.
    """
    try:
        if file.member is not None:
            return unpickle(file.read(_MAX_PACKED_BYTES))
        with file.path.open("rb") as opened:
            if not opened.seek(0, 2):
                raise ValueError("is empty")
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return unpickle(data)
    except KinemeError:
        raise
    except OSError as error:
        raise KinemeError(f"{file}: cannot be read ({error.strerror}); fetch it again") from error
    except ValueError as error:
        raise KinemeError(f"{file}: {error}; {_REMEDY}") from error


def unpickle(data: bytes | mmap.mmap) -> Any:
    """As `read_pickle`, of bytes.

    Raises:
        ValueError: they are no pickle, damaged, or hold what is not admitted; the message is a reason without
            the file's name.
    """
    machine = Machine(data)
    try:
        return machine.run()
    except RefusedError:
        raise
    except (
        ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, struct.error,
    ) as error:  # fmt: skip
        raise ValueError(f"is no pickle, or a damaged one (at byte {machine.at:,})") from error
