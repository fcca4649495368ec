"""What an A/A check found, in sentences and tables: the control against itself. Pure.

Figures are on the scale of the scores; they are shown as shares of their range, or in their unit.
"""

from __future__ import annotations

from collections.abc import Iterator

from promptrial.documents.aa import AAEndpoint, AAGate, AAResult, AATrial, Alarms
from promptrial.reporting.cells import (
    MISSING,
    Table,
    count,
    counted,
    level,
    p_equals,
    p_value,
    points,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.findings import where_words
from promptrial.reporting.tables.words import metric_text, score_unit

__all__ = ["aa_lines", "aa_tables", "result_lines"]

LIMITS = (
    "All splits are of the same answers. They show how noisy these answers are and how the test treats that, not what "
    "may change between two days or two versions of a model."
)
_SHORTEST = 0.05


def aa_lines(trial: AATrial) -> Iterator[str]:
    """Yield what was done, and what each primary endpoint shows, in sentences."""
    result = trial.result
    if result is None:
        yield f"Nothing to check: {trial.reason}."
        return
    yield from result_lines(result)
    yield from aa_gate_lines(trial.gates, result.confidence)
    yield LIMITS


def result_lines(result: AAResult) -> Iterator[str]:
    """Yield what was split, and what each primary endpoint shows."""
    yield _made(result)
    several = len({each.temp for each in result.endpoints}) > 1
    for each in result.endpoints:
        yield from _endpoint_lines(each, result, several=several)
    if len(result.endpoints) > 1 and result.verdict.of:
        yield (
            f"Any of the {len(result.endpoints)} primary endpoints, corrected together, gave a false alarm in "
            f"{_alarms(result.verdict, result.confidence)} of the splits."
        )


def _made(result: AAResult) -> str:
    if result.source == "second_ask":
        return (
            f"A/A check: {result.arm} and {result.other} send the same requests. Their answers were exchanged at "
            f"random, whole clusters at once, in {counted(result.splits, 'split')}."
        )
    sides = sorted({(each.answers_planned, each.answers_per_side) for each in result.endpoints})
    said = " or ".join(f"{all_of} answers to each item, {side} against {side}" for all_of, side in sides)
    return f"A/A check: {counted(result.splits, 'random split')} of the {result.arm}'s {said}; clusters stay whole."


def _endpoint_lines(each: AAEndpoint, result: AAResult, *, several: bool) -> Iterator[str]:
    where = where_words(each.metric, each.temp, several=several)
    name = f"{where[:1].upper()}{where[1:]}"
    if each.reason is not None:
        yield f"{name}: no split can be tested: {each.reason}."
        return
    if each.all_equal:
        yield (
            f"{name}: every answer to an item has the same score. The noise floor is 0: between arms that are asked "
            "like this, no difference is due to chance in the answers."
        )
        return
    if each.difference is not None:
        unit = score_unit(each.metric)
        decimals = max(points_decimals(None, None, unit), 2)
        found = f"{points(each.difference / unit_width(each.metric), decimals, unit)} {unit.of_differences}"
        yield f"{name}: the two sets of answers differ by {found} ({p_equals(each.p)})."
    yield f"{name}: {floor_text(each, result.confidence)}"
    yield (
        f"{name}: false alarms in {_alarms(each.alarms, result.confidence)} of the splits, at level "
        f"{level(result.alpha)}{_judged(each.alarms, result.alpha)}."
    )


def floor_text(each: AAEndpoint, confidence: float) -> str:
    """Return the noise floor of an endpoint in a sentence."""
    unit = score_unit(each.metric)
    text = (
        f"{level(confidence)} of the splits differ by at most {_size(each.noise_floor, each.metric)} "
        f"{unit.of_differences} (noise floor)"
    )
    if each.answers_planned > each.answers_per_side:
        whole = _size(each.noise_floor_planned, each.metric)
        text += f"; about {whole} with all {each.answers_planned} answers on each side"
    return f"{text}."


def _judged(found: Alarms, alpha: float) -> str:
    if found.ci_low is not None and found.ci_low > alpha:
        return ", which is more than the level"
    if found.ci_high is not None and found.ci_high < alpha:
        return ", which is less than the level"
    return ", as expected at this level"


def _alarms(found: Alarms, confidence: float) -> str:
    if found.rate is None or found.ci_low is None or found.ci_high is None:
        return MISSING
    return f"{rate(found.rate)} ({level(confidence)} CI {rate(found.ci_low)} to {rate(found.ci_high)})"


def aa_gate_lines(gates: tuple[AAGate, ...], confidence: float) -> Iterator[str]:
    """Yield how often each gate says what is not so."""
    several = len({gate.temp for gate in gates}) > 1
    for gate in gates:
        at = f" at temperature {temperature(gate.temp)}" if several else ""
        if not gate.alarms.of:
            yield f"Gate {gate.gate}{at}: {gate.reason}."
            continue
        found = _alarms(gate.alarms, confidence)
        yield f"Gate {gate.gate}{at} {gate.alarm}, although nothing changed, in {found} of the splits."


def aa_tables(result: AAResult) -> Iterator[Table]:
    """Yield the figures of all endpoints, and their p-values by tenth."""
    rows = [each for each in result.endpoints if each.reason is None]
    if not rows:
        return
    halved = any(each.answers_planned > each.answers_per_side for each in rows)
    yield Table(
        f"{result.arm.capitalize()} against itself",
        (
            *("Measure", "Temp.", "Pairs", "False alarms", f"{level(result.confidence)} CI", "Noise floor"),
            *(("All answers",) if halved else ()),
        ),
        tuple(_figures(each)[: 7 if halved else 6] for each in rows),
        (
            f"Noise floor: {level(result.confidence)} of the splits differ by at most this.",
            *(("All answers: an estimate for as many answers on each side as an arm has.",) if halved else ()),
            "Differences are in percentage points, unless a unit is given.",
        ),
        "lrrrrr" + "r" * halved,
    )
    yield Table(
        "p-values by tenth",
        ("Measure", "Temp.", *(f"{tenth / 10:g}" for tenth in range(1, 11))),
        tuple((_label(each), temperature(each.temp), *map(count, each.tenths)) for each in rows),
        tuple(_spread(each) for each in rows),
        "lr" + "r" * 10,
    )


def _figures(each: AAEndpoint) -> tuple[str, ...]:
    unit = f" {score_unit(each.metric).name}".rstrip()
    low, high = each.alarms.ci_low, each.alarms.ci_high
    return (
        _label(each),
        temperature(each.temp),
        count(each.n_pairs),
        rate(each.alarms.rate),
        f"{rate(low)} to {rate(high)}",
        f"{_size(each.noise_floor, each.metric)}{unit}",
        f"{_size(each.noise_floor_planned, each.metric)}{unit}",
    )


def _label(each: AAEndpoint) -> str:
    return metric_text(each.metric).label


def _spread(each: AAEndpoint) -> str:
    """Return whether the p-values are spread as they should be, as far as that can be tested."""
    if each.p_uniform is not None:
        found = "unlike" if each.p_uniform < _SHORTEST else "like"
        return (
            f"{_label(each)}: distributed {found} uniform p-values (Kolmogorov-Smirnov, p {p_value(each.p_uniform)})."
        )
    common = "" if each.commonest is None else f" ({rate(each.commonest)} of the splits have the most common one)"
    if each.p_too_small is not None:
        found = "smaller than" if each.p_too_small < _SHORTEST else "not smaller than"
        return (
            f"{_label(each)}: few different p-values{common}; {found} uniform p-values (one-sided Kolmogorov-Smirnov, "
            f"p {p_value(each.p_too_small)})."
        )
    return f"{_label(each)}: few different p-values{common}, so their distribution is not tested."


def unit_width(metric: str) -> float:
    """Return by what a score difference is divided to be a share; scores that are shown in percent are shares."""
    unit = score_unit(metric)
    return unit.width if unit.name else 1.0


def _size(value: float | None, metric: str) -> str:
    """Return the size of a difference, without a sign."""
    if value is None:
        return MISSING
    return points(value / unit_width(metric), 2 if abs(value) < _SHORTEST else 1, score_unit(metric)).removeprefix("+")
