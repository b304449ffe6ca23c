"""Tables keep every digit of the features, and appear whole or not at all."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.inference.tables import COLUMNS, Block, write_table

SUFFIXES = [".csv", ".npz", ".parquet"]
NAMES = [["a", "b, c"], ['a much longer "name"']]


def blocks() -> Iterator[Block]:
    """Two and one rows; texts of the second are longer."""
    rng = np.random.default_rng(0)
    for names in NAMES:
        rows = len(names)
        yield Block(
            features=rng.normal(size=(rows, 3)).astype(np.float32),
            source=np.array(["store"] * rows),
            name=np.array(names),
            start=np.arange(rows) * 0.1,
            end=np.arange(rows) * 0.1 + 2,
            subject=np.array([""] * rows),
            label=np.array(["wave"] * rows),
        )


FEATURES = np.concatenate([block.features for block in blocks()])


def test_csv(tmp_path: Path) -> None:
    assert write_table(blocks(), tmp_path / "table.csv") == 3
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS, "f0", "f1", "f2"]
    assert [row["name"] for row in rows] == [*NAMES[0], *NAMES[1]]
    assert [(row["start"], row["end"]) for row in rows] == [
        ("0.000", "2.000"),
        ("0.100", "2.100"),
        ("0.000", "2.000"),
    ]
    read = np.array([[row["f0"], row["f1"], row["f2"]] for row in rows]).astype(np.float32)
    np.testing.assert_array_equal(read, FEATURES)


def test_npz(tmp_path: Path) -> None:
    assert write_table(blocks(), tmp_path / "table.npz") == 3
    with np.load(tmp_path / "table.npz", allow_pickle=False) as read:
        assert read.files == ["features", *COLUMNS]
        assert read["features"].dtype == np.float32
        np.testing.assert_array_equal(read["features"], FEATURES)
        assert read["name"].tolist() == [*NAMES[0], *NAMES[1]]
        assert read["subject"].tolist() == ["", "", ""]
        assert read["end"].tolist() == [2.0, 2.1, 2.0]
    assert [path.name for path in tmp_path.iterdir()] == ["table.npz"]


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert write_table(blocks(), tmp_path / "table.parquet") == 3
    file = parquet.ParquetFile(tmp_path / "table.parquet")
    assert file.num_row_groups == 2
    table = file.read()
    assert table.column_names == [*COLUMNS, "features"]
    assert table["name"].to_pylist() == [*NAMES[0], *NAMES[1]]
    assert table["start"].to_pylist() == [0.0, 0.1, 0.0]
    np.testing.assert_array_equal(np.array(table["features"].to_pylist(), dtype=np.float32), FEATURES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_leaves_the_earlier_table(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    table = tmp_path / f"table{suffix}"
    table.write_text("earlier")

    def failing() -> Iterator[Block]:
        yield next(blocks())
        raise KinemeError("clip b is damaged")

    with pytest.raises(KinemeError, match="clip b is damaged"):
        write_table(failing(), table)
    assert [path.name for path in tmp_path.iterdir()] == [table.name]
    assert table.read_text() == "earlier"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_one_line(
    tmp_path: Path, suffix: str, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    table = tmp_path / f"table{suffix}"
    with file_size_limit(100), pytest.raises(KinemeError, match="cannot be written"):
        write_table(blocks(), table)
    assert list(tmp_path.iterdir()) == []


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"table\.txt: .* one of \.csv, \.npz, \.parquet"):
        write_table(blocks(), tmp_path / "table.txt")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(KinemeError, match=r"pip install 'kineme\[parquet\]'"):
        write_table(blocks(), tmp_path / "table.parquet")
