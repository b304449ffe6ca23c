"""Test clips and the training clips nearest to them, as moving skeletons."""

from __future__ import annotations

import numpy as np

from kineme.drawing.player import legend, player
from kineme.report.examined import Examined, over_classes
from kineme.report.html import Html, boxed, join, note, tag

FRAMES = 64  # of each clip


def retrieval(number: int, seen: Examined, queries: int) -> Html:
    """Queries with their nearest training clips, half of them right and half wrong where there are as many.

    Args:
        number: of the run on the page.
        seen: its test clips.
        queries: how many are shown.
    """
    right, wrong = np.flatnonzero(seen.right), np.flatnonzero(~seen.right)
    wanted_wrong = min(len(wrong), queries // 2)
    chosen = [
        *over_classes(wrong, seen.labels, wanted_wrong),
        *over_classes(right, seen.labels, queries - wanted_wrong),
    ]
    of_all = f"{len(right):,} of {len(seen.test):,} test clips ({100 * len(right) / len(seen.test):.1f} %)"
    return tag(
        "div",
        tag(
            "p",
            f"For {of_all} the nearest training clip is "
            "of the same class. The clips below are of as many classes as can be, wrong ones first. Click a "
            "skeleton to stop it, drag to turn it.",
            class_="faint",
        ),
        tag("button", "❚❚ Stop all", type="button", class_="stop"),
        Html(legend(seen.store.bodies)),
        [_query(f"near-{number}-{i}", seen, int(query)) for i, query in enumerate(chosen)]
        or note("There are no test clips to show."),
        class_="moving",
    )


def _query(name: str, seen: Examined, query: int) -> Html:
    row = int(seen.test[query])
    true = seen.class_name(row)
    shown = [_clip(f"{name}-0", seen, row, tag("b", "test clip"), true, "query")]
    for place, (other, similarity) in enumerate(
        zip(seen.neighbours[query], seen.similarity[query], strict=True)
    ):
        same = seen.store.labels[other] == seen.store.labels[row]
        mark = tag("b", "✓ same class" if same else "✗ another class")
        detail = join(mark, f", cosine {similarity:.3f}")
        shown.append(
            _clip(
                f"{name}-{place + 1}",
                seen,
                int(other),
                detail,
                seen.class_name(int(other)),
                "same" if same else "other",
            )
        )
    verdict = "found" if seen.right[query] else "missed"
    return tag(
        "section",
        tag("h4", f"{true}: {verdict}"),
        boxed(
            tag("div", shown, class_="neighbours"), label=f"A clip of {true} and its nearest training clips"
        ),
        class_="query",
    )


def _clip(name: str, seen: Examined, row: int, mark: Html, label: str, kind: str) -> Html:
    clip, fps = seen.thinned(row, FRAMES)
    moving = Html(player(name, clip, seen.store.layout, fps=fps, up=seen.up, controls=False, caption=label))
    return tag(
        "div",
        moving,
        tag("p", mark),
        tag("p", str(seen.store.names[row]), class_="source"),
        class_=f"clip {kind}",
    )
