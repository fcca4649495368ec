"""The simulated tables: intervals of clustered differences, sparse 0/1 data, and margins."""

from __future__ import annotations

import math
from typing import Final

from calibration_cells import (
    IntervalCell,
    IntervalShares,
    MarginShares,
    PairCell,
    SparseShares,
    interval_shares,
    margin_power,
    margin_shares,
    sparse_shares,
)
from calibration_tables import NOTHING, Cell, Mapper, Table, judge, percent, words
from simulated_pairs import DESIGNS

__all__ = ["interval_tables", "margin_tables", "sparse_tables"]

EFFECTS: Final = (0.0, 0.1, 0.25)
INTRACLASS: Final = 0.2
TYPE_I: Final = 0.057
COVERAGE: Final = (0.935, 0.97)
COVERAGE_WITHOUT_EFFECT: Final = 0.983
"""The upper bound for 0/1 scores without an effect, where many flips tie."""
COVERAGE_OF_SIX: Final = (0.965, 0.995)
LEAST_ATTAINABLE: Final = 0.03
MOSTLY: Final = 0.95
"""A cell is dense if so many of its trials are, sparse if so many are not, and mixed otherwise."""
SPARSE_COVERAGE: Final = 0.958
"""Up to twice the intraclass correlation that the floor stands for; above it the bound is that of the others."""
FLOOR_HOLDS: Final = 0.1
DENSE_MARGIN: Final = 0.06
SPARSE_MARGIN: Final = 0.065

SPARSE_DESIGNS: Final = (
    "7 even",
    "8 even",
    "10 even",
    "10 uneven (1 to 40)",
    "15 uneven (1 to 30)",
    "20 uneven (1 to 30)",
    "30 exponential",
    "39 of 2 and one of 60",
    "40 even",
    "60 uneven (1 to 15)",
    "83 of 1 to 2",
)
SPARSE_SHARES: Final = ((0.005, 0.005), (0.02, 0.02), (0.01, 0.03), (0.0, 0.03), (0.02, 0.1), (0.0, 0.1))
"""Shares of gains and of losses."""
SPARSE_INTRACLASS: Final = (0.0, 0.05, 0.1, 0.2)
MARGIN_SHARES: Final = (
    ("dense", 0.15, 0.2),
    ("medium", 0.05, 0.1),
    ("sparse", 0.01, 0.04),
    ("all losses", 0.0, 0.05),
)
MARGIN_INTRACLASS: Final = (0.0, 0.05, 0.1, 0.2)
MARGIN_POWER: Final = ("10 even", "20 uneven (1 to 30)", "40 even", "60 uneven (1 to 15)")
CONTINUOUS: Final = ("50 single items", "120 single items", "400 single items", "40 even", "83 of 1 to 2")
CONTINUOUS_SHARES: Final = ((0.01, 0.04), (0.0, 0.05))
QUICK: Final = ("6 even", "10 uneven (1 to 40)", "40 even")


def interval_tables(run: Mapper, trials: int, *, quick: bool = False) -> list[Table]:
    """Simulate two arms in each design, and compare the reported interval with those by standard errors."""
    names = QUICK if quick else tuple(DESIGNS)
    cells = [
        IntervalCell(name, kind, effect, 0.0 if max(DESIGNS[name]) == 1 else INTRACLASS, trials)
        for name in names
        for kind in ("em", "f1")
        for effect in EFFECTS
    ]
    found = dict(zip(cells, run(interval_shares, cells), strict=True))
    reported, errors = [], []
    for first in cells[:: len(EFFECTS)]:
        group = [found[first._replace(effect=effect)] for effect in EFFECTS]
        reported.append(_reported(first, group))
        errors.append(_standard_errors(first, group))
    head = ("clusters", "score", *(f"covers at {effect:g}" for effect in EFFECTS), "p ≤ .05 at 0")
    return [
        Table("intervals", (*head, "attainable at 0", "width at 0", "dense"), tuple(reported)),
        Table(
            "standard errors",
            (
                "clusters",
                "score",
                "reported",
                "CR1 t",
                "CR2",
                "reported excludes 0",
                "CR1 t excludes 0",
                "CR2 excludes 0",
            ),
            tuple(errors),
        ),
    ]


def _reported(cell: IntervalCell, group: list[IntervalShares]) -> tuple[Cell, ...]:
    if len(DESIGNS[cell.design]) < 6:
        return (*words(cell.design, cell.kind), *words(*["not estimable"] * len(group)), *words(*[NOTHING] * 4))
    covers = [_coverage(cell._replace(effect=effect), shares) for effect, shares in zip(EFFECTS, group, strict=True)]
    null = group[0]
    return (
        *words(cell.design, cell.kind),
        *covers,
        judge(null.rejects, cell.trials, high=TYPE_I),
        percent(null.attainable),
        Cell(f"{null.width:.2f}"),
        percent(min(shares.dense for shares in group), 0),
    )


def _coverage(cell: IntervalCell, shares: IntervalShares) -> Cell:
    low, high = COVERAGE_OF_SIX if len(DESIGNS[cell.design]) == 6 else COVERAGE
    if cell.kind == "em" and cell.effect == 0 and len(DESIGNS[cell.design]) > 6:
        high = COVERAGE_WITHOUT_EFFECT
    fine = shares.attainable < LEAST_ATTAINABLE or shares.dense < MOSTLY
    if len(DESIGNS[cell.design]) > 6 and fine:
        high = 1.0
    return judge(shares.covers, cell.trials, low, high)


def _standard_errors(cell: IntervalCell, group: list[IntervalShares]) -> tuple[Cell, ...]:
    null, effect = group[0], group[1]
    few = len(DESIGNS[cell.design]) < 6
    return (
        *words(cell.design, cell.kind),
        percent(math.nan if few else effect.covers),
        percent(effect.t),
        percent(effect.cr2),
        percent(math.nan if few else null.rejects),
        percent(1 - null.t),
        percent(1 - null.cr2),
    )


def sparse_tables(run: Mapper, trials: int, *, quick: bool = False) -> list[Table]:
    """Simulate sparse 0/1 data: coverage of sign flips alone, and of the reported interval."""
    names, shares = (SPARSE_DESIGNS[2:4], SPARSE_SHARES[2:4]) if quick else (SPARSE_DESIGNS, SPARSE_SHARES)
    cells = [
        PairCell(name, *pair, intraclass, trials)
        for name in names
        for pair in shares
        for intraclass in SPARSE_INTRACLASS
    ]
    found = dict(zip(cells, run(sparse_shares, cells), strict=True))
    rows = [
        _sparse(cell, [found[cell._replace(intraclass=each)] for each in SPARSE_INTRACLASS])
        for cell in cells[:: len(SPARSE_INTRACLASS)]
    ]
    reported = (f"reported, {each:g}" for each in SPARSE_INTRACLASS)
    normal = f"normal quantile, {SPARSE_INTRACLASS[-1]:g}"
    flips = (f"flips alone, {each:g}" for each in (SPARSE_INTRACLASS[0], SPARSE_INTRACLASS[-1]))
    return [Table("sparse", ("clusters", "gains", "losses", *reported, normal, *flips, "dense"), tuple(rows))]


def _sparse(cell: PairCell, group: list[SparseShares]) -> tuple[Cell, ...]:
    reported = []
    for intraclass, shares in zip(SPARSE_INTRACLASS, group, strict=True):
        sparse = intraclass <= FLOOR_HOLDS and shares.dense <= 1 - MOSTLY
        reported.append(judge(shares.reported, cell.trials, low=SPARSE_COVERAGE if sparse else COVERAGE[0]))
    return (
        *words(cell.design, cell.gain, cell.loss),
        *reported,
        percent(group[-1].normal),
        percent(group[0].flips),
        percent(group[-1].flips),
        Cell(f"{100 * min(each.dense for each in group):.0f} to {100 * max(each.dense for each in group):.0f}"),
    )


def margin_tables(run: Mapper, trials: int, *, quick: bool = False) -> list[Table]:
    """Simulate clustered 0/1 data whose true drop equals the margin, and without a drop for the power."""
    names = SPARSE_DESIGNS[2:4] if quick else SPARSE_DESIGNS
    groups = [(name, label, gain, loss) for name in names for label, gain, loss in MARGIN_SHARES]
    cells = [PairCell(name, gain, loss, each, trials) for name, _, gain, loss in groups for each in MARGIN_INTRACLASS]
    found = dict(zip(cells, run(margin_shares, cells), strict=True))
    rows = []
    for name, label, gain, loss in groups:
        group = [found[PairCell(name, gain, loss, each, trials)] for each in MARGIN_INTRACLASS]
        rows.append(_margin(name, label, group, trials))
    head = ("clusters", "pairs", *(f"passes, {each:g}" for each in MARGIN_INTRACLASS), "flips alone", "CR1 t", "dense")
    powers = _margin_power(run, trials, quick=quick)
    return [Table("margins", head, tuple(rows)), powers, _margins_of_continuous(run, trials, quick=quick)]


def _margin(name: str, label: str, group: list[MarginShares], trials: int) -> tuple[Cell, ...]:
    return (
        *words(name, label),
        *(judge(each.reported, trials, high=DENSE_MARGIN if each.dense >= MOSTLY else SPARSE_MARGIN) for each in group),
        percent(max(each.flips for each in group)),
        percent(max(each.t for each in group)),
        Cell(f"{100 * min(each.dense for each in group):.0f} to {100 * max(each.dense for each in group):.0f}"),
    )


def _margin_power(run: Mapper, trials: int, *, quick: bool) -> Table:
    names = MARGIN_POWER[:1] if quick else MARGIN_POWER
    kinds = (("dense", 0.175, 0.1), ("medium", 0.075, 0.1), ("sparse", 0.02, 0.1))
    cells = [
        (PairCell(name, share, share, intraclass, trials), -margin)
        for name in names
        for _, share, margin in kinds
        for intraclass in (0.0, 0.1)
    ]
    rows, found = [], iter(run(margin_power, cells))
    for name in names:
        for label, share, margin in kinds:
            powers = [next(found) for _ in (0.0, 0.1)]
            shown = [percent(value) for each in powers for value in (each.flips, each.reported)]
            rows.append((*words(name, label, share, margin), *shown))
    head = (
        "clusters",
        "pairs",
        "gains = losses",
        "margin",
        "flips alone, 0",
        "passes, 0",
        "flips alone, 0.1",
        "passes, 0.1",
    )
    return Table("margin power clustered", head, tuple(rows))


def _margins_of_continuous(run: Mapper, trials: int, *, quick: bool) -> Table:
    """Simulate sparse continuous scores: the program calls these tests approximate, and they have no target."""
    names = CONTINUOUS[:1] if quick else CONTINUOUS
    cells = [PairCell(name, *pair, 0.0, trials, graded=True) for name in names for pair in CONTINUOUS_SHARES]
    rows = [
        (*words(cell.design, cell.gain, cell.loss), percent(found.reported), percent(found.flips), percent(found.t))
        for cell, found in zip(cells, run(margin_shares, cells), strict=True)
    ]
    return Table("margins continuous", ("clusters", "gains", "losses", "passes", "flips alone", "CR1 t"), tuple(rows))
