"""`python -m benchmarks project RESULT.json`: a model of NTU RGB+D 60's size, from files to its accuracy.

Nothing is run: measured parts of a result are multiplied by 40,091 clips that train, 16,487 that test, and
the epochs of each method's recipe. The plain program prepares and trains by plain forms; it encodes as fast.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAIN, TEST = 40_091, 16_487  # clips of the cross-subject split
PROBE = 58.0  # seconds of the logistic probe at that size, as `python -m benchmarks.uses probe` measured
RECIPES = {
    "aimclr": "aimclr",
    "usdrl-sttr": "usdrl-sttr",
    "usdrl-dste": "usdrl-dste",
    "mpct": "mpct-sttr",
    "scdnet": "scdnet",
    "mamp": "mamp",
    "slim": "slim",
}


@dataclass(frozen=True)
class Projection:
    """Seconds of the parts; what is not in the result is None.

    Attributes:
        case, form: a method, and float32, bfloat16 or plain.
        epochs: of training.
        prepare: raw files to a store.
        train: augmentation and steps.
        features: of all clips, once.
    """

    case: str
    form: str
    epochs: int
    prepare: float | None
    train: float
    features: float

    @property
    def total(self) -> float:
        """With the probe."""
        return (self.prepare or 0.0) + self.train + self.features + PROBE


def project(report: Mapping[str, Any], epochs: Mapping[str, int]) -> Iterator[Projection]:
    """Every case of a result in float32, bfloat16 and its plain form, as far as they were measured."""
    rows = {(row["case"], row["part"], row["precision"]): row for row in report["results"]}
    kineme, plain = report.get("reading", {}).get("seconds_a_clip", {}).get("kineme prepare", (None, None))
    for case in epochs:
        draw = rows.get((case, "augmentation", "float32"))
        for form in ("float32", "bfloat16", "plain"):
            measured = "float32" if form == "plain" else form
            step, encode = (rows.get((case, part, measured)) for part in ("training step", "encoding"))
            if draw is None or step is None or encode is None:
                continue
            which = "plain_seconds" if form == "plain" else "seconds"
            if draw[which] is None or step[which] is None:
                continue
            clips = step["clips_per_second"] * step["seconds"]  # of a batch
            reading = plain if form == "plain" else kineme
            yield Projection(
                case,
                form,
                epochs[case],
                None if reading is None else (TRAIN + TEST) * reading,
                epochs[case] * TRAIN * (draw[which] + step[which]) / clips,
                (TRAIN + TEST) / encode["clips_per_second"],
            )


def main(arguments: Sequence[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks project", description=__doc__)
    parser.add_argument("result", type=Path, help="from --json; without `reading` there is no prepare")
    path = parser.parse_args(arguments).result

    import yaml
    from rich.console import Console
    from rich.table import Table

    recipes = Path(__file__).parents[1] / "recipes"
    epochs = {
        case: int(yaml.safe_load((recipes / f"{name}-ntu60-xsub.yaml").read_text())["train"]["epochs"])
        for case, name in RECIPES.items()
    }
    report = json.loads(path.read_text(encoding="utf-8"))
    console = Console()
    console.print(f"{report['commit']}, {report['machine']}", highlight=False)
    table = Table("case", "form", "epochs", "prepare, min", "train, h", "features, min", "all, h")
    for each in project(report, epochs):
        prepare = "" if each.prepare is None else f"{each.prepare / 60:.0f}"
        hours = f"{each.train / 3600:.0f}", f"{each.features / 60:.0f}", f"{each.total / 3600:.0f}"
        table.add_row(each.case, each.form, str(each.epochs), prepare, *hours)
    console.print(table)
