"""Recordings for a model: what they do not say of their joints, the model's layout may."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.layouts import LAYOUTS, Layout
from kineme.sources.poses import UnknownLayoutError
from kineme.sources.recordings import open_recordings

OWN = Layout.from_names("stick", ["hip", "neck", "top", "tail"], [None, "hip", "neck", "hip"])
XYZ = np.arange(1, 37, dtype=np.float64).reshape(3, 4, 3) / 20


def rows(order: list[int]) -> str:
    return "\n".join(",".join(map(str, frame[order].ravel())) for frame in XYZ)


def test_a_layout_of_ones_own_is_not_named_again(tmp_path: Path) -> None:
    """By name in any order; without names by their number."""
    header = ",".join(f"{joint}_{axis}" for joint in ("top", "tail", "hip", "neck") for axis in "xyz")
    (tmp_path / "named.csv").write_text(f"{header}\n{rows([2, 3, 0, 1])}\n")
    (tmp_path / "bare.csv").write_text(rows([0, 1, 2, 3]))
    np.save(tmp_path / "array.npy", XYZ)
    for name in ("named.csv", "bare.csv", "array.npy"):
        source = open_recordings(tmp_path / name, {}, OWN)
        assert source.layout == OWN
        np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0], XYZ, rtol=1e-6)


def test_what_it_does_not_fit_is_refused_as_without_it(tmp_path: Path) -> None:
    np.save(tmp_path / "five.npy", np.ones((3, 5, 3)))
    with pytest.raises(UnknownLayoutError, match="has 5 joints without names, of unknown layout; name it"):
        open_recordings(tmp_path / "five.npy", {}, OWN)


def test_a_built_in_layout_is_not_assumed_by_number(tmp_path: Path) -> None:
    """17 joints in three dimensions may be COCO's or Human3.6M's."""
    np.save(tmp_path / "walk.npy", np.ones((3, 17, 3)))
    with pytest.raises(UnknownLayoutError, match="of this size: coco17, h36m17"):
        open_recordings(tmp_path / "walk.npy", {}, LAYOUTS["h36m17"])
