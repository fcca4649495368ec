"""Consent to spend: what a run may come to, and the question that is put before anything is sent.

What is asked of the user is one amount for the whole run. It is kept with the run, and a resume that stays within it
asks nothing. A run that was started by a version which did not ask has consent for what it was started with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.costs.bands import NOTHING, Band
from promptrial.costs.consent import Amount, Leave, ModelBill, consent_to, question
from promptrial.costs.extras import unbounded_keys
from promptrial.errors import UsageError
from promptrial.jobs.budget import Budget
from promptrial.jobs.local import answered_rows
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec
from promptrial.phases.counted import committed_of, is_unpriced
from promptrial.phases.drawn import items_planned
from promptrial.phases.judge_quote import judge_quotes
from promptrial.phases.quote import quote
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.spending import attempts_gone
from promptrial.phases.work import planned_work
from promptrial.store.change_records import Consent

__all__ = ["require_consent"]


def require_consent(
    spec: RunSpec, services: Services, everything: Sequence[PartWork], *, judges_ahead: bool = True
) -> None:
    """Ask before money is spent, unless the run has consent, or needs none.

    Parameters
    ----------
    spec : RunSpec
    services : Services
    everything : sequence of PartWork
        The parts of all trials.
    judges_ahead : bool
        Whether judges will be asked later, of which nothing is among the parts yet: they count, too.

    Raises
    ------
    UsageError
        If the user says no, or cannot be asked: nothing was sent then, and the run can be resumed.
    StopRequested
        If a stop is asked for while the question is open.

    Side effects: keeps the consent with the run.
    """
    left = [] if spec.dry_run else list(_left(spec, everything))
    bills = [*_bills(spec, left), *(_judge_bills(spec, services) if judges_ahead and not spec.dry_run else ())]
    if not bills:
        return
    spent = _spent(spec, everything)
    total = _with(spent, bills)
    given = [Amount(each.usd, each.unpriced) for each in spec.terms.consents]
    given = given or _begun_with(spec, everything, left, spent)
    how = consent_to(total, given, _leave_of(spec))
    if how == "given":
        return
    if how == "ask":
        _ask(spec, services, bills, spent, max(given, default=Amount()))
        how = "terminal"
    usd = total.usd if how != "cap" else spec.terms.max_usd or 0.0
    services.keep_consent(Consent(at=services.clock.now(), how=how, usd=usd, unpriced=total.unpriced))


def _with(spent: Amount, bills: Iterable[ModelBill]) -> Amount:
    """Return what a run comes to with what is left."""
    for bill in bills:
        spent = Amount(spent.usd + bill.amount.usd, spent.unpriced + bill.amount.unpriced)
    return spent


def _leave_of(spec: RunSpec) -> Leave:
    """Return what the user allows without being asked."""
    terms = spec.terms
    return Leave(terms.yes, terms.max_usd, terms.unattended, spec.config.spending.ask_above_usd)


def _ask(spec: RunSpec, services: Services, bills: Sequence[ModelBill], spent: Amount, given: Amount) -> None:
    lines = question(_as_quoted(spec, services, bills), spent, given, _leave_of(spec))
    if services.ask is not None:
        if services.ask("\n".join(lines), services.stop.is_set):
            return
        services.stop.check()
    elsewhere = "" if services.ask is not None else ", and there is no terminal to ask on"
    again = spec.run.resume_command
    cap = f"; or with a cap: {again} --max_cost_usd {_cap(bills, spent):.2f}" if _is_priced(bills) else ""
    raise UsageError(
        f"nothing was sent: this run needs consent to spend{elsewhere}\n  " + "\n  ".join(lines),
        hint=f"allow it: {again} --yes{cap}",
    )


def _is_priced(bills: Iterable[ModelBill]) -> bool:
    return all(bill.most_usd is not None for bill in bills)


def _cap(bills: Iterable[ModelBill], spent: Amount) -> float:
    """Return a cap that the run fits in, in whole cents."""
    return math.ceil(100 * _with(spent, bills).usd) / 100


def _left(spec: RunSpec, everything: Iterable[PartWork]) -> Iterator[PartWork]:
    """Yield the parts that money may be spent on from here, those of several trials that are asked once, once."""
    active, seen = {trial.slug for trial in spec.active}, set[str]()
    for work in everything:
        again = spec.rebuy and _is_lost(work)
        if work.folder.slug not in active or not work.paid or (work.submitted and not again):
            continue
        if work.duplicates and work.request_sha256 in seen:
            continue
        seen.add(work.request_sha256)
        if _rows(work) and not _costs_nothing(spec, work.model):
            yield work


def _is_lost(work: PartWork) -> bool:
    """Whether answers that were paid for are lost: as recorded, or, where no job holds them, as the disk says."""
    sealed = not work.hosted and work.record.status == "downloaded"
    return not work.downloaded and (work.record.lost is True or sealed)


def _costs_nothing(spec: RunSpec, model: ModelSpec) -> bool:
    """Whether a model without a price is asked at a server that gets no key, and so can bill nobody."""
    server = instance_of(spec.config.providers, model.provider)
    return spec.prices.of(model) is None and not server.key and not server.headers


def _is_bounded(spec: RunSpec, model: ModelSpec) -> bool:
    """Whether it is known what requests to a model can cost at most."""
    price = spec.prices.of(model)
    return price is not None and not unbounded_keys(model, price)


def _bills(spec: RunSpec, left: Iterable[PartWork]) -> list[ModelBill]:
    """Return what is left to ask, model by model."""
    bills: dict[ModelSpec, list[PartWork]] = {}
    for work in left:
        bills.setdefault(work.model, []).append(work)
    return [_bill(spec, model, parts) for model, parts in bills.items()]


def _bill(spec: RunSpec, model: ModelSpec, parts: Sequence[PartWork]) -> ModelBill:
    rows, price = sum(map(_rows, parts)), spec.prices.of(model)
    if not _is_bounded(spec, model):
        return ModelBill(model.alias, rows, unbounded=() if price is None else unbounded_keys(model, price))
    return ModelBill(model.alias, rows, sum(_reserve(work) or 0.0 for work in parts), source=_source(spec, model))


def _judge_bills(spec: RunSpec, services: Services) -> Iterator[ModelBill]:
    """Yield what judges will be asked about answers that are not here yet, model by model."""
    asked = {model.alias: model for trial in spec.active for model in trial.judges}
    models = {alias: model for alias, model in asked.items() if _may_bill(spec, model)}
    if not models:
        return
    quotes = list(judge_quotes(spec, services, items_planned(spec, services, prepared=True).items))
    for alias in sorted(models):
        own = [each for each in quotes if each.model == alias and each.requests.new]
        rows = sum(each.requests.new for each in own)
        known = [each.reserve_usd for each in own if each.reserve_usd is not None]
        if own and len(known) == len(own):
            yield ModelBill(alias, rows, sum(known), source=_source(spec, models[alias]))
        elif own:
            price = spec.prices.of(models[alias])
            yield ModelBill(alias, rows, unbounded=() if price is None else unbounded_keys(models[alias], price))


def _may_bill(spec: RunSpec, model: ModelSpec) -> bool:
    return not registry.load("provider", model.adapter).local and not _costs_nothing(spec, model)


def _source(spec: RunSpec, model: ModelSpec) -> str:
    price = spec.prices.of(model)
    if price is None or not price.source:
        return f"the price of {model.alias} comes from the configuration"
    return f"the price of {model.alias} is from {price.source}, whose latest price is dated {price.dated}"


def _as_quoted(spec: RunSpec, services: Services, bills: Sequence[ModelBill]) -> list[ModelBill]:
    """Return bills with what their requests are expected to cost, as the plan quotes them."""
    work = planned_work(spec, services, spec.trials)
    arms = quote(spec, services, drawn=items_planned(spec, services, prepared=True), work=work).asked
    costs = {bill.model: [arm.usd for arm in arms if arm.model == bill.model] for bill in bills}
    return [replace(bill, about=_total(costs[bill.model])) for bill in bills]


def _total(bands: Sequence[Band | None]) -> Band | None:
    known = [band for band in bands if band is not None]
    return sum(known, NOTHING) if known and len(known) == len(bands) else None


def _spent(spec: RunSpec, everything: Sequence[PartWork]) -> Amount:
    """Return what was asked before, also of what the run no longer has.

    USD that are spent or reserved, and requests without a price.
    """
    budget = Budget(price_of=spec.prices.of)
    budget.count(everything)
    gone = attempts_gone(spec.run, everything)
    unpriced = sum(_rows_sent(work) for work in everything if work.paid and not _is_bounded(spec, work.model))
    unpriced += sum(line.rows or 0 for line in gone if is_unpriced(line))
    return Amount(budget.committed.total + sum(committed_of(line).total for line in gone), unpriced)


def _rows_sent(work: PartWork) -> int:
    """Return how many requests of a part were sent; without a ledger they count as soon as the part was started."""
    sent = [intent for intent in work.record.intents if intent.status != "pending" and not intent.reused]
    if not sent:
        return work.part.rows if work.has_job and not work.hosted else 0
    return sum(work.part.rows if intent.rows is None else intent.rows for intent in sent)


def _rows(work: PartWork) -> int:
    """Return how many requests of a part are left: what has an answer on disk, or one of another run, is paid for."""
    return work.part.rows - max(work.rows_reused, len(answered_rows(work)))


def _reserve(work: PartWork) -> float | None:
    return work.reserve_usd(_rows(work), _size(work))


def _size(work: PartWork) -> int:
    """Return about how many bytes the requests have that are left."""
    return work.folder.requests(work.part.name).stat().st_size * _rows(work) // work.part.rows


def _begun_with(spec: RunSpec, everything: Iterable[PartWork], left: Iterable[PartWork], spent: Amount) -> list[Amount]:
    """Return what a run has consent for that has none on record, and has sent something that is paid for.

    A version that did not ask began it: it has consent for all that it was started with, and for no growth or forced
    change since.
    """
    steps = [work.part.step for work in everything if work.paid and (work.submitted or work.intents)]
    if not steps:
        return []
    if not spec.requests_unchanged:
        return [spent]
    return [_with(spent, _bills(spec, (work for work in left if work.part.step <= max(steps))))]
