"""What the examples in docstrings stand on: a small store, a small run, a folder to write to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def example_paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A store of 24 generated clips of ntu25, a run of one epoch on it, and a classifier of its actions."""
    from kineme.clips.store import open_store
    from kineme.generate import generate_store
    from kineme.inference import Example, teach
    from kineme.loading import load
    from kineme.pretraining import pretrain

    folder = tmp_path_factory.mktemp("examples")
    store, run = folder / "store", folder / "example-run"
    generate_store(store, subjects=4, repetitions=1, cameras=[2, 3], actions=["wave", "bow", "sit down"])
    short = {"train.epochs": 1, "train.batch_size": 4, "encoder.hidden": 32, "data.frames": 16}
    pretrain("usdrl-small", run, store=store, overrides=short)
    classifier = folder / "example-classifier.safetensors"
    clips = open_store(store)
    names = [clips.manifest.class_names[label] for label in clips.labels]
    examples = [Example(*each) for each in zip(clips.names.tolist(), names, strict=True)]
    teach(load(run), examples, store=clips).save(classifier)
    return {
        "example_folder": folder,
        "example_store": store,
        "example_run": run,
        "example_classifier": classifier,
    }


@pytest.fixture(autouse=True)
def example_names(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """The names that examples use: `example_folder`, `example_store`, `example_run` ..."""
    if type(request.node).__name__ == "DoctestItem":
        doctest_namespace.update(request.getfixturevalue("example_paths"))
