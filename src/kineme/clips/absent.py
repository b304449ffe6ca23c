"""Joints that were never recorded, from raw clips to preprocessed ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kineme.clips.store import Clip
from kineme.layouts import Layout
from kineme.preprocessing import Preprocessing
from kineme.typing import Array


def told(clip: Clip, layout: Layout) -> Clip:
    """A raw clip with `present` set: as its source says, else false for joints that are always zero.

    A joint that others are relative to is zero too, so the root and the joints of the origin do not count.

    >>> hand = Layout.from_names("hand", ["wrist", "thumb", "tip"], [None, "wrist", "wrist"])
    >>> xyz = np.array([[[[0.0, 0, 0], [0, 0, 0], [0, 1, 0]]]])
    >>> told(Clip("point", xyz), hand).present
    array([ True, False,  True])
    """
    if clip.present is not None:
        return clip
    present: Array = np.any(clip.xyz, axis=(0, 1, 3))
    if not present.any():
        return clip  # nobody is there
    present[[layout.root, *layout.origin]] = True
    return clip if present.all() else replace(clip, present=present)


def preprocessed(clip: Clip, preprocessing: Preprocessing, layout: Layout) -> Clip:
    """The preprocessed clip; the preprocessing sees absent joints placed at their neighbours.

    Raises:
        KinemeError: as of the preprocessing; the message does not name the clip.
    """
    xyz = clip.xyz
    if clip.present is not None:
        from kineme.augment.missing import filled_frames  # with PyTorch, which most clips do not need

        xyz = filled_frames(xyz, clip.present, layout)
    return replace(clip, xyz=preprocessing(xyz, layout, clip.present))


def carried(present: Array, weights: Array) -> Array:
    """Present joints (..., V) of one layout → present joints (..., V') of another.

    A joint is present if all joints that it is computed from are present; see the rows of `weights` (V', V).

    >>> weights = np.array([[1.0, 0.0], [0.5, 0.5]])  # a joint of the first, one between the two
    >>> carried(np.array([[True, False], [True, True]]), weights).tolist()
    [[True, False], [True, True]]
    """
    lacking: Array = ~present @ (weights != 0).T
    return ~lacking
