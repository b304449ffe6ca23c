"""`kineme pretrain`: a recipe → a run directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.errors import KinemeError
from kineme.packaged import find_recipe, recipes

if TYPE_CHECKING:
    from kineme.config import Config

USAGE = """\
usage: kineme pretrain RECIPE [--out RUN] [--overwrite] [--SECTION.KEY VALUE ...]
       kineme pretrain --resume RUN

Train an encoder without labels, as a recipe says.

  RECIPE           a YAML file, or the name of one that comes with Kineme:
{recipes}
  --out RUN        where the run goes (default: runs/RECIPE-STREAM)
  --overwrite      replace a run that is there
  --resume RUN     continue an interrupted run; it ends with the weights it would have had

Every key of a recipe can be set on the command line:

  kineme pretrain aimclr-small --data.store stores/mine --train.epochs 100

`kineme pretrain RECIPE --help` lists the keys of its method and encoder with their defaults."""


def main(arguments: list[str]) -> None:
    """Parses what the recipe does not: the recipe itself, where the run goes, whether it is continued."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE.format(recipes="\n".join(f"                     {name}" for name in recipes())))
        return
    from kineme.config import load_config, make_parser
    from kineme.training.directory import load_run_config

    rest = list(arguments)
    resume = _take(rest, "--resume")
    if resume is not None:
        if rest:
            raise KinemeError(f"--resume takes the run's own settings; drop {' '.join(rest)}")
        _train(load_run_config(Path(resume)), Path(resume), resume=True)
        return
    out = _take(rest, "--out")
    overwrite = "--overwrite" in rest
    rest = [word for word in rest if word != "--overwrite"]
    if not rest or rest[0].startswith("-"):
        raise KinemeError("name a recipe first: kineme pretrain RECIPE [--SECTION.KEY VALUE ...]")
    recipe, overrides = find_recipe(rest[0]), rest[1:]
    if {"-h", "--help"} & set(overrides):
        config = load_config(recipe, [word for word in overrides if word not in ("-h", "--help")])
        make_parser(config.method["name"], config.encoder["name"]).print_help(sys.stdout)
        return
    config = load_config(recipe, overrides)
    run = Path(out) if out else Path("runs") / f"{recipe.stem}-{config.data.stream}"
    _train(config, run, overwrite=overwrite)


def _train(config: Config, run: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    from kineme.commands.bars import ProgressLine
    from kineme.training.directory import STATE
    from kineme.training.run import is_first_process, train

    try:
        train(config, run, resume=resume, overwrite=overwrite, callbacks=[ProgressLine()])
    except KeyboardInterrupt:
        if (run / STATE).is_file() and is_first_process():
            print(f"\nto continue: kineme pretrain --resume {run}", file=sys.stderr)
        raise
    if is_first_process():
        print(f"the run is in {run}; measure it with: kineme evaluate linear {run}")


def _take(words: list[str], option: str) -> str | None:
    """Removes an option and its value from the words; None where it is not there."""
    for at, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key == option:
            if not equals and at + 1 == len(words):
                raise KinemeError(f"{option} needs a path")
            taken = value if equals else words[at + 1]
            del words[at : at + (1 if equals else 2)]
            return taken
    return None
