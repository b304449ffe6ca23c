"""Times and rates: of columns, names of images and headers; uneven ones, and those of several files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.documents import json_notes
from kineme.sources.poses.rates import moved, resampled
from kineme.sources.poses.table_notes import csv_notes
from kineme.sources.poses.times import in_order, rate_of, seconds, stamp, times_unit, usual_rate

HEADER = "hip_x,hip_y,hip_z,head_x,head_y,head_z"
LAYOUT = "name: pair\njoints: [hip, head]\nparents: [null, hip]\n"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("time", 0), ("Timestamp", 0), ("timestamp_ms", 1e-3), ("Time (s)", 1), ("time_sec", 1), ("t", 0),
     ("seconds", 1), ("timestampUs", 1e-6), ("elapsed time", 0), ("frame_time_ms", 1e-3), ("timer", None),
     ("x", None), ("lifetime", None)],
)  # fmt: skip
def test_names_of_times_and_their_units(name: str, unit: float | None) -> None:
    assert times_unit(name) == unit


@pytest.mark.parametrize(
    "given",
    [
        [0, 0.04, 0.08, 0.12],
        ["0", "40", "80", "120"],  # milliseconds
        [5e6, 5.04e6, 5.08e6, 5.12e6],  # microseconds
        [1e18, 1e18 + 4e7, 1e18 + 8e7, 1e18 + 12e7],  # nanoseconds of the epoch
        ["00:01:00.00", "00:01:00.04", "00:01:00.08", "00:01:00.12"],
        [f"2024-05-01T12:00:00.{part}" for part in ("000", "040", "080", "120")],
    ],
)  # fmt: skip
def test_units_are_those_in_which_frames_are_near(given: list[Any]) -> None:
    times = seconds(given, 0)
    assert times is not None
    np.testing.assert_allclose(times, [0, 0.04, 0.08, 0.12], atol=1e-6)
    assert rate_of(times) == 25


def test_a_date_is_in_seconds_whatever_its_column_is_called() -> None:
    found = seconds(["10:00:00.0", "10:00:00.1", "10:00:00.2"], times_unit("time_ms") or 0)
    assert found == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize("given", [[0, 1, 2, 3], ["a", "b", "c"], [7, 7, 7], [0, 0.04, 0.02, 0.08], [1]])
def test_what_is_no_time_is_none(given: list[Any]) -> None:
    assert seconds(given, 0) is None


def test_rounded_milliseconds_are_the_usual_rate() -> None:
    times = seconds([round(1000 * frame / 30) for frame in range(90)], 0)
    assert times is not None
    assert rate_of(times) == 30
    assert usual_rate([29.8, 30.2, 29.9]) == 30
    assert usual_rate([29.9703]) == 29.97
    assert usual_rate([13.3, 13.4]) == 13.35


def test_whole_seconds_that_frames_share_are_spread() -> None:
    shared = [f"12:00:{second:02}" for second in range(4) for _ in range(25)]
    times = seconds(shared[20:90], 0)  # the first and the last second in part
    assert times is not None
    np.testing.assert_allclose(times, np.arange(70) / 25)
    assert rate_of(times) == 25
    times = seconds(shared[20:40], 0)
    assert times is not None
    np.testing.assert_allclose(times, np.linspace(0, 1, 20))


def test_names_of_images() -> None:
    assert stamp("a/cam2_1627401234.567.png") == ("a/cam2_", 1627401234.567)
    assert stamp("frame_0000000001234.png") is None
    assert stamp("20210727_155354_040.jpg") == ("", 1627401234040.0)
    assert stamp("20219927_155354_040.jpg") is None
    with pytest.raises(ValueError, match="no frames of a video"):
        in_order([1e12, 1e12 + 9e9])


def table(folder: Path, name: str, times: Any, column: str = "timestamp_ms") -> None:
    """The head rises by 1 a second above a hip at 0."""
    rows = [f"{t},0,0,0,0,{1 + t / 1000},0" for t in times]
    (folder / f"{name}.csv").write_text("\n".join([f"{column},{HEADER}", *rows]))
    (folder / "pair.yaml").write_text(LAYOUT)


def opened(folder: Path, **options: Any) -> Any:
    return open_poses(folder, layout=str(folder / "pair.yaml"), **options)


def test_uneven_times_are_resampled(tmp_path: Path) -> None:
    uneven = [0, 40, 80, 160, 200, 320, 360]
    table(tmp_path, "walk", uneven)
    source = opened(tmp_path)
    assert (source.fps, source.fps_known) == (25, True)
    clip = source.read(source.items[0])
    np.testing.assert_allclose(clip.xyz[:, 0, 1, 1], 1 + np.arange(10) * 0.04, atol=1e-6)


def test_poses_of_one_rate_become_those_of_another_with_their_confidence() -> None:
    points = np.arange(4.0).reshape(4, 1, 1, 1) * np.ones((1, 1, 2, 3))
    poses = Poses(points, np.array([0.0, 1.0, 0.0, 1.0]).reshape(4, 1, 1) * np.ones((1, 1, 2)))
    faster = resampled(poses, 10, 20)
    assert faster.points[:, 0, 1, 2].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert faster.confidence is not None
    assert faster.confidence[:, 0, 1].tolist() == [0, 0.5, 1, 0.5, 0, 0.5, 1]
    slower = resampled(poses, 30, 10)
    assert slower.points[:, 0, 0, 0].tolist() == [0, 3]


@pytest.mark.filterwarnings("error")
def test_an_infinite_coordinate_is_resampled_without_a_warning() -> None:
    """Readers refuse it later, in words."""
    points = np.array([0, 1, np.inf, 3, 4], dtype=np.float32).reshape(5, 1, 1, 1)
    clock = np.array([0, 1, 2, 3.5, 4])
    found = moved(Poses(points, None), clock, np.arange(5), reach=2.0).points
    assert np.isfinite(found[[0, 4]]).all()
    assert np.isinf(found[2]).all()


@pytest.mark.parametrize("steps", [[1], [2], [1, 2]])
def test_a_pause_of_more_than_half_a_second_is_a_gap(tmp_path: Path, steps: list[int]) -> None:
    """As long as the frames that are missing by number: nobody is made up there."""
    clock = np.cumsum([0, *steps * 10, 40, *steps * 10, 10, *steps * 10])  # 1.6 seconds, 0.4 seconds
    table(tmp_path, "walk", clock * 40)
    clip = (source := opened(tmp_path, fps=25.0)).read(source.items[0])
    there = clip.xyz[:, 0, 1, 1] > 0
    gap = np.arange(clock[10 * len(steps)] + 1, clock[10 * len(steps) + 1])
    assert np.flatnonzero(~there).tolist() == gap.tolist()
    np.testing.assert_allclose(clip.xyz[there, 0, 1, 1], 1 + np.flatnonzero(there) * 0.04, atol=1e-6)
    assert clip.confidence is not None
    assert not clip.confidence[gap].any()


def test_few_frames_a_second_are_no_pauses(tmp_path: Path) -> None:
    table(tmp_path, "walk", range(0, 10_000, 1000))
    clip = (source := opened(tmp_path, fps=5.0)).read(source.items[0])
    np.testing.assert_allclose(clip.xyz[:, 0, 1, 1], 1 + np.arange(46) / 5, atol=1e-6)


def test_measured_rates_that_differ_a_little_are_one(tmp_path: Path) -> None:
    for name, step in (("a", 33), ("b", 34), ("c", 33.5)):
        table(tmp_path, name, [round(step * t) for t in range(40)])
    source = opened(tmp_path)
    assert source.fps == 30
    for item in source.items:
        clip = source.read(item)
        np.testing.assert_allclose(clip.xyz[:, 0, 1, 1], 1 + np.arange(len(clip.xyz)) / source.fps, atol=0.01)


def test_the_rate_that_is_asked_for_is_resampled_to(tmp_path: Path) -> None:
    table(tmp_path, "walk", range(0, 1000, 40))
    clip = (source := opened(tmp_path, fps=50.0)).read(source.items[0])
    assert len(clip.xyz) == 49
    np.testing.assert_allclose(clip.xyz[7, 0, 1, 1], 1.14, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "fps"),
    [
        (f"# fps: 24\n{HEADER}\n0,0,0,0,1,0\n", 24),
        (f"# recorded by me\n# Frame rate = 120 Hz\n{HEADER}\n0,0,0,0,1,0\n", 120),
        (f"fps,{HEADER}\n60,0,0,0,0,1,0\n", 60),
        (f"fps;{HEADER.replace(',', ';')}\n29,97;0;0;0;0;1;0\n", 29.97),
        (f"fps,{HEADER}\nnone,0,0,0,0,1,0\n", None),
        (f"{HEADER}\n0,0,0,0,1,0\n", None),
    ],
)
def test_rates_of_headers(text: str, fps: float | None) -> None:
    assert csv_notes(text.encode(), {}).get("fps") == fps


@pytest.mark.parametrize(
    "said",
    [{"fps": 24}, {"metadata": {"fps": 24}}, {"meta": {"video": {"frame_rate": 24}}}, {"info": {"fps": 24.0}},
     {"video_info": {"frameRate": 24}}],
)  # fmt: skip
def test_the_rate_that_json_says_of_its_video(said: dict[str, Any]) -> None:
    frames = [{"frame": at, "landmarks": [[0.1, 0.2], [0.3, 0.4]]} for at in range(3)]
    assert json_notes(json.dumps({**said, "frames": frames}).encode()) == {"fps": 24}


def test_a_rate_in_a_file_is_that_of_the_video_whose_frames_are_numbered() -> None:
    """Every fifth of them was processed: 6 a second are there."""
    frames = [{"frame": at, "landmarks": [[0.1, 0.2], [0.3, 0.4]]} for at in (10, 15, 25)]
    content = {"fps": 30, "frames": frames, "label": "walk"}
    assert json_notes(json.dumps(content).encode()) == {"fps": 6, "label": "walk"}
    rows = "\n".join(f"{at},30,0,0,0,0,1,0" for at in (0, 5, 10))
    assert csv_notes(f"frame,fps,{HEADER}\n{rows}".encode(), {})["fps"] == 6
    rows = "\n".join(f"{at},0,0,0,0,1,0" for at in (0, 5, 10))
    assert csv_notes(f"# fps: 30\nframe,{HEADER}\n{rows}".encode(), {})["fps"] == 6


def test_numbers_that_rise_by_more_than_one_are_remarked_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A rate that is told is that of the frames which are there: they are not stretched."""
    table(tmp_path, "walk", [0, 5, 10, 15], column="frame")
    caplog.set_level("INFO")
    source = opened(tmp_path, fps=30.0)
    assert (len(source.read(source.items[0]).xyz), source.fps) == (4, 30)
    assert "frame numbers increase by 5: `fps` is the rate of the frames that are there" in caplog.text


def test_people_and_joints_share_the_times_of_frames() -> None:
    """Row by row the times of two people, or of two joints, stand still and go on."""
    second = [f"12:00:{at // 25:02}" for at in range(100)]
    for times in ([round(at / 25, 2) for at in range(100)], second):
        wide, long = [f"frame,person,time,{HEADER}"], ["frame,joint,time,x,y,z"]
        for at, time in enumerate(times):
            wide += [f"{at},{who},{time},0,0,0,0,1,0" for who in "ab"[: 1 + at % 2]]
            long += [f"{at},{joint},{time},0,0,0" for joint in ("hip", "head")]
        for rows in (wide, long):
            assert csv_notes("\n".join(rows).encode(), {})["fps"] == 25


class TestColumnsAndNames:
    def files(self, folder: Path) -> Path:
        for person, action in (("ann", "wave"), ("bob", "kick"), ("bob", "wave")):
            rows = [f"{t},{action},{person},C3,0,0,0,0,1,0" for t in range(4)]
            text = "\n".join([f"Frame,Action,Who,Cam,{HEADER}", *rows])
            (folder / f"{person}_{action}-1.csv").write_text(text)
        (folder / "pair.yaml").write_text(LAYOUT)
        return folder

    def told(self, source: Any) -> list[tuple[str, str, int]]:
        clips = [source.read(item) for item in source.items]
        return [(source.class_names[clip.label], clip.subject, clip.camera) for clip in clips]

    def test_columns(self, tmp_path: Path) -> None:
        source = opened(
            self.files(tmp_path), label_column="action", subject_column="who", camera_column="cam"
        )
        assert self.told(source) == [("wave", "ann", 3), ("kick", "bob", 3), ("wave", "bob", 3)]

    def test_names(self, tmp_path: Path) -> None:
        source = opened(self.files(tmp_path), name="{subject}_{label}-{take}")
        assert self.told(source) == [("wave", "ann", -1), ("kick", "bob", -1), ("wave", "bob", -1)]

    def test_names_and_columns_complete_each_other(self, tmp_path: Path) -> None:
        source = opened(self.files(tmp_path), name="{subject}_*", label_column="Action", camera_column="Cam")
        assert self.told(source)[1] == ("kick", "bob", 3)

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (
                {"label_column": "class"},
                "has no column 'class'; beside those of joints it has 'Frame, Action, Who, Cam",
            ),
            ({"label_column": "Frame"}, "column 'Frame' changes from '0' to '1'; write a file for each clip"),
            ({"name": "{label}"}, None),
            ({"name": "{take}"}, "`name`: is '{take}'; it must have some of {label}, {subject} and {camera}"),
            ({"name": "{label}+{subject}"}, "clip 'ann_wave-1' is not named like '{label}+{subject}'"),
            ({"name": "{subject}_{camera}-*"}, "the camera of clip 'ann_wave-1' has no number: 'wave'"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, options: Any, reason: str | None) -> None:
        if reason is None:
            assert opened(self.files(tmp_path), **options).class_names[0] == "ann_wave-1"
            return
        with pytest.raises(KinemeError) as error:
            opened(self.files(tmp_path), **options)
        assert reason in str(error.value)

    def test_columns_are_of_tables(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.ones((3, 2, 3)))
        (tmp_path / "pair.yaml").write_text(LAYOUT)
        with pytest.raises(KinemeError, match=r"`label_column`: .* has no CSV files; leave it out"):
            opened(tmp_path, label_column="Action")


def test_single_frames_of_a_video_are_remarked_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for at in range(3):
        (tmp_path / f"{at:06}.json").write_text(json.dumps([{"id": 0, "keypoints3d": [[0, at, 1]] * 33}]))
    open_poses(tmp_path)
    assert "000000 has a single frame; if each file is a frame of one video, put all" in caplog.text
