"""A clip store that vanishes, is replaced or is cut off while a run trains on it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
from training.test_run import assert_same_end, train_until

from conftest import Settings, write_store
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.training.run import train


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store")


def replace(store: Path) -> None:
    """As preparing it anew does."""
    store.rename(store.with_name("earlier"))
    write_store(store, labelled=False)


@pytest.mark.parametrize("happening", [shutil.rmtree, replace])
def test_a_run_ends_on_the_clips_that_it_began_with(
    happening: object, store: Path, settings: Settings, tmp_path: Path
) -> None:
    config = settings(data_store=str(store))
    train(config, tmp_path / "whole")
    assert callable(happening)
    train_until(2, config, tmp_path / "run", lambda: happening(store))
    assert_same_end(tmp_path / "whole", tmp_path / "run")


def train_on_what_is_cut_off(config: Config, run: Path) -> None:
    frames = Path(str(config.data.store)) / "frames.npy"
    train_until(4, config, run, lambda: os.truncate(frames, 200))


@pytest.mark.slow
def test_clips_that_are_cut_off_end_the_run_and_are_named_when_it_is_resumed(
    store: Path, settings: Settings, tmp_path: Path
) -> None:
    """The system ends a process that reads beyond the end of a mapped file; its last checkpoint stays."""
    config, run = settings(data_store=str(store)), tmp_path / "run"
    kept = (store / "frames.npy").read_bytes()
    child = multiprocessing.get_context("spawn").Process(target=train_on_what_is_cut_off, args=(config, run))
    child.start()
    child.join(timeout=300)
    assert child.exitcode == -signal.SIGBUS
    with pytest.raises(KinemeError, match=r"store: damaged clip store .*; prepare it again"):
        train(config, run, resume=True)
    (store / "frames.npy").write_bytes(kept)
    train(config, run, resume=True)
    train(config, tmp_path / "whole")
    assert_same_end(tmp_path / "whole", run)
