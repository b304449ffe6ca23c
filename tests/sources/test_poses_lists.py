"""Tables of names and labels, as spreadsheets save them."""

from __future__ import annotations

import re

import pytest

from kineme.sources.poses.lists import check_columns, read_list


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


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "has no column 'name'; its first line is empty; expected name,label and, if known, camera"),
        (b",\n", "has no column 'name'; its first line is empty; expected name,label and, if known, camera"),
        (
            b"name,labels,\x1b[2J\n",
            "has no column 'label'; did you mean labels?; its columns are name, labels; "
            "expected name,label and, if known, camera",
        ),
        (b"Camera,name,label,camera\n", "has two columns 'camera'; keep one"),
    ],
)
def test_a_list_without_its_columns(data: bytes, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(wrong)}$"):
        check_columns(read_list(data), ["camera"])


def test_columns_are_named_as_far_as_there_is_room() -> None:
    for data, named in (
        (b"x" * 50 + b",b", f"its columns are {'x' * 30}, b;"),
        (b"a,b,c,d,e,f,g,h", "its columns are a, b, c, d, e, f, ...;"),
    ):
        with pytest.raises(ValueError, match=named):
            check_columns(read_list(data), ["camera"])


def test_a_list_may_have_other_columns() -> None:
    check_columns(read_list(b"Label,note,note,NAME\n"), ["camera"])
