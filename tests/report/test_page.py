"""The page: one sound file that holds all parts, whatever a run lacks."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import torch

from conftest import STICK
from kineme.checkpoints import save_encoder
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.loading import load_run
from kineme.preprocessing import get_preprocessing
from kineme.report.page import write_report

from .conftest import HOSTILE
from .pages import Reader, made

FORMAT1 = Path(__file__).parents[1] / "golden" / "format1"


def test_the_page_is_sound_and_needs_nothing_else(whole: tuple[str, Reader]) -> None:
    text, reader = whole
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert text.startswith('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')


def test_equal_runs_make_equal_pages(whole: tuple[str, Reader], finished: Path) -> None:
    assert made(finished)[0] == whole[0]


def test_names_of_clips_and_classes_stay_text(whole: tuple[str, Reader]) -> None:
    text, reader = whole  # of which one class and all clips have such names
    assert "<script>alert" not in text
    assert "<clip" not in text
    assert any(HOSTILE in word for word in reader.words)


def test_the_caller_is_told_which_run_is_being_drawn(run: Path) -> None:
    said: list[str] = []
    write_report([run], run / "page.html", device="cpu", say=said.append)
    assert said == ["clips of first"]


def test_a_store_that_has_moved_is_asked_for_and_found_again(
    run: Path, gestures: Path, tmp_path: Path
) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(gestures), str(tmp_path / "gone")))
    (run / "clips.npz").unlink()  # it says where the store is from here
    text, reader = made(run)
    assert f"the clip store of first, {tmp_path / 'gone'}, no longer exists; name the store" in text
    assert reader.players == []
    assert reader.rows("raw coordinates")
    _, reader = made(run, store=gestures)
    assert len(reader.players) == 1 + 12 * 5


def test_without_results_the_page_shows_training_and_says_how_to_measure(run: Path) -> None:
    shutil.rmtree(run / "results")
    text, reader = made(run)
    assert f"measure it with <code>kineme evaluate knn {run}</code>" in text  # it sets no rate for linear
    assert text.count('<figure class="chart">') >= 4
    assert len(reader.players) == 1 + 12 * 5  # of the run's own split


def test_a_run_without_history_or_weights_still_makes_a_page(run: Path) -> None:
    (run / "history.csv").unlink()
    (run / "model.safetensors").unlink()
    text, _ = made(run)
    assert "first has no training history" in text
    assert "first has no weights yet" in text


def test_several_runs_have_a_section_each(run: Path, finished: Path) -> None:
    text, reader = made(run, finished)
    assert "<h1>2 runs compared</h1>" in text
    assert [name for name in reader.ids if name.startswith("run-")] == ["run-0", "run-1"]
    assert f"{run}: aimclr, stgcn, joint" in "".join(reader.words)


def test_a_collapsed_encoder_is_named(run: Path) -> None:
    pretrained = load_run(run)
    with torch.no_grad():
        for parameter in pretrained.encoder.parameters():
            parameter.zero_()
    save_encoder(run / "model.safetensors", pretrained.encoder, pretrained.preprocessing, pretrained.config)
    text, reader = made(run)
    assert "All 24 test clips have the same feature: the embedding has collapsed" in text
    assert len(reader.players) == 12 * 5


def test_few_constant_clips_make_a_page(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "results")
    manifest = Manifest(STICK, get_preprocessing("plain"), "test", ("rise", "push"))
    with StoreWriter(tmp_path / "still", manifest, 2) as writer:
        for i, label in enumerate((0, 1, 1)):
            xyz = np.ones((9, 2, 3, 3), dtype=np.float32)
            writer.add(Clip(f"clip{i}", xyz, label=label, subject=str(1 + i // 2)))
    text, reader = made(run, store=tmp_path / "still")
    assert "1 test clip is too few for a map." in text
    assert re.search(r"For [01] of 1 test clip \(", text)
    assert len(reader.players) == 1 + 2


def test_runs_of_version_0_1_open(tmp_path: Path) -> None:
    old = Path(shutil.copytree(FORMAT1 / "runs" / "usdrl-whole", tmp_path / "old"))
    text, reader = made(old, store=FORMAT1 / "store")
    assert len(reader.rows("pre-trained encoder")) == 2
    assert "Left out:" not in text
    assert "left out" not in text
