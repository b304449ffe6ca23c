"""A detector: an encoder, how it reads recordings, a classifier of frames, and a rule that makes segments.

With rule C a second network moves the boundaries of what was found.

It is saved next to its result, as results/detect.safetensors, and can be applied to other stores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kineme.clips.store import ClipStore
from kineme.errors import KinemeError, one_line
from kineme.evaluation.detection.boundaries import Boundaries, moved, moved_labels
from kineme.evaluation.detection.classifier import Context, FrameNetwork
from kineme.evaluation.detection.extract import offsets_of, store_features
from kineme.evaluation.detection.frames import Windows
from kineme.evaluation.detection.labels import label_frames
from kineme.evaluation.detection.segments import RULES
from kineme.files import atomic_write
from kineme.model import Model, with_encoder, with_stream
from kineme.progress import Progress, share, silent
from kineme.typing import Array
from kineme.untrusted import MALFORMED, bad_name

ENCODER = "encoder."  # of tensors of an encoder that was fine-tuned
LAYERS = ("hidden.weight", "hidden.bias", "weight", "bias")  # of a network, the first two if it has them
BOUNDARIES = "boundaries."  # of the tensors of the network that moves them


class Found(NamedTuple):
    """What a detector finds in recordings, one after another.

    Attributes:
        probabilities: (F, K) float16 of each frame to show each class.
        labels: (F,) class of each frame.
        segments: (m, 4) proposals: recording, class, start, end.
        scores: (m,) of them.
    """

    probabilities: Array
    labels: Array
    segments: Array
    scores: Array


@dataclass(frozen=True)
class Detector:
    """All that finding segments takes.

    Attributes:
        model: its encoder, fine-tuned or not.
        windows: how it reads recordings.
        classifier: of frames.
        rule: of segments, `A`, `B` or `C`.
        class_names: the background first.
        tuned: the encoder is no longer the run's own.
        boundaries: what moves starts and ends; None: they stay where the rule puts them.
    """

    model: Model
    windows: Windows
    classifier: FrameNetwork
    rule: str
    class_names: tuple[str, ...]
    tuned: bool
    boundaries: Boundaries | None = None

    def find(
        self, store: ClipStore, rows: Array, folder: Path, *, device: str, progress: Progress = silent
    ) -> Found:
        """Labels and segments of some recordings; features are kept in `folder`."""

        def read(windows: Windows, hook: Progress) -> Array:
            return store_features(self.model, store, rows, windows, folder, device=device, progress=hook)

        offsets = offsets_of(store, rows)
        half = int(offsets[-1])
        total = half if self.boundaries is None else 2 * half
        features = read(self.windows, share(progress, 0, half, total))
        probabilities = classify(features, offsets, self.classifier)
        labels = label_frames(probabilities, offsets, self.rule)
        segments, scores = propose(probabilities, offsets, self.rule)
        if self.boundaries is not None:
            near = read(self.boundaries.windows, share(progress, half, half, total))
            moves = [self.boundaries.moves(near[first:end]) for first, end in pairwise(offsets.tolist())]
            labels = moved_labels(labels, offsets, moves)
            segments, scores = moved_segments(segments, scores, moves)
        return Found(probabilities, labels, segments, scores)

    def save(self, path: Path) -> None:
        """Writes networks and settings, and the encoder where it is not the run's own."""
        tensors = _named(self.classifier)
        if self.boundaries is not None:
            tensors |= _named(self.boundaries.network, BOUNDARIES)
        if self.tuned:
            state = self.model.encoder.state_dict()
            tensors |= {ENCODER + name: tensor for name, tensor in state.items()}
        description = {
            "windows": asdict(self.windows),
            "context": asdict(self.classifier.context),
            "boundaries": None if self.boundaries is None else self.boundaries.described(),
            "rule": self.rule,
            "class_names": self.class_names,
            "weights": None if self.tuned else self.model.weights,
            "stream": self.model.stream,
        }
        stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        with atomic_write(path) as aside:
            aside.write_bytes(save(stored, metadata={"kineme": json.dumps(description)}))

    @classmethod
    def load(cls, path: Path, model: Model) -> Detector:
        """Reads what `save` wrote.

        Args:
            path: the file.
            model: the run's.

        Raises:
            KinemeError: the file is missing, damaged or of another encoder.
        """
        if not path.is_file():
            raise KinemeError(f"{path}: no such detector; train one with `kineme evaluate detect RUN`")
        try:
            with safe_open(path, framework="pt") as opened:
                found = json.loads((opened.metadata() or {})["kineme"])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
            tuned = [name for name in tensors if name.startswith(ENCODER)]
            state = {name.removeprefix(ENCODER): tensors[name] for name in tuned}
            stream = found.get("stream", model.stream)
            if stream != model.stream:  # the encoder takes several, of which it was given some
                model = with_stream(model, stream)
            if state:
                encoder = deepcopy(model.encoder)
                encoder.load_state_dict(state)
                model = with_encoder(model, encoder)
            if wrong := bad_name(found["class_names"]):
                raise ValueError(wrong)
            detector = cls(
                model=model,
                windows=Windows(**found["windows"]),
                classifier=_network(tensors, found),
                rule=found["rule"],
                class_names=tuple(found["class_names"]),
                tuned=bool(state),
                boundaries=_boundaries(tensors, found.get("boundaries")),
            )
        except (SafetensorError, *MALFORMED) as error:
            reason = one_line(error)
            raise KinemeError(f"{path}: not a detector that this Kineme wrote ({reason})") from error
        if found["weights"] not in (None, model.weights):
            raise KinemeError(
                f"{path}: was trained on an encoder that the run no longer holds; run "
                "`kineme evaluate detect` again"
            )
        return detector


def classify(features: Array, offsets: Array, classifier: FrameNetwork) -> Array:
    """(F, D) features of recordings one after another → (F, K) float16 probabilities."""
    parts = [classifier.probabilities(features[first:end]) for first, end in pairwise(offsets.tolist())]
    return np.concatenate(parts)


def propose(probabilities: Array, offsets: Array, rule: str) -> tuple[Array, Array]:
    """(F, K) probabilities → (m, 4) recording, class, start, end, in order of start, and (m,) scores."""
    segments, scores = [np.zeros((0, 4), dtype=np.int64)], [np.zeros(0)]
    for recording, (first, end) in enumerate(pairwise(offsets.tolist())):
        found, score = RULES[rule](probabilities[first:end])
        order = np.lexsort((found[:, 0], found[:, 1]))
        segments.append(np.insert(found[order], 0, recording, axis=1))
        scores.append(score[order])
    return np.concatenate(segments), np.concatenate(scores)


def moved_segments(segments: Array, scores: Array, moves: Sequence[Array]) -> tuple[Array, Array]:
    """Segments as of `propose`, with their scores, moved and again in order of start."""
    found = segments.copy()
    for recording, each in enumerate(moves):
        mine = segments[:, 0] == recording
        found[mine, 2:] = moved(segments[mine, 2:], each)
    order = np.lexsort((found[:, 1], found[:, 2], found[:, 0]))
    return found[order], scores[order]


def _named(network: FrameNetwork, prefix: str = "") -> dict[str, Tensor]:
    """The layers by the names under which they are saved."""
    names = LAYERS[-len(network.layers) :]
    return {prefix + name: layer for name, layer in zip(names, network.layers, strict=True)}


def _network(tensors: Mapping[str, Tensor], described: Mapping[str, Any], prefix: str = "") -> FrameNetwork:
    """What `_named` named."""
    layers = tuple(tensors[prefix + name] for name in LAYERS if prefix + name in tensors)
    return FrameNetwork(layers, Context(**described["context"]))


def _boundaries(tensors: Mapping[str, Tensor], described: Mapping[str, Any] | None) -> Boundaries | None:
    """Those of a file; a detector of before boundaries were moved has none."""
    if described is None:
        return None
    return Boundaries(Windows(**described["windows"]), _network(tensors, described, BOUNDARIES))
