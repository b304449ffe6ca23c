"""What is left out of what is shared: places of this machine, and people who are named in a split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration without places of this machine, and without people named in its split."""
    found: dict[str, Any] = placeless(config)
    splits = config["data"]["split"]
    found["data"] |= {
        "store": None,
        "split": without_people(splits) if isinstance(splits, str) else [*map(without_people, splits)],
    }
    return found


def without_people(split: str) -> str:
    """`subjects:anna,ben` → `subjects: 2 people`; cameras and groups of people stay.

    >>> without_people("subjects:anna,ben/1+cameras:2,3"), without_people("xsub")
    ('subjects: 2 people/1+cameras:2,3', 'xsub')
    """
    return "+".join(map(_without_people, split.split("+")))


def _without_people(split: str) -> str:
    kind, colon, listed = split.partition(":")
    if not colon or kind.strip() == "cameras":
        return split
    people, slash, group = listed.partition("/")
    count = people.count(",") + 1
    return f"{kind}: {count} {'person' if count == 1 else 'people'}{slash}{group}"


def data_set(store: str) -> str:
    """The name of a store without its place."""
    return PurePath(store.replace("\\", "/")).name


def placeless(value: Any) -> Any:
    """Settings in which of every path only the last name is left."""
    if isinstance(value, Mapping):
        return {key: placeless(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [placeless(each) for each in value]
    return data_set(value) if isinstance(value, str) else value
