"""Test clips that pre-training has seen: found, counted, and left out if asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.evaluation.overlap import seen_in_pretraining, unseen_test_clips
from kineme.model import Model


def trained_on(store: Path | None, split: str = "odd-even") -> Model:
    """All that is asked of an encoder here: its configuration."""
    config = {"data": {"store": None if store is None else str(store), "split": split}}
    return cast(Model, SimpleNamespace(config=config))


def test_the_test_part_of_the_pre_training_s_split_is_unseen(tmp_path: Path, moves: Path) -> None:
    store = ClipStore(moves)
    test = split_rows(store, "odd-even", "test")
    assert seen_in_pretraining(tmp_path, trained_on(moves), store, test).tolist() == []
    train = split_rows(store, "odd-even", "train")
    assert seen_in_pretraining(tmp_path, trained_on(moves), store, train).tolist() == train.tolist()


def test_training_on_all_clips_has_seen_every_test_clip(
    tmp_path: Path, moves: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ClipStore(moves)
    test = split_rows(store, "odd-even", "test")
    kept, count = unseen_test_clips(tmp_path, trained_on(moves, "all"), store, test, leave_out=False)
    assert count == 12
    assert kept.tolist() == test.tolist()
    assert caplog.messages == [
        "12 of 12 test clips were seen in pre-training; set `leave_out_overlap` to leave them out"
    ]
    with pytest.raises(KinemeError, match="all 12 test clips were seen in pre-training; none is left"):
        unseen_test_clips(tmp_path, trained_on(moves, "all"), store, test, leave_out=True)


def test_what_was_seen_is_left_out(tmp_path: Path, moves: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    store = ClipStore(moves)
    test = split_rows(store, "subjects:1,2", "test")  # 3 and 4, of whom 3 was trained on
    kept, count = unseen_test_clips(tmp_path, trained_on(moves), store, test, leave_out=True)
    assert set(store.index["subject"][kept].tolist()) == {"4"}
    assert count == 0
    assert caplog.messages == ["6 of 12 test clips were seen in pre-training and are left out"]


def test_the_run_s_own_list_counts_though_its_store_is_gone(tmp_path: Path, moves: Path) -> None:
    store = ClipStore(moves)
    Seen.of([(store, np.array([3, 5]))]).save(tmp_path / SEEN_CLIPS)
    found = seen_in_pretraining(tmp_path, trained_on(tmp_path / "gone"), store, np.arange(5))
    assert found.tolist() == [3]


@pytest.mark.parametrize("store", [None, "gone"])
def test_overlap_that_cannot_be_checked_is_warned_of(
    tmp_path: Path, moves: Path, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pretrained = trained_on(store and tmp_path / store)
    test = np.arange(3)
    assert seen_in_pretraining(tmp_path, pretrained, ClipStore(moves), test) is None
    kept, count = unseen_test_clips(tmp_path, pretrained, ClipStore(moves), test, leave_out=True)
    assert (kept.tolist(), count) == ([0, 1, 2], None)
    assert caplog.messages == [
        f"{tmp_path}: its training clips are not known; train/test overlap cannot be checked"
    ]
