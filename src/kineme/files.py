"""Atomic writes, and locks against a second writer."""

from __future__ import annotations

import errno
import logging
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from glob import escape
from pathlib import Path

from kineme.errors import KinemeError

logger = logging.getLogger(__name__)

_HOST = platform.node()  # the process ids of another machine that shares the folder say nothing here


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and moves that file into place at the end of the block.

    After an exception the temporary file is removed, and an earlier file is unchanged. What a killed process
    left is removed by the next one on this machine that writes into the same folder.

    Raises:
        KinemeError: the file cannot be written (no permission, a full disk).
    """
    aside = path.with_name(f".{path.stem}.partial-{_HOST}-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(path.parent.resolve())
        yield aside
        aside.replace(path)
    except OSError as error:
        raise KinemeError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):  # no folder, no file
            aside.unlink()


@cache  # a folder of many parts is looked through once
def _remove_left(folder: Path) -> None:
    """Removes temporary files of processes of this machine that are no more."""
    for left in folder.glob(f".*.partial-{escape(_HOST)}-*"):
        number = left.name.rpartition(f".partial-{_HOST}-")[2].partition(".")[0]
        if number.isdecimal() and not _lives(int(number)):
            with suppress(OSError):
                left.unlink()


def _lives(process: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is not a question
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Keeps other processes from writing to the same file or directory.

    The lock is an open `.NAME.lock` beside `path`. It ends with the process, however that ends; a file that a
    killed process leaves behind locks nothing. File systems without locks are not protected.

    Args:
        path: the output; it need not exist yet.
        what: its name in the message, such as `this run`.

    Raises:
        KinemeError: another process holds the lock, or the directory cannot be written.
    """
    file = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(file)
    except BlockingIOError as error:
        raise KinemeError(
            f"{path}: {what} is being written by another process{_holder(file)}; wait for it or choose "
            "another name"
        ) from error
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()
        os.close(descriptor)


def _lock(file: Path) -> int:
    """Opens and locks a file, writes the process id into it; BlockingIOError where it is locked already."""
    import fcntl  # POSIX only, and only writers need it

    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError as error:
            logger.warning("%s: the file system has no locks (%s)", file, error.strerror)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        os.close(descriptor)  # its holder finished and removed it since it was opened


def _holder(file: Path) -> str:
    with suppress(OSError, ValueError):
        return f" (pid {int(file.read_text())})"
    return ""


def replace_directory(source: Path, target: Path) -> None:
    """Moves a finished directory to its final name, replacing an earlier one.

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


def synchronise(path: Path) -> None:
    """Flushes a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> KinemeError:
    """The error for an output that the system refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KinemeError(f"{path}: the disk is full; free some space or choose another place")
    return KinemeError(f"{path}: cannot be written ({' '.join(str(error).split()) or type(error).__name__})")
