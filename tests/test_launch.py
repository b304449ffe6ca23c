"""What the environment says of the processes that a launcher has started."""

from __future__ import annotations

import pytest

from kineme.__main__ import main
from kineme.launch import Started, helps, repeats, started

TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "0"}
SLURM = {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4", "SLURM_PROCID": "3", "SLURM_JOB_NAME": "mine"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, *SLURM, "RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "launcher", "helping", "repeating"),
    [
        ({}, None, False, False),
        ({**TORCHRUN, "RANK": "0"}, Started("torchrun", 8, 4), False, False),
        ({**TORCHRUN, "RANK": "4"}, Started("torchrun", 8, 4), True, True),  # first on the second machine
        ({"LOCAL_RANK": "1"}, None, True, False),  # a child of Lightning's
        (SLURM, Started("SLURM", 8, 4), False, False),
        ({**SLURM, "SLURM_JOB_NAME": "bash"}, None, False, False),  # interactive
        ({"SLURM_NTASKS": "8"}, Started("SLURM", 8, None), False, False),
    ],
)
def test_launchers_are_told_apart(
    environment: dict[str, str],
    launcher: Started | None,
    helping: bool,
    repeating: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (started(), helps(), repeats()) == (launcher, helping, repeating)


def test_what_torchrun_repeats_is_done_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**TORCHRUN, "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["info", "/nowhere"]) == 0
    assert capsys.readouterr().err == ""
