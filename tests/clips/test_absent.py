"""Joints that were never recorded, from raw clips through preprocessing into a store and back."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from kineme.clips.absent import carried, preprocessed, told
from kineme.clips.batches import Clips, joined, resident
from kineme.clips.retargeted import RetargetedStore
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.preprocessing import Plain, parse_preprocessing
from kineme.typing import Array

STICK = Layout.from_names("stick4", ["hip", "neck", "head", "tip"], [None, "hip", "neck", "head"])
LACKING = np.array([True, True, False, True])


def motion(seed: int = 0, joints: int = 4) -> Array:
    return np.random.default_rng(seed).normal(size=(6, 1, joints, 3)).astype(np.float32)


def write(path: Path, *clips: Clip, layout: Layout = STICK) -> ClipStore:
    with StoreWriter(path, Manifest(layout, Plain(), "test"), bodies=2) as writer:
        for clip in clips:
            writer.add(clip)
    return ClipStore(path)


def test_a_store_keeps_which_joints_a_clip_lacks(tmp_path: Path) -> None:
    xyz = motion()
    xyz[:, :, 2] = 99
    store = write(tmp_path / "store", Clip("whole", motion(1)), Clip("part", xyz, present=LACKING))
    assert store.present is not None
    assert store.present.tolist() == [[True] * 4, LACKING.tolist()]
    np.testing.assert_array_equal(store.clip(0)[:, :1], motion(1))
    placed = store.clip(1)[:, :1]
    np.testing.assert_array_equal(placed[:, :, [0, 1, 3]], xyz[:, :, [0, 1, 3]])
    np.testing.assert_allclose(placed[:, :, 2], (xyz[:, :, 1] + xyz[:, :, 3]) / 2, rtol=1e-6)


def test_where_no_clip_lacks_any_the_store_is_as_before(tmp_path: Path) -> None:
    before = write(tmp_path / "before", Clip("whole", motion()))
    after = write(tmp_path / "after", Clip("whole", motion(), present=np.ones(4, dtype=bool)))
    assert after.present is None
    assert after.manifest.fingerprint == before.manifest.fingerprint
    with np.load(tmp_path / "after" / "index.npz") as index:
        assert "present" not in index


def test_absence_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    xyz = motion()
    xyz[:, :, 2] = (xyz[:, :, 1] + xyz[:, :, 3]) / 2
    one = write(tmp_path / "one", Clip("clip", xyz))
    other = write(tmp_path / "other", Clip("clip", xyz, present=LACKING))
    assert one.manifest.fingerprint != other.manifest.fingerprint


@pytest.mark.parametrize(
    ("present", "wrong"),
    [(np.ones(3, dtype=bool), "has shape"), (np.zeros(4, dtype=bool), "no joint is present")],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, present: Array, wrong: str) -> None:
    with pytest.raises(KinemeError, match=wrong):
        write(tmp_path / "store", Clip("clip", motion(), present=present))


def test_a_damaged_column_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "store", Clip("clip", motion(), present=LACKING))
    path = tmp_path / "store" / "index.npz"
    with np.load(path) as index:
        columns = {**index, "present": index["present"][:, :2]}
    np.savez(path, **columns)
    with pytest.raises(KinemeError, match="column present"):
        ClipStore(tmp_path / "store")


def test_clips_carry_it_through_rows_windows_and_devices(tmp_path: Path) -> None:
    store = write(tmp_path / "store", Clip("part", motion(), present=LACKING), Clip("whole", motion(1)))
    clips = resident(store)
    for same in (clips, clips.to("cpu"), joined([motion(), motion(1)], [LACKING, None])):
        assert same.present is not None
        assert same.present.tolist() == [LACKING.tolist(), [True] * 4]
    windows = clips.windows(4)
    assert windows.present is not None
    assert windows.present[:, 2].tolist() == [False, False, True, True]
    row = clips[torch.tensor([1])].first(torch.tensor([2]))
    assert row.present is not None
    assert row.present.tolist() == [[True] * 4]
    assert isinstance(row, Clips)
    assert resident(store, np.array([1])).present is not None


def test_another_layout_lacks_what_cannot_be_computed(tmp_path: Path) -> None:
    ntu, kinect = LAYOUTS["ntu25"], LAYOUTS["kinect20"]
    present = np.ones(25, dtype=bool)
    present[ntu.joints.index("left_elbow" if "left_elbow" in ntu.joints else ntu.joints[5])] = False
    store = write(tmp_path / "store", Clip("clip", motion(joints=25), present=present), layout=ntu)
    mapped = RetargetedStore(store, kinect)
    assert mapped.present is not None
    lacking = [joint for joint, there in zip(kinect.joints, mapped.present[0], strict=True) if not there]
    needs = {joint for joint, row in mapped.joint_map.items() if ntu.joints[int(np.argmin(present))] in row}
    assert set(lacking) == needs != set()
    elbow = kinect.joints.index(lacking[0])
    linked = [c if p == elbow else p for c, p in kinect.bones if elbow in (c, p)]
    np.testing.assert_allclose(
        mapped.clip(0)[:, 0, elbow], mapped.clip(0)[:, 0, linked].mean(axis=1), atol=1e-5
    )
    assert carried(np.ones(2, dtype=bool), np.eye(2)).all()


def test_a_joint_that_is_always_zero_was_never_recorded_but_an_origin_may_be() -> None:
    xyz = motion()
    xyz[:, :, [0, 2]] = 0  # the root, and a joint that others do not refer to
    found = told(Clip("clip", xyz), STICK)
    assert found.present is not None
    assert found.present.tolist() == LACKING.tolist()
    xyz[3, 0, 2] = 1
    assert told(Clip("clip", xyz), STICK).present is None


def test_preprocessing_scales_by_bones_that_have_both_ends() -> None:
    """Bones of 1, 1 and 4: without its end the last one does not count, though it ends where it begins."""
    xyz = np.zeros((2, 1, 4, 3), dtype=np.float32)
    xyz[..., 1] = [1, 2, 3, 7]
    scaled = parse_preprocessing("plain(scale=True)")
    without = Clip("clip", xyz, present=np.array([True, True, True, False]))
    np.testing.assert_allclose(preprocessed(without, scaled, STICK).xyz[0, 0, :, 1], [0, 0.2, 0.4, 0.4])
    np.testing.assert_allclose(scaled(xyz, STICK)[0, 0, :, 1], [0, 0.1, 0.2, 0.6])


@pytest.mark.parametrize("line", ["plain(facing=True)", "agcn", "crossclr"])
def test_bodies_are_not_turned_by_shoulders_that_were_never_recorded(line: str) -> None:
    layout = LAYOUTS["ntu25"]
    assert layout.facing is not None
    present = np.arange(25) != layout.facing[0]
    with pytest.raises(KinemeError, match=f"joint '{layout.joints[layout.facing[0]]}' was never recorded"):
        preprocessed(Clip("clip", motion(joints=25), present=present), parse_preprocessing(line), layout)


def test_without_its_origin_a_body_is_centred_by_the_nearest_joints(caplog: pytest.LogCaptureFixture) -> None:
    xyz = motion()
    clip = Clip("clip", xyz, present=np.array([False, True, True, True]))
    with caplog.at_level(logging.WARNING):
        found = preprocessed(clip, Plain(), STICK)
    np.testing.assert_allclose(found.xyz[:, :, 1:], xyz[:, :, 1:] - xyz[:, :, 1:2], atol=1e-6)
    assert all("hip: not recorded" in line for line in caplog.messages)
