"""What a classifier is taught with: labelled clips, files or parts of them, and the table that lists them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePath

import numpy as np

from kineme.arguments import did_you_mean
from kineme.clips.columns import spellings
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError, one_line
from kineme.inference.classifying.reading import AROUND
from kineme.inference.recordings import Recordings, open_input
from kineme.model import Model
from kineme.preprocessing import Preprocessing
from kineme.sources.poses.given import given_poses
from kineme.sources.poses.lists import ListFile, check_columns, read_list
from kineme.sources.poses.rows import AS_UTF8
from kineme.sources.reading import Reading, joint_map_of
from kineme.typing import Array
from kineme.untrusted import bad_name

COLUMNS = ("name", "label", "start", "end", "subject")
# What others call these columns, which would be ignored, and with them which part an example is.
_TIMES = {
    "start": re.compile(r"from|(start|begin|onset)([^a-z].*)?"),
    "end": re.compile(r"to|(end|stop|offset)([^a-z].*)?"),
}


@dataclass(frozen=True)
class Example:
    """A motion and what it shows.

    Attributes:
        motion: name of a clip of the store, a file of poses with one recording, or an array (T, V, C) or
            (T, M, V, C) at 30 frames per second, as for `Model.embed`.
        label: name of the class.
        start, end: the part that shows it, in seconds; None means the recording's own beginning or end.
        subject: the performer; if empty, whatever the store or the file says.
        folder: the one that a relative file is in; None means the current directory.
        where: its place in a table, such as `labels.csv, line 3`; messages begin with it.

    >>> Example("wave/anna_01", "wave", start=2.0, end=4.0).label
    'wave'
    """

    motion: str | Path | Array
    label: str
    start: float | None = None
    end: float | None = None
    subject: str = ""
    folder: Path | None = None
    where: str = ""


@dataclass(frozen=True)
class Found:
    """An example with its motion.

    Attributes:
        around: (W, M, V, C), preprocessed, in the model's layout: the part with what is `AROUND` it.
        before, frames: which of these frames the part is: how many are before it, and its own.
        label, subject: as in `Example`.
        name: of the recording.
        start, end: of the part in seconds; the end is known.
        present: (V,) bool, which joints were recorded; None: all were.
    """

    around: Array
    before: int
    frames: int
    label: str
    subject: str
    name: str
    start: float
    end: float
    present: Array | None = None

    @property
    def xyz(self) -> Array:
        """(T, M, V, C): the part alone."""
        return self.around[self.before : self.before + self.frames]


def read_examples(path: str | Path) -> tuple[list[Example], int]:
    """The examples of a table with the columns `name`, `label` and optionally `start`, `end`, `subject`.

    Other columns are ignored, so a table written by `kineme search` can be labelled and passed in.

    Returns:
        the examples with a label, and how many rows have none yet.

    Raises:
        KinemeError: the table is missing or malformed; with the line.

    >>> table = example_folder / "labels.csv"
    >>> _ = table.write_text("name,label,start,end\\nwalk_01,walk,,\\nwalk_02,,1,3\\n")
    >>> read_examples(table)[0][0].label, read_examples(table)[1]
    ('walk', 1)
    """
    path = Path(path)
    try:
        table = read_list(path.read_bytes())
    except OSError as error:
        raise KinemeError(f"{path}: cannot be read ({one_line(error)})") from error
    except ValueError as error:
        raise KinemeError(f"{path}: is not a table of text ({error}); {AS_UTF8}") from error
    _check_header(path, table)
    point = "," if table.delimiter != "," else "."
    examples, empty = [], 0
    for line, row in table.rows:
        where = f"{path}, line {line}"
        if len(row) != len(table.columns):
            raise KinemeError(f"{where}: has {len(row)} columns, and the first line {len(table.columns)}")
        told = dict(zip(table.columns, row, strict=True))
        if not told["name"]:
            raise KinemeError(f"{where}: names no clip")
        start, end = (_time(told.get(column, ""), point, column, where) for column in ("start", "end"))
        if not told["label"]:
            empty += 1
            continue
        subject = told.get("subject", "")
        examples.append(Example(told["name"], told["label"], start, end, subject, path.parent, where))
    return examples, empty


def _check_header(path: Path, table: ListFile) -> None:
    header = table.columns
    try:
        check_columns(table, COLUMNS[2:])
    except ValueError as error:
        raise KinemeError(f"{path}: {error}") from error
    for name in header:
        if name not in COLUMNS and (near := did_you_mean(name, set(COLUMNS) - set(header), 0.75)):
            raise KinemeError(f"{path}: column {name!r} is unknown{near}")
        meant = next((column for column, others in _TIMES.items() if others.fullmatch(name)), None)
        if name not in COLUMNS and meant and meant not in header:
            raise KinemeError(
                f"{path}: column {name!r} is unknown; if it tells when, call it {meant}, in seconds"
            )


def _time(text: str, point: str, column: str, where: str) -> float | None:
    """Seconds; `point` is what may stand for the decimal point, other than itself."""
    if not text:
        return None
    try:
        value = float(text.replace(point, "."))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise KinemeError(f"{where}: {column} is {text!r}; write seconds, such as 2.5, or leave it empty")
    return value


def find_examples(
    model: Model,
    examples: Sequence[Example],
    store: ClipStore | None,
    reading: Reading,
) -> list[Found]:
    """The motion of examples.

    Args:
        model: prepares files and arrays as its training clips were.
        examples: what is looked for.
        store: of clips by name, in the model's layout; None: there is none.
        reading: what files do not say themselves.

    Raises:
        KinemeError: a motion or part does not exist or is listed twice, or a label is not one; with the line
            of the table.
    """
    _check_labels(examples)
    row_of = {} if store is None else {name: row for row, name in enumerate(store.names.tolist())}
    read = lru_cache(maxsize=1)(partial(_file, model, reading))  # for parts of one file, one after another
    found: list[Found] = []
    seen: dict[tuple[str, float, float], str] = {}
    for number, example in enumerate(examples):
        where = example.where or f"example {number + 1}"
        clip, fps, preprocessing = _clip(model, example, where, store, row_of, reading, read)
        start, end = _part(example, len(clip.xyz) / fps, clip.name, where, preprocessing)
        first = min(math.floor(start * fps + 0.5), len(clip.xyz) - 1)
        frames = max(min(math.floor(end * fps + 0.5), len(clip.xyz)), first + 1) - first
        margin = math.ceil(AROUND * frames)
        low = max(first - margin, 0)
        around = clip.xyz[low : first + frames + margin].copy()  # the rest is not kept
        key = (clip.name, start, end)
        if key in seen:
            raise KinemeError(
                f"{where}: {clip.name} is labelled already, by {seen[key]}; keep one of the two"
            )
        seen[key] = where
        subject = example.subject or clip.subject
        place = (around, first - low, frames)
        found.append(Found(*place, example.label, subject, clip.name, start, end, clip.present))
    return found


def _check_labels(examples: Sequence[Example]) -> None:
    spelt: dict[str, Example] = {}
    for example in examples:
        if wrong := bad_name([example.label]):
            raise KinemeError(f"{example.where or 'examples'}: label: {wrong}")
        first = spelt.setdefault(example.label.casefold(), example)
        if first.label != example.label:
            raise KinemeError(
                f"{example.where or 'examples'}: label {example.label!r} was {first.label!r} before; use "
                "the same spelling"
            )


def _clip(
    model: Model,
    example: Example,
    where: str,
    store: ClipStore | None,
    row_of: Mapping[str, int],
    reading: Reading,
    read: Callable[[Path], tuple[Clip, Recordings]],
) -> tuple[Clip, float, Preprocessing]:
    """The whole recording, its frames per second and its preprocessing."""
    motion = example.motion
    try:
        if isinstance(motion, np.ndarray):
            source = given_poses([motion], model.shape.layout, Reading())
            (clip,) = model.prepared(source, joint_map_of(reading))
            return replace(clip, name=where), source.fps, model.preprocessing  # a name of its own
        file = (example.folder or Path()) / motion
        row = _row(str(motion), row_of)
        if row is None and not file.is_file():  # as files are called that were prepared
            row = _row(PurePath(motion).with_suffix("").as_posix(), row_of)
        if store is not None and row is not None:
            subject = str(store.index["subject"][row])
            manifest = store.manifest
            name = str(store.names[row])
            clip = Clip(name, store.clip(row), subject=subject, present=store.clip_present(row))
            return clip, manifest.fps, manifest.preprocessing
        if not file.is_file():
            raise KinemeError(_no_such(str(motion), file, store, row_of))
        clip, opened = read(file)
        clip = Clip(str(motion), clip.xyz, subject=clip.subject, present=clip.present)
        return clip, opened.fps, opened.preprocessing
    except KinemeError as error:
        raise KinemeError(f"{where}: {error}") from error


def _row(name: str, row_of: Mapping[str, int]) -> int | None:
    return next((row_of[spelt] for spelt in spellings(name) if spelt in row_of), None)


def _file(model: Model, reading: Reading, file: Path) -> tuple[Clip, Recordings]:
    opened = open_input(model, file, reading)
    if opened.count != 1:
        raise KinemeError(f"{file}: holds {opened.count} recordings; an example is one")
    ((_, clip),) = opened.clips(0)
    return clip, opened


def _no_such(motion: str, file: Path, store: ClipStore | None, row_of: Mapping[str, int]) -> str:
    beside = [each.name for each in sorted(file.parent.glob("*"))[:1000]] if file.parent.is_dir() else []
    near = did_you_mean(motion, [*row_of, *beside])
    if store is None:
        return f"there is no file {file}{near or '; if it is the name of a clip, pass its `store`'}"
    return f"{store.path} has no clip {motion!r}, and there is no file {file}{near}"


def _part(
    example: Example, seconds: float, name: str, where: str, preprocessing: Preprocessing
) -> tuple[float, float]:
    if example.start is None and example.end is None:
        return 0.0, seconds
    start, end = example.start or 0.0, seconds if example.end is None else example.end
    if not 0 <= start < end <= seconds + 1e-3:  # tables hold milliseconds
        raise KinemeError(
            f"{where}: {name} has no part from {start:g} s to {end:g} s; it lasts {seconds:.3f} s"
        )
    if (start, end) != (0.0, seconds):
        try:
            preprocessing.check_keeps_frames()
        except KinemeError as error:
            raise KinemeError(f"{where}: {error}") from error
    return start, min(end, seconds)
