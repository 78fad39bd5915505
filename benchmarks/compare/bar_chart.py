"""Horizontal bars on a logarithmic axis, as SVG that is legible on light and on dark pages."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 720, 150, 90, 64, 20, 14
_GAP: Final = 10
_COLOURS: Final = ("#2f6fde", "#c2410c")


def draw_bars(title: str, groups: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Return the SVG of *groups*: a group of bars for each name, of values above 0 by what they are."""
    kinds = list(dict.fromkeys(kind for bars in groups.values() for kind in bars))
    values = [value for bars in groups.values() for value in bars.values()]
    low = 10 ** math.floor(math.log10(min(values)))
    height = _TOP + sum(_ROW * len(bars) + _GAP for bars in groups.values()) + _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">'
    )
    parts = [
        head,
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{_GAP}" y="22" font-size="14" font-weight="bold">{escape(title)}</text>',
        *_legend(kinds, unit),
    ]
    scale = (_WIDTH - _LEFT - _RIGHT) / (math.log(max(values)) - math.log(low))
    y = _TOP
    for name, bars in groups.items():
        middle = y + _ROW * len(bars) / 2
        parts.append(f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        for kind, value in bars.items():
            width = round((math.log(value) - math.log(low)) * scale, 1)
            colour = _COLOURS[kinds.index(kind)]
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 6}" y="{y + 11}">{value:.3g}</text>')
            y += _ROW
        y += _GAP
    return "\n".join([*parts, "</svg>", ""])


def _legend(kinds: Iterable[str], unit: str) -> Iterable[str]:
    x = _GAP
    for kind, colour in zip(kinds, _COLOURS, strict=False):
        yield f'<rect x="{x}" y="38" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="48">{escape(kind)}, {escape(unit)}</text>'
        x += 240
