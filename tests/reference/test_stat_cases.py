"""Every published case of the statistics specification, at its tolerance; and some that stand here with a source."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptrial.stats.adjusted_p_values import benjamini_hochberg, benjamini_yekutieli, holm
from promptrial.stats.bootstrap import acceleration
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.effect_size import cohens_dz, cohens_h, rank_biserial
from promptrial.stats.hodges_lehmann import hodges_lehmann
from promptrial.stats.intervals import clopper_pearson, wilson
from promptrial.stats.mcnemar import mcnemar, odds_ratio_interval
from promptrial.stats.paired import clustered_se, paired_difference
from promptrial.stats.power import connor_sample_size, miller_sample_size, t_test_power, t_test_sample_size
from promptrial.stats.risk_difference import PairedTable, newcombe_interval, tango_interval
from promptrial.stats.sign_flips import sign_flips
from promptrial.stats.tost import Tost, tost
from promptrial.stats.wilcoxon import wilcoxon_test

CASES_FILE = Path(__file__).parents[1] / "data" / "stat_cases.json"
Check = Callable[[Any, Any], list[tuple[object, object]]]


CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in json.loads(CASES_FILE.read_text(encoding="utf-8"))}


def mcnemar_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    b, c = given["b"], given["c"]
    test = mcnemar(b, c)
    names = ("chi2", "p_chi2", "chi2_cc", "p_cc", "exact", "midp")
    pairs: list[tuple[object, object]] = [(getattr(test, name), expected[name]) for name in names if name in expected]
    if "or_" in expected:
        pairs.append((b / c, expected["or_"]))
    if "ci" in expected:
        low, high = odds_ratio_interval(b, c)
        pairs += [(low, expected["ci"][0]), (None if math.isinf(high) else high, expected["ci"][1])]
    return pairs


def signs_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    test = wilcoxon_test(np.repeat([1.0, -1.0], [given["plus"], given["minus"]]))
    uncorrected = mcnemar(given["plus"], given["minus"]).p_chi2
    return [(test.statistic, expected["W"]), (test.p, expected["p"]), (uncorrected, expected["p"])]


def wilcoxon_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    d = np.array(given["d"], dtype=np.float64)
    exact, normal = wilcoxon_test(d), wilcoxon_test(d, exact=False)
    assert exact.exact
    return [(exact.statistic, expected["T"]), (exact.p, expected["exact"]), (normal.p, expected["asym"])]


def sign_flip_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    d = np.array(given["d"], dtype=np.float64)
    flips = sign_flips(cluster_totals(d))
    assert flips.enumerated
    # A flip and its opposite count as one.
    total = 2 * flips.flips
    return [
        (flips.p_value() * total, expected["count"]),
        (total, expected["total"]),
        (flips.p_value(), expected["p"]),
    ]


def paired_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    d = np.array(given["d"], dtype=np.float64)
    result = paired_difference(d)
    return [
        (result.mean, expected["mean"]),
        (result.t, expected["t"]),
        (result.p, expected["p"]),
        (cohens_dz(d), expected["dz"]),
        (hodges_lehmann(d), expected["HL"]),
        (rank_biserial(d), expected["r"]),
    ]


def tost_of(given: Any) -> tuple[float, float, Tost]:
    result = paired_difference(np.array(given["x"]) - np.array(given["y"]))
    return result.mean, result.se, tost(result, given["eps"])


def tost_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    mean, se, test = tost_of(given)
    interval = [test.ci_low, test.ci_high]
    return [
        (mean, expected["mean"]),
        (se, expected["se"]),
        (test.p, expected["p"]),
        *zip(interval, expected["ci90"], strict=True),
    ]


def non_inferiority_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    return [(tost_of(CASES[given["same"]]["input"])[2].p_lower, expected["p_lower"])]


def adjusted_case(adjust: Callable[[list[float]], Any]) -> Check:
    return lambda given, expected: list(zip(adjust(given["p"]).tolist(), expected, strict=True))


def wilson_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    limits = [wilson(*pair) for pair in given["pairs"]]
    return [pair for ours, theirs in zip(limits, expected, strict=True) for pair in zip(ours, theirs, strict=True)]


def clustered_se_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    assert given == {"values": "range(20)", "cluster": "i%4"}
    values = np.arange(20)
    return [(clustered_se(cluster_totals(values.astype(np.float64), values % 4)), expected)]


def miller_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    n = miller_sample_size(
        given["delta"], float(Fraction(given["omega2"])), given["sigma2"], alpha=given["alpha"], power=given["power"]
    )
    return [(math.ceil(n), expected)]


def connor_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    return [(connor_sample_size(delta, given["disc"]), n) for delta, n in zip(given["delta"], expected, strict=True)]


def t_power_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    delta, sd = given["delta"], given["sd"]
    return [
        (t_test_power(given["n"], delta, sd, design="two_sample"), expected["power"]),
        (t_test_sample_size(delta, sd, power=0.9, design="two_sample"), expected["n90"]),
        (t_test_sample_size(delta, sd, power=0.9, design="two_sample", sides=1), expected["n90_onesided"]),
    ]


def bca_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    a = np.array(given["A"], dtype=np.float64)
    jackknife = np.array([np.delete(a, index).var() for index in range(len(a))])
    return [(a.var(), expected["theta"]), (acceleration(jackknife), expected["accel"])]


def cohens_h_case(given: Any, expected: Any) -> list[tuple[object, object]]:
    return [(cohens_h(*pair), h) for pair, h in zip(given["p"], expected, strict=True)]


CHECKS: dict[str, Check] = {
    "S01": mcnemar_case,
    "S02": mcnemar_case,
    "S04": mcnemar_case,
    "S05": mcnemar_case,
    "S06": mcnemar_case,
    "S07": signs_case,
    "S08": mcnemar_case,
    "S09": mcnemar_case,
    "S10": wilcoxon_case,
    "S11": sign_flip_case,
    "S12": paired_case,
    "S14": adjusted_case(benjamini_hochberg),
    "S15": adjusted_case(holm),
    "S16": tost_case,
    "S17": non_inferiority_case,
    "S18": wilson_case,
    "S19": clustered_se_case,
    "S21": miller_case,
    "S23": connor_case,
    "S24": t_power_case,
    "S25": bca_case,
    "S29": cohens_h_case,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_published_case_is_reproduced_at_its_tolerance(name: str) -> None:
    case = CASES[name]
    pairs = CHECKS[name](case["input"], case["expected"])
    assert pairs
    for ours, theirs in pairs:
        if theirs is None:
            assert ours is None
        else:
            assert ours == pytest.approx(theirs, rel=case["rtol"], abs=0)


def test_no_published_case_is_left_out() -> None:
    assert set(CHECKS) == set(CASES)


def test_mcnemar_agrees_with_fagerland_lydersen_and_laake_2013() -> None:
    """Table 2 and 3 of BMC Med Res Methodol 13:91: airway hyper-responsiveness before and after transplantation."""
    test = mcnemar(1, 7)
    assert (round(test.p_chi2, 3), round(test.p_cc, 3), round(test.exact, 3), round(test.midp, 3)) == (
        0.034,
        0.077,
        0.070,
        0.039,
    )


def test_newcombe_and_tango_intervals_agree_with_published_ones() -> None:
    """Newcombe 1998 (Stat Med 17:2635), 36/12/2/0; Fagerland, Lydersen and Laake 2014 (Stat Med 33:2850), 1/1/7/12."""
    assert newcombe_interval(PairedTable(36, 12, 2, 0)) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert newcombe_interval(PairedTable(1, 1, 7, 12)) == pytest.approx((-0.507, -0.026), abs=5e-4)
    assert tango_interval(PairedTable(1, 1, 7, 12)) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_wilson_and_clopper_pearson_agree_with_newcombe_1998_table_1() -> None:
    """Newcombe 1998 (Stat Med 17:857), methods 3 and 5."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert clopper_pearson(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert clopper_pearson(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert clopper_pearson(1, 29) == pytest.approx((0.0009, 0.1776), abs=5e-5)


def test_fishers_maize_data_give_fishers_numbers() -> None:
    """Fisher, The design of experiments (1935), sections 17 and 21: t = 2.148, P = 4.97%, and 1726 of 32768."""
    d = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=np.float64)
    result = paired_difference(d)
    assert (round(result.t, 3), round(result.p, 4)) == (2.148, 0.0497)
    assert sign_flips(cluster_totals(d)).p_value() * 2**15 == 1726


def test_benjamini_and_hochberg_reject_four_of_their_fifteen_tests() -> None:
    """Benjamini and Hochberg 1995 (JRSS B 57:289), section 3.2; a running minimum from the wrong end rejects all 15."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.324,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1.0,
    ]
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3
    assert (benjamini_yekutieli(p) <= 0.05).sum() == 3


def test_the_acceleration_of_the_spatial_data_equals_efron_and_tibshirani() -> None:
    """Efron and Tibshirani, An introduction to the bootstrap (1993), table 14.2 and equation 14.15: 171.5, 0.061."""
    a = np.array(
        [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41],
        dtype=np.float64,
    )
    jackknife = np.array([np.delete(a, index).var() for index in range(len(a))])
    assert (round(a.var(), 1), round(acceleration(jackknife), 3)) == (171.5, 0.061)
