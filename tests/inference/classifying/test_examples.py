"""Examples and their table: every mistake earns one line that says where."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write

from conftest import STICK
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference.classifying import examples as classifying
from kineme.inference.classifying.examples import Example, find_examples, read_examples
from kineme.inference.recordings import Recordings, open_input
from kineme.model import Model
from kineme.preprocessing import get_preprocessing
from kineme.sources.reading import Reading


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """Clips of 4 s at 10 frames per second."""
    clips = [
        Clip(name, motion(40, seed), subject="anna") for seed, name in enumerate(["walk", "wave", "bow"])
    ]
    return write(tmp_path / "mine", clips)


def table(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def pose_file(path: Path, frames: int = 30) -> Path:
    """A CSV of poses of the stick."""
    columns = [f"{joint}_{axis}" for joint in STICK.joints for axis in "xyz"]
    rows = motion(frames, 5)[:, 0].reshape(frames, -1)
    lines = [",".join(columns), *(",".join(f"{value:.6f}" for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_clips_parts_and_files(own: Model, store: ClipStore, tmp_path: Path) -> None:
    layout = tmp_path / "stick.yaml"
    layout.write_text("name: stick\njoints: [hip, neck, hand]\nparents: [null, hip, neck]\n")
    pose_file(tmp_path / "new.csv")
    path = table(
        tmp_path,
        "label,name,end,start,note\nGo, walk ,,,first\ngreet,wave,3,1.5,\n\n,bow,,,\ngreet,new.csv,0.5,,\n",
    )
    examples, empty = read_examples(path)
    assert empty == 1
    assert [each.where for each in examples] == [f"{path}, line {line}" for line in (2, 3, 6)]
    walk, wave, new = find_examples(own, examples, store, Reading(layout=str(layout)))
    np.testing.assert_array_equal(walk.xyz, store.clip(0))
    np.testing.assert_array_equal(wave.xyz, store.clip(1)[15:30])
    assert (wave.label, wave.subject, wave.name, wave.start, wave.end) == ("greet", "anna", "wave", 1.5, 3.0)
    np.testing.assert_array_equal(wave.around, store.clip(1)[10:35])  # 30 % more before and after
    assert (wave.before, wave.frames) == (5, 15)
    assert (walk.before, walk.frames, len(walk.around)) == (0, 40, 40)
    assert (new.before, new.frames, len(new.around)) == (0, 15, 20)
    assert (new.xyz.shape, new.start, new.end) == ((15, 2, 3, 3), 0.0, 0.5)  # at 30 frames per second


def test_a_clip_is_found_however_another_system_spells_it(own: Model, tmp_path: Path) -> None:
    """macOS takes letters such as ö apart, Windows writes backslashes between folders."""
    store = write(tmp_path / "mine", [Clip("Größe/Jörg 1", motion(40, 0)), Clip("Größe/b", motion(40, 1))])
    name = unicodedata.normalize("NFD", "Größe\\Jörg 1.csv")
    (found,) = find_examples(own, [Example(name, "wave")], store, Reading())
    assert found.name == "Größe/Jörg 1"
    assert [store.row(spelt) for spelt in (unicodedata.normalize("NFD", found.name), "Größe\\b", "b")] == [
        0,
        1,
        None,
    ]


def test_a_file_is_read_once_for_parts_that_follow_one_another(
    own: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[Path] = []

    def opened(model: Model, file: Path, reading: Reading) -> Recordings:
        files.append(file)
        return open_input(model, file, reading)

    monkeypatch.setattr(classifying, "open_input", opened)
    paths = [pose_file(tmp_path / name) for name in ("a.csv", "b.csv")]
    parts = [(0, 0.2), (0.2, 0.5), (0.5, 1.0)]
    examples = [Example(path, "go", start, end) for path in paths for start, end in parts]
    found = find_examples(own, examples, None, Reading(layout=STICK))
    assert files == paths
    assert [len(each.xyz) for each in found] == [6, 9, 15] * 2
    assert all(each.around.base is None for each in found)  # or all recordings stayed in memory


def test_arrays_need_no_store(own: Model) -> None:
    array = motion(60, 0)[:, 0]
    (found,) = find_examples(own, [Example(array, "go", start=1.0, subject="ben")], None, Reading())
    assert (len(found.xyz), found.start, found.end, found.subject) == (30, 1.0, 2.0, "ben")
    np.testing.assert_allclose(found.xyz, own.clips(array).frames[30:], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "labels.csv: has no column 'name'; its first line is empty; expected name,label"),
        ("Datei;label\na;wave\n", "no column 'name'; its columns are Datei, label; expected name,label"),
        ("clip,label\n", "has no column 'name'"),
        ("name,labels\n", "has no column 'label'; did you mean labels?"),
        ("name,label,strat\n", "column 'strat' is unknown; did you mean start?"),
        ("name,label,from,to\n", "column 'from' is unknown; if it tells when, call it start, in seconds"),
        ("name,label,start,Stop\n", "column 'stop' is unknown; if it tells when, call it end, in seconds"),
        (
            "name,label,end_frame\n",
            "column 'end_frame' is unknown; if it tells when, call it end, in seconds",
        ),
        ("name,label,label\n", "has two columns 'label'"),
        ("name,label\nwalk,go,1\n", "labels.csv, line 2: has 3 columns, and the first line 2"),
        ("name,label\n,go\n", "labels.csv, line 2: names no clip"),
        ("name,label,start\nwalk,go,\nwave,go,1s\n", "line 3: start is '1s'; write seconds, such as 2.5"),
        ("name,label,end\nwalk,go,nan\n", "line 2: end is 'nan'"),
        ("name,label,start\nwalk,go,-1\n", "line 2: start is '-1'"),
        ("name,label,start\nwalk,,1s\n", "line 2: start is '1s'"),
        ('name,label,start\nwalk,go,"1,5"\n', "line 2: start is '1,5'"),  # or fifteen hundred?
        ('name,label\n"walk,go\n', "labels.csv: is not a table of text (unexpected end of data); save it"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(KinemeError) as caught:
        read_examples(table(tmp_path, text))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("apart", [";", "\t"])
def test_a_table_as_a_spreadsheet_saves_it_where_decimals_have_commas(
    own: Model, store: ClipStore, tmp_path: Path, mark: str, apart: str
) -> None:
    rows = [["Name", "Label", "Start", "End", "Note"], ["walk.c3d", "geht", "0,5", "2,25", ""]]
    path = tmp_path / "Versuche.csv"
    path.write_bytes("\r\n".join(apart.join(row) for row in rows).encode(mark))
    ((example,), empty) = read_examples(path)
    assert (example.label, example.start, example.end, empty) == ("geht", 0.5, 2.25, 0)
    (walk,) = find_examples(own, [example], store, Reading())
    np.testing.assert_array_equal(walk.xyz, store.clip(0)[5:23])  # 2.25 s is in the middle of a frame
    assert walk.name == "walk"  # and not the file that was prepared


def test_no_table_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"none\.csv: cannot be read"):
        read_examples(tmp_path / "none.csv")
    (tmp_path / "labels.csv").write_bytes(b"name,label\n\xff\xfe,go\n")
    with pytest.raises(KinemeError, match=r"is not a table of text .*; save it in UTF-8"):
        read_examples(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            "wlak,go,,",
            "line 2: {store} has no clip 'wlak', and there is no file {folder}/wlak; did you mean walk?",
        ),
        ("walk,go,3,9", "line 2: walk has no part from 3 s to 9 s; it lasts 4.000 s"),
        ("walk,go,3,2", "line 2: walk has no part from 3 s to 2 s"),
        ("walk,go,4,", "line 2: walk has no part from 4 s to 4 s"),
        ("walk,go,,\nwave,Go,,", "line 3: label 'Go' was 'go' before; use the same spelling"),
        ("walk,g\to,,", "line 2: label: the name 'g\\to' has characters that act instead of being shown"),
        ("walk,go,1,2\nwalk,stop,1,2", "line 3: walk is labelled already, by {folder}/labels.csv, line 2"),
        ("empty.csv,go,,", "line 2: "),
        ("two.npz,go,,", "line 2: "),
    ],
)
def test_an_example_that_is_not_there_is_refused(
    own: Model, store: ClipStore, tmp_path: Path, rows: str, reason: str
) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "two.npz").write_bytes(b"nothing")
    path = table(tmp_path, f"name,label,start,end\n{rows}\n")
    with pytest.raises(KinemeError) as caught:
        find_examples(own, read_examples(path)[0], store, Reading())
    assert reason.format(store=store.path, folder=tmp_path) in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_without_a_store_a_clip_cannot_be_named(own: Model) -> None:
    with pytest.raises(KinemeError, match=r"example 1: there is no file walk; .* pass its `store`"):
        find_examples(own, [Example("walk", "go")], None, Reading())


def test_parts_need_a_preprocessing_that_keeps_frames(tmp_path: Path) -> None:
    moved = get_preprocessing("agcn")
    own = model(tmp_path / "run", preprocessing=moved)
    store = write(tmp_path / "mine", [Clip("walk", motion(40, 0))], preprocessing=moved)
    assert len(find_examples(own, [Example("walk", "go")], store, Reading())[0].xyz) == 40
    with pytest.raises(KinemeError, match="example 1: preprocessing agcn moves frames"):
        find_examples(own, [Example("walk", "go", end=2.0)], store, Reading())
