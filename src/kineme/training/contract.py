"""What an encoder or method must keep to, so that a mistake in one's own is told in one line, at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kineme.encoders import ENCODERS, Encoder, Features, View
from kineme.errors import KinemeError
from kineme.layouts import COORDINATES
from kineme.methods import METHODS, Method

TRIED = 2  # clips of the trial
OF_PARTS = {"temporal": "N, T', D'", "spatial": "N, L, D'", "tokens": "N, M, K, D'"}  # features, and axes


def check_encoder(encoder: Encoder) -> None:
    """Checks an encoder from outside Kineme: its attributes, and its features of clips that are all zero.

    Raises:
        KinemeError: it lacks an attribute, or returns no `Features` with (N, D) in `clip` and the axes of
            `OF_PARTS` in what else it has.
    """
    kind = type(encoder)
    if kind.__module__.startswith("kineme."):
        return
    for name, meaning in (("shape", "the ClipShape that it is given"), ("dim", "D of the clip feature")):
        if not hasattr(encoder, name):
            raise KinemeError(f"{_encoder(encoder)}: sets no `self.{name}`; set it to {meaning}")
    shape, training = encoder.shape, encoder.training
    clips = torch.zeros(TRIED, COORDINATES, shape.frames, shape.layout.num_joints, shape.bodies)
    with torch.no_grad():
        features: Any = encoder.eval()(clips)  # anything, as far as we know
    encoder.train(training)
    if not isinstance(features, Features):
        found = type(features).__name__
        raise KinemeError(f"{_encoder(encoder)}: its `forward` returns {found}; return Features(clip=...)")
    given = f"of clips (N, C, T, V, M) = {tuple(clips.shape)}"
    if _shape(features.clip) != str((TRIED, encoder.dim)):
        raise KinemeError(
            f"{_encoder(encoder)}: {given}, the feature is {_shape(features.clip)}, not "
            f"({TRIED}, {encoder.dim}), (N, D) with D = `self.dim`"
        )
    for name, axes in OF_PARTS.items():
        part: Any = getattr(features, name)
        fits = isinstance(part, Tensor) and part.ndim == len(axes.split(", ")) and len(part) == TRIED
        if part is not None and not fits:
            raise KinemeError(f"{_encoder(encoder)}: `{name}` {given} is {_shape(part)}, not ({axes})")


def check_views(method: Method, views: Sequence[View]) -> None:
    """Checks what `Method.views` returned.

    Raises:
        KinemeError: it is no sequence of views, or the clips of one are not those that the encoder takes.
    """
    if not isinstance(views, Sequence) or not all(isinstance(view, View) for view in views):
        raise KinemeError(f"{_method(method)}: `views` must return a sequence of View")
    shape = method.encoder.shape
    joints, bodies = shape.layout.num_joints, shape.bodies
    wanted = f"(N, {COORDINATES}, T, {joints}, {bodies})"  # or fewer bodies, where each is a clip of its own
    for number, found in enumerate((tuple(view.clips.shape) for view in views), start=1):
        if len(found) != 5 or (found[1], found[3]) != (COORDINATES, joints) or found[4] > bodies:
            raise KinemeError(
                f"{_method(method)}: the clips of view {number} are {found}, not {wanted}; pass joints "
                "through `self.encoder.shape.take`"
            )


def check_losses(method: Method, outputs: dict[str, Tensor]) -> None:
    """Checks what `Method.loss` returned.

    Raises:
        KinemeError: they are no named tensors, or `loss` is missing, has axes, or leads to no parameter.
    """
    if not isinstance(outputs, dict) or not all(isinstance(each, Tensor) for each in outputs.values()):
        raise KinemeError(f"{_method(method)}: `loss` must return tensors by name, {{'loss': ..., ...}}")
    if "loss" not in outputs:
        named = ", ".join(outputs) or "nothing"
        raise KinemeError(f"{_method(method)}: `loss` returns {named}; what is minimised must be called loss")
    loss = outputs["loss"]
    if loss.ndim:
        raise KinemeError(
            f"{_method(method)}: `loss` has the axes {tuple(loss.shape)}; reduce it to a scalar"
        )
    if not loss.requires_grad:
        raise KinemeError(
            f"{_method(method)}: `loss` has no gradient; compute it from parameters that learn, without "
            "`detach` and `no_grad`"
        )


def _shape(given: object) -> str:
    """The shape of a tensor; the type of anything else."""
    return str(tuple(given.shape)) if isinstance(given, Tensor) else type(given).__name__


def _encoder(encoder: Encoder) -> str:
    return f"encoder {ENCODERS.name_of(type(encoder))}"


def _method(method: Method) -> str:
    return f"method {METHODS.name_of(type(method))}"
