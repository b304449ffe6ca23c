"""Pre-training as a function: from a store, with a recipe or without, to a run directory and a `Model`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineme.config import Config
from kineme.errors import KinemeError
from kineme.fitting import BASE, fitted_config
from kineme.loading import load_run
from kineme.model import Model
from kineme.packaged import find_recipe
from kineme.settings import load_config
from kineme.training.devices import resolve_device
from kineme.training.directory import load_run_config
from kineme.training.run import train

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.loggers import Logger

logger = logging.getLogger(__name__)


def pretrain(
    config: Config | str | Path | None = None,
    out: str | Path | None = None,
    *,
    store: str | Path | Sequence[str | Path] | None = None,
    overrides: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[L.Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Model:
    """Trains an encoder without labels, into a run directory.

    Args:
        config: all settings; or a recipe, as a path or the name of a built-in one. None chooses settings
            that suit the clips of `store`, and logs in three lines which and why; when resuming, None uses
            the run's own.
        out: the run directory.
        store: clip store to train on, or several; replaces `data.store`.
        overrides: settings that override those of the recipe or the chosen ones, such as
            `{"train.epochs": 10}`.
        resume: continue from the last checkpoint; ends with the same weights as an uninterrupted run.
        overwrite: replace an existing run, as soon as the new one has saved a checkpoint.
        callbacks: Lightning callbacks, in addition to Kineme's own.
        loggers: Lightning loggers, in addition to those of `train.loggers`.

    Returns:
        the model at the last checkpoint.

    Raises:
        KinemeError: a setting does not fit the clips, `out` is occupied, a loss is not finite, or the disk is
            full.

    >>> import kineme
    >>> short = {"train.epochs": 1, "train.batch_size": 4, "encoder.hidden": 16}
    >>> model = kineme.pretrain("usdrl-small", example_folder / "run", store=example_store, overrides=short)
    >>> model.epochs
    1
    >>> short = {"train.epochs": 1, "encoder.hidden": 16}
    >>> kineme.pretrain(out=example_folder / "fitted", store=example_store, overrides=short).shape.frames
    32
    """
    if out is None:
        raise KinemeError("name the run directory: pretrain(config, out)")
    run = Path(out)
    if resume and config is None:
        config = load_run_config(run)
    words = [f"--{key}={_word(value)}" for key, value in (overrides or {}).items()]
    if config is None:
        config, words = _fitted(store, words), []
    elif not isinstance(config, Config):
        config, words = load_config(find_recipe(str(config)), words), []
    if words:
        raise KinemeError("`overrides` are for recipes; change the Config itself")
    if store is not None:
        named = str(store) if isinstance(store, str | Path) else [str(each) for each in store]
        config = replace(config, data=replace(config.data, store=named))
    train(config, run, resume=resume, overwrite=overwrite, callbacks=callbacks, loggers=loggers)
    return load_run(run)


def _fitted(store: str | Path | Sequence[str | Path] | None, words: list[str]) -> Config:
    """Settings chosen from the clips; the log says which, and why."""
    device, _ = resolve_device(load_config(find_recipe(BASE), words).train)
    chosen = fitted_config(store, words, gpu=device == "cuda")
    for line in chosen.reasons:
        logger.info("%s", line)
    return chosen.config


def _word(value: Any) -> str:
    """A setting as it stands on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
