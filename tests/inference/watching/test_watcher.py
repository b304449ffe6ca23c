"""A stream that is watched: its windows are those of `Model.embed`, and nothing depends on how it comes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion

from conftest import STICK
from kineme.clips.batches import Clips
from kineme.drawing.layouts import standing
from kineme.errors import KinemeError
from kineme.inference import Event, Watcher
from kineme.inference.watching.recent import NEAR, Recent
from kineme.inference.watching.streams import Streams
from kineme.inference.watching.watcher import LONGEST
from kineme.layouts import get_layout
from kineme.model import Model
from kineme.preprocessing import parse_preprocessing
from kineme.sources.poses.arrays import MAX_PEOPLE
from kineme.sources.poses.lines import BadFrame, Beginning, Frame, Header
from kineme.typing import Array


@dataclass
class Recorder:
    """A judge that keeps the features of windows, and finds a class in those of which `shows` is true."""

    model: Model
    window: float = 1.0
    shows: Sequence[bool] = ()
    class_names: tuple[str, ...] = ("move",)
    measure: str = "probability"
    starts: Array = field(default_factory=lambda: np.array([0.6]))
    ends: Array = field(default_factory=lambda: np.array([0.4]))
    features: list[Array] = field(default_factory=list)

    def scores(self, clips: Clips) -> Array:
        first = len(self.features)
        self.features += list(self.model.encode(clips, device="cpu"))
        shown = [
            self.shows[i - 1] if 0 <= i - 1 < len(self.shows) else False
            for i in range(first, len(self.features))
        ]
        return np.array(shown, dtype=np.float32)[:, None]


@pytest.fixture
def tiny(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


def fed(watcher: Watcher, poses: Array, times: Sequence[float] | None = None) -> list[Event]:
    """The events of poses (T, V, C), without those of the end."""
    given = [None] * len(poses) if times is None else times
    return [event for pose, time in zip(poses, given, strict=True) for event in watcher.push(pose, time)]


@pytest.mark.parametrize("preprocessing", ["plain", "plain(facing=True, scale=True)", "agcn", "crossclr"])
def test_a_window_has_the_features_of_the_same_frames_as_a_clip(tmp_path: Path, preprocessing: str) -> None:
    """Whatever the preprocessing does to whole clips is done to each window by itself."""
    layout = get_layout("ntu25")
    encoder = model(tmp_path / "run", layout, parse_preprocessing(preprocessing))
    if encoder.units != encoder.preprocessing.units("metres"):
        encoder = replace(encoder, units=None)
    poses = motion(40, 0, joints=25)[:, 0]
    judge = Recorder(encoder)
    fed(Watcher(encoder, judge, fps=10, step=0.5), poses)
    ends = list(range(10, 41, 5))  # the first window is that of 10 frames: those at 0, 0.5 s are too short
    windows = [poses[end - 9 : end + 1] for end in range(10, 40, 5)]
    assert len(judge.features) - 1 == len(windows) == len(ends) - 1
    np.testing.assert_allclose(judge.features[1:], encoder.embed(windows, fps=10), rtol=1e-4, atol=1e-5)


def test_joints_of_another_layout_in_other_axes_and_units(tmp_path: Path) -> None:
    encoder = model(tmp_path / "run", get_layout("ntu25"))
    poses = 1000 * motion(11, 0, joints=17)[:, 0]
    poses[4, 3] = np.nan
    options = {"layout": "coco17", "axes": "z-up", "units": "mm"}
    judge = Recorder(encoder)
    fed(Watcher(encoder, judge, fps=10, step=1.0, **options), poses)
    wanted = encoder.embed(poses[1:], fps=10, **options)
    np.testing.assert_allclose(judge.features[1], wanted, rtol=1e-4, atol=1e-5)


def test_frames_at_another_rate_are_resampled_by_time(tiny: Model) -> None:
    """A motion that is linear in time looks alike at 10, 25 and irregular frames per second."""
    begin, speed = np.random.default_rng(0).normal(size=(2, 3, 3))
    features = []
    for times in (
        np.arange(21) / 10,
        np.arange(51) / 25,
        np.append(np.sort(np.random.default_rng(1).uniform(0.01, 1.99, 30)), 2.0),
    ):
        judge = Recorder(tiny)
        watcher = Watcher(tiny, judge, fps=10, step=0.5)
        fed(watcher, begin + speed * times[:, None, None] ** 1, times.tolist())
        features.append(judge.features[-1])
    np.testing.assert_allclose(features[1], features[0], atol=1e-5)


@pytest.mark.parametrize("rate", [62.5, 64.0, 66.0])
def test_a_little_more_than_twice_the_rate_fills_long_windows(rate: float) -> None:
    """Poses that come closest without being thinned out."""
    recent = Recent(frames=60, fps=30.0, shape=(1, 1))
    for time in np.arange(250) / rate:
        recent.add(time, np.array([[time]]))
    window = recent.window()
    assert window is not None
    np.testing.assert_allclose(window.ravel(), recent.latest - np.arange(59, -1, -1) / 30, atol=NEAR / 30)


def test_rates_do_not_change_when_events_are(tiny: Model) -> None:
    found = []
    for rate in (10, 20, 50):
        judge = Recorder(tiny, shows=[False, True, True, True, False, False])
        watcher = Watcher(tiny, judge, fps=10, step=0.5)
        times = np.arange(5 * rate) / rate
        events = fed(watcher, np.tile(motion(1, 0)[:, 0], (len(times), 1, 1)), times.tolist())
        found.append([(event.event, event.start, event.end) for event in events])
    for events in found:
        assert [event for event, _, _ in events] == ["start", "end"]
        assert events[1][1:] == pytest.approx((0.85, 2.35), abs=0.051)  # half of the lowest rate's frame


def test_windows_that_were_missed_are_not_made_up_for(tiny: Model) -> None:
    """Frames come every 0.4 s for 4 s, and then every 0.05 s for one; a window is due every 0.1 s."""
    times = [*np.arange(11) * 0.4, *(4 + 0.05 * np.arange(1, 21))]
    watcher = Watcher(tiny, Recorder(tiny), fps=10, step=0.1)
    fed(watcher, motion(31, 0)[:11, 0], times[:11])
    before = watcher.counts.windows
    fed(watcher, motion(31, 0)[11:, 0], times[11:])
    assert (before, watcher.counts.windows - before) == (8, 10)


def test_an_event_says_who_when_and_how_late(tiny: Model) -> None:
    judge = Recorder(tiny, shows=[True, True, True, True])
    watcher = Watcher(tiny, judge, fps=10, step=0.5)
    poses = motion(30, 0)[:, 0]
    events = [event for row, pose in enumerate(poses) for event in watcher.push({"anna": pose}, row / 10)]
    (start,), (end,) = events, watcher.finish()
    assert (start.event, start.label, start.person, start.end, start.at) == (
        "start",
        "move",
        "anna",
        None,
        1.5,
    )
    assert start.start == pytest.approx(0.0)  # the first window speaks for what is before it too
    assert (end.event, end.start, end.end, end.at) == ("end", start.start, 3.0, 2.9)
    assert end.score == 1.0
    for event in (start, end):
        assert 0 < event.delay < 5
    assert (watcher.counts.frames, watcher.counts.windows, watcher.counts.events) == (30, 4, 2)
    assert watcher.counts.longest == max(start.delay, end.delay)
    assert start.to_dict() == {
        "event": "start",
        "label": "move",
        "probability": 1.0,
        "person": "anna",
        "start": 0.0,
        "end": None,
        "at": 1.5,
        "delay": round(start.delay, 4),
    }


def test_people_are_watched_each_by_itself_and_encoded_together(tiny: Model) -> None:
    both = {name: motion(11, seed)[:, 0] for seed, name in enumerate(("anna", "ben"))}
    judge = Recorder(tiny)
    watcher = Watcher(tiny, judge, fps=10, step=1.0)
    for row in range(11):
        watcher.push({name: poses[row] for name, poses in both.items()})
    wanted = tiny.embed([poses[1:] for poses in both.values()], fps=10)
    np.testing.assert_allclose(judge.features[1:], wanted, rtol=1e-4, atol=1e-5)


def test_people_without_ids_are_tracked(tiny: Model) -> None:
    """They are listed in turns; each keeps its place, and so its motion."""
    body = np.array([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]])
    times = np.arange(11) / 10
    walks = [body + [x, 0, 0] + times[:, None, None] * [speed, 0, 0] for x, speed in ((0, 0.3), (3, -0.2))]
    judge = Recorder(tiny, window=1.0)
    watcher = Watcher(tiny, judge, fps=10, step=1.0)
    for row in range(11):
        watcher.push([walk[row] for walk in (walks if row % 2 else walks[::-1])])
    assert watcher.people == 2
    wanted = tiny.embed([walk[1:] for walk in reversed(walks)], fps=10)
    np.testing.assert_allclose(judge.features[1:], wanted, rtol=1e-4, atol=1e-5)


def test_a_short_gap_is_bridged_and_a_long_one_is_the_end(tiny: Model) -> None:
    poses = motion(60, 0)[:, 0]
    times = np.arange(60) / 10
    for missing, gone in ((4, False), (6, True)):
        judge = Recorder(tiny, shows=[True] * 9)
        watcher = Watcher(tiny, judge, fps=10, step=0.5)
        kept = [row for row in range(60) if not 20 <= row < 20 + missing]
        events = fed(watcher, poses[kept], times[kept].tolist())
        assert [event.event for event in events[:2]] == ["start", "end"][: 1 + gone]
        if gone:
            assert events[1].end == pytest.approx(2.0)
            assert events[1].at == pytest.approx(2.6)


def test_somebody_who_leaves_ends_while_others_stay(tiny: Model) -> None:
    judge = Recorder(tiny, shows=[True] * 100)
    watcher = Watcher(tiny, judge, fps=10, step=0.5)
    one, other = motion(40, 0)[:, 0], motion(40, 1)[:, 0]
    events = []
    for row in range(40):
        events += watcher.push({1: one[row], 2: other[row]} if row < 20 else {1: one[row]})
    assert watcher.people == 1
    assert [(event.person, event.end) for event in events if event.event == "end"] == [
        (2, pytest.approx(2.0))
    ]


def test_bad_frames_are_refused_and_change_nothing(tiny: Model) -> None:
    pose = motion(1, 0)[0, 0]
    watcher = Watcher(tiny, Recorder(tiny), fps=10)
    watcher.push(pose, 5.0)
    for bad, time, message in (
        (pose[:2], 5.1, "has 2 joints, and layout stick has 3; set the `layout`"),
        (pose[:, :2], 5.1, r"shape \(3, 2\); expected \(joints, 3\) as in the frames before"),
        (np.inf * pose, 5.1, "infinite"),
        (pose, 5.0, "its time, 5.000 s, is not after 5.000 s"),
        (pose, 4.5, "not after"),
        (pose, np.nan, "its time is nan"),
    ):
        with pytest.raises(BadFrame, match=message):
            watcher.push(bad, time)
    assert watcher.counts.frames == 1
    watcher.push(pose, 5.1)
    assert watcher.counts.frames == 2


def test_people_of_a_frame_have_as_many_coordinates(tiny: Model) -> None:
    flat, deep = motion(1, 0)[0, 0, :, :2], motion(1, 0)[0, 0]
    for people in ({"anna": deep, "ben": flat}, [deep, flat]):
        watcher = Watcher(tiny, Recorder(tiny), fps=10)
        with pytest.raises(BadFrame, match="two coordinates and people with three"):
            watcher.push(people)
        watcher.push(deep)
        assert watcher.counts.frames == 1


def test_shoulders_may_be_seen_later_than_in_the_first_frame(tmp_path: Path) -> None:
    layout = get_layout("ntu25")
    encoder = model(tmp_path / "run", layout, parse_preprocessing("plain(facing=True)"))
    watcher = Watcher(encoder, Recorder(encoder), fps=10, step=0.5)
    poses = motion(40, 0, joints=25)[:, 0]
    poses[:3, 4] = np.nan
    fed(watcher, poses)
    assert (watcher.counts.frames, watcher.counts.windows) == (40, 6)


def test_a_stream_that_cannot_be_watched_ends_the_events_of_the_one_before(tiny: Model) -> None:
    said: list[str] = []
    judge = Recorder(tiny, shows=[True] * 9)
    streams = Streams(
        lambda header: Watcher(tiny, judge, fps=header.fps or 10, step=0.5),
        lambda kind, message: said.append(message),
        tolerant=True,
    )
    streams.take(Beginning(Header(), "line 1"))
    events = []
    for row, pose in enumerate(motion(30, 0)[:, 0]):
        events += streams.take(Frame({1: pose}, row / 10, 0.0, "line"))
    events += streams.take(Beginning(Header(fps=1), "connection 2"))
    assert [event.event for event in events] == ["start", "end"]
    assert len(said) == 1
    assert "connection 2: `fps`: is 1" in said[0]


def test_a_clock_that_is_set_back_begins_anew(tiny: Model, caplog: pytest.LogCaptureFixture) -> None:
    judge = Recorder(tiny, shows=[True] * 9)
    watcher = Watcher(tiny, judge, fps=10, step=0.5)
    poses = motion(30, 0)[:, 0]
    events = fed(watcher, poses, (100 + np.arange(30) / 10).tolist())
    events += watcher.push(poses[0], 3.0)
    assert [(event.event, event.end) for event in events] == [("start", None), ("end", pytest.approx(103.0))]
    assert "the clock went back from 102.900 s to 3.000 s; starting over" in caplog.text
    assert watcher.push(poses[1], 3.1) == []


def test_a_frame_that_is_skipped_takes_its_time(tiny: Model) -> None:
    """A hundred frames at 10 a second, the first and one in the middle bad."""
    watcher = Watcher(tiny, Recorder(tiny, shows=[True] * 100), fps=10)
    poses = [*motion(100, 0)[:, 0]]
    poses[0] = poses[40] = np.zeros((2, 3), dtype=np.float32)
    for pose in poses:
        with suppress(BadFrame):
            watcher.push(pose)
    (end,) = watcher.finish()
    assert watcher.counts.frames == 98
    assert end.end == pytest.approx(9.9)  # the second frame is at 0, the last lasts from 9.8 s


def test_nobody_in_a_frame_is_no_mistake(tiny: Model) -> None:
    watcher = Watcher(tiny, Recorder(tiny), fps=10)
    for people in ([], {}, np.full((3, 3), np.nan), np.zeros((3, 3))):
        assert watcher.push(people) == []
    assert (watcher.people, watcher.counts.frames) == (0, 4)


def test_there_are_not_more_people_than_the_limit(tiny: Model, caplog: pytest.LogCaptureFixture) -> None:
    """A sender that makes up an id for each frame fills no memory."""
    watcher = Watcher(tiny, Recorder(tiny), fps=1000, step=1.0)
    pose = motion(1, 0)[0, 0]
    for row in range(3 * MAX_PEOPLE):
        watcher.push({f"made up {row}": pose})
    assert watcher.people == MAX_PEOPLE
    assert caplog.text.count(f"more than {MAX_PEOPLE} people") == 5  # said sparingly


def test_what_does_not_fit_is_said_at_the_first_frame(tiny: Model) -> None:
    for options, pose, message in (
        ({}, 1000 * motion(1, 0)[0, 0], "metres tall; set `units` to mm"),
        ({}, motion(1, 0)[0, 0, :, :2], "is in body sizes, but the model was trained on metres"),
        ({"image": "1920x1080"}, motion(1, 0)[0, 0], "`image`: these poses are three-dimensional"),
    ):
        with pytest.raises(KinemeError, match=message) as raised:
            Watcher(tiny, Recorder(tiny), **options).push(pose)
        assert not isinstance(raised.value, BadFrame)


def test_swapped_sides_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first window is long enough to tell, and later ones say nothing new."""
    layout = get_layout("ntu25")
    encoder = model(tmp_path / "run", layout, parse_preprocessing("plain"))
    body = np.concatenate([standing(layout), np.zeros((25, 1))], axis=1).astype(np.float32)
    body[[15, 19], 2] = -0.2  # the feet, away from the viewer, whose left is at the body's right
    fed(Watcher(encoder, Recorder(encoder), fps=10, step=0.5), body[None].repeat(40, axis=0))
    assert caplog.text.count("toes or noses point backwards") == 1


def test_settings_out_of_range(tiny: Model) -> None:
    for options, message in (
        ({"fps": 2.0}, "`fps`: is 2; it must be above 2"),
        (
            {"fps": 3000.0},
            f"`window`: 1 s at 3000 frames per second is 3,000 frames; it must have 2 to {LONGEST:,}",
        ),
        ({"step": 0.0}, "`step`: is 0 s"),
        ({"step": 1.5}, "at most the window, 1 s"),
        ({"layout": "coco71"}, "coco71: no such layout"),
    ):
        with pytest.raises(KinemeError, match=message):
            Watcher(tiny, Recorder(tiny), **options)


def test_memory_does_not_grow(tiny: Model) -> None:
    """A day in small: people come and go, frames are bad, the clock jumps. 24 hours are 260 times as many."""

    class Idle(Recorder):
        def scores(self, clips: Clips) -> Array:
            return np.zeros((len(clips), 1))

    watcher = Watcher(tiny, Idle(tiny), fps=30, step=1.0)
    pose = motion(1, 0)[0, 0]

    def push(first: int, last: int) -> None:
        for row in range(first, last):
            person = f"person {row // 100}"
            watcher.push({person: pose, "other": pose + 1}, row / 30)
            if row % 50 == 0:
                with pytest.raises(BadFrame):
                    watcher.push(pose[:2])

    tracemalloc.start()
    push(0, 2000)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    push(2000, 10_000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000  # the poses of 8,000 frames of two people alone would be 600 kB
    assert watcher.people <= 2


def test_a_layout_of_ones_own(tiny: Model) -> None:
    assert Watcher(tiny, Recorder(tiny), layout=STICK).layout is STICK
