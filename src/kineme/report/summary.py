"""What was trained, and whether several runs stand on equal terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import yaml

from kineme.report.html import Html, boxed, join, note, tag
from kineme.report.runs import Run

DECISIVE = ("data", "preprocessing", "split")  # where these differ, figures cannot be compared

OWN = ("weights", "weights written", "training time", "run directory")  # of each run: no need to say so


def summary(runs: Sequence[Run]) -> Html:
    """Facts, of several runs in a table with differences marked; what cannot be read; all settings."""
    several = len(runs) > 1
    facts = {label: [read(run) for run in runs] for label, read in FACTS.items()}
    facts = {label: values for label, values in facts.items() if any(values)}
    return tag(
        "section",
        tag("h2", "What was trained"),
        _beside(runs, facts) if several else _alone(facts),
        _verdict(facts) if several else "",
        _complaints(runs),
        [_settings(run, several) for run in runs],
        id="trained",
    )


def _alone(facts: Mapping[str, Sequence[str]]) -> Html:
    pairs = [tag("div", tag("dt", label), tag("dd", values[0])) for label, values in facts.items()]
    return tag("dl", pairs, class_="facts")


def _beside(runs: Sequence[Run], facts: Mapping[str, Sequence[str]]) -> Html:
    """A column a run; where they differ, a mark."""
    differs = join(" ", tag("span", "≠", class_="differs", title="differs between the runs"))
    rows = [
        tag(
            "tr",
            tag("th", label, differs if label not in OWN and len(set(values)) > 1 else "", scope="row"),
            [tag("td", value or "–") for value in values],
        )
        for label, values in facts.items()
    ]
    head = tag("thead", tag("tr", tag("td"), [tag("th", run.name, scope="col") for run in runs]))
    return boxed(tag("table", head, tag("tbody", rows), class_="facts"), label="What was trained")


def described(run: Run) -> str:
    """Method, encoder and stream in a few words."""
    return f"{run.config.method['name']}, {run.config.encoder['name']}, {run.config.data.stream}"


def _verdict(facts: Mapping[str, Sequence[str]]) -> Html:
    apart = [label for label in DECISIVE if len(set(facts.get(label, ()))) > 1]
    if not apart:
        return tag("p", "The runs were trained on the same data, preprocessing and split.")
    return note(
        tag("strong", "Not on equal terms: "),
        f"the runs differ in {_listed(apart)}. Figures stand in one table only where they were measured on "
        "the same clips.",
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _complaints(runs: Sequence[Run]) -> Html:
    left_out = [complaint for run in runs for complaint in run.complaints]
    if not left_out:
        return Html("")
    return tag("div", tag("p", "Left out:"), tag("ul", (tag("li", each) for each in left_out)), class_="note")


def _settings(run: Run, several: bool) -> Html:
    text = yaml.safe_dump(run.config.to_dict(), sort_keys=False)
    title = f"All settings of {run.name}" if several else "All settings"
    return tag("details", tag("summary", title), tag("pre", text))


def _data(run: Run) -> str:
    if run.measured:
        return run.measured[0].result.store
    return (run.config.data.store or "").rstrip("/").rpartition("/")[2]


def _measured_on(run: Run) -> str:
    if not run.measured:
        return ""
    result = run.measured[0].result
    return f"{result.train_clips:,} training and {result.test_clips:,} test clips"


def _preprocessing(run: Run) -> str:
    return run.pretrained.preprocessing.id if run.pretrained else run.config.data.preprocessing or ""


def _layout(run: Run) -> str:
    if run.pretrained is None:
        return ""
    shape = run.pretrained.encoder.shape
    bodies = "body" if shape.bodies == 1 else "bodies"
    return f"{shape.layout.name}, {shape.layout.num_joints} joints, {shape.bodies} {bodies}"


def _epochs(run: Run) -> str:
    """Trained of planned ones; a converted run has been trained elsewhere."""
    if not run.history:
        known = run.pretrained.epochs if run.pretrained else None
        return f"{known}" if known else ""
    done = int(run.history[-1]["epoch"])
    return f"{done}" if done == run.config.train.epochs else f"{done} of {run.config.train.epochs}"


def _duration(run: Run) -> str:
    return duration(run.history[-1].get("seconds", 0.0)) if run.history else ""


def duration(seconds: float) -> str:
    """As people say it: 45 s, 12 min, 3 h 20 min."""
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
    return f"{train.optimizer}, rate {train.lr:g}, {train.schedule}, batches of {train.batch_size}"


def _version(run: Run) -> str:
    said = dict.fromkeys(
        f"{each.result.version}, {(each.result.commit or 'no commit known')[:12]}"
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
    "split": lambda run: run.config.data.split,
    "clips": _measured_on,
    "frames a clip": lambda run: str(run.config.data.frames),
    "epochs": _epochs,
    "training time": _duration,
    "optimiser": _optimiser,
    "seed": lambda run: str(run.config.train.seed),
    "weights": lambda run: run.pretrained.weights[:12] if run.pretrained else "",
    "weights written": lambda run: (run.written or "").replace("T", " ").replace("+00:00", " UTC"),
    "evaluated by Kineme": _version,
    "run directory": lambda run: str(run.path),
}
