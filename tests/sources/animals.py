"""Recordings of animals as DeepLabCut and SLEAP write them."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Sequence

import numpy as np


def deeplabcut(individuals: Sequence[str] = ()) -> str:
    """A table of six frames of snout and tail base, with individuals or without."""
    owners = individuals or [""]
    columns = [
        (who, part, axis)
        for who in owners
        for part in ("snout", "tailbase")
        for axis in ("x", "y", "likelihood")
    ]
    lines = ["scorer," + ",".join("DLC_resnet50" for _ in columns)]
    if individuals:
        lines.append("individuals," + ",".join(who for who, _, _ in columns))
    lines.append("bodyparts," + ",".join(part for _, part, _ in columns))
    lines.append("coords," + ",".join(axis for _, _, axis in columns))
    for t in range(6):
        cells = []
        for at, (_, part, axis) in enumerate(columns):
            value = {"x": 100 * (at // 6 + 1) + t, "y": 50 if part == "snout" else 90 + t, "likelihood": 0.9}[
                axis
            ]
            cells.append("0.1" if axis == "likelihood" and t == 2 and at == 2 else f"{value}")
        lines.append(f"{t}," + ",".join(cells))
    return "\n".join(lines) + "\n"


def deeplabcut_h5() -> bytes:
    """The table of `deeplabcut()` as pandas writes it with PyTables."""
    import h5py

    rows = [line.split(",") for line in deeplabcut().splitlines()]
    columns = list(zip(*(row[1:] for row in rows[:3]), strict=True))
    values = np.array([[float(cell) for cell in row[1:]] for row in rows[3:]])
    table = np.zeros(len(values), dtype=[("index", "<i8"), ("values_block_0", "<f8", (values.shape[1],))])
    table["index"], table["values_block_0"] = np.arange(len(values)), values
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        data = h5.create_group("df_with_missing").create_dataset("table", data=table)
        data.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, 0))
    return file.getvalue()


NODES = ("head", "thorax", "abdomen", "wing")


def sleap_analysis(order: Sequence[str] = ()) -> bytes:
    """Two flies of four nodes in five frames; the second is not seen in the last.

    With an `order` of axes, the file says it, as sleap-io does; else it is the one for MATLAB.
    """
    import h5py

    tracks = np.zeros((2, 2, 4, 5))  # tracks, x and y, nodes, frames
    tracks[:, 0] = np.array([10.0, 200.0])[:, None, None] + np.arange(4)[:, None] * 5 + np.arange(5)
    tracks[:, 1] = np.array([20.0, 60.0])[:, None, None] + np.arange(4)[:, None] ** 2
    tracks[1, :, :, 4] = np.nan
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        usual = ["track", "xy", "node", "frame"]
        h5["tracks"] = tracks.transpose([usual.index(axis) for axis in order or usual])
        h5["node_names"] = np.array(NODES, dtype="S")
        h5["edge_inds"] = np.array([[0, 1], [1, 2], [1, 3]]).T
        scores, usual = np.full((2, 4, 5), 0.75), ["track", "node", "frame"]
        scores[1, 2, 3] = 0.5
        without = [axis for axis in order if axis != "xy"]
        h5["point_scores"] = scores.transpose([usual.index(axis) for axis in without or usual])
        if order:
            h5["tracks"].attrs["dims"] = json.dumps(list(order))
    return file.getvalue()


def sleap_project(track: int = 0, other: int | None = None) -> bytes:
    """Three frames of one fly: two predicted, one corrected by hand, whose wing is not visible.

    Args:
        track: of the fly; -1 without tracks.
        other: track of a second fly, predicted in the frame that was corrected; None: there is none.
    """
    import h5py

    frame = np.dtype([("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8"),
                      ("instance_id_start", "u8"), ("instance_id_end", "u8")])  # fmt: skip
    instance = np.dtype([("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"),
                         ("skeleton", "u4"), ("track", "i4"), ("from_predicted", "i8"), ("score", "f4"),
                         ("point_id_start", "u8"), ("point_id_end", "u8")])  # fmt: skip
    placed = np.dtype([("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")])
    predicted = np.dtype([*placed.descr, ("score", "f8")])
    frames = np.array([(0, 0, 7, 0, 1), (1, 0, 8, 1, 3), (2, 0, 9, 3, 4)], dtype=frame)
    instances = np.array(
        [(0, 1, 0, 0, track, -1, 0.5, 0, 4), (1, 1, 1, 0, track, -1, 0.5, 4, 8),
         (2, 0, 1, 0, track, 1, 0, 0, 4), (3, 1, 2, 0, track, -1, 0.5, 8, 12)],
        dtype=instance,
    )  # fmt: skip
    if other is not None:
        second = np.array((3, 1, 1, 0, other, -1, 0.5, 12, 16), dtype=instance)
        instances = np.insert(instances, 3, second)
        frames["instance_id_end"][1:] += 1
        frames["instance_id_start"][2] += 1
    pred = np.array([(10 + i, 20 + i % 4, True, True, 0.5) for i in range(16)], dtype=predicted)
    points = np.array([(30 + i, 40 + i, i != 3, True) for i in range(4)], dtype=placed)
    bone, symmetry = (
        {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [kind]}]} for kind in (1, 2)
    )
    links = [(0, 1, bone), (1, 2, {"py/id": 1}), (1, 3, {"py/id": 1}), (0, 3, symmetry)]
    metadata = {
        "nodes": [{"name": name, "weight": 1.0} for name in NODES],
        "skeletons": [
            {
                "nodes": [{"id": i} for i in range(4)],
                "links": [dict(zip(("source", "target", "type"), link, strict=True)) for link in links],
            }
        ],
    }
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5["frames"], h5["instances"], h5["points"], h5["pred_points"] = frames, instances, points, pred
        h5.create_group("metadata").attrs["json"] = np.bytes_(json.dumps(metadata))
    return file.getvalue()
