"""What systems do differently: locks, signals, dropping mapped pages, and the encoding of the terminal."""

from __future__ import annotations

import errno
import io
import mmap
import os
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Iterable
from types import FrameType
from typing import Any, TextIO

POSIX = os.name == "posix"  # Linux and macOS; not Windows
_FAR = 1 << 30  # Windows lets no other process read a locked byte, so one behind the contents is locked
_PAUSE = 0.05  # seconds between two attempts


def lock_file(descriptor: int, *, wait: bool) -> None:
    """Locks an open file until it is closed, also by the death of the process.

    Raises:
        BlockingIOError: another process holds the lock, and `wait` is false.
        OSError: the file system has no locks.
    """
    if POSIX:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return
    import msvcrt as windows  # no part of Python elsewhere

    system: Any = windows  # type stubs know its functions on Windows only
    while True:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            system.locking(descriptor, system.LK_NBLCK, 1)
            break
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
            if not wait:
                raise BlockingIOError(errno.EWOULDBLOCK, "locked by another process") from error
        time.sleep(_PAUSE)
    os.lseek(descriptor, 0, os.SEEK_SET)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handles a signal as Python does Ctrl-C, but not before modules are imported.

    In the middle of an import, libraries may end the process at an exception, or Python may ignore it.

    Raises:
        KeyboardInterrupt: no import is under way.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            again = threading.Timer(_PAUSE, interrupt_main, (number,))
            again.daemon = True  # a process that ends does not wait for it
            again.start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def drop_pages(maps: Iterable[mmap.mmap]) -> None:
    """Lets the system take back the memory of mapped files; Windows does so when it needs it."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for each in maps:
            each.madvise(mmap.MADV_DONTNEED)  # pages are read again from the system's cache


def open_closed() -> None:
    """Leads outputs that are closed, as by `>&-`, to nothing, so that no file gets their descriptors."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, os.fdopen(number, "w"))


def print_anything(*streams: TextIO) -> None:
    """Lets letters that an output's encoding lacks appear as `?` instead of stopping the program.

    Windows writes to files and pipes in an encoding of the 1990s, which has no bars, arrows or most names.
    """
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
            stream.reconfigure(errors="replace")
