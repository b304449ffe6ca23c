"""`kineme convert`: a published checkpoint becomes a run that is evaluated like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_fill import load_filled

from kineme.__main__ import main
from kineme.checkpoints import from_authors
from kineme.generate import generate_store
from kineme.loading import load_run
from kineme.training.directory import load_run_config

PUBLISHED = {  # golden weights → what the run's settings must say of their sizes
    "aimclr": ("aimclr", {"name": "stgcn"}, {"queue": 512, "projection": 128}, 50, "crossclr"),
    "scdnet": ("scdnet", {"name": "disentangled", "hidden": 64, "heads": 8}, {"queue": 512}, 64, "agcn"),
    "usdrl_sttr": ("usdrl", {"name": "sttr", "hidden": 64, "heads": 1, "depth": 2}, {}, 64, "agcn"),
    "usdrl_dste": ("usdrl", {"name": "dste", "hidden": 64, "heads": 1, "depth": 2}, {}, 64, "agcn"),
    "mamp": ("mamp", {"name": "mamp", "hidden": 64, "heads": 2, "depth": 2, "patch": 4},
             {"decoder_hidden": 32, "decoder_depth": 1}, 120, "ctrgcn"),
}  # fmt: skip


def checkpoint(folder: Path, name: str = "aimclr") -> Path:
    path = folder / f"{name}.pt"
    torch.save({"epoch": 300, "state_dict": load_filled(f"{name}.keys.json")}, path)
    return path


def holds(settings: dict[str, Any], expected: dict[str, Any]) -> bool:
    return {key: settings[key] for key in expected} == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_converted_checkpoint_gives_the_published_features(name: str, tmp_path: Path) -> None:
    system, encoder, method, frames, preprocessing = PUBLISHED[name]
    path, run = checkpoint(tmp_path, name), tmp_path / "run"
    assert main(["convert", system, str(path), str(run), "--stream", "bone"]) == 0
    assert {each.name for each in run.iterdir()} == {"config.yaml", "model.safetensors"}
    found = load_run(run)
    assert (found.method, found.stream, found.preprocessing.id) == (system, "bone", preprocessing)
    config = load_run_config(run)
    assert found.config == config.to_dict()
    assert holds(config.encoder, encoder)
    assert holds(config.method, method)
    assert (config.data.frames, config.data.store, config.data.split) == (frames, None, "xsub")
    clips = torch.randn(2, 3, frames, 25, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = from_authors(system, path).encoder(clips).clip
        assert torch.equal(found.encoder(clips).clip, expected)


@pytest.mark.parametrize(
    ("name", "split", "preprocessing", "rate", "method"),
    [
        ("usdrl_dste", "xsub", "agcn", 0.006, {}),
        ("usdrl_dste", "xview", "agcn", 0.03, {}),
        ("usdrl_sttr", "odd-even", "agcn", 0.006, {}),
        ("mamp", "xview", "ctrgcn", 0.1, {"temperature": 0.8, "decoder_depth": 1}),
        ("mamp", "xsub120", "ctrgcn(bodies=copied)", 0.1, {"temperature": 0.75, "decoder_depth": 1}),
        ("mamp", "xset", "ctrgcn(bodies=copied)", 0.1, {"temperature": 0.75, "decoder_depth": 1}),
    ],
)
def test_what_the_weights_do_not_say_is_as_published_for_the_split(
    tmp_path: Path, name: str, split: str, preprocessing: str, rate: float, method: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    words = ["convert", PUBLISHED[name][0], str(checkpoint(tmp_path, name)), str(run), "--split", split]
    assert main(words) == 0
    found = load_run(run)
    assert (found.preprocessing.id, found.protocols.linear.lr) == (preprocessing, rate)
    config = load_run_config(run)
    assert (config.data.split, config.data.preprocessing) == (split, preprocessing)
    assert holds(config.method, method)


def test_a_converted_checkpoint_can_be_evaluated(tmp_path: Path) -> None:
    store = tmp_path / "toy"
    generate_store(
        store, subjects=4, repetitions=1, cameras=[1], actions=["wave", "bow"], preprocessing="crossclr"
    )
    run = tmp_path / "run"
    assert main(["convert", "aimclr", str(checkpoint(tmp_path)), str(run), "--split", "odd-even"]) == 0
    words = ["evaluate", "knn", str(run), "--store", str(store), "--no-baselines", "--device", "cpu"]
    assert main(words) == 0
    (result,) = (run / "results").glob("*.json")
    assert json.loads(result.read_text())["preprocessing"] == "crossclr"


def test_an_existing_run_is_replaced_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", "usdrl", str(checkpoint(tmp_path, "usdrl_sttr")), str(tmp_path / "run")]
    assert main(words) == 0
    assert main(words) == 2
    assert "already holds a run; set --overwrite to replace it" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    assert main([*words[:3], str(tmp_path / "thesis"), "--overwrite"]) == 2
    assert "holds chapter.tex, which is not part of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: "moco"}, "SYSTEM is moco; it must be one of aimclr, mamp, scdnet, slim, usdrl"),
        ({1: "usdrl"}, "not a checkpoint of USDRL: missing: "),
        ({2: "nothing.pt"}, "nothing.pt: no such checkpoint file"),
        ({4: "--layout=coco17"}, "the checkpoint has 25 joints, layout 'coco17' 17"),
        (
            {4: "--stream=bones"},
            "--stream is bones; it must be one of joint, bone, motion",
        ),
    ],
)
def test_mistakes_are_named_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[int, str], message: str
) -> None:
    given = dict(enumerate(["convert", "aimclr", str(checkpoint(tmp_path)), str(tmp_path / "run")])) | change
    assert main(list(given.values())) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "run").exists()
