"""Atomic writes, and locks."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kineme.errors import KinemeError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a name beside `path` to write to, with its suffix, and moves that file into place at the end.

    Leaving the block by an exception removes what was written and leaves an earlier file as it was.

    Raises:
        KinemeError: the file cannot be written (no permission, a full disk).
    """
    aside = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(path)
    except OSError as error:
        raise KinemeError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):  # no folder, no file
            aside.unlink()


def replace_directory(source: Path, target: Path) -> None:
    """Moves a finished directory to its final name; one that is there already is put aside, then removed.

    A process that is killed in between leaves the earlier one beside it, as `.NAME.old`.
    """
    aside = target.with_name(f".{target.name}.old")
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    try:
        source.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds a lock file, so that two processes do not write the same output. A kill leaves no lock behind.

    Args:
        path: the lock file; it is removed at the end.
        what: the output, as the error names it.

    Raises:
        KinemeError: another process holds the lock, or the file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            raise KinemeError(
                f"{what} is being written by another process{f' ({holder})' if holder else ''}; wait for it, "
                "or choose another place"
            ) from error
        except OSError:
            pass  # a file system without locks
        if os.fstat(descriptor).st_nlink == 0:  # removed by a process that finished just now
            os.close(descriptor)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def synchronise(path: Path) -> None:
    """Comes back when a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> KinemeError:
    """What is said of an output that the system refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KinemeError(f"{path}: the disk is full; free some space or choose another place")
    return KinemeError(f"{path}: cannot be written ({' '.join(str(error).split()) or type(error).__name__})")
