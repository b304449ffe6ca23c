"""The page: one sound file that says what the result files say, and what is missing."""

from __future__ import annotations

import json
import re
import shutil
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kineme.clips.store import ClipStore
from kineme.commands.evaluate import knn
from kineme.commands.report import report
from kineme.errors import KinemeError
from kineme.evaluation.features import extract
from kineme.evaluation.results import PRETRAINED, RAW, Result
from kineme.metrics.neighbours import nearest_label
from kineme.model import load_run
from kineme.report.examined import examine
from kineme.report.html import VOID
from kineme.report.numbers import _worded
from kineme.report.runs import read_runs

from .conftest import HOSTILE, write_detections, write_recordings


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
        if tag not in VOID:
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


def made(*runs: Path, store: Path | None = None) -> tuple[str, Reader]:
    out = runs[0].parent / "page.html"
    report(list(runs), out=out, store=[store] if store else None, device="cpu")
    text = out.read_text(encoding="utf-8")
    return text, Reader(text)


@pytest.fixture(scope="module")
def whole(finished: Path) -> tuple[str, Reader]:
    """The page of the finished run."""
    return made(finished)


def rows(reader: Reader, first: str) -> list[list[str]]:
    """Rows of all tables that begin so."""
    return [row for table in reader.tables for row in table if row and row[0].strip().startswith(first)]


def test_the_page_is_sound_and_needs_nothing_else(whole: tuple[str, Reader]) -> None:
    text, reader = whole
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert text.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')


def test_equal_runs_make_equal_pages(whole: tuple[str, Reader], finished: Path) -> None:
    assert made(finished)[0] == whole[0]


def test_the_numbers_are_those_of_the_result_files(whole: tuple[str, Reader], finished: Path) -> None:
    _, reader = whole
    for number, protocol in enumerate(("linear", "knn")):
        result = Result.from_json(finished / "results" / f"{protocol}.json")
        for title, scores in {RAW: result.baselines[RAW], PRETRAINED: result.scores}.items():
            cells = rows(reader, title)[number][1:]
            assert len(cells) == len(scores)
            for cell, score in zip(cells, scores.values(), strict=True):
                assert cell.split()[0] == f"{score.value:.1f}"
                assert score.interval is not None
                assert "{:.1f}–{:.1f}".format(*score.interval) in cell


def test_the_header_says_the_first_figure_and_what_it_is_held_against(
    whole: tuple[str, Reader], finished: Path
) -> None:
    text, _ = whole
    result = Result.from_json(finished / "results" / "linear.json")
    header = text.partition("<header>")[2].partition("</header>")[0]
    assert f"<strong>{result.scores['logistic'].value:.1f}\u00a0%</strong>" in header
    assert f"{result.baselines[RAW]['logistic'].value:.1f}\u00a0% from raw coordinates" in header


def test_settings_are_told_in_words() -> None:
    settings = {"lr": 3.0, "init_std": None, "windows": {"kind": "tokens", "frames": 64}}
    assert _worded(settings) == "lr 3.0, windows (kind tokens, frames 64)"


def test_confused_classes_are_those_of_the_matrix(whole: tuple[str, Reader], finished: Path) -> None:
    text, _ = whole
    result = Result.from_json(finished / "results" / "linear.json")
    cells = [
        (row, column, clips)
        for row, counts in enumerate(result.confusion_matrix)
        for column, clips in enumerate(counts)
        if clips
    ]
    for row, column, clips in cells:
        total = sum(result.confusion_matrix[row])
        true, taken = result.class_names[row], result.class_names[column]
        share = f"({100 * clips / total:.0f} %)"
        said = (
            f"{true}: {clips} of {total} recognised {share}"
            if row == column
            else f"{true} → {taken}: {clips} of {total} {share}"
        )
        assert f"<title>{escape(said, quote=False)}</title>" in text


def test_the_map_holds_every_test_clip_and_says_which_neighbours_are_wrong(
    whole: tuple[str, Reader], finished: Path, gestures: Path
) -> None:
    _, reader = whole
    (told,) = (each for each in reader.data if isinstance(each, dict) and "points" in each)
    store = ClipStore(gestures)
    test = store.index["subject"] == "2"
    test |= store.index["subject"] == "4"
    assert [point["name"] for point in told["points"]] == store.names[test].tolist()
    assert [point["class"] for point in told["points"]] == store.labels[test].tolist()
    assert all(0 <= point[axis] <= 1 for point in told["points"] for axis in "xy")
    right = sum(point["near"] is None for point in told["points"])
    knn_result = Result.from_json(finished / "results" / "knn.json")
    assert 100 * right / len(told["points"]) == pytest.approx(knn_result.scores["knn"].value)


def test_neighbours_are_shown_as_they_were_found(whole: tuple[str, Reader]) -> None:
    text, reader = whole
    assert len([each for each in reader.players if str(each["id"]).startswith("near-")]) == 12 * 5
    assert text.count("✓ same class") + text.count("✗ another class") == 12 * 4
    assert text.count(": missed</h4>") <= 6
    assert text.count(": missed</h4>") + text.count(": found</h4>") == 12


def test_what_strangers_call_their_classes_stays_text(whole: tuple[str, Reader]) -> None:
    text, reader = whole  # of which one class and all clips have such names
    assert "<script>alert" not in text
    assert "<clip" not in text
    assert any(HOSTILE in word for word in reader.words)


def test_a_store_that_has_moved_is_asked_for_and_found_again(
    run: Path, gestures: Path, tmp_path: Path
) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(gestures), str(tmp_path / "gone")))
    text, reader = made(run)
    assert "is not there any more; pass --store" in text
    assert reader.players == []
    assert rows(reader, RAW)
    _, reader = made(run, store=gestures)
    assert len(reader.players) == 1 + 12 * 5


def test_clips_are_shown_only_of_the_store_that_was_measured(
    run: Path, gestures: Path, tmp_path: Path
) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(gestures), str(tmp_path / "gone")))
    other = Path(shutil.copytree(gestures, tmp_path / "other"))
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "ab" * 32}))
    text, reader = made(run, store=other)
    assert "the clips of gestures, as they were measured, are not here; pass --store" in text
    assert reader.players == []


def test_recordings_that_are_not_here_are_asked_for(run: Path, tmp_path: Path) -> None:
    write_detections(run, write_recordings(tmp_path / "recordings"))
    text, reader = made(run)
    assert "the clips of recordings, as they were measured, are not here; pass --store" in text
    assert len(reader.players) == 1 + 12 * 5


def test_without_results_the_page_shows_training_and_says_what_makes_them(run: Path) -> None:
    shutil.rmtree(run / "results")
    text, reader = made(run)
    assert f"kineme evaluate linear {run}" in text
    assert sum('class="chart"' in part for part in text.split("<figure")) >= 4
    assert len(reader.players) == 1 + 12 * 5  # of the run's own split


def test_results_that_cannot_be_read_are_named_and_left_out(run: Path) -> None:
    (run / "results" / "linear.json").write_text('{"unit": "per cent"}')
    (run / "results" / "knn.npz").write_bytes(b"no archive")
    data = json.loads((run / "results" / "knn.json").read_text())
    (run / "results" / "semi.json").write_text(json.dumps({**data, "class_names": ["rise"]}))
    text, reader = made(run)
    assert "semi.json: is no whole result (no scores, or no matrix of 1 classes)" in text
    assert "linear.json: cannot be read as a result" in text
    assert "knn.npz: cannot be read as predictions" in text
    assert len(rows(reader, PRETRAINED)) == 1


def test_a_result_of_earlier_weights_is_marked(run: Path) -> None:
    path = run / "results" / "knn.json"
    weights = json.loads(path.read_text())["weights"]
    path.write_text(path.read_text().replace(weights, "0" * 64))
    assert "knn.json was measured on other weights than first holds now" in made(run)[0]


def test_a_run_without_history_or_weights_still_makes_a_page(run: Path) -> None:
    (run / "history.csv").unlink()
    (run / "model.safetensors").unlink()
    text, _ = made(run)
    assert "first has no training history here" in text
    assert "first has no weights yet" in text


def test_runs_on_equal_terms_share_a_table_and_their_difference_is_told(
    run: Path, finished: Path, tmp_path: Path
) -> None:
    second = Path(shutil.copytree(finished, tmp_path / "second"))
    _, reader = made(run, second)
    linear = [table for table in reader.tables if "Logistic" in "".join(table[0])]
    assert [row[0].split() for row in linear[0][1:]] == [
        ["raw", "coordinates"],
        ["random", "encoder"],
        ["pre-trained", "encoder", "first"],
        ["pre-trained", "encoder", "second"],
    ]
    words = "".join(reader.words)
    assert "Logistic, second against first: +0.0 points (+0.0 to +0.0): no clear difference" in words
    assert "Not on equal terms" not in words


def test_runs_on_other_terms_stand_apart(run: Path, finished: Path, tmp_path: Path) -> None:
    second = Path(shutil.copytree(finished, tmp_path / "second"))
    shutil.rmtree(second / "results")
    knn(second, split="subjects:1", device="cpu")
    config = second / "config.yaml"
    config.write_text(config.read_text().replace("odd-even", "subjects:1"))
    text, reader = made(run, second)
    assert "the runs differ in split" in text
    assert rows(reader, "split")[0][0].split() == ["split", "≠"]
    assert len([table for table in reader.tables if "kNN" in "".join(table[0])]) == 2


def test_equal_names_are_told_apart_and_a_run_is_given_once(run: Path, finished: Path) -> None:
    _, reader = made(run, finished)
    assert f"{run}: aimclr, stgcn, joint" in "".join(reader.words)
    with pytest.raises(KinemeError, match="is named twice"):
        report([run, run / "model.safetensors"], out=run / "page.html")


def test_detections_are_drawn_over_their_recordings(run: Path, tmp_path: Path) -> None:
    store = write_recordings(tmp_path / "recordings")
    result = write_detections(run, store)
    text, reader = made(run, store=store)
    precision = result.scores["mAP_a@0.5 (PKU-MMD)"]
    assert precision.interval is not None
    (table,) = (table for table in reader.tables if "mAP_a@0.5 (PKU-MMD) " in table[0])
    shown = dict(zip(map(str.strip, table[0]), table[1], strict=True))["mAP_a@0.5 (PKU-MMD)"].split()
    assert shown[0] == f"{precision.value:.1f}"
    assert shown[1] == "{:.1f}–{:.1f}".format(*precision.interval)
    players = [str(each["id"]) for each in reader.players if str(each["id"]).startswith("player")]
    assert players == ["player-0-0-0", "player-0-0-1"]
    bands = re.findall(r'data-start="(\d+)" data-end="(\d+)" title="([^,]*),', text)
    hostile = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; co"
    first = [("10", "40", "wave"), ("60", "90", hostile)]
    late = [("15", "40", "wave"), ("65", "90", hostile)]
    # Of the second recording the last proposal is too unsure to be drawn.
    assert bands == [*first, *late, *late, *first, *late[:1], *late]
    assert "<script>alert" not in text


def test_the_nearest_neighbour_of_the_page_is_that_of_the_protocol(finished: Path, gestures: Path) -> None:
    (run,) = read_runs([finished])
    seen = examine(run, (), "cpu")
    assert [seen.store.names[row] for row in seen.test] == ClipStore(gestures).names[seen.test].tolist()
    train = extract(load_run(finished), seen.store, seen.train, device="cpu")
    predicted = nearest_label(train, seen.store.labels[seen.train], seen.features)
    np.testing.assert_array_equal(predicted == seen.labels, seen.right)
