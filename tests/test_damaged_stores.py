"""Damaged stores: every command that reads one says in a line what is wrong, or does its work."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Settings
from kineme.__main__ import main
from kineme.training.run import train

Damage = Callable[[Path], None]
LONGEST = 1000  # characters of a line


def _cut(name: str, share: float) -> Damage:
    def damage(store: Path) -> None:
        data = (store / name).read_bytes()
        (store / name).write_bytes(data[: int(share * len(data))])

    return damage


def _flipped(name: str, place: float) -> Damage:
    def damage(store: Path) -> None:
        data = bytearray((store / name).read_bytes())
        at = int(place * (len(data) - 8))
        data[at : at + 8] = b"\xff" * 8
        (store / name).write_bytes(data)

    return damage


def _gone(name: str) -> Damage:
    return lambda store: (store / name).unlink()


def _a_folder(name: str) -> Damage:
    def damage(store: Path) -> None:
        (store / name).unlink()
        (store / name).mkdir()

    return damage


def _manifest(**changes: Any) -> Damage:
    def damage(store: Path) -> None:
        data = json.loads((store / "manifest.json").read_text())
        (store / "manifest.json").write_text(json.dumps(data | changes))

    return damage


def _index(compressed: bool = False, **changes: Any) -> Damage:
    def damage(store: Path) -> None:
        with np.load(store / "index.npz") as stored:
            arrays = {name: stored[name] for name in stored} | changes
        (np.savez_compressed if compressed else np.savez)(store / "index.npz", **arrays)

    return damage


def _lying(claimed: tuple[int, ...]) -> Damage:
    """The header of the column `frames` claims another shape."""

    def damage(store: Path) -> None:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<i8", "fortran_order": False, "shape": claimed}
        )
        with zipfile.ZipFile(store / "index.npz") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["frames.npy"] = header.getvalue() + b"\0" * 192
        with zipfile.ZipFile(store / "index.npz", "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data)

    return damage


def _replaced(name: str, before: bytes, after: bytes) -> Damage:
    def damage(store: Path) -> None:
        data = (store / name).read_bytes()
        assert before in data
        (store / name).write_bytes(data.replace(before, after, 1))

    return damage


def _text(name: str, text: str) -> Damage:
    def damage(store: Path) -> None:
        (store / name).write_text(text)

    return damage


FILES = ("frames.npy", "index.npz", "manifest.json")
DAMAGES: dict[str, Damage] = {
    **{f"{name} cut to {share}": _cut(name, share) for name in FILES for share in (0, 0.01, 0.5, 0.99)},
    **{f"{name} flipped at {place}": _flipped(name, place) for name in FILES for place in (0, 0.3, 0.7, 1)},
    **{f"no {name}": _gone(name) for name in FILES},
    **{f"{name} is a folder": _a_folder(name) for name in FILES},
    "a confidence of another shape": lambda store: np.save(store / "confidence.npy", np.zeros((3, 2, 3))),
    "nested JSON": _text("manifest.json", "[" * 100_000),
    "a list": _text("manifest.json", "[]"),
    "fps NaN": _manifest(fps=float("nan")),
    "fps 0": _manifest(fps=0),
    "fps text": _manifest(fps="fast"),
    "a version of text": _manifest(format_version="new"),
    "a layout of nothing": _manifest(layout={}),
    "fewer joints": _manifest(layout={"name": "a", "joints": ["a"], "parents": [-1]}),
    "class names of numbers": _manifest(class_names=[1, 2, 3]),
    "fewer class names": _manifest(class_names=["one"]),
    "an escape in a class name": _manifest(class_names=["\033[2J", "b", "c"]),
    "an unknown preprocessing": _manifest(preprocessing={"name": "os.system", "parameters": {}}),
    "an escape in a name": _index(name=np.array(["\033]0;x\a"] * 24)),
    "one name twice": _index(name=np.array(["a", "b"] * 12)),
    "a surrogate in a name": _index(name=np.array(["\ud800"] * 24)),
    "frames of 1e9": _index(frames=np.full(24, 10**9)),
    "negative frames": _index(frames=np.full(24, -1)),
    "frames in floats": _index(frames=np.full(24, 9.5)),
    "a label too high": _index(label=np.full(24, 9)),
    "fewer names": _index(name=np.array(["a"])),
    "a header of 1e9": _lying((10**9,)),
    "a header of 1e18": _lying((10**9, 10**9)),
    "a header whose bracket does not close": _replaced("frames.npy", b"}", b" "),
    "a bomb": _index(compressed=True, more=np.zeros(1 << 28, dtype=np.float64)[: 1 << 20]),
    "clips of another number": _index(offset=np.zeros(24, dtype=np.int64)),
    "an interval of no clip": _index(
        interval_clip=np.array([99]), interval_label=np.array([0]), interval_start=np.array([0]),
        interval_end=np.array([1]),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(moves: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    run = tmp_path_factory.mktemp("damaged") / "run"
    train(Settings(moves)(train_epochs=1, data_split="odd-even"), run)
    return run


def check(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line, or success; and nothing that acts on a terminal."""
    status = main(words)
    said = capsys.readouterr().err.splitlines()
    assert status in (0, 2)
    assert "\033" not in "".join(said)
    if status == 2:
        errors = [line for line in said if line.startswith(f"kineme {words[0]}: error: ")]
        assert len(errors) == 1
        assert said[-1] == errors[0]
        assert len(errors[0]) < LONGEST


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_store_is_refused_in_one_line(
    damage: Damage, moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(moves, store)
    damage(store)
    check(["info", f"{store}"], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_every_command_refuses_it(
    damage: Damage, moves: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(moves, store)
    damage(store)
    for words in (
        f"show {store} clip01 --out {tmp_path}/clip.html",
        f"embed {trained} {store} --out {tmp_path}/features.npz",
        f"evaluate knn {trained} --store {store} --no-baselines",
        f"pretrain aimclr-small --store {store} --out {tmp_path}/run --train.batch_size 1000",
    ):
        check(words.split(), capsys)
