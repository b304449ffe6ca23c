"""Lines that come in while they are written: nothing is lost, nothing grows."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.sources.live import (
    AHEAD,
    MAX_LINE,
    Chunk,
    Chunks,
    Line,
    arriving,
    connections,
    followed,
    lines,
    listening,
    standard_input,
)


def some(chunks: Chunks, count: int, seconds: float = 10.0) -> list[tuple[int, bytes]]:
    """The stream and text of the next lines."""
    return [(line.stream, line.text or b"") for line in next_lines(lines(chunks), count, seconds)]


def next_lines(given: Iterator[Line | None], count: int, seconds: float = 10.0) -> list[Line]:
    found: list[Line] = []
    until = time.monotonic() + seconds
    for line in given:
        assert time.monotonic() < until, found
        if line is not None:
            found.append(line)
            if len(found) == count:
                break
    return found


def test_stdin_ends_with_its_last_line() -> None:
    read, write = os.pipe()
    os.write(write, b"one\ntwo\n\nth")
    chunks = standard_input(read)
    assert next(chunks).data == b"one\ntwo\n\nth"  # type: ignore[union-attr]
    assert next(chunks) is None  # nothing has come for a while
    os.write(write, b"ree")
    os.close(write)
    assert [line.text for line in lines(chunks) if line] == [b"ree"]
    os.close(read)


def test_a_growing_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    chunks = followed(path)
    assert next(chunks) is None  # it is waited for
    found = lines(chunks)
    with path.open("ab", buffering=0) as file:
        file.write(b"one\ntw")
        assert [line.text for line in next_lines(found, 1)] == [b"one"]
        assert [next(found) for _ in range(3)] == [None] * 3  # the rest of `two` is waited for
        file.write(b"o\n")
        (line,) = next_lines(found, 1)
    assert (line.text, line.name, line.stream) == (b"two", "poses.jsonl, line 2", 0)
    chunks.close()


def test_a_file_that_is_emptied_or_replaced_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    path.write_bytes(b"one\ntwo\nthr")
    found = lines(followed(path))
    assert [line.text for line in next_lines(found, 2)] == [b"one", b"two"]
    with path.open("r+b") as file:
        file.truncate(0)
        next(found)
        file.write(b"four\n")
    rest, line = next_lines(found, 2)
    assert (rest.text, rest.stream) == (b"thr", 0)
    assert (line.text, line.name, line.stream) == (b"four", "poses.jsonl, line 1", 1)
    with path.open("ab") as file:
        file.write(b"five\n")  # is still read from the old file
        path.rename(tmp_path / "poses.jsonl.1")
    path.write_bytes(b"six\n")
    assert [(line.text, line.stream) for line in next_lines(found, 2)] == [(b"five", 1), (b"six", 2)]


def test_a_folder_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="cannot be read"):
        next(followed(tmp_path))


def test_connections_come_one_after_the_other() -> None:
    with listening(0) as server:
        address = server.getsockname()
        assert address[0] == "127.0.0.1"
        chunks = connections(server)
        for number in range(2):
            with socket.create_connection(address) as client:
                client.sendall(b"hello\nhalf")
                assert some(chunks, 1) == [(number, b"hello")]
        client = socket.create_connection(address)
        client.sendall(b"rude\n")
        assert some(chunks, 1) == [(2, b"rude")]
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # resets the connection
        with socket.create_connection(address) as client:
            client.sendall(b"next\n")
            assert some(chunks, 1) == [(3, b"next")]
        chunks.close()


def test_a_port_that_is_taken_or_none() -> None:
    with listening(0) as server:
        port = server.getsockname()[1]
        with pytest.raises(KinemeError, match=f"`listen`: port {port} cannot be opened"):
            listening(port)
    with pytest.raises(KinemeError, match="`listen`: is 70000"):
        listening(70_000)


def test_a_line_that_is_too_long_is_dropped_and_not_kept() -> None:
    half = b"x" * (MAX_LINE // 2 + 1)
    parts = [b"one\n", half, half, half, b"\ntwo\n", half + half + b"\nthree\n", b"four"]
    found = [line for line in lines(Chunk(0, "", part, 0.0) for part in parts) if line]
    assert [(line.name, line.text) for line in found] == [
        ("line 1", b"one"),
        ("line 2", None),
        ("line 3", b"two"),
        ("line 4", None),
        ("line 5", b"three"),
        ("line 6", b"four"),
    ]


def test_arrival_is_noted_while_earlier_lines_are_worked_on() -> None:
    read, write = os.pipe()
    chunks = arriving(standard_input(read))
    os.write(write, b"one\n")
    (first,) = next_lines(lines(chunks), 1)
    os.write(write, b"two\n")
    time.sleep(0.5)  # working
    (second,) = next_lines(lines(chunks), 1)
    assert time.monotonic() - second.arrived >= 0.4
    assert second.arrived > first.arrived
    chunks.close()
    os.close(write)
    os.close(read)


def test_what_is_read_ahead_is_bounded() -> None:
    taken = 0

    def endless() -> Chunks:
        nonlocal taken
        while True:
            taken += 1
            yield Chunk(0, "", b"x\n", 0.0)

    chunks = arriving(endless())
    assert next(chunks) is not None
    time.sleep(0.5)
    assert taken <= AHEAD + 3
    chunks.close()


def test_a_failure_while_reading_is_raised_where_lines_are_taken() -> None:
    def failing() -> Chunks:
        yield Chunk(0, "", b"x\n", 0.0)
        raise KinemeError("broken")

    chunks = arriving(failing())
    with pytest.raises(KinemeError, match="broken"):
        list(chunks)
