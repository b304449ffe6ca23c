"""`kineme pretrain`: clips, and a recipe if there is one → a run directory."""

from __future__ import annotations

import json
import re
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kineme.arguments import did_you_mean
from kineme.clips.folders import is_store
from kineme.commands import application
from kineme.commands.paths import check_stores
from kineme.commands.said import command
from kineme.errors import KinemeError
from kineme.packaged import find_recipe, recipes
from kineme.runs import check_run

if TYPE_CHECKING:
    from kineme.config import Config

USAGE = """\
kineme pretrain [RECIPE] [OPTIONS] [--SECTION.KEY VALUE ...]
       kineme pretrain --resume RUN [--train.devices N] [--train.nodes N]"""
OWN = "--resume takes the run's own settings; leave out all but --train.devices and --train.nodes"


def pretrain(
    *words: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    store: list[Path] | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    resume: Path | None = None,
    help: Annotated[bool, Parameter(name=("--help", "-h"), show=False)] = False,
) -> None:
    """Train an encoder without labels.

    Without a recipe, the settings (frames, batch, epochs, windows, split) are chosen to suit the clips. Three
    lines report which, and why.

      kineme pretrain --store stores/mine

    RECIPE is a YAML file, or the name of a recipe that comes with Kineme. Any key can be set on the command
    line, with or without a recipe:

      kineme pretrain aimclr-small --store stores/mine --train.epochs 100

    `kineme pretrain RECIPE --help` lists the keys with the recipe's values.

    Args:
        store: Clip store to train on; short for --data.store. Repeat it to train one encoder on several
            stores, even if their joints differ.
        out: Run directory (default: runs/RECIPE-STREAM, or runs/STORE-STREAM without a recipe; -STREAM is
            dropped when all three streams are learned together).
        overwrite: Replace an existing run.
        resume: Continue an interrupted run; it ends with the same weights as an uninterrupted one.
            --train.devices and --train.nodes may change: each step still sees the same clips.
    """
    others = bool(words or store or out or overwrite)
    if (help and not words) or not (others or resume):
        application("pretrain").help_print([])
        print("\nrecipes:", *recipes(), sep="\n  ")
        return
    named = bool(words) and not words[0].startswith("-")
    if named and is_store(words[0]):
        raise KinemeError(f"{words[0]}: is a clip store, not a recipe; name it by --store")
    check_stores(*store or ())  # this and more is checked before what takes seconds to import
    if resume is not None:
        if store or out or overwrite:
            raise KinemeError(OWN)
        processes = _processes(words)
        check_run(resume)
        from kineme.training.directory import load_run_config
        from kineme.training.together import on_processes

        _train(on_processes(load_run_config(resume), **processes), resume, resume=True)
        return
    if strange := [word for word in words if re.match(r"--[^.=]*(=|$)", word)]:
        near = did_you_mean(strange[0], ("--store", "--out", "--overwrite", "--resume"))
        raise KinemeError(f"unknown option {strange[0]}{near or '; see kineme pretrain --help'}")
    recipe = find_recipe(words[0]) if named else None
    from kineme.packaged import BASE
    from kineme.settings import load_config, make_parser
    from kineme.streams import TOGETHER

    settings = [*words[named:], *_stores(store or [])]
    if help:
        config = load_config(recipe or BASE, settings)
        parser = make_parser(config.method["name"], config.encoder["name"])
        parser.set_defaults(dict(parser.parse_object(config.to_dict()).items()))
        print(parser.format_help(), end="")  # print_help() would not say that the disk is full
        return
    if recipe is not None:
        config, name = load_config(recipe, settings), recipe.stem
    else:
        from kineme.pretraining import fitted

        config = fitted(None, settings)
        name = "+".join(Path(each).resolve().name for each in config.data.stores)
    stream = "" if config.data.stream == TOGETHER else f"-{config.data.stream}"
    _train(config, out or Path("runs") / f"{name}{stream}", overwrite=overwrite)


def _processes(words: tuple[str, ...]) -> dict[str, int | None]:
    """The numbers of devices and nodes among the settings, which may have no others."""
    given = dict.fromkeys(("devices", "nodes"))
    separate = [part for word in words for part in word.split("=", 1)]
    for key, value in zip_longest(separate[::2], separate[1::2], fillvalue=""):
        name = key.removeprefix("--train.")
        if name not in given or not key.startswith("--train."):
            raise KinemeError(OWN)
        if not value.isdecimal() or int(value) < 1:
            raise KinemeError(f"{key} is {value or 'empty'}; it must be a whole number of at least 1")
        given[name] = int(value)
    return given


def _stores(paths: list[Path]) -> list[str]:
    """The setting `data.store`: a path, or a list of several."""
    if len(paths) < 2:
        return [f"--data.store={path}" for path in paths]
    return [f"--data.store={json.dumps([*map(str, paths)])}"]


def _train(config: Config, run: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    from kineme.commands.training_bar import ProgressLine
    from kineme.training.directory import STATE
    from kineme.training.run import train
    from kineme.training.together import is_first_process

    try:
        train(config, run, resume=resume, overwrite=overwrite, callbacks=[ProgressLine()])
    except KeyboardInterrupt:
        if (run / STATE).is_file() and is_first_process(config.train):
            again = command("kineme", "pretrain", "--resume", run)
            print(f"\nto continue: {again}", end="", file=sys.stderr)
        raise
    if is_first_process(config.train):
        print(f"the run is in {run}; next: {' or '.join(_next_commands(config, run))}")


def _next_commands(config: Config, run: Path) -> list[str]:
    """What measures a run on its own clips; without labels, what finds kinds of motion, and shows them."""
    from kineme.clips.store import ClipStore
    from kineme.evaluation.advice import measuring_command
    from kineme.inference.clustering.cluster import LONG
    from kineme.inference.clustering.kinds import FEWEST
    from kineme.training.faults import told
    from kineme.training.history import HISTORY, read_history

    stores = [ClipStore(path) for path in config.data.stores]
    if measuring := [line for store in stores if (line := measuring_command(config, run, store))]:
        return measuring
    report = command("kineme", "report", run)
    cut = any(store.index["frames"].max() > LONG * store.manifest.fps for store in stores)
    few = not cut and sum(map(len, stores)) < FEWEST
    if few or told(read_history(run / HISTORY), config.train.epochs):
        return [report]
    return [command("kineme", "cluster", run, *(store.path for store in stores)), report]
