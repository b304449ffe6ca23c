"""Poses as JSON lines: headers, frames, and every way to get them wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.sources.live import Line
from kineme.sources.poses.arrays import MAX_PEOPLE
from kineme.sources.poses.lines import Beginning, Frame, Header, frames

POSE = [[0, 1, 2], [3, 4, 5]]


def read(*texts: object, **options: object) -> tuple[list[Beginning | Frame], list[str]]:
    """Lines (bytes as they are, anything else as JSON), half a second apart → items, and what is said."""
    coded = [text if isinstance(text, bytes) else json.dumps(text).encode() for text in texts]
    given = [Line(text, f"line {i + 1}", 0, 0.5 * i) for i, text in enumerate(coded)]
    said: list[str] = []
    found = frames(given, lambda kind, message: said.append(message), **options)  # type: ignore[arg-type]
    return [item for item in found if item is not None], said


def test_a_header_is_optional() -> None:
    (beginning, frame), said = read({"layout": "coco17", "fps": 25, "units": "mm"}, {"t": 3, "joints": POSE})
    assert isinstance(beginning, Beginning)
    assert beginning.header == Header(layout="coco17", fps=25, units="mm")
    assert isinstance(frame, Frame)
    assert (frame.time, frame.arrived, frame.name) == (3.0, 0.5, "line 2")
    assert isinstance(frame.people, dict)
    np.testing.assert_array_equal(frame.people[1], POSE)
    (beginning, frame), said = read({"joints": POSE})
    assert isinstance(beginning, Beginning)
    assert beginning.header == Header()
    assert not said


def test_people_with_and_without_ids() -> None:
    named = {"people": [{"id": "anna", "joints": POSE}, {"id": 7, "joints": POSE}]}
    (_, with_ids, nobody, without), _ = read(named, {"people": []}, {"people": [{"joints": POSE}] * 2})
    assert isinstance(with_ids, Frame)
    assert isinstance(nobody, Frame)
    assert isinstance(without, Frame)
    assert isinstance(with_ids.people, dict)
    assert list(with_ids.people) == ["anna", 7]
    assert nobody.people == []
    assert isinstance(without.people, list)
    np.testing.assert_array_equal(without.people[1], POSE)


def test_joints_that_were_not_found() -> None:
    line = b'{"joints": [null, [0, 1, 2], [NaN, NaN, NaN], [null, 1, 2]]}'
    (_, frame), said = read(line)
    assert not said
    assert isinstance(frame, Frame)
    assert isinstance(frame.people, dict)
    np.testing.assert_array_equal(np.isfinite(frame.people[1]).all(axis=1), [False, True, False, False])


@pytest.mark.parametrize(
    ("fps", "header", "times"),
    [(10, {}, [0.0, 0.1, 0.3]), (None, {"fps": 20}, [0.0, 0.05, 0.15]), (None, {}, [0.0, 0.5, 1.5])],
    ids=["option", "header", "arrival"],
)
def test_the_time_of_frames_without_one(fps: float | None, header: object, times: list[float]) -> None:
    """A line that is left out takes its time, too."""
    texts = [{"joints": POSE}, {"joints": POSE}, b"oops", {"joints": POSE}]
    items, said = read(*([header] if header else []), *texts, fps=fps)
    assert [item.time for item in items if isinstance(item, Frame)] == pytest.approx(times)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1, 2]", "is not an object"),
        ({"time": 1, "joints": POSE}, "has the unknown key 'time'"),
        ({"people": [], "joint": POSE}, "has the unknown key 'joint'; did you mean joints?"),
        ({"people": [], "joints": POSE}, "has both 'joints' and 'people'"),
        ({"people": {"anna": POSE}}, "no list of 'people'"),
        ({"people": [POSE]}, "no list of 'people'"),
        ({"people": [{"joints": POSE}] * (MAX_PEOPLE + 1)}, "has 101 people; the limit is 100"),
        ({"people": [{"id": 1, "joints": POSE}, {"joints": POSE}]}, "with and without 'id'"),
        ({"people": [{"id": 1, "joints": POSE}] * 2}, "the same 'id' twice"),
        ({"people": [{"id": "a\x1b[31m", "joints": POSE}]}, r"the id 'a\x1b[31m'; it must be"),
        ({"people": [{"id": "a" * 65, "joints": POSE}]}, "text of 1 to 64 characters"),
        ({"people": [{"id": [1], "joints": POSE}]}, "the id [1]"),
        ({"joints": [[0, 1, 2], [0, 1]]}, "not a list of [x, y, z]"),
        ({"joints": [["a", 1, 2]]}, "not a list of [x, y, z]"),
        ({"joints": []}, "not a list of [x, y, z]"),
        ({"joints": 5}, "not a list of [x, y, z]"),
        ({"joints": [None, None]}, "not a list of [x, y, z]"),
        ({"t": "now", "joints": POSE}, "has the time 'now'; it must be seconds"),
        (b'{"t": Infinity, "joints": [[0, 1, 2]]}', "has the time inf"),
        (b'{"t": 1' + b"0" * 400 + b', "joints": [[0, 1, 2]]}', "it must be seconds"),
        ({"t": 1, "joints": POSE}, "has 't', unlike the frames before it"),
    ],
)
def test_a_malformed_line_is_named_and_left_out(text: object, message: str) -> None:
    items, said = read({"joints": POSE}, text, {"joints": POSE})
    assert [item.name for item in items] == ["line 1", "line 1", "line 3"]
    (line,) = said
    assert line.startswith("line 2: ")
    assert line.endswith("; left out")
    assert message in line


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"layuot": "coco17"}, "line 1: the header has the unknown key 'layuot'; did you mean layout?"),
        ({"layout": "coco71"}, "the header's layout 'coco71' is not built in; did you mean coco17?"),
        ({"layout": "/etc/passwd"}, "the header's layout '/etc/passwd' is not built in"),
        ({"fps": -1}, "the header's fps is -1; it must be frames per second"),
        ({"fps": True}, "the header's fps is True"),
        ({"units": 1}, "the header's units is 1; it must be text"),
    ],
)
def test_a_malformed_header_is_the_end_of_its_stream(header: object, message: str) -> None:
    with pytest.raises(KinemeError) as raised:
        read(header, {"joints": POSE})
    assert message in str(raised.value)
    items, said = read(header, {"joints": POSE}, tolerant=True)
    assert items == []
    assert len(said) == 1
    assert message in said[0]


def test_each_stream_has_its_own_header() -> None:
    texts = [(0, b'{"fps": 10}'), (0, b'{"joints": [[0, 1, 2]]}'), (1, b'{"t": 5, "joints": [[0, 1, 2]]}')]
    given = [Line(text, "line", stream, 0.0) for stream, text in texts]
    items = list(frames(given, lambda kind, message: pytest.fail(message)))
    assert [type(item).__name__ for item in items] == ["Beginning", "Frame", "Beginning", "Frame"]


def test_frames_without_time_that_come_at_once_ask_for_the_rate() -> None:
    """A recording that is piped in: when its lines arrived says nothing."""
    texts = [json.dumps({"joints": POSE}).encode()] * 3
    at_once = [Line(text, f"line {i + 1}", 0, 7.0) for i, text in enumerate(texts)]
    said: list[str] = []
    found = list(frames(at_once, lambda kind, message: said.append(message)))
    assert len(found) == 2  # the beginning and one frame
    wrong = "has no 't' and came together with the frame before it; set `fps`; left out"
    assert said == [f"line 2: {wrong}", f"line 3: {wrong}"]
    found = list(frames(at_once, lambda kind, message: said.append(message), fps=25))
    assert [item.time for item in found if isinstance(item, Frame)] == [0.0, 0.04, 0.08]
