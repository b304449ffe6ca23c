"""What the page is told: the points, the labels, and where learning stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kineme.explore.compare import Comparison
from kineme.explore.labels import Labels
from kineme.explore.learning import Learned, Learner
from kineme.explore.library import Library
from kineme.inference.classifying.prediction import NONE

STEPS = 65535  # to the map's side


@dataclass(frozen=True)
class Explored:
    """All that the page is about."""

    library: Library
    labels: Labels
    learner: Learner
    comparison: Comparison | None
    titles: dict[str, str]


def description(explored: Explored) -> dict[str, Any]:
    """The points and all that does not change."""
    library, index = explored.library, explored.library.index
    store = library.store
    people, person = np.unique(store.index["subject"], return_inverse=True)
    cameras, camera = np.unique(store.index["camera"], return_inverse=True)
    return {
        **explored.titles,
        "window": library.window,
        "parts": library.in_parts,
        "none": NONE,
        "x": np.round(STEPS * library.places[:, 0]).astype(int).tolist(),
        "y": np.round(STEPS * library.places[:, 1]).astype(int).tolist(),
        "side": STEPS,
        "recording": index.clip.tolist(),
        "start": np.round(index.start, 3).tolist(),
        "end": np.round(index.end, 3).tolist(),
        "kind": library.kinds.tolist(),
        "truth": index.label.tolist(),
        "truths": store.manifest.class_names,
        "names": store.names.tolist(),
        "person": person.tolist(),
        "people": people.tolist(),
        "camera": camera.tolist(),
        "cameras": ["" if number < 0 else str(number) for number in cameras.tolist()],
        "compared": explored.comparison is not None,
    }


def state_of(explored: Explored, window: int, seen: str = "") -> dict[str, Any]:
    """The labels and what has been learned; only the stamp where that has been seen."""
    learned, labels = explored.learner.state, explored.labels
    stamp = "-".join(map(str, (*labels.stamp(), learned.number)))
    if stamp == seen:
        return {"stamp": stamp}
    parts = labels.parts()
    counts = Counter(parts.values())
    place = {name: i for i, name in enumerate(counts)}
    of = {point: place[parts[part]] for point, part in explored.library.labelled(parts).items()}
    return {
        "stamp": stamp,
        "classes": list(counts),
        "counts": list(counts.values()),
        "points": list(of),
        "of": list(of.values()),
        "undo": labels.can_undo(window),
        "learning": learning_of(learned),
        "next": list(learned.following),
    }


def learning_of(learned: Learned) -> dict[str, Any]:
    """Where learning stands, and how well it does."""
    classifier = learned.classifier
    return {
        "doing": learned.doing,
        "done": learned.done,
        "total": learned.total,
        "read": learned.read,
        "unread": learned.unread,
        "problem": learned.problem,
        "named": learned.named.number if learned.named else 0,
        "classes": classifier.class_names if classifier else (),
        "examined": asdict(classifier.examination) if classifier else None,
    }


def named_of(learned: Learned) -> dict[str, Any]:
    """What the classifier says of every point; empty before it can."""
    named, classifier = learned.named, learned.classifier
    if named is None or classifier is None:
        return {"classes": [], "label": [], "probability": [], "novelty": [], "none": [], "rate": None}
    return {
        "classes": named.classes,
        "label": named.label.tolist(),
        "probability": np.round(named.probability, 3).tolist(),
        "novelty": np.round(named.novelty, 4).tolist(),
        "none": np.flatnonzero(named.none).tolist(),
        "rate": named.rate,
    }
