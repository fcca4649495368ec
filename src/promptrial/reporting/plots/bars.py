"""Bars: what changed between two arms, what became of requests, and what arms cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.documents.missing import ArmAttrition
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import amount, count
from promptrial.reporting.plots.canvas import Canvas, colour_of, nice_ceiling, ticks
from promptrial.reporting.tables.words import listing, metric_text

__all__ = ["Changed", "attrition_plot", "changed_plot", "costs_plot"]

_WIDTH: Final = 640
_BAR: Final = 22
_LABEL: Final = 150
_LEAST_TEXT: Final = 34
_LETTER: Final = 7.5
_SHADES: Final = {
    "fixed": "#009e73",
    "broken": "#d55e00",
    "both right": "#8fb8a8",
    "both wrong": "#b0a9a2",
    "missing": "#e5c100",
}
_ON_SHADE: Final = "#111111"
"""Of a text on a bar, on a light page and on a dark one."""
_FATES: Final = ("#56b4e9", "#e69f00", "#cc79a7", "#767676")


@dataclass(frozen=True, slots=True)
class Changed:
    """Items by what became of them: wrong to right, right to wrong, right in both arms, wrong in both.

    ``missing`` are those without an answer of one arm at least. ``measure`` says what is right; empty where unknown.
    Each item counts once at each of ``temps`` temperatures.
    """

    fixed: int
    broken: int
    both_right: int
    both_wrong: int
    missing: int = 0
    measure: str = ""
    temps: int = 1

    @classmethod
    def of(cls, counts: Mapping[str, int], measure: str = "", temps: int = 1) -> Changed:
        """Return the counts of a contrast, without what its measure does not apply to."""
        fixed, broken = counts["fixed"], counts["broken"]
        return cls(fixed, broken, counts["both_right"], counts["both_wrong"], counts["missing"], measure, temps)

    @property
    def title(self) -> str:
        """What was counted, with the measure that says what is right, and with several temperatures that there are."""
        of = f" in {metric_text(self.measure).label}" if self.measure else ""
        at = f" (each question once at each of {self.temps} temperatures)" if self.temps > 1 else ""
        return f"What changed{of}{at}"

    @property
    def parts(self) -> dict[str, int]:
        """The counts by their names, in the order in which they are shown; the last only if there are any."""
        return {
            "fixed": self.fixed,
            "both right": self.both_right,
            "both wrong": self.both_wrong,
            "broken": self.broken,
            **({"missing": self.missing} if self.missing else {}),
        }


def changed_plot(changed: Changed, *, name: str = "changed", legend: bool = True, width: float = _WIDTH) -> str:
    """Return one bar of all items, cut by what became of them, as SVG; with or without a line that names the parts.

    A part that is wide enough holds its own name.
    """
    said = listing([f"{count(n)} {what}" for what, n in changed.parts.items()])
    canvas = Canvas(name, width, 64 if legend else 34, changed.title, f"{said}.")
    whole, x = sum(changed.parts.values()) or 1, 0.0
    for what, n in changed.parts.items():
        part, text = (width - 2) * n / whole, f"{count(n)} {what}"
        if n:
            canvas.rect(x, 6, max(part - 1, 1), _BAR, _SHADES[what])
            _inside(canvas, x, 6, part, text)
        x += part
    if legend:
        _legend(canvas, 50, [(f"{count(n)} {what}", _SHADES[what]) for what, n in changed.parts.items()])
    return canvas.svg()


def attrition_plot(arms: Mapping[ArmName, ArmAttrition], *, name: str = "attrition", width: float = _WIDTH) -> str:
    """Return what became of the requests of each arm: answered, cut off, without text, failed; as SVG."""
    kinds = ("complete", "truncated", "empty", "failed")
    rows = [(arm, _fates(found)) for arm, found in arms.items()]
    said = "; ".join(
        f"{arm}: {listing([f'{count(n)} {kind}' for kind, n in zip(kinds, fates, strict=True)])}" for arm, fates in rows
    )
    canvas = Canvas(name, width, 30 * len(rows) + 32, "What happened to the requests", f"{said}.")
    label = _label(width)
    for at, (arm, fates) in enumerate(rows):
        y, x, whole = 6 + 30 * at, label, sum(fates) or 1
        canvas.text(0, y + 16, _cut(arm, label))
        for n, colour in zip(fates, _FATES, strict=True):
            wide = (width - label - 60) * n / whole
            if n:
                canvas.rect(x, y, max(wide - 1, 1), _BAR, colour)
                _inside(canvas, x, y, wide, count(n))
            x += wide
        canvas.text(width, y + 16, count(sum(fates)), anchor="end", size=12)
    _legend(canvas, 30 * len(rows) + 24, list(zip(kinds, _FATES, strict=True)))
    return canvas.svg()


def _inside(canvas: Canvas, x: float, y: float, width: float, text: str) -> None:
    """Write a text into a part of a bar, if it fits."""
    if width > _LETTER * len(text) + 8:
        canvas.text(x + width / 2, y + 15, text, anchor="middle", size=12, colour=_ON_SHADE)


def _fates(found: ArmAttrition) -> tuple[int, int, int, int]:
    """Return answers in full, answers that were cut off, responses without text, and requests without a response."""
    return (
        found.answered - found.truncated,
        found.truncated,
        found.empty,
        found.missing - found.empty,
    )


def costs_plot(costs: Mapping[ArmName, float | None], *, name: str = "costs", width: float = _WIDTH) -> str:
    """Return what each arm cost in USD, as SVG; an arm whose cost is unknown has no bar, and says so."""
    rows, said = list(costs.items()), [f"{arm} {_usd(usd)}" for arm, usd in costs.items()]
    canvas = Canvas(name, width, 30 * len(rows) + 36, "Cost by arm", f"{listing(said)}.")
    end = nice_ceiling(max([usd for usd in costs.values() if usd is not None], default=0.0))
    left, right, bottom = _label(width), width - 100, 30 * len(rows) + 6
    for at, (arm, usd) in enumerate(rows):
        y = 4 + 30 * at
        canvas.text(0, y + 16, _cut(arm, left))
        wide = (right - left) * (usd or 0.0) / end
        if usd:
            canvas.rect(left, y, max(wide, 1), _BAR, colour_of(at))
        canvas.text(left + wide + 6, y + 16, _usd(usd), size=12)
    for tick in ticks(0.0, end, 4):
        x = left + (right - left) * tick / end
        canvas.line(x, bottom, x, bottom + 4)
        canvas.text(x, bottom + 17, f"{tick:g}", anchor="middle", size=12, faint=True)
    canvas.line(left, bottom, right, bottom)
    return canvas.svg()


def _usd(usd: float | None) -> str:
    return "unknown" if usd is None else f"{amount(usd)} USD"


def _legend(canvas: Canvas, y: float, entries: Sequence[tuple[str, str]]) -> None:
    x = 0.0
    for text, colour in entries:
        canvas.rect(x, y - 10, 11, 11, colour)
        canvas.text(x + 16, y, text, size=12)
        x += max(_LEAST_TEXT, 7.2 * len(text)) + 34


def _label(width: float) -> float:
    """Return how wide the names of arms may be."""
    return min(_LABEL, width / 3.4)


def _cut(label: str, width: float) -> str:
    longest = int(width / _LETTER)
    return label if len(label) <= longest else f"{label[: longest - 1]}\u2026"
