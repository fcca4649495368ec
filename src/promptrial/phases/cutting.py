"""Request files that are too large for their provider are cut into smaller ones; the others stay as they are.

A file is written first and measured then, so that cutting costs nothing where nothing is too large. All arms of the
same items are cut at the same items. What a run's requests were cut into before it grew is never cut again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.design.parts import DEFAULT_LINES_PER_PART, pieces_within
from promptrial.design.trials import models_asked
from promptrial.errors import ConfigError
from promptrial.model import Item, ModelSpec, Part, Trial
from promptrial.model.instances import Limits
from promptrial.phases.money_limit import MoneyLimit, TooDear
from promptrial.phases.spec import RunSpec
from promptrial.providers.capabilities import LengthensRows, LimitsJobs
from promptrial.store.manifests import load_manifest
from promptrial.store.part_records import FileRecord

__all__ = ["Cutter", "JobLimits", "as_recorded", "limit_notes", "limits_of", "own_limits"]

Write = Callable[[Part, Sequence[Item]], FileRecord]
"""Writes the request file of a part that holds some items."""
Lengths = Callable[[Trial, Part, Sequence[Item]], Iterator[int]]
"""Returns the bytes of each request of a part that was written, its newline included."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """The most that a provider takes in one job: rows, and bytes, of which each row has ``overhead`` more than here.

    None stands for any number.
    """

    provider: str
    rows: int | None
    size: int | None
    overhead: int = 0

    def take(self, file: FileRecord) -> bool:
        """Whether a request file is within the limits."""
        rows = file.rows or 0
        within = self.rows is None or rows <= self.rows
        return within and (self.size is None or file.size + rows * self.overhead <= self.size)

    def __str__(self) -> str:
        rows = [f"{self.rows:,} requests"] if self.rows is not None else []
        size = [f"{self.size:,} bytes"] if self.size is not None else []
        return " and ".join([*rows, *size])


def limits_of(spec: RunSpec, model: ModelSpec) -> JobLimits:
    """Return what a job of a model may hold: as its instance says, else as its adapter knows of the vendor."""
    instance = instance_of(spec.config.providers, model.provider)
    kind = registry.load("provider", instance.adapter)
    if not kind.jobs:
        return JobLimits(model.provider, None, None)
    usual = kind.limits if isinstance(kind, LimitsJobs) else Limits()
    overhead = kind.row_overhead(model, instance) if isinstance(kind, LengthensRows) else 0
    own = instance.limits
    return JobLimits(model.provider, own.rows or usual.rows, own.size or usual.size, overhead)


def limit_notes(spec: RunSpec) -> Iterator[str]:
    """Yield what to say about limits before requests are built, or once parts were cut, one line for each provider."""
    built = load_manifest(spec.run.batch_inputs / "manifest.json")
    if built is not None:
        for provider, limits in built.facts.get("cut", {}).items():
            yield f"parts are split: {provider} takes at most {limits} per job"
        if (most := built.facts.get("cut_usd")) is not None:
            yield f"parts are split: none may cost more than {most:.4g} USD, a tenth of the cap"
        return
    own, lines = own_limits(spec).get("limits", {}), spec.config.lines_per_part or DEFAULT_LINES_PER_PART
    for limits in dict.fromkeys(limits_of(spec, model) for model in models_asked(spec.trials)):
        if limits.provider in own or (limits.rows is not None and lines > limits.rows):
            yield f"{limits.provider} takes at most {limits} per job; larger parts will be split"


def own_limits(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says about limits: those that the configuration sets, and nothing where it sets none."""
    providers = spec.config.providers.items()
    found = {name: [each.max_rows, each.max_bytes] for name, each in providers if each.max_rows or each.max_bytes}
    return {"limits": found} if found else {}


def as_recorded(parts: Sequence[Part], recorded: Sequence[Part], steps: int) -> list[tuple[Part, bool]]:
    """Return parts with the borders that those of all steps but the last had before, and whether they had some.

    Parameters
    ----------
    parts : sequence of Part
        As a trial's settings cut them.
    recorded : sequence of Part
        Those that its requests are in, as far as that is on record.
    steps : int
        By how many steps the sample grew.
    """
    found: list[tuple[Part, bool]] = []
    for temp in dict.fromkeys(part.temp for part in parts):
        last = 0
        for step in range(steps):
            new = [part for part in parts if (part.temp, part.step) == (temp, step)]
            old = [part for part in recorded if (part.temp, part.step) == (temp, step)]
            keeps = step < steps - 1 and _same_items(new, old)
            chosen = _renumbered(old if keeps else new, last)
            last = max((part.index for part in chosen), default=last)
            found += [(part, keeps) for part in chosen]
    return found


def _same_items(new: Sequence[Part], old: Sequence[Part]) -> bool:
    """Whether parts of before hold the same items in the same arms, without gaps."""

    def held(parts: Sequence[Part]) -> dict[str, list[int]]:
        by_arm: dict[str, list[int]] = {}
        for part in parts:
            by_arm.setdefault(part.condition, []).extend(range(part.start, part.stop))
        return by_arm

    return bool(old) and held(new) == held(old)


def _renumbered(parts: Sequence[Part], last: int) -> list[Part]:
    """Return parts whose numbers go on after a number, without gaps."""
    numbers = {index: last + at for at, index in enumerate(dict.fromkeys(part.index for part in parts), 1)}
    return [replace(part, index=numbers[part.index]) for part in parts]


@dataclass(slots=True)
class Cutter:
    """Writes the request files of a run, part by part in order, cut where they have to be.

    Parameters
    ----------
    spec : RunSpec
    lengths : Lengths

    Attributes
    ----------
    cut : Counter
        How many parts were cut, by the limits of their provider.
    cut_by_cost : int
        How many parts were cut because of what they could cost.
    dearest : TooDear or None
        Of the parts that do not fit into the cap by themselves, the one that could cost most.
    most_usd : float
        What all parts together could cost at most; 0 without a cap.
    """

    spec: RunSpec
    lengths: Lengths
    cut: Counter[JobLimits] = field(default_factory=Counter)
    cut_by_cost: int = 0
    dearest: TooDear | None = None
    most_usd: float = 0.0
    _shift: Counter[tuple[str, float]] = field(default_factory=Counter)

    def written(
        self, trial: Trial, arms: Sequence[Part], items: Sequence[Item], write: Write, *, frozen: bool
    ) -> Iterator[tuple[Part, FileRecord]]:
        """Write the parts that hold the same items at one temperature, one an arm; yield each with its record.

        Parameters
        ----------
        trial : Trial
        arms : sequence of Part
        items : sequence of Item
            What the parts hold.
        write : callable
        frozen : bool
            Whether they are what they were before, and not cut.

        Raises
        ------
        ConfigError
            If one item is larger than a provider takes.
        """
        at = trial.slug, arms[0].temp
        arms = [replace(part, index=part.index + self._shift[at]) for part in arms]
        written = [(part, write(part, items)) for part in arms]
        limits = [limits_of(self.spec, trial.arm(part.condition).model) for part in arms]
        exceeded = [each for each, (_, file) in zip(limits, written, strict=True) if not each.take(file)]
        money = [MoneyLimit.of(self.spec, trial, part) for part in arms]
        dear = any(not each.takes(file) for each, (_, file) in zip(money, written, strict=True))
        self.most_usd += sum(each.most_of(file) for each, (_, file) in zip(money, written, strict=True))
        if frozen or not (exceeded or dear):
            yield from written
            return
        spans = self._spans(trial, arms, items, limits, money)
        self.cut.update(exceeded[:1])
        self.cut_by_cost += dear
        self._shift[at] += len(spans) - 1
        for number, (start, stop) in enumerate(spans):
            for part, limit in zip(arms, money, strict=True):
                piece, held = _piece(part, number, start, stop), items[start:stop]
                file = write(piece, held)
                found = (self.dearest, limit.too_dear(piece, file, held))
                self.dearest = max(filter(None, found), key=lambda each: each.usd, default=None)
                yield piece, file

    def _spans(
        self,
        trial: Trial,
        arms: Sequence[Part],
        items: Sequence[Item],
        limits: Sequence[JobLimits],
        money: Sequence[MoneyLimit],
    ) -> list[tuple[int, int]]:
        replicates = arms[0].rows // len(items)
        written = [self._sizes(trial, part, items) for part in arms]
        sizes: list[Sequence[float]] = [
            [size + replicates * each.overhead for size in own] for own, each in zip(written, limits, strict=True)
        ]
        sizes += [each.shares(replicates, own) for each, own in zip(money, written, strict=True)]
        most = [*(each.size for each in limits), *(each.most_usd for each in money)]
        most_items = min((each.rows // replicates for each in limits if each.rows is not None), default=None)
        try:
            return list(pieces_within(sizes, most, most_items))
        except ValueError as error:
            (at,) = error.args
            raise _too_large(items[at], limits, [int(size[at]) for size in sizes[: len(arms)]], replicates) from None

    def _sizes(self, trial: Trial, part: Part, items: Sequence[Item]) -> list[int]:
        """Return the bytes of each item's requests, as they are written."""
        replicates, lengths = part.rows // len(items), self.lengths(trial, part, items)
        return [sum(own) for own in iter(lambda: [*islice(lengths, replicates)], [])]

    def facts(self) -> dict[str, Any]:
        """Return as facts why parts were cut; nothing where none was."""
        limits = {"cut": {each.provider: str(each) for each in self.cut}} if self.cut else {}
        return limits | ({"cut_usd": self.spec.terms.caps.part_usd} if self.cut_by_cost else {})


def _piece(part: Part, number: int, start: int, stop: int) -> Part:
    replicates = part.rows // (part.stop - part.start)
    return replace(
        part,
        index=part.index + number,
        start=part.start + start,
        stop=part.start + stop,
        rows=(stop - start) * replicates,
    )


def _too_large(item: Item, limits: Sequence[JobLimits], sizes: Sequence[int], replicates: int) -> ConfigError:
    wrong = next(
        (each, size)
        for each, size in zip(limits, sizes, strict=True)
        if (each.size is not None and size > each.size) or (each.rows is not None and replicates > each.rows)
    )
    each, size = wrong
    asked = "the request" if replicates == 1 else f"the {replicates} requests"
    return ConfigError(
        f"{item.dataset}: {asked} of item {item.id} {'takes' if replicates == 1 else 'take'} {size:,} bytes, but a "
        f"job at {each.provider} takes at most {each}",
        hint="remove or shorten the item, or ask for fewer replicates; if the provider takes more, raise "
        f"`providers.{each.provider}.max_bytes` or `max_rows`",
    )
