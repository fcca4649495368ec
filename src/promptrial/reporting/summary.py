"""What a trial, or a run of several, showed: in sentences, for someone who reads nothing else. Plain text.

The words are chosen so that nothing is claimed that the figures do not carry: no significant difference is not called
no difference, and an exploratory result is called a lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptrial.documents.missing import ArmAttrition
from promptrial.documents.significance import Endpoint, HypothesisTest, Significance, StatsSettings
from promptrial.model import Trial
from promptrial.model.arms import PAIR, ArmName, control_first
from promptrial.reporting.cells import (
    count,
    interval,
    margin,
    p_phrase,
    points,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.empty_and_truncated import response_warnings
from promptrial.reporting.facts import RunFacts, TrialFacts, TrialResult, arm_differences
from promptrial.reporting.lost import lost_sentence
from promptrial.reporting.money import arm_text, cost_sentence
from promptrial.reporting.reused import reuse_sentences, reuse_warnings
from promptrial.reporting.stopped import alpha_of
from promptrial.reporting.tables import PrimaryKey, exploratory_endpoints, primary_endpoints
from promptrial.reporting.tables.aggregate import aggregate_rows, rejected
from promptrial.reporting.tables.contrasts import contrast_suffix, side_phrases
from promptrial.reporting.tables.effects import caution_notes, interaction_notes, paired_means
from promptrial.reporting.tables.levels import tested_at, with_interval
from promptrial.reporting.tables.missing import attrition_notes, rule_text, sensitivity_notes
from promptrial.reporting.tables.remarks import plain
from promptrial.reporting.tables.words import direction, listing, metric_text, quantity_text, score_unit

__all__ = ["missing_sentence", "run_sentences", "trial_sentences"]


def trial_sentences(result: TrialResult) -> list[str]:
    """Return what was compared, what was found, what is missing and what it cost."""
    facts, significance = result.facts, result.significance
    differences = arm_differences(facts.trial)
    return [
        _compared(facts),
        *([f"The arms differ in more than the system prompt: {differences}."] if differences else []),
        *_seal(facts.run),
        *_pilot(facts.run),
        *_growth(facts.run),
        *_corrections(facts.run),
        *reuse_sentences(facts.reused),
        *(f"Warning: {text}" for text in reuse_warnings(facts.reused, facts.trial.arms_run)),
        *(f"Warning: {text}" for text in response_warnings(significance.attrition)),
        *(_primary(row, significance, facts.trial) for row in primary_endpoints(significance)),
        *caution_notes(primary_endpoints(significance)),
        *sensitivity_notes(primary_endpoints(significance)),
        *_exploratory(exploratory_endpoints(significance), significance, facts.trial),
        *interaction_notes(significance),
        *_margins(significance),
        missing_sentence(significance),
        *attrition_notes(primary_endpoints(significance)),
        *(_bounds(primary_endpoints(significance), facts.trial) if facts.compares else ()),
        cost_sentence(result.costs),
    ]


def run_sentences(results: Sequence[TrialResult], adjusted: Mapping[PrimaryKey, float | None]) -> list[str]:
    """Return how many trials there are and which primary tests are significant when all are corrected together."""
    rows = aggregate_rows(results)
    tested = [(result, row, rejected(result, adjusted[key])) for key, result, row in rows if row.p is not None]
    found = [(result, row) for result, row, is_rejected in tested if is_rejected]
    undone = f"; {count(len(rows) - len(tested))} of them could not be computed" if len(tested) < len(rows) else ""
    texts = [
        f"{_counted(len(results), 'trial')} with {_counted(len(rows), 'primary test')}{undone}.",
        *(f"Warning: {slug}: {text}" for slug, text in _warnings(results)),
        *(_seal(results[0].facts.run) if results else ()),
        *(_pilot(results[0].facts.run) if results else ()),
        *(_growth(results[0].facts.run) if results else ()),
        *(_corrections(results[0].facts.run) if results else ()),
    ]
    if not tested:
        return texts
    if not found:
        return [*texts, f"No test is significant after correction for {_counted(len(tested), 'test')}. {_ABSENCE}"]
    share = f"{count(len(found))} of {_counted(len(tested), 'test')}"
    others = [f"The others show no significant difference. {_ABSENCE}"] if len(found) < len(tested) else []
    found_texts = [_finding(*each) for each in found]
    return [*texts, f"Significant after correction for all tests: {share}.", *found_texts, *others]


def _seal(run: RunFacts) -> Iterator[str]:
    """Yield what there is to say about the sealed analysis plan."""
    if run.seal is None:
        return
    asked = "anything was asked" if run.pilot is None else "anything but the pilot was asked"
    plan = f"The analysis plan was sealed before {asked} (SHA-256 {run.seal.sha256})"
    if not run.seal.deviations:
        yield f"{plan}, and the run follows it."
        return
    yield f"Warning: {plan}, and the run deviates from it in {_counted(len(run.seal.deviations), 'way')}."
    for text in run.seal.deviations:
        yield f"Deviation from the sealed plan: {text}."


def _warnings(results: Sequence[TrialResult]) -> Iterator[tuple[str, str]]:
    for result in results:
        for text in reuse_warnings(result.facts.reused, result.facts.trial.arms_run):
            yield result.facts.trial.slug, text
        for text in response_warnings(result.significance.attrition):
            yield result.facts.trial.slug, text


_ABSENCE = "This does not mean that the prompts are equal."


def _compared(facts: TrialFacts) -> str:
    trial, run = facts.trial, facts.run
    times = listing([_asked(trial, temp) for temp in trial.temps])
    asked = f"Each of {_counted(run.n_items, 'item')} ({_by_type(facts)}) was asked {times}"
    where = f"of prompt set {trial.prompt_set}"
    arms = trial.arms_run
    if len(arms) == 1:
        return (
            f"Only the {arms[0]} prompt {where} was run, on the model {trial.model.alias}, so nothing is compared. "
            f"{asked}."
        )
    if arms == PAIR:
        return (
            f"The {arms[0]} and {arms[1]} prompts {where} were compared on the model {trial.model.alias}. {asked} "
            "in each arm."
        )
    how = (
        f"were run on the model {trial.model.alias}, and each was compared with the {arms[0]} arm"
        if facts.compares
        else f"were run on the model {trial.model.alias}, without an arm to compare them with"
    )
    return f"The arms {listing(arms)} {where} {how}. {asked} in each arm."


def _corrections(run: RunFacts) -> Iterator[str]:
    """Yield a sentence for each data set whose accepted answers or columns were corrected when answers were there."""
    for name, n in run.corrected.items():
        yield (
            "Corrected after the run was prepared: the gold answers, or other columns that are not sent, of "
            f"{_counted(n, 'question')} in {name}. No question was asked again."
        )


def _pilot(run: RunFacts) -> Iterator[str]:
    """Yield that some of the items were asked first, and that this told nothing of the effect."""
    if run.pilot is not None:
        yield (
            f"Pilot: at most {_counted(run.pilot, 'item')} of each data set were asked first; they are included, and "
            "no statistics were computed before the others were asked."
        )


def _growth(run: RunFacts) -> Iterator[str]:
    """Yield a warning for each growth that someone who had seen statistics may have decided on."""
    for growth in run.grown_late:
        sets = [f"{name} from {count(before)} to {count(after)}" for name, (before, after) in growth.datasets.items()]
        yield (
            f"Warning: the sample grew after statistics of the smaller sample existed ({listing(sets)} items). "
            "Intervals and p-values assume a size that was fixed before any result was seen."
        )


def _asked(trial: Trial, temp: float) -> str:
    samples = trial.samples_per_item[repr(temp)]
    return f"{'once' if samples == 1 else f'{samples} times'} at temperature {temperature(temp)}"


def _by_type(facts: TrialFacts) -> str:
    return f"{count(facts.run.n_open)} open-book, {count(facts.run.n_closed)} closed-book"


def _primary(row: Endpoint, significance: Significance, trial: Trial) -> str:
    name = f"{_warned(row)}{_name(row, trial)} (primary)"
    if row.significant is None:
        return (
            f"{name} could not be tested: {plain(row.reason or 'no reason given')} ({_counted(row.n_pairs, 'pair')})."
        )
    if row.clusters_needed is not None and not row.significant:
        return f"{name} could not be decided: {plain(row.reason or 'no reason given')}. {_figures(row, significance)}."
    figures = _figures(row, significance)
    if row.significant:
        return f"{name}: significant; {_arm_is(row, significance.settings)}. {figures}."
    return f"{name}: no significant difference. {figures}. {_ABSENCE}"


def _figures(row: Endpoint, significance: Significance) -> str:
    first, second = paired_means(row)
    where, p = side_phrases(row.compared)[0], f"adjusted {p_phrase(row.p_adjusted, alpha_of(significance, row))}"
    tested = tested_at(significance, row)
    size = f"{_size(row, significance)}, {_counted(row.n_pairs, 'pair')}, {p}{tested and f', {tested}'}"
    return f"{second} against {first} in {where}: {size}"


def _size(row: Endpoint, significance: Significance) -> str:
    unit, (row, words) = score_unit(row.metric), with_interval(significance, row)
    decimals = points_decimals(row.ci_low, row.ci_high, unit, row.difference)
    difference = f"{points(row.difference, decimals, unit)} {unit.of_differences}"
    if row.ci_low is None and row.ci_high is None:
        return f"{difference} (no interval can be computed)"
    return f"{difference} ({words} {interval(row.ci_low, row.ci_high, decimals, unit)})"


def _finding(result: TrialResult, row: Endpoint) -> str:
    trial, settings = result.facts.trial, result.significance.settings
    size = _size(row, result.significance)
    return f"{_warned(row)}{trial.slug}, {_name(row, trial)}: {_arm_is(row, settings)}, by {size}."


def _warned(row: Endpoint) -> str:
    """Return what precedes a sentence on an endpoint for which an arm lost too many answers."""
    said = lost_sentence([row], {})
    return f"{said} " if said else ""


def _arm_is(row: Endpoint, settings: StatsSettings) -> str:
    """Return which arm is ``higher`` or ``lower``, and whether that is wanted where it is known."""
    side, wanted = direction(row.difference), settings.wanted.get(row.metric)
    text = f"{side_phrases(row.compared)[1]} is {side}"
    return text if wanted is None else f"{text}, which is {'better' if side == wanted else 'worse'}"


def _exploratory(rows: Sequence[Endpoint], significance: Significance, trial: Trial) -> Iterator[str]:
    settings = significance.settings
    found = [row for row in rows if row.significant]
    rest = [row for row in rows if row.significant is False]
    others = [_name(row, trial) for row in rest if row.clusters_needed is None]
    undecided = [_name(row, trial) for row in rest if row.clusters_needed is not None]
    for row in found:
        yield f"{_name(row, trial)} (exploratory): {_arm_is(row, settings)}. {_figures(row, significance)}."
    if found:
        yield "Exploratory results are leads for another trial rather than findings: they were not declared as primary."
    if others:
        yield f"Exploratory, without a significant difference: {'; '.join(others)}."
    if undecided:
        yield f"Exploratory, with too few clusters or pairs to decide: {'; '.join(undecided)}."


def _margins(significance: Significance) -> Iterator[str]:
    for test in significance.tests:
        if test.hypothesis != "difference":
            yield _margin(test, significance.settings)


def _margin(test: HypothesisTest, settings: StatsSettings) -> str:
    unit, width = score_unit(test.metric), settings.tost_margins.get(test.metric)
    within = "" if width is None else f", margin {margin(width, unit)}{'' if unit.name else ' percentage points'}"
    verdict = {None: "could not be tested", True: "shown", False: "not shown"}[test.rejected]
    name = quantity_text(test.hypothesis).capitalize()
    p = "" if test.p_adjusted is None else f" (adjusted {p_phrase(test.p_adjusted, settings.alpha)})"
    where = f"{metric_text(test.metric).label}{contrast_suffix(test)} at temperature {temperature(test.temp)}"
    return f"{name} in {where}{within}: {verdict}{p}."


def missing_sentence(significance: Significance, names: Mapping[ArmName, str] | None = None) -> str:
    """Return how many answers each arm lacks, and what becomes of those items; ``names`` are what arms are called."""
    arms = [(name, significance.attrition[name]) for name in control_first(significance.attrition)]
    if not arms:
        return "Missing answers: not recorded."
    expected = {arm.expected for _, arm in arms}
    if all(arm.missing == 0 for _, arm in arms) and len(expected) == 1:
        return f"Missing answers: none (all {count(expected.pop())} requests of each arm were answered)."
    if all(arm.missing == 0 for _, arm in arms):
        return f"Missing answers: none ({listing([_answered(name, arm, names) for name, arm in arms])})."
    rule = f"In the main result, they are {rule_text(significance.settings.missing)}"
    return f"Missing answers: {listing([_missing(name, arm, names) for name, arm in arms])}. {rule}."


def _answered(name: ArmName, arm: ArmAttrition, names: Mapping[ArmName, str] | None) -> str:
    return f"{count(arm.answered)} of {count(arm.expected)} answered for {arm_text(name, names)}"


def _missing(name: ArmName, arm: ArmAttrition, names: Mapping[ArmName, str] | None) -> str:
    share = "" if arm.share_missing is None else f" ({rate(arm.share_missing)})"
    return f"{count(arm.missing)} of {count(arm.expected)}{share} for {arm_text(name, names)}"


def _bounds(rows: Iterable[Endpoint], trial: Trial) -> Iterator[str]:
    for row in rows:
        bounds = row.bounds
        if bounds.low is not None and any(bounds.answers_missing):
            unit = score_unit(row.metric)
            limits = interval(bounds.low, bounds.high, points_decimals(bounds.low, bounds.high, unit), unit)
            yield (
                f"Whatever the missing scores are, the difference in {_name(row, trial)} over all "
                f"{_counted(bounds.n_items, 'item')} lies within {limits} {unit.of_differences}, not counting "
                "sampling error."
            )


def _name(row: Endpoint, trial: Trial) -> str:
    at = f" at temperature {temperature(row.temp)}" if len(trial.temps) > 1 else ""
    return f"{metric_text(row.metric).label}{contrast_suffix(row)}{at}"


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
