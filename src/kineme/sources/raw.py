"""Files of a download, wherever they lie: in a folder, in the distributor's zip, or in zips in a folder.

Nothing is ever unpacked, so no entry of an archive can write anywhere, and what is read is counted while it
comes: an entry that swells beyond what its format can hold is refused.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from kineme.errors import KinemeError

BROKEN = (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What reading a file or an archive may raise."""


@dataclass(frozen=True)
class RawFile:
    """One file, which can be pickled and read in another process.

    Attributes:
        place: where it lies below what was named, with the name of its zip where that lies in a folder.
        path: the file itself, or the zip that holds it.
        member: its entry in that zip; None for a file of its own.
    """

    place: PurePosixPath
    path: Path
    member: str | None = None

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
        """How many bytes it has; in an archive, how many it claims. Raises KinemeError."""
        try:
            if self.member is None:
                return self.path.stat().st_size
            return _archive(self.path, self.path.stat().st_mtime_ns).getinfo(self.member).file_size
        except (*BROKEN, KeyError) as error:
            raise KinemeError(f"{self}: cannot be read ({one_line(error)}); fetch it again") from error

    def open(self) -> IO[bytes]:
        """A stream of its bytes, for what is too large to hold. In an archive, to go back is to start anew.

        What goes wrong in reading it is one of `BROKEN`.

        Raises:
            KinemeError: it cannot be opened, or is encrypted in its archive.
        """
        try:
            if self.member is None:
                return self.path.open("rb")
            return _archive(self.path, self.path.stat().st_mtime_ns).open(self.member)
        except (*BROKEN, KeyError) as error:
            raise KinemeError(f"{self}: cannot be read ({one_line(error)}); fetch it again") from error

    def read(self, limit: int) -> bytes:
        """Its bytes.

        Args:
            limit: how many a file of its format can have; not more than these are held.

        Raises:
            KinemeError: it cannot be read, is damaged or encrypted in its archive, or has more bytes.
        """
        try:
            with self.open() as file:
                data = file.read(limit + 1)
        except KinemeError:
            raise
        except BROKEN as error:
            raise KinemeError(f"{self}: cannot be read ({one_line(error)}); fetch it again") from error
        if len(data) > limit:
            raise KinemeError(
                f"{self}: is far too large for a {self.place.suffix or 'such a'} file (more than {limit:,} "
                "bytes); fetch it again, or leave it out (--ignore, --skip-bad)"
            )
        return data


def find_files(raw: Path, *suffixes: str) -> list[RawFile]:
    """The files of these suffixes below a folder, in a zip, or in the zips below a folder, in order of place.

    A zip beside a folder of its own name was unpacked there and is passed over. So are hidden files and what
    macOS adds to archives.

    Args:
        raw: a folder, a zip, or one file, which is then taken whatever its suffix.
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
        raise KinemeError(f"{raw}: is no zip, or a damaged one; fetch it again")
    else:
        found = [RawFile(PurePosixPath(raw.name), raw)]
    return sorted(found, key=lambda file: file.place)


def _in_folder(folder: Path, suffixes: tuple[str, ...]) -> Iterator[RawFile]:
    for path in folder.rglob("*"):
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
        raise KinemeError(f"{path}: is a damaged zip ({one_line(error)}); fetch it again") from error
    for member in members:
        place = PurePosixPath(member)
        if place.suffix.lower() in suffixes and not member.endswith("/") and not _is_hidden(place):
            yield RawFile(below / place.relative_to(place.anchor), path, member)


@lru_cache(maxsize=8)
def _archive(path: Path, changed: int) -> zipfile.ZipFile:
    """An open zip, kept: listing 114,480 entries takes a second. `changed` marks a new version."""
    return zipfile.ZipFile(path)


def _is_hidden(place: PurePosixPath) -> bool:
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in place.parts)


def one_line(error: BaseException) -> str:
    """What an error says, in few words: zipfile quotes whatever stands where a name is expected."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else f"{text[:120]}..."


def shown(value: object) -> str:
    """What a file holds, as a message quotes it: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
