"""Maps a function over many items with several processes, in order and in bounded memory."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from kineme.errors import KinemeError

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 8  # items sent to a process at once: neighbours are often in one file
_AHEAD = 3  # chunks in flight for each process


def in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Generator[Result, None, None]:
    """`map(function, items)` with several processes; function, items and results must pickle.

    The processes end with this one, even if it is killed.

    Raises:
        KinemeError: a process was killed.
    """
    if workers == 1:
        yield from map(function, items)
        return
    # Not forked: the caller may have threads (a progress bar), and a fork of a threaded process can deadlock.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=begin_worker) as pool:
        pending: deque[Future[list[Result]]] = deque()
        try:
            for start in range(0, len(items), _CHUNK):
                pending.append(pool.submit(_each, function, items[start : start + _CHUNK]))
                if len(pending) >= _AHEAD * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BrokenProcessPool as error:
            raise KinemeError("a reading process was killed (out of memory?); use fewer `workers`") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [function(item) for item in items]


def begin_worker() -> None:
    """Leaves Ctrl-C to the parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
