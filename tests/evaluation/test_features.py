"""Features: what the encoder is shown, what is refused, and that nothing is computed twice."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders.base import ClipShape, Encoder, Features
from kineme.errors import KinemeError
from kineme.evaluation.features import extract, raw_coordinates
from kineme.evaluation.linear import logistic
from kineme.layouts import LAYOUTS, Layout, match_layout
from kineme.metrics.accuracy import top_k
from kineme.metrics.neighbours import nearest_label
from kineme.model import Model
from kineme.preprocessing import get_preprocessing

PLAIN = get_preprocessing("plain", facing=True)
STICK = Layout.from_names("stick", ["hip", "neck", "head"], [None, "hip", "neck"])


class Flat(Encoder):
    """Gives the clip itself, flattened, and counts how often it is asked."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.shape = shape
        self.dim = 3 * shape.frames * shape.layout.num_joints * shape.bodies
        self.asked: list[int] = []

    def __deepcopy__(self, memo: dict) -> "Flat":
        return self  # the count is what the tests look at

    def forward(self, clips: torch.Tensor) -> Features:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        self.asked.append(len(clips))
        return Features(clip=clips.flatten(1))


def config(crop: float = 1.0, **encoder) -> dict:
    """All that features depend on: the crop, and settings of the encoder that its weights do not show."""
    named = {"data": {}, "method": {"name": "aimclr"}, "encoder": {"name": "stgcn", **encoder}}
    return {**named, "evaluate": {"crop": crop}}


def pretrained(frames: int = 4, bodies: int = 1, stream: str = "joint", **changes) -> Model:
    values = {
        "encoder": Flat(ClipShape(STICK, frames, bodies, stream)),
        "method": "aimclr",
        "preprocessing": PLAIN,
        "config": config(),
        "weights": "0" * 64,
        **changes,
    }
    return Model(**values)


@pytest.fixture
def store(tmp_path):
    """Clip i has 8 + 4·i frames of one body; joint v of frame t is at (t, 10·v, i)."""
    manifest = Manifest(layout=STICK, preprocessing=PLAIN, source="test", class_names=("a", "b"))
    with StoreWriter(tmp_path / "store", manifest, bodies=1) as writer:
        for i in range(5):
            xyz = np.zeros((8 + 4 * i, 1, 3, 3))
            xyz[..., 0] = np.arange(len(xyz))[:, None, None]
            xyz[..., 1] = [0, 10, 20]
            xyz[..., 2] = i
            writer.add(Clip(f"clip{i}", xyz, label=i % 2))
    return ClipStore(tmp_path / "store")


def shown(features, frames=4, bodies=1):
    """Features of `Flat` → (N, C, T, V, M)."""
    return features.reshape(len(features), 3, frames, 3, bodies)


def test_whole_clips_are_resized(store):
    clips = shown(extract(pretrained(), store, np.array([0, 2])))
    np.testing.assert_allclose(clips[0, 0, :, 0, 0], [0.5, 2.5, 4.5, 6.5])  # 8 frames → 4, half-pixel centres
    np.testing.assert_allclose(clips[1, 0, :, 0, 0], [1.5, 5.5, 9.5, 13.5])  # 16 frames → 4
    np.testing.assert_allclose(clips[1, 1, 0, :, 0], [0, 10, 20])
    assert (clips[1, 2] == 2).all()


def test_the_crop_takes_the_centre(store):
    clips = shown(extract(pretrained(config=config(crop=0.5)), store, np.array([0])))
    np.testing.assert_allclose(clips[0, 0, :, 0, 0], [2, 3, 4, 5])


def test_the_stream_is_taken_after_resizing(store):
    bones = shown(extract(pretrained(stream="bone"), store, np.array([1])))
    np.testing.assert_allclose(bones[0, 1, 0, :, 0], [0, 10, 10])
    motion = shown(extract(pretrained(stream="motion"), store, np.array([0])))
    np.testing.assert_allclose(motion[0, 0, :, 0, 0], [2, 2, 2, 0])


def test_bodies_that_the_store_lacks_are_zero(store):
    two = pretrained(bodies=2)
    clips = shown(extract(two, store, np.array([3])), bodies=2)
    assert (clips[..., 1] == 0).all()
    np.testing.assert_array_equal(clips[..., :1], shown(extract(pretrained(), store, np.array([3]))))


def test_batches_do_not_change_the_features(store):
    rows = np.array([4, 0, 3, 1, 2])
    encoder = pretrained()
    np.testing.assert_array_equal(
        extract(encoder, store, rows, batch_size=2), extract(pretrained(), store, rows, batch_size=5)
    )
    assert encoder.encoder.asked == [2, 2, 1]


def test_a_second_call_reads_the_cache(store, tmp_path):
    rows = np.array([0, 3])
    encoder = pretrained()
    first = extract(encoder, store, rows, cache=tmp_path / "features")
    assert encoder.encoder.asked == [2]
    second = extract(encoder, store, rows, cache=tmp_path / "features")
    assert encoder.encoder.asked == [2]
    np.testing.assert_array_equal(first, second)
    assert [path.suffix for path in (tmp_path / "features").iterdir()] == [".npy"]


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "1" * 64},
        {"stream": "bone"},
        {"config": config(dropout=0.1)},
        {"config": config(crop=0.5)},
        {"frames": 8},
        {"bodies": 2},
    ],
    ids=["weights", "stream", "settings", "crop", "frames", "bodies"],
)
def test_the_cache_knows_what_features_depend_on(store, tmp_path, change):
    extract(pretrained(), store, np.array([0]), cache=tmp_path)
    other = pretrained(**change)
    extract(other, store, np.array([0]), cache=tmp_path)
    assert other.encoder.asked == [1]


def test_the_cache_knows_the_rows(store, tmp_path):
    first, second = (extract(pretrained(), store, np.array([row]), cache=tmp_path) for row in (0, 1))
    assert not np.array_equal(first, second)


def test_progress_is_told_in_clips(store, tmp_path):
    told = []
    rows = np.array([4, 0, 3])
    for _ in range(2):  # what is kept has no progress
        extract(
            pretrained(), store, rows, batch_size=2, cache=tmp_path, progress=lambda *done: told.append(done)
        )
    assert told == [(2, 3), (3, 3)]


def test_a_damaged_cache_is_written_anew(store, tmp_path):
    encoder = pretrained()
    first = extract(encoder, store, np.array([0]), cache=tmp_path)
    (kept,) = tmp_path.glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:-8])
    np.testing.assert_array_equal(extract(encoder, store, np.array([0]), cache=tmp_path), first)
    np.testing.assert_array_equal(np.load(kept), first)


def test_another_preprocessing_is_refused_unless_allowed(store):
    other = pretrained(preprocessing=get_preprocessing("agcn"))
    with pytest.raises(KinemeError, match=r"prepared by plain\(facing=True\), .* trained on agcn"):
        extract(other, store, np.array([0]))
    found = extract(other, store, np.array([0]), allow_preprocessing=True)
    np.testing.assert_array_equal(found, extract(pretrained(), store, np.array([0])))


def test_another_layout_is_refused(store):
    other = Flat(ClipShape(LAYOUTS["ntu25"], 4, 1))
    with pytest.raises(KinemeError, match=r"layout is stick, the encoder's ntu25"):
        extract(pretrained(encoder=other), store, np.array([0]))


def test_clips_of_more_bodies_than_the_encoder_reads_are_refused(tmp_path):
    with StoreWriter(tmp_path / "two", Manifest(STICK, PLAIN, "test"), bodies=2) as writer:
        for number, bodies in enumerate([1, 2, 2]):
            writer.add(Clip(f"clip{number}", np.ones((6, bodies, 3, 3))))
    crowded = (
        r"two: 2 of its 3 clips show more bodies than the 1 that the encoder reads; make .* without them"
    )
    with pytest.raises(KinemeError, match=crowded):
        extract(pretrained(), ClipStore(tmp_path / "two"), np.array([0]))


def test_a_store_with_room_for_more_bodies_than_its_clips_show_gives_the_same_features(store, tmp_path):
    with StoreWriter(tmp_path / "room", store.manifest, bodies=2) as writer:
        for row, name in enumerate(store.names):
            writer.add(Clip(str(name), store.clip(row)))
    room, rows = ClipStore(tmp_path / "room"), np.arange(5)
    assert room.bodies == 2
    np.testing.assert_array_equal(extract(pretrained(), room, rows), extract(pretrained(), store, rows))


def test_a_body_that_stands_in_another_place_than_the_first_is_not_passed_over(tmp_path):
    with StoreWriter(tmp_path / "second", Manifest(STICK, PLAIN, "test"), bodies=2) as writer:
        writer.add(Clip("clip", np.ones((6, 2, 3, 3)) * np.array([0, 1])[:, None, None]))
    with pytest.raises(KinemeError, match="second: a clip shows a body beside the first 1"):
        extract(pretrained(), ClipStore(tmp_path / "second"), np.array([0]))


def test_features_that_are_not_finite_are_refused(store, tmp_path):
    class Diverged(Flat):
        def forward(self, clips):
            return Features(clip=super().forward(clips).clip * float("nan"))

    encoder = pretrained(encoder=Diverged(ClipShape(STICK, 4, 1)))
    with pytest.raises(KinemeError, match="NaN or infinite"):
        extract(encoder, store, np.array([0]), cache=tmp_path / "features")
    assert not (tmp_path / "features").exists()


def test_raw_coordinates_are_centred_on_the_first_body_and_absent_bodies_stay_zero(tmp_path):
    xyz = np.zeros((4, 2, 3, 3))
    xyz[:, 0] = [[1, 1, 1], [1, 2, 1], [1, 3, 1]]  # hip, neck, head
    xyz[:, 0, :, 0] += np.arange(4)[:, None]  # walks along x
    xyz[2:, 1] = 5.0  # a second body, from frame 2 on
    with StoreWriter(tmp_path / "s", Manifest(STICK, PLAIN, "test"), bodies=2) as writer:
        writer.add(Clip("clip", xyz))
    raw = raw_coordinates(ClipStore(tmp_path / "s"), np.array([0]), frames=4).reshape(3, 4, 3, 2)
    np.testing.assert_allclose(raw[:, 3, :, 0], [[0, 0, 0], [0, 1, 2], [0, 0, 0]])
    assert (raw[:, :2, :, 1] == 0).all()
    np.testing.assert_allclose(raw[0, 2:, 0, 1], [5 - 3, 5 - 4])


def test_coordinates_of_a_damaged_store_are_no_features(tmp_path):
    with StoreWriter(tmp_path / "s", Manifest(STICK, PLAIN, "test"), bodies=1) as writer:
        writer.add(Clip("clip", np.ones((4, 1, 3, 3))))
    frames = np.load(tmp_path / "s" / "frames.npy")
    frames[2, 0, 1, 0] = np.nan
    np.save(tmp_path / "s" / "frames.npy", frames)
    with pytest.raises(
        KinemeError, match=r"store is damaged \(a coordinate is not finite\); prepare it again"
    ):
        raw_coordinates(ClipStore(tmp_path / "s"), np.array([0]))


@pytest.mark.data
def test_raw_coordinates_of_utd_mhad_reach_what_others_report(tmp_path):
    """Odd → even subjects: 1-nearest neighbour by the Euclidean distance is known to reach 81.6 %."""
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA names no folder of recordings")
    data = dict(np.load(Path(folder) / "utd_mhad.npz"))
    layout, order = match_layout(list(data["joint_names"]), list(data["parents"]), "utd")
    clips = np.split(data["xyz"][:, None, order], data["offsets"][1:-1])
    manifest = Manifest(layout, PLAIN, "utd", tuple(data["label_names"].tolist()))
    with StoreWriter(tmp_path / "utd", manifest, bodies=1) as writer:
        for name, label, subject, xyz in zip(
            data["name"], data["label"], data["subject"], clips, strict=True
        ):
            writer.add(Clip(str(name), xyz, label=int(label), subject=str(subject)))
    store = ClipStore(tmp_path / "utd")
    train, test = (split_rows(store, "odd-even", part) for part in ("train", "test"))
    x, x_test = raw_coordinates(store, train), raw_coordinates(store, test)
    y, y_test = (store.index["label"][rows].astype(np.int64) for rows in (train, test))
    distances = torch.cdist(torch.from_numpy(x_test), torch.from_numpy(x))
    assert 100 * np.mean(y[distances.argmin(dim=1)] == y_test) == pytest.approx(81.6, abs=0.05)
    assert 100 * np.mean(nearest_label(x, y, x_test) == y_test) == pytest.approx(
        85.3, abs=0.25
    )  # by the cosine
    assert top_k(logistic(x, y, x_test, 27), y_test) == pytest.approx(78.4, abs=0.5)
