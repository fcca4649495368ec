"""Kappa and alpha against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from promptrial.stats import agreement
from promptrial.stats.agreement import (
    AlphaScale,
    cohens_kappa,
    confusion_table,
    effective_judges,
    kappa_of,
    krippendorffs_alpha,
)

GAP = np.nan
COHEN = np.array([[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]])
"""Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20:37-46,
kappa .492 of 200 cases. Cohen, J. (1968). Weighted kappa. Psychological Bulletin 70:213-220: weighted kappa .348 of the
same shares, with disagreements weighing 1, 3 and 6, and .353 with weights that are not symmetric. Shares, weights and
values are those in the examples of ``cohen.kappa`` of the R package psych, which names Cohen for them."""
FLEISS = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
"""Fleiss, J.L., Levin, B., Paik, M.C. (2003). Statistical methods for rates and proportions, 3rd edition, chapter 18:
two raters' diagnoses of 100 patients: .89 equal, .66 by chance, kappa .68."""
THREE_CODERS = np.array(
    [
        [GAP, GAP, GAP, GAP, GAP, 3, 4, 1, 2, 1, 1, 3, 3, GAP, 3],
        [1, GAP, 2, 1, 3, 3, 4, 3, GAP, GAP, GAP, GAP, GAP, GAP, GAP],
        [GAP, GAP, 2, 1, 3, 4, 4, GAP, 2, 1, 1, 3, 3, GAP, 4],
    ]
).T
"""Fifteen units, three coders, most ratings missing: alpha .691 (nominal) and .811 (interval) are published with the
example in Wikipedia's article on Krippendorff's alpha, and are in the tests of the Python package krippendorff; .807
(ordinal) is what that package, version 0.9.0, computes."""
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
        [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
    ]
).T
"""Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability (repository.upenn.edu/asc_papers/43); also
Content analysis, 4th edition (2019), p. 290: alpha .743 (nominal), .815 (ordinal) and .849 (interval). The package
krippendorff 0.9.0 of Python computes .743421, .815388 and .849107."""


def test_kappa_and_weighted_kappa_equal_cohens() -> None:
    assert float(kappa_of(COHEN, 1 - np.eye(3))) == pytest.approx(0.492, abs=0.0005)
    weights = np.array([[0.0, 1, 3], [1, 0, 6], [3, 6, 0]])
    assert float(kappa_of(COHEN, weights)) == pytest.approx(0.348, abs=0.0005)
    weights = np.array([[0.0, 1, 4], [1, 0, 6], [2, 2, 0]])
    assert float(kappa_of(COHEN, weights)) == pytest.approx(0.353, abs=0.0005)


def test_kappa_of_two_raters_equals_the_textbook_example() -> None:
    cells = np.repeat(np.arange(9), FLEISS.ravel())
    first, second = (cells // 3).astype(float), (cells % 3).astype(float)
    assert confusion_table(first, second).counts.tolist() == FLEISS.tolist()
    found = cohens_kappa(first, second)
    assert confusion_table(first, second).agreeing == pytest.approx(0.89)
    assert found.value == pytest.approx((0.89 - 0.66) / (1 - 0.66))
    # Asymptotic standard error of the textbook's formula: 0.088; a bootstrap interval is about 1.96 of it to each side.
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(0.088, rel=0.1)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.691358), ("ordinal", 0.806721), ("interval", 0.810845)])
def test_alpha_of_three_coders_equals_the_published_value(scale: AlphaScale, alpha: float) -> None:
    assert krippendorffs_alpha(THREE_CODERS, scale=scale).value == pytest.approx(alpha, abs=5e-7)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107)])
def test_alpha_of_four_observers_equals_the_published_value(scale: AlphaScale, alpha: float) -> None:
    found = krippendorffs_alpha(FOUR_OBSERVERS, scale=scale)
    assert found.value == pytest.approx(alpha, abs=5e-7)
    assert found.n_units == 11, "a unit that one observer rated pairs nothing"


def test_the_effective_number_of_judges_follows_kishs_formula() -> None:
    """Kish's n / (1 + (n - 1) rho), as Kohli (2026, arXiv:2605.29800) applies it to the errors of judges."""
    rng = np.random.default_rng(12)
    shared, own = rng.normal(size=(4_000, 1)), rng.normal(size=(4_000, 9))
    errors = np.sqrt(0.4) * shared + np.sqrt(0.6) * own
    errors /= errors.std(axis=0, ddof=1)
    rho = (np.corrcoef(errors.T).sum() - 9) / 72
    assert effective_judges(errors) == pytest.approx(9 / (1 + 8 * rho), rel=1e-9)
    assert 9 / (1 + 8 * rho) == pytest.approx(2.1, abs=0.15)


@pytest.mark.parametrize(("raters", "skews"), [(2, False), (3, True), (9, True)])
def test_only_three_units_or_more_skew_an_interval(raters: int, skews: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def noted(without: np.ndarray) -> float:
        asked.append(len(without))
        return 0.0

    monkeypatch.setattr(agreement, "acceleration", noted)
    first = np.arange(4.0 * raters) % 2
    cohens_kappa(first, np.where(np.arange(len(first)) % 5 == 0, 1 - first, first), cluster=np.arange(len(first)) // 4)
    assert (asked == [raters]) is skews
