"""How recordings are to be read where they do not say so themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.layouts.correspondence import JointMap, read_joint_map

OF_ARRAYS = ("layout", "fps", "axes", "units", "image", "joint_map", "scores")
"""The options that say something about arrays in memory."""


class Reading(TypedDict, total=False):
    """The keyword arguments of everything that reads recordings; if left out, or None, files decide.

    Attributes:
        layout: the joints: a built-in name, a layout file or a `Layout`. Default: for arrays the model's, for
            files what they say unambiguously.
        fps: frames per second. Default: what the files or their timestamps say, else 30. Files with
            timestamps and files of another rate are resampled to it.
        axes: which axis points up or down: `y-up`, `y-down`, `z-up`, `z-down`, `x-up`, `x-down`;
            `unity` and `unreal` for left-handed coordinates with y or z up; `above` for images taken from
            above. Default: whichever puts heads above feet in TRC, C3D and BVH, z-up in AMASS, else y-up in
            three dimensions and y-down in two and for MediaPipe.
        units: `m`, `cm`, `mm`, `in`, or the length of a unit in metres, such as `0.0564`, in three
            dimensions. Default: what the files say, in BVH the unit that makes the body closest to 1.7 m
            tall, else m.
        image: width and height, such as `1920x1080`, for poses in an image; needed for fractions of it.
        joint_map: joint → joints or markers of the recordings whose mean it is, or a YAML file with such a
            mapping, where names do not tell.
        body_model: `.npz` or `.pkl` of an SMPL body, for AMASS.
        scores: the last of three numbers is a confidence, not z, in arrays and tables without a header.
        components: comma-separated names of the groups of joints to use, for `.pose` files, OpenPose and
            MediaPipe Holistic, such as `pose,left_hand,right_hand`.
        least_confidence: below which a joint counts as not found.

    >>> def read(**reading: Unpack[Reading]) -> Reading:
    ...     return stated(reading)
    >>> read(fps=25, axes=None)
    {'fps': 25}
    """

    layout: str | Layout | None
    fps: float | None
    axes: str | None
    units: str | None
    image: str | None
    joint_map: str | Path | JointMap | None
    body_model: str | Path | None
    scores: bool
    components: str | None
    least_confidence: float | None


def stated(reading: Mapping[str, Any]) -> Reading:
    """The options that are set.

    Raises:
        TypeError: there is no such option.
        KinemeError: the frame rate is none.
    """
    for name in reading:
        if name not in Reading.__annotations__:
            near = did_you_mean(name, Reading.__annotations__)
            raise TypeError(f"unexpected keyword argument {name!r}{near}")
    fps = reading.get("fps")
    if fps is not None and not 0 < fps < 1e4:
        raise KinemeError(f"`fps`: is {fps:g}; it must be frames per second, such as 30")
    return cast(Reading, {name: value for name, value in reading.items() if value not in (None, False)})


def joint_map_of(reading: Reading) -> JointMap | None:
    """The joint map, read where it is a file.

    Raises:
        KinemeError: the file cannot be read or is none.
    """
    told = reading.get("joint_map")
    return read_joint_map(Path(told)) if isinstance(told, str | Path) else told


def check_no_effect(reading: Reading, what: str, *, but: Collection[str] = ("joint_map",)) -> None:
    """Refuses options that say nothing about `what` they are given for.

    Raises:
        KinemeError: there is one.
    """
    if extra := [name for name in reading if name not in but]:
        raise KinemeError(f"`{extra[0]}` has no effect on {what}; drop it")
