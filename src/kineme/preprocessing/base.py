"""The contract of preprocessings, and how they are found by name."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import COORDINATES, Layout
from kineme.registry import Registry
from kineme.typing import Array

logger = logging.getLogger(__name__)

MAX_BODIES = 2  # in preprocessed clips


@dataclass(frozen=True)
class Preprocessing(ABC):
    """A preprocessing: a frozen dataclass whose fields are its parameters.

    Stores of equal preprocessings hold comparable clips. A new one is registered with
    `PREPROCESSINGS.register` or named by its dotted path.

    Attributes:
        up: unit vector that points up in preprocessed clips.
        keeps_frames: every frame keeps its index, so labelled intervals remain valid.
        keeps_zeros: missing joints, zero in the recording, stay zero.
        by_person: every tracked person has a separate slot in the clips that it takes, if the source tells
            people apart; else a slot is a place in each frame's list of bodies.

    >>> @dataclass(frozen=True)
    ... class Scaled(Preprocessing):
    ...     factor: float = 1.0
    ...     def apply(self, xyz, layout):
    ...         return self.factor * xyz[:, :2]
    >>> Scaled(0.5).parameters, Scaled(0.5) == Scaled(0.2)
    ({'factor': 0.5}, False)
    """

    up: ClassVar[tuple[float, float, float]] = (0.0, 1.0, 0.0)
    keeps_frames: ClassVar[bool] = True
    keeps_zeros: ClassVar[bool] = False
    by_person: ClassVar[bool] = False

    @abstractmethod
    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) with at least one body → (T', M', V, C), M' at most two."""

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The joint of the first body that is at the origin in every frame; None if there is none."""
        return None

    def units(self, raw: str) -> str:
        """Units of preprocessed clips, from those of raw clips."""
        return raw

    @property
    def name(self) -> str:
        """Its registered name, or its dotted path."""
        return PREPROCESSINGS.name_of(type(self))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {each.name: given[each.name] for each in fields(self) if given[each.name] != each.default}

    @property
    def id(self) -> str:
        """One line, such as `plain(facing=True)`, recorded in every checkpoint and result."""
        inside = ", ".join(f"{key}={value}" for key, value in sorted(self.parameters.items()))
        return f"{self.name}({inside})" if inside else self.name

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters, for manifests and model files."""
        return {"name": self.name, "parameters": self.parameters}

    def check_keeps_frames(self) -> None:
        """Checks that it is fit for untrimmed recordings.

        Raises:
            KinemeError: it moves frames.
        """
        if not self.keeps_frames:
            raise KinemeError(
                f"preprocessing {self.id} moves frames, so the intervals of untrimmed recordings would no "
                "longer fit; use plain, such as plain(facing=True)"
            )

    def apply_to_part(self, xyz: Array, layout: Layout, present: Array) -> Array:
        """Like `apply`, for clips that lack joints; these are placed where their neighbours are.

        Args:
            xyz: (T, M, V, C).
            layout: of the joints.
            present: (V,) bool, which joints were recorded.
        """
        return self.apply(xyz, layout)

    def turns_by(self, layout: Layout) -> Sequence[int]:
        """Joints by which it turns bodies, and which it therefore requires."""
        return ()

    def __call__(self, xyz: Array, layout: Layout, present: Array | None = None) -> Array:
        """(T, M, V, C) → (T', M', V, C) float32, M' at most two.

        Joints that were never recorded, false in `present` (V,), are placed where their neighbours are. A
        body is centred by these if its origin was not recorded, and a warning says so; it is not turned by
        them.

        Raises:
            KinemeError: the clip or what `apply` returns has another shape, no body is present in any frame,
                the layout lacks required joints, a joint was not recorded by which bodies are turned, or
                coordinates are NaN, infinite or too large.
        """
        check_clip(xyz, layout, present)
        finite = np.isfinite(xyz).all(axis=(1, 2, 3))
        if not finite.all():
            raise KinemeError(
                f"frame {int(np.argmin(finite))} contains NaN or infinite coordinates; fix them"
            )
        if not xyz.any():
            raise KinemeError("no body is present in any frame; leave the clip out")
        with np.errstate(over="ignore", invalid="ignore"):
            applied: Any = self._applied(xyz, layout, present)
            if not isinstance(applied, np.ndarray):  # the preprocessing may be anybody's
                returned = type(applied).__name__
                raise KinemeError(f"preprocessing {self.id}: `apply` returns {returned}; return an array")
            found = np.ascontiguousarray(applied, dtype=np.float32)
        wanted = layout.num_joints, COORDINATES
        if found.ndim != 4 or found.shape[2:] != wanted or found.shape[1] > MAX_BODIES:
            raise KinemeError(
                f"preprocessing {self.id}: `apply` returns the shape {found.shape}; return "
                f"(T, M, V={wanted[0]}, C={wanted[1]}) with at most {MAX_BODIES} bodies"
            )
        if not np.isfinite(found).all():
            raise KinemeError(
                f"its coordinates are NaN or infinite after {self.id}, as if they were too large; are its "
                "units right?"
            )
        return found

    def _applied(self, xyz: Array, layout: Layout, present: Array | None) -> Array:
        if present is None or present.all():
            return self.apply(xyz, layout)
        for joint in self.turns_by(layout):
            if not present[joint]:
                raise KinemeError(
                    f"the joint {layout.joints[joint]!r} was never recorded, and preprocessing {self.id} "
                    "turns bodies by it; use plain, or leave the clip out"
                )
        if lacking := [layout.joints[joint] for joint in layout.origin if not present[joint]]:
            _warn(", ".join(lacking))
        return self.apply_to_part(xyz, layout, present)


def check_clip(xyz: Array, layout: Layout, present: Array | None = None) -> None:
    """Checks that a clip is an array (T, M, V, C) of a layout's joints.

    Raises:
        KinemeError: it is not, or `present` is not (V,).
    """
    joints = layout.num_joints
    found = np.shape(xyz)
    if not isinstance(xyz, np.ndarray) or len(found) != 4 or found[2:] != (joints, COORDINATES):
        raise KinemeError(
            f"a clip of the shape {found} was given; it must be an array (T, M, V={joints}, C={COORDINATES}) "
            f"for layout {layout.name}"
        )
    if present is not None and np.shape(present) != (joints,):
        raise KinemeError(f"`present`: has the shape {np.shape(present)}; it must be (V={joints},)")


@cache
def _warn(joints: str) -> None:
    logger.warning("%s: not recorded in some clips, which are centred by the nearest joints instead", joints)


@dataclass(frozen=True)
class Unavailable(Preprocessing):
    """A store's preprocessing whose package is not installed: known by name, cannot be applied."""

    stored_name: str = ""
    stored_parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in the store."""
        return self.stored_name

    @property
    def parameters(self) -> dict[str, Any]:
        """As in the store."""
        return dict(self.stored_parameters)

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """Raises KinemeError."""
        raise KinemeError(f"preprocessing {self.id} is not installed; install the package that provides it")


PREPROCESSINGS: Registry[type[Preprocessing]] = Registry(
    "preprocessing",
    {
        "plain": "kineme.preprocessing.plain.Plain",
        "crossclr": "kineme.preprocessing.crossclr.CrossCLR",
        "agcn": "kineme.preprocessing.agcn.AGCN",
        "ctrgcn": "kineme.preprocessing.ctrgcn.CTRGCN",
    },
    base=Preprocessing,
)
