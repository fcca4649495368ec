"""The page ``details.md``: every table of a trial, and where each sentence and table is.

The same values give the same bytes. Everything that comes from outside is escaped by ``markup``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from promptrial.documents.cost_report import CostReport
from promptrial.documents.labels import Agreement
from promptrial.documents.significance import SIDES, Significance
from promptrial.model import Arm
from promptrial.model.arms import ArmName, control_first
from promptrial.reporting import tables
from promptrial.reporting.aa import aa_tables, result_lines
from promptrial.reporting.cells import MISSING, count, level
from promptrial.reporting.facts import RunFacts, TrialFacts, TrialResult
from promptrial.reporting.labels import AGREEMENT, agreement_lines, agreement_tables
from promptrial.reporting.markup import bullets, fenced, inline, line, page, section, table_block, table_blocks
from promptrial.reporting.messages import message_blocks
from promptrial.reporting.plain import printable
from promptrial.reporting.powered import PowerCurve, power_table
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.summary import trial_sentences
from promptrial.reporting.tables import Table
from promptrial.reporting.tables.margins import margin_reading
from promptrial.reporting.tables.words import listing, score_unit

__all__ = ["POWER_PLOT", "agreement_section", "dry_run_block", "question_block", "reading_sentences", "trial_details"]

POWER_PLOT: Final = "power.svg"
ITEM_TEXT: Final = "An item is one question, with its passage and accepted answers, if it has any."
"""What pages call an item."""
_DRY_RUN: Final = (
    "This was a dry run: a local emulator replaced every hosted provider. "
    "The answers, effects and costs below say nothing about a model."
)


def trial_details(
    facts: TrialFacts,
    significance: Significance,
    costs: CostReport,
    power: Sequence[PowerCurve] = (),
    agreement: Agreement | None = None,
) -> str:
    """Return ``details.md`` of one trial; ``power`` has the curve of each primary endpoint."""
    significance = as_shares(significance)
    result = TrialResult(facts, significance, costs, agreement)
    return page(
        f"# Trial {inline(facts.trial.slug)}\n",
        dry_run_block(facts.run),
        section("In short", bullets(trial_sentences(result))),
        section("Research question and design", question_block(facts.run), *table_blocks(_design(facts, significance))),
        section("How to read the numbers", bullets(reading_sentences(significance))),
        section("Effects", *table_blocks(_effects(significance, facts.arm_labels))),
        *_against_itself(significance),
        *_subsets(significance),
        agreement_section(agreement),
        section("Behind the decisions", *table_blocks(_evidence(significance))),
        *_power(power),
        section(
            "Missing answers", *table_blocks([tables.attrition_table(significance)]), *_missing(facts, significance)
        ),
        *_judges(facts),
        table_block(tables.costs_table(costs, is_mixed=facts.run.is_mixed), "##"),
        *_latency(facts),
        table_block(tables.provenance_table(facts, significance), "##"),
        *_older(facts),
        section("Appendix: the prompts", *_prompts(facts)),
        *_messages(facts),
    )


def dry_run_block(run: RunFacts) -> str:
    """Return what must be above everything else in the report of a dry run."""
    return f"**{_DRY_RUN}**\n" if run.dry_run else ""


def question_block(run: RunFacts) -> str:
    """Return the question that the experiment asks."""
    asked = (
        f"Question: {inline(run.question)}\n"
        if run.question
        else "The configuration states no research question (key `question`).\n"
    )
    return f"{asked}\n**Warning:** {run.copied}.\n" if run.copied else asked


def _design(facts: TrialFacts, significance: Significance) -> list[Table]:
    return [
        tables.design_table(facts, significance),
        tables.datasets_table(facts.run),
        tables.questions_table(significance),
    ]


def reading_sentences(significance: Significance) -> list[str]:
    """Return what a reader has to know of the figures."""
    settings = significance.settings
    return [
        f"A difference is {SIDES[1]} minus {SIDES[0]}, in percentage points, over the items scored in both arms.",
        ITEM_TEXT,
        *(["Numbers in other units show the unit."] if _has_units(significance) else []),
        (
            f"A {level(settings.confidence)} CI (confidence interval) is the range of differences that are "
            "compatible with the data."
        ),
        "Each interval is for a single effect, not adjusted for the number of tests, unless it is called simultaneous.",
        "A p-value is the probability of a difference at least this large if the arms did not differ.",
        f'"Significant" means a p-value of at most {settings.alpha:g} after adjustment for multiple tests.',
        '"Not significant" means that chance cannot be ruled out; it does not mean that the prompts are equal.',
        *margin_reading(significance),
        "Primary endpoints were declared in the configuration. All others are exploratory: leads, not findings.",
        "Clusters are groups of items that share a passage; standard errors account for them.",
        f'The sign "{MISSING}" means that a value is not available; it never means 0.',
    ]


def _has_units(significance: Significance) -> bool:
    return any(score_unit(row.metric).name for row in significance.endpoints)


def _effects(significance: Significance, names: Mapping[ArmName, str]) -> list[Table]:
    margins, other_rule = tables.equivalence_table(significance), tables.missing_rule_table(significance)
    return [
        *tables.many_arms_tables(significance, names),
        tables.primary_table(significance),
        *([looks] if (looks := tables.looks_table(significance)).rows else []),
        *([other_rule] if other_rule.rows else []),
        tables.exploratory_table(significance),
        *([margins] if margins.rows else []),
        tables.arms_table(significance),
        tables.selective_table(significance),
    ]


def _against_itself(significance: Significance) -> Iterator[str]:
    """Yield a section for each arm that asks what control asks."""
    for result in significance.aa or ():
        title = f"A/A check: {result.arm} against {result.other}"
        yield section(title, bullets(list(result_lines(result))), *table_blocks(list(aa_tables(result))))


def _subsets(significance: Significance) -> list[str]:
    scopes = dict.fromkeys(row.scope for row in significance.endpoints if row.scope != "overall")
    of_scopes = ((tables.subgroup_table(significance, s), tables.interaction_table(significance, s)) for s in scopes)
    found = [table for pair in of_scopes for table in pair if table.rows]
    return [section("Effects within subsets (exploratory)", *table_blocks(found))] if found else []


def agreement_section(agreement: Agreement | None) -> str:
    """Return how far measures agree with people, and judges with each other; nothing where nothing is known of it."""
    lines = agreement_lines(agreement)
    return section(AGREEMENT, bullets(lines), *table_blocks(list(agreement_tables(agreement)))) if lines else ""


def _evidence(significance: Significance) -> list[Table]:
    return [
        tables.methods_table(significance),
        tables.binary_table(significance),
        tables.effect_sizes_table(significance),
        tables.precision_table(significance),
    ]


def _power(curves: Sequence[PowerCurve]) -> list[str]:
    """Return what a run of this size detects; nothing where it detects no difference at all."""
    drawn = [curve for curve in curves if curve.points]
    plot = f"![Power by number of questions]({POWER_PLOT})\n"
    return [section("Power", plot, *table_blocks(map(power_table, drawn)))] if drawn else []


def _missing(facts: TrialFacts, significance: Significance) -> list[str]:
    parse = facts.parse
    sentences = [
        f"Requests without a result row: {_in_arms(parse.missing)}.",
        f"Duplicate rows, ignored: {count(parse.duplicates_ignored)}.",
        f"Rows with an unknown request ID, ignored: {count(parse.unknown_ids)}.",
        f"Unreadable lines, ignored: {count(parse.malformed_lines)}.",
    ]
    if any(parse.with_reasoning.values()):
        sentences.append(f"Answers with reasoning (kept, but not scored): {_in_arms(parse.with_reasoning)}.")
    bounds = [tables.bounds_table(significance)] if facts.compares else []
    return [bullets(sentences), *table_blocks([tables.pairs_table(significance), *bounds])]


def _in_arms(counts: Mapping[ArmName, int]) -> str:
    return listing([f"{count(counts[name])} in the {name} arm" for name in control_first(counts)]) or "none"


def _judges(facts: TrialFacts) -> list[str]:
    return [table_block(tables.judges_table(facts.judged), "##")] if facts.judged else []


def _latency(facts: TrialFacts) -> list[str]:
    return [table_block(tables.latency_table(facts.latency), "##")] if facts.latency else []


def _older(facts: TrialFacts) -> list[str]:
    return [table_block(tables.older_table(facts), "##")] if facts.older else []


def _prompts(facts: TrialFacts) -> list[str]:
    blocks, differ = [], len({arm.templates for arm in facts.trial.arms if arm.name in facts.trial.conditions}) > 1
    as_templates = differ and not facts.examples  # a run of an earlier version does not say which items to show
    for name in facts.trial.conditions:
        prompt, tokens = facts.trial.prompts[name], facts.prompt_tokens.get(name)
        length = "token count unknown" if tokens is None else f"{count(tokens)} tokens"
        changed = "" if printable(prompt.text) == prompt.text else "; unprintable characters are escaped"
        digest = f", SHA-256 {prompt.sha256}" if prompt.sha256 else ""
        text = fenced(prompt.text) if prompt.text else "Its text was not recorded.\n"
        blocks.append(f"### {name.capitalize()}\n\n{line(f'{length}{digest}{changed}')}\n\n{text}")
        blocks += _templates(facts.trial.arm(name)) if as_templates else []
    return blocks


def _messages(facts: TrialFacts) -> list[str]:
    return [section("Appendix: the messages", *message_blocks(facts.examples))] if facts.examples else []


def _templates(arm: Arm) -> list[str]:
    texts = ("Open-book", arm.templates.open_book), ("Closed-book", arm.templates.closed_book)
    return [f"{kind} questions are asked with this template:\n\n{fenced(text)}" for kind, text in texts]
