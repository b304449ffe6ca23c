"""Published splits by name: which clips of a store are for training and which for testing.

| name | training part |
|---|---|
| `all` | every clip, also the test part |
| `xsub60`, `xsub120` | NTU RGB+D's training performers |
| `xsub` | `xsub60` or `xsub120`, by the store's source; PKU-MMD's list |
| `xview` | cameras 2 and 3; PKU-MMD's list |
| `xset` | even setups |
| `oneshot` | the 100 classes of NTU RGB+D 120 that are not novel in its one-shot protocol |
| `odd-even` | odd subjects |
| `subjects:1,2,5` | these subjects |
| `leave:3,7` | all subjects but these |
| `cameras:2,3` | these cameras |

All other clips are the test part. Splits that a data set publishes as lists, as PKU-MMD does, and lists of
your own are columns of the store; clips on neither list are in neither part. `a+b` intersects both parts of a
and b.

`a/1` is a split inside the training part of a, for choosing settings. Its people are grouped in pairs, in
order; the last group may have three, and with three people or fewer, each is a group. The first group is the
test part and the others are the training part; `a/2` tests on the second group, and so on. Clips of a's test
part are in neither part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import numpy as np
import numpy.typing as npt

from kineme.clips.store import TESTS, TRAINS, ClipStore
from kineme.errors import KinemeError

Mask = npt.NDArray[np.bool_]

_MARKS = frozenset(",+/")  # of the names of splits: a person with one in their name is not trained on
_GENERATED = "odd-even+cameras:2,3"  # tests on people and a camera unseen in training
_PUBLISHED = ("xsub", "xview", "xset", "odd-even")
BUILT_IN = ("all", "xsub", "xsub60", "xsub120", "xview", "xset", "oneshot", "odd-even")
_NAMES = f"{', '.join(BUILT_IN)}, subjects:1,2,5, leave:3,7 and cameras:2,3"

# Training performers: Shahroudy et al., CVPR 2016 (60) and Liu et al., TPAMI 2019 (120).
_XSUB60 = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
_XSUB120 = (
    *_XSUB60, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89,
    91, 92, 93, 94, 95, 97, 98, 100, 103,
)  # fmt: skip
ONE_SHOT = "oneshot"
_NOVEL = range(1, 121, 6)  # A001, A007 ... A115
ONE_SHOT_EXEMPLARS = tuple(f"S{1 if action <= 60 else 18:03}C003P008R001A{action:03}" for action in _NOVEL)


def split_rows(store: ClipStore, name: str, part: Literal["train", "test"]) -> npt.NDArray[np.int64]:
    """Rows of the clips in one part of a split, in order.

    Args:
        store: the clips.
        name: such as `xsub`, `odd-even`, `leave:3,7` or `xsub+cameras:2`, see `kineme.clips.splits`.
        part: the training or the test part.

    Raises:
        KinemeError: no such split, the store lacks the column it needs, or the part is empty.

    >>> import kineme
    >>> store = kineme.open_store(example_store)
    >>> len(split_rows(store, "leave:1", "train")), len(split_rows(store, "leave:1+cameras:2", "train"))
    (18, 9)
    """
    if part not in ("train", "test"):
        raise KinemeError(f"part: is {part!r}; it must be train or test")
    chosen = np.ones(len(store), dtype=bool)
    for single in name.split("+"):
        chosen &= _in_part(store, single.strip(), part)
    if not chosen.any():
        raise KinemeError(f"{store.path}: split {name!r} leaves no clips to {part} on")
    return np.flatnonzero(chosen)


def published_splits(
    store: ClipStore, clips: npt.NDArray[np.int64] | None = None
) -> dict[str, tuple[int, int]]:
    """Published splits that a store supports → numbers of training and test clips; its own lists first.

    Splits that need a column the store lacks, or have an empty part, are left out.

    Args:
        store: the clips.
        clips: (N,) how many each row stands for; None: one.
    """
    sizes = {}
    for name in dict.fromkeys((*store.splits, *_PUBLISHED)):
        with suppress(KinemeError):
            train, test = split_rows(store, name, "train"), split_rows(store, name, "test")
            sizes[name] = (
                (len(train), len(test))
                if clips is None
                else (int(clips[train].sum()), int(clips[test].sum()))
            )
    return sizes


def usual_split(store: ClipStore) -> str:
    """The default split for evaluation; `all` if neither people nor cameras are known.

    A list that comes with the data set, else the published split over subjects, else every other person
    trains. Generated motion also keeps a camera for testing.

    >>> import kineme
    >>> usual_split(kineme.open_store(example_store))
    'odd-even'
    """
    for name in _usual(store):
        with suppress(KinemeError):
            if all(len(split_rows(store, name, part)) for part in ("train", "test")):
                return name
    return "all"


def _usual(store: ClipStore) -> Iterator[str]:
    """Splits to try, the best first."""
    if store.manifest.source == "generated":
        yield _GENERATED
    yield from (*store.splits, "xsub", "odd-even")
    people = np.unique(store.index["subject"].astype(str)).tolist()
    training = [who for who in people[::2] if who == who.strip() and not _MARKS & set(who)]
    yield f"subjects:{','.join(training)}"
    yield from ("xview", "xset")


def _in_part(store: ClipStore, name: str, part: Literal["train", "test"]) -> Mask:
    """(N,) the clips in one part of a single split."""
    if name in store.splits:
        return np.equal(store.splits[name], TRAINS if part == "train" else TESTS)
    if name == "all":
        return np.ones(len(store), dtype=bool)
    whole, slash, number = name.rpartition("/")
    if slash:
        train = _in_part(store, whole, "train")
        tested = _validation_people(store, train, name, number)
        return train & (tested if part == "test" else ~tested)
    train = _training(store, name)
    return train if part == "train" else ~train


def _validation_people(store: ClipStore, train: Mask, name: str, number: str) -> Mask:
    """(N,) the clips of one group of the people in a training part."""
    subjects = _subjects(store)
    people = sorted(np.unique(subjects[train]).tolist(), key=lambda who: (not who.isdecimal(), len(who), who))
    size = 2 if len(people) > 3 else 1
    groups = len(people) // size
    if groups < 2:
        raise KinemeError(f"{store.path}: {name!r} needs several training people, but there is only one")
    if not (number.isdecimal() and 1 <= int(number) <= groups):
        raise KinemeError(f"unknown split {name!r}; the training people form groups 1 to {groups}")
    last = int(number) == groups
    return np.isin(subjects, people[size * (int(number) - 1) : None if last else size * int(number)])


def _training(store: ClipStore, name: str) -> Mask:
    """(N,) the clips of the training part; the others are the test part."""
    kind, _, values = name.partition(":")
    if name == "xsub":
        if store.manifest.source not in ("ntu60", "ntu120"):
            raise KinemeError(
                f"{store.path}: 'xsub' is a split of NTU RGB+D and PKU-MMD, but the source is "
                f"{store.manifest.source!r}; name the subjects to train on, as in subjects:1,2,5"
            )
        return _training(store, store.manifest.source.replace("ntu", "xsub"))
    if name in ("xsub60", "xsub120"):
        return np.isin(_subject_numbers(store), _XSUB60 if name == "xsub60" else _XSUB120)
    if name == ONE_SHOT:
        if store.manifest.source != "ntu120":
            raise KinemeError(
                f"{store.path}: {ONE_SHOT!r} is a split of NTU RGB+D 120, but the source is "
                f"{store.manifest.source!r}; choose another `split`"
            )
        return ~np.isin(store.labels, np.array(_NOVEL) - 1)
    if name == "odd-even":
        return np.equal(_subject_numbers(store) % 2, 1)
    if name == "xview":
        return np.isin(_column(store, "camera"), [2, 3])
    if name == "xset":
        return np.equal(_column(store, "setup") % 2, 0)
    if kind == "subjects" and values:
        return _among(store, _subjects(store), values, "subject")
    if kind == "leave" and values:
        return ~_among(store, _subjects(store), values, "subject")
    if kind == "cameras" and values:
        return _among(store, _column(store, "camera").astype(str), values, "camera")
    names = ", ".join((*store.splits, _NAMES))
    raise KinemeError(f"unknown split {name!r}; choose from {names}, joined by +")


def _column(store: ClipStore, column: str) -> npt.NDArray[np.int64]:
    numbers = store.index[column].astype(np.int64)
    if (numbers < 0).any():
        raise KinemeError(f"{store.path}: some clips have no {column}, which the split needs")
    return numbers


def _subjects(store: ClipStore) -> npt.NDArray[np.str_]:
    """(N,) subjects; numbers without leading zeros, '01' as '1'."""
    names, rank = np.unique(store.index["subject"].astype(str), return_inverse=True)
    if (names == "").any():
        raise KinemeError(f"{store.path}: some clips have no subject, which the split needs")
    return np.array([_plainly(name) for name in names.tolist()])[rank]


def _plainly(name: str) -> str:
    return str(int(name)) if name.isdecimal() else name


def _subject_numbers(store: ClipStore) -> npt.NDArray[np.int64]:
    subjects, rank = np.unique(_subjects(store), return_inverse=True)
    for subject in subjects.tolist():
        if not subject.isdecimal():
            raise KinemeError(
                f"{store.path}: the split needs numbered subjects, but one is called {subject!r}; name those "
                "to train on, as in subjects:a,b"
            )
    return subjects.astype(np.int64)[rank]


def _among(store: ClipStore, column: npt.NDArray[np.str_], values: str, what: str) -> Mask:
    wanted = [_plainly(value.strip()) for value in values.split(",")]
    if missing := sorted(set(wanted) - set(column.tolist())):
        there = ", ".join(sorted(set(column.tolist())))
        raise KinemeError(f"{store.path}: has no {what} {missing[0]!r}; choose from {there}")
    return np.isin(column, wanted)
