"""Figures, drawn to PNG files: training curves, embeddings, confusion matrices, strips of skeletons.

Drawn through matplotlib's Figure objects with the Agg canvas, never through pyplot: no global state, no
window, no display needed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kineme.errors import KinemeError
from kineme.evaluation.metrics import per_class_accuracy
from kineme.files import written_aside
from kineme.layouts import Layout

Array = npt.NDArray[Any]

INK, FAINT = "#2b2f36", "#8a929e"
LEFT, RIGHT, MIDDLE = "#1f6fb4", "#d9601a", "#3c434d"  # a body's left side, right side, spine
# Hues that stay apart for colour-blind readers (after Okabe and Ito 2008); markers change where they repeat.
HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b4c9a", "#4d4d4d")
MARKERS = "os^DvPX*<>"
SPREAD = ("effective_rank", "embedding_std")  # columns that watch for collapse
MAX_POINTS = 1500  # of a scatter: more only cover each other, and t-SNE takes minutes


def training_curves(history: Path | Sequence[Mapping[str, float]], path: Path) -> None:
    """Loss, its terms, the embedding's effective rank and the online accuracy over epochs, each in a panel.

    Terms by grain (`similarity/spatial`) are left to history.csv; `knn` is a share of 1 there.

    Args:
        history: a run's history.csv, or its rows; learning rate and timings are left out.
        path: of the PNG.

    Raises:
        KinemeError: the history cannot be read or has no rows.
    """
    rows = _read_history(history) if isinstance(history, Path) else history
    rows = [row for row in rows if "epoch" in row]
    if not rows:
        where = history if isinstance(history, Path) else path
        raise KinemeError(f"{where}: the history has no epochs to draw; train the run first")
    names = list(dict.fromkeys(name for row in rows for name in row))
    aside = ("epoch", "step", "seconds", "lr", "knn", "loss", *SPREAD)
    panels = {
        "loss": [name for name in names if name == "loss"],
        "terms": [name for name in names if name not in aside and "/" not in name],
        "effective rank": [name for name in names if name == SPREAD[0]],
        "online kNN, %": [name for name in names if name == "knn"],
    }
    panels = {label: drawn for label, drawn in panels.items() if drawn}
    x = np.array([row["epoch"] for row in rows])
    figure = _figure(6.4, 0.6 + 2.2 * len(panels))
    drawings = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, drawn) in zip(drawings, panels.items(), strict=True):
        scale = 100 if drawn == ["knn"] else 1
        _lines(axes, x, [{name: scale * row[name] for name in drawn if name in row} for row in rows], drawn)
        axes.set_ylabel(label, color=INK)
        if label == "terms":
            axes.set_yscale("log")  # they differ by orders of magnitude
    drawings[-1].set_xlabel("epoch", color=INK)
    drawings[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, path)


def _read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a CSV file; empty cells are left out."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise KinemeError(f"{path}: cannot be read as a training history ({error})") from error


def _lines(axes: Axes, x: Array, rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        y = np.array([row.get(name, np.nan) for row in rows], dtype=float)
        known = np.isfinite(y)
        if not known.any():
            continue
        total = name == "loss"
        axes.plot(
            x[known],
            y[known],
            color=INK if total else HUES[i % len(HUES)],
            linewidth=2.0 if total else 1.3,
            marker="o" if known.sum() < 30 else None,
            markersize=3,
            label=name.replace("_", " "),
        )
    _plain(axes)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    if len(axes.lines) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)


def embedding(
    features: Array,
    labels: Array,
    class_names: Sequence[str],
    path: Path,
    *,
    kind: str = "tsne",
    seed: int = 0,
) -> None:
    """A scatter of clip features in the plane, coloured by class.

    Args:
        features: (N, D); of more than 1500 clips a random 1500 are drawn.
        labels: (N,) classes.
        class_names: names of the classes.
        path: of the PNG.
        kind: `tsne` (of cosine distances, on the first 50 principal components) or `pca`.
        seed: of the choice of clips and of t-SNE.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(features) > MAX_POINTS:
        chosen = np.random.default_rng(seed).choice(len(features), MAX_POINTS, replace=False)
        features, labels = features[chosen], labels[chosen]
    if kind == "pca":
        model = PCA(2, random_state=seed).fit(features)
        points = model.transform(features)
        axis_labels = [f"component {i + 1} ({s:.0%})" for i, s in enumerate(model.explained_variance_ratio_)]
    else:
        reduced = PCA(min(50, *features.shape), random_state=seed).fit_transform(features)
        perplexity = min(30.0, (len(features) - 1) / 3)
        points = TSNE(2, metric="cosine", init="pca", perplexity=perplexity, random_state=seed).fit_transform(
            reduced
        )
        axis_labels = ["", ""]
    figure = _figure(7.6, 5.4)
    axes = figure.subplots()
    for rank, label in enumerate(np.unique(labels)):
        mine = points[labels == label]
        axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=16,
            color=HUES[rank % len(HUES)],
            marker=MARKERS[rank // len(HUES) % len(MARKERS)],
            linewidths=0.3,
            edgecolors="white",
            label=_short(class_names[int(label)], 24),
        )
    _plain(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(axis_labels[0], color=INK)
    axes.set_ylabel(axis_labels[1], color=INK)
    classes = len(np.unique(labels))
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=9 if classes <= 24 else 7,
        ncols=1 + (classes - 1) // 24,
        handletextpad=0.3,
        borderaxespad=0.0,
    )
    _save(figure, path)


def confusion(matrix: Array, class_names: Sequence[str], path: Path) -> None:
    """A confusion matrix (classes, classes) of counts, each row as shares of its class."""
    matrix = np.asarray(matrix, dtype=float)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100 * matrix, totals, out=np.full_like(matrix, np.nan), where=totals > 0)
    classes = len(class_names)
    side = min(16.0, max(3.2, 0.34 * classes))
    figure = _figure(side + 2.2, side + 1.6)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    names = [_short(name, 22) for name in class_names]
    size = 9 if classes <= 30 else 7 if classes <= 60 else 5
    recall = [f"{name}  {share:3.0f}" for name, share in zip(names, per_class_accuracy(matrix), strict=True)]
    axes.set_xticks(range(classes), names, fontsize=size)
    if max(map(len, names)) > 3:
        for text in axes.get_xticklabels():
            text.set(rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), recall, fontsize=size)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true, with % recognised", color=INK)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    if classes <= 30:
        for row, column in zip(*np.nonzero(shares >= 0.5), strict=True):
            share = shares[row, column]
            axes.text(
                column, row, f"{share:.0f}", ha="center", va="center", fontsize=size - 2.0,
                color="white" if share > 55 else INK,
            )  # fmt: skip
    bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.02)
    bar.set_label("% of the true class", color=INK)
    bar.outline.set_visible(False)
    _save(figure, path)


def skeleton_strip(
    clips: Sequence[Array], layout: Layout, titles: Sequence[str], path: Path, *, poses: int = 9
) -> None:
    """Several clips as strips of skeletons over time, one below the other, all at one scale.

    Bodies are seen from the front and half from their right, whichever way they face, left limbs blue and
    right limbs orange; a pose stands at its place in time, not in space, with the frame number below it. A
    second body is drawn fainter, where it stands relative to the first; absent bodies are left out.

    Args:
        clips: (T, M, V, C) each, C = 3.
        layout: theirs.
        titles: one a clip.
        path: of the PNG.
        poses: how many are drawn of each clip, evenly over its frames.
    """
    up = _upward(clips, layout)
    flat = [_project(clip, layout, up, poses) for clip in clips]
    present = np.concatenate([pose[seen].reshape(-1, 2) for pose, seen, _ in flat])
    low, high = present.min(axis=0), present.max(axis=0)
    width, height = (high - low) * (1.04, 1.18)
    span = width * poses
    inches = 1.2 * poses
    figure = _figure(inches, max(1.6, inches * height / span * len(clips) + 0.32 * len(clips)))
    panels = figure.subplots(len(clips), 1, squeeze=False)[:, 0]
    for axes, (pose, seen, frames), title in zip(panels, flat, titles, strict=True):
        for number, frame in enumerate(frames):
            moved = pose[number] + (number * width, 0)
            for body in np.flatnonzero(seen[number])[::-1]:
                _draw_body(axes, moved[body], layout, strength=1.0 if body == 0 else 0.4)
            axes.text(
                number * width,
                low[1] - 0.04 * height,
                str(frame),
                ha="center",
                va="top",
                color=FAINT,
                fontsize=8,
            )
        axes.set_xlim(low[0] - 0.02 * width, low[0] + span)
        axes.set_ylim(low[1] - 0.14 * height, high[1] + 0.04 * height)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=10, color=INK, pad=2)
    for place, (side, colour) in enumerate({"left": LEFT, "right": RIGHT}.items()):
        panels[0].annotate(
            side, (1, 1), (-34 + 30 * place, 4), xycoords="axes fraction", textcoords="offset points",
            ha="right", color=colour, fontsize=9,
        )  # fmt: skip
    _save(figure, path)


def _upward(clips: Sequence[Array], layout: Layout) -> Array:
    """The coordinate axis that points up, which recipes differ in: the nearest to feet → shoulders."""
    feet = [j for j, name in enumerate(layout.joints) if "ankle" in name.lower() or "foot" in name.lower()]
    if layout.facing is None:
        return np.array([0.0, 1.0, 0.0])
    below = feet or list(layout.origin)
    rise = [
        clip[:, 0, list(layout.facing)].mean(axis=(0, 1)) - clip[:, 0, below].mean(axis=(0, 1))
        for clip in clips
    ]
    total = np.sum(rise, axis=0)
    axis = np.abs(total).argmax()
    up = np.zeros(3)
    up[axis] = -1.0 if total[axis] < 0 else 1.0
    return up


def _project(clip: Array, layout: Layout, up: Array, poses: int) -> tuple[Array, Array, Array]:
    """Poses of a clip in the plane: (P, M, V, 2) points, (P, M) bodies seen, (P,) their frames."""
    frames = np.linspace(0, len(clip) - 1, min(poses, len(clip))).round().astype(int)
    xyz = np.asarray(clip, dtype=float)[frames]
    seen = np.any(xyz, axis=(2, 3))
    anchor = xyz[:, :1, list(layout.origin)].mean(axis=2, keepdims=True)
    across = (xyz - anchor) @ _onlookers_right(xyz[:, 0], layout, up)
    height = xyz @ up
    return np.stack([across, height - height[seen].min()], axis=-1), seen, frames


def _onlookers_right(body: Array, layout: Layout, up: Array) -> Array:
    """Unit vector to the right of one who stands before a (P, V, 3) body, 35° towards its right."""
    to_right = np.roll(up, -1)
    if layout.facing is not None:
        left, right = (body[:, joint] for joint in layout.facing)
        line = (right - left).mean(axis=0)
        level = line - (line @ up) * up
        if np.any(level):
            to_right = level / np.linalg.norm(level)
    turn = np.radians(35)
    return np.asarray(-np.cos(turn) * to_right + np.sin(turn) * np.cross(up, to_right))


def _draw_body(axes: Axes, points: Array, layout: Layout, strength: float) -> None:
    """One (V, 2) body: bones, joints as dots of the bones' width, sides in their colours."""
    sides = dict.fromkeys(range(layout.num_joints), MIDDLE)
    sides |= {
        joint: colour for pair in layout.mirrored for joint, colour in zip(pair, (LEFT, RIGHT), strict=True)
    }
    bones = [[points[child], points[parent]] for child, parent in layout.bones]
    shade = {joint: 1 - strength * (1 - np.array(to_rgb(colour))) for joint, colour in sides.items()}
    colours = [shade[child] for child, _ in layout.bones]
    axes.add_collection(LineCollection(bones, colors=colours, linewidths=1.8, capstyle="round"))
    dots = [shade[joint] for joint in range(layout.num_joints)]
    axes.scatter(points[:, 0], points[:, 1], s=5, c=dots, linewidths=0, zorder=2)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c4c9d0")
    axes.tick_params(colors=INK, labelsize=9, length=3)


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def _save(figure: Figure, path: Path) -> None:
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=150, bbox_inches="tight", pad_inches=0.1, metadata={"Software": None})
