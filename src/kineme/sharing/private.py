"""What is left out of what is shared: places of this machine, and people who are named in a split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration without places of this machine, and without people named in its split."""
    data = {**config["data"], "store": None}
    splits = data["split"]
    data["split"] = (
        without_people(splits) if isinstance(splits, str) else [without_people(split) for split in splits]
    )
    found: dict[str, Any] = placeless({**config, "data": data})
    return found


def without_people(split: str) -> str:
    """`subjects:anna,ben` → `subjects: 2 people`.

    >>> without_people("subjects:anna,ben"), without_people("xsub")
    ('subjects: 2 people', 'xsub')
    """
    kind, colon, listed = split.partition(":")
    count = listed.count(",") + 1
    return f"{kind}: {count} {'person' if count == 1 else 'people'}" if colon else split


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
