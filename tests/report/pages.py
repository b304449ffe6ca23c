"""Pages read back: sound HTML, and what it says."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from kineme.report.page import write_report


class Reader(HTMLParser):
    """Checks that elements close in order; collects text, rows of tables, ids and what links point at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.players: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.data: list[object] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute of {tag} is given twice"
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.links += [str(given[key]) for key in ("href", "src") if key in given]
        if given.get("class") == "kineme-player":
            self.players.append(given)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in ("input", "meta"):
            self.open.append(tag)
        self.json = given.get("type") == "application/json"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            if self.json:
                self.data.append(json.loads(data))
        elif self.open and self.open[-1] != "style":
            self.words.append(data)
            if {"td", "th"} & set(self.open):
                self.tables[-1][-1][-1] += data + " "

    def rows(self, first: str) -> list[list[str]]:
        """Rows of all tables that begin so."""
        return [row for table in self.tables for row in table if row and row[0].strip().startswith(first)]


def made(*runs: Path, store: Path | None = None) -> tuple[str, Reader]:
    """The report of some runs, as text and read."""
    out = runs[0].parent / "page.html"
    write_report(list(runs), out, stores=[store] if store else (), device="cpu")
    text = out.read_text(encoding="utf-8")
    return text, Reader(text)
