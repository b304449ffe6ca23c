"""The run directory.

config.yaml         complete settings
model.safetensors   the encoder at the last checkpoint
state.ckpt          state to resume from: all weights, optimiser, queue, counters, history
history.csv         one row per epoch
clips.npz           the clips it was trained on, see clips/seen.py
results/            results of evaluation
features/           cached features
classifiers/        what was taught on it
logs/               output of Lightning's loggers, if any
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
import yaml

from kineme.checkpoints import WEIGHTS
from kineme.clips.seen import SEEN_CLIPS
from kineme.config import NAMED, Config, config_from_dict
from kineme.errors import KinemeError
from kineme.files import atomic_write, locked
from kineme.training.history import HISTORY

CONFIG, STATE, LOGS = "config.yaml", "state.ckpt", "logs"
_OWN = {CONFIG, WEIGHTS, STATE, HISTORY, SEEN_CLIPS, LOGS, "results", "features", "classifiers"}


def check_room(out: Path, overwrite: bool) -> None:
    """Checks that a run may be written to a directory.

    Raises:
        KinemeError: it holds something else, or a run that may not be overwritten.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise KinemeError(f"{out}: is a file; choose another place for the run")
    foreign = sorted(each.name for each in out.iterdir() if each.name not in _OWN and not _is_half(each))
    if foreign or (not _is_settings(out / CONFIG) and any(not _is_half(each) for each in out.iterdir())):
        reason = f"holds {foreign[0]}, which belongs to no run" if foreign else "is not a run directory"
        raise KinemeError(f"{out}: {reason}; choose another place")
    if (out / WEIGHTS).exists() and not overwrite:
        resumable = "`resume` to continue it, " if (out / STATE).exists() else ""
        raise KinemeError(
            f"{out}: holds a run already; set {resumable}`overwrite` to replace it, or choose another place"
        )


def occupied(out: Path) -> AbstractContextManager[None]:
    """Keeps other processes from writing the same run.

    Raises:
        KinemeError: another process is writing it, or the directory is not writable.
    """
    return locked(out, "this run")


def restore(out: Path) -> None:
    """Brings back the run that was put aside for one that has saved no checkpoint."""
    aside = _aside(out)
    if aside.exists() and not (out / WEIGHTS).exists():
        shutil.rmtree(out, ignore_errors=True)
        aside.rename(out)


@contextmanager
def replacing(out: Path) -> Iterator[None]:
    """Puts an earlier run aside until the new one has saved a checkpoint; restores it if none is saved."""
    aside = _aside(out)
    if out.exists():
        shutil.rmtree(aside, ignore_errors=True)
        out.rename(aside)
    try:
        yield
    except BaseException:
        restore(out)
        raise
    finally:
        if (out / WEIGHTS).exists():
            shutil.rmtree(aside, ignore_errors=True)


def write_config(out: Path, config: Config | Mapping[str, Any]) -> None:
    """Writes a run's complete settings."""
    plain = config.to_dict() if isinstance(config, Config) else dict(config)
    with atomic_write(out / CONFIG) as aside:
        aside.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")


def load_run_config(run: Path) -> Config:
    """The settings of a run directory.

    Raises:
        KinemeError: they are missing or damaged.
    """
    path = run / CONFIG
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KinemeError(f"{path}: cannot be read; is {run} a run directory?") from error
    return config_from_dict(data, where=str(path))


def check_state(run: Path) -> None:
    """Checks that a run can be resumed.

    Raises:
        KinemeError: its training state is missing or unreadable.
    """
    path = run / STATE
    if not path.is_file():
        raise KinemeError(f"{path}: no such checkpoint, so there is nothing to resume; train from the start")
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load promises nothing narrower
        raise KinemeError(
            f"{path}: cannot be read, so the run cannot be resumed; train from the start"
        ) from error


def remove_halves(run: Path) -> None:
    """Removes partial files of killed processes."""
    for half in filter(_is_half, run.iterdir()):
        with suppress(OSError):
            half.unlink()


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _is_half(path: Path) -> bool:
    return path.name.startswith(".") and ".partial-" in path.name


def _is_settings(path: Path) -> bool:
    """Whether a file looks like a run's settings, even of a method that is not installed."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(data, Mapping) and all(
        isinstance(data.get(name), Mapping) for name in ("data", "train", *NAMED)
    )
