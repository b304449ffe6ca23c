"""SLEAP: the analysis (`.h5`) and the project (`.slp`), both HDF5, with the skeleton of the animal.

An analysis has arrays of tracks; a project has instances in frames, of points that a person placed or a model
predicted, and its skeleton and tracks as JSON. Functions raise ValueError.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import (
    MAX_FRAMES,
    Detections,
    Poses,
    check_size,
    renumber,
    split_columns,
)
from kineme.sources.poses.datasets import attribute, dataset
from kineme.sources.poses.trees import tree_of
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

_PREDICTED = 1  # type of an instance


def analysis(file: Any) -> Poses:
    """An open analysis → its clip; a body for each track."""
    names = tuple(_text(each) for each in dataset(file, "node_names").ravel().tolist())
    tracks = dataset(file, "tracks")
    if tracks.ndim != 4 or tracks.dtype.kind != "f":
        raise ValueError(f"has tracks of shape {tracks.shape}; expected tracks, x and y, nodes, frames")
    # As MATLAB has it, (tracks, 2, nodes, frames), or (frames, nodes, 2, tracks).
    turned = tracks.shape[1] == 2 and tracks.shape[2] == len(names)
    if not turned and (tracks.shape[1], tracks.shape[2]) != (len(names), 2):
        raise ValueError(f"has tracks of shape {tracks.shape}, and {len(names)} nodes")
    values = tracks.transpose(3, 0, 2, 1) if turned else tracks.transpose(0, 3, 1, 2)
    check_size(*values.shape)
    scores = None
    if "point_scores" in file:
        scores = dataset(file, "point_scores")
        scores = scores.transpose(2, 0, 1) if turned else scores.transpose(0, 2, 1)
        if scores.shape != values.shape[:3]:
            raise ValueError(f"has scores of shape {scores.shape} for points of shape {values.shape}")
        values = np.concatenate([values, scores[..., None]], axis=-1)
    points, confidence = split_columns(values, scores=scores is not None)
    return Poses(points, confidence, names, "sleap", parents=_tree(names, _edges(file)))


def _edges(file: Any) -> list[tuple[int, int]]:
    if "edge_inds" not in file:
        return []
    pairs = dataset(file, "edge_inds")
    if pairs.ndim != 2 or 2 not in pairs.shape or pairs.dtype.kind not in "iu":
        return []
    pairs = pairs if pairs.shape[1] == 2 else pairs.T
    return [(int(one), int(other)) for one, other in pairs]


def project(file: Any) -> Detections:
    """An open project → the animals of its first video; predicted ones where nobody placed points."""
    skeleton = _metadata(file)
    names, bones = _skeleton(skeleton)
    frames, instances = dataset(file, "frames"), dataset(file, "instances")
    _check(frames, "frames", ("video", "frame_idx", "instance_id_start", "instance_id_end"))
    _check(instances, "instances", ("instance_type", "track", "point_id_start", "point_id_end"))
    stored = {False: _points(file, "points"), True: _points(file, "pred_points")}
    videos = np.unique(frames["video"])
    if len(videos) > 1:
        raise RemediedError(f"contains {len(videos)} videos", "export an analysis of each")
    number: list[int] = []
    rows: list[Array] = []
    who: list[int] = []
    for frame in frames:
        mine = instances[int(frame["instance_id_start"]) : int(frame["instance_id_end"])]
        placed = mine[mine["instance_type"] != _PREDICTED]
        for each in placed if len(placed) else mine:
            points = stored[bool(each["instance_type"] == _PREDICTED)]
            found = points[int(each["point_id_start"]) : int(each["point_id_end"])]
            if len(found) != len(names):
                raise ValueError(f"has an instance of {len(found)} points, and {len(names)} nodes")
            number.append(int(frame["frame_idx"]))
            rows.append(found)
            who.append(int(each["track"]))
            if len(rows) > MAX_FRAMES * 10:
                raise ValueError("has too many instances")
    if not rows:
        raise RemediedError("has no instances in any frame", "remove it")
    place, count = renumber(number)
    points, confidence = split_columns(np.stack(rows), scores=True)
    order = np.argsort(place, kind="stable")
    once = len({*zip(place.tolist(), who, strict=True)}) == len(who)
    return Detections(
        place[order], points[order], None if confidence is None else confidence[order], count, "sleap", names,
        _tree(names, bones),
        identity=np.array(who)[order] if once and min(who) >= 0 else None,
    )  # fmt: skip


def _points(file: Any, name: str) -> Array:
    """(points, 3) x, y and confidence; 1 for points that a person placed, NaN for those not visible."""
    if name not in file:
        return np.zeros((0, 3))
    data = dataset(file, name)
    _check(data, name, ("x", "y", "visible"))
    score = data["score"] if "score" in (data.dtype.names or ()) else np.ones(len(data))
    values = np.stack([data["x"], data["y"], score], axis=-1).astype(np.float64)
    values[~data["visible"].astype(bool)] = np.nan
    return values


def _metadata(file: Any) -> Any:
    try:
        text = attribute(file["metadata"], "json")
        return json.loads(text if isinstance(text, str | bytes) else bytes(text))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ValueError("has damaged metadata") from error


def _skeleton(metadata: Any) -> tuple[tuple[str, ...], list[tuple[int, int]]]:
    """Names of the nodes, and the edges between them."""
    try:
        everything = [str(node["name"]) for node in metadata["nodes"]]
        skeletons = metadata["skeletons"]
        if len(skeletons) != 1:
            raise RemediedError(f"has {len(skeletons)} skeletons", "export an analysis of one")
        ids = [node["id"] for node in skeletons[0]["nodes"]]
        names = tuple(everything[each] for each in ids)
        kinds = [link for link in skeletons[0].get("links", []) if not _symmetry(link)]
        bones = [(ids.index(link["source"]), ids.index(link["target"])) for link in kinds]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError("has a damaged skeleton") from error
    return names, bones


def _symmetry(link: Any) -> bool:
    """Links are edges (1) or pairs of left and right (2), as jsonpickle writes an enumeration."""
    kind = link.get("type") or {}
    told = kind.get("py/reduce", [{}, {"py/tuple": [kind.get("py/id", 1)]}])
    return bool(told[1]["py/tuple"][0] == 2)


def _tree(names: tuple[str, ...], bones: list[tuple[int, int]]) -> tuple[int, ...]:
    if len(set(names)) < len(names):
        raise ValueError("has a node twice")
    if any(not 0 <= end < len(names) for bone in bones for end in bone):
        raise ValueError("has edges between nodes that are not there")
    return tree_of(len(names), bones) if bones else ()


def _check(data: Array, name: str, fields: tuple[str, ...]) -> None:
    if data.ndim != 1 or not set(fields) <= set(data.dtype.names or ()):
        raise ValueError(f"has {shown(name)} without {', '.join(fields)}")


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
