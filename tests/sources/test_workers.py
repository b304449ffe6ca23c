"""Work shared among processes: in order, and in bounded memory."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.sources.workers import in_order


def square(number: int) -> int:
    return number * number


def note(item: tuple[Path, int]) -> int:
    """Leaves a file that says that this item was come to."""
    folder, number = item
    (folder / str(number)).touch()
    return number


def remark(number: int) -> int:
    if number in (3, 50):
        logging.getLogger("kineme.test").info("read %d", number, extra={"once": number == 50})
    return number


def end(number: int) -> int:
    if number == 20:
        os._exit(1)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_items(workers: int) -> None:
    assert list(in_order(square, range(100), workers)) == [number**2 for number in range(100)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_logged_in_a_process_is_logged_here(workers: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "kineme"):
        list(in_order(remark, range(100), workers))
    said = [(each.name, each.getMessage(), each.once) for each in caplog.records]
    assert said == [("kineme.test", "read 3", False), ("kineme.test", "read 50", True)]
    caplog.clear()
    with caplog.at_level(logging.WARNING, "kineme"):
        list(in_order(remark, range(100), workers))
    assert not caplog.records


def test_processes_do_not_run_far_ahead(tmp_path: Path) -> None:
    items = [(tmp_path, number) for number in range(2000)]
    with closing(in_order(note, items, 2)) as results:
        assert next(results) == 0
    assert len(list(tmp_path.iterdir())) < 100


def test_a_process_that_is_killed_is_told_of() -> None:
    with pytest.raises(KinemeError, match="a reading process has ended"):
        list(in_order(end, range(100), 2))
