"""`python -m benchmarks.uses [USE ...]`: each use of a trained model, measured on this machine."""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import uses

USES = sorted(each.name for each in pkgutil.iter_modules(uses.__path__) if not each.name.startswith("_"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uses", description=__doc__)
    parser.add_argument("uses", nargs="*", metavar="USE", help=f"of {', '.join(USES)}; default: all")
    parser.add_argument("--small", action="store_true", help="a tenth of the size, to see that it works")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures here")
    options = parser.parse_args()
    if unknown := [name for name in options.uses if name not in USES]:
        parser.error(f"no use is called {', '.join(unknown)}; there are {', '.join(USES)}")
    return options


def main() -> None:
    options = parse()

    import torch
    from rich.console import Console
    from rich.table import Table

    from benchmarks.report import hardware

    console, data = Console(), os.environ.get("KINEME_DATA")
    where = f"{hardware(torch.device('cpu'))}; {torch.get_num_threads()} threads; PyTorch {torch.__version__}"
    console.print(where)
    rows = []
    for name in options.uses or USES:
        table = Table("", "measured", "aim", "reached", title=name, title_justify="left")
        with TemporaryDirectory(prefix="kineme-") as folder:
            settings = uses.Options(Path(data) if data else None, Path(folder), options.small)
            for figure in import_module(f"benchmarks.uses.{name}").measure(settings):
                aim = "" if figure.aim is None else f"{'≤' if figure.smaller else '≥'} {figure.aim:g}"
                verdict = {None: "", True: "yes", False: "no"}[figure.reached]
                table.add_row(figure.what, f"{figure.value:.4g} {figure.unit}", aim, verdict)
                rows.append({"use": name, **asdict(figure), "reached": figure.reached})
        console.print(table)
    if options.json:
        options.json.write_text(json.dumps({"machine": where, "figures": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
