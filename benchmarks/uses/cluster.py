"""Boundaries between motions, and kinds of motion, without labels: PRECOG.

The default method trains on the recordings of odd subjects, on whom all settings were chosen, with three
seeds. Those of even subjects are clustered. A boundary is right within 10 frames of a true one, where a class
begins or ends, and F1 is compared with that of cutting each recording evenly into as many segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from time import perf_counter

import numpy as np

import kineme
from benchmarks.uses import Figure, Options
from kineme.errors import KinemeError
from kineme.inference.clustering.segments import Segment
from kineme.metrics.clustering import adjusted_mutual_information, boundary_f1

EPOCHS = 200  # about two minutes on two cores
SEEDS = 3
MARGIN = 15.0  # points of F1 above even cuts


def measure(options: Options) -> Iterator[Figure]:
    """F1 of boundaries, beside even cuts; agreement of kinds with classes; time."""
    if options.data is None:
        raise KinemeError("cluster: needs precog.npz; name its folder in KINEME_DATA")
    stores = {part: options.folder / part for part in ("odd", "even")}
    for remainder, part in ((1, "odd"), (0, "even")):
        container = options.folder / f"{part}.npz"
        write_part(options.data / "precog.npz", container, remainder, 6 if options.small else None)
        kineme.prepare("container", container, stores[part])
    runs, given, seconds = [], [], 0.0
    for seed in range(1 if options.small else SEEDS):
        settings = {"data.split": "all", "train.seed": seed, "train.epochs": 5 if options.small else EPOCHS}
        model = kineme.pretrain(out=options.folder / f"run{seed}", store=stores["odd"], overrides=settings)
        began = perf_counter()
        runs.append(kineme.inference.cluster(model, [stores["even"]]))
        seconds += perf_counter() - began
        given.append(_agreement(kineme.inference.cluster(model, [stores["even"]], k=9).segments))
    found = runs[0]  # boundaries do not depend on the encoder
    store = kineme.open_store(stores["even"])
    recordings = [list(own) for _, own in groupby(found.segments, key=lambda segment: segment.name)]
    true, even = [], []
    for row, own in enumerate(recordings):
        frames = int(store.index["frames"][row])
        edges = np.unique([edge for start, end, _ in store.clip_intervals(row) for edge in (start, end)])
        true.append(edges[(edges > 0) & (edges < frames)])
        even.append((np.arange(1, len(own)) * frames / len(own)).round().astype(int))
    own_f1, even_f1 = found.agreement["boundary F1"], boundary_f1(true, even)
    assert isinstance(own_f1, float)
    yield Figure("F1 of boundaries within 10 frames", own_f1, "%")
    yield Figure("even cuts of the same number", even_f1, "%")
    yield Figure("above even cuts", own_f1 - even_f1, "%", aim=MARGIN, smaller=False)
    yield Figure("boundaries to a recording", sum(map(len, even)) / len(even), "")
    yield Figure("true boundaries to a recording", sum(map(len, true)) / len(true), "")
    agreed = [_agreement(each.segments) for each in runs]
    yield Figure("adjusted mutual information of kinds and classes", float(np.mean(agreed)), "%")
    yield Figure("standard deviation over seeds", float(np.std(agreed)), "%")
    yield Figure("the same of nine kinds, by k-means", float(np.mean(given)), "%")
    split = [_agreement_with_people(each.segments) for each in runs]
    yield Figure("of kinds and people, within classes", float(np.mean(split)), "%")
    counts = [sum(kind.number > 0 for kind in each.kinds) for each in runs]
    yield Figure("kinds found (there are 8 actions and the background)", float(np.mean(counts)), "")
    none = [sum(kind.share for kind in each.kinds if kind.number == 0) for each in runs]
    yield Figure("time in no kind", 100 * float(np.mean(none)), "%")
    minutes = len(runs) * len(store.frames) / store.manifest.fps / 60
    yield Figure("time to a minute of recordings", seconds / minutes, "s")


def _agreement(segments: Sequence[Segment], what: str = "label") -> float:
    """Adjusted mutual information of kinds and classes, or another column."""
    columns = [np.array([getattr(each, name) for each in segments]) for name in (what, "kind")]
    return adjusted_mutual_information(*columns)


def _agreement_with_people(segments: Sequence[Segment]) -> float:
    """The mean over classes, weighted by their segments; of those that are in kinds."""
    kept = sorted((each for each in segments if each.kind), key=lambda each: each.label)
    classes = [list(own) for _, own in groupby(kept, key=lambda each: each.label)]
    return sum(len(own) * _agreement(own, "subject") for own in classes) / len(kept)


def write_part(source: Path, target: Path, remainder: int, most: int | None) -> None:
    """The recordings of a container whose subject's number is odd (1) or even (0)."""
    with np.load(source) as stored:
        arrays = {name: stored[name] for name in stored}
    kept = np.flatnonzero(arrays["subject"].astype(int) % 2 == remainder)[:most]
    start, end = arrays["offsets"][kept], arrays["offsets"][kept + 1]
    frames = np.concatenate([np.arange(*span) for span in zip(start, end, strict=True)])
    arrays |= {name: arrays[name][frames] for name in ("xyz", "frame_label")}
    arrays |= {name: arrays[name][kept] for name in ("name", "label", "subject", "view")}
    arrays["offsets"] = np.concatenate([[0], np.cumsum(end - start)])
    np.savez(target, **arrays)
