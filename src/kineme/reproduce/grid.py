"""A grid: which recipes are trained on which clips and streams, and how they are measured.

    epochs: 60                    # the same for all (or minutes); without either, as in each recipe
    baselines: true               # a random encoder beside each one
    seeds: 3                      # each run as often, with seeds 0, 1 and 2
    stores:                       # name: the command that makes it
      mine: kineme generate stores/mine
    runs:                         # every combination of an entry's lists is a cell
      - recipes: [usdrl-small, aimclr-small]
        stores: [mine]
        split: odd-even           # of the clips, or a list of them; without it, the recipe's
        window: 64                # frames of the windows that are trained on; without it, the recipe's
        streams: [joint, bone, motion]
        settings:                 # name: what it changes in the recipe
          full: {}
          slow: {train.lr: 1e-4}
        protocols: [{linear: {lr: 0.03}}, knn, {transfer: other, split: odd-even}]

Protocols are linear, knn, early, robust, finetune, semi and semi-frozen, and on other clips transfer and
detect, with `map_joints: true` where their layout is not the encoder's. Their settings are those of the
recipe; linear, finetune, semi and semi-frozen can be given others. A recipe is a file beside the grid, one
that comes with Kineme, or `default`: the settings that Kineme chooses for the clips. A list of one may be
written without brackets. Where joint, bone and motion of a recipe are all measured by `linear`, their fusion
is a row of its own. `joint+bone+motion` is one run, of all three in one encoder.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import yaml

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError, one_line
from kineme.packaged import BASE, find_recipe
from kineme.untrusted import yaml_node

Stream = Literal["joint", "bone", "motion", "joint+bone+motion"]
STREAMS: tuple[Stream, ...] = ("joint", "bone", "motion")  # whose runs are fused
FUSED: Stream = "joint+bone+motion"  # of three runs; or in one encoder
PROTOCOLS = ("linear", "knn", "early", "robust", "finetune", "semi", "semi-frozen", "transfer", "detect")
DEFAULT = Path("default")  # stands for the settings that fit the clips, where others name a recipe
_ELSEWHERE = ("transfer", "detect")  # protocols that are measured on another store
_TUNED = ("epochs", "lr", "batch_size")
SETTINGS = {  # that a grid may set
    "linear": ("lr",),
    "finetune": _TUNED,
    "semi": (*_TUNED, "seeds"),
    "semi-frozen": ("seeds",),
}
_GRID = ("epochs", "minutes", "baselines", "seeds", "stores", "runs")
_ENTRY = ("recipes", "stores", "split", "window", "streams", "settings", "protocols")
_LISTS = ("recipes", "stores", "split", "streams", "protocols")
ELSEHOW = {  # settings that a grid has its own words for
    "data.store": "stores",
    "data.split": "split",
    "data.window": "window",
    "data.stream": "streams",
    "train.seed": "seeds",
}


@dataclass(frozen=True)
class Measurement:
    """A protocol, its settings and the clips that it measures on."""

    protocol: str  # one of `PROTOCOLS`
    store: str | None = None  # its name in the grid; None: the clips of the pre-training
    split: str | None = None  # of that store; None: the pre-training's
    settings: tuple[tuple[str, float], ...] = ()  # name and value of those that are not the recipe's
    map_joints: bool = False  # find the encoder's joints by name, where that store has another layout

    def __str__(self) -> str:
        where = {"transfer": " to ", "detect": " in "}.get(self.protocol, "") + (self.store or "")
        settings = (f"{name} {value:g}" for name, value in self.settings)
        notes = ", ".join(filter(None, (self.split, *settings)))
        return self.protocol + where + (f" ({notes})" if notes else "")


@dataclass(frozen=True)
class Variant:
    """Settings that are not the recipe's; a cell without any has the name ''."""

    name: str = ""
    settings: tuple[tuple[str, str], ...] = ()  # key and value, as on the command line

    @property
    def words(self) -> list[str]:
        """The settings as options of the command line."""
        return [f"--{key}={value}" for key, value in self.settings]


@dataclass(frozen=True)
class Cell:
    """One pre-training and what is measured of it."""

    recipe: Path  # or `DEFAULT`
    store: str  # name of its clips in the grid
    command: str  # that makes these clips
    split: str | None  # whose training part is trained on; None: the recipe's
    stream: Stream
    measurements: tuple[Measurement, ...]
    window: int | None = None  # frames of the windows that are trained on; None: the recipe's
    seed: int = 0  # added to that of the plan
    variant: Variant = Variant()

    @property
    def kin(self) -> str:
        """The name without the stream: what cells have in common that can be fused."""
        seed = f"seed{self.seed}" if self.seed else None
        parts = filter(None, (self.recipe.stem, self.variant.name, self.store, self.split, seed))
        return re.sub(r"[^\w.+-]+", "-", "-".join(parts))

    @property
    def name(self) -> str:
        """Of the cell in messages, and of its run directory."""
        return f"{self.kin}-{self.stream}"

    @property
    def linear(self) -> Measurement | None:
        """The linear evaluation on the clips of the pre-training, which streams are fused by."""
        return next((each for each in self.measurements if each.protocol == "linear"), None)


@dataclass(frozen=True)
class Grid:
    """What a grid's file says."""

    name: str
    stores: Mapping[str, str]  # name of a clip store → the command that makes it
    cells: tuple[Cell, ...]  # in the order of the file
    epochs: int | None = None  # of every pre-training; None: as its recipe says
    minutes: float | None = None  # the same
    baselines: bool = False  # measure a random encoder and raw coordinates beside each encoder
    seeds: int = 1  # runs of each cell, whose figures are averaged

    @property
    def fusions(self) -> list[tuple[Cell, ...]]:
        """The cells of joint, bone and motion, in this order, of each recipe that has all three."""
        found = []
        kin_of = attrgetter("kin")
        for _, kin in groupby(sorted(self.cells, key=kin_of), key=kin_of):
            linear = {cell.stream: cell for cell in kin if cell.linear}
            if set(STREAMS) <= set(linear):
                found.append(tuple(linear[stream] for stream in STREAMS))
        return sorted(found, key=lambda cells: max(map(self.cells.index, cells)))


def load_grid(path: Path) -> Grid:
    """Reads a grid's file.

    Raises:
        KinemeError: it is missing or no YAML, a key or name is unknown (the nearest is named), or a value is
            of another type; the line is named.
    """
    try:
        root = yaml_node(path)
    except (OSError, ValueError) as error:
        raise KinemeError(f"{path}: cannot be read as a grid ({one_line(error)})") from error
    if root is None:
        raise KinemeError(f"{path}: is empty; a grid has the keys {', '.join(_GRID)}")
    return _Reader(path).grid(root)


class _Reader:
    """Turns the nodes of a grid's YAML into a grid, and knows the line of whatever is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commands: dict[str, str] = {}

    def grid(self, root: yaml.Node) -> Grid:
        given = self.mapping(root, _GRID, "a grid")
        for key in ("stores", "runs"):
            if key not in given:
                raise self.error(root, f"has no {key}")
        if "epochs" in given and "minutes" in given:
            raise self.error(given["minutes"], "epochs and minutes exclude each other; drop one of the two")
        stores = self.mapping(given["stores"])
        self.commands = {name: self.text(node, f"stores.{name}") for name, node in stores.items()}
        cells: dict[str, Cell] = {}
        for entry in self.sequence(given["runs"], "runs"):
            for cell in self.cells(entry):
                if cell.name in cells:
                    raise self.error(entry, f"{cell.name} is in the grid twice")
                cells[cell.name] = cell
        kinds = {"epochs": int, "minutes": float, "baselines": bool, "seeds": int}
        settings = {
            name: self.value(given[name], name, kind) for name, kind in kinds.items() if name in given
        }
        every = [
            replace(cell, seed=seed) for seed in range(settings.get("seeds", 1)) for cell in cells.values()
        ]
        return Grid(self.path.stem, self.commands, tuple(every), **settings)

    def cells(self, entry: yaml.Node) -> list[Cell]:
        """Every combination of an entry's lists."""
        given = self.mapping(entry, _ENTRY, "an entry of runs")
        for key in ("recipes", "stores", "protocols"):
            if key not in given:
                raise self.error(entry, f"this entry of runs has no {key}")
        lists = {key: self.sequence(given[key], key) for key in _LISTS if key in given}
        recipes = [self.recipe(node) for node in lists["recipes"]]
        stores = [self.known(node, self.commands, "store") for node in lists["stores"]]
        every = (*STREAMS, FUSED)
        words = [self.known(node, every, "stream") for node in lists.get("streams", [])] or ["joint"]
        measurements = tuple(self.measurement(node) for node in lists["protocols"])
        if len({(each.protocol, each.store, each.split) for each in measurements}) < len(measurements):
            raise self.error(given["protocols"], "a protocol is listed twice on the same clips")
        named = [self.text(node, "split") for node in lists.get("split", [])]
        splits: list[str | None] = [*named] or [None]
        variants = self.variants(given["settings"], recipes) if "settings" in given else [Variant()]
        window = self.value(given["window"], "window", int) if "window" in given else None
        streams = [stream for stream in every if stream in words]
        return [
            Cell(recipe, store, self.commands[store], split, stream, measurements, window, variant=variant)
            for recipe, variant, store, split, stream in product(recipes, variants, stores, splits, streams)
        ]

    def variants(self, node: yaml.Node, recipes: Sequence[Path]) -> list[Variant]:
        """`{name: {key: value}}`; every recipe must have these settings."""
        from kineme.settings import load_config  # which takes the seconds of PyTorch; few grids have variants

        named = self.mapping(node, what="settings")
        if not named:
            raise self.error(node, "settings is empty; write `name: {train.lr: 1e-4}`, or leave it out")
        found = []
        for name, settings in named.items():
            given = self.mapping(settings, what=f"settings.{name}")
            for key, value in given.items():
                if key in ELSEHOW:
                    raise self.error(value, f"{key} is not set here, but by `{ELSEHOW[key]}`")
            variant = Variant(name, tuple((key, self.setting(each, key)) for key, each in given.items()))
            for recipe in recipes:
                try:
                    load_config(BASE if recipe == DEFAULT else recipe, variant.words)
                except KinemeError as error:
                    raise self.error(settings, f"settings.{name}: {error}") from error
            found.append(variant)
        return found

    def setting(self, node: yaml.Node, key: str) -> str:
        """A value as it stands on the command line: a word, or a list of words."""
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(self.setting(each, key) for each in node.value)}]"
        raise self.error(node, f"{key} must be a word or a list; write train.lr, not a section of its own")

    def recipe(self, node: yaml.Node) -> Path:
        """A recipe beside the grid's file, one that comes with Kineme, or `DEFAULT`."""
        name = self.text(node, "recipes")
        if name == str(DEFAULT):
            return DEFAULT
        beside = self.path.parent / name
        try:
            found = beside if beside.is_file() else find_recipe(name)
        except KinemeError as error:
            raise self.error(node, str(error)) from error
        if not found.is_file():
            raise self.error(node, f"{name}: no such recipe, neither here nor beside the grid")
        return found

    def measurement(self, node: yaml.Node) -> Measurement:
        """`knn`, `{linear: {lr: 0.03}}` or `{transfer: STORE, split: SPLIT}`; `detect` is like `transfer`."""
        if isinstance(node, yaml.ScalarNode):
            protocol = self.known(node, PROTOCOLS, "protocol")
            if protocol in _ELSEWHERE:
                hint = f"write {{{protocol}: STORE, split: ...}}"
                raise self.error(node, f"{protocol} is on another store; {hint}")
            return Measurement(protocol)
        given = self.mapping(node, (*_ELSEWHERE, *SETTINGS, "split", "map_joints"), "a protocol")
        split = self.text(given.pop("split"), "split") if "split" in given else None
        mapped = self.value(given.pop("map_joints"), "map_joints", bool) if "map_joints" in given else False
        protocol, value = next(iter(given.items()), ("", node))
        if len(given) != 1 or ((split or mapped) and protocol in SETTINGS):
            raise self.error(node, "name a protocol, such as knn or {transfer: STORE, split: ...}")
        if protocol in _ELSEWHERE:
            store = self.known(value, self.commands, "store")
            return Measurement(protocol, store, split, map_joints=mapped)
        given = self.mapping(value, SETTINGS[protocol], protocol)
        kinds = {name: float if name == "lr" else int for name in given}
        settings = ((name, self.value(each, name, kinds[name])) for name, each in given.items())
        return Measurement(protocol, settings=tuple(settings))

    def mapping(self, node: yaml.Node, known: Sequence[str] = (), what: str = "this") -> dict[str, yaml.Node]:
        """Keys and nodes of a mapping; of these keys only, where they are given."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} must be a mapping, with `key: value`")
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if known and name not in known:
                hint = did_you_mean(name, known) or f"; {what} has {', '.join(known)}"
                raise self.error(key, f"unknown key {name!r}{hint}")
            if name in found:
                raise self.error(key, f"{name!r} is there twice")
            found[name] = value
        return found

    def sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The nodes of a list; a single word is a list of one."""
        if isinstance(node, yaml.ScalarNode) and what in _LISTS:
            return [node]
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.error(node, f"{what} must be a list, and not an empty one")
        return list(node.value)

    def known(self, node: yaml.Node, names: Collection[str], what: str) -> str:
        """One of these names."""
        word = self.text(node, what)
        if word not in names:
            hint = did_you_mean(word, names) or f"; choose from {', '.join(names)}"
            raise self.error(node, f"no {what} is called {word!r}{hint}")
        return word

    def text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self.error(node, f"{what} must be text")
        return str(node.value)

    def value(self, node: yaml.Node, what: str, kind: type) -> Any:
        """A whole number or a number above 0, or true or false."""
        word = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        try:
            value: Any = {"true": True, "false": False}[word] if kind is bool else kind(word)
            fits = kind is bool or 0 < value < float("inf")
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            wanted = {int: "a whole number above 0", float: "a number above 0", bool: "true or false"}[kind]
            raise self.error(node, f"{what} must be {wanted}")
        return value

    def error(self, node: yaml.Node, reason: str) -> KinemeError:
        return KinemeError(f"{self.path}, line {node.start_mark.line + 1}: {reason}")
