"""Registries: methods, encoders, preprocessings, metrics and sources by name, open to other packages.

A name is looked up among four, in this order:

1. what `register` was called with in this process,
2. what Kineme brings, imported when it is asked for,
3. entry points of installed packages, such as `[project.entry-points."kineme.methods"]`,
4. a dotted path, such as `my_package.my_module.MyMethod`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError

T = TypeVar("T")
Entry = TypeVar("Entry")


class Registry(Mapping[str, T], Generic[T]):
    """Name → class or function of one kind.

    Iterating gives the names that are known without a dotted path.

    Args:
        kind: what it holds, for messages, such as `method`.
        builtin: name → dotted path of what Kineme brings.
        base: what every class in it derives from; without it, whatever can be called will do.
    """

    def __init__(self, kind: str, builtin: Mapping[str, str], base: type | None = None) -> None:
        self.kind = kind
        self._builtin = builtin
        self._base = base
        self._registered: dict[str, T] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Decorator that makes a class or function known under a name.

        Raises:
            KinemeError: the name is taken, or the class derives from something else.
        """

        def add(entry: Entry) -> Entry:
            if self._registered.get(name, entry) is not entry or name in self._builtin:
                raise KinemeError(f"a {self.kind} called {name!r} is registered already; choose another name")
            self._registered[name] = self._checked(entry, name)
            return entry

        return add

    def __getitem__(self, name: str) -> T:
        """What a name or dotted path stands for.

        Raises:
            KinemeError: nothing is known by this name (the nearest is named), or it cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._builtin:
            return self._checked(_imported(self._builtin[name]), name)
        if name in self._entry_points:
            try:
                return self._checked(self._entry_points[name].load(), name)
            except (ImportError, AttributeError) as error:
                raise KinemeError(f"{self.kind} {name}: its package cannot be imported ({error})") from error
        if "." in name:
            return self._checked(self._by_path(name), name)
        raise KinemeError(
            f"unknown {self.kind} {name!r}{did_you_mean(name, self) or '; there are ' + ', '.join(self)}"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._registered or name in self._builtin or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._builtin, *self._registered, *self._entry_points))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def name_of(self, entry: object) -> str:
        """The name that gives this class or function back; its dotted path where it has no other."""
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
                f"{self.kind} {path}: cannot be imported ({error}); write the dotted path of a class in a "
                f"module that Python finds{hint}"
            ) from error

    def _checked(self, entry: Any, name: str) -> T:
        if self._base is not None and not (isinstance(entry, type) and issubclass(entry, self._base)):
            raise KinemeError(f"{self.kind} {name}: is no subclass of {_path_of(self._base)}")
        if not callable(entry):
            raise KinemeError(f"{self.kind} {name}: is neither a class nor a function")
        return cast(T, entry)


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _path_of(entry: Any) -> str:
    return f"{entry.__module__}.{entry.__qualname__}"
