"""What to search for: a clip of the library, a file of poses, an array or a feature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import numpy as np

from kineme.arguments import did_you_mean
from kineme.clips.batches import joined
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.inference.recordings import open_input
from kineme.model import Model
from kineme.sources.poses.given import given_poses
from kineme.sources.reading import Reading, check_no_effect, joint_map_of, stated
from kineme.typing import Array

Part = tuple[float, float | None]


@dataclass(frozen=True)
class Query:
    """An example, opened.

    Attributes:
        store: the library to search, in the model's layout.
        name: as it was given.
        given: (D,) the feature, if that is the query; else None.
        xyz: (T, M, V, C) its frames, preprocessed, with the model's joints; None for a feature.
        present: (V,) bool, which of these joints were recorded; None: all were.
        fps: of the frames.
        start: of the part, in seconds from the recording's beginning.
        taken: name of a clip → stretches of it that cannot be hits: the query itself.
        length: of the part, in seconds; None if there is none.

    >>> import kineme
    >>> query = read_query(kineme.load(example_run), example_store, "S001C002P001R001A001")
    >>> query.feature(kineme.load(example_run), "cpu").shape, query.length
    ((64,), None)
    """

    store: ClipStore
    name: str
    given: Array | None = field(default=None, repr=False)
    xyz: Array | None = field(default=None, repr=False)
    present: Array | None = field(default=None, repr=False)
    fps: float = 30.0
    start: float = 0.0
    taken: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    length: float | None = None

    def feature(self, model: Model, device: str) -> Array:
        """(D,) what the library's features are compared with; frames are encoded by the model on a device.

        Args:
            model: the one that the query was read for.
            device: of the encoder, such as `cpu`.
        """
        if self.given is not None:
            return self.given
        assert self.xyz is not None
        return np.asarray(model.encode(joined([self.xyz], [self.present]), device=device)[0])


def read_query(
    model: Model,
    library: str | Path | ClipStore,
    query: str | Path | Array,
    *,
    part: Part | None = None,
    **reading: Unpack[Reading],
) -> Query:
    """Opens an example for `search` and `write_page`.

    Args:
        model: the one that encodes it.
        library, query, part: as for `search`.
        **reading: for the library, its `joint_map`; for a file or array, what it does not say itself, see
            `kineme.sources.reading.Reading`.

    Raises:
        KinemeError: there is no such clip or file, it cannot be read or does not fit the model, or it has no
            such part.

    >>> import kineme
    >>> query = read_query(kineme.load(example_run), example_store, "S001C002P001R001A001", part=(0.5, 2.5))
    >>> query.start, query.length, query.xyz.shape
    (0.5, 2.0, (60, 2, 25, 3))
    """
    told = stated(reading)
    library = library if isinstance(library, ClipStore) else ClipStore(library)
    store = model.fitted(library, joint_map_of(told))
    if not isinstance(query, str | Path):
        return _array(model, store, np.asarray(query), part, told)
    name, row = str(query), store.row(str(query))
    known = row is not None
    if row is not None:
        name = str(store.names[row])  # another system may spell it otherwise
        check_no_effect(told, f"{query}, a clip of {store.path}")
        rate = store.manifest.fps
        xyz, present = store.clip(row), store.clip_present(row)
        preprocessing = store.manifest.preprocessing
    elif str(query) and Path(query).exists():
        file = open_input(model, query, told)
        if file.count != 1:
            raise KinemeError(f"{query}: holds {file.count} recordings; the query must be one")
        ((_, clip),) = file.clips(0)
        xyz, present, rate, preprocessing = clip.xyz, clip.present, file.fps, file.preprocessing
    else:
        hint = did_you_mean(str(query), store.names.tolist()) or f"; its first is {store.names[0]}"
        raise KinemeError(f"{store.path}: has no clip {str(query)!r}, and there is no such file{hint}")
    if part is not None:
        preprocessing.check_keeps_frames()
    start, end, frames = cut_out(name, len(xyz), rate, part)
    return Query(
        store,
        name=name,
        xyz=xyz[frames],
        present=present,
        fps=rate,
        start=start,
        taken={name: [(start, end)]} if known else {},
        length=None if part is None else end - start,
    )


def cut_out(name: str, frames: int, fps: float, part: Part | None) -> tuple[float, float, slice]:
    """Start and end of a part in seconds, and its frames.

    Raises:
        KinemeError: the recording has no such part.
    """
    last = frames / fps
    start, end = part or (0.0, None)
    end = last if end is None else end
    if not 0 <= start < end <= last + 1e-9:
        raise KinemeError(f"{name}: has no part from {start:g} s to {end:g} s; it lasts {last:.4g} s")
    first = min(math.floor(start * fps + 0.5), frames - 1)
    return start, end, slice(first, max(math.floor(end * fps + 0.5), first + 1))


def _array(model: Model, store: ClipStore, values: Array, part: Part | None, reading: Reading) -> Query:
    if part is not None:
        raise KinemeError("`part` has no effect on an array; slice the array")
    if values.ndim != 1:
        source = given_poses([values], model.shape.layout, reading)
        (clip,) = model.prepared(source, joint_map_of(reading))
        return Query(store, "array", xyz=clip.xyz, present=clip.present, fps=source.fps)
    if values.shape != (model.encoder.dim,):
        raise KinemeError(f"the query has {len(values)} features, the model's have {model.encoder.dim}")
    if not (np.isfinite(values).all() and values.any()):
        raise KinemeError("the query is a feature that is zero, NaN or infinite; it cannot be compared")
    return Query(store, "feature", given=values.astype(np.float32))
