"""A taught classifier: one linear layer on the features of a frozen encoder, with all it needs.

It is saved as one safetensors file with a JSON header, `RUN/classifiers/NAME.safetensors`, and holds no code.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from scipy.special import softmax

from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write
from kineme.inference.classifying.examination import Examination
from kineme.inference.classifying.head import Head
from kineme.inference.classifying.reading import read
from kineme.model import Model, Recorded
from kineme.progress import Progress, silent
from kineme.typing import Array
from kineme.untrusted import MALFORMED, bad_name

FORMAT = 1  # of the file; newer ones are refused


@dataclass(frozen=True)
class Classifier:
    """What `kineme.inference.teach` returns: it predicts the class of a motion, with a probability.

    Attributes:
        class_names: in the order of probabilities.
        counts: examples of each class.
        head: on features, see `kineme.inference.classifying.reading`; the temperature is folded in.
        distances: (n,) ascending: how far cross-validated examples were from the nearest class.
        seconds: typical length of an example: the median.
        weights: SHA-256 of the encoder's weights.
        preprocessing: of the examples, in one line.
        examination: how well it does, as far as its examples can tell.

    >>> import kineme
    >>> model, store = kineme.load(example_run), kineme.open_store(example_store)
    >>> classifier = kineme.inference.read_classifier(example_classifier, model)
    >>> classifier.class_names, classifier.counts
    (('bow', 'sit down', 'wave'), (8, 8, 8))
    >>> classifier
    <Classifier of bow (8), sit down (8), wave (8)>
    >>> classifier.probabilities(model, store).shape
    (24, 3)
    >>> classifier.predict(model, store.clip(0))
    ['wave']
    """

    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    head: Head = field(repr=False)
    distances: Array = field(repr=False)
    seconds: float
    weights: str
    preprocessing: str
    examination: Examination

    def __repr__(self) -> str:
        told = ", ".join(
            f"{name} ({count})" for name, count in zip(self.class_names, self.counts, strict=True)
        )
        return f"<Classifier of {told}>"

    def probabilities_of(self, features: Array) -> Array:
        """(N, D) features of `kineme.inference.classifying.reading` → (N, K)."""
        found: Array = softmax(self.head.logits(features), axis=1)
        return found

    def probabilities(
        self,
        model: Model,
        x: Recorded,
        *,
        device: str | None = None,
        progress: Progress = silent,
    ) -> Array:
        """The probability of each class, of whole clips.

        Args:
            model: the one it was taught on.
            x: what `Model.embed` takes. (If poses need options, read them with `Model.clips`, and use
                `kineme.inference.classifying.reading.read` and `probabilities_of`.)
            device: of the encoder; by default a GPU if there is one.
            progress: called with the clips done and in total.

        Returns:
            (N, K) probabilities; N is 1 for a single array.

        Raises:
            KinemeError: the model is another one, or as for `Model.embed`.
        """
        self.check(model)
        return self.probabilities_of(read(model, model.clips(x), device=device, progress=progress))

    def predict(self, model: Model, x: Recorded, *, device: str | None = None) -> list[str]:
        """The most likely class of whole clips; arguments and errors are those of `probabilities`."""
        likeliest = self.probabilities(model, x, device=device).argmax(axis=1)
        return [self.class_names[label] for label in likeliest.tolist()]

    def threshold(self, none: float) -> float:
        """The distance beyond which a motion is none of the classes.

        Split conformal prediction keeps to the share, on average over motions drawn as the examples were.

        Args:
            none: share of motions of the classes that may be mistaken for none of them.

        Raises:
            KinemeError: the share is out of range, or there are too few examples for it.
        """
        if not 0 < none < 1:
            raise KinemeError(f"`none`: is {none:g}; it must be above 0 and below 1, such as 0.05")
        rank = math.ceil((len(self.distances) + 1) * (1 - none))
        if rank > len(self.distances):
            least = math.ceil(1 / none - 1)
            raise KinemeError(
                f"`none`: a rate of {none:g} takes {least} cross-validated examples, the classifier "
                f"has {len(self.distances)}; teach it more, or allow a higher rate"
            )
        return float(self.distances[rank - 1])

    def check(self, model: Model, where: str | Path = "the classifier") -> None:
        """Checks that the classifier was taught on a model's encoder; `where` is its name in the message.

        Raises:
            KinemeError: it was taught on another.
        """
        if self.weights != model.weights:
            raise KinemeError(
                f"{where}: was taught on another encoder than this run's; teach it again with `kineme teach`"
            )

    def save(self, path: str | Path) -> None:
        """Writes it as one file; an existing one is replaced once the new one is complete.

        Raises:
            KinemeError: the file cannot be written.
        """
        path = Path(path)
        head = self.head
        tensors = {
            "mean": head.mean,
            "scale": head.scale,
            "weight": head.weight,
            "bias": head.bias,
            "centres": head.centres,
            "distances": self.distances,
        }
        description = {
            "format": FORMAT,
            "class_names": self.class_names,
            "counts": self.counts,
            "seconds": self.seconds,
            "weights": self.weights,
            "preprocessing": self.preprocessing,
            "examination": asdict(self.examination),
        }
        text = json.dumps(description, allow_nan=False)
        stored = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in tensors.items()}
        with atomic_write(path) as aside:
            aside.write_bytes(save(stored, metadata={"kineme classifier": text}))


def read_classifier(path: str | Path, model: Model) -> Classifier:
    """Reads a classifier that was taught on a model.

    Args:
        path: its file, such as `RUN/classifiers/NAME.safetensors`.
        model: the one it was taught on.

    Raises:
        KinemeError: the file is missing, damaged, or of another encoder.

    >>> import kineme
    >>> read_classifier(example_classifier, kineme.load(example_run)).examination.left_out
    'people'
    """
    path = Path(path)
    if not path.is_file():
        raise KinemeError(f"{path}: no such classifier; teach one with `kineme teach`")
    try:
        with safe_open(path, framework="np") as opened:
            found = json.loads((opened.metadata() or {})["kineme classifier"])
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        if found["format"] > FORMAT:
            raise ValueError(f"its format {found['format']} is newer than {FORMAT}")
        told: dict[str, Any] = {name: _tuple(value) for name, value in found["examination"].items()}
        distances = arrays.pop("distances")
        classifier = Classifier(
            class_names=tuple(found["class_names"]),
            counts=tuple(found["counts"]),
            head=Head(**arrays),
            distances=distances,
            seconds=float(found["seconds"]),
            weights=str(found["weights"]),
            preprocessing=str(found["preprocessing"]),
            examination=Examination(**told),
        )
        if wrong := bad_name(classifier.class_names):
            raise ValueError(wrong)
        classes, dim = len(classifier.class_names), model.encoder.dim
        classifier.check(model, path)
        expected = {"mean": (dim,), "scale": (dim,), "weight": (classes, dim), "bias": (classes,)}
        for name, shape in {**expected, "centres": (classes, dim)}.items():
            if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} is not {shape} finite numbers")
    except KinemeError:
        raise
    except (SafetensorError, *MALFORMED) as error:
        reason = one_line(error)
        raise KinemeError(f"{path}: not a classifier that this Kineme can read ({reason})") from error
    return classifier


def calibrated(head: Head, temperature: float) -> Head:
    """The head with its logits divided by a temperature."""
    return replace(head, weight=head.weight / temperature, bias=head.bias / temperature)


def _tuple(value: object) -> object:
    """Lists of JSON as the tuples that they were."""
    return tuple(_tuple(each) for each in value) if isinstance(value, list) else value
