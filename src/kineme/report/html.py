"""HTML that is escaped unless it says that it is HTML: class names and paths come from strangers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

VOID = ("br", "input", "meta")  # elements that have no closing tag


class Html(str):
    """Text that is markup already and is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *content: str | Iterable[str], **attributes: Any) -> Html:
    """One element: `tag("td", "a < b", class_="number")` → `<td class="number">a &lt; b</td>`.

    Args:
        name: of the element.
        content: strings, which are escaped unless they are `Html`, or iterables of such.
        attributes: a trailing underscore is dropped (`class_`), others become hyphens (`data_run`); True is
            a bare attribute, False and None are none.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        hyphened = key.rstrip("_").replace("_", "-")
        words.append(hyphened if value is True else f'{hyphened}="{escape(str(value), quote=True)}"')
    opening = " ".join(words)
    if name in VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(*content)}</{name}>")


def join(*content: str | Iterable[str]) -> Html:
    """Pieces one after another, escaped unless they are `Html`."""
    return Html(
        "".join(
            (part if isinstance(part, Html) else escape(part, quote=False))
            if isinstance(part, str)
            else join(*part)
            for part in content
        )
    )


def data(value: Any, /, **attributes: Any) -> Html:
    """Numbers and names for the page's script, as JSON that cannot end its element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return tag("script", Html(text.replace("<", "\\u003c")), type="application/json", **attributes)


def note(*content: str | Iterable[str]) -> Html:
    """A remark: what is missing, and how to get it."""
    return tag("p", *content, class_="note")


def boxed(*content: str | Iterable[str], label: str) -> Html:
    """A wide table or figure that scrolls within its own box, by keyboard too."""
    return tag("div", *content, class_="scroll", tabindex="0", role="region", aria_label=label)
