"""The tables behind the decisions: each arm, the discordant pairs, other methods, effect sizes, precision. Pure.

They run over whatever rows the statistics gave, so a new statistic shows up here by itself. All are of the endpoints
over all items; the rows of subsets are in ``significance.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from promptrial.documents.significance import (
    DETECTABLE,
    SCORE_QUANTITIES,
    SIDES,
    ArmMean,
    Endpoint,
    Estimate,
    Significance,
)
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting.cells import (
    MISSING,
    ScoreUnit,
    Table,
    count,
    effect,
    interval,
    level,
    p_value,
    points,
    points_decimals,
    rate,
    significant,
    temperature,
)
from promptrial.reporting.tables.contrasts import SIDE_HEADERS, contrast_suffix, with_contrasts
from promptrial.reporting.tables.effects import overall_endpoints
from promptrial.reporting.tables.remarks import plain
from promptrial.reporting.tables.words import method_text, metric_text, quantity_text, score_unit

__all__ = [
    "arms_table",
    "binary_table",
    "effect_sizes_table",
    "methods_table",
    "precision_table",
    "selective_table",
]

_ODDS_NOTE: Final = (
    f"The odds ratio is {SIDES[1]}-only pairs over {SIDES[0]}-only pairs; only these discordant pairs contribute to it."
)
_PRECISION_NOTES: Final = (
    "The design effect says how many times larger the variance is because items share passages.",
    "A true difference smaller than the detectable one would often be missed by a trial of this size.",
)
_SELECTIVE_NOTES: Final = (
    (
        "Coverage is the share of items on which an arm does not abstain; selective accuracy is the share of those "
        "that are correct."
    ),
    (
        "The arms may answer different items: selective accuracy reflects both correctness and the choice of what "
        "to answer."
    ),
)
_NOT_SELECTIVE: Final = (
    "Requires a correctness scorer, an abstention scorer, and questions that have both scores in both arms."
)


def arms_table(significance: Significance) -> Table:
    """Return each arm on its own: the mean over all of its scored items, which may be more than the pairs."""
    confidence = level(significance.settings.confidence)
    means: dict[tuple[str, float], dict[ArmName, ArmMean]] = {}
    for row in overall_endpoints(significance):
        arms = means.setdefault((row.metric, row.temp), {})
        for arm, mean in zip(row.compared.sides, row.arms, strict=True):
            arms.setdefault(arm, mean)
    return Table(
        title="Each arm on its own",
        headers=("Measure", "Temp.", "Arm", "Scored items", f"Mean ({confidence} CI)", "Interval by"),
        rows=tuple(
            (
                metric_text(name).label,
                temperature(temp),
                arm,
                count(mean.n_scored),
                *_arm_cells(mean, score_unit(name)),
            )
            for (name, temp), arms in means.items()
            for arm, mean in arms.items()
        ),
        notes=("Overlapping intervals do not mean that the arms are equal: the arms are compared item by item.",),
        align="lrlrrl",
    )


def binary_table(significance: Significance) -> Table:
    """Return the pairs of each 0/1 endpoint by outcome, McNemar's p-values and the odds ratio of discordant pairs."""
    rows = [row for row in _overall(significance) if row.method == "mcnemar"]
    odds = {_endpoint(row): row for row in rows if row.quantity == "odds_ratio"}
    shown = [row for row in rows if row.quantity == "risk_difference"]
    table = Table(
        title="Pairs of 0/1 endpoints",
        headers=(
            "Measure",
            "Temp.",
            "Pairs",
            "1 in both",
            *(f"{side} only" for side in reversed(SIDE_HEADERS)),
            "0 in both",
            "Mid-p",
            "Exact p",
            f"Odds ratio ({level(significance.settings.confidence)} CI)",
        ),
        rows=tuple((*_label(row), *_table_cells(row), _odds_cell(odds.get(_endpoint(row)))) for row in shown),
        notes=(
            _ODDS_NOTE,
            *_notes(rows, _by_method),
        ),
        align="lrrrrrrrrr",
        none="No endpoint has 0/1 scores in pairs.",
    )
    return with_contrasts(table, shown)


def methods_table(significance: Significance) -> Table:
    """Return what every method makes of the same effects, the one that decides marked."""
    decides = {_endpoint(row): row.p_method for row in overall_endpoints(significance)}
    apart = {"odds_ratio", "equivalence", "non_inferiority"}  # shown in tables of their own
    rows = [row for row in _overall(significance) if row.method != "effect_size" and row.quantity not in apart]
    confidence = significance.settings.confidence
    table = Table(
        title="The same effects by every method",
        headers=(
            "Measure",
            "Temp.",
            "Pairs",
            "Method",
            "Quantity",
            f"Estimate ({level(confidence)} CI)",
            "p",
            "Decides",
        ),
        rows=tuple(
            (
                *_label(row),
                method_text(row.method),
                _quantity(row),
                _estimate_cell(row, confidence),
                p_value(row.p),
                "yes" if decides[_endpoint(row)] == row.method else "",
            )
            for row in rows
        ),
        notes=(
            "These p-values are not adjusted. The deciding method is fixed by the design, whatever the results.",
            *_notes(rows, _by_method),
        ),
        align="lrrllrrl",
        none="No effect was estimated.",
    )
    return with_contrasts(table, rows)


def effect_sizes_table(significance: Significance) -> Table:
    """Return the effects in units that can be compared."""
    rows = [row for row in _overall(significance) if row.method == "effect_size"]
    confidence = significance.settings.confidence
    table = Table(
        title="Effect sizes",
        headers=("Measure", "Temp.", "Pairs", "Effect size", f"Estimate ({level(confidence)} CI)"),
        rows=tuple((*_label(row), _quantity(row), _estimate_cell(row, confidence)) for row in rows),
        notes=_notes(rows, _by_quantity),
        align="lrrlr",
        none="No effect size was computed.",
    )
    return with_contrasts(table, rows)


def precision_table(significance: Significance) -> Table:
    """Return how precise the differences are, and how large a difference these data could have shown."""
    rows = [row for row in _overall(significance) if row.method == "paired_difference"]
    clustered = any(row.clustered for row in overall_endpoints(significance))
    table = Table(
        title="Precision",
        headers=(
            "Measure",
            "Temp.",
            "Pairs",
            *(["Clusters"] if clustered else []),
            "SE, points",
            "SE if independent, points",
            "Design effect",
            "Effective pairs",
            "Detectable at 80% power, points",
        ),
        rows=tuple(
            (*_label(row), *([count(row.n_clusters)] if clustered else []), *_precision_cells(row)) for row in rows
        ),
        notes=(*(_PRECISION_NOTES if rows else ()), *_undetectable(rows)),
        align=f"lrr{'r' * clustered}rrrrr",
        none="No differences of pairs were computed.",
    )
    return with_contrasts(table, rows)


def selective_table(significance: Significance) -> Table:
    """Return coverage and selective accuracy: how often an arm answers, and how often it is right when it does."""
    rows = [row for row in significance.selective if row.scope == "overall"]
    reasons = (
        f"{metric_text(row.metric).label}{contrast_suffix(row)}, {row.quantity}: {plain(row.reason)}."
        for row in rows
        if row.reason is not None
    )
    table = Table(
        title="Coverage and selective accuracy",
        headers=("Measure", "Temp.", "Pairs", "Of", f"Value ({level(significance.settings.confidence)} CI)"),
        rows=tuple(
            (
                *_label(row),
                f"{row.quantity}, points" if row.quantity == "difference" else row.quantity,
                effect(row.estimate, row.ci_low, row.ci_high) if row.quantity == "difference" else _rate_cell(row),
            )
            for row in rows
        ),
        notes=(*(_SELECTIVE_NOTES if rows else (_NOT_SELECTIVE,)), *reasons),
        align="lrrlr",
        none="Neither was computed.",
    )
    return with_contrasts(table, rows)


def _overall(significance: Significance) -> list[Estimate]:
    """Return the estimates over all items, in the order in which the endpoints are shown."""
    shown = {_endpoint(row): place for place, row in enumerate(overall_endpoints(significance))}
    rows = [row for row in significance.estimates if row.scope == "overall" and _endpoint(row) in shown]
    return sorted(rows, key=lambda row: shown[_endpoint(row)])


def _endpoint(row: Estimate | Endpoint) -> tuple[Contrast, str, float]:
    return row.compared, row.metric, row.temp


def _label(row: Estimate | Endpoint) -> tuple[str, str, str]:
    return metric_text(row.metric).label, temperature(row.temp), count(row.n_pairs)


def _arm_cells(mean: ArmMean, unit: ScoreUnit) -> tuple[str, str]:
    decimals = points_decimals(mean.ci_low, mean.ci_high, unit)
    value = rate(mean.mean, decimals, unit)
    if mean.mean is not None:
        low, high = (rate(limit, decimals, unit) for limit in (mean.ci_low, mean.ci_high))
        value += f" ({low} to {high})" if mean.ci_method else f" ({MISSING})"
    return value, method_text(mean.ci_method)


def _table_cells(row: Estimate) -> tuple[str, ...]:
    counts = [row.figures.get(name) for name in ("both", "treatment_only", "control_only", "neither")]
    p_values = [row.figures.get(name) for name in ("p_midp", "p_exact")]
    return (*(MISSING if value is None else count(int(value)) for value in counts), *map(p_value, p_values))


def _odds_cell(row: Estimate | None) -> str:
    return MISSING if row is None else _with_interval(significant(row.estimate), _plain_interval(row))


def _rate_cell(row: Estimate) -> str:
    if row.estimate is None:
        return MISSING
    if row.ci_low is None or row.ci_high is None:
        return f"{rate(row.estimate)} ({MISSING})"
    decimals = points_decimals(row.ci_low, row.ci_high)
    return f"{rate(row.estimate, decimals)} ({rate(row.ci_low, decimals)} to {rate(row.ci_high, decimals)})"


def _quantity(row: Estimate) -> str:
    """Return what is estimated; the unit of an estimate that is not in percentage points is given with its value."""
    text = quantity_text(row.quantity)
    return text.removesuffix(", points") if score_unit(row.metric).name else text


def _estimate_cell(row: Estimate, confidence: float) -> str:
    """Return an estimate with its interval, in points where it is on the scale of the scores."""
    if row.quantity in SCORE_QUANTITIES:
        unit = score_unit(row.metric)
        decimals = points_decimals(row.ci_low, row.ci_high, unit, row.estimate)
        value, limits = points(row.estimate, decimals, unit), interval(row.ci_low, row.ci_high, decimals, unit)
        value = f"{value} {unit.name}" if unit.name and row.estimate is not None else value
    else:
        value, limits = significant(row.estimate), _plain_interval(row)
    if limits != MISSING and row.confidence != confidence:
        limits += MISSING if row.confidence is None else f", {level(row.confidence)}"
    return _with_interval(value, limits)


def _plain_interval(row: Estimate) -> str:
    if row.ci_low is None and row.ci_high is None:
        return MISSING
    if row.ci_high is None:
        return f"from {significant(row.ci_low)}"
    return f"{significant(row.ci_low)} to {significant(row.ci_high)}"


def _with_interval(value: str, limits: str) -> str:
    return value if limits == MISSING else f"{value} ({limits})"


def _undetectable(rows: Sequence[Estimate]) -> tuple[str, ...]:
    """Return what it means that no detectable difference is given, where that is so."""
    if all(row.figures.get(DETECTABLE) is not None for row in rows):
        return ()
    return (
        (
            f"The detectable difference is left out ({MISSING}) if too few pairs or clusters differ for any result to "
            "be significant, or if it would be larger than the scores allow."
        ),
    )


def _precision_cells(row: Estimate) -> tuple[str, ...]:
    figures = row.figures
    errors = [figures.get(name) for name in ("se", "se_naive")]
    plain = [figures.get(name) for name in ("design_effect", "n_effective")]
    detectable = figures.get(DETECTABLE)
    unit = score_unit(row.metric)
    return (
        *(_scaled(value, unit) for value in errors),
        *map(significant, plain),
        _scaled(detectable, unit),
    )


def _scaled(value: float | None, unit: ScoreUnit) -> str:
    if value is None:
        return MISSING
    text = significant(unit.width * value)
    return f"{text} {unit.name}" if unit.name else text


def _notes(rows: Sequence[Estimate], subject: Callable[[Estimate], str]) -> tuple[str, ...]:
    """Return what the rows remark: each remark once, with its subject and the endpoints that it is about."""
    several = len({row.temp for row in rows}) > 1
    remarks: dict[str, dict[str, None]] = {}
    for row in rows:
        where = (
            metric_text(row.metric).label + (f" at {temperature(row.temp)}" if several else "") + contrast_suffix(row)
        )
        for text in (*row.notes, *(() if row.reason is None else (row.reason,))):
            remarks.setdefault(f"{subject(row)}: {plain(text)}", {})[where] = None
    return tuple(f"{text[0].upper()}{text[1:]} ({_separated(where)})." for text, where in remarks.items())


def _separated(names: Collection[str]) -> str:
    """Return names with commas between them, or semicolons where a name has a comma in it."""
    return ("; " if any("," in name for name in names) else ", ").join(names)


def _by_method(row: Estimate) -> str:
    return method_text(row.method)


def _by_quantity(row: Estimate) -> str:
    return quantity_text(row.quantity).removesuffix(", points")
