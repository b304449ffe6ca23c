"""UTD-MHAD's skeletons as its authors distribute them: Skeleton.zip, one MATLAB file per clip.

`aA_sS_tT_skeleton.mat` (action, subject, repetition) has `d_skel`, (20, 3, T) in metres from a Kinect v1
(y up), its joints from the head down. The published split `odd-even` trains on odd and tests on even subjects
(Chen, Jafari and Kehtarnavaz, ICIP 2015).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import FileError, KinemeError, one_line
from kineme.layouts import get_layout
from kineme.sources import Source
from kineme.sources.matlab import matlab_variables
from kineme.sources.names import numbered_files
from kineme.sources.raw import RawFile, RemediedError
from kineme.typing import Array

# The data set's own list of actions, in order of their numbers.
CLASS_NAMES = (
    "swipe left", "swipe right", "wave", "clap", "throw", "arms cross", "basketball shoot", "draw x",
    "draw circle clockwise", "draw circle counter-clockwise", "draw triangle", "bowling", "boxing",
    "baseball swing", "tennis swing", "arm curl", "tennis serve", "push", "knock on door", "catch",
    "pick up and throw", "jog", "walk", "sit to stand", "stand to sit", "lunge", "squat",
)  # fmt: skip
_JOINTS = (
    "head shoulder_center spine hip_center left_shoulder left_elbow left_wrist left_hand right_shoulder "
    "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee "
    "right_ankle right_foot"
).split()
_ORDER = [_JOINTS.index(joint) for joint in get_layout("kinect20").joints]
_NAME = re.compile(r"a(\d{1,2})_s(\d{1,2})_t(\d{1,2})_skeleton", re.ASCII)
_MAX_BYTES = 1 << 23  # the longest clip has 125 frames, 60 KB


def open_utdmhad(raw: Path) -> Source:
    """The clips of a folder or zip of MATLAB files, sorted by action, subject and repetition.

    Raises:
        KinemeError: there are no such files, or a file's name is malformed or a duplicate.
    """
    files = numbered_files(raw, ".mat", _NAME, "a1_s1_t1_skeleton.mat")
    for file, (action, _, _) in files:
        if not 1 <= action <= len(CLASS_NAMES):
            raise KinemeError(f"{file}: UTD-MHAD has the actions 1 to {len(CLASS_NAMES)}; remove this file")
    return Source(
        name="utdmhad",
        layout=get_layout("kinect20"),
        class_names=CLASS_NAMES,
        fps=30.0,
        bodies=1,
        names=[_clip_name(file) for file, _ in files],
        items=files,
        read=read_clip,
        costly=True,
    )


def read_clip(item: tuple[RawFile, tuple[int, ...]]) -> Clip:
    """One file with the fields of its name; the label is the action minus one.

    Raises:
        KinemeError: it is not a MATLAB file, or `d_skel` is not (20, 3, T) finite numbers of plausible size.
    """
    file, (action, subject, repetition) = item
    values = _skeleton(file)
    if values.ndim == 2:  # MATLAB drops a last axis of one
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[:2] != (len(_JOINTS), 3) or values.shape[2] == 0:
        raise file.error(f"'d_skel' has shape {values.shape}; expected ({len(_JOINTS)}, 3, frames)")
    xyz = values.transpose(2, 0, 1)
    file.check_metres("d_skel", xyz)
    return Clip(
        name=_clip_name(file),
        xyz=xyz[:, None, _ORDER].astype(np.float32),
        label=action - 1,
        subject=str(subject),
        replication=repetition,
    )


def _skeleton(file: RawFile) -> Array:
    """The real numbers of `d_skel`."""
    try:
        values = matlab_variables(file.read(_MAX_BYTES), _MAX_BYTES).get("d_skel")
    except KinemeError:
        raise
    except RemediedError as error:
        raise FileError(f"{file}: {error}") from error
    except ValueError as error:
        raise file.error(f"cannot be read as a MATLAB file ({one_line(error)})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise file.error("has no variable 'd_skel' of real numbers")
    return values


def _clip_name(file: RawFile) -> str:
    return file.stem.removesuffix("_skeleton")
