"""`kineme show`: a drawing of one clip."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.outputs import hold
from kineme.commands.said import written
from kineme.errors import KinemeError

if TYPE_CHECKING:
    from kineme.clips.store import ClipStore, Manifest
    from kineme.drawing.skeletons import Scene

USAGE = "kineme show [OPTIONS] STORE [CLIP]"
NEAR = 3  # names offered for one that does not exist
LONGEST = {".html": 20_000, ".gif": 1_800}  # frames: a page of 5 MB with two bodies, a GIF of one minute


def show(store: Path, clip: str | None = None, *, out: Path | None = None, frames: str | None = None) -> None:
    """Draw a clip: as a page that plays it in 3D, a GIF, or a strip of poses.

    The file extension decides: .html for a page that needs no network, .gif for an animation, .png or .svg
    for a strip. Left limbs are blue and right limbs orange, those of a second body green and purple. The
    labelled intervals of untrimmed recordings are shown on a timeline.

    Args:
        store: Clip store.
        clip: Name of the clip, or its row in the store, counted from 0. Without it, the names of all clips
            are listed.
        out: File to write: .html, .gif, .png or .svg (default: CLIP.html in the current directory).
        frames: Part of the clip, such as 300:900, counted from 0; the end is exclusive.
    """
    from kineme.clips.store import ClipStore

    opened = ClipStore(store)
    if clip is None:
        print(*(f"{row}\t{name}" for row, name in enumerate(opened.names)), sep="\n")
        return
    row = find_clip(opened, clip)
    name = str(opened.names[row])
    path = out or Path(re.sub(r"[^\w.-]+", "-", name) + ".html")
    suffix = path.suffix.lower()
    if suffix not in DRAWINGS:
        raise KinemeError(f"--out {path}: must end in one of {', '.join(DRAWINGS)}")
    hold(path)
    length = int(opened.index["frames"][row])
    first, end = frame_range(frames, length)
    if frames is None and length > LONGEST.get(suffix, length):
        end = LONGEST[suffix]
        print(f"{name}: drawing the first {end} of {length} frames; see --frames", file=sys.stderr)
    DRAWINGS[suffix](_scene(opened, row, first, end), opened.manifest, path)
    written(path)


def find_clip(store: ClipStore, clip: str) -> int:
    """The row of a clip, given by name or by row; names come first.

    Raises:
        KinemeError: the store has no such clip; the nearest names are given.
    """
    row = store.row(clip)
    if row is not None:
        return row
    if clip.isdecimal():
        if int(clip) < len(store):
            return int(clip)
        raise KinemeError(f"{store.path}: has no row {clip}; its rows are 0 to {len(store) - 1}")
    names: list[str] = store.names.tolist()
    near = difflib.get_close_matches(clip, names, n=NEAR) or [name for name in names if clip in name][:NEAR]
    hint = f"did you mean {' or '.join(near)}?" if near else f"the first is {names[0]}"
    raise KinemeError(f"{store.path}: has no clip {clip!r}; {hint}")


def frame_range(text: str | None, length: int) -> tuple[int, int]:
    """`A:B` → (A, B); either end may be left out.

    Raises:
        KinemeError: it is not a range, or the clip has no frames in it.
    """
    found = re.fullmatch(r"(\d*):(\d*)", text or ":")
    if not found:
        raise KinemeError(f"--frames {text}: is not a range; write first and end, such as 300:900")
    first, end = int(found[1] or 0), min(int(found[2] or length), length)
    if first >= end:
        raise KinemeError(f"--frames {text}: contains no frames; the clip has frames 0 to {length - 1}")
    return first, end


def _scene(store: ClipStore, row: int, first: int, end: int) -> Scene:
    """The frames to draw; joints of confidence 0, and those that the clip lacks, are left out."""
    import numpy as np

    from kineme.drawing.skeletons import Scene

    index, names = store.index, store.manifest.class_names
    length, label = int(index["frames"][row]), int(index["label"][row])
    xyz = store.clip(row)[first:end]
    present = store.clip_present(row)
    if present is not None:
        xyz = np.where(present[:, None], xyz, np.nan)
    if store.confidence is not None:
        begin = int(index["offset"][row])
        seen = store.confidence[begin + first : begin + end] > 0
        xyz = np.where(seen[..., None], xyz, np.nan)
    extent = f"{length} frames" if end - first == length else f"frames {first} to {end - 1} of {length}"
    subject, camera = str(index["subject"][row]), int(index["camera"][row])
    words = (
        names[label] if label >= 0 else "",
        f"{extent}, {(end - first) / store.manifest.fps:.1f} s",
        f"subject {subject}" if subject else "",
        f"camera {camera}" if camera >= 0 else "",
    )
    bands = [(start, stop, names[action]) for start, stop, action in store.clip_intervals(row)]
    return Scene(xyz, str(index["name"][row]), " · ".join(filter(None, words)), first, bands)


def _page(scene: Scene, manifest: Manifest, path: Path) -> None:
    """A page that plays the clip."""
    from kineme.drawing.player import TimelineRow, legend, page, player, timeline
    from kineme.drawing.posture import present
    from kineme.files import atomic_write

    clip, first = scene.clip, scene.first
    fps, up = manifest.fps, manifest.preprocessing.up
    moving = player("clip", clip, manifest.layout, fps=fps, up=up, first=first)
    actions = [timeline("clip", len(clip), [TimelineRow("actions", scene.bands)], first=first)]
    fragments = [moving, *(actions if scene.bands else []), legend(int(present(clip).any(axis=0).sum()))]
    with atomic_write(path) as aside:
        aside.write_text(page(scene.title, *fragments, subtitle=scene.subtitle), encoding="utf-8")


def _gif(scene: Scene, manifest: Manifest, path: Path) -> None:
    """An animation."""
    from kineme.commands.bar import progress_bar
    from kineme.drawing.skeletons import animation

    up = manifest.preprocessing.up
    with progress_bar("drawing") as progress:
        animation(scene, manifest.layout, path, fps=manifest.fps, up=up, progress=progress)


def _strip(scene: Scene, manifest: Manifest, path: Path) -> None:
    """Poses over time, side by side."""
    from kineme.drawing.skeletons import skeleton_strip

    skeleton_strip([scene], manifest.layout, path, up=manifest.preprocessing.up)


DRAWINGS = {".html": _page, ".gif": _gif, ".png": _strip, ".svg": _strip}
