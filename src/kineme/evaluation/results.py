"""Results: what was measured, on which data, by which code, as a file to read and to parse and as a table."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.table import Table

import kineme
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.metrics import accuracy as metrics
from kineme.typing import Array

PRETRAINED, RANDOM, RAW = "pre-trained encoder", "random encoder", "raw coordinates"
SCRATCH = "trained from scratch"
RANKING = {"recall@5": "Recall@5", "recall@10": "Recall@10", "mAP": "mAP"}  # the figures that are no top-1
COLUMNS = {
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
        value: the figure; of recognition, the share of test clips whose class is the first guess (top-1).
        interval: 95 % bootstrap interval over the test clips (or recordings).
        top5: the class is among the first five; None where a protocol does not rank the classes, or where
            there are no more than five.
        epoch: of the probe's or the classifier's training, where it is trained in epochs.
        deviation: standard deviation over seeds, where `value` is the mean over several.
        values: the figure of each seed.
    """

    value: float
    interval: tuple[float, float] | None = None
    top5: float | None = None
    epoch: int | None = None
    deviation: float | None = None
    values: tuple[float, ...] | None = None

    @classmethod
    def of(cls, scores: Array, labels: Array, epoch: int | None = None) -> Score:
        """The score of (N, classes) class scores for clips of (N,) true classes."""
        top5 = metrics.top_k(scores, labels, 5) if scores.shape[1] > 5 else None
        return replace(cls.of_hits(metrics.is_in_top(scores, labels)), top5=top5, epoch=epoch)

    @classmethod
    def of_hits(cls, hits: Array) -> Score:
        """The share (N,) of clips that are right, with its interval."""
        return cls(float(100 * np.mean(hits)), metrics.bootstrap_interval(100.0 * hits))


@dataclass(frozen=True)
class Predictions:
    """What was said of every test clip, to be fused with other streams or looked at.

    Attributes:
        names: (N,) of the test clips.
        labels: (N,) their classes.
        scores: probe → (N, classes), greater is likelier.
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
    def load(cls, path: Path) -> Predictions:
        """Reads what `save` wrote.

        Raises:
            KinemeError: the file is missing or holds no predictions.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                scores = {
                    key.removeprefix("scores_"): stored[key] for key in stored if key.startswith("scores_")
                }
                return cls(stored["names"], stored["labels"], scores)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise KinemeError(
                f"{path}: cannot be read as predictions ({error}); evaluate the run again"
            ) from error


@dataclass(frozen=True)
class Result:
    """One protocol's outcome, with all that is needed to repeat it.

    Attributes:
        protocol: such as `linear`.
        method, encoder, stream: what was evaluated.
        weights: SHA-256 of the encoder's weights.
        pretrained_epochs: of its pre-training, the last of which is evaluated; None where that is not known.
        preprocessing: of the store it was trained on, in one line.
        crop: share of each clip, about its centre, that was looked at.
        settings: the protocol's.
        seed: of the probe and of the random encoder.
        version, commit: of Kineme; the commit is None where it does not run from its git checkout.
        store, fingerprint, store_preprocessing: the data set that was measured on.
        split: its division into training and test part.
        train_clips, test_clips: their sizes.
        scores: of the pre-trained encoder, by probe: `logistic`, `last`, `best`, `knn`; of retrieval also
            `recall@5`, `recall@10` and `mAP`; of few labels by their share, such as `10 %`.
        baselines: the same of a randomly initialised encoder and of raw coordinates, or of the encoder
            trained from scratch.
        detailed: the probe to which the per-class figures belong.
        class_names: in the order of the two following.
        per_class_accuracy: per cent; None for a class without test clips.
        confusion_matrix: test clips; rows are true classes, columns predicted ones.
        time: when it was measured (UTC), and `seconds` how long that took.
        joint_map: of a store of another layout than the encoder's: joint of the encoder → joints of the store
            and the weights with which they make it up.
        seen_clips: test clips among those of the pre-training; None where nobody knows.
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

    def to_json(self) -> str:
        """Indented JSON, with lists of numbers on one line each."""
        text = json.dumps({"unit": "per cent", **asdict(self)}, indent=1, ensure_ascii=False, allow_nan=False)
        # Inside a string a line break is escaped, so only real lists match.
        numbers = re.compile(r"\[\n\s*((?:-?[\d.e+-]+|null)(?:,\n\s*(?:-?[\d.e+-]+|null))*)\n\s*\]")
        return numbers.sub(lambda found: "[" + re.sub(r",\n\s*", ", ", found[1]) + "]", text) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> Result:
        """Reads what `save` wrote.

        Raises:
            KinemeError: the file is missing or is no result.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data.pop("unit")
            for old, new in (("recipe", "preprocessing"), ("store_recipe", "store_preprocessing")):
                if old in data:  # written before version 0.2
                    data[new] = data.pop(old)
            data["scores"] = _scores(data["scores"])
            data["baselines"] = {row: _scores(scores) for row, scores in data["baselines"].items()}
            return cls(**data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KinemeError(
                f"{path}: cannot be read as a result ({error}); evaluate the run again"
            ) from error


def _scores(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    """Scores as they stand in a file; what is a tuple was written as a list."""

    def read(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    return {name: Score(**{key: read(value) for key, value in score.items()}) for name, score in data.items()}


def per_class(labels: Array, predicted: Array, classes: int) -> dict[str, Any]:
    """The per-class fields of a `Result`."""
    confusion = metrics.confusion_matrix(labels, predicted, classes)
    shares = metrics.per_class_accuracy(confusion)
    return {
        "per_class_accuracy": [None if np.isnan(share) else share for share in shares.tolist()],
        "confusion_matrix": confusion.tolist(),
    }


def result_path(run: Path, protocol: str, *qualifiers: str) -> Path:
    """RUN/results/PROTOCOL-QUALIFIERS.json; what no file name can hold ('subjects:1,2') becomes -."""
    name = re.sub(r"[^\w.+-]+", "-", "-".join((protocol, *qualifiers)))
    return run / "results" / f"{name}.json"


class Kept(Protocol):
    """What can be written beside a result."""

    def save(self, path: Path) -> None:
        """Writes it into a file."""


def save(result: Result, run: Path, *qualifiers: str, beside: Mapping[str, Kept] | None = None) -> Path:
    """Writes a result to RUN/results/PROTOCOL.json; qualifiers are appended to the name with hyphens.

    What is kept beside it, by suffix and under the same name, is written first: where there is a result, all
    of it is there.
    """
    path = result_path(run, result.protocol, *qualifiers)
    for suffix, kept in (beside or {}).items():
        kept.save(path.with_suffix(suffix))
    with atomic_write(path) as aside:
        aside.write_text(result.to_json(), encoding="utf-8")
    return path


def table(*results: Result) -> Table:
    """One run's results on one data set, by row (baselines first) and probe, for the terminal.

    Recall and mAP are shown where retrieval stands alone; beside other probes the rows would get too long.
    """
    first = results[0]
    found = dict.fromkeys(_column(result, name) for result in results for name in result.scores)
    names = sorted(found, key=lambda name: [*COLUMNS].index(name) if name in COLUMNS else len(COLUMNS))
    if set(names) - {"knn", *RANKING}:
        names = [name for name in names if name not in RANKING]
    several = any(score.deviation is not None for result in results for score in result.scores.values())
    figures = "top-1, recall and mAP" if RANKING.keys() & set(names) else "top-1"
    title = f"{first.method} ({first.stream}) on {first.store}, {first.split}: {figures} %"
    caption = f"{first.train_clips} training and {first.test_clips} test clips, seed {first.seed}; " + (
        "±: standard deviation over seeds" if several else "below: 95 % bootstrap interval"
    )
    if first.seen_clips:
        caption += f"\n{first.seen_clips} of the test clips were seen in pre-training"
    shown = Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        min_width=max(map(len, (title, *caption.splitlines()))),
    )
    shown.add_column("")
    for name in names:
        shown.add_column(COLUMNS.get(name, name), justify="right")
    rows: dict[str, dict[str, Score]] = {RAW: {}, RANDOM: {}, SCRATCH: {}, PRETRAINED: {}}
    for result in results:
        for row, scores in {**result.baselines, PRETRAINED: result.scores}.items():
            rows[row].update({_column(result, name): score for name, score in scores.items()})
    for row, scores in rows.items():
        if scores:
            cells = [cell(scores.get(name), row == PRETRAINED) for name in names]
            shown.add_row(row, *cells, style="bold" if row == PRETRAINED else "")
    return shown


def _column(result: Result, name: str) -> str:
    """The column of a score: by its protocol and name where `COLUMNS` tells them apart, else by its name."""
    qualified = f"{result.protocol} {name}"
    return qualified if qualified in COLUMNS else name


def cell(score: Score | None, full: bool) -> str:
    """A figure as the table shows it: with its deviation, or in full with its interval below."""
    if score is None:
        return ""
    if score.deviation is not None:
        return f"{score.value:.1f} ± {score.deviation:.1f}"
    if full and score.interval is not None:
        return f"{score.value:.1f}\n{score.interval[0]:.1f}–{score.interval[1]:.1f}"
    return f"{score.value:.1f}"


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
