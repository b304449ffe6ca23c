"""Networks as ONNX files, in which the number of clips is open."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from kineme.encoders import Encoder
from kineme.encoders.absent import joints_of
from kineme.encoders.base import COORDINATES, DenseEncoder, Kept, MaskedEncoder, PatchEncoder
from kineme.errors import KinemeError, one_line
from kineme.inference.classifying.classifier import Classifier
from kineme.streams import single_streams
from kineme.typing import Array

NEEDED = ("onnx", "onnxscript", "onnxruntime")


class ClipFeatures(nn.Module):
    """An encoder without its tokens: clips (N, C, T, V, M) → features (N, D)."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, clips: Tensor) -> Tensor:
        """(N, C, T, V, M) → (N, D)."""
        features: Tensor = self.encoder(clips).clip
        return features


class PresentFeatures(nn.Module):
    """The same of an encoder that leaves out joints, for clips that all lack the same ones.

    Args:
        encoder: takes clips that lack joints.
        present: (V,) bool, which joints the clips have; the others are where their neighbours are.
    """

    def __init__(self, encoder: Encoder, present: Array) -> None:
        super().__init__()
        self.encoder = copy(encoder)
        self.encoder.places_missing = False  # ONNX cannot solve for their places
        self.register_buffer("present", torch.from_numpy(present)[None])
        shape = encoder.shape
        joints = joints_of(self.get_buffer("present"), single_streams(shape.stream), shape.layout)
        times = encoder.segments if isinstance(encoder, PatchEncoder) else shape.bodies
        self.register_buffer("tokens", joints.repeat(1, times)[0].nonzero()[:, 0])

    def forward(self, clips: Tensor) -> Tensor:
        """(N, C, T, V, M) → (N, D)."""
        present = self.get_buffer("present")
        if not isinstance(self.encoder, MaskedEncoder):  # it needs no mask if all clips lack the same joints
            present = present.expand(clips.shape[0], -1)
        features: Tensor = self.encoder(clips, *self._kept(clips), present=present).clip
        return features

    def _kept(self, clips: Tensor) -> tuple[Kept, ...]:
        """The tokens of present joints, where the encoder can do without computing the others."""
        tokens = self.get_buffer("tokens")
        if isinstance(self.encoder, PatchEncoder):
            return (Kept(tokens=tokens.expand(clips.shape[0], clips.shape[4], -1)),)
        if isinstance(self.encoder, DenseEncoder) and self.encoder.runs_on_kept_tokens:
            return (Kept(spatial=tokens.expand(clips.shape[0], -1)),)
        return ()


class ClassProbabilities(nn.Module):
    """A taught classifier: features (N, D) → probabilities (N, K), and whether each is none of the classes.

    Args:
        classifier: its temperature is folded into its weights.
        threshold: distance beyond which a motion is none of the classes; infinite for never.
    """

    def __init__(self, classifier: Classifier, threshold: float) -> None:
        super().__init__()
        head = classifier.head
        for name in ("mean", "scale", "weight", "bias", "centres"):
            self.register_buffer(name, torch.from_numpy(getattr(head, name)))
        self.threshold = threshold

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D) float32 → (N, K) float32, (N,) bool; computed in float64, as in Kineme."""
        exact = features.double()
        probabilities = (exact @ self.get_buffer("weight").mT + self.get_buffer("bias")).softmax(dim=1)
        standard = (exact - self.get_buffer("mean")) / self.get_buffer("scale")
        directions = standard / standard.norm(dim=1, keepdim=True).clamp_min(1e-300)
        distance = 1 - (directions @ self.get_buffer("centres").mT).amax(dim=1)
        return probabilities.float(), distance > self.threshold


def check_installed() -> None:
    """Checks for the packages of the extra `export`.

    Raises:
        KinemeError: one is missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise KinemeError(f'an export needs {", ".join(missing)}; pip install "kineme[export]"')


def write_encoder(encoder: Encoder, path: Path, present: Array | None = None) -> None:
    """Writes an encoder: input `clips` (N, C, T, V, M), output `features` (N, D).

    Args:
        encoder: in evaluation mode.
        path: of the ONNX file.
        present: (V,) bool, which joints all clips have; the others are where their neighbours are. None: all.

    Raises:
        KinemeError: the encoder does what cannot be recorded, such as to depend on the number of clips.
    """
    shape = encoder.shape
    clips = torch.zeros(3, COORDINATES, shape.frames, shape.layout.num_joints, shape.bodies)
    module: nn.Module = ClipFeatures(encoder)
    if present is not None and encoder.takes_missing:
        module = PresentFeatures(encoder, present)
    write_onnx(module, clips, ["clips"], ["features"], path)


def write_classifier(classifier: Classifier, threshold: float, path: Path) -> None:
    """Writes a classifier: input `features` (N, D), outputs `probabilities` (N, K) and `none` (N,).

    Args:
        classifier: that `kineme.inference.teach` made.
        threshold: as of `ClassProbabilities`.
        path: of the ONNX file.
    """
    module = ClassProbabilities(classifier, threshold)
    example = torch.zeros(3, classifier.head.weight.shape[1])
    write_onnx(module, example, ["features"], ["probabilities", "none"], path)


def write_onnx(module: nn.Module, example: Tensor, inputs: list[str], outputs: list[str], path: Path) -> None:
    """Records a module in evaluation mode and writes it as ONNX, with its first axis open.

    The recording is made first and strictly: left to itself, the exporter would fall back on a fixed number
    of clips where an encoder does not keep it open.

    Args:
        module: of one input.
        example: of the input; N is any number but 1.
        inputs, outputs: their names.
        path: of the ONNX file.

    Raises:
        KinemeError: the module cannot be recorded or translated.
    """
    with _quiet(), torch.no_grad():
        try:
            recorded = torch.export.export(
                module.eval(), (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), strict=False
            )
            translated = torch.onnx.export(
                recorded, dynamo=True, input_names=inputs, output_names=outputs, verbose=False
            )
        except Exception as error:  # neither promises anything narrower
            reason = one_line(error)
            what = type(getattr(module, "encoder", module)).__name__
            raise KinemeError(
                f"{what} cannot be exported ({reason}); write its forward pass so that torch.export takes it "
                "with any number of clips, such as x.shape[0] for len(x)"
            ) from error
    assert translated is not None
    translated.save(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
