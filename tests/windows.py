"""Windows as far as Kineme's files meet it, for tests on other systems.

Its locks are `msvcrt`'s, a directory cannot be opened, a file that is open cannot be removed, only files that
are open for writing can be flushed, and nothing is written to a place in a file without going there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import kineme.files
import kineme.system

LK_NBLCK = 2
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see what is open")


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process see what it would see on Windows."""
    opened, unlinked, flushed = os.open, Path.unlink, os.fsync

    def open_file(path: os.PathLike[str], flags: int, mode: int = 0o777) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return opened(path, flags, mode)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if any(os.path.samestat(os.fstat(each), path.stat()) for each in _open_files()):
            raise PermissionError(errno.EACCES, "used by another process", os.fspath(path))
        unlinked(path, missing_ok)

    def flush(descriptor: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flushed(descriptor)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=_lock, LK_NBLCK=LK_NBLCK))
    monkeypatch.setattr(kineme.system, "POSIX", False)
    monkeypatch.setattr(kineme.files, "POSIX", False)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.delattr(os, "pwrite")
    monkeypatch.setattr(Path, "unlink", unlink)


def _lock(descriptor: int, mode: int, count: int) -> None:
    """`msvcrt.locking`: from the current position on, and by that handle alone."""
    assert (mode, count) == (LK_NBLCK, 1)
    assert os.lseek(descriptor, 0, os.SEEK_CUR) > os.fstat(descriptor).st_size, (
        "others could not read the file"
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(errno.EACCES, "Permission denied") from error


def _open_files() -> list[int]:
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    found = []
    for number in numbers:
        try:
            if stat.S_ISREG(os.fstat(number).st_mode):
                found.append(number)
        except OSError:  # that of the listing itself
            continue
    return found
