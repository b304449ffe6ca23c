"""Streams of poses that are watched one after the other, each with a watcher of its own."""

from __future__ import annotations

from collections.abc import Callable

from kineme.errors import KinemeError
from kineme.inference.watching.events import Counts, Event
from kineme.inference.watching.watcher import Watcher
from kineme.sources.poses.lines import BadFrame, Beginning, Frame, Header

Bad = Callable[[str, str], None]


class Streams:
    """Takes the frames of streams, whatever they come from.

    Args:
        start: header → watcher.
        bad: called with the kind of mistake and the message about a frame that is left out; it may raise.
        tolerant: a stream that cannot be watched is left out too, and the next one waited for.

    >>> import kineme, time
    >>> from kineme.inference import Watcher, like
    >>> model, store = kineme.load(example_run), kineme.open_store(example_store)
    >>> judge = like(model, {"bow": (str(store.names[8]), None)}, library=store, window=1.0, threshold=0.9)
    >>> streams = Streams(lambda header: Watcher(model, judge, fps=header.fps or 30.0), print)
    >>> frame = Frame({1: store.clip(8)[0, 0]}, time=0.0, arrived=time.monotonic(), name="line 1")
    >>> streams.take(Beginning(Header(), "line 1")), streams.take(frame)
    ([], [])
    >>> streams.counts.frames, streams.people
    (1, 1)
    """

    def __init__(self, start: Callable[[Header], Watcher], bad: Bad, *, tolerant: bool = False) -> None:
        self._start, self._bad, self._tolerant = start, bad, tolerant
        self._watcher: Watcher | None = None
        self._before = Counts()  # of earlier streams
        self.time = 0.0  # of the last frame

    def take(self, item: Beginning | Frame) -> list[Event]:
        """The events that it completes.

        Raises:
            KinemeError: the stream cannot be watched, unless `tolerant`.
        """
        events: list[Event] = []
        try:
            if isinstance(item, Beginning):
                events = self.finish()
                self._watcher = self._start(item.header)
            elif self._watcher is not None:
                events = self._watcher.push(item.people, item.time, arrived=item.arrived)
                self.time = item.time
        except BadFrame as error:
            self._bad("frame", f"{item.name}: {error}; left out")
        except KinemeError as error:
            if not self._tolerant:
                raise KinemeError(f"{item.name}: {error}") from error
            self._bad("stream", f"{item.name}: {error}; the rest of it is left out")
            events += self.finish()
        return events

    def finish(self) -> list[Event]:
        """The stream is at its end."""
        if self._watcher is None:
            return []
        events = self._watcher.finish()
        self._before, self._watcher = self.counts, None
        return events

    @property
    def counts(self) -> Counts:
        """Of all streams together."""
        return self._before if self._watcher is None else self._before + self._watcher.counts

    @property
    def people(self) -> int:
        """How many are there."""
        return 0 if self._watcher is None else self._watcher.people
