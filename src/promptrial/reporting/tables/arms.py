"""The tables on several arms at once: each arm against the control and its ranks, all pairs, trends, data sets. Pure.

Scores have to be shares of their ranges (``reporting.scaling``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import UNSET, UnsetType

from promptrial.documents.many_arms import PairOfArms, PooledEffect, Ranking, RanksOfArm, Simultaneous, Trend
from promptrial.documents.significance import Significance
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import (
    MISSING,
    Table,
    count,
    effect,
    level,
    p_value,
    points_decimals,
    rate,
    significant,
    temperature,
)
from promptrial.reporting.tables.contrasts import with_contrasts
from promptrial.reporting.tables.words import listing, metric_text, score_unit

__all__ = ["many_arms_tables", "ranking_tables", "ranks_text", "score_text"]

FILLER: Final = "length_matched"
"""What the name of an arm has, or that of the file of its prompt, that is as long as another and says nothing."""


def many_arms_tables(significance: Significance, names: Mapping[ArmName, str]) -> list[Table]:
    """Return every table on several arms or several data sets, as far as there is something in them.

    ``names`` says what arms are called.
    """
    others = (pairs_of_arms_table(significance, names), trend_table(significance, names), pooled_table(significance))
    return [*ranking_tables(significance, names, wide=True), *(table for table in others if table.rows)]


def ranking_tables(significance: Significance, names: Mapping[ArmName, str], *, wide: bool = False) -> list[Table]:
    """Return a table of the arms for each primary endpoint of a trial of several treatments.

    ``wide`` adds the p-value by Holm's method, and on how many flips all of it rests.
    """
    rankings = significance.rankings or ()
    several = len({row.temp for row in rankings}) > 1
    return [_ranking_table(significance, row, names, wide=wide, several=several) for row in rankings]


def _ranking_table(
    significance: Significance, ranking: Ranking, names: Mapping[ArmName, str], *, wide: bool, several: bool
) -> Table:
    rows = {
        row.compared.sides[1]: row
        for row in significance.simultaneous or ()
        if (row.metric, row.temp) == (ranking.metric, ranking.temp)
    }
    against = {row.compared.sides[0] for row in rows.values()}
    first = next((names.get(name, name) for name in against), MISSING)
    at = f", temperature {temperature(ranking.temp)}" if several else ""
    sure = level(ranking.confidence)
    flips = f"{'All ' if ranking.enumerated else ''}{count(ranking.flips)} joint sign flips"
    notes = (
        f"The intervals and ranks hold simultaneously with {sure} confidence. Adjusted p: step-down max-T.",
        *([f"{flips}. The p-value by Holm's method is shown for comparison."] if wide else []),
        *dict.fromkeys(f"{row.reason}." for row in rows.values() if row.reason is not None),
    )
    return Table(
        f"Arms by {metric_text(ranking.metric).label}{at}",
        (
            "Arm",
            "Score",
            f"Difference from {first} (simultaneous {sure} CI)",
            "Adjusted p",
            *(["Holm p"] if wide else []),
            "Ranks",
        ),
        tuple(
            _arm_row(ranking, rows.get(arm), (arm, names.get(arm, arm)), significance.settings.alpha, wide=wide)
            for arm in _by_mean(ranking)
        ),
        notes,
        f"lrrr{'r' if wide else ''}r",
    )


def _by_mean(ranking: Ranking) -> list[ArmName]:
    """Return the arms from the first rank on, as far as ranks tell them apart, and then in their order."""
    ranks = {each.arm: (each.lowest, each.highest) for each in ranking.arms}
    return sorted(ranks, key=ranks.__getitem__)


def _arm_row(
    ranking: Ranking, row: Simultaneous | None, arm: tuple[ArmName, str], alpha: float, *, wide: bool
) -> tuple[str, ...]:
    unit, [found] = score_unit(ranking.metric), [each for each in ranking.arms if each.arm == arm[0]]
    figures = MISSING if row is None else effect(row.difference, row.ci_low, row.ci_high, unit)
    p = [None, None] if row is None else [row.p_step_down, row.p_holm]
    cells = [p_value(each, alpha) for each in (p if wide else p[:1])]
    return arm[1], score_text(ranking, found), figures, *cells, ranks_text(found.lowest, found.highest)


def score_text(ranking: Ranking, arm: RanksOfArm) -> str:
    """Return the mean of an arm, with as many decimals as the differences between the arms have."""
    unit = score_unit(ranking.metric)
    found = [points_decimals(pair.ci_low, pair.ci_high, unit, pair.difference) for pair in ranking.pairs]
    return rate(arm.mean, max(found, default=points_decimals(None, None, unit)), unit)


def ranks_text(lowest: int, highest: int) -> str:
    """Return the ranks that an arm may have.

    Examples
    --------
    >>> ranks_text(1, 3), ranks_text(2, 2)
    ('1 to 3', '2')
    """
    return count(lowest) if lowest == highest else f"{count(lowest)} to {count(highest)}"


def pairs_of_arms_table(significance: Significance, names: Mapping[ArmName, str]) -> Table:
    """Return the comparisons of all arms with each other; without rows where there are not several treatments."""
    found = [(ranking, pair) for ranking in significance.rankings or () for pair in ranking.pairs]
    sure = level(significance.settings.confidence)
    how = (
        "The intervals of all pairs of an endpoint hold simultaneously. Adjusted p: step-down max-T over both "
        "directions of all pairs."
    )
    fillers = list(dict.fromkeys(each for _, pair in found for each in _fillers(pair, names)))
    return Table(
        "All pairs of arms",
        (
            "Arm",
            "Minus",
            "Measure",
            "Temp.",
            "Pairs",
            f"Difference, points (simultaneous {sure} CI)",
            "p",
            "Adjusted p",
            "Ahead",
        ),
        tuple(_pair_row(ranking, pair, names, significance.settings.alpha) for ranking, pair in found),
        (
            how,
            *(
                (
                    f"{each} is a filler of the same length as another prompt: a prompt that beats it does so by more "
                    "than its length."
                )
                for each in fillers
            ),
        ),
        "lllrrrrrl",
    )


def _fillers(pair: PairOfArms, names: Mapping[ArmName, str]) -> list[str]:
    called = [(name, names.get(name, name)) for name in (pair.first, pair.second)]
    return [shown for name, shown in called if FILLER in name or FILLER in shown]


def _pair_row(ranking: Ranking, pair: PairOfArms, names: Mapping[ArmName, str], alpha: float) -> tuple[str, ...]:
    return (
        names.get(pair.first, pair.first),
        names.get(pair.second, pair.second),
        metric_text(ranking.metric).label,
        temperature(ranking.temp),
        count(pair.n_pairs),
        effect(pair.difference, pair.ci_low, pair.ci_high, score_unit(ranking.metric)),
        p_value(pair.p, alpha),
        p_value(pair.p_adjusted, alpha),
        "not shown" if pair.ahead is None else names.get(pair.ahead, pair.ahead),
    )


def trend_table(significance: Significance, names: Mapping[ArmName, str]) -> Table:
    """Return the trends along arms in a declared order; without rows where none was declared."""
    rows = _rows(significance.trends)
    order = listing([names.get(name, name) for name in rows[0].arms]) if rows else ""
    return Table(
        "Trend across the arms",
        (
            "Measure", "Temp.", "Items", f"Change per step, points ({level(significance.settings.confidence)} CI)", "p",
            "Adjusted p", "Decision",
        ),
        tuple(_trend_row(row, significance.settings.alpha) for row in rows),
        (
            f"The declared order: {order}. A step goes from one arm to the next; p by sign flips of the items' slopes.",
            *dict.fromkeys(f"{row.reason}." for row in rows if row.reason is not None),
            *_cautions(rows),
        ),
        "lrrrrrl",
    )  # fmt: skip


def _rows(rows: tuple[Trend, ...] | UnsetType) -> tuple[Trend, ...]:
    return () if rows is UNSET else rows


def _trend_row(row: Trend, alpha: float) -> tuple[str, ...]:
    rises = "rises" if (row.slope or 0) > 0 else "falls"
    decision = "not estimable" if row.significant is None else rises if row.significant else "not shown"
    return (
        metric_text(row.metric).label,
        temperature(row.temp),
        count(row.n_items),
        effect(row.slope, row.ci_low, row.ci_high, score_unit(row.metric)),
        p_value(row.p, alpha),
        p_value(row.p_adjusted, alpha),
        decision,
    )


def pooled_table(significance: Significance) -> Table:
    """Return the effects over several data sets; without rows where they were not declared."""
    rows = list(significance.pooled or ())
    weights = (
        "Weighted by inverse variance, from the differences between arms on the items. With five or more data "
        "sets: random effects (DerSimonian and Laird) with the Hartung-Knapp interval; with fewer, one common "
        "effect is assumed, with Meier's standard error and Student's t."
    )
    spread = (
        "Q tests whether the effects differ between data sets; I2 is the share of their variation that is not chance."
    )
    doubt = (
        "If the p-value of Q is below the level, a single effect for all data sets is doubtful: look at each data set."
    )
    table = Table(
        "Effects over several data sets",
        (
            "Measure", "Temp.", "Data sets", f"Difference, points ({level(significance.settings.confidence)} CI)", "p",
            "Q (p)", "I2",
        ),
        tuple(_pooled_row(row) for row in rows),
        (
            weights,
            spread,
            *([doubt] if any(_differ(row, significance.settings.alpha) for row in rows) else []),
            *dict.fromkeys(_left_out(row) for row in rows if row.left_out),
            *dict.fromkeys(f"Not estimable: {row.reason}." for row in rows if row.reason is not None),
            *_cautions(rows),
        ),
        "lrrrrrr",
    )  # fmt: skip
    return with_contrasts(table, rows)


def _cautions(rows: Sequence[Trend | PooledEffect]) -> Iterator[str]:
    """Yield what makes an interval approximate, with the measure that it is said about."""
    yield from dict.fromkeys(f"{metric_text(row.metric).label}: {said}." for row in rows for said in row.cautions or ())


def _differ(row: PooledEffect, alpha: float) -> bool:
    """Return whether one effect is assumed for data sets whose effects differ."""
    return row.method == "inverse_variance" and row.q_p is not None and row.q_p <= alpha


def _left_out(row: PooledEffect) -> str:
    return f"Left out, because they have no pairs: {listing(row.left_out)}."


def _pooled_row(row: PooledEffect) -> tuple[str, ...]:
    heterogeneity = MISSING if row.q is None else f"{significant(row.q)} ({p_value(row.q_p)})"
    return (
        metric_text(row.metric).label,
        temperature(row.temp),
        count(len(row.datasets)),
        effect(row.difference, row.ci_low, row.ci_high, score_unit(row.metric)),
        p_value(row.p),
        heterogeneity,
        MISSING if row.i2 is None else rate(row.i2, 0),
    )
