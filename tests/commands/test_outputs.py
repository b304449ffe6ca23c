"""Where commands may write: never over a part of a store or of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Settings
from kineme.commands.outputs import hold, releasing
from kineme.errors import KinemeError
from kineme.training.directory import write_config


@pytest.mark.parametrize("name", ["manifest.json", "index.npz", "frames.npy"])
def test_no_output_replaces_a_part_of_a_store(tmp_path: Path, name: str) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(
        KinemeError, match=f"{name}: is a part of the clip store {tmp_path.name}; write elsew"
    ):
        hold(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["config.yaml", "model.safetensors", "state.ckpt", "history.csv", "clips.npz"]
)
def test_no_output_replaces_a_part_of_a_run(tmp_path: Path, settings: Settings, name: str) -> None:
    write_config(tmp_path / "run", settings())
    (tmp_path / "link").symlink_to(tmp_path / "run" / name)
    for path in (tmp_path / "run" / name, tmp_path / "link"):
        with pytest.raises(KinemeError, match=f"{path.name}: is a part of the run run; write elsewhere"):
            hold(path)


def test_other_files_may_be_written_beside_them(tmp_path: Path, settings: Settings) -> None:
    write_config(tmp_path, settings())
    (tmp_path / "manifest.json").write_text("{}")
    with releasing():
        hold(tmp_path / "report.html", tmp_path / "features.npz")
