"""The table of labels: whole at every change, shared by windows and programs, and never at a loss."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Thread

import pytest

from kineme.errors import KinemeError
from kineme.explore.labels import Labels, Part
from kineme.inference import read_examples

SECONDS = {"walk": 4.0, "turn": 2.5, "fall": 1.0}
WALK, TURN, FALL = (Part(name, 0, round(1000 * length)) for name, length in SECONDS.items())


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return Labels(tmp_path / "mine.csv", SECONDS)


def test_the_table_is_one_that_teach_reads(labels: Labels) -> None:
    labels.set(1, {WALK: "going", Part("turn", 500, 1250): "turning"})
    assert labels.path.read_text() == "name,label,start,end\nwalk,going,,\nturn,turning,0.500,1.250\n"
    first, second = read_examples(labels.path)[0]
    assert (first.motion, first.label, first.start) == ("walk", "going", None)
    assert (second.start, second.end) == (0.5, 1.25)


def test_a_table_that_is_there_is_taken_up_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,guess,label,subject\nwalk,x,going,anna\nother.csv,y,going,\nturn,z,,\n")
    labels = Labels(path, SECONDS)
    assert labels.parts() == {WALK: "going"}
    labels.set(1, {TURN: "turning", FALL: "going"})
    assert path.read_text().splitlines() == [
        "name,guess,label,subject,start,end",
        "walk,x,going,anna,,",
        "other.csv,y,going,,,",
        "turn,z,turning,,,",
        "fall,,going,,,",
    ]
    labels.undo(1)
    assert labels.parts() == {WALK: "going"}
    assert "turn,z,,,," in path.read_text()


def test_columns_of_others_are_kept_whatever_they_are_called(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("Name,label,Start,end,Note,,\nwalk,,,,a,b,c\n")
    labels = Labels(path, SECONDS)
    labels.set(1, {WALK: "going"})
    assert path.read_text() == "Name,label,Start,end,Note,,\nwalk,going,,,a,b,c\n"
    labels.set(1, {WALK: None})
    path.write_text("name,label,note\nturn,turning,d\n")
    labels.undo(1)
    assert labels.parts() == {TURN: "turning", WALK: "going"}


def test_a_table_with_semicolons_keeps_them_and_its_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name;label;start;end\nwalk.c3d;going;0,5;1,25\n", encoding="utf-8-sig")
    labels = Labels(path, SECONDS)
    assert labels.parts() == {Part("walk", 500, 1250): "going"}
    labels.set(1, {TURN: "turning, slowly"})
    after = path.read_text(encoding="utf-8-sig")
    assert after == "name;label;start;end\nwalk.c3d;going;0,5;1,25\nturn;turning, slowly;;\n"


@pytest.mark.parametrize(
    ("before", "after"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-8-sig")]
)
def test_a_table_stays_one_that_its_spreadsheet_reads(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,label\nwalk,grüßen\n", encoding=before)
    Labels(path, SECONDS).set(1, {TURN: "wenden"})
    assert path.read_bytes() == "name,label,start,end\nwalk,grüßen,,\nturn,wenden,,\n".encode(after)


def test_a_whole_recording_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,label,start,end\nwalk,going,0,4.0\n")
    labels = Labels(path, SECONDS)
    labels.set(1, {WALK: "standing"})
    assert labels.parts() == {WALK: "standing"}


def test_times_are_to_the_millisecond(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,label,start,end\nwalk,going,1.001,2.9996\n")
    assert Labels(path, SECONDS).parts() == {Part("walk", 1001, 3000): "going"}


def test_of_a_part_that_is_listed_twice_the_last_row_counts(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,label,start,end\nwalk,going,0,4\nwalk,standing,,\n")
    assert Labels(path, SECONDS).parts() == {WALK: "standing"}


def test_a_recording_in_a_folder_may_be_named_with_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,label\nmonday/walk.c3d,going\n")
    labels = Labels(path, {"monday/walk": 4.0, "walk": 2.0})
    assert labels.parts() == {Part("monday/walk", 0, 4000): "going"}


def test_a_class_is_spelt_as_it_was_first(labels: Labels) -> None:
    labels.set(1, {WALK: "Going"})
    labels.set(1, {TURN: " going ", FALL: "GOING"})
    assert set(labels.parts().values()) == {"Going"}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "a\0"])
def test_what_is_no_name_is_refused(labels: Labels, name: str) -> None:
    with pytest.raises(KinemeError, match="a label is a name of 1 to 200 characters"):
        labels.set(1, {WALK: name})
    assert not labels.path.exists()


def test_a_stretch_whose_edge_moves_keeps_its_place(labels: Labels) -> None:
    labels.set(1, {Part("walk", 0, 1000): "going", Part("walk", 2000, 3000): "standing"})
    labels.set(1, {Part("walk", 0, 1000): None, Part("walk", 0, 1500): "going"})
    assert list(labels.parts().items()) == [
        (Part("walk", 0, 1500), "going"),
        (Part("walk", 2000, 3000), "standing"),
    ]
    labels.undo(1)
    assert list(labels.parts()) == [Part("walk", 0, 1000), Part("walk", 2000, 3000)]


def test_undo_takes_back_what_the_same_window_did(labels: Labels) -> None:
    labels.set(1, {WALK: "going"})
    labels.set(2, {TURN: "turning"})
    labels.set(1, {WALK: None, FALL: "falling"})
    assert labels.undo(2)
    assert labels.parts() == {FALL: "falling"}
    assert labels.undo(1)
    assert labels.parts() == {WALK: "going"}
    assert labels.undo(1)
    assert not labels.undo(1)
    assert labels.parts() == {}


def test_undo_leaves_what_another_window_has_changed_since(labels: Labels) -> None:
    labels.set(1, {WALK: "going", TURN: "going"})
    labels.set(2, {WALK: "standing"})
    labels.undo(1)
    assert labels.parts() == {WALK: "standing"}


def test_a_change_that_could_not_be_taken_back_can_be_later(labels: Labels) -> None:
    labels.set(1, {WALK: "going"})
    labels.set(1, {TURN: "turning"})
    kept = labels.path.read_text()
    labels.path.write_text(f"{kept}half a line\n")
    with pytest.raises(KinemeError, match="line 4: has 1 columns"):
        labels.undo(1)
    labels.path.write_text(kept)
    labels.undo(1)
    assert labels.parts() == {WALK: "going"}


def test_windows_and_programs_at_once_lose_no_label(tmp_path: Path) -> None:
    seconds = {f"clip{i}": 1.0 for i in range(60)}
    programs = [Labels(tmp_path / "mine.csv", seconds) for _ in range(2)]  # each with a lock of its own

    def work(number: int) -> None:
        for i in range(number, 60, 6):
            programs[number % 2].set(number, {Part(f"clip{i}", 0, 1000): f"class {number}"})

    threads = [Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {Part(f"clip{i}", 0, 1000): f"class {i % 6}" for i in range(60)}
    assert programs[0].parts() == programs[1].parts() == expected


@pytest.mark.parametrize("after", [1, 7, 30])
def test_a_kill_at_any_moment_loses_no_label_that_was_answered(tmp_path: Path, after: int) -> None:
    path, (hears, says) = tmp_path / "mine.csv", os.pipe()
    seconds = {f"clip{i}": 1.0 for i in range(1000)}
    child = os.fork()
    if child == 0:
        try:
            labels = Labels(path, seconds)
            for i in range(1000):
                labels.set(1, {Part(f"clip{i}", 0, 1000): "seen"})
                os.write(says, b".")
        finally:
            os._exit(1)
    os.close(says)
    answered = 0
    while answered < after:
        answered += len(os.read(hears, 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(hears, 4096):
        answered += len(more)
    os.close(hears)
    found = Labels(path, seconds).parts()
    assert answered <= len(found) <= answered + 1
    assert all(Part(f"clip{i}", 0, 1000) in found for i in range(answered))


def test_a_malformed_table_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,label\nwalk,going\nturn\n")
    with pytest.raises(KinemeError, match=r"mine\.csv, line 3: has 1 columns, and the first line 2"):
        Labels(path, SECONDS)
