"""What happens when, from 1, 3 and 5 examples a class: events of streams and segments of recordings.

Tandem, the default method, is pre-trained for two minutes on the recordings of odd subjects, without labels.
Examples are drawn from half of these people, and the recordings of the others are streams: on these all
settings were chosen. Then examples are of all of them, and the streams of the even subjects. An event is
right if it overlaps one of its class that no other has taken; overlap is intersection over union. Two sets:
PRECOG, whose strikes follow each other closely, and generated motion, where people also do what is not
taught.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import kineme
from benchmarks.uses import Figure, Options
from benchmarks.uses.cluster import write_part
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.inference import Classifier, Example, Taught, Watcher, like, predict, teach
from kineme.inference.watching.events import Event, Judge

EXAMPLES = (1, 3, 5)  # a class
DRAWS = 2
MINUTES = 2.0  # of pre-training
OVERLAPS = (0.1, 0.25, 0.5)
TAUGHT = ("wave", "clap", "sit down", "stand up", "squat", "jump up", "bow", "punch")
UNTAUGHT = ("kick", "throw", "stretch", "walk in place", "turn around", "pick up")

Span = tuple[str, float, float]  # class, start and end in seconds


@dataclass
class Found:
    """Events of streams beside what is true.

    Attributes:
        events, truths: their numbers.
        right: for each of `OVERLAPS`, how many events are.
        delays: seconds from a beginning until it was reported, of those right at the least overlap.
    """

    events: int = 0
    truths: int = 0
    right: list[int] = field(default_factory=lambda: [0] * len(OVERLAPS))
    delays: list[float] = field(default_factory=list)

    def add(self, events: Sequence[Span], truths: Sequence[Span], at: Sequence[float]) -> None:
        """Counts those of one stream; `at` is when each event was reported."""
        self.events += len(events)
        self.truths += len(truths)
        for place, least in enumerate(OVERLAPS):
            pairs = matched(events, truths, least)
            self.right[place] += len(pairs)
            if place == 0:
                self.delays += [at[i] - truths[j][1] for i, j in pairs if at]

    def figures(self, what: str) -> Iterator[Figure]:
        """Precision, recall and F1 at each overlap, and the mean delay."""
        for least, right in zip(OVERLAPS, self.right, strict=True):
            shares = right / max(self.events, 1), right / self.truths, 2 * right / (self.events + self.truths)
            for name, share in zip(("precision", "recall", "F1"), shares, strict=True):
                yield Figure(f"{what}, {name} at {least:g}", 100 * share, "%")
        if self.delays:
            yield Figure(f"{what}, mean delay", float(np.mean(self.delays)), "s")


def matched(events: Sequence[Span], truths: Sequence[Span], least: float) -> list[tuple[int, int]]:
    """Pairs of one class that overlap enough, the largest overlap first; each is in one pair.

    >>> matched([("wave", 0, 2), ("wave", 2, 3)], [("wave", 1, 3)], 0.25)
    [(1, 0)]
    """
    pairs = []
    for i, (label, start, end) in enumerate(events):
        for j, (true, begins, ends) in enumerate(truths):
            overlap = (min(end, ends) - max(start, begins)) / (max(end, ends) - min(start, begins))
            if label == true and overlap >= least:
                pairs.append((overlap, i, j))
    chosen: list[tuple[int, int]] = []
    for _, i, j in sorted(pairs, reverse=True):
        if all(i != other and j != taken for other, taken in chosen):
            chosen.append((i, j))
    return chosen


def measure(options: Options) -> Iterator[Figure]:
    """Of both sets and all counts: `watch` taught and by examples, and `predict`.

    Raises:
        KinemeError: KINEME_DATA does not name a folder with precog.npz.
    """
    if options.data is None or not (options.data / "precog.npz").is_file():
        raise KinemeError("moments: measures on precog.npz; set KINEME_DATA to its folder")
    minutes = {"train.minutes": MINUTES / 10 if options.small else MINUTES, "data.split": "all"}
    for name in ("precog", "generated"):
        odd, even = (_store(options, name, remainder) for remainder in (1, 0))
        classes = [each for each in odd.manifest.class_names if each not in ("background", *UNTAUGHT)]
        model = kineme.pretrain(out=options.folder / f"run-{name}", store=odd.path, overrides=minutes)
        for count in EXAMPLES[1:2] if options.small else EXAMPLES:
            for streams, who in ((odd, "odd"), (even, "even")):
                if options.small and who == "even":
                    continue
                found: dict[str, Found] = {}
                for draw in range(1 if options.small else DRAWS):
                    _drawn(model, odd, streams, classes, count, draw, found)
                for way, each in found.items():
                    yield from each.figures(f"{name}, {who}, {count} a class, {way}")


def _store(options: Options, name: str, remainder: int) -> ClipStore:
    path = options.folder / f"{name}-{remainder}"
    if name == "precog":
        assert options.data is not None
        container = path.with_suffix(".npz")
        write_part(options.data / "precog.npz", container, remainder, None)
        kineme.prepare("container", container, path)
        return kineme.open_store(path)
    return kineme.generate_store(
        path,
        subjects=6,
        repetitions=1,
        cameras=[2],
        actions=[*TAUGHT, *UNTAUGHT],
        untrimmed=True,
        seconds=120.0 if remainder else 60.0,
        seed=remainder,
    )


def _drawn(
    model: kineme.Model,
    library: ClipStore,
    streams: ClipStore,
    classes: Sequence[str],
    count: int,
    draw: int,
    found: dict[str, Found],
) -> None:
    """Adds what is found with one draw of examples. Nobody is both in these and in the streams."""
    rng = np.random.default_rng(draw)
    people = rng.permutation(np.unique(library.index["subject"].tolist()))
    own = library is streams
    shown = set(people[: len(people) // 2 if own else None].tolist())
    examples: list[Example] = []
    for label in (*classes, "other"):
        mine = [
            Example(str(library.names[row]), label, start, end)
            for row in range(len(library))
            if str(library.index["subject"][row]) in shown
            for name, start, end in _spans(library, row, classes)
            if name == label
        ]
        examples += [mine[place] for place in rng.permutation(len(mine))[:count]]
    named = [each for each in examples if each.label != "other"]
    rows = [row for row in range(len(streams)) if not own or str(streams.index["subject"][row]) not in shown]
    taught, with_other = teach(model, named, store=library), teach(model, examples, store=library)
    parts = {
        str(place): (str(each.motion), (each.start or 0.0, each.end)) for place, each in enumerate(named)
    }
    judges: dict[str, Judge] = {
        "watch": Taught(model, taught),
        "watch, other taught": Taught(model, with_other),
        "watch --like": like(model, parts, library=library),
    }
    for way, judge in judges.items():
        for row in rows:
            events = _watched(model, judge, streams, row)
            labels = [
                named[int(each.label)].label if way == "watch --like" else each.label for each, _ in events
            ]
            spans = [
                (label, each.start, each.end or each.start)
                for label, (each, _) in zip(labels, events, strict=True)
            ]
            _add(found, way, spans, _spans(streams, row, classes), [at for _, at in events])
    for name, segments in _predicted(model, with_other, streams, rows).items():
        place = streams.row(name)
        assert place is not None
        _add(found, "predict, other taught", segments, _spans(streams, place, classes), [])


def _add(
    found: dict[str, Found], way: str, events: Sequence[Span], truths: Sequence[Span], at: Sequence[float]
) -> None:
    kept = [place for place, (label, *_) in enumerate(events) if label not in ("other", "none of these")]
    spans = [each for each in truths if each[0] != "other"]
    own = found.setdefault(way, Found())
    own.add([events[place] for place in kept], spans, [at[place] for place in kept] if at else [])


def _spans(store: ClipStore, row: int, classes: Sequence[str]) -> list[Span]:
    """What a recording shows: the classes, and as `other` other classes and gaps of 20 frames or more."""
    names, fps, frames = store.manifest.class_names, store.manifest.fps, int(store.index["frames"][row])
    spans, last = [], 0
    for start, end, label in [*sorted(store.clip_intervals(row)), (frames, frames, -1)]:
        if start - last >= 20:
            spans.append(("other", last / fps, start / fps))
        if label >= 0:
            spans.append((names[label] if names[label] in classes else "other", start / fps, end / fps))
        last = max(last, end)
    return spans


def _watched(model: kineme.Model, judge: Judge, store: ClipStore, row: int) -> list[tuple[Event, float]]:
    """The events of a stream, each with the time at which its beginning was reported."""
    fps = store.manifest.fps
    watcher = Watcher(model, judge, fps=fps, layout=store.layout.name)
    events = [event for pose in store.clip(row)[:, 0] for event in watcher.push(pose)] + watcher.finish()
    begun = [event for event in events if event.event == "start"]
    ended = [event for event in events if event.event == "end"]
    return [(end, start.at) for start, end in zip(begun, ended, strict=True)]


def _predicted(
    model: kineme.Model, classifier: Classifier, store: ClipStore, rows: Sequence[int]
) -> Mapping[str, list[Span]]:
    wanted = {str(store.names[row]) for row in rows}
    return {
        each.name: [(part.label, part.start, part.end) for part in each.segments]
        for each in predict(model, classifier, [store])
        if each.name in wanted
    }
