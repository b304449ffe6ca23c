"""Preprocessings: what is done to a raw clip before it goes into a store.

The same checkpoint scores 85.3 or 79.9 % depending on this step alone, so every preprocessing has a name and
parameters, which travel from the store into checkpoints and results. Built in are:

- `plain`: centred, optionally turned to the front and scaled; any layout.
- `crossclr`: 50 frames, each body centred and turned frame by frame (AimCLR, after CrossCLR).
- `agcn`: the two most energetic bodies, gaps at the end filled, aligned by frame 0 (SCD-Net, USDRL, after
  2s-AGCN).

A preprocessing maps (T, M, V, C) float32, y up, with all bodies of a recording to (T', M', V, C), M' at
most two. Absent bodies are zero before and after.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

import numpy as np

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.registry import Registry
from kineme.typing import Array

MAX_BODIES = 2  # in preprocessed clips
_MEAN_BONE = 0.2  # metres: mean bone length of an adult in a Kinect's skeleton


@dataclass(frozen=True)
class Preprocessing(ABC):
    """A preprocessing: a frozen dataclass whose fields are its parameters.

    Stores of equal preprocessings hold comparable clips. A new one is registered with
    `PREPROCESSINGS.register` or named by its dotted path.

    Attributes:
        up: unit vector that points up in preprocessed clips.
        keeps_frames: every frame keeps its index, so labelled intervals remain valid.
        keeps_zeros: missing joints, zero in the recording, stay zero.

    >>> @dataclass(frozen=True)
    ... class Scaled(Preprocessing):
    ...     factor: float = 1.0
    ...     def apply(self, xyz, layout):
    ...         return self.factor * xyz[:, :2]
    >>> Scaled(0.5).parameters, Scaled(0.5) == Scaled(0.2)
    ({'factor': 0.5}, False)
    """

    up: ClassVar[tuple[float, float, float]] = (0.0, 1.0, 0.0)
    keeps_frames: ClassVar[bool] = True
    keeps_zeros: ClassVar[bool] = False

    @abstractmethod
    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) with at least one body → (T', M', V, C), M' at most two."""

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The joint of the first body that is at the origin in every frame; None if there is none."""
        return None

    def units(self, raw: str) -> str:
        """Units of preprocessed clips, from those of raw clips."""
        return raw

    @property
    def name(self) -> str:
        """Its registered name, or its dotted path."""
        return PREPROCESSINGS.name_of(type(self))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {each.name: given[each.name] for each in fields(self) if given[each.name] != each.default}

    @property
    def id(self) -> str:
        """One line, such as `plain(facing=True)`, recorded in every checkpoint and result."""
        inside = ", ".join(f"{key}={value}" for key, value in sorted(self.parameters.items()))
        return f"{self.name}({inside})" if inside else self.name

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters, for manifests and model files."""
        return {"name": self.name, "parameters": self.parameters}

    def check_keeps_frames(self) -> None:
        """Checks that it is fit for untrimmed recordings.

        Raises:
            KinemeError: it moves frames.
        """
        if not self.keeps_frames:
            raise KinemeError(
                f"preprocessing {self.id} moves frames, so the intervals of untrimmed recordings would no "
                "longer fit; use plain, such as plain(facing=True)"
            )

    def __call__(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T', M', V, C) float32, M' at most two.

        Raises:
            KinemeError: no body is present in any frame, or the layout lacks required joints.
        """
        if not xyz.any():
            raise KinemeError("no body is present in any frame; leave the clip out")
        return np.ascontiguousarray(self.apply(xyz, layout), dtype=np.float32)


@dataclass(frozen=True)
class Plain(Preprocessing):
    """The first two bodies, relative to the origin of the first.

    Args:
        centre: take the origin from each "frame" (the body stays in place) or from the first frame of the
            "clip" (it moves about). A frame without the first body uses the last origin before it.
        facing: turn the clip about the vertical axis so that the first body's shoulder line, summed over its
            frames, lies along x. One angle per clip: turns within it are kept.
        scale: scale the first body's mean bone length, median over its frames, to 0.2 m.

    >>> from kineme.layouts import Layout
    >>> stick = Layout.from_names("stick", ["hip", "head"], [None, "hip"])
    >>> clip = np.array([[[[1, 1, 3], [1, 1.5, 3]]]], dtype=np.float32)  # one frame of one body
    >>> Plain()(clip, stick).tolist(), Plain(scale=True).id
    ([[[[0.0, 0.0, 0.0], [0.0, 0.5, 0.0]]]], 'plain(scale=True)')
    """

    centre: Literal["frame", "clip"] = "frame"
    facing: bool = False
    scale: bool = False

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The origin, where it is one joint and taken from each frame."""
        return layout.origin[0] if self.centre == "frame" and len(layout.origin) == 1 else None

    def units(self, raw: str) -> str:
        """Scaled clips are in mean bone lengths."""
        return f"{1 / _MEAN_BONE:g} mean bones" if self.scale else raw

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T, M', V, C)."""
        xyz = xyz[:, first_bodies(xyz)]
        present: Array = np.any(xyz, axis=(2, 3))
        frames = np.flatnonzero(present[:, 0])
        lead = xyz[frames, 0]
        origin = lead[:, layout.origin].mean(axis=1)
        clock = np.arange(len(xyz)) if self.centre == "frame" else np.zeros(1)
        origin = origin[np.maximum(np.searchsorted(frames, clock, side="right") - 1, 0)]
        xyz = np.where(present[..., None, None], xyz - origin[:, None, None], 0)
        if self.facing:
            line = _shoulder_line(lead, layout, "plain(facing=True)").sum(axis=0, dtype=np.float64)
            length = np.hypot(line[0], line[2])
            if length > 1e-6:
                xyz = _turn(xyz, line[0] / length, -line[2] / length)
        if self.scale:
            child, parent = np.array(layout.bones).T
            size = np.median(np.linalg.norm(lead[:, child] - lead[:, parent], axis=-1).mean(axis=1))
            if size > 0:
                xyz = xyz * (_MEAN_BONE / size)
        return xyz


@dataclass(frozen=True)
class CrossCLR(Preprocessing):
    """AimCLR's input: 50 frames, each body centred and turned to the front frame by frame.

    As in the authors' arrays, absent frames at the start cost as many frames at the end, and the 1e-4 in the
    angle leaves the shoulders a little off the axis (25° on one NTU recording).

    >>> import kineme
    >>> clip = np.random.default_rng(0).normal(size=(80, 1, 25, 3)).astype(np.float32)
    >>> xyz = CrossCLR()(clip, kineme.get_layout("ntu25"))
    >>> xyz.shape, abs(xyz[:, 0, 20]).max().item()  # the centre is at the origin in every frame
    ((50, 1, 25, 3), 0.0)
    """

    keeps_frames: ClassVar[bool] = False

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The centre, of every body."""
        return layout.centre

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (50, M', V, C)."""
        xyz = xyz[:, :MAX_BODIES]
        kept = int(xyz[:, 0].any(axis=(1, 2)).sum())
        if kept == 0:
            raise KinemeError("the first body is absent from every frame; leave the clip out")
        xyz = _resize((xyz - xyz[:, :, layout.centre, None])[:kept], 50)
        line = _shoulder_line(xyz, layout, "crossclr")
        cos = line[..., 0] / (np.hypot(line[..., 0], line[..., 2]) + 1e-4)
        sin = np.sqrt(1 - cos**2) * np.where(line[..., 2].sum(axis=0) >= 0, -1, 1)
        return _turn(xyz, cos[..., None], sin[..., None])


@dataclass(frozen=True)
class AGCN(Preprocessing):
    """The input of SCD-Net and USDRL: two bodies, gaps at the end filled, aligned by the first's frame 0.

    A body that appears late is moved to frame 0 and looped to the end.

    Deviation: the authors loop every clip to 300 frames; here it keeps its own number.

    >>> import kineme
    >>> clip = np.random.default_rng(0).normal(size=(80, 1, 25, 3)).astype(np.float32)
    >>> xyz = AGCN()(clip, kineme.get_layout("ntu25"))
    >>> shoulders = xyz[0, 0, 8] - xyz[0, 0, 4]
    >>> abs(shoulders / np.linalg.norm(shoulders)).round(3).tolist()  # along x in frame 0
    [1.0, 0.0, 0.0]
    """

    up: ClassVar[tuple[float, float, float]] = (0.0, 0.0, 1.0)  # the spine is turned along z
    keeps_frames: ClassVar[bool] = False
    keeps_zeros: ClassVar[bool] = True

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The upper end of the lowest spine segment, if it is one joint."""
        joints = spine_end(layout) if layout.facing else []
        return joints[0] if len(joints) == 1 else None

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T, M', V, C)."""
        xyz = xyz[:, :4]
        bodies = sorted(np.moveaxis(xyz, 1, 0), key=_energy, reverse=True)
        xyz = np.stack([_filled(body) for body in bodies[:MAX_BODIES]], axis=1)
        top = xyz[:, 0, spine_end(layout)].mean(axis=1)
        up = top[0] - xyz[0, 0, layout.origin].mean(axis=0)
        xyz = np.where(xyz.any(axis=-1, keepdims=True), xyz - top[:, None, None], 0)
        xyz = xyz @ _rotation(up, np.array([0.0, 0.0, 1.0])).T
        across = _shoulder_line(xyz[0, 0], layout, "agcn")
        return xyz @ _rotation(across, np.array([1.0, 0.0, 0.0])).T


@dataclass(frozen=True)
class Unavailable(Preprocessing):
    """A store's preprocessing whose package is not installed: known by name, cannot be applied."""

    stored_name: str = ""
    stored_parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in the store."""
        return self.stored_name

    @property
    def parameters(self) -> dict[str, Any]:
        """As in the store."""
        return dict(self.stored_parameters)

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """Raises KinemeError."""
        raise KinemeError(f"preprocessing {self.id} is not installed; install the package that provides it")


PREPROCESSINGS: Registry[type[Preprocessing]] = Registry(
    "preprocessing",
    {
        "plain": "kineme.preprocessing.Plain",
        "crossclr": "kineme.preprocessing.CrossCLR",
        "agcn": "kineme.preprocessing.AGCN",
    },
    base=Preprocessing,
)


def get_preprocessing(name: str, **parameters: Any) -> Preprocessing:
    """A preprocessing by name.

    Raises:
        KinemeError: unknown name, parameter or value.

    >>> get_preprocessing("plain", facing=True).id
    'plain(facing=True)'
    """
    kind = PREPROCESSINGS[name]
    hints = get_type_hints(kind)
    known = [each.name for each in fields(kind)]
    for key, value in parameters.items():
        if key not in known:
            hint = (
                f"{did_you_mean(key, known, 0)}. There are: {', '.join(known)}" if known else "; it has none"
            )
            raise KinemeError(f"preprocessing {name!r} has no parameter {key!r}{hint}")
        if hints[key] is not bool and not get_args(hints[key]):
            continue  # not a choice: the class checks it
        allowed = (False, True) if hints[key] is bool else get_args(hints[key])
        if not any(type(value) is type(choice) and value == choice for choice in allowed):
            raise KinemeError(
                f"preprocessing {name!r}: {key} is one of {', '.join(map(str, allowed))}, not {value!r}"
            )
    return kind(**parameters)


def parse_preprocessing(text: str) -> Preprocessing:
    """A preprocessing from one line, the inverse of `Preprocessing.id`.

    Reads only literals and bare words, evaluates nothing.

    Raises:
        KinemeError: the line is malformed, or as `get_preprocessing`.

    >>> parse_preprocessing("plain(centre=clip)")
    Plain(centre='clip', facing=False, scale=False)
    """
    malformed = KinemeError(
        f"{text!r} is not a preprocessing; write a name and parameters, such as plain(facing=True)"
    )
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise malformed from None
    keywords = call.keywords if isinstance(call, ast.Call) and not call.args else []
    named = call.func if isinstance(call, ast.Call) and not call.args else call
    if not isinstance(named, ast.Name | ast.Attribute) or any(keyword.arg is None for keyword in keywords):
        raise malformed
    parameters: dict[str, Any] = {}
    for keyword in keywords:
        word = keyword.value
        if not isinstance(word, ast.Constant | ast.Name):
            raise malformed
        parameters[str(keyword.arg)] = word.id if isinstance(word, ast.Name) else word.value
    return get_preprocessing(ast.unparse(named), **parameters)


def stored_preprocessing(data: Mapping[str, Any]) -> Preprocessing:
    """The inverse of `Preprocessing.to_dict`; `Unavailable` if its package is not installed."""
    name, parameters = str(data["name"]), dict(data.get("parameters", {}))
    try:
        return get_preprocessing(name, **parameters)
    except KinemeError:
        return Unavailable(name, parameters)


def first_bodies(xyz: Array) -> Array:
    """The first two bodies of (T, M, V, C) that are present in any frame."""
    return np.flatnonzero(xyz.any(axis=(0, 2, 3)))[:MAX_BODIES]


def _energy(body: Array) -> float:
    """(T, V, C) → the standard deviation over present frames and joints, summed over x, y, z."""
    present = body[body.any(axis=(1, 2))]
    return float(present.std(axis=(0, 1), dtype=np.float64).sum()) if len(present) else 0.0


def _filled(body: Array) -> Array:
    """(T, V, C) from its first present frame on, trailing absent frames filled by looping the others.

    Gaps inside are closed if the body starts late, and kept if it does not, as in 2s-AGCN.
    """
    present = np.flatnonzero(body.any(axis=(1, 2)))
    if len(present) == 0:
        return body
    kept = body[present] if present[0] > 0 else body[: present[-1] + 1]
    return kept[np.arange(len(body)) % len(kept)]


def spine_end(layout: Layout) -> list[int]:
    """Joints whose mean is the upper end of the lowest spine segment (NTU's spine_mid).

    It is the first joint on the path from the origin to where the shoulders meet. If the origin is not a
    single joint (COCO: between the hips), or they meet in it, the spine ends between the shoulders.
    """
    left, right = _facing(layout, "agcn")
    if len(layout.origin) == 1:
        (start,) = layout.origin
        meeting = next(joint for joint in _upwards(layout, left) if joint in _upwards(layout, right))
        path = _upwards(layout, meeting)
        if start not in path:
            return [layout.parents[start]]
        if start != meeting:
            return [path[path.index(start) - 1]]
    return [left, right]


def _upwards(layout: Layout, joint: int) -> list[int]:
    """A joint and its ancestors, up to the root."""
    path = [joint]
    while layout.parents[path[-1]] != -1:
        path.append(layout.parents[path[-1]])
    return path


def _facing(layout: Layout, preprocessing: str) -> tuple[int, int]:
    if layout.facing is None:
        raise KinemeError(
            f"preprocessing {preprocessing} turns bodies by their shoulders, but layout {layout.name!r} "
            "names none; add 'facing' joints to the layout, or use plain"
        )
    return layout.facing


def _shoulder_line(bodies: Array, layout: Layout, preprocessing: str) -> Array:
    """(..., V, C) → (..., C), from the left shoulder to the right."""
    left, right = _facing(layout, preprocessing)
    return bodies[..., right, :] - bodies[..., left, :]


def _resize(xyz: Array, frames: int) -> Array:
    """Linear in time; half-pixel centres, edges clamped, no antialias."""
    at = np.clip((np.arange(frames) + 0.5) * len(xyz) / frames - 0.5, 0, len(xyz) - 1)
    below = at.astype(np.int64)
    above = np.minimum(below + 1, len(xyz) - 1)
    weight = (at - below)[:, None, None, None]
    return xyz[below] * (1 - weight) + xyz[above] * weight


def _turn(xyz: Array, cos: Array, sin: Array) -> Array:
    """About the vertical axis: x' = x cos θ - z sin θ, z' = x sin θ + z cos θ."""
    x, y, z = np.moveaxis(xyz, -1, 0)
    return np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=-1)


def _rotation(vector: Array, target: Array) -> Array:
    """(3, 3) rotation of a vector into the direction of a unit vector, about their cross product.

    The identity if the axis is undefined: the vector is zero, parallel or antiparallel.
    """
    vector = vector.astype(np.float64)
    axis = np.cross(vector, target)
    length = np.linalg.norm(axis)
    if length < 1e-6:
        return np.eye(3)
    cos = np.clip(vector @ target / np.linalg.norm(vector), -1, 1)
    if np.arccos(cos) < 1e-6:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Array = np.eye(3) + np.sqrt(1 - cos**2) * cross + (1 - cos) * cross @ cross
    return rotation
