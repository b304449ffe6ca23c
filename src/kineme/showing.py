"""Shows a clip of a store: as a page that plays it, an animation, or a strip of poses."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import overload

import numpy as np

from kineme.clips.store import ClipStore, Manifest
from kineme.drawing.player import TimelineRow, legend, page, player, timeline
from kineme.drawing.posture import present
from kineme.drawing.skeletons import Scene, animation, skeleton_strip
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.progress import Progress, silent

NEAR = 3  # names offered for one that does not exist
HEIGHT = 640  # pixels of a page in a notebook: a player with its heading, and two rows of a timeline


@dataclass(frozen=True)
class Page:
    """A page that plays a clip; a notebook displays it.

    Attributes:
        title: its heading.
        html: all of it; it needs no network.
    """

    title: str
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        """In a frame of its own, so that its style and script do not meet those of the notebook."""
        style = "width: 100%; max-width: 44rem; border: 0"
        return f'<iframe srcdoc="{escape(self.html)}" height="{HEIGHT}" style="{style}"></iframe>'


@overload
def show(
    store: str | Path | ClipStore,
    clip: str | int,
    out: None = None,
    *,
    frames: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> Page: ...


@overload
def show(
    store: str | Path | ClipStore,
    clip: str | int,
    out: str | Path,
    *,
    frames: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> None: ...


def show(
    store: str | Path | ClipStore,
    clip: str | int,
    out: str | Path | None = None,
    *,
    frames: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> Page | None:
    """Draws a clip, in a notebook or as a file; joints that were not seen are left out.

    Args:
        store: the clip's store.
        clip: its name or row.
        out: the file: .html for a page that plays it in 3D without a network, .gif for an animation, .png or
            .svg for a strip of poses. Default: none; the page is returned.
        frames: first frame and end, exclusive, of the part to draw; default: all.
        progress: called with the pictures of an animation done and in total.

    Returns:
        the page, which a notebook displays; None if it was written to `out`.

    Raises:
        KinemeError: there is no such clip or part, the file has another suffix, or it cannot be written.

    >>> import kineme
    >>> kineme.show(example_store, 0, example_folder / "wave.html", frames=(0, 30))
    >>> "wave" in (example_folder / "wave.html").read_text()
    True
    >>> kineme.show(example_store, 0)
    Page(title='S001C002P001R001A001')
    """
    store = store if isinstance(store, ClipStore) else ClipStore(store)
    row = find_clip(store, str(clip)) if isinstance(clip, str) else _checked_row(store, int(clip))
    path, length = None if out is None else Path(out), int(store.index["frames"][row])
    if path is not None:
        check_drawing(path)
    first, end = frames or (0, length)
    if not 0 <= first < end <= length:
        raise KinemeError(f"`frames`: {first} to {end} are not in the clip; it has frames 0 to {length - 1}")
    scene, manifest = _scene(store, row, first, end), store.manifest
    up = manifest.preprocessing.up
    if path is None:
        return _page(scene, manifest)
    match path.suffix.lower():
        case ".html":
            with atomic_write(path) as aside:
                aside.write_text(_page(scene, manifest).html, encoding="utf-8")
        case ".gif":
            animation(scene, manifest.layout, path, fps=manifest.fps, up=up, progress=progress)
        case _:
            skeleton_strip([scene], manifest.layout, path, up=up)
    return None


def check_drawing(path: Path) -> None:
    """Checks that a drawing can be written under this name.

    Raises:
        KinemeError: its suffix is unknown.
    """
    if path.suffix.lower() not in (".html", ".gif", ".png", ".svg"):
        raise KinemeError(f"`out` {path}: must end in one of .html, .gif, .png, .svg")


def find_clip(store: ClipStore, clip: str) -> int:
    """The row of a clip, given by name or by row; names come first.

    Raises:
        KinemeError: the store has no such clip; the nearest names are given.
    """
    row = store.row(clip)
    if row is not None:
        return row
    if clip.isdecimal():
        return _checked_row(store, int(clip))
    names: list[str] = store.names.tolist()
    near = difflib.get_close_matches(clip, names, n=NEAR) or [name for name in names if clip in name][:NEAR]
    hint = f"did you mean {' or '.join(near)}?" if near else f"the first is {names[0]}"
    raise KinemeError(f"{store.path}: has no clip {clip!r}; {hint}")


def _checked_row(store: ClipStore, row: int) -> int:
    if not 0 <= row < len(store):
        raise KinemeError(f"{store.path}: has no row {row}; its rows are 0 to {len(store) - 1}")
    return row


def _scene(store: ClipStore, row: int, first: int, end: int) -> Scene:
    """The frames to draw; joints of confidence 0, and those that the clip lacks, are left out."""
    index, names = store.index, store.manifest.class_names
    length, label = int(index["frames"][row]), int(index["label"][row])
    xyz = store.clip(row)[first:end]
    recorded = store.clip_present(row)
    if recorded is not None:
        xyz = np.where(recorded[:, None], xyz, np.nan)
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


def _page(scene: Scene, manifest: Manifest) -> Page:
    clip, first = scene.clip, scene.first
    fps, up = manifest.fps, manifest.preprocessing.up
    moving = player("clip", clip, manifest.layout, fps=fps, up=up, first=first)
    actions = [timeline("clip", len(clip), [TimelineRow("actions", scene.bands)], first=first)]
    fragments = [moving, *(actions if scene.bands else []), legend(int(present(clip).any(axis=0).sum()))]
    return Page(scene.title, page(scene.title, *fragments, subtitle=scene.subtitle))
