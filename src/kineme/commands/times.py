"""Times on the command line: `2s`, `0.5s`."""

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
