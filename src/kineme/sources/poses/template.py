"""A layout file to start from, made from your own recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kineme.layouts import Layout, named_layout
from kineme.sources.poses.files import first_poses
from kineme.sources.poses.formats import Told
from kineme.sources.poses.recordings import find_recordings
from kineme.sources.poses.trees import guessed_tree


def layout_template(raw: Path, told: Told) -> Layout:
    """The joints of the first recording, with the tree of its file, of a built-in layout, or a guess at one.

    Without a tree, joints with the names of a built-in layout have its tree. Otherwise those joints are
    linked whose distance changes least over the recording, as along a bone, and among equals the near ones
    (a minimum spanning tree). The guess is to be looked over.

    Args:
        raw: file or folder of recordings.
        told: as for `open_poses`.

    Raises:
        KinemeError: there is no recording that can be read.
    """
    poses = first_poses(find_recordings(raw, 30.0)[0], told)
    joints = poses.joints or tuple(f"joint_{number}" for number in range(poses.points.shape[2]))
    name = raw.resolve().stem
    if not poses.parents and (known := named_layout(joints)):
        return replace(known, name=name)
    parents = poses.parents or guessed_tree(poses, joints)
    return Layout.from_names(name, joints, [None if parent == -1 else joints[parent] for parent in parents])
