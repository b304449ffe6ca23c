"""No clip that an encoder is measured on may have been seen in its pre-training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.model import Model
from kineme.typing import Array


def seen_in_pretraining(run: Path, pretrained: Model, store: ClipStore, rows: Array) -> Array | None:
    """Those of the given rows of a store that the encoder was trained on.

    The run's list of its clips says so (clips.npz); where there is none, the store and split that it was
    trained on, if the store is still there.

    Args:
        run: the run directory.
        pretrained: its encoder.
        store: the clips to measure on.
        rows: of that store.

    Returns:
        (k,) rows; None where nobody knows what the encoder was trained on.

    Raises:
        KinemeError: the run's list is damaged.
    """
    seen = Seen.load(run / SEEN_CLIPS) if (run / SEEN_CLIPS).is_file() else _from_store(pretrained)
    return None if seen is None else seen.among(store, rows)


def _from_store(pretrained: Model) -> Seen | None:
    data = pretrained.config["data"]
    if data["store"] is None:
        return None
    try:
        store = ClipStore(data["store"])
        return Seen.of(store, split_rows(store, data["split"], "train"))
    except KinemeError:  # it is gone, or is another one now that has no such split
        return None


def unseen_test_clips(
    run: Path, pretrained: Model, store: ClipStore, test: Array, *, leave_out: bool
) -> tuple[Array, int | None]:
    """The test clips to measure on: says on standard error how many were seen, and leaves them out if asked.

    Returns:
        rows, and how many of these were seen; None where nobody knows.

    Raises:
        KinemeError: nothing is left.
    """
    seen = seen_in_pretraining(run, pretrained, store, test)
    say = partial(Console(stderr=True).print, highlight=False, soft_wrap=True, markup=False)
    if seen is None:
        say(f"{run}: does not say which clips it was trained on; nobody knows whether it saw test clips")
        return test, None
    if len(seen) == 0:
        return test, 0
    share = f"{len(seen)} of {len(test)} test clips were seen in pre-training"
    if not leave_out:
        say(f"warning: {share}; --leave-out-overlap leaves them out", style="yellow")
        return test, len(seen)
    if len(seen) == len(test):
        raise KinemeError(f"{store.path}: all {len(test)} test clips were seen in pre-training; none is left")
    say(f"{share} and are left out")
    return np.setdiff1d(test, seen, assume_unique=True), 0
