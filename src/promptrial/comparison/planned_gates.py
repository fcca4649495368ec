"""Whether a run of the planned size can pass a gate at all, and how large it would have to be.

A gate will compare two runs of the same items, an arm of one with the same arm of the other. The most that the items
can show for a gate that grants a margin is that no answer changes; a gate that fails even then is not worth a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from promptrial.comparison.gates import Gate, resolved
from promptrial.comparison.subsets import scope_meant
from promptrial.config.schema import ExperimentConfig
from promptrial.design.power import Assumed, PlannedEndpoint, PlannedScores, designs_of
from promptrial.documents.significance import Scope
from promptrial.documents.subgroups import subgroup_column
from promptrial.documents.usual import POWER
from promptrial.model import Item, Trial
from promptrial.phases.planned_power import planned_scores
from promptrial.phases.subgroups import levels_of
from promptrial.stats.fewest import MARGIN_SLOPE, clusters_needed, unchanged_clusters
from promptrial.stats.margin_power import NEVER, AlikePairs
from promptrial.stats.planning import Design
from promptrial.stats.student import normal_cdf, normal_quantile
from promptrial.stats.unconditional import unchanged_pairs_needed

__all__ = ["PlannedGate", "planned_gates"]


@dataclass(frozen=True, slots=True)
class PlannedGate:
    """A gate before the run.

    Attributes
    ----------
    gate : Gate
        Its measure by the name of the column.
    scores : PlannedScores
        Those of the items that it looks at.
    replicates : int
        Answers to an item, at the temperatures that have so many.
    alpha : float
        One-sided level.
    sampled : bool
        Whether there are several answers to an item, above temperature 0: they differ from each other.
    fewest : int or None
        Items below which it fails whatever is answered: even if no answer changes, where it grants a margin; even if
        all change for the better, where it asks for a gain. None if nothing is known of the scores.
    planned : int or None
        Items that pass it with a power of 80% if the runs are alike, and scores differ as is assumed; None where it
        grants no margin.
    power : float or None
        The probability that the planned items pass it then.
    """

    gate: Gate
    scores: PlannedScores
    replicates: int
    alpha: float
    sampled: bool = False
    fewest: int | None = None
    planned: int | None = None
    power: float | None = None

    @property
    def can_pass(self) -> bool:
        """Whether the planned items are enough, as far as is known."""
        return self.fewest is None or self.scores.items >= self.fewest

    @property
    def is_possible(self) -> bool:
        """Whether any number of items can pass it, as far as is known."""
        return self.fewest is None or self.fewest < NEVER

    def __str__(self) -> str:
        """The verdict in a sentence."""
        items, start = f"{self.scores.items:,} items", f"gate {self.gate}: "
        if self.replicates > 1:
            items += f" with {self.replicates} answers each"
        if self.fewest is None:
            return f"{start}the scale of its scores is not known until their code has run"
        if not self.is_possible:
            return f"{start}no number of items can pass it: no difference is larger"
        if self.planned is None or self.power is None:
            best = "even if all answers change for the better"
            few = f"{items} cannot pass it, {best}: at least {self.fewest:,} are needed"
            return start + (f"{items} may pass it, if the gain is large enough" if self.can_pass else few)
        if not self.can_pass:
            few = f"{items} cannot pass it, even if no answer changes: at least {self.fewest:,} are needed"
            return f"{start}{few}, about {self.planned:,} for 80% power"
        return (
            f"{start}{items} can pass it, with {self.power:.0%} power if the runs are alike; 80% needs {self.planned:,}"
        )


def planned_gates(
    gates: Sequence[Gate],
    config: ExperimentConfig,
    trials: Sequence[Trial],
    items: Sequence[Item],
    assumed: Assumed,
    alpha: float = 0.05,
) -> tuple[PlannedGate, ...]:
    """Return what the planned items can do for each gate, once for each number of replicates that a trial plans.

    Parameters
    ----------
    gates : sequence of Gate
        As ``compare --gate`` takes them.
    config : ExperimentConfig
    trials : sequence of Trial
    items : sequence of Item
        All that are planned.
    assumed : Assumed
        How scores of two runs differ.
    alpha : float
        One-sided level, in (0, 0.5).

    Raises
    ------
    UsageError
        If there is no such measure or subset, or no difference of its scores can be as large as the bound.
    """
    answers = sorted({(n, n > 1 and float(temp) > 0) for each in trials for temp, n in each.samples_per_item.items()})
    ranges = {name: each.score_range for name, each in planned_scores(config, (), config.scorers_in_use).items()}
    types = {name: entry.type for name, entry in config.scorers_in_use.items()}
    found = []
    for gate in (resolved(each, ranges, types) for each in gates):
        chosen = _chosen(gate, config.subgroups, items)
        scores = planned_scores(config, items, (gate.metric,), chosen)[gate.metric]
        found += [_judged(PlannedGate(gate, scores, n, alpha, sampled), assumed) for n, sampled in answers]
    return tuple(dict.fromkeys(found))


def _chosen(gate: Gate, columns: Sequence[str], items: Sequence[Item]) -> Callable[[Item], bool] | None:
    """Return what tells the items that a gate looks at; None for all."""
    if gate.subset is None:
        return None
    held: dict[Scope, dict[str, None]] = {}
    for item in items:
        for scope, level in _levels(item, columns):
            held.setdefault(scope, {})[level] = None
    scope = scope_meant(gate, {scope: list(names) for scope, names in held.items()})
    return partial(_is_in, (scope, gate.subset), columns)


def _is_in(subset: tuple[Scope, str], columns: Sequence[str], item: Item) -> bool:
    return subset in _levels(item, columns)


def _levels(item: Item, columns: Sequence[str]) -> Iterator[tuple[Scope, str]]:
    yield "type", item.type
    yield "dataset", item.dataset
    for column, level in zip(columns, levels_of(item, columns), strict=True):
        yield subgroup_column(column), level


def _judged(gate: PlannedGate, assumed: Assumed) -> PlannedGate:
    """Return a gate with the numbers of items that it needs."""
    scores, margin = gate.scores, -gate.gate.sign * gate.gate.bound / gate.scores.width
    if scores.scale is None:
        return gate
    endpoint = PlannedEndpoint(
        trial="", contrast="", scores=scores, temp=float(gate.sampled), replicates=gate.replicates
    )
    fewest = _fewest(scores, margin, gate.alpha, exact=endpoint.is_exact)
    if margin <= 0:
        return replace(gate, fewest=fewest)
    design = max(designs_of(endpoint, gate.alpha, assumed), key=lambda each: each.design_effect)
    enough, power = _power(endpoint, design, margin)
    return replace(gate, fewest=fewest, planned=max(fewest, enough), power=power if scores.items >= fewest else 0.0)


def _power(endpoint: PlannedEndpoint, design: Design, margin: float) -> tuple[int, float]:
    """Return how many items pass a gate with a power of 80%, and the power of the planned ones."""
    scores, items = endpoint.scores, max(endpoint.scores.items, 1)
    if scores.scale == "binary":
        size = None if endpoint.is_exact else design.cluster_size
        least = 1 + MARGIN_SLOPE * ((design.shared_by or 1.0) - 1)
        pairs = AlikePairs(design.variance(0.0), margin, design.alpha, size, design.design_effect, least)
        return pairs.needed(POWER), pairs.power(items)
    level, error = normal_quantile(1 - design.alpha), design.standard_error(1, 0.0)
    enough = math.ceil(((level + normal_quantile(POWER)) * error / margin) ** 2)
    return enough, normal_cdf(margin * math.sqrt(items) / error - level)


def _fewest(scores: PlannedScores, margin: float, alpha: float, *, exact: bool) -> int:
    """Return with how many items the best outcome that there can be passes.

    Of independent 0/1 pairs that all gain, against a bound b, the exact test has the p-value ``((1 + b) / 2)^n``.
    """
    if exact:
        if margin > 0:
            return unchanged_pairs_needed(min(margin, 1.0), alpha)
        return math.ceil(math.log(alpha) / math.log((1 - margin) / 2)) if margin > -1 else NEVER
    size = scores.mean_size if scores.items else 1.0
    if not 0 < margin < 1 or not scores.items:
        return math.ceil(clusters_needed(alpha) * size)
    floor = 1 + MARGIN_SLOPE * (scores.shared_by - 1)
    return math.ceil(unchanged_clusters(size, floor, margin, alpha) * size)
