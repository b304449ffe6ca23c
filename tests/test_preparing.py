"""From raw recordings to a store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preparing import prepare
from kineme.sources import SOURCES, Source

NAMES = [
    "S001C001P001R001A001",
    "S001C002P002R001A050",
    "S002C003P003R002A055",
    "S017C001P008R002A060",
    "S018C003P044R001A103",
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    shutil.copytree(GOLDEN / "ntu_raw", folder)
    return folder


def damage(raw: Path, name: str) -> None:
    path = raw / f"{name}.skeleton"
    path.write_bytes(path.read_bytes()[:5000])


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def golden(name: str) -> Any:
    with np.load(GOLDEN / "preprocess_ntu.npz") as stored:
        return stored[name]


def check_agcn(store: ClipStore) -> None:
    for row, frames in enumerate(golden("num_frames")[: len(store)]):
        expected = golden("prenormalized")[row].transpose(1, 3, 2, 0)[:frames]
        np.testing.assert_allclose(store.clip(row), expected, rtol=0, atol=1e-5)


def test_ntu_by_the_default_preprocessing(raw: Path, tmp_path: Path) -> None:
    store = prepare("ntu120", raw, tmp_path / "store").store
    assert store.path == tmp_path / "store"
    assert store.names.tolist() == NAMES
    check_agcn(store)
    assert store.manifest.preprocessing.id == "agcn"
    assert (store.manifest.source, store.layout) == ("ntu120", LAYOUTS["ntu25"])
    assert store.labels.tolist() == [0, 49, 54, 59, 102]
    assert store.index["bodies"].tolist() == [1, 2, 2, 1, 1]
    assert split_rows(store, "xsub", "test").tolist() == [2, 4]


@pytest.mark.parametrize("shard", [None, 2])
def test_splits_of_ones_own_are_in_the_store(raw: Path, tmp_path: Path, shard: int | None) -> None:
    rows = [
        f"{name},{part}\n" for name, part in zip(NAMES, ["train", "test", "", "train", "test"], strict=True)
    ]
    (tmp_path / "splits.csv").write_text("name,mine\n" + "".join(rows))
    store = prepare("ntu120", raw, tmp_path / "store", splits=tmp_path / "splits.csv", shard=shard).store
    assert split_rows(store, "mine", "train").tolist() == [0, 3]
    assert split_rows(store, "mine", "test").tolist() == [1, 4]


def test_ntu_60_leaves_later_actions_out(raw: Path, tmp_path: Path) -> None:
    prepare("ntu60", raw, tmp_path / "store", preprocessing="crossclr")
    store = ClipStore(tmp_path / "store")
    assert store.names.tolist() == NAMES[:4]
    expected = golden("position_50").transpose(0, 2, 4, 3, 1)
    np.testing.assert_allclose(store.frames, np.concatenate(expected[:4]), rtol=0, atol=1e-5)


def test_several_processes_write_the_same_store(raw: Path, tmp_path: Path) -> None:
    prepare("ntu120", raw, tmp_path / "one", workers=1)
    prepare("ntu120", raw, tmp_path / "two", workers=2)
    one, two = ClipStore(tmp_path / "one"), ClipStore(tmp_path / "two")
    assert one.manifest.fingerprint == two.manifest.fingerprint


def test_ignored_clips_are_left_out(raw: Path, tmp_path: Path) -> None:
    damage(raw, NAMES[0])
    (tmp_path / "list.txt").write_text(
        f"Clips with missing skeletons:\n\n{NAMES[0]}\n {NAMES[2]}.skeleton \nS009C009P009R009A009\n"
    )
    prepared = prepare("ntu120", raw, tmp_path / "store", ignore=tmp_path / "list.txt")
    assert prepared.store.names.tolist() == [NAMES[1], *NAMES[3:]]
    assert (prepared.ignored, prepared.damaged) == (2, ())


def test_a_bad_file_stops_everything(raw: Path, tmp_path: Path) -> None:
    damage(raw, NAMES[2])
    with pytest.raises(
        KinemeError,
        match=rf"{NAMES[2]}.skeleton, line \d+: expected 12 numbers .* or set `skip_bad` to leave it out$",
    ):
        prepare("ntu120", raw, tmp_path / "store")
    assert entries(tmp_path) == ["raw"]


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_files_are_skipped_and_listed(raw: Path, tmp_path: Path, workers: int) -> None:
    damage(raw, NAMES[1])
    (raw / f"{NAMES[3]}.skeleton").write_text("2\n0\n0\n")  # well-formed, but nobody is there
    prepared = prepare("ntu120", raw, tmp_path / "store", skip_bad=True, workers=workers)
    assert prepared.store.names.tolist() == [NAMES[0], NAMES[2], NAMES[4]]
    file, empty = prepared.damaged
    assert file.startswith(f"{raw / NAMES[1]}.skeleton, line ")
    assert empty == f"{NAMES[3]}: no body is present in any frame; leave the clip out"


def test_progress_is_told_after_every_clip(raw: Path, tmp_path: Path) -> None:
    damage(raw, NAMES[1])
    told: list[tuple[int, int]] = []
    prepare(
        "ntu120",
        raw,
        tmp_path / "store",
        skip_bad=True,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 5) for done in range(1, 6)]


def test_only_bad_files_are_no_store(raw: Path, tmp_path: Path) -> None:
    for name in NAMES:
        damage(raw, name)
    with pytest.raises(KinemeError, match=f"{NAMES[0]}.skeleton, line "):
        prepare("ntu120", raw, tmp_path / "store", skip_bad=True)
    assert not (tmp_path / "store").exists()


def container(path: Path, **more: Any) -> Path:
    rng = np.random.default_rng(0)
    layout = LAYOUTS["kinect20"]
    np.savez(
        path,
        xyz=rng.normal(size=(12, 20, 3)) + 3,
        offsets=[0, 5, 12],
        name=["a", "b"],
        label=[1, 0],
        label_names=["wave", "kick"],
        subject=["1", "2"],
        view=[0, 0],
        joint_names=layout.joints,
        parents=layout.parents,
        fps=30.0,
        **more,
    )
    return path


def test_a_container_by_the_default_preprocessing(tmp_path: Path) -> None:
    raw = container(tmp_path / "clips.npz")
    prepare("container", raw, tmp_path / "store")
    store = ClipStore(tmp_path / "store")
    with np.load(raw) as stored:
        xyz = stored["xyz"]
    np.testing.assert_allclose(store.frames[:, 0], xyz - xyz[:, :1], atol=1e-6)
    assert (store.manifest.preprocessing.id, store.manifest.source, store.bodies) == ("plain", "clips", 1)
    assert store.labels.tolist() == [1, 0]


def test_preprocessing_parameters_reach_the_manifest(tmp_path: Path) -> None:
    prepare(
        "container", container(tmp_path / "clips.npz"), tmp_path / "store", preprocessing="plain(facing=True)"
    )
    assert ClipStore(tmp_path / "store").manifest.preprocessing.parameters == {"facing": True}


def test_untrimmed_recordings_keep_their_frames(tmp_path: Path) -> None:
    labels = np.array([0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0])
    raw = container(tmp_path / "clips.npz", frame_label=labels)
    prepare("container", raw, tmp_path / "store")
    store = ClipStore(tmp_path / "store")
    assert [store.clip_intervals(row) for row in range(2)] == [[(1, 3, 1)], [(0, 3, 1)]]
    for preprocessing in ("crossclr", "agcn"):
        with pytest.raises(KinemeError, match=f"preprocessing {preprocessing} moves frames"):
            prepare("container", raw, tmp_path / "other", preprocessing=preprocessing)


def test_a_store_is_replaced_only_when_told(raw: Path, tmp_path: Path) -> None:
    prepare("ntu120", raw, tmp_path / "store")
    with pytest.raises(KinemeError, match="already exists"):
        prepare("ntu120", raw, tmp_path / "store", preprocessing="crossclr")
    prepare("ntu120", raw, tmp_path / "store", preprocessing="crossclr", overwrite=True)
    assert ClipStore(tmp_path / "store").manifest.preprocessing.id == "crossclr"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"preprocessing": "agnc"}, "unknown preprocessing 'agnc'; did you mean agcn?"),
        ({"raw": Path("nowhere")}, "nowhere: no such folder"),
        ({"ignore": Path("nolist.txt")}, "nolist.txt: cannot be read as a list of clip names"),
        ({"workers": 0}, "`workers`: is 0; it must be at least 1"),
        (
            {"processed": True},
            "`processed`: set `preprocessing` to what the recordings went through, such as agcn",
        ),
        ({"source": "ntu130"}, "unknown source 'ntu130'; did you mean ntu120?"),
        ({"source": "csv"}, "`poses` reads recordings of your own, such as CSV, BVH, C3D or JSON files"),
        ({"untrimmed": True}, "source ntu120 has no option `untrimmed`; it takes none"),
        ({"source": "pkummd1", "fps": 30}, "source pkummd1 has no option `fps`; it takes `untrimmed`"),
        (
            {"source": "poses", "unit": "mm"},
            "source poses has no option `unit`; it takes `layout`, `fps`, `axes`, `units`, `image`, ",
        ),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    raw: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    arguments = {"source": "ntu120", "raw": raw, "out": tmp_path / "store"} | changes
    with pytest.raises(KinemeError) as refusal:
        prepare(**arguments)
    assert reason in str(refusal.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["raw"]


def test_a_list_that_names_every_clip_leaves_nothing(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(NAMES))
    with pytest.raises(KinemeError, match="nothing is left to prepare"):
        prepare("ntu120", raw, tmp_path / "store", ignore=tmp_path / "list.txt")


@pytest.mark.data
def test_recorded_motion_is_recognised_by_its_nearest_neighbour(tmp_path: Path) -> None:
    """The published baseline: root-centred joints at 32 frames, odd subjects → even subjects, 81.6 %."""
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA is not set: it names the folder of the recorded data sets")
    prepare("container", Path(folder) / "utd_mhad.npz", tmp_path / "store")
    store = ClipStore(tmp_path / "store")
    from kineme.clips.batches import resident

    clips = resident(store).resize(32).flatten(1).numpy()
    train, test = split_rows(store, "odd-even", "train"), split_rows(store, "odd-even", "test")
    squared = (clips[train] ** 2).sum(axis=1) - 2 * clips[test] @ clips[train].T
    accuracy = (store.labels[train][squared.argmin(axis=1)] == store.labels[test]).mean()
    assert accuracy == pytest.approx(0.816, abs=0.002)


def scored(_: Path) -> Source:
    """Two clips of COCO joints in an image; in the first, of three bodies, the middle one never appears."""
    layout = LAYOUTS["coco17"]
    xyz = np.random.default_rng(0).normal(size=(4, 3, 17, 3)).astype(np.float32)
    xyz[:, 1] = 0
    sure = np.broadcast_to(np.array([0.25, 0.5, 0.75])[:, None], (4, 3, 17))
    clips = [Clip("scored", xyz, confidence=sure), Clip("unscored", xyz[:, :1])]
    return Source(
        "scored", layout, (), 30.0, 3, ["scored", "unscored"], clips, lambda clip: clip,
        confidence=True, units="image heights",
    )  # fmt: skip


SCORED = f"{__name__}.scored"


def test_confidences_stay_with_their_bodies(tmp_path: Path) -> None:
    store = prepare(SCORED, tmp_path, tmp_path / "store").store
    assert store.confidence is not None
    assert store.confidence[:4, :, 0].tolist() == [[0.25, 0.75]] * 4  # of the first body and the third
    assert store.confidence[4:, :, 0].tolist() == [[1, 0]] * 4
    assert store.manifest.units == "image heights"


@pytest.mark.parametrize("preprocessing", ["agcn", "crossclr"])
def test_preprocessings_that_move_frames_drop_confidences_and_say_so(
    tmp_path: Path, preprocessing: str, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = prepare(SCORED, tmp_path, tmp_path / "store", preprocessing=preprocessing)
    assert prepared.store.confidence is None
    note = f"preprocessing {preprocessing} moves frames, so the store has no confidences"
    assert caplog.messages == [note]


def test_a_source_of_ones_own_declares_options_and_preprocessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCES, "_registered", {})

    @SOURCES.register("dots")
    def open_dots(raw: Path, *, height: float = 1.0) -> Source:
        xyz = np.full((2, 1, 20, 3), height, dtype=np.float32)
        xyz[:, :, 1] += 1
        return Source(
            "dots", LAYOUTS["kinect20"], ("stand",), 10.0, 1, ["one"], [0], lambda _: Clip("one", xyz, 0),
            preprocessing="plain(centre='clip')",
        )  # fmt: skip

    store = prepare("dots", tmp_path, tmp_path / "store", height=2.0).store
    assert (store.manifest.source, store.manifest.preprocessing.id) == ("dots", "plain(centre=clip)")
    assert store.frames[:, 0, 1].tolist() == [[1, 1, 1]] * 2
    with pytest.raises(KinemeError, match="source dots has no option `width`; it takes `height`"):
        prepare("dots", tmp_path, tmp_path / "other", width=2.0)


def test_a_joint_that_no_frame_has_is_absent_from_the_store(tmp_path: Path) -> None:
    """One clip has all joints, one has gaps, one has no left wrist; in poses it is NaN, elsewhere zero."""
    wrist = LAYOUTS["coco17"].joints.index("left_wrist")
    arrays = np.random.default_rng(0).normal(size=(3, 60, 17, 3)).astype(np.float32)
    arrays[1, :50, wrist] = np.nan
    arrays[2, :, wrist] = np.nan
    (tmp_path / "raw").mkdir()
    for name, array in zip("abc", arrays, strict=True):
        np.save(tmp_path / "raw" / f"{name}.npy", array)
    store = prepare("poses", tmp_path / "raw", tmp_path / "store", layout="coco17", fps=30.0).store
    assert store.present is not None
    assert store.present.sum(axis=1).tolist() == [17, 17, 16]
    assert not store.present[2, wrist]
    elbow = LAYOUTS["coco17"].parents[wrist]
    np.testing.assert_allclose(store.clip(2)[:, 0, wrist], store.clip(2)[:, 0, elbow], atol=1e-6)


def test_a_source_that_finds_nothing_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One from another package need not look for itself."""

    def open_empty(raw: Path) -> Source:
        return Source(
            name="own", layout=LAYOUTS["ntu25"], class_names=(), fps=30.0, bodies=1, names=[], items=[],
            read=lambda item: item,
        )  # fmt: skip

    monkeypatch.setattr(SOURCES, "_registered", {"own": open_empty})
    with pytest.raises(KinemeError, match=r"raw: own finds no recordings here; is it the right folder\?"):
        prepare("own", tmp_path / "raw", tmp_path / "store")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["a", "b"]}, "source own: has 2 `names` and 1 `items`"),
        ({"read": lambda item: np.ones((4, 1, 25, 3))}, "source own: `read` returns ndarray; return a Clip"),
    ],
)
def test_a_source_of_ones_own_that_cannot_be_read(
    change: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right: dict[str, Any] = {
        "names": ["a"],
        "items": ["a"],
        "read": lambda item: Clip(item, np.ones((4, 1, 25, 3))),
    }
    wrong = Source(
        name="own", layout=LAYOUTS["ntu25"], class_names=(), fps=30.0, bodies=1, **{**right, **change}
    )
    monkeypatch.setattr(SOURCES, "_registered", {"own": lambda raw: wrong, "none": lambda raw: None})
    with pytest.raises(KinemeError, match=message):
        prepare("own", tmp_path, tmp_path / "store")
    with pytest.raises(KinemeError, match="source none: returns NoneType; return a Source"):
        prepare("none", tmp_path, tmp_path / "store")
