"""Numbers in words."""

import pytest

from kineme.report.templating import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 bodies"), (1, "1 body"), (2, "2 bodies"), (1200, "1,200 bodies")]
)
def test_things_are_counted_in_the_singular_and_the_plural(number: int, text: str) -> None:
    assert counted(number, "body", "bodies") == text
    assert counted(1, "clip") == "1 clip"
    assert counted(2, "clip") == "2 clips"
