"""Rows of tables: the same whether their bytes are held or stay in the file, wherever its pieces end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.sources.poses import rows
from kineme.sources.poses.rows import FileBytes, Row, rows_of

NAN = np.nan
TEXTS = {
    "plain": b"a,b\n1,2\n3,4\n",
    "no end": b"a;b\r\n1;2\r\n3;4\r",
    "mark, comments and blanks": b"\xef\xbb\xbf# fps: 25\n\na\tb\n\t\n1\t2\n,;\n\r\n3\t4",
    "quotes": b'"a",b\n"1",2\n"3",4\n',
    "an end alone": b"a,b\n1,2\n3,4\n\n\n",
}


def listed(data: bytes | FileBytes) -> list[tuple[int, Row]]:
    return list(rows_of(data))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("piece", range(1, 12))
def test_a_file_has_the_rows_of_its_bytes(
    name: str, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TEXTS[name]
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    expected = listed(data)
    assert [row for _, row in expected] == [["a", "b"], ["1", "2"], ["3", "4"]]
    assert [data.splitlines()[number - 1][-1:] for number, _ in expected] == [b"b", b"2", b"4"]
    monkeypatch.setattr(rows, "_PIECE", piece)
    assert listed(data) == expected
    assert listed(FileBytes(path)) == expected
    assert rows_of(FileBytes(path))[2] == expected[2]


@pytest.mark.parametrize("piece", [1, 3, 100])
def test_what_is_no_table(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_PIECE", piece)
    for data, refusal in ((b"", "is empty"), (b"\n\n", "is empty"), (b"a,b\n1\0,2\n", "is binary")):
        (tmp_path / "a.csv").write_bytes(data)
        for each in (data, FileBytes(tmp_path / "a.csv")):
            with pytest.raises(ValueError, match=refusal):
                rows_of(each)


def test_a_file_that_is_cut_off_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TEXTS["plain"])
    found = rows_of(FileBytes(path))
    path.write_bytes(TEXTS["plain"][:5])
    with pytest.raises(ValueError, match="was cut off while it was read"):
        found[1:].floats([0, 1])


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (["1,-2.5e-3,3", "0.1,.5,+6"], [[1, -2.5e-3, 3], [0.1, 0.5, 6]]),
        ([",,1", "1,,", ",2,"], [[NAN, NAN, 1], [1, NAN, NAN], [NAN, 2, NAN]]),
        ([" 1 ,2,\u00a03", "nan,-inf,1e999"], [[1, 2, 3], [NAN, -np.inf, np.inf]]),
        (["null,N/A, ", "1,2,3"], [[NAN, NAN, NAN], [1, 2, 3]]),  # only Python's way takes these
        (["1_0,\u0661,3", "4,5,6"], [[10, 1, 3], [4, 5, 6]]),
    ],
)
def test_numbers_are_the_same_at_once_and_field_by_field(
    lines: list[str], numbers: list[list[float]]
) -> None:
    """Quotation marks anywhere in a file have its fields told apart one by one."""
    for end in ("", '\n"7","8","9"'):
        found = rows_of(("\n".join(lines) + end).encode())[: len(lines)].floats([0, 1, 2])
        np.testing.assert_array_equal(found, np.array(numbers, np.float32))
    reverse = rows_of("\n".join(lines).encode()).floats([2, 0])
    np.testing.assert_array_equal(reverse, np.array(numbers, np.float32)[:, [2, 0]])


def test_where_a_column_changes() -> None:
    found = rows_of(b"t\n0.1\n0.1\n 0.1\n0.2\n0.1\n")[1:]
    assert found.changes(0).tolist() == [False, False, False, True, True]
    assert found.codes(0)[0].tolist() == [0, 0, 0, 1, 0]
