"""Splits of one's own, from a table."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.sources.splits import read_splits

CLIPS = ["walk/anna", "walk/ben", "run/anna"]
TABLE = "name,fold1,fold2\nwalk/anna,train,test\nwalk/ben,test,Train\nrun/anna,train,\n"


def write(folder: Path, text: str = TABLE) -> Path:
    path = folder / "splits.csv"
    path.write_text(text)
    return path


def test_a_column_is_a_split_and_an_empty_field_is_in_neither_part(tmp_path: Path) -> None:
    assert read_splits(write(tmp_path), CLIPS) == {
        "walk/anna": {"fold1": True, "fold2": False},
        "walk/ben": {"fold1": False, "fold2": True},
        "run/anna": {"fold1": True},
    }


def test_spreadsheets_write_it_in_other_ways(tmp_path: Path) -> None:
    text = "fold1;Name\r\ntrain; walk/anna \r\ntest;walk/ben\r\n"
    assert read_splits(write(tmp_path, text), CLIPS) == {
        "walk/anna": {"fold1": True},
        "walk/ben": {"fold1": False},
    }


def test_names_of_no_clip_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = read_splits(write(tmp_path, TABLE + "sit/carl,train,train\n"), CLIPS)
    assert "sit/carl" not in found
    assert "1 of 4 names are of no clip: 'sit/carl'" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("walk/ben,test", "walk/ben,tset"), r"splits.csv, line 3: fold1 is 'tset'; write train or test"),
        (("walk/ben,test", "walk/anna,test"), r"line 3: lists 'walk/anna' again; keep one line"),
        (("walk/ben,test", "walk/ben,train"), "fold1 has no clips to test on"),
        (("name,", "clip,"), "has no column name; its columns are clip, fold1, fold2"),
        (("fold1", "xsub"), "xsub is a split of Kineme; give this column another name"),
        (("fold1", "a+b"), r"the column 'a\+b' is no name of a split; use letters, digits"),
        (("fold1", "fold2"), "the column 'fold2' is there twice"),
        ((",fold1,fold2", ""), "has no splits; add a column for each"),
        (("name,fold1,fold2\n", 'name,fold1,fold2\n"open'), "cannot be read as a table of splits"),
        ((TABLE, "name,fold1\n"), "lists none of the clips$"),
        (
            (TABLE, "name,fold1\nwalk/ana,train\n"),
            "it names 'walk/ana'; did you mean walk/anna",
        ),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(KinemeError, match=message):
        read_splits(write(tmp_path, TABLE.replace(*change)), CLIPS)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"none.csv: cannot be read as a table of splits"):
        read_splits(tmp_path / "none.csv", CLIPS)
