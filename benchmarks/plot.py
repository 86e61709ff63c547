"""The plot of the page, an SVG: how fast each operation is relative to what it is held against."""

from __future__ import annotations

from html import escape
from math import log2
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_LABELS: Final = 210
_WIDTH: Final = 300
_GAP: Final = 60
_TOP: Final = 92
_ROW: Final = 33
_BAR: Final = 8

_LEAST: Final = 1 / 8
_MOST: Final = 8.0
_GRID: Final = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)

_TEXT: Final = 'font-family="system-ui, sans-serif" fill="#1f2933"'


class _Series(NamedTuple):
    name: str
    colour: str


_SERIES: Final = (
    _Series("1 task / raw driver", "#2f6db5"),
    _Series("64 tasks / raw driver", "#e08a1e"),
    _Series("largest / empty tables", "#6b9e5b"),
)


def plot(everything: Mapping[str, Mapping[str, Any]]) -> str:
    """Draw the ratios of all operations, one column for each engine.

    Args:
        everything: The results of the parts, by engine.

    Returns:
        The SVG.
    """
    columns = {engine: _ratios(results) for engine, results in everything.items()}
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    width = _LABELS + (_WIDTH + _GAP) * len(columns)
    height = _TOP + _ROW * len(names) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_TEXT}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, "Operations per second of the store; 1 is as fast", size=15),
        *_legend(),
        *(_text(_LABELS - 10, _middle(row) + 4, name, "end") for row, name in enumerate(names)),
    ]
    for number, (engine, ratios) in enumerate(columns.items()):
        left = _LABELS + (_WIDTH + _GAP) * number
        lines += _column(left, height, engine, [ratios.get(name, {}) for name in names])
    return "\n".join([*lines, "</svg>", ""])


def _ratios(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Give the ratios by operation and by series."""
    found: dict[str, dict[str, float]] = {}
    for row in results.get("operations", ()):
        series = _SERIES[0 if row["tasks"] == 1 else 1]
        found.setdefault(row["operation"], {})[series.name] = row["ratio"]
    for row in results.get("sizes", ()):
        largest = [*row["ratios"]][-1]
        found.setdefault(row["operation"], {})[_SERIES[2].name] = row["ratios"][largest]
    return found


def _legend() -> Iterator[str]:
    for number, series in enumerate(_SERIES):
        left = 16 + 190 * number
        yield f'<rect x="{left}" y="40" width="12" height="12" fill="{series.colour}"/>'
        yield _text(left + 18, 50, series.name)


def _column(
    left: int, height: int, engine: str, rows: Sequence[Mapping[str, float]]
) -> Iterable[str]:
    yield _text(left + _WIDTH // 2, _TOP - 24, engine, "middle", size=14)
    for value in _GRID:
        place = left + _place(value)
        colour = "#1f2933" if value == 1 else "#d5dbe1"
        yield (
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP - 4}" y2="{height - 12}" '
            f'stroke="{colour}" stroke-width="1"/>'
        )
        yield _text(place, _TOP - 8, f"{value:g}" if value >= 1 else f"1/{1 / value:g}", "middle")
    for row, ratios in enumerate(rows):
        yield from _bars(left, _middle(row), ratios)


def _bars(left: int, middle: int, ratios: Mapping[str, float]) -> Iterator[str]:
    top = middle - _BAR * len(_SERIES) / 2
    for number, series in enumerate(_SERIES):
        if series.name in ratios:
            value = ratios[series.name]
            one, its = _place(1), _place(value)
            yield (
                f'<rect x="{left + min(one, its):.1f}" y="{top + _BAR * number:.1f}" '
                f'width="{max(1.5, abs(its - one)):.1f}" height="{_BAR - 1}" '
                f'fill="{series.colour}"><title>{escape(series.name)}: {value:.2f}</title></rect>'
            )


def _place(value: float) -> float:
    """Give the place on the axis, which is logarithmic, so that half is as far from 1 as twice."""
    inside = min(max(value, _LEAST), _MOST)
    return _WIDTH * log2(inside / _LEAST) / log2(_MOST / _LEAST)


def _middle(row: int) -> int:
    return _TOP + _ROW * row + _ROW // 2


def _text(left: float, top: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{left:g}" y="{top:g}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
