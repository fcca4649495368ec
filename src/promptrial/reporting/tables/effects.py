"""The tables of effects and decisions: primary, exploratory, by subset, equivalence. Pure.

Every row says on how many pairs it rests. Effects are the second side of a contrast minus the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from promptrial.documents.significance import (
    Endpoint,
    Estimate,
    HypothesisTest,
    Interaction,
    Scope,
    Significance,
)
from promptrial.documents.subgroups import subgroup_of
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting.cells import (
    MISSING,
    Table,
    count,
    effect,
    effect_in_words,
    level,
    margin,
    p_phrase,
    p_value,
    points_decimals,
    rate,
    significant,
    temperature,
)
from promptrial.reporting.stopped import alpha_of
from promptrial.reporting.tables.contrasts import SIDE_HEADERS, contrast_suffix, with_contrasts
from promptrial.reporting.tables.levels import common_confidence, level_notes
from promptrial.reporting.tables.margins import margin_decision
from promptrial.reporting.tables.missing import attrition_notes, scope_phrase
from promptrial.reporting.tables.remarks import plain
from promptrial.reporting.tables.words import (
    correction_text,
    direction,
    listing,
    method_text,
    metric_text,
    quantity_text,
    score_unit,
    subset_text,
)

__all__ = [
    "caution_notes",
    "decision",
    "decision_text",
    "equivalence_table",
    "exploratory_endpoints",
    "exploratory_table",
    "interaction_notes",
    "interaction_table",
    "overall_endpoints",
    "paired_means",
    "primary_endpoints",
    "primary_table",
    "subgroup_table",
]


_Place = tuple[Contrast, str, float, Scope, str, str]
_MarginRows = Mapping[_Place, Estimate]


def overall_endpoints(significance: Significance) -> list[Endpoint]:
    """Return the endpoints over all items, primary ones first."""
    return [*primary_endpoints(significance), *exploratory_endpoints(significance)]


def primary_endpoints(significance: Significance) -> list[Endpoint]:
    """Return the confirmatory endpoints: the measures that were declared primary, over all items."""
    primary = significance.settings.primary
    return [row for row in significance.endpoints if row.scope == "overall" and row.metric in primary]


def exploratory_endpoints(significance: Significance) -> list[Endpoint]:
    """Return the other endpoints over all items."""
    primary = significance.settings.primary
    return [row for row in significance.endpoints if row.scope == "overall" and row.metric not in primary]


def primary_table(significance: Significance) -> Table:
    """Return the confirmatory results."""
    return _effects_table("Primary endpoints", significance, primary_endpoints(significance))


def exploratory_table(significance: Significance) -> Table:
    """Return the results of the other measures over all items."""
    return _effects_table("Exploratory endpoints", significance, exploratory_endpoints(significance))


def subgroup_table(significance: Significance, scope: Scope) -> Table:
    """Return the results within each subset of a kind: by data set, by type, or by a column of the questions."""
    rows = [row for row in significance.endpoints if row.scope == scope]
    titles = {"dataset": "By data set", "type": "By item type"}
    table = _effects_table(
        titles.get(scope, f"By {subgroup_of(scope)}"),
        significance,
        rows,
        lead=("Subset", lambda row: subset_text(scope, row.subset)),
    )
    caution = (
        "An effect can be significant in one subset and not in another without the subsets differing; the table below "
        "tests whether the effects differ."
    )
    return Table(table.title, table.headers, table.rows, (*table.notes, caution), table.align)


def interaction_table(significance: Significance, scope: Scope) -> Table:
    """Return the tests of whether the effect differs between subsets of a kind; without rows in older documents."""
    rows = [row for row in significance.interactions if row.scope == scope]
    kinds = {"dataset": "data sets", "type": "item types"}
    untested = [row for row in rows if row.reason is not None]
    if subgroup_of(scope) is None:
        reasons = [f"{_compared(row)}: {row.reason}." for row in untested]
    else:  # 20 values make 190 comparisons of each endpoint, so each reason is given once
        reasons = list(dict.fromkeys(f"Not estimable: {row.reason}." for row in untested))
    table = Table(
        title=f"Differences in effect between {kinds.get(scope, f'values of {subgroup_of(scope)}')}",
        headers=(
            "Subset",
            "Minus",
            "Measure",
            "Temp.",
            "Pairs",
            f"Difference in effect, points ({level(significance.settings.confidence)} CI)",
            "p",
            "Adjusted p",
            "Decision",
        ),
        rows=tuple(_interaction_row(row, significance.settings.alpha) for row in rows),
        notes=(
            "p and interval by Welch's t with clustered, bias-reduced standard errors (CR2).",
            *_family_notes(significance, (row.family for row in rows)),
            *reasons,
        ),
        align="lllrrrrrl",
    )
    return with_contrasts(table, rows)


def equivalence_table(significance: Significance) -> Table:
    """Return the tests against a margin; without rows when no margin was given."""
    rows = {
        (row.compared, row.metric, row.temp, row.scope, row.subset, row.quantity): row for row in significance.estimates
    }
    tests = [test for test in significance.tests if test.hypothesis != "difference"]
    table = Table(
        title="Equivalence and non-inferiority",
        headers=(
            "Measure",
            "Subset",
            "Temp.",
            "Hypothesis",
            "Pairs",
            "Margin, points",
            f"Difference, points ({level(1 - 2 * significance.settings.alpha)} CI)",
            "p",
            "Adjusted p",
            "Decision",
        ),
        rows=tuple(_margin_row(test, rows.get(_place(test)), significance.settings.alpha) for test in tests),
        notes=(
            "Equivalence: the difference lies within the margin on both sides. Non-inferiority looks at one side only.",
            *_family_notes(significance, (test.family for test in tests)),
            *_margin_notes(tests, rows),
        ),
        align="llrlrrrrrl",
    )
    return with_contrasts(table, tests)


def _place(test: HypothesisTest) -> _Place:
    return test.compared, test.metric, test.temp, test.scope, test.subset, test.hypothesis


def interaction_notes(significance: Significance, names: Mapping[ArmName, str] | None = None) -> Iterator[str]:
    """Yield where the effect on a primary endpoint differs between subsets."""
    for row in significance.interactions:
        if row.significant and row.metric in significance.settings.primary:
            figures = effect_in_words(row.difference, row.ci_low, row.ci_high, score_unit(row.metric))
            p = p_phrase(row.p_adjusted, significance.settings.alpha)
            yield f"{_compared(row, names)}: the effects differ by {figures} (adjusted {p})."


def decision(endpoint: Endpoint) -> str:
    """Return what the designated test decided, with the direction when it is significant."""
    return decision_text(endpoint, significant=endpoint.significant)


def decision_text(endpoint: Endpoint, *, significant: bool | None) -> str:
    """Return a decision in words, which a correction over more tests than the endpoint's own family may have made.

    ``not applicable``, ``not estimable``, ``not tested``, ``not significant: the two tests disagree`` (the
    sign flips alone would reject, but the score test for sparse data would not), ``not significant``, or significant
    and where.
    """
    if _applies_to_none(endpoint):
        return "not applicable"
    if significant:
        return f"significant: {endpoint.compared.treatment} {direction(endpoint.difference)}"
    if endpoint.clusters_needed is not None:
        units = "cluster" if endpoint.clustered else "pair"
        return f"not estimable with {count(endpoint.n_clusters)} {units}{'' if endpoint.n_clusters == 1 else 's'}"
    if significant is None:
        return "not estimable" if endpoint.difference is None else "not tested"
    return "not significant: the two tests disagree" if endpoint.not_shown else "not significant"


def _effects_table(
    title: str,
    significance: Significance,
    endpoints: Sequence[Endpoint],
    lead: tuple[str, Callable[[Endpoint], str]] | None = None,
) -> Table:
    clustered = any(endpoint.clustered for endpoint in endpoints)
    headers: tuple[str, ...] = (
        "Measure",
        "Temp.",
        "Pairs",
        *(["Clusters"] if clustered else []),
        *SIDE_HEADERS,
        f"Difference, points ({level(common_confidence(significance, endpoints))} CI)",
        "p",
        "Adjusted p",
        "Decision",
    )
    rows: list[tuple[str, ...]] = [_effect_row(significance, endpoint, clustered=clustered) for endpoint in endpoints]
    align = f"lrrr{'r' * clustered}rrrrl"
    if lead is not None:
        headers, align = (lead[0], *headers), "l" + align
        rows = [(lead[1](endpoint), *row) for endpoint, row in zip(endpoints, rows, strict=True)]
    return with_contrasts(Table(title, headers, tuple(rows), _effect_notes(significance, endpoints), align), endpoints)


def _effect_row(significance: Significance, endpoint: Endpoint, *, clustered: bool) -> tuple[str, ...]:
    alpha = alpha_of(significance, endpoint)
    return (
        metric_text(endpoint.metric).label,
        temperature(endpoint.temp),
        count(endpoint.n_pairs),
        *([count(endpoint.n_clusters)] if clustered else []),
        *paired_means(endpoint),
        effect(endpoint.difference, endpoint.ci_low, endpoint.ci_high, score_unit(endpoint.metric)),
        _p_cell(endpoint, alpha),
        p_value(endpoint.p_adjusted, alpha),
        _decided(significance, endpoint),
    )


def _decided(significance: Significance, endpoint: Endpoint) -> str:
    """Return what was decided; by the test against a margin where that shows what the test of a difference cannot."""
    found = margin_decision(significance, endpoint)
    return decision(endpoint) if found is None else found.replace("_", " ")


def _p_cell(endpoint: Endpoint, alpha: float) -> str:
    """Return the p-value, with its Monte Carlo standard error where it was sampled."""
    error = endpoint.monte_carlo_se
    text = p_value(endpoint.p, alpha)
    return f"{text} (SE {significant(error, 1)})" if error else text


def paired_means(endpoint: Endpoint) -> tuple[str, str]:
    """Return the mean of each arm over the pairs, so that their difference is the one shown."""
    unit = score_unit(endpoint.metric)
    decimals = points_decimals(endpoint.ci_low, endpoint.ci_high, unit, endpoint.difference)
    first, second = (rate(arm.mean_paired, decimals, unit) for arm in endpoint.arms)
    return first, second


def _effect_notes(significance: Significance, endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    families = _family_notes(significance, (endpoint.family for endpoint in endpoints))
    said = (*_reasons(endpoints), *caution_notes(endpoints), *attrition_notes(endpoints))
    return (*level_notes(significance, endpoints), *_method_notes(endpoints), *families, *said)


def _method_notes(endpoints: Iterable[Endpoint]) -> Iterator[str]:
    """Yield which endpoints were tested and estimated by which methods."""
    groups: dict[tuple[str, str | None], dict[str, None]] = {}
    for endpoint in endpoints:
        if endpoint.p_method is not None:
            metrics = groups.setdefault((endpoint.p_method, endpoint.ci_method), {})
            metrics[metric_text(endpoint.metric).label] = None
    for (p_method, ci_method), metrics in groups.items():
        yield f"{listing(list(metrics))}: {_by_methods(p_method, ci_method)}."


_WIDER: Final = (
    "p is the larger of two, from sign flips and from the score test on effective counts; the interval has the wider "
    "limits of the two. Effective counts are numbers of pairs, divided by the design effect"
)
"""How sparse 0/1 scores in clusters are tested and estimated."""


def _by_methods(p_method: str, ci_method: str | None) -> str:
    """Return in words where a p-value and an interval come from."""
    if ci_method == "sign_flips_hull":
        return _WIDER
    test = f"{'the ' if p_method in {'score', 'exact_unconditional'} else ''}{method_text(p_method)}"
    return f"p by {test}; {'no interval' if ci_method is None else f'interval by {method_text(ci_method)}'}"


def _family_notes(significance: Significance, names: Iterable[str | None]) -> tuple[str, ...]:
    wanted = set(names)
    text = correction_text([family for family in significance.families if family.name in wanted])
    return (text,) if text else ()


def _reasons(endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    reasons = (
        f"{metric_text(row.metric).label} "
        f"({scope_phrase(contrast_suffix(row), subset_text(row.scope, row.subset), row.temp)}): {plain(row.reason)}."
        for row in endpoints
        if row.reason is not None and not _applies_to_none(row)
    )
    return tuple(dict.fromkeys(reasons))


def caution_notes(endpoints: Iterable[Endpoint]) -> Iterator[str]:
    """Yield what has to be known beside the effects: the endpoints of one caution together."""
    groups: dict[tuple[str, str, str, float], dict[str, None]] = {}
    for row in endpoints:
        for caution in row.cautions:
            key = caution, contrast_suffix(row), subset_text(row.scope, row.subset), row.temp
            groups.setdefault(key, {})[metric_text(row.metric).label] = None
    for (caution, contrast, subset, temp), metrics in groups.items():
        yield f"{listing(list(metrics))} ({scope_phrase(contrast, subset, temp)}): {plain(caution)}."


def _applies_to_none(endpoint: Endpoint) -> bool:
    return endpoint.n_items == endpoint.n_not_applicable


def _interaction_row(row: Interaction, alpha: float) -> tuple[str, ...]:
    verdicts = {None: "not estimable", True: "the effects differ", False: "no significant difference"}
    return (
        subset_text(row.scope, row.subset),
        subset_text(row.scope, row.other),
        metric_text(row.metric).label,
        temperature(row.temp),
        f"{count(row.n_pairs)} / {count(row.n_pairs_other)}",
        effect(row.difference, row.ci_low, row.ci_high, score_unit(row.metric)),
        p_value(row.p, alpha),
        p_value(row.p_adjusted, alpha),
        verdicts[row.significant],
    )


def _compared(row: Interaction, names: Mapping[ArmName, str] | None = None) -> str:
    subsets = f"{subset_text(row.scope, row.subset)} minus {subset_text(row.scope, row.other)}"
    return (
        f"{metric_text(row.metric).label}{contrast_suffix(row, names)}, {subsets}, temperature {temperature(row.temp)}"
    )


def _margin_notes(tests: Iterable[HypothesisTest], rows: _MarginRows) -> Iterator[str]:
    """Yield by which test each margin was tested, and how many pairs one that was not shown would need."""
    groups: dict[str, dict[str, None]] = {}
    for test in tests:
        row = rows.get(_place(test))
        for note in () if row is None else (*row.notes, *([] if row.reason is None else [row.reason])):
            where = f"{metric_text(test.metric).label}{contrast_suffix(test)}, {quantity_text(test.hypothesis)}"
            groups.setdefault(note, {})[where] = None
    yield from (f"{'; '.join(where)}: {note}." for note, where in groups.items())


def _margin_row(test: HypothesisTest, estimate: Estimate | None, alpha: float) -> tuple[str, ...]:
    verdicts = {None: "not estimable", True: "shown", False: "not shown"}
    width = None if estimate is None else estimate.figures.get("margin")
    unit, marks = score_unit(test.metric), () if width is None else (-width, width)
    return (
        metric_text(test.metric).label,
        subset_text(test.scope, test.subset),
        temperature(test.temp),
        quantity_text(test.hypothesis),
        MISSING if estimate is None else count(estimate.n_pairs),
        MISSING if width is None else margin(width, unit),
        MISSING if estimate is None else effect(estimate.estimate, estimate.ci_low, estimate.ci_high, unit, marks),
        p_value(test.p, alpha),
        p_value(test.p_adjusted, alpha),
        verdicts[test.rejected],
    )
