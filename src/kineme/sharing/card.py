"""The card of a shared model: what it is, made from its run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from kineme import __version__
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.evaluation.results import RANKING, Result, Score
from kineme.inference.classifying.classifier import Classifier
from kineme.model import Model
from kineme.sharing.private import without_paths
from kineme.sources import SOURCES

LICENCES = (  # as the hub spells them; others are written as `other`, with their name
    "apache-2.0 mit bsd-3-clause gpl-3.0 cc0-1.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nd-4.0 "
    "cc-by-nc-sa-4.0 cc-by-nc-nd-4.0 odbl odc-by pddl other unknown"
).split()


def write_card(
    run: Path,
    model: Model,
    repository: str,
    licence: str,
    classifiers: Mapping[str, Classifier],
    results: Sequence[Result],
) -> str:
    """The card's text: YAML for the hub, then Markdown.

    Args:
        run: its directory.
        model: that it holds.
        repository: user/name.
        licence: of the training data.
        classifiers: by name.
        results: without places and people.
    """
    seen = Seen.load(run / SEEN_CLIPS) if (run / SEEN_CLIPS).is_file() else None
    environment = Environment(
        loader=PackageLoader("kineme.sharing"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["text"] = as_text
    return environment.get_template("card.md.jinja").render(
        metadata=yaml.safe_dump(
            _metadata(model, repository, licence, results), sort_keys=False, allow_unicode=True
        ),
        repository=repository,
        licence=licence,
        model=model,
        settings=without_paths(model.config),
        clips=None if seen is None else len(seen.names),
        data=_sources(seen) if seen is not None else None,
        classifiers=classifiers,
        rows=_rows(results),
        version=__version__,
    )


def _sources(seen: Seen) -> str | None:
    """The data sets that a model was trained on; None if one of them is nobody else's."""
    names = np.unique(seen.source).tolist()
    return " + ".join(names) if set(names) <= {*SOURCES, "generated"} else None


def _metadata(model: Model, repository: str, licence: str, results: Sequence[Result]) -> dict[str, Any]:
    """The front matter that the hub reads."""
    known = licence.lower() in LICENCES
    about: dict[str, Any] = {"license": licence.lower() if known else "other"}
    if not known:
        about["license_name"] = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-")
    about |= {
        "library_name": "kineme",
        "pipeline_tag": "feature-extraction",
        "tags": [
            *("kineme", "skeleton", "human-motion", "self-supervised-learning"),
            *(model.method, model.config["encoder"]["name"], model.shape.layout.name),
        ],
    }
    if results:
        entries = [
            {
                "task": {"type": "skeleton-based-action-recognition", "name": result.protocol},
                "dataset": {
                    "type": result.store,
                    "name": f"{result.store}, {result.split}",
                },
                "metrics": [
                    {
                        "type": name if name in RANKING else "accuracy",
                        "name": name,
                        "value": round(score.value, 2),
                    }
                    for name, score in result.scores.items()
                ],
            }
            for result in results
        ]
        about["model-index"] = [{"name": repository.partition("/")[2], "results": entries}]
    return about


def _rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """A row per figure, for the card's table."""
    return [
        {
            "protocol": result.protocol,
            "data": result.store,
            "split": result.split,
            "probe": name,
            "value": f"{score.value:.1f}",
            "spread": _spread(score),
            "clips": result.test_clips,
        }
        for result in results
        for name, score in result.scores.items()
    ]


def _spread(score: Score) -> str:
    if score.interval is not None:
        return f"{score.interval[0]:.1f} to {score.interval[1]:.1f}"
    return "" if score.deviation is None else f"± {score.deviation:.1f}"


def as_text(value: object) -> str:
    """Text in Markdown, without markup."""
    return re.sub(r"([\\`*{}\[\]<>|#&!~])", r"\\\1", " ".join(str(value).split()))
