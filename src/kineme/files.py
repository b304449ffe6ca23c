"""Atomic writes, locks against a second writer, and removal of what Kineme wrote and of nothing else."""

from __future__ import annotations

import errno
import logging
import os
import platform
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import cache
from glob import escape
from pathlib import Path

from kineme.errors import KinemeError, one_line
from kineme.system import POSIX, lock_file

logger = logging.getLogger(__name__)

_CLAIMED: set[Path] = set()  # by this process, until `claimed` ends
_BEGINNING = 256  # bytes
_BEGINNINGS = {  # of results, predictions, and classifiers or detectors
    ".json": rb'\{\s*"unit": "per cent",\s*"protocol": ',
    ".npz": rb"PK\x03\x04.{26}names\.npy",
    ".safetensors": rb'.{8}\{"__metadata__":\{"kineme',
}
_HOST = platform.node()  # the process ids of another machine that shares the folder say nothing here


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path next to `path`, and moves that file into place at the end of the block.

    After an exception the temporary file is removed, and an earlier file is unchanged. What a killed process
    left is removed by the next one on this machine that writes into the same folder. Where `path` is a
    symbolic link, the file that it names is written.

    Raises:
        KinemeError: the file cannot be written (no permission, a full disk).
    """
    target = followed(path)
    aside = target.with_name(f".{target.stem}.partial-{_HOST}-{os.getpid()}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(target.parent.resolve())
        yield aside
        aside.replace(target)
    except OSError as error:
        raise unwritable(path, error) from error
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
    if not POSIX:  # elsewhere signal 0 is not a question
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


@contextmanager
def optional(what: str) -> Iterator[None]:
    """Around the writing of a cache, which may fail: in a folder that is read-only, or on a full disk."""
    try:
        yield
    except KinemeError as error:
        logger.info("%s; %s are computed again when they are needed", error, what)


@contextmanager
def locked(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Keeps other writers from the same file or directory; inside `claimed` the path is this process's own.

    The lock is an open `.NAME.lock` next to `path`. It ends with the process, however that ends; a file that
    a killed process leaves behind locks nothing. File systems without locks are not protected.

    Args:
        path: the output; it need not exist yet.
        what: its name in the message, such as `this run`.
        wait: for another process that holds the lock.

    Raises:
        KinemeError: another process holds the lock, or the directory cannot be written.
    """
    target = followed(path)
    if target.absolute() in _CLAIMED:
        yield
        return
    if not target.name:
        raise KinemeError(f"{path}: is the root of the file system; choose a folder in it")
    file = target.with_name(f".{target.name}.lock")
    new = not file.parent.exists()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(file, wait)
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
        if POSIX:  # while it is held: whoever waits for it sees that it is gone
            _remove_lock(file, new)
        os.close(descriptor)
        if not POSIX:  # Windows removes no file that is open
            _remove_lock(file, new)


def _remove_lock(file: Path, new: bool) -> None:
    """Removes the file of a lock, and its folder if that is new and nothing was written into it."""
    with suppress(OSError):
        file.unlink()
        if new:
            file.parent.rmdir()


def unlock(path: Path) -> None:
    """Removes the lock that a killed process left beside a path. One that is held stays."""
    with suppress(KinemeError), locked(path, "this"):
        pass


@contextmanager
def claimed(path: Path, what: str) -> Iterator[None]:
    """`locked` for all that this process does in the block, which may lock the path again."""
    with locked(path, what):
        target = followed(path).absolute()
        _CLAIMED.add(target)
        try:
            yield
        finally:
            _CLAIMED.discard(target)


def _lock(file: Path, wait: bool) -> int:
    """Opens and locks a file, writes the process id into it; waits, or BlockingIOError, if it is locked."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock_file(descriptor, wait=wait)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError as error:
            logger.warning("%s: the file system has no locks (%s)", file, one_line(error))
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


def is_writable(path: Path) -> bool:
    """Whether a file may be made at a path: its nearest folder that exists can be written to."""
    folder = next(each for each in path.absolute().parents if each.exists())
    return os.access(folder, os.W_OK)


def followed(path: Path) -> Path:
    """What a symbolic link names, there or not, and what `.` and `..` stand for; other paths as they are."""
    return Path(os.path.realpath(path)) if path.name in ("", "..") or path.is_symlink() else path


def entries(folder: Path, pattern: str) -> list[Path]:
    """What is in a folder, by name; nothing if there is no folder. `Path.glob` skips one that is unreadable.

    Args:
        folder: the folder, of which subfolders are not entered.
        pattern: of the names, such as `*.json`.

    Raises:
        KinemeError: the folder cannot be read.
    """
    try:
        return sorted(each for each in folder.iterdir() if fnmatchcase(each.name, pattern))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise KinemeError(f"{folder}: cannot be read ({reason}); fix its permissions") from error


def foreign(folder: Path, own: Collection[str]) -> Path | None:
    """The first thing in a directory, by name, that Kineme has not written there; None if all is its own.

    Args:
        folder: the directory. Of links that it holds, nothing is followed.
        own: what Kineme writes there, as patterns such as `config.yaml`, `results/*.json`, or `logs/` for all
            that is in a folder. Halves of files and locks are Kineme's too. Where a pattern leaves the name
            of a JSON, .npz or safetensors file open, it must also look like Kineme's inside.

    >>> (example_folder / "site").mkdir()
    >>> _ = (example_folder / "site" / "notes.txt").write_text("mine")
    >>> foreign(example_folder / "site", ["config.yaml", "results/*.json"]).name
    'notes.txt'
    """
    for path, ours in _inside(folder, own):
        if not ours:
            return path
    return None


def remove_own(folder: Path, own: Collection[str]) -> None:
    """Removes from a directory what Kineme wrote there (see `foreign`), and the directory if nothing is left.

    What cannot be removed stays.
    """
    with suppress(OSError):
        for path, ours in sorted(_inside(folder, own), reverse=True):  # what is in a folder before the folder
            with suppress(OSError):
                if ours and path.is_dir() and not path.is_symlink():
                    path.rmdir()
                elif ours:
                    path.unlink()
        folder.rmdir()


def _inside(folder: Path, own: Collection[str]) -> Iterator[tuple[Path, bool]]:
    """What is below a directory, and whether it is Kineme's; other folders are not entered."""
    fixed = [pattern for pattern in own if "*" not in pattern.rpartition("/")[2]]
    pending = [folder]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            name = path.relative_to(folder).as_posix()
            enters = path.is_dir() and not path.is_symlink()
            ours = _is_own(f"{name}/" if enters else name, own)
            if ours and not enters and not _is_own(name, fixed):  # by a pattern that strangers' names fit too
                ours = _looks_own(path)
            yield path, ours
            if ours and enters:
                pending.append(path)


def _is_own(name: str, own: Collection[str]) -> bool:
    *folders, last = name.removesuffix("/").split("/")
    if last.startswith(".") and (".partial-" in last or last.endswith(".lock")):
        return True
    deeper = (pattern.split("/") for pattern in own if pattern.count("/") > len(folders))
    if name.endswith("/") and any(
        fnmatchcase(name, "/".join([*parts[: len(folders) + 1], ""])) for parts in deeper
    ):
        return True
    return any(
        name.startswith(pattern)
        if pattern.endswith("/")
        else pattern.count("/") == len(folders) and fnmatchcase(name, pattern)
        for pattern in own
    )


def _looks_own(path: Path) -> bool:
    """Whether a file begins as Kineme begins one of such a name; other kinds are not looked into."""
    if path.suffix not in _BEGINNINGS:
        return True
    with suppress(OSError), path.open("rb") as file:
        return re.match(_BEGINNINGS[path.suffix], file.read(_BEGINNING), re.DOTALL) is not None
    return False


def replace_directory(source: Path, target: Path, own: Collection[str]) -> None:
    """Moves a finished directory to its final name, replacing an earlier one.

    A process that is killed in between leaves the earlier one next to it, as `.NAME.old`.

    Args:
        source: the finished directory.
        target: its final name.
        own: what Kineme writes there, see `foreign`; no more is removed of the earlier one.

    Raises:
        KinemeError: the earlier one, or one that was put aside before, holds something else.
    """
    aside = target.with_name(f".{target.name}.old")
    if target.exists():
        check_own(target, own)
        clear(aside, own)
        target.rename(aside)
    try:
        source.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    remove_own(aside, own)


def check_own(folder: Path, own: Collection[str]) -> None:
    """Refuses to remove a directory that holds what Kineme has not written there.

    Raises:
        KinemeError: it does; the first such thing is named.
    """
    if (strange := foreign(folder, own)) is not None:
        name = strange.relative_to(folder)
        raise KinemeError(
            f"{folder}: holds {name}, which Kineme did not write; move it, or choose another place"
        )


def clear(folder: Path, own: Collection[str]) -> None:
    """Removes a directory that holds nothing but what Kineme wrote; none is no mistake.

    Raises:
        KinemeError: it holds something else.
    """
    if folder.exists():
        check_own(folder, own)
        remove_own(folder, own)


def synchronise(path: Path) -> None:
    """Flushes a file, or the entries of a directory, to disk; Windows does the latter by itself."""
    if not POSIX and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if POSIX else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> KinemeError:
    """The error for an output that the system refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KinemeError(f"{path}: the disk is full; free some space or choose another place")
    return KinemeError(f"{path}: cannot be written ({one_line(error)})")
