"""Stores in object storage: files are fetched whole, checked, and kept in the user's cache folder.

An address is what fsspec opens, such as `s3://bucket/mine`, `gs://`, `az://` or `hf://`. What it needs to
sign in it takes from where the storage's own tools do.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kineme.clips.fingerprints import file_hash, fingerprint_of
from kineme.clips.folders import Folder
from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write, locked

logger = logging.getLogger(__name__)

FREE = 5 << 30  # bytes of the disk that are left to others
_SHARD = ("frames.npy", "index.npz", "manifest.json", "confidence.npy")


class RemoteFolder(Folder):
    """A store behind an address, and its copy in the cache folder.

    The manifest is fetched whenever the store is opened, other files when they are first needed. Where the
    disk is nearly full, the shards that have not been used for longest make room.
    """

    def __init__(self, address: str) -> None:
        """Fetches the manifest.

        Raises:
            KinemeError: fsspec or what it needs for this storage is not installed, or it cannot be reached.
        """
        self.address = address
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kineme" / "stores"
        name = address.rstrip("/").rpartition("/")[2]
        super().__init__(cache / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}")
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(address)
            manifest = self._files.cat_file(f"{self._root}/manifest.json")
        except ImportError as error:
            remedy = 'pip install "kineme[remote]"'
            raise KinemeError(f"{address}: cannot be opened ({one_line(error)}); {remedy}") from error
        except FileNotFoundError as error:
            raise KinemeError(f"{address}: not a clip store (it has no manifest.json)") from error
        except Exception as error:  # each storage has errors of its own
            raise KinemeError(f"{address}: cannot be reached ({one_line(error)})") from error
        with atomic_write(self.path / "manifest.json") as path:
            path.write_bytes(manifest)

    def shard(self, name: str, fingerprint: str) -> Path:
        """The directory of a shard, fetched unless it is there."""
        folder = self.path / "shards" / fingerprint
        if not folder.is_dir():
            with locked(folder, "this shard", wait=True):  # processes that train together read the same
                if not folder.is_dir():
                    self._fetch_shard(name, fingerprint, folder)
        os.utime(folder)  # used now
        return folder

    def _fetch_shard(self, name: str, fingerprint: str, folder: Path) -> None:
        aside, below = folder.with_name(f".{folder.name}.partial"), "" if name == "." else f"{name}/"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            for file in _SHARD:
                if file != "confidence.npy" or self._files.exists(f"{self._root}/{below}{file}"):
                    self._fetch(f"{below}{file}", aside / file)
            try:
                found = fingerprint_of(aside)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                found = one_line(error)
            if found != fingerprint:
                raise self._damaged(name, found)
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def files(self, name: str, hashes: Mapping[str, str]) -> Path:
        """A directory of columns, fetched unless they are there."""
        folder = self.path / name
        for column, mark in hashes.items():
            file = folder / f"{column}.npy"
            if not file.is_file():
                with atomic_write(file) as aside:
                    self._fetch(f"{name}/{file.name}", aside)
                    if file_hash(aside) != mark:
                        raise self._damaged(f"{name}/{file.name}", "another SHA-256")
        return folder

    def _fetch(self, name: str, to: Path) -> None:
        """Fetches a file and checks its size."""
        source = f"{self._root}/{name}"
        try:
            size = int(self._files.info(source)["size"])
            self._make_room(size)
            to.parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(source, str(to))
        except KinemeError:
            raise
        except Exception as error:  # each storage has errors of its own
            raise KinemeError(f"{self.address}/{name}: cannot be downloaded ({one_line(error)})") from error
        if to.stat().st_size != size:
            raise self._damaged(name, f"{to.stat().st_size:,} of {size:,} bytes")
        logger.info("%s/%s: downloaded, %.1f MB", self.address, name, size / 1e6)

    def _damaged(self, name: str, found: str) -> KinemeError:
        what = "is not what the manifest says"
        return KinemeError(f"{self.address}/{name}: {what} ({found}); download it again, or upload it again")

    def _make_room(self, size: int) -> None:
        """Removes shards of this store, those unused for longest first, while the disk is too full."""
        self.path.mkdir(parents=True, exist_ok=True)
        kept = [each for each in self.path.glob("shards/*") if each.is_dir() and each.name[0] != "."]
        for old in sorted(kept, key=lambda folder: folder.stat().st_mtime):
            if shutil.disk_usage(self.path).free >= size + FREE:
                return
            logger.info("%s: removed from the cache to free space", old)
            shutil.rmtree(old, ignore_errors=True)  # a process that reads it keeps what it has mapped
        if shutil.disk_usage(self.path).free < size:
            raise KinemeError(f"{self.path}: the disk is full; free some space or set XDG_CACHE_HOME")
