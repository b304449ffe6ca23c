"""Registries: methods, encoders, preprocessings, metrics, sources and file formats by name, open to others.

A name is looked up in this order:

1. registered in this process by `register`,
2. built in, imported on demand,
3. an entry point of an installed package, such as `[project.entry-points."kineme.methods"]`,
4. a dotted path, such as `my_package.my_module.MyMethod`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError, one_line

T = TypeVar("T")
Entry = TypeVar("Entry")


class Registry(Mapping[str, T], Generic[T]):
    """Name → class or function of one kind. Iterates over the names that need no dotted path.

    Args:
        kind: what it holds, such as `method`; entry points are in the group `kineme.methods`.
        builtin: name → dotted path.
        base: base class of its classes; None admits any callable.
        advice: what to say of a name that is unknown, after those that are known.

    >>> averages = Registry("average", {"median": "statistics.median"})
    >>> @averages.register("midrange")
    ... def midrange(values):
    ...     return (min(values) + max(values)) / 2
    >>> list(averages), averages["midrange"]([1, 2, 9]), averages["statistics.mean"]([1, 2, 9])
    (['median', 'midrange'], 5.0, 4)
    """

    def __init__(
        self, kind: str, builtin: Mapping[str, str], base: type | None = None, advice: str = ""
    ) -> None:
        self.kind = kind
        self._advice = f"; {advice}" if advice else ""
        self._builtin = builtin
        self._base = base
        self._registered: dict[str, T] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Decorator that registers a class or function under a name.

        One defined again in the same place, as by running a notebook's cell again, replaces what it was.

        Raises:
            KinemeError: the name is taken, or the class has the wrong base.
        """

        def add(entry: Entry) -> Entry:
            known = self._registered.get(name, entry)
            if name in self._builtin or (known is not entry and _path_of(known) != _path_of(entry)):
                raise KinemeError(f"a {self.kind} called {name!r} is already registered; choose another name")
            self._registered[name] = self._checked(entry, name)
            return entry

        return add

    def __getitem__(self, name: str) -> T:
        """The class or function of a name or dotted path.

        Raises:
            KinemeError: the name is unknown (the nearest one is suggested), or cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._builtin:
            return self._checked(_imported(self._builtin[name]), name)
        if name in self._entry_points:
            try:
                return self._checked(self._entry_points[name].load(), name)
            except (ImportError, AttributeError) as error:
                raise KinemeError(
                    f"{self.kind} {name}: its package cannot be imported ({one_line(error)})"
                ) from error
        if "." in name:
            return self._checked(self._by_path(name), name)
        known = did_you_mean(name, self) or (
            f"; choose from {', '.join(self)}, or install the package or import the module that registers it"
            f"{self._advice}"
        )
        raise KinemeError(f"unknown {self.kind} {name!r}{known}")

    def __contains__(self, name: object) -> bool:
        return name in self._registered or name in self._builtin or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._builtin, *self._registered, *self._entry_points))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<{self.kind}s: {', '.join(self)}>"

    def name_of(self, entry: object) -> str:
        """The name that finds this class or function; its dotted path if it has no other."""
        path = _path_of(entry)
        named = {**self._builtin, **{name: point.value for name, point in self._entry_points.items()}}
        for name, known in named.items():
            if known.replace(":", ".") == path:
                return name
        return next((name for name, known in self._registered.items() if known is entry), path)

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=f"kineme.{self.kind}s")}

    def _by_path(self, path: str) -> Any:
        try:
            return _imported(path)
        except (ImportError, AttributeError, ValueError) as error:
            hint = did_you_mean(path, self)
            raise KinemeError(
                f"{self.kind} {path}: cannot be imported ({one_line(error)}); put the folder of its "
                f"module on PYTHONPATH, or correct the dotted path{hint}"
            ) from error

    def _checked(self, entry: Any, name: str) -> T:
        if self._base is not None and not (isinstance(entry, type) and issubclass(entry, self._base)):
            raise KinemeError(f"{self.kind} {name}: is not a subclass of {_path_of(self._base)}")
        if not callable(entry):
            raise KinemeError(f"{self.kind} {name}: is neither a class nor a function")
        if missing := sorted(getattr(entry, "__abstractmethods__", ())):
            raise KinemeError(
                f"{self.kind} {name}: does not define {' and '.join(missing)}, which every {self.kind} must"
            )
        return cast(T, entry)


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _path_of(entry: Any) -> str:
    return f"{entry.__module__}.{entry.__qualname__}"
