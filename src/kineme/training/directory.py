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

import logging
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open

from kineme.clips.folders import is_there
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.config import Config
from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write, clear, foreign, locked, remove_own
from kineme.runs import CONFIG, WEIGHTS
from kineme.settings import config_from_dict
from kineme.training.history import HISTORY
from kineme.untrusted import check_packing, read_yaml

logger = logging.getLogger(__name__)

_STATE = {"state_dict", "optimizer_states", "loops", "callbacks"}  # what Lightning goes on from
STATE, LOGS = "state.ckpt", "logs"
MARK = "# Settings of a run of Kineme, complete.\n"  # how config.yaml begins
FILES = (CONFIG, WEIGHTS, STATE, HISTORY, SEEN_CLIPS)  # what a run is made of
_PROTOCOLS = (
    "linear",
    "knn",
    "transfer",
    "finetune",
    "semi",
    "detect",
    "robust",
    "early",
    "fewshot",
    "fused",
)
_OWN = (
    *FILES,
    *(f"{LOGS}/{logger}/" for logger in ("csv", "tensorboard", "wandb")),
    f"features/{'[0-9a-f]' * 32}.npy",
    *(
        f"results/{protocol}{rest}{suffix}"
        for protocol in _PROTOCOLS
        for rest in ("", "-*")
        for suffix in (".json", ".npz", ".safetensors")
    ),
    "classifiers/*.safetensors",
)  # what is removed with a run, see kineme.files


def check_room(out: Path, overwrite: bool) -> None:
    """Checks that a run may be written to a directory.

    Raises:
        KinemeError: it holds something else, or a run that may not be overwritten.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise KinemeError(f"{out}: is a file; choose another place for the run")
    if (strange := foreign(out, _OWN)) is not None:
        name = strange.relative_to(out)
        raise KinemeError(f"{out}: holds {name}, which is not part of a run; move it or choose another place")
    if not is_run(out) and any(not _is_half(each) for each in out.iterdir()):
        raise KinemeError(f"{out}: is not a run directory; choose another place")
    if _has_saved(out) and not overwrite:
        resumable = "`resume` to continue it, " if (out / STATE).exists() else ""
        raise KinemeError(
            f"{out}: already holds a run; set {resumable}`overwrite` to replace it, or choose another place"
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
    if is_run(aside) and not _has_saved(out):
        remove_own(out, _OWN if is_run(out) else ())
        if out.exists():  # with something that is not ours
            logger.warning("%s: the earlier run is now in %s", out, aside)
        else:
            aside.rename(out)


@contextmanager
def replacing(out: Path) -> Iterator[None]:
    """Puts an earlier run aside until the new one has saved a checkpoint; restores it if none is saved.

    Raises:
        KinemeError: what was put aside before holds something that belongs to no run.
    """
    aside = _aside(out)
    if is_run(out):
        clear(aside, _OWN)
        out.rename(aside)
    try:
        yield
    except BaseException:
        restore(out)
        raise
    finally:
        settle(out)


def settle(out: Path) -> None:
    """Removes the earlier run once the new one has saved its weights."""
    aside = _aside(out)
    if (out / WEIGHTS).exists() and is_run(aside):
        remove_own(aside, _OWN)


def is_run(path: Path) -> bool:
    """Whether a directory is a run, by the first line of its settings or the header of its weights."""
    with suppress(OSError, UnicodeDecodeError), (path / CONFIG).open(encoding="utf-8") as file:
        if file.read(len(MARK)) == MARK:
            return True
    with suppress(OSError, SafetensorError), safe_open(path / WEIGHTS, "pt") as weights:
        return "kineme" in (weights.metadata() or {})
    return False


def write_config(out: Path, config: Config | Mapping[str, Any]) -> None:
    """Writes a run's complete settings."""
    plain = config.to_dict() if isinstance(config, Config) else dict(config)
    with atomic_write(out / CONFIG) as aside:
        aside.write_text(MARK + yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")


def load_run_config(run: Path) -> Config:
    """The settings of a run directory.

    Raises:
        KinemeError: they are missing or damaged.
    """
    path = run / CONFIG
    try:
        data = read_yaml(path)
    except (OSError, ValueError) as error:
        raise KinemeError(f"{path}: cannot be read ({one_line(error)}); is {run} a run directory?") from error
    config = config_from_dict(data, where=str(path))
    config.data.store = located(run, config.data.store)
    return config


def located(run: Path, store: list[str] | str | None) -> list[str] | str | None:
    """Where the store or stores of a run are, which may have been named from another current directory."""
    named = [store] if isinstance(store, str) else store or []
    if all(map(is_there, named)):
        return store
    with suppress(KinemeError):
        found = Seen.load(run / SEEN_CLIPS).located(run, named)
        return found[0] if isinstance(store, str) else found
    return store


def check_state(run: Path, now: Seen) -> None:
    """Checks that a run can be resumed, with the clips that there are now.

    Raises:
        KinemeError: its training state is missing or unreadable, or it began with other clips or joints.
    """
    if (run / SEEN_CLIPS).is_file() and (what := Seen.load(run / SEEN_CLIPS).differs(now)):
        raise KinemeError(
            f"{run}: began with other {what} than the store has now, so it cannot go on with them; bring the "
            "store back, or train from the start"
        )
    path = run / STATE
    if not path.is_file():
        raise KinemeError(f"{path}: no such checkpoint, so there is nothing to resume; train from the start")
    try:
        check_packing(path)
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():  # PyTorch would go on from other numbers
                raise ValueError(f"{damaged} is damaged")
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if lacking := _STATE - state.keys():
            raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
    except Exception as error:  # torch.load promises nothing narrower
        raise KinemeError(
            f"{path}: cannot be read, so the run cannot be resumed; train from the start"
        ) from error


def remove_halves(run: Path) -> None:
    """Removes partial files of killed processes."""
    for half in filter(_is_half, run.iterdir()):
        with suppress(OSError):
            half.unlink()


def _has_saved(run: Path) -> bool:
    return (run / WEIGHTS).exists() or (run / STATE).exists()


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _is_half(path: Path) -> bool:
    return path.name.startswith(".") and ".partial-" in path.name
