"""Classes, people and cameras from the names of clips: `{subject}_{label}-{take}`.

A field in braces is what stands there, as short as it can be; `{label}`, `{subject}` and `{camera}` are used,
others are passed over. `*` is anything. The pattern is compared with the clip's path from its end, so
`{label}/{subject}_*` takes the folder as the class.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kineme.errors import KinemeError

FIELDS = ("label", "subject", "camera")


def named(names: Sequence[str], pattern: str) -> list[tuple[str, str, int]]:
    """(label, subject, camera) of clips, empty and -1 where the pattern does not have them.

    Raises:
        KinemeError: the pattern has none of the fields, or a name is not like it.

    >>> named(["ann_wave-1", "bob_kick-2"], "{subject}_{label}-{take}")
    [('wave', 'ann', -1), ('kick', 'bob', -1)]
    """
    compiled = _compiled(pattern)
    found = []
    for name in names:
        # Only whole parts of the path: `{label}` alone is the last one.
        tail = "/".join(name.split("/")[-1 - pattern.count("/") :])
        match = compiled.fullmatch(tail)
        if match is None:
            raise KinemeError(f"`name`: clip {name!r} is not named like {pattern!r}")
        told = match.groupdict()
        camera = re.search(r"\d{1,9}", told.get("camera", ""))
        if "camera" in told and camera is None:
            raise KinemeError(f"`name`: the camera of clip {name!r} has no number: {told['camera']!r}")
        found.append((told.get("label", ""), told.get("subject", ""), int(camera[0]) if camera else -1))
    return found


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\}|\*)", pattern)
    fields = [part[1:-1] for part in parts if part.startswith("{") and part.endswith("}")]
    if not set(fields) & set(FIELDS) or len(set(fields)) < len(fields) or any(f[0].isdigit() for f in fields):
        raise KinemeError(
            f"`name`: is {pattern!r}; it must have some of {{label}}, {{subject}} and {{camera}}, each "
            "once, such as {subject}_{label}-{take}"
        )
    text = "".join(
        f"(?P<{part[1:-1]}>[^/]+?)"
        if re.fullmatch(r"\{\w+\}", part)
        else ("[^/]*?" if part == "*" else re.escape(part))
        for part in parts
    )
    return re.compile(text)
