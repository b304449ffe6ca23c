"""`kineme search`, as it is typed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.__main__ import main
from kineme.clips.store import Clip
from kineme.commands.search import _show
from kineme.inference import search
from kineme.inference.searching.hits import Hit
from kineme.loading import load_run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a run and a store of four clips of 4 s."""
    model(tmp_path / "run")
    names = ["walk", "wave", "bow", "odd[1:2]"]
    write(tmp_path / "mine", [Clip(name, motion(40, seed), label=1) for seed, name in enumerate(names)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["search", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_hits_on_the_terminal_and_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "search",
        "run",
        "mine",
        "--like",
        "walk[1s:3s]",
        "--step",
        "0.3s",
        "--k",
        "4",
        "--out",
        "hits.csv",
    ]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "similar to walk[1s:3s]" in shown
    assert "label" in shown
    assert "subject" not in shown  # nobody says who moves
    with (folder / "hits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    hits = search(load_run("run"), "mine", "walk", part=(1, 3), step=0.3, k=4)
    assert [(row["name"], float(row["start"]), row["label"]) for row in rows] == [
        (hit.name, hit.start, "swing") for hit in hits
    ]
    for hit in hits:
        assert f"{hit.similarity:.3f}" in shown


def test_a_clip_whose_name_ends_like_a_part(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "run", "mine", "--like", "odd[1:2]"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("4.00 s") == 3
    assert shown.count("odd[1:2]") == 1  # the title


def test_hits_on_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "run", "mine", "--like", "walk[1s:3s]", "--k", "2", "--page", "deep/like.html"]
    assert main(words) == 0
    assert "written to deep/like.html" in capsys.readouterr().err
    text = (folder / "deep" / "like.html").read_text(encoding="utf-8")
    hits = search(load_run("run"), "mine", "walk", part=(1, 3), k=2)
    assert text.count("<figure") == 3
    assert [text.index(f"similarity {hit.similarity:.3f}") for hit in hits]


def test_approximate_search_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faiss")
    words = ["search", "run", "mine", "--like", "walk"]
    assert main(words) == 0
    exact = capsys.readouterr().out
    assert not list(folder.glob("mine.index/*.faiss"))
    assert main([*words, "--neighbours", "approximate"]) == 0
    captured = capsys.readouterr()
    assert captured.out == exact
    assert "of the ten nearest, measured within the library" in captured.err
    assert len(list(folder.glob("mine.index/*.faiss"))) == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run", "mine"], "missing: --like"),
        (["run", "mine", "--like", "jump"], "mine: has no clip 'jump', and there is no such file"),
        (
            ["run", "mine", "--like", "walk[3]"],
            "--like: walk[3] has no part; write start and end, such as walk[2s:4s]",
        ),
        (["run", "mine", "--like", "walk[1x:2s]"], "--like: 1x is not a time"),
        (["run", "mine", "--like", "walk[1s:9s]"], "walk: has no part from 1 s to 9 s; it lasts 4 s"),
        (["run", "mine", "--like", "walk", "--window", "2x"], "--window: 2x is not a time"),
        (["run", "mine", "--like", "walk", "--k", "0"], "--k: is 0; it must be at least 1"),
        (["run", "mine", "--like", "walk", "--page", "page.png"], "--page: page.png is not a page name"),
        (
            ["run", "mine", "--like", "walk", "--neighbours", "some"],
            "--neighbours is some; it must be one of auto, exact, approximate",
        ),
        (["run", "mine", "--like", "walk", "--fps", "30"], "--fps has no effect on walk, a clip of mine"),
        (
            ["run", "mine", "--like", "new.csv[0s:1s]", "--out", "new.csv"],
            "new.csv: is an input too; write elsewhere with --out",
        ),
        (["run", "nowhere", "--like", "walk"], "nowhere: no such clip store"),
    ],
)
def test_mistakes_earn_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    before = {path.name for path in folder.iterdir()}
    assert line in refused(capsys, *words)
    assert {path.name for path in folder.iterdir()} == before


def test_names_are_text_and_not_markup(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--like", "walk", "--k", "1", "--page", "like [b] my walk.html"]
    assert main(["search", "run", "mine", *words]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "written to like [b] my walk.html"
    assert (folder / "like [b] my walk.html").is_file()


def test_no_example_is_not_the_current_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "mine: has no clip '', and there is no such file" in refused(capsys, "run", "mine", "--like", "")


def test_an_example_that_cannot_be_read_cannot_be_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unlike recordings among others: `search` has no option --skip-bad."""
    (folder / "stick.yaml").write_text("name: stick\njoints: [hip, neck, hand]\nparents: [null, hip, neck]\n")
    np.save(folder / "millimetres.npy", 1000 * motion(40, 0))
    told = ["--layout", "stick.yaml", "--fps", "10", "--axes", "y-up"]
    error = refused(capsys, "run", "mine", "--like", "millimetres.npy", *told)
    assert error.endswith("metres tall; set --units to mm\n")


def test_a_run_among_the_inputs_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "run", "run"]) == 2
    told = "kineme embed: error: run: is a run directory; name a clip store or recordings\n"
    assert capsys.readouterr().err == told


def test_a_closed_pipe_loses_no_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed comes last."""

    def closed(*given: object, **options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("rich.console.Console.print", closed)
    monkeypatch.setattr("os.dup2", lambda one, other: None)
    assert main(["search", "run", "mine", "--like", "walk", "--out", "hits.csv"]) == 1
    assert (folder / "hits.csv").is_file()
    assert main(["cluster", "run", "mine", "--k", "2", "--out", "kinds.csv"]) == 1
    assert (folder / "kinds.csv").is_file()
    assert (folder / "kinds.html").is_file()


def test_names_and_labels_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    _show([Hit(0.9, "[b]walk", 0.0, 1.0, "[i]anna", "[red]go")], "[u]walk")
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("similar to [u]walk", "[b]walk", "[i]anna", "[red]go"))
