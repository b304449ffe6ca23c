"""Named preprocessings: what is done to a raw clip once, before it goes into a store.

The same checkpoint scores 85.3 or 79.9 % depending on this step alone, so every recipe has a name and
parameters that travel from the store into checkpoints and results. There are three:

- `plain`: centred, optionally turned to the front and scaled; any layout.
- `crossclr`: 50 frames, each body centred and turned frame by frame (AimCLR, after CrossCLR).
- `agcn`: the two most energetic bodies, gaps at the end filled, aligned by frame 0 (SCD-Net, USDRL, after
  2s-AGCN).

A recipe takes (T, M, V, C) float32 with as many bodies as the file had and gives (T', at most two bodies, V,
C). Absent bodies are zero before and after. y points up.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from kineme.clips.store import Recipe
from kineme.errors import KinemeError
from kineme.layouts import Layout

Array = npt.NDArray[Any]

MAX_BODIES = 2  # that a recipe gives
_MEAN_BONE = 0.2  # metres: the bones of an adult seen by a Kinect, on average


@dataclass(frozen=True)
class Preprocessing:
    """A recipe ready to be applied; `recipe` is its name and the parameters that are not at their default."""

    recipe: Recipe

    @property
    def keeps_frames(self) -> bool:
        """Whether every frame stays in its place: `crossclr` resizes in time, `agcn` shifts and fills."""
        return self.recipe.name == "plain"

    def units(self, raw: str) -> str:
        """Units of what it gives, from those of what it takes."""
        return f"{1 / _MEAN_BONE:g} mean bones" if self.recipe.parameters.get("scale") else raw

    def check_untrimmed(self) -> None:
        """Refuses recipes after which a frame may stand elsewhere than before, so that intervals would lie.

        `crossclr` resizes in time; `agcn` keeps the number of frames, but brings a body that appears late to
        frame 0 and fills its end.

        Raises:
            KinemeError: the recipe is one of these.
        """
        if not self.keeps_frames:
            raise KinemeError(
                f"recipe {self.recipe.id} moves frames, and the intervals of untrimmed recordings would no "
                "longer fit; use plain, such as plain(facing=True)"
            )

    def __call__(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T', M', V, C) float32, M' at most two.

        Raises:
            KinemeError: no body is present in any frame, or the layout lacks joints that the recipe needs.
        """
        if not xyz.any():
            raise KinemeError("no body is present in any frame; leave the clip out")
        result = _RECIPES[self.recipe.name](xyz, layout, **self.recipe.parameters)
        return np.ascontiguousarray(result, dtype=np.float32)


def get_recipe(name: str, **parameters: Any) -> Preprocessing:
    """A preprocessing by name, such as `get_recipe("plain", facing=True)`.

    Raises:
        KinemeError: there is no such recipe, or it has no such parameter or value.
    """
    if name not in _RECIPES:
        raise KinemeError(f"no recipe is called {name!r}{_nearest(name, _RECIPES)}")
    hints = get_type_hints(_RECIPES[name])
    defaults = _RECIPES[name].__kwdefaults__ or {}
    for key, value in parameters.items():
        if key not in defaults:
            raise KinemeError(f"recipe {name!r} has no parameter {key!r}{_nearest(key, defaults)}")
        allowed = (False, True) if hints[key] is bool else get_args(hints[key])
        if not any(type(value) is type(choice) and value == choice for choice in allowed):
            raise KinemeError(
                f"recipe {name!r}: {key} is one of {', '.join(map(str, allowed))}, not {value!r}"
            )
    return Preprocessing(Recipe(name, {k: v for k, v in sorted(parameters.items()) if v != defaults[k]}))


def parse_recipe(text: str) -> Preprocessing:
    """A preprocessing from one line, such as `plain(facing=True, scale=True)`; the inverse of `Recipe.id`.

    Only literals and bare words are read; nothing is evaluated.

    Raises:
        KinemeError: the line is no recipe, or as `get_recipe`.
    """
    malformed = KinemeError(f"{text!r} is no recipe; write a name and parameters, such as plain(facing=True)")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise malformed from None
    if isinstance(call, ast.Name):
        return get_recipe(call.id)
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise malformed
    parameters: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or not isinstance(keyword.value, ast.Constant | ast.Name):
            raise malformed
        word = keyword.value
        parameters[keyword.arg] = word.id if isinstance(word, ast.Name) else word.value
    return get_recipe(call.func.id, **parameters)


def upward(recipe: Recipe) -> tuple[float, float, float]:
    """Unit vector of the axis that points up in clips of a recipe: y, but `agcn` turns the spine along z."""
    return (0.0, 0.0, 1.0) if recipe.name == "agcn" else (0.0, 1.0, 0.0)


def joint_at_zero(recipe: Recipe, layout: Layout) -> int | None:
    """The joint that lies at the origin in every frame, by the recipe; None where there is none.

    It is one of the first body only, but for `crossclr`.
    """
    joints = {"plain": list(layout.origin), "crossclr": [layout.centre]}.get(recipe.name)
    if recipe.name == "agcn" and layout.facing:
        joints = _spine_end(layout)
    moves_about = recipe.parameters.get("centre") == "clip"
    return joints[0] if joints and len(joints) == 1 and not moves_about else None


def keeps_zeros(recipe: Recipe) -> bool:
    """Whether a joint that the recording left at zero is zero in the clip; only `agcn` does not move it."""
    return recipe.name == "agcn"


def first_bodies(xyz: Array) -> Array:
    """The bodies of (T, M, V, C) that `plain` keeps; slots that are empty throughout do not count."""
    return np.flatnonzero(xyz.any(axis=(0, 2, 3)))[:MAX_BODIES]


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0)
    return f"; did you mean {close[0]!r}? There are: {', '.join(known)}" if close else "; it has none"


def _plain(
    xyz: Array,
    layout: Layout,
    *,
    centre: Literal["frame", "clip"] = "frame",
    facing: bool = False,
    scale: bool = False,
) -> Array:
    """The first two bodies that appear at all, relative to the origin of the first.

    Args:
        xyz: (T, M, V, C).
        layout: its joints.
        centre: take the origin from each "frame" (the body stays in place), or from the first frame of the
            "clip" (it moves about). A frame without the first body borrows the last origin before it.
        facing: turn the clip about the vertical axis so that the first body's shoulder line, summed over its
            frames, lies along x. One angle a clip: a turn within it remains visible.
        scale: bring the first body's mean bone length, median over its frames, to 0.2 m.
    """
    xyz = xyz[:, first_bodies(xyz)]
    present: Array = np.any(xyz, axis=(2, 3))
    frames = np.flatnonzero(present[:, 0])
    lead = xyz[frames, 0]
    origin = lead[:, layout.origin].mean(axis=1)
    clock = np.arange(len(xyz)) if centre == "frame" else np.zeros(1)
    origin = origin[np.maximum(np.searchsorted(frames, clock, side="right") - 1, 0)]
    xyz = np.where(present[..., None, None], xyz - origin[:, None, None], 0)
    if facing:
        line = _shoulder_line(lead, layout, "plain(facing=True)").sum(axis=0, dtype=np.float64)
        length = np.hypot(line[0], line[2])
        if length > 1e-6:
            xyz = _turn(xyz, line[0] / length, -line[2] / length)
    if scale:
        child, parent = np.array(layout.bones).T
        size = np.median(np.linalg.norm(lead[:, child] - lead[:, parent], axis=-1).mean(axis=1))
        if size > 0:
            xyz = xyz * (_MEAN_BONE / size)
    return xyz


def _crossclr(xyz: Array, layout: Layout) -> Array:
    """AimCLR's input: 50 frames, each body centred and turned to the front frame by frame.

    After absent frames at the start the same number of frames is missing at the end, as in the authors'
    arrays; the 1e-4 in the angle leaves the shoulders up to 2° off the axis.
    """
    xyz = xyz[:, :MAX_BODIES]
    kept = int(xyz[:, 0].any(axis=(1, 2)).sum())
    if kept == 0:
        raise KinemeError("the first body is absent from every frame; leave the clip out")
    xyz = _resize((xyz - xyz[:, :, layout.centre, None])[:kept], 50)
    line = _shoulder_line(xyz, layout, "crossclr")
    cos = line[..., 0] / (np.hypot(line[..., 0], line[..., 2]) + 1e-4)
    sin = np.sqrt(1 - cos**2) * np.where(line[..., 2].sum(axis=0) >= 0, -1, 1)
    return _turn(xyz, cos[..., None], sin[..., None])


def _agcn(xyz: Array, layout: Layout) -> Array:
    """The input of SCD-Net and USDRL: two bodies, gaps at the end filled, aligned by the first's frame 0.

    Deviation: the authors loop every clip to 300 frames; here it keeps its own number.
    """
    xyz = xyz[:, :4]
    bodies = sorted(np.moveaxis(xyz, 1, 0), key=_energy, reverse=True)
    xyz = np.stack([_filled(body) for body in bodies[:MAX_BODIES]], axis=1)
    top = xyz[:, 0, _spine_end(layout)].mean(axis=1)
    up = top[0] - xyz[0, 0, layout.origin].mean(axis=0)
    xyz = np.where(xyz.any(axis=-1, keepdims=True), xyz - top[:, None, None], 0)
    xyz = xyz @ _rotation(up, np.array([0.0, 0.0, 1.0])).T
    across = _shoulder_line(xyz[0, 0], layout, "agcn")
    return xyz @ _rotation(across, np.array([1.0, 0.0, 0.0])).T


def _energy(body: Array) -> float:
    """(T, V, C) → the standard deviation over present frames and joints, summed over x, y, z."""
    present = body[body.any(axis=(1, 2))]
    return float(present.std(axis=(0, 1), dtype=np.float64).sum()) if len(present) else 0.0


def _filled(body: Array) -> Array:
    """(T, V, C), from its first present frame on, trailing absent frames filled by looping the others.

    Gaps inside are closed where the body starts late, and stay where it does not, as in 2s-AGCN.
    """
    present = np.flatnonzero(body.any(axis=(1, 2)))
    if len(present) == 0:
        return body
    kept = body[present] if present[0] > 0 else body[: present[-1] + 1]
    return kept[np.arange(len(body)) % len(kept)]


def _spine_end(layout: Layout) -> list[int]:
    """Joints whose mean is the upper end of the lowest piece of spine (NTU's joint 2).

    It is the first joint on the way from the origin to where the shoulders meet. Where the origin is no
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


def _facing(layout: Layout, recipe: str) -> tuple[int, int]:
    if layout.facing is None:
        raise KinemeError(
            f"recipe {recipe} turns bodies by their shoulders, and layout {layout.name!r} names none; add "
            "'facing' joints to the layout, or use the recipe plain"
        )
    return layout.facing


def _shoulder_line(bodies: Array, layout: Layout, recipe: str) -> Array:
    """(..., V, C) → (..., C), from the left shoulder to the right."""
    left, right = _facing(layout, recipe)
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
    """(3, 3) rotation that brings a vector to the direction of a unit vector, about their cross product.

    The identity where there is no axis: the vector is zero, or lies along the target already (or against it).
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


_RECIPES: Mapping[str, Callable[..., Array]] = {"plain": _plain, "crossclr": _crossclr, "agcn": _agcn}
