"""Where a run's files are, apart from the rest so that a mistyped path is said without loading PyTorch."""

from __future__ import annotations

from pathlib import Path

from kineme.clips.folders import is_store
from kineme.errors import KinemeError

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"


def weights_of(path: Path) -> Path:
    """The weights of a run directory; any other path is theirs.

    Raises:
        KinemeError: there are none.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        if is_store(path):
            raise KinemeError(f"{path}: is a clip store, but a run is expected; name a run directory")
        raise KinemeError(
            f"{file}: no such run or weights; train with `kineme pretrain`, or name a run directory"
        )
    return file


def check_run(path: Path) -> None:
    """Checks that a directory is a run, with or without weights.

    Raises:
        KinemeError: it is none.
    """
    if not (path / CONFIG).is_file():
        raise KinemeError(
            f"{path}: is not a run directory (it has no {CONFIG}); name one that `kineme pretrain` made"
        )
