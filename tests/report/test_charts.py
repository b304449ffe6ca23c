"""Charts: numbers land where they belong, and what cannot be drawn is left out."""

from __future__ import annotations

import json
import math
import re

import pytest

from kineme.report.charts import (
    BOTTOM,
    DASHES,
    HEIGHT,
    HUES,
    LEFT,
    RIGHT,
    STRIP,
    WIDTH,
    Scale,
    Series,
    chart,
    log_ticks,
    number,
    strip,
    stroke,
    ticks,
)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (1, 9, [2, 4, 6, 8]),
        (0.0, 0.002, [0, 0.0005, 0.001, 0.0015, 0.002]),
        (-3, 3, [-3, -2, -1, 0, 1, 2, 3]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_ticks_of_logarithms_are_powers_or_their_halves() -> None:
    assert log_ticks(0.5, 2000) == pytest.approx([1, 10, 100, 1000])
    assert log_ticks(1, 12) == pytest.approx([1, 2, 5, 10])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (31.8471, "31.85"),
        (1399.2, "1399"),
        (12345.6, "12346"),
        (1.4e-8, "1.4e-8"),
        (2e7, "2e7"),
        (-0.5, "-0.5"),
    ],
)
def test_numbers_are_written_as_people_do(value: float, text: str) -> None:
    assert number(value) == text


def test_a_logarithmic_scale_puts_equal_factors_at_equal_steps() -> None:
    scale = Scale(1, 100, 0, 10, log=True)
    assert [scale(1), scale(10), scale(100)] == pytest.approx([0, 5, 10])


def path(html: str) -> list[tuple[float, float]]:
    """Points of the first line that is drawn."""
    (drawn,) = re.findall(r'd="M([^"]*)" class="line"', html)
    return [tuple(map(float, point.split())) for point in drawn.split("L")]


def test_a_line_runs_from_edge_to_edge_and_upwards_with_its_values() -> None:
    points = path(chart("loss", [Series("a", [1, 2, 3], [10, 30, 20])], x_label="epoch"))
    assert [x for x, _ in points] == pytest.approx([LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT], abs=0.1)
    (_, first), (_, second), (_, third) = points
    assert second < third < first < HEIGHT - BOTTOM
    assert (first - second) / (first - third) == pytest.approx(2, abs=0.02)


def test_epochs_are_whole_numbers() -> None:
    html = chart("loss", [Series("a", [1, 2, 3], [10, 30, 20])], x_label="epoch")
    assert re.findall(r'text-anchor="middle">([\d.]+)<', html) == ["1", "2", "3"]
    html = chart("loss", [Series("a", [0.5, 1.5], [10, 30])], x_label="minutes")
    assert re.findall(r'text-anchor="middle">([\d.]+)<', html) == ["0.6", "0.8", "1", "1.2", "1.4"]


def test_a_constant_has_few_digits_on_its_axis() -> None:
    html = chart("rate", [Series("a", [1, 2], [0.002, 0.002])], x_label="epoch")
    marks = re.findall(r'text-anchor="end">([\d.]+)<', html)
    assert marks == ["0.001", "0.0015", "0.002", "0.0025", "0.003"]


def test_losses_that_are_not_finite_are_left_out_and_the_rest_is_drawn() -> None:
    html = chart(
        "loss", [Series("a", [1, 2, 3], [1.0, math.nan, math.inf]), Series("b", [1], [math.nan])], x_label="e"
    )
    assert len(path(html)) == 1
    assert "nan" not in html
    assert chart("loss", [Series("b", [1], [math.nan])], x_label="e") == ""


def test_the_cursor_reads_what_is_drawn() -> None:
    html = chart("kNN", [Series("a <b>", [5, 10], [61.23456, 70])], x_label="epoch", unit=" %")
    told = json.loads(re.findall(r'type="application/json">(.*?)</script>', html)[0])
    assert told["series"] == [{"name": "a <b>", "x": [5, 10], "y": [61.23456, 70]}]
    assert told["x"] == [5, 10, LEFT, WIDTH - RIGHT]
    assert "a &lt;b&gt; ends at 70 %" in html


def test_lines_differ_by_more_than_their_colour() -> None:
    styles = [stroke(i) for i in range(HUES * len(DASHES))]
    assert len({style.partition(";")[2] for style in styles[:4]}) == 4
    assert len(set(styles[:HUES])) == HUES


def test_a_strip_shows_value_and_interval_on_its_axis() -> None:
    html = strip(75.0, (70.0, 80.0), 50.0, 100.0)
    middle = float(re.findall(r'cx="([\d.]+)"', html)[0])
    begin, end = map(float, re.findall(r'x1="([\d.]+)" x2="([\d.]+)"[^>]*class="interval"', html)[0])
    assert middle == pytest.approx((begin + end) / 2, abs=0.1)
    assert (end - begin) == pytest.approx(0.2 * (STRIP - 8), abs=0.1)
    assert "interval" not in strip(75.0, None, 50.0, 100.0)
