"""What a command that runs for hours shows on the terminal: one line that is kept up to date."""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

from kineme.inference.watching.events import Event
from kineme.inference.watching.streams import Streams
from kineme.words import counted

if TYPE_CHECKING:
    from rich.text import Text

EVERY = 0.25  # seconds from one update of the line to the next
SPAN = 5.0  # seconds over which the rate is measured


class LiveLine:
    """Rate, people, the last event and its delay, on stderr; nothing where that is no terminal.

    Events are told there as well, unless stdout, where their JSON goes, is a terminal too.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._counts: deque[tuple[float, int]] = deque()
        self._last: Event | None = None
        self._drawn = 0.0

    def __enter__(self) -> LiveLine:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def tell(self, event: Event, line: str) -> None:
        """Writes the event's JSON line to stdout."""
        both = self._console.is_terminal and sys.stdout.isatty()
        if both:
            self._console.file.write("\r\x1b[2K")  # the live line makes room
            self._console.file.flush()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if self._console.is_terminal and not both:
            self._console.print(described(event))
        self._last, self._drawn = event, 0.0

    def show(self, streams: Streams) -> None:
        """Brings the line up to date, a few times a second."""
        now = time.monotonic()
        if not self._console.is_terminal or now - self._drawn < EVERY:
            return
        self._drawn = now
        self._counts.append((now, streams.counts.frames))
        while now - self._counts[0][0] > SPAN:
            self._counts.popleft()
        (begin, before), (_, after) = self._counts[0], self._counts[-1]
        self._live.update(self._line(streams, (after - before) / max(now - begin, EVERY)), refresh=True)

    def _line(self, streams: Streams, rate: float) -> Text:
        from rich.text import Text

        who, events = counted(streams.people, "person", "people"), counted(streams.counts.events, "event")
        parts = [f"{streams.time:,.1f} s", f"{rate:.0f} frames/s", who, events]
        line = Text(" · ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")
        return line.append(" · last: ").append(described(self._last)) if self._last else line


def described(event: Event) -> Text:
    """An event in words."""
    from rich.text import Text

    label = "".join(letter if letter.isprintable() else "?" for letter in event.label)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{label} ", style="bold")
    if event.end is None:
        text.append("starts", style="green").append(f" at {event.start:.2f} s")
    else:
        text.append("ends", style="yellow").append(
            f" at {event.end:.2f} s after {event.end - event.start:.2f} s"
        )
    return text.append(
        f", delay {event.delay:.3f} s, person {event.person}, {event.measure} {event.score:.2f}"
    )
