"""Whether the statistics keep their word: simulated trials whose true effect is known, from answers to decisions.

Over the trials 95% intervals should cover the truth in 95 of 100; where the arms are the same, p-values should be
spread evenly, and below 0.05 in 5 of 100. What the figures say is in docs/calibration.md; how a trial is made, and how
the truth about it is known, in ``simulated_trials``.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from environment import environment_line
from scipy import stats
from simulated_trials import TEMP, Design, answers, designs, oracle_settings, score_table, truth, write_questions

from promptrial.scoring.base import load_scorers
from promptrial.significance import ArmMean, Endpoint, Estimate, Significance, StatsSettings
from promptrial.stats.analysis import analyse, stream
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import PairedSample, pair_scores
from promptrial.stats.resampling import all_sign_flip_sums, sign_flip_sums
from promptrial.stats.sign_flips import LARGEST_ENUMERATION

EFFECT: Final = 0.1
CONFIDENCE: Final = 0.95
ALPHA: Final = 0.05
METRIC: Final = "em"
SETTINGS: Final = StatsSettings(graded=tuple(scorer.name for scorer in load_scorers() if scorer.graded))
SEEDS: Final = {EFFECT: 0, 0.0: 1_000_000}
"""The first seed of the trials with and without an effect."""

Label = tuple[str, str, str]
"""A metric, what of it (``difference`` or ``control``), and how the interval is made."""
Limits = tuple[float, float]


class Outcome(NamedTuple):
    """Of one trial: the intervals, None where none is given, and the p-values by method."""

    intervals: dict[Label, Limits | None]
    p: dict[str, float]


class Coverage(NamedTuple):
    """How many intervals covered the truth, and how wide they were on the average."""

    label: Label
    truth: float
    trials: int
    given: int
    covered: int
    width: float


class Uniformity(NamedTuple):
    """How evenly p-values are spread: the Kolmogorov-Smirnov test, and how many fall below the level."""

    method: str
    trials: int
    distance: float
    p: float
    rejected: int


# --- one trial -----------------------------------------------------------------------------------------------------


def simulate(seed: int, design: Design, questions: Path, effect: float) -> Outcome:
    """Run a trial and return what is looked at."""
    table = score_table(design, answers(design, oracle_settings(questions, effect, seed)))
    document, sample = analyse(table, SETTINGS), pair_scores(table, METRIC, TEMP).sample()
    return Outcome(dict(_intervals(document, sample)), dict(_p_values(document, sample, seed)))


def _intervals(document: Significance, sample: PairedSample) -> Iterator[tuple[Label, Limits | None]]:
    for endpoint in document.endpoints:
        if endpoint.scope == "overall" and endpoint.n_pairs:
            yield (endpoint.metric, "difference", "reported"), _limits(endpoint)
            yield (endpoint.metric, "control", "reported"), _limits(endpoint.control)
    rows = {row.method: row for row in _rows(document)}
    yield (METRIC, "difference", "t"), _limits(rows["paired_difference"])
    yield (METRIC, "difference", "BCa bootstrap"), _limits(rows["bootstrap"])
    if sample.clustered:
        naive = paired_difference(sample.difference, None, CONFIDENCE)
        yield (METRIC, "difference", "t, passages ignored"), (naive.ci_low, naive.ci_high)
    elif sample.binary:
        tango = (rows["mcnemar"].figures[name] for name in ("tango_low", "tango_high"))
        yield (METRIC, "difference", "Tango"), _pair(*tango)


def _p_values(document: Significance, sample: PairedSample, seed: int) -> Iterator[tuple[str, float]]:
    """Yield p-values by method; those "made even" have ties broken at random, and are even if the others are right."""
    rows = {row.method: row for row in _rows(document)}
    endpoint = next(each for each in document.endpoints if (each.metric, each.scope) == (METRIC, "overall"))
    yield f"reported: {endpoint.p_method}", _number(endpoint.p)
    rng = stream(seed, "ties")
    if sample.binary:
        exact, mid = (_number(rows["mcnemar"].figures[name]) for name in ("p_exact", "p_midp"))
        if sample.clustered:
            yield "mcnemar, passages ignored", mid
            yield "Obuchowski", _number(rows["mcnemar"].figures["p_obuchowski"])
        else:
            # The exact p takes the outcome seen as wholly extreme, mid-p as half so: the step is twice the difference.
            yield "mcnemar, made even", exact - 2 * (exact - mid) * rng.random()
            yield "mcnemar, exact", exact
    yield "permutation, made even", _even_flips(sample, rng)
    yield "t", _number(rows["paired_difference"].p)


def _even_flips(sample: PairedSample, rng: np.random.Generator) -> float:
    """Return the p of the sign flips with ties broken at random."""
    magnitudes = np.abs(sample.totals.sums[sample.totals.sums != 0])
    enumerated = len(magnitudes) <= LARGEST_ENUMERATION
    flips = all_sign_flip_sums(magnitudes) if enumerated else sign_flip_sums(magnitudes, 10_000, rng)
    observed, tolerance = abs(float(sample.totals.sums.sum())), 1e-9
    beyond = int((np.abs(flips) > observed + tolerance).sum())
    tied = int((np.abs(flips) >= observed - tolerance).sum()) - beyond
    added = 0 if enumerated else 1
    return float((beyond + (tied + added) * rng.random()) / (len(flips) + added))


def _rows(document: Significance) -> Iterator[Estimate]:
    wanted = (METRIC, "overall")
    quantities = ("mean_difference", "risk_difference")
    return (row for row in document.estimates if (row.metric, row.scope) == wanted and row.quantity in quantities)


def _limits(row: Endpoint | Estimate | ArmMean) -> Limits | None:
    return _pair(row.ci_low, row.ci_high)


def _pair(low: float | None, high: float | None) -> Limits | None:
    return None if low is None or high is None else (low, high)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


# --- many trials ---------------------------------------------------------------------------------------------------


def outcomes(design: Design, effect: float, trials: int, pool: ProcessPoolExecutor) -> list[Outcome]:
    """Run trials that differ in the seed of the oracle alone."""
    with tempfile.TemporaryDirectory() as name:
        write_questions(design, Path(name))
        run = partial(simulate, design=design, questions=Path(name), effect=effect)
        return list(pool.map(run, range(SEEDS[effect], SEEDS[effect] + trials), chunksize=5))


def coverages(design: Design, effect: float, found: Sequence[Outcome]) -> list[Coverage]:
    """Return how often each interval covered the truth; one that is not given covers nothing."""
    true = truth(design, effect)
    rows = []
    for label in found[0].intervals:
        value = getattr(true[label[0]], label[1])
        given = [limits for outcome in found if (limits := outcome.intervals[label]) is not None]
        covered = sum(low <= value <= high for low, high in given)
        width = float(np.mean([high - low for low, high in given]))
        rows.append(Coverage(label, value, len(found), len(given), covered, width))
    return rows


def uniformities(found: Sequence[Outcome]) -> list[Uniformity]:
    """Return how evenly the p-values of each method are spread."""
    rows = []
    for method in found[0].p:
        values = np.array([outcome.p[method] for outcome in found])
        test = stats.kstest(values, "uniform")
        rows.append(
            Uniformity(method, len(values), float(test.statistic), float(test.pvalue), int((values <= ALPHA).sum()))
        )
    return rows


def expected(trials: int, rate: float, confidence: float = 0.95) -> tuple[int, int]:
    """Return between which counts one of this rate falls with a probability of at least ``confidence``."""
    low, high = stats.binom.interval(confidence, trials, rate)
    return int(low), int(high)


# --- showing it ----------------------------------------------------------------------------------------------------


def show_coverages(rows: Sequence[Coverage]) -> None:
    """Print the table of the intervals."""
    low, high = expected(rows[0].trials, CONFIDENCE)
    print(f"\n95% intervals at an effect of {EFFECT:+} on accuracy: {low} to {high} of {rows[0].trials} should cover\n")
    print("| metric | of | interval | truth | width | given | cover the truth | |")
    print("|---|---|---|--:|--:|--:|--:|---|")
    for row in rows:
        covered = f"{row.covered} ({row.covered / row.trials:.1%}) | {_side(row.covered, low, high)}"
        print(f"| {' | '.join(row.label)} | {row.truth:.3f} | {row.width:.3f} | {row.given} | {covered} |")


def show_uniformities(rows: Sequence[Uniformity]) -> None:
    """Print the table of the p-values."""
    low, high = expected(rows[0].trials, ALPHA)
    print(f"\np-values of {METRIC} without an effect: {low} to {high} of {rows[0].trials} should be {ALPHA} or less\n")
    print(f"| p-value | {ALPHA} or less | | KS distance | KS p |")
    print("|---|--:|---|--:|--:|")
    for row in rows:
        rejected = f"{row.rejected} ({row.rejected / row.trials:.1%}) | {_side(row.rejected, low, high)}"
        print(f"| {row.method} | {rejected} | {row.distance:.3f} | {row.p:.3g} |")


def _side(count: int, low: int, high: int) -> str:
    return "few" if count < low else "many" if count > high else ""


def main() -> None:
    """Simulate, and print a table of intervals and one of p-values for each design."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--trials", type=int, default=200, help="how many for each design, with and without effect")
    parser.add_argument("--design", action="append", choices=[*designs()], help="one of them; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    options = parser.parse_args()
    document: dict[str, Any] = {}
    if not options.json:
        print(environment_line("promptrial", "numpy", "scipy"))
    with ProcessPoolExecutor() as pool:
        for name in options.design or designs():
            design = designs()[name]
            covered = coverages(design, EFFECT, outcomes(design, EFFECT, options.trials, pool))
            even = uniformities(outcomes(design, 0.0, options.trials, pool))
            document[name] = {"coverage": [row._asdict() for row in covered], "p": [row._asdict() for row in even]}
            if not options.json:
                print(f"\n## {name}: {design.about}", flush=True)
                show_coverages(covered)
                show_uniformities(even)
    if options.json:
        print(json.dumps(document))


if __name__ == "__main__":
    main()
