"""What commands say when they have done something."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kineme.commands.messages import translated
from kineme.commands.said import command, written


def test_outputs_are_named_one_a_line_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    written(Path("a [b].csv"), Path("<i>.html"))
    written(Path("moments.csv"), what="2 rows")
    said = "written to a [b].csv\nwritten to <i>.html\n2 rows written to moments.csv\n"
    assert capsys.readouterr().err == said


def test_a_command_can_be_copied_whatever_the_names() -> None:
    words = ("kineme", "cluster", Path("runs/my run"), Path("stores/[1]$HOME"))
    assert command(*words) == "kineme cluster 'runs/my run' 'stores/[1]$HOME'"


def test_a_warning_is_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty files that do not say their frame rate are one warning; what is told is told each time, but for
    what holds for all of them."""
    logger = logging.getLogger("kineme.test")
    with translated(dict):
        for _ in range(3):
            logger.warning("the files do not say")
            logger.info("waiting")
            logger.info("resampled", extra={"once": True})
    assert capsys.readouterr().err.splitlines() == [
        "warning: the files do not say",
        "waiting",
        "resampled",
        *["waiting"] * 2,
    ]
