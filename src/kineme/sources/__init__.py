"""Raw formats, one file each: a function that opens recordings as a `Source` of clips.

Your own format is a function of a path that returns a `Source`. Its keyword arguments are the options that
`kineme.preparing.prepare` passes on; registered with `SOURCES.register("mine")`, as an entry point of the
group `kineme.sources`, or named by its dotted path, it is prepared like the built-in ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kineme.clips.store import Clip
from kineme.layouts import Layout
from kineme.preprocessing import Preprocessing
from kineme.progress import Progress
from kineme.registry import Registry

LONG = 1 << 17  # frames of a recording that is held as a whole: 73 minutes at 30 a second
STRETCH = 1 << 15  # frames of a longer one that are held at a time, so that a day takes no more than an hour


@dataclass(frozen=True)
class Long:
    """How items that take minutes each are read.

    Attributes:
        frames: item → about how many frames it has; 0 if it does not say.
        read: like `Source.read`, but reports the frames done and in total.
        preview: like `Source.read`, for the beginning of the item only.
    """

    frames: Callable[[Any], int]
    read: Callable[[Any, Progress], Clip]
    preview: Callable[[Any], Clip]


@dataclass(frozen=True)
class Stretched:
    """An item that is too long to be held in memory, such as a day of motion.

    Attributes:
        frames: of the item.
        step: frames that are read at a time.
        read: first frame and number of frames → the raw clip of these, all zeros if nobody is in them.
            Properties of a whole clip, such as which joints it lacks, are those of the stretch.
    """

    frames: int
    step: int
    read: Callable[[int, int], Clip]


@dataclass(frozen=True)
class Source:
    """Raw clips of one origin, and how each is read.

    Attributes:
        name: the source in manifests, such as `ntu60`.
        layout: joints of all clips.
        class_names: the classes that labels index.
        fps: frames per second.
        fps_known: whether the recordings or the user gave it, so that it is not assumed.
        bodies: the most bodies in a frame.
        names: (N,) unique name of every clip.
        items: (N,) what `read` takes for each clip, such as its path.
        read: item → raw clip, xyz (T, M, V, C); raises KinemeError that names the file.
        preprocessing: the default preprocessing.
        costly: reading is slow enough for several processes to pay off; `read` and items must then pickle.
        untrimmed: clips are whole recordings with labelled intervals, so frames must stay in place.
        confidence: clips carry confidences of the pose estimator.
        units: of the coordinates.
        read_people: like `read`, with a slot for every tracked person instead of a slot for each place in a
            frame's list; None if the format does not tell people apart.
        long: how items that take minutes each, such as videos, are read; None if there are none.
        stretched: item → how it is read in stretches, None for one that is read as a whole; None if all
            are.
        alone: item → the source of it alone, where the joints of some may be others than the first one's;
            `read` then raises OtherSkeletonError of these. None if all are alike.
        unread: names of table columns that are not read, as in the first readable table.

    >>> import kineme, numpy
    >>> still = lambda name: kineme.Clip(name, numpy.ones((30, 1, 25, 3)))
    >>> source = kineme.Source(
    ...     name="still", layout=kineme.get_layout("ntu25"), class_names=(), fps=30.0, bodies=1,
    ...     names=["a", "b"], items=["a", "b"], read=still,
    ... )
    >>> source.read("b").name
    'b'
    """

    name: str
    layout: Layout
    class_names: tuple[str, ...]
    fps: float
    bodies: int
    names: Sequence[str]
    items: Sequence[Any]
    read: Callable[[Any], Clip]
    preprocessing: str = "plain"
    costly: bool = False
    untrimmed: bool = False
    confidence: bool = False
    units: str = "metres"
    fps_known: bool = True
    read_people: Callable[[Any], Clip] | None = None
    long: Long | None = None
    stretched: Callable[[Any], Stretched | None] | None = None
    unread: Sequence[str] = ()
    alone: Callable[[Any], Source] | None = None

    def reader(self, preprocessing: Preprocessing) -> Callable[[Any], Clip]:
        """How clips are read for a preprocessing: item → raw clip."""
        return self.read_people or self.read if preprocessing.by_person else self.read

    def beginning(self, item: Any) -> Clip:
        """The raw clip of an item; if it takes long, only its beginning, as far as somebody is in it.

        Raises:
            KinemeError: as of `read`.
        """
        if self.long:
            return self.long.preview(item)
        stretched = self.stretched(item) if self.stretched else None
        if stretched is None:
            return self.read(item)
        for first in range(0, stretched.frames, stretched.step):
            clip = stretched.read(first, min(stretched.step, stretched.frames - first))
            if clip.xyz.any():
                break
        return clip


SOURCES: Registry[Callable[..., Source]] = Registry(
    "source",
    {
        "ntu60": "kineme.sources.ntu.open_ntu60",
        "ntu120": "kineme.sources.ntu.open_ntu120",
        "pkummd1": "kineme.sources.pkummd.open_pkummd1",
        "pkummd2": "kineme.sources.pkummd.open_pkummd2",
        "nwucla": "kineme.sources.nwucla.open_nwucla",
        "utdmhad": "kineme.sources.utdmhad.open_utdmhad",
        "pyskl": "kineme.sources.pyskl.open_pyskl",
        "arrays": "kineme.sources.arrays.open_arrays",
        "container": "kineme.sources.container.open_container",
        "poses": "kineme.sources.poses.open_poses",
        "video": "kineme.sources.video.open_video",
    },
    advice="`poses` reads recordings of your own, such as CSV, BVH, C3D or JSON files",
)
