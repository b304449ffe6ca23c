"""A file or folder of recordings of any kind: containers, videos, poses."""

from __future__ import annotations

from pathlib import Path

from kineme.layouts import Layout
from kineme.sources import Source
from kineme.sources.container import is_container, open_container
from kineme.sources.measure import Measured, measured, remark_on_height
from kineme.sources.poses import UnknownLayoutError, open_poses
from kineme.sources.reading import Reading, check_no_effect
from kineme.sources.video import are_videos, open_video


def open_recordings(path: Path, reading: Reading, target: Layout) -> Source:
    """A file or folder of recordings: an .npz container, videos, or poses.

    Where their joints are of no known layout, such as markers, `joint_map` places those of `target` among
    them.

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
    except UnknownLayoutError:
        if "joint_map" not in reading:
            raise
        source = open_poses(path, **placed)
    first = measured(source, source.items)
    if isinstance(first, Measured):
        remark_on_height(source, first, units=True)
    return source
