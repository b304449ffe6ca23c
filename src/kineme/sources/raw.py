"""Files of a download, wherever they are: in a folder, in the distributor's zip, or in zips in a folder.

Archives are never unpacked, so no entry can write anywhere, and reading is bounded: an entry that
decompresses beyond what its format can hold is refused.
"""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from kineme.errors import FileError, KinemeError, about, one_line
from kineme.typing import Array

logger = logging.getLogger(__name__)

BROKEN = (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What reading a file or an archive may raise."""
FETCH = "download the file again"
MEND = "fix the file"
MAX_METRES = 1e4  # a coordinate that is still plausible


def skippable(error: KinemeError) -> KinemeError:
    """The error of a file, with the other thing that can be done about it."""
    if isinstance(error, FileError):
        return FileError(f"{error}, or set `skip_bad` to leave it out")
    return error


class RemediedError(ValueError):
    """What is wrong with the contents of a file, where something else helps than to mend it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")


class SkeletonError(RemediedError):
    """The joints of a file are not those of the first one."""

    def __init__(self, lacks: str) -> None:
        remedy = (
            "put files of each skeleton into a folder of their own (one encoder can be trained on the stores "
            "of several), or name a layout that all files have with `layout`"
        )
        super().__init__(f"has another skeleton than the first file: it {lacks}", remedy)


@dataclass(frozen=True)
class RawFile:
    """One file, which can be pickled and read in another process."""

    place: PurePosixPath  # below the given folder or zip, with the name of its zip if that is in the folder
    path: Path  # the file itself, or the zip that contains it
    member: str | None = None  # its entry in that zip; None for a file of its own

    @property
    def name(self) -> str:
        """File name with suffix."""
        return self.place.name

    @property
    def stem(self) -> str:
        """File name without suffix."""
        return self.place.stem

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def size(self) -> int:
        """Size in bytes; in an archive, the size it claims. Raises KinemeError."""
        with self.checked():
            if self.member is None:
                return self.path.stat().st_size
            return _archive(self.path, self.path.stat().st_mtime_ns).getinfo(self.member).file_size

    def beside(self, suffix: str) -> list[RawFile]:
        """The files of this suffix, in lower case, in the same folder of the disk or the archive, by name.

        Raises:
            KinemeError: the folder cannot be read.
        """
        with self.checked():
            if self.member is None:
                paths = sorted(path for path in self.path.parent.iterdir() if path.is_file())
                found = [replace(self, place=self.place.with_name(path.name), path=path) for path in paths]
            else:
                folder = self.member[: -len(self.name)]
                members = sorted(_archive(self.path, self.path.stat().st_mtime_ns).namelist())
                names = (member[len(folder) :] for member in members if member.startswith(folder))
                found = [
                    replace(self, place=self.place.with_name(name), member=folder + name)
                    for name in names
                    if name and "/" not in name
                ]
        return [each for each in found if each.place.suffix.lower() == suffix and each.name[0] != "."]

    def open(self) -> IO[bytes]:
        """A stream of its bytes, for large files. In an archive, seeking backwards starts from the beginning.

        Reading it may raise one of `BROKEN`.

        Raises:
            KinemeError: it cannot be opened, or is encrypted in its archive.
        """
        with self.checked():
            if self.member is None:
                return self.path.open("rb")
            return _archive(self.path, self.path.stat().st_mtime_ns).open(self.member)

    def read(self, limit: int) -> bytes:
        """Its bytes.

        Args:
            limit: the most bytes a file of its format can have.

        Raises:
            KinemeError: it cannot be read, is damaged or encrypted in its archive, or has more bytes.
        """
        with self.checked(), self.open() as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            kind = f"a {self.place.suffix} file" if self.place.suffix else "such a file"
            raise self.error(f"is far too large for {kind} (more than {limit:,} bytes)")
        return data

    def error(self, reason: str, remedy: str = FETCH, line: int = 0) -> FileError:
        """What is wrong with the file (or a line of it, counted from 1), and what to do."""
        return FileError(f"{about(self, f'line {line}: {reason}' if line else reason)}; {remedy}")

    def check_metres(self, name: str, values: Array) -> None:
        """Refuses (T, V, C) values that are not finite or farther away than any camera sees.

        Raises:
            KinemeError: the message names the first such frame.
        """
        fits = (np.abs(values) < MAX_METRES).all(axis=(1, 2))  # False for NaN too
        if not fits.all():
            frame = int(np.argmin(fits))
            raise self.error(f"frame {frame} of {name!r} contains invalid coordinates in metres")

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Turns what reading it may raise into KinemeError."""
        try:
            yield
        except KinemeError:
            raise
        except (*BROKEN, KeyError) as error:
            raise self.error(f"cannot be read ({one_line(error)})", FETCH) from error


def find_files(raw: Path, *suffixes: str) -> list[RawFile]:
    """The files of these suffixes below a folder, in a zip, or in the zips below a folder, in order of place.

    A zip next to a folder of its own name counts as unpacked there and is skipped, like hidden files and what
    macOS adds to archives.

    Args:
        raw: a folder, a zip, or one file, whose suffix does not matter then.
        suffixes: in lower case, such as `.json`.

    Raises:
        KinemeError: there is no such folder or file, or an archive is damaged.
    """
    if raw.is_dir():
        found = list(_in_folder(raw, suffixes))
    elif not raw.is_file():
        raise KinemeError(f"{raw}: no such folder or file")
    elif zipfile.is_zipfile(raw) and raw.suffix.lower() not in suffixes:
        found = list(_in_zip(raw, PurePosixPath(), suffixes))
    elif raw.suffix.lower() == ".zip":
        raise KinemeError(f"{raw}: is not a zip, or is damaged; download it again")
    else:
        found = [RawFile(PurePosixPath(raw.name), raw)]
    return sorted(found, key=lambda file: file.place)


def everything(folder: Path) -> Iterator[Path]:
    """All files below a folder; hidden folders are left out, and so are links to folders, with a warning.

    Raises:
        KinemeError: a folder cannot be read; what is in it would be missed.
    """

    def refuse(error: OSError) -> None:
        reason = one_line(error).lower()
        raise KinemeError(
            f"{error.filename}: cannot be read ({reason}); fix its permissions, or move it away"
        )

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not _is_hidden(PurePosixPath(name))]
        for link in (Path(place, name) for name in folders if os.path.islink(os.path.join(place, name))):
            logger.warning("%s: is a link to a folder, which is not followed", link)
        yield from (Path(place, name) for name in names)


def _in_folder(folder: Path, suffixes: tuple[str, ...]) -> Iterator[RawFile]:
    for path in everything(folder):
        place = PurePosixPath(path.relative_to(folder).as_posix())
        if _is_hidden(place) or not path.is_file():
            continue
        if path.suffix.lower() in suffixes:
            yield RawFile(place, path)
        elif path.suffix.lower() == ".zip" and not path.with_suffix("").is_dir():
            yield from _in_zip(path, place, suffixes)


def _in_zip(path: Path, below: PurePosixPath, suffixes: tuple[str, ...]) -> Iterator[RawFile]:
    try:
        members = _archive(path, path.stat().st_mtime_ns).namelist()
    except BROKEN as error:
        raise KinemeError(f"{path}: is a damaged zip ({one_line(error)}); download it again") from error
    for member in members:
        place = PurePosixPath(member)
        if place.suffix.lower() in suffixes and not member.endswith("/") and not _is_hidden(place):
            yield RawFile(below / place.relative_to(place.anchor), path, member)


@lru_cache(maxsize=8)
def _archive(path: Path, changed: int) -> zipfile.ZipFile:
    """An open zip, cached: listing 114,480 entries takes a second. `changed` tells versions apart."""
    return zipfile.ZipFile(path)


def _is_hidden(place: PurePosixPath) -> bool:
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in place.parts)


def few(names: Sequence[str], most: int) -> str:
    """The first of some names, and whether there are more.

    >>> few(["hip", "knee", "foot"], 2)
    'hip, knee, ...'
    """
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def shown(value: object) -> str:
    """A value of a file as messages quote it, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
