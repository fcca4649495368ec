"""From a table of scores to the whole ``significance.json``: every endpoint, every statistic, one decision each.

An endpoint is a measure at a temperature in one contrast, over all items or a subset. Every statistic that applies to
it gives rows; one designated p-value each (``endpoints``) is corrected and decided on (``families``), and the others
are there to be read.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, groupby

import msgspec
import numpy as np
from msgspec import UNSET

from promptrial import registry
from promptrial.documents.missing import ArmAttrition, AttritionTest, MissingRule, MissingSensitivity
from promptrial.documents.significance import (
    Endpoint,
    Estimate,
    Hypothesis,
    HypothesisTest,
    Interaction,
    Scope,
    Significance,
    StatsSettings,
    contrasts_field,
)
from promptrial.documents.subgroups import NO_VALUE, subgroup_column
from promptrial.model.arms import DEFAULT_CONTRAST, ArmName, Contrast
from promptrial.stats.attrition import missing_bounds
from promptrial.stats.declared import pooled_effects, trends
from promptrial.stats.endpoints import decide, describe, designated_method, designated_row
from promptrial.stats.families import correct, correct_interactions, raw_test
from promptrial.stats.interaction import interaction
from promptrial.stats.missing import WORST_UNKNOWN, answered_shares, attrition_test, under_rule, worst_is_known
from promptrial.stats.pairing import BoolArray, IntArray, PairedSample, Pairing, ScoreTable, pair_scores
from promptrial.stats.selective import selective_rows
from promptrial.stats.several import several_arms
from promptrial.stats.statistic import Statistic
from promptrial.stats.streams import stream

__all__ = ["analyse", "decided_pairing", "pairing_of", "stream"]


def analyse(
    table: ScoreTable,
    settings: StatsSettings | None = None,
    attrition: Mapping[ArmName, ArmAttrition] | None = None,
    *,
    trend: Sequence[ArmName] = (),
    pooled: bool = False,
    looked_at: str | None = None,
    threads: int = 1,
) -> Significance:
    """Analyse the scores of one trial.

    Parameters
    ----------
    table : ScoreTable
    settings : StatsSettings, optional
        The defaults if not given.
    attrition : mapping, optional
        Arm -> what became of its requests (``attrition.arm_attrition``); copied into the document.
    trend : sequence of str
        Arms that were declared to be in this order.
    pooled : bool
        Whether effects over several data sets were declared.
    looked_at : str, optional
        The measure on which a stopping rule decides over all items: its tests are corrected by the rule alone
        (``under_looks``), and no other test is corrected for them. It has no trend and no effect over data sets.
    threads : int
        In how many threads to compute; the document is the same for any number. NumPy lets several run at once.

    Returns
    -------
    Significance
        The same table, settings and attrition give the same document, whatever else was analysed before.

    Notes
    -----
    A subset dimension with a single level repeats the overall endpoint and is left out. A subset with the same pairs as
    an earlier one (a measure may apply to one data set only) has its numbers: a second draw would show a difference
    where there is none.
    """
    settings = settings or StatsSettings()
    found = _done(_Work(table, settings).pieces(), threads)
    results = [result for part in found for result in part.results]
    pair = decided_pairing(table, settings)
    of_fixed_size = replace(settings, primary=tuple(name for name in settings.primary if name != looked_at))
    several = several_arms(table, of_fixed_size, pair) if of_fixed_size.primary else None
    adjusted = None if several is None else several.adjusted
    every = [test for result in results for test in result.tests]
    tests, families = correct(every, settings.alpha, adjusted, looked_at=looked_at)
    interactions, families_of_interactions = correct_interactions(
        [row for part in found for row in part.interactions], settings.alpha
    )
    return Significance(
        schema_version=2,
        settings=settings,
        attrition=dict(attrition or {}),
        endpoints=decide([result.endpoint for result in results], tests),
        tests=tests,
        families=(*families, *families_of_interactions),
        estimates=tuple(row for result in results for row in result.rows),
        selective=tuple(row for part in found for row in part.selective),
        interactions=interactions,
        contrasts=contrasts_field(table.contrasts),
        simultaneous=UNSET if several is None else several.simultaneous,
        rankings=UNSET if several is None else several.rankings,
        trends=trends(table, settings, trend, pair, looked_at) or UNSET,
        pooled=(pooled and pooled_effects(table, settings, pair, looked_at)) or UNSET,
    )


def decided_pairing(table: ScoreTable, settings: StatsSettings) -> Callable[[str, float, Contrast], Pairing]:
    """Return what lays a measure at a temperature out for two arms; missing answers count as in what decides."""

    def pair(metric: str, temp: float, contrast: Contrast) -> Pairing:
        return under_rule(pairing_of(table, metric, temp, contrast, settings), settings.missing)

    return pair


def pairing_of(table: ScoreTable, metric: str, temp: float, contrast: Contrast, settings: StatsSettings) -> Pairing:
    """Lay out a measure at a temperature for a contrast, with the scale that the settings declare; see ``pair_scores``.

    Where the table has no plan, the worst score is the end of the range that is not wanted, or unknown.
    """
    score_range = settings.range_of(metric)
    pairing = pair_scores(table, metric, temp, contrast, continuous=metric in settings.graded, score_range=score_range)
    if metric in table.worst or metric not in settings.wanted:
        return pairing
    worst = score_range[0] if settings.wanted[metric] == "higher" else score_range[1]
    return replace(pairing, worst=np.where(pairing.applicable, worst, np.nan))


@dataclass(frozen=True, slots=True)
class _Result:
    """An endpoint not yet decided on, its rows, and its tests not yet corrected."""

    endpoint: Endpoint
    rows: list[Estimate]
    tests: list[HypothesisTest]


@dataclass(frozen=True, slots=True)
class _Found:
    """What one piece of work has found, not yet corrected."""

    results: Sequence[_Result] = ()
    selective: Sequence[Estimate] = ()
    interactions: Sequence[Interaction] = ()


_Subset = tuple[Scope, str, BoolArray | None]
_Attrition = dict[tuple[bytes, bool, str], AttritionTest]
"""Tests of missing answers, by the items and whether any two share a cluster."""
_MARGIN_TESTS: tuple[Hypothesis, ...] = ("equivalence", "non_inferiority")


def _done(pieces: Iterable[Callable[[], _Found]], threads: int) -> list[_Found]:
    """Do pieces of work, and return what each has found, in their order; who interrupts it waits for none of them."""
    if threads < 2:
        return [piece() for piece in pieces]
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(operator.call, pieces))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Work:
    """The analysis of a trial in pieces, each of which can be done in a thread of its own, in any order.

    Parameters
    ----------
    table : ScoreTable
    settings : StatsSettings
    """

    def __init__(self, table: ScoreTable, settings: StatsSettings) -> None:
        self._table = table
        self._settings = settings
        self._statistics: list[Statistic] = [registry.load("statistic", name) for name in registry.STATISTICS]
        self._subsets = list(_subsets(table))

    def pieces(self) -> Iterator[Callable[[], _Found]]:
        """Yield the pieces, in the order in which what they find is written down."""
        for contrast in self._table.contrasts:
            both = all(self._table.rows_of(arm).any() for arm in contrast)
            for temp in self._table.temps:
                known: _Attrition | None = {} if both else None
                for name in self._table.metrics:
                    yield partial(self._of_metric, name, temp, contrast, known)
                yield partial(self._selective, temp, contrast)

    def _of_metric(self, name: str, temp: float, contrast: Contrast, known: _Attrition | None) -> _Found:
        pairing = pairing_of(self._table, name, temp, contrast, self._settings)
        return _Analyst(pairing, self._settings, self._statistics, known).found(self._subsets)

    def _selective(self, temp: float, contrast: Contrast) -> _Found:
        """Find how often each arm answers, and how often it is right when it does, where that is measured."""
        unanswerable, roles = self._table.unanswerable, self._table.roles
        names = [roles[role] for role in ("accuracy", "abstention") if roles.get(role) in self._table.metrics]
        if len(names) < 2 or unanswerable is None:
            return _Found()
        right, abstains = (pairing_of(self._table, name, temp, contrast, self._settings) for name in names)
        rows = (selective_rows(right, abstains, unanswerable, self._settings, *subset) for subset in self._subsets)
        return _Found(selective=[row for each in rows for row in each])


def _subsets(table: ScoreTable) -> Iterator[_Subset]:
    yield "overall", "all", None
    yield from _levels("dataset", table.dataset_names, table.of_items(table.dataset))
    yield from _levels("type", table.type_names, table.of_items(table.type))
    for column, (names, codes) in table.subgroups.items():
        yield from _levels(subgroup_column(column), names, table.of_items(codes))


def _levels(scope: Scope, names: Sequence[str], codes: IntArray) -> Iterator[_Subset]:
    present = [code for code in range(len(names)) if (codes == code).any()]
    if len(present) > 1:
        for code in sorted(present, key=lambda code: (names[code] == NO_VALUE, names[code])):
            yield scope, names[code], codes == code


class _Analyst:
    """Analyses one measure at a temperature, over all items and in each subset.

    ``attrition_tests`` holds the tests of this temperature that are already made: measures of the same items share one.
    It is None where only one arm was run: no arm has then lost anything that the other has.
    """

    def __init__(
        self,
        pairing: Pairing,
        settings: StatsSettings,
        statistics: Sequence[Statistic],
        attrition_tests: _Attrition | None,
    ) -> None:
        self._pairing = pairing
        self._decided = under_rule(pairing, settings.missing)
        self._settings = settings
        self._statistics = statistics
        self._rows: dict[tuple[bytes, bool], list[Estimate]] = {}
        self._attrition_tests = attrition_tests

    def found(self, subsets: Sequence[_Subset]) -> _Found:
        """Return the results of each subset, and what differs between any two of one kind, as two data sets."""
        results, interactions = list[_Result](), list[Interaction]()
        for scope, of_scope in groupby(subsets, key=lambda subset: subset[0]):
            samples = list[PairedSample]()
            for subset in of_scope:
                sample = self._decided.sample(*subset)
                result = self._result(sample)
                if scope != "overall" and sample.counts.applies:
                    samples.append(sample)
                del sample  # what follows makes others, which are as large
                results.append(replace(result, endpoint=self._with_missing(subset, result.endpoint)))
            interactions += [interaction(one, other, self._settings) for one, other in combinations(samples, 2)]
        return _Found(results, interactions=interactions)

    def _result(self, sample: PairedSample) -> _Result:
        rows = self._rows_of(sample) if sample.n_pairs else []
        return _Result(describe(sample, rows, self._settings), rows, self._tests(sample, rows) if rows else [])

    def _with_missing(self, subset: _Subset, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with what is said about missing answers."""
        if self._decided is not self._pairing:
            endpoint = msgspec.structs.replace(endpoint, bounds=missing_bounds(self._pairing.sample(*subset)))
        if self._attrition_tests is None:
            return endpoint
        primary = endpoint.scope == "overall" and self._pairing.metric in self._settings.primary
        return msgspec.structs.replace(
            endpoint,
            attrition=self._attrition_test(subset, self._attrition_tests),
            missing_sensitivity=self._sensitivity(subset) if primary else None,
        )

    def _rows_of(self, sample: PairedSample) -> list[Estimate]:
        key = _digest(sample.items), sample.clustered
        if key not in self._rows:
            self._rows[key] = _rows(sample, self._settings, self._statistics)
        return [msgspec.structs.replace(row, scope=sample.scope, subset=sample.subset) for row in self._rows[key]]

    def _tests(self, sample: PairedSample, rows: list[Estimate]) -> list[HypothesisTest]:
        tests = [raw_test(designated_row(sample, rows), "difference", self._settings)]
        if sample.scope == "overall":
            tests += [raw_test(row, name, self._settings) for name in _MARGIN_TESTS for row in _of_quantity(rows, name)]
        return tests

    def _attrition_test(self, subset: _Subset, known: _Attrition) -> AttritionTest:
        applicable = self._pairing.applicable
        chosen = applicable if subset[2] is None else applicable & subset[2]
        items = _digest(np.flatnonzero(chosen))  # the pairs of the shares
        own = self._pairing.metric if self._pairing.may_lack_scores else ""
        key = items, self._pairing.is_clustered(chosen), own
        if key not in known:
            known[key] = attrition_test(
                answered_shares(self._pairing).sample(*subset),
                self._pairing.planned,
                self._settings.alpha,
                lambda sample: _deciding_row(sample, self._settings, items.hex()),
                of_scores=self._pairing.may_lack_scores,
            )
        return known[key]

    def _sensitivity(self, subset: _Subset) -> MissingSensitivity:
        rule: MissingRule = "exclude" if self._settings.missing == "failure" else "failure"
        if rule == "failure" and not worst_is_known(self._pairing):
            return MissingSensitivity(missing=rule, reason=WORST_UNKNOWN)
        sample = under_rule(self._pairing, rule).sample(*subset)
        rows = [_deciding_row(sample, self._settings, sample.scope, sample.subset)] if sample.n_pairs else []
        return MissingSensitivity.of(describe(sample, rows, self._settings), rule)


def _of_quantity(rows: Sequence[Estimate], quantity: str) -> list[Estimate]:
    return [row for row in rows if row.quantity == quantity]


def _digest(items: IntArray) -> bytes:
    return hashlib.sha256(items.tobytes()).digest()


def _deciding_row(sample: PairedSample, settings: StatsSettings, *names: str) -> Estimate:
    """Make the one test that decides on an endpoint of this scale and design; ``names`` tell its random numbers."""
    statistic: Statistic = registry.load("statistic", designated_method(sample))
    rng = _stream(sample, settings, *names, statistic.name)
    return designated_row(sample, statistic.compute(sample, settings, rng))


def _rows(sample: PairedSample, settings: StatsSettings, statistics: Sequence[Statistic]) -> list[Estimate]:
    rows: list[Estimate] = []
    for statistic in statistics:
        if statistic.applies(sample):
            rng = _stream(sample, settings, sample.scope, sample.subset, statistic.name)
            rows += statistic.compute(sample, settings, rng)
    return rows


def _stream(sample: PairedSample, settings: StatsSettings, *names: str) -> np.random.Generator:
    """Return the random numbers of an endpoint; except for the default contrast, its treatment is among their names."""
    arm = () if sample.contrast == DEFAULT_CONTRAST else (sample.contrast.treatment,)
    return stream(settings.random_seed, sample.metric, sample.temp, *names, *arm)
