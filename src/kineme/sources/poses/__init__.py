"""People's own pose data: files of one clip, and what pose estimators write.

finding.py        which files make a clip, and its class
arrays.py, tables.py, documents.py    NumPy, CSV and JSON: what may stand in them
tracking.py       people found in each frame → bodies that keep their places
coordinates.py    y up, in metres or in sizes that can be compared
gaps.py           joints and bodies that were not found for a while
reading.py        all of these, one after another
"""

from __future__ import annotations

from pathlib import Path

from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.preprocessing import MAX_BODIES
from kineme.sources import Source
from kineme.sources.poses.coordinates import coordinates_of, image_size
from kineme.sources.poses.finding import find_recordings
from kineme.sources.poses.reading import Reader, first_poses

_FPS = 30.0  # where neither the user nor a file says


def open_poses(
    raw: Path,
    *,
    layout: str | None = None,
    fps: float | None = None,
    axes: str | None = None,
    units: str | None = None,
    image: str | None = None,
    scores: bool = False,
) -> Source:
    """The clips of a folder, zip or file of poses, in order of name.

    Where the options do not say, layout and coordinates are judged by the first clip that can be read; the
    others must be alike.

    Args:
        raw: where the files lie.
        layout: built-in name or layout file; by default what the files tell without doubt.
        fps: frames a second; by default what the files tell, else 30.
        axes: `y-up`, `y-down` or `z-up`; by default y-up in three dimensions, y-down in two and
            for MediaPipe.
        units: `m`, `cm` or `mm`, of three dimensions; by default m.
        image: width and height such as `1920x1080`, of poses in an image.
        scores: the last of three numbers is a confidence and not z, in arrays and tables without a header.

    Raises:
        KinemeError: there are no poses, no clip can be read, the files do not tell the layout, or an option
            is no such thing or makes no sense for these poses.
    """
    if fps is not None and not 0 < fps < 1e4:
        raise KinemeError(f"--fps {fps}: write frames a second, such as 30")
    size = image_size(image) if image is not None else None
    named = get_layout(layout) if layout is not None else None
    recordings, classes, rate = find_recordings(raw, fps)
    first, joints = first_poses(recordings, scores, named)
    coordinates = coordinates_of(first, joints, axes, units, size)
    rate = rate or _FPS
    return Source(
        name=raw.resolve().stem,
        layout=joints,
        class_names=classes,
        fps=rate,
        bodies=MAX_BODIES,
        names=[recording.name for recording in recordings],
        items=recordings,
        read=Reader(joints, rate, coordinates, first.points.shape[-1], scores),
        costly=True,
        confidence=first.confidence is not None,
        units=coordinates.units,
    )
