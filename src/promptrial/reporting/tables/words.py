"""The names of measures, methods and quantities in words. Pure; what is not named here goes by its own name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Family, Scope
from promptrial.registry import DEFAULT_PACK, load
from promptrial.reporting.cells import MISSING, PERCENT, ScoreUnit, counted
from promptrial.reporting.tables.meanings import asked

__all__ = [
    "GoodAnswer",
    "MetricText",
    "correction_text",
    "direction",
    "good_answer",
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
    """A measure in words: a name for tables, and what it asks of an answer."""

    label: str
    asks: str


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """What costs call an answer that they count: in headers, in a sentence, and in a note that says what it is."""

    header: str
    phrase: str
    note: str


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
        "mean_difference": "mean difference, points",
        "risk_difference": "risk difference, points",
        "hodges_lehmann": "Hodges-Lehmann shift, points",
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


_CRITERION: Final = re.compile(r"(.+) of (at (?:least|most) \S+)", re.DOTALL)


@contextmanager
def wording(scorers: Mapping[str, Declaration]) -> Iterator[None]:
    """Name measures, for as long as the context lasts, by what the scorers of a run say about themselves."""
    token = _SCORERS.set(scorers)
    try:
        yield
    finally:
        _SCORERS.reset(token)


def metric_text(name: str) -> MetricText:
    """Return a measure in words: its scorer's own, where that is in ``wording`` or in the default pack."""
    if name in _METRICS:
        return _METRICS[name]
    scorer = _SCORERS.get().get(name)
    if scorer is None and name in DEFAULT_PACK:
        scorer = load("scorer", DEFAULT_PACK[name])().declared
    return MetricText(name, MISSING) if scorer is None else MetricText(_label(name, scorer), _asks(scorer))


def score_unit(name: str) -> ScoreUnit:
    """Return in what the scores of a measure are shown: percent, or the unit of a scorer with another range."""
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
    meaning = asked(scorer.meaning)
    if scorer.range == (0.0, 1.0):
        return meaning
    low, high = scorer.range
    return f"{meaning} Shown in {scorer.unit or 'points'}, {low:,.10g} to {high:,.10g}."


def good_answer(criterion: str | None) -> GoodAnswer:
    """Return what an answer is called that meets a criterion, as ``costs.criterion.in_words`` has it.

    Where the criterion is the higher score of a 0/1 measure of correctness, the answer is correct.

    Examples
    --------
    >>> good_answer("Politeness of at least 7").phrase
    'answer with a score of at least 7 (Politeness)'
    """
    found = None if criterion is None else _CRITERION.fullmatch(criterion)
    if found is None:
        return GoodAnswer("good answer", "good answer", "")
    label, bound = found.groups()
    scorer = next((each for each in _declared() if each.label == label), None)
    if scorer is not None and (scorer.role, scorer.scale) == ("accuracy", "binary") and bound == "at least 1":
        return GoodAnswer(
            "correct answer", f"correct answer (by {label})", f"Answers are correct according to {label}."
        )
    score = f"a score of {bound} ({label})"
    return GoodAnswer("good answer", f"answer with {score}", f"A good answer has {score}.")


def _declared() -> Iterator[Declaration]:
    """Yield the scorers of ``wording``, then those of the default pack."""
    yield from _SCORERS.get().values()
    yield from (load("scorer", kind)().declared for kind in DEFAULT_PACK.values())


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
    groups: dict[str, list[Family]] = {}
    for family in families:
        if family.size:
            groups.setdefault(family.correction, []).append(family)
    if not groups:
        return ""
    groups = dict(sorted(groups.items(), key=lambda group: all(family.name != "primary" for family in group[1])))
    counted_in = {correction: _sizes(members) for correction, members in groups.items()}
    if len(groups) == 1:
        ((correction, sizes),) = counted_in.items()
        said = f"{_CORRECTIONS[correction]} over {sizes}"
    else:
        said = "; ".join(
            f"{_CORRECTIONS[correction].removesuffix(',')} for {_tested(groups[correction])} ({sizes})"
            for correction, sizes in counted_in.items()
        )
    single = all(family.size == 1 and family.correction != "bonferroni" for each in groups.values() for family in each)
    alpha = next(iter(groups.values()))[0].alpha
    unchanged = "; a single test is not adjusted" if single else ""
    return f"Adjusted p: {said}, at level {alpha:g}{unchanged}."


_CORRECTIONS: Final = {
    "holm": "Holm's method",
    "bh": "the Benjamini-Hochberg method",
    "max_t": "step-down max-T (the largest statistic under sign flips that all contrasts share)",
    "bonferroni": "the level of each look, by the stopping rule and Bonferroni's method,",
}


def _sizes(families: Sequence[Family]) -> str:
    """Return how many tests each family has: ``2 tests``, ``each of 3 families of 2 to 4 tests``."""
    sizes = sorted({family.size for family in families})
    if len(families) == 1:
        return counted(sizes[0], "test")
    tests = " or ".join(map(str, sizes)) if len(sizes) < 3 else f"{sizes[0]} to {sizes[-1]}"
    return f"each of {len(families)} families of {tests} {'test' if sizes == [1] else 'tests'}"


def _tested(families: Sequence[Family]) -> str:
    """Return of what families are, where others are corrected otherwise."""
    kinds = dict.fromkeys(family.name.partition("/")[0] for family in families)
    named = {"primary": "the primary endpoints", "exploratory": "the others"}
    return listing([named.get(kind, quantity_text(kind)) for kind in kinds])


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
