"""A comparison as people read it, on a terminal and as Markdown. Pure; both show the same tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from promptrial.documents.comparison import Changes, Comparison, GateResult, Pair, Side
from promptrial.documents.significance import Endpoint, Significance
from promptrial.reporting.cells import (
    MISSING,
    Table,
    amount,
    count,
    effect,
    level,
    p_value,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.markup import bullets, inline, table_block
from promptrial.reporting.plain import narrowed, one_line, summary_text, wrapped
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.stopped import alpha_of
from promptrial.reporting.tables.effects import caution_notes
from promptrial.reporting.tables.levels import level_notes
from promptrial.reporting.tables.missing import attrition_notes, sensitivity_notes
from promptrial.reporting.tables.remarks import plain
from promptrial.reporting.tables.words import (
    correction_text,
    listing,
    method_text,
    metric_text,
    score_unit,
    subset_text,
)
from promptrial.stats.margins import PairsNeeded, needed_note

__all__ = ["Section", "as_markdown", "as_text", "failures", "gate_words", "sections", "verdicts"]

_SHOWN_ITEMS: Final = 5
_SHOWN_LINES: Final = 10
_DIGITS: Final = 8
_SPARE: Final = ("Dropped", "Role", "p", "Items", "Pairs", "Run", "Temp.", "Arm")
"""The columns that a narrow terminal does without, first to last; the files hold all of them."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a comparison under a title: sentences, then tables."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]


def as_text(comparison: Comparison, width: int | None = None) -> str:
    """Return a comparison for a terminal, with lines and tables of at most ``width`` columns where that is given."""
    blocks = ["".join(_lines(said, width)) for said in verdicts(comparison)]
    for section in sections(comparison):
        title = "".join(_lines([section.title], width))
        blocks.append(title + "".join(_lines([f"- {text}" for text in section.sentences], width)))
        blocks += [summary_text(narrowed(table, width, _SPARE), width) for table in section.tables]
    return "\n".join(blocks)


def _lines(texts: Iterable[str], width: int | None) -> Iterator[str]:
    for text in texts:
        yield from (f"{line}\n" for line in wrapped(one_line(text), width, "  "))


def as_markdown(comparison: Comparison) -> str:
    """Return a comparison as a page of Markdown."""
    blocks = []
    for index, section in enumerate(sections(comparison)):
        blocks.append(f"{'##' if index else '#'} {inline(section.title)}\n")
        if not index:
            blocks += [f"**{inline(text)}**\n" for said in verdicts(comparison) for text in said]
        blocks += [bullets(section.sentences)] if section.sentences else []
        blocks += [table_block(table) for table in section.tables]
    return "\n".join(blocks)


def verdicts(comparison: Comparison) -> Iterator[list[str]]:
    """Yield what each pair shows, and the warnings beside it; where there are several, each begins with its name."""
    for pair in comparison.pairs:
        if pair.verdict is not None:
            name = f"{pair.a.trial}, the {pair.condition} arm: " if len(comparison.pairs) > 1 else ""
            warned = [f"Warning: {each.text}" for each in pair.verdict.warnings]
            yield [*(f"{name}{sentence}" for sentence in pair.verdict.sentences), *warned]


def gate_words(gate: GateResult, where: str = "") -> str:
    """Return how a gate was decided, in a sentence; ``where`` follows the gate."""
    decided, needed = _outcome(gate), _pairs_needed(gate)
    if gate.reason is not None and gate.limit is None:
        return f"{gate.gate}{where}: {decided}: {gate.reason}{needed}"
    side = "lower" if gate.relation == ">=" else "upper"
    p = f", p = {gate.p:.3g}" if gate.p is not None else ""
    return (
        f"{gate.gate}{where}: {decided}: B minus A is {gate.difference:+.4f}, {side} limit {gate.limit:+.4f} at "
        f"{level(1 - gate.alpha)} one-sided{p}, {gate.n_pairs} pairs ({method_text(gate.method)}){needed}"
    )


def _outcome(gate: GateResult) -> str:
    is_ask = gate.same_requests and gate.method != "same_requests"  # which the reason says
    marks = [mark for mark, holds in (("dry run", gate.dry_run), ("same requests", is_ask)) if holds]
    said = f" ({', '.join(marks)})" if marks else ""
    return f"{'passed' if gate.passed else 'failed'}{said}"


def failures(comparison: Comparison) -> list[str]:
    """Return how each gate that failed was decided; the arm is named where several were compared."""
    return [f"gate {gate_words(gate, _where(gate, comparison))}" for gate in comparison.gates if not gate.passed]


def _where(gate: GateResult, comparison: Comparison) -> str:
    several = len({pair.condition for pair in comparison.pairs}) > 1
    return f" in the {gate.condition} arm" if several else ""


def _pairs_needed(gate: GateResult) -> str:
    """Return how many pairs would show the margin of a gate that failed, as the end of a sentence."""
    if gate.unchanged_pairs_needed is None or gate.pairs_needed is None:
        return ""
    return f"; {needed_note(PairsNeeded(gate.unchanged_pairs_needed, gate.pairs_needed), abs(gate.bound))}"


def sections(comparison: Comparison) -> Iterator[Section]:
    """Yield the parts of a comparison: what there is to know of both runs, then one part a pair."""
    title = f"B, run {comparison.run_b}, compared with A, run {comparison.run_a}"
    gates = (_gates_table(comparison),) if comparison.gates else ()
    yield Section(title, tuple(_about_the_runs(comparison)), gates)
    for each in comparison.pairs:
        pair = msgspec.structs.replace(each, significance=as_shares(each.significance))
        a, b = pair.a.trial, pair.b.trial
        names = a if a == b else f"{a} in A, {b} in B"
        tables = (_effects_table(pair), _changes_table(pair.changes), _costs_table(pair))
        yield Section(f"{names}, the {pair.condition} arm", tuple(_about_the_pair(pair)), tables)


def _about_the_runs(comparison: Comparison) -> Iterator[str]:
    if comparison.passed is not None:
        failed = sum(not gate.passed for gate in comparison.gates)
        total = len(comparison.gates)
        dry = "dry run: " if any(gate.dry_run for gate in comparison.gates) else ""
        yield f"{dry}{failed} of {total} gates failed" if failed else f"{dry}all gates passed ({total})"
    for name, slugs in (("A", comparison.unmatched_a), ("B", comparison.unmatched_b)):
        if slugs:
            yield f"not compared, only in {name}: {', '.join(slugs)}"
    for name, arms in (("A", comparison.arms_only_a), ("B", comparison.arms_only_b)):
        if arms:
            yield f"arms only in {name}: {', '.join(arms)}"
    for name in comparison.aa_runs:
        yield f"{name} is an A/A run: its arms send the same requests"
    yield from _turned_gates(comparison)
    lines = comparison.configuration
    if not lines:
        yield "the configurations are the same"
    for line in lines[:_SHOWN_LINES]:
        yield f"configuration, A -> B: {line}"
    if len(lines) > _SHOWN_LINES:
        yield f"and {len(lines) - _SHOWN_LINES} more lines of the configuration"


def _turned_gates(comparison: Comparison) -> Iterator[str]:
    """Yield a caution for each gate on the side where B is better: half of a test of equivalence, or a slip."""
    wanted = comparison.pairs[0].significance.settings.wanted if comparison.pairs else {}
    harmless = {("higher", "<="): "more", ("lower", ">="): "less"}
    for gate in {gate.gate: gate for gate in comparison.gates}.values():
        better = harmless.get((wanted.get(gate.metric, ""), gate.relation))
        if better:
            yield f"{gate.gate} limits how much better B may be: {better} is better for {gate.metric}"


def _about_the_pair(pair: Pair) -> Iterator[str]:
    for each in pair.agreements:
        if not each.same:
            what = "; ".join(each.differences) or f"SHA-256 {each.a[:_DIGITS]} -> {each.b[:_DIGITS]}"
            yield f"compared despite a difference (--force): {each.aspect}, A -> B: {what}"
    if pair.same_requests:
        yield "both sent the same requests: only chance can make them differ"
    prompts = [_prompt(side) for side in (pair.a, pair.b)]
    yield "the system prompts are the same" if prompts[0] == prompts[1] else f"system prompt: {' -> '.join(prompts)}"


def _prompt(side: Side) -> str:
    return MISSING if side.prompt_sha256 is None else f"SHA-256 {side.prompt_sha256[:_DIGITS]}"


def _gates_table(comparison: Comparison) -> Table:
    several = len({(gate.trial_a, gate.trial_b) for gate in comparison.gates}) > 1
    rows = []
    for gate in comparison.gates:
        trial = (gate.trial_a if gate.trial_a == gate.trial_b else f"{gate.trial_a} / {gate.trial_b}",)
        rows.append((
            gate.gate, *(trial if several else ()), gate.condition, subset_text(gate.scope, gate.subset),
            temperature(gate.temp), count(gate.n_pairs), _number(gate.difference), _number(gate.limit),
            p_value(gate.p, comparison.alpha), _outcome(gate),
        ))  # fmt: skip
    trial_header = ("Trial",) if several else ()
    return Table(
        title="Gates",
        headers=("Gate", *trial_header, "Arm", "Items", "Temp.", "Pairs", "B - A",
                 f"Limit ({level(1 - comparison.alpha)} one-sided)", "p", "Outcome"),
        rows=tuple(rows),
        notes=tuple(dict.fromkeys(note for gate in comparison.gates for note in _gate_notes(gate, comparison))),
        align="l" + "l" * several + "llrrrrrl",
    )  # fmt: skip


def _gate_notes(gate: GateResult, comparison: Comparison) -> Iterator[str]:
    said = [*([gate.reason] if gate.reason else []), *gate.notes]
    if said:
        yield f"{gate.gate}{_where(gate, comparison)}: {'; '.join(said)}{_pairs_needed(gate)}."


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:+.4f}"


def _effects_table(pair: Pair) -> Table:
    """Return the endpoints over all items; those within subsets are in the JSON document."""
    found = pair.significance
    endpoints = [row for row in found.endpoints if row.scope == "overall" and row.n_items > row.n_not_applicable]
    names = {endpoint.family for endpoint in endpoints}
    families = [family for family in found.families if family.name in names]
    reasons = [f"{metric_text(row.metric).label}: {plain(row.reason)}." for row in endpoints if row.reason]
    corrected = filter(None, [correction_text(families)])
    said = (*reasons, *caution_notes(endpoints), *_about_missing(pair, endpoints))
    return Table(
        title="B minus A, over all items in both runs",
        headers=("Measure", "Role", "Temp.", "Pairs", "Dropped", "A", "B",
                 f"Difference, points ({level(found.settings.confidence)} CI)", "p", "Adjusted p"),
        rows=tuple(_effect_row(row, found) for row in endpoints),
        notes=tuple(dict.fromkeys([*level_notes(found, endpoints), *corrected, *said])),
        align="llrrlrrrrr",
    )  # fmt: skip


def _about_missing(pair: Pair, endpoints: Sequence[Endpoint]) -> Iterator[str]:
    """Yield which items are not compared, and what the missing answers of the others may have done."""
    yield from _dropped_items(pair)
    yield from attrition_notes(endpoints, ("A", "B"))
    yield from sensitivity_notes(endpoints)


def _effect_row(row: Endpoint, found: Significance) -> tuple[str, ...]:
    unit, alpha = score_unit(row.metric), alpha_of(found, row)
    decimals = points_decimals(row.ci_low, row.ci_high, unit, row.difference)
    return (
        metric_text(row.metric).label,
        "primary" if row.metric in found.settings.primary else "exploratory",
        temperature(row.temp),
        count(row.n_pairs),
        _dropped(row),
        *(rate(arm.mean_paired, decimals, unit) for arm in row.arms),
        effect(row.difference, row.ci_low, row.ci_high, unit),
        p_value(row.p, alpha),
        p_value(row.p_adjusted, alpha),
    )


def _dropped(row: Endpoint) -> str:
    """Return how many items have no pair, and why; those that the measure does not apply to are none of them."""
    in_a, in_b = row.one_side_only
    parts = (in_a, "scored only in A"), (in_b, "only in B"), (row.n_lost, "in neither")
    said = [f"{count(n)} {why}" for n, why in parts if n]
    return listing(said) or "0"


def _dropped_items(pair: Pair) -> Iterator[str]:
    items = pair.items
    if items.changed or items.only_a or items.only_b:
        yield (
            f"Not compared: {count(items.changed)} items that have the same id but differ, "
            f"{count(items.only_a)} only in A, {count(items.only_b)} only in B."
        )


def _changes_table(changes: Sequence[Changes]) -> Table:
    rows = [
        (temperature(row.temp), count(row.n_pairs), *map(count, (row.n_fixed, row.n_broken, row.n_better, row.n_worse)))
        for row in changes
    ]
    measures = listing(list(dict.fromkeys(metric_text(row.metric).label for row in changes if row.metric)))
    return Table(
        title=f"Items that changed in {measures}" if measures else "Items that changed",
        headers=("Temp.", "Pairs", "Fixed (0 to 1)", "Broken (1 to 0)", "Any gain", "Any loss"),
        rows=tuple(rows),
        notes=tuple(note for row in changes for note in _first_items(row)),
        align="rrrrrr",
    )


def _first_items(row: Changes) -> Iterator[str]:
    for name, keys in (("fixed", row.fixed), ("broken", row.broken)):
        if keys:
            more = f" and {count(len(keys) - _SHOWN_ITEMS)} more" if len(keys) > _SHOWN_ITEMS else ""
            yield f"temp. {temperature(row.temp)}, {name}: {', '.join(keys[:_SHOWN_ITEMS])}{more}"


def _costs_table(pair: Pair) -> Table:
    rows = []
    for name, side in (("A", pair.a), ("B", pair.b)):
        cost = side.cost
        figures = (cost.answered, cost.prompt_tokens, cost.completion_tokens) if cost else (None, None, None)
        rows.append((name, side.run_id, *map(count, figures), amount(cost.usd if cost else None)))
    headers = ("", "Run", "Answered", "Prompt tokens", "Answer tokens", "USD")
    return Table(f"Costs of the {pair.condition} arm", headers, tuple(rows), (), "llrrrr")
