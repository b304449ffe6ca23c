"""Runs without labels: a page from one clip to many, and what went wrong is said at its head."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import STICK, Settings
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.evaluation.results import Result
from kineme.preprocessing import get_preprocessing
from kineme.report.embedding import colourings_of
from kineme.report.examined import Examined, examine
from kineme.report.notes import notes_of
from kineme.report.runs import read_runs
from kineme.training.history import read_history, write_history
from kineme.training.run import train

from .pages import made


def recorded(path: Path, clips: int, *, frames: int = 9, still: bool = False, people: int = 2) -> Path:
    """Clips without labels in which a hand moves one of two ways."""
    rng = np.random.default_rng(0)
    with StoreWriter(path, Manifest(STICK, get_preprocessing("plain"), "test"), 1) as writer:
        for i in range(clips):
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (frames, 1, 1, 1)).astype(np.float32)
            if not still:
                xyz[:, 0, 2, i % 2] += np.linspace(0, 1, frames)
                xyz[:, 0] += 0.02 * rng.standard_normal((frames, 3, 3))
            writer.add(Clip(f"clip{i:02}", xyz, subject=f"person {1 + i % people}"))
    return path


def trained(tmp_path: Path, store: Path, **changes: object) -> Path:
    config = Settings(store)(**{"train_epochs": 2, "train_batch_size": 2, **changes})
    train(config, tmp_path / "run")
    return tmp_path / "run"


def opened(run: Path) -> Examined:
    return examine(read_runs([run])[0], (), "cpu")


def test_clips_without_labels_are_shown_beside_each_other(tmp_path: Path) -> None:
    store = recorded(tmp_path / "store", 30)
    run = trained(tmp_path, store, train_epochs=6, train_batch_size=8)
    seen = opened(run)
    assert not seen.divided
    assert (seen.neighbours != seen.test[:, None]).all()
    alike = np.equal(seen.neighbours[:, 0] % 2, seen.test % 2)
    assert alike.mean() > 0.9
    assert not seen.right.any()  # neither has a class
    text, reader = made(run)
    assert "No labels to evaluate with on these 30 clips; map and neighbours show similar motions." in text
    assert "Map of the clips" in text
    assert "run has no results: its clips have no labels" in text
    assert "kineme evaluate" not in text
    assert f"kineme cluster {run} {store}" in text
    assert reader.rows("raw coordinates") == []
    assert "✓" not in "".join(reader.words)


def test_the_map_is_coloured_by_what_tells_clips_apart(tmp_path: Path) -> None:
    seen = opened(trained(tmp_path, recorded(tmp_path / "store", 12, people=3)))
    (people,) = colourings_of(seen, np.arange(12))
    assert (people.title, people.names) == ("person", ["person 1", "person 2", "person 3"])
    assert people.groups == [i % 3 for i in range(12)]
    kinds, people = colourings_of(seen, np.arange(12), np.array([1, 2, 0] * 4))
    assert (kinds.names, kinds.groups) == (["kind 1", "kind 2", "in no kind"], [0, 1, 2] * 4)


@pytest.mark.parametrize("clips", [2, 5])
@pytest.mark.parametrize("still", [False, True])
def test_few_clips_or_constant_ones_make_a_page(tmp_path: Path, clips: int, still: bool) -> None:
    text, reader = made(trained(tmp_path, recorded(tmp_path / "store", clips, still=still)))
    assert f"these {clips} clips" in text
    if still:
        assert f"All {clips} clips have the same feature: the clips themselves are all the same" in text
    elif clips < 5:
        assert f"{clips} clips are too few for a map." in text
    else:
        assert "<canvas tabindex" in text
    assert len([each for each in reader.players if str(each["id"]).startswith("near-")]) == clips * min(
        5, clips
    )


def test_a_single_recording_is_shown_by_its_windows(tmp_path: Path) -> None:
    run = trained(tmp_path, recorded(tmp_path / "store", 1, frames=90, people=1), data_window=30)
    seen = opened(run)
    assert [seen.name(clip) for clip in seen.test[:2].tolist()] == [
        "clip00[0.00s:1.00s]",
        "clip00[0.50s:1.50s]",
    ]
    assert (seen.test == np.arange(5)).all()
    np.testing.assert_array_equal(seen._xyz(1), ClipStore(tmp_path / "store").clip(0)[15:45])
    assert "No labels to evaluate with on these 5 windows" in made(run)[0]


def test_one_clip_has_no_neighbours(tmp_path: Path) -> None:
    run = trained(tmp_path, recorded(tmp_path / "store", 4))
    text, _ = made(run, store=recorded(tmp_path / "one", 1))
    assert "1 clip is too few for a map." in text
    assert "one has a single clip, and so no neighbours." in text


def test_a_store_that_is_gone_is_said(tmp_path: Path) -> None:
    run = trained(tmp_path, recorded(tmp_path / "store", 4))
    shutil.rmtree(tmp_path / "store")
    text, _ = made(run)
    assert (
        f"the clip store of run, {tmp_path / 'store'}, no longer exists; name the store of its clips" in text
    )


def said(run: Path) -> list[str]:
    (read,) = read_runs([run])
    return list(notes_of(read, "not looked at"))


def test_what_the_terminal_said_is_at_the_head_of_the_page(run: Path) -> None:
    assert said(run) == []
    rows = read_history(run / "history.csv")
    write_history(run / "history.csv", rows[:2])
    assert said(run) == [
        f"Training has not finished: 2 of 3 epochs. To continue: kineme pretrain --resume {run}"
    ]
    flat = {"feature_rank": 1.5, "feature_std": 1e-5}
    write_history(run / "history.csv", [*rows[:2], rows[2] | flat])
    (line,) = said(run)
    assert line.startswith("The embedding has collapsed: sampled clips have nearly the same feature")


def test_test_clips_that_were_seen_are_said_beside_the_headline(run: Path) -> None:
    path = run / "results" / "knn.json"
    path.write_text(replace(Result.from_json(path), seen_clips=24).to_json())
    assert said(run) == [
        "knn.json: 24 of 24 test clips were seen in pre-training, so its figures are too high."
    ]
    text, _ = made(run)
    assert text.index("were seen in pre-training") < text.index("What was trained</a>")
