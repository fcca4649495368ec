"""The sample of a run: by which steps it grew, which items each step added, and the order of the tables. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from promptrial.design.growth import Step, items_of_steps, last_step, smaller, steps_of
from promptrial.design.parts import cut_parts
from promptrial.model import Item, Part, Trial
from promptrial.phases.prepared import ItemKey, item_keys
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import waves_of_items, waves_on_record
from promptrial.phases.work import built, parts_of
from promptrial.store.change_records import Growth

if TYPE_CHECKING:
    from promptrial.reporting.facts import GrowthFacts

__all__ = ["added_items", "cut_by", "grown_late", "parts_in_table_order", "steps"]


def steps(spec: RunSpec) -> tuple[Step, ...]:
    """Return the steps by which a run came to its sample; one for a run that never grew."""
    return steps_of((_before(growth) for growth in spec.growth), last_step(spec.config))


def _before(growth: Growth) -> Step:
    sizes = {name: smaller(size, growth.before.limit_items) for name, size in growth.before.sizes.items()}
    return Step(sizes, growth.parts_per_dataset, growth.lines_per_part)


def added_items(spec: RunSpec, keys: Sequence[ItemKey | Item]) -> tuple[Sequence[int], ...]:
    """Return, for each step, the positions of the prepared items that it added; ``keys`` are those of all items.

    Where items are asked in waves, each wave is such a step: it is planned, and no growth.
    """
    if spec.config.stopping.on:
        return _wave_positions(spec, keys)
    return items_of_steps(keys, steps(spec), spec.config.seed)


def _wave_positions(spec: RunSpec, keys: Sequence[ItemKey | Item]) -> tuple[Sequence[int], ...]:
    items = [key for key in keys if isinstance(key, Item)]
    if not keys:
        return ([],)
    return (waves_of_items(spec, items) if items else waves_on_record(spec.run)).positions()


def cut_by(spec: RunSpec, counts: Sequence[int]) -> tuple[Step, ...]:
    """Return how the items of each step are cut into parts, given how many items each has."""
    return (last_step(spec.config),) * len(counts) if spec.config.stopping.on else steps(spec)


def grown_late(spec: RunSpec) -> tuple[GrowthFacts, ...]:
    """Return each growth that added items when statistics of the smaller sample existed, oldest first."""
    if not any(growth.statistics for growth in spec.growth):
        return ()
    from promptrial.reporting.facts import GrowthFacts

    keys = list(item_keys(spec.run))
    added = [Counter(keys[at].dataset for at in positions) for positions in added_items(spec, keys)]
    found, held = [], added[0]
    for growth, new in zip(spec.growth, added[1:], strict=True):
        if growth.statistics and new:
            found.append(GrowthFacts({name: (held[name], held[name] + new[name]) for name in new}))
        held = held + new
    return tuple(found)


def parts_in_table_order(spec: RunSpec, trial: Trial) -> Sequence[Part]:
    """Return the parts that a fresh run of this size would have: tables have their rows in the order of these.

    A run that never grew has these very parts, unless they were cut smaller for their provider: that changes no table.
    Positions are those of all prepared items.
    """
    facts = built(spec).facts
    if not spec.growth and not spec.config.stopping.on and "cut" not in facts:
        return parts_of(spec, trial)
    config, n_items = spec.config, facts["items"]
    how = {"parts_per_dataset": config.parts_per_dataset, "lines_per_part": config.lines_per_part}
    return list(cut_parts(trial, n_items, **how))
