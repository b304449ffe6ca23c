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
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
    """A recipe ready to be applied; `recipe` is its name and those parameters that are not at their default."""

    recipe: Recipe

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
    known = {
        parameter.name: parameter.default
        for parameter in inspect.signature(_RECIPES[name]).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for key, value in parameters.items():
        if key not in known:
            raise KinemeError(f"recipe {name!r} has no parameter {key!r}{_nearest(key, known)}")
        allowed = (True, False) if isinstance(known[key], bool) else _CHOICES[key]
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed):
            raise KinemeError(
                f"recipe {name!r}: {key} is one of {', '.join(map(str, allowed))}, not {value!r}"
            )
    return Preprocessing(Recipe(name, {k: v for k, v in sorted(parameters.items()) if v != known[k]}))


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


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    return f"; did you mean {close[0]!r}? There are: {', '.join(known)}" if close else "; it has none"


def _present(xyz: Array) -> Array:
    """(T, M) which bodies are there in which frames."""
    return xyz.any(axis=(2, 3))


def _facing(layout: Layout, recipe: str) -> tuple[int, int]:
    if layout.facing is None:
        raise KinemeError(
            f"recipe {recipe!r} turns bodies by their shoulder line and layout {layout.name!r} has none; "
            "name its 'facing' joints in a layout file, or use plain"
        )
    return layout.facing


def _plain(
    xyz: Array,
    layout: Layout,
    *,
    centre: Literal["frame", "clip"] = "frame",
    facing: bool = False,
    scale: bool = False,
) -> Array:
    """The first two bodies, relative to the origin of the first.

    Args:
        xyz: (T, M, V, C).
        layout: its joints.
        centre: take the origin from each "frame" (the body stays in place), or from the first frame of the
            "clip" (it moves about). A frame without the first body borrows the last origin before it.
        facing: turn the clip about the vertical axis so that the first body's shoulder line, summed over its
            frames, lies along x. One angle a clip: turning about remains visible.
        scale: bring the first body's mean bone length, median over its frames, to 0.2 m.
    """
    xyz = xyz[:, :MAX_BODIES]
    present = _present(xyz)
    leads = np.flatnonzero(present[:, 0])
    if len(leads) == 0:  # slots of a file are filled in order, yet other sources may leave the first empty
        xyz, present = xyz[:, ::-1], present[:, ::-1]
        leads = np.flatnonzero(present[:, 0])
    lead = xyz[leads, 0]
    origin = lead[:, layout.origin].mean(axis=1)
    held = np.clip(np.searchsorted(leads, np.arange(len(xyz)), side="right") - 1, 0, None)
    shift = origin[held] if centre == "frame" else origin[:1]
    xyz = np.where(present[..., None, None], xyz - shift[:, None, None], 0)
    if facing:
        left, right = _facing(layout, "plain(facing=True)")
        line = (lead[:, right] - lead[:, left]).sum(axis=0, dtype=np.float64)
        length = np.hypot(line[0], line[2])
        if length > 1e-6:
            xyz = _turn(xyz, line[0] / length, -line[2] / length)
    if scale:
        child, parent = np.array(layout.bones).T
        size = np.median(np.linalg.norm(lead[:, child] - lead[:, parent], axis=-1).mean(axis=1))
        if size > 0:
            xyz = xyz * (_MEAN_BONE / size)
    return xyz


def _turn(xyz: Array, cos: Array | float, sin: Array | float) -> Array:
    """About the vertical axis: x' = x cos θ - z sin θ, z' = x sin θ + z cos θ."""
    x, y, z = np.moveaxis(xyz, -1, 0)
    return np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=-1)


_RECIPES: Mapping[str, Callable[..., Array]] = {"plain": _plain}
_CHOICES: Mapping[str, tuple[str, ...]] = {"centre": ("frame", "clip")}
