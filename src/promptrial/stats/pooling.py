"""The effects in several data sets put together: weights by inverse variance, and how much the effects differ.

Variances are those of the mean differences, from the items themselves; nothing is calculated back from an interval.
They are estimates from few clusters, which the standard error and the degrees of freedom take into account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special

from promptrial.stats.score_table import FloatArray
from promptrial.stats.statistic import floor_p_value
from promptrial.stats.t_inference import t_inference

__all__ = ["Pooled", "pool"]

FEWEST_FOR_RANDOM_EFFECTS: Final = 5
"""From so many data sets on, the spread of their effects can be estimated."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """An effect over several data sets.

    Attributes
    ----------
    method : str
        ``inverse_variance``, one effect being assumed for all; or ``hartung_knapp``: DerSimonian and Laird's random
        effects with Hartung and Knapp's standard error and Student's t.
    estimate, se, low, high, p : float
        Of the pooled effect.
    df : float
        Degrees of freedom of Student's t.
    q, q_p, i2 : float
        Cochran's Q, its p-value (chi-squared), and I2, the share of the variation that is not chance, in [0, 1).
    tau2 : float
        The variance of the effects between data sets; 0 where one effect is assumed.
    """

    method: Literal["inverse_variance", "hartung_knapp"]
    estimate: float
    se: float
    low: float
    high: float
    p: float
    df: float
    q: float
    q_p: float
    i2: float
    tau2: float


def pool(
    effects: Sequence[float], variances: Sequence[float], freedoms: Sequence[float], confidence: float = 0.95
) -> Pooled:
    """Put the effects of several data sets together: inverse variance, from five sets on with random effects.

    Parameters
    ----------
    effects : sequence of float
        The mean difference in each data set; at least two.
    variances : sequence of float
        Of these means, above 0.
    freedoms : sequence of float
        The degrees of freedom of these variances, above 0; infinite where they are known.
    confidence : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there are fewer than two effects, or a variance is not above 0.

    Notes
    -----
    With the weights ``w = 1 / v``, their shares ``s = w / sum w`` and the degrees of freedom f of the variances, one
    effect has Meier's ``SE^2 = (1 + 4 sum s (1 - s) / f) / sum w``, for weights that are estimates. Its degrees of
    freedom are ``1 / sum (s / f)``. Satterthwaite's, ``1 / sum (s^2 / f)``, count the errors of the variances as
    independent of the shares; but the sets whose variance came out too small have the largest shares. Where there is no
    effect, 4 sets of 6 clusters reject 8.3% at 5% with these, and 4.9% with the former.

    ``Q = sum w (y - ybar)^2``, ``I2 = max(0, (Q - df) / Q)``,
    ``tau2 = max(0, (Q - df) / (sum w - sum w^2 / sum w))``. Random effects weigh by ``1 / (v + tau2)`` and have
    ``SE^2 = sum w (y - ybar)^2 / ((k - 1) sum w)``, never less than ``1 / sum w``: where effects agree better than
    chance would have them, the interval is not made narrower than that of one effect.

    References
    ----------
    Cochran, W.G. (1954). The combination of estimates from different experiments. Biometrics 10:101-129.
    Meier, P. (1953). Variance of a weighted mean. Biometrics 9:59-73.
    DerSimonian, R., Laird, N. (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7:177-188.
    Hartung, J., Knapp, G. (2001). A refined method for the meta-analysis of controlled clinical trials with binary
    outcome. Statistics in Medicine 20:3875-3889. Higgins, J.P.T., Thompson, S.G. (2002). Quantifying heterogeneity in a
    meta-analysis. Statistics in Medicine 21:1539-1558. Rover, C., Knapp, G., Friede, T. (2015). Hartung-Knapp-Sidik-
    Jonkman approach and its modification for random-effects meta-analysis with few studies. BMC Medical Research
    Methodology 15:99 (the least standard error).

    Examples
    --------
    >>> found = pool([0.1, 0.3], [0.01, 0.01], [10, 10])
    >>> found.method, round(found.estimate, 12), round(found.q, 12), round(found.df, 12)
    ('inverse_variance', 0.2, 2.0, 10.0)
    """
    y, v = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if len(y) < 2:
        raise ValueError("an effect over several data sets needs at least two of them")
    if not (v > 0).all():
        raise ValueError("a variance of a mean difference is not above 0")
    df, w = len(y) - 1, 1 / v
    mean = float((w * y).sum() / w.sum())
    q = float((w * (y - mean) ** 2).sum())
    q_p, i2 = floor_p_value(float(special.chdtrc(df, q))), max(0.0, (q - df) / q) if q > 0 else 0.0
    if len(y) < FEWEST_FOR_RANDOM_EFFECTS:
        se, freedom = _of_estimated_weights(w, np.asarray(freedoms, dtype=np.float64))
        low, high, p = t_inference(mean, se, freedom, confidence)
        return Pooled("inverse_variance", mean, se, low, high, p, freedom, q, q_p, i2, 0.0)
    tau2 = max(0.0, (q - df) / float(w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (v + tau2)
    mean = float((w * y).sum() / w.sum())
    spread = float((w * (y - mean) ** 2).sum()) / df
    se = math.sqrt(max(spread, 1.0) / float(w.sum()))
    low, high, p = t_inference(mean, se, df, confidence)
    return Pooled("hartung_knapp", mean, se, low, high, p, df, q, q_p, i2, tau2)


def _of_estimated_weights(w: FloatArray, freedoms: FloatArray) -> tuple[float, float]:
    """Return the standard error of a mean with weights that are estimates, and its degrees of freedom."""
    share = w / w.sum()
    inflation = 1 + 4 * float((share * (1 - share) / freedoms).sum())
    freedom = float((share / freedoms).sum())
    return math.sqrt(inflation / float(w.sum())), 1 / freedom if freedom > 0 else math.inf
