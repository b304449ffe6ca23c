"""Results: what was measured, on which data, by which code, as a file to read and to parse."""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np

import kineme
from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write
from kineme.metrics import Figures, measure
from kineme.metrics.accuracy import bootstrap_interval, confusion_matrix, is_in_top, top_k
from kineme.typing import Array
from kineme.untrusted import read_arrays

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error)
PRETRAINED, RANDOM, RAW = "pre-trained encoder", "random encoder", "raw coordinates"
SCRATCH = "trained from scratch"
RANKING = {"recall@5": "Recall@5", "recall@10": "Recall@10", "mAP": "mAP"}  # figures that are not top-1
COLUMNS = {  # probe, or protocol and probe where that tells them apart → its name in tables
    "logistic": "Logistic",
    "last": "SGD last",
    "best": "SGD best",
    "knn": "kNN",
    **RANKING,
    "finetune last": "Fine-tuned last",
    "finetune best": "Fine-tuned best",
}


@dataclass(frozen=True)
class Score:
    """One figure, in per cent unless its name says otherwise.

    Attributes:
        value: the figure; for recognition, the share of test clips whose class is the first guess (top-1).
        interval: 95 % bootstrap interval over the test clips (or recordings).
        top5: the class is among the first five; None if a protocol does not rank the classes, or if there are
            no more than five.
        epoch: of the probe's or the classifier's training, if it is trained in epochs.
        deviation: standard deviation over seeds, if `value` is the mean over several.
        values: the figure of each seed.
        rate: learning rate of the SGD probe: given, or chosen among several on held-out training clips.
        rates: that of each seed, if `value` is the mean over several.
    """

    value: float
    interval: tuple[float, float] | None = None
    top5: float | None = None
    epoch: int | None = None
    deviation: float | None = None
    values: tuple[float, ...] | None = None
    rate: float | None = None
    rates: tuple[float, ...] | None = None

    @classmethod
    def of(cls, scores: Array, labels: Array, epoch: int | None = None, rate: float | None = None) -> Score:
        """The score of (N, classes) class scores for clips of (N,) true classes."""
        top5 = top_k(scores, labels, 5) if scores.shape[1] > 5 else None
        return replace(cls.of_hits(is_in_top(scores, labels)), top5=top5, epoch=epoch, rate=rate)

    @classmethod
    def of_hits(cls, hits: Array) -> Score:
        """The share (N,) of clips that are right, with its interval."""
        return cls(float(100 * np.mean(hits)), bootstrap_interval(100.0 * hits))


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Raises KinemeError where a file is missing or damaged."""
    try:
        yield
    except UNREADABLE as error:
        raise KinemeError(
            f"{path}: cannot be read as {what} ({one_line(error)}); evaluate the run again"
        ) from error


@dataclass(frozen=True)
class Predictions:
    """The scores of every test clip, to be fused with other streams or inspected.

    Attributes:
        names: (N,) of the test clips.
        labels: (N,) their classes.
        scores: probe → (N, classes), higher is more likely.
    """

    names: Array
    labels: Array
    scores: Mapping[str, Array]

    def save(self, path: Path) -> None:
        """Writes them as arrays of one .npz file."""
        arrays: dict[str, Any] = {f"scores_{probe}": scores for probe, scores in self.scores.items()}
        with atomic_write(path) as aside:
            np.savez(aside, names=self.names, labels=self.labels, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Reads what `save` wrote.

        Raises:
            KinemeError: the file is missing or holds no predictions.
        """
        path = Path(path)
        with reading(path, "predictions"):
            stored = read_arrays(path)
            probes = [key.removeprefix("scores_") for key in stored if key.startswith("scores_")]
            scores = {probe: stored[f"scores_{probe}"] for probe in probes}
            return cls(stored["names"], stored["labels"], scores)


@dataclass(frozen=True)
class Result:
    """One protocol's outcome, with everything needed to repeat it.

    Attributes:
        protocol: such as `linear`.
        method, encoder, stream: what was evaluated.
        weights: SHA-256 of the encoder's weights.
        pretrained_epochs: of its pre-training, the last of which is evaluated; None if unknown.
        preprocessing: of the store it was trained on, in one line.
        crop: share of each clip, around its centre, that the encoder was shown.
        settings: the protocol's.
        seed: of the probe and of the random encoder.
        version, commit: of Kineme; the commit is None if it does not run from a git checkout.
        store, fingerprint, store_preprocessing: the data set that was measured on.
        split: its division into training and test parts.
        train_clips, test_clips: their sizes.
        scores: of the pre-trained encoder, by probe: `logistic`, `last`, `best`, `knn`; for retrieval also
            `recall@5`, `recall@10` and `mAP`; for few labels by their share, such as `10 %`.
        baselines: the same for a randomly initialised encoder and for raw coordinates, or for the encoder
            trained from scratch.
        detailed: the probe that the confusion matrix, the figures per class and the metrics belong to.
        class_names: in the order of the figures per class.
        per_class_accuracy: per cent; None for a class without test clips.
        confusion_matrix: test clips; rows are true classes, columns predicted ones.
        time: when it was measured (UTC); `seconds` is how long that took.
        joint_map: for a store whose layout differs from the encoder's: joint of the encoder → joints of the
            store and the weights with which they make it up.
        seen_clips: test clips among those of pre-training; None if unknown.
        metrics: of the pre-trained encoder, see `kineme.metrics`.
    """

    protocol: str
    method: str
    encoder: str
    stream: str
    weights: str
    pretrained_epochs: int | None
    preprocessing: str
    crop: float
    settings: Mapping[str, Any]
    seed: int
    version: str
    commit: str | None
    store: str
    fingerprint: str
    store_preprocessing: str
    split: str
    train_clips: int
    test_clips: int
    scores: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, Score]]
    detailed: str
    class_names: Sequence[str]
    per_class_accuracy: Sequence[float | None]
    confusion_matrix: Sequence[Sequence[int]]
    time: str
    seconds: float
    joint_map: Mapping[str, Mapping[str, float]] | None = None
    seen_clips: int | None = None
    metrics: Figures = field(default_factory=dict)

    def to_json(self) -> str:
        """Indented JSON, with lists of numbers on one line each."""
        text = json.dumps({"unit": "per cent", **asdict(self)}, indent=1, ensure_ascii=False, allow_nan=False)
        # Inside a string a line break is escaped, so only real lists match.
        numbers = re.compile(r"\[\n\s*((?:-?[\d.e+-]+|null)(?:,\n\s*(?:-?[\d.e+-]+|null))*)\n\s*\]")
        return numbers.sub(lambda found: "[" + re.sub(r",\n\s*", ", ", found[1]) + "]", text) + "\n"

    @classmethod
    def from_json(cls, path: str | Path) -> Result:
        """Reads what `save` wrote.

        Raises:
            KinemeError: the file is missing or is no result.
        """
        path = Path(path)
        with reading(path, "a result"):
            data = json.loads(path.read_text(encoding="utf-8"))
            data.pop("unit")
            for old, new in (("recipe", "preprocessing"), ("store_recipe", "store_preprocessing")):
                if old in data:  # written before version 0.2
                    data[new] = data.pop(old)
            data["scores"] = _scores(data["scores"])
            data["baselines"] = {row: _scores(scores) for row, scores in data["baselines"].items()}
            return cls(**data)


def _scores(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    """Scores as they stand in a file; what is a tuple was written as a list."""

    def read(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    return {name: Score(**{key: read(value) for key, value in score.items()}) for name, score in data.items()}


def details(labels: Array, predicted: Array, classes: int, scores: Array | None = None) -> dict[str, Any]:
    """The fields of a `Result` that belong to its `detailed` probe.

    Args:
        labels: (N,) true classes.
        predicted: (N,) classes.
        classes: how many there are.
        scores: (N, classes), where there are any.
    """
    given = {"labels": labels, "predicted": predicted, "classes": classes}
    metrics = measure(**given, **({} if scores is None else {"scores": scores}))
    return {
        "per_class_accuracy": metrics["per-class recall"],
        "confusion_matrix": confusion_matrix(labels, predicted, classes).tolist(),
        "metrics": metrics,
    }


def result_path(run: Path, protocol: str, *qualifiers: str, seed: int = 0, clips: str = "") -> Path:
    """RUN/results/PROTOCOL-QUALIFIERS.json; a seed other than 0 is the last qualifier.

    Characters that file names should not have ('subjects:1,2') become hyphens.

    Args:
        run: run directory.
        protocol: such as `linear`.
        qualifiers: what differs from the pre-training.
        seed: of what was drawn.
        clips: fingerprint of a store that the qualifiers name, for names are not unique: where the result is
            another store's of the same name, the fingerprint begins the last qualifier.
    """
    name = "-".join((protocol, *qualifiers, *([f"seed{seed}"] if seed else [])))
    path = run / "results" / (re.sub(r"[^\w.+-]+", "-", name) + ".json")
    if clips:
        with suppress(KinemeError):
            if Result.from_json(path).fingerprint != clips:
                return path.with_name(f"{path.stem}-{clips[:8]}.json")
    return path


class Kept(Protocol):
    """What can be written next to a result."""

    def save(self, path: Path) -> None:
        """Writes it into a file."""


def save(result: Result, path: Path, *, beside: Mapping[str, Kept] | None = None) -> None:
    """Writes a result, see `Task.result_path`.

    What goes with it, by suffix and under the same name, is written first: if there is a result, it is
    complete.
    """
    for suffix, kept in (beside or {}).items():
        kept.save(path.with_suffix(suffix))
    with atomic_write(path) as aside:
        aside.write_text(result.to_json(), encoding="utf-8")


def source_commit() -> str | None:
    """Git commit of the checkout that Kineme runs from ("-dirty": with changes); None where it is none."""
    root = Path(kineme.__file__).parents[2]
    if not (root / ".git").exists():
        return None
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
