"""Line charts and interval strips as inline SVG, in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kineme.report.html import Html, data, join, tag

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 40  # margins
HUES = 8  # --series-0 and on in report.css
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # where hues repeat, and for those who see none
STRIP, STRIP_HEIGHT = 132, 14


@dataclass(frozen=True)
class Series:
    """One line of a chart: points that are not finite are left out.

    Attributes:
        name: in the legend.
        x, y: (n,) numbers.
        style: number of its colour and dashes.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: int = 0

    @property
    def points(self) -> list[tuple[float, float]]:
        """Those that can be drawn."""
        pairs = zip(self.x, self.y, strict=True)
        return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]


@dataclass(frozen=True)
class Scale:
    """Numbers → places on the page, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a number lies."""
        low, high, value = (
            map(math.log10, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * (value - low) / ((high - low) or 1.0)

    @property
    def ticks(self) -> list[float]:
        """Round numbers within it."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high)


def chart(title: str, series: Sequence[Series], *, x_label: str, unit: str = "", log: bool = False) -> Html:
    """Lines over a common axis, with legend and last values; report.js adds a cursor that reads them off.

    Args:
        title: above it.
        series: the lines; with a logarithmic axis, points that are not above zero are left out.
        x_label: below the axis.
        unit: of the values, for the axis and the cursor.
        log: a logarithmic axis.
    """
    drawn = [(each, [p for p in each.points if not log or p[1] > 0]) for each in series]
    drawn = [(each, points) for each, points in drawn if points]
    if not drawn:
        return Html("")
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    across = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = _padded(min(ys), max(ys), log)
    lines = [_line(each, points, across, up) for each, points in drawn]
    labels = ", ".join(f"{each.name} ends at {number(points[-1][1])}{unit}" for each, points in drawn)
    frame = tag(
        "svg",
        _grid(across, up, x_label, unit),
        lines,
        tag("line", class_="cursor", y1=TOP, y2=HEIGHT - BOTTOM, x1=-9, x2=-9),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title} over {x_label}: {labels}",
    )
    hover = {
        "x": [across.low, across.high, across.start, across.end],
        "label": x_label,
        "unit": unit,
        "series": [
            {"name": each.name, "x": [_short(x) for x, _ in points], "y": [_short(y) for _, y in points]}
            for each, points in drawn
        ],
    }
    legend = tag(
        "ul",
        (
            tag("li", swatch(each.style), tag("span", each.name), tag("b", number(points[-1][1]) + unit))
            for each, points in drawn
        ),
        class_="legend",
    )
    output = tag("output", "", aria_live="off")
    return tag("figure", tag("figcaption", title), frame, legend, output, data(hover), class_="chart")


def swatch(style: int) -> Html:
    """A short piece of a line, for a legend."""
    line = tag("line", x1=1, y1=6, x2=25, y2=6, class_="line", style=stroke(style))
    return tag("svg", line, viewBox="0 0 26 12", class_="swatch", aria_hidden="true")


def stroke(style: int) -> str:
    """Colour and dashes of a line."""
    dashes = DASHES[style // HUES % len(DASHES)] or DASHES[style % len(DASHES)]
    return f"stroke:var(--series-{style % HUES})" + (f";stroke-dasharray:{dashes}" if dashes else "")


def strip(value: float, interval: tuple[float, float] | None, low: float, high: float) -> Html:
    """A point with its interval on an axis from `low` to `high`, small enough for a table's cell."""
    at = Scale(low, high, 4, STRIP - 4)
    middle = STRIP_HEIGHT / 2
    parts = [tag("line", x1=4, x2=STRIP - 4, y1=middle, y2=middle, class_="rail")]
    if interval is not None:
        begin, end = at(interval[0]), at(interval[1])
        parts.append(tag("line", x1=_at(begin), x2=_at(end), y1=middle, y2=middle, class_="interval"))
        parts += [tag("line", x1=_at(x), x2=_at(x), y1=3, y2=11, class_="interval end") for x in (begin, end)]
    parts.append(tag("circle", cx=_at(at(value)), cy=middle, r=3.5))
    return tag("svg", parts, viewBox=f"0 0 {STRIP} {STRIP_HEIGHT}", class_="strip", aria_hidden="true")


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About so many round numbers between two."""
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda step: abs(step - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers; where those are few, also 2 and 5 times a power."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for multiples in ((1,), (1, 2, 5), range(1, 10)):
        found = [m * 10.0**p for p in range(first, last + 1) for m in multiples]
        found = [each for each in found if low * 0.999 <= each <= high * 1.001]
        if len(found) >= 3:
            break
    return found[:: max(1, len(found) // 5)]


def number(value: float) -> str:
    """Four significant digits, as people write them."""
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    digits = f"{value:.4g}"
    return f"{value:.0f}" if "e" in digits else digits


def _padded(low: float, high: float, log: bool) -> Scale:
    """The vertical axis: a little more than the values need."""
    if log:
        share = (high / low) ** 0.04 if high > low else 1.1
        return Scale(low / share, high * share, HEIGHT - BOTTOM, TOP, log=True)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    bottom = low - room if low < 0 or low - room > 0 else 0.0
    return Scale(bottom, high + room, HEIGHT - BOTTOM, TOP)


def _line(series: Series, points: Sequence[tuple[float, float]], across: Scale, up: Scale) -> Html:
    places = [(across(x), up(y)) for x, y in points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dots = (
        [
            tag("circle", cx=_at(x), cy=_at(y), r=2.2, style=f"fill:var(--series-{series.style % HUES})")
            for x, y in places
        ]
        if len(places) < 30
        else []
    )
    return join(tag("path", d=path, class_="line", style=stroke(series.style)), dots)


def _grid(across: Scale, up: Scale, x_label: str, unit: str) -> Html:
    parts = []
    for tick in up.ticks:
        y = _at(up(tick))
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(tag("text", number(tick) + unit, x=LEFT - 6, y=y, dy="0.35em", text_anchor="end"))
    chosen = across.ticks
    if any(math.isclose(one, other) for one, other in pairwise(chosen)):
        chosen = chosen[:1]
    for tick in chosen:
        x = _at(across(tick))
        parts.append(tag("text", number(tick), x=x, y=HEIGHT - BOTTOM + 16, text_anchor="middle"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(tag("text", x_label, x=middle, y=HEIGHT - 6, text_anchor="middle", class_="axis"))
    return join(parts)


def _at(place: float) -> str:
    return f"{place:.1f}"


def _short(value: float) -> float:
    return float(f"{value:.5g}")
