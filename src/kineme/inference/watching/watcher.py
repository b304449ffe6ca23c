"""A live stream of poses → events: what begins and ends, and who does it.

Each person's last few seconds are kept. Every `step`, the windows of all people are encoded together and
judged. Memory does not grow with time.
"""

from __future__ import annotations

import logging
import math
import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from kineme.clips.batches import joined
from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.inference.watching.events import Change, Counts, Event, Judge, Spotter
from kineme.inference.watching.recent import Recent, checked_pose
from kineme.inference.watching.sparing import Sparing
from kineme.layouts import get_layout
from kineme.model import Model
from kineme.sources.poses.arrays import MAX_PEOPLE
from kineme.sources.poses.coordinates import usual_axes
from kineme.sources.poses.gaps import BRIDGED
from kineme.sources.poses.given import FPS, given_poses
from kineme.sources.poses.lines import BadFrame, People, Person
from kineme.sources.poses.tracking import Tracker
from kineme.sources.reading import Reading, joint_map_of, stated
from kineme.typing import Array

logger = logging.getLogger(__name__)

ANEW = 1.0  # seconds; a clock that goes back further was set anew
LONGEST = 2000  # frames of a window: a minute at 30 frames per second
BEHIND = 2.0  # seconds; of events that are later, a warning is given


@dataclass
class _Someone:
    recent: Recent
    spotter: Spotter
    seen: float
    judged: float = -math.inf


class Watcher:
    """Watches one stream of poses.

    A person who is not seen for half a second counts as gone: their actions end, and whoever appears later is
    someone new. Shorter gaps are bridged. A joint that was not found is filled in as in files of poses.

    Frames may arrive at any rate, even unevenly: windows are sampled at `fps`, linearly between frames.

    Args:
        model: see `kineme.load`.
        judge: what to watch for, see `kineme.inference.like` and `kineme.inference.Taught`.
        step: seconds from one window to the next; by default a quarter of a window, at most half a second.
        **reading: of the incoming poses, as for arrays in `Model.embed`.

    Raises:
        KinemeError: a setting is out of range.

    >>> import kineme
    >>> from kineme.inference import Watcher, like
    >>> model, store = kineme.load(example_run), kineme.open_store(example_store)
    >>> bow = str(store.names[8])
    >>> judge = like(model, {"bow": (bow, None)}, library=store, window=1.0, threshold=0.9)
    >>> watcher = Watcher(model, judge, fps=30, step=0.5)
    >>> events = [event for pose in store.clip(8)[:, 0] for event in watcher.push(pose)] + watcher.finish()
    >>> [event.event for event in events][:2], watcher.counts.events == len(events)
    (['start', 'end'], True)
    """

    def __init__(
        self,
        model: Model,
        judge: Judge,
        *,
        step: float | None = None,
        **reading: Unpack[Reading],
    ) -> None:
        told = stated(reading)
        layout, fps = told.get("layout"), told.get("fps") or FPS
        if not 1 / BRIDGED < fps < 1e4:
            raise KinemeError(f"`fps`: is {fps:g}; it must be above {1 / BRIDGED:g}, such as 30")
        frames = math.floor(judge.window * fps + 0.5)
        step = min(judge.window / 4, 0.5) if step is None else step
        if not 2 <= frames <= LONGEST:
            at = f"{judge.window:g} s at {fps:g} frames per second"
            many = f"{frames:,} frame{'s' * (frames != 1)}"
            raise KinemeError(f"`window`: {at} is {many}; it must have 2 to {LONGEST:,}")
        if not 1e-9 < step <= judge.window:
            most = f"at most the window, {judge.window:g} s"
            raise KinemeError(f"`step`: is {step:g} s; it must be above 0 s and {most}")
        self.model, self.judge, self.fps, self.step = model, judge, fps, step
        self.layout = get_layout(layout) if isinstance(layout, str) else layout or model.shape.layout
        self.counts = Counts()
        self._reading = told.copy()
        self._reading["layout"] = self.layout
        self._joint_map = joint_map_of(told)
        self._frames = frames
        self._columns: int | None = None  # of a joint, 2 or 3, as the first frame has
        self._say = Sparing(logger.warning)
        self._people: dict[Person, _Someone] = {}
        self._tracker = Tracker(fps)
        self._begin: float | None = None  # time of the first frame
        self._number = 0  # of frames since
        self._time = self._due = -math.inf
        self._warm()

    def push(
        self, people: Array | People, time: float | None = None, *, arrived: float | None = None
    ) -> list[Event]:
        """Takes a frame.

        Args:
            people: the joints (V, C) of one person, C = 2 or 3, NaN where one was not found; of several by
                id; or of several without ids, who are tracked and numbered from 1 as they appear.
            time: in seconds; it must increase. A jump back by more than a second starts anew. Default: that
                of the frame's number.
            arrived: when the frame arrived, on the clock `time.monotonic`; now by default.

        Returns:
            the events that it completed.

        Raises:
            BadFrame: the number of joints or coordinates differs, coordinates are infinite, or time goes
                back. The frame is skipped; later ones can be pushed.
            KinemeError: the poses do not fit the model or the settings.
        """
        arrived = clock.monotonic() if arrived is None else arrived
        try:
            poses = self._checked(people)
        except BadFrame:
            self._number += self._begin is not None  # it took its time
            raise
        if time is None:
            time = 0.0 if self._begin is None else self._begin + self._number / self.fps
        changes: list[tuple[Person, Change]] = []
        if not math.isfinite(time):
            raise BadFrame(f"its time is {time}")
        if time <= self._time:
            if time > self._time - ANEW:
                raise BadFrame(f"its time, {time:.3f} s, is not after {self._time:.3f} s")
            self._say("clock", f"the clock went back from {self._time:.3f} s to {time:.3f} s; starting over")
            changes += self._anew()
        elif time > self._time + BRIDGED and self._begin is not None:
            self._say("gap", f"no frames for {time - self._time:.2f} s up to {time:.3f} s; starting over")
            changes += self._anew()
        if self._columns is None and poses:
            self._check_settings(poses)
        if self._begin is None:
            self._begin = self._due = time
        self._time = time
        self._number += 1
        self.counts.frames += 1
        changes += self._lost(time)
        for person, points in self._identified(poses).items():
            if someone := self._known(person):
                someone.recent.add(time, points)
                someone.seen = time
        if time >= self._due - 1e-6:
            self._due = max(self._due + self.step, time + self.step / 2)
            changes += self._judged()
        return self._events(changes, time, arrived)

    def finish(self) -> list[Event]:
        """Ends the stream, and with it all ongoing events. The watcher can be used for another stream."""
        arrived, time = clock.monotonic(), self._time
        events = self._events(self._anew(), time, arrived)
        self._say.finish()
        return events

    @property
    def people(self) -> int:
        """The number of people present."""
        return len(self._people)

    def _checked(self, people: Array | People) -> Mapping[Person, Array] | list[Array]:
        """The poses of those who are there."""
        if isinstance(people, np.ndarray) and people.ndim == 2:
            people = {1: people}
        given = people.values() if isinstance(people, Mapping) else people
        poses = [checked_pose(each, self.layout, self._columns) for each in given]
        if len({pose.shape for pose in poses if pose is not None}) > 1:
            raise BadFrame("has people with two coordinates and people with three")
        if isinstance(people, Mapping):
            return {person: pose for person, pose in zip(people, poses, strict=True) if pose is not None}
        return [pose for pose in poses if pose is not None]

    def _check_settings(self, poses: Mapping[Person, Array] | Sequence[Array]) -> None:
        """Reads the first pose as a clip, so that what does not fit is known at once.

        Joints that are not found in it may be later, so they are no reason to refuse it.
        """
        pose = next(iter(poses.values() if isinstance(poses, Mapping) else poses))
        self._prepared(np.where(np.isfinite(pose), pose, np.nanmean(pose, axis=0))[None])
        self._columns = pose.shape[1]
        self._reading["axes"] = self._reading.get("axes") or usual_axes(self.layout, self._columns)

    def _identified(self, poses: Mapping[Person, Array] | Sequence[Array]) -> Mapping[Person, Array]:
        if isinstance(poses, Mapping):
            return poses
        if not poses:
            return {}
        assert self._begin is not None
        bodies = self._tracker((self._time - self._begin) * self.fps, np.stack(poses))
        return dict(zip((bodies + 1).tolist(), poses, strict=True))

    def _known(self, person: Person) -> _Someone | None:
        if person not in self._people:
            if len(self._people) >= MAX_PEOPLE:
                self._say(
                    "crowd", f"more than {MAX_PEOPLE} people; {person} is left out at {self._time:.3f} s"
                )
                return None
            shape = (self.layout.num_joints, self._columns or 3)
            recent = Recent(self._frames, self.fps, shape)
            self._people[person] = _Someone(
                recent, Spotter(self.judge.starts, self.judge.ends, self._time), self._time
            )
        return self._people[person]

    def _lost(self, time: float) -> list[tuple[Person, Change]]:
        gone = [person for person, someone in self._people.items() if time - someone.seen > BRIDGED]
        return [(person, change) for person in gone for change in self._forget(person)]

    def _anew(self) -> list[tuple[Person, Change]]:
        """Everybody is gone, and the clock starts anew."""
        changes = [(person, change) for person in list(self._people) for change in self._forget(person)]
        self._begin, self._number, self._time, self._tracker = None, 0, -math.inf, Tracker(self.fps)
        return changes

    def _forget(self, person: Person) -> list[Change]:
        someone = self._people.pop(person)
        return someone.spotter.finish(someone.seen + 1 / self.fps)

    def _judged(self) -> list[tuple[Person, Change]]:
        """Encodes the newest window of everybody who has one."""
        people, clips = [], []
        for person, someone in self._people.items():
            if someone.recent.latest <= someone.judged or (window := someone.recent.window()) is None:
                continue
            try:
                clips.append(self._prepared(window))
            except KinemeError as error:
                self._say("window", f"person {person} at {self._time:.3f} s: a window is left out ({error})")
                continue
            people.append((person, someone))
        if not clips:
            return []
        scores = self.judge.scores(joined([each.xyz for each in clips], [each.present for each in clips]))
        self.counts.windows += len(clips)
        self.counts.highest = max(self.counts.highest, float(scores.max()))
        changes = []
        for (person, someone), row in zip(people, scores, strict=True):
            someone.judged = end = someone.recent.latest
            start = end - (self._frames - 1) / self.fps  # a frame lasts until the next
            found = someone.spotter.window(row, start, start + self.judge.window)
            changes += [(person, change) for change in found]
        return changes

    def _prepared(self, window: Array) -> Clip:
        """(T, V, C) as it came → the clip that `Model.embed` prepares."""
        source = given_poses([window], self.layout, self._reading, first=self.counts.windows == 0)
        (clip,) = self.model.prepared(source, self._joint_map)
        return clip

    def _events(self, changes: Sequence[tuple[Person, Change]], at: float, arrived: float) -> list[Event]:
        if not changes:
            return []
        delay = clock.monotonic() - arrived
        if delay > BEHIND:
            self._say("delay", f"events are {delay:.1f} s late; a longer `step` needs less computation")
        self.counts.events += len(changes)
        self.counts.delay += delay * len(changes)
        self.counts.longest = max(self.counts.longest, delay)
        names = self.judge.class_names
        return [
            Event(
                event=change.event,
                label=names[change.label],
                score=change.score,
                person=person,
                start=change.start,
                end=change.end,
                at=at,
                delay=delay,
                measure=self.judge.measure,
            )
            for person, change in changes
        ]

    def _warm(self) -> None:
        """Judges noise, so that the first window does not take longer than the others."""
        shape = self.model.shape
        noise = np.random.default_rng(0).normal(size=(self._frames, shape.bodies, shape.layout.num_joints, 3))
        self.judge.scores(joined([noise.astype(np.float32)]))
