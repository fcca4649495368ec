"""``analyze`` on made-up scores of the shapes of public data sets, against a plain calculation that stands here.

The calculation knows nothing of the product: lists and dictionaries, the textbook's formulas, and for the interval that
decides an own inversion of random sign flips, so that it agrees only as far as chance lets it.
"""

from __future__ import annotations

import csv
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from scipy import stats

from promptrial.comparison.elsewhere.analysing import AnalysisRequest, analyze
from promptrial.comparison.elsewhere.rows import Columns
from promptrial.comparison.elsewhere.scales import Declared
from promptrial.documents.analysis import Analysis
from promptrial.documents.significance import Endpoint, Estimate
from tests.support.result_files import helm_run, inspect_samples, inspect_zip, lm_eval_samples, promptfoo_output


class Row(NamedTuple):
    item: str
    arm: str
    score: float
    cluster: str = ""
    replicate: str = ""


class Plain(NamedTuple):
    difference: float
    se: float
    low: float
    high: float


def written(path: Path, rows: Sequence[Row], without: Sequence[str] = ()) -> Path:
    names = [name for name in Row._fields if name not in without]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([repr(value) if isinstance(value, float) else value for value in kept] for kept in (
            [getattr(row, name) for name in names] for row in rows))  # fmt: skip
    return path


def item_differences(rows: Sequence[Row]) -> dict[str, float]:
    """Mean over the repeats of an item in each arm, then new minus base."""
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        scores[row.item, row.arm].append(row.score)
    items = dict.fromkeys(row.item for row in rows)
    return {
        item: math.fsum(scores[item, "new"]) / len(scores[item, "new"])
        - math.fsum(scores[item, "base"]) / len(scores[item, "base"])
        for item in items
    }


def plain(rows: Sequence[Row]) -> Plain:
    """Mean difference, standard error clustered with C/(C-1), Student's interval with C - 1 degrees of freedom."""
    differences, cluster_of = item_differences(rows), {row.item: row.cluster or row.item for row in rows}
    mean = math.fsum(differences.values()) / len(differences)
    residuals: dict[str, float] = defaultdict(float)
    for item, difference in differences.items():
        residuals[cluster_of[item]] += difference - mean
    n, c = len(differences), len(residuals)
    se = math.sqrt(c / (c - 1) * math.fsum(each**2 for each in residuals.values())) / n
    half = float(stats.t.ppf(0.975, c - 1)) * se
    return Plain(mean, se, mean - half, mean + half)


def flipped_interval(rows: Sequence[Row]) -> tuple[float, float]:
    """The differences theta that random sign flips of the clusters of ``d - theta`` do not reject at 5%."""
    differences, cluster_of = item_differences(rows), {row.item: row.cluster or row.item for row in rows}
    sums: dict[str, float] = defaultdict(float)
    sizes: dict[str, int] = defaultdict(int)
    for item, difference in differences.items():
        sums[cluster_of[item]] += difference
        sizes[cluster_of[item]] += 1
    total, size = np.array([*sums.values()]), np.array([sizes[name] for name in sums], dtype=float)
    signs = np.random.default_rng(7).choice([-1.0, 1.0], size=(8_000, len(total)))
    of_sums, of_sizes = signs @ total, signs @ size

    def p(theta: float) -> float:
        seen = abs(total.sum() - theta * size.sum())
        return float((np.abs(of_sums - theta * of_sizes) >= seen - 1e-9).mean())

    mean = float(total.sum() / size.sum())
    spread = 8 * plain(rows).se

    def end(inside: float, outside: float) -> float:
        for _ in range(25):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if p(middle) > 0.05 else (inside, middle)
        return inside

    return end(mean, mean - spread), end(mean, mean + spread)


def tango(both_better: int, both_worse: int, n: int) -> tuple[float, float]:
    """Tango's score interval (1998) of a paired difference of shares, by bisection on the score itself."""
    b, c = both_better, both_worse

    def score(delta: float) -> float:
        linear = -(b + c) + (2 * n - b + c) * delta  # the constrained estimate of the share of c solves a quadratic
        share = (math.sqrt(linear**2 - 8 * n * (-c * delta * (1 - delta))) - linear) / (4 * n)
        return (b - c - n * delta) / math.sqrt(n * (2 * share + delta * (1 - delta)))

    def end(target: float, inside: float, outside: float) -> float:
        for _ in range(80):
            middle = (inside + outside) / 2
            is_inside = abs(score(middle)) < target
            inside, outside = (middle, outside) if is_inside else (inside, middle)
        return inside

    z, estimate = statistics.NormalDist().inv_cdf(0.975), (b - c) / n
    return end(z, estimate, -1 + 1e-12), end(z, estimate, 1 - 1e-12)


def analysed(path: Path, **options: object) -> Analysis:
    return analyze(AnalysisRequest(inputs=(str(path),), first="base", **options)).document  # type: ignore[arg-type]


def decided(found: Analysis) -> Endpoint:
    (row,) = [each for each in found.significance.endpoints if each.scope == "overall"]
    return row


def students(found: Analysis) -> Estimate:
    (row,) = [
        each for each in found.significance.estimates if each.method == "paired_difference" and each.scope == "overall"
    ]
    return row


def assert_students(found: Analysis, expected: Plain) -> None:
    row = students(found)
    assert row.estimate == pytest.approx(expected.difference, abs=1e-11)
    assert row.figures["se"] == pytest.approx(expected.se, rel=1e-9)
    assert (row.ci_low, row.ci_high) == pytest.approx((expected.low, expected.high), abs=1e-10)
    assert decided(found).difference == pytest.approx(expected.difference, abs=1e-11)


def assert_flips(found: Analysis, rows: Sequence[Row]) -> None:
    row, (low, high) = decided(found), flipped_interval(rows)
    assert row.ci_method == "sign_flips"
    assert row.ci_low == pytest.approx(low, abs=0.04 * (high - low))
    assert row.ci_high == pytest.approx(high, abs=0.04 * (high - low))


def test_two_models_on_198_items_with_five_repeats_equal_a_direct_calculation(tmp_path: Path) -> None:
    rng = random.Random(198)  # noqa: S311 - made-up scores
    rows = [
        Row(f"q{item}", arm, float(rng.random() < ability - 0.5 * hardness), replicate=str(repeat))
        for item, hardness in enumerate(rng.random() for _ in range(198))
        for arm, ability in (("base", 0.75), ("new", 0.83))
        for repeat in range(5)
    ]
    found = analysed(written(tmp_path / "five.csv", rows, ["cluster"]), declared=Declared(binary=True))
    assert_students(found, plain(rows))
    assert_flips(found, rows)
    assert (decided(found).n_pairs, decided(found).scale) == (198, "graded")
    spread = [statistics.variance([row.score for row in rows if (row.item, row.arm) == (f"q{item}", "base")])
              for item in range(198)]  # fmt: skip
    assert students(found).figures["variance_within_control"] == pytest.approx(statistics.mean(spread), rel=1e-9)


def test_1136_items_in_18_clusters_equal_a_direct_calculation(tmp_path: Path) -> None:
    rng = random.Random(1136)  # noqa: S311
    levels = [(rng.gauss(0, 0.2), rng.gauss(0.05, 0.1)) for _ in range(18)]
    rows = [
        Row(f"q{item}", arm, float(rng.random() < 0.5 + level + gain * effect), f"c{item % 18}")
        for item in range(1136)
        for level, effect in [levels[item % 18]]
        for arm, gain in (("base", 0), ("new", 1))
    ]  # fmt: skip
    path = written(tmp_path / "clusters.csv", rows, ["replicate"])
    found = analysed(path, columns=Columns(cluster="cluster"), declared=Declared(binary=True))
    assert_students(found, plain(rows))
    assert_flips(found, rows)
    assert (decided(found).n_pairs, decided(found).n_clusters, decided(found).clustered) == (1136, 18, True)


def test_the_same_1136_items_without_clusters_have_tangos_interval(tmp_path: Path) -> None:
    rng = random.Random(36)  # noqa: S311
    rows = [
        Row(f"q{item}", arm, float(rng.random() < share))
        for item in range(1136)
        for arm, share in (("base", 0.61), ("new", 0.66))
    ]
    found = analysed(written(tmp_path / "plain.csv", rows, ["replicate", "cluster"]), declared=Declared(binary=True))
    assert_students(found, plain(rows))
    differences = [*item_differences(rows).values()]
    row = decided(found)
    assert row.ci_method == "tango"
    expected = tango(differences.count(1.0), differences.count(-1.0), 1136)
    assert (row.ci_low, row.ci_high) == pytest.approx(expected, abs=1e-7)


def test_805_continuous_preferences_equal_a_direct_calculation(tmp_path: Path) -> None:
    rng = random.Random(805)  # noqa: S311
    rows = [
        Row(f"q{item}", arm, shift + 0.4 * base + 0.6 * rng.gauss(0, 1))
        for item, base in enumerate(rng.gauss(0, 1) for _ in range(805))
        for arm, shift in (("base", 0.0), ("new", 0.07))
    ]
    found = analysed(written(tmp_path / "preferences.csv", rows, ["replicate", "cluster"]))
    assert_students(found, plain(rows))
    assert_flips(found, rows)
    (measure,) = found.measures
    ends = min(row.score for row in rows), max(row.score for row in rows)
    assert measure.declared.range == ends
    assert "805" not in measure.inferred
    assert "1,610 scores" in measure.inferred


def test_100_items_with_100_repeats_equal_a_direct_calculation(tmp_path: Path) -> None:
    rng = random.Random(100)  # noqa: S311
    rows = [
        Row(f"q{item}", arm, float(rng.random() < ability * easiness), replicate=str(repeat))
        for item, easiness in enumerate(rng.random() for _ in range(100))
        for arm, ability in (("base", 0.9), ("new", 0.95))
        for repeat in range(100)
    ]
    found = analysed(written(tmp_path / "hundred.csv", rows, ["cluster"]))
    assert_students(found, plain(rows))
    assert_flips(found, rows)
    assert students(found).figures["replicates_treatment"] == pytest.approx(100)


def as_lm_eval(folder: Path, arm: str, scores: Sequence[float]) -> Path:
    lm_eval_samples(folder / arm, scores, metrics=["acc"])
    return folder / arm


def as_inspect(folder: Path, arm: str, scores: Sequence[float]) -> Path:
    return inspect_zip(folder / f"{arm}.eval", inspect_samples(["C" if score else "I" for score in scores]), arm)


def as_promptfoo(folder: Path, arm: str, scores: Sequence[float]) -> Path:
    return promptfoo_output(folder / f"{arm}.json", [(arm, "p", n, bool(score)) for n, score in enumerate(scores)])


def as_helm(folder: Path, arm: str, scores: Sequence[float]) -> Path:
    return helm_run(folder / arm, arm, scores).parent


@pytest.mark.parametrize("write", [as_lm_eval, as_inspect, as_promptfoo, as_helm])
def test_logs_of_each_tool_equal_a_direct_calculation(
    tmp_path: Path, write: Callable[[Path, str, Sequence[float]], Path]
) -> None:
    rng = random.Random(90)  # noqa: S311
    scores = {arm: [float(rng.random() < share) for _ in range(90)] for arm, share in (("base", 0.5), ("new", 0.65))}
    files = tuple(str(write(tmp_path, arm, each)) for arm, each in scores.items())
    found = analyze(AnalysisRequest(inputs=files, first="base")).document
    rows = [Row(f"q{n}", arm, score) for arm, each in scores.items() for n, score in enumerate(each)]
    primary = msgspec.structs.replace(found.significance, endpoints=found.significance.endpoints[:1])
    name = primary.endpoints[0].metric
    estimates = tuple(row for row in primary.estimates if row.metric == name)
    found = msgspec.structs.replace(found, significance=msgspec.structs.replace(primary, estimates=estimates))
    assert_students(found, plain(rows))
    differences = [*item_differences(rows).values()]
    row = decided(found)
    assert (row.ci_low, row.ci_high) == pytest.approx(
        tango(differences.count(1.0), differences.count(-1.0), 90), abs=1e-7
    )
