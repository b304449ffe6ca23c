"""The runs of a report as they are on disk; what cannot be read is named and left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from kineme.clips.folders import is_there
from kineme.clips.store import ClipStore
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.results import Predictions, Result
from kineme.files import entries
from kineme.loading import load_run
from kineme.model import Model
from kineme.runs import WEIGHTS, check_run
from kineme.training.directory import load_run_config
from kineme.training.history import HISTORY, read_history

T = TypeVar("T")
DETECT = "detect"
FIRST = ("linear", "knn")  # protocols that come first; others follow by name


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
        history: a row per epoch; empty where there is none.
        measured: its results.
        complaints: what could not be read, and why.
    """

    path: Path
    name: str
    config: Config
    pretrained: Model | None = None
    written: datetime | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def detections(self) -> list[tuple[Measured, Detections]]:
        """Detection results whose detections can be read."""
        return [(each, each.detections) for each in self.measured if each.detections is not None]

    def attempt(self, read: Callable[[Path], T], path: Path) -> T | None:
        """What a file holds; None and a complaint where it cannot be read."""
        try:
            return read(path)
        except KinemeError as error:
            self.complaints.append(str(error))
            return None


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Opens run directories (or the weights in them).

    Raises:
        KinemeError: one of them is not a run directory, or is named twice.
    """
    folders = [path.parent if path.name == WEIGHTS else path for path in paths]
    for number, folder in enumerate(folders):
        if folder.resolve() in (other.resolve() for other in folders[:number]):
            raise KinemeError(f"{folder}: is given twice; give each run once")
    names = [folder.resolve().name for folder in folders]
    return [
        _read(folder, name if names.count(name) == 1 else str(folder))
        for folder, name in zip(folders, names, strict=True)
    ]


def stores_of(run: Run, given: Sequence[Path]) -> list[ClipStore]:
    """The stores that may hold the run's clips: those given, and those that it was trained on.

    Raises:
        KinemeError: there is none, or what was given is not a store.
    """
    own = run.config.data.stores
    found = [*map(ClipStore, given), *map(ClipStore, filter(is_there, own))]
    if not found:
        where = f"{', '.join(own)}, no longer exists" if own else "is not known"
        raise KinemeError(f"the clip store of {run.name}, {where}; name the store of its clips")
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
        f"no known store holds the clips of {result.store} as they were measured; name that store"
    )


def _read(folder: Path, name: str) -> Run:
    check_run(folder)
    run = Run(folder, name, load_run_config(folder))
    run.pretrained = run.attempt(load_run, folder)
    if run.pretrained is not None:
        run.written = datetime.fromtimestamp((folder / WEIGHTS).stat().st_mtime, UTC)
    if (folder / HISTORY).is_file():
        run.history = run.attempt(read_history, folder / HISTORY) or []
    for path in sorted(entries(folder / "results", "*.json"), key=_order):
        result = run.attempt(_read_result, path)
        if result is not None:
            run.measured.append(_with_predictions(run, path, result))
    return run


def _order(path: Path) -> tuple[int, str]:
    ranks = [rank for rank, protocol in enumerate(FIRST) if path.stem.startswith(protocol)]
    return (*ranks, len(FIRST))[0], path.stem


def _read_result(path: Path) -> Result:
    result = Result.from_json(path)
    classes = len(result.class_names)
    if not result.scores or np.shape(result.confusion_matrix) != (classes, classes):
        raise KinemeError(f"{path}: is incomplete (no scores, or no matrix of {classes} classes)")
    return result


def _with_predictions(run: Run, path: Path, result: Result) -> Measured:
    beside = path.with_suffix(".npz")
    if not beside.is_file():
        return Measured(path.name, result)
    if result.protocol == DETECT:
        return Measured(path.name, result, detections=run.attempt(Detections.load, beside))
    return Measured(path.name, result, run.attempt(Predictions.load, beside))
