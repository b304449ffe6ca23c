"""TRC, the marker files of OpenSim, Pose2Sim, Sports2D and Motion Analysis: text with five header lines.

    PathFileType  4  (X/Y/Z)  walk.trc
    DataRate  CameraRate  NumFrames  NumMarkers  Units  OrigDataRate  OrigDataStartFrame  OrigNumFrames
    60        60          73         31          mm     60            1                   73
    Frame#  Time  RHip          RKnee         ...
                  X1  Y1  Z1    X2  Y2  Z2    ...
    1       0.0   0.1 0.9 0.2   ...

Cells are separated by tabs. An empty cell, or a marker at (0, 0, 0), is a gap. Functions raise ValueError
with what is wrong, and in which line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import MAX_FRAMES, STANDING, Poses, check_size, split_columns
from kineme.sources.poses.markers import people
from kineme.sources.poses.rates import evenly
from kineme.sources.poses.rows import is_float
from kineme.sources.raw import shown
from kineme.typing import Array

MAX_TRC_BYTES = 1 << 28  # 100,000 frames of 100 markers
_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "meters": 1.0, "millimeters": 0.001}
_HEADER = 5  # lines


def trc_poses(data: bytes) -> Poses:
    """The bytes of a TRC file → its clip; a row per instant, resampled where times are uneven."""
    lines = _lines(data)
    told = _told(lines)
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    if len(names) != told["NumMarkers"]:
        raise ValueError(f"line 4: names {len(names)} markers, line 3 says {told['NumMarkers']:,.0f}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"line 4: names the marker {shown(twice)} twice")
    rows = [(number, line) for number, line in enumerate(lines[_HEADER:], start=_HEADER + 1) if line.strip()]
    if told["NumFrames"] > len(rows):
        raise ValueError(f"says {told['NumFrames']:,.0f} frames and has {len(rows):,}; it is cut off")
    check_size(len(rows), 1, len(names), 3)
    values = numbers(rows, 2 + 3 * len(names))
    points = values[:, 2:].reshape(len(rows), len(names), 3)
    points = np.where((points == 0).all(axis=-1, keepdims=True), np.nan, points)
    points = evenly(points, values[:, 1], told["DataRate"])
    units = str(told["Units"]).lower()
    if units == "px":
        flat, _ = split_columns(points[:, None, :, :2], scores=False)
        return Poses(flat, None, tuple(names), axes=STANDING)
    if units not in _UNITS:
        raise ValueError(f"is in {shown(told['Units'])}; expected {', '.join(_UNITS)} or px")
    return people(names, points, scale=_UNITS[units])


def trc_notes(data: bytes) -> dict[str, Any]:
    """The frame rate. `data` may end anywhere after the header."""
    return {"fps": _told(_lines(data))["DataRate"]}


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8-sig", errors="replace")
    if not text.startswith("PathFileType"):
        raise ValueError("is not a TRC file: its first line does not begin with PathFileType")
    lines = text.splitlines()
    if len(lines) <= _HEADER:
        raise ValueError("ends within its header")
    return lines


def _told(lines: list[str]) -> dict[str, Any]:
    """What lines 2 and 3 say: numbers, and the units as text."""
    names, values = (line.split() for line in lines[1:3])
    told: dict[str, Any] = dict(zip(names, values, strict=False))
    for name, low, high in (("DataRate", 1e-3, 1e5), ("NumFrames", 1, MAX_FRAMES), ("NumMarkers", 1, 1e6)):
        try:
            number = float(told[name])
        except (KeyError, ValueError):
            raise ValueError(f"lines 2 and 3 give no {name}") from None
        if not low <= number <= high:
            raise ValueError(f"line 3: says {name} {told[name][:20]}; expected {low:g} to {high:,.0f}")
        told[name] = number
    if "Units" not in told:
        raise ValueError("lines 2 and 3 give no Units")
    return told


def numbers(
    rows: Sequence[tuple[int, str]], columns: int, apart: str = "\t", wanted: Sequence[int] | None = None
) -> Array:
    """(rows, columns) of the cells of numbered lines; empty ones, also at the end of a row, are NaN.

    Where some columns are `wanted`, (rows, wanted); others, such as Motive's time codes, may be text.
    """
    wanted = range(columns) if wanted is None else wanted
    values = np.full((len(rows), len(wanted)), np.nan)
    for place, (number, line) in enumerate(rows):
        cells = line.rstrip(f"{apart} \r\n").split(apart)
        if len(cells) > columns:
            raise ValueError(f"line {number}: has {len(cells)} cells; its header announces {columns}")
        cells = [cells[column] if column < len(cells) else "" for column in wanted]
        try:
            values[place] = [float(cell) if cell.strip() else np.nan for cell in cells]
        except ValueError:
            wrong = next(cell for cell in cells if cell.strip() and not is_float(cell))
            raise ValueError(f"line {number}: {shown(wrong)} is not a number") from None
    return values
