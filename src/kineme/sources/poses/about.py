"""What a JSON file says about all of its frames: their rate, the size of the image, the names of the joints.

It stands beside the frames, or in an object such as `metadata` or `video_info`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kineme.layouts import LAYOUTS, canonical_joint, named_layout
from kineme.sources.poses.keypoints import by_name

_INSIDE = "meta metadata info video videoinfo imagesize videometadata metainfo".split()
_RATES = ("fps", "framerate", "videofps")
_IMAGES = ("", "image", "img", "frame", "video")  # before width and height
_MMPOSE = {"neck_base": "nose", "left_foot": "left_ankle", "right_foot": "right_ankle"}  # for Human3.6M
_NAMES = "jointnames keypointnames landmarknames keypointid2name joints".split()


def _objects(content: Any, deep: int = 2) -> Iterator[dict[str, Any]]:
    """An object and those in it that describe it, by the plain names of their keys."""
    if isinstance(content, Mapping):
        keys = by_name(content)
        yield keys
        for name in _INSIDE if deep else ():
            yield from _objects(keys.get(name), deep - 1)


def rate_said(content: Any) -> float | None:
    """Frames a second, where an object or what describes it says them."""
    for keys in _objects(content):
        for rate in (keys.get(name) for name in _RATES):
            if isinstance(rate, int | float) and not isinstance(rate, bool):
                return rate
    return None


def names_said(content: Any) -> tuple[str, ...]:
    """Names of the joints, where an object or what describes it lists them; else none."""
    for keys in _objects(content):
        for listed in (keys.get(name) for name in _NAMES):
            if isinstance(listed, Mapping) and set(listed) == {str(at) for at in range(len(listed))}:
                listed = [listed[str(at)] for at in range(len(listed))]  # MMPose numbers them
            if isinstance(listed, list) and listed and all(isinstance(name, str) for name in listed):
                return _usual(listed) if len(set(listed)) == len(listed) else ()
    return ()


def _usual(names: Sequence[str]) -> tuple[str, ...]:
    """Those of Human3.6M where MMPose calls three of them otherwise; others stay."""
    renamed = tuple(_MMPOSE.get(name, name) for name in names)
    return renamed if named_layout(renamed) is LAYOUTS["h36m17"] else tuple(names)


def tell(names: Sequence[str]) -> bool:
    """Whether names say more than a number: they are of a built-in layout, or none has as many joints."""
    words = {canonical_joint(name) for name in names}
    alike = [layout for layout in LAYOUTS.values() if layout.num_joints == len(names)]
    return not alike or any(words == {canonical_joint(each) for each in layout.joints} for layout in alike)


def size_of(content: Any) -> tuple[float, float] | None:
    """Width and height of the image in pixels, where an object or what describes it says them."""
    for keys in _objects(content):
        pair = keys.get("imagesize") or keys.get("resolution")
        sizes = [(keys.get(f"{of}width"), keys.get(f"{of}height")) for of in _IMAGES]
        sizes += [tuple(pair)] if isinstance(pair, list) and len(pair) == 2 else []
        for width, height in sizes:
            if isinstance(width, int | float) and isinstance(height, int | float):
                return (width, height) if 1 < width < 1e5 and 1 < height < 1e5 else None
    return None
