"""Coverage-guided fuzzing of one parser: needs `pip install atheris`; see docs/reliability.md.

    cd tests && PYTHONPATH=.:.. python -m fuzz TARGET [--seconds 600]

What it finds is written to crash-... in the current folder, and becomes a test.
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kineme"]):
    from fuzz.targets import Target, targets
    from sources.fuzz import survives

MEMORY = 4 << 30  # bytes; asking for more ends it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    with tempfile.TemporaryDirectory(prefix="kineme-fuzz-") as name:
        folder = Path(name)
        known = targets(folder)
        parser.add_argument("target", choices=known)
        parser.add_argument("--seconds", type=int, default=600)
        options = parser.parse_args()
        target = known[options.target]()
        (folder / "seeds").mkdir()
        for number, seed in enumerate(target.seeds):
            (folder / "seeds" / str(number)).write_bytes(seed)
            assert survives(lambda seed=seed: target.read(seed)), "a seed is refused"
        logging.disable(logging.CRITICAL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        words = f"-max_total_time={options.seconds} -rss_limit_mb=2000 -timeout=30 -print_final_stats=1"
        atheris.Setup([sys.argv[0], *words.split(), str(folder / "seeds")], lambda data: _one(target, data))
        atheris.Fuzz()


def _one(target: Target, data: bytes) -> None:
    survives(lambda: target.read(data))


if __name__ == "__main__":
    main()
