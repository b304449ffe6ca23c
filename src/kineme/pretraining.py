"""Pre-training as a function: from a store, with a recipe or without, to a run directory and a `Model`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineme.clips.store import ClipStore
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.fitting import fitted_config
from kineme.loading import load_run
from kineme.model import Model
from kineme.packaged import BASE
from kineme.settings import as_words, config_from_dict, load_config
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
    store: str | Path | ClipStore | Sequence[str | Path | ClipStore] | None = None,
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
        callbacks: Lightning callbacks, in addition to Kineme's own, such as a progress bar.
        loggers: Lightning loggers, in addition to those of `train.loggers`.

    Returns:
        the model at the last checkpoint.

    Raises:
        KinemeError: a setting is unknown or does not fit the clips, `out` is occupied, a loss is not finite,
            or the disk is full.

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
    words = as_words(overrides or {})
    named = None if store is None else _named(store)
    if isinstance(config, Config):
        if words:
            raise KinemeError("`overrides` are for recipes; change the Config itself")
        config = config_from_dict(config.to_dict(), where="the Config")  # checked as a recipe is
    else:
        config = fitted(named, words) if config is None else load_config(config, words)
    if named is not None:
        config = replace(config, data=replace(config.data, store=named))
    train(config, run, resume=resume, overwrite=overwrite, callbacks=callbacks, loggers=loggers)
    return load_run(run)


def _named(store: str | Path | ClipStore | Sequence[str | Path | ClipStore]) -> str | list[str]:
    """The setting `data.store`."""
    if isinstance(store, str | Path):
        return str(store)
    if isinstance(store, ClipStore):
        return store.address
    return [str(_named(each)) for each in store]


def fitted(store: str | list[str] | None, words: list[str]) -> Config:
    """Settings chosen for the clips and this machine; the log says which, and why.

    Args:
        store: as of `pretrain`; None takes the stores that the words name.
        words: settings that are given, as on the command line.

    Raises:
        KinemeError: as `fitted_config`.
    """
    device, _ = resolve_device(load_config(BASE, words).train)
    chosen = fitted_config(store, words, gpu=device == "cuda")
    for line in chosen.reasons:
        logger.info("%s", line)
    return chosen.config
