"""Files that people take for poses, and that are none or cannot be read: what they are, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

_ANGLES = ("holds joint angles or forces of OpenSim, not positions", "use the markers' .trc, or export one")
_SCENE = ("is an animated scene", "export its skeleton as .bvh, as Blender does")
_PROJECT = ("is the project of a capture program", "export it from there as .c3d")
_ZED = (
    "is a recording of a ZED camera",
    "export its bodies as JSON, or its video and use kineme prepare video",
)
_ROS = ("is a recording of camera streams", "export its video and use kineme prepare video")
_SHEET = ("is a spreadsheet", "save it as .csv")
_PICKLE = ("is a pickle, which can run code", "save its arrays as .npz, or see kineme prepare pyskl")
_VIDEO = ("is a video", "use kineme prepare video")

FOREIGN: Mapping[str, tuple[str, str]] = {
    ".asf": ("is a skeleton without motion", "give the .amc files that belong to it"),
    ".mot": _ANGLES,
    ".sto": _ANGLES,
    **dict.fromkeys((".fbx", ".glb", ".gltf", ".usd", ".usdz", ".blend"), _SCENE),
    ".vmd": ("is a motion of MikuMikuDance, without its skeleton", "export it from Blender as .bvh"),
    **dict.fromkeys((".tak", ".qtm", ".x1d", ".x2d", ".mcp"), _PROJECT),
    ".mvn": ("is the project of a capture program", "export it from MVN as .mvnx"),
    **dict.fromkeys((".svo", ".svo2"), _ZED),
    **dict.fromkeys((".bag", ".db3", ".mcap"), _ROS),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _SHEET),
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth"), _PICKLE),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm"), _VIDEO),
}
"""Suffix → what such a file is, and the remedy."""
