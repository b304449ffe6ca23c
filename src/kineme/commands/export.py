"""`kineme export`: a run → a folder that works without PyTorch and without Kineme."""

from __future__ import annotations

from pathlib import Path

from kineme.commands.outputs import name_of
from kineme.commands.paths import check_models
from kineme.commands.said import command, say
from kineme.errors import KinemeError


def export(
    run: Path,
    *,
    out: Path | None = None,
    layout: str | None = None,
    joint_map: Path | None = None,
    image: str | None = None,
    fps: float = 30.0,
    classifier: str | None = None,
    none: float | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> None:
    """Export a model for use without PyTorch and without Kineme: ONNX, and a program that runs it.

    The folder holds encoder.onnx (any number of clips → features), model.json (joints, preprocessing, where
    the model comes from) and run.py, a short program that needs only numpy and onnxruntime. It takes raw
    recordings and returns the same features as `kineme embed`; this is checked before the folder appears.

      kineme export runs/mine --out exported
      python exported/run.py walk.npy

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        out: Folder to write (default: exported-RUN in the current directory).
        layout: Layout of the joints in the recordings that run.py will be given: a built-in layout or a
            layout file. Default: the model's; needed for a model that takes recordings of any layout.
        joint_map: YAML file that maps each joint to the joints or markers it is the mean of (`head: helmet`,
            `neck: [C7, CLAV]`), if their names do not match.
        image: For a model of poses in images: the size of the images, such as 1920x1080.
        fps: Frames per second of the recordings, unless the caller of run.py says otherwise.
        classifier: Also export a classifier taught by `kineme teach`: its name in the run, or its file.
            run.py then labels recordings with it.
        none: Label a motion "none of these" if it is unlike all examples. The number is the share of motions
            of the classes that may wrongly get this label, such as 0.05. Default: every motion gets a class.
        licence: Licence of the training data, such as CC-BY-4.0; written into model.json, because it binds
            those who use the weights.
        overwrite: Replace an earlier export.
    """
    from kineme.inference.classifying.paths import find_classifier

    check_models(run)
    file = None if classifier is None else find_classifier(run, classifier)
    from kineme.commands.bar import progress_bar
    from kineme.inference.classifying.classifier import read_classifier
    from kineme.inference.classifying.detectors import is_detector
    from kineme.inference.exporting.export import export as write
    from kineme.layouts.correspondence import read_joint_map
    from kineme.loading import load

    model = load(run)
    taught = None
    if file is not None:
        if is_detector(file):
            raise KinemeError(f"{file}: is a detector, which cannot be exported; use `kineme predict`")
        taught = read_classifier(file, model)
    with progress_bar("export") as progress:
        done = write(
            model,
            out or Path(f"exported-{name_of(run)}"),
            layout=layout,
            joint_map=read_joint_map(joint_map) if joint_map else None,
            image=image,
            fps=fps,
            classifier=taught,
            none=none,
            licence=licence,
            overwrite=overwrite,
            progress=progress,
        )
    say(
        f"written to {done.path} ({done.megabytes:,.1f} MB) in {done.seconds:.0f} s; its features of "
        f"{done.recordings} recordings differ from PyTorch's by at most {done.difference:.1e} of the largest "
        f"one; next: {command('python', done.path / 'run.py')} RECORDING"
    )
