"""Text that comes in line by line while it is written: from stdin, a growing file or a socket.

Memory is bounded: a line may have `MAX_LINE` bytes, and at most `AHEAD` chunks wait to be taken.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue

from kineme.errors import KinemeError, one_line

MAX_LINE = 1 << 20  # bytes; a hundred people with 25 joints take 200 kB
CHUNK = 1 << 16  # bytes that are read at once
AHEAD = 8  # chunks that are read before the first is taken: 500 kB
LOOPBACK = "127.0.0.1"
_WAIT = 0.1  # seconds until a wait for input is looked at again
_POLL = 0.02  # seconds until a file is looked at again


@dataclass(frozen=True)
class Chunk:
    """Bytes as they came.

    Attributes:
        stream: from 0; the next connection, or the file after it was emptied or replaced, is the next one.
        origin: what messages begin with, such as a connection's number; empty for stdin.
        data: the bytes.
        arrived: on the clock `time.monotonic`.
    """

    stream: int
    origin: str
    data: bytes
    arrived: float


Chunks = Generator["Chunk | None", None, None]  # None: nothing has come for a while


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        text: without its end; None if it is longer than `MAX_LINE`.
        name: for messages, such as `line 3`.
        stream: as of `Chunk`.
        arrived: of its last byte, on the clock `time.monotonic`.
    """

    text: bytes | None
    name: str
    stream: int
    arrived: float


def standard_input(descriptor: int = 0) -> Chunks:
    """What is piped into this process, until its end.

    Raises:
        KinemeError: it cannot be read.
    """
    while True:
        if not select.select([descriptor], [], [], _WAIT)[0]:
            yield None
            continue
        try:
            data = os.read(descriptor, CHUNK)
        except OSError as error:
            raise KinemeError(f"stdin cannot be read ({one_line(error)}); pipe poses into it") from error
        if not data:
            return
        yield Chunk(0, "", data, time.monotonic())


def followed(path: Path) -> Chunks:
    """A file from its first line on and what is written to it later, like `tail -f`; has no end.

    A file that is not there yet is waited for. One that becomes shorter, or is replaced by another of its
    name, is a new stream.

    Raises:
        KinemeError: it is a folder or cannot be read.
    """
    stream = -1
    while True:
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            time.sleep(_POLL)
            yield None
            continue
        except OSError as error:
            raise KinemeError(f"{path}: cannot be read ({one_line(error)})") from error
        stream, position = stream + 1, 0
        with file:
            while True:
                replaced = _is_another(path, file.fileno())  # looked at before its rest is read
                if os.fstat(file.fileno()).st_size < position:
                    stream, position = stream + 1, file.seek(0)
                if data := file.read(CHUNK):
                    position += len(data)
                    yield Chunk(stream, f"{path.name}, ", data, time.monotonic())
                elif replaced:
                    break
                else:
                    time.sleep(_POLL)
                    yield None


def _is_another(path: Path, descriptor: int) -> bool:
    """Whether a file of this name exists, and is not the one that is open."""
    try:
        return not os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:  # between its renaming and the new one
        return False


def listening(port: int) -> socket.socket:
    """A socket that only this machine can connect to.

    Args:
        port: 0 takes a free one.

    Raises:
        KinemeError: there is no such port, or it is taken.

    >>> with listening(0) as server:
    ...     server.getsockname()[0]
    '127.0.0.1'
    """
    if not 0 <= port <= 65535:
        raise KinemeError(f"`listen`: is {port}; a port is a number from 1 to 65535")
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((LOOPBACK, port))
        server.listen()
    except OSError as error:
        server.close()
        raise KinemeError(
            f"`listen`: port {port} cannot be opened ({one_line(error)}); choose another"
        ) from error
    return server


def connections(server: socket.socket) -> Chunks:
    """What clients send, one connection after another; has no end. Each is a stream."""
    stream = -1
    while True:
        if not select.select([server], [], [], _WAIT)[0]:
            yield None
            continue
        client, _ = server.accept()
        stream += 1
        with client:
            while True:
                if not select.select([client], [], [], _WAIT)[0]:
                    yield None
                    continue
                try:
                    data = client.recv(CHUNK)
                except OSError:  # it went away without a word
                    data = b""
                if not data:
                    break
                yield Chunk(stream, f"connection {stream + 1}, ", data, time.monotonic())


def arriving(chunks: Chunks) -> Chunks:
    """The same, read by a thread of its own, so that `arrived` is right while earlier ones are worked on."""
    waiting: Queue[Chunk | Exception | None] = Queue(AHEAD)
    stop = threading.Event()

    def put(item: Chunk | Exception | None) -> None:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=_WAIT)
                break
            except Full:
                pass

    def read() -> None:
        try:
            for chunk in chunks:
                if chunk is not None:
                    put(chunk)
                if stop.is_set():
                    break
            put(None)
        except Exception as error:
            put(error)
        finally:
            chunks.close()

    reader = threading.Thread(target=read, name="kineme-input", daemon=True)
    reader.start()
    try:
        while True:
            try:
                item = waiting.get(timeout=_WAIT)
            except Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stop.set()
        reader.join(timeout=1)


def lines(chunks: Iterator[Chunk | None]) -> Iterator[Line | None]:
    """Whole lines, empty ones left out; None where nothing has come for a while.

    A line that is not ended yet is waited for, until its stream ends.

    >>> chunks = [Chunk(0, "", b"one\\ntw", 0.1), Chunk(0, "", b"o\\n", 0.2), Chunk(1, "", b"three", 0.3)]
    >>> [(line.text, line.name, line.stream, line.arrived) for line in lines(iter(chunks))]
    [(b'one', 'line 1', 0, 0.1), (b'two', 'line 2', 0, 0.2), (b'three', 'line 1', 1, 0.3)]
    """
    last: Chunk | None = None
    rest, number, kept = bytearray(), 0, True

    def line(chunk: Chunk, text: bytes) -> Iterator[Line]:
        nonlocal number
        number += 1
        if text.strip() or not kept:
            name = f"{chunk.origin}line {number}"
            yield Line(text if kept else None, name, chunk.stream, chunk.arrived)

    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        if last is not None and chunk.stream != last.stream:
            yield from line(last, bytes(rest))
            rest, number, kept = bytearray(), 0, True
        last = chunk
        *ended, begun = chunk.data.split(b"\n")
        for part in ended:
            rest += part if kept else b""
            kept = kept and len(rest) <= MAX_LINE
            yield from line(chunk, bytes(rest))
            rest, kept = bytearray(), True
        rest += begun if kept else b""
        if len(rest) > MAX_LINE:
            rest, kept = bytearray(), False
    if last is not None:
        yield from line(last, bytes(rest))
