"""Early prediction as a curve: accuracy over the share of a clip that is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from kineme.evaluation.early import MEAN
from kineme.evaluation.results import Score
from kineme.report.charts import Series, chart


def curves(rows: Iterable[tuple[str, Mapping[str, Score]]], fitted_to: str) -> Markup:
    """A line of each baseline and encoder: its name, and its scores by share (`10 %`)."""
    lines = []
    for style, (name, scores) in enumerate(rows):
        shares = {float(share.removesuffix(" %")): score for share, score in scores.items() if share != MEAN}
        lines.append(Series(name, list(shares), [score.value for score in shares.values()], style))
    title = f"Top-1 by the share that is seen, probes fitted to {fitted_to}"
    return chart(title, lines, x_label="% of the frames", unit=" %")
