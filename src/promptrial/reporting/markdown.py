"""The pages ``report.md`` and ``aggregate_report.md``: the verdict first, then what it rests on, in short.

Everything else about a trial is in ``details.md``. The same values give the same bytes. Everything that comes from
outside is escaped by ``markup``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from promptrial.documents.significance import SIDES, Endpoint, Significance
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting import tables
from promptrial.reporting.cells import MISSING, count, counted, level
from promptrial.reporting.details import ITEM_TEXT, POWER_PLOT, agreement_section, dry_run_block, question_block
from promptrial.reporting.facts import OneControl, RunFacts, TrialResult
from promptrial.reporting.markup import bullets, inline, line, page, section, table_block, table_blocks
from promptrial.reporting.money import cost_lines
from promptrial.reporting.plain import one_line
from promptrial.reporting.plots.arms import arms_plots
from promptrial.reporting.plots.bars import Changed, changed_plot
from promptrial.reporting.plots.forest import forest_of
from promptrial.reporting.plots.power import power_plot
from promptrial.reporting.powered import PowerCurve
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.summary import missing_sentence, run_sentences
from promptrial.reporting.tables import PrimaryKey, Table
from promptrial.reporting.tables.aggregate import ONE_CONTROL, one_control_text
from promptrial.reporting.tables.contrasts import named_contrast
from promptrial.reporting.tables.margins import margin_reading
from promptrial.reporting.tables.missing import sensitivity_notes
from promptrial.reporting.tables.words import listing, metric_text
from promptrial.reporting.verdict import Verdict, all_arms, trial_verdict

__all__ = ["MOST_CHANGED", "ChangedItem", "WhatChanged", "aggregate_report", "trial_plots", "trial_report"]

_FOREST_PLOT: Final = "forest.svg"
_CHANGED_PLOT: Final = "changed.svg"
MOST_CHANGED: Final = 10
"""How many of the items that are fixed a report shows, and how many of those that are broken."""
_PAPER: Final = "color:#1a1a1a;background:#ffffff"
"""Of a plot in a file of its own, which has no page to take its colours from and may be shown on a dark one."""
_DETAILS: Final = "details.md"
_PAGE: Final = "../../report.html"
_LONGEST: Final = {"question": 200, "gold": 80, "answer": 160}
"""The most characters of a text that a report shows."""


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """An item whose outcome differs between two arms: its question, its golds, and the answers of both sides."""

    question: str
    golds: tuple[str, ...]
    answers: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WhatChanged:
    """What became of the items between the arms of a contrast.

    ``counts`` are those of all items; ``fixed`` and ``broken`` are the first of them, ``MOST_CHANGED`` at most.
    """

    contrast: Contrast
    counts: Changed
    fixed: tuple[ChangedItem, ...]
    broken: tuple[ChangedItem, ...]


def trial_report(result: TrialResult, changed: Sequence[WhatChanged]) -> str:
    """Return ``report.md`` of one trial; ``changed`` has what changed in each contrast, in their order."""
    result = _in_shares(result)
    significance, names = result.significance, result.facts.arm_labels
    verdict, effects = trial_verdict(result), effects_in_short(significance, wide=True, names=names)
    said = _outcomes(verdict, effects, significance.settings.alpha)
    forest = [f"![Effects with intervals]({_FOREST_PLOT})\n"] if _drawn(result) else []
    arms = _arms(result)  # come first where there are any
    return page(
        f"# Trial {inline(result.facts.trial.slug)}\n",
        f"{line(_facts(result))}\n",
        *_said(verdict),
        *(arms or forest),
        section(
            "Effects",
            *table_blocks(effects),
            *(forest if arms else ()),
        ),
        *(
            section(_title(each, changed, names), *_changed(each, names, plot=not at))
            for at, each in enumerate(changed)
        ),
        agreement_section(result.agreement),
        section("Missing answers", bullets(_missing(significance, names))),
        section("Cost", bullets(cost_lines(result.costs, names, dry_run=result.facts.run.dry_run))),
        section("How to read it", bullets(_reading(significance, said, changed=bool(changed)))),
        f"All statistics, and the prompts: [{_DETAILS}]({_DETAILS}). Every item with its answers: "
        f"[report.html]({_PAGE}).\n",
    )


def _arms(result: TrialResult) -> list[str]:
    """Return the plots of all arms of a trial of several treatments."""
    plots = arms_plots(result.significance, result.facts.arm_labels)
    return [f"![All arms, with intervals and ranks]({name})\n" for name in _named(plots)]


def _named(plots: Sequence[str]) -> dict[str, str]:
    """Return plots of arms by the names of their files."""
    return {f"arms{f'-{at}' if at > 1 else ''}.svg": plot for at, plot in enumerate(plots, 1)}


def trial_plots(
    result: TrialResult, changed: Sequence[WhatChanged], power: Sequence[PowerCurve] = ()
) -> dict[str, str]:
    """Return the drawings that are beside ``report.md``, by the names of their files, as SVG."""
    result = _in_shares(result)
    rows = _drawn(result)
    found = {_FOREST_PLOT: forest_of(result.significance, rows, result.facts.arm_labels)} if rows else {}
    curves = [curve for curve in power if curve.points]
    made = {
        **found,
        **_named(arms_plots(result.significance, result.facts.arm_labels)),
        **({_CHANGED_PLOT: changed_plot(changed[0].counts)} if changed else {}),
        **({POWER_PLOT: power_plot(curves)} if curves else {}),
    }
    return {name: svg.replace("<svg ", f'<svg style="{_PAPER}" ', 1) for name, svg in made.items()}


def _drawn(result: TrialResult) -> list[Endpoint]:
    """Return the effects that the forest plot shows: none where nothing is compared."""
    return tables.overall_endpoints(result.significance) if result.facts.compares else []


def _facts(result: TrialResult) -> str:
    """Return which run this is, of which model, on how many questions."""
    run, trial = result.facts.run, result.facts.trial
    return f"Experiment {run.experiment}, run {run.run_id}: {trial.model.alias}, {counted(run.n_items, 'question')}"


def _in_shares(result: TrialResult) -> TrialResult:
    return replace(result, significance=as_shares(result.significance))


def _said(verdict: Verdict) -> Iterator[str]:
    """Yield the sentences, their leads in bold, and the warnings."""
    for each in verdict.findings:
        lead = inline(each.lead.removesuffix(": "))
        colon = ": " if each.lead.endswith(": ") else ""
        yield f"**{lead}**{colon}{inline(each.figures) if colon else _after(each.figures)}\n"
    if verdict.summary:
        yield f"**{inline(verdict.summary)}**\n"
    if verdict.warnings:
        yield "Warnings:\n\n" + "".join(
            f"- **{inline(each.label)}:** {inline(each.text)}\n" for each in verdict.warnings
        )


def _after(figures: str) -> str:
    """Return what follows a lead in bold, with the space that begins it."""
    return f" {inline(figures)}" if figures.startswith(" ") else inline(figures)


# --- what changed -----------------------------------------------------------------------------------------------------


def _title(changed: WhatChanged, every: Sequence[WhatChanged], names: Mapping[ArmName, str]) -> str:
    title = inline(changed.counts.title)
    return title if len(every) == 1 else f"{title}: {inline(named_contrast(changed.contrast, names))}"


def _changed(changed: WhatChanged, names: Mapping[ArmName, str], *, plot: bool) -> Iterator[str]:
    if plot:
        yield f"![{inline(changed.counts.title)}]({_CHANGED_PLOT})\n"
    counts, sides = changed.counts.parts, [names.get(side, side) for side in changed.contrast.sides]
    said = listing([f"{count(counts[what])} {what}" for what in ("fixed", "broken", "both right", "both wrong")])
    yield f"{line(said)}.\n"
    for what, items, n in (
        ("Fixed", changed.fixed, changed.counts.fixed),
        ("Broken", changed.broken, changed.counts.broken),
    ):
        if items:
            shown = count(n) if len(items) == n else f"{count(len(items))} of {count(n)}"
            yield table_block(_items_table(f"{what}: {shown}", sides, items))


def _items_table(title: str, sides: Sequence[str], items: Sequence[ChangedItem]) -> Table:
    headers = ("Question", "Gold", *sides)
    rows = tuple(
        (
            _cut(item.question, "question"),
            _cut(" / ".join(item.golds) or "(none)", "gold"),
            *(_cut(" / ".join(answers) or "(no answer)", "answer") for answers in item.answers),
        )
        for item in items
    )
    return Table(title, headers, rows, (), "llll")


def _cut(text: str, kind: str) -> str:
    """Return a text on one line, cut where it is longer than a report shows."""
    text, longest = one_line(text[: 8 * _LONGEST[kind]]), _LONGEST[kind]
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()}..."


def _missing(significance: Significance, names: Mapping[ArmName, str]) -> list[str]:
    rows = tables.primary_endpoints(significance)
    return [missing_sentence(significance, names), *sensitivity_notes(rows, names)]


_DECIDED: Final = ("better", "worse", "higher", "lower")
_UNDECIDED: Final = {
    "not shown": '"Not shown" means that chance cannot be ruled out; it does not mean that the prompts are equal.',
    "lead": 'A "lead" is a difference on an exploratory measure (one not declared as primary): test it in another '
    "trial.",
}


def _outcomes(verdict: Verdict, effects: Sequence[Table], alpha: float) -> Iterator[str]:
    """Yield what the words mean that say what was found; of these, those in the verdict or a table of effects."""
    cells = [cell for table in effects for row in table.rows for cell in row]
    said = "\n".join([*verdict.sentences, *cells]).replace("not worse", "")
    decided = [f'"{word}"' for word in _DECIDED if re.search(rf"\b{word}\b", said)]
    if decided:
        words = listing(decided)
        yield (
            f"{words[0]}{words[1].upper()}{words[2:]} mean{'s' if len(decided) == 1 else ''} a p-value of at most "
            f"{alpha:g} after adjustment for multiple tests."
        )
    yield from (meaning for word, meaning in _UNDECIDED.items() if re.search(rf"\b{word}\b", said))


def _primary_measures(significance: Significance) -> Iterator[str]:
    """Yield what each primary measure asks of an answer."""
    for name in dict.fromkeys(row.metric for row in tables.primary_endpoints(significance)):
        text = metric_text(name)
        if text.asks != MISSING:
            yield f"{text.label} (primary measure): {text.asks}"


def _reading(significance: Significance, outcomes: Iterable[str], *, changed: bool) -> list[str]:
    settings = significance.settings
    fixed = (
        '"Fixed" means that only the treatment answers an item correctly; "broken" means that only the control does.'
    )
    return [
        (
            f'A difference is {SIDES[1]} minus {SIDES[0]}, in percentage points ("points" for short), over the items '
            "scored in both arms."
        ),
        ITEM_TEXT,
        *_primary_measures(significance),
        (
            f"A {level(settings.confidence)} CI (confidence interval) is the range of differences that are "
            "compatible with the data."
        ),
        *outcomes,
        *([fixed] if changed else []),
        *margin_reading(significance),
    ]


# --- the whole run ----------------------------------------------------------------------------------------------------


def aggregate_report(
    run: RunFacts,
    results: Sequence[TrialResult],
    adjusted: Mapping[PrimaryKey, float | None],
    together: Sequence[OneControl] = (),
    *,
    by_max_t: bool = False,
) -> str:
    """Return ``aggregate_report.md`` of a run.

    Parameters
    ----------
    run : RunFacts
    results : sequence of TrialResult
        In the order in which they are to be listed.
    adjusted : mapping
        For each key of ``tables.primary_p_values(results)``, the p-value after correction over all of them; None where
        there was no test.
    together : sequence of OneControl
        What trials that share a control show together.
    by_max_t : bool
        Whether max-T corrected over all; otherwise Holm's method did.

    Raises
    ------
    KeyError
        If a primary test has no entry in ``adjusted``.
    """
    results = [_in_shares(result) for result in results]
    links = "".join(f"- [{inline(slug)}]({slug}/reports/report.md)\n" for slug in (r.facts.trial.slug for r in results))
    return page(
        f"# Run {inline(run.run_id)}\n",
        dry_run_block(run),
        section("Verdicts", *_verdicts(results)),
        section("In short", bullets(run_sentences(results, adjusted))),
        section("Question and data", question_block(run), *table_blocks([_run_table(run), tables.datasets_table(run)])),
        section("Effects", *table_blocks([tables.aggregate_table(results, adjusted, by_max_t=by_max_t)])),
        *(section(ONE_CONTROL, *_together(each)) for each in together),
        table_block(tables.trials_table(results, run.spending), "##"),
        f"The report of each trial:\n\n{links}",
    )


def _together(group: OneControl) -> Iterator[str]:
    """Yield which arms of several trials may be the best, and the tables of all of them."""
    significance = as_shares(group.significance)
    yield f"{line(one_control_text(group.trials))}\n"
    for finding in all_arms(significance, group.names):
        yield f"**{inline(str(finding))}**\n"
    yield from table_blocks(tables.many_arms_tables(significance, group.names))


def _verdicts(results: Sequence[TrialResult]) -> Iterator[str]:
    for result in results:
        yield f"### {inline(result.facts.trial.slug)}\n"
        yield from _said(trial_verdict(result))


def _run_table(run: RunFacts) -> Table:
    items = f"{count(run.n_items)} ({count(run.n_open)} open-book, {count(run.n_closed)} closed-book)"
    rows = (
        ("Experiment", run.experiment),
        ("Items", items),
        ("Configuration, SHA-256", run.config_hash),
        ("promptrial", run.package_version),
    )
    return Table("Run", ("", ""), rows, (), "ll")
