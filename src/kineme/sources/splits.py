"""Splits of your own, as a table lists them: which clips are for training and which for testing.

name,fold1,fold2
walk/anna_01,train,test
walk/ben_01,test,train
walk/carl_01,train,

carl_01 is in neither part of fold2.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from kineme.arguments import did_you_mean
from kineme.clips.splits import BUILT_IN
from kineme.errors import KinemeError, one_line
from kineme.sources.poses.lists import ListFile, columns_found, read_list
from kineme.sources.raw import few, shown

logger = logging.getLogger(__name__)

Lists = Mapping[str, Mapping[str, bool]]
"""Clip → the splits that list it, and whether it is in their training part."""

_NAME = re.compile(r"\w[\w.-]*")
_PARTS = {"train": True, "test": False}


def read_splits(path: Path, clips: Collection[str]) -> Lists:
    """Reads such a table; separated by commas, semicolons or tabs.

    Args:
        path: the table.
        clips: the names that there are. Rows of other clips are counted and left out.

    Raises:
        KinemeError: it cannot be read, has no column `name` or no other one, a split has a name that stands
            for something else or an empty part, a part is neither train nor test, a clip is there twice, or
            none is known.
    """
    try:
        table = read_list(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KinemeError(f"{path}: cannot be read as a table of splits ({one_line(error)})") from error
    at, splits = _columns(path, table)
    known = frozenset(clips)
    lists: dict[str, dict[str, bool]] = {}
    for line, row in table.rows:
        name = _field(row, at)
        if name in lists:
            raise KinemeError(f"{path}, line {line}: lists {shown(name)} again; keep one line for each clip")
        lists[name] = {}
        for split, column in splits.items():
            part = _field(row, column).lower()
            if part and part not in _PARTS:
                remedy = "write train or test, or leave it empty"
                raise KinemeError(f"{path}, line {line}: {split} is {shown(part)}; {remedy}")
            lists[name] |= {split: _PARTS[part]} if part else {}
    unknown = [name for name in lists if name not in known]
    if len(unknown) == len(lists):
        some = f"; it names {shown(unknown[0])}{did_you_mean(unknown[0], known)}" if unknown else ""
        raise KinemeError(f"{path}: lists none of the clips{some}")
    if unknown:
        some = few([*map(shown, unknown)], 3)
        logger.warning("%s: %d of %d names are of no clip: %s", path, len(unknown), len(lists), some)
    found = {name: lists[name] for name in lists if name in known}
    for split in splits:
        for part, trains in _PARTS.items():
            if not any(each.get(split) is trains for each in found.values()):
                raise KinemeError(f"{path}: {split} has no clips to {part} on")
    return found


def _columns(path: Path, table: ListFile) -> tuple[int, Mapping[str, int]]:
    """Where the names of the clips are, and the parts of each split."""
    if "name" not in table.columns:
        raise KinemeError(f"{path}: has no column name; {columns_found(table.titles)}")
    at = table.columns.index("name")
    splits: dict[str, int] = {}
    for column, title in enumerate(table.titles):
        if column == at:
            continue
        if title in BUILT_IN:
            raise KinemeError(f"{path}: {title} is a split of Kineme; give this column another name")
        if title in splits or not _NAME.fullmatch(title):
            problem = "is there twice" if title in splits else "is no name of a split"
            raise KinemeError(f"{path}: the column {shown(title)} {problem}; use letters, digits and . _ -")
        splits[title] = column
    if not splits:
        raise KinemeError(f"{path}: has no splits; add a column for each, with train or test in its rows")
    return at, splits


def _field(row: list[str], column: int) -> str:
    """A field; '' where the row is too short."""
    return row[column] if column < len(row) else ""
