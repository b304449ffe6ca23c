"""What a trained model is used for, measured: seconds, memory and accuracy, beside the aim of each.

One file a use, with a function `measure(options)` that yields a `Figure` each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Of all uses.

    Attributes:
        data: folder of recordings that do not ship with the project (`KINEME_DATA`); None if there is none.
        folder: where stores and runs are kept while measuring.
        small: a tenth of the size, to see that it works.
    """

    data: Path | None
    folder: Path
    small: bool = False


@dataclass(frozen=True)
class Figure:
    """Something measured.

    Attributes:
        what: in words.
        value: as measured.
        unit: s, ms, MB, %.
        aim: what it should reach; None where it is for information.
        smaller: smaller is better.
    """

    what: str
    value: float
    unit: str
    aim: float | None = None
    smaller: bool = True

    @property
    def reached(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None:
            return None
        return self.value <= self.aim if self.smaller else self.value >= self.aim
