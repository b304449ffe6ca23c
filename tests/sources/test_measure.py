"""How tall the bodies of a source are, and the remark on those that are not people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preparing import prepare
from kineme.sources import Source
from kineme.sources.measure import Measured, measured, remark_on_height
from kineme.typing import Array


def bodies(height: float) -> Array:
    """Kinects' joints in a box so many metres tall."""
    xyz = np.random.default_rng(0).uniform(0.2, 0.8, (20, 1, 20, 3))
    xyz[:, :, 0, 1], xyz[:, :, 1, 1] = 0, 1
    return (xyz * height).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "remark"),
    [(1.7, None), (0.9, None), (0.56, "about 0.56 m"), (56.0, "about 56 m"), (2.7, "about 2.7 m")],
)
def test_small_and_large_bodies_of_any_source_are_remarked_on(
    height: float, remark: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(
        "mine", LAYOUTS["kinect20"], (), 30.0, 1, ["a"], ["a"], lambda name: Clip(name, bodies(height))
    )
    found = measured(source, ["a"])
    assert isinstance(found, Measured)
    assert found.height == pytest.approx(height, rel=1e-6)
    remark_on_height(source, found, units=False)
    assert [record.getMessage() for record in caplog.records] == (
        [f"a: its body measures {remark}; if that is wrong, scale the recordings"] if remark else []
    )


def test_the_option_that_mends_it_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(tmp_path / "a.npy", bodies(0.56)[:, 0])
    prepare("poses", tmp_path / "a.npy", tmp_path / "store", layout="kinect20", fps=30.0)
    assert (
        "its body measures about 0.56 m; if that is wrong, set `units` to what the files are in"
        in caplog.text
    )
    caplog.clear()
    prepare(
        "poses",
        tmp_path / "a.npy",
        tmp_path / "store",
        layout="kinect20",
        fps=30.0,
        units="3",
        overwrite=True,
    )
    assert "measures" not in caplog.text


def test_a_damaged_first_clip_is_passed_over() -> None:
    def read(name: str) -> Clip:
        if name == "bad":
            raise KinemeError("bad: is damaged")
        return Clip(name, bodies(1.7))

    source = Source("mine", LAYOUTS["kinect20"], (), 30.0, 1, ["bad", "good"], ["bad", "good"], read)
    found = measured(source, source.items)
    assert isinstance(found, Measured)
    assert found.clip.name == "good"
    wrong = measured(source, ["bad"])
    assert isinstance(wrong, KinemeError)
    assert str(wrong) == "bad: is damaged"
