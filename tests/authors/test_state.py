"""Reading what strangers made: unwrapped, renamed, and never run."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from kineme.authors.state import State, layout_of, load_renamed, read_state, size
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    trap, path = tmp_path / "was-run", tmp_path / "evil.pt"
    state = {"weight": torch.zeros(2), "state": Malicious(trap)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(KinemeError, match=r"evil\.pt: cannot be read as a checkpoint of tensors"):
        read_state(path)
    assert not trap.exists()
    torch.load(path, weights_only=False)
    assert trap.exists()  # it would have been


def test_a_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Malicious(tmp_path / "was-run"), protocol=2))
    with pytest.raises(KinemeError, match=r"evil\.pkl: cannot be read"):
        read_state(path)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a checkpoint"),
        (b"no checkpoint at all", "cannot be read as a checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(KinemeError, match=message) as caught:
        read_state(path)
    assert "\n" not in str(caught.value)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(KinemeError, match="cannot be read"):
        read_state(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"nothing\.pt: no such checkpoint file"):
        read_state(tmp_path / "nothing.pt")


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"epoch": 3}, {"state_dict": {"lr": 0.1}}])
def test_what_holds_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(KinemeError, match=r"weights\.pt: holds no state dict"):
        read_state(tmp_path / "weights.pt")


def test_wrappings_are_taken_off() -> None:
    weight = torch.ones(2)
    for source in (
        {"fc.weight": weight},
        {"module.fc.weight": weight},
        {"epoch": 3, "state_dict": {"module.fc.weight": weight}},
    ):
        state = read_state(source)
        assert list(state) == ["fc.weight"]
        assert state["fc.weight"] is weight


def test_tensors_are_loaded_under_the_authors_names() -> None:
    module = nn.Linear(2, 1)
    state: State = {"fc.w": torch.tensor([[3.0, 4.0]]), "fc.b": torch.tensor([5.0])}
    load_renamed(module, state, {"weight": "fc.w", "bias": "fc.b"}.__getitem__, "Theirs")
    assert module(torch.ones(1, 2)).item() == 12


def test_everything_that_does_not_fit_is_named_at_once() -> None:
    module = nn.Linear(2, 1)
    state: State = {"weight": torch.zeros(1, 3), **{f"extra{i}": torch.zeros(1) for i in range(8)}}
    with pytest.raises(KinemeError) as caught:
        load_renamed(module, state, str, "Theirs")
    assert str(caught.value) == (
        "not a checkpoint of Theirs: missing: bias; unexpected: extra0, extra1, extra2, extra3, extra4, "
        "extra5 and 2 more; of another shape: weight (1, 3) instead of (1, 2)"
    )


def test_a_size_is_read_or_its_tensor_is_missing() -> None:
    assert size({"w": torch.zeros(3, 7)}, "w", 1, "Theirs") == 7
    for state in ({}, {"w": torch.zeros(3)}):
        with pytest.raises(KinemeError, match="not a checkpoint of Theirs: missing: w"):
            size(state, "w", 1, "Theirs")


def test_the_layout_follows_from_the_joints_where_it_can() -> None:
    assert layout_of(25, None) is LAYOUTS["ntu25"]
    assert layout_of(3, STICK) is STICK
    with pytest.raises(KinemeError, match="4 joints, layout 'stick3' 3"):
        layout_of(4, STICK)
    with pytest.raises(KinemeError, match="4 joints; set `layout`"):
        layout_of(4, None)


def test_a_checkpoint_that_unfolds_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1 << 20)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert list(read_state(tmp_path / "plain.pt")) == ["weight"]
    with pytest.raises(
        KinemeError, match=r"bomb\.pt: cannot be read as a checkpoint \(is compressed and could"
    ):
        read_state(tmp_path / "bomb.pt")


def test_a_tensor_that_repeats_a_number_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "wide.pt")
    assert (tmp_path / "wide.pt").stat().st_size < 2000
    with pytest.raises(KinemeError, match="'weight' repeats few numbers in place of a tensor"):
        read_state(tmp_path / "wide.pt")
