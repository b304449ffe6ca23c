"""Tables of names and labels, as spreadsheets save them."""

from __future__ import annotations

import pytest

from kineme.sources.poses.lists import columns_found, read_list


@pytest.mark.parametrize("apart", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_same_table_however_it_is_saved(apart: str, end: str, mark: str) -> None:
    lines = [f"Name{apart} Label", f"grüßen{apart}a", f"{apart}", f'"x{apart}y"{apart}b', ""]
    table = read_list(end.join(lines).encode(mark))
    assert (table.titles, table.columns, table.delimiter) == (("Name", "Label"), ["name", "label"], apart)
    assert table.rows == ((2, ["grüßen", "a"]), (4, [f"x{apart}y", "b"]))


@pytest.mark.parametrize("data", [b"name,label\n\xff\xfe,go\n", b'name,label\n"walk,go\n'])
def test_what_is_no_table(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"decode|unexpected end"):
        read_list(data)


def test_columns_are_named_as_far_as_there_is_room() -> None:
    assert columns_found(()) == columns_found(("", "")) == "its first line is empty"
    assert columns_found(("x" * 50, "\x1b[2J", "b")) == f"its columns are {'x' * 30}, b"
    assert columns_found(tuple("abcdefgh")) == "its columns are a, b, c, d, e, f, ..."
