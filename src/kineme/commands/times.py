"""Times on the command line: `2s`, `0.5s`, and parts of recordings: `walk[2s:4s]`."""

from __future__ import annotations

import re

from kineme.errors import KinemeError


def seconds(text: str | None, option: str) -> float | None:
    """`0.5s` or `0.5` → 0.5.

    Args:
        text: None stays None.
        option: the parameter's name, for the message.

    Raises:
        KinemeError: it is not a time.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*s?", text.strip())
    if not found:
        raise KinemeError(f"`{option}`: {text} is not a time; write seconds, such as 2s or 0.5s")
    return float(found[1])


def part_of(text: str, option: str) -> tuple[str, tuple[float, float | None] | None]:
    """`walk[2s:4s]` → walk and (2, 4); without brackets the part is None. Either end may be left out.

    Raises:
        KinemeError: what the brackets hold is not a part.
    """
    found = re.fullmatch(r"(.+)\[([^\[\]]*)\]", text)
    if not found:
        return text, None
    start, colon, end = found[2].partition(":")
    if not colon:
        raise KinemeError(f"`{option}`: {text} has no part; write start and end, such as {found[1]}[2s:4s]")
    return found[1].rstrip(), (seconds(start or None, option) or 0.0, seconds(end or None, option))
