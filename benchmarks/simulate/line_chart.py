"""A line chart with two logarithmic axes, as SVG that is legible on light and on dark pages."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 180, 40, 50
_COLOURS: Final = ("#2f6fde", "#c2410c", "#15803d", "#9333ea", "#737373", "#0e7490", "#be185d")


def draw_chart(
    title: str,
    lines: Mapping[str, Points],
    *,
    across: str,
    y_ticks: Mapping[float, str],
) -> str:
    """Return the SVG of *lines* by their names, of values above 0; *y_ticks* has the labels of the values."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    x_scale = _Scale(xs[0], xs[-1], _LEFT, _WIDTH - _RIGHT)
    y_scale = _Scale(min(y_ticks), max(y_ticks), _HEIGHT - _BOTTOM, _TOP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">'
    )
    parts = [
        head,
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 10}">{escape(across)}</text>',
        *_x_labels(xs, x_scale),
        *_y_labels(y_ticks, y_scale),
    ]
    for (name, points), colour in zip(lines.items(), _COLOURS, strict=False):
        parts += _line(name, [(x_scale(x), y_scale(y)) for x, y in points], colour)
    parts += _names(lines)
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = math.log(low), start
        self._factor = (end - start) / (math.log(high) - self._low)

    def __call__(self, value: float) -> float:
        return round(self._start + (math.log(value) - self._low) * self._factor, 1)


def _x_labels(values: Iterable[float], scale: _Scale) -> Iterable[str]:
    for value in values:
        x, y = scale(value), _HEIGHT - _BOTTOM
        yield f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{y}" stroke="#eee"/>'
        yield f'<text x="{x}" y="{y + 16}" text-anchor="middle">{value:,}</text>'


def _y_labels(ticks: Mapping[float, str], scale: _Scale) -> Iterable[str]:
    for value, label in ticks.items():
        y = scale(value)
        yield f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'


def _line(name: str, points: Points, colour: str) -> Iterable[str]:
    path = " ".join(f"{x},{y}" for x, y in points)
    yield f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>'
    for x, y in points:
        yield f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"><title>{escape(name)}</title></circle>'


def _names(lines: Iterable[str]) -> Iterable[str]:
    for number, (name, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        x, y = _WIDTH - _RIGHT + 16, _TOP + 8 + 20 * number
        yield f'<rect x="{x}" y="{y - 9}" width="12" height="3" fill="{colour}"/>'
        yield f'<text x="{x + 20}" y="{y - 3}">{escape(name)}</text>'
