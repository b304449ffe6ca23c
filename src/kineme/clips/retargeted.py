"""A clip store in another layout, to measure an encoder on joints it was not trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.clips.absent import carried, preprocessed
from kineme.clips.store import Clip, ClipStore, present_rows
from kineme.layouts import Layout
from kineme.layouts.body import BODY, body_weights
from kineme.layouts.correspondence import JointMap, correspondence
from kineme.preprocessing import Preprocessing
from kineme.typing import Array


class Retargeting:
    """Converts clips of one layout to another.

    To `body`, the layout of the whole body, any layout can be brought: joints keep their places, and what a
    layout has no joint for is absent. All joints of other layouts have to be placed.

    Their preprocessing is applied again, in the new layout, so that clips are centred, turned and scaled by
    their new joints. `plain` undoes position, heading and size, and every joint is a weighted mean
    of others, so the result is what preparing recordings of the new layout would have given. (Scale makes
    this necessary: the mean bone of HDM05's 31 joints is 17 cm, and 25 cm with Kinect's 20.) `agcn` and
    `crossclr` turn a body by its pose, so there the angles differ, though they are as valid.

    Attributes:
        weights: (V', V) float32, of each new joint in terms of the old ones; zero where none tells its place.
        own: (V',) bool, which new joints are in their place; the others are absent.
        placed: (V',) bool, which new joints the old ones place at all.
    """

    def __init__(self, source: Layout, target: Layout, joint_map: JointMap | None = None) -> None:
        """Matches the joints.

        Args:
            source: layout of the clips.
            target: the new one.
            joint_map: joint of `target` → joints of `source` whose mean it is; overrides the names.

        Raises:
            KinemeError: a joint cannot be placed, or the map names an unknown joint.
        """
        self.source, self.layout = source, target
        if target == BODY:
            self.weights, self.own, self.placed = body_weights(source, joint_map)
        else:
            self.weights = correspondence(source, target, joint_map)
            self.own = self.placed = np.ones(target.num_joints, dtype=bool)

    def __call__(self, clip: Clip, preprocessing: Preprocessing) -> Clip:
        """A preprocessed clip with the new joints, preprocessed again."""
        given = np.ones(clip.xyz.shape[2], dtype=bool) if clip.present is None else clip.present
        there = carried(given, self.weights)
        xyz = self._lifted(clip.xyz, preprocessing) if preprocessing.keeps_zeros else clip.xyz
        moved = replace(clip, xyz=self.weights @ xyz, present=there & self.placed)
        own = there & self.own
        return replace(preprocessed(moved, preprocessing, self.layout), present=None if own.all() else own)

    def _lifted(self, xyz: Array, preprocessing: Preprocessing) -> Array:
        """Joints (T, M, V, C) away from the origin, where the preprocessing takes them for missing ones."""
        there: Array = np.any(xyz, axis=3)
        joint = preprocessing.joint_at_zero(self.source)
        if joint is not None:
            there[:, 0, joint] = there[:, 0].any(axis=1)
        return np.where(there[..., None], xyz + np.float32(1), np.float32(0))


class RetargetedStore(ClipStore):
    """The clips of a store with the joints of another layout, in memory; see `Retargeting`.

    Attributes:
        original: the store.
        retargeting: of each of its clips.
        joint_map: joint → joints of the store and their weights in its sum.
    """

    original: ClipStore
    retargeting: Retargeting
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
        retargeting = self.retargeting = Retargeting(store.layout, layout, joint_map)
        self.joint_map = {
            joint: {store.layout.joints[i]: round(float(row[i]), 6) for i in np.flatnonzero(row)}
            for joint, row in zip(layout.joints, retargeting.weights, strict=True)
        }
        manifest = store.manifest
        self.frames = np.zeros((*store.frames.shape[:2], layout.num_joints, 3), dtype=np.float32)
        present = []
        for row in range(len(store)):
            clip = Clip(str(store.names[row]), store.clip(row), present=store.clip_present(row))
            clip = retargeting(clip, manifest.preprocessing)
            self.clip(row)[:, : clip.xyz.shape[1]] = clip.xyz
            present.append(clip.present)
        self.present = present_rows(present, layout.num_joints)
        self.shards = ()
        self.confidence = None  # that of the old joints
        self.manifest = replace(
            manifest,
            layout=layout,
            fingerprint=_fingerprint(manifest.fingerprint, layout, retargeting.weights),
        )


def retargeted_fingerprint(store: ClipStore, layout: Layout) -> str:
    """That of `RetargetedStore(store, layout)`, without mapping the clips.

    Raises:
        KinemeError: a joint of the layout cannot be placed.
    """
    return _fingerprint(store.manifest.fingerprint, layout, Retargeting(store.layout, layout).weights)


def _fingerprint(store: str, layout: Layout, weights: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{store} {json.dumps(layout.to_dict())}".encode())
    digest.update(weights.tobytes())
    return digest.hexdigest()
