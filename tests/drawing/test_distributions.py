"""Classes and lengths of a store, read back from the pixels."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from kineme.drawing.distributions import distributions


def inked(path: Path, colour: str) -> tuple[np.ndarray, ...]:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((np.round(imread(path)[..., :3] * 255) == wanted).all(axis=-1))


def test_bars_are_as_long_as_their_counts(tmp_path: Path) -> None:
    counts = np.array([40, 20, 10])
    distributions(["a", "b", "c"], counts, np.arange(1, 71), 30, tmp_path / "d.png", what="clips")
    rows, columns = inked(tmp_path / "d.png", "#0072b2")
    widths = np.bincount(rows)[np.unique(rows)]  # pixels in each row of the picture
    bars = [widths[widths > 0.9 * widths.max() * count / 40].min() for count in counts]
    np.testing.assert_allclose(np.array(bars) / bars[0], [1, 0.5, 0.25], atol=0.02)
    assert len(columns)


def test_without_classes_only_lengths_are_drawn(tmp_path: Path) -> None:
    distributions([], np.empty(0, int), np.array([30, 60, 60]), 30, tmp_path / "d.png", what="clips")
    assert len(inked(tmp_path / "d.png", "#0072b2")[0]) == 0
    assert len(inked(tmp_path / "d.png", "#009e73")[0]) > 1000


def test_lengths_are_in_seconds(tmp_path: Path) -> None:
    distributions([], np.empty(0, int), np.array([30, 90, 90]), 60, tmp_path / "d.svg", what="clips")
    assert "median 1.5 s" in (tmp_path / "d.svg").read_text()
