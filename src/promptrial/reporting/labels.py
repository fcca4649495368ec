"""What labels say about measures, and how far judges agree, as sentences and tables of text. Pure.

Agreement by arm, what was compared with what, corrected effects, and agreement between people and between judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from promptrial.documents.labels import (
    Agreement,
    Coefficient,
    CorrectedEffect,
    JudgesAgreement,
    LabelReport,
    PairAgreement,
    RatersAgreement,
)
from promptrial.reporting.cells import (
    MISSING,
    ScoreUnit,
    Table,
    count,
    counted,
    effect,
    level,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.tables.words import listing, metric_text, score_unit

__all__ = ["AGREEMENT", "agreement_lines", "agreement_tables", "label_lines", "label_tables"]

AGREEMENT: Final = "Agreement"
"""The heading, in a report, of what labels say and of how far judges agree."""
_PEOPLE: Final = "Agreement with people"
_JUDGES: Final = "Agreement between judges"


def agreement_lines(agreement: Agreement | None) -> list[str]:
    """Return what was labelled, and how many judges the judges count for, in sentences."""
    if agreement is None:
        return []
    lines = [line for each in agreement.labels for line in label_lines(each)]
    return [*lines, *map(_judges_line, agreement.judges)]


def agreement_tables(agreement: Agreement | None) -> Iterator[Table]:
    """Yield the tables of all measures that people have labelled, and of judges."""
    if agreement is None:
        return
    for report in agreement.labels:
        where = _where(report.measure, report.temperature)
        for table in label_tables(report):
            yield replace(table, title=f"{table.title}: {where}")
    for judges in agreement.judges:
        title = f"{_JUDGES}, temperature {temperature(judges.temperature)}"
        names = [metric_text(name).label for name in judges.measures]
        labels = dict(zip(judges.measures, names, strict=True))
        pairs = [_named(pair, labels) for pair in judges.pairs]
        yield _pairs_table(title, pairs, judges.alpha, judges.confidence, judges.n_answers)


def _where(measure: str, temp: float) -> str:
    return f"{metric_text(measure).label}, temperature {temperature(temp)}"


def _judges_line(judges: JudgesAgreement) -> str:
    names = listing([metric_text(name).label for name in judges.measures])
    at = f"{names} at temperature {temperature(judges.temperature)}"
    if judges.effective is None:
        return f"{at}: it is not known how many independent judges they count for: {judges.reason}."
    return (
        f"{at}: {len(judges.measures)} judges count for {judges.effective:.1f} whose errors are independent "
        f"({counted(judges.n_labelled, 'labelled answer')})."
    )


def label_lines(report: LabelReport) -> list[str]:
    """Return what was labelled, in sentences."""
    what = f"{metric_text(report.measure).label} against people's labels, temperature {temperature(report.temperature)}"
    several = len(report.raters) > 1
    sheets = (
        f"{len(report.raters)} sheets ({listing([each.rater for each in report.raters])})" if several else "the sheet"
    )
    lines = [f"{what}: {counted(report.n_labels, 'label')} of {counted(report.n_answers, 'answer')} in {sheets}."]
    if report.n_empty:
        verb = "has" if report.n_empty == 1 else "have"
        lines.append(
            f"{counted(report.n_empty, 'answer')} {verb} no label. If people skipped the hard ones, the "
            "results are biased."
        )
    if report.n_unmeasured:
        verb = "is" if report.n_unmeasured == 1 else "are"
        lines.append(f"{counted(report.n_unmeasured, 'label')} of answers without this score {verb} not used.")
    return lines


def label_tables(report: LabelReport) -> Iterator[Table]:
    """Yield the tables; scores are shown as shares of their range, or in their unit."""
    yield _agreement_table(report)
    yield from _confusion_tables(report)
    if report.effects:
        yield _effects_table(report)
    if report.between is not None:
        yield _raters_table(report)
        yield _between_table(report.between, report.confidence)


def _agreement_table(report: LabelReport) -> Table:
    unit = score_unit(report.measure)
    decimals = points_decimals(None, None, unit)
    rows = tuple(
        (
            arm.arm,
            count(arm.n_labelled),
            rate(_share(arm.mean_people, unit), decimals, unit),
            rate(_share(arm.mean_measure, unit), decimals, unit),
            rate(arm.agreeing),
            _text(arm.kappa),
            _text(arm.alpha),
        )
        for arm in report.arms
    )
    found = [each for arm in report.arms for each in (arm.kappa, arm.alpha)]
    heads = ("Arm", "Labels", "People", "Measure", "Equal", "kappa", "alpha")
    return Table(_PEOPLE, heads, rows, _notes(report.confidence, found), "lrrrrrr")


def _notes(confidence: float, found: Iterable[Coefficient | None]) -> tuple[str, ...]:
    reasons = dict.fromkeys(each.reason for each in found if each is not None and each.reason)
    return (
        f"Cohen's kappa, Krippendorff's alpha, {level(confidence)} intervals: 1 is full agreement, 0 is chance.",
        *(f"No interval: {reason}." for reason in reasons),
    )


def _raters_table(report: LabelReport) -> Table:
    rows = tuple(
        (each.rater, count(each.n_labelled), rate(each.agreeing), _text(each.kappa), _text(each.alpha))
        for each in report.raters
    )
    notes = _notes(report.confidence, [found for each in report.raters for found in (each.kappa, each.alpha)])
    return Table("The measure and each person", ("Person", "Labels", "Equal", "kappa", "alpha"), rows, notes, "lrrrr")


def _between_table(between: RatersAgreement, confidence: float) -> Table:
    return _pairs_table("Agreement between people", between.pairs, between.alpha, confidence, between.n_answers)


def _named(pair: PairAgreement, labels: dict[str, str]) -> PairAgreement:
    return msgspec.structs.replace(pair, first=labels[pair.first], second=labels[pair.second])


def _pairs_table(
    title: str, pairs: Sequence[PairAgreement], alpha: Coefficient, confidence: float, n_answers: int
) -> Table:
    """Return a row for each pair, and one for all together where there are more than two."""
    rows = [
        (
            f"{each.first}, {each.second}",
            count(each.n_answers),
            rate(each.agreeing),
            _text(each.kappa),
            _text(each.alpha),
        )
        for each in pairs
    ]
    if len(pairs) > 1:
        rows.append(("all", count(n_answers), MISSING, MISSING, _text(alpha)))
    notes = _notes(confidence, [found for each in pairs for found in (each.kappa, each.alpha)])
    return Table(title, ("Who", "Answers", "Equal", "kappa", "alpha"), tuple(rows), notes, "lrrrr")


def _text(found: Coefficient | None) -> str:
    if found is None or found.value is None:
        return MISSING
    if found.ci_low is None or found.ci_high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.ci_low:.2f} to {found.ci_high:.2f})"


def _confusion_tables(report: LabelReport) -> Iterator[Table]:
    arms = [arm for arm in report.arms if arm.table]
    if not arms:
        return
    rows = tuple(
        (arm.arm, f"{person:g}", f"{measured:g}", count(arm.table[row][column]))
        for arm in arms
        for row, person in enumerate(arm.values)
        for column, measured in enumerate(arm.values)
    )
    yield Table("People and measure", ("Arm", "People", "Measure", "Answers"), rows, (), "lrrr")


def _effects_table(report: LabelReport) -> Table:
    rows = tuple(
        (
            row.contrast,
            _shown(report, row.measured, row.measured_low, row.measured_high),
            _shown(report, row.corrected, row.ci_low, row.ci_high),
            count(row.n_labelled),
        )
        for row in report.effects
    )
    notes = (
        f"Differences in {score_unit(report.measure).of_differences}, with {level(report.confidence)} intervals.",
        *dict.fromkeys(_why(row) for row in report.effects),
        *(_left_out(row) for row in report.effects if row.n_left_out),
    )
    return Table("Effects", ("Contrast", "As measured", "Corrected with the labels", "Items"), rows, notes, "lrrr")


def _why(row: CorrectedEffect) -> str:
    if row.reason:
        return f"{row.contrast}: no corrected effect: {row.reason}."
    return f"{row.contrast}: prediction-powered inference, {row.tuning or 0:.2f} of the measure used."


def _left_out(row: CorrectedEffect) -> str:
    left_out = counted(row.n_left_out or 0, "item")
    count_and_are = (
        "counts in the other tables, and is" if row.n_left_out == 1 else "count in the other tables, and are"
    )
    return (
        f"{row.contrast}: both differences are over the items that every arm answered; {left_out} with a missing "
        f"answer {count_and_are} left out here."
    )


def _shown(report: LabelReport, value: float | None, low: float | None, high: float | None) -> str:
    unit = score_unit(report.measure)
    width = unit.width if unit.name else 1.0
    shares = [None if each is None else each / width for each in (value, low, high)]
    return effect(shares[0], shares[1], shares[2], unit)


def _share(score: float | None, unit: ScoreUnit) -> float | None:
    """Return a score as a share of its range; those shown in percent are shares already."""
    return score if score is None or not unit.name else (score - unit.low) / unit.width
