"""The options of every command that reads recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from kineme.sources.reading import Reading


Axes = Literal["y-up", "y-down", "z-up", "z-down", "x-up", "x-down", "unity", "unreal", "above"]


@Parameter(name="*")
@dataclass(frozen=True)
class ReadingOptions:
    """Properties of recordings that the files do not state.

    Args:
        layout: For poses: the joints, as the name of a built-in layout (`kineme layouts` lists them) or a
            layout file. Default: found from the files: the names or the tree of their joints, the marker sets
            of Plug-in Gait, Qualisys and Theia3D, or the number of joints (25 from OpenPose, 17 in two
            dimensions, or 33).
        fps: For poses and videos: frames per second. Default: what the files or their timestamps say, else
            30. Files with timestamps and files of another rate are resampled to it; in a faster video,
            only the frames that are needed are processed.
        axes: For poses: which axis points up or down. Default: in motion capture, the axis along which heads
            are above feet; otherwise y-up in three dimensions, y-down in images and for MediaPipe. `unity`,
            `unreal`: left-handed, with y or z up. `above`: the images were taken from above, as of animals.
        units: For poses in three dimensions: the unit of the coordinates: m, cm, mm, in, or its length in
            metres, such as 0.0564. Default: what the files say; in BVH, the one that makes a body about 1.7 m
            tall; else m.
        image: For poses in an image: its size, such as 1920x1080; coordinates are then measured in image
            heights. By default they are measured in body sizes, so that the distance to the camera does not
            matter. Fractions of the image (MediaPipe, YOLO) need it, because x and y are then scaled
            differently.
        scores: For poses: the last of three numbers per joint is a confidence, not z, in arrays and in CSV
            without a header.
        joint_map: YAML file that maps each joint to the joints or markers it is the mean of (`head: helmet`,
            `neck: [C7, CLAV]`), if their names do not match.
        body_model: For poses from AMASS: the .npz or .pkl of an SMPL body model, from which joints are
            computed.
        components: For poses from .pose files, OpenPose and MediaPipe Holistic: groups of joints to use, such
            as pose,left_hand,right_hand. Default: the body in metres if there is one; else the body, with
            MediaPipe's hands.
        least_confidence: For poses: joints of lower confidence count as not found, such as 0.6 for
            DeepLabCut. Default: only those of confidence 0.
    """

    layout: str | None = None
    fps: float | None = None
    axes: Axes | None = None
    units: str | None = None
    image: str | None = None
    scores: bool = False
    joint_map: Path | None = None
    body_model: Path | None = None
    components: str | None = None
    least_confidence: float | None = None

    def stated(self) -> Reading:
        """Those that are set."""
        from kineme.sources.reading import stated

        return stated(vars(self))


AS_FILES_SAY = ReadingOptions()
