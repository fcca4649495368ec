"""What a run may spend: its budget as its records say it, and the refusal to go on without prices under a cap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from promptrial import registry
from promptrial.costs.extras import unbounded_keys
from promptrial.costs.price_words import pricing_lines
from promptrial.documents.cost_report import Price
from promptrial.documents.ledger import LedgerLine
from promptrial.errors import ConfigError
from promptrial.jobs.budget import Budget
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec
from promptrial.phases.counted import committed_of, whole_ledger
from promptrial.phases.month import FolderMonth
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store.rundir import RunDir

__all__ = ["attempts_gone", "budget_of", "require_prices"]


def budget_of(spec: RunSpec, services: Services, work: Sequence[PartWork]) -> Budget:
    """Return what a run may spend, and count what its records say about ``work``, the parts of all its trials.

    Raises
    ------
    ConfigError
        If there is a cap, and no price of a model that is still to be asked.
    CorruptRecordError, NewerVersionError
        If there is a cap, and it cannot be read what counts against it.
    """
    caps = spec.terms.caps
    budget = Budget(caps.max_usd, spec.prices.of)
    if caps.month_max_usd is not None:
        budget.month = FolderMonth(spec.run, spec.dry_run, caps.month_max_usd, services.clock, services.events.warn)
        budget.month.others_usd()  # what cannot be read of another run ends this one before it sends anything
    if caps.max_usd is None and caps.month_max_usd is None:
        return budget
    require_prices(spec, [each.model for each in work if not each.downloaded])
    budget.count(work)
    budget.set("", [(line.began or "", committed_of(line)) for line in attempts_gone(spec.run, work)])
    return budget


def attempts_gone(run: RunDir, work: Iterable[PartWork]) -> list[LedgerLine]:
    """Return the attempts of parts and trials that a run no longer has: they were paid for.

    Raises
    ------
    CorruptRecordError, NewerVersionError
        If they cannot be read.
    """
    there = {each.name for each in work}
    lines = whole_ledger(run, "its spending counts").lines
    return [line for line in lines if f"{line.trial}/{line.part}" not in there]


def require_prices(spec: RunSpec, models: Sequence[ModelSpec]) -> None:
    """Refuse a run with a cap whose models may cost what nobody knows.

    Raises
    ------
    ConfigError
        Names the models, and the lines that the configuration needs, or the keys that it may not have.
    """
    caps = spec.terms.caps
    if caps.max_usd is None and caps.month_max_usd is None:
        return
    paid = (model for model in dict.fromkeys(models) if not registry.load("provider", model.adapter).local)
    prices = {model: spec.prices.of(model) for model in paid}
    _require_bounds(prices)
    lacking = [model for model, price in prices.items() if price is None]
    if not lacking:
        return
    names = ", ".join(f"{model.alias} of {model.provider}" for model in lacking)
    raise ConfigError(
        f"the cap cannot be enforced: no price is known for {names}",
        hint="add it to the configuration, in USD per million tokens (0 for a server of your own): "
        f"{pricing_lines(lacking[0])}",
    )


def _require_bounds(prices: Mapping[ModelSpec, Price | None]) -> None:
    for model, price in prices.items():
        keys = () if price is None else unbounded_keys(model, price)
        if keys:
            named = f"models.{model.alias}.extra_body"
            raise ConfigError(
                f"the cap cannot be enforced: token prices do not limit the cost of {', '.join(keys)} in `{named}`",
                hint=f"remove {'it' if len(keys) == 1 else 'them'} from `{named}`, or run without a cap, with --yes",
            )
