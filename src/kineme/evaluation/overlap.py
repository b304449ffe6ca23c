"""Test clips that an encoder has seen in its pre-training."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from kineme.clips.collection import open_stores, parts
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.clips.store import ClipStore
from kineme.config import DataConfig
from kineme.errors import KinemeError
from kineme.model import Model
from kineme.typing import Array

logger = logging.getLogger(__name__)


def seen_in_pretraining(run: Path, model: Model, store: ClipStore, rows: Array) -> Array | None:
    """Those of the given rows of a store that the encoder was trained on.

    The run's list of its clips says so (clips.npz); where there is none, the store and split that it was
    trained on, if the store is still there.

    Args:
        run: the run directory.
        model: its model.
        store: the clips to measure on.
        rows: of that store.

    Returns:
        (k,) rows; None where the training clips are not known.

    Raises:
        KinemeError: the run's list is damaged.
    """
    seen = Seen.load(run / SEEN_CLIPS) if (run / SEEN_CLIPS).is_file() else _from_store(model)
    return None if seen is None else seen.among(store, rows)


def _from_store(model: Model) -> Seen | None:
    data = DataConfig(**model.config["data"])
    if not data.stores:
        return None
    try:
        return Seen.of(parts(open_stores(data.stores), data.splits))
    except KinemeError:  # it is gone, or is another one now that has no such split
        return None


def unseen_test_clips(
    run: Path, model: Model, store: ClipStore, test: Array, *, leave_out: bool
) -> tuple[Array, int | None]:
    """The test clips to measure on; warns of those that pre-training saw, or leaves them out.

    Returns:
        rows, and how many of these were seen; None where that is not known.

    Raises:
        KinemeError: nothing is left.
    """
    seen = seen_in_pretraining(run, model, store, test)
    if seen is None:
        logger.warning("%s: its training clips are not known; train/test overlap cannot be checked", run)
        return test, None
    if len(seen) == 0:
        return test, 0
    share = f"{len(seen)} of {len(test)} test clips were seen in pre-training"
    if not leave_out:
        logger.warning("%s; set `leave_out_overlap` to leave them out", share)
        return test, len(seen)
    if len(seen) == len(test):
        raise KinemeError(f"{store.path}: all {len(test)} test clips were seen in pre-training; none is left")
    logger.info("%s and are left out", share)
    return np.setdiff1d(test, seen, assume_unique=True), 0
