"""Every public name has an example, which runs with the tests."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

import kineme

ROOMS = (
    "augment",
    "encoders",
    "inference",
    "losses",
    "methods",
    "streams",
)  # their functions and classes are public too


def public_names() -> Iterator[str]:
    yield from (f"kineme.{name}" for name in kineme.__all__ if name != "__version__")
    for room in ROOMS:
        module = import_module(f"kineme.{room}")
        yield from (f"kineme.{room}.{name}" for name in module.__all__)


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_public_names_have_an_example(name: str) -> None:
    """That of a registry is the example of its class."""
    module, _, last = name.rpartition(".")
    thing = getattr(import_module(module), last)
    assert isinstance(thing, ModuleType) or ">>>" in (thing.__doc__ or "")


@pytest.mark.parametrize("method", ["check", "clips", "embed", "encode", "fitted", "save"])
def test_methods_of_the_model_have_an_example(method: str) -> None:
    assert ">>>" in (getattr(kineme.Model, method).__doc__ or "")
