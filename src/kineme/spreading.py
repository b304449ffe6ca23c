"""Recordings → the shards of a store, by processes or a Ray cluster: one function, files in, shard out.

A finished shard is not made again: beside it lies a record of what it was made from. So a preparation that
was interrupted goes on when it is started again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import multiprocessing
import pickle
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol

from kineme.clips.disk import FramesAs
from kineme.clips.joining import join_stores
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.tally import Tally
from kineme.clips.writer import OWN, StoreWriter, check_free
from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write, followed, locked, replace_directory, unwritable
from kineme.progress import Progress
from kineme.sources.raw import skippable
from kineme.sources.workers import begin_worker

logger = logging.getLogger(__name__)

ATTEMPTS = 3  # at a file whose reading kills the process
_LOOK = 0.2  # seconds between two looks at the workers


@dataclass(frozen=True)
class Job:
    """One shard to be written.

    Attributes:
        folder: of all shards.
        number: of this one.
        items: of the source.
        prepared: item → clip, or why it is damaged.
        way: changes with `prepared`, see `_way`.
        manifest: of the store.
        bodies: see `StoreWriter`.
        confidence: see there too.
        frames_as: see there too.
        skip_bad: leave damaged clips out.
        deadly: items that are left out because reading them kills the process.
    """

    folder: Path
    number: int
    items: Sequence[Any]
    prepared: Callable[[Any], Clip | KinemeError]
    way: str
    manifest: Manifest
    bodies: int
    confidence: bool
    frames_as: FramesAs
    skip_bad: bool
    deadly: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The directory of the shard."""
        return f"{self.number:05}"

    @property
    def record(self) -> Path:
        """Written when the shard is finished."""
        return self.folder / f".{self.name}.json"

    @property
    def reached(self) -> Path:
        """Tells which item is being read."""
        return self.folder / f".{self.name}.reached"

    @cached_property
    def key(self) -> str:
        """Changes with all that the shard depends on; of files with their names, sizes and times."""
        settings = self.manifest.to_dict(), self.bodies, self.confidence, self.frames_as, self.skip_bad
        digest = hashlib.sha256(repr((self.way, *settings)).encode())
        for item in self.items:
            digest.update(repr((item, *map(_seen, _files(item)))).encode())
        return digest.hexdigest()

    def finished(self) -> dict[str, Any] | None:
        """What the record says; None if the shard is still to be made."""
        with suppress(OSError, ValueError, KeyError):
            record: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
            whole = not record["clips"] or (self.folder / self.name / "manifest.json").is_file()
            return record if record["key"] == self.key and whole else None
        return None

    def at(self) -> int:
        """The number of the item that is being read."""
        with suppress(OSError, ValueError):
            return int.from_bytes(self.reached.read_bytes(), "little")
        return 0


def _files(item: Any) -> Iterator[Path]:
    """The files that an item names."""
    if isinstance(item, Path):
        yield item
    elif is_dataclass(item):
        item = [getattr(item, each.name) for each in fields(item)]
    for each in item if isinstance(item, tuple | list) else ():
        yield from _files(each)


def _seen(file: Path) -> str | None:
    """A file with its size and time; None if it is not there."""
    with suppress(OSError):
        told = file.stat()
        return f"{file}, {told.st_size}, {told.st_mtime_ns}"
    return None


class _Way(pickle.Pickler):
    """Pickles files with their sizes and times."""

    def persistent_id(self, thing: Any) -> str | None:
        return _seen(thing) if isinstance(thing, Path) else None


def _way(prepared: Callable[[Any], Any]) -> str:
    """Changes with how items become clips: options, what was guessed of the first clip, files they need.

    What cannot be pickled has another one each time.
    """
    pickled = io.BytesIO()
    try:
        _Way(pickled).dump(prepared)
    except Exception:  # a source may consist of anything
        return repr(prepared)
    return hashlib.sha256(pickled.getbuffer()).hexdigest()


def write_shard(job: Job) -> None:
    """Reads the items of a job and writes their shard, then its record; the shard appears when it is whole.

    Raises:
        KinemeError: a clip is damaged and `skip_bad` is not set, or the shard cannot be written.
    """
    if job.finished() is not None:
        return
    damaged: list[str] = []
    clips = 0
    with ExitStack() as stack, job.reached.open("wb", buffering=0) as reached:
        writer: StoreWriter | None = None
        for number, item in enumerate(job.items):
            reached.seek(0)
            reached.write(number.to_bytes(8, "little"))
            clip = _deadly(item) if number in job.deadly else job.prepared(item)
            if isinstance(clip, KinemeError):
                if not job.skip_bad:
                    raise skippable(clip)
                damaged.append(str(clip))
                continue
            if writer is None:
                options: Mapping[str, Any] = {"confidence": job.confidence, "frames_as": job.frames_as}
                place = job.folder / job.name
                writer = StoreWriter(place, job.manifest, job.bodies, overwrite=True, **options)
                stack.enter_context(writer)
            writer.add(clip)
            clips += 1
    tally = Tally.of(ClipStore(job.folder / job.name)).to_dict() if clips else None
    job.reached.unlink(missing_ok=True)  # before the record: nobody looks at a finished job again
    with atomic_write(job.record) as aside:
        record = {"key": job.key, "clips": clips, "damaged": damaged, "tally": tally}
        aside.write_text(json.dumps(record), encoding="utf-8")


def _deadly(item: Any) -> KinemeError:
    return KinemeError(f"{item}: reading it killed the process {ATTEMPTS} times; look at the file")


class Workers(Protocol):
    """Where jobs are done."""

    room: int  # for so many jobs at a time

    def start(self, job: Job) -> Any:
        """Begins a job; gives a handle."""

    def ended(self, handles: Collection[Any]) -> Mapping[Any, BaseException | None]:
        """The handles whose work has ended: well, by an error, or by `Died`."""


class Died(Exception):
    """A process ended in the middle of its work."""


def write_shards(
    out: Path,
    parts: Sequence[Sequence[Any]],
    settings: Mapping[str, Any],
    workers: Workers,
    overwrite: bool,
    progress: Progress,
) -> list[str]:
    """Writes a store of many shards, which appears when all are whole.

    Args:
        out: directory of the store. Its shards wait in `.NAME.partial` beside it.
        parts: the items of each shard.
        settings: of all jobs.
        workers: who do them.
        overwrite: replace an earlier store.
        progress: called with the items read and in total.

    Returns:
        why each of the damaged items was left out.

    Raises:
        KinemeError: as `spread`; all items are damaged; or the store cannot be written.
    """
    out = followed(out)
    folder = out.with_name(f".{out.name}.partial")
    with locked(out, "this store"):
        check_free(out, overwrite)
        try:
            folder.mkdir(exist_ok=True)
            common: dict[str, Any] = {"folder": folder, "way": _way(settings["prepared"]), **settings}
            jobs = [Job(number=i, items=part, **common) for i, part in enumerate(parts)]
            finished = [job for job in jobs if job.finished() is not None]
            ours = {name for job in finished for name in (job.name, job.record.name)}
            for other in folder.iterdir():  # of another preparation, or half of a shard
                if other.name not in ours:
                    shutil.rmtree(other) if other.is_dir() else other.unlink()
            records = spread(jobs, workers, progress)
            damaged = [line for record in records for line in record["damaged"]]
            tallies = {
                job.name: Tally.from_dict(record["tally"])
                for job, record in zip(jobs, records, strict=True)
                if record["clips"]
            }
            if not tallies:
                raise KinemeError(damaged[0])
            join_stores(folder, tallies=tallies)
            for job in jobs:
                job.record.unlink()
            replace_directory(folder, out, OWN)
        except OSError as error:
            raise unwritable(out, error) from error
    return damaged


def spread(jobs: Sequence[Job], workers: Workers, progress: Progress) -> list[dict[str, Any]]:
    """Does all jobs that are not done yet; gives their records, in order.

    A job whose process dies is done again, up to `ATTEMPTS` times at one item. Then that item is damaged.

    Raises:
        KinemeError: what `write_shard` raises; or reading an item kills its process, and `skip_bad` is not
            set.
    """
    waiting = [job for job in jobs if job.finished() is None]
    if before := len(jobs) - len(waiting):
        logger.info("%s: %d of %d shards are there already", jobs[0].folder, before, len(jobs))
    total, running = sum(len(job.items) for job in jobs), dict[Any, Job]()
    deaths: Counter[tuple[int, int]] = Counter()
    done = total - sum(len(job.items) for job in waiting)
    waiting.reverse()
    while waiting or running:
        while waiting and len(running) < workers.room:
            job = waiting.pop()
            running[workers.start(job)] = job
        for handle, error in workers.ended(running).items():
            job = running.pop(handle)
            if isinstance(error, Died):
                waiting.append(_again(job, deaths))
            elif error is not None:
                raise error
            else:
                done += len(job.items)
        progress(done + sum(min(job.at(), len(job.items)) for job in running.values()), total)
    return [_record_of(job) for job in jobs]


def _again(job: Job, deaths: Counter[tuple[int, int]]) -> Job:
    """The job, without the item at which its process has died too often."""
    at = job.at()
    deaths[job.number, at] += 1
    logger.warning("%s: a process that read for this shard died; it is read again", job.folder / job.name)
    if deaths[job.number, at] < ATTEMPTS:
        return job
    if not job.skip_bad:
        raise KinemeError(f"{_deadly(job.items[at])}, or set `skip_bad` to leave it out")
    return replace(job, deadly=job.deadly | {at})


def _record_of(job: Job) -> dict[str, Any]:
    record = job.finished()
    if record is None:
        place = job.folder / job.name
        raise KinemeError(f"{place}: its files or recordings changed meanwhile; prepare again")
    return record


class Here:
    """This process, one job at a time, for sources that others cannot read."""

    room = 1

    def start(self, job: Job) -> int:
        """Does the job."""
        write_shard(job)
        return job.number

    def ended(self, handles: Collection[int]) -> Mapping[int, None]:
        """All."""
        return dict.fromkeys(handles)


class Processes:
    """Processes of this machine, one for each job; they end with this one."""

    def __init__(self, count: int) -> None:
        self.room = count
        self._running: dict[int, multiprocessing.process.BaseProcess] = {}
        self._errors: dict[int, Any] = {}

    def start(self, job: Job) -> int:
        """A new process: whatever a job leaks or breaks ends with it."""
        context = multiprocessing.get_context("spawn")
        errors, end = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(job, end))
        process.start()
        end.close()
        self._running[process.sentinel], self._errors[process.sentinel] = process, errors
        return process.sentinel

    def ended(self, handles: Collection[int]) -> Mapping[int, BaseException | None]:
        """Waits for a moment."""
        found: dict[int, BaseException | None] = {}
        for sentinel in wait([*handles], timeout=_LOOK):
            assert isinstance(sentinel, int)
            process, errors = self._running.pop(sentinel), self._errors.pop(sentinel)
            process.join()
            told = None
            with suppress(EOFError, OSError):
                told = errors.recv() if errors.poll() else None
            found[sentinel] = told or (Died() if process.exitcode else None)
        return found

    def stop(self) -> None:
        """Ends all."""
        for process in self._running.values():
            process.terminate()
            process.join()


def _work(job: Job, errors: Any) -> None:
    begin_worker()
    try:
        write_shard(job)
    except Exception as error:  # it is raised again by `spread`
        errors.send(error)


class Cluster:
    """The processes of a Ray cluster, which reaches recordings and store by the same paths as this machine.

    Without one, Ray starts on this machine.
    """

    def __init__(self) -> None:
        """Connects to the cluster that Ray's own settings name.

        Raises:
            KinemeError: Ray is not installed, or does not start.
        """
        try:
            import ray
        except ImportError as error:
            raise KinemeError('`ray`: Ray is not installed; pip install "kineme[ray]"') from error
        self._ray = ray
        try:
            if not ray.is_initialized():
                ray.init(log_to_driver=False, include_dashboard=False)
        except Exception as error:  # Ray has no class of its own for it
            raise KinemeError(f"`ray`: Ray does not start here ({one_line(error)})") from error
        self.room = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._task = ray.remote(max_retries=0)(write_shard)

    def start(self, job: Job) -> Any:
        """A task of one core."""
        return self._task.remote(job)

    def ended(self, handles: Collection[Any]) -> Mapping[Any, BaseException | None]:
        """Waits for a moment."""
        done, _ = self._ray.wait([*handles], timeout=_LOOK)
        return {handle: self._outcome(handle) for handle in done}

    def _outcome(self, handle: Any) -> BaseException | None:
        errors = self._ray.exceptions
        try:
            self._ray.get(handle)
        except errors.RayTaskError as error:
            return error.cause if isinstance(error.cause, KinemeError) else error
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError):
            return Died()
        return None

    def stop(self) -> None:
        """Ends what runs still."""
        self._ray.shutdown()


@contextmanager
def workers_for(count: int, ray: bool) -> Iterator[Workers]:
    """So many processes, this one, or a cluster."""
    if not ray and count == 1:
        yield Here()
        return
    chosen = Cluster() if ray else Processes(count)
    try:
        yield chosen
    finally:
        chosen.stop()
