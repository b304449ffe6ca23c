"""What a grid means here: which of its clips are there, where its runs are, how far they have come.

    OUT/stores.json      fingerprint of the clips that each name stood for when they were first used
    OUT/runs/CELL        run directories, as `kineme pretrain` and `kineme evaluate` leave them
    OUT/table.*          what came of it

Nothing else is kept: how far a cell has come is read from its run, so that a grid goes on where it was,
whatever ended it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from kineme.arguments import did_you_mean
from kineme.checkpoints import WEIGHTS
from kineme.clips.store import ClipStore
from kineme.config import SECTIONS, Config, load_config
from kineme.errors import KinemeError
from kineme.evaluation.results import Result, result_path
from kineme.files import atomic_write
from kineme.model import load_run
from kineme.reproduce.grid import Cell, Grid, Measurement
from kineme.reproduce.protocols import PROTOCOLS
from kineme.training.directory import CONFIG, STATE
from kineme.training.timing import with_epochs

STORES = "stores.json"
_LOOKING_ON = ("knn_every", "save_every", "device")  # settings that do not say what is learned
Progress = Literal["to do", "interrupted", "trained"]


@dataclass(frozen=True)
class Plan:
    """A grid, its clips and the terms on which its cells are trained.

    Attributes:
        grid: what is to be done.
        out: where.
        stores: name in the grid → the store, of those that are there.
        recipes: file → its settings.
        epochs, minutes: of every pre-training; None: as long as its recipe says.
        seed: of all that is drawn.
    """

    grid: Grid
    out: Path
    stores: Mapping[str, ClipStore]
    recipes: Mapping[Path, Config]
    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0

    def run(self, cell: Cell) -> Path:
        """The run directory of a cell."""
        return self.out / "runs" / cell.name

    def config(self, cell: Cell) -> Config:
        """The settings of a cell whose clips are there, on this grid's terms."""
        config = deepcopy(self.recipes[cell.recipe])
        data, train = config.data, config.train
        data.store, data.stream = str(self.stores[cell.store].path.resolve()), cell.stream
        data.split = cell.split or data.split
        if self.epochs is not None:
            train = replace(with_epochs(train, self.epochs), minutes=None)
        if self.minutes is not None:  # and none of them for looking at the accuracy
            train = replace(train, minutes=self.minutes, knn_every=0)
        return replace(config, train=replace(train, seed=self.seed))

    def progress(self, cell: Cell) -> Progress:
        """How far the pre-training of a cell has come."""
        run = self.run(cell)
        if not (run / CONFIG).is_file():
            return "to do"
        with suppress(KinemeError):  # no weights, or none that can be read
            if weights(run)[1] == kept_settings(run)["train"]["epochs"]:
                return "trained"
        return "interrupted" if (run / STATE).is_file() else "to do"

    def missing(self, cell: Cell, measurement: Measurement | None = None) -> str | None:
        """The name of the store that a cell, or a measurement of it, lacks."""
        names = [cell.store, measurement.store if measurement else None]
        return next((name for name in names if name is not None and name not in self.stores), None)

    def result(self, cell: Cell, measurement: Measurement) -> Result | None:
        """A measurement that is there and is of these weights, clips and settings."""
        if self.missing(cell, measurement) or self.progress(cell) != "trained":
            return None
        result = _read(self.result_path(cell, measurement))
        protocol = PROTOCOLS[measurement.protocol]
        if result is None or (self.grid.baselines and not result.baselines):
            return None
        store = self.stores[measurement.store or cell.store]
        split = measurement.split or self.config(cell).data.split
        found = result.weights, result.fingerprint, result.split, result.seed
        wanted = weights(self.run(cell))[0], store.manifest.fingerprint, split, self.seed
        return result if found == wanted and protocol.settled(result) else None

    def result_path(self, cell: Cell, measurement: Measurement) -> Path:
        """Where `kineme evaluate` writes this measurement, see `task.Task.qualifiers`."""
        data = self.config(cell).data
        assert data.store is not None
        store = self.stores[measurement.store or cell.store].path.resolve()
        elsewhere = [store.name] if store != Path(data.store) else []
        split = [measurement.split] if measurement.split not in (None, data.split) else []
        seed = [f"seed{self.seed}"] if self.seed else []
        return result_path(self.run(cell), measurement.protocol, *elsewhere, *split, *seed)

    def fused(self, cells: tuple[Cell, ...]) -> Result | None:
        """The fusion of these cells that is there and is of their weights; it lies in the first one's run."""
        alone = [self.result(cell, Measurement("linear")) for cell in cells]
        result = _read(self.fused_path(cells))
        if result is None or not all(alone):
            return None
        joined = " ".join(each.weights for each in alone if each)
        fits = result.weights == hashlib.sha256(joined.encode()).hexdigest() and result.seed == self.seed
        return result if fits and alone[0] and result.fingerprint == alone[0].fingerprint else None

    def fused_path(self, cells: tuple[Cell, ...]) -> Path:
        """Where `kineme fuse` writes a fusion."""
        return result_path(self.run(cells[0]), "fused", *([f"seed{self.seed}"] if self.seed else []))


def make_plan(
    grid: Grid,
    out: Path,
    given: Mapping[str, Path],
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
) -> Plan:
    """Opens the stores, and checks that what is in `out` already was made of these clips on these terms.

    Args:
        grid: what is to be done.
        out: where.
        given: name of a store → its path. Others are looked for in `stores/NAME`.
        epochs, minutes: of every pre-training, instead of the grid's.
        seed: of all that is drawn.

    Raises:
        KinemeError: a name is not the grid's, a path is no store, a recipe is wrong, or `out` holds runs on
            other terms.
    """
    for name in given:
        if name not in grid.stores:
            hint = did_you_mean(name, grid.stores) or f"; it has {', '.join(grid.stores)}"
            raise KinemeError(f"--store {name}: the grid has no store of this name{hint}")
    for option, value in (("epochs", epochs), ("minutes", minutes), ("seed", seed + 1)):
        if value is not None and value <= 0:
            raise KinemeError(f"--{option}: must be {'at least 0' if option == 'seed' else 'over 0'}")
    if epochs is not None and minutes is not None:
        raise KinemeError("--epochs and --minutes exclude each other; drop one of the two")
    if epochs is None and minutes is None:
        epochs, minutes = grid.epochs, grid.minutes
    places = {name: given.get(name, Path("stores") / name) for name in grid.stores}
    stores = {name: ClipStore(path) for name, path in places.items() if name in given or path.exists()}
    recipes = {path: load_config(path) for path in dict.fromkeys(cell.recipe for cell in grid.cells)}
    plan = Plan(grid, out, stores, recipes, epochs, minutes, seed)
    _check_clips(plan)
    for cell in grid.cells:
        _check_settings(plan, cell)
    return plan


def keep_fingerprints(plan: Plan) -> None:
    """Writes which clips each name stands for, so that no other ones can be taken for them later."""
    with atomic_write(plan.out / STORES) as aside:
        aside.write_text(json.dumps(_fingerprints(plan), indent=1) + "\n", encoding="utf-8")


def weights(run: Path) -> tuple[str, int | None]:
    """SHA-256 of the weights of a run, and for how many epochs they were trained.

    Raises:
        KinemeError: there are none.
    """
    file = run / WEIGHTS
    return _weights(file, file.stat().st_mtime_ns if file.is_file() else 0)


def kept_settings(run: Path) -> Mapping[str, Any]:
    """A run's settings as they stand in its config.yaml.

    Raises:
        KinemeError: they cannot be read.
    """
    try:
        kept = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        kept = None
    if not isinstance(kept, Mapping) or not all(isinstance(kept.get(each), Mapping) for each in SECTIONS):
        raise KinemeError(
            f"{run / CONFIG}: cannot be read as a run's settings; remove {run} to train it anew"
        )
    return kept


def _check_clips(plan: Plan) -> None:
    known = _fingerprints(plan)
    for name, store in plan.stores.items():
        if known[name] != store.manifest.fingerprint:
            raise KinemeError(
                f"{plan.out}: was begun with other clips than {store.path} as {name}; choose another --out"
            )


def _check_settings(plan: Plan, cell: Cell) -> None:
    """Refuses a run that is there on other terms. Keys that it does not have are younger than it."""
    if (devices := plan.recipes[cell.recipe].train.devices) > 1:
        raise KinemeError(f"{cell.recipe}: train.devices is {devices}; a grid trains on one device")
    run = plan.run(cell)
    if cell.store not in plan.stores or not (run / CONFIG).is_file():
        return
    kept, asked = kept_settings(run), plan.config(cell).to_dict()
    counted = ("epochs", "milestones", "warmup") if plan.minutes is not None else ()  # by the run itself
    free = {f"train.{key}" for key in (*counted, *_LOOKING_ON)}
    for section, settings in asked.items():
        for key, value in settings.items():
            there = kept[section].get(key, value)
            if there != value and f"{section}.{key}" not in free:
                raise KinemeError(
                    f"{run}: was trained with {section}.{key}={there}, and now it is {value}; "
                    "choose another --out, or the same terms"
                )


def _fingerprints(plan: Plan) -> dict[str, str]:
    """Name → fingerprint: those kept, and those of stores that are new."""
    now = {name: store.manifest.fingerprint for name, store in plan.stores.items()}
    path = plan.out / STORES
    if not path.is_file():
        return now
    try:
        return {**now, **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise KinemeError(
            f"{path}: cannot be read ({error}); remove it if the stores are the same"
        ) from error


def _read(path: Path) -> Result | None:
    """A result; None where there is none, or one that cannot be read and is to be made again."""
    try:
        return Result.from_json(path) if path.is_file() else None
    except KinemeError:
        return None


@cache
def _weights(file: Path, modified: int) -> tuple[str, int | None]:
    pretrained = load_run(file)
    return pretrained.weights, pretrained.epochs
