"""Puts this folder on the path, so that tests can `from golden_fill import ...`; shared fixtures."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.config import Config
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing
from kineme.settings import config_from_dict

collect_ignore = ["sources/data/made.py"]  # a program, which needs libraries that the tests do not


def pytest_collection_finish() -> None:
    """What is there before the first test stays until the last: collections of garbage need not look at it.

    Every training and every twentieth test collects it all, which is hundreds of milliseconds.
    """
    gc.collect()
    gc.freeze()


STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])


@pytest.fixture
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """`with file_size_limit(bytes):` writing more into a file fails as on a full disk.

    It must end inside the test: pytest reports into a file too, when its output goes there.
    """
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

    return limited


def write_store(path: Path, *, labelled: bool = True, layout: Layout = STICK) -> Path:
    """24 clips of two bodies with three joints, of four subjects; each of three classes moves its own way."""
    rng = np.random.default_rng(0)
    ways = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    with StoreWriter(
        path, Manifest(layout, get_preprocessing("plain"), "test", ("rise", "swing", "push")), 2
    ) as writer:
        for i in range(24):
            frames = 9 + i % 5
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (frames, 2, 1, 1))
            xyz[:, 0, 2] += np.linspace(0, 1, frames)[:, None] * ways[i % 3]
            xyz += 0.05 * rng.standard_normal(xyz.shape)
            label = i % 3 if labelled else -1
            writer.add(Clip(f"clip{i:02}", xyz.astype(np.float32), label=label, subject=str(1 + i // 6)))
    return path


@pytest.fixture(scope="session")
def moves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled clip store, see `write_store`; not to be changed."""
    return write_store(tmp_path_factory.mktemp("stores") / "moves")


@pytest.fixture(scope="session")
def unlabelled_moves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clips without their labels."""
    return write_store(tmp_path_factory.mktemp("stores") / "unlabelled", labelled=False)


class Settings:
    """Makes the settings of a small, quick run."""

    def __init__(self, store: Path) -> None:
        self.store = store

    def __call__(self, **changes: Any) -> Config:
        """Keys such as `train_epochs=3` set `train.epochs`."""
        sections: dict[str, dict[str, Any]] = {
            "data": {"store": str(self.store), "frames": 8},
            "train": {"epochs": 2, "batch_size": 8, "lr": 0.05, "device": "cpu", "knn_every": 1},
            "method": {"name": "aimclr", "queue": 16, "projection": 4},
            "encoder": {"name": "stgcn", "channels": [8, 16], "strided": [1]},
        }
        for key, value in changes.items():
            section, _, name = key.partition("_")
            sections[section][name] = value
        return config_from_dict(sections, "test")


@pytest.fixture
def settings(moves: Path) -> Settings:
    """Call it for the settings of a small run on `moves`."""
    return Settings(moves)
