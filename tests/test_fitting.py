"""Settings that fit the clips: each rule holds, from one clip to a million."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.fitting import Chosen, fitted_config
from kineme.layouts import LAYOUTS
from kineme.preprocessing import get_preprocessing


def indexed(
    path: Path,
    lengths: Sequence[int],
    *,
    layout: str = "kinect20",
    bodies: int = 1,
    fps: float = 30.0,
    labels: bool = False,
    people: int = 0,
    intervals: Sequence[tuple[int, int, int, int]] = (),
) -> ClipStore:
    """A store whose frames are a hole in the disk: only its index says anything."""
    path.mkdir()
    frames = np.asarray(lengths, dtype=np.int64)
    clips, joints = len(frames), LAYOUTS[layout]
    shape = (int(frames.sum()), bodies, joints.num_joints, 3)
    np.lib.format.open_memmap(path / "frames.npy", "w+", np.float32, shape)
    numbers = np.arange(clips)
    unknown = np.full(clips, -1)
    np.savez(
        path / "index.npz",
        name=np.char.add("clip", numbers.astype(str)),
        offset=np.cumsum(frames) - frames,
        frames=frames,
        bodies=np.full(clips, bodies),
        label=numbers % 5 if labels else unknown,
        subject=(1 + numbers % people).astype(str) if people else np.full(clips, ""),
        **dict.fromkeys(("camera", "setup", "replication"), unknown),
        **{
            f"interval_{key}": np.array([each[place] for each in intervals], dtype=np.int64)
            for place, key in enumerate(("clip", "label", "start", "end"))
        },
    )
    manifest = {
        "format_version": 2,
        "layout": joints.to_dict(),
        "preprocessing": get_preprocessing("plain").to_dict(),
        "source": "test",
        "class_names": list("abcde") if labels or intervals else [],
        "fps": fps,
        "units": "metres",
        "fingerprint": "",
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    return ClipStore(path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def steps(chosen: Chosen, clips: int) -> int:
    train = chosen.config.train
    return train.epochs * (clips // train.batch_size)


def test_few_clips_are_one_batch_and_are_not_seen_too_often(store: Path) -> None:
    chosen = fitted_config(indexed(store, [100] * 20))
    assert (chosen.config.train.batch_size, chosen.config.train.epochs) == (20, 300)
    assert chosen.reasons[0] == "clips: all 20, because none has a label to evaluate with"


def test_some_hundred_clips_are_seen_for_a_thousand_steps(store: Path) -> None:
    chosen = fitted_config(indexed(store, [100] * 431))
    assert (chosen.config.train.batch_size, chosen.config.train.epochs) == (61, 143)
    assert steps(chosen, 431) == 1001


def test_many_clips_are_seen_as_often_as_time_allows(store: Path) -> None:
    chosen = fitted_config(indexed(store, [90] * 100_000), gpu=True)
    train = chosen.config.train
    assert (train.batch_size, train.epochs, train.max_minutes) == (64, 100, 60)
    assert (train.save_every, train.knn_every) == (2, 5)
    assert chosen.reasons[2] == (
        "training: tandem with canonical, 100 epochs of 1,562 batches of 64 clips: 156,200 steps, at most 60 "
        "minutes on a GPU"
    )
    slow = fitted_config(store).config.train
    assert (slow.epochs, slow.max_minutes) == (20, 8)


@pytest.mark.parametrize("clips", [2, 3, 63, 65, 73, 127, 131, 150, 431, 9973])
def test_hardly_a_clip_sits_out(store: Path, clips: int) -> None:
    batch = fitted_config(indexed(store, [50] * clips)).config.train.batch_size
    assert min(clips, 32) <= batch <= min(clips, 64)
    assert 20 * (clips % batch) <= clips


def test_large_skeletons_have_small_batches(store: Path) -> None:
    chosen = fitted_config(indexed(store, [50] * 192, layout="ntu25", bodies=40))
    assert chosen.config.train.batch_size == 32  # of 24 frames and 1,000 joints each, so as to stay in memory


@pytest.mark.parametrize(("length", "frames"), [(3, 8), (20, 8), (41, 20), (67, 32), (300, 32)])
def test_the_shortest_view_of_the_median_clip_has_its_frames(store: Path, length: int, frames: int) -> None:
    chosen = fitted_config(indexed(store, [length - 1, length, length + 1]))
    assert chosen.config.data.frames == frames
    assert f"because the median clip has {length} frames ({length / 30:.1f} s)" in chosen.reasons[1]


def test_people_are_kept_apart_where_there_is_something_to_measure(tmp_path: Path) -> None:
    labelled = fitted_config(indexed(tmp_path / "labelled", [60] * 40, labels=True, people=4))
    assert labelled.config.data.split == "odd-even"
    assert labelled.config.train.batch_size == 20  # of the people that train
    assert labelled.reasons[0] == "clips: 20 of 40 (split odd-even); the others are held out for evaluation"
    for name, choices in (("alone", {"labels": True}), ("blind", {"people": 4})):
        chosen = fitted_config(indexed(tmp_path / name, [60] * 40, **choices))  # type: ignore[arg-type]
        assert chosen.config.data.split == "all"
    assert chosen.reasons[0] == "clips: all 40, because none has a label to evaluate with"


def test_long_recordings_are_cut_into_windows(tmp_path: Path) -> None:
    """At 50 frames per second a window of 4 s has 200; labelled clips are not cut, however long."""
    long = fitted_config(indexed(tmp_path / "long", [3000, 3000, 100, 100, 100], fps=50.0))
    assert (long.config.data.window, long.config.train.batch_size) == (200, 61)  # of 2 · 29 + 3
    assert (
        "cut into windows of 4 s, because most of the time is in recordings of more than 12 s"
        in long.reasons[1]
    )
    assert fitted_config(indexed(tmp_path / "brief", [300] * 9)).config.data.window == 0
    labelled = indexed(tmp_path / "labelled", [3000] * 5, labels=True, people=2)
    assert fitted_config(labelled).config.data.window == 0
    untrimmed = indexed(tmp_path / "untrimmed", [300] * 9, people=3, intervals=[(0, 1, 10, 40)])
    chosen = fitted_config(untrimmed)
    assert (chosen.config.data.window, chosen.config.data.split) == (120, "odd-even")


def test_a_single_clip_is_cut_and_one_of_three_frames_is_too_little(tmp_path: Path) -> None:
    chosen = fitted_config(indexed(tmp_path / "one", [60]))
    assert (chosen.config.data.window, chosen.config.train.batch_size) == (15, 8)
    with pytest.raises(KinemeError, match="three: one clip of 3 frames is too little to train on; prepare"):
        fitted_config(indexed(tmp_path / "three", [3]))


def test_stores_of_several_rates_are_not_cut_as_their_windows_would_differ(tmp_path: Path) -> None:
    stores = [indexed(tmp_path / f"at{fps}", [60 * fps] * 4, fps=float(fps)) for fps in (30, 50)]
    chosen = fitted_config([store.path for store in stores])
    assert chosen.config.data.window == 0
    assert chosen.reasons[1].endswith("; not cut into windows, because the stores differ in frame rate")
    alike = [indexed(tmp_path / f"like{name}", [1800] * 4) for name in "ab"]
    assert fitted_config([store.path for store in alike]).config.data.window == 120


def test_seconds_are_those_of_each_store_at_its_own_rate(tmp_path: Path) -> None:
    """Three clips of 2 s at 100 frames per second, and two of 10 s at 10."""
    fast = indexed(tmp_path / "fast", [200] * 3, fps=100.0)
    slow = indexed(tmp_path / "slow", [100] * 2, fps=10.0)
    for stores in ([fast, slow], [slow, fast]):
        chosen = fitted_config([store.path for store in stores])
        assert "the median clip has 200 frames (2.0 s)" in chosen.reasons[1]
        assert "not cut" not in chosen.reasons[1]  # no clip is long
    assert "the median clip has 100 frames (10.0 s)" in fitted_config([slow.path]).reasons[1]


def test_each_of_several_stores_has_to_fill_a_batch(tmp_path: Path) -> None:
    many, one = indexed(tmp_path / "many", [60] * 8), indexed(tmp_path / "one", [60])
    with pytest.raises(
        KinemeError, match=r"one: 1 clip of it can be trained on.*leave the store out, or add rec"
    ):
        fitted_config([many.path, one.path])
    other = indexed(tmp_path / "other", [60], fps=25.0)
    with pytest.raises(KinemeError, match=r"other: 1 clip of it.*; stores of one frame rate .* into windows"):
        fitted_config([many.path, other.path])


def test_what_is_given_is_not_chosen_and_the_rest_follows_from_it(store: Path) -> None:
    indexed(store, [100] * 90, labels=True, people=3)
    words = ["--train.batch_size=10", "--data.split", "all", "--data.frames=16", f"--data.store={store}"]
    chosen = fitted_config(None, words)
    assert (chosen.config.train.batch_size, chosen.config.data.split) == (10, "all")
    assert (chosen.config.train.epochs, chosen.config.train.max_minutes) == (112, 8)  # of nine batches
    assert chosen.reasons == (
        "clips: 90 of 90 (split all, given)",
        "views: 16 frames (given)",
        "training: tandem with canonical, 112 epochs of 9 batches of 10 clips (given): 1,008 steps, at most "
        "8 minutes on a CPU",
    )
    exact = fitted_config(store, ["--train.epochs=5"])
    assert (exact.config.train.epochs, exact.config.train.max_minutes) == (5, None)
    assert "5 epochs (given) of" in exact.reasons[2]
    timed = fitted_config(store, ["--train.minutes=30"])
    assert (timed.config.train.minutes, timed.config.train.max_minutes) == (30, None)
    assert "30 minutes (given) of 1 batch of 60" in timed.reasons[2]


def test_mistakes_earn_one_line(store: Path) -> None:
    with pytest.raises(KinemeError, match="no clips to train on; name a `store`, with"):
        fitted_config()
    with pytest.raises(KinemeError, match="the default trains tandem with canonical; for another method"):
        fitted_config(indexed(store, [60] * 9), ["--encoder.name=dste"])
    with pytest.raises(KinemeError, match=r"unknown setting --train.epoch; did you mean --train.epochs"):
        fitted_config(store, ["--train.epoch=3"])


def test_equal_indices_have_equal_settings(store: Path) -> None:
    opened = indexed(store, [40] * 30_000, labels=True, people=1000)
    assert fitted_config(opened) == fitted_config(store)
