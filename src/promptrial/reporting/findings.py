"""One finding in words: what a primary endpoint shows, and the figures that it rests on. ``verdict`` shows it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from promptrial.documents.aa import AAEndpoint
from promptrial.documents.significance import DETECTABLE, Endpoint, Estimate, HypothesisTest, Significance
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import (
    count,
    counted,
    interval,
    level,
    p_equals,
    points,
    rate,
    temperature,
    verdict_decimals,
)
from promptrial.reporting.lost import lost_by
from promptrial.reporting.powered import one_test_text, spread_of, target_of
from promptrial.reporting.stopped import alpha_of, covers
from promptrial.reporting.tables import primary_endpoints
from promptrial.reporting.tables.levels import is_corrected, tested_at, with_interval
from promptrial.reporting.tables.margins import margin_decision
from promptrial.reporting.tables.remarks import plain
from promptrial.reporting.tables.words import metric_text, score_unit

__all__ = ["Finding", "Phrasing", "State", "state_of", "where_words"]

State = Literal[
    "better",
    "worse",
    "higher",
    "lower",
    "equivalent",
    "not_worse",
    "not_shown",
    "not_estimable",
    "not_compared",
    "ranked",
    "unreliable",
    "no_alarm",
    "false_alarm",
]
"""What is shown of a treatment: ``higher`` and ``lower`` where the scorer does not say which is better; ``ranked`` is
said about all arms, ``unreliable`` where an arm lost too many of its answers, whatever the effect is. Where both arms
send the same requests, a difference that is shown is a ``false_alarm``, and none is ``no_alarm``."""
_Place = tuple[str, float, object]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one primary endpoint shows: the words that matter, and the figures that they rest on."""

    state: State
    metric: str
    contrast: str
    temp: float
    lead: str
    figures: str

    def __str__(self) -> str:
        """Return both as one sentence."""
        return f"{self.lead}{self.figures}"


@dataclass(frozen=True, slots=True)
class Phrasing:
    """Puts one endpoint into words."""

    significance: Significance
    names: Mapping[ArmName, str]
    row: Endpoint
    clusters: str
    several: bool
    """Whether there are several temperatures, so that each has to be named."""
    several_arms: bool
    """Whether there are several contrasts, likewise."""

    def finding(self) -> Finding:
        """Return what the endpoint shows, however many answers are missing."""
        state = _shown(self.significance, self.row)
        lead, figures = {
            "not_estimable": self._not_estimable,
            "not_shown": self._not_shown,
            "equivalent": self._margin,
            "not_worse": self._margin,
            "no_alarm": self._same_requests,
            "false_alarm": self._same_requests,
        }.get(state, self._difference)(state)
        row = self.row
        return Finding(state, row.metric, str(row.compared), row.temp, lead, figures)

    @property
    def _where(self) -> str:
        return where_words(self.row.metric, self.row.temp, several=self.several)

    @property
    def _between(self) -> str:
        first, second = self._sides
        return f" between {second} and {first}" if self.several_arms else ""

    @property
    def _sides(self) -> tuple[str, str]:
        first, second = self.row.compared.sides
        return self.names.get(first, first), self.names.get(second, second)

    def _difference(self, state: State) -> tuple[str, str]:
        (first, second), how = self._sides, {"better": "beats", "worse": "is worse than"}
        lead = f"{second} {how.get(state, f'is {state} than')} {first} on {self._where}: "
        unit, decimals = score_unit(self.row.metric), _decimals(with_interval(self.significance, self.row)[0])
        first, second = (rate(arm.mean_paired, decimals, unit) for arm in self.row.arms)
        wanted = self.significance.settings.wanted.get(self.row.metric)
        hint = ", lower is better" if wanted == "lower" else ""
        return lead, f"{second} against {first}{hint}, {self._size()}."

    def _size(self) -> str:
        row, words = with_interval(self.significance, self.row)
        if row.ci_low is None and row.ci_high is None:
            ci = "no interval can be computed"
        else:
            ci = f"{words} {_interval(row, row.ci_low, row.ci_high)}"
        tested = tested_at(self.significance, row)
        adjusted = "adjusted " if row.p_adjusted is not None and is_corrected(self.significance, row) else ""
        p = f"{adjusted}{p_equals(row.p_adjusted, alpha_of(self.significance, row))}"
        where = "from" if self.clusters == "passage" else "in"
        in_clusters = f" {where} {counted(row.n_clusters, self.clusters)}" if row.clustered else ""
        return (
            f"{_difference(row)} ({ci}; {counted(row.n_pairs, 'question')}{in_clusters}, {p}{tested and f', {tested}'})"
        )

    def _margin(self, state: State) -> tuple[str, str]:
        first, second = self._sides
        settings, row, unit = self.significance.settings, self.row, score_unit(self.row.metric)
        margin = settings.tost_margins.get(row.metric, math.nan)
        width, marks = f"{unit.width * margin:g} {unit.name or 'points'}", (-margin, margin)
        if state == "equivalent":
            lead = f"{second} and {first} are equivalent on {self._where}, within {width}"
        else:
            lead = f"{second} is not worse than {first} on {self._where} by {width} or more"
        if covers(self.significance, row):
            ci = _interval(row, row.ci_low, row.ci_high, marks)
            limits = f"{level(self.significance.confidence_of(self.row))} CI {ci}"
        else:
            found = self._margin_interval("equivalence" if state == "equivalent" else "non_inferiority")
            limits = f"{level(1 - 2 * settings.alpha)} CI {_interval(row, *found, marks)}"
        return lead, f" ({_difference(row, with_unit=False)}, {limits}; {counted(row.n_pairs, 'question')})."

    def _margin_interval(self, quantity: str) -> tuple[float | None, float | None]:
        for each in self.significance.estimates:
            if each.quantity == quantity and each.scope == "overall" and _place(each) == _place(self.row):
                return each.ci_low, each.ci_high
        return None, None

    def _same_requests(self, state: State) -> tuple[str, str]:
        """Return what two arms show that send the same requests, and how much chance alone does to them."""
        first, second = self._sides
        lead = f"{'False alarm' if state == 'false_alarm' else 'No false alarm'} on {self._where}: "
        same, found = f"{second} and {first} send the same requests", self._against_itself
        if found is not None and found.all_equal:
            pairs = counted(self.row.n_pairs, "question")
            return lead, f"{same}, and all answers have the same scores ({pairs})."
        floor = "" if found is None or found.noise_floor is None else self._noise_floor(found.noise_floor)
        return lead, f"{same} and differ by {self._size()}.{floor}"

    @property
    def _against_itself(self) -> AAEndpoint | None:
        """What an A/A check of the arms shows on this endpoint."""
        for result in self.significance.aa or ():
            for each in result.endpoints:
                if (result.other, each.metric, each.temp) == (self._second, self.row.metric, self.row.temp):
                    return each
        return None

    @property
    def _second(self) -> ArmName:
        return self.row.compared.treatment

    def _noise_floor(self, value: float) -> str:
        unit = score_unit(self.row.metric)
        size = value if unit.name else unit.width * value  # as scored, and not as a share of the range
        return f" Noise floor: {_short(size) if size else '0'} {unit.name or 'points'}."

    def _not_shown(self, _state: State) -> tuple[str, str]:
        lead = f"No difference shown{self._between} on {self._where}: "
        more = "" if covers(self.significance, self.row) else self._detectable()
        return lead, f"{self._size()}.{more}"

    def _not_estimable(self, _state: State) -> tuple[str, str]:
        row = self.row
        if row.clusters_needed is None:
            return (
                f"No answer possible{self._between} on {self._where}: ",
                f"{plain(row.reason or 'nothing was scored in both arms')}.",
            )
        noun = self.clusters if row.clustered else "question"
        units = counted(row.n_clusters, noun)
        few = "is too few" if row.n_clusters == 1 else "are too few"
        wanted = level(self.significance.settings.confidence)
        return f"No answer possible{self._between} on {self._where}: ", (
            f"{units} {few} for {wanted} intervals; at least {row.clusters_needed} are needed."
        )

    def _detectable(self) -> str:
        """Return what this run could have shown, and how many questions half of that takes: both in one test alone."""
        unit, found = score_unit(self.row.metric), self._detectable_share()
        if found is None or self.row.n_pairs == 0:
            return ""
        smallest = unit.width * found
        target = target_of(smallest)
        needed = _rounded_up(self.row.n_pairs * (smallest / target) ** 2)
        name = unit.name or "points"
        tests = sum(row.p is not None for row in primary_endpoints(self.significance))
        alone = f" {one_test_text(tests)}" if tests > 1 else ""
        return (
            f" This run could detect {_short(smallest)} {name}; {_short(target)} {name} need about "
            f"{count(needed)} questions.{alone}"
        )

    def _detectable_share(self) -> float | None:
        spread = spread_of(self.significance, self.row)
        return None if spread is None else spread.figures[DETECTABLE]


def state_of(significance: Significance, row: Endpoint) -> State:
    """Return what an endpoint shows; ``unreliable`` where an arm lost too many of its answers."""
    return "unreliable" if lost_by(row) else _shown(significance, row)


def _shown(significance: Significance, row: Endpoint) -> State:
    """Return what an endpoint shows, however many answers are missing."""
    if significance.is_second_ask(row.compared) and row.p is not None:
        return "false_alarm" if row.significant else "no_alarm"
    if row.significant and row.difference:
        side: Literal["higher", "lower"] = "higher" if row.difference > 0 else "lower"
        wanted = significance.settings.wanted.get(row.metric)
        return side if wanted is None else "better" if side == wanted else "worse"
    by_margin = margin_decision(significance, row)
    if by_margin is not None:
        return by_margin
    return "not_estimable" if row.ci_low is None and row.ci_high is None else "not_shown"


def _place(row: Endpoint | Estimate | HypothesisTest) -> _Place:
    return row.metric, row.temp, row.compared


def _rounded_up(n: float) -> int:
    """Return a number of questions with two digits, never less than it is.

    Examples
    --------
    >>> _rounded_up(1571.2), _rounded_up(400.0), _rounded_up(7.1)
    (1600, 400, 8)
    """
    step: int = 10 ** max(0, math.floor(math.log10(n)) - 1)
    return math.ceil(n / step - 1e-9) * step


def _short(value: float) -> str:
    """Return a number with one decimal, without one where it is whole, and with two digits below one."""
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"


def _measure(metric: str) -> str:
    """Return a measure as it is called within a sentence."""
    label = metric_text(metric).label
    return label if label.isupper() or label[1:2].isupper() else f"{label[:1].lower()}{label[1:]}"


def where_words(metric: str, temp: float, *, several: bool) -> str:
    """Return where something is shown; with the temperature if there are several."""
    return f"{_measure(metric)}{f' at temperature {temperature(temp)}' if several else ''}"


def _decimals(row: Endpoint) -> int:
    """Return how many decimals the difference has, and the means that it is one of."""
    return verdict_decimals(row.ci_low, row.ci_high, score_unit(row.metric), row.difference)


def _difference(row: Endpoint, *, with_unit: bool = True) -> str:
    unit = score_unit(row.metric)
    text = points(row.difference, _decimals(row), unit)
    return f"{text} {unit.name or 'points'}" if with_unit else text


def _interval(row: Endpoint, low: float | None, high: float | None, marks: tuple[float, ...] = ()) -> str:
    unit = score_unit(row.metric)
    return interval(low, high, verdict_decimals(low, high, unit), unit, marks)
