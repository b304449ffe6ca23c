"""Maps a function over many items with several processes, in order and in bounded memory."""

from __future__ import annotations

import logging
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

    The processes end with this one, even if it is killed. What they log is logged here, before the results.

    Raises:
        KinemeError: a process has ended.
    """
    if workers == 1:
        yield from map(function, items)
        return
    # Not forked: the caller may have threads (a progress bar), and a fork of a threaded process can deadlock.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=begin_worker) as pool:
        pending: deque[Future[tuple[list[Result], list[logging.LogRecord]]]] = deque()
        try:
            for start in range(0, len(items), _CHUNK):
                pending.append(pool.submit(_each, function, items[start : start + _CHUNK]))
                if len(pending) >= _AHEAD * workers:
                    yield from _told(*pending.popleft().result())
            while pending:
                yield from _told(*pending.popleft().result())
        except BrokenProcessPool as error:
            raise KinemeError(
                "a reading process has ended: it had too little memory, or could not import a part that a "
                "notebook or script defines; use fewer `workers`, or 1"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _each(
    function: Callable[[Item], Result], items: Sequence[Item]
) -> tuple[list[Result], list[logging.LogRecord]]:
    """In a process: the results, and what was logged meanwhile."""
    notes = _Notes()
    logger = logging.getLogger("kineme")
    logger.setLevel(logging.INFO)
    logger.addHandler(notes)
    try:
        return [function(item) for item in items], notes.records
    finally:
        logger.removeHandler(notes)


def _told(results: list[Result], records: Sequence[logging.LogRecord]) -> list[Result]:
    """In the caller's process: logs the records, and gives the results."""
    for record in records:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    return results


class _Notes(logging.Handler):
    """Keeps records, in a form that can be pickled."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.records.append(record)


def begin_worker() -> None:
    """Leaves Ctrl-C to the parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
