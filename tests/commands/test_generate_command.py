"""`kineme generate` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kineme.__main__ import main
from kineme.clips.store import ClipStore


def test_the_chosen_cameras_and_actions_are_generated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--subjects", "2", "--repetitions", "1", "--cameras", "1", "3", "--actions", "bow", "sit down"]
    assert main(["generate", str(tmp_path / "toy"), *words]) == 0
    store = ClipStore(tmp_path / "toy")
    assert len(store) == 2 * 2 * 2
    assert store.manifest.class_names == ("bow", "sit down")
    assert set(store.index["camera"].tolist()) == {1, 3}
    counts = f"8 clips, {len(store.frames):,} frames, 2 classes"
    assert capsys.readouterr().out == f"{tmp_path / 'toy'}: {counts}, preprocessing plain\n"


def test_untrimmed_recordings_of_a_chosen_length(tmp_path: Path) -> None:
    words = ["--subjects", "1", "--repetitions", "1", "--untrimmed", "--seconds", "16"]
    assert main(["generate", str(tmp_path / "long"), *words]) == 0
    store = ClipStore(tmp_path / "long")
    assert store.index["frames"].tolist() == [480] * 3
    assert store.labels.tolist() == [-1] * 3


def test_each_seed_is_motion_of_its_own(tmp_path: Path) -> None:
    words = ["--subjects", "1", "--repetitions", "1", "--cameras", "1", "--actions", "bow"]
    prints = []
    for name, seed in (("a", "0"), ("b", "1"), ("c", "1")):
        assert main(["generate", str(tmp_path / name), *words, "--seed", seed]) == 0
        prints.append(ClipStore(tmp_path / name).manifest.fingerprint)
    assert prints[0] != prints[1] == prints[2]


def test_an_unknown_action_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(tmp_path / "toy"), "--actions", "bows"]) == 2
    assert "unknown action 'bows'; choose from wave, clap," in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
