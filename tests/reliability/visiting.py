"""Somebody at the page of `kineme explore`, who gives labels and notes which of them were answered."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

LINK = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")
TABLE = "stores/moves.labels.csv"
NOTES = "visited"  # beside the folder: what was answered
GIVEN: tuple[tuple[tuple[int, ...], str | None], ...] = (  # points of the store of the tests, and their label
    ((0, 3), "rise"),
    ((1,), "swing"),
    ((4, 7), "swing"),
    ((6,), "push"),
    ((6, 9), "rise"),  # corrected
    ((2,), "push"),
    ((5, 8), "push"),
    ((2,), None),  # taken away
)
PATIENCE = 60.0  # seconds for a classifier to be taught


def visit(link: str, notes: Path) -> None:
    """Gives all labels, then waits until the page has learned from them or says why it cannot."""
    page, _, token = link.partition("/?token=")
    with notes.open("w") as answers:
        for points, name in GIVEN:
            status, told = _ask(page, token, "label", {"window": 1, "name": name, "points": points})
            answers.write(f"{status} {told if status != 200 else ''}\n")
            answers.flush()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        learning = json.loads(_ask(page, token, "state?window=1")[1])["learning"]
        if learning["problem"] or learning["named"] or learning["doing"] == "waiting":
            return
        time.sleep(0.02)


def _ask(page: str, token: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        with urlopen(Request(f"{page}/api/{path}", data, headers), timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def lost(folder: Path, notes: Path) -> Iterator[str]:
    """What is wrong with the table after a visit, in words: a label that was answered is kept, and no other.

    A label that was asked for when the server was killed may be there or not.
    """
    told = notes.read_text().splitlines() if notes.exists() else []
    for line in told:
        if not line.startswith(("200 ", "422 ")):
            yield f"a label was answered by {line}"
    states: list[dict[str, str]] = [{}]
    for (points, name), line in zip(GIVEN, told, strict=False):
        states.append(_after(states[-1], points, name) if line.startswith("200 ") else states[-1])
    possible = [states[-1]]
    if len(told) < len(GIVEN):
        possible.append(_after(states[-1], *GIVEN[len(told)]))
    table = folder / TABLE
    found = {}
    if table.exists():
        with table.open(newline="") as file:
            found = {row["name"]: row["label"] for row in csv.DictReader(file)}
    if found not in possible:
        yield f"the table has {found}, and {possible[0]} was answered"


def _after(labels: dict[str, str], points: tuple[int, ...], name: str | None) -> dict[str, str]:
    changed = {**labels, **{f"clip{point:02}": name for point in points}}
    return {clip: label for clip, label in changed.items() if label is not None}
