"""What is searched for: a clip of the library, a file of poses, an array or a feature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kineme.arguments import did_you_mean
from kineme.clips.batches import joined
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.inference.recordings import open_input
from kineme.layouts import get_layout
from kineme.layouts.correspondence import JointMap
from kineme.model import Model
from kineme.sources.poses.given import given_poses
from kineme.typing import Array

Part = tuple[float, float | None]


@dataclass(frozen=True)
class Query:
    """An example, opened.

    Attributes:
        name: as it was given.
        given: (D,) the feature, where that is the query; else None.
        xyz: (T, M, V, C) its frames, preprocessed, with the model's joints; None of a feature.
        fps: of the frames.
        start: of the part, in seconds from the recording's beginning.
        taken: name of a clip → stretches of it that are no hits: the query itself.
        length: of the part, in seconds; None if there is none.
    """

    name: str
    given: Array | None = None
    xyz: Array | None = None
    fps: float = 30.0
    start: float = 0.0
    taken: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    length: float | None = None

    def feature(self, model: Model, device: str) -> Array:
        """(D,) what the library's features are compared with."""
        if self.given is not None:
            return self.given
        assert self.xyz is not None
        return np.asarray(model.encode(joined([self.xyz]), device=device)[0])


def read_query(
    model: Model,
    store: ClipStore,
    query: str | Path | Array,
    *,
    part: Part | None = None,
    layout: str | None = None,
    fps: float | None = None,
    axes: str | None = None,
    units: str | None = None,
    image: str | None = None,
    joint_map: JointMap | None = None,
) -> Query:
    """Opens a query as `search` takes it.

    Args:
        model: that encodes it.
        store: the library, in the model's layout.
        query, part, layout, fps, axes, units, image, joint_map: see `search`.

    Raises:
        KinemeError: there is no such clip or file, it cannot be read or does not fit the model, or it is
            shorter than the part.
    """
    options = {"layout": layout, "fps": fps, "axes": axes, "units": units, "image": image}
    if not isinstance(query, str | Path):
        return _array(model, np.asarray(query), part, options, joint_map)
    row = store.row(str(query))
    known = row is not None
    if row is not None:
        if given := [name for name, value in options.items() if value is not None]:
            raise KinemeError(f"`{given[0]}` has no effect on {query}, a clip of {store.path}; drop it")
        xyz, rate = store.clip(row), store.manifest.fps
        preprocessing = store.manifest.preprocessing
    elif str(query) and Path(query).exists():
        file = open_input(model, query, options, joint_map)
        if file.count != 1:
            raise KinemeError(f"{query}: holds {file.count} recordings; the query must be one")
        (clip,) = file.clips(0)
        xyz, rate, preprocessing = clip.xyz, file.fps, file.preprocessing
    else:
        hint = did_you_mean(str(query), store.names.tolist()) or f"; its first is {store.names[0]}"
        raise KinemeError(f"{store.path}: has no clip {str(query)!r}, and there is no such file{hint}")
    start, end = 0.0, len(xyz) / rate
    if part is not None:
        preprocessing.check_keeps_frames()
        start, end = part[0], end if part[1] is None else part[1]
        if not 0 <= start < end <= len(xyz) / rate + 1e-9:
            raise KinemeError(
                f"{query}: has no part from {start:g} s to {end:g} s; it lasts {len(xyz) / rate:.4g} s"
            )
    first = min(math.floor(start * rate + 0.5), len(xyz) - 1)
    return Query(
        name=str(query),
        xyz=xyz[first : max(math.floor(end * rate + 0.5), first + 1)],
        fps=rate,
        start=start,
        taken={str(query): [(start, end)]} if known else {},
        length=None if part is None else end - start,
    )


def _array(
    model: Model,
    values: Array,
    part: Part | None,
    options: Mapping[str, Any],
    joint_map: JointMap | None,
) -> Query:
    if part is not None:
        raise KinemeError("`part` has no effect on an array; cut the array")
    if values.ndim != 1:
        layout, rate = options["layout"], 30.0 if options["fps"] is None else options["fps"]
        if not 0 < rate < 1e4:
            raise KinemeError(f"`fps`: is {rate:g}; it must be frames per second, such as 30")
        joints = model.shape.layout if layout is None else get_layout(layout)
        told = {name: options[name] for name in ("axes", "units", "image")}
        source = given_poses([values], joints, fps=rate, **told)
        (clip,) = model.prepared(source, joint_map)
        return Query("array", xyz=clip.xyz, fps=rate)
    if values.shape != (model.encoder.dim,):
        raise KinemeError(f"the query has {len(values)} features, the model's have {model.encoder.dim}")
    if not (np.isfinite(values).all() and values.any()):
        raise KinemeError("the query is a feature that is zero, NaN or infinite; it has no direction")
    return Query("feature", given=values.astype(np.float32))
