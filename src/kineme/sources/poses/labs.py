"""Tables of motion-capture programs, which have several rows of headers: Motive, Nexus and Qualisys.

    Motive (OptiTrack), .csv          Nexus (Vicon), .csv          Qualisys, .tsv
    Format Version,1.23,Take Name,..  Trajectories                 NO_OF_FRAMES  2000
    ,Type,Bone,Bone,Bone,...          100                          FREQUENCY     100
    ,Name,anna:Hip,anna:Hip,...       ,,anna:LASI,,,anna:RASI,,    MARKER_NAMES  LASI  RASI ...
    ,,Position,Position,...           Frame,Sub Frame,X,Y,Z,...    Frame  Time  LASI X  LASI Y ...
    Frame,Time (Seconds),X,Y,Z,...    ,,mm,mm,mm,...               1      0.0   819.8   277.7 ...

Of Motive's types, the bones of skeletons are taken, else markers as measured, else those of assets, else
rigid bodies; of Nexus' sections, the trajectories. Empty cells, and places at (0, 0, 0), are gaps. Functions
raise ValueError with what is wrong, and in which line.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import Poses, check_size
from kineme.sources.poses.markers import people
from kineme.sources.poses.rows import is_float
from kineme.sources.poses.trc import numbers
from kineme.sources.raw import RemediedError, shown

MAX_LAB_BYTES = 1 << 28  # as of TRC
_UNITS = {"m": 1.0, "meters": 1.0, "cm": 0.01, "centimeters": 0.01, "mm": 0.001, "millimeters": 0.001}
_TYPES = ("Bone", "Marker", "Bone Marker", "Rigid Body Marker", "Rigid Body")  # of Motive, the best first
_SECTIONS = ("trajectories", "model outputs", "devices", "joints", "segments", "events")  # of Nexus
_NAMELESS = ("*", "unlabeled")


@dataclass(frozen=True)
class _Table:
    """Where everything is.

    Attributes:
        places: name of a point → columns of its x, y and z.
        rows: line number and text of each frame.
        width: columns that a row has at most.
        apart: what separates them.
        rate: frames per second.
        unit: the name of it.
    """

    places: Mapping[str, Sequence[int]]
    rows: Sequence[tuple[int, str]]
    width: int
    apart: str
    rate: str
    unit: str


def is_lab(head: bytes) -> bool:
    """Whether a file begins like a table of one of these programs."""
    first = _first(head.decode("utf-8-sig", errors="replace").splitlines())
    return first.startswith(("format version,", "no_of_frames\t")) or first in _SECTIONS


def lab_poses(data: bytes) -> Poses:
    """The bytes of a table → its clip."""
    table = _table(data)
    names = [
        name
        for name in table.places
        if not any(part.lower().startswith(_NAMELESS) for part in name.split(":"))
    ]
    if not names:
        raise RemediedError("has no markers with names", "label its markers")
    if not table.rows:
        raise RemediedError("has headers but no frames", "remove it")
    if table.unit.lower() not in _UNITS:
        raise ValueError(f"is in {shown(table.unit)}; expected {', '.join(_UNITS)}")
    check_size(len(table.rows), 1, max(len(names), 2), 3)
    columns = [column for name in names for column in table.places[name]]
    values = numbers(table.rows, table.width, table.apart, columns)
    points = values.reshape(-1, len(names), 3)
    points = np.where((points == 0).all(axis=-1, keepdims=True), np.nan, points)
    return people(names, points, scale=_UNITS[table.unit.lower()])


def lab_notes(data: bytes) -> dict[str, Any]:
    """The frame rate."""
    rate = _table(data).rate
    return {"fps": float(rate)} if is_float(rate) else {}


def _table(data: bytes) -> _Table:
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    first = _first(lines)
    if first.startswith("format version,"):
        return _motive(lines)
    return _qualisys(lines) if first.startswith("no_of_frames\t") else _nexus(lines)


def _first(lines: Sequence[str]) -> str:
    return next((text for line in lines if (text := line.strip(" ,").lower())), "")


def _fields(line: str, apart: str = ",") -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=apart), [])]
    except csv.Error as error:
        raise ValueError(f"has a line of headers that is none of a table: {error}") from error


def _motive(lines: Sequence[str]) -> _Table:
    begun = [at for at, line in enumerate(lines) if line.strip(" ,")]
    top = next((at for at in begun if lines[at].startswith(("Frame,", '"Frame",'))), None)
    above = [at for at in begun if top is not None and begun[0] < at < top]
    if top is None or len(above) < 3:
        raise ValueError("ends within its header")
    told = _fields(lines[begun[0]])
    said = dict(zip(told[::2], told[1::2], strict=False))
    if said.get("Coordinate Space") == "Local":
        raise RemediedError("has bones in the coordinates of their parents", "export global coordinates")
    axes = _fields(lines[top])
    types, names, kinds = (_fields(lines[above[at]]) for at in (0, 1, -1))
    found: dict[str, dict[str, dict[str, int]]] = {kind: {} for kind in _TYPES}
    for column, axis in enumerate(axes[: min(map(len, (types, names, kinds)))]):
        if types[column] in found and kinds[column] == "Position":
            name = _bone(names[column]) if types[column] == "Bone" else names[column]
            found[types[column]].setdefault(name, {}).setdefault(axis, column)
    chosen = next((found[kind] for kind in _TYPES if found[kind]), {})
    rows = [(at + 1, lines[at]) for at in begun if at > top]
    rate = said.get("Export Frame Rate") or said.get("Capture Frame Rate", "")
    _check_whole(said.get("Total Exported Frames", ""), len(rows))
    return _Table(_whole(chosen), rows, len(axes), ",", rate, said.get("Length Units", ""))


def _bone(name: str) -> str:
    """'anna:anna' → 'anna:Hip': the hip, the first bone of a skeleton, is called like the skeleton."""
    skeleton, _, bone = name.partition(":")
    return f"{skeleton}:Hip" if bone == skeleton else name


def _nexus(lines: Sequence[str]) -> _Table:
    start = next((at for at, line in enumerate(lines) if line.strip(" ,\t").lower() == "trajectories"), None)
    if start is None:
        raise RemediedError("has no trajectories of markers", "export them too")
    if len(lines) < start + 5:
        raise ValueError("ends within its header")
    apart = "\t" if "\t" in lines[start + 3] else ","
    rate, names, axes, units = (_fields(line, apart) for line in lines[start + 1 : start + 5])
    found: dict[str, dict[str, int]] = {}
    name = ""
    for column, axis in enumerate(axes):
        name = (names[column] if column < len(names) else "") or name
        if name:
            found.setdefault(name, {}).setdefault(axis, column)
    rows = []
    for at in range(start + 5, len(lines)):
        if not lines[at].partition(apart)[0].strip().isdecimal():
            break
        rows.append((at + 1, lines[at]))
    places = _whole(found)
    unit = next((units[columns[0]] for columns in places.values() if columns[0] < len(units)), "")
    return _Table(places, rows, len(axes), apart, rate[0] if rate else "", unit)


def _qualisys(lines: Sequence[str]) -> _Table:
    begun = next((at for at, line in enumerate(lines) if is_float(line.partition("\t")[0])), len(lines))
    header = [_fields(line, "\t") for line in lines[:begun]]
    said = {fields[0]: [each for each in fields[1:] if each] for fields in header if fields}
    names = said.get("MARKER_NAMES", [])
    if not names:
        raise RemediedError("has no MARKER_NAMES", "export the 3D data of its markers")
    columns = [field.lower() for field in header[-1][:2]]
    before = sum(field in ("frame", "time") for field in columns)
    if columns[:1] != ["frame"] and begun < len(lines):  # there is no row of names of columns
        before = max(len(lines[begun].rstrip("\t").split("\t")) - 3 * len(names), 0)
    rows = [(at + 1, lines[at]) for at in range(begun, len(lines)) if lines[at].strip()]
    _check_whole(next(iter(said.get("NO_OF_FRAMES", [])), ""), len(rows))
    places = {name: range(before + 3 * at, before + 3 * at + 3) for at, name in enumerate(names)}
    rate = next(iter(said.get("FREQUENCY", [])), "")
    return _Table(places, rows, before + 3 * len(names), "\t", rate, "mm")


def _whole(found: Mapping[str, Mapping[str, int]]) -> dict[str, tuple[int, int, int]]:
    """The points that have a column for each axis."""
    return {
        name: (axes["X"], axes["Y"], axes["Z"])
        for name, axes in found.items()
        if {"X", "Y", "Z"} <= set(axes)
    }


def _check_whole(said: str, rows: int) -> None:
    if said.isdecimal() and len(said) < 18 and int(said) > rows:
        raise ValueError(f"says {int(said):,} frames and has {rows:,}; it is cut off")
