"""What the command line and recipes share: errors in one line, with the nearest name that exists."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "tuple": "a list",
    "Sequence": "a list",
    "dict": "a mapping",
}


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean ...?` with the nearest known word, or nothing if none is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else ""


def explain(error: Exception, spell: Callable[[str], str] = str) -> str:
    """An error of jsonargparse in one line: what was given, and what it must be.

    Args:
        error: what jsonargparse raised.
        spell: a setting's name → as the user wrote it, such as with `--` before it.
    """
    text = " ".join(str(error).split())
    if missing := re.search(r"argument (-\S+): expected", text):
        return f"{missing[1]} needs a value"
    key = re.search(r'[Kk]ey "([^"]+)"', text)
    value = re.search(r"G(?:ot|iven) value: (.*?)(?: - Expected .*)?$", text)
    if not (key and value):
        return text
    choices = re.findall(r"'(.*?)'", " ".join(re.findall(r"Literal\[(.*?)\]", text)))
    if choices:
        wanted = f"one of {', '.join(choices)}{did_you_mean(value[1], choices)}"
    else:
        named = re.findall(r"Expected an? <class '(?:\w+\.)*(\w+)'>", text)
        wanted = " or ".join(dict.fromkeys(KINDS.get(name, name) for name in named if name != "NoneType"))
    return f"{spell(key[1])} is {value[1]}; it must be {wanted}" if wanted else text
