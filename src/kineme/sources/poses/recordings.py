"""The files of each clip, and its label.

A clip is a file, named by its path without the suffix (`wave/anna_01`); or OpenPose's frames,
`NAME_000000000012_keypoints.json`, of one folder and NAME. Its class is the first that exists of

1. the column `label` of a `labels.csv` (name,label, and subject and camera if known; a name is the path,
   with or without suffix, or its last part if that is unique; an empty label means unknown);
2. what the clip's name says, where the user says how clips are named;
3. the `label` inside the files (.npz, JSON, a column of a table);
4. the clip's folder, if clips are in several. Frames in a folder of the same NAME, or without NAME, are that
   folder's clip, so one folder per class with one folder per video works too.
"""

from __future__ import annotations

import logging
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from kineme.arguments import did_you_mean
from kineme.clips.store import UNLABELLED, Clip
from kineme.errors import KinemeError
from kineme.sources.poses.foreign import FOREIGN
from kineme.sources.poses.formats import Told, notes_of, suffixes
from kineme.sources.poses.lists import check_columns, read_list
from kineme.sources.poses.naming import named
from kineme.sources.poses.rows import AS_UTF8
from kineme.sources.poses.times import usual_rate
from kineme.sources.raw import RawFile, few, find_files
from kineme.typing import Array

logger = logging.getLogger(__name__)

LABELS = "labels.csv"
_TABLES = (".csv", ".tsv")
_NEVER = re.compile(r"(?!)")
_YOLO = re.compile(r"(?:(.*?)_)?(\d{1,18})")
_OPENPOSE = re.compile(r"(?:(.*?)_)?(\d{1,18})_keypoints")
_DLC = "DLC_"  # in the names of DeepLabCut's files, between the video's and the network's
_COLUMNS = ("name", "label", "subject", "camera")  # of that list
_MAX_LABELS_BYTES = 1 << 25


@dataclass(frozen=True)
class Recording:
    """The files of one clip."""

    name: str  # unique, see the top of this file
    files: tuple[RawFile, ...]  # one, or OpenPose's frames in order
    numbers: tuple[int, ...] = ()  # of OpenPose's frames; empty for other files
    label: int = UNLABELLED
    subject: str = ""
    camera: int = -1
    fps: float | None = None  # its own, where it has to be resampled

    def clip(self, points: Array, confidence: Array | None) -> Clip:
        """With this motion (T, M, V, C), and what is known of the recording."""
        return Clip(
            name=self.name,
            xyz=points,
            label=self.label,
            subject=self.subject,
            camera=self.camera,
            confidence=confidence,
        )


@dataclass(frozen=True)
class Kind:
    """What recordings are looked for.

    Attributes:
        name: in words.
        suffixes: of their files, in lower case.
        notes: file and what the user said of it → `fps`, `label` and `subject`, as far as it says them, and
            `texts`, see `csv_notes`.
        zipped: they may be in a zip.
        foreign: suffix of files that are taken for such recordings → what they are, and the remedy.
    """

    name: str
    suffixes: tuple[str, ...]
    notes: Callable[[RawFile, Told], Mapping[str, Any]]
    zipped: bool = True
    foreign: Mapping[str, tuple[str, str]] = field(default_factory=dict)


ANYTHING = ".mat"
"""Of files that hold anything, and are read only where there are no other recordings."""


def kind_of_poses() -> Kind:
    """Files of poses, in all formats that are known now."""
    return Kind("poses", suffixes(), notes_of, foreign=FOREIGN)


class _Said(NamedTuple):
    """A row of the list, or what stands for it; `label` is empty if unknown."""

    label: str = ""
    subject: str = ""
    camera: int = -1


def find_recordings(
    raw: Path,
    fps: float | None,
    told: Told | None = None,
    pattern: str | None = None,
    kind: Kind | None = None,
) -> tuple[list[Recording], tuple[str, ...], float | None]:
    """The clips of a folder, zip or file sorted by name, the names of their classes, and the fps.

    Args:
        raw: the files.
        fps: by default what the files say, None if they say nothing. Those that say another rate are to be
            resampled to it. Rates that are measured from times differ a little; the usual one is that of all.
        told: what the user said of the files.
        pattern: how the clips are named, such as `{subject}_{label}-{take}`, see `naming.py`.
        kind: of recordings; None: poses.

    Raises:
        KinemeError: there are none, two have the same name, their frame rates differ and `fps` is not given,
            or the list of labels is malformed or has another name.
    """
    kind, told = kind or kind_of_poses(), told or Told()
    recordings, labels = _collected(raw, kind)
    if told.columns and not any(each.files[0].place.suffix.lower() in _TABLES for each in recordings):
        role = next(iter(told.columns))
        raise KinemeError(f"`{role}_column`: {raw} has no CSV files; leave it out")
    notes = [{} if recording.numbers else kind.notes(recording.files[0], told) for recording in recordings]
    _check_are_no_lists(recordings, notes)
    own, rate = _rates(raw, recordings, notes, fps)
    rows = _listed(labels, recordings) if labels else _said(recordings, notes, pattern)
    classes = sorted({each.label for each in rows} - {""}, key=_natural)
    at = {name: index for index, name in enumerate(classes)} | {"": UNLABELLED}
    labelled = []
    for recording, each, note, mine in zip(recordings, rows, notes, own, strict=True):
        subject = each.subject or _text(note.get("subject"))
        camera = each.camera if each.camera >= 0 else _camera(note.get("camera"))
        other = mine if mine != rate else None
        labelled.append(replace(recording, label=at[each.label], subject=subject, camera=camera, fps=other))
    return labelled, tuple(classes), rate


def _collected(raw: Path, kind: Kind) -> tuple[list[Recording], RawFile | None]:
    """The recordings of a folder, zip or file, and the list of their labels if there is one."""
    listing = PurePosixPath(LABELS).suffix
    files = find_files(raw, *{*kind.suffixes, listing})
    lists = [file for file in files if file.name.lower() == LABELS]
    if len(lists) > 1:
        raise KinemeError(f"{lists[1]}: duplicates {lists[0]}; keep one")
    others = set() if listing in kind.suffixes else {listing}
    unread = [file for file in files if file.place.suffix.lower() in others and file not in lists]
    if unread and not lists:
        logger.warning("%s is not read; if it lists labels (name,label), call it %s", unread[0], LABELS)
    recordings = _grouped(
        _chosen([file for file in files if file not in lists and file.place.suffix.lower() not in others])
    )
    if not recordings:
        for file in find_files(raw, *kind.foreign):
            if told_of := kind.foreign.get(file.place.suffix.lower()):
                raise file.error(*told_of)
        expected = f"{', '.join(kind.suffixes)} files{', zipped or not' if kind.zipped else ''}"
        other = "what another source reads is prepared with that (kineme prepare --help)"
        raise KinemeError(f"{raw}: contains no {kind.name}; expected {expected}; {other}")
    return recordings, lists[0] if lists else None


def _rates(
    raw: Path, recordings: Sequence[Recording], notes: Sequence[Mapping[str, Any]], fps: float | None
) -> tuple[list[float | None], float | None]:
    """The frame rate that each recording states, None if it states none, and that of all.

    Raises:
        KinemeError: they state several, and `fps` is not given.
    """
    # Six digits: 29.97 may be written in 32 bits.
    given = [float(f"{each['fps']:.6g}") if _is_rate(each.get("fps")) else None for each in notes]
    measured = [rate for rate, each in zip(given, notes, strict=True) if rate and each.get("measured")]
    own = [None if each.get("measured") else rate for rate, each in zip(given, notes, strict=True)]
    rates = {rate for rate in own if rate}
    if len(rates) > 1 and fps is None:
        of = {rate: recording.name for rate, recording in reversed(list(zip(own, recordings, strict=True)))}
        some = few([f"{rate:g} a second in {of[rate]}" for rate in sorted(rates)], 3)
        different = f"{raw}: the files have {len(rates)} different frame rates ({some})"
        usual = Counter(rate for rate in own if rate).most_common(1)[0][0]
        remedy = f"set `fps` to the rate to which all are to be resampled, such as the most common, {usual:g}"
        raise KinemeError(f"{different}; {remedy}")
    return own, fps or next(iter(rates), None) or (usual_rate(measured) if measured else None)


def _said(
    recordings: Sequence[Recording], notes: Sequence[Mapping[str, Any]], pattern: str | None
) -> list[_Said]:
    """What stands for each clip's row of a list: its name, if the user says how to read it, else its file or
    folder."""
    if pattern is not None:
        found = named([recording.name for recording in recordings], pattern)
        return [
            _Said(label or _text(note.get("label")), subject, camera)
            for (label, subject, camera), note in zip(found, notes, strict=True)
        ]
    if any(each.get("label") is not None for each in notes):
        return [_Said(_text(each.get("label"))) for each in notes]
    folders = [PurePosixPath(recording.name).parent.name for recording in recordings]
    several = len(set(folders)) > 1
    return [_Said(folder if several else "") for folder in folders]


def _check_are_no_lists(recordings: Sequence[Recording], notes: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a table whose rows name other recordings: it is about them, and none itself.

    Raises:
        KinemeError: there is one.
    """
    if not any(note.get("texts") for note in notes):
        return
    whole = {each.name: each for each in recordings}
    last = {PurePosixPath(name).name: each for name, each in whole.items()}
    of = {
        name + end: each for name, each in (last | whole).items() for end in ("", each.files[0].place.suffix)
    }
    for recording, note in zip(recordings, notes, strict=True):
        for texts in note.get("texts", ()):
            about = {of[text].name for text in texts if text in of} - {recording.name}
            if len(about) > 1 and 2 * len(about) >= len(texts):  # one may be a class that is called so too
                raise KinemeError(
                    f"{recording.files[0]}: is no recording, but a list that names others, such as "
                    f"{min(about)!r}; call it {LABELS} if it has their labels (name,label), or move it away"
                )


def _chosen(files: Sequence[RawFile]) -> Sequence[RawFile]:
    """Without texts of another kind, such as YOLO's list of classes, without what may be anything where there
    are other recordings, and what DeepLabCut saves several times only once."""
    kept = _once(
        [file for file in files if file.place.suffix.lower() != ".txt" or _YOLO.fullmatch(file.stem)]
    )
    sure = [file for file in kept if file.place.suffix.lower() != ANYTHING]
    if sure and len(sure) < len(kept):
        logger.info("MATLAB files are not read, as there are recordings of other kinds")
    return sure or kept


def _once(files: Sequence[RawFile]) -> list[RawFile]:
    """DeepLabCut writes .h5 and .csv of the same motion, and where asked to filter it both of these again."""
    tables = {file.place.with_suffix("") for file in files if file.place.suffix.lower() == ".csv"}
    kept = [
        file
        for file in files
        if file.place.suffix.lower() != ".h5" or file.place.with_suffix("") not in tables
    ]
    if len(kept) < len(files):
        logger.info(".h5 files beside a .csv file of the same name are not read again")
    stems = {file.place.with_suffix("") for file in kept}
    once = [file for file in kept if not (_DLC in file.stem and _filtered(file.place) in stems)]
    if len(once) < len(kept):
        logger.info("of DeepLabCut's files with a filtered one beside them, only that is read")
    return once


def _filtered(place: PurePosixPath) -> PurePosixPath:
    return place.with_name(f"{place.stem}_filtered")


def _grouped(files: Sequence[RawFile]) -> list[Recording]:
    frames: dict[str, list[tuple[int, RawFile]]] = {}
    recordings: list[Recording] = []
    for file in files:
        place, suffix = _place(file), file.place.suffix.lower()
        match = {".json": _OPENPOSE, ".txt": _YOLO}.get(suffix, _NEVER).fullmatch(file.stem)
        if match:
            name = _clip_name(place.parent, unicodedata.normalize("NFC", match[1] or ""))
            frames.setdefault(name, []).append((int(match[2]), file))
        else:
            # Without the spaces around a part, as tables that name clips have none.
            parts = (part.strip() for part in place.with_suffix("").parts)
            recordings.append(Recording("/".join(parts), (file,)))
    for name, numbered in frames.items():
        numbers, ordered = zip(*sorted(numbered, key=lambda each: each[0]), strict=True)
        recordings.append(Recording(name, ordered, numbers))
    recordings.sort(key=lambda each: each.name)
    for one, other in pairwise(recordings):
        if one.name == other.name:
            raise other.files[0].error(f"is clip {one.name!r} too, like {one.files[0]}", "keep one")
    return recordings


def _place(file: RawFile) -> PurePosixPath:
    """Where a file is, spelt alike on every system: macOS takes letters such as ö apart."""
    return PurePosixPath(unicodedata.normalize("NFC", str(file.place)))


def _clip_name(folder: PurePosixPath, prefix: str) -> str:
    if prefix in ("", folder.name):
        return "poses" if folder == PurePosixPath() else folder.as_posix()
    return (folder / prefix).as_posix()


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < 1e4


def _camera(value: Any) -> int:
    """The number of a camera; -1 if it is none."""
    digits = re.findall(r"\d{1,9}", str(value)) if isinstance(value, str | int) else []
    return int(digits[-1]) if digits else -1


def _text(value: Any) -> str:
    """A label or subject as text; empty if it is neither text nor a whole number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int) and len(str(value)) <= 200 else ""


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts 9 before 10."""
    parts = re.findall(r"([0-9]{1,18})|([^0-9]+)", name)
    return [(int(number), "") if number else (sys.maxsize, text) for number, text in parts]


def _listed(file: RawFile, recordings: Sequence[Recording]) -> list[_Said]:
    """The list's row for each clip; an empty one for clips it does not name."""
    try:
        table = read_list(file.read(_MAX_LABELS_BYTES))
    except ValueError as error:
        raise KinemeError(f"{file}: is not a CSV file in UTF-8; {AS_UTF8}") from error
    columns = table.columns
    try:
        check_columns(table, _COLUMNS[2:])
    except ValueError as error:
        raise KinemeError(f"{file}, line 1: {error}") from error
    listed: dict[str, _Said] = {}
    for number, row in table.rows:
        if len(row) != len(columns):
            raise KinemeError(f"{file}, line {number}: has {len(row)} fields, the header {len(columns)}")
        fields = dict(zip(columns, row, strict=True))
        name, label, subject, camera = (fields.get(column, "") for column in _COLUMNS)
        if not re.fullmatch(r"-?[0-9]{1,9}|", camera):
            raise KinemeError(f"{file}, line {number}: camera {camera[:60]!r} is not an integer")
        if name in listed:
            raise KinemeError(f"{file}, line {number}: names {name[:60]!r} again; keep one row")
        listed[name] = _Said(label, subject, int(camera or -1))
    below = _place(file).parent
    last = Counter(PurePosixPath(recording.name).name for recording in recordings)
    told: list[_Said | None] = []
    names: dict[str, None] = {}
    for recording in recordings:
        place = PurePosixPath(recording.name)
        known = [place.relative_to(below).as_posix() if place.is_relative_to(below) else recording.name]
        known += [place.name] if last[place.name] == 1 else []
        known += [name + recording.files[0].place.suffix for name in known]
        known += [name.replace("/", "\\") for name in known if "/" in name]  # as Windows shows them
        told.append(next((listed[name] for name in known if name in listed), None))
        names |= dict.fromkeys(known)
    if not any(told):
        like = f"their names are like {recordings[0].name!r}, with or without suffix"
        raise file.error("names none of the clips", like)
    if unused := [name for name in listed if name not in names]:
        near = did_you_mean(unused[0], names)
        logger.warning(
            "%s: %d of its %d names match no clip, such as %r%s",
            file,
            len(unused),
            len(listed),
            unused[0][:60],
            near,
        )
    return [each or _Said() for each in told]
