"""Tables of features: their rows are `Model.embed` of the clips, or of the windows cut out."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference import embed
from kineme.inference.embed import Windows, embed_table
from kineme.inference.tables import Block
from kineme.layouts import get_layout
from kineme.model import Model
from kineme.preprocessing import get_preprocessing
from kineme.typing import Array


def column(blocks: Sequence[Block], name: str) -> Array:
    return np.concatenate([getattr(block, name) for block in blocks])


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """At 10 frames per second: 4.7 s, 1.5 s and 2 s."""
    return write(
        tmp_path / "store",
        [
            Clip("long", motion(47, 0), label=1, subject="anna"),
            Clip("short", motion(15, 1)),
            Clip("exact", motion(20, 2), label=0, subject="ben"),
        ],
    )


def test_a_row_per_clip(own: Model, store: ClipStore) -> None:
    blocks = list(embed_table(own, [store.path]))
    np.testing.assert_allclose(column(blocks, "features"), own.embed(store), rtol=0, atol=1e-6)
    assert column(blocks, "name").tolist() == ["long", "short", "exact"]
    assert column(blocks, "source").tolist() == [str(store.path)] * 3
    assert column(blocks, "start").tolist() == [0, 0, 0]
    assert column(blocks, "end").tolist() == [4.7, 1.5, 2.0]
    assert column(blocks, "subject").tolist() == ["anna", "", "ben"]
    assert column(blocks, "label").tolist() == ["swing", "", "rise"]


def test_windows_have_the_features_of_the_clips_that_they_are(
    own: Model, store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "FRAMES", 60)  # several groups,
    monkeypatch.setattr(embed, "ROWS", 2)  # and blocks of each
    blocks = list(embed_table(own, [store], window=2.0, step=0.75, batch_size=3))
    starts = [0, 0.75, 1.5, 2.25, 0, 0]
    assert max(map(len, blocks)) == 2
    assert column(blocks, "name").tolist() == ["long"] * 4 + ["short", "exact"]
    assert column(blocks, "start").tolist() == starts
    assert column(blocks, "end").tolist() == [2.0, 2.75, 3.5, 4.25, 1.5, 2.0]
    assert column(blocks, "label").tolist() == ["swing"] * 4 + ["", "rise"]
    frames = [(0, 0, 20), (0, 8, 28), (0, 15, 35), (0, 23, 43), (1, 0, 15), (2, 0, 20)]  # 7.5 and 22.5 go up
    cut = write(
        tmp_path / "cut",
        [Clip(str(i), store.clip(row)[first:end]) for i, (row, first, end) in enumerate(frames)],
    )
    np.testing.assert_allclose(column(blocks, "features"), own.embed(cut), rtol=0, atol=1e-6)


def test_windows_of_files_are_cut_from_the_prepared_recording(tmp_path: Path) -> None:
    """`facing` turns the whole recording by one angle, not each window by its own."""
    preprocessing = get_preprocessing("plain", facing=True)
    own = model(tmp_path / "run", get_layout("ntu25"), preprocessing)
    (tmp_path / "raw").mkdir()
    for name, frames in (("walk", 50), ("wave", 20)):
        np.save(tmp_path / "raw" / f"{name}.npy", motion(frames, frames, joints=25))
    options = {"layout": "ntu25", "fps": 12.5}
    blocks = list(embed_table(own, [tmp_path / "raw" / "walk.npy"], window=2.0, step=1.0, **options))
    assert column(blocks, "start").tolist() == [0, 1, 2]
    prepared = preprocessing(motion(50, 50, joints=25), get_layout("ntu25"))
    windows = [Clip(str(first), prepared[first : first + 25]) for first in (0, 13, 25)]
    expected = own.encode(embed.joined([clip.xyz for clip in windows]))
    np.testing.assert_allclose(column(blocks, "features"), expected, rtol=0, atol=1e-6)

    both = list(embed_table(own, [tmp_path / "raw"], **options))
    expected = own.embed(tmp_path / "raw", layout="ntu25")
    np.testing.assert_allclose(column(both, "features"), expected, rtol=0, atol=1e-6)
    assert column(both, "name").tolist() == ["walk", "wave"]
    assert column(both, "end").tolist() == [4.0, 1.6]


def test_windows_of_untrimmed_recordings_have_the_label_that_they_share_most_with(
    own: Model, tmp_path: Path
) -> None:
    intervals = [(5, 17, 1), (17, 30, 0), (50, 52, 1)]
    untrimmed = write(tmp_path / "untrimmed", [Clip("day", motion(70, 0), intervals=intervals)])
    (block,) = embed_table(own, [untrimmed], window=1.0)
    shown = dict(zip(block.start.tolist(), block.label.tolist(), strict=True))
    assert [shown[i / 2] for i in range(13)] == [
        "swing",  # frames 0 to 10
        "swing",
        "swing",  # 10 to 20: seven of swing, three of rise
        "rise",  # 15 to 25: two of swing, eight of rise
        "rise",
        "rise",
        "",
        "",
        "",
        "swing",  # 45 to 55
        "swing",
        "",
        "",
    ]
    assert next(embed_table(own, [untrimmed])).label.tolist() == [""]


def test_inputs_follow_one_another(own: Model, store: ClipStore, tmp_path: Path) -> None:
    other = write(tmp_path / "other", [Clip("one", motion(30, 5), label=0)], fps=30.0)
    blocks = list(embed_table(own, [other, store.path]))
    assert column(blocks, "source").tolist() == [str(other.path), *[str(store.path)] * 3]
    assert column(blocks, "end").tolist() == [1.0, 4.7, 1.5, 2.0]


def test_progress_ends_with_all_rows(own: Model, store: ClipStore) -> None:
    told: list[tuple[int, int]] = []
    blocks = embed_table(
        own, [store], window=1.0, step=0.1, batch_size=8, progress=lambda *now: told.append(now)
    )
    rows = sum(map(len, blocks))
    assert rows == 38 + 6 + 11
    assert told[-1] == (rows, rows)
    assert [done for done, _ in told] == [8, 16, 24, 32, 40, 48, 55]


def test_memory_does_not_grow_with_the_number_of_windows(
    own: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "ROWS", 64)
    monkeypatch.setattr(embed, "FRAMES", 200)

    def peak(clips: int) -> int:
        store = write(tmp_path / str(clips), [Clip(f"{i}", motion(100, i)) for i in range(clips)])
        tracemalloc.start()
        for block in embed_table(own, [store], window=2.0, step=0.1):
            assert len(block) <= 64
            gc.collect()  # the parser of settings leaves cycles
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)  # what is imported and kept
    assert peak(32) < 1.5 * peak(4)


@pytest.mark.parametrize(
    ("frames", "fps", "first"),
    [
        (90, 30.0, [0, 15, 30]),
        (89, 30.0, [0, 15]),
        (60, 30.0, [0]),
        (59, 30.0, [0]),
        (150, 29.97, [0, 15, 30, 45, 60, 75, 90]),  # 5.005 s
        (63, 25.0, [0, 13]),
    ],
)
def test_windows_start_at_multiples_of_the_step_and_end_inside(
    frames: int, fps: float, first: list[int]
) -> None:
    cut = Windows(2.0, 0.5).cut(frames, fps)
    assert cut["first"].tolist() == first
    assert (cut["first"] + cut["length"] <= frames).all()
    assert cut["end"][-1] <= frames / fps


@pytest.mark.parametrize("step", [0.1, 0.3, 0.7])
def test_steps_that_binary_fractions_miss_lose_no_window(step: float) -> None:
    """3 · 0.1 is more than 0.3."""
    cut = Windows(10 * step, step).cut(round(1000 * step * 10), 10.0)
    assert len(cut["first"]) == 991


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"window": 0.0}, "`window`: is 0 s; it must be longer than 0 s"),
        ({"window": -1.0}, "`window`: is -1 s"),
        ({"window": float("nan")}, "`window`: is nan s"),
        ({"window": 1.0, "step": 0.0}, "`step`: is 0 s"),
        ({"window": 1.0, "step": 0.05}, "`step`: 0.05 s is shorter than a frame of .*store, 0.1 s"),
        ({"step": 1.0}, "`step` has no effect without `window`"),
        ({"layout": "coco17"}, "`layout` has no effect on the store .*store"),
        ({"fps": 30.0}, "`fps` has no effect on the store"),
        ({"batch_size": 0}, "`batch_size`: is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    own: Model, store: ClipStore, options: dict[str, float], line: str
) -> None:
    with pytest.raises(KinemeError, match=line):
        embed_table(own, [store], **options)  # type: ignore[arg-type]


def test_stores_that_do_not_fit_are_refused_at_once(own: Model, tmp_path: Path) -> None:
    turned = get_preprocessing("plain", facing=True)
    other = write(tmp_path / "turned", [Clip("a", motion(9, 0))], preprocessing=turned)
    with pytest.raises(KinemeError, match="the encoder was trained on plain; prepare it in the same way"):
        embed_table(own, [other])
    assert len(list(embed_table(own, [other], allow_preprocessing=True))) == 1


def test_windows_need_a_preprocessing_that_keeps_frames(tmp_path: Path) -> None:
    preprocessing = get_preprocessing("crossclr")
    own = model(tmp_path / "run", preprocessing=preprocessing)
    moved = write(tmp_path / "moved", [Clip("a", motion(9, 0))], preprocessing=preprocessing)
    with pytest.raises(
        KinemeError, match=r"`window`: cannot be cut from .*moved: preprocessing crossclr moves"
    ):
        embed_table(own, [moved], window=1.0)
    assert len(list(embed_table(own, [moved]))) == 1
