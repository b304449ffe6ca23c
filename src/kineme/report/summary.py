"""What was trained, and whether the results of several runs can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from markupsafe import Markup

from kineme.report.runs import Run
from kineme.report.templating import render
from kineme.words import counted

DECISIVE = ("data", "preprocessing", "split")  # where these differ, results cannot be compared
OWN = ("weights", "weights written", "training time", "run directory")  # always differ between runs


def summary(runs: Sequence[Run]) -> Markup:
    """Facts (of several runs in a table, with differences marked), what cannot be read, and all settings."""
    facts = {label: [read(run) for run in runs] for label, read in FACTS.items()}
    differing = [label for label, values in facts.items() if label not in OWN and len(set(values)) > 1]
    return render(
        "summary.html",
        runs=runs,
        facts={label: values for label, values in facts.items() if any(values)},
        differing=differing,
        decisive=[label for label in differing if label in DECISIVE],
        complaints=[complaint for run in runs for complaint in run.complaints],
        settings=[yaml.safe_dump(run.config.to_dict(), sort_keys=False) for run in runs],
    )


def described(run: Run) -> str:
    """Method, encoder and stream in a few words."""
    return f"{run.config.method['name']}, {run.config.encoder['name']}, {run.config.data.stream}"


def _data(run: Run) -> str:
    if run.measured:
        return run.measured[0].result.store
    return ", ".join(Path(store).name for store in run.config.data.stores)


def _measured_on(run: Run) -> str:
    if not run.measured:
        return ""
    result = run.measured[0].result
    return f"{counted(result.train_clips, 'training clip')}, {counted(result.test_clips, 'test clip')}"


def _preprocessing(run: Run) -> str:
    return run.pretrained.preprocessing.id if run.pretrained else run.config.data.preprocessing or ""


def _layout(run: Run) -> str:
    if run.pretrained is None:
        return ""
    shape = run.pretrained.encoder.shape
    joints, bodies = counted(shape.layout.num_joints, "joint"), counted(shape.bodies, "body", "bodies")
    return f"{shape.layout.name}, {joints}, {bodies}"


def _epochs(run: Run) -> str:
    """Those done, of those planned; a converted run has been trained elsewhere."""
    if not run.history:
        known = run.pretrained.epochs if run.pretrained else None
        return f"{known}" if known else ""
    done = int(run.history[-1]["epoch"])
    return f"{done}" if done == run.config.train.epochs else f"{done} of {run.config.train.epochs}"


def _training_time(run: Run) -> str:
    return duration(run.history[-1].get("seconds", 0.0)) if run.history else ""


def duration(seconds: float) -> str:
    """In the units that people use: 45 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _parameters(run: Run) -> str:
    if run.pretrained is None:
        return ""
    return f"{sum(parameter.numel() for parameter in run.pretrained.encoder.parameters()):,}"


def _optimiser(run: Run) -> str:
    train = run.config.train
    return f"{train.optimizer}, learning rate {train.lr:g}, {train.schedule}, batches of {train.batch_size}"


def _version(run: Run) -> str:
    said = dict.fromkeys(
        f"{each.result.version}, {(each.result.commit or 'commit not known')[:12]}"
        + (" with changes" if (each.result.commit or "").endswith("-dirty") else "")
        for each in run.measured
    )
    return "; ".join(said)


FACTS: dict[str, Callable[[Run], str]] = {
    "method": lambda run: str(run.config.method["name"]),
    "encoder": lambda run: str(run.config.encoder["name"]),
    "encoder parameters": _parameters,
    "stream": lambda run: run.config.data.stream,
    "data": _data,
    "preprocessing": _preprocessing,
    "layout": _layout,
    "split": lambda run: ", ".join(run.config.data.splits),
    "clips": _measured_on,
    "frames per clip": lambda run: str(run.config.data.frames),
    "epochs": _epochs,
    "training time": _training_time,
    "optimiser": _optimiser,
    "seed": lambda run: str(run.config.train.seed),
    "weights": lambda run: run.pretrained.weights[:12] if run.pretrained else "",
    "weights written": lambda run: f"{run.written:%Y-%m-%d %H:%M} UTC" if run.written else "",
    "evaluated with Kineme": _version,
    "run directory": lambda run: str(run.path),
}
