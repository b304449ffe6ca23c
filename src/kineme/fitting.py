"""A default that fits itself: the settings of a run, chosen from the index of a clip store.

Method, encoder and optimiser are those of one recipe, `BASE`. What depends on the clips is chosen here, each
by a rule with a reason; no frame is read, so that a million clips take no longer than a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from kineme.clips.batches import Clips, even_batch
from kineme.clips.collection import open_stores, store_numbers, stores_of, training_rows
from kineme.clips.splits import usual_split
from kineme.clips.store import ClipStore
from kineme.config import Config, DataConfig, TrainConfig
from kineme.errors import KinemeError
from kineme.packaged import BASE
from kineme.settings import load_config
from kineme.typing import Array
from kineme.words import counted

FRAMES = 8, 32  # T: the least that shows a course of motion, and what small sets are published with
WINDOW = 4.0  # seconds: a typical action of NTU RGB+D and PKU-MMD
LONG = 3 * WINDOW  # seconds: a view of half a clip that is longer shows more than one action
PIECES = 4  # half overlapping windows of a single clip: 7 of them

BATCH = 64  # clips: enough for the statistics of a batch, and small data sets then have several batches
LEAST_BATCH = 16
TOKENS = 1 << 15  # frames and joints of a batch's clips, which bound its memory on large skeletons

# Some hundred clips gain nothing after a thousand steps, twenty lose after 300 (docs/pretrain.md).
STEPS, MOST_EPOCHS = 1000, 300
LEAST_EPOCHS = {False: 20, True: 100}  # on a CPU, on a GPU: large data sets are seen as often as time allows
MINUTES = {False: 8.0, True: 60.0}  # with preparing and what follows: ten minutes to an answer on a CPU
SAVED, WATCHED = 50, 20  # times in a run that it is saved, and that its features are looked at


@dataclass(frozen=True)
class Chosen:
    """Settings and, in three lines, what was chosen and why.

    >>> chosen = fitted_config(example_store)
    >>> chosen.config.data.frames, chosen.config.train.batch_size
    (32, 12)
    """

    config: Config
    reasons: tuple[str, str, str]


def fitted_config(
    store: ClipStore | str | Path | Sequence[str | Path] | None = None,
    overrides: Sequence[str] = (),
    *,
    gpu: bool = False,
) -> Chosen:
    """Settings for the clips of a store, from their number, lengths, joints, bodies, rate, people and labels.

    Equal indices give equal settings. What is overridden is taken as given, and the rest follows from it.

    Args:
        store: the clips, of one store or several; None takes those that `overrides` name.
        overrides: settings that are not to be chosen, as on the command line: `--train.epochs=5`.
        gpu: for a GPU; it is given more time.

    Raises:
        KinemeError: there is no store, an override is unknown, or there is too little to train on.

    >>> for line in fitted_config(example_store, ["--train.epochs=5"]).reasons:
    ...     print(line)
    clips: 12 of 24 (split odd-even); the others are held out for evaluation
    views: 32 frames from half a clip or more, because the median clip has 116 frames (3.9 s)
    training: tandem with canonical, 5 epochs (given) of 1 batch of 12 clips: 5 steps
    """
    given = {word[2:].partition("=")[0] for word in overrides if word.startswith("--")}
    config, base = load_config(BASE, overrides), load_config(BASE)
    if (config.method["name"], config.encoder["name"]) != (base.method["name"], base.encoder["name"]):
        raise KinemeError(
            f"the default trains {base.method['name']} with {base.encoder['name']}; for another method or "
            "encoder name a recipe, such as aimclr-small"
        )
    if not isinstance(store, ClipStore):
        named = config.data.stores if store is None else [store] if isinstance(store, str | Path) else store
        if not named:
            raise KinemeError("no clips to train on; name a `store`, with or without a recipe")
        store = open_stores(named)
    paths = [each.address for each in stores_of(store)]
    data, clips_line = _split(store, replace(config.data, store=paths if len(paths) > 1 else paths[0]), given)
    rows = training_rows(store, data.splits)
    lengths, of = store.index["frames"][rows], store_numbers(store, rows)
    share = float(config.method.get("min_crop", 1.0))
    rates = np.array([each.manifest.fps for each in stores_of(store)])[of]
    data, views_line = _views(store, data, lengths, rates, share, given)
    counts = [len(_windowed(lengths[of == number], data.window)) for number in range(len(paths))]
    if "train.batch_size" not in given:
        _check_counts(store, counts)
    tokens = data.frames + store.bodies * store.layout.num_joints
    train, training_line = _training(config.train, counts, tokens, given, gpu)
    names = f"training: {config.method['name']} with {config.encoder['name']}, "
    return Chosen(replace(config, data=data, train=train), (clips_line, views_line, names + training_line))


def _split(store: ClipStore, data: DataConfig, given: Collection[str]) -> tuple[DataConfig, str]:
    """All clips, unless they have labels to measure by and people that can be kept apart for that."""
    stores = stores_of(store)
    measurable = [bool((each.labels >= 0).any()) or len(each.intervals["clip"]) > 0 for each in stores]
    if "data.split" not in given:
        usual = [usual_split(each) if told else "all" for each, told in zip(stores, measurable, strict=True)]
        data = replace(data, split=usual[0] if len({*usual}) == 1 else usual)
    trains, clips = len(training_rows(store, data.splits)), len(store)
    of = f" of {len(stores)} stores" if len(stores) > 1 else ""
    by = f"split {data.splits[0]}" if len(data.splits) == 1 else f"splits {' '.join(data.splits)}"
    if "data.split" in given:
        return data, f"clips: {trains:,} of {clips:,}{of} ({by}, given)"
    if data.split != "all":
        return data, f"clips: {trains:,} of {clips:,}{of} ({by}); the others are held out for evaluation"
    why = "no subjects are known" if any(measurable) else "none has a label to evaluate with"
    return data, f"clips: {'the only one' if clips == 1 else f'all {clips:,}{of}'}, because {why}"


def _views(
    store: ClipStore, data: DataConfig, lengths: Array, rates: Array, share: float, given: Collection[str]
) -> tuple[DataConfig, str]:
    """Windows where recordings are long, and as many frames as the shortest view of a median clip has."""
    cut, seconds = "", lengths / rates
    if "data.window" in given:
        cut = f", of windows of {data.window} frames (given)" if data.window else ""
    else:
        window, cut = _window(store, lengths, seconds)
        if window and _differ_in_rate(store):  # a window is so many frames, for all stores
            window, cut = 0, "; not cut into windows, because the stores differ in frame rate"
        data = replace(data, window=window)
    lengths = _windowed(lengths, data.window)
    if data.window:
        seconds = lengths / store.manifest.fps
    if len(lengths) < 2:
        raise KinemeError(
            f"{store.path}: one clip of {counted(int(lengths[0]), 'frame')} is too little to train on; "
            "prepare more or longer recordings"
        )
    median = float(np.median(lengths))
    what = "window" if data.window else "clip"
    if "data.frames" in given:
        return data, f"views: {data.frames} frames (given){cut}"
    least, most = FRAMES
    frames = min(max(int(share * median) // 4 * 4, least), most)
    kept = f"from {'half a' if share == 0.5 else f'{share:.0%} of a'} {what} or more,"
    if frames > share * median:
        kept = "(the minimum),"
    why = f"because the median {what} has {median:g} frames ({np.median(seconds):.1f} s)"
    return replace(data, frames=frames), f"views: {frames} frames {kept} {why}{cut}"


def _window(store: ClipStore, lengths: Array, seconds: Array) -> tuple[int, str]:
    """Frames of a window, 0 for none. A label is that of a whole clip, so labelled clips are not cut."""
    wanted = max(2, round(WINDOW * store.manifest.fps))
    if len(store.intervals["clip"]):
        return wanted, f"; cut into windows of {WINDOW:g} s, because recordings are untrimmed"
    if len(lengths) == 1 and lengths[0] > PIECES:
        return min(wanted, int(lengths[0]) // PIECES), "; cut into windows, because there is only one clip"
    if not (store.labels >= 0).any() and 2 * seconds[seconds > LONG].sum() > seconds.sum():
        why = f"because most of the time is in recordings of more than {LONG:g} s"
        return wanted, f"; cut into windows of {WINDOW:g} s, {why}"
    return 0, ""


def _differ_in_rate(store: ClipStore) -> bool:
    return len({each.manifest.fps for each in stores_of(store)}) > 1


def _check_counts(store: ClipStore, counts: Sequence[int]) -> None:
    """Refuses stores that cannot fill a batch: its clips are of one store, and there are two or more.

    Raises:
        KinemeError: one of several stores has a single clip or window to train on.
    """
    for each, count in zip(stores_of(store), counts, strict=True):
        if count < 2:
            remedy = "leave the store out, or add recordings to it"
            if _differ_in_rate(store):
                remedy += "; stores of one frame rate (`kineme prepare --fps`) are cut into windows"
            raise KinemeError(
                f"{each.path}: {counted(count, 'clip')} of it can be trained on, and all clips of a batch, "
                f"two or more, are of one store; {remedy}"
            )


def _windowed(lengths: Array, window: int) -> Array:
    """Lengths of the windows of some clips, cut as training cuts them; 0 leaves them whole."""
    if not window:
        return lengths
    clips = Clips(torch.empty(0), torch.zeros(len(lengths), dtype=torch.int64), torch.from_numpy(lengths))
    return np.asarray(clips.windows(window).length)


def _training(
    train: TrainConfig, clips: Sequence[int], tokens: int, given: Collection[str], gpu: bool
) -> tuple[TrainConfig, str]:
    """Batches that leave out no clips to speak of, steps enough for few clips, and a bound on the time."""

    def said(key: str) -> str:
        return " (given)" if f"train.{key}" in given else ""

    if "train.batch_size" not in given:
        most = min(BATCH, max(LEAST_BATCH, TOKENS // tokens))
        train = replace(train, batch_size=even_batch(clips, most))
    whole = train.batch_size * train.accumulate * train.devices * train.nodes
    batches = max(1, sum(count // whole for count in clips))
    if "train.epochs" not in given:
        epochs = min(max(math.ceil(STEPS / batches), LEAST_EPOCHS[gpu]), MOST_EPOCHS)
        if "train.warmup" not in given:  # it keeps its share
            train = replace(train, warmup=train.warmup * epochs / train.epochs)
        train = replace(train, epochs=epochs)
    bounded = not {"train.epochs", "train.minutes", "train.max_minutes"} & set(given)
    if bounded and train.devices * train.nodes == 1:
        train = replace(train, max_minutes=MINUTES[gpu])
    if "train.save_every" not in given:
        train = replace(train, save_every=max(1, train.epochs // SAVED))
    if "train.knn_every" not in given:
        train = replace(train, knn_every=max(1, train.epochs // WATCHED))
    of = f"of {counted(batches, 'batch', 'batches')} of {train.batch_size} clips{said('batch_size')}"
    if train.minutes is not None:
        return train, f"{train.minutes:g} minutes{said('minutes')} {of}"
    line = f"{counted(train.epochs, 'epoch')}{said('epochs')} {of}: {counted(train.epochs * batches, 'step')}"
    if train.max_minutes is not None:
        on = " on a GPU" if gpu else " on a CPU"
        line += f", at most {train.max_minutes:g} minutes{said('max_minutes') or on}"
    return train, line
