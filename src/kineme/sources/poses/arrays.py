"""Poses in memory, how large they may be, and NumPy files of one clip.

A NumPy file is a `.npy`, or an `.npz` with `xyz` (or `keypoints`) and optionally `confidence`, `label`,
`subject` and `fps`. Headers are checked before arrays are built: one that claims more numbers than the file
has bytes, or than a clip can have, is refused, and so is a pickle.
"""

from __future__ import annotations

import io
import logging
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from kineme.layouts import MAX_JOINTS
from kineme.sources.poses import holistic
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array
from kineme.untrusted import read_header

logger = logging.getLogger(__name__)

MAX_FRAMES = 1_000_000  # of a clip that is held: nine hours at 30 a second
MOST_FRAMES = 10_000_000  # of one that is read in stretches: four days at 30 a second
SPARSE = 100_000  # frames of which any number may be missing; of more, 99 in a hundred
MAX_PEOPLE = 100  # in a frame
CROWD = 10  # more people who are all there in every frame are rather the frames of several clips
MAX_NUMBERS = 1 << 27  # coordinates of one clip: a million frames of 33 joints with confidences
MAX_COORDINATE = 1e6
MAX_ARRAY_BYTES = 8 * MAX_NUMBERS + (1 << 16)
KEYS = ("xyz", "keypoints")
UNFOLDED = 1 << 26  # bytes to which arrays may always unfold,
FOLDED = 100  # and how many times their packed size beyond; of measured motion it is two or three times
_LISTED = 12  # arrays named in a message
_FEATURES = {263: "HumanML3D", 251: "KIT-ML"}  # numbers a frame in new_joint_vecs
_SHORTER = "cut it into shorter clips"
NOTES = ("label", "subject", "fps")


@dataclass(frozen=True)
class Poses:
    """People with a fixed place each: from clip files, or after tracking.

    Attributes:
        points: (T, M, V, C) float32, C 2 or 3, NaN where a joint was not found.
        confidence: (T, M, V) float32, 0 to 1; None if unknown.
        joints: names in the order of V; empty if unknown.
        program: that wrote the file, such as `openpose`; empty if unknown.
        parents: of `joints`, -1 for the root; empty if the file has no tree.
        scale: metres per unit of the coordinates; None if the file does not say.
        axes: which way is up, such as `y-up`, or `STANDING`; None where the format leaves it open.
        times: (T,) seconds, ascending, where the file has them.
        unread: names of a table's columns that are not read.

    >>> points = np.zeros((40, 1, 2, 3), dtype=np.float32)
    >>> Poses(points, None, joints=("left_foot", "right_foot"), scale=0.001, axes="y-up").joints
    ('left_foot', 'right_foot')
    """

    points: Array
    confidence: Array | None
    joints: tuple[str, ...] = ()
    program: str = ""
    parents: tuple[int, ...] = ()
    scale: float | None = None
    axes: str | None = None
    times: Array | None = None
    unread: tuple[str, ...] = ()


STANDING = "standing"
"""Files of the format have y or z up and do not say which: the body tells."""


@dataclass(frozen=True)
class Detections:
    """People found in each frame, without identities across frames.

    Attributes:
        frame: (D,) int64, the frame of each detection, from 0, ascending.
        points: (D, V, C) float32, NaN where a joint was not found.
        confidence: (D, V) float32, 0 to 1; None if unknown.
        frames: T, frames with or without people.
        program, joints, parents, scale, axes: as in `Poses`.
        identity: (D,) int64, who each detection is, where the file says it.
        times: (T,) as in `Poses`.
        places: (D, V, C') where people are, if points are relative to each person.

    >>> two = np.random.rand(2, 17, 2).astype(np.float32)  # in the first frame of three
    >>> Detections(np.zeros(2, np.int64), two, None, frames=3, program="").where.shape
    (2, 17, 2)
    """

    frame: Array
    points: Array
    confidence: Array | None
    frames: int
    program: str
    joints: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    identity: Array | None = None
    scale: float | None = None
    axes: str | None = None
    times: Array | None = None
    places: Array | None = None

    @property
    def where(self) -> Array:
        """(D, V, C') that people are tracked by."""
        return self.points if self.places is None else self.places


def npy_poses(data: bytes, scores: bool) -> Poses:
    """The bytes of a .npy file → its clip.

    Raises:
        ValueError: they are not a .npy file, or the array is not a clip.
    """
    return array_poses(_load_npy(io.BytesIO(data)), None, scores)


def npz_poses(data: bytes, scores: bool) -> Poses:
    """The bytes of an .npz file → its clip. Raises ValueError as `npy_poses`."""
    arrays = load_npz(data, (*KEYS, "confidence"))
    key = next((key for key in KEYS if key in arrays), None)
    if key is None:
        lacking = f"lacks the array {KEYS[0]!r} (or {KEYS[1]!r}); it has {_contents(data)}"
        raise RemediedError(lacking, "call that of the joints so")
    return array_poses(arrays[key], arrays.get("confidence"), scores)


def _contents(data: bytes) -> str:
    """Names and shapes of the arrays of an .npz file."""
    found = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.namelist()[:_LISTED]:
            try:
                with archive.open(member) as entry:
                    shape, _, dtype = read_header(io.BytesIO(entry.read(1 << 12)))
                found.append(f"{member.removesuffix('.npy')} {dtype} {shape}")
            except Exception:  # damaged archives may raise anything
                found.append(member)
        found = [each if each.isprintable() else shown(each) for each in found]
        more = ", ..." if len(archive.namelist()) > _LISTED else ""
    return f"{', '.join(found)}{more}"[:400] if found else "no arrays"


def npz_notes(data: bytes) -> dict[str, Any]:
    """Label, subject and fps of an .npz file, if given. Raises ValueError as `npy_poses`."""
    return {name: array.item() for name, array in load_npz(data, NOTES).items() if array.size == 1}


def array_poses(values: Array, confidence: Array | None, scores: bool) -> Poses:
    """(T, V, 2 to 4) or (T, M, V, 2 to 4) numbers → the clip.

    Raises:
        ValueError: another shape, not numbers, too many, or infinite ones.
    """
    if values.ndim == 2 and (body := holistic.body_of_row(values.shape[1])):
        values = values[:, :body].reshape(len(values), -1, 4)
    if values.dtype.kind not in "fiu" or values.ndim not in (3, 4):
        expected = "expected numbers, (frames, joints, 2 or 3) or (frames, people, joints, 2 or 3)"
        rows = values.ndim == 2 and values.shape[1] % 3 == 0
        remedy = "reshape it, as by array.reshape(len(array), -1, 3)" if rows else "save it so"
        if values.ndim == 2 and values.shape[1] in _FEATURES:
            remedy = f"these are features of {_FEATURES[values.shape[1]]}: take the arrays in new_joints"
        raise RemediedError(f"is {values.dtype.name} of shape {values.shape}; {expected}", remedy)
    values = values if values.ndim == 4 else values[:, None]
    if confidence is None and (those := holistic.body_of(values.shape[2])):
        values = values[:, :, those]
    check_size(*values.shape)
    points, last = split_columns(values, scores)
    if confidence is not None:
        if confidence.dtype.kind not in "fiub":
            raise ValueError(f"'confidence' is {confidence.dtype.name}; expected numbers")
        if confidence.size != points[..., 0].size or confidence.shape[0] != len(points):
            expected = f"expected a number per joint, {points.shape[:-1]}"
            raise ValueError(f"'confidence' has shape {confidence.shape}; {expected}")
        last = _as_confidence(confidence.reshape(points.shape[:-1]))
        points = _without_unseen(points, last)
    check_one_clip(points)
    return Poses(points, last)


def check_one_clip(points: Array) -> None:
    """Refuses clips in one array, (N, T, V, C), which would pass for one clip of N frames and T people.

    Raises:
        ValueError: more than `CROWD` people are in every frame.
    """
    if points.shape[1] > CROWD and np.isfinite(points[..., 0]).any(axis=2).all():
        raise RemediedError(
            f"has {points.shape[1]} people in each of {len(points)} frames",
            f"if these are {len(points)} clips, give each an array or a file of its own, as by list(array)",
        )


class _RefusedError(ValueError):
    """An array that is no clip's."""


def load_npz(data: bytes, names: tuple[str, ...]) -> Mapping[str, Array]:
    """Those of the named arrays that exist; others are not decompressed.

    Raises:
        ValueError: the archive is damaged, or would unfold to far more than a clip of its size has.
    """
    members = {f"{name}.npy": name for name in names}
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [each for each in archive.infolist() if each.filename in members]
            size, packed = sum(each.file_size for each in found), sum(each.compress_size for each in found)
            if size > max(UNFOLDED, FOLDED * min(packed, len(data))):
                raise RemediedError(
                    f"has {len(data):,} bytes and unfolds to {size:,}, which hardly any motion does",
                    "if it is right, save it by numpy.savez, which does not compress",
                )
            for member in found:
                with archive.open(member) as entry:
                    arrays[members[member.filename]] = _load_npy(entry)
    except (_RefusedError, RemediedError):
        raise
    except Exception as error:  # damaged archives may raise anything
        raise ValueError("is a damaged .npz file") from error
    return arrays


def _load_npy(stream: IO[bytes]) -> Array:
    """The array of a .npy file, if it has as many numbers as it claims. No more than that is read."""
    try:
        shape, fortran, dtype = read_header(stream)
    except ValueError as error:
        raise _RefusedError(str(error)) from error
    if dtype.hasobject:
        raise RemediedError("contains Python objects, which are never loaded", "save an array of numbers")
    count = math.prod(shape)
    if count * dtype.itemsize > MAX_ARRAY_BYTES or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise _RefusedError(f"claims the shape {shown(shape)}, which no clip has")
    data = stream.read(count * dtype.itemsize + 1)
    if count * dtype.itemsize != len(data):
        raise _RefusedError(f"claims the shape {shown(shape)} and has another size; it is cut off or damaged")
    return np.frombuffer(data, dtype, count).reshape(shape, order="F" if fortran else "C")


def split_columns(values: Array, scores: bool) -> tuple[Array, Array | None]:
    """(..., V, 2 to 4) numbers of a file → (..., V, C) points and (..., V) confidences.

    Four columns are x, y, z and a confidence; of three, the last is a confidence if `scores` is set. Joints
    with confidence 0 were not found, nor were joints at (0, 0) in two dimensions, or any joint of a body that
    is zero throughout. They become NaN.

    Raises:
        ValueError: coordinates are infinite or beyond a million.
    """
    columns = values.shape[-1]
    last = columns == 4 or (columns == 3 and scores)
    points = values[..., : columns - last]
    confidence = _as_confidence(values[..., -1]) if last else None
    return _without_unseen(points, confidence), confidence


def _without_unseen(points: Array, confidence: Array | None) -> Array:
    """(..., V, C) points with NaN for joints that were not found, see `split_columns`."""
    points = points.astype(np.result_type(points, np.float32), copy=False)  # 16 bits end before the limit
    if ((points > MAX_COORDINATE) | (points < -MAX_COORDINATE)).any():  # NaN is neither
        raise ValueError(f"contains infinite coordinates, or some beyond {MAX_COORDINATE:,.0f}")
    known: Array = np.all(np.isfinite(points), axis=-1)
    zero: Array = np.all(points == 0, axis=-1)
    absent: Array = zero if points.shape[-1] == 2 else np.all(zero, axis=-1, keepdims=True)
    known &= ~absent
    if confidence is not None:
        known &= confidence > 0
    return np.where(known[..., None], points, np.float32(np.nan)).astype(np.float32)


def _as_confidence(values: Array) -> Array:
    """Scores of any estimator → 0 to 1, float32; COCO's flags 0, 1, 2 (absent, hidden, visible) halved."""
    values = np.nan_to_num(np.clip(values, 0, 2).astype(np.float32))
    if values.size and values.max() == 2 and np.isin(values, (0, 1, 2)).all():
        values = values / 2
    return np.clip(values, 0, 1)


def check_size(frames: int, bodies: int, joints: int, coordinates: int) -> None:
    """Refuses impossible sizes of a clip before memory is allocated.

    Raises:
        ValueError: with the reason.
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise RemediedError(f"has {frames:,} frames; expected 1 to {MAX_FRAMES:,}", _SHORTER)
    if not 1 <= bodies <= MAX_PEOPLE:
        raise ValueError(f"has {bodies:,} people; expected 1 to {MAX_PEOPLE}")
    if not 2 <= joints <= MAX_JOINTS:
        noun = "joint" if joints == 1 else "joints"
        raise ValueError(f"has {joints:,} {noun}; expected 2 to {MAX_JOINTS:,}")
    if not 2 <= coordinates <= 4:
        raise ValueError(f"has {coordinates:,} numbers per joint; expected x y, x y z or x y z confidence")
    if frames * bodies * joints * coordinates > MAX_NUMBERS:
        raise RemediedError(f"has more than {MAX_NUMBERS:,} coordinates", _SHORTER)


def step_of(numbers: Sequence[int] | Array) -> int:
    """By how much frame numbers rise: k, if only every k-th frame of a video was processed.

    >>> step_of([7, 12, 22]), step_of([3])
    (5, 1)
    """
    values = np.asarray(numbers)
    return max(int(np.gcd.reduce(values - values.min())), 1) if len(values) else 1


def renumber(numbers: Sequence[int] | Array, most: int = MAX_FRAMES) -> tuple[Array, int]:
    """Frame numbers of a file → (D,) from 0 in steps of one, and the number of frames, at most so many.

    If only every k-th frame of a video was processed, these are the frames.

    Raises:
        ValueError: they are too far apart.
    """
    values = numbers if isinstance(numbers, np.ndarray) else np.array(numbers, dtype=object)
    first, last = int(values.min()), int(values.max())
    limit = min(most, max(SPARSE, 100 * len(numbers)))  # one damaged digit makes no clip of hours
    if last - first <= MAX_NUMBERS:
        offset = (values - first).astype(np.int64)
        step = step_of(offset)
        frames = (last - first) // step + 1
        if frames <= limit:
            if step > 1:
                remark = (
                    "frame numbers increase by %d: `fps` is the rate of the frames that are there, not that "
                    "of the video"
                )
                logger.info(remark, step, extra={"once": True})
            return offset // step, frames
    apart = f"has frame numbers too far apart; the limit is {limit:,} frames"
    raise RemediedError(apart, "write a file for each video")
