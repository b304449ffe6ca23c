"""JSON of easy_ViTPose: people by number in frames, points as y, x and score, and the names of the joints.

{"keypoints": [{"0": [[121.19, 458.15, 0.99], ...], "1": ...}, ...], "skeleton": {"0": "nose", ...}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_vitpose(content: Mapping[str, Any]) -> bool:
    """Whether it is a result of easy_ViTPose."""
    frames, names = content.get("keypoints"), content.get("skeleton")
    return isinstance(frames, list) and isinstance(names, dict) and all(isinstance(f, dict) for f in frames)


def vitpose_frames(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Frames as `people.py` takes them, x before y. Raises ValueError."""
    names = content["skeleton"]
    return [
        {"people": [_person(who, points, names, place) for who, points in frame.items()]}
        for place, frame in enumerate(content["keypoints"])
    ]


def _person(who: str, points: Any, names: Mapping[str, Any], place: int) -> dict[str, Any]:
    try:
        named = [
            {"x": x, "y": y, "score": score, "name": str(names[str(at)])}
            for at, (y, x, score) in enumerate(points)
        ]
        return {"id": int(who), "keypoints": named}
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"frame {place} has a person whose points are not y, x, score of the skeleton"
        ) from error
