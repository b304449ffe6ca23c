"""Measures Kineme's speed: `python -m benchmarks --help`. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES

READING = "reading"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time of augmentation (on one thread), training step and encoding at the published "
        "sizes, that of their plain forms in the same run, and how much of what this machine can do that is. "
        "`python -m benchmarks compare BEFORE AFTER` compares two files of --json; `python -m benchmarks "
        "project RESULT` says how long a model of NTU RGB+D 60's size takes.",
    )
    parser.add_argument(
        "cases",
        nargs="*",
        metavar="CASE",
        help=f"of {', '.join(CASES)}, {READING}; default: all",
    )
    parser.add_argument("--threads", type=int, default=2, help="of a CPU (default: 2)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("both", "float32", "bfloat16"), default="both")
    parser.add_argument("--batch", type=int, metavar="N", help="clips a step (default: as published)")
    parser.add_argument(
        "--repeats", type=int, default=5, help="runs of each part, of which the median is given"
    )
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu is the process's own time: on a machine that others use, with --threads 1",
    )
    parser.add_argument(
        "--agreement",
        type=int,
        default=0,
        metavar="N",
        help="also train N steps in both precisions from the same weights and compare the losses",
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures here")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in (*CASES, READING)]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join((*CASES, READING))}")
    if options.threads < 1 or options.repeats < 1 or options.agreement < 0:
        parser.error("--threads and --repeats are at least 1, --agreement at least 0")
    if options.batch is not None and options.batch < 2:
        parser.error("--batch is at least 2")
    return options


def main() -> None:
    if sys.argv[1:2] in (["compare"], ["project"]):
        from benchmarks import compare, project

        {"compare": compare, "project": project}[sys.argv[1]].main(sys.argv[2:])
        return
    options = parse()

    import torch
    from rich.console import Console

    from benchmarks.measure import agreement, measure
    from benchmarks.report import as_row, commit, hardware, reading_table, speed_table
    from benchmarks.workload import generated_clips, is_registered

    cuda = torch.cuda.is_available()
    if options.device == "cuda" and not cuda:
        raise SystemExit("--device cuda: PyTorch sees no GPU here")
    device = torch.device("cuda" if cuda and options.device != "cpu" else "cpu")
    precisions = ["float32", "bfloat16"] if options.precision == "both" else [options.precision]
    console = Console()
    where = (
        f"{hardware(device)}; {options.threads} threads; PyTorch {torch.__version__}; {options.clock} time"
    )
    console.print(where)
    day = date.today().isoformat()
    report: dict[str, Any] = {"machine": where, "commit": commit(), "date": day, "results": []}
    clips = generated_clips(device)
    for name in options.cases or (*CASES, READING):
        if name == READING:
            from benchmarks.reading import measure_reading

            taken, product = measure_reading(options.threads, options.repeats, options.clock)
            console.print(reading_table(taken, product))
            report[READING] = {"seconds_a_clip": taken, "product_seconds": product}
            continue
        case = replace(CASES[name], batch=options.batch or CASES[name].batch)
        if not is_registered(case):
            console.print(f"{name}: skipped, its method or encoder is not registered")
            continue
        results = measure(name, case, clips, precisions, options.threads, options.repeats, options.clock)
        console.print(speed_table(f"{name}, batch {case.batch}, T = {case.frames}", results))
        report["results"] += map(as_row, results)
        if options.agreement:
            differences = agreement(case, clips, options.agreement)
            console.print(
                f"{name}: loss in bfloat16 against float32 over {options.agreement} steps: "
                f"relative difference at most {max(differences):.1e}, "
                f"on average {sum(differences) / len(differences):.1e}"
            )
            report.setdefault("agreement", {})[name] = differences
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
