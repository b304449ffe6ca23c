"""COCO annotations of keypoints: images, annotations and categories, as labelling tools export them.

They are a clip where their images are frames of one video: numbered (`walk_0012.jpg`), with `frame_id`s as in
PoseTrack, or named by times. The category names the joints and has their skeleton; `track_id` tells people
apart. Results of an estimator are a bare list and have no images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import Detections, check_size, renumber, split_columns
from kineme.sources.poses.flat import detections
from kineme.sources.poses.images import frames_of
from kineme.sources.poses.keypoints import integer
from kineme.sources.poses.trees import tree_of
from kineme.sources.raw import RemediedError, shown


def are_annotations(content: Mapping[str, Any]) -> bool:
    """Whether it is COCO's file of annotations."""
    return isinstance(content.get("annotations"), list) and isinstance(content.get("images"), list)


def coco_annotations(content: Mapping[str, Any]) -> Detections:
    """The people of one video. Raises ValueError."""
    images = {
        each.get("id"): each
        for each in content["images"]
        if isinstance(each, dict) and _plain(each.get("id"))
    }
    found = [each for each in content["annotations"] if isinstance(each, dict) and each.get("keypoints")]
    if not found:
        raise RemediedError("has COCO annotations without keypoints", "take those of keypoints")
    if missing := [
        each for each in found if not _plain(each.get("image_id")) or each["image_id"] not in images
    ]:
        raise ValueError(
            f"has an annotation of image {shown(missing[0].get('image_id'))}, which is not listed"
        )
    names, parents = _category(content.get("categories"))
    values = _keypoints(found, len(names))
    names = names if len(names) == values.shape[1] else ()
    number, count, times = _frames([images[each["image_id"]] for each in found])
    order = np.argsort(number, kind="stable")
    who = [each.get("track_id") for each in found]
    tracked = all(isinstance(each, int) and abs(each) < 1 << 62 for each in who)
    points, confidence = split_columns(values[order], scores=True)
    return Detections(
        number[order],
        points,
        confidence,
        count,
        "coco",
        names,
        parents if names else (),
        identity=np.array(who, dtype=np.int64)[order] if tracked else None,
        times=times,
    )


def _plain(value: Any) -> bool:
    return isinstance(value, int | str)


def _frames(images: Sequence[Mapping[str, Any]]) -> tuple[Any, int, Any]:
    if all(isinstance(image.get("frame_id"), int) for image in images):
        frame, count = renumber([image["frame_id"] for image in images])
        return frame, count, None
    try:
        return frames_of([image.get("file_name") for image in images])
    except ValueError as error:
        raise RemediedError(
            "has COCO annotations of separate images, which are no clips", "take those of one video"
        ) from error


def _category(categories: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the joints, and their tree; empty without."""
    first = categories[0] if isinstance(categories, list) and categories else None
    if not isinstance(first, dict) or not isinstance(first.get("keypoints"), list):
        return (), ()
    names = tuple(map(str, first["keypoints"]))
    bones = first.get("skeleton")
    if len(set(names)) < len(names) or not isinstance(bones, list) or not bones:
        return (names if len(set(names)) == len(names) else ()), ()
    pairs = []
    for bone in bones:
        if (
            not isinstance(bone, list)
            or len(bone) != 2
            or not all(isinstance(end, int) and 1 <= end <= len(names) for end in bone)
        ):
            return names, ()
        pairs.append((bone[0] - 1, bone[1] - 1))
    return names, tree_of(len(names), pairs)


def _keypoints(found: Sequence[Mapping[str, Any]], joints: int) -> Any:
    lengths = {len(each["keypoints"]) if isinstance(each["keypoints"], list) else -1 for each in found}
    length = max(lengths)
    if len(lengths) > 1 or length % 3 or (joints and length != 3 * joints):
        expected = f"{3 * joints}" if joints else "three per joint"
        raise ValueError(
            f"its annotations have {' or '.join(map(str, sorted(lengths)[:2]))} numbers; expected {expected}"
        )
    check_size(1, 1, length // 3, 3)
    try:
        values = np.array([each["keypoints"] for each in found], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("its annotations have values that are not numbers") from error
    if values.ndim != 2:
        raise ValueError("its annotations have nested lists; expected numbers")
    return values.reshape(len(found), -1, 3)


def coco_results(entries: list[Any]) -> Detections:
    """Results of COCO-style estimators, AlphaPose among them → the people of one video. Raises ValueError."""
    people, images, who = [], [], []
    for index, entry in enumerate(entries):
        keypoints = entry.get("keypoints") if isinstance(entry, dict) else None
        if not isinstance(keypoints, list):
            lacking = f"entry {index} has no list of 'keypoints'"
            if isinstance(entry, dict) and "bbox" in entry:
                raise RemediedError(f"{lacking}: it is a box", "estimate poses in the boxes")
            raise ValueError(lacking)
        people.append(keypoints)
        images.append(entry.get("image_id"))
        who.append(integer(entry.get("track_id", entry.get("idx"))))
    frame, count, times = frames_of(images)
    order = np.argsort(frame, kind="stable")
    found = detections([people[i] for i in order], frame[order], count, "coco")
    # AlphaPose gives everybody the idx 1 or none where it does not track.
    known = all(each is not None and abs(each) < 1 << 62 for each in who)
    if not known or len({*zip(frame.tolist(), who, strict=True)}) < len(who):
        return replace(found, times=times)
    return replace(found, times=times, identity=np.array(who, dtype=np.int64)[order])
