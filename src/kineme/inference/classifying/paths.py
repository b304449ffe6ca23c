"""Where taught classifiers and trained detectors are."""

from __future__ import annotations

import logging
from pathlib import Path

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError
from kineme.files import entries
from kineme.hub import fetch, is_address

logger = logging.getLogger(__name__)

FOLDER = "classifiers"  # of a run
SUFFIX = ".safetensors"


def classifier_path(run: Path, name: str) -> Path:
    """Where a run keeps a classifier."""
    return (run if run.is_dir() else run.parent) / FOLDER / f"{name}{SUFFIX}"


def find_classifier(run: Path, name: str | None) -> Path:
    """The file of a taught classifier or of a trained detector.

    Args:
        run: run directory, or its weights.
        name: of one that the run holds, or a file; `detect` is the only detector too, if it was trained on
            another split and so has a longer name; None: the only one of all.

    Raises:
        KinemeError: there is none, or several and no name.
    """
    if is_address(run):
        run = fetch(run)
    folder = run if run.is_dir() else run.parent
    detectors = {path.stem: path for path in entries(folder / "results", f"detect*{SUFFIX}")}
    there = detectors | {path.stem: path for path in entries(folder / FOLDER, f"*{SUFFIX}")}
    if name is None:
        if len(there) == 1:
            return next(iter(there.values()))
        if not there:
            raise KinemeError(f"{run}: has no classifier; teach one with `kineme teach`, or name a file")
        raise KinemeError(f"{run}: choose one of {', '.join(sorted(there))} by `classifier`")
    if name in there:
        return there[name]
    if Path(name).is_file():
        return Path(name)
    if name == "detect" and len(detectors) == 1:
        ((only, path),) = detectors.items()
        logger.info("the detector is %s, the only one of this run", only)
        return path
    if name == "detect" and detectors:
        raise KinemeError(f"{run}: choose one of the detectors {', '.join(detectors)} by `classifier`")
    near = did_you_mean(name, there) or (f"; choose from {', '.join(sorted(there))}" if there else "")
    own = "train one with `kineme evaluate detect`" if name == "detect" else "teach one with `kineme teach`"
    remedy = near or f"; {own}"
    raise KinemeError(f"{run}: has no classifier {name!r}, and there is no such file{remedy}")
