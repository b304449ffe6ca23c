"""Kinds of motion among clips without labels, and the clips most typical of each, as moving skeletons."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from kineme.drawing.player import legend
from kineme.drawing.projection import has_collapsed
from kineme.inference.clustering.kinds import NONE, kinds_of
from kineme.report.examined import Examined
from kineme.report.templating import render
from kineme.typing import Array

SHOWN, EXEMPLARS = 8, 5  # kinds, and clips of each
FRAMES = 48  # of each clip
FEWEST = 5  # clips


def grouped(seen: Examined) -> tuple[Array, Array] | None:
    """The kind of each clip, from 1, and how typical it is; None where there are no kinds."""
    if len(seen.test) < FEWEST or has_collapsed(seen.features):
        return None
    kinds, typical = kinds_of(seen.features, people=_people(seen))
    return (kinds, typical) if kinds.max() > NONE else None


def groups(number: int, seen: Examined, found: tuple[Array, Array], command: str) -> Markup:
    """The largest kinds, each with its most typical clips; `command` makes the whole table."""
    kinds, typical = found
    people = _people(seen)
    parts = []
    for kind in range(1, min(SHOWN, int(kinds.max())) + 1):
        own = np.flatnonzero(kinds == kind)
        chosen = own[np.argsort(-typical[own], kind="stable")][:EXEMPLARS]
        parts.append(
            {
                "number": kind,
                "clips": len(own),
                "people": len(set(people[own].tolist()) - {""}),
                "cards": [
                    (
                        seen.name(int(seen.test[i])),
                        seen.player(
                            f"kind-{number}-{kind}-{place}", int(seen.test[i]), FRAMES, controls=False
                        ),
                    )
                    for place, i in enumerate(chosen.tolist())
                ],
            }
        )
    return render(
        "groups.html",
        seen=seen,
        kinds=int(kinds.max()),
        apart=int((kinds == NONE).sum()),
        looked=len(seen.test),
        parts=parts,
        legend=legend(seen.bodies),
        command=command,
    )


def _people(seen: Examined) -> Array:
    """(N,) who each clip is of, empty if unknown."""
    people: Array = seen.store.index["subject"][seen.rows_of(seen.test)]
    return people
