"""A file or folder of recordings of any kind: containers, videos, poses."""

from __future__ import annotations

from pathlib import Path

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.sources import Source
from kineme.sources.container import is_container, open_container
from kineme.sources.measure import Measured, measured, remark_on_height
from kineme.sources.poses import UnknownLayoutError, open_poses
from kineme.sources.reading import Reading, check_no_effect
from kineme.sources.video import are_videos, open_video


def open_recordings(path: Path, reading: Reading, target: Layout) -> Source:
    """A file or folder of recordings: an .npz container, videos, or poses.

    Where their joints are of no known layout, such as markers, `joint_map` places those of `target` among
    them, or they are those of `target` itself, if that came from a layout file.

    Raises:
        KinemeError: as they do, or an option has no effect.
    """
    if path.suffix == ".npz" and is_container(path):
        check_no_effect(reading, "a container, which describes itself")
        return open_container(path)
    if are_videos(path):
        check_no_effect(reading, "a video", but=("joint_map", "fps"))
        return open_video(path, fps=reading.get("fps"))
    unmapped, placed = reading.copy(), reading.copy()
    unmapped["joint_map"], placed["layout"] = None, target
    try:
        source = open_poses(path, **unmapped)
    except UnknownLayoutError as unknown:
        if "joint_map" in reading:
            source = open_poses(path, **placed)
        elif target.name not in LAYOUTS:
            source = _of_own_layout(path, placed, unknown)
        else:
            raise
    first = measured(source, source.items)
    if isinstance(first, Measured):
        remark_on_height(source, first, units=True)
    return source


def _of_own_layout(path: Path, reading: Reading, unknown: UnknownLayoutError) -> Source:
    """Recordings like those that a model was trained on, whose layout nobody has to name again."""
    try:
        return open_poses(path, **reading)
    except KinemeError:
        raise unknown from None
