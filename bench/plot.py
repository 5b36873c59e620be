"""A plot of cost against size, as plain SVG text: both axes logarithmic, so that linear growth is a straight line."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path

_WIDTH, _HEIGHT = 760, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 210, 30, 50
_COLOURS = ("#9aa0a6", "#5f6368", "#188038", "#1a73e8", "#e37400", "#9334e6", "#d93025")
_TEXT = 'font-family="sans-serif" font-size="12" fill="#3c4043"'


def plot(file: Path, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Write the plot. `lines` holds (entities, milliseconds), in increasing order, by name."""
    points = [point for line in lines.values() for point in line]
    x_range, y_range = _decades([x for x, _ in points]), _decades([y for _, y in points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Milliseconds of a pass against the number of entities</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_grid(x_range, y_range),
    ]
    ends: list[float] = []
    # From the top, so that a label that would lie on another moves below it.
    for (name, line), colour in sorted(
        zip(lines.items(), _COLOURS, strict=False), key=lambda item: -item[0][1][-1][1]
    ):
        places = [(_x(x, x_range), _y(y, y_range)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        at = max(places[-1][1] + 4, ends[-1] + 14 if ends else 0.0)
        ends.append(at)
        label = f"{name}: {line[-1][1]:,.0f} ms"
        parts.append(f'<text x="{_WIDTH - _RIGHT + 8}" y="{at:.1f}" {_TEXT}>{escape(label)}</text>')
    file.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _grid(x_range: tuple[int, int], y_range: tuple[int, int]) -> list[str]:
    parts = []
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for power in range(x_range[0], x_range[1] + 1):
        x = _x(10.0**power, x_range)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#dadce0"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" {_TEXT}>{10**power:,}</text>')
    for power in range(y_range[0], y_range[1] + 1):
        y = _y(10.0**power, y_range)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dadce0"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{10.0**power:g}</text>'
        )
    parts.append(f'<text x="{_LEFT}" y="{_TOP - 10}" {_TEXT}>milliseconds, median</text>')
    parts.append(f'<text x="{right}" y="{_HEIGHT - 12}" text-anchor="end" {_TEXT}>entities</text>')
    return parts


def _decades(values: Sequence[float]) -> tuple[int, int]:
    return floor(log10(min(values))), ceil(log10(max(values)))


def _x(value: float, span: tuple[int, int]) -> float:
    return _LEFT + (log10(value) - span[0]) / (span[1] - span[0]) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, span: tuple[int, int]) -> float:
    return _HEIGHT - _BOTTOM - (log10(value) - span[0]) / (span[1] - span[0]) * (_HEIGHT - _TOP - _BOTTOM)
