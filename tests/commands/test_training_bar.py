"""Training on the terminal: a bar, or a line per epoch where the output is a file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import Settings
from kineme.commands.training_bar import ProgressLine
from kineme.training.callbacks import History
from kineme.training.run import train


def test_a_log_gets_at_most_twenty_lines(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    train(settings(train_epochs=2, train_knn_every=0), tmp_path / "run", callbacks=[ProgressLine()])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("loss" in line and "left" in line for line in lines)
    history = History(tmp_path)
    progress = ProgressLine()
    progress.console = SimpleNamespace(print=lambda line, **_: lines.append(line))  # type: ignore[assignment]
    lines.clear()
    for epoch in range(1, 101):
        history.rows = [{"epoch": epoch, "seconds": 2.0 * epoch, "loss": 1.0, "knn": 0.25}]
        trainer: Any = SimpleNamespace(max_epochs=100, is_global_zero=True, callbacks=[history])
        progress.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert len(lines) == 20
    assert lines[0] == "epoch 5/100  loss 1.000  kNN 25.0%  10 s, about 190 s left"
