"""A name is registered here, built in, an entry point of another package, or a dotted path."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sized
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.registry import Registry

Mappings = Registry[type[dict[str, int]]]


@pytest.fixture
def mappings() -> Mappings:
    """Of classes that derive from dict; one is built in."""
    return Registry("mapping", {"counter": "collections.Counter"}, base=dict)


Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of one module, `theirs`, as pip leaves it in site-packages."""

    def installed(entry_points: str, module: str) -> None:
        info = tmp_path / "theirs-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kineme.mappings]\n{entry_points}\n")
        (tmp_path / "theirs.py").write_text(module)
        monkeypatch.syspath_prepend(tmp_path)

    yield installed
    sys.modules.pop("theirs", None)


def test_built_in_names_are_imported_on_demand(mappings: Mappings) -> None:
    assert mappings["counter"] is Counter
    assert mappings.name_of(Counter) == "counter"


def test_the_decorator_registers_and_returns_the_class(mappings: Mappings) -> None:
    @mappings.register("own")
    class Own(dict[str, int]):
        pass

    assert Own.__name__ == "Own"
    assert mappings["own"] is Own
    assert mappings.name_of(Own) == "own"
    assert list(mappings) == ["counter", "own"]
    assert len(mappings) == 2
    assert "own" in mappings
    mappings.register("own")(Own)  # the same class again changes nothing


@pytest.mark.parametrize("name", ["counter", "own"])
def test_a_taken_name_is_refused(mappings: Mappings, name: str) -> None:
    mappings.register("own")(OrderedDict)
    with pytest.raises(KinemeError, match=f"a mapping called '{name}' is already registered; choose another"):
        mappings.register(name)(dict)


def test_an_installed_package_brings_entry_points(mappings: Mappings, install: Install) -> None:
    install("theirs = theirs:Theirs", "class Theirs(dict): ...")
    found = mappings["theirs"]
    assert (found.__module__, found.__name__) == ("theirs", "Theirs")
    assert mappings.name_of(found) == "theirs"
    assert list(mappings) == ["counter", "theirs"]


def test_a_package_that_cannot_be_imported_is_named(mappings: Mappings, install: Install) -> None:
    install("gone = they_are_gone:Theirs\nrenamed = theirs:Renamed", "")
    with pytest.raises(KinemeError, match=r"mapping gone: its package cannot be imported .*they_are_gone"):
        mappings["gone"]
    with pytest.raises(KinemeError, match=r"mapping renamed: its package cannot be imported .*Renamed"):
        mappings["renamed"]


def test_what_is_registered_here_comes_before_an_entry_point(mappings: Mappings, install: Install) -> None:
    install("theirs = theirs:Theirs", "class Theirs(dict): ...")
    mappings.register("theirs")(OrderedDict)
    assert mappings["theirs"] is OrderedDict
    assert list(mappings) == ["counter", "theirs"]


def test_any_importable_class_has_a_dotted_path(mappings: Mappings) -> None:
    assert mappings["collections.OrderedDict"] is OrderedDict
    assert mappings.name_of(OrderedDict) == "collections.OrderedDict"
    assert "collections.OrderedDict" not in mappings  # only names are listed
    for path in ("nowhere.Thing", "collections.Nothing"):
        with pytest.raises(KinemeError, match=f"mapping {path}: cannot be imported .*; put the folder"):
            mappings[path]


def test_a_class_with_another_base_is_refused(mappings: Mappings) -> None:
    message = "is not a subclass of builtins.dict"
    with pytest.raises(KinemeError, match=f"mapping collections.deque: {message}"):
        mappings["collections.deque"]
    with pytest.raises(KinemeError, match=f"mapping wrong: {message}"):
        mappings.register("wrong")(list)
    assert "wrong" not in mappings


def test_without_a_base_any_callable_will_do() -> None:
    functions: Registry[object] = Registry("function", {"pi": "math.pi"})
    assert functions["math.sqrt"](9.0) == 3  # type: ignore[operator]
    with pytest.raises(KinemeError, match="function pi: is neither a class nor a function"):
        functions["pi"]


def test_an_unknown_name_is_answered_with_the_nearest_or_all(mappings: Mappings) -> None:
    mappings.register("own")(OrderedDict)
    with pytest.raises(KinemeError, match=r"unknown mapping 'countr'; did you mean counter\?"):
        mappings["countr"]
    others = "or install the package or import the module that registers it"
    with pytest.raises(KinemeError, match=f"unknown mapping 'xyz'; choose from counter, own, {others}"):
        mappings["xyz"]


def test_a_class_that_lacks_what_its_base_demands_is_refused() -> None:
    queues: Registry[type[Sized]] = Registry("queue", {}, base=Sized)
    with pytest.raises(KinemeError, match="queue empty: does not define __len__, which every queue must"):
        queues.register("empty")(type("Empty", (Sized,), {}))


def test_a_class_that_is_defined_again_replaces_what_it_was(mappings: Mappings) -> None:
    """As when a cell of a notebook is run again."""
    cell = "@mappings.register('own')\nclass Own(dict):\n    version = {}"
    for version in (1, 2):
        exec(cell.format(version), {"mappings": mappings, "__name__": "__main__"})
    assert vars(mappings["own"])["version"] == 2
    assert mappings.name_of(mappings["own"]) == "own"
    with pytest.raises(KinemeError, match="a mapping called 'own' is already registered"):
        exec(cell.format(3), {"mappings": mappings, "__name__": "elsewhere"})


def test_a_registry_shows_its_names(mappings: Mappings) -> None:
    mappings.register("own")(OrderedDict)
    assert repr(mappings) == "<mappings: counter, own>"
