"""What a report is of: runs as they lie on disk, with what cannot be read named and left out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from kineme.checkpoints import WEIGHTS
from kineme.clips.store import ClipStore
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.results import Predictions, Result
from kineme.model import Model, load_run
from kineme.training.directory import CONFIG, load_run_config
from kineme.training.history import HISTORY

Rows = list[dict[str, float]]
DETECT = "detect"
FIRST = ("linear", "knn")  # protocols in the order in which they are shown; others follow by name


@dataclass(frozen=True)
class Measured:
    """A result file, with the predictions or detections beside it where they can be read."""

    file: str
    result: Result
    predictions: Predictions | None = None
    detections: Detections | None = None


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
        measured: its results.
        complaints: what could not be read, and why.
    """

    path: Path
    name: str
    config: Config
    pretrained: Model | None = None
    written: str | None = None
    history: Rows = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
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


def stores_of(run: Run, given: Sequence[Path]) -> list[ClipStore]:
    """The stores in which the run's clips may be: those given, and the one that it was trained on.

    Raises:
        KinemeError: there is none, or what was given is no store.
    """
    own = run.config.data.store
    found = [ClipStore(path) for path in given]
    if own is not None and Path(own).exists():
        found.append(ClipStore(own))
    if not found:
        where = f"{own}, is not there any more" if own else "is not known"
        raise KinemeError(f"the clip store of {run.name}, {where}; pass --store to say where it is")
    return found


def store_measured(run: Run, result: Result, given: Sequence[Path]) -> ClipStore:
    """The store that a result was measured on, by its fingerprint.

    Raises:
        KinemeError: it is not among those that are known.
    """
    for store in stores_of(run, given):
        if store.manifest.fingerprint == result.fingerprint:
            return store
    raise KinemeError(
        f"the clips of {result.store}, as they were measured, are not here; pass --store to say where"
    )


def _read(folder: Path, name: str) -> Run:
    if not (folder / CONFIG).is_file():
        raise KinemeError(
            f"{folder}: no run directory (it has no {CONFIG}); name one that `kineme pretrain` made"
        )
    run = Run(folder, name, load_run_config(folder))
    weights = folder / WEIGHTS
    try:
        run.pretrained = load_run(folder)
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
    result = Result.from_json(path)
    classes = len(result.class_names)
    if not result.scores or np.shape(result.confusion_matrix) != (classes, classes):
        raise KinemeError(f"{path}: is no whole result (no scores, or no matrix of {classes} classes)")
    beside = path.with_suffix(".npz")
    predictions, detections = None, None
    if beside.is_file():
        try:
            if result.protocol == DETECT:
                detections = Detections.load(beside)
            else:
                predictions = Predictions.load(beside)
        except KinemeError as error:
            run.complaints.append(str(error))
    run.measured.append(Measured(path.name, result, predictions, detections))
