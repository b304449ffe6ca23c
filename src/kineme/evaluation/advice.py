"""Which command measures a run on the clips that it was trained on."""

from __future__ import annotations

import shlex
from pathlib import Path

from kineme.clips.splits import usual_split
from kineme.clips.store import ClipStore
from kineme.config import Config


def measuring_command(config: Config, run: Path, store: ClipStore) -> str:
    """The first protocol to measure a run by, as a command; empty where the clips cannot tell.

    They cannot without labels, or where nothing divides them into a training and a test part.
    """
    trained = config.data.split_of(Path(store.address)) or "all"
    split = usual_split(store) if trained == "all" else trained
    untrimmed = len(store.intervals["clip"]) > 0
    if split == "all" or not (untrimmed or (store.labels >= 0).any()):
        return ""
    recognition = "knn" if config.evaluate.linear.lr is None else "linear"
    protocol = "detect" if untrimmed else recognition
    options = ["--store", store.address] if len(config.data.stores) > 1 else []
    options += ["--split", split] if split != trained else []
    return shlex.join(["kineme", "evaluate", protocol, str(run), *options])
