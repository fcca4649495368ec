"""A curve on paper: as text for a terminal, and as SVG that needs nothing from elsewhere. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Curve", "as_svg", "as_text"]

_COLUMNS: Final = 60
_LINES: Final = 11
_WIDTH: Final = 560
_HEIGHT: Final = 300
_LEFT: Final = 56
_TOP: Final = 36
_MARGIN: Final = 20
_BOTTOM: Final = 48


@dataclass(frozen=True, slots=True)
class Curve:
    """A share that depends on a quantity, and the line that it has to reach.

    Parameters
    ----------
    title : str
    x_label, y_label : str
    points : tuple of (float, float)
        At least two, with rising x; y in [0, 1].
    goal : float
        In [0, 1]: drawn as a level line.
    x_ends : tuple of str
        How the first and the last x are written.
    """

    title: str
    x_label: str
    y_label: str
    points: tuple[tuple[float, float], ...]
    goal: float
    x_ends: tuple[str, str]

    def at(self, share: float) -> float:
        """Return y at a share, in [0, 1], of the way along x; straight between points."""
        first, last = self.points[0][0], self.points[-1][0]
        x = first + share * (last - first)
        for (x0, y0), (x1, y1) in zip(self.points, self.points[1:], strict=False):
            if x <= x1:
                return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        return self.points[-1][1]


def as_text(curve: Curve) -> str:
    """Return the curve in 70 columns: ``*`` where it is, ``-`` at the goal."""
    heights = [curve.at(column / (_COLUMNS - 1)) for column in range(_COLUMNS)]
    lines = [curve.title]
    for row in range(_LINES - 1, -1, -1):
        level = row / (_LINES - 1)
        background = "-" if row == round(curve.goal * (_LINES - 1)) else " "
        cells = "".join("*" if round(y * (_LINES - 1)) == row else background for y in heights)
        lines.append(f"{level:5.0%} |{cells.rstrip()}")
    first, last = curve.x_ends
    lines.append("      +" + "-" * _COLUMNS)
    middle = curve.x_label.center(_COLUMNS - len(first) - len(last))
    return "\n".join([*lines, f"       {first}{middle}{last}".rstrip()])


def as_svg(curve: Curve) -> str:
    """Return the curve as a whole SVG document, with a title that a screen reader reads."""
    wide, high = _WIDTH - _LEFT - _MARGIN, _HEIGHT - _TOP - _BOTTOM
    first, last = curve.points[0][0], curve.points[-1][0]

    def place(x: float, y: float) -> str:
        return f"{_LEFT + wide * (x - first) / (last - first):.1f},{_TOP + high * (1 - y):.1f}"

    path = " ".join(place(x, y) for x, y in curve.points)
    goal = _TOP + high * (1 - curve.goal)
    bottom, right = _TOP + high, _LEFT + wide
    half = (_TOP + bottom) / 2
    ticks = "".join(
        f'<text x="{_LEFT - 8}" y="{_TOP + high * (1 - level / 4) + 4:.1f}" text-anchor="end">{level / 4:.0%}</text>'
        for level in range(5)
    )
    title, x_label, y_label = escape(curve.title), escape(curve.x_label), escape(curve.y_label)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="t"
 font-family="sans-serif" font-size="12" fill="currentColor">
<title id="t">{title}</title>
<text x="{_LEFT}" y="18" font-size="14">{title}</text>
<g fill="none" stroke="currentColor">
<path d="M{_LEFT},{_TOP}V{bottom}H{right}"/>
<path d="M{_LEFT},{goal:.1f}H{right}" stroke-dasharray="4 4" opacity="0.6"/>
<polyline points="{path}" stroke="#0060a8" stroke-width="2.5"/>
</g>
{ticks}
<text x="{_LEFT}" y="{bottom + 18}">{escape(curve.x_ends[0])}</text>
<text x="{right}" y="{bottom + 18}" text-anchor="end">{escape(curve.x_ends[1])}</text>
<text x="{(_LEFT + right) / 2:.0f}" y="{bottom + 34}" text-anchor="middle">{x_label}</text>
<text x="14" y="{half:.0f}" text-anchor="middle" transform="rotate(-90 14 {half:.0f})">{y_label}</text>
</svg>
"""
