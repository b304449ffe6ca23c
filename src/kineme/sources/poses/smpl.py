"""SMPL body models: from shape and rotations to the places of the 22 joints of the body.

A model (SMPL, SMPL-H or SMPL-X, as `.npz` or `.pkl`) has to be fetched from its authors, who license it
(https://smpl.is.tue.mpg.de). The joints of a body of shape β are J·(v̄ + S·β), and each turns its children
about itself (Loper et al., SIGGRAPH Asia 2015, sections 3.2 and 3.3). Skin is not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kineme.errors import KinemeError, one_line
from kineme.layouts import get_layout
from kineme.sources.poses.arrays import load_npz
from kineme.sources.raw import RawFile
from kineme.sources.unpickle import Inert, read_pickle
from kineme.typing import Array

LAYOUT = get_layout("smpl22")
MAX_MODEL_BYTES = 1 << 30
_KEYS = ("v_template", "J_regressor", "shapedirs", "kintree_table")
_INERT = (
    "chumpy.ch.Ch",
    "scipy.sparse.csc.csc_matrix",
    "scipy.sparse._csc.csc_matrix",
    "scipy.sparse.csc.csc_array",
    "scipy.sparse._csc.csc_array",
)


@dataclass(frozen=True)
class BodyModel:
    """The joints of a model's mean shape, (22, 3) metres, and how each component of shape moves them."""

    joints: Array
    shapes: Array  # (22, 3, components)

    def places(self, rotations: Array, translation: Array, betas: Array) -> Array:
        """(T, 22, 3) places of joints.

        Args:
            rotations: (T, 22, 3) of each joint relative to its parent, as axis times angle.
            translation: (T, 3) of the whole body, in metres.
            betas: (components,) of shape; more than the model has are left out.
        """
        from scipy.spatial.transform import Rotation

        known = min(len(betas), self.shapes.shape[-1])
        rest = self.joints + self.shapes[..., :known] @ betas[:known]
        turns = Rotation.from_rotvec(rotations.reshape(-1, 3)).as_matrix().reshape(*rotations.shape[:2], 3, 3)
        places = np.empty(rotations.shape)
        for joint in LAYOUT.topological:
            parent = LAYOUT.parents[joint]
            if parent == -1:
                places[:, joint] = rest[joint] + translation
            else:
                turns[:, joint] = turns[:, parent] @ turns[:, joint]
                places[:, joint] = places[:, parent] + turns[:, parent] @ (rest[joint] - rest[parent])
        return places


def read_body_model(path: Path) -> BodyModel:
    """Reads a model; the last one that was read is kept.

    Raises:
        KinemeError: there is no such file, or it is not a body model of the SMPL family.
    """
    if not path.is_file():
        raise KinemeError(f"`body_model`: {path}: no such file; name the .npz or .pkl of an SMPL body model")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> BodyModel:
    """`changed` tells versions of the file apart."""
    file = RawFile(PurePosixPath(path.name), path)
    try:
        if path.suffix.lower() == ".pkl":
            content = read_pickle(file, _INERT)
        else:
            content = load_npz(file.read(MAX_MODEL_BYTES), _KEYS)
        return _model(content)
    except KinemeError as error:
        raise KinemeError(f"`body_model`: {error}") from error
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise KinemeError(
            f"`body_model`: {path}: is not a body model of the SMPL family ({one_line(error)}); download "
            "SMPL, SMPL-H or SMPL-X from its authors"
        ) from error


def _model(content: Mapping[str, Any]) -> BodyModel:
    if not isinstance(content, Mapping):
        raise ValueError("it holds no named arrays")
    if lacking := [key for key in _KEYS if key not in content]:
        raise ValueError(f"it lacks {lacking[0]}")
    template, shapes, tree = (_array(content[key]) for key in ("v_template", "shapedirs", "kintree_table"))
    regressor = _regressor(content["J_regressor"])
    vertices, count = len(template), LAYOUT.num_joints
    if template.shape != (vertices, 3) or shapes.ndim != 3 or shapes.shape[:2] != (vertices, 3):
        raise ValueError("vertices and shapes do not match")
    if regressor.ndim != 2 or len(regressor) < count or regressor.shape[1] != vertices:
        raise ValueError("J_regressor does not match the vertices")
    parents = tree[0, :count].astype(np.int64)
    if tree.ndim != 2 or parents[1:].tolist() != list(LAYOUT.parents[1:]):
        raise ValueError("its joints are connected differently")
    regressor = regressor[:count].astype(np.float64)
    joints = regressor @ template.astype(np.float64)
    moved = np.tensordot(regressor, shapes.astype(np.float64), axes=1)
    if not (np.isfinite(joints).all() and np.isfinite(moved).all()):
        raise ValueError("its numbers are not finite")
    return BodyModel(joints, moved)


def _array(value: Any) -> Array:
    """An array, also where the model's authors pickled one of chumpy."""
    if isinstance(value, Inert):
        value = value.state["x"]
    array: Array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ValueError("its arrays hold no numbers")
    return array


def _regressor(value: Any) -> Array:
    """(joints, vertices), also where the model's authors pickled a sparse matrix of SciPy."""
    if not isinstance(value, Inert):
        return _array(value)
    state = value.state
    rows, columns = (int(each) for each in state.get("_shape", state.get("shape", (0, 0))))
    starts, at, data = (np.asarray(state[key]) for key in ("indptr", "indices", "data"))
    lengths = np.diff(starts)
    if not 0 < rows <= 1024 or not 0 < columns <= 1 << 20 or lengths.shape != (columns,):
        raise ValueError("J_regressor is damaged")
    if (lengths < 0).any() or not lengths.sum() == len(at) == len(data):
        raise ValueError("J_regressor is damaged")
    dense = np.zeros((rows, columns))
    dense[at, np.repeat(np.arange(columns), lengths)] = data
    return dense
