"""Figures of all commands, as a table; see `crashes`."""

from __future__ import annotations

import argparse
import gc
import os
import pkgutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

KINDS = (
    "killed at an operation",
    "killed in a write",
    "killed at a random moment",
    "disk full at an operation",
    "disk full in a write",
    "read-only folder",
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability")
    parser.add_argument("commands", nargs="*", help="by default all")
    parser.add_argument("--kills", type=int, default=50, help="at random moments of each command")
    parser.add_argument(
        "--points", type=int, help="file operations at which each command is disturbed; default all"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kineme-reliability-") as place:
        return _examine(options, Path(place).resolve())


def _examine(options: argparse.Namespace, root: Path) -> int:
    from hub import serving

    for name in ("temporary", "home"):
        (root / name).mkdir()
    os.environ |= {
        "TMPDIR": str(root / "temporary"),
        "XDG_CACHE_HOME": str(root / "home"),
        "HF_HOME": str(root / "home" / "hub"),
        "HF_TOKEN": "writer",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "100",
    }
    tempfile.tempdir = None
    with serving() as hub:
        os.environ["HF_ENDPOINT"] = hub.url
        _import_all()
        from reliability.cases import cases, lay_out
        from reliability.crashes import examine

        base = root / "base"
        lay_out(base)
        chosen = [case for case in cases(hub) if not options.commands or case.name in options.commands]
        print(f"| command | operations | {' | '.join(KINDS)} | refused first | faults |")
        print("|---" * (len(KINDS) + 4) + "|")
        total: Counter[str] = Counter()
        faults = []
        for case in chosen:
            found = examine(case, base, kills=options.kills, points=options.points)
            numbers = [
                found.operations,
                *(found.tried[kind] for kind in KINDS),
                found.refused,
                len(found.faults),
            ]
            print(f"| {case.name} | {' | '.join(map(str, numbers))} |", flush=True)
            for each in found.faults:
                print(each, file=sys.stderr, flush=True)
            total += found.tried
            faults += found.faults
        left = [
            path.name for path in (root / "temporary").glob("*") if path.name.startswith(("kineme", "tmp"))
        ]
        print(
            f"\n{total.total()} disturbances, {len(faults)} faults; in the folder for temporary files: {left}"
        )
    return min(len(faults), 1)


def _import_all() -> None:
    """So that a fork begins at once."""
    import kineme

    for name in ("torch", "lightning.pytorch", "sklearn.linear_model", "sklearn.manifold", "sklearn.cluster"):
        import_module(name)
    for name in ("onnx", "onnxruntime", "faiss", "huggingface_hub", "pyarrow.parquet", "matplotlib.pyplot"):
        import_module(name)
    for module in pkgutil.walk_packages(kineme.__path__, "kineme."):
        if not module.name.endswith("__main__") and ".runner." not in module.name:
            import_module(module.name)
    gc.freeze()  # forks would copy what the collector touches


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main(sys.argv[1:]))
