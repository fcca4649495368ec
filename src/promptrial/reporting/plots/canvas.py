"""What every plot is drawn with: shapes and texts on a canvas, and one SVG of them that a screen reader can read.

Colours are those of Okabe and Ito (2008), which people with any kind of colour vision tell apart. Texts and axes have
the colour of the page, so that a plot fits a light and a dark one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, Literal

from promptrial.documents.printable import escaped

__all__ = ["COLOURS", "CONTROL_COLOUR", "PAGE_COLOUR", "Canvas", "colour_of", "nice_ceiling", "ticks"]

PAGE_COLOUR: Final = "currentColor"
CONTROL_COLOUR: Final = "#767676"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Of treatments, in their order."""
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


def colour_of(index: int) -> str:
    """Return the colour of an arm by its place: 0 is the control."""
    return CONTROL_COLOUR if index == 0 else COLOURS[(index - 1) % len(COLOURS)]


def nice_ceiling(value: float) -> float:
    """Return the next round number: 1, 2, 2.5, 5 or 10 times a power of ten.

    Examples
    --------
    >>> nice_ceiling(0.3), nice_ceiling(7.2), nice_ceiling(10.0), nice_ceiling(0.0)
    (0.5, 10.0, 10.0, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers between two ends, both included where they are round; at most so many.

    Examples
    --------
    >>> ticks(-10, 10), ticks(0, 1)
    ([-10.0, -5.0, 0.0, 5.0, 10.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    """
    step = nice_ceiling((high - low) / (most - 1))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


@dataclass(slots=True)
class Canvas:
    """A drawing in the making; one unit is one pixel.

    Parameters
    ----------
    name : str
        Begins the ids in the SVG, so that several can be on one page: letters, digits and hyphens.
    width, height : float
    title : str
    description : str
        What the plot shows, in a sentence.
    """

    name: str
    width: float
    height: float
    title: str
    description: str
    _parts: list[str] = field(default_factory=list, init=False)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: Literal["start", "middle", "end"] = "start",
        size: float = 13,
        bold: bool = False,
        faint: bool = False,
        colour: str = PAGE_COLOUR,
    ) -> None:
        """Write a text with its baseline at ``y``."""
        weight = ' font-weight="600"' if bold else ""
        opacity = ' opacity="0.7"' if faint else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{colour}"'
            f"{weight}{opacity}>{_safe(text)}</text>"
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, colour: str = PAGE_COLOUR, width: float = 1, dash: str = ""
    ) -> None:
        """Draw a straight line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashes}/>'
        )

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Draw a filled rectangle."""
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def circle(self, x: float, y: float, radius: float, colour: str, *, hollow: bool = False) -> None:
        """Draw a disc, or a ring with the page behind it."""
        fill = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {fill}/>')

    def curve(self, points: Sequence[tuple[float, float]], colour: str, *, width: float = 2, dash: str = "") -> None:
        """Draw straight lines from point to point."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'
        )

    def svg(self) -> str:
        """Return the whole document; it can be in a page as it is."""
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" role="img" aria-labelledby="{self.name}-t {self.name}-d" '
            f'font-family="system-ui, sans-serif">\n'
            f'<title id="{self.name}-t">{_safe(self.title)}</title>\n'
            f'<desc id="{self.name}-d">{_safe(self.description)}</desc>\n{body}\n</svg>\n'
        )


def _safe(text: str) -> str:
    """Return a text in which neither the browser nor a terminal finds anything to obey."""
    return escape(escaped(text).replace("\n", " "))
