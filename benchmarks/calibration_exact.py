"""The exact tables: tests of a margin and the score test on independent 0/1 pairs."""

from __future__ import annotations

from typing import Final

from calibration_tables import Cell, Mapper, Table, judge, percent, words
from exact_rates import (
    Outcomes,
    exact_passes,
    largest_rate,
    score_coverage,
    score_test_size,
    t_passes,
    tango_passes,
)

from promptrial.stats.fewest import clusters_needed
from promptrial.stats.unconditional import exact_margin_p, unchanged_pairs_needed

__all__ = ["exact_tables"]

LEVEL: Final = 0.05
SCORE_SIZE: Final = 0.0545
MOST_DISCORDANT: Final = 0.8
"""Up to this share of discordant pairs the size of the score test is judged."""
CASES: Final = ((100, 0.03, 0.0, 0.03), (100, 0.05, 0.0, 0.05), (345, 0.02, 0.005, 0.025), (300, 0.02, 0.0, 0.02))
"""Pairs, margin, and the probabilities of a gain and of a loss."""
MARGINS: Final = (0.01, 0.02, 0.05, 0.1)
POWER: Final = ((100, 0.05), (200, 0.05), (345, 0.02), (345, 0.05), (500, 0.02))
DISCORDANT: Final = (0.02, 0.05, 0.1)


def exact_tables(run: Mapper, *, quick: bool = False) -> list[Table]:
    """Compute the exact tables; ``quick`` leaves out large numbers of pairs."""
    pairs = (20, 50, 100) if quick else (20, 50, 100, 200, 345, 500)
    sizes = range(20, 61 if quick else 346)
    return [
        _margin_cases(run),
        _margin_sizes(run, pairs),
        _margin_power(run, POWER[:1] if quick else POWER),
        _unchanged_pairs(),
        _score_sizes(run, sizes),
        _score_coverage(run, quick=quick),
        _fewest_clusters(),
    ]


# --- margins -------------------------------------------------------------------------------------------------------


def _margin_cases(run: Mapper) -> Table:
    rows = [
        (*words(n, margin, gain, loss), percent(t), percent(tango), judge(passed, None, high=LEVEL))
        for (n, margin, gain, loss), (t, tango, passed) in zip(CASES, run(_case, CASES), strict=True)
    ]
    head = ("pairs", "margin", "gains", "losses", "t test", "Tango's score test", "exact test")
    return Table("margin cases", head, tuple(rows))


def _case(case: tuple[int, float, float, float]) -> list[float]:
    n, margin, gain, loss = case
    of = Outcomes(n)
    return [of.rate(passes(of, margin), gain, loss) for passes in (t_passes, tango_passes, exact_passes)]


def _margin_sizes(run: Mapper, pairs: tuple[int, ...]) -> Table:
    cells = [(n, margin) for n in pairs for margin in MARGINS]
    rows = [
        (
            *words(n, margin),
            percent(t[0]),
            percent(tango[0]),
            judge(rate, None, high=LEVEL, digits=2),
            Cell(f"{at:.3f}"),
        )
        for (n, margin), (t, tango, (rate, at)) in zip(cells, run(_largest, cells), strict=True)
    ]
    head = ("pairs", "margin", "t test", "Tango's score test", "exact test", "at a share of gains of")
    return Table("margin sizes", head, tuple(rows))


def _largest(cell: tuple[int, float]) -> list[tuple[float, float]]:
    n, margin = cell
    of = Outcomes(n)
    return [largest_rate(of, passes(of, margin), margin) for passes in (t_passes, tango_passes, exact_passes)]


def _margin_power(run: Mapper, designs: tuple[tuple[int, float], ...]) -> Table:
    rows = []
    for (n, margin), powers in zip(designs, run(_power, designs), strict=True):
        pairs = [f"{100 * tango:.1f} / {100 * passed:.1f}" for tango, passed in powers]
        rows.append(words(n, margin, *pairs))
    head = ("pairs", "margin", *(f"{share:.0%} discordant" for share in DISCORDANT))
    return Table("margin power", head, tuple(rows))


def _power(design: tuple[int, float]) -> list[tuple[float, float]]:
    n, margin = design
    of = Outcomes(n)
    tango, passed = tango_passes(of, margin), exact_passes(of, margin)
    return [(of.rate(tango, each / 2, each / 2), of.rate(passed, each / 2, each / 2)) for each in DISCORDANT]


def _unchanged_pairs() -> Table:
    rows = []
    for n in (268, 298, 299):
        p = exact_margin_p(0, 0, n, -0.01)
        tango = tango_passes(Outcomes(n), 0.01)[0]
        rows.append((*words(n, "passes" if tango else "fails"), Cell(f"{p:.5f}", (p <= LEVEL) == (n >= 299))))
    needed = [unchanged_pairs_needed(margin, LEVEL) for margin in MARGINS]
    rows.append(words(f"needed at margins of {', '.join(map(str, MARGINS))}", "", ", ".join(map(str, needed))))
    return Table("unchanged pairs", ("pairs, all unchanged, margin 0.01", "Tango's score test", "exact p"), tuple(rows))


# --- the score test and its interval -------------------------------------------------------------------------------


def _score_sizes(run: Mapper, sizes: range) -> Table:
    found: dict[int, tuple[float, float]] = dict(zip(sizes, run(_score_size, list(sizes)), strict=True))
    shown = [n for n in (20, 50, 100, 200, 345) if n in found]
    worst, worst_ever = max(found, key=lambda n: found[n][0]), max(found, key=lambda n: found[n][1])
    rows = [(*words(n), judge(found[n][0], None, high=SCORE_SIZE, digits=2), percent(found[n][1], 2)) for n in shown]
    label = f"largest of {sizes[0]} to {sizes[-1]}"
    rows.append(
        (
            *words(f"{label} (at {worst} and {worst_ever} pairs)"),
            judge(found[worst][0], None, high=SCORE_SIZE, digits=2),
            percent(found[worst_ever][1], 2),
        )
    )
    head = ("pairs", f"up to {MOST_DISCORDANT:.0%} of pairs discordant", "any share discordant")
    return Table("score sizes", head, tuple(rows))


def _score_size(n: int) -> tuple[float, float]:
    return score_test_size(n, MOST_DISCORDANT)[0], score_test_size(n)[0]


def _score_coverage(run: Mapper, *, quick: bool) -> Table:
    pairs = (50, 100) if quick else (50, 100, 200, 400)
    shares = ((0.05, 0.05), (0.01, 0.03), (0.0, 0.05), (0.02, 0.1), (0.15, 0.25), (0.18, 0.18))
    cells = [(n, *share) for share in shares for n in pairs]
    found = dict(zip(cells, run(_covered, cells), strict=True))
    rows = [(*words(gain, loss), *(percent(found[n, gain, loss]) for n in pairs)) for gain, loss in shares]
    return Table("score coverage", ("gains", "losses", *(f"{n} pairs" for n in pairs)), tuple(rows))


def _covered(cell: tuple[int, float, float]) -> float:
    n, gain, loss = cell
    return score_coverage(Outcomes(n), gain, loss)


# --- clusters ------------------------------------------------------------------------------------------------------


def _fewest_clusters() -> Table:
    needed = ((0.9, 5), (0.95, 6), (0.99, 8))
    rows = []
    for confidence, expected in needed:
        fewest = clusters_needed(1 - confidence)
        rows.append((*words(f"{confidence:.0%}"), Cell(str(fewest), fewest == expected)))
    return Table("fewest clusters", ("interval", "clusters needed"), tuple(rows))
