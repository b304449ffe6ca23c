"""Names that encode who does what: files of published data sets, and NTU RGB+D's clips in derived ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kineme.errors import KinemeError
from kineme.sources.ntu_actions import ACTIONS
from kineme.sources.raw import RawFile, find_files

NTU_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_MAX_CLASSES = 10_000  # a file with more is damaged or hostile


def numbered_files(
    raw: Path, suffix: str, pattern: re.Pattern[str], example: str
) -> list[tuple[RawFile, tuple[int, ...]]]:
    """The files of a download with the numbers in their names, sorted by these.

    Raises:
        KinemeError: there are none, a name does not match the pattern, or two have the same numbers.
    """
    found: dict[tuple[int, ...], RawFile] = {}
    for file in find_files(raw, suffix):
        match = pattern.fullmatch(file.stem)
        if match is None:
            raise KinemeError(f"{file}: expected a name such as {example}; remove this file")
        numbers = tuple(map(int, match.groups()))
        if numbers in found:
            raise KinemeError(f"{file}: duplicates {found[numbers]}; keep one")
        found[numbers] = file
    if not found:
        raise KinemeError(f"{raw}: contains no {suffix} files such as {example}, zipped or not")
    return [(found[numbers], numbers) for numbers in sorted(found)]


def ntu_columns(name: str) -> dict[str, Any]:
    """The fields of a name such as S001C002P003R002A013 as keywords of `Clip`; none for other names."""
    match = NTU_NAME.fullmatch(name)
    if match is None:
        return {}
    setup, camera, performer, replication, _ = map(int, match.groups())
    return {"setup": setup, "camera": camera, "subject": str(performer), "replication": replication}


def name_classes(names: Sequence[str], labels: Sequence[int]) -> tuple[str, ...]:
    """Names of classes 0 to the largest label: NTU RGB+D's 60 or 120 actions, or else plain numbers.

    They are NTU RGB+D's if every clip is named as one of its clips and the action in its name is its label.

    Raises:
        ValueError: a label is negative (other than -1, unknown) or implausibly large.
    """
    for name, label in zip(names, labels, strict=True):
        if not -1 <= label < _MAX_CLASSES:
            raise ValueError(f"the label of {name!r} is {label}; expected a class number, counted from 0")
    matches = [NTU_NAME.fullmatch(name) for name in names]
    actions = [int(match[5]) for match in matches if match]
    if actions == [label + 1 for label in labels] and max(actions) <= 120:
        return ACTIONS[: 60 if max(actions) <= 60 else 120]
    return tuple(map(str, range(max(labels, default=-1) + 1)))
