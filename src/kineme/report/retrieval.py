"""Clips and those nearest to them, as moving skeletons."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from kineme.drawing.player import legend
from kineme.report.examined import Examined, evenly, over_classes
from kineme.report.templating import render

FRAMES = 64  # of each clip


def retrieval(number: int, seen: Examined, queries: int) -> Markup:
    """Some queries with the clips nearest to them, half of them right and half wrong where that is known."""
    if seen.neighbours.shape[1] == 0:
        return render("no_neighbours.html", seen=seen)
    nearest = seen.labels_of(seen.neighbours[:, 0])
    judged = (seen.labels >= 0) & (nearest >= 0)
    if judged.any():
        right, wrong = np.flatnonzero(seen.right), np.flatnonzero(judged & ~seen.right)
        wanted_wrong = min(len(wrong), queries // 2)
        chosen = [
            *over_classes(wrong, seen.labels, wanted_wrong).tolist(),
            *over_classes(right, seen.labels, queries - wanted_wrong).tolist(),
        ]
    else:
        chosen = evenly(np.arange(len(seen.test)), queries).tolist()
    return render(
        "retrieval.html",
        seen=seen,
        right=int(seen.right.sum()),
        clips=int(judged.sum()),
        legend=legend(seen.bodies),
        queries=[_query(f"near-{number}-{i}", seen, query) for i, query in enumerate(chosen)],
    )


def _query(name: str, seen: Examined, query: int) -> dict[str, object]:
    """A clip, then its neighbours."""
    own = int(seen.test[query])
    similarity = [None, *seen.similarity[query].tolist()]
    labels = seen.labels_of(np.array([own, *seen.neighbours[query].tolist()]))
    clips = []
    for place, other in enumerate([own, *seen.neighbours[query].tolist()]):
        known = labels[0] >= 0 and labels[place] >= 0
        judged = ("same" if labels[place] == labels[0] else "other") if known else "near"
        clips.append(
            {
                "kind": "query" if place == 0 else judged,
                "name": seen.name(other),
                "similarity": similarity[place],
                "player": seen.player(
                    f"{name}-{place}", other, FRAMES, controls=False, caption=seen.class_name(other)
                ),
            }
        )
    found = ("found" if seen.right[query] else "missed") if labels[0] >= 0 and labels[1] >= 0 else ""
    return {"title": seen.class_name(own) or seen.name(own), "found": found, "clips": clips}
