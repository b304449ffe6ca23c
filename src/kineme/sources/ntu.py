"""NTU RGB+D 60 and 120: one text file per clip, as its authors distribute it.

`SsssCcccPpppRrrrAaaa.skeleton` (setup, camera, performer, replication, action). A file is the number of
frames; then for each frame the number of bodies; then for each body a line of tracking state, the number of
joints and a line per joint: x y z in metres (y up, z away from the camera), eight numbers that are not used
here, and the joint's tracking state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.sources import Source
from kineme.sources.names import NTU_NAME, ntu_columns
from kineme.sources.ntu_actions import ACTIONS
from kineme.sources.raw import MAX_METRES, RawFile, find_files, shown
from kineme.typing import Array

_JOINTS = 25
_BODY_NUMBERS = 10  # on a body's line of tracking state
_JOINT_NUMBERS = 12
_BODY_LINES = 2 + _JOINTS  # of one body in one frame
_MAX_BODIES = 6  # tracked by a Kinect v2 at once
_MAX_PEOPLE = 64  # as the sensor counts them: one who was lost and found again has a new ID
_MAX_FRAMES = 100_000  # the longest clip has 300
_MAX_BYTES = 1 << 26


def open_ntu60(raw: Path) -> Source:
    """NTU RGB+D 60, see `open_ntu`."""
    return open_ntu(raw, 60)


def open_ntu120(raw: Path) -> Source:
    """NTU RGB+D 120, see `open_ntu`."""
    return open_ntu(raw, 120)


def open_ntu(raw: Path, actions: int) -> Source:
    """The clips of a download of .skeleton files, sorted by name.

    Args:
        raw: a folder, the zip as downloaded, or a folder of zips (120 comes in two).
        actions: 60 for NTU RGB+D 60, 120 for NTU RGB+D 120. Files of later actions are skipped, so that both
            can be prepared from one folder.

    Raises:
        KinemeError: there are no such files, or a file's name is malformed or a duplicate.
    """
    found = sorted(find_files(raw, ".skeleton"), key=lambda file: file.stem)
    items = [file for file in found if _action(file) <= actions]
    if not items:
        raise KinemeError(f"{raw}: contains no .skeleton files of actions 1 to {actions}, zipped or not")
    for one, other in pairwise(items):
        if one.stem == other.stem:
            raise KinemeError(f"{other}: duplicates {one}; keep one")
    return Source(
        name=f"ntu{actions}",
        layout=get_layout("ntu25"),
        class_names=ACTIONS[:actions],
        fps=30.0,
        bodies=_MAX_BODIES,
        names=[file.stem for file in items],
        items=items,
        read=read_clip,
        read_people=read_people,
        preprocessing="agcn",
        costly=True,
    )


def read_clip(file: RawFile) -> Clip:
    """One file with the fields of its name; the label is the action minus one."""
    return Clip(file.stem, read_skeleton(file), label=_action(file) - 1, **ntu_columns(file.stem))


def read_people(file: RawFile) -> Clip:
    """As `read_clip`, with a slot for every person that the sensor tracked."""
    return Clip(
        file.stem, read_skeleton(file, by_person=True), label=_action(file) - 1, **ntu_columns(file.stem)
    )


def _action(file: RawFile) -> int:
    match = NTU_NAME.fullmatch(file.stem)
    if match is None:
        expected = "NTU RGB+D's files have names such as S001C002P003R002A013.skeleton"
        raise file.error(expected, "remove this one")
    return int(match[5])


def read_skeleton(file: RawFile, *, by_person: bool = False) -> Array:
    """(T, M, 25, 3) float32: the bodies of each frame in file order, zero where a frame has fewer than M.

    With `by_person`, a slot is a tracked person, known by the body's ID, in order of their first frames.

    Only counts and coordinates are parsed; if they are inconsistent, the file is read line by line to find
    out where. Memory is allocated for what the file contains, not for what it claims.

    Raises:
        KinemeError: the file is missing, empty, binary, cut off, has another number of joints, or contains
            invalid numbers (the message names the line), or too many people.
    """
    data = file.read(_MAX_BYTES)
    with contextlib.suppress(ValueError, IndexError):
        return _parse(file, data, by_person)
    clean = b"\n".join(b" ".join(line.split()) for line in data.splitlines() if line.strip())
    try:
        return _parse(file, clean, by_person)
    except (ValueError, IndexError):
        _explain(file, data)
        raise


def _parse(file: RawFile, data: bytes, by_person: bool) -> Array:
    """A file without blank lines, with single spaces between its numbers → (T, M, 25, 3).

    Raises ValueError or IndexError if its numbers are inconsistent.
    """
    lines = data.rstrip().decode("latin-1").split("\n")
    frames = int(lines[0])
    at = 1
    rows: list[int] = []
    slots: list[int] = []
    joints: list[str] = []
    people: dict[str, int] = {}  # ID → slot
    for frame in range(frames):
        bodies = int(lines[at])
        at += 1
        if not 0 <= bodies <= _MAX_BODIES:
            raise ValueError
        for slot in range(bodies):
            if lines[at].count(" ") != _BODY_NUMBERS - 1 or int(lines[at + 1]) != _JOINTS:
                raise ValueError
            joints += lines[at + 2 : at + _BODY_LINES]
            rows.append(frame)
            who = lines[at].partition(" ")[0]
            slots.append(people.setdefault(who, len(people)) if by_person else slot)
            at += _BODY_LINES
    if len(people) > _MAX_PEOPLE:
        raise file.error(f"tracks {len(people)} people, more than the {_MAX_PEOPLE} that a clip can show")
    if at != len(lines) or not 0 < frames <= _MAX_FRAMES:
        raise ValueError
    xyz = np.zeros((frames, max(slots, default=-1) + 1, _JOINTS, 3), dtype=np.float32)
    if joints:
        # A joint's line is complete if it has the last number, and no line has more if the total fits.
        blanks = np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord(" "))
        if blanks != len(rows) * (_BODY_NUMBERS - 1) + len(joints) * (_JOINT_NUMBERS - 1):
            raise ValueError
        wanted = (0, 1, 2, _JOINT_NUMBERS - 1)
        values = np.loadtxt(joints, usecols=wanted, delimiter=" ", comments=None, ndmin=2)[:, :3]
        if not (np.abs(values) < MAX_METRES).all():  # False for NaN too
            raise ValueError
        xyz[rows, slots] = values.reshape(-1, _JOINTS, 3)
    return xyz


def _explain(file: RawFile, data: bytes) -> None:
    """Raises KinemeError with the first line that is wrong."""
    if not data.strip():
        raise file.error("is empty")
    if b"\0" in data:
        raise file.error("is binary, not an NTU RGB+D text file")
    numbered = enumerate(data.splitlines(), start=1)
    lines = iter([(number, line) for number, line in numbered if line.strip()])

    def check(expected: str, fits: Callable[[list[bytes]], bool]) -> list[bytes]:
        number, line = next(lines, (0, b""))
        if not number:
            raise file.error(f"is cut off: it ends before {expected}")
        with contextlib.suppress(ValueError):
            if fits(line.split()):
                return line.split()
        found = shown(line.decode("ascii", "backslashreplace").strip())
        raise file.error(f"expected {expected}, found {found}", line=number)

    def count(what: str, low: int, high: int) -> int:
        fields = check(
            f"{what} ({low} to {high})", lambda fields: len(fields) == 1 and low <= int(fields[0]) <= high
        )
        return int(fields[0])

    def is_joint(fields: list[bytes]) -> bool:
        if len(fields) != _JOINT_NUMBERS or any(b"_" in fields[i] for i in (0, 1, 2, -1)):
            return False
        float(fields[-1])
        return all(abs(float(field)) < MAX_METRES for field in fields[:3])

    frames = count("the number of frames", 1, _MAX_FRAMES)
    for frame in range(1, frames + 1):
        bodies = count(f"the number of bodies in frame {frame} of {frames}", 0, _MAX_BODIES)
        for body in range(1, bodies + 1):
            place = f"body {body} in frame {frame} of {frames}"
            check(f"the {_BODY_NUMBERS} numbers of {place}", lambda fields: len(fields) == _BODY_NUMBERS)
            check(f"{_JOINTS}, the joints of {place}", lambda fields: [int(f) for f in fields] == [_JOINTS])
            for joint in range(1, _JOINTS + 1):
                check(
                    f"{_JOINT_NUMBERS} numbers of joint {joint} of {place}, x y z in metres first", is_joint
                )
    number, _ = next(lines, (0, b""))
    if number:
        raise file.error(f"continues after the {frames} frames of line 1", line=number)
