"""A clip store in another layout, to measure an encoder on joints it was not trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.clips.absent import carried, retargeted
from kineme.clips.store import Clip, ClipStore
from kineme.layouts import Layout
from kineme.layouts.correspondence import JointMap, correspondence


class RetargetedStore(ClipStore):
    """The clips of a store with the joints of another layout, in memory.

    The store's preprocessing is applied again, in the new layout, so that clips are centred, turned and
    scaled by their new joints. `plain` undoes position, heading and size, and every joint is a weighted mean
    of others, so the result is what preparing recordings of the new layout would have given. (Scale makes
    this necessary: the mean bone of HDM05's 31 joints is 17 cm, and 25 cm with Kinect's 20.) `agcn` and
    `crossclr` turn a body by its pose, so there the angles differ, though they are as valid.

    Attributes:
        original: the store.
        joint_map: joint → joints of the store and their weights in its sum.
    """

    original: ClipStore
    joint_map: Mapping[str, Mapping[str, float]]

    def __init__(self, store: ClipStore, layout: Layout, joint_map: JointMap | None = None) -> None:
        """Maps all clips of a store; the columns are shared.

        Args:
            store: the clips.
            layout: their new joints.
            joint_map: joint of `layout` → joints of the store; overrides the names.

        Raises:
            KinemeError: a joint of the layout cannot be placed.
        """
        # Nothing is opened, so ClipStore's own __init__ is not called.
        vars(self).update(vars(store))
        self.original = store
        weights = correspondence(store.layout, layout, joint_map)
        self.joint_map = {
            joint: {store.layout.joints[i]: round(float(row[i]), 6) for i in np.flatnonzero(row)}
            for joint, row in zip(layout.joints, weights, strict=True)
        }
        manifest = store.manifest
        self.frames = np.zeros((*store.frames.shape[:2], layout.num_joints, 3), dtype=np.float32)
        self.present = None if store.present is None else carried(store.present, weights)
        for row in range(len(store)):
            clip = Clip(str(store.names[row]), store.clip(row), present=store.clip_present(row))
            xyz = retargeted(clip, weights, manifest.preprocessing, layout).xyz
            self.clip(row)[:, : xyz.shape[1]] = xyz
        self.confidence = None  # that of the old joints
        self.manifest = replace(
            manifest, layout=layout, fingerprint=_fingerprint(manifest.fingerprint, layout, weights)
        )


def _fingerprint(store: str, layout: Layout, weights: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{store} {json.dumps(layout.to_dict())}".encode())
    digest.update(weights.tobytes())
    return digest.hexdigest()
