"""Times as users write them."""

from __future__ import annotations

import pytest

from kineme.commands.times import part_of, seconds
from kineme.errors import KinemeError


@pytest.mark.parametrize(("text", "value"), [("2s", 2), ("0.5s", 0.5), (".5", 0.5), ("12", 12), ("3. s", 3)])
def test_seconds(text: str, value: float) -> None:
    assert seconds(text, "window") == value
    assert seconds(None, "window") is None


@pytest.mark.parametrize("text", ["2x", "", "s", "-1s", "1e3", "2m", "1:30", "nan", "."])
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(KinemeError, match=r"`window`: .* is not a time; write seconds"):
        seconds(text, "window")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("walk", ("walk", None)),
        ("walk[2s:4.5s]", ("walk", (2, 4.5))),
        ("a/b [1][:3]", ("a/b [1]", (0, 3))),
        ("walk [1s:2s]", ("walk", (1, 2))),
        ("walk[2s:]", ("walk", (2, None))),
    ],
)
def test_parts(text: str, parts: tuple[str, tuple[float, float | None] | None]) -> None:
    assert part_of(text, "like") == parts
