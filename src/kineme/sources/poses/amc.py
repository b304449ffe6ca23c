"""AMC, the motions of Acclaim's format, whose skeleton is in an ASF file: CMU's motion library, HDM05.

    :FULLY-SPECIFIED
    :DEGREES
    1
    root 9.37 17.86 -17.31 -2.01 6.65 -3.28       in the order that the skeleton says
    lfemur -5.51 6.92 4.87                        angles about the bone's own axes, which are fixed at rest
    2
    ...

A joint is the end of the bone whose name it has. With the axes C of a bone and its angles' rotation M, the
bone and all below it are turned by C M C⁻¹. Bones that a file does not move stay as they are at rest.
Functions raise ValueError with what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from kineme.errors import FileError, KinemeError, one_line
from kineme.sources.poses.arrays import MAX_FRAMES, STANDING, Poses, check_size, split_columns
from kineme.sources.poses.asf import MAX_ASF_BYTES, Skeleton, asf_skeleton, turned
from kineme.sources.raw import MEND, RawFile, RemediedError, few, shown
from kineme.typing import Array

MAX_AMC_BYTES = 1 << 29  # an hour and three quarters of 30 bones at 120 a second
_MAX_FRAME_BYTES = 1 << 17
_BLOCK = 1024  # frames at a time
_NUMBER = re.compile(rb"^[ \t]*(\d{1,9})[ \t\r]*$", re.MULTILINE)
_COMMENT = re.compile(rb"#[^\n]*")
_LISTED = 4  # skeletons named in a message


@dataclass(frozen=True)
class _Lines:
    """The lines of every frame: bones by their place in the skeleton, and how many numbers each has."""

    names: Sequence[bytes]
    bones: Sequence[int]
    counts: Sequence[int]

    @property
    def words(self) -> int:
        """Of a frame, with its number."""
        return 1 + sum(1 + count for count in self.counts)


def amc_file(file: RawFile) -> Poses:
    """An AMC file → its clip, with the skeleton beside it.

    Raises:
        KinemeError: there is no skeleton, or it cannot be read.
        ValueError: the motion is malformed, or of another skeleton.
    """
    beside = skeleton_file(file)
    try:
        skeleton = asf_skeleton(beside.read(MAX_ASF_BYTES))
    except KinemeError:
        raise
    except RemediedError as error:
        raise FileError(f"{beside}: {error}") from error
    except ValueError as error:
        raise beside.error(str(error), MEND) from error
    return amc_poses(file.read(MAX_AMC_BYTES), skeleton, beside.name)


def skeleton_file(motion: RawFile) -> RawFile:
    """The ASF file beside a motion: the one with whose name the motion's begins, else the only one.

    `07.asf` is that of `07_01.amc`, `HDM_bd.asf` that of `HDM_bd_cartwheelLHandStart1Reps_001_120.amc`.

    Raises:
        KinemeError: there is none, or it is not clear which.
    """
    there = motion.beside(".asf")
    name = motion.stem.lower()
    own = [each for each in there if re.match(re.escape(each.stem.lower()) + r"(?![a-z0-9])", name)]
    if own or len(there) == 1:
        return max(own or there, key=lambda each: len(each.stem))
    usual = "_".join(motion.stem.split("_")[:-1][:2]) or motion.stem
    if not there:
        raise motion.error("its skeleton, an .asf file, is not beside it", f"put it there, as {usual}.asf")
    several = f"beside it are {len(there)} skeletons ({few([each.name for each in there], _LISTED)})"
    raise motion.error(f"{several}, and its name begins with none of theirs", f"call its own {usual}.asf")


def amc_poses(data: bytes, skeleton: Skeleton, named: str) -> Poses:
    """The bytes of an AMC file and its skeleton, of a file of that name → its clip.

    Where the skeleton does not say its unit, that and which axis is up are left to be told by the body;
    otherwise y is up, as in CMU's and HDM05's files.
    """
    marks = _marks(data)
    check_size(len(marks), 1, len(skeleton.bones), 3)
    lines = _lines(data[marks[0, 1] : marks[1, 0] if len(marks) > 1 else None], skeleton, named)
    said = re.search(rb":(degrees|radians)", _COMMENT.sub(b"", data[: marks[0, 0]]), re.IGNORECASE)
    degrees = said[1].lower() == b"degrees" if said else skeleton.degrees
    blocks = _blocks(data, marks, lines)
    places = [_places(skeleton, lines, values, degrees).astype(np.float32) for values in blocks]
    points, _ = split_columns(np.concatenate(places)[:, None], scores=False)
    return Poses(
        points,
        None,
        tuple(bone.name for bone in skeleton.bones),
        parents=tuple(bone.parent for bone in skeleton.bones),
        scale=skeleton.scale,
        axes=STANDING if skeleton.scale is None else None,
    )


def _marks(data: bytes) -> Array:
    """(T, 2) begin and end of the number of each frame."""
    found = islice(_NUMBER.finditer(data), MAX_FRAMES + 1)
    marks = np.fromiter(chain.from_iterable((*each.span(), int(each[1])) for each in found), np.int64)
    marks = marks.reshape(-1, 3)
    if not len(marks):
        raise ValueError("has no frames; it is not an AMC file, or is cut off")
    steps = np.flatnonzero(np.diff(marks[:, 2]) != 1)
    if steps.size:
        before, after = marks[steps[0] : steps[0] + 2, 2]
        raise RemediedError(f"frame {after} follows frame {before}", "export it with all frames")
    longest = int(np.diff(marks[:, 0], append=len(data)).max())
    if longest > _MAX_FRAME_BYTES:
        raise ValueError(f"has a frame of {longest:,} bytes")
    return marks[:, :2]


def _lines(frame: bytes, skeleton: Skeleton, named: str) -> _Lines:
    """The lines of the first frame."""
    at = {bone.name.lower(): place for place, bone in enumerate(skeleton.bones)}
    rows = [line.split() for line in _COMMENT.sub(b"", frame).splitlines() if line.strip()]
    bones = []
    for name, *values in rows:
        text = name.decode("utf-8", errors="replace")
        place = at.get(text.lower())
        if place is None:
            raise RemediedError(
                f"moves the bone {shown(text)}, which its skeleton {named} does not have",
                "put its own skeleton beside it",
            )
        channels = skeleton.bones[place].channels
        if len(values) != len(channels):
            expected = f"its skeleton {named} has {len(channels)} for it"
            raise RemediedError(
                f"has {len(values)} numbers for the bone {shown(text)}; {expected}",
                "put its own skeleton beside it",
            )
        bones.append(place)
    if len(set(bones)) < len(bones) or not bones:
        raise ValueError("its first frame is empty, or has a bone twice")
    if len(rows) == sum(map(len, rows)):
        raise ValueError("its first frame has no numbers: none of its bones can turn")
    return _Lines([row[0] for row in rows], bones, [len(row) - 1 for row in rows])


def _blocks(data: bytes, marks: Array, lines: _Lines) -> Iterator[Array]:
    """(frames, numbers of a frame), some frames at a time."""
    numeric: list[int] = []
    at = 1
    for count in lines.counts:
        numeric += range(at + 1, at + 1 + count)
        at += 1 + count
    names = sorted({*range(1, lines.words)} - {*numeric})
    for first in range(0, len(marks), _BLOCK):
        frames = min(_BLOCK, len(marks) - first)
        end = marks[first + frames, 0] if first + frames < len(marks) else None
        words = _COMMENT.sub(b"", data[marks[first, 0] : end]).split()
        width = lines.words
        if len(words) != frames * width or any(
            words[column::width] != [name] * frames for column, name in zip(names, lines.names, strict=True)
        ):
            raise ValueError(f"frames {first + 1} to {first + frames} have other bones than the first one")
        try:
            values = np.array([words[column::width] for column in numeric], np.float64).T
        except ValueError as error:
            raise ValueError(f"frames {first + 1} to {first + frames}: {one_line(error)}") from error
        if not (np.abs(values) < 1e9).all():
            raise ValueError("its frames contain infinite or missing numbers")
        yield values


def _places(skeleton: Skeleton, lines: _Lines, values: Array, degrees: bool) -> Array:
    """(frames, numbers of a frame) → (frames, joints, 3), by forward kinematics over all frames."""
    ends = np.cumsum(lines.counts)
    said = {
        place: values[:, end - count : end]
        for place, end, count in zip(lines.bones, ends, lines.counts, strict=True)
    }
    places = np.zeros((len(values), len(skeleton.bones), 3))
    turns: dict[int, Array] = {}
    for place in skeleton.order:
        bone = skeleton.bones[place]
        turn = np.broadcast_to(np.eye(3), (len(values), 3, 3))
        if place in said:
            spun = [column for column, channel in enumerate(bone.channels) if channel[0] == "R"]
            angles = said[place][:, spun]
            turn = turned([bone.channels[i][1] for i in spun], np.radians(angles) if degrees else angles)
        if bone.parent == -1:
            places[:, place] = bone.offset
            for column, channel in enumerate(bone.channels if place in said else ()):
                if channel[0] == "T":
                    places[:, place, "XYZ".index(channel[1])] += said[place][:, column]
            turns[place] = turn @ bone.axes
        else:
            above = turns[bone.parent]
            turns[place] = above @ (bone.axes @ turn @ bone.axes.T) if place in said else above
            places[:, place] = places[:, bone.parent] + turns[place] @ bone.offset
    return places
