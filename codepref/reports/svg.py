"""Charts as inline SVG text. Pure.

The charts name CSS classes, not colours, so that they follow the page's light and dark palette in
`templates/style.css`. All text from outside is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Scale = Callable[[float], float]
HOVER_POINTS = 60
SMOOTH_FROM = 30
NAME_CHARACTER, LABEL_CHARACTER = 8.8, 7.2
"""The width of a character in a row's name, and in a label, in user units.

Both widths are chosen for a wide sans serif font.
"""


@dataclass(frozen=True, slots=True)
class Interval:
    """One point with its interval.

    low, high: the ends of the interval, or None without an interval. style: the CSS class of the colour. label: the
    text beside the point.
    """

    value: float
    low: float | None
    high: float | None
    style: str
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """One curve.

    style: the CSS class of the colour. points: finite (x, y). band: (low, high) of each point's interval, or ().
    """

    name: str
    style: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round numbers that cover the range from low to high, usually about `wanted` of them.

    The step between the numbers is 1, 2 or 5 times a power of ten.
    """
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):  # the ticks of such a range would have equal labels
        half = abs(low) * 0.1 if abs(low) > 1e-6 else 0.5
        low, high = low - half, high + half
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Return the label of a tick with true minus signs.

    It has at most six digits. From 100,000 on it has one digit and a power of ten, such as "2e+06".
    """
    text = f"{value:.6g}" if abs(value) < 1e5 else f"{value:.0e}"
    return text.replace("-", "−")


def _frame(width: float, height: float, label: str, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{escape(label)}">'
        + "".join(body)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def interval_chart(
    title: str, rows: Sequence[tuple[str, Sequence[Interval]]], *, zero: bool = False, width: int = 500
) -> str:
    """Return a chart of points with whiskers on one horizontal axis. The values are in percent.

    rows: (name, intervals) of each row, from the top. zero: the values are differences, so the axis includes 0 and
    marks it. Otherwise the axis stays within 0 and 100.
    """
    left = 16 + NAME_CHARACTER * max(len(name) for name, _ in rows)
    right = 20 + LABEL_CHARACTER * max(len(mark.label) for _, marks in rows for mark in marks)
    top, bar = 10, 26
    ends = [end for _, marks in rows for m in marks for end in (m.value, m.low, m.high) if end is not None]
    ticks = nice_ticks(min([*ends, *([0.0] if zero else [])]), max([*ends, *([0.0] if zero else [])]))
    if not zero:
        ticks = [tick for tick in ticks if 0 <= tick <= 100]
    plot = width - left - right
    height = top + sum(len(marks) * bar + 16 for _, marks in rows) + 26

    def at(value: float) -> float:
        return left + plot * (value - ticks[0]) / (ticks[-1] - ticks[0])

    bottom = height - 26
    body = []
    for tick in ticks:
        body.append(_rule(at(tick), top, at(tick), bottom, "zero" if zero and tick == 0 else "grid"))
        body.append(_text(at(tick), bottom + 17, tick_text(tick), "tick", "middle"))
    y = float(top)
    for name, marks in rows:
        band = len(marks) * bar + 16
        body.append(_text(left - 12, y + band / 2 + 4, name, "name", "end"))
        for place, mark in enumerate(marks):
            middle = y + 8 + bar * (place + 0.5)
            body.append(_whisker(mark, at, middle))
            body.append(_text(width - right + 12, middle + 4, mark.label, "value"))
        y += band
    return _frame(width, height, title, body)


def _whisker(mark: Interval, at: Scale, y: float) -> str:
    parts = [f'<g class="{mark.style}"><title>{escape(mark.label)}</title>']
    if mark.low is not None and mark.high is not None:
        parts.append(_rule(at(mark.low), y, at(mark.high), y, "whisker"))
        parts += [_rule(at(end), y - 5, at(end), y + 5, "whisker") for end in (mark.low, mark.high)]
    parts.append(f'<circle cx="{at(mark.value):.1f}" cy="{y:.1f}" r="5.5" class="dot"/></g>')
    return "".join(parts)


def window(count: int) -> int:
    """Return how many successive values are averaged in a curve of `count` values."""
    return max(5, count // 20)


def moving_average(values: Sequence[float], width: int) -> list[float]:
    """Return for each value the mean of the last `width` values up to it. The first means are of fewer values."""
    return [sum(values[max(0, i + 1 - width) : i + 1]) / min(width, i + 1) for i in range(len(values))]


def line_chart(
    title: str, lines: Sequence[Line], *, mark: float | None = None, width: int = 500, across: str = "step"
) -> str:
    """Return a chart of curves. across: the quantity on the horizontal axis.

    A curve of SMOOTH_FROM points or more is drawn as a moving average, with the raw curve faint behind it. The last
    value of the curve or of its average is written at its end. mark: the level of a dotted line, such as 0.5 for
    accuracy.
    """
    left, right, top, bottom, height = 52, 62, 12, 34, 220
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points] + ([mark] if mark is not None else [])
    ys += [end for line in lines for ends in line.band for end in ends]
    ticks_y = nice_ticks(min(ys), max(ys), 4)
    first, last = min(xs), max(xs)
    ticks_x = [t for t in nice_ticks(first, last, 5) if first <= t <= last and t == int(t)] or [first]

    def at_x(x: float) -> float:
        return left + (width - left - right) * ((x - first) / (last - first) if last > first else 0.5)

    def at_y(y: float) -> float:
        return top + (height - top - bottom) * (1 - (y - ticks_y[0]) / (ticks_y[-1] - ticks_y[0]))

    body = []
    for tick in ticks_y:
        body.append(_rule(left, at_y(tick), width - right, at_y(tick), "grid"))
        body.append(_text(left - 8, at_y(tick) + 4, tick_text(tick), "tick", "end"))
    body += [_text(at_x(t), height - bottom + 17, tick_text(t), "tick", "middle") for t in ticks_x]
    body.append(_text((left + width - right) / 2, height - 4, across, "tick", "middle"))
    if mark is not None:
        body.append(_rule(left, at_y(mark), width - right, at_y(mark), "zero"))
    ends: list[float] = []
    for line in lines:
        if line.band:
            body.append(_band(line, at_x, at_y))
        smooth = _smoothed(line.points)
        if smooth is not line.points:
            body.append(_curve(line.points, at_x, at_y, f"curve faint {line.style}"))
        body.append(_curve(smooth, at_x, at_y, f"curve {line.style}"))
        end_y = at_y(smooth[-1][1])
        label_y = end_y + 4 if all(abs(end_y - other) > 13 for other in ends) else max(ends) + 17
        ends.append(label_y - 4)
        body.append(_text(width - right + 7, label_y, tick_text(_round(smooth[-1][1])), f"value {line.style}"))
        body.append(_hover(line, at_x, at_y, "step " if across == "step" else ""))
    return _frame(width, height, title, body)


def _round(value: float) -> float:
    """Return the value rounded to three significant digits, or to two if its size is below 0.1."""
    return float(f"{value:.3g}" if abs(value) >= 0.1 or not value else f"{value:.2g}")


def _smoothed(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) < SMOOTH_FROM:
        return points
    averages = moving_average([y for _, y in points], window(len(points)))
    return [(x, y) for (x, _), y in zip(points, averages, strict=True)]


def _curve(points: Sequence[tuple[float, float]], at_x: Scale, at_y: Scale, style: str) -> str:
    if len(points) == 1:
        return f'<circle cx="{at_x(points[0][0]):.1f}" cy="{at_y(points[0][1]):.1f}" r="3" class="{style} single"/>'
    path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points)
    return f'<polyline points="{path}" class="{style}"/>'


def _band(line: Line, at_x: Scale, at_y: Scale) -> str:
    ends = [(x, low, high) for (x, _), (low, high) in zip(line.points, line.band, strict=True)]
    around = [(x, high) for x, _, high in ends] + [(x, low) for x, low, _ in reversed(ends)]
    path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in around)
    return f'<polygon points="{path}" class="band {line.style}"/>'


def _hover(line: Line, at_x: Scale, at_y: Scale, unit: str) -> str:
    stride = math.ceil(len(line.points) / HOVER_POINTS)
    return "".join(
        f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="6" class="hover">'
        f"<title>{escape(line.name)} at {unit}{x:g}: {y:.4g}</title></circle>"
        for x, y in line.points[::stride]
    )
