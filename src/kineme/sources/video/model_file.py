"""The file of MediaPipe's networks: the user's own, or the published one, fetched once."""

from __future__ import annotations

import hashlib
import logging
import os
import urllib.request
import zipfile
from pathlib import Path

from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write

logger = logging.getLogger(__name__)

URL = (
    "https://storage.googleapis.com/mediapipe-models/pose_landmarker/pose_landmarker_full/float16/1/"
    "pose_landmarker_full.task"
)
VARIABLE = "KINEME_POSE_MODEL"
"""The environment variable that names the user's own file, where a command has no option for it."""
SHA256 = "5134a3aad27a58b93da0088d431f366da362b44e3ccfbe3462b3827a839011b1"
_SIZE = 9_398_198  # bytes
_TIMEOUT = 30.0  # seconds without an answer


def cached_model() -> Path:
    """Where the published file lies once it was fetched, below `$XDG_CACHE_HOME` or `~/.cache`."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder / "kineme" / URL.rsplit("/", 1)[1]


def landmark_model(model: Path | None = None, *, url: str = URL, sha256: str = SHA256) -> Path:
    """The file of the networks.

    Args:
        model: the user's own; by default the one that `KINEME_POSE_MODEL` names, else the published one,
            which is fetched if it is not in the cache.
        url, sha256: of the published one.

    Raises:
        KinemeError: there is no such file, it is no `.task` file, it cannot be fetched, or it is not the
            published one.
    """
    own = model or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if own is not None:
        named = "`model`" if model else VARIABLE
        if not own.is_file():
            raise KinemeError(f"{own}: no such file; {named} is a .task file, such as {url}")
        if not zipfile.is_zipfile(own):
            raise KinemeError(f"{own}: is not a .task file of MediaPipe's pose landmarker, such as {url}")
        return own
    cached = cached_model()
    if not cached.is_file():
        data = _fetched(url, cached)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise KinemeError(f"{url}: is not the file that was published; {_otherwise(cached)}")
        with atomic_write(cached) as aside:
            aside.write_bytes(data)
    elif hashlib.sha256(cached.read_bytes()).hexdigest() != sha256:
        raise KinemeError(f"{cached}: is not {url} as it was published; remove it")
    return cached


def _fetched(url: str, cached: Path) -> bytes:
    logger.info("downloading %s (%.0f MB) once, into %s", url, _SIZE / 1e6, cached.parent)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            data: bytes = answer.read(_SIZE + 1)
    except OSError as error:  # every error of urllib and of sockets is one
        reason = one_line(error).removeprefix("<urlopen error ").removesuffix(">")
        raise KinemeError(f"{url}: cannot be downloaded ({reason}); {_otherwise(cached)}") from error
    return data


def _otherwise(cached: Path) -> str:
    return (
        f"put it at {cached}, or name a .task file by `model` of `kineme prepare video` and `watch`, or by "
        f"the variable {VARIABLE}"
    )
