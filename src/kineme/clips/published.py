"""Published sizes of the data sets, to tell whether a download is complete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kineme.clips.splits import published_splits
from kineme.clips.store import ClipStore
from kineme.words import counted


class _Counts(NamedTuple):
    what: str  # is counted
    total: int
    incomplete: int = 0  # as its authors list them
    splits: Mapping[str, tuple[int, int]] = {}  # train and test, without the incomplete ones


# Source → counts. NTU RGB+D: Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2019. PKU-MMD: Liu et al., 2017.
# UTD-MHAD: Chen et al., ICIP 2015.
_PUBLISHED = {
    "ntu60": _Counts("clip", 56_880, 302, {"xsub": (40_091, 16_487), "xview": (37_646, 18_932)}),
    "ntu120": _Counts("clip", 114_480, 535, {"xsub": (63_026, 50_919), "xset": (54_468, 59_477)}),
    "pkummd1": _Counts("video", 1_076),
    "pkummd2": _Counts("video", 1_009),
    "utdmhad": _Counts("clip", 861),
}


def compare(store: ClipStore) -> list[str]:
    """Lines that compare the number of clips and the splits with the published; none for other sources."""
    counts = _PUBLISHED.get(store.manifest.source)
    if counts is None:
        return []
    complete = counts.total - counts.incomplete
    found = _count(store, counts)
    if counts.incomplete and found == counts.total:
        lines = [f"{counted(found, 'clip')}: as published, including the {counts.incomplete} incomplete ones"]
    else:
        lines = [f"{counted(found, counts.what)}: {_difference(found, complete)}"]
    sizes = published_splits(store)
    for name in filter(sizes.__contains__, counts.splits):
        parts = zip(("train", "test"), sizes[name], counts.splits[name], strict=True)
        told = [f"{found:,} {part} ({_difference(found, there)})" for part, found, there in parts]
        lines.append(f"split {name}: {', '.join(told)}")
    return lines


def is_complete(store: ClipStore) -> bool:
    """Whether a store has all clips of a published data set, except for those listed as incomplete."""
    counts = _PUBLISHED.get(store.manifest.source)
    return counts is not None and counts.total - counts.incomplete <= _count(store, counts) <= counts.total


def _count(store: ClipStore, counts: _Counts) -> int:
    """Clips; or videos of PKU-MMD, where `0002-L` names a video and `0002-L-003` an action in it."""
    if counts.what == "clip":
        return len(store)
    return len({re.sub(r"-\d+$", "", name) for name in store.names.tolist()})


def _difference(found: int, published: int) -> str:
    if found == published:
        return "as published"
    more_or_fewer = "more" if found > published else "fewer"
    return f"{abs(found - published):,} {more_or_fewer} than the published {published:,}"
