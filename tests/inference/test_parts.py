"""An embedding that stopped half way goes on, and ends with the table that it would have had."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference import embed
from kineme.inference.embed import embed_table
from kineme.inference.parts import parts_of
from kineme.inference.tables import Block, write_table
from kineme.layouts import get_layout
from kineme.model import Model, with_encoder

CUT = {"window": 1.0, "step": 0.2, "batch_size": 3}
COLUMNS = ("features", "source", "name", "start", "end", "subject", "label")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two recordings, of several blocks each."""
    monkeypatch.setattr(embed, "FRAMES", 100)
    monkeypatch.setattr(embed, "ROWS", 7)


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    clips = [Clip(f"clip{i}", motion(38 + 3 * i, i), label=i % 2, subject=str(i)) for i in range(6)]
    return write(tmp_path / "store", clips)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Clips of every call of the encoder."""
    calls: list[int] = []
    encode = Model.encode

    def counted(self: Model, clips: Any, **options: Any) -> Any:
        calls.append(len(clips))
        return encode(self, clips, **options)

    monkeypatch.setattr(Model, "encode", counted)
    return calls


def same(blocks: list[Block], others: list[Block]) -> None:
    assert [len(block) for block in blocks] == [len(block) for block in others]
    for one, other in zip(blocks, others, strict=True):
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


@pytest.mark.parametrize("stopped", [1, 5, 6, 11, 17, 18])
def test_it_goes_on_after_any_block(
    own: Model, store: ClipStore, tmp_path: Path, encoded: list[int], stopped: int
) -> None:
    whole = list(embed_table(own, [store], **CUT))
    assert len(whole) == 18  # groups of 5, 6, 3 and 4 blocks
    calls = list(encoded)
    encoded.clear()
    parts = tmp_path / "parts"
    list(islice(embed_table(own, [store], **CUT, parts=parts), stopped))
    assert encoded == calls[:stopped]
    encoded.clear()
    same(list(embed_table(own, [store], **CUT, parts=parts)), whole)
    assert encoded == calls[stopped:]


def test_recordings_that_are_done_are_not_read_again(
    tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = model(tmp_path / "run", get_layout("ntu25"))
    (tmp_path / "raw").mkdir()
    for i in range(6):
        np.save(tmp_path / "raw" / f"{i}.npy", motion(60, i, joints=25))
    options: dict[str, Any] = {"layout": "ntu25", "fps": 10.0, "parts": tmp_path / "parts"}
    whole = list(embed_table(own, [tmp_path / "raw"], **{**options, "parts": None}))
    prepared, read = Model._prepared, []

    def noted(self: Model, clip: Clip, *rest: Any) -> Clip:
        read.append(clip.name)
        return prepared(self, clip, *rest)

    monkeypatch.setattr(Model, "_prepared", noted)
    list(islice(embed_table(own, [tmp_path / "raw"], **options), 3))
    assert read == ["0", "1", "2", "3"]  # a group ends with the recording that is too much for it
    read.clear()
    same(list(embed_table(own, [tmp_path / "raw"], **options)), whole)
    assert read == ["3", "4", "5"]

    np.save(tmp_path / "raw" / "5.npy", motion(61, 5, joints=25))  # another recording: all begins anew
    read.clear()
    list(embed_table(own, [tmp_path / "raw"], **options))
    assert read == ["0", "1", "2", "3", "4", "5"]


def test_parts_of_something_else_are_removed(
    own: Model, store: ClipStore, tmp_path: Path, encoded: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kineme")
    parts = tmp_path / "parts"
    other = model(tmp_path / "other")
    with_noise = other.encoder.state_dict()
    for name, value in with_noise.items():
        with_noise[name] = value + 0.01 if value.is_floating_point() else value
    other.encoder.load_state_dict(with_noise)
    other = with_encoder(other, other.encoder)
    for using, options in (
        (own, CUT),
        (own, {**CUT, "step": 0.3}),
        (own, {**CUT, "step": 0.3, "batch_size": 4}),
        (own, {**CUT, "step": 0.3, "batch_size": 4, "precision": "bfloat16"}),
        (other, CUT),
    ):
        encoded.clear()
        list(islice(embed_table(using, [store], **options, parts=parts), 2))
        assert len(encoded) == 2
        assert len(list(parts.iterdir())) == 1
    assert caplog.text.count("parts of other inputs or settings are removed") == 4


def test_a_damaged_part_is_computed_again(own: Model, store: ClipStore, tmp_path: Path) -> None:
    whole = list(embed_table(own, [store], **CUT))
    parts = tmp_path / "parts"
    list(embed_table(own, [store], **CUT, parts=parts))
    (folder,) = parts.iterdir()
    files = sorted(folder.iterdir())
    data = bytearray(files[4].read_bytes())
    data[200] ^= 1  # a bit of the features
    files[4].write_bytes(data)
    files[9].write_bytes(files[9].read_bytes()[:-50])
    same(list(embed_table(own, [store], **CUT, parts=parts)), whole)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_tables_are_equal_bit_for_bit(own: Model, store: ClipStore, tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    write_table(embed_table(own, [store], **CUT), tmp_path / f"whole{suffix}")
    table = tmp_path / f"table{suffix}"

    def interrupted(blocks: Iterator[Block]) -> Iterator[Block]:
        yield from islice(blocks, 8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), parts_of(table) as parts:
        write_table(interrupted(embed_table(own, [store], **CUT, parts=parts)), table)
    assert not table.exists()
    assert parts.is_dir()
    with parts_of(table) as parts:
        write_table(embed_table(own, [store], **CUT, parts=parts), table)
    assert table.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert not parts.exists()


def test_two_processes_do_not_write_one_table(tmp_path: Path) -> None:
    with (
        parts_of(tmp_path / "table.npz"),
        pytest.raises(KinemeError, match=r"table\.npz: this table is being written by another process"),
        parts_of(tmp_path / "table.npz"),
    ):
        pass


KILLED = """
import os, signal, sys
from kineme.__main__ import main
from kineme.inference import embed
from kineme.inference.parts import Parts

embed.FRAMES, embed.ROWS = 100, 7
keep = Parts.keep


def last(self, number, *rest):
    keep(self, number, *rest)
    if number == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)


Parts.keep = last
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_a_killed_command_goes_on(own: Model, store: ClipStore, tmp_path: Path) -> None:
    """Killed by SIGKILL, twice; the table is that of one go."""

    def run(killed_at: int, out: str) -> subprocess.CompletedProcess[str]:
        words = [
            "embed",
            "run",
            "store",
            "--window",
            "1s",
            "--step",
            "0.2s",
            "--batch-size",
            "3",
            "--out",
            out,
        ]
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(killed_at), *words],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )

    assert run(-1, "whole.csv").returncode == 0
    for block in (2, 9):
        assert run(block, "table.csv").returncode == -signal.SIGKILL
        assert not (tmp_path / "table.csv").exists()
    again = run(-1, "table.csv")
    assert "continues after 66 rows of an interrupted run" in again.stderr
    assert (tmp_path / "table.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"run", "store", "whole.csv", "table.csv"}


def test_damaged_recordings_are_left_out_on_request(
    tmp_path: Path, encoded: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """Also where work goes on after an interruption: no recording is missing or there twice."""
    own = model(tmp_path / "run", get_layout("ntu25"))
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        for i in range(4):
            np.save(tmp_path / folder / f"{i}.npy", motion(60, i, joints=25))
    for bad in ("first/1.npy", "second/0.npy", "second/3.npy"):
        (tmp_path / bad).write_bytes(b"damaged")
    inputs = [tmp_path / "first", tmp_path / "second"]
    options: dict[str, Any] = {"layout": "ntu25", "fps": 10.0}
    with pytest.raises(KinemeError, match=r"1\.npy: .*, or set `skip_bad` to leave it out"):
        list(embed_table(own, inputs, **options))

    options |= {"skip_bad": True}
    whole = list(embed_table(own, inputs, **options))
    pairs = [(source, name) for block in whole for source, name in zip(block.source, block.name, strict=True)]
    names = [f"{Path(source).name}/{name}" for source, name in pairs]
    assert names == ["first/0", "first/2", "first/3", "second/1", "second/2"]
    assert caplog.text.count("left out as damaged: ") == 3
    for stop in (1, 2, 3, 4):
        parts = tmp_path / f"parts{stop}"
        list(islice(embed_table(own, inputs, **options, parts=parts), stop))
        same(list(embed_table(own, inputs, **options, parts=parts)), whole)


def test_nothing_but_damaged_recordings_is_refused(tmp_path: Path) -> None:
    own = model(tmp_path / "run", get_layout("ntu25"))
    (tmp_path / "raw").mkdir()
    for i in range(2):
        np.save(tmp_path / "raw" / f"{i}.npy", np.full((9, 25, 3), np.nan))
    with pytest.raises(KinemeError, match=r"0\.npy"):
        list(embed_table(own, [tmp_path / "raw"], layout="ntu25", fps=10.0, skip_bad=True))
