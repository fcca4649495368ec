"""What ``significance.json`` holds: its typed rows, its bytes and its JSON Schema. Nothing is computed here.

It is in a layer below statistics and reporting, which do not know each other, so that both speak of the same rows. A
number that is not available is null and a ``reason`` says why; it is never NaN, and never a plausible stand-in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.documents import schemas
from promptrial.documents.aa import AAResult
from promptrial.documents.drift import Drift
from promptrial.documents.looks import Looks
from promptrial.documents.many_arms import ComparedRow, ContrastName, PooledEffect, Ranking, Simultaneous, Trend
from promptrial.documents.missing import ArmAttrition, AttritionTest, MissingBounds, MissingRule, MissingSensitivity
from promptrial.model.arms import DEFAULT_CONTRAST, PAIR, ArmName, Contrast
from promptrial.registry import PACK_CONTINUOUS, PACK_PRIMARY

__all__ = [
    "DETECTABLE",
    "SCHEMA_VERSION",
    "SCORE_QUANTITIES",
    "SIDES",
    "ArmMean",
    "ComparedRow",
    "ContrastArms",
    "Endpoint",
    "Estimate",
    "Family",
    "Hypothesis",
    "HypothesisTest",
    "Interaction",
    "Scope",
    "Significance",
    "StatsSettings",
    "Wanted",
    "contrasts_field",
    "decode",
    "encode",
    "json_schema",
    "number",
]

SCHEMA_VERSION: Final = 2
SIDES: Final = PAIR
"""What rows call the sides of a contrast, whatever the names of its arms are; a difference is the second minus the
first."""
DETECTABLE: Final = "detectable_at_80_percent_power"
"""The figure of an estimate that says which difference a trial would probably detect; null where none can be named."""
Wanted = Literal["higher", "lower"]
SCORE_QUANTITIES: Final = frozenset(
    {"mean_difference", "risk_difference", "hodges_lehmann", "equivalence", "non_inferiority"}
)
"""What estimates may be of that is on the scale of the scores: none is larger than scores can differ."""
Scope = Annotated[str, msgspec.Meta(pattern="^(overall|dataset|type|subgroup:.+)$")]
"""All items; or the subsets by data set, by type, or by a column of the questions (``documents.subgroups``)."""
Hypothesis = Literal["difference", "equivalence", "non_inferiority"]


@dataclass(frozen=True, slots=True)
class StatsSettings:
    """How effects are tested.

    Parameters
    ----------
    alpha : float
        Level of every decision, in (0, 0.5).
    confidence : float
        Level of every interval but those of equivalence, which are at ``1 - 2 alpha``; in (0, 1).
    primary : tuple of str
        Measures whose overall tests are confirmatory; their p-values are corrected together: by Holm's method where
        there is one contrast, by max-T where there are several.
    bootstrap_samples, permutation_samples : int
        Resamples of each bootstrap; random sign flips to begin with, of which at least 9,999 are drawn where they are
        not enumerated.
    random_seed : int
        Every endpoint and method draws from a stream of its own, derived from this seed and their names; sign flips,
        from this seed and the scores.
    tost_margins : dict
        Measure -> equivalence margin on the scale of the measure, above 0.
    graded : tuple of str
        Measures that are continuous by nature, even where every score happens to be 0 or 1.
    wanted : dict
        Measure -> whether ``higher`` or ``lower`` is better. Without an entry neither is said to be, and
        non-inferiority is not tested.
    ranges : dict
        Measure -> its lowest and highest score; 0 and 1 without an entry.
    missing : {"exclude", "failure"}
        Whether missing answers are left out of the effects that decide, or count as failures in them.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    alpha: float = 0.05
    confidence: float = 0.95
    primary: tuple[str, ...] = PACK_PRIMARY
    bootstrap_samples: int = 10_000
    permutation_samples: int = 10_000
    random_seed: int = 1337
    tost_margins: dict[str, float] = field(default_factory=dict)
    graded: tuple[str, ...] = PACK_CONTINUOUS
    wanted: dict[str, Wanted] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    missing: MissingRule = "exclude"

    def __post_init__(self) -> None:
        for name, share, end in (("alpha", self.alpha, 0.5), ("confidence", self.confidence, 1)):
            if not 0 < share < end:
                raise ValueError(f"{name} is {share}; it must lie between 0 and {end}")
        for name, count in (
            ("bootstrap_samples", self.bootstrap_samples),
            ("permutation_samples", self.permutation_samples),
        ):
            if count < 1:
                raise ValueError(f"{name} is {count}; it must be at least 1")
        for metric, margin in self.tost_margins.items():
            if not margin > 0:
                raise ValueError(f"the equivalence margin of {metric} is {margin}; it must be above 0")
        for metric, (low, high) in self.ranges.items():
            if not (low < high and math.isfinite(high - low)):
                raise ValueError(f"the range of {metric} is {low} to {high}; it must be finite and not empty")

    def range_of(self, metric: str) -> tuple[float, float]:
        """Return the lowest and the highest score of a measure."""
        return self.ranges.get(metric, (0.0, 1.0))


class Estimate(ComparedRow, frozen=True, kw_only=True):
    """One figure of one method on one endpoint.

    ``quantity`` is what is estimated (``mean_difference``, ``odds_ratio``...), treatment minus control or treatment
    over control. ``confidence`` is the level of the interval. ``reason`` is set exactly when ``estimate`` is null or
    something else that the method promises is not available. ``figures`` holds the method's further numbers.
    """

    metric: str
    temp: float
    scope: Scope
    subset: str
    method: str
    quantity: str
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float | None
    p: float | None
    n_pairs: int
    n_clusters: int
    reason: str | None
    notes: tuple[str, ...]
    figures: dict[str, float | int | None]


class ArmMean(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of an endpoint: the mean over all its scored items, and over those that have a partner."""

    n_scored: int
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    n_paired: int
    mean_paired: float | None


class Endpoint(ComparedRow, frozen=True, kw_only=True):
    """A measure at a temperature on all items or a subset: its pairs, its means, and its one designated test.

    ``n_items = n_pairs + n_control_only + n_treatment_only + n_lost + n_not_applicable``. Items are lost when neither
    arm has an answer. ``p`` is the designated p-value, ``p_method`` the method that it comes from, and the interval is
    its inversion: 0 lies in it exactly when p is above ``1 - confidence``. Where missing answers count as failures,
    every item that the measure applies to is a pair. ``attrition`` compares what the arms lost; ``missing_sensitivity``
    is there for primary endpoints over all items.

    ``cautions`` say what a reader has to know beside the effect: few clusters, one that dominates, sparse data.
    ``clusters_needed`` is set where there are too few for an interval at this level. ``largest_cluster`` and its share
    of the pairs are set where it holds more than a fifth of them. ``not_shown``: the sign flips alone would reject,
    but the score test for sparse data would not. ``monte_carlo_se`` is the standard error of ``p``; 0 where p is exact.
    All that follows ``reason`` is null, or empty, in documents of versions that did not have it.
    """

    metric: str
    temp: float
    scope: Scope
    subset: str
    scale: Literal["binary", "graded"]
    n_items: int
    n_pairs: int
    n_control_only: int
    n_treatment_only: int
    n_lost: int
    n_not_applicable: int
    n_clusters: int
    clustered: bool
    control: ArmMean
    treatment: ArmMean
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    p: float | None
    p_method: str | None
    family: str | None
    p_adjusted: float | None
    significant: bool | None
    bounds: MissingBounds
    reason: str | None
    attrition: AttritionTest | None = None
    missing_sensitivity: MissingSensitivity | None = None
    cautions: tuple[str, ...] = ()
    clusters_needed: int | None = None
    largest_cluster: str | None = None
    largest_cluster_share: float | None = None
    not_shown: bool = False
    monte_carlo_se: float | None = None

    @property
    def arms(self) -> tuple[ArmMean, ArmMean]:
        """Both sides."""
        return self.control, self.treatment

    @property
    def one_side_only(self) -> tuple[int, int]:
        """How many items have a score on the first side alone, and on the second alone."""
        return self.n_control_only, self.n_treatment_only


class HypothesisTest(ComparedRow, frozen=True, kw_only=True):
    """A test that counts: its p-value, the family it was corrected in, and the decision.

    ``rejected`` is ``p_adjusted <= alpha``; the null of ``difference`` is "no difference", that of the other two is
    "the margin is passed". A null ``p`` is not counted in its family.
    """

    family: str
    hypothesis: Hypothesis
    metric: str
    temp: float
    scope: Scope
    subset: str
    method: str
    p: float | None
    p_adjusted: float | None
    rejected: bool | None


class Interaction(ComparedRow, frozen=True, kw_only=True):
    """Whether an effect differs between two subsets of one dimension (``scope``): data sets, or types of question.

    ``difference`` is the effect in ``subset`` less the effect in ``other``, on the scale of the scores. ``significant``
    is ``p_adjusted <= alpha``, corrected over the pairs of subsets of this endpoint. ``reason`` is set where there is
    no p-value.
    """

    metric: str
    temp: float
    scope: Scope
    subset: str
    other: str
    n_pairs: int
    n_pairs_other: int
    n_clusters: int
    n_clusters_other: int
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    method: str
    se: float | None
    df: float | None
    p: float | None
    family: str | None
    p_adjusted: float | None
    significant: bool | None
    reason: str | None


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Tests whose p-values were corrected together: ``size`` of them had a p-value."""

    name: str
    correction: Literal["holm", "bh", "max_t", "bonferroni"]
    alpha: float
    size: int
    rejected: int


class ContrastArms(msgspec.Struct, frozen=True, kw_only=True):
    """A contrast by the name that its rows hold, and the arms on its two sides."""

    name: ContrastName
    treatment: ArmName
    control: ArmName


class Significance(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document.

    ``contrasts`` are in the order of the treatments; it is left out where the only one is ``treatment vs control``.
    ``dry_run`` is there, and true, where an emulator answered: then no figure says anything about a model. Dry runs of
    earlier versions do not have it. ``simultaneous`` and ``rankings`` are there where a trial has several treatments
    (documents of earlier versions do not have them), ``trends`` and ``pooled`` where they were declared.
    ``looks`` is there where the trial was asked in waves, ``aa`` where an arm asks what control asks (an A/A
    trial), one result for each such arm. ``drift`` is there where answers of another run were reused, and some asked
    again.
    """

    schema_version: Literal[2]
    settings: StatsSettings
    attrition: dict[ArmName, ArmAttrition]
    endpoints: tuple[Endpoint, ...]
    tests: tuple[HypothesisTest, ...]
    families: tuple[Family, ...]
    estimates: tuple[Estimate, ...]
    selective: tuple[Estimate, ...]
    interactions: tuple[Interaction, ...] = ()
    contrasts: tuple[ContrastArms, ...] | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
    simultaneous: tuple[Simultaneous, ...] | UnsetType = UNSET
    rankings: tuple[Ranking, ...] | UnsetType = UNSET
    trends: tuple[Trend, ...] | UnsetType = UNSET
    pooled: tuple[PooledEffect, ...] | UnsetType = UNSET
    looks: Looks | UnsetType = UNSET
    aa: tuple[AAResult, ...] | UnsetType = UNSET
    drift: tuple[Drift, ...] | UnsetType = UNSET

    @property
    def compared(self) -> tuple[Contrast, ...]:
        """The contrasts, in order."""
        if self.contrasts is UNSET:
            return (DEFAULT_CONTRAST,)
        return tuple(Contrast(row.treatment, row.control) for row in self.contrasts)

    def confidence_of(self, row: Endpoint) -> float:
        """Return the level of an endpoint's interval: where a stopping rule decides on it, that of the rule."""
        looks = self.looks
        if looks is UNSET or row.metric != looks.metric or row.scope != "overall":
            return self.settings.confidence
        return 1 - looks.alpha

    def is_second_ask(self, contrast: Contrast) -> bool:
        """Whether the two arms of a contrast ask the same, so that nothing but chance differs between them."""
        return self.aa is not UNSET and contrast.treatment in {result.other for result in self.aa}

    @property
    def arm_names(self) -> tuple[ArmName, ...]:
        """The arms of the contrasts: control first, then the treatments."""
        return tuple(dict.fromkeys(side for contrast in self.compared for side in contrast.sides))


def contrasts_field(contrasts: Sequence[Contrast]) -> tuple[ContrastArms, ...] | UnsetType:
    """Return what a document of these contrasts holds as ``contrasts``."""
    if tuple(contrasts) == (DEFAULT_CONTRAST,):
        return UNSET
    return tuple(ContrastArms(name=str(each), treatment=each.treatment, control=each.control) for each in contrasts)


def number(value: float | None) -> float | None:
    """Return a finite Python float, or None for None, NaN and infinities: JSON has no other way to say them."""
    return None if value is None or not math.isfinite(value) else float(value)


def encode(document: Significance) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def decode(data: bytes) -> Significance:
    """Read a document back.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a significance document of this version.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, SCHEMA_VERSION, "significance.json")
    return msgspec.json.decode(data, type=Significance)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(Significance, f"promptrial significance.json, schema_version {SCHEMA_VERSION}")
