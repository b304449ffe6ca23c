"""What commands list: a table where there is room, else a list in which nothing is cut."""

from __future__ import annotations

import pytest

from kineme.commands.listing import show_listing

COLUMNS = ["similarity", "start", "name", "label"]
ROWS = [["0.431", "0.00 s", "S001C002P001R001A001", "wave [left]"], ["0.400", "1.00 s", "b", ""]]


def shown(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    show_listing("like [it]", COLUMNS, ROWS, texts=("name", "label"))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in shown(80, monkeypatch, capsys) if line]
    assert lines[0] == "like [it]"
    assert [line.split() for line in lines[1:] if "─" not in line] == [
        COLUMNS,
        ["0.431", "0.00", "s", "S001C002P001R001A001", "wave", "[left]"],
        ["0.400", "1.00", "s", "b"],
    ]


def test_a_list_where_columns_would_be_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(40, monkeypatch, capsys) == [
        "like [it]",
        "- similarity 0.431, start 0.00 s, name",
        "  S001C002P001R001A001, label wave",
        "  [left]",
        "- similarity 0.400, start 1.00 s, name b",
    ]
