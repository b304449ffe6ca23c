"""A run's history, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.training.history import read_history, write_history


def test_empty_cells_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,knn\n1,3.5,\n2,2.5,0.4\n")
    assert read_history(path) == [{"epoch": 1, "loss": 3.5}, {"epoch": 2, "loss": 2.5, "knn": 0.4}]


def test_columns_stand_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    write_history(
        path, [{"epoch": 1, "step": 3, "loss": 3.5}, {"epoch": 2, "step": 6, "loss": 2.5, "knn": 0.4}]
    )
    assert path.read_text().splitlines() == ["epoch,step,loss,knn", "1,3,3.5,", "2,6,2.5,0.4"]


@pytest.mark.parametrize("text", [None, "epoch,loss\n1,x\n", "epoch,loss\n1,2,3\n", "step,loss\n1,2\n"])
def test_a_file_that_is_no_history_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "history.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KinemeError, match=r"history\.csv: cannot be read as a training history"):
        read_history(path)
