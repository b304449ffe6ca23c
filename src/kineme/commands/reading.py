"""The options of every command that reads recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from kineme.sources.reading import Reading


@Parameter(name="*")
@dataclass(frozen=True)
class ReadingOptions:
    """What recordings do not say themselves.

    Args:
        layout: Of poses: the joints, as the name of a built-in layout (`kineme layouts` lists them) or a
            layout file. Default: what the files say unambiguously, that is the names or the tree of their
            joints, the markers of Plug-in Gait, Qualisys or Theia3D, 25 joints of OpenPose, 17 in two
            dimensions, 33.
        fps: Of poses and videos: frames per second. Default: what the files or their times say, else 30.
            Files with times and files of several rates are resampled to it; of a faster video only the
            pictures that are needed are looked at.
        axes: Of poses: which way y or z points. Default: as heads stand above feet in motion capture, y-up
            in three dimensions, y-down in images and for MediaPipe.
        units: Of poses in three dimensions: the unit of the coordinates, m, cm, mm, in, or its metres such
            as 0.0564. Default: what the files say; in BVH the one that makes a body about 1.7 m tall; else m.
        image: Of poses in an image: its size, such as 1920x1080; coordinates are then in image heights. By
            default they are in body sizes, so that the distance to the camera does not matter. Fractions of
            the image (MediaPipe, YOLO) need it, as x and y have different lengths.
        scores: Of poses: the last of three numbers per joint is a confidence and not z, in arrays and in
            CSV without a header.
        joint_map: YAML file that says which joints or markers of the recordings a joint is the mean of
            (`head: helmet`, `neck: [C7, CLAV]`), where their names do not tell.
        body_model: Of poses from AMASS: the .npz or .pkl of an SMPL body model, from which joints are
            computed.
        components: Of poses from .pose files, OpenPose and MediaPipe Holistic: groups of joints to take,
            such as pose,left_hand,right_hand. Default: the body in metres where it is there, else the body,
            and MediaPipe's hands with it.
        least_confidence: Of poses: joints of less confidence count as not found, such as 0.6 for
            DeepLabCut. Default: those of confidence 0.
    """

    layout: str | None = None
    fps: float | None = None
    axes: Literal["y-up", "y-down", "z-up"] | None = None
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
