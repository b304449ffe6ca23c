"""Processed arrays: their clips without the padding, their labels and splits, and refusals."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.fuzz import held, memory_below, mutations, survives
from sources.writers import motion, packed, padded, write_arrays, write_ctrgcn

from kineme.__main__ import main
from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.arrays import open_arrays
from kineme.sources.npy import NpyRows
from kineme.sources.raw import find_files


def bodies(frames: int, count: int, seed: int) -> Any:
    """(T, 2, 25, 3) float32, of which the second body is there or not."""
    xyz = np.zeros((frames, 2, 25, 3), dtype=np.float32)
    for body in range(count):
        xyz[:, body] = motion(frames, 25, seed + body)
    return xyz


CLIPS = [bodies(12, 1, 0), bodies(7, 2, 2), bodies(3, 1, 4)]
NAMES = ["S001C001P001R001A001", "S017C002P008R001A060", "S002C003P003R001A002"]
LABELS = [0, 59, 1]


def read(raw: Path) -> list[Clip]:
    source = open_arrays(raw)
    return [source.read(item) for item in source.items]


def small_set(folder: Path, **options: Any) -> Path:
    """Two clips train, one tests."""
    write_arrays(folder, "train", CLIPS[:2], NAMES[:2], LABELS[:2], **options)
    write_arrays(folder, "val", CLIPS[2:], [f"{NAMES[2]}.skeleton"], LABELS[2:], **options)
    return folder


@pytest.mark.parametrize("kind", ["data_joint", "position", "data"])
@pytest.mark.parametrize("num_frame", [True, False])
def test_clips_come_without_their_padding(tmp_path: Path, kind: str, num_frame: bool) -> None:
    source = open_arrays(small_set(tmp_path / "xsub", kind=kind, num_frame=num_frame))
    assert (source.layout, source.bodies, len(source.class_names)) == (LAYOUTS["ntu25"], 2, 60)
    assert list(source.names) == NAMES
    clips = [source.read(item) for item in source.items]
    for clip, expected in zip(clips, CLIPS, strict=True):
        np.testing.assert_array_equal(clip.xyz, expected)
    assert [clip.label for clip in clips] == LABELS
    assert [clip.subject for clip in clips] == ["1", "8", "3"]
    assert [clip.splits for clip in clips] == [{"xsub": True}, {"xsub": True}, {"xsub": False}]


def test_num_frame_tells_padding_that_is_not_zero(tmp_path: Path) -> None:
    """2s-AGCN repeats a clip to fill its row."""
    folder = small_set(tmp_path / "xview")
    row = np.concatenate([CLIPS[1], CLIPS[1]])[:12]
    np.save(folder / "train_data_joint.npy", padded([CLIPS[0], row], 12))
    clips = read(folder)
    np.testing.assert_array_equal(clips[1].xyz, CLIPS[1])
    assert clips[1].splits == {"xview": True}


def test_num_frame_of_recordings_says_nothing_of_resized_clips(tmp_path: Path) -> None:
    """AimCLR's clips all have 50 frames, whatever number the recordings had."""
    folder = small_set(tmp_path)
    np.save(folder / "train_num_frame.npy", np.array([103, 4]))
    clips = read(folder)
    assert [len(clip.xyz) for clip in clips] == [12, 7, 3]
    assert clips[0].splits == {"published": True}


def test_a_gap_and_an_empty_clip(tmp_path: Path) -> None:
    gap = CLIPS[1].copy()
    gap[2:4] = 0
    write_arrays(tmp_path, "train", [gap, 0 * gap], ["a", "b"], [0, 2], num_frame=False)
    source = open_arrays(tmp_path)
    first, second = map(source.read, source.items)
    np.testing.assert_array_equal(first.xyz, gap)
    assert second.xyz.shape == (1, 2, 25, 3)
    assert (source.class_names, first.subject) == (("0", "1", "2"), "")


def test_validation_clips_beside_test_clips_are_in_neither_part(tmp_path: Path) -> None:
    write_arrays(small_set(tmp_path / "xsub"), "test", CLIPS[:1], ["other"], [3])
    assert [clip.splits for clip in read(tmp_path)] == [{"xsub": True}, {"xsub": True}, {}, {"xsub": False}]


@pytest.mark.parametrize("zipped", [False, True])
def test_prepare_from_a_folder_and_from_a_zip(tmp_path: Path, zipped: bool) -> None:
    raw = small_set(tmp_path / "ntu" / "xsub")
    raw = packed(raw, tmp_path / "ntu.zip") if zipped else raw
    assert main(["prepare", "arrays", str(raw), str(tmp_path / "store"), "--workers", "2"]) == 0
    store = ClipStore(tmp_path / "store")
    expected = np.where(CLIPS[1].any(axis=-1, keepdims=True), CLIPS[1] - CLIPS[1][:, :1, :1], 0)
    np.testing.assert_allclose(store.clip(1), expected, atol=1e-5)
    assert (store.manifest.source, store.manifest.preprocessing.id) == ("arrays", "plain")
    assert split_rows(store, "xsub", "train").tolist() == [0, 1]
    assert split_rows(store, "xsub", "test").tolist() == [2]
    assert split_rows(store, "xview", "train").tolist() == [1, 2]  # by the cameras of the names


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "split"), [("NTU60_CS", "xsub"), ("NTU120_CSet", "xset"), ("mine", "published")]
)
def test_prepare_from_an_npz_file(tmp_path: Path, compressed: bool, name: str, split: str) -> None:
    data = padded(CLIPS, 12)
    parts = {"train": (data[:2], LABELS[:2]), "test": (data[2:], LABELS[2:])}
    raw = write_ctrgcn(tmp_path / f"{name}.npz", parts, compressed=compressed)
    for clip, expected in zip(read(raw), CLIPS, strict=True):
        np.testing.assert_array_equal(clip.xyz, expected)
    assert main(["prepare", "arrays", str(raw), str(tmp_path / "store"), "--preprocessing", "agcn"]) == 0
    store = ClipStore(tmp_path / "store")
    assert store.names.tolist() == ["train-000000", "train-000001", "test-000000"]
    assert store.labels.tolist() == LABELS
    assert store.index["bodies"].tolist() == [1, 2, 1]
    assert split_rows(store, split, "test").tolist() == [2]


def test_arrays_that_went_through_a_preprocessing_are_stored_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prepare", "arrays", str(small_set(tmp_path / "xsub")), str(tmp_path / "store"), "--processed"]
    assert main(words) == 2
    assert "--processed: set --preprocessing to what the recordings went through" in capsys.readouterr().err
    assert main([*words, "--preprocessing", "agcn"]) == 0
    store = ClipStore(tmp_path / "store")
    assert store.manifest.preprocessing.id == "agcn"
    for row, expected in enumerate(CLIPS):
        np.testing.assert_array_equal(store.clip(row)[:, : expected.shape[1]], expected)


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_never_held_as_a_whole(tmp_path: Path, compressed: bool) -> None:
    """60 clips of 450 KB each, 27 MB together."""
    data = np.ones((60, 3, 750, 25, 2), dtype=np.float32)
    raw = write_ctrgcn(tmp_path / "large.npz", {"train": (data, [0] * 60)}, compressed=compressed)
    with memory_below(6_000_000):
        source = open_arrays(raw)
        assert sum(len(source.read(item).xyz) for item in source.items) == 60 * 750


def test_rows_in_any_order(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(5, 4, 3)
    np.savez_compressed(tmp_path / "a.npz", x=values)
    np.save(tmp_path / "b.npy", values)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "b.npy", "c.npy")
    for file in find_files(tmp_path, ".npy"):
        rows = NpyRows(file)
        again = pickle.loads(pickle.dumps(rows))
        for start in (3, 0, 4):
            np.testing.assert_array_equal(rows.read(start, 2), values[start : start + 2])
            np.testing.assert_array_equal(again.read(start), values[start : start + 1])


def change(name: str, content: Any) -> Any:
    """Writes another array, other bytes or another pickle into a folder."""

    def write(folder: Path) -> None:
        if name.endswith(".npy") and not isinstance(content, bytes):
            np.save(folder / name, content)
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))

    return write


TRAIN = padded(CLIPS[:2], 12)
NOT_FINITE = TRAIN.copy()
NOT_FINITE[1, 0, 2, 3] = np.inf


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (change("train_data_joint.npy", TRAIN[..., 0]), "has shape (2, 3, 12, 25); expected (clips"),
        (change("train_data_joint.npy", TRAIN[:, :2]), "has shape (2, 2, 12, 25, 2); expected (clips"),
        (change("train_data_joint.npy", TRAIN[:, :, :, :17]), "expected (clips, 3, frames, 25, bodies)"),
        (change("train_data_joint.npy", TRAIN[:0]), "is float32 of shape (0, 3, 12, 25, 2); expe"),
        (change("train_data_joint.npy", np.asfortranarray(TRAIN)), "is stored column by column"),
        (change("train_data_joint.npy", TRAIN.astype("U8")), "is <U8 of shape"),
        (change("train_data_joint.npy", TRAIN.astype(object)), "is object of shape"),
        (change("train_data_joint.npy", b"\x93NUMPY\x01\0"), "is not a .npy array, or is damaged"),
        (change("train_data_joint.npy", b""), "is not a .npy array, or is damaged"),
        (change("train_data_joint.npy", NOT_FINITE), f"{NAMES[1]} (row 1) contains invalid coordinates"),
        (change("train_position.npy", TRAIN), "train_position.npy: conflicts with train_data_joint.npy"),
        (change("train_label.pkl", (NAMES[:1], [0])), "1 labels, and train_data_joint.npy has 2 clips"),
        (change("train_label.pkl", (NAMES[:2], [0])), "has 2 names and 1 labels"),
        (change("train_label.pkl", ([1, 2], [0, 1])), "train_label.pkl: contains invalid clip names"),
        (change("train_label.pkl", (["a\n", "b"], [0, 1])), "contains invalid clip names"),
        (change("train_label.pkl", (NAMES[:2], [0.5, 1])), "contains labels that are not class numbers"),
        (change("train_label.pkl", (NAMES[:2], [0, -7])), f"the label of {NAMES[1]!r} is -7"),
        (change("train_label.pkl", (NAMES[:2], [0, 10**9])), f"the label of {NAMES[1]!r} is 1000000000"),
        (change("train_label.pkl", 5), "is not a pair of clips' names and labels"),
        (change("train_label.pkl", ([NAMES[2]] * 2, [0, 1])), f"two clips are named {NAMES[2]!r}"),
        (change("train_label.pkl", io.StringIO), "contains '_io.StringIO', not only arrays"),
        (change("train_num_frame.npy", np.array([3])), "npy: has shape (1,), and train_data_joint"),
        (change("train_num_frame.npy", np.array([0, 3])), "contains invalid numbers of frames"),
        (change("train_num_frame.npy", np.array([np.nan, 3])), "contains invalid numbers of frames"),
        (lambda folder: (folder / "val_label.pkl").unlink(), "npy: lacks val_label.pkl next to it"),
        (lambda folder: write_arrays(folder / "b", "val", CLIPS, NAMES, LABELS), "contains several sets"),
    ],
)  # fmt: skip
def test_damaged_sets_are_refused(tmp_path: Path, damage: Any, reason: str) -> None:
    damage(small_set(tmp_path))
    with pytest.raises(KinemeError) as refusal:
        read(tmp_path)
    assert str(refusal.value).startswith(str(tmp_path))
    assert reason in str(refusal.value)


def test_labels_in_an_array_and_of_python_2(tmp_path: Path) -> None:
    change("train_label.pkl", (NAMES[:2], np.array([0, 59])))(small_set(tmp_path))
    assert [clip.label for clip in read(tmp_path)] == LABELS
    names = "".join(f"S'{name}'\np0\na" for name in NAMES[:2])
    (tmp_path / "train_label.pkl").write_bytes(f"((lp1\n{names}(lp2\nI0\naI59\natp3\n.".encode())
    assert [clip.name for clip in read(tmp_path)] == NAMES


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "NTU60_CS.npz", **arrays)
    return folder / "NTU60_CS.npz"


X = np.ones((2, 4, 150), dtype=np.float32)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": X}, "lacks the arrays x_train and y_train"),
        (
            {"x_train": X[0], "y_train": np.eye(2)},
            "x_train.npy: has shape (4, 150); expected (clips, frames, bodies",
        ),
        ({"x_train": X[..., :149], "y_train": np.eye(2)}, "has shape (2, 4, 149)"),
        ({"x_train": X, "y_train": np.eye(3)}, "y_train.npy: has shape (3, 3); expected (2, classes)"),
        ({"x_train": X, "y_train": np.arange(2)}, "y_train.npy: has shape (2,)"),
        ({"x_train": X, "y_train": np.zeros((2, 5))}, "has rows that are not one-hot"),
        ({"x_train": X, "y_train": np.ones((2, 5))}, "has rows that are not one-hot"),
        ({"x_train": X, "y_train": np.eye(2) / 2}, "has rows that are not one-hot"),
        ({"x_train": X * np.nan, "y_train": np.eye(2)}, "train-000000 (row 0) contains invalid coordinates"),
    ],
)
def test_damaged_npz_files_are_refused(tmp_path: Path, arrays: Any, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        read(npz(tmp_path, **arrays))
    assert str(refusal.value).startswith(str(tmp_path / "NTU60_CS.npz"))
    assert reason in str(refusal.value)


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(KinemeError, match=r"a\.npz: cannot be read \(File is not a zip file\)"):
        open_arrays(tmp_path)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.npz", b"")
    with pytest.raises(
        KinemeError, match=r"all\.zip/a\.npz: is an archive in an archive; unpack the outer one"
    ):
        open_arrays(tmp_path / "all.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(KinemeError, match=r"contains no train_data_joint\.npy and no \.npz file"):
        open_arrays(tmp_path / "empty")


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            header((10**12, 3, 300, 25, 2)),
            "bytes, too few or many for (1000000000000, 3, 300, 25, 2)",
        ),
        (header((1, 10**12)), "has rows of 4,000,000,000,000 bytes, far too large"),
        (header((2**62, 2**62)), "far too large"),
        (header((-1, 3)), "is float32 of shape (-1, 3)"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{", "is not a .npy array"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"[" * 65535, "is not a .npy array"),
        (b"\x93NUMPY\x03\x00\xff\xff" + b"[" * 65535, "is not a .npy array"),
    ],
)
def test_what_a_header_claims_takes_no_memory(data: bytes, reason: str) -> None:
    with memory_below(1_000_000), pytest.raises(KinemeError) as refusal:
        NpyRows(held("a.npy", data))
    assert reason in str(refusal.value)


def test_damaged_folders_are_refused_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(tmp_path, "train", [clip[:2] for clip in CLIPS[:2]], NAMES[:2], LABELS[:2], frames=3)
    good = {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}
    taken = 0
    for name, count in {
        "train_data_joint.npy": 1000,
        "train_label.pkl": 500,
        "train_num_frame.npy": 500,
    }.items():
        for data in mutations(good[name], count, seed=4):
            files = [held(each, content) for each, content in (good | {name: data}).items()]
            monkeypatch.setattr("kineme.sources.arrays.find_files", lambda *_, files=files: files)
            taken += survives(lambda: read(tmp_path))
    assert 100 < taken < 1900


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_npz_files_are_refused_or_read(tmp_path: Path, compressed: bool) -> None:
    parts = {"train": (padded([clip[:1] for clip in CLIPS], 2), LABELS)}
    raw = write_ctrgcn(tmp_path / "NTU60_CS.npz", parts, compressed=compressed)
    taken = 0
    for data in mutations(raw.read_bytes(), 500, seed=5):
        raw.write_bytes(data)
        taken += survives(lambda: read(raw))
    assert taken < 450
