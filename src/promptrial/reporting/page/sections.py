"""The parts of the page below the first screen, one trial at a time: tables, plots and prompts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from promptrial.documents.significance import Significance
from promptrial.reporting import tables
from promptrial.reporting.cells import Table, rate
from promptrial.reporting.details import reading_sentences
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.labels import AGREEMENT, agreement_lines, agreement_tables
from promptrial.reporting.page.compared import compared_words
from promptrial.reporting.page.content import Distribution, TrialPage
from promptrial.reporting.page.first import further_effects_html
from promptrial.reporting.page.markup import details, figure, paragraphs, section, shown, table_html
from promptrial.reporting.plots.bars import attrition_plot, costs_plot
from promptrial.reporting.plots.power import power_plot
from promptrial.reporting.plots.scores import bin_text, distribution_plot, selective_plot, selective_points
from promptrial.reporting.powered import PowerCurve, no_curve, power_table
from promptrial.reporting.tables.words import metric_text

__all__ = ["distribution_blocks", "trial_sections"]


def trial_sections(page: TrialPage, at: int) -> Iterator[tuple[str, str, str]]:
    """Yield the parts of the trial at a place among those of the page: name, title and HTML, empty without anything.

    The name is the id of its heading, except for the number of the trial.
    """
    result, suffix = page.result, f"-{at + 1}" if at else ""
    parts = {
        "effects": ("Effects", _effects(result, suffix)),
        "subsets": ("Effects within subsets", _subsets(result.significance)),
        "agreement": (AGREEMENT, _agreement(result)),
        "scores": ("Scores by arm", _scores(page, suffix)),
        "power": ("Power", _power(page.power, suffix)),
        "missing": ("Missing answers", _missing(result.significance, suffix)),
        "judges": ("Judges", iter([table_html(tables.judges_table(result.facts.judged))])),
        "cost": ("Cost", _cost(result, suffix)),
        "latency": ("Latency", iter([table_html(tables.latency_table(result.facts.latency))])),
        "prompts": ("Prompts", _prompts(result) if page.packed is not None else iter(())),
        "method": ("How to read it", _method(result.significance)),
        "origin": ("Provenance", _origin(result)),
    }
    for name, (title, blocks) in parts.items():
        yield name, title, section(f"{name}{suffix}", title, *blocks)


def _effects(result: TrialResult, suffix: str) -> Iterator[str]:
    significance, names = result.significance, result.facts.arm_labels
    for table in tables.many_arms_tables(significance, names):
        yield table_html(table)
    yield further_effects_html(significance, names, suffix)
    yield table_html(tables.primary_table(significance))
    yield table_html(tables.looks_table(significance))
    yield table_html(tables.missing_rule_table(significance))
    yield table_html(tables.exploratory_table(significance))
    yield table_html(tables.equivalence_table(significance))
    more = (tables.arms_table, tables.selective_table, tables.methods_table, tables.binary_table)
    further = (*more, tables.effect_sizes_table, tables.precision_table)
    yield details("Behind the decisions", "".join(table_html(each(significance)) for each in further))


def _subsets(significance: Significance) -> Iterator[str]:
    for scope in dict.fromkeys(row.scope for row in significance.endpoints if row.scope != "overall"):
        yield table_html(tables.subgroup_table(significance, scope))
        yield table_html(tables.interaction_table(significance, scope))


def _agreement(result: TrialResult) -> Iterator[str]:
    yield paragraphs(agreement_lines(result.agreement))
    for table in agreement_tables(result.agreement):
        yield table_html(table)


def _scores(page: TrialPage, suffix: str) -> Iterator[str]:
    points = selective_points(page.result.significance)
    if points:
        yield figure(partial(selective_plot, points), f"selective{suffix}")
    yield from distribution_blocks(page.distributions, suffix)


def distribution_blocks(distributions: Iterable[Distribution], suffix: str = "") -> Iterator[str]:
    """Yield how the scores of each continuous scorer are distributed in each arm: as a plot, and as a table."""
    for number, each in enumerate(distributions, 1):
        label = metric_text(each.scorer).label
        yield figure(partial(distribution_plot, label, each.shares, *each.ends), f"distribution{suffix}-{number}")
        yield details(f"Distribution of {label} as a table", table_html(_distribution_table(label, each)))


def _distribution_table(label: str, found: Distribution) -> Table:
    """Return the share of the items of each arm in each bin that has any."""
    bins = len(next(iter(found.shares.values()), ()))
    rows = tuple(
        (bin_text(at, bins, *found.ends), *(rate(shares[at]) for shares in found.shares.values()))
        for at in range(bins)
        if any(shares[at] for shares in found.shares.values())
    )
    notes = ("Share of each arm's items. A score at the upper end of a bin counts in the next bin.",)
    return Table(f"Distribution of {label}", (label, *found.shares), rows, notes, "l" + "r" * len(found.shares))


def _power(curves: Sequence[PowerCurve], suffix: str) -> Iterator[str]:
    for number, curve in enumerate(curves, 1):
        if curve.points:
            yield figure(partial(power_plot, [curve]), f"power{suffix}-{number}")
            yield table_html(power_table(curve))
        else:
            yield paragraphs([no_curve(curve)])


def _missing(significance: Significance, suffix: str) -> Iterator[str]:
    if significance.attrition:
        yield figure(partial(attrition_plot, significance.attrition), f"attrition{suffix}")
    yield table_html(tables.attrition_table(significance))
    yield details("Pairs and bounds", "".join(
        table_html(each(significance)) for each in (tables.pairs_table, tables.bounds_table)))  # fmt: skip


def _cost(result: TrialResult, suffix: str) -> Iterator[str]:
    costs = {name: cost.usd for name, cost in result.costs.conditions.items()}
    yield figure(partial(costs_plot, costs), f"costs{suffix}")
    yield table_html(tables.costs_table(result.costs, is_mixed=result.facts.run.is_mixed))


def _method(significance: Significance) -> Iterator[str]:
    yield "<ul>" + "".join(f"<li>{shown(text)}</li>" for text in reading_sentences(significance)) + "</ul>\n"


def _origin(result: TrialResult) -> Iterator[str]:
    facts, significance = result.facts, result.significance
    yield table_html(tables.design_table(facts, significance))
    yield table_html(tables.datasets_table(facts.run))
    yield table_html(tables.questions_table(significance))
    yield table_html(tables.provenance_table(facts, significance))


def _prompts(result: TrialResult) -> Iterator[str]:
    """Yield the first prompt, and each other with the words that differ from it."""
    trial, names = result.facts.trial, result.facts.prompt_names
    first = trial.prompts[trial.arms_run[0]].text if trial.arms_run else ""
    for at, arm in enumerate(trial.arms_run):
        text = trial.prompts[arm].text
        label = f"{arm} ({names[arm]})" if arm in names else arm
        yield f"<h3>{shown(label)}</h3>\n<pre>{compared_words(first, text) if at else shown(text)}</pre>\n"
