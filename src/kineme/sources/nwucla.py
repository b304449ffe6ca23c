"""Northwestern-UCLA as commonly redistributed: one JSON file per clip.

`aAA_sSS_eEE_vVV.json` (action, subject, repetition, view) has `skeletons`, [T][20][3] in metres from a
Kinect v1 (y up, joints in the order of Microsoft's SDK), and `label`. The ten actions are numbered
1 to 6, 8, 9, 11 and 12. The label comes from the name, and `label` must agree with it: it is either the
action's rank, from 1 (as in the common files), or its number.

The published split `xview` trains on views 1 and 2 and tests on view 3 (Wang et al., CVPR 2014).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError, one_line
from kineme.layouts import get_layout
from kineme.sources import Source
from kineme.sources.names import numbered_files
from kineme.sources.raw import RawFile, shown
from kineme.typing import Array

# Number in a file's name → the data set's own name of the action.
ACTIONS = {
    1: "pick up with one hand", 2: "pick up with two hands", 3: "drop trash", 4: "walk around",
    5: "sit down", 6: "stand up", 8: "donning", 9: "doffing", 11: "throw", 12: "carry",
}  # fmt: skip
_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)", re.ASCII)
_TRAINS = {1: True, 2: True, 3: False}  # by view
_JOINTS = 20
_MAX_BYTES = 1 << 23  # the longest clip has some 200 frames, 300 KB


def open_nwucla(raw: Path) -> Source:
    """The clips of a folder or zip of JSON files, sorted by name.

    Raises:
        KinemeError: there are no such files, or a file's name is malformed or a duplicate.
    """
    files = numbered_files(raw, ".json", _NAME, "a01_s01_e00_v01.json")
    for file, (action, _, _, view) in files:
        if action not in ACTIONS or view not in _TRAINS:
            actions, views = (", ".join(map(str, known)) for known in (ACTIONS, _TRAINS))
            raise file.error(f"NW-UCLA has the actions {actions} and the views {views}", "remove this file")
    return Source(
        name="nwucla",
        layout=get_layout("kinect20"),
        class_names=tuple(ACTIONS.values()),
        fps=30.0,
        bodies=1,
        names=[file.stem for file, _ in files],
        items=files,
        read=read_clip,
        costly=True,
    )


def read_clip(item: tuple[RawFile, tuple[int, ...]]) -> Clip:
    """One file with the fields of its name.

    Raises:
        KinemeError: the file is not JSON, lacks its skeletons, or they are not [T][20][3] finite numbers of
            plausible size; or its label contradicts its name.
    """
    file, (action, subject, repetition, view) = item
    label = list(ACTIONS).index(action)
    data = _load(file)
    if data.get("label", action) not in (label + 1, action):
        says = f"the name says action {action}, which is label {label + 1}"
        raise file.error(f"'label' is {shown(data['label'])}, but {says}")
    return Clip(
        name=file.stem,
        xyz=_coordinates(file, data.get("skeletons"))[:, None],
        label=label,
        subject=str(subject),
        camera=view,
        replication=repetition,
        splits={"xview": _TRAINS[view]},
    )


def _load(file: RawFile) -> dict[str, Any]:
    try:
        data = json.loads(file.read(_MAX_BYTES))
    except KinemeError:
        raise
    except (ValueError, RecursionError) as error:  # broken JSON or UTF-8
        raise file.error(f"cannot be read as JSON ({one_line(error)})") from error
    if not isinstance(data, dict) or "skeletons" not in data:
        raise file.error("lacks 'skeletons', the joints")
    return data


def _coordinates(file: RawFile, skeletons: Any) -> Array:
    """(T, 20, 3) float32."""
    try:
        values = np.array(skeletons)
    except (ValueError, OverflowError, RecursionError):  # ragged, or too large numbers
        values = np.zeros(0)
    if values.shape != (len(values) if values.ndim else 0, _JOINTS, 3) or values.dtype.kind not in "fi":
        raise file.error(f"'skeletons' does not have {_JOINTS} joints of three numbers in every frame")
    file.check_metres("skeletons", values)
    return values.astype(np.float32)
