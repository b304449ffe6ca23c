"""`kineme show`: a drawing of one clip."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from kineme.commands.outputs import hold
from kineme.commands.said import written
from kineme.errors import KinemeError

USAGE = "kineme show [OPTIONS] STORE [CLIP]"
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
    from kineme.commands.bar import progress_bar
    from kineme.showing import check_drawing, find_clip
    from kineme.showing import show as draw

    opened = ClipStore(store)
    if clip is None:
        print(*(f"{row}\t{name}" for row, name in enumerate(opened.names)), sep="\n")
        return
    row = find_clip(opened, clip)
    name = str(opened.names[row])
    path = out or Path(re.sub(r"[^\w.-]+", "-", name) + ".html")
    check_drawing(path)
    hold(path)
    length, suffix = int(opened.index["frames"][row]), path.suffix.lower()
    first, end = frame_range(frames, length)
    if frames is None and length > LONGEST.get(suffix, length):
        end = LONGEST[suffix]
        print(f"{name}: drawing the first {end} of {length} frames; see --frames", file=sys.stderr)
    with progress_bar("drawing") as progress:
        draw(opened, row, path, frames=(first, end), progress=progress)
    written(path)


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
