"""What a grid means here: which of its clips are there, where its runs are, how far they have come.

    OUT/stores.json      fingerprint of the clips that each name stood for when they were first used
    OUT/runs/CELL        run directories, as `kineme pretrain` and `kineme evaluate` leave them
    OUT/table.*          what came of it

No other state is kept: how far a cell has come is read from its run, so that a grid resumes where it stopped,
whatever stopped it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kineme.arguments import did_you_mean
from kineme.clips.folders import is_address
from kineme.clips.retargeted import retargeted_fingerprint
from kineme.clips.store import ClipStore
from kineme.config import Config, EvaluateConfig
from kineme.errors import KinemeError, check_between, check_positive, one_line
from kineme.evaluation.fusion import PROBES
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import Result, result_path
from kineme.evaluation.task import is_other_store, qualifiers
from kineme.files import atomic_write
from kineme.fitting import fitted_config
from kineme.loading import load_run
from kineme.packaged import BASE
from kineme.reproduce.grid import DEFAULT, Cell, Grid, Measurement, Variant
from kineme.reproduce.protocols import PROTOCOLS
from kineme.runs import CONFIG, WEIGHTS
from kineme.settings import load_config
from kineme.training.devices import resolve_device
from kineme.training.directory import STATE, load_run_config
from kineme.training.timing import with_epochs
from kineme.training.together import on_processes, process_count

logger = logging.getLogger(__name__)

STORES = "stores.json"
# Settings that do not change what is learned.
_MONITORING = ("knn_every", "save_every", "device", "loggers", "compile", "recompute")
Stage = Literal["to do", "interrupted", "trained"]


@dataclass(frozen=True)
class Plan:
    """A grid, its clips and how long its cells are trained.

    Attributes:
        grid: what is to be done.
        out: where.
        stores: name in the grid → the store, of those that are there.
        recipes: file, and what is changed → the settings.
        epochs, minutes: of every pre-training; None: as its recipe says.
        seed: of all that is drawn.
    """

    grid: Grid
    out: Path
    stores: Mapping[str, ClipStore]
    recipes: Mapping[tuple[Path, Variant], Config]
    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    _fits: dict[Cell, Config] = field(default_factory=dict, init=False, repr=False, compare=False)

    def run(self, cell: Cell) -> Path:
        """The run directory of a cell."""
        return self.out / "runs" / cell.name

    def recipe(self, cell: Cell) -> Config:
        """The settings of a cell before the grid's terms."""
        return self.recipes[cell.recipe, cell.variant]

    def place(self, store: str) -> str:
        """Where a store of the grid is: its address, or its path from everywhere."""
        found = self.stores[store]
        return found.address if is_address(found.address) else str(found.path.resolve())

    def config(self, cell: Cell) -> Config:
        """The settings of a cell whose clips are there, on this grid's terms."""
        if cell.recipe == DEFAULT:
            if cell not in self._fits:  # the table asks for all of them after every measurement
                self._fits[cell] = self._fitted(cell)
            return deepcopy(self._fits[cell])
        config = on_one_device(deepcopy(self.recipe(cell)))
        data, train = config.data, config.train
        data.store, data.stream = self.place(cell.store), cell.stream
        data.split = cell.split or data.split
        data.window = data.window if cell.window is None else cell.window
        if self.epochs is not None:
            train = replace(with_epochs(train, self.epochs), minutes=None)
        if self.minutes is not None:  # none of them for the online kNN
            train = replace(train, minutes=self.minutes, max_minutes=None, knn_every=0)
        return replace(config, train=replace(train, seed=self.seed_of(cell)))

    def _fitted(self, cell: Cell) -> Config:
        """The settings that fit the clips of a cell, on this grid's terms."""
        terms: dict[str, Any] = {
            "data.store": self.place(cell.store),
            "data.split": cell.split,
            "data.window": cell.window,
            "data.stream": cell.stream,
            "train.epochs": self.epochs,
            "train.minutes": self.minutes,
            "train.knn_every": None if self.minutes is None else 0,
            "train.seed": self.seed_of(cell),
        }
        given = [f"--{key}={value}" for key, value in terms.items() if value is not None]
        given += cell.variant.words
        device, _ = resolve_device(load_config(BASE, given).train)
        return fitted_config(None, given, gpu=device == "cuda").config

    def seed_of(self, cell: Cell) -> int:
        """The seed of all that is drawn for a cell."""
        return self.seed + cell.seed

    def progress(self, cell: Cell) -> Stage:
        """How far the pre-training of a cell has come."""
        run = self.run(cell)
        if not (run / CONFIG).is_file():
            return "to do"
        with suppress(KinemeError):  # no weights, or none that can be read
            if trained(run).whole:
                return "trained"
        return "interrupted" if (run / STATE).is_file() else "to do"

    def missing(self, cell: Cell, measurement: Measurement | None = None) -> str | None:
        """The name of the store that a cell, or a measurement of it, lacks."""
        names = [cell.store, measurement.store if measurement else None]
        return next((name for name in names if name is not None and name not in self.stores), None)

    def result(self, cell: Cell, measurement: Measurement) -> Result | None:
        """A measurement that is there, of the run's weights, these clips and the cell's settings."""
        result = self._measured(cell, measurement)
        if result is None:
            return None
        protocol, evaluate = PROTOCOLS[measurement.protocol], trained(self.run(cell)).evaluate
        return result if protocol.settled(result, evaluate, dict(measurement.settings)) else None

    def lacking(self, cell: Cell, measurement: Measurement) -> list[str]:
        """The settings for which a measurement is made again, as its result is older than they are."""
        result = self._measured(cell, measurement)
        if result is None:
            return []
        protocol, evaluate = PROTOCOLS[measurement.protocol], trained(self.run(cell)).evaluate
        return protocol.lacking(result, evaluate, dict(measurement.settings))

    def _measured(self, cell: Cell, measurement: Measurement) -> Result | None:
        """A measurement of the run's weights and these clips, by whatever settings."""
        if self.missing(cell, measurement) or self.progress(cell) != "trained":
            return None
        result = _read(self.result_path(cell, measurement))
        if result is None or (self.grid.baselines and not result.baselines):
            return None
        try:
            clips = self.fingerprint(cell, measurement)
        except KinemeError:  # a joint cannot be placed, as measuring it will say
            return None
        split = measurement.split or self.config(cell).data.split
        found = result.weights, result.fingerprint, result.split, result.seed
        wanted = trained(self.run(cell)).weights, clips, split, self.seed_of(cell)
        return result if found == wanted else None

    def fingerprint(self, cell: Cell, measurement: Measurement) -> str:
        """Of the clips that a cell is measured on, with the encoder's joints."""
        store, own = self.stores[measurement.store or cell.store], self.stores[cell.store]
        if measurement.map_joints and store.layout != own.layout:
            return retargeted_fingerprint(store, own.layout)
        return store.manifest.fingerprint

    def options(self, cell: Cell, measurement: Measurement) -> TaskOptions:
        """What a cell is measured on."""
        store = Path(self.place(measurement.store or cell.store))
        return TaskOptions(store, measurement.split, map_joints=measurement.map_joints)

    def result_path(self, cell: Cell, measurement: Measurement) -> Path:
        """Where this measurement goes, by hand or in a grid."""
        own, options = self.config(cell).data, self.options(cell, measurement)
        clips = self.fingerprint(cell, measurement) if is_other_store(own, options) else ""
        named = qualifiers(own, options)
        return result_path(self.run(cell), measurement.protocol, *named, seed=self.seed_of(cell), clips=clips)

    def fused(self, cells: tuple[Cell, ...]) -> Result | None:
        """The fusion of these cells that is there, of their results and the recipe's weights of streams."""
        result = _read(self.fused_path(cells))
        alone = [found for cell in cells if cell.linear and (found := self.result(cell, cell.linear))]
        if result is None or len(alone) < len(cells):
            return None
        shares = asdict(trained(self.run(cells[0])).evaluate.fusion)
        joined = " ".join(each.weights for each in alone)
        current = (
            result.weights == hashlib.sha256(joined.encode()).hexdigest()
            and result.fingerprint == alone[0].fingerprint
            and result.seed == self.seed_of(cells[0])
            and result.baselines == {each.stream: {p: each.scores[p] for p in PROBES} for each in alone}
            and all(
                weights == {each.stream: shares[each.stream] for each in alone}
                for weights in result.settings["weights"].values()
            )
        )
        return result if current else None

    def fused_path(self, cells: tuple[Cell, ...]) -> Path:
        """Where the fusion of these cells goes: into the run of the first."""
        return result_path(self.run(cells[0]), "fused", seed=self.seed_of(cells[0]))


def make_plan(
    grid: Grid,
    out: Path,
    given: Mapping[str, Path],
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
) -> Plan:
    """Opens the stores, and checks that what `out` holds already was made of these clips by these settings.

    Args:
        grid: what is to be done.
        out: where.
        given: name of a store → its path. Others are looked for in `stores/NAME`.
        epochs, minutes: of every pre-training, instead of the grid's.
        seed: of all that is drawn.

    Raises:
        KinemeError: a name is not the grid's, a path is no store, a recipe is wrong, or `out` holds runs of
            other clips or settings, or a table that no grid wrote.
    """
    for name in given:
        if name not in grid.stores:
            hint = did_you_mean(name, grid.stores) or f"; it has {', '.join(grid.stores)}"
            raise KinemeError(f"`store` {name}: the grid has no store of this name{hint}")
    check_positive(epochs=epochs, minutes=minutes)
    check_between("`seed`", seed, 0)
    if epochs is not None and minutes is not None:
        raise KinemeError("`epochs` and `minutes` exclude each other; drop one of the two")
    if epochs is None and minutes is None:
        epochs, minutes = grid.epochs, grid.minutes
    places = {name: given.get(name, Path("stores") / name) for name in grid.stores}
    stores = {name: ClipStore(path) for name, path in places.items() if name in given or path.exists()}
    named = dict.fromkeys((cell.recipe, cell.variant) for cell in grid.cells)
    if epochs is not None or minutes is not None:
        _check_terms(variant for _, variant in named)
    recipes = {
        (path, variant): load_config(BASE if path == DEFAULT else path, variant.words)
        for path, variant in named
    }
    plan = Plan(grid, out, stores, recipes, epochs, minutes, seed)
    _check_place(out)
    _check_clips(plan)
    for cell in grid.cells:
        _check_settings(plan, cell)
    return plan


def keep_fingerprints(plan: Plan) -> None:
    """Writes which clips each name stands for, so that no other ones can be taken for them later."""
    with atomic_write(plan.out / STORES) as aside:
        aside.write_text(json.dumps(_fingerprints(plan), indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Trained:
    """What the weights file of a run says.

    Attributes:
        weights: their SHA-256.
        whole: they are those of the last epoch.
        evaluate: settings of the protocols.
    """

    weights: str
    whole: bool
    evaluate: EvaluateConfig


def on_one_device(config: Config) -> Config:
    """The same training on one device, which is what a grid has: a step keeps its clips."""
    return on_processes(config, 1, 1) if process_count(config.train) > 1 else config


def trained(run: Path) -> Trained:
    """What the weights file of a run says.

    Raises:
        KinemeError: there is none, or it is damaged.
    """
    file = run / WEIGHTS
    return _trained(file, file.stat().st_mtime_ns if file.is_file() else 0)


def _check_terms(variants: Iterable[Variant]) -> None:
    """Refuses settings of training time, where all cells are trained for the same."""
    for variant in variants:
        for key, _ in variant.settings:
            if key in ("train.epochs", "train.minutes", "train.max_minutes"):
                raise KinemeError(
                    f"settings.{variant.name} sets {key}, but `epochs` or `minutes` of the grid are for all "
                    "of its cells; drop one of the two"
                )


def _check_place(out: Path) -> None:
    """Refuses a folder with a table that no grid wrote: a grid keeps its stores' fingerprints before all."""
    for path in sorted(out.glob("table.*")):
        if path.suffix in (".csv", ".json", ".md") and not (out / STORES).is_file():
            raise KinemeError(f"{path}: was not written by `kineme reproduce`; choose another `out`")


def _check_clips(plan: Plan) -> None:
    known = _fingerprints(plan)
    for name, store in plan.stores.items():
        if known[name] != store.manifest.fingerprint:
            raise KinemeError(
                f"{plan.out}: was started with other clips than {store.path} as {name}; choose another `out`"
            )


def _check_settings(plan: Plan, cell: Cell) -> None:
    """Refuses a run that was trained with other settings; warns where those of its protocols are others."""
    run = plan.run(cell)
    if cell.store not in plan.stores or not (run / CONFIG).is_file():
        return
    there, asked = on_one_device(load_run_config(run)).to_dict(), plan.config(cell).to_dict()
    if there.pop("evaluate") != asked.pop("evaluate"):
        logger.warning(
            "%s: keeps the `evaluate` settings it was trained with; those of %s are others now. To measure "
            "by them, set them in the grid",
            *(run, cell.recipe),
        )
    timed = any(asked["train"][key] is not None for key in ("minutes", "max_minutes"))
    counted = ("epochs", "milestones", "warmup") if timed else ()  # by the run itself
    bounded = ("max_minutes",) if cell.recipe == DEFAULT else ()  # by the device
    free = {f"train.{key}" for key in (*counted, *bounded, *_MONITORING)}
    for section, settings in asked.items():
        for key, value in settings.items():
            own = there[section].get(key)
            if own != value and f"{section}.{key}" not in free:
                raise KinemeError(
                    f"{run}: was trained with {section}.{key}={own}, and now it is {value}; remove "
                    "that run to train it anew, choose another `out`, or the same settings"
                )


def _fingerprints(plan: Plan) -> dict[str, str]:
    """Name → fingerprint: those kept, and those of stores that are new."""
    now = {name: store.manifest.fingerprint for name, store in plan.stores.items()}
    path = plan.out / STORES
    if not path.is_file():
        return now
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise KinemeError(
            f"{path}: cannot be read ({one_line(error)}); remove it if the stores are the same"
        ) from error
    if not isinstance(kept, dict) or not all(_is_fingerprint(value) for value in kept.values()):
        raise KinemeError(f"{path}: was not written by `kineme reproduce`; choose another `out`")
    return {**now, **kept}


def _is_fingerprint(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _read(path: Path) -> Result | None:
    """A result; None where there is none, or one that cannot be read and is to be made again."""
    try:
        return Result.from_json(path) if path.is_file() else None
    except KinemeError:
        return None


@cache
def _trained(file: Path, modified: int) -> Trained:
    model = load_run(file)
    return Trained(model.weights, model.epochs == model.config["train"]["epochs"], model.protocols)
