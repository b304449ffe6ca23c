"""Encoders in and out of safetensors files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from conftest import write_store
from kineme.checkpoints import build_encoder, build_method, from_authors, save_encoder
from kineme.clips.store import ClipStore
from kineme.encoders import STGCN, ClipShape, Encoder
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.loading import load_run
from kineme.methods import AimCLR
from kineme.model import random_like
from kineme.preprocessing import get_preprocessing
from kineme.settings import config_from_dict

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
SHAPE = ClipShape(STICK, 8, 2, "bone")
PREPROCESSING = get_preprocessing("plain", facing=True)
CONFIG: dict[str, Any] = {
    "data": {"store": "moves", "split": "all", "stream": "bone", "frames": 8},
    "train": {"seed": 3},
    "method": {"name": "aimclr", "queue": 16, "projection": 4},
    "encoder": {"name": "stgcn", "channels": [4, 8], "strided": [1], "dropout": 0.1},
}


def encoder(seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return build_encoder(CONFIG["encoder"], SHAPE)


def clips() -> torch.Tensor:
    return torch.randn(2, 3, 8, 3, 2, generator=torch.Generator().manual_seed(1))


def save(path: Path, **changes: Any) -> Path:
    save_encoder(path, encoder(), PREPROCESSING, CONFIG | changes)
    return path


def test_settings_build_what_they_name() -> None:
    built = encoder()
    assert isinstance(built, STGCN)
    assert (built.dim, built.blocks[1].dropout.p) == (8, 0.1)
    method = build_method(CONFIG["method"], built)
    assert isinstance(method, AimCLR)
    assert tuple(method.queue.keys.shape) == (16, 4)


@torch.no_grad()
def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    original = encoder()
    original.train()(clips())  # batch statistics of their own
    path = tmp_path / "run" / "model.safetensors"
    save_encoder(path, original, PREPROCESSING, CONFIG)
    for place in (path, path.parent, str(path.parent)):
        found = load_run(place)
        assert not found.encoder.training
        assert torch.equal(found.encoder(clips()).clip, original.eval()(clips()).clip)
        assert (found.method, found.stream, found.preprocessing, found.crop) == (
            "aimclr",
            "bone",
            PREPROCESSING,
            1.0,
        )
        assert found.config == config_from_dict(CONFIG, "test").to_dict()
        assert found.encoder.shape == SHAPE


def test_the_file_is_plain_safetensors_with_a_readable_header(tmp_path: Path) -> None:
    with safe_open(save(tmp_path / "model.safetensors"), framework="pt") as opened:
        header = json.loads(opened.metadata()["kineme"])
        assert header["preprocessing"] == {"name": "plain", "parameters": {"facing": True}}
        assert header["layout"]["joints"] == ["hip", "neck", "head"]
        assert header["config"] == CONFIG
        assert set(opened.keys()) == set(encoder().state_dict())


def test_the_same_weights_make_the_same_file_and_fingerprint(tmp_path: Path) -> None:
    first, second = (save(tmp_path / name) for name in ("a.safetensors", "b.safetensors"))
    assert first.read_bytes() == second.read_bytes()
    other = tmp_path / "c.safetensors"
    save_encoder(other, encoder(1), PREPROCESSING, CONFIG)
    assert load_run(first).weights == load_run(second).weights != load_run(other).weights


@torch.no_grad()
def test_a_random_encoder_is_like_the_trained_one_but_for_its_weights(tmp_path: Path) -> None:
    trained = load_run(save(tmp_path / "model.safetensors"))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (random_like(trained, seed) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    assert len({trained.weights, first.weights, other.weights}) == 3
    assert first.weights == again.weights
    assert (first.config, first.preprocessing, first.stream) == (
        trained.config,
        trained.preprocessing,
        trained.stream,
    )
    assert first.encoder.shape == SHAPE
    assert not first.encoder.training


def test_a_full_disk_keeps_the_earlier_file(
    tmp_path: Path, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"earlier")
    refused = pytest.raises(KinemeError, match=r"model\.safetensors: cannot be written \(File too large")
    with refused, file_size_limit(1000):
        save(path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_loading_leaves_out_the_compiler() -> None:
    """Importing it takes longer than all the rest of loading an encoder."""
    code = """
import sys, torch
from kineme.checkpoints import build_encoder
from kineme.encoders import ENCODERS, ClipShape
from kineme.layouts import get_layout
shape = ClipShape(get_layout("ntu25"), 64, 2, "joint")
for name in ENCODERS:
    with torch.device("meta"):  # as it is outlined before it is loaded
        build_encoder({"name": name}, shape)
    if "torch._dynamo" in sys.modules:
        sys.exit(name)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_nothing_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"nothing: no such run or weights; train with `kineme pretrain`"):
        load_run(tmp_path / "nothing")
    with pytest.raises(KinemeError, match=r"model\.safetensors: no such run or weights"):
        load_run(tmp_path)


def test_a_store_is_no_run_and_a_run_no_store(tmp_path: Path) -> None:
    write_store(tmp_path / "store")
    with pytest.raises(KinemeError, match=r"store: is a clip store, but a run is expected"):
        load_run(tmp_path / "store")
    save(tmp_path / "run" / "model.safetensors")
    with pytest.raises(KinemeError, match=r"run: is a run, but a clip store is expected"):
        ClipStore(tmp_path / "run")


def test_damage_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "model.safetensors")
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\xff" * 200):
        path.write_bytes(damaged)
        with pytest.raises(
            KinemeError, match=r"model\.safetensors: not a model that this Kineme can load"
        ) as caught:
            load_run(path)
        assert "\n" not in str(caught.value)


def test_a_stranger_s_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(KinemeError, match="not a model that this Kineme can load"):
        load_run(path)


@pytest.mark.parametrize(
    "text",
    [
        '"text"',
        "[]",
        "7",
        "[" * 100_000,
        "{}",
        '{"preprocessing": 3, "config": {}}',
        '{"config": "x", "recipe": []}',
    ],
)
def test_a_header_that_holds_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"kineme": text})
    with pytest.raises(KinemeError, match="not a model that this Kineme can load"):
        load_run(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": {"name": "resnet"}},
        {"encoder": {"name": "stgcn", "channels": [4, 4]}},
        {"encoder": {"name": "stgcn", "layers": 3}},
        {"encoder": {"name": "sttr", "hidden": 8, "heads": 0}},
        {"encoder": {"name": "mamp", "hidden": 8, "heads": 0}},
        {"data": {"store": None, "stream": "joint"}},
        {"method": {}},
        {"method": {"name": "resnet"}},
    ],
)
def test_a_description_that_does_not_fit_the_weights_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(KinemeError, match="not a model that this Kineme can load"):
        load_run(save(tmp_path / "model.safetensors", **changes))


SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "wide": ({"name": "sttr", "hidden": 10**6}, "a larger encoder"),
    "wide, of patches": ({"name": "mamp", "hidden": 10**6, "heads": 1}, "a larger encoder"),
    "many channels": ({"name": "stgcn", "channels": [10**6, 10**6]}, "a larger encoder"),
    "deep": ({"name": "mamp", "hidden": 8, "depth": 10**9, "heads": 1}, "a larger encoder"),
    "a little wider": ({"name": "stgcn", "channels": [4, 9]}, r"is \(.*\), and \(.*\) by its settings"),
    "narrow": ({"name": "stgcn", "channels": [4, 4]}, r"is \(.*\), and \(.*\) by its settings"),
}


@pytest.mark.parametrize("name", SIZES)
def test_settings_that_ask_for_more_than_the_weights_are_refused_before_memory_is_taken(
    tmp_path: Path, name: str
) -> None:
    """Built, some would take terabytes, and the deep one forever."""
    settings, reason = SIZES[name]
    path = save(tmp_path / "model.safetensors", encoder=settings)
    with pytest.raises(KinemeError, match=rf"not a model that this Kineme can load \(.*{reason}"):
        load_run(path)


@pytest.mark.parametrize(
    ("frames", "bodies"), [(10**9, 2), (8, 10**9), (8, -1), (8, 0)], ids=["frames", "bodies", "fewer", "none"]
)
def test_clips_that_no_memory_holds_are_refused(tmp_path: Path, frames: int, bodies: int) -> None:
    path = tmp_path / "model.safetensors"
    built = encoder()
    built.shape = ClipShape(STICK, 8, bodies, "bone")
    config = CONFIG | {"data": {**CONFIG["data"], "frames": frames}}
    save_encoder(path, built, PREPROCESSING, config)
    with pytest.raises(KinemeError, match=f"its clips have {frames} frames of {bodies} bodies"):
        load_run(path)


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(KinemeError, match="unknown published system 'moco'; choose from aimclr,"):
        from_authors("moco", {})
