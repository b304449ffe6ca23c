"""The order of clips: all once an epoch, from (seed, epoch); of many shards, a few blocks at a time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from kineme.clips.batches import resident
from kineme.clips.joining import join_stores
from kineme.clips.store import Clip, ClipStore
from kineme.clips.writer import StoreWriter
from kineme.training import order
from kineme.training.history import read_history
from kineme.training.order import BLOCKS, SHARDS, Blocks, epoch_order
from kineme.training.run import train

MANY = Blocks(tuple(range(0, 20_001, 1000)), size=7)  # 20 shards of 1,000 clips, in blocks of 7


def test_one_shard_has_the_order_that_it_always_had() -> None:
    assert epoch_order(3, 2, 100).tolist() == np.random.default_rng([3, 2]).permutation(100).tolist()


def test_every_clip_comes_once_an_epoch_in_an_order_of_its_own() -> None:
    epochs = [torch.cat([*MANY.order(seed=0, epoch=epoch)]) for epoch in range(3)]
    for each in epochs:
        assert each.sort().values.equal(torch.arange(20_000))
    assert not epochs[0].equal(epochs[1])
    assert epochs[2].equal(torch.cat([*MANY.order(seed=0, epoch=2)]))  # whatever came before
    assert not epochs[0].equal(torch.cat([*MANY.order(seed=1, epoch=0)]))


def test_few_blocks_of_few_shards_are_needed_at_a_time() -> None:
    groups = [group.numpy() for group in MANY.order(seed=0, epoch=0)]
    for group in groups:
        assert len(np.unique(group // 1000)) <= SHARDS
        assert len(group) <= BLOCKS * 7
        assert len(group) >= BLOCKS // 2 * 6  # no group is a lonely block
    seen = [set((group // 1000).tolist()) for group in groups]
    last = {shard: number for number, shards in enumerate(seen) for shard in shards}
    first = {shard: number for number, shards in reversed([*enumerate(seen)]) for shard in shards}
    at_once = max(
        sum(first[shard] <= number <= last[shard] for shard in first) for number in range(len(seen))
    )
    assert at_once <= SHARDS  # each shard is fetched once an epoch


def test_clips_of_any_two_shards_meet_and_neighbours_do_not_stay_in_order() -> None:
    met, follow = np.zeros((20, 20), dtype=bool), 0
    for epoch in range(60):
        for group in MANY.order(seed=0, epoch=epoch):
            shards = np.unique(group.numpy() // 1000)
            met[np.ix_(shards, shards)] = True
            follow += sum(b == a + 1 for a, b in pairwise(group.tolist()))
    assert met.all()
    assert follow < 60 * 20_000 / 100  # 1 of 224 by chance


class Interrupted(L.Callback):
    """As by Ctrl-C, in the third epoch."""

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt


def sharded(path: Path, moves: Path, sizes: tuple[int, ...] = (9, 8, 7)) -> ClipStore:
    """The clips of a store as shards."""
    whole, ends = ClipStore(moves), np.cumsum(sizes)
    for number, (size, end) in enumerate(zip(sizes, ends.tolist(), strict=True)):
        with StoreWriter(path / f"{number:05}", whole.manifest, whole.bodies) as writer:
            for row in range(end - size, end):
                subject = str(whole.index["subject"][row])
                writer.add(Clip(str(whole.names[row]), whole.clip(row), int(whole.labels[row]), subject))
    return join_stores(path)


def test_blocks_fill_what_is_held_in_memory(
    tmp_path: Path, moves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = ClipStore(moves)
    assert Blocks.of(alone, resident(alone)) is None
    store = sharded(tmp_path / "many", moves)
    whole = Blocks.of(store, resident(store))
    assert whole is not None
    assert whole.bounds == (0, 9, 17, 24)
    assert len([*whole.order(0, 0)]) == 1  # they all fit
    clip = 4 * 2 * 3 * 3 * float(store.index["frames"].mean())
    monkeypatch.setattr(order, "RESIDENT", int(BLOCKS * 3.5 * clip))
    few = Blocks.of(store, resident(store, np.arange(4, 20)))
    assert few == Blocks((0, 5, 13, 16), size=3)


def test_shards_that_an_accelerator_holds_are_shuffled_as_on_disk(tmp_path: Path, moves: Path) -> None:
    store = sharded(tmp_path / "many", moves)
    clips = resident(store)
    held = replace(clips, frames=torch.from_numpy(store.frames[:]))
    assert Blocks.of(store, held) == Blocks.of(store, clips) is not None


def test_a_run_on_shards_goes_on_where_it_stopped(
    tmp_path: Path, moves: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "RESIDENT", 32 * 2000)
    settings.store = sharded(tmp_path / "many", moves).path
    config = settings(train_epochs=4)
    train(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", callbacks=[Interrupted()])
    train(config, tmp_path / "stopped", resume=True)
    whole, stopped = (read_history(tmp_path / name / "history.csv") for name in ("whole", "stopped"))
    assert [row["loss"] for row in whole] == [row["loss"] for row in stopped]
    assert len(whole) == 4
