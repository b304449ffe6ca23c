"""Line charts and interval strips as inline SVG, in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from kineme.report.templating import render

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 40  # margins
HUES = 8  # --series-0 and on in report.css
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # for lines of the same hue, and readers who see no hues
STRIP = 132  # width of a strip


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
    """Values → coordinates, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The coordinate of a value."""
        low, high, value = (
            map(math.log10, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * (value - low) / ((high - low) or 1.0)

    @property
    def ticks(self) -> list[float]:
        """Round numbers in its range."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high)


def chart(title: str, series: Sequence[Series], *, x_label: str, unit: str = "", log: bool = False) -> Markup:
    """Lines over a common axis, with a legend of last values; report.js adds a cursor that reads them off.

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
        return Markup()
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    across = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = _padded(min(ys), max(ys), log)
    ends = [number(points[-1][1]) + unit for _, points in drawn]
    described = ", ".join(f"{each.name} ends at {end}" for (each, _), end in zip(drawn, ends, strict=True))
    whole = all(float(x).is_integer() for x in xs)  # there is no epoch 1.5
    x_ticks = [tick for tick in across.ticks if not whole or float(tick).is_integer()]
    return render(
        "chart.html",
        title=title,
        label=f"{title} over {x_label}: {described}",
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_label=x_label,
        x_ticks=[(_at(across(tick)), number(tick)) for tick in x_ticks],
        y_ticks=[(_at(up(tick)), number(tick) + unit) for tick in up.ticks],
        lines=[_line(each, points, across, up, end) for (each, points), end in zip(drawn, ends, strict=True)],
        hover={
            "x": [across.low, across.high, across.start, across.end],
            "label": x_label,
            "unit": unit,
            "series": [
                {"name": each.name, "x": [_short(x) for x, _ in points], "y": [_short(y) for _, y in points]}
                for each, points in drawn
            ],
        },
    )


def stroke(style: int) -> str:
    """Colour and dashes of a line."""
    dashes = DASHES[style // HUES % len(DASHES)] or DASHES[style % len(DASHES)]
    return f"stroke:var(--series-{style % HUES})" + (f";stroke-dasharray:{dashes}" if dashes else "")


def strip(value: float, interval: tuple[float, float] | None, low: float, high: float) -> Markup:
    """A point with its interval on an axis from `low` to `high`, small enough for a table's cell."""
    at = Scale(low, high, 4, STRIP - 4)
    ends = [_at(at(end)) for end in interval or ()]
    return render("strip.html", width=STRIP, at=_at(at(value)), interval=ends)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers between two."""
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
    """Four significant digits, with an exponent only where it is shorter."""
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    digits = f"{value:.4g}"
    return f"{value:.0f}" if "e" in digits else digits


def _padded(low: float, high: float, log: bool) -> Scale:
    """The vertical axis, with some room around the values."""
    if log:
        share = (high / low) ** 0.04 if high > low else 1.1
        return Scale(low / share, high * share, HEIGHT - BOTTOM, TOP, log=True)
    room = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    bottom = low - room if low < 0 or low - room > 0 else 0.0
    return Scale(bottom, high + room, HEIGHT - BOTTOM, TOP)


def _line(
    series: Series, points: Sequence[tuple[float, float]], across: Scale, up: Scale, last: str
) -> dict[str, object]:
    """What the template draws of a line; few points are marked by dots."""
    places = [(_at(across(x)), _at(up(y))) for x, y in points]
    return {
        "name": series.name,
        "last": last,
        "path": "M" + "L".join(f"{x} {y}" for x, y in places),
        "dots": places if len(places) < 30 else [],
        "stroke": stroke(series.style),
        "colour": f"var(--series-{series.style % HUES})",
    }


def _at(place: float) -> str:
    return f"{place:.1f}"


def _short(value: float) -> float:
    return float(f"{value:.8g}")  # the page rounds to four digits, and twice rounded is wrongly rounded
