"""Kinds of motion in stores and files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write

from conftest import STICK
from kineme.clips.batches import Clips
from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.inference import embed
from kineme.inference.clustering import cluster as clustering
from kineme.inference.clustering.cluster import cluster, in_context
from kineme.inference.clustering.kinds import kinds_of
from kineme.inference.clustering.segments import Segment, described, write_segments
from kineme.inference.windows import Cut
from kineme.layouts import get_layout
from kineme.model import Model
from kineme.preprocessing import get_preprocessing
from kineme.typing import Array

from .test_changes import recording


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


def clips(count: int, frames: int = 20) -> list[Clip]:
    return [
        Clip(f"clip{i}", motion(frames + i, i), label=i % 2, subject=str(i // 4), intervals=())
        for i in range(count)
    ]


def test_each_clip_is_a_segment(own: Model, tmp_path: Path) -> None:
    store = write(tmp_path / "mine", clips(12))
    found = cluster(own, [store], k=3)
    assert [each.name for each in found.segments] == [f"clip{i}" for i in range(12)]
    assert [(each.start, each.end) for each in found.segments] == [(0, (20 + i) / 10) for i in range(12)]
    assert [each.label for each in found.segments[:2]] == ["rise", "swing"]
    assert [kind.number for kind in found.kinds] == [1, 2, 3]
    assert sum(kind.share for kind in found.kinds) == pytest.approx(1)
    assert list(found.agreement) == ["adjusted mutual information"]
    assert not found.untrimmed
    assert found.following().sum() == 0
    assert cluster(own, [store], k=3) == found


def test_kinds_are_of_the_features_that_embed_gives(own: Model, tmp_path: Path) -> None:
    """Two motions, eight times each, with hardly any noise, are the two kinds."""
    rng = np.random.default_rng(0)
    two = [motion(30, 1), motion(30, 2)]
    noisy = [two[i % 2] + 0.001 * rng.standard_normal(two[0].shape).astype(np.float32) for i in range(16)]
    store = write(tmp_path / "two", [Clip(f"clip{i:02}", xyz, label=i % 2) for i, xyz in enumerate(noisy)])
    for k in (2, None):
        found = cluster(own, [store], k=k)
        assert [each.kind for each in found.segments] == [1, 2] * 8
        assert found.agreement == {"adjusted mutual information": pytest.approx(100)}
        assert found.kinds[0].labels == (("rise", 8),)


def test_segments_are_encoded_in_blocks(own: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write(tmp_path / "mine", clips(12))
    found = cluster(own, [store], k=3)
    monkeypatch.setattr(clustering, "ROWS", 5)
    again = cluster(own, [store], k=3)
    assert [each.kind for each in again.segments] == [each.kind for each in found.segments]


def untrimmed(name: str, seed: int, subject: str = "") -> Clip:
    xyz, edges = recording([40, 60, 30], [40, 30, 50, 40], seed=seed)
    intervals = [(int(start), int(end), i % 2) for i, (start, end) in enumerate(edges.reshape(-1, 2))]
    return Clip(name, xyz, subject=subject, intervals=intervals)


def test_untrimmed_recordings_are_cut_where_motions_begin_and_end(own: Model, tmp_path: Path) -> None:
    store = write(tmp_path / "long", [untrimmed("a", 0, "anna"), untrimmed("b", 1, "ben")], fps=30.0)
    found = cluster(own, [store], k=4)
    assert [each.name for each in found.segments] == ["a"] * 7 + ["b"] * 7
    for one, other in zip(found.segments[:6], found.segments[1:7], strict=True):
        assert one.end == other.start
    assert found.segments[6].end == pytest.approx(290 / 30)
    said = [each.label for each in found.segments[:7]]
    assert said == ["background", "rise", "background", "swing", "background", "rise", "background"]
    assert found.agreement["boundary F1"] == 100
    assert found.untrimmed
    assert found.following().sum() == 12  # nothing follows the last segment of a recording


def test_brief_segments_are_encoded_with_what_is_around_them(
    own: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []

    def pieces(recordings: Sequence[Clip], cuts: Sequence[Cut], device: str) -> Clips:
        encoded.extend(cuts)
        return embed.pieces(recordings, cuts, device)

    monkeypatch.setattr(clustering, "pieces", pieces)
    xyz, _ = recording([20, 60, 20], [40, 30, 50, 40])
    store = write(tmp_path / "long", [Clip("long", xyz)], fps=30.0)
    found = cluster(own, [store], k=2, cut="motions")
    times = np.array([(each.start, each.end) for each in found.segments])
    brief = np.diff(times) < 1
    assert 0 < brief.sum() < len(brief)
    (cut,) = encoded
    seen = np.stack([cut["first"], cut["first"] + cut["length"]], axis=1)
    np.testing.assert_allclose(np.where(brief, 0, seen), np.where(brief, 0, 30 * times), atol=1e-6)
    assert (cut["length"] >= 30).all()
    cluster(own, [store], k=2, window=0.5)
    assert set(encoded[1]["length"].tolist()) == {15}


def test_context_is_on_both_sides_and_ends_where_nobody_is() -> None:
    first, end = np.array([0, 20, 29, 100]), np.array([20, 29, 50, 104])
    cut = in_context(first, end, 14)
    assert cut["first"].tolist() == [0, 18, 29, 100]
    assert cut["length"].tolist() == [20, 14, 21, 4]
    assert in_context(first[:0], end[:0], 14)["length"].tolist() == []


def test_people_are_known_by_their_input_and_recordings_stand_for_unknown_ones(
    own: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def grouped(features: Array, k: int | None, *, people: list[str], seed: int) -> tuple[Array, Array]:
        told.extend(people)
        return kinds_of(features, k, people=people, seed=seed)

    monkeypatch.setattr(clustering, "kinds_of", grouped)
    known = write(tmp_path / "known", clips(2))
    unknown = write(tmp_path / "unknown", [Clip("walk", motion(20, 7)), Clip("run", motion(20, 8))])
    cluster(own, [known, unknown], k=2)
    assert told == [f"{known.path}: 0"] * 2 + [f"{unknown.path}: walk", f"{unknown.path}: run"]


def test_recordings_of_more_than_ten_seconds_are_cut_unless_told_otherwise(
    own: Model, tmp_path: Path
) -> None:
    xyz, _ = recording([40, 60, 30], [40, 30, 50, 100])
    store = write(tmp_path / "long", [Clip("long", xyz), Clip("short", xyz[:290])], fps=30.0)
    found = cluster(own, [store], k=2)
    assert [each.name for each in found.segments].count("long") == 7
    assert [each.name for each in found.segments].count("short") == 1
    assert "boundary F1" not in found.agreement
    assert len(cluster(own, [store], k=2, cut="clips").segments) == 2
    assert len(cluster(own, [store], k=2, cut="motions").segments) == 14


def test_a_long_clip_among_trimmed_ones_is_whole(own: Model, tmp_path: Path) -> None:
    xyz, _ = recording([40, 60, 30], [40, 30, 50, 100])
    clips = [Clip("long", xyz), Clip("short", xyz[:200]), Clip("shorter", xyz[:100])]
    assert len(cluster(own, [write(tmp_path / "mine", clips, fps=30.0)], k=2).segments) == 3


def test_windows(own: Model, tmp_path: Path) -> None:
    store = write(tmp_path / "mine", [Clip("walk", motion(45, 0)), Clip("wave", motion(10, 1))])
    found = cluster(own, [store], k=2, window=1.0)
    assert [(each.name, each.start) for each in found.segments] == [
        *(("walk", float(i)) for i in range(4)),
        ("wave", 0.0),
    ]
    assert len(cluster(own, [store], k=2, window=1.0, step=0.5).segments) == 9


def test_what_shows_nobody_is_no_segment(own: Model, tmp_path: Path) -> None:
    """Nobody is there for 3 s between two recordings of 9.7 s."""
    xyz, _ = recording([40, 60, 30], [40, 30, 50, 40])
    gone = np.concatenate([xyz, np.zeros((90, *xyz.shape[1:]), np.float32), xyz])
    intervals = [(40, 80, 0), (420, 460, 1)]
    store = write(tmp_path / "gone", [Clip("day", gone, intervals=intervals)], fps=30.0)
    found = cluster(own, [store], k=2)
    ends = [(each.start, each.end) for each in found.segments]
    assert (ends[6][1], ends[7][0], len(ends)) == (pytest.approx(290 / 30), pytest.approx(380 / 30), 14)
    assert found.agreement["boundary F1"] == pytest.approx(100 * 2 * 4 / (4 + 14))
    windows = cluster(own, [store], k=2, window=1.0).segments
    assert [each.start for each in windows] == [float(i) for i in range(22) if i not in (10, 11)]


def test_files_of_poses(own: Model, tmp_path: Path) -> None:
    own = model(tmp_path / "run25", layout=get_layout("ntu25"))
    folder = tmp_path / "poses"
    folder.mkdir()
    for i in range(6):
        np.save(folder / f"{i}.npy", motion(30, i, joints=25))
    found = cluster(own, [folder], k=2, layout="ntu25", fps=15)
    assert [each.end for each in found.segments] == [2.0] * 6
    assert found.agreement == {}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"k": 13}, "`k`: is 13; it must be 2 to 12, the number of segments"),
        ({"step": 1.0}, "`step` has no effect without `window`; pass both"),
        ({"window": 1.0, "cut": "clips"}, "`cut` has no effect beside `window`; drop one of them"),
        ({"window": 0.01}, "`window`: 0.01 s is shorter than a frame"),
        ({"layout": "ntu25"}, "`layout` has no effect on the store"),
    ],
)
def test_mistakes(own: Model, tmp_path: Path, options: dict[str, object], line: str) -> None:
    store = write(tmp_path / "mine", clips(12))
    with pytest.raises(KinemeError) as raised:
        cluster(own, [store], **options)  # type: ignore[arg-type]
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_too_little_to_cluster(own: Model, tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="one segment to cluster; give more recordings"):
        cluster(own, [write(tmp_path / "one", clips(1))])
    with pytest.raises(KinemeError, match="nothing to cluster"):
        cluster(own, [])
    still = [Clip(f"clip{i}", motion(20, 0)) for i in range(5)]
    with pytest.raises(KinemeError, match="all features are equal"):
        cluster(own, [write(tmp_path / "still", still)])


def test_motions_need_a_preprocessing_that_keeps_frames(tmp_path: Path) -> None:
    layout = get_layout("ntu25")
    moved = model(tmp_path / "run", layout, get_preprocessing("crossclr"))
    np.save(tmp_path / "a.npy", motion(400, 0, joints=25))
    np.save(tmp_path / "b.npy", motion(400, 1, joints=25))
    files = [tmp_path / "a.npy", tmp_path / "b.npy"]
    assert len(cluster(moved, files, k=2, layout="ntu25").segments) == 2  # however long they are
    with pytest.raises(KinemeError, match=r"`cut`: motions cannot be found in .*a\.npy: "):
        cluster(moved, files, layout="ntu25", cut="motions")


def test_exemplars_are_typical_and_of_different_people() -> None:
    def segment(typical: float, subject: str) -> Segment:
        return Segment("store", f"{subject}{typical}", 0, 1, 1, typical, subject, "")

    segments = [segment(0.5, "anna"), segment(0.9, "ben"), segment(0.8, "ben"), segment(0.7, "anna")]
    (kind,) = described(segments)
    assert kind.exemplars == (1, 3, 2, 0)
    assert (kind.segments, kind.share, kind.mean_length, kind.people) == (4, 1.0, 1.0, 2)


def test_shares_are_of_time() -> None:
    segments = [Segment("mine", "a", 0, 1, 1, 1.0, "", ""), Segment("mine", "a", 1, 2, 1, 1.0, "", "")]
    kinds = described([*segments, Segment("mine", "a", 2, 8, 2, 1.0, "", "")])
    assert [(kind.share, kind.mean_length) for kind in kinds] == [(0.25, 1.0), (0.75, 6.0)]


def test_the_table(tmp_path: Path) -> None:
    segments = [
        Segment("mine", 'a "name", odd', 0.0, 4 / 3, 2, 0.98765, "anna", "wave"),
        Segment("mine", "b", 1.0, 2.0, 0, np.nan, "", ""),
    ]
    write_segments(segments, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert list(first.values()) == ["mine", 'a "name", odd', "0.000", "1.333", "2", "0.9877", "anna", "wave"]
    assert list(second.values()) == ["mine", "b", "1.000", "2.000", "", "", "", ""]


def test_layouts_that_do_not_fit(own: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", motion(30, 0, joints=25))
    assert own.shape.layout == STICK
    with pytest.raises(KinemeError):
        cluster(own, [tmp_path / "a.npy"], layout="ntu25")


def test_one_input_need_not_be_a_list(own: Model, tmp_path: Path) -> None:
    store = write(tmp_path / "mine", clips(12))
    found = cluster(own, [store], k=3)
    for one in (store, store.path, str(store.path)):
        assert [each.kind for each in cluster(own, one, k=3).segments] == [
            each.kind for each in found.segments
        ]
