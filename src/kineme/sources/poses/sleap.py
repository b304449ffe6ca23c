"""SLEAP: the analysis (`.h5`) and the project (`.slp`), both HDF5, with the skeleton of the animal.

An analysis has arrays of tracks; a project has instances in frames, of points that a person placed or a model
predicted, and its skeleton and tracks as JSON. Functions raise ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import (
    MAX_PEOPLE,
    Detections,
    Poses,
    check_size,
    renumber,
    split_columns,
)
from kineme.sources.poses.datasets import attribute, dataset, text
from kineme.sources.poses.trees import tree_of
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

_PREDICTED = 1  # type of an instance
_AXES = ("frame", "track", "node", "xy")
_ORDERS = (("track", "xy", "node", "frame"), ("frame", "node", "xy", "track"))  # as MATLAB has it; as NumPy


def analysis(file: Any) -> Poses:
    """An open analysis → its clip; a body for each track."""
    names = tuple(text(each) for each in dataset(file, "node_names").ravel().tolist())
    order = _order(file["tracks"], len(names))
    values = dataset(file, "tracks").transpose([order.index(axis) for axis in _AXES])
    frames, bodies, nodes, axes = values.shape
    check_size(frames, min(bodies, MAX_PEOPLE), nodes, axes)  # a track may be a part of what one animal does
    if scored := "point_scores" in file:
        scores = dataset(file, "point_scores")
        others = [axis for axis in order if axis != "xy"]
        scores = scores.transpose([others.index(axis) for axis in _AXES[:3]]) if scores.ndim == 3 else scores
        if scores.shape != values.shape[:3]:
            raise ValueError(f"has scores of shape {scores.shape} for points of shape {values.shape}")
        values = np.concatenate([values, scores[..., None]], axis=-1)
    points, confidence = split_columns(values, scores=scored)
    return Poses(points, confidence, names, "sleap", parents=_tree(names, _edges(file)))


def _order(tracks: Any, nodes: int) -> Sequence[str]:
    """What the axes of tracks are: as the file says, else as their sizes tell."""
    told = None
    with suppress(KeyError, ValueError, TypeError, RecursionError):
        told = json.loads(attribute(tracks, "dims"))
    for order in [told] if isinstance(told, list) else _ORDERS:
        if tracks.ndim == 4 and tracks.dtype.kind == "f" and sorted(map(str, order)) == sorted(_AXES):
            sizes = dict(zip(order, tracks.shape, strict=True))
            if (sizes["xy"], sizes["node"]) == (2, nodes):
                return order
    raise ValueError(f"has tracks of shape {tracks.shape}, and {nodes} nodes")


def _edges(file: Any) -> list[tuple[int, int]]:
    if "edge_inds" not in file:
        return []
    pairs = dataset(file, "edge_inds")
    if pairs.ndim != 2 or 2 not in pairs.shape or pairs.dtype.kind not in "iu":
        return []
    pairs = pairs if pairs.shape[1] == 2 else pairs.T
    return [(int(one), int(other)) for one, other in pairs]


def project(file: Any) -> Detections:
    """An open project → the animals of its video."""
    skeleton = _metadata(file)
    names, bones = _skeleton(skeleton)
    frames, instances = dataset(file, "frames"), dataset(file, "instances")
    _check(frames, "frames", ("video", "frame_idx", "instance_id_start", "instance_id_end"))
    _check(instances, "instances", ("instance_type", "track", "point_id_start", "point_id_end"))
    videos = np.unique(frames["video"])
    if len(videos) > 1:
        raise RemediedError(f"contains {len(videos)} videos", "export an analysis of each")
    row, at = _spans(frames["instance_id_start"], frames["instance_id_end"], len(instances))
    kept = _shown(row, instances[at])
    row, mine = row[kept], instances[at[kept]]
    if not len(row):
        raise RemediedError("has no instances in any frame", "remove it")
    place, count = renumber(frames["frame_idx"][row].astype(np.int64))
    order = np.argsort(place, kind="stable")
    points, confidence = split_columns(_placed(file, mine, len(names))[order], scores=True)
    who = mine["track"].astype(np.int64)
    once = len({*zip(place.tolist(), who.tolist(), strict=True)}) == len(who)
    return Detections(
        place[order], points, confidence, count, "sleap", names, _tree(names, bones),
        identity=who[order] if once and min(who) >= 0 else None,
    )  # fmt: skip


def _spans(starts: Array, ends: Array, there: int) -> tuple[Array, Array]:
    """Spans of a list of so many → the span of each place in one, and the place."""
    first, after = starts.astype(np.int64), ends.astype(np.int64)
    lengths = after - first
    if ((first < 0) | (lengths < 0) | (after > there)).any() or lengths.sum() > there:
        raise ValueError("has instances or points that are not there, or belong to several")
    span = np.repeat(np.arange(len(first)), lengths)
    return span, np.arange(len(span)) + (after - np.cumsum(lengths))[span]


def _shown(row: Array, instances: Array) -> Array:
    """(D,) which instances of frames `row` count: those that people placed, and predictions of other tracks.

    Without tracks it cannot be known whom a prediction shows beside them.
    """
    placed, track = instances["instance_type"] != _PREDICTED, instances["track"].astype(np.int64)
    animal = row * (1 << 32) + track
    replaced = np.isin(animal, animal[placed]) | (track < 0) | np.isin(row, row[placed & (track < 0)])
    shown: Array = placed | ~np.isin(row, row[placed]) | ~replaced
    return shown


def _placed(file: Any, instances: Array, nodes: int) -> Array:
    """(D, nodes, 3) x, y and confidence of instances."""
    values = np.empty((len(instances), nodes, 3))
    predicted = instances["instance_type"] == _PREDICTED
    for name, of in (("points", ~predicted), ("pred_points", predicted)):
        stored = _points(file, name)
        span, at = _spans(instances["point_id_start"][of], instances["point_id_end"][of], len(stored))
        lengths = np.bincount(span, minlength=int(of.sum()))
        if (lengths != nodes).any():
            raise ValueError(f"has an instance of {lengths[lengths != nodes][0]} points, and {nodes} nodes")
        values[of] = stored[at].reshape(-1, nodes, 3)
    return values


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
        told = attribute(file["metadata"], "json")
        return json.loads(told if isinstance(told, str | bytes) else bytes(told))
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
