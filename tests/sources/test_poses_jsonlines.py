"""JSON lines, by value: streams that were kept, other frames a line, tables a row a line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kineme.layouts import LAYOUTS
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.jsonlines import jsonl_notes, jsonl_poses

XYZ = np.arange(1, 3 * 17 * 3 + 1, dtype=np.float64).reshape(3, 17, 3) / 100


def lines(*entries: Any) -> bytes:
    return "\n".join(map(json.dumps, entries)).encode()


def test_a_stream_with_a_header() -> None:
    joints = [XYZ[0].tolist(), [None, *XYZ[1, 1:].tolist()], XYZ[2].tolist()]
    header = {"layout": "h36m17", "fps": 25, "units": "cm", "axes": "z-up"}
    data = lines(header, *({"joints": each} for each in joints))
    found = jsonl_poses(data, scores=False)
    assert isinstance(found, Detections)
    assert (found.joints, found.scale, found.axes) == (LAYOUTS["h36m17"].joints, 0.01, "z-up")
    np.testing.assert_allclose(found.points[[0, 2]], XYZ[[0, 2]], rtol=1e-6)
    assert np.isnan(found.points[1, 0]).all()
    np.testing.assert_allclose(found.points[1, 1:], XYZ[1, 1:], rtol=1e-6)
    assert jsonl_notes(data) == {"fps": 25}


def test_people_by_their_ids_and_times() -> None:
    def person(who: Any, at: int) -> dict[str, Any]:
        return {"id": who, "joints": XYZ[at].tolist()}

    data = lines(
        {"t": 0.0, "people": [person("ann", 0), person("ben", 1)]},
        {"t": 0.04, "people": []},
        {"t": 0.08, "people": [person("ben", 1), person("ann", 0)]},
    )
    found = jsonl_poses(data, scores=False)
    assert isinstance(found, Detections)
    assert found.identity is not None
    assert found.times is not None
    assert (found.frame.tolist(), found.identity.tolist(), found.frames) == ([0, 0, 2, 2], [0, 1, 1, 0], 3)
    np.testing.assert_allclose(found.times, [0, 0.04, 0.08])
    assert jsonl_notes(data) == {"fps": 25, "measured": True}


def test_landmarks_and_rows_of_a_table() -> None:
    keys = ("x", "y", "z")
    marks = [{"landmarks": [dict(zip(keys, each, strict=True)) for each in frame]} for frame in XYZ.tolist()]
    found = jsonl_poses(lines(*marks), scores=False)
    np.testing.assert_allclose(found.points, XYZ, rtol=1e-6)
    rows = [{"hip_x": 1, "hip_y": 2, "head_x": 3, "head_y": at} for at in (4, 5)]
    table = jsonl_poses(lines(*rows), scores=False)
    assert isinstance(table, Poses)
    assert (table.joints, table.points[1, 0].tolist()) == (("hip", "head"), [[1, 2], [3, 5]])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lines({"joints": [[1, 2]]}) + b'\n{"joints": [[1,', "line 2: is not JSON, or is cut off"),
        (lines({"fps": "fast"}), "the header's fps is 'fast'; it must be frames per second"),
        (lines({"fps": 25}), "is not a list, or is empty"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        jsonl_poses(data, scores=False)
