"""Skeletons as pictures: strips of poses over time, and animations.

Bodies are seen from the front and half from their right, left limbs blue and right limbs orange, green and
purple on a second body; absent bodies, and joints that were not seen (NaN), are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle

from kineme.drawing.posture import Y_UP, present, view_axes
from kineme.drawing.style import BODIES, FAINT, HUES, INK, LEFT, RIGHT, new_figure, rendered, save, short
from kineme.files import atomic_write
from kineme.layouts import Layout
from kineme.progress import Progress, silent
from kineme.typing import Array

GIF_STEP = 7  # hundredths of a second, the unit of GIFs: the least time that a picture stays
LINE = 64  # characters beside each other in a GIF
STEPS = 6  # of each colour of a GIF from white
BAR, SHADE = "#eef0f3", 0.35  # of the time bar, and how much of a band's hue lies over it


@dataclass(frozen=True)
class Scene:
    """What is drawn."""

    clip: Array  # (T, M, V, C), C = 3; absent bodies are zero, joints that were not seen may be NaN
    title: str  # a line above, such as the clip's name
    subtitle: str = ""  # more about it, such as its class
    first: int = 0  # number of the clip's first frame, where it is part of a recording
    # (start, end, text), labelled stretches of the recording, end exclusive; drawn as a time bar
    bands: Sequence[tuple[int, int, str]] = ()


def skeleton_strip(
    scenes: Sequence[Scene], layout: Layout, path: Path, *, up: Sequence[float] = Y_UP, poses: int = 9
) -> None:
    """Several clips as strips of skeletons over time, one below the other, all at one scale.

    A pose stands at its place in time, not in space, with the frame number below it; a second body stands
    where it is relative to the first.

    Args:
        scenes: the clips.
        layout: theirs.
        path: of the PNG or SVG.
        up: unit vector of the clips' axis that points up.
        poses: how many are drawn of each clip, evenly over its frames.
    """
    flat = [_poses(scene.clip, layout, up, poses) for scene in scenes]
    low, high = _bounds([points for points, _ in flat])
    width, height = (high - low) * (1.04, 1.18)
    span = width * poses
    bar = 0.12 * height
    rows = [height + (bar if scene.bands else 0) for scene in scenes]
    inches = 1.2 * poses
    figure = new_figure(inches, max(1.6, inches * sum(rows) / span + 0.32 * len(scenes)))
    panels = figure.subplots(len(scenes), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axes, scene, (points, frames), row in zip(panels, scenes, flat, rows, strict=True):
        for number, frame in enumerate(frames):
            place = number * width
            for body in reversed(range(points.shape[1])):
                _draw_body(axes, points[number, body] + (place, 0), layout, body)
            low_edge, text = low[1] - 0.04 * height, str(scene.first + frame)
            axes.text(place, low_edge, text, ha="center", va="top", color=FAINT, fontsize=8)
        bottom = low[1] + height - 0.14 * height - row
        if scene.bands:
            stretch = width * max(len(frames) - 1, 1) / len(scene.clip)  # a frame's width
            _draw_bands(axes, scene, (0, bottom, stretch, 0.8 * bar))
        axes.set_xlim(low[0] - 0.02 * width, low[0] + span)
        axes.set_ylim(bottom, high[1] + 0.04 * height)
        axes.set_aspect("equal")
        axes.set_axis_off()
        title = ": ".join(filter(None, (scene.title, scene.subtitle)))
        axes.set_title(title, loc="left", fontsize=10, color=INK, pad=2)
    for place, (side, colour) in enumerate({"left": LEFT, "right": RIGHT}.items()):
        panels[0].annotate(
            side, (1, 1), (-34 + 30 * place, 4), xycoords="axes fraction", textcoords="offset points",
            ha="right", color=colour, fontsize=9,
        )  # fmt: skip
    save(figure, path)


def animation(
    scene: Scene,
    layout: Layout,
    path: Path,
    *,
    fps: float = 30.0,
    up: Sequence[float] = Y_UP,
    progress: Progress = silent,
) -> None:
    """A clip as a GIF that plays at its own speed, in about 14 pictures per second.

    Args:
        scene: the clip.
        layout: its joints.
        path: of the GIF.
        fps: frames per second.
        up: unit vector of the clip's axis that points up.
        progress: called with the pictures done and their total.
    """
    from PIL import Image

    points = _seen_from(scene.clip, layout, up)
    low, high = _bounds([points])
    width, height = np.maximum(high - low, 1e-9) * 1.08
    step = max(GIF_STEP, round(100 / fps))
    stay = step * fps / 100  # frames
    figure = new_figure(4.8, min(6.0, max(2.4, 4.4 * height / width)))
    axes = figure.subplots()
    title = "\n".join(fill(line, LINE) for line in (scene.title, scene.subtitle))
    figure.suptitle(title.strip(), x=0.02, ha="left", fontsize=9, color=INK)
    palette = Image.new("P", (1, 1))
    palette.putpalette(_colours().tobytes())
    pictures: list[Image.Image] = []
    chosen = np.arange(0, len(points), stay).astype(int)
    for done, frame in enumerate(chosen, start=1):
        axes.clear()
        axes.set_axis_off()
        for body in reversed(range(points.shape[1])):
            _draw_body(axes, points[frame, body], layout, body)
        bar = 0.05 * height
        if scene.bands:
            _draw_bands(axes, scene, (low[0], low[1] - 2 * bar, (high[0] - low[0]) / len(points), bar))
        at = low[0] + (high[0] - low[0]) * frame / max(len(points) - 1, 1)
        axes.plot([low[0], at], [low[1] - 2.4 * bar] * 2, color=FAINT, linewidth=2)
        axes.set_xlim(low[0] - 0.04 * width, high[0] + 0.04 * width)
        axes.set_ylim(low[1] - 2.8 * bar, high[1] + 0.04 * height)
        axes.set_aspect("equal")
        number, place = str(scene.first + frame), axes.transAxes
        axes.text(1, 0, number, transform=place, ha="right", va="top", fontsize=9, color=FAINT)
        picture = Image.fromarray(rendered(figure))
        figure.set_layout_engine("none")  # what fitted the first picture fits the others
        pictures.append(picture.quantize(palette=palette, dither=Image.Dither.NONE))
        progress(done, len(chosen))
    with atomic_write(path) as aside:
        pictures[0].save(aside, save_all=True, append_images=pictures[1:], duration=10 * step, loop=0)


def _colours() -> Array:
    """(n, 3) uint8: all that a GIF is drawn in, whoever is in its first picture."""
    inks, hues, bar = (to_rgba_array(each)[:, :3] for each in ([INK, FAINT, *sum(BODIES, ())], HUES, [BAR]))
    shares = np.linspace(0, 1, STEPS)[:, None, None]
    found = [(1 + shares * (inks - 1)).reshape(-1, 3), bar + SHADE * (hues - bar), bar]
    return np.round(255 * np.concatenate(found)).astype(np.uint8)


def _seen_from(clip: Array, layout: Layout, up: Sequence[float]) -> Array:
    """(T, M, V, C) → (T, M, V, 2) in the viewer's plane; absent bodies are NaN."""
    flat = np.asarray(clip, dtype=float) @ view_axes(clip, layout, up)[:2].T
    return np.where(present(clip)[..., None, None], flat, np.nan)


def _poses(clip: Array, layout: Layout, up: Sequence[float], poses: int) -> tuple[Array, Array]:
    """Some poses, each with its first body in the middle: (P, M, V, 2) points, (P,) frames."""
    frames = np.linspace(0, len(clip) - 1, min(poses, len(clip))).round().astype(int)
    points = _seen_from(clip, layout, up)
    middle = np.nan_to_num(points[:, 0, list(layout.origin), 0].mean(axis=-1))
    points[..., 0] -= middle[:, None, None]
    return points[frames], frames


def _bounds(points: Sequence[Array]) -> tuple[Array, Array]:
    """(2,) lowest and (2,) highest coordinates of all points; some room where these coincide."""
    flat = np.concatenate([each.reshape(-1, 2) for each in points])
    if not np.isfinite(flat).any():
        return np.zeros(2), np.ones(2)
    low, high = np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
    extent = float((high - low).max()) or 1.0
    room = np.where(high - low > 1e-6 * extent, 0.0, extent / 2)
    return low - room, high + room


def _draw_body(axes: Axes, points: Array, layout: Layout, body: int) -> None:
    """One (V, 2) body: bones, joints as dots of the bones' width, sides in their colours."""
    left, right, middle = BODIES[body % 2]
    sides = [middle] * layout.num_joints
    for pair in layout.mirrored:
        sides[pair[0]], sides[pair[1]] = left, right
    bones = [[points[child], points[parent]] for child, parent in layout.bones]
    colours = [sides[child] for child, _ in layout.bones]
    axes.add_collection(LineCollection(bones, colors=colours, linewidths=1.8, capstyle="round"))
    axes.scatter(points[:, 0], points[:, 1], s=5, c=sides, linewidths=0, zorder=2)


def _draw_bands(axes: Axes, scene: Scene, place: tuple[float, float, float, float]) -> None:
    """The time bar; `place` is its left end, bottom, width of a frame, and height."""
    left, bottom, stretch, height = place
    texts = list(dict.fromkeys(text for _, _, text in scene.bands))
    axes.add_patch(Rectangle((left, bottom), stretch * len(scene.clip), height, color=BAR, linewidth=0))
    for start, end, text in scene.bands:
        begin, stop = max(start - scene.first, 0), min(end - scene.first, len(scene.clip))
        if begin >= stop:
            continue
        corner, width = (left + stretch * begin, bottom), stretch * (stop - begin)
        colour = HUES[texts.index(text) % len(HUES)]
        patch = axes.add_patch(Rectangle(corner, width, height, color=colour, alpha=SHADE, linewidth=0))
        middle = bottom + height / 2
        words = f" {short(text, 24)}"
        label = axes.text(corner[0], middle, words, fontsize=7, color=INK, va="center", clip_on=True)
        label.set_clip_path(patch)
