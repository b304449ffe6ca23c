"""Where the files of a store are: in a directory, or in object storage with a copy in the cache folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_ADDRESS = re.compile(r"([a-z][a-z0-9+.]+):/{1,2}(.*)")  # a path swallows one of the two strokes


class Folder:
    """A directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def shard(self, name: str, fingerprint: str) -> Path:
        """The directory of a shard, with all its files; `.` is the store itself."""
        return self.path / name

    def files(self, name: str, hashes: Mapping[str, str]) -> Path:
        """A directory below, with these files, which have these SHA-256."""
        return self.path / name


def is_address(path: str | Path) -> bool:
    """Whether a path is the address of something in object storage.

    >>> is_address("s3://bucket/mine"), is_address(Path("s3://bucket/mine")), is_address("stores/mine")
    (True, True, False)
    """
    return _ADDRESS.fullmatch(str(path)) is not None


def is_there(path: str | Path) -> bool:
    """Whether there is something at a path; what is behind an address is taken to be there."""
    return is_address(path) or Path(path).exists()


def is_store(path: str | Path) -> bool:
    """Whether a path is that of a store; addresses are taken for such."""
    return is_address(path) or (Path(path) / "manifest.json").is_file()


def folder_of(path: str | Path) -> Folder:
    """The directory of a store.

    Raises:
        KinemeError: it is behind an address that cannot be reached.
    """
    address = _ADDRESS.fullmatch(str(path))
    if address is None:
        return Folder(Path(path))
    from kineme.clips.remote import RemoteFolder

    scheme, place = address.groups()
    if scheme == "file":  # of whose strokes a path swallows two: the place begins with one
        place = f"/{place.lstrip('/')}"
    return RemoteFolder(f"{scheme}://{place}")
