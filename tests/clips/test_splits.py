"""Splits: who trains and who tests, by the published lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from kineme.clips.splits import published_splits, split_rows, usual_split
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preprocessing import get_preprocessing

Part = Literal["train", "test"]


def store_of(path: Path, rows: list[dict[str, Any]], source: str = "handmade") -> ClipStore:
    manifest = Manifest(layout=LAYOUTS["kinect20"], preprocessing=get_preprocessing("plain"), source=source)
    with StoreWriter(path / "store", manifest, 1) as writer:
        for i, row in enumerate(rows):
            writer.add(Clip(f"clip{i}", np.ones((1, 1, 20, 3), np.float32), **row))
    return ClipStore(path / "store")


@pytest.fixture
def ntu(tmp_path: Path) -> ClipStore:
    """Performers 1 to 106 before cameras 1 to 3 each, setups 1 to 32 in turn."""
    rows = [
        {"subject": str(performer), "camera": camera, "setup": (performer - 1) % 32 + 1}
        for performer in range(1, 107)
        for camera in (1, 2, 3)
    ]
    return store_of(tmp_path, rows, source="ntu120")


def of(store: ClipStore, name: str, part: Part, column: str) -> set[Any]:
    return set(store.index[column][split_rows(store, name, part)].tolist())


def test_cross_subject_60_trains_on_the_published_performers(ntu: ClipStore) -> None:
    train = {int(subject) for subject in of(ntu, "xsub60", "train", "subject")}
    assert train == {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
    tested = {int(subject) for subject in of(ntu, "xsub60", "test", "subject")}
    assert tested == set(range(1, 107)) - train


def test_cross_subject_120_trains_on_half_of_the_performers(ntu: ClipStore) -> None:
    train = {int(subject) for subject in of(ntu, "xsub120", "train", "subject")}
    assert len(train) == 53
    assert {subject for subject in train if subject > 40} == {
        45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91,
        92, 93, 94, 95, 97, 98, 100, 103,
    }  # fmt: skip
    assert {subject for subject in train if subject <= 40} == {
        int(subject) for subject in of(ntu, "xsub60", "train", "subject")
    }


def test_xsub_follows_the_source(ntu: ClipStore, tmp_path: Path) -> None:
    np.testing.assert_array_equal(split_rows(ntu, "xsub", "train"), split_rows(ntu, "xsub120", "train"))
    rows = [{"subject": str(performer)} for performer in range(1, 107)]
    (tmp_path / "sixty").mkdir()
    sixty = store_of(tmp_path / "sixty", rows, source="ntu60")
    np.testing.assert_array_equal(split_rows(sixty, "xsub", "test"), split_rows(sixty, "xsub60", "test"))


def test_cross_view_and_cross_setup(ntu: ClipStore) -> None:
    assert (of(ntu, "xview", "train", "camera"), of(ntu, "xview", "test", "camera")) == ({2, 3}, {1})
    assert of(ntu, "xset", "train", "setup") == set(range(2, 33, 2))
    assert of(ntu, "xset", "test", "setup") == set(range(1, 33, 2))


@pytest.mark.parametrize(
    "name", ["xsub60", "xsub120", "xview", "xset", "odd-even", "subjects:3,7", "leave:3,7", "cameras:1"]
)
def test_every_clip_either_trains_or_tests(ntu: ClipStore, name: str) -> None:
    both = np.concatenate([split_rows(ntu, name, "train"), split_rows(ntu, name, "test")])
    assert sorted(both) == list(range(len(ntu)))


def test_all_is_both(ntu: ClipStore) -> None:
    assert split_rows(ntu, "all", "train").tolist() == split_rows(ntu, "all", "test").tolist()
    assert len(split_rows(ntu, "all", "test")) == 318


def test_odd_subjects_train(tmp_path: Path) -> None:
    store = store_of(tmp_path, [{"subject": subject} for subject in ("01", "2", "11", "08")])
    assert split_rows(store, "odd-even", "train").tolist() == [0, 2]
    assert split_rows(store, "odd-even", "test").tolist() == [1, 3]


def test_subjects_by_name(tmp_path: Path) -> None:
    store = store_of(tmp_path, [{"subject": subject} for subject in ("bd", "mm", "bk", "03")])
    assert split_rows(store, "subjects:bd, bk", "train").tolist() == [0, 2]
    assert split_rows(store, "subjects:3", "train").tolist() == [3]


def test_subjects_left_out_are_tested_on(tmp_path: Path) -> None:
    store = store_of(tmp_path, [{"subject": subject} for subject in ("bd", "mm", "bk", "03")])
    assert split_rows(store, "leave:3", "train").tolist() == [0, 1, 2]
    assert split_rows(store, "leave:03, bd", "test").tolist() == [0, 3]


def test_published_splits_are_those_that_a_store_can_serve(ntu: ClipStore, tmp_path: Path) -> None:
    assert published_splits(ntu) == {
        "xsub": (159, 159),
        "xview": (212, 106),
        "xset": (159, 159),
        "odd-even": (159, 159),
    }
    (tmp_path / "lists").mkdir()
    rows: list[dict[str, Any]] = [{"camera": 2, "splits": {"xsub": i < 3}} for i in range(5)]
    assert published_splits(store_of(tmp_path / "lists", rows)) == {"xsub": (3, 2)}


def test_joined_splits_train_on_both_and_test_on_neither(tmp_path: Path) -> None:
    rows = [{"subject": s, "camera": c} for s in ("1", "2") for c in (1, 2, 3)]
    store = store_of(tmp_path, rows)
    assert split_rows(store, "odd-even+cameras:2,3", "train").tolist() == [1, 2]  # subject 1, cameras 2 and 3
    assert split_rows(store, "odd-even+cameras:2,3", "test").tolist() == [3]  # subject 2, camera 1


def test_lists_that_come_with_the_clips_say_who_trains_and_who_tests(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"camera": 1, "splits": {"xsub": True, "xview": True}},
        {"camera": 2, "splits": {"xsub": True, "xview": False}},
        {"camera": 3, "splits": {"xsub": False}},
        {"camera": 1},
    ]
    store = store_of(tmp_path, rows)
    assert split_rows(store, "xsub", "train").tolist() == [0, 1]
    assert split_rows(store, "xsub", "test").tolist() == [2]
    assert split_rows(store, "xview", "train").tolist() == [0]  # the list, not cameras 2 and 3
    assert split_rows(store, "xview", "test").tolist() == [1]
    assert split_rows(store, "xsub+xview", "train").tolist() == [0]
    assert split_rows(store, "xsub+cameras:1", "test").tolist() == [2]
    assert split_rows(store, "all", "test").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "part", "reason"),
    [
        ("xsubject", "train", "unknown split 'xsubject'; choose from all, xsub"),
        ("subjects:", "train", "unknown split 'subjects:'"),
        ("rooms:1", "train", "unknown split 'rooms:1'"),
        ("xsub", "train", "'xsub' is a split of NTU RGB+D and PKU-MMD, but the source is 'handmade'"),
        ("xset", "train", "some clips have no setup"),
        ("odd-even", "train", "one is called 'mm'"),
        ("leave:", "train", "unknown split 'leave:'"),
        ("leave:1,9", "train", "has no subject '9'; choose from 1, mm"),
        ("leave:1,mm", "train", "split 'leave:1,mm' leaves no clips to train on"),
        ("subjects:1,9", "train", "has no subject '9'; choose from 1, mm"),
        ("cameras:2", "train", "has no camera '2'; choose from 1"),
        ("cameras:1", "test", "split 'cameras:1' leaves no clips to test on"),
        ("all", "validation", "part: is 'validation'; it must be train or test"),
    ],
)
def test_splits_that_a_store_cannot_give_are_refused(
    tmp_path: Path, name: str, part: Part, reason: str
) -> None:
    store = store_of(tmp_path, [{"subject": "1", "camera": 1}, {"subject": "mm", "camera": 1}])
    with pytest.raises(KinemeError) as refusal:
        split_rows(store, name, part)
    assert reason in str(refusal.value)


def test_unnamed_subjects_are_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path, [{"subject": "1"}, {}])
    with pytest.raises(KinemeError, match="some clips have no subject"):
        split_rows(store, "odd-even", "train")


def test_the_usual_split_keeps_people_apart_where_it_can(tmp_path: Path) -> None:
    def usual(name: str, rows: list[dict[str, Any]], source: str = "handmade") -> str:
        (tmp_path / name).mkdir()
        return usual_split(store_of(tmp_path / name, rows, source))

    assert usual("numbered", [{"subject": str(i), "camera": 2 - i % 2} for i in range(1, 5)]) == "odd-even"
    assert usual("named", [{"subject": name} for name in ("eva", "anna", "bob")]) == "subjects:anna,eva"
    named = [{"subject": name} for name in ("anna, left", "bob", "eva", "zoe")]
    assert usual("marks", named) == "subjects:eva"
    assert usual("even", [{"subject": "2"}, {"subject": "4"}]) == "subjects:2"
    assert usual("alone", [{"subject": "1"}, {"subject": "1"}]) == "all"
    assert usual("unknown", [{}, {}]) == "all"
    assert usual("partly", [{"subject": "1"}, {"subject": "2"}, {}]) == "all"
    assert usual("cameras", [{"camera": 1}, {"camera": 2}]) == "xview"
    published = [{"splits": {"xsub": True}}, {"splits": {"xsub": False}}]
    assert usual("published", published, "pkummd1") == "xsub"


def people(store: ClipStore, name: str, part: Part) -> list[str]:
    return sorted(of(store, name, part, "subject"), key=lambda who: (len(who), who))


def test_validation_people_are_pairs_of_those_who_train(tmp_path: Path) -> None:
    store = store_of(tmp_path, [{"subject": str(who), "camera": c} for who in range(1, 15) for c in (1, 2)])
    for fold, tested in (
        ("1", ["1", "3"]),
        ("2", ["5", "7"]),
        ("3", ["9", "11", "13"]),
    ):  # of 7, the last has 3
        assert people(store, f"odd-even/{fold}", "test") == tested
        assert people(store, f"odd-even/{fold}", "train") == [
            who for who in ("1", "3", "5", "7", "9", "11", "13") if who not in tested
        ]
    both = "odd-even/1+cameras:2"  # people and a camera that are new
    assert of(store, both, "test", "camera") == {1}
    assert of(store, both, "train", "camera") == {2}
    assert people(store, both, "test") == ["1", "3"]


def test_validation_never_touches_the_test_part(ntu: ClipStore) -> None:
    test = set(split_rows(ntu, "xsub60", "test").tolist())
    for fold in range(1, 11):
        parts = [split_rows(ntu, f"xsub60/{fold}", part).tolist() for part in ("train", "test")]
        assert not test & {*parts[0], *parts[1]}
        assert not set(parts[0]) & set(parts[1])


def test_few_people_are_left_out_one_by_one(tmp_path: Path) -> None:
    store = store_of(tmp_path, [{"subject": who} for who in ("bd", "bk", "dg", "mm")])
    assert people(store, "subjects:bd,bk,dg/3", "test") == ["dg"]
    assert people(store, "subjects:bd,bk,dg/3", "train") == ["bd", "bk"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("subjects:bd,bk/3", r"'subjects:bd,bk/3'; the training people form groups 1 to 2"),
        ("subjects:bd,bk/0", "groups 1 to 2"),
        ("subjects:bd,bk/x", "groups 1 to 2"),
        ("subjects:bd/1", "needs several training people, but there is only one"),
    ],
)
def test_a_group_that_is_not_there_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    store = store_of(tmp_path, [{"subject": who} for who in ("bd", "bk", "dg")])
    with pytest.raises(KinemeError, match=complaint):
        split_rows(store, name, "train")


def test_one_shot_keeps_every_sixth_class_from_the_first_for_testing(tmp_path: Path) -> None:
    manifest = Manifest(
        LAYOUTS["kinect20"], get_preprocessing("plain"), "ntu120", tuple(f"A{i:03}" for i in range(1, 121))
    )
    with StoreWriter(tmp_path / "store", manifest, 1) as writer:
        for label in range(120):
            writer.add(Clip(f"clip{label}", np.ones((1, 1, 20, 3), np.float32), label=label))
    store = ClipStore(tmp_path / "store")
    trained = split_rows(store, "oneshot", "train")
    assert sorted(set(range(120)) - set(store.labels[trained].tolist())) == list(range(0, 120, 6))
