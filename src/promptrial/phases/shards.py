"""The scores of shards as columns of ``per_item_scores``: a shard is some items in all arms.

Items are taken a batch at a time, and a batch is scored in all arms before the next is read, so that each item is
prepared once and few are in memory. The rows of an arm still follow one another in the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from promptrial.datasets.clusters import cluster_id
from promptrial.model import Item, Part, ids
from promptrial.phases.judge_scores import judged_scorer
from promptrial.phases.predictions import ANSWER_COLUMNS, Answers
from promptrial.phases.prepared import ItemReader
from promptrial.phases.score_columns import score_columns
from promptrial.phases.scorers import make_extracts, worst_columns
from promptrial.phases.settings import evaluation_rules, scoring_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import levels_of
from promptrial.scoring.aggregate import count_scores, summarize_columns
from promptrial.scoring.base import Gold
from promptrial.scoring.batches import prepare_golds
from promptrial.scoring.contract import RESPONSE_COLUMNS, Response, Scorer
from promptrial.scoring.panel import Panel, worst_scores
from promptrial.scoring.types.judge import Lookup
from promptrial.store.tables import Column, table_of_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PartScores", "RunScorers", "ShardReader", "score_shard"]

_SCORED_TOGETHER: Final = 1_000
"""How many answers of an arm a scorer that takes many at once gets at most, except for the replicates of one item."""


@dataclass(frozen=True, slots=True)
class RunScorers:
    """The scorers of a run; ``worst`` are those whose worst score by item is a column of the table too.

    ``subgroups`` are the columns of the questions by which effects are reported.
    """

    all: dict[str, Scorer]
    worst: dict[str, Scorer]
    panel: Panel
    subgroups: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, spec: RunSpec, made: Mapping[str, Scorer], lookups: Mapping[str, Lookup] = MappingProxyType({})
    ) -> Self:
        """Lay them out as they were made; judges have the scores that ``lookups`` give."""
        scorers = {name: judged_scorer(name, each, lookups) for name, each in made.items()}
        worst = {name: scorers[name] for name in worst_columns(spec.config)}
        return cls(scorers, worst, Panel(scorers, make_extracts(spec.config)), spec.config.subgroups)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of ``per_item_scores``."""
        return score_columns(self.all, self.worst, self.subgroups, self.incomplete)

    @property
    def incomplete(self) -> list[str]:
        """The scorers that may have no score of an answer: the table says how many they have."""
        return [name for name, scorer in self.all.items() if scorer.may_miss]

    @property
    def read(self) -> tuple[str, ...]:
        """The columns of the predictions that they need."""
        whole = any("response" in scorer.declared.needs for scorer in self.all.values())
        return ANSWER_COLUMNS + (RESPONSE_COLUMNS if whole else ())


class ShardReader:
    """Reads the items of shards, a batch at a time.

    Parameters
    ----------
    spec : RunSpec
    kept : sequence of bool, optional
        Which prepared items the results are of: of a trial that stopped early, not all. All if not given.
    most_replicates : int
        How many answers of an arm there may be to an item.
    """

    def __init__(self, spec: RunSpec, kept: Sequence[bool] | None, most_replicates: int) -> None:
        self._items = ItemReader(spec.run)
        self._kept = kept
        self._step = max(1, _SCORED_TOGETHER // most_replicates)

    def batches(self, start: int, stop: int) -> Iterator[list[Item]]:
        """Yield the items from position ``start`` up to ``stop``."""
        for first in range(start, stop, self._step):
            items = self._items.take(first, min(first + self._step, stop))
            yield [item for at, item in enumerate(items, first) if self._kept is None or self._kept[at]]


class PartScores(NamedTuple):
    """The scores of a part, and what ``Panel.take_counts`` says about them."""

    part: Part
    table: pa.Table
    answers: int
    not_found: Mapping[str, int]


def score_shard(
    spec: RunSpec,
    parts: Sequence[Part],
    batches: Iterable[Sequence[Item]],
    answers_of: Callable[[Part], Answers],
    scorers: RunScorers,
    check_stop: Callable[[], None],
) -> list[PartScores]:
    """Return the scores of the parts of a shard.

    Parameters
    ----------
    spec : RunSpec
    parts : sequence of Part
        Of the same items, one for each arm.
    batches : iterable of sequences of Item
        The items.
    answers_of : callable
        Returns the answers of a part.
    scorers : RunScorers
    check_stop : callable
        Raises if a stop was asked for.
    """
    import pyarrow as pa

    empty = table_of_columns(scorers.columns, [()] * len(scorers.columns))
    tables = [[empty] for _ in parts]
    counts: list[list[tuple[int, Mapping[str, int]]]] = [[] for _ in parts]
    for items in batches:
        batch = _Batch.of(spec, items, scorers)
        for place, part in enumerate(parts):
            check_stop()
            tables[place].append(_scored(batch, part, answers_of(part).take(batch.keys), scorers))
            counts[place].append(scorers.panel.take_counts())
    return [
        PartScores(part, pa.concat_tables(own).combine_chunks(), sum(n for n, _ in said), _summed(said))
        for part, own, said in zip(parts, tables, counts, strict=True)
    ]


def _summed(counts: Iterable[tuple[int, Mapping[str, int]]]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for _, missing in counts:
        found.update(missing)
    return found


class _Batch(NamedTuple):
    """Items ready to be scored against, with what their rows begin and end with, column by column."""

    keys: list[tuple[str, str]]
    golds: list[Gold]
    lead: list[pa.Array]
    tail: list[Sequence[Any]]

    @classmethod
    def of(cls, spec: RunSpec, items: Sequence[Item], scorers: RunScorers) -> Self:
        """Prepare items."""
        import pyarrow as pa

        rules = evaluation_rules(spec)
        golds = prepare_golds([(item, rules[item.dataset]) for item in items], scoring_settings(spec.config))
        lead = (
            [ids.item_key(item.dataset, item.id) for item in items],
            [item.dataset for item in items],
            [cluster_id(item) for item in items],
            [item.type for item in items],
        )
        worst = [worst_scores(item, scorers.worst) for item in items] if scorers.worst else []
        levels = [levels_of(item, scorers.subgroups) for item in items] if scorers.subgroups else []
        tail: list[Sequence[Any]] = [()] * (len(scorers.worst) + len(scorers.subgroups))
        if items:
            tail = [*zip(*worst, strict=True), *zip(*levels, strict=True)]
        keys = [(item.dataset, item.id) for item in items]
        return cls(keys, golds, [pa.array(each, pa.string()) for each in lead], tail)


def _scored(batch: _Batch, part: Part, answers: Sequence[Sequence[Response]], scorers: RunScorers) -> pa.Table:
    """Return the rows of some items in one arm."""
    import pyarrow as pa

    n, counts = len(batch.keys), [len(given) for given in answers]
    pairs = [(gold, response) for gold, given in zip(batch.golds, answers, strict=True) for response in given]
    columns = scorers.panel.score_columns(pairs)
    summary, by_name = summarize_columns(columns, counts), dict(zip(scorers.all, columns, strict=True))
    scored = [count_scores(by_name[name], counts) for name in scorers.incomplete]
    arm = [pa.repeat(pa.scalar(name, pa.string()), n) for name in (part.condition, repr(part.temp))]
    scores = chain.from_iterable(zip(summary.means, summary.stds, strict=True))
    return table_of_columns(scorers.columns, [*batch.lead, *arm, counts, *scores, *scored, *batch.tail])
