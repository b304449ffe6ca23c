"""Annotation pickles of pyskl and MMAction2, of skeletons in three dimensions or two.

A dict of `annotations`, one per clip, and `split`, names of lists (`xsub_train`, `xsub_val`) → clips' names;
or only the list of annotations, in older files. An annotation has:

    frame_dir       name of the clip
    label           class, counted from 0
    keypoint        (M, T, 25, 3), Kinect v2's joints in metres, y up; or (M, T, 17, 2), COCO's in pixels
    keypoint_score  (M, T, 17), the estimator's confidence, in two dimensions
    img_shape       (height, width) in pixels, in two dimensions
    total_frames    T

Two-dimensional joints become image heights relative to the centre of the image, y up, z = 0. A body whose
joints are all zero is absent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.store import UNLABELLED, Clip
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.sources import Source
from kineme.sources.names import name_classes, ntu_columns
from kineme.sources.raw import FETCH, MAX_METRES, RawFile, find_files
from kineme.sources.unpickle import read_pickle
from kineme.typing import Array

_LAYOUTS = {(25, 3): "ntu25", (17, 2): "coco17"}
_SPLIT = re.compile(r"(?:([\w-]{1,40})_)?(train|val|test)(\d{0,3})", re.ASCII)
_MAX_PIXELS = 1e6


def open_pyskl(raw: Path) -> Source:
    """The clips of an annotation pickle, in its order.

    Everything but the coordinates is checked here. The pickle cannot run code: see `unpickle`.

    Args:
        raw: the .pkl file, or a folder or zip with one.

    Raises:
        KinemeError: there is no such file or several, it contains more than data, or malformed annotations;
            the message names the annotation.
    """
    files = find_files(raw, ".pkl", ".pickle")
    if len(files) != 1:
        found = f"{len(files)} pickles; name one of them" if files else "no annotation pickle (.pkl)"
        raise KinemeError(f"{raw}: contains {found}")
    (file,) = files
    data = read_pickle(file)
    data = {"annotations": data} if isinstance(data, list) else data
    if not isinstance(data, dict) or not isinstance(data.get("annotations"), list) or not data["annotations"]:
        raise file.error("has no list of 'annotations', or an empty one", FETCH)
    annotations = data["annotations"]
    names = [_check(file, number, annotation) for number, annotation in enumerate(annotations)]
    shapes = {annotation["keypoint"].shape[2:] for annotation in annotations}
    if len(shapes) > 1:
        raise file.error(f"mixes skeletons of {' and '.join(map(str, sorted(shapes)))}", FETCH)
    if len(set(names)) != len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise file.error(f"two annotations have the 'frame_dir' {twice!r}", FETCH)
    labels = [int(annotation.get("label", UNLABELLED)) for annotation in annotations]
    try:
        class_names = name_classes(names, labels)
    except ValueError as error:
        raise file.error(str(error), FETCH) from error
    splits = _splits(file, data.get("split", {}))
    flat = shapes == {(17, 2)}
    return Source(
        name="pyskl",
        layout=get_layout(_LAYOUTS[shapes.pop()]),
        class_names=class_names,
        fps=30.0,
        fps_known=False,
        bodies=max(1, *(len(annotation["keypoint"]) for annotation in annotations)),
        names=names,
        items=[
            (annotation, {split: trains[name] for split, trains in splits.items() if name in trains})
            for name, annotation in zip(names, annotations, strict=True)
        ],
        read=partial(_read, file),
        confidence=flat and any("keypoint_score" in annotation for annotation in annotations),
        units="image heights" if flat else "metres",
    )


def _check(file: RawFile, number: int, annotation: Any) -> str:
    """Refuses malformed annotations; returns the name."""

    def refuse(reason: str) -> KinemeError:
        return file.error(f"annotation {number}: {reason}", FETCH)

    if not isinstance(annotation, dict) or not {"frame_dir", "keypoint"} <= annotation.keys():
        raise refuse("lacks 'frame_dir' or 'keypoint'")
    name, keypoint = annotation["frame_dir"], annotation["keypoint"]
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 300:
        raise refuse("'frame_dir' is not a name")
    if not _is_array(keypoint, 4) or keypoint.shape[2:] not in _LAYOUTS:
        raise refuse(f"'keypoint' is {_described(keypoint)}; expected numbers (M, T, 25, 3) or (M, T, 17, 2)")
    if not _is_integer(annotation.get("label", UNLABELLED)):
        raise refuse("'label' is not a class number")
    if keypoint.shape[-1] == 2:
        score, size = annotation.get("keypoint_score"), annotation.get("img_shape")
        if score is not None and (not _is_array(score, 3) or score.shape != keypoint.shape[:3]):
            expected = f"{keypoint.shape[:3]}, like 'keypoint'"
            raise refuse(f"'keypoint_score' is {_described(score)}; expected {expected}")
        if not isinstance(size, tuple | list) or len(size) < 2 or not all(map(_is_length, size[:2])):
            raise refuse("'img_shape' is not the height and width of an image")
    return name


def _read(file: RawFile, item: tuple[Mapping[str, Any], Mapping[str, bool]]) -> Clip:
    """An annotation and its part in each split → its clip.

    Raises:
        KinemeError: it has no frames or another number than it says, or invalid coordinates.
    """
    annotation, splits = item
    name, keypoint = annotation["frame_dir"], annotation["keypoint"]
    frames = keypoint.shape[1]

    def refuse(reason: str) -> KinemeError:
        return file.error(f"{name}: {reason}")

    if frames == 0 or len(keypoint) == 0:
        raise refuse("has no frames or no bodies")
    total = annotation.get("total_frames", frames)
    if not _is_integer(total) or total != frames:
        raise refuse(f"'keypoint' has {frames} frames, which is not 'total_frames'")
    xyz = keypoint.swapaxes(0, 1).astype(np.float32)
    flat = xyz.shape[-1] == 2
    if not (np.abs(xyz) < (_MAX_PIXELS if flat else MAX_METRES)).all():  # False for NaN too
        raise refuse("'keypoint' contains invalid coordinates")
    score = annotation.get("keypoint_score") if flat else None
    return Clip(
        name=name,
        xyz=_centred(xyz, *annotation["img_shape"][:2]) if flat else xyz,
        label=int(annotation.get("label", UNLABELLED)),
        splits=splits,
        confidence=None if score is None else _as_confidence(score.swapaxes(0, 1)),
        **ntu_columns(name),
    )


def _centred(pixels: Array, height: int, width: int) -> Array:
    """(T, M, V, 2) pixels, y down → (T, M, V, 3) in image heights from the centre of the image, y up."""
    present = pixels.any(axis=(2, 3), keepdims=True)
    x, y = np.moveaxis(pixels, -1, 0)
    xyz = np.stack([x - width / 2, height / 2 - y, np.zeros_like(x)], axis=-1) / height
    return np.where(present, xyz, 0).astype(np.float32)


def _as_confidence(score: Array) -> Array:
    """Peaks of heatmaps, which may slightly exceed 1, as confidences."""
    return np.clip(np.nan_to_num(score.astype(np.float32), nan=0), 0, 1)


def _splits(file: RawFile, lists: Any) -> dict[str, dict[str, bool]]:
    """Split → name of clip → whether it trains.

    `xsub_train` and `xsub_val` are `xsub`; `train` and `val` are `published`, `train1` and `test1`
    `published1`. If there are `val` and `test`, clips of `val` are in neither part. Other lists are ignored.
    """
    parts: dict[str, dict[str, Sequence[Any]]] = {}
    for key, names in lists.items() if isinstance(lists, dict) else ():
        match = _SPLIT.fullmatch(key) if isinstance(key, str) else None
        if match is None:
            continue
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise file.error(f"the split {key!r} is not a list of clips' names", FETCH)
        parts.setdefault((match[1] or "published") + match[3], {})[match[2]] = names
    splits = {}
    for split, lists_of in parts.items():
        trains, tests = lists_of.get("train", ()), lists_of.get("test", lists_of.get("val", ()))
        if both := set(trains).intersection(tests):
            raise file.error(f"{min(both)!r} is in both parts of the split {split!r}", FETCH)
        splits[split] = dict.fromkeys(trains, True) | dict.fromkeys(tests, False)
    return splits


def _is_array(value: Any, axes: int) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == axes and value.dtype.kind in "fiu"


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_length(value: Any) -> bool:
    return _is_integer(value) and 0 < value < _MAX_PIXELS


def _described(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
