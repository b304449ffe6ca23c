"""The program that goes with an exported model: `run.py` and what it reads, `model.json`.

The program needs numpy and onnxruntime alone. It is put together from the templates in `runner`, and holds
only what its model needs.
"""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from kineme import __version__
from kineme.augment.missing import filled_frames
from kineme.clips.retargeted import Retargeting
from kineme.errors import KinemeError
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.reading import CROPS
from kineme.layouts import Layout
from kineme.layouts.correspondence import JointMap
from kineme.methods import METHODS
from kineme.model import Model
from kineme.preprocessing.bodies import spine_end
from kineme.sources.poses.coordinates import FROM_ABOVE
from kineme.sources.poses.gaps import LEAST
from kineme.typing import Array

FORMAT = 1
PREPROCESSINGS = ("plain", "crossclr", "agcn", "ctrgcn")  # that there are templates of
IN_IMAGES = ("image heights", "body sizes")  # units of poses in an image
PIXELS = "in pixels, y down"


@dataclass(frozen=True)
class Recordings:
    """What an exported program takes.

    Attributes:
        layout: of their joints.
        fps: frames per second, unless the caller says otherwise.
        image: width and height of the images in pixels, if poses are in images of known size.
        joint_map: joint of the model → joints of `layout` whose mean it is, where names do not tell.
    """

    layout: Layout
    fps: float = 30.0
    image: tuple[int, int] | None = None
    joint_map: JointMap | None = None


def in_images(model: Model, recordings: Recordings) -> bool:
    """Whether the model reads poses in images.

    Raises:
        KinemeError: the size of the images is needed and not given, or the other way round.
    """
    found = model.units in IN_IMAGES or recordings.image is not None
    if model.units == "image heights" and recordings.image is None:
        raise KinemeError(
            "`image`: the model was trained on poses in images of known size; set it, such as 1920x1080"
        )
    if recordings.image is not None and model.units in ("metres", "body sizes"):
        raise KinemeError(
            f"`image`: has no effect on a model that was trained on {model.units}; leave it out"
        )
    return found


def axes(model: Model, recordings: Recordings) -> str:
    """The coordinates of a joint in its recordings: `xyz`, or `xy` in images. MediaPipe's have a z."""
    flat = in_images(model, recordings) and recordings.layout.name != "mediapipe33"
    return "xy" if flat else "xyz"


def check_exportable(model: Model) -> None:
    """Checks that there is a program for a model's preprocessing.

    Raises:
        KinemeError: there is none.
    """
    if model.preprocessing.name not in PREPROCESSINGS:
        raise KinemeError(
            f"preprocessing {model.preprocessing.id} is not one of Kineme's ({', '.join(PREPROCESSINGS)}), "
            "so an exported program could not repeat it; train on a store that was prepared by one of these"
        )
    if (model.units or "").endswith(FROM_ABOVE):
        raise KinemeError(
            f"the model was trained on {model.units}, which exported programs do not read; use "
            "`Model.embed` or `kineme embed`"
        )


def retargeting(model: Model, recordings: Recordings) -> Retargeting | None:
    """How joints of the recordings are brought to those of the model; None if they are the same.

    Raises:
        KinemeError: a joint of the model cannot be placed, or one by which its preprocessing turns bodies.
    """
    source, target = recordings.layout, model.shape.layout
    if source == target:
        return None
    found = Retargeting(source, target, recordings.joint_map)
    for joint in model.preprocessing.turns_by(target):
        if not found.placed[joint]:
            name = target.joints[joint]
            raise KinemeError(
                f"layout {source.name!r} has no joints to place {name!r}, and preprocessing "
                f"{model.preprocessing.id} turns bodies by it; set `joint_map` to a file with a line for it, "
                f"such as `{name}: {source.joints[0]}`"
            )
    return found


def present_joints(brought: Retargeting | None) -> Array | None:
    """(V,) bool, which joints of the model the recordings have; None if all, as of any layout but `body`."""
    return None if brought is None or brought.own.all() else brought.own


def describe(
    model: Model, recordings: Recordings, classifier: Classifier | None, licence: str | None
) -> dict[str, Any]:
    """The contents of `model.json`.

    Raises:
        KinemeError: a joint of the model cannot be placed among those of the recordings.
    """
    shape, settings = model.shape, model.config
    brought = retargeting(model, recordings)
    present = present_joints(brought)
    about: dict[str, Any] = {
        "format": FORMAT,
        "made_by": f"kineme {__version__}",
        "method": model.method,
        "encoder": settings["encoder"]["name"],
        "weights": model.weights,
        "epochs": model.epochs,
        "licence": licence,
        "cite": [*_source_of(model.method), "Kineme"],
        "input": {
            "clips": ["N", 3, shape.frames, shape.layout.num_joints, shape.bodies],
            "axes": "N C T V M",
        },
        "output": {"features": ["N", model.encoder.dim]},
        "stream": shape.stream,
        "frames": shape.frames,
        "bodies": shape.bodies,
        "crop": model.crop,
        "units": model.units,
        "frames_per_second": recordings.fps,
        "coordinates": coordinates(model, recordings),
        "preprocessing": {"name": model.preprocessing.name, "parameters": asdict(model.preprocessing)},
        "classes": list(classifier.class_names) if classifier else [],
        "shares": CROPS if classifier else [],
        "recordings": _layout(model, recordings.layout),
    }
    about["layout"] = _layout(model, shape.layout)
    if brought is not None:
        about["joint_weights"] = _filled(brought.weights, brought.placed, shape.layout).round(7).tolist()
        ends = [[*bone] for bone in shape.layout.bones if brought.placed[[*bone]].all()]
        about["layout"]["bones"] = ends  # by which bodies are scaled
    if present is not None:
        own = np.eye(shape.layout.num_joints, dtype=np.float32)
        about["present"] = np.array(shape.layout.joints)[present].tolist()
        about["fill_weights"] = _filled(own, present, shape.layout).round(7).tolist()
    return about


def _filled(weights: Array, present: Array, layout: Layout) -> Array:
    """Weights (V', V) of joints; those not `present` (V',) have a mean of their neighbours'."""
    filled: Array = filled_frames(weights[None, None], present, layout)[0, 0]
    return filled


def coordinates(model: Model, recordings: Recordings) -> str:
    """The coordinate system of the recordings, in words."""
    if in_images(model, recordings):
        return PIXELS
    return "y up, in metres" if model.units == "metres" else "y up, in the units of its training data"


def program(model: Model, recordings: Recordings, classifies: bool) -> str:
    """The source of `run.py`."""
    brought = retargeting(model, recordings)
    return (
        _templates()
        .get_template("run.py.jinja")
        .render(
            parameters=asdict(model.preprocessing),
            title=f"{model.method} encoder ({model.config['encoder']['name']})",
            version=__version__,
            axes=axes(model, recordings),
            in_image=in_images(model, recordings),
            image=recordings.image,
            coordinates=coordinates(model, recordings),
            classes=classifies,
            fps=f"{recordings.fps:g}",
            least=max(recordings.layout.num_joints // LEAST, 1),
            mapped=brought is not None,
            zero=model.preprocessing.joint_at_zero(recordings.layout),
            absent=present_joints(brought) is not None,
            crop=model.crop,
            frames=model.shape.frames,
            bodies=model.shape.bodies,
            stream=model.stream,
            preprocessing=model.preprocessing.name,
        )
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("kineme.inference.exporting", "runner"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _layout(model: Model, layout: Layout) -> dict[str, Any]:
    """A layout, with what the preprocessing and the stream take from it."""
    about = layout.to_dict()
    about["bones"] = layout.bones
    about["bases"] = [joint if parent == -1 else parent for joint, parent in enumerate(layout.parents)]
    name, parameters = model.preprocessing.name, asdict(model.preprocessing)
    if name in ("agcn", "ctrgcn") and parameters.get("bodies") != "recorded":
        about["spine_end"] = spine_end(layout, name)
    return about


def _source_of(method: str) -> list[str]:
    """The publication of a built-in method, as the first line of its module names it."""
    module = inspect.getmodule(METHODS[method])
    first = (module.__doc__ or "").strip().partition("\n")[0] if module else ""
    return [first] if "arXiv" in first else []
