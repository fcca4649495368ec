"""The warnings that are shown beside a verdict because they change how it is read: each one line with a number. Pure.

They come in one order: dry run, unfinished, same requests, drift, missing and cut answers, clusters, sparse data,
judges, many tests, prices, then what is true of a whole run. ``Warned.label`` is the word that each begins with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import UNSET

from promptrial.documents.judges import JudgeSummary
from promptrial.documents.significance import Significance
from promptrial.documents.verdict import WarningDocument
from promptrial.model.arms import ArmName, control_first
from promptrial.reporting.cells import count, counted, p_equals, rate, temperature
from promptrial.reporting.drift import drift_sentence
from promptrial.reporting.empty_and_truncated import WARNING_SHARE
from promptrial.reporting.facts import RunFacts, TrialResult, UnfinishedFacts
from promptrial.reporting.few import few_said
from promptrial.reporting.money import cost_warnings
from promptrial.reporting.tables import primary_endpoints
from promptrial.reporting.tables.words import listing, metric_text

__all__ = [
    "CLUSTER",
    "Warned",
    "WarningKind",
    "comparison_warnings",
    "effect_warnings",
    "trial_warnings",
    "unfinished_warning",
]

WarningKind = Literal[
    "dry_run",
    "unfinished",
    "same_requests",
    "drift",
    "scale",
    "unpaired",
    "missing",
    "truncated",
    "unequal",
    "judged",
    "clusters",
    "questions",
    "unvalidated",
    "validated",
    "comparisons",
    "unpriced",
    "unreported",
    "stopped",
    "grown",
    "corrected",
    "seal",
    "sample_names",
]
_LABELS: Final[Mapping[WarningKind, str]] = {
    "dry_run": "Dry run",
    "unfinished": "Unfinished",
    "same_requests": "Same requests",
    "drift": "Control drift",
    "scale": "Scale inferred",
    "unpaired": "Not paired",
    "missing": "Missing answers",
    "truncated": "Answers cut off",
    "unequal": "Unequal losses",
    "judged": "Judge",
    "clusters": "Clusters",
    "questions": "Questions",
    "unvalidated": "Unvalidated judge",
    "validated": "Judge",
    "comparisons": "Many tests",
    "unpriced": "No price",
    "unreported": "No usage",
    "stopped": "Stopped early",
    "grown": "Sample grew",
    "corrected": "Corrected",
    "seal": "Sealed plan",
    "sample_names": "Sample text",
}
_MANY: Final = 5
_RULES: Final = {"exclude": "left out of the effects", "failure": "counted as failures"}
CLUSTER: Final = "cluster"
"""What a group of questions is called where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning: its kind, and one line with a number that follows its label."""

    kind: WarningKind
    text: str

    @property
    def label(self) -> str:
        """The words that begin the line."""
        return _LABELS[self.kind]

    @property
    def line(self) -> str:
        """The line as it is in plain text."""
        return f"Warning ({self.label.lower()}): {self.text}"

    def __str__(self) -> str:
        """Return the line after its label."""
        return f"{self.label}: {self.text}"

    def document(self) -> WarningDocument:
        """Return it as it is written down."""
        return WarningDocument(kind=self.kind, text=str(self))


def trial_warnings(result: TrialResult) -> Iterator[Warned]:
    """Yield what has to be known beside the verdict of a finished trial."""
    facts, significance = result.facts, result.significance
    if facts.run.dry_run:
        yield _dry_run(significance)
    if facts.run.unfinished is not None:
        yield unfinished_warning(facts.run.unfinished)
    if facts.trial.second_asks:
        asks, first = listing(facts.trial.second_asks), facts.trial.arms_run[0]
        yield Warned(
            "same_requests",
            f"{asks} sent the same {count(facts.requests_per_arm)} requests as {first}; any difference between them is "
            "due to chance.",
        )
    rows = significance.drift or ()
    several = len({row.temp for row in rows}) > 1
    yield from (Warned("drift", drift_sentence(row, several=several)) for row in rows)
    yield from _verdicts(facts.judged)
    names = {name: name for name in significance.attrition} | facts.arm_labels
    yield from effect_warnings(significance, names, facts.run.clusters, tuple(_judged(result)))
    for kind, text in cost_warnings(facts.trial, result.costs):
        yield Warned(kind, text)
    yield from _looked_at(significance)
    yield from run_warnings(facts.run)


def _verdicts(judges: Sequence[JudgeSummary]) -> Iterator[Warned]:
    """Yield how many answers judges have no verdict on, and how many seem to speak to them."""
    for judge in judges:
        arms = {name: judge.arms[name] for name in control_first(judge.arms)}
        label = metric_text(judge.scorer).label
        if any(arm.missing for arm in arms.values()):
            said = listing([_of(arm.missing, arm.answers, name) for name, arm in arms.items()])
            yield Warned("judged", f"{label} has no verdict on {said}; these answers have no score.")
        if any(arm.flagged for arm in arms.values()):
            said = listing([_of(arm.flagged, arm.answers, name) for name, arm in arms.items()])
            yield Warned("judged", f"{said} seem to give instructions to the judge of {label}; read them.")


def _looked_at(significance: Significance) -> Iterator[Warned]:
    """Yield departures from a stopping rule, and that primary endpoints which it is not about assume a fixed size."""
    looks = significance.looks
    if looks is UNSET:
        return
    yield from (Warned("stopped", f"{text}.") for text in looks.deviations)
    if not looks.stopped_early:
        return
    others = dict.fromkeys(row.metric for row in primary_endpoints(significance) if row.metric != looks.metric)
    if others:
        yield Warned(
            "stopped",
            f"{listing([metric_text(name).label for name in others])} assume{'s' if len(others) == 1 else ''} a "
            f"sample size fixed in advance, but look {len(looks.taken)} of {looks.waves_planned} ended the trial.",
        )
    declared = {
        "the trend": [row.metric for row in significance.trends or ()],
        "the effect over several data sets": [row.metric for row in significance.pooled or ()],
    }
    label = metric_text(looks.metric).label
    for what, metrics in declared.items():
        if looks.metric in metrics:
            yield Warned("stopped", f"{what} on {label} is not given: it assumes a sample size fixed in advance.")


def comparison_warnings(
    significance: Significance, names: Mapping[ArmName, str], dry: Sequence[str], *, same_requests: bool
) -> Iterator[Warned]:
    """Yield what has to be known beside the verdict on two runs; ``names`` are those of its sides, by arm."""
    if dry:
        where = "both runs" if len(dry) > 1 else f"run {dry[0]}"
        yield Warned(
            "dry_run", f"the answers in {where} came from an emulator; these figures say nothing about a model."
        )
    if same_requests and any(row.difference for row in primary_endpoints(significance)):
        pairs = max(row.n_pairs for row in primary_endpoints(significance))
        yield Warned(
            "same_requests",
            f"both runs asked the same {counted(pairs, 'question')} in the same words; a difference is chance or comes "
            "from what changed between the runs.",
        )
    yield from effect_warnings(significance, names, CLUSTER)


def _judged(result: TrialResult) -> Iterator[Warned]:
    """Yield, for each measure of a judge, how far people agree with it, or that nobody has checked it."""
    for name in result.facts.judges:
        label, found = metric_text(name).label, None if result.agreement is None else result.agreement.of(name)
        if found is None:
            command = f"promptrial label {result.facts.run.run_id} --measure {name}"
            yield Warned(
                "unvalidated", f"0 labels by people for {label}, so its errors are unknown; get some: {command}"
            )
        else:
            shares = [f"{rate(arm.agreeing)} of {count(arm.n_labelled)} in {arm.arm}" for arm in found.arms]
            yield Warned("validated", f"{label} agrees with people's labels on {listing(shares)}.")


def effect_warnings(
    significance: Significance, names: Mapping[ArmName, str], clusters: str, judged: Sequence[Warned] = ()
) -> Iterator[Warned]:
    """Yield what has to be known of the effects, whatever they were made from; ``names`` are those of the arms.

    ``judged`` is what has to be known of measures that are judges'.
    """
    rows = primary_endpoints(significance)
    yield from _missing(significance, names)
    for kind, text in few_said(rows, clusters, names):
        yield Warned(kind, text)
    yield from judged
    if len(rows) > _MANY:
        yield Warned("comparisons", f"{len(rows)} primary tests were corrected together; each needs a smaller p-value.")


def run_warnings(run: RunFacts) -> Iterator[Warned]:
    """Yield what has to be known of a whole run."""
    for growth in run.grown_late:
        sets = [f"{name} from {count(before)} to {count(after)}" for name, (before, after) in growth.datasets.items()]
        yield Warned(
            "grown",
            f"{listing(sets)} questions, after statistics had been computed; p-values assume a sample size fixed in "
            "advance.",
        )
    for name, n in run.corrected.items():
        yield Warned(
            "corrected",
            f"the gold answers of {counted(n, 'question')} in {name}, after the questions had been asked.",
        )
    if run.seal is not None and run.seal.deviations:
        n = len(run.seal.deviations)
        yield Warned("seal", f"the run deviates from it in {counted(n, 'way')}; the first: {run.seal.deviations[0]}.")
    if run.copied:
        yield Warned("sample_names", f"{run.copied}.")


def unfinished_warning(found: UnfinishedFacts) -> Warned:
    """Return what has to be known of results that are not those of the whole run as it is now."""
    known = found.answers is not None and found.of is not None
    answers = f"{count(found.answers or 0)} of {count(found.of or 0)} answers; " if known else ""
    if found.grown:
        return Warned("unfinished", f"{answers}these results are from before the sample grew.")
    return Warned("unfinished", f"{answers}the run has changed since these results were computed.")


def _dry_run(significance: Significance) -> Warned:
    answers = sum(arm.answered for arm in significance.attrition.values())
    gave = f"all {counted(answers, 'answer')} came from an emulator" if answers else "an emulator replaced the model"
    return Warned("dry_run", f"{gave}; these figures say nothing about a model.")


def _missing(significance: Significance, names: Mapping[ArmName, str]) -> Iterator[Warned]:
    arms = {names[name]: significance.attrition[name] for name in control_first(significance.attrition)}
    if any(arm.missing > arm.empty or arm.empty > WARNING_SHARE * arm.expected for arm in arms.values()):
        said = listing([_of(arm.missing, arm.expected, name) for name, arm in arms.items()])
        yield Warned("missing", f"{said}; they are {_RULES[significance.settings.missing]}.")
    if any(arm.truncated > WARNING_SHARE * arm.answered for arm in arms.values()):
        said = listing([_of(arm.truncated, arm.answered, name) for name, arm in arms.items()])
        yield Warned("truncated", f"{said}, at the token limit (max_new_tokens); the text up to the limit is scored.")
    yield from (Warned("unequal", text) for text in dict.fromkeys(_unequal(significance, names)))


def _unequal(significance: Significance, names: Mapping[ArmName, str]) -> Iterator[str]:
    rows = primary_endpoints(significance)
    several = len({row.temp for row in rows}) > 1
    for row in rows:
        if row.attrition is not None and row.attrition.differs:
            lost, what = [f"{m} of {n}" for m, n in row.attrition.missing_of_planned], row.attrition.lost
            first, second = (names.get(side, side) for side in row.compared.sides)
            at = f"at temperature {temperature(row.temp)}, " if several else ""
            p = p_equals(row.attrition.p, significance.settings.alpha)
            yield f"{at}{first} lost {lost[0]} {what}, {second} {lost[1]} ({p}); this may explain the effect."


def _of(part: int, whole: int, arm: str) -> str:
    share = f" ({rate(part / whole)})" if whole else ""
    return f"{count(part)} of {count(whole)}{share} for {arm}"
