"""A detector: an encoder, how it reads recordings, a classifier of frames and a rule that makes segments.

It is saved next to its result, as results/detect.safetensors, and can be applied to other stores.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from kineme.clips.store import ClipStore
from kineme.errors import KinemeError, one_line
from kineme.evaluation.detection.classifier import Context, FrameClassifier
from kineme.evaluation.detection.extract import offsets_of, store_features
from kineme.evaluation.detection.frames import Windows
from kineme.evaluation.detection.segments import RULES
from kineme.files import atomic_write
from kineme.model import Model, with_encoder, with_stream
from kineme.progress import Progress, silent
from kineme.typing import Array
from kineme.untrusted import MALFORMED, bad_name

ENCODER = "encoder."  # of tensors of an encoder that was fine-tuned
LAYERS = ("hidden.weight", "hidden.bias", "weight", "bias")  # of the classifier, the first two if it has them


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
    """

    model: Model
    windows: Windows
    classifier: FrameClassifier
    rule: str
    class_names: tuple[str, ...]
    tuned: bool

    def probabilities(
        self, store: ClipStore, rows: Array, folder: Path, *, device: str, progress: Progress = silent
    ) -> Array:
        """(F, K) float16 of the frames of some recordings, in order; features are kept in `folder`."""
        features = store_features(
            self.model, store, rows, self.windows, folder, device=device, progress=progress
        )
        return classify(features, offsets_of(store, rows), self.classifier)

    def save(self, path: Path) -> None:
        """Writes classifier and settings, and the encoder where it is not the run's own."""
        layers = self.classifier.layers
        tensors = dict(zip(LAYERS[-len(layers) :], layers, strict=True))
        if self.tuned:
            state = self.model.encoder.state_dict()
            tensors |= {ENCODER + name: tensor for name, tensor in state.items()}
        description = {
            "windows": asdict(self.windows),
            "context": asdict(self.classifier.context),
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
            layers = tuple(tensors[name] for name in LAYERS if name in tensors)
            classifier = FrameClassifier(layers, Context(**found["context"]))
            if wrong := bad_name(found["class_names"]):
                raise ValueError(wrong)
            detector = cls(
                model=model,
                windows=Windows(**found["windows"]),
                classifier=classifier,
                rule=found["rule"],
                class_names=tuple(found["class_names"]),
                tuned=bool(state),
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


def classify(features: Array, offsets: Array, classifier: FrameClassifier) -> Array:
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
