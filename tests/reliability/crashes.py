"""What a command leaves behind when it is killed or refused by the file system, and whether it then goes on.

    python -m reliability COMMAND ...    in tests/; figures of these commands, by default of all, as a table

A command runs in forks of this process, which has imported all that takes long and computes nothing itself.
In a fork an audit hook counts the operations that change files. At the chosen one it kills the process, or
lets the operation fail. Then the command is run again as a user would. What is in the folder at last must be
what an undisturbed run leaves, to the byte, except for times.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from io import FileIO
from pathlib import Path

from reliability.contents import differences, snapshot
from reliability.visiting import LINK, NOTES

REMOVALS = {"os.remove", "os.rmdir", "shutil.rmtree"}
CHANGES = REMOVALS | {"os.mkdir", "os.rename", "os.truncate", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
LIMIT = 600.0  # seconds that a command may take here


@dataclass(frozen=True)
class Case:
    """A command that writes.

    Attributes:
        name: of the command and what is special about it.
        words: the command line.
        again: command lines that a user tries after it was stopped, in this order, until one is not refused.
        prepare: is called before each attempt at the undisturbed command.
        outside: what it changes outside the folder, by name.
        visit: of a server: uses the page of a link, and writes into a file what was answered. It is called in
            a process of its own; when it is over the server is stopped by Ctrl-C.
        lost: the folder and that file → what was answered and is not kept, in words.
    """

    name: str
    words: Sequence[str]
    again: Sequence[Sequence[str]] = ()
    prepare: Callable[[], object] = lambda: None
    outside: Callable[[], dict[str, bytes]] = dict
    visit: Callable[[str, Path], None] | None = None
    lost: Callable[[Path, Path], Iterator[str]] = lambda folder, notes: iter(())

    @property
    def attempts(self) -> Sequence[Sequence[str]]:
        return self.again or (self.words,)


@dataclass
class Figures:
    """What came of one command.

    Attributes:
        operations: that change files, in an undisturbed run.
        tried: kind of disturbance → how often.
        refused: how often the command, run again, refused in one line first, which named the way to go on.
        faults: in words.
    """

    operations: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    faults: list[str] = field(default_factory=list)


class Killed(Exception):
    """The command was killed."""


@dataclass(frozen=True)
class Ended:
    status: int
    errors: str
    operations: list[str]
    seconds: float

    @property
    def killed(self) -> bool:
        return self.status in (-signal.SIGKILL, -signal.SIGXFSZ)

    def complaint(self) -> str | None:
        """What is wrong with how it ended, if not killed: neither success nor a refusal in one line."""
        if self.status == 0:
            return None
        lines = [line for line in self.errors.splitlines() if "error:" in line]
        if self.status == 2 and "Traceback" not in self.errors and len(lines) == 1:
            return None
        last = (self.errors.strip().splitlines() or ["nothing said"])[-1]
        return f"status {self.status}: {last[:200]}"


def examine(case: Case, base: Path, *, kills: int, points: int | None) -> Figures:
    """Disturbs a command in all ways.

    Args:
        case: the command.
        base: what the folder holds before.
        kills: at how many random moments it is killed.
        points: at how many of its file operations it is disturbed; None: at all.
    """
    work, figures = base.with_name("work"), Figures()
    whole = _undisturbed(case, base, work, figures)
    seen: set[str] = set()
    if figures.faults:
        return figures

    def disturb(kind: str, **how: object) -> None:
        _fresh(case, base, work)
        ended = run(case.words, work, visit=case.visit, **how)  # type: ignore[arg-type]
        figures.tried[kind] += 1
        where = f"{case.name}, {kind} {how}"
        figures.faults += [f"{where}: {each}" for each in case.lost(work, work.with_name(NOTES))]
        if not ended.killed and (complaint := ended.complaint()):
            figures.faults.append(f"{where}: {complaint}")
        left = snapshot(work, case.outside())
        key = repr(sorted(left.items()))
        if key not in seen:  # what follows depends on nothing else
            seen.add(key)
            figures.faults += [f"{where}: {each}" for each in _goes_on(case, work, whole.left, figures)]

    for number in _spread(figures.operations, points):
        disturb("killed at an operation", kill_at=number)
        disturb("disk full at an operation", refuse_at=number, refusal=errno.ENOSPC)
    for size in _spread_of(whole.sizes, points):
        disturb("killed in a write", limit=size, by_signal=True)
        disturb("disk full in a write", limit=size, by_signal=False)
    disturb("read-only folder", refuse_at=0, refusal=errno.EROFS)
    draw = random.Random(case.name)
    for number in range(kills):  # one in each of so many equal parts of the time that it takes
        moment = whole.seconds * (number + draw.random()) / kills
        disturb("killed at a random moment", kill_after=round(moment, 4))
    shutil.rmtree(work)
    return figures


@dataclass(frozen=True)
class Whole:
    left: dict[str, str]
    sizes: list[int]
    seconds: float


def _undisturbed(case: Case, base: Path, work: Path, figures: Figures) -> Whole:
    """Twice, to see that the same command leaves the same bytes."""
    left: list[dict[str, str]] = []
    for _ in range(2):
        _fresh(case, base, work)
        before = {path: path.stat().st_mtime_ns for path in _files(work)}
        ended = run(case.words, work, visit=case.visit)
        figures.faults += [f"{case.name}: {each}" for each in case.lost(work, work.with_name(NOTES))]
        if ended.status:
            figures.faults.append(f"{case.name}: {ended.errors[-1500:]}")
        left.append(snapshot(work, case.outside()))
    figures.faults += [f"{case.name}, run twice: {each}" for each in differences(*left)]
    figures.operations = len(ended.operations)
    new = [path for path in _files(work) if before.get(path) != path.stat().st_mtime_ns]
    return Whole(left[0], sorted({path.stat().st_size for path in new}), ended.seconds)


def _goes_on(case: Case, work: Path, whole: dict[str, str], figures: Figures) -> Iterator[str]:
    """Runs it again, in the ways of a user."""
    refusals: list[str] = []
    for words in case.attempts:
        ended = run(words, work, visit=case.visit)
        if complaint := ended.complaint():
            yield f"again: {complaint}"
            return
        if ended.status == 0:
            break
        refusals.append(ended.errors.strip().splitlines()[-1])
    else:
        yield f"cannot go on: {refusals[-1]}"
        return
    figures.refused += bool(refusals)
    yield from differences(whole, snapshot(work, case.outside()))


def run(
    words: Sequence[str],
    work: Path,
    *,
    kill_at: int | None = None,
    kill_after: float | None = None,
    refuse_at: int | None = None,
    refusal: int = 0,
    limit: int | None = None,
    by_signal: bool = False,
    visit: Callable[[str, Path], None] | None = None,
) -> Ended:
    """One command in a fork.

    Args:
        words: the command line.
        work: the current directory.
        kill_at: the file operation, counted from 0, before which it is killed.
        kill_after: seconds.
        refuse_at: the first file operation that fails; all fail after it, as disks stay full.
        refusal: the number of the error.
        limit: bytes beyond which no file may grow.
        by_signal: the process dies of that, in the middle of the write; else the write fails.
        visit: see `Case`.
    """
    log, notes = work.with_name("operations"), work.with_name(NOTES)
    notes.unlink(missing_ok=True)
    heard, errors = os.pipe()  # no limit on files cuts off what goes there
    fcntl.fcntl(heard, fcntl.F_SETPIPE_SZ, 1 << 20)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            _redirect(work.with_name("output"), errors)
            os.chdir(work)
            _watch(log, work, kill_at, refuse_at, refusal)
            if limit is not None:
                if by_signal:
                    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            from kineme.__main__ import main

            status = main(list(words))
            sys.stdout.flush()
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 70
        sys.stderr.flush()
        os._exit(status)
    os.close(errors)
    os.set_blocking(heard, False)
    with open(heard, "rb", buffering=0) as stream:
        status, said = _wait(
            child, began + (LIMIT if kill_after is None else kill_after), stream, visit, notes
        )
    seconds = time.monotonic() - began
    operations = log.read_text().splitlines() if log.exists() else []
    return Ended(status, said, operations, seconds)


def _wait(
    child: int,
    until: float,
    stream: FileIO,
    visit: Callable[[str, Path], None] | None,
    notes: Path,
) -> tuple[int, str]:
    """The status of a process, which is killed when its time is over, and what it has said."""
    said, visitor = b"", 0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        said += stream.read() or b""  # nothing yet is None; processes that it started may have the other end
        if ended:
            break
        if visit and not visitor and (link := LINK.search(said.decode(errors="replace"))):
            visitor = _visitor(visit, link[0], notes, child)
        if time.monotonic() > until:
            with suppress(ProcessLookupError):  # it leads no group yet
                os.killpg(child, signal.SIGKILL)
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            said += stream.read() or b""
            break
        time.sleep(0.002)
    if visitor:
        os.waitpid(visitor, 0)
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace")


def _visitor(visit: Callable[[str, Path], None], link: str, notes: Path, server: int) -> int:
    """Somebody at a server's page, in a process of its own that stops the server at last."""
    child = os.fork()
    if child == 0:
        try:
            visit(link, notes)
        except (OSError, HTTPException):  # the server is no more
            pass
        except BaseException:
            import traceback

            notes.write_text(f"500 {traceback.format_exc().splitlines()[-1]}")
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGINT)
        os._exit(0)
    return child


def _redirect(output: Path, errors: int) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(errors, 2)
    os.close(descriptor)


def _watch(log: Path, work: Path, kill_at: int | None, refuse_at: int | None, refusal: int) -> None:
    """Counts the operations that change files, writes them into a file, and disturbs the chosen one."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & WRITING or str(path).startswith(("/dev", "/proc")):
                return
        elif event in CHANGES:
            path = arguments[0]
        else:
            return
        if refusal == errno.EROFS and not os.path.abspath(str(path)).startswith(f"{work}/"):
            return
        number, count = count, count + 1
        os.write(descriptor, f"{event} {path}\n".encode())
        if kill_at == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if (
            refuse_at is not None
            and number >= refuse_at
            and (event not in REMOVALS or refusal == errno.EROFS)
        ):
            raise OSError(refusal, os.strerror(refusal), str(path))

    sys.addaudithook(hook)


def _fresh(case: Case, base: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work, symlinks=True)
    case.prepare()


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _spread(count: int, points: int | None) -> list[int]:
    """`points` of 0 .. count - 1, evenly."""
    if points is None or points >= count:
        return list(range(count))
    return sorted({round((count - 1) * i / max(points - 1, 1)) for i in range(points)})


def _spread_of(sizes: list[int], points: int | None) -> list[int]:
    limits = sorted({limit for size in sizes for limit in (size // 2, size - 1) if limit > 0})
    return [limits[i] for i in _spread(len(limits), points)]
