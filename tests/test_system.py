"""What is done differently where the operating system differs."""

from __future__ import annotations

import importlib
import io
import mmap
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import windows

from kineme.system import drop_pages, interrupt, lock_file, print_anything


@pytest.mark.parametrize("system", ["this one", pytest.param("windows", marks=windows.needs_proc)])
def test_waiting_for_a_lock_ends_when_its_holder_closes_the_file(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "windows":
        windows.pretend(monkeypatch)
    file, order = tmp_path / "lock", ["first"]
    first, second = (os.open(file, os.O_RDWR | os.O_CREAT) for _ in range(2))
    lock_file(first, wait=True)
    with pytest.raises(BlockingIOError):
        lock_file(second, wait=False)

    def finish() -> None:
        time.sleep(0.1)
        order.append("finished")
        os.close(first)

    holder = threading.Thread(target=finish)
    holder.start()
    lock_file(second, wait=True)
    order.append("second")
    holder.join()
    assert order == ["first", "finished", "second"]
    os.write(second, b"1")
    assert file.read_bytes() == b"1"  # written at the beginning, wherever the lock lies
    os.close(second)


@pytest.mark.parametrize("advice", [True, False])
def test_a_mapped_file_reads_the_same_after_its_pages_are_dropped(
    advice: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the system takes no advice about memory, as Windows."""
    if not advice:
        monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    (tmp_path / "rows").write_bytes(bytes(range(256)) * 64)
    with (
        (tmp_path / "rows").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        drop_pages([mapped])
        assert mapped[:4] == b"\x00\x01\x02\x03"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("cp1252", "50–60 % ?? Jos\xe9"), ("ascii", "50?60 % ?? Jos?"), ("utf-8", "50–60 % █→ José")],
)
def test_letters_that_an_encoding_lacks_are_question_marks(encoding: str, written: str) -> None:
    bytes_ = io.BytesIO()
    stream = io.TextIOWrapper(bytes_, encoding=encoding)
    print_anything(stream, io.StringIO())
    stream.write("50–60 % █→ José")
    stream.flush()
    assert bytes_.getvalue().decode(encoding) == written


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_an_import(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "interrupted.py").write_text(
        f"import signal\nsignal.raise_signal({int(number)})\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.signal(number, interrupt)
    try:
        module = importlib.import_module("interrupted")
        with pytest.raises(KeyboardInterrupt):
            time.sleep(5)
    finally:
        signal.signal(number, before)
        sys.modules.pop("interrupted", None)
    assert module.whole


def test_an_interrupt_is_at_once_without_an_import() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt(signal.SIGINT, sys._getframe())
