"""The sign-flip permutation test: under the null, the arms of a whole cluster could as well have been exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promptrial.significance import Estimate, StatsSettings
from promptrial.stats.pairing import FloatArray, PairedSample
from promptrial.stats.resampling import all_sign_flip_sums, sign_flip_sums
from promptrial.stats.statistic import estimate_row

__all__ = ["LARGEST_ENUMERATION", "STATISTIC", "SignFlipTest", "sign_flip_test"]

LARGEST_ENUMERATION: Final = 20
"""Up to so many clusters every choice of signs is looked at: about a million at the most."""


@dataclass(frozen=True, slots=True)
class SignFlipTest:
    """A two-sided sign-flip test.

    ``extreme`` of the ``total`` sign choices gave a sum at least as far from 0 as the observed one. Enumerated, the
    observed choice is among them and ``p = extreme / total``; drawn at random, ``p = (1 + extreme) / (1 + total)``.
    ``flipped`` counts the values that are not 0, the only ones that a flip changes.
    """

    statistic: float
    p: float
    extreme: int
    total: int
    enumerated: bool
    flipped: int


def sign_flip_test(sums: FloatArray, n_resamples: int, rng: np.random.Generator) -> SignFlipTest:
    """Test that values are symmetric about 0 by flipping their signs.

    Parameters
    ----------
    sums : ndarray of float, shape (C,)
        One value a unit that is flipped as a whole: cluster sums of paired differences, or the differences themselves.
    n_resamples : int
        Random sign choices, used when more than ``LARGEST_ENUMERATION`` values are not 0.

    Returns
    -------
    SignFlipTest
        ``p`` in (0, 1], never 0.

    Notes
    -----
    The random version counts the observed choice as one of the choices, in numerator and denominator: a p-value of 0
    would claim more than was drawn, and the test would reject too often (Phipson and Smyth 2010).

    References
    ----------
    Fisher, R.A. (1935). The design of experiments, section 21.
    Phipson, B., Smyth, G.K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics and
    Molecular Biology 9:39.

    Examples
    --------
    >>> sign_flip_test(np.array([1.0, 2.0, 3.0]), 100, np.random.default_rng(0)).p
    0.25
    """
    observed = abs(float(sums.sum()))
    magnitudes = np.abs(sums[sums != 0])
    enumerated = len(magnitudes) <= LARGEST_ENUMERATION
    flips = all_sign_flip_sums(magnitudes) if enumerated else sign_flip_sums(magnitudes, n_resamples, rng)
    # Sums that are equal on paper may differ in the last bits.
    tolerance = 1e-9 * float(magnitudes.max(initial=0.0))
    extreme = int((np.abs(flips) >= observed - tolerance).sum())
    added = 0 if enumerated else 1
    return SignFlipTest(
        statistic=float(sums.sum()),
        p=(extreme + added) / (len(flips) + added),
        extreme=extreme,
        total=len(flips),
        enumerated=enumerated,
        flipped=len(magnitudes),
    )


class _Statistic:
    """One row, ``mean_difference`` with its permutation p-value; clusters are flipped as a whole."""

    name = "permutation"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        if sample.n_clusters < 2:
            return [estimate_row(sample, self.name, "mean_difference", None, reason="one cluster: nothing to permute")]
        test = sign_flip_test(sample.totals.sums, settings.permutation_samples, rng)
        row = estimate_row(
            sample,
            self.name,
            "mean_difference",
            sample.totals.mean,
            p=test.p,
            notes=_notes(test, settings.alpha),
            figures={
                "extreme": test.extreme,
                "total": test.total,
                "enumerated": int(test.enumerated),
                "clusters_flipped": test.flipped,
            },
        )
        return [row]


STATISTIC: Final = _Statistic()


def _notes(test: SignFlipTest, alpha: float) -> tuple[str, ...]:
    if test.flipped == 0:
        return ("no cluster leans either way",)
    least = 2.0 ** (1 - test.flipped) if test.enumerated else 1 / (test.total + 1)
    return (f"cannot reach {alpha}: the smallest possible p is {least:.4g}",) if least > alpha else ()
