"""Markers of motion capture: whose they are, and the joints they stand for.

A marker set, a small YAML file in `markersets/`, places the joints of a layout among markers:

    layout: kinect20
    title: Plug-in Gait
    joints:
      head: [[LFHD, RFHD, LBHD, RBHD], [HEAD]]          # the mean of the first ones that are all there
      left_hip: [{LASI: 0.5, RASI: 0.1, LPSI: 0.25, LKNE: 0.15}]     # or shares, which sum to 1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from kineme.layouts import Layout, get_layout, read_described
from kineme.sources.poses.arrays import MAX_PEOPLE, STANDING, Poses, check_size, split_columns
from kineme.typing import Array

_WORDS = 3  # of a prefix
FOLDER = Path(__file__).with_name("markersets")
Shares = Mapping[str, float]  # marker → its share of a joint; they sum to 1


def people(names: Sequence[str], points: Array, *, scale: float | None) -> Poses:
    """(T, V, 3) points of named markers → a clip, with a body for each prefix as in 'anna:LASI'.

    Prefixes may also end in '_', as Qualisys' 'Q_HeadL' has it, where a known marker set follows. Where there
    are prefixes, markers without one belong to nobody and are left out. A marker that one person has and
    another lacks is missing (NaN) for that one.
    """
    marks = [name.rpartition(":") for name in _with_colons(names)]
    prefixes = list(dict.fromkeys(prefix for prefix, colon, _ in marks if colon))
    owners = prefixes or [""]
    labels = list(dict.fromkeys(label for prefix, _, label in marks if prefix in owners))
    if len(owners) > MAX_PEOPLE:
        raise ValueError(f"has markers of {len(owners)} people; the limit is {MAX_PEOPLE}")
    check_size(len(points), len(owners), len(labels), 3)
    placed = np.full((len(points), len(owners), len(labels), 3), np.nan, dtype=np.float32)
    slot, column = ({name: i for i, name in enumerate(each)} for each in (owners, labels))
    with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
        for source, (prefix, _, label) in enumerate(marks):
            if prefix in slot:
                placed[:, slot[prefix], column[label]] = points[:, source]
    placed, _ = split_columns(placed, scores=False)
    return Poses(placed, None, tuple(labels), scale=scale, axes=STANDING)


def _with_colons(names: Sequence[str]) -> Sequence[str]:
    """'Q_HeadL' → 'Q:HeadL', where what is prefixed so makes up a marker set."""
    if any(":" in name for name in names):
        return names
    prefixed: dict[str, list[str]] = {}
    for name in names:
        for at in _underscores(name):
            prefixed.setdefault(name[:at], []).append(name[at + 1 :])
    people = {
        prefix
        for prefix, labels in prefixed.items()
        if any(markers.shares(labels) for markers in marker_sets())
    }
    ends = [next((at for at in _underscores(name) if name[:at] in people), None) for name in names]
    return [
        name if at is None else f"{name[:at]}:{name[at + 1 :]}" for name, at in zip(names, ends, strict=True)
    ]


def _underscores(name: str) -> list[int]:
    """Where a prefix may end, as in '251112_KUO_LASI'."""
    return [at for at, letter in enumerate(name) if letter == "_"][:_WORDS]


@dataclass(frozen=True)
class MarkerSet:
    """Where the joints of a layout are among markers; each joint has ways to be placed, the best first."""

    name: str
    title: str
    layout: Layout
    joints: Mapping[str, Sequence[Shares]]

    def shares(self, markers: Sequence[str]) -> dict[str, Shares] | None:
        """Joint of the layout → its markers and their shares; None if some joint cannot be placed."""
        found = self.placed(markers)
        return found if len(found) == len(self.joints) else None

    def placed(self, markers: Sequence[str]) -> dict[str, Shares]:
        """As `shares`, of those joints that can be placed."""
        there = set(markers)
        ways = {
            joint: next((way for way in ways if there.issuperset(way)), None)
            for joint, ways in self.joints.items()
        }
        return {joint: way for joint, way in ways.items() if way}


@cache
def marker_sets() -> tuple[MarkerSet, ...]:
    """The built-in marker sets, the more specific first."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.yaml")))


def _read(path: Path) -> MarkerSet:
    data = read_described(path, "a marker set")
    given = data["layout"]
    layout = get_layout(given) if isinstance(given, str) else Layout.from_dict(given, str(path))
    joints = {joint: [_shares(way) for way in ways] for joint, ways in data["joints"].items()}
    for joint, ways in list(joints.items()):
        if joint.startswith("left_"):
            swapped = [{_right(marker): share for marker, share in way.items()} for way in ways]
            joints.setdefault(joint.replace("left_", "right_"), swapped)
    assert set(joints) == set(layout.joints), f"{path}: lacks {set(layout.joints) - set(joints)}"
    return MarkerSet(path.stem, data["title"], layout, joints)


def _shares(way: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    if isinstance(way, Mapping):
        assert abs(sum(way.values()) - 1) < 1e-9, f"shares of {way} do not sum to 1"
        return dict(way)
    return dict.fromkeys(way, 1 / len(way))


def _right(marker: str) -> str:
    """LASI → RASI, l_thigh → r_thigh, WaistLFront → WaistRFront; RASI → LASI."""
    swap = {"L": "R", "R": "L", "l": "r", "r": "l"}
    if marker.startswith("Waist") and marker[5:6] in swap:
        return f"Waist{swap[marker[5]]}{marker[6:]}"
    if marker[:1] in "LR" or marker[:2] in ("l_", "r_"):
        return swap[marker[0]] + marker[1:]
    if marker[-1:] in "LR" and marker[:-1] in ("Head", "Back"):
        return marker[:-1] + swap[marker[-1]]
    return marker


def mixed(poses: Poses, layout: Layout, shares: Mapping[str, Shares]) -> Poses:
    """Joints of a layout as shares of a clip's joints, missing where one of these is in a frame."""
    place = {name: column for column, name in enumerate(poses.joints)}
    shape = (*poses.points.shape[:2], layout.num_joints)
    points = np.zeros((*shape, poses.points.shape[-1]), dtype=np.float32)
    confidence = None if poses.confidence is None else np.ones(shape, dtype=np.float32)
    for row, joint in enumerate(layout.joints):
        for name, share in shares[joint].items():
            points[:, :, row] += np.float32(share) * poses.points[:, :, place[name]]
            if confidence is not None and poses.confidence is not None:
                np.minimum(
                    confidence[:, :, row], poses.confidence[:, :, place[name]], out=confidence[:, :, row]
                )
    return Poses(points, confidence, layout.joints, scale=poses.scale, axes=poses.axes, unread=poses.unread)
