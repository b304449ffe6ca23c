"""Boundaries between motions, and kinds of motion, without labels: PRECOG.

The encoder trains on the recordings of odd subjects, on whom all settings were chosen. Those of even subjects
are clustered. A boundary is right within 10 frames of a true one, where a class begins or ends, and F1 is
compared with that of cutting each recording evenly into as many segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from time import perf_counter

import numpy as np

import kineme
from benchmarks.uses import Figure, Options
from kineme.errors import KinemeError
from kineme.metrics.clustering import boundary_f1

EPOCHS = 40
MARGIN = 15.0  # points of F1 above even cuts


def measure(options: Options) -> Iterator[Figure]:
    """F1 of boundaries, beside even cuts; agreement of kinds with classes; time."""
    if options.data is None:
        raise KinemeError("cluster: needs precog.npz; name its folder in KINEME_DATA")
    stores = {part: options.folder / part for part in ("odd", "even")}
    for remainder, part in ((1, "odd"), (0, "even")):
        container = options.folder / f"{part}.npz"
        write_part(options.data / "precog.npz", container, remainder, 6 if options.small else None)
        kineme.prepare("container", container, stores[part], preprocessing="plain(facing=True, scale=True)")
    epochs = max(1, EPOCHS // 40) if options.small else EPOCHS
    settings = {"data.split": "all", "data.window": 64, "train.epochs": epochs, "train.batch_size": 32}
    model = kineme.pretrain("usdrl-small", options.folder / "run", store=stores["odd"], overrides=settings)

    began = perf_counter()
    found = kineme.inference.cluster(model, [stores["even"]])
    seconds = perf_counter() - began
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
    kinds = found.agreement["adjusted mutual information"]
    assert isinstance(kinds, float)
    yield Figure("adjusted mutual information of kinds and classes", kinds, "%")
    yield Figure(
        "kinds found (there are 8 actions and the background)", sum(k.number > 0 for k in found.kinds), ""
    )
    minutes = len(store.frames) / store.manifest.fps / 60
    yield Figure("time to a minute of recordings", seconds / minutes, "s")


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
