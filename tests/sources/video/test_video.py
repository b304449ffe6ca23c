"""Videos as clips, by value, with a stand-in for the network that finds people."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sources.video.films import BODY, Cinema, Stub, picture

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.preparing import plan, prepare
from kineme.sources import Source
from kineme.sources.measure import Measured
from kineme.sources.video import are_videos, open_video

UP = BODY * [1, -1, -1]  # y up, and left still left


def opened(path: Path, **options: object) -> tuple[Source, Stub]:
    stub = Stub()
    return open_video(path, stub.made, **options), stub  # type: ignore[arg-type]


def only(source: Source) -> Clip:
    (item,) = source.items
    return source.read(item)


def test_videos_beside_poses_are_what_these_were_estimated_from(tmp_path: Path) -> None:
    """A MATLAB file may be anything, and says nothing of that."""
    (tmp_path / "walk.mp4").touch()
    (tmp_path / "results.mat").touch()
    assert are_videos(tmp_path)
    (tmp_path / "walk.csv").touch()
    assert not are_videos(tmp_path)


def test_one_video_is_one_clip_of_metres_with_visibility(cinema: Cinema) -> None:
    path = cinema.write("walk.mp4", [picture((0, 0)) for _ in range(20)], fps=29.97)
    source, stub = opened(path)
    assert (source.layout.name, source.fps, source.units, list(source.names)) == (
        "mediapipe33", 30.0, "metres", ["walk"],
    )  # fmt: skip
    clip = only(source)
    assert clip.xyz.shape == (20, 1, 33, 3)
    expected = UP.copy()
    expected[0, 2] = 0  # as the stand-in moves the nose
    np.testing.assert_allclose(clip.xyz[7, 0], expected, atol=1e-6)
    assert clip.confidence is not None
    assert np.unique(clip.confidence).tolist() == [0.75]
    assert len(stub.times) == 20


def test_people_are_told_apart_by_their_places_in_the_picture(cinema: Cinema) -> None:
    shown = []
    for frame in range(20):  # both have their hips at the origin; one nods, the other stands still
        left, right = (0, 8 * frame), (100, 128)
        shown.append(picture(left, right) if frame % 3 else picture(right, left))
    clip = only(opened(cinema.write("two.mp4", shown), people=2)[0])
    noses = -clip.xyz[:, :, 0, 2] * 255
    nodding = int(np.argmax(noses.std(axis=0)))
    np.testing.assert_allclose(noses[:, nodding], 8 * np.arange(20), atol=1e-3)
    np.testing.assert_allclose(noses[:, 1 - nodding], 128, atol=1e-3)


def test_short_gaps_are_filled_and_long_ones_stay_empty(cinema: Cinema) -> None:
    there = [True] * 5 + [False] * 2 + [True] * 5 + [False] * 8 + [True] * 5
    clip = only(opened(cinema.write("gaps.mp4", [picture(*[(0, 0)] * one) for one in there]))[0])
    assert clip.confidence is not None
    assert (clip.confidence[:, 0, 0] > 0).tolist() == there
    assert clip.xyz[:12].any(axis=(1, 2, 3)).all()
    assert not clip.xyz[12:20].any()


def test_pictures_stand_where_their_times_say(cinema: Cinema) -> None:
    times = [0.0, 0.11, 0.19, 0.52, 0.6, 0.61]  # of a telephone: 0.3 s are missing, and two are at one place
    shown = [picture((0, 30 * number)) for number in range(6)]
    clip = only(opened(cinema.write("uneven.mp4", shown, times=times))[0])
    np.testing.assert_allclose(
        -clip.xyz[:, 0, 0, 2] * 255, [0, 30, 60, 70, 80, 90, 120], atol=1e-3
    )  # linear in between
    assert clip.confidence is not None
    assert (clip.confidence[:, 0, 0] > 0).tolist() == [True, True, True, False, False, True, True]


def test_of_a_faster_video_only_the_pictures_that_are_needed_are_looked_at(cinema: Cinema) -> None:
    fast = cinema.write("fast.mp4", [picture((0, number)) for number in range(40)], fps=20.0)
    source, stub = opened(fast, fps=10.0)
    assert len(only(source).xyz) == 20
    assert len(stub.times) == 20
    cinema.write("slow.mp4", [picture((0, 10 * number)) for number in range(10)], fps=5.0)
    with pytest.raises(KinemeError, match=r"rates \(5 a second in slow, 20 a second in fast\); set `fps`"):
        opened(cinema.folder)
    source, _ = opened(cinema.folder, fps=10.0)
    slow = source.read(source.items[1])
    np.testing.assert_allclose(-slow.xyz[:, 0, 0, 2] * 255, 5 * np.arange(19), atol=1e-3)


def test_classes_come_from_folders_or_the_list(cinema: Cinema, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("walk/a.mp4", "walk/b.MOV", "sit/c.avi"):
        cinema.write(name, [picture((0, 0))] * 5)
    (cinema.folder / "notes.csv").write_text("not a list of labels")
    source, _ = opened(cinema.folder)
    assert (source.class_names, [item.label for item in source.items]) == (("sit", "walk"), [0, 1, 1])
    unread = f"{cinema.folder / 'notes.csv'} is not read; if it lists labels (name,label), call it labels.csv"
    assert unread in caplog.messages
    caplog.clear()
    (cinema.folder / "labels.csv").write_text("name,label,subject\na,stroll,anna\nb,,ben\nc,rest,anna\n")
    source, _ = opened(cinema.folder)
    assert source.class_names == ("rest", "stroll")
    assert unread not in caplog.messages
    assert [(item.label, item.subject) for item in source.items] == [(0, "anna"), (1, "anna"), (-1, "ben")]


def test_progress_counts_pictures(cinema: Cinema, tmp_path: Path) -> None:
    for name, length in (("a.mp4", 5), ("b.mp4", 15)):
        cinema.write(name, [picture((0, 0))] * length)
    told: list[tuple[int, int]] = []
    prepare(
        "video", cinema.folder, tmp_path / "store",
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert [done for done, _ in told] == [*range(1, 6), 5, *range(6, 21), 20]
    assert {total for _, total in told} == {20}


def test_a_damaged_video_is_named_or_skipped(cinema: Cinema, tmp_path: Path) -> None:
    cinema.write("good.mp4", [picture((0, 0))] * 5)
    (cinema.folder / "bad.mp4").write_bytes(b"oops")
    (cinema.folder / "empty.mp4").touch()
    cinema.write("nobody.mp4", [picture()] * 5)
    with pytest.raises(KinemeError, match=r"bad\.mp4: is not a video, or is damaged"):
        prepare("video", cinema.folder, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    prepared = prepare("video", cinema.folder, tmp_path / "store", skip_bad=True)
    assert prepared.store.names.tolist() == ["good"]
    wrong = [message.split("films/")[1].split(";")[0] for message in prepared.damaged]
    assert wrong == [
        "bad.mp4: is not a video, or is damaged",
        "empty.mp4: is empty",
        "nobody.mp4: shows nobody in any frame",
    ]


def test_a_video_that_is_cut_off_is_remarked_on(cinema: Cinema, caplog: pytest.LogCaptureFixture) -> None:
    source, _ = opened(cinema.write("cut.mp4", [picture((0, 0))] * 5, said=50))
    assert len(only(source).xyz) == 5
    assert "ends after 5 of about 50 frames; is it cut off?" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"people": 0}, "`people`"), ({"people": 101}, "`people`"), ({"fps": 0}, "`fps`: is 0")],
)
def test_options_out_of_range_are_refused(cinema: Cinema, options: dict[str, float], reason: str) -> None:
    path = cinema.write("a.mp4", [picture((0, 0))])
    with pytest.raises(KinemeError, match=reason):
        opened(path, **options)


def test_where_there_is_nothing_to_read(cinema: Cinema, tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="no such folder or file"):
        opened(tmp_path / "nix")
    (tmp_path / "none").mkdir()
    with pytest.raises(KinemeError, match=r"contains no videos; expected \.mp4, \.mov"):
        opened(tmp_path / "none")
    with zipfile.ZipFile(tmp_path / "none" / "films.zip", "w") as archive:
        archive.writestr("a.mp4", b"film")
    with pytest.raises(KinemeError, match=r"a\.mp4: is in a zip, where videos cannot be read; unpack it"):
        opened(tmp_path / "none")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")
    monkeypatch.setattr("kineme.sources.video.pictures.find_spec", lambda name: None)
    with pytest.raises(KinemeError, match=r'MediaPipe and OpenCV; pip install "kineme\[video\]"'):
        open_video(tmp_path / "a.mp4")


def test_the_beginning_tells_what_a_video_is_like(cinema: Cinema) -> None:
    path = cinema.write("long.mp4", [picture((0, 0))] * 400)
    planned = plan("video", path)
    assert isinstance(planned.first, Measured)
    assert planned.first.clip.xyz.shape == (100, 1, 33, 3)
    assert len(cinema.stub.times) == 100  # ten of forty seconds


def test_how_far_it_is_is_said_where_nobody_shows_progress(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source, _ = opened(cinema.write("hour.mp4", [picture((0, 0))] * 10))
    monkeypatch.setattr("kineme.sources.video._SAID", 0.0)
    with caplog.at_level(logging.INFO, "kineme"):
        only(source)
    assert "hour: frame 1 of 10, about 0 min left" in caplog.text
