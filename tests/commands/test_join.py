"""Large stores from the command line: `prepare --shard`, and `join`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.__main__ import main
from kineme.clips.store import ClipStore


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    """Two folders of recordings."""
    for day in ("monday", "tuesday"):
        (tmp_path / "poses" / day).mkdir(parents=True)
        for number in range(3):
            xyz = np.random.default_rng(number).random((20, 25, 3))
            np.save(tmp_path / "poses" / day / f"{day}{number}.npy", xyz)
    return tmp_path / "poses"


def test_recordings_are_prepared_in_shards_of_16_bits(
    poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["poses", str(poses), "--layout", "ntu25", "--axes", "y-up"]
    assert main(["prepare", *common[:2], str(tmp_path / "one"), *common[2:]]) == 0
    options = ["--shard", "4", "--frames-as", "int16", "--workers", "1"]
    assert main(["prepare", *common[:2], str(tmp_path / "many"), *common[2:], *options]) == 0
    assert f"{tmp_path / 'many'}: 6 clips, 120 frames" in capsys.readouterr().out
    one, many = ClipStore(tmp_path / "one"), ClipStore(tmp_path / "many")
    assert [each.clips for each in many.shards] == [4, 2]
    assert many.names.tolist() == one.names.tolist()
    assert 0 < np.abs(many.frames[:] - one.frames).max() < 1.01e-4


def test_stores_of_a_folder_become_one(
    poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    week = tmp_path / "week"
    for day in ("monday", "tuesday"):
        words = ["poses", str(poses / day), str(week / day), "--layout", "ntu25", "--axes", "y-up"]
        assert main(["prepare", *words]) == 0
    capsys.readouterr()
    assert main(["join", str(week)]) == 0
    assert capsys.readouterr().out == f"{week}: 2 shards, 6 clips, 120 frames\n"
    store = ClipStore(week)
    assert (store.manifest.source, store.row("tuesday1")) == ("week", 4)
    assert main(["join", str(poses)]) == 2
    assert "has no stores in it; prepare some there first" in capsys.readouterr().err
