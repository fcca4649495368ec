"""The verdict of a trial, or of a comparison: one sentence for each primary endpoint, then the warnings.

This is the one place that phrases a result. Terminal, report, page, ``--json`` and ``compare`` show what it returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptrial.documents.significance import Significance
from promptrial.documents.verdict import FindingDocument, VerdictDocument
from promptrial.model.arms import DEFAULT_CONTRAST, ArmName
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.findings import Finding, Phrasing, State, state_of, where_words
from promptrial.reporting.lost import lost_answers
from promptrial.reporting.ranked import can_rank, ranked_words
from promptrial.reporting.stopped import early_stop, stopped_sentence
from promptrial.reporting.tables import primary_endpoints
from promptrial.reporting.tables.looks import why_stopped
from promptrial.reporting.tables.words import listing
from promptrial.reporting.warned import (
    CLUSTER,
    Warned,
    comparison_warnings,
    effect_warnings,
    trial_warnings,
)

__all__ = [
    "Finding",
    "Verdict",
    "Warned",
    "all_arms",
    "comparison_verdict",
    "scores_verdict",
    "state_of",
    "trial_verdict",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial shows, in the declared order of its primary endpoints; ``summary`` is there if they conflict."""

    findings: tuple[Finding, ...]
    summary: str
    warnings: tuple[Warned, ...]

    @property
    def dry(self) -> bool:
        """Whether it is of a dry run, so that it says nothing about a model."""
        return any(each.kind == "dry_run" for each in self.warnings)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything but the warnings."""
        return (*map(str, self.findings), *([self.summary] if self.summary else []))

    def document(self) -> VerdictDocument:
        """Return the verdict as other programs read it."""
        findings = [
            FindingDocument(
                state=each.state, metric=each.metric, contrast=each.contrast, temp=each.temp, sentence=str(each)
            )
            for each in self.findings
        ]
        warnings = [each.document() for each in self.warnings]
        return VerdictDocument(sentences=self.sentences, findings=tuple(findings), warnings=tuple(warnings))


def trial_verdict(result: TrialResult) -> Verdict:
    """Return the verdict of a finished trial; its scores have to be shares of their ranges (``as_shares``)."""
    facts = result.facts
    names = facts.arm_labels
    if facts.compares:
        several = len(facts.trial.temps) > 1
        usd = None if result.costs.tokens_unknown else result.costs.usd  # a part of it says little of what was saved
        findings = _findings(result.significance, names, facts.run.clusters, several=several, spent_usd=usd)
    else:
        only = listing([names[name] for name in facts.trial.arms_run])
        findings = (Finding("not_compared", "", "", 0.0, f"Nothing is compared: only {only} was asked.", ""),)
    return _verdict(findings, names, tuple(trial_warnings(result)), dry=facts.run.dry_run, aa=facts.trial.is_aa)


def _stopped(findings: tuple[Finding, ...], significance: Significance, spent_usd: float | None) -> tuple[Finding, ...]:
    """Return findings of which the first on the endpoint of a trial that stopped early says so."""
    looks = early_stop(significance)
    at = next((at for at, each in enumerate(findings) if looks is not None and each.metric == looks.metric), None)
    if looks is None or at is None:
        return findings
    why = why_stopped(looks, significance)
    lead, figures = stopped_sentence(looks, findings[at].lead, findings[at].figures, spent_usd, why)
    return (*findings[:at], replace(findings[at], lead=lead, figures=figures), *findings[at + 1 :])


def comparison_verdict(
    significance: Significance, sides: tuple[str, str], dry: Sequence[str], *, same_requests: bool = False
) -> Verdict:
    """Return the verdict on one arm of two runs.

    Parameters
    ----------
    significance : Significance
        Its first side is of one run, its second of the other; scores are shares of their ranges (``as_shares``).
    sides : tuple of str
        What the two are called, such as ``A`` and ``B``.
    dry : sequence of str
        Which of the two are dry runs.
    same_requests : bool
        Whether both asked the same, in the same words, of the same model.
    """
    names = dict(zip(DEFAULT_CONTRAST.sides, sides, strict=True))
    temps = {row.temp for row in primary_endpoints(significance)}
    warnings = tuple(comparison_warnings(significance, names, dry, same_requests=same_requests))
    findings = _findings(significance, names, CLUSTER, several=len(temps) > 1)
    return _verdict(findings, names, warnings, dry=bool(dry))


def scores_verdict(significance: Significance, names: Mapping[ArmName, str], first: Sequence[Warned]) -> Verdict:
    """Return the verdict on scores that were made elsewhere.

    Parameters
    ----------
    significance : Significance
        Its scores are shares of their ranges (``as_shares``).
    names : mapping
        What each arm is called.
    first : sequence of Warned
        What is said before the warnings about the effects.
    """
    findings = _findings(significance, names, CLUSTER, several=False)
    return _verdict(findings, names, (*first, *effect_warnings(significance, names, CLUSTER)), dry=False)


def _findings(
    significance: Significance,
    names: Mapping[ArmName, str],
    clusters: str,
    *,
    several: bool,
    spent_usd: float | None = None,
) -> tuple[Finding, ...]:
    rows = primary_endpoints(significance)
    if not rows:
        text = "No answer possible: no primary endpoint was declared."
        return (Finding("not_estimable", "", "", 0.0, text, ""),)
    arms = len({row.compared for row in rows}) > 1
    contrasts = (Phrasing(significance, names, row, clusters, several, arms).finding() for row in rows)
    found = _stopped((*_ranked(significance, names), *contrasts), significance, spent_usd)
    return tuple(_relied_on(each, significance, names) for each in found)


def all_arms(significance: Significance, names: Mapping[ArmName, str]) -> Iterator[Finding]:
    """Yield what all arms together show on each primary endpoint, where there are several treatments."""
    for finding in _ranked(significance, names):
        yield _relied_on(finding, significance, names)


def _ranked(significance: Significance, names: Mapping[ArmName, str]) -> Iterator[Finding]:
    several = len({row.temp for row in significance.rankings or ()}) > 1
    for ranking in significance.rankings or ():
        if can_rank(ranking):
            where = where_words(ranking.metric, ranking.temp, several=several)
            said = ranked_words(ranking, names, where, wanted=significance.settings.wanted.get(ranking.metric))
            state: State = "not_shown" if len(ranking.best) == len(ranking.arms) else "ranked"
            yield Finding(state, ranking.metric, "", ranking.temp, *said)


def _relied_on(finding: Finding, significance: Significance, names: Mapping[ArmName, str]) -> Finding:
    """Return a finding that begins with the answers that its arms lack, where they are too many."""
    rows = [
        row
        for row in primary_endpoints(significance)
        if (row.metric, row.temp) == (finding.metric, finding.temp) and finding.contrast in {"", str(row.compared)}
    ]
    said = lost_answers(rows, names, significance.settings.missing, finding.lead, finding.figures)
    return finding if said is None else replace(finding, state="unreliable", lead=said[0], figures=said[1])


def _verdict(
    findings: tuple[Finding, ...],
    names: Mapping[ArmName, str],
    warnings: tuple[Warned, ...],
    *,
    dry: bool,
    aa: bool = False,
) -> Verdict:
    summary = _summary(findings, names)
    begins = _begins(dry=dry, unfinished=any(each.kind == "unfinished" for each in warnings), aa=aa)
    first, *others = findings
    findings = (replace(first, lead=f"{begins}{first.lead}"), *others)
    return Verdict(findings, summary, warnings)


def _begins(*, dry: bool, unfinished: bool, aa: bool) -> str:
    """Return what begins the first sentence, wherever it is shown.

    Examples
    --------
    >>> _begins(dry=True, unfinished=True, aa=True), _begins(dry=False, unfinished=False, aa=False)
    ('Dry run, unfinished, A/A run: ', '')
    """
    words = [word for word, holds in (("dry run", dry), ("unfinished", unfinished), ("A/A run", aa)) if holds]
    text = ", ".join(words)
    return f"{text[:1].upper()}{text[1:]}: " if words else ""


def _summary(findings: Sequence[Finding], names: Mapping[ArmName, str]) -> str:
    """Return that findings conflict: one treatment is better on one measure, and worse on another.

    A treatment is named where there are several, a temperature likewise.
    """
    contrasts = dict.fromkeys(each.contrast for each in findings if each.contrast)
    several = len({each.temp for each in findings if each.contrast}) > 1
    said = []
    for contrast in contrasts:
        shown = {
            state: [
                where_words(each.metric, each.temp, several=several)
                for each in findings
                if (each.contrast, each.state) == (contrast, state)
            ]
            for state in ("better", "worse")
        }
        if all(shown.values()):
            arm = contrast.partition(" vs ")[0]
            who = f"{names.get(arm, arm)} is " if len(contrasts) > 1 else ""
            said.append(who + ", ".join(f"{state} on {listing(places)}" for state, places in shown.items()))
    return f"Mixed: {'; '.join(said)}." if said else ""
