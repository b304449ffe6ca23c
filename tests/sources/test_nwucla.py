"""NW-UCLA's JSON files: read by value, and refused with what is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.fuzz import held, mutations, survives
from sources.writers import motion, packed, write_nwucla

from kineme.__main__ import main
from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.nwucla import open_nwucla, read_clip

XYZ = motion(5, 20)


def read(raw: Path) -> list[Clip]:
    source = open_nwucla(raw)
    return [source.read(item) for item in source.items]


def small_set(folder: Path) -> Path:
    """Four clips; `label` counts the ten actions, of which the eighth is number 9."""
    write_nwucla(folder / "all_sqe", "a01_s02_e00_v03", XYZ, 1)
    write_nwucla(folder / "all_sqe", "a09_s10_e03_v01", XYZ[:3] + 1, 8)
    write_nwucla(folder / "all_sqe", "a12_s01_e05_v02", XYZ[1:], 10)
    write_nwucla(folder / "all_sqe", "a12_s01_e05_v03", XYZ[2:], 12)  # its own number does as well
    return folder


def test_a_name_says_who_what_and_where(tmp_path: Path) -> None:
    source = open_nwucla(small_set(tmp_path))
    assert source.layout is LAYOUTS["kinect20"]
    assert (len(source.class_names), source.class_names[7]) == (10, "doffing")
    assert source.names == ["a01_s02_e00_v03", "a09_s10_e03_v01", "a12_s01_e05_v02", "a12_s01_e05_v03"]
    clips = [source.read(item) for item in source.items]
    assert [clip.label for clip in clips] == [0, 7, 9, 9]
    assert [clip.subject for clip in clips] == ["2", "10", "1", "1"]
    assert [clip.camera for clip in clips] == [3, 1, 2, 3]
    assert [clip.replication for clip in clips] == [0, 3, 5, 5]
    assert [clip.splits for clip in clips] == [{"xview": train} for train in (False, True, True, False)]
    np.testing.assert_array_equal(clips[1].xyz, (XYZ[:3] + 1).astype(np.float32)[:, None])


@pytest.mark.parametrize("zipped", [False, True])
def test_prepare_from_a_folder_and_from_a_zip(tmp_path: Path, zipped: bool) -> None:
    raw = small_set(tmp_path / "NW-UCLA")
    raw = packed(raw, tmp_path / "NW-UCLA.zip") if zipped else raw
    assert main(["prepare", "nwucla", str(raw), str(tmp_path / "store")]) == 0
    store = ClipStore(tmp_path / "store")
    np.testing.assert_allclose(store.clip(0)[:, 0], XYZ - XYZ[:, :1], atol=1e-5)
    assert (store.manifest.source, store.manifest.preprocessing.id, store.bodies) == ("nwucla", "plain", 1)
    assert split_rows(store, "xview", "train").tolist() == [1, 2]
    assert split_rows(store, "xview", "test").tolist() == [0, 3]


def changed(frame: int, joint: int, value: Any) -> list[Any]:
    rows = XYZ.tolist()
    rows[frame][joint] = value
    return rows


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": 7}, "'label' is 7, but the name says action 9, which is label 8"),
        ({"label": "8"}, "'label' is '8', but the name says"),
        ({"label": [[8]]}, "'label' is [[8]], but the name says"),
        ({"skeletons": []}, "does not have 20 joints of three numbers in every frame"),
        ({"skeletons": 7}, "does not have 20 joints"),
        ({"skeletons": None}, "does not have 20 joints"),
        ({"skeletons": XYZ[:, :19].tolist()}, "does not have 20 joints"),
        ({"skeletons": XYZ[:, :, :2].tolist()}, "does not have 20 joints"),
        ({"skeletons": changed(3, 2, [0, 1])}, "does not have 20 joints"),
        ({"skeletons": changed(3, 2, ["0", "1", "2"])}, "does not have 20 joints"),
        ({"skeletons": changed(3, 2, [0, 10**400, 0])}, "does not have 20 joints"),
        ({"skeletons": changed(3, 2, [0, None, 0])}, "does not have 20 joints"),
        (
            {"skeletons": changed(3, 2, [0, math.nan, 0])},
            "frame 3 of 'skeletons' contains invalid coordinates",
        ),
        ({"skeletons": changed(4, 2, [0, 1e5, 0])}, "frame 4 of 'skeletons'"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = write_nwucla(tmp_path, "a09_s10_e03_v01", XYZ, **({"label": 8} | changes))
    with pytest.raises(KinemeError) as refusal:
        read(tmp_path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)
    assert str(refusal.value).endswith("download the file again")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read as JSON"),
        ("\0\xff", "cannot be read as JSON"),
        ('{"skeletons": ', "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[1, 2]", "lacks 'skeletons'"),
        ('{"label": 1}', "lacks 'skeletons'"),
        ('{"skeletons": ' + "[" * 200 + "]" * 200 + "}", "does not have 20 joints"),
        (f'{{"skeletons": {"9" * 5000}}}', "cannot be read as JSON"),
    ],
    ids=range(8),
)
def test_what_is_no_json_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a01_s01_e01_v01.json").write_text(text, encoding="latin-1")
    with pytest.raises(KinemeError, match=reason):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a07_s01_e00_v01", "has the actions 1, 2, 3, 4, 5, 6, 8, 9, 11, 12 and the views 1, 2, 3; remove"),
        ("a01_s01_e00_v04", "the views 1, 2, 3; remove this file"),
        ("val_label", "expected a name such as a01_s01_e00_v01.json; remove this file"),
    ],
)
def test_other_names_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    path = write_nwucla(small_set(tmp_path) / "all_sqe", name, XYZ, 1)
    with pytest.raises(KinemeError) as refusal:
        open_nwucla(tmp_path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)


def test_a_clip_is_there_once(tmp_path: Path) -> None:
    write_nwucla(small_set(tmp_path) / "new", "a01_s02_e00_v03", XYZ, 1)
    with pytest.raises(KinemeError, match=r"a01_s02_e00_v03\.json: duplicates .*all_sqe.*; keep one"):
        open_nwucla(tmp_path)


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"contains no \.json files such as a01_s01_e00_v01\.json"):
        open_nwucla(tmp_path)


def test_damaged_files_are_refused_or_read() -> None:
    good = json.dumps({"file_name": "a01_s01_e01_v01", "skeletons": XYZ[:2].tolist(), "label": 1}).encode()
    files = (held("a01_s01_e01_v01.json", data) for data in mutations(good, 2000, seed=0))
    taken = [survives(lambda file=file: read_clip((file, (1, 1, 1, 1)))) for file in files]
    assert 100 < sum(taken) < 1900
