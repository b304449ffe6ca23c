"""`.pose` of sign language processing: a header of components and joints, then all frames.

    version (float32); width, height, depth of the image; components: name, format such as XYZC, names of its
    points, limbs, colours. Then the body: frames a second, frames, people; points, and their confidences.

Versions 0.0 (people may come and go), 0.1 and 0.2 are read. Points are in pixels. By default the body is
taken, in metres where it is there, and the hands with it where those are MediaPipe's.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kineme.sources.poses import holistic
from kineme.sources.poses.arrays import MAX_NUMBERS, Detections, Poses, check_size, split_columns
from kineme.sources.poses.headers import plain
from kineme.sources.poses.trees import tree_of
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

MAX_POSE_BYTES = 1 << 30
_SHORT = {
    "poselandmarks": "pose", "poseworldlandmarks": "pose_world", "lefthandlandmarks": "left_hand",
    "righthandlandmarks": "right_hand", "facelandmarks": "face", "posekeypoints2d": "pose",
    "handleftkeypoints2d": "left_hand", "handrightkeypoints2d": "right_hand", "facekeypoints2d": "face",
}  # fmt: skip


@dataclass(frozen=True)
class Component:
    """A group of joints."""

    name: str  # `pose`, `left_hand`, ...; others as in the file
    axes: str  # such as XYZC
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]


class _Bytes:
    """Reads little-endian numbers and text in turn."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def numbers(self, form: str) -> tuple[float, ...]:
        try:
            found = struct.unpack_from(f"<{form}", self.data, self.at)
        except struct.error as error:
            raise ValueError("ends within its header") from error
        self.at += struct.calcsize(f"<{form}")
        return found

    def counts(self, form: str) -> tuple[int, ...]:
        return tuple(map(int, self.numbers(form)))

    def text(self) -> str:
        (length,) = self.counts("H")
        self.at += length
        if self.at > len(self.data):
            raise ValueError("ends within its header")
        return self.data[self.at - length : self.at].decode("utf-8", errors="replace")

    def floats(self, count: int) -> Array:
        if count > MAX_NUMBERS or count * 4 > len(self.data) - self.at:
            raise ValueError("has fewer points than its header says; it is cut off or damaged")
        found = np.frombuffer(self.data, "<f4", count, self.at)
        self.at += 4 * count
        return found


def signs_poses(data: bytes, wanted: Sequence[str]) -> Poses | Detections:
    """The bytes of a `.pose` file → its clip, of the `wanted` components."""
    reader = _Bytes(data)
    version, components = _header(reader)
    sizes = {each.name: len(each.joints) for each in components}
    if len(sizes) < len(components):
        raise ValueError("has a component twice")
    names = tuple(_short(each) for each in wanted)
    chosen = holistic.chosen(sizes, names) or tuple(sizes)[:1]
    if not names and not all(holistic.is_hand(each.joints) for each in components if "hand" in each.name):
        chosen = chosen[:1]  # OpenPose's hands have no layout with the body
    of = [each for name in chosen for each in components if each.name == name]
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    columns = [starts[each.name] + joint for each in of for joint in range(len(each.joints))]
    joints = _joints(of)
    bones = [(starts[each.name] + one, starts[each.name] + other) for each in of for one, other in each.limbs]
    parents = tree_of(len(columns), [(columns.index(one), columns.index(other)) for one, other in bones])
    world = chosen == ("pose_world",)
    scale, axes = (1.0, "y-down") if world else (None, None)
    if version == 0:
        frame, values, frames = _loose(reader, components)
        points, confidence = split_columns(values[:, columns], scores=True)
        program = "openpose" if components[0].joints[0] == "Nose" else "mediapipe"
        return Detections(frame, points, confidence, frames, program, joints, parents, scale=scale, axes=axes)
    values = _even(reader, components, version)[:, :, columns]
    points, confidence = split_columns(values, scores=True)
    return Poses(points, confidence, joints, "mediapipe", parents, scale, axes)


def signs_notes(data: bytes) -> dict[str, float]:
    """The frame rate."""
    reader = _Bytes(data)
    version, _ = _header(reader)
    return {"fps": reader.numbers("f" if round(version, 3) >= 0.2 else "H")[0]}


def _header(reader: _Bytes) -> tuple[float, list[Component]]:
    (version,) = reader.numbers("f")
    if round(version, 3) not in (0, 0.1, 0.2):
        raise ValueError(f"is not a .pose file of version 0.0 to 0.2: it begins with version {version:g}")
    *_, count = reader.counts("HHHH")
    components = []
    for _ in range(count):
        name, axes = reader.text(), reader.text()
        points, limbs, colours = reader.counts("HHH")
        joints = tuple(reader.text() for _ in range(points))
        pairs = tuple((one, other) for one, other in (reader.counts("HH") for _ in range(limbs)))
        reader.counts(f"{3 * colours}H")
        if any(end >= points for pair in pairs for end in pair):
            raise ValueError(f"has limbs of {shown(name)} between points that are not there")
        if axes not in ("XYC", "XYZC"):
            raise ValueError(f"has {shown(name)} in the format {shown(axes)}; expected XYC or XYZC")
        components.append(Component(_short(name), axes, joints, pairs))
    if not components or not components[0].joints or len({each.axes for each in components}) > 1:
        raise ValueError("has no components, or some in two and others in three dimensions")
    return version, components


def _even(reader: _Bytes, components: Sequence[Component], version: float) -> Array:
    """(T, M, V, C) with confidences last: every person in every frame."""
    if round(version, 3) >= 0.2:
        _, frames, bodies = reader.numbers("fIH")
    else:
        _, frames, bodies = reader.counts("HHH")
    joints, columns = sum(len(each.joints) for each in components), len(components[0].axes)
    frames, bodies = int(frames), int(bodies)
    _check(frames, bodies, joints, columns)
    points = reader.floats(frames * bodies * joints * (columns - 1)).reshape(frames, bodies, joints, -1)
    confidence = reader.floats(frames * bodies * joints).reshape(frames, bodies, joints, 1)
    return np.concatenate([points, confidence], axis=-1)


def _loose(reader: _Bytes, components: Sequence[Component]) -> tuple[Array, Array, int]:
    """Frame of each person (D,), their (D, V, C) with confidences last, and the number of frames."""
    _, frames = reader.counts("HH")
    joints, columns = sum(len(each.joints) for each in components), len(components[0].axes)
    found: list[Array] = []
    of: list[int] = []
    for frame in range(frames):
        (people,) = reader.counts("H")
        for _ in range(people):
            reader.counts("h")  # the person's number, which OpenPose does not keep
            found.append(reader.floats(joints * columns).reshape(joints, columns))
            of.append(frame)
    if not found:
        raise RemediedError("has nobody in any frame", "remove it")
    _check(frames, 1, joints, columns)
    return np.array(of, dtype=np.int64), np.stack(found), frames


def _check(frames: int, bodies: int, joints: int, columns: int) -> None:
    """Faces have more joints than a clip may; the chosen ones are what counts."""
    check_size(frames, bodies, 2, columns)
    if frames * bodies * joints * columns > 8 * MAX_NUMBERS:
        raise RemediedError("has more points than a clip can have", "cut it into shorter ones")


def _joints(components: Sequence[Component]) -> tuple[str, ...]:
    """Names, those of hands with their side."""
    names: list[str] = []
    for each in components:
        side = each.name.split("_")[0]
        if each.name.endswith("_hand") and holistic.is_hand(each.joints):
            names += holistic.hand_names(side)
        elif each.name in ("left_hand", "right_hand", "face"):
            names += [f"{each.name}_{joint}" for joint in each.joints]
        else:
            names += each.joints
    return tuple(names)


def _short(name: str) -> str:
    return _SHORT.get(plain(name), name)
