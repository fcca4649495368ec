"""The names of metrics, methods and quantities in words. Pure; what is not named here goes by its own name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Family, Scope
from promptrial.registry import DEFAULT_PACK, load
from promptrial.reporting.tables.cells import MISSING, PERCENT, ScoreUnit

__all__ = [
    "MetricText",
    "correction_text",
    "direction",
    "listing",
    "method_text",
    "metric_text",
    "quantity_text",
    "reason_text",
    "score_unit",
    "subset_text",
    "wording",
]


@dataclass(frozen=True, slots=True)
class MetricText:
    """A metric in words: a name for tables, and what it asks of an answer."""

    label: str
    asks: str


_SCORERS: ContextVar[Mapping[str, Declaration]] = ContextVar("_SCORERS", default=MappingProxyType({}))
_METRICS: Final[Mapping[str, MetricText]] = MappingProxyType(
    {
        "coverage": MetricText("Coverage", "On how many items does the arm give an answer instead of abstaining?"),
        "selective_accuracy": MetricText("Selective accuracy", "How many of the answers given are correct?"),
    }
)
_METHODS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mcnemar": "McNemar's test (mid-p)",
        "paired_difference": "paired t-test, with a clustered standard error",
        "bootstrap": "cluster bootstrap (BCa)",
        "permutation": "sign-flip permutation",
        "wilcoxon": "Wilcoxon's signed-rank test",
        "effect_size": "effect size",
        "score": "score test (McNemar's without continuity correction)",
        "cr2": "CR2 standard error, with Satterthwaite's degrees of freedom",
        "tost": "two one-sided tests",
        "newcombe": "Newcombe's method 10",
        "wilson": "Wilson's method",
        "wilson_effective": "Wilson's method, with the effective sample size",
        "clustered_t": "Student's t, with a clustered standard error",
        "tango": "Tango's score method",
        "sign_flips": "inverting the sign-flip test",
        "sign_flips_hull": "the wider limits of the sign flips and of the score method on effective counts",
        "exact_unconditional": "exact unconditional test on Tango's ordering",
        "sign_flips_score": "sign flips and the score test on effective counts",
        "same_requests": "same requests",
        "e_value": "bets against no difference (1/E)",
        "confidence_sequence": "the confidence sequence of these bets, valid at every look",
        "repeated_test": "the test of the endpoint at the level of each look",
        "repeated_interval": "inverting this test (repeated confidence interval), valid at every look",
        "tango_clusters": "Tango's score method, each cluster as one pair",
    }
)
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "content_filter": "filtered",
        "tool_calls": "tool call",
        "refusal": "refused without text",
        "reasoning_only": "reasoning only",
        "length": "cut off before any text",
        "empty": "no text",
    }
)
_QUANTITIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mean_difference": "mean difference, pp",
        "risk_difference": "risk difference, pp",
        "hodges_lehmann": "Hodges-Lehmann shift, pp",
        "odds_ratio": "odds ratio of discordant pairs",
        "d_z": "d_z (mean over SD of the differences)",
        "rank_biserial": "rank-biserial correlation",
        "cohens_h": "Cohen's h",
        "cliffs_delta": "Cliff's delta",
        "rank_sum": "smaller rank sum",
        "equivalence": "equivalence",
        "non_inferiority": "non-inferiority",
    }
)
_SUBSETS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("type", "open"): "open-book", ("type", "closed"): "closed-book", ("overall", "all"): "all items"}
)


@contextmanager
def wording(scorers: Mapping[str, Declaration]) -> Iterator[None]:
    """Name metrics, for as long as the context lasts, by what the scorers of a run say of themselves."""
    token = _SCORERS.set(scorers)
    try:
        yield
    finally:
        _SCORERS.reset(token)


def metric_text(name: str) -> MetricText:
    """Return a metric in words: its scorer's own, where that is in ``wording`` or in the default pack."""
    if name in _METRICS:
        return _METRICS[name]
    scorer = _SCORERS.get().get(name)
    if scorer is None and name in DEFAULT_PACK:
        scorer = load("scorer", DEFAULT_PACK[name])().declared
    return MetricText(name, MISSING) if scorer is None else MetricText(_label(name, scorer), _asks(scorer))


def score_unit(name: str) -> ScoreUnit:
    """Return in what the scores of a metric are shown: percent, or the unit of a scorer with another range."""
    scorer = _SCORERS.get().get(name)
    if scorer is None or scorer.range == (0.0, 1.0):
        return PERCENT
    return ScoreUnit(*scorer.range, scorer.unit or "points")


def _label(name: str, scorer: Declaration) -> str:
    """Return the label of a scorer, with its name where another scorer of the run has the same label."""
    same = [other for other in _SCORERS.get().values() if other.label == scorer.label]
    return f"{scorer.label} ({name})" if len(same) > 1 else scorer.label


def _asks(scorer: Declaration) -> str:
    """Return what a scorer asks of an answer, and in what its scores are shown where they do not go from 0 to 1."""
    if scorer.range == (0.0, 1.0):
        return scorer.meaning
    low, high = scorer.range
    return f"{scorer.meaning} Shown in {scorer.unit or 'points'}, {low:,.10g} to {high:,.10g}."


def method_text(name: str | None) -> str:
    """Return a method in words."""
    return MISSING if name is None else _METHODS.get(name, _spaced(name))


def quantity_text(name: str) -> str:
    """Return what is estimated, in words."""
    return _QUANTITIES.get(name, _spaced(name))


def subset_text(scope: Scope, subset: str) -> str:
    """Return a subset in words."""
    return _SUBSETS.get((scope, subset), subset)


def reason_text(reason: str) -> str:
    """Return in words why a request was not answered."""
    return _REASONS.get(reason) or _spaced(reason) or "without a reason"


def direction(difference: float | None) -> str:
    """Return where the second side lies: ``higher``, ``lower``, or neither."""
    if not difference:
        return "neither higher nor lower"
    return "higher" if difference > 0 else "lower"


def correction_text(families: Sequence[Family]) -> str:
    """Return how adjusted p-values were made, in a sentence; empty without a family that has a test."""
    families = [family for family in families if family.size]
    if not families:
        return ""
    sizes = sorted({family.size for family in families})
    methods = {
        "holm": "Holm's method",
        "bh": "the Benjamini-Hochberg method",
        "max_t": "step-down max-T (the largest statistic under sign flips that all contrasts share)",
        "bonferroni": "the level of each look, by the stopping rule and Bonferroni's method,",
    }
    method = listing(list(dict.fromkeys(methods[family.correction] for family in families)))
    tests = " or ".join(map(str, sizes)) if len(sizes) < 3 else f"{sizes[0]} to {sizes[-1]}"
    noun = "test" if sizes == [1] else "tests"
    where = f"{tests} {noun}" if len(families) == 1 else f"each of {len(families)} families of {tests} {noun}"
    looked_at = any(family.correction == "bonferroni" for family in families)
    unchanged = "; a single test is not adjusted" if sizes == [1] and not looked_at else ""
    return f"Adjusted p: {method} over {where}, at level {families[0].alpha:g}{unchanged}."


def listing(words: Sequence[str], joined: str = "and") -> str:
    """Return ``a, b and c``.

    Examples
    --------
    >>> listing(["a"]), listing(["a", "b", "c"]), listing([]), listing(["a", "b"], "or")
    ('a', 'a, b and c', '', 'a or b')
    """
    *most, last = words or [""]
    return f"{', '.join(most)} {joined} {last}" if most else last


def _spaced(name: str) -> str:
    return name.replace("_", " ")
