"""What became slower, beyond the noise."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.compare import change, compare


def test_twice_the_time_is_slower_and_half_of_it_faster() -> None:
    times = [1.0, 1.02, 0.98, 1.01, 0.99]
    slower = change(times, [2 * each for each in times])
    assert (slower.ratio, slower.verdict) == (2.0, "slower")
    assert slower.low > 1.9
    assert change(times, [each / 2 for each in times]).verdict == "faster"


def test_what_the_noise_explains_is_neither() -> None:
    assert change([1.0, 1.3, 0.8, 1.1, 0.9], [1.1, 0.9, 1.2, 1.0, 1.3]).verdict == ""


def report(**units: list[float]) -> dict[str, object]:
    rows = [
        {"case": case, "part": "step", "precision": "float32", "units": each} for case, each in units.items()
    ]
    return {"machine": "this one", "commit": "abc", "results": rows}


def test_only_parts_of_both_reports_are_compared() -> None:
    changes = compare(report(one=[1.0], two=[3.0]), report(two=[6.0], three=[1.0]))
    assert {key: each.ratio for key, each in changes.items()} == {("two", "step", "float32"): 2.0}


def test_the_command_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, units in (("a", [1.0, 1.0]), ("b", [3.0, 3.0])):
        (tmp_path / f"{name}.json").write_text(json.dumps(report(one=units)), encoding="utf-8")
    command = ["benchmarks", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    monkeypatch.setattr(sys, "argv", command)
    main()
    out = capsys.readouterr().out
    assert "before: abc, this one" in out
    assert "3.00 to 3.00" in out
    assert "slower" in out
