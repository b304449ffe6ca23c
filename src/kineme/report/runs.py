"""What a report is of: runs as they lie on disk, with what cannot be read named and left out."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kineme.checkpoints import WEIGHTS, Pretrained, load_pretrained
from kineme.clips.store import ClipStore
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.results import Predictions, Result
from kineme.training.callbacks import HISTORY
from kineme.training.run import CONFIG, load_run_config

Rows = list[dict[str, float]]
FIRST = ("linear", "knn")  # protocols in the order in which they are shown; others follow by name


@dataclass(frozen=True)
class Measured:
    """A result file, with the predictions beside it where they can be read."""

    file: str
    result: Result
    predictions: Predictions | None


@dataclass(frozen=True)
class Detected:
    """A detection's figures as they stand in its file, and what was found where."""

    file: str
    data: Mapping[str, Any]
    detections: Detections


@dataclass
class Run:
    """A run directory.

    Attributes:
        path: where it is.
        name: what the report calls it; unique within the report.
        config: its settings.
        pretrained: its encoder; None before the first checkpoint.
        written: when the encoder was written (UTC).
        history: a row an epoch; empty where there is none.
        measured: recognition results.
        detected: detection results.
        complaints: what could not be read, and why.
    """

    path: Path
    name: str
    config: Config
    pretrained: Pretrained | None = None
    written: str | None = None
    history: Rows = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    detected: list[Detected] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Opens run directories (or the weights in them).

    Raises:
        KinemeError: one of them is no run directory, or is named twice.
    """
    folders = [path.parent if path.name == WEIGHTS else path for path in paths]
    for number, folder in enumerate(folders):
        if folder.resolve() in (other.resolve() for other in folders[:number]):
            raise KinemeError(f"{folder}: is named twice; give each run once")
    names = [folder.resolve().name for folder in folders]
    return [
        _read(folder, name if names.count(name) == 1 else str(folder))
        for folder, name in zip(folders, names, strict=True)
    ]


def store_of(run: Run, store: Path | None) -> ClipStore:
    """The clips that a run was trained on, or those given in their place.

    Raises:
        KinemeError: they are not there any more.
    """
    trained_on = run.config.data.store
    if store is None and (trained_on is None or not Path(trained_on).exists()):
        where = f"{trained_on}, is not there any more" if trained_on else "is not known"
        raise KinemeError(f"the clip store of {run.name}, {where}; pass --store to say where it is")
    return ClipStore(store or str(trained_on))


def _read(folder: Path, name: str) -> Run:
    if not (folder / CONFIG).is_file():
        raise KinemeError(
            f"{folder}: no run directory (it has no {CONFIG}); name one that `kineme pretrain` made"
        )
    run = Run(folder, name, load_run_config(folder))
    weights = folder / WEIGHTS
    try:
        run.pretrained = load_pretrained(folder)
        run.written = datetime.fromtimestamp(weights.stat().st_mtime, UTC).isoformat(timespec="minutes")
    except KinemeError as error:
        run.complaints.append(str(error))
    try:
        run.history = read_history(folder / HISTORY)
    except KinemeError as error:
        run.complaints.append(str(error))
    for path in sorted((folder / "results").glob("*.json"), key=_order):
        try:
            _add_result(run, path)
        except KinemeError as error:
            run.complaints.append(str(error))
    return run


def read_history(path: Path) -> Rows:
    """Rows of a history.csv, empty cells left out; none where there is no such file.

    Raises:
        KinemeError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise KinemeError(f"{path}: cannot be read as a training history ({error})") from error
    return [row for row in rows if "epoch" in row]


def _order(path: Path) -> tuple[int, str]:
    ranks = [rank for rank, protocol in enumerate(FIRST) if path.stem.startswith(protocol)]
    return (*ranks, len(FIRST))[0], path.stem


def _add_result(run: Run, path: Path) -> None:
    if path.stem.startswith("detect"):
        run.detected.append(Detected(path.name, _mapping(path), Detections.load(path.with_suffix(".npz"))))
        return
    result, predictions = Result.from_json(path), None
    beside = path.with_suffix(".npz")
    if beside.is_file():
        try:
            predictions = Predictions.load(beside)
        except KinemeError as error:
            run.complaints.append(str(error))
    run.measured.append(Measured(path.name, result, predictions))


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("no mapping")
    except (OSError, ValueError) as error:
        raise KinemeError(f"{path}: cannot be read as a result ({error}); evaluate the run again") from error
    return data
