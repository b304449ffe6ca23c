"""Preprocessings as text: by name and parameters, in one line, or as a store keeps them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from kineme.arguments import did_you_mean
from kineme.errors import KinemeError
from kineme.preprocessing.base import PREPROCESSINGS, Preprocessing, Unavailable


def get_preprocessing(name: str, **parameters: Any) -> Preprocessing:
    """A preprocessing by name.

    Raises:
        KinemeError: unknown name, parameter or value.

    >>> get_preprocessing("plain", facing=True).id
    'plain(facing=True)'
    """
    kind = PREPROCESSINGS[name]
    hints = get_type_hints(kind)
    known = [each.name for each in fields(kind)]
    for key, value in parameters.items():
        if key not in known:
            there = f"; choose from {', '.join(known)}" if known else "; it has none"
            hint = did_you_mean(key, known) or there
            raise KinemeError(f"preprocessing {name!r} has no parameter {key!r}{hint}")
        if hints[key] is not bool and not get_args(hints[key]):
            continue  # not a choice: the class checks it
        allowed = (False, True) if hints[key] is bool else get_args(hints[key])
        if not any(type(value) is type(choice) and value == choice for choice in allowed):
            raise KinemeError(
                f"preprocessing {name!r}: {key} is one of {', '.join(map(str, allowed))}, not {value!r}"
            )
    return kind(**parameters)


def parse_preprocessing(text: str) -> Preprocessing:
    """A preprocessing from one line, the inverse of `Preprocessing.id`.

    Reads only literals and bare words, evaluates nothing.

    Raises:
        KinemeError: the line is malformed, or as `get_preprocessing`.

    >>> parse_preprocessing("plain(centre=clip)")
    Plain(centre='clip', facing=False, scale=False)
    """
    malformed = KinemeError(
        f"{text!r} is not a preprocessing; write a name and parameters, such as plain(facing=True)"
    )
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise malformed from None
    keywords = call.keywords if isinstance(call, ast.Call) and not call.args else []
    named = call.func if isinstance(call, ast.Call) and not call.args else call
    if not isinstance(named, ast.Name | ast.Attribute) or any(keyword.arg is None for keyword in keywords):
        raise malformed
    parameters: dict[str, Any] = {}
    for keyword in keywords:
        word = keyword.value
        if not isinstance(word, ast.Constant | ast.Name):
            raise malformed
        parameters[str(keyword.arg)] = word.id if isinstance(word, ast.Name) else word.value
    return get_preprocessing(ast.unparse(named), **parameters)


def stored_preprocessing(data: Mapping[str, Any]) -> Preprocessing:
    """The inverse of `Preprocessing.to_dict`; `Unavailable` if its package is not installed."""
    name, parameters = str(data["name"]), dict(data.get("parameters", {}))
    try:
        return get_preprocessing(name, **parameters)
    except KinemeError:
        return Unavailable(name, parameters)
