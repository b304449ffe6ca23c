"""Test clips and the training clips nearest to them, as moving skeletons."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from kineme.drawing.player import legend
from kineme.report.examined import Examined, over_classes
from kineme.report.templating import render

FRAMES = 64  # of each clip


def retrieval(number: int, seen: Examined, queries: int) -> Markup:
    """Some queries with their nearest training clips, half of them right and half wrong where possible."""
    right, wrong = np.flatnonzero(seen.right), np.flatnonzero(~seen.right)
    wanted_wrong = min(len(wrong), queries // 2)
    chosen = [
        *over_classes(wrong, seen.labels, wanted_wrong).tolist(),
        *over_classes(right, seen.labels, queries - wanted_wrong).tolist(),
    ]
    return render(
        "retrieval.html",
        right=len(right),
        clips=len(seen.test),
        legend=legend(seen.store.bodies),
        queries=[_query(f"near-{number}-{i}", seen, query) for i, query in enumerate(chosen)],
    )


def _query(name: str, seen: Examined, query: int) -> dict[str, object]:
    """A test clip, then its neighbours."""
    row = int(seen.test[query])
    similarity = [None, *seen.similarity[query].tolist()]
    clips = []
    for place, other in enumerate([row, *seen.neighbours[query].tolist()]):
        same = bool(seen.store.labels[other] == seen.store.labels[row])
        label = seen.class_name(other)
        clips.append(
            {
                "kind": "query" if place == 0 else "same" if same else "other",
                "name": str(seen.store.names[other]),
                "similarity": similarity[place],
                "player": seen.player(f"{name}-{place}", other, FRAMES, controls=False, caption=label),
            }
        )
    return {"class": seen.class_name(row), "found": bool(seen.right[query]), "clips": clips}
