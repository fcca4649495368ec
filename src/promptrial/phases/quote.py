"""What a run will ask, take and cost, before it does so: per trial and arm, and in all. Reads only; asks nobody.

It works before the run exists, and at any point of it: what is answered, in flight or asked for another trial is known
by the same records as a run uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Final

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.costs.ahead import CacheBand, CacheShare, usd_ahead
from promptrial.costs.bands import NOTHING, Band
from promptrial.costs.characters import RequestSize
from promptrial.costs.durations import at_rate, of_batches, side_by_side
from promptrial.costs.tokens import MIN_MEASURED, Measured, input_tokens, output_tokens
from promptrial.documents.cost_report import Price
from promptrial.jobs.work import PartWork
from promptrial.model import Arm, Item, ModelSpec, Trial
from promptrial.model.arms import ArmName
from promptrial.phases.counting import Counted, counted
from promptrial.phases.drawn import DrawnNow
from promptrial.phases.estimates import cache_ahead
from promptrial.phases.longest_prompt import longest_planned
from promptrial.phases.measuring import NO_USAGE, Usage, live_rate, usage_of
from promptrial.phases.planned_parts import PlannedPart, built_parts, parts_to_build
from promptrial.phases.quoted import Quote, Quoted, Requests
from promptrial.phases.services import Services
from promptrial.phases.settings import asked_with
from promptrial.phases.sources import most_items
from promptrial.phases.spec import RunSpec
from promptrial.phases.tokenizing import tokenized_requests
from promptrial.providers.capabilities import AnsweredByHand

__all__ = ["Reusable", "quote"]

Reusable = Callable[[PlannedPart], frozenset[str]]
"""Returns the wire ids of those requests of a part that another run has answered, so that they need not be asked."""
_COMPUTED_HERE: Final = ""
"""The lane of all answers that this process computes, one after the other."""


def quote(
    spec: RunSpec,
    services: Services,
    *,
    drawn: DrawnNow,
    work: Sequence[PartWork] | None,
    reusable: Reusable = lambda _part: frozenset(),
) -> Quote:
    """Return what a run will ask, take and cost, of the trials that it was asked to work on.

    Parameters
    ----------
    spec : RunSpec
    services : Services
        With the manifest of every trial.
    drawn : DrawnNow
        Its items; see ``items_planned``.
    work : sequence of PartWork or None
        What ``planned_work`` gives of all trials, if *prepare* and *build* are done, so that items and requests are
        those on disk.
    reusable : Reusable

    Raises
    ------
    PromptrialError
        If the run could not be built.
    """
    if drawn.absent:
        return _without_questions(spec, drawn.absent)
    items = drawn.items
    spec = _with_longest_prompt(spec, items) if work is None else spec
    parts = parts_to_build(spec, services, items) if work is None else built_parts(spec, work, items)
    held = _by_arm(spec, counted(parts, reusable, [trial.slug for trial in _active(spec)]))
    usage = _UsageByArm(held, services)
    arms = tuple(_quoted(spec, trial, trial.arm(name), held[trial.slug, name], usage) for trial, name in _arms(spec))
    everything = [each for own in held.values() for each in own]
    found = Quote(arms, len(items), _seconds(spec, everything), prices=_prices(spec, everything))
    if not any(trial.judges for trial in _active(spec)):
        return found
    from promptrial.phases.judge_quote import judge_quotes

    return _with_judges(spec, found, tuple(judge_quotes(spec, services, items)))


def _with_judges(spec: RunSpec, found: Quote, judged: tuple[Quoted, ...]) -> Quote:
    """Return a quote with what judges are asked once all answers are here, trial by trial after its arms."""
    asked = [each for each in judged if each.requests.new]
    if not judged:
        return found
    models = {model.alias: spec.prices.of(model) for trial in spec.trials for model in trial.judges}
    prices = {each.model: price for each in asked if (price := models[each.model]) is not None}
    seconds = found.seconds
    for each in asked:
        seconds = None if seconds is None or each.seconds is None else seconds + each.seconds
    slugs = dict.fromkeys(each.trial for each in found.arms)
    arms = tuple(each for slug in slugs for own in (found.arms, judged) for each in own if each.trial == slug)
    return replace(found, arms=arms, seconds=seconds, prices={**found.prices, **prices})


def _with_longest_prompt(spec: RunSpec, items: Sequence[Item]) -> RunSpec:
    """Return a run whose prices hold for the requests that will be written about items."""
    prices = spec.terms.prices
    if not prices.depends_on_length:
        return spec
    prices = replace(prices, longest_prompt=longest_planned(spec.trials, items))
    return replace(spec, terms=spec.terms._replace(prices=prices))


_ByArm = dict[tuple[str, ArmName], list[Counted]]


def _arms(spec: RunSpec) -> Iterator[tuple[Trial, ArmName]]:
    return ((trial, name) for trial in _active(spec) for name in trial.conditions)


def _active(spec: RunSpec) -> tuple[Trial, ...]:
    """Return the trials that are worked on: all, where nothing else is said."""
    return spec.active or spec.trials


def _by_arm(spec: RunSpec, parts: Iterable[Counted]) -> _ByArm:
    held: _ByArm = {(trial.slug, name): [] for trial, name in _arms(spec)}
    for each in parts:
        held[each.part.trial.slug, each.part.work.part.condition].append(each)
    return held


def _without_questions(spec: RunSpec, absent: tuple[str, ...]) -> Quote:
    """Return at most how many requests there will be, as far as that is known without the questions."""
    items = most_items(spec)
    arms = [
        Quoted(
            trial.slug,
            name,
            trial.arm(name).model.alias,
            Requests(new=(items or 0) * sum(trial.samples_per_item.values())),
        )
        for trial, name in _arms(spec)
    ]
    return Quote(tuple(arms), items, absent=absent)


@dataclass(frozen=True, slots=True)
class _UsageByArm:
    """What the answers of each arm took; they are read where something is still to be asked of its model."""

    held: _ByArm
    services: Services
    _known: dict[tuple[str, ArmName], Usage] = field(default_factory=dict)

    def of_arm(self, trial: Trial, name: ArmName) -> Usage:
        """Return what the answers of an arm took."""
        key = trial.slug, name
        if key not in self._known:
            found = usage_of(trial.arm(name), [each.part for each in self.held[key]])
            self._known[key] = _about_items(found, sum(trial.samples_per_item.values()))
        return self._known[key]

    def of_model(self, model: ModelSpec) -> Usage:
        """Return what the answers of all arms of a model took."""
        arms = {key: own[0].part.trial for key, own in self.held.items() if own and own[0].part.work.model == model}
        found = [self.of_arm(trial, name) for (_, name), trial in arms.items()]
        return _about_items(
            sum(found, NO_USAGE), sum(each.measured.per_item for each in found if each.measured.requests)
        )

    def by_tokenizer(self, arm: Arm, new: Sequence[Counted]) -> Measured | None:
        """Return what the model's own tokenizer makes of some new requests, where it is here."""
        left = [each.part.members.items if each.unsent is None else each.unsent for each in new]
        return tokenized_requests(self.services, arm, [item for items in left for item in items])


def _about_items(usage: Usage, per_item: int) -> Usage:
    """Return usage of which so many requests are about one item."""
    return replace(usage, measured=replace(usage.measured, per_item=max(1, per_item)))


def _quoted(spec: RunSpec, trial: Trial, arm: Arm, held: Sequence[Counted], usage: _UsageByArm) -> Quoted:
    requests = reduce(Requests.plus, (each.requests for each in held), Requests())
    new = [each for each in held if each.requests.new]
    saved = _saved(spec, trial, arm, held, usage)
    if not new:
        seconds = _seconds(spec, held)
        return Quoted(trial.slug, arm.name, arm.model.alias, requests, seconds=seconds, saved_usd=saved)
    own = usage.of_arm(trial, arm.name)
    alike = own if own.measured.requests >= MIN_MEASURED else usage.of_model(arm.model)
    sent = reduce(RequestSize.plus, (each.sent for each in new))
    price = spec.prices.of(arm.model)
    counts = alike.measured.requests < MIN_MEASURED and price is not None and price.input_per_million > 0
    tokenized = usage.by_tokenizer(arm, new) if counts else None  # a plan of what costs nothing loads no model
    found_in = input_tokens(sent, tokenized=tokenized, measured=alike.measured)
    found_out = output_tokens(requests.new, sum(each.output_limit for each in new), measured=own.measured)
    again = sum(each.requests.new for each in new if each.asked_before)
    return Quoted(
        trial=trial.slug,
        arm=arm.name,
        model=arm.model.alias,
        requests=requests,
        input_tokens=found_in,
        output_tokens=found_out,
        usd=None if price is None else usd_ahead(price, found_in.tokens, found_out.tokens, _cache(arm, sent, own)),
        reserve_usd=_reserve(new),
        jobs=sum(each.part.work.hosted for each in new),
        seconds=_seconds(spec, held),
        again=again,
        why=_change(new[0].part, arm) if again else "",
        saved_usd=saved,
    )


def _saved(spec: RunSpec, trial: Trial, arm: Arm, held: Sequence[Counted], usage: _UsageByArm) -> float | None:
    """Return about what it would cost to ask for the answers that will be taken over; 0 without any."""
    taken = [each for each in held if each.taken]
    price = spec.prices.of(arm.model)
    if not taken or price is None:
        return None if taken else 0.0
    own = usage.of_arm(trial, arm.name)
    sent = reduce(RequestSize.plus, (each.taken_size for each in taken))
    found_in = input_tokens(sent, measured=own.measured)
    found_out = output_tokens(sent.requests, sum(each.taken_limit for each in taken), measured=own.measured)
    return usd_ahead(price, found_in.tokens, found_out.tokens, _cache(arm, sent, own)).expected


def _prices(spec: RunSpec, held: Sequence[Counted]) -> dict[str, Price]:
    models = dict.fromkeys(each.part.work.model for each in held if each.requests.new)
    found = {model.alias: spec.prices.of(model) for model in models}
    return {alias: price for alias, price in found.items() if price is not None}


def _cache(arm: Arm, sent: RequestSize, own: Usage) -> CacheBand:
    """Return which part of the input of requests a cache is expected to read and write, as the arm's answers report."""
    if own.measured.requests >= MIN_MEASURED:
        seen = CacheShare(own.cached / own.measured.input, own.cache_write / own.measured.input)
        return seen, seen, seen
    return cache_ahead(arm, sent)


def _reserve(new: Sequence[Counted]) -> float | None:
    found = [each.part.work.reserve_usd(each.requests.new, each.size) for each in new]
    known = [each for each in found if each is not None]
    return sum(known) if len(known) == len(found) else None


def _change(part: PlannedPart, arm: Arm) -> str:
    """Return what of an arm has changed since it was asked, as far as that is on record."""
    sent = part.work.manifest.prompts.get(arm.name, {})
    if sent.get("sha256") != arm.prompt.sha256:
        return "its prompt changed"
    if sent.get("asked_with") not in {None, asked_with(part.trial, arm)}:
        return "its model, templates or stop sequences changed"
    return "its requests changed"


def _seconds(spec: RunSpec, held: Sequence[Counted]) -> Band | None:
    """Return how long parts take; None if people run their jobs, or if it was not measured how long a call takes.

    Each provider works beside the others.
    """
    if not any(_is_left(each) for each in held):
        return NOTHING
    lanes: dict[str, list[Counted]] = {}
    for each in held:
        lanes.setdefault(each.part.work.model.provider if each.part.work.paid else _COMPUTED_HERE, []).append(each)
    found = NOTHING
    for own in lanes.values():
        seconds = _lane_seconds(spec, own)
        if seconds is None:
            return None
        found = side_by_side(found, seconds)
    return found


def _is_left(part: Counted) -> bool:
    return bool(part.requests.new or part.requests.in_flight)


def _lane_seconds(spec: RunSpec, held: Sequence[Counted]) -> Band | None:
    left = [each for each in held if _is_left(each)]
    if not left:
        return NOTHING
    work = left[0].part.work
    if work.hosted:
        if isinstance(registry.load("provider", work.model.adapter), AnsweredByHand):
            return None
        limits = instance_of(spec.config.providers, work.model.provider).limits
        waves = Counter(each.part.work.part.step if spec.config.stopping.on else 0 for each in left)
        return of_batches(waves.values(), limits.jobs or spec.config.execution.max_concurrent_jobs)
    rate = live_rate(spec, [each.part for each in held])
    return None if rate is None else at_rate(sum(each.requests.new for each in left), rate)
