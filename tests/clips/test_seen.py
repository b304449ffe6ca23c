"""Which clips were seen: recognised across stores by name where names are unique, else by their frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.clips.disk import FramesAs
from kineme.clips.seen import Seen
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing import stored_preprocessing

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
NTU_NAMES = ["S001C001P001R001A001", "S001C002P003R001A002", "S018C003P044R001A103"]


def store_of(
    path: Path, names: list[str], source: str, *, seed: int = 0, preprocessing: str = "plain",
    bodies: int = 1, frames_as: FramesAs = "float32",
) -> ClipStore:  # fmt: skip
    """One clip a name; its motion follows from the seed and its place among the names."""
    manifest = Manifest(STICK, stored_preprocessing({"name": preprocessing}), source)
    with StoreWriter(path, manifest, bodies, frames_as=frames_as) as writer:
        for i, name in enumerate(names):
            xyz = np.random.default_rng((seed, i)).standard_normal((4 + i, 1, 3, 3)).astype(np.float32)
            writer.add(Clip(name, xyz))
    return ClipStore(path)


def every(store: ClipStore) -> np.ndarray:
    return np.arange(len(store))


def test_ntu_clips_are_known_by_name_across_sources_and_preprocessings(tmp_path: Path) -> None:
    seen = Seen.of([(store_of(tmp_path / "a", NTU_NAMES, "ntu120", preprocessing="agcn"), np.array([0, 2]))])
    for name, source in (("b", "ntu60"), ("c", "downloaded")):
        store = store_of(tmp_path / name, NTU_NAMES[::-1], source, seed=1)
        assert seen.among(store, every(store)).tolist() == [0, 2]
        assert seen.among(store, np.array([1, 2])).tolist() == [2]


def test_an_action_of_pku_mmd_was_seen_with_its_recording_and_the_other_way_round(tmp_path: Path) -> None:
    whole = store_of(tmp_path / "whole", ["0002-L", "0003-M"], "pkummd1")
    cut = store_of(tmp_path / "cut", ["0002-L-001", "0002-L-002", "0003-M-001", "0004-R-001"], "pkummd1")
    assert Seen.of([(whole, np.array([0]))]).among(cut, every(cut)).tolist() == [0, 1]
    assert Seen.of([(cut, np.array([1]))]).among(whole, every(whole)).tolist() == [0]
    assert Seen.of([(cut, np.array([1]))]).among(cut, every(cut)).tolist() == [1]  # not its neighbour


def test_names_of_other_data_sets_may_recur_so_frames_decide(tmp_path: Path) -> None:
    names = ["a1_s1_t1", "a1_s1_t2", "a1_s2_t1"]
    seen = Seen.of([(store_of(tmp_path / "mine", names, "mine"), np.array([0, 1]))])
    other = store_of(tmp_path / "other", names, "other", seed=9)
    assert seen.among(other, every(other)).tolist() == []
    renamed = store_of(tmp_path / "renamed", ["x", "y", "z"], "other")
    assert seen.among(renamed, every(renamed)).tolist() == [0, 1]
    with_room_for_two = store_of(tmp_path / "two", names, "mine", bodies=2)
    assert seen.among(with_room_for_two, every(with_room_for_two)).tolist() == [0, 1]


@pytest.mark.parametrize("trained", ["float32", "int16"])
def test_a_copy_in_16_bit_steps_is_the_same_clip(tmp_path: Path, trained: FramesAs) -> None:
    names = [f"clip{i}" for i in range(300)]
    store = store_of(tmp_path / "a", names, "mine", frames_as=trained)
    seen = Seen.of([(store, np.arange(200))])
    other: FramesAs = "int16" if trained == "float32" else "float32"
    copy = store_of(tmp_path / "b", [f"copy of {name}" for name in names], "mine", frames_as=other)
    assert not np.array_equal(store.clip(0), copy.clip(0))
    assert seen.among(copy, every(copy)).tolist() == list(range(200))
    different = store_of(tmp_path / "c", names, "mine", seed=1, frames_as=other)
    assert seen.among(different, every(different)).tolist() == []


def test_a_list_without_digests_in_steps_still_tells_equal_frames(tmp_path: Path) -> None:
    store = store_of(tmp_path / "a", ["x", "y"], "mine")
    seen = vars(Seen.of([(store, np.array([1]))]))
    np.savez(tmp_path / "old.npz", **{name: seen[name] for name in seen if name != "rounded"})
    loaded = Seen.load(tmp_path / "old.npz")
    assert loaded.among(store, every(store)).tolist() == [1]
    copy = store_of(tmp_path / "b", ["x", "y"], "mine", frames_as="int16")
    assert loaded.among(copy, every(copy)).tolist() == []


def test_generated_motion_of_another_seed_is_another_s_though_its_names_are_ntu_s(tmp_path: Path) -> None:
    seen = Seen.of([(store_of(tmp_path / "a", NTU_NAMES, "generated"), np.array([0]))])
    for name, source, seed, expected in (
        ("same", "generated", 0, [0]),
        ("other", "generated", 1, []),
        ("real", "ntu60", 1, []),
    ):
        store = store_of(tmp_path / name, NTU_NAMES, source, seed=seed)
        assert seen.among(store, every(store)).tolist() == expected


def test_where_preprocessings_differ_source_and_name_decide(tmp_path: Path) -> None:
    seen = Seen.of([(store_of(tmp_path / "a", ["x", "y"], "mine"), np.array([1]))])
    turned = store_of(tmp_path / "b", ["x", "y"], "mine", preprocessing="turned")
    assert seen.among(turned, every(turned)).tolist() == [1]
    other = store_of(tmp_path / "c", ["x", "y"], "other", preprocessing="turned")
    assert seen.among(other, every(other)).tolist() == []


def test_clips_of_several_stores_are_known_each_by_its_own_source(tmp_path: Path) -> None:
    mine = store_of(tmp_path / "a", ["x", "y"], "mine")
    other = store_of(tmp_path / "b", ["y", "z"], "other", seed=1)
    seen = Seen.of([(mine, np.array([0])), (other, every(other))])
    assert seen.among(mine, every(mine)).tolist() == [0]
    assert seen.among(other, every(other)).tolist() == [0, 1]
    turned = store_of(tmp_path / "c", ["x", "y"], "mine", preprocessing="turned")
    assert seen.among(turned, every(turned)).tolist() == [0]  # the y that was seen is the other's


def test_a_list_of_an_earlier_version_has_one_source_for_all(tmp_path: Path) -> None:
    store = store_of(tmp_path / "a", ["x", "y"], "mine")
    seen = Seen.of([(store, every(store))])
    np.savez(tmp_path / "old.npz", **{**vars(seen), "source": "mine"})
    assert Seen.load(tmp_path / "old.npz").source.tolist() == ["mine", "mine"]


def test_what_was_saved_is_loaded_and_equal_runs_save_equal_files(tmp_path: Path) -> None:
    store = store_of(tmp_path / "a", ["x", "größe"], "mine")
    seen = Seen.of([(store, every(store))])
    seen.save(tmp_path / "one.npz")
    seen.save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    loaded = Seen.load(tmp_path / "one.npz")
    assert loaded.names.tolist() == ["x", "größe"]
    assert (loaded.source.tolist(), loaded.preprocessing) == (["mine", "mine"], "plain")
    np.testing.assert_array_equal(loaded.digests, seen.digests)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_damaged_list_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "clips.npz").write_bytes(data)
    with pytest.raises(KinemeError, match=r"clips\.npz: cannot be read as the clips of a run"):
        Seen.load(tmp_path / "clips.npz")


def test_clips_that_begin_and_end_alike_differ_in_the_middle(tmp_path: Path) -> None:
    def store(name: str, height: float) -> ClipStore:
        xyz = np.ones((5, 1, 3, 3), dtype=np.float32)
        xyz[1:4] = height
        with StoreWriter(
            tmp_path / name, Manifest(STICK, stored_preprocessing({"name": "plain"}), "mine"), 1
        ) as writer:
            writer.add(Clip(name, xyz))
        return ClipStore(tmp_path / name)

    seen = Seen.of([(store("raised", 2.0), np.array([0]))])
    assert seen.among(store("same", 2.0), np.array([0])).tolist() == [0]
    assert seen.among(store("lowered", 0.5), np.array([0])).tolist() == []


def test_a_store_on_another_windows_drive_is_kept_with_its_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path / "store", ["wave"], "mine")
    assert Seen.of([(store, np.array([0]))], tmp_path / "runs" / "joint").places.tolist() == ["../../store"]

    def no_way(path: Path, start: Path) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr("os.path.relpath", no_way)
    seen = Seen.of([(store, np.array([0]))], tmp_path / "runs" / "joint")
    assert seen.places.tolist() == [(tmp_path / "store").as_posix()]


def test_a_store_is_where_the_settings_say_else_where_it_was_from_the_run(tmp_path: Path) -> None:
    run, named = tmp_path / "run", str(tmp_path / "elsewhere")
    run.mkdir()
    store = store_of(tmp_path / "mine", ["walk"], "mine")
    seen = Seen.of([(store, every(store))], run)
    assert seen.located(run, [named]) == [str(run / "../mine")]
    store_of(tmp_path / "elsewhere", ["walk"], "mine")
    assert seen.located(run, [named]) == [named]
