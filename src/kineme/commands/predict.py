"""`kineme predict`: a taught classifier or a trained detector → what recordings show, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.outputs import hold, table_for
from kineme.commands.paths import check_models, check_recordings
from kineme.commands.reading import AS_FILES_SAY, ReadingOptions
from kineme.commands.said import written
from kineme.errors import KinemeError
from kineme.evaluation.options import Device
from kineme.words import counted

if TYPE_CHECKING:
    from kineme.inference import Prediction


def predict(
    run: Path,
    inputs: list[Path],
    *,
    classifier: str | None = None,
    out: Path | None = None,
    window: str | None = None,
    step: str | None = None,
    none: float | None = None,
    batch_size: int = 256,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    skip_bad: bool = False,
    reading: ReadingOptions = AS_FILES_SAY,
) -> None:
    """Label recordings with a classifier taught by `kineme teach`.

    Writes a CSV table: source, name, start and end in seconds, label, its probability, and the probabilities
    of all classes. A clip about as long as the examples gets one line. A longer recording is cut into
    windows, and consecutive windows of one class share a line. If the inputs have labels, the accuracy is
    printed.

      kineme predict runs/mine recordings/ --none 0.05

    A detector trained by `kineme evaluate detect` is used the same way: --classifier detect.

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        inputs: Clip stores, and files or folders of poses. Poses are prepared as the training clips were.
        classifier: Name of a classifier in RUN/classifiers or of a detector in RUN/results, or a file.
            Default: the only one there.
        out: Table to write (default: predictions-INPUT.csv in the current directory); an existing one is
            replaced.
        window: Cut longer recordings into windows of this length, such as 2s. By default, recordings more
            than 1.5 times as long as a typical example are cut into windows of its length.
        step: Time from the start of one window to the start of the next; by default a quarter of a window.
        none: Label a motion "none of these" if it is unlike all examples. The number is the share of motions
            of the classes that may wrongly get this label, such as 0.05.
        batch_size: Clips per pass of the encoder.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
        skip_bad: Skip and list damaged recordings instead of stopping at the first.
    """
    from kineme.commands.times import seconds
    from kineme.inference.classifying.paths import find_classifier

    path = table_for(inputs, "predictions", out)
    hold(path)
    check_models(run)
    check_recordings(inputs)
    length, every = seconds(window, "window"), seconds(step, "step")
    file = find_classifier(run, classifier)
    from rich.console import Console

    from kineme import inference
    from kineme.commands.bar import progress_bar
    from kineme.evaluation.detection.detector import Detector
    from kineme.evaluation.task import chosen_device
    from kineme.inference.classifying.detectors import detect, is_detector
    from kineme.loading import load

    model = load(run)
    tally = _Tally()
    with progress_bar("predict") as progress:
        if is_detector(file):
            _check_detector_takes(window=window, step=step, none=none, skip_bad=skip_bad, **reading.stated())
            found = detect(
                Detector.load(file, model),
                inputs,
                allow_preprocessing=allow_preprocessing,
                device=device,
                progress=progress,
            )
        else:
            taught = inference.read_classifier(file, model)
            tally.classes = taught.class_names
            found = inference.predict(
                model,
                taught,
                inputs,
                window=length,
                step=every,
                none=none,
                allow_preprocessing=allow_preprocessing,
                skip_bad=skip_bad,
                batch_size=batch_size,
                device=chosen_device(device),
                progress=progress,
                **reading.stated(),
            )
        rows = inference.write_predictions(tally.watched(found), path, tally.classes)
    for line in tally.lines(none is not None):
        Console().print(line, highlight=False, markup=False, soft_wrap=True)
    written(path, what=f"{counted(rows, 'segment')} of {counted(tally.recordings, 'recording')}")


def _check_detector_takes(**options: object) -> None:
    """Refuses options of classifiers that are given."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise KinemeError(f"`{name}` has no effect on a detector; drop it")


@dataclass
class _Tally:
    """How many recordings with a label are predicted rightly."""

    classes: tuple[str, ...] = ()
    recordings: int = 0
    labelled: int = 0
    right: int = 0
    others: int = 0  # labels that were not taught
    refused: int = 0  # of those, called none of these

    def watched(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Counts predictions as they pass."""
        from kineme.inference.classifying.prediction import NONE

        known = {name.casefold() for name in self.classes}
        for each in predictions:
            self.recordings += 1
            if each.shown.casefold() in known:
                self.labelled += 1
                self.right += each.label.casefold() == each.shown.casefold()
            elif each.shown:
                self.others += 1
                self.refused += each.label == NONE
            yield each

    def lines(self, none: bool) -> Iterator[str]:
        """What to say of them."""
        from kineme.metrics.accuracy import wilson_interval

        if not self.classes:  # a detector's recordings have no label of their own
            return
        if self.labelled:
            low, high = wilson_interval(self.right, self.labelled)
            share = 100 * self.right / self.labelled
            yield (
                f"{share:.1f} % (95 % interval {low:.0f} to {high:.0f}) of the {self.labelled:,} labelled "
                "recordings are labelled correctly"
            )
        if self.others:
            rest = f"; {self.refused:,} of them are none of these" if none else ""
            has = "has" if self.others == 1 else "have"
            yield f"{counted(self.others, 'recording')} {has} a label that was not taught{rest}"
