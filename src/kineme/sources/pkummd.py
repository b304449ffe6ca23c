"""PKU-MMD I and II: untrimmed videos as text, as its authors distribute them.

A folder with, at any depth, zipped or not:

    0002-L.txt         skeletons (II: A01N01-L.txt), in a folder without "label" in its name: one line per
                       frame, 150 numbers: two bodies, 25 joints, x y z in metres (y up); absent bodies are 0
    0002-L.txt         labels, in a folder with "label" in its name, or below one: one line per action,
                       `class,first,last,confidence`, class 1 to 51, frames from 1, the last one included
    cross-subject.txt  the split xsub (II: cross_subject_v2.txt): a title, training videos, a title,
                       validation videos
    cross-view.txt     the split xview (II: cross_view_v2.txt)

The letter in a video's name is the camera: L, M, R are 1, 2, 3. Subjects are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kineme.clips.store import UNLABELLED, Clip
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.sources import Source
from kineme.sources.pkummd_text import (
    BODIES,
    count_frames,
    read_action,
    read_lines,
    read_skeletons,
    read_split,
)
from kineme.sources.raw import RawFile, find_files, shown

# The data set's own names of the actions, in order of their numbers.
CLASS_NAMES = (
    "bow", "brushing hair", "brushing teeth", "check time (from watch)", "cheer up", "clapping",
    "cross hands in front (say stop)", "drink water", "drop", "eat meal/snack", "falling",
    "giving something to other person", "hand waving", "handshaking", "hopping (one foot jumping)",
    "hugging other person", "jump up", "kicking other person", "kicking something",
    "make a phone call/answer phone", "pat on back of other person", "pickup", "playing with phone/tablet",
    "point finger at the other person", "pointing to something with finger", "punching/slapping other person",
    "pushing other person", "put on a hat/cap", "put something inside pocket", "reading",
    "rub two hands together", "salute", "sitting down", "standing up", "take off a hat/cap",
    "take off glasses", "take off jacket", "take out something from pocket", "taking a selfie",
    "tear up paper", "throw", "touch back (backache)", "touch chest (stomachache/heart pain)",
    "touch head (headache)", "touch neck (neckache)", "typing on a keyboard",
    "use a fan (with hand or paper)/feeling warm", "wear jacket", "wear on glasses", "wipe face", "writing",
)  # fmt: skip
_SPLITS = {"xsub": "cross_subject", "xview": "cross_view"}
_CAMERAS = {"L": 1, "M": 2, "R": 3}


class _Phase(NamedTuple):
    title: str
    example: str
    pattern: re.Pattern[str]
    suffix: str


_PHASES = {
    1: _Phase("PKU-MMD I", "0002-L", re.compile(r"\d{4}-[LMR]"), ""),
    2: _Phase("PKU-MMD II", "A01N01-L", re.compile(r"A\d\dN\d\d-[LMR]"), "_v2"),
}


@dataclass(frozen=True)
class Excerpt:
    """A clip to read: one action of a video, or all of it."""

    name: str
    skeletons: RawFile
    labels: RawFile
    actions: tuple[tuple[int, str], ...]  # the lines of `labels` in question, each with its number
    whole: bool  # all frames of the video, with the actions as intervals; otherwise those of the one action
    splits: Mapping[str, bool]  # as in `Clip`


def open_pkummd1(raw: Path, *, untrimmed: bool = False) -> Source:
    """PKU-MMD I, see `open_pkummd`."""
    return open_pkummd(raw, 1, untrimmed=untrimmed)


def open_pkummd2(raw: Path, *, untrimmed: bool = False) -> Source:
    """PKU-MMD II, see `open_pkummd`."""
    return open_pkummd(raw, 2, untrimmed=untrimmed)


def open_pkummd(raw: Path, phase: int, *, untrimmed: bool = False) -> Source:
    """The actions of a download of PKU-MMD, or its videos, sorted by name.

    An action is named after its video and its line in the label file: `0002-L-003`.

    Args:
        raw: a folder, a zip, or a folder of zips, in any structure.
        phase: 1 or 2. Files of the other one are skipped.
        untrimmed: whole videos with their actions as intervals, instead of one clip per action.

    Raises:
        KinemeError: skeletons, a label file or, of actions, a split is missing, or one of these is a
            duplicate; a label or split file is empty, binary or far too large, or a split is malformed.
    """
    kind = _PHASES[phase]
    texts = find_files(raw, ".txt")
    videos = [file for file in texts if kind.pattern.fullmatch(file.stem)]
    labels = _by_name(file for file in videos if _among_labels(file))
    skeletons = _by_name(file for file in videos if not _among_labels(file))
    if not skeletons:
        raise KinemeError(
            f"{raw}: contains no skeletons of {kind.title}; looked for files such as {kind.example}.txt "
            "in all folders without 'label' in their names, zipped or not"
        )
    lists = {name: _find_split(raw, texts, name, kind, needed=not untrimmed) for name in _SPLITS}
    splits = {
        name: read_split(file, kind.pattern, kind.example) for name, file in lists.items() if file is not None
    }
    items = []
    for video, file in skeletons.items():
        if video not in labels:
            raise KinemeError(
                f"{file}: has no labels; looked for {file.name} in all folders of {raw} with 'label' in "
                "their names; fetch it, or remove the skeletons"
            )
        parts = {name: trains[video] for name, trains in splits.items() if video in trains}
        actions = read_lines(labels[video])
        chosen = {video: actions} if untrimmed else {f"{video}-{row[0]:03}": (row,) for row in actions}
        items += [Excerpt(name, file, labels[video], rows, untrimmed, parts) for name, rows in chosen.items()]
    return Source(
        name=f"pkummd{phase}",
        layout=get_layout("ntu25"),
        class_names=CLASS_NAMES,
        fps=30.0,
        bodies=BODIES,
        names=[item.name for item in items],
        items=items,
        read=read_clip,
        preprocessing="plain(facing=True)" if untrimmed else "agcn",
        costly=True,
        untrimmed=untrimmed,
    )


def read_clip(item: Excerpt) -> Clip:
    """The frames of an action with its label, or of a video with intervals; labels are classes minus one.

    Raises:
        KinemeError: as `read_skeletons`; or a label line is malformed, its class is not 1 to 51, or its
            frames are not all in the video. The message names file and line.
    """
    actions = [read_action(item.labels, number, text) for number, text in item.actions]
    first, last = (1, None) if item.whole else actions[0][:2]
    xyz = read_skeletons(item.skeletons, first, last)
    for (number, text), (_, end, _) in zip(item.actions, actions, strict=True):
        if end >= first + len(xyz):
            raise item.labels.error(
                f"{shown(text)} exceeds the {count_frames(item.skeletons)} frames of {item.skeletons}",
                line=number,
            )
    return Clip(
        name=item.name,
        xyz=xyz,
        label=UNLABELLED if item.whole else actions[0][2],
        camera=_CAMERAS[item.skeletons.stem[-1]],
        intervals=[(start - 1, end, label) for start, end, label in actions] if item.whole else (),
        splits=item.splits,
    )


def _among_labels(file: RawFile) -> bool:
    return any("label" in folder.lower() for folder in file.place.parts[:-1])


def _by_name(files: Iterable[RawFile]) -> dict[str, RawFile]:
    """Video → file, sorted by name."""
    found: dict[str, RawFile] = {}
    for file in sorted(files, key=lambda file: file.stem):
        if file.stem in found:
            remedy = "keep one, and labels in a folder with 'label' in its name"
            raise file.error(f"duplicates {found[file.stem]}", remedy)
        found[file.stem] = file
    return found


def _find_split(
    raw: Path, texts: Iterable[RawFile], name: str, phase: _Phase, *, needed: bool
) -> RawFile | None:
    wanted = _SPLITS[name] + phase.suffix
    found = [file for file in texts if file.stem.lower().replace("-", "_") == wanted]
    if len(found) > 1:
        raise KinemeError(f"{found[1]}: duplicates {found[0]}; keep one")
    if not found and needed:
        raise KinemeError(
            f"{raw}: lacks the split {name} of {phase.title}; looked for {wanted}.txt (or with hyphens) in "
            "all folders, zipped or not"
        )
    return found[0] if found else None
