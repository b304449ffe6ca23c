"""The explored library of these tests, and what somebody labels in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from explore import explored

from kineme.explore.labels import Labels
from kineme.explore.library import Library


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("explored")
    return explored.library(folder, explored.recordings(folder / "long"))


@pytest.fixture
def labels(tmp_path: Path, library: Library) -> Labels:
    return explored.labels(tmp_path, library)
