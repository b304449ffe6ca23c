"""Exports a trained model as a folder that works without PyTorch and without Kineme.

encoder.onnx     clips (N, C, T, V, M) → features (N, D), for any number N of clips
classifier.onnx  features → probabilities (N, K), and whether each is none of the classes; with a classifier
model.json       joints, preprocessing, classes, where it is from
run.py           recordings → features or classes; a short program that needs only numpy and onnxruntime

The written folder is tested on made-up recordings before it is moved into place.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from kineme.errors import KinemeError, one_line
from kineme.files import followed, locked, remove_own, replace_directory, unwritable
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.reading import read
from kineme.inference.exporting.graphs import check_installed, write_classifier, write_encoder
from kineme.inference.exporting.program import (
    Recordings,
    axes,
    check_exportable,
    describe,
    in_images,
    present_joints,
    program,
    retargeting,
)
from kineme.layouts import Layout, get_layout
from kineme.layouts.body import BODY
from kineme.layouts.correspondence import JointMap
from kineme.model import Model
from kineme.progress import Progress, silent
from kineme.sources.poses.coordinates import image_size
from kineme.typing import Array

ENCODER, CLASSIFIER, DESCRIPTION, PROGRAM = "encoder.onnx", "classifier.onnx", "model.json", "run.py"
FILES = {ENCODER, CLASSIFIER, DESCRIPTION, PROGRAM}
OWN = (*FILES, "__pycache__/*.pyc")
TOLERANCE = 1e-4  # between onnxruntime and PyTorch, of the largest feature
LENGTHS = (5, 8, 12, 20, 33, 50, 64, 90, 121)  # frames of the recordings that it is tried on
BATCHES = (1, 2, 7)


@dataclass(frozen=True)
class Exported:
    """What `export` has written.

    Attributes:
        path: the folder.
        difference: between its features and those of PyTorch, as a share of the largest feature.
        recordings: number on which that was measured.
        megabytes: of all files.
        seconds: that it took.

    >>> Exported(Path("exported"), 3e-7, 9, 12.5, 20.0).difference <= TOLERANCE
    True
    """

    path: Path
    difference: float
    recordings: int
    megabytes: float
    seconds: float


def export(
    model: Model,
    out: str | Path,
    *,
    layout: str | Layout | None = None,
    joint_map: JointMap | None = None,
    image: str | None = None,
    fps: float = 30.0,
    classifier: Classifier | None = None,
    none: float | None = None,
    licence: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Writes a model as a folder with `encoder.onnx`, `model.json` and `run.py`.

    Args:
        model: see `kineme.load`; its preprocessing is one of Kineme's own.
        out: the folder.
        layout: of the joints in the recordings that `run.py` will be given. Default: the model's; required
            for a model of `body`, which takes joints of any layout.
        joint_map: joint of the model → joints of `layout` whose mean it is, where names do not tell.
        image: size of the images, such as `1920x1080`, for a model of poses in images.
        fps: frames per second of recordings, unless the caller of `run.py` says otherwise.
        classifier: one taught on the model, see `kineme.inference.teach`; `run.py` then predicts classes.
        none: share of motions of its classes that may be mistaken for none of them; never by default.
        licence: of the training data, which binds those who use the weights; written into `model.json`.
        overwrite: replace an earlier export.
        progress: called with the steps done and in total.

    Raises:
        KinemeError: a package is missing, the preprocessing or the encoder cannot be exported, the layout is
            needed or lacks joints, `out` is occupied or cannot be written, or the written folder gives other
            features than PyTorch.

    >>> import kineme
    >>> exported = export(kineme.load(example_run), example_folder / "exported")
    >>> sorted(path.name for path in exported.path.iterdir())
    ['encoder.onnx', 'model.json', 'run.py']
    """
    began, out = perf_counter(), Path(out)
    check_installed()
    check_exportable(model)
    if not 0 < fps < np.inf:
        raise KinemeError(f"`fps`: is {fps:g}; it must be more than 0 and finite")
    if none is not None and classifier is None:
        raise KinemeError("`none` has no effect without `classifier`; pass both")
    if classifier is not None:
        classifier.check(model)
    threshold = np.inf if classifier is None or none is None else classifier.threshold(none)
    size = None if image is None else image_size(image)
    recordings = Recordings(_layout_of(model, layout), fps, size, joint_map)
    about = describe(model, recordings, classifier, licence)
    source = program(model, recordings, classifier is not None)
    with _written_aside(out, overwrite) as folder:
        progress(0, 3)
        write_encoder(model.encoder, folder / ENCODER, present_joints(retargeting(model, recordings)))
        if classifier is not None:
            write_classifier(classifier, threshold, folder / CLASSIFIER)
        (folder / DESCRIPTION).write_text(as_json(about), encoding="utf-8")
        (folder / PROGRAM).write_text(source, encoding="utf-8")
        progress(1, 3)
        difference = compare(model, folder, recordings, classifier)
        progress(2, 3)
        megabytes = sum(each.stat().st_size for each in folder.iterdir()) / 1e6
    progress(3, 3)
    return Exported(out, difference, len(LENGTHS), megabytes, perf_counter() - began)


def _layout_of(model: Model, layout: str | Layout | None) -> Layout:
    """The layout of the recordings, as the user says or the model's."""
    if isinstance(layout, str):
        return get_layout(layout)
    if layout is None and model.shape.layout == BODY:
        raise KinemeError(
            "`layout`: the model takes recordings of any layout, and an export takes those of one; set it to "
            "that of your recordings, such as coco17 or a layout file"
        )
    return layout or model.shape.layout


def compare(
    model: Model, folder: Path, recordings: Recordings, classifier: Classifier | None = None
) -> float:
    """The largest difference between the features of a written folder and those of `Model.embed`.

    Raw recordings go through the folder's own program, in batches of several sizes. Probabilities of classes
    are compared too.

    Returns:
        It as a share of the largest feature.

    Raises:
        KinemeError: it is more than `TOLERANCE`.
    """
    arrays = made_up(model, recordings)
    picture = in_images(model, recordings)
    prepared = model.clips(
        arrays,
        layout=recordings.layout,
        fps=recordings.fps,
        axes="y-down" if picture else "y-up",
        units=None if picture else "m",
        image="{}x{}".format(*recordings.image) if recordings.image else None,
        joint_map=recordings.joint_map,
        device="cpu",
    )
    expected = model.encode(prepared, device="cpu")
    written = load_program(folder)
    clips = np.stack([written.clip(each, recordings.fps) for each in arrays])
    found = [np.stack([written.embed(each, recordings.fps) for each in arrays])]
    for size in BATCHES:
        batches = np.split(clips, range(size, len(clips), size))
        found.append(np.concatenate([written.ENCODER.run(None, {"clips": batch})[0] for batch in batches]))
    difference = max(float(np.abs(each - expected).max()) for each in found) / float(np.abs(expected).max())
    if classifier is not None:
        likeliest = classifier.probabilities_of(read(model, prepared, device="cpu")).max(axis=1)
        told = np.array([written.classify(each, recordings.fps)[1] for each in arrays])
        difference = max(difference, float(np.abs(told - likeliest).max()))
    if not difference <= TOLERANCE:
        raise KinemeError(
            f"the exported program's features differ from PyTorch's by {difference:.1e} of the largest one, "
            f"more than {TOLERANCE:g}, so nothing was written"
        )
    return difference


def made_up(model: Model, recordings: Recordings) -> list[Array]:
    """Raw recordings (T, M, V, 2 or 3) that swing about, with gaps and bodies that come late or leave."""
    rng = np.random.default_rng(0)
    count, columns = recordings.layout.num_joints, len(axes(model, recordings))
    arrays = []
    for number, frames in enumerate(LENGTHS):
        bodies = 1 + number % model.shape.bodies
        clock = np.arange(frames)[:, None, None, None] / 30
        pose, swing = 0.4 * rng.normal(size=(2, 1, bodies, count, columns))
        rate, start = rng.uniform(0.2, 2, (1, bodies, count, 1)), rng.uniform(0, 6, (1, bodies, 1, columns))
        xyz = (
            pose
            + rng.normal(size=(1, bodies, 1, columns))
            + 0.5 * swing * np.sin(6.28 * rate * clock + start)
        )
        if in_images(model, recordings):
            xyz = 400 + 150 * xyz
        if frames > 10:
            xyz[4 : 4 + min(3, int(recordings.fps / 2)), 0, count // 2] = np.nan  # short enough to be bridged
            xyz[: frames // 3, 1:] = 0 if number % 4 == 1 else xyz[: frames // 3, 1:]
            xyz[-frames // 4 :, 1:] = 0 if number % 4 == 3 else xyz[-frames // 4 :, 1:]
        arrays.append(xyz.astype(np.float32))
    return arrays


def as_json(about: Mapping[str, Any]) -> str:
    """Indented JSON, with lists of numbers and words on one line each."""
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False)
    lists = re.compile(r"\[\n([^\[\]{}]*)\n *\]")  # inside a string a line break is escaped
    return lists.sub(lambda found: "[" + re.sub(r"\n *", " ", found[1].strip()) + "]", text) + "\n"


def load_program(folder: Path) -> Any:
    """The `run.py` of an exported folder as a module.

    Raises:
        KinemeError: there is none, or it cannot be run.
    """
    spec = importlib.util.spec_from_file_location("exported", folder / PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a program may raise
        raise KinemeError(
            f"{folder / PROGRAM}: cannot be run ({one_line(error)}); export the model again"
        ) from error
    return module


@contextmanager
def _written_aside(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yields a folder that is moved to `out` at the end of the block, or removed if the block fails."""
    out = followed(out)
    aside = out.with_name(f".{out.name}.partial")
    with locked(out, "this export"):
        _check_free(out, overwrite)
        try:
            remove_own(aside, OWN)  # of a killed process
            aside.mkdir()
            yield aside
            replace_directory(aside, out, OWN)
        except OSError as error:
            raise unwritable(out, error) from error
        finally:
            remove_own(aside, OWN)


def _check_free(out: Path, overwrite: bool) -> None:
    if out.is_dir():
        inside = {each.name for each in out.iterdir()} - {"__pycache__"}
        if not inside:
            return
        if not {DESCRIPTION, PROGRAM} <= inside or inside - FILES:
            raise KinemeError(
                f"{out}: contains files that no export wrote, so it is not overwritten; choose another place"
            )
        if not overwrite:
            raise KinemeError(
                f"{out}: already holds an export; set `overwrite` to replace it, or choose another place"
            )
    elif out.exists():
        raise KinemeError(f"{out}: is a file; choose another place for the export")
