"""A clip store seen in another layout, so that an encoder can be measured on joints it was not trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.clips.store import ClipStore
from kineme.layouts import Layout
from kineme.layouts.correspondence import JointMap, correspondence


class RetargetedStore(ClipStore):
    """The clips of a store with the joints of another layout, in memory.

    The store's preprocessing is applied once more, in the new layout: a clip that was centred, turned and
    scaled by the joints that it had is now so by those that it has got. What `plain` gives does not depend
    on where a clip stood before, how it was turned about the vertical and how large it was, and every joint
    is a weighted mean of others; so this is what preparing recordings of the new layout would have given.
    (Scale is the reason: the mean bone of HDM05's 31 joints is 17 cm long, and 25 cm when the people have
    Kinect's 20.) Of `agcn` and `crossclr`, whose turns depend on how a body stood, it is so in all but
    their angles, which are as true to the preprocessing.

    Attributes:
        joint_map: joint → joints of the store and their weights, of which it is the sum.
    """

    joint_map: Mapping[str, Mapping[str, float]]

    def __init__(self, store: ClipStore, layout: Layout, joint_map: JointMap | None = None) -> None:
        """Maps all clips of a store; all its columns are shared.

        Args:
            store: the clips there are.
            layout: the joints that they get.
            joint_map: joint of `layout` → joints of the store, where their names do not tell.

        Raises:
            KinemeError: a joint of the layout cannot be placed.
        """
        # It has all that a store has; but nothing is opened, so ClipStore's own __init__ is not called.
        vars(self).update(vars(store))
        weights = correspondence(store.layout, layout, joint_map)
        self.joint_map = {
            joint: {store.layout.joints[i]: round(float(row[i]), 6) for i in np.flatnonzero(row)}
            for joint, row in zip(layout.joints, weights, strict=True)
        }
        manifest = store.manifest
        self.frames = np.zeros((*store.frames.shape[:2], layout.num_joints, 3), dtype=np.float32)
        for row in range(len(store)):
            xyz = manifest.preprocessing(weights @ store.clip(row), layout)
            self.clip(row)[:, : xyz.shape[1]] = xyz
        self.confidence = None  # of joints that there are no more
        self.manifest = replace(
            manifest, layout=layout, fingerprint=_fingerprint(manifest.fingerprint, layout, weights)
        )


def _fingerprint(store: str, layout: Layout, weights: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{store} {json.dumps(layout.to_dict())}".encode())
    digest.update(weights.tobytes())
    return digest.hexdigest()
