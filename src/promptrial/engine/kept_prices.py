"""The prices that a run uses: looked up when it begins, kept in its folder, and read from there from then on.

A run of an earlier version kept none, and its models without a price in the configuration stay unpriced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.config.pricing import ProviderPricing
from promptrial.config.providers import ProviderConfig
from promptrial.costs.catalogue import list_price
from promptrial.costs.price_book import PriceBook
from promptrial.costs.prices import price_for
from promptrial.costs.purchases import Purchase
from promptrial.costs.vendor_terms import vendor_at
from promptrial.design.trials import models_asked
from promptrial.documents import kept_prices
from promptrial.documents.files import read_bytes
from promptrial.documents.kept_prices import KeptPrice
from promptrial.engine.opening import Opened
from promptrial.errors import CorruptRecordError
from promptrial.model import ModelSpec
from promptrial.providers.capabilities import FindsAddress
from promptrial.store import atomic
from promptrial.store.rundir import RunDir

__all__ = ["book_of", "book_on_record", "is_kept", "keep", "list_book", "load", "vendor_of"]


def list_book(
    providers: Mapping[str, ProviderConfig],
    pricing: Mapping[str, ProviderPricing],
    models: Iterable[ModelSpec],
    env: Mapping[str, str],
    at: str,
) -> PriceBook:
    """Return what models cost at a time (in UTC), by the configuration and, where that says nothing, the price list."""
    open_ = [model for model in models if price_for(pricing, model) is None]
    return PriceBook(pricing, tuple(_look_up(providers, open_, env, at)))


def _look_up(
    providers: Mapping[str, ProviderConfig], models: Iterable[ModelSpec], env: Mapping[str, str], at: str
) -> Iterator[KeptPrice]:
    found = {Purchase.of(model): vendor_of(providers, model, env) for model in models}
    for purchase, vendor in found.items():
        yield list_price(purchase, vendor, datetime.fromisoformat(at))


def vendor_of(providers: Mapping[str, ProviderConfig], model: ModelSpec, env: Mapping[str, str]) -> str:
    """Return who is paid for a model; empty if nobody knows. A dry run has the prices of the real one."""
    instance, kind = instance_of(providers, model.provider), registry.load("provider", model.adapter)
    address = instance.base_url or (kind.address(env) if isinstance(kind, FindsAddress) else "")
    return "" if kind.local else vendor_at(address)


def book_of(opened: Opened, env: Mapping[str, str], at: str, *, renew: bool = False) -> PriceBook:
    """Return the prices of a run as they will be kept: those on record, and of models that have none there, today's.

    Parameters
    ----------
    opened : Opened
    env : mapping
        Where the address of a server may be.
    at : str
        The time in UTC.
    renew : bool
        Whether prices that were kept, and are lost, are looked up again.

    Raises
    ------
    CorruptRecordError
        If the prices that were kept are lost or damaged, and are not to be renewed.
    """
    config = opened.loaded.experiment
    if not is_kept(opened):
        return PriceBook(config.pricing)
    try:
        kept = _load(opened)
    except CorruptRecordError:
        if not renew:
            raise
        kept = ()
    models = models_asked(opened.trials)
    if opened.changes.drift or opened.changes.corrects:  # the server of a name may be another one now
        vendors = {Purchase.of(model).key: vendor_of(config.providers, model, env) for model in models}
        kept = tuple(each for each in kept if vendors.get(each.key, each.vendor) == each.vendor)
    known = {each.key for each in kept}
    open_ = [model for model in models if Purchase.of(model).key not in known]
    added = list_book(config.providers, config.pricing, open_, env, at)
    return PriceBook(config.pricing, (*kept, *added.kept))


def book_on_record(opened: Opened) -> PriceBook:
    """Return the prices of a run as they are in its folder: what a command that changes nothing uses.

    Raises
    ------
    CorruptRecordError
        If the prices that were kept are lost or damaged.
    """
    return PriceBook(opened.loaded.experiment.pricing, _load(opened) if is_kept(opened) else ())


def is_kept(opened: Opened) -> bool:
    """Whether prices are kept with a run: with a new one, and with one that has kept them since it began."""
    recorded = opened.origin is not None and opened.origin.prices_kept is True
    return not opened.exists or recorded or opened.run.prices_path.exists()


def _load(opened: Opened) -> tuple[KeptPrice, ...]:
    return load(opened.run) if opened.exists else ()


def load(run: RunDir) -> tuple[KeptPrice, ...]:
    """Return the prices that are in the folder of a run that keeps them.

    Raises
    ------
    CorruptRecordError
        If they are lost or damaged: other prices would be other costs, and so are never taken in silence.
    NewerVersionError
        If a newer version of the program made the file.
    """
    path = run.prices_path
    try:
        return kept_prices.decode(read_bytes(path), str(path))
    except FileNotFoundError:
        problem = "missing"
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        problem = f"damaged, or edited by hand ({error})"
    raise CorruptRecordError(
        f"{path}: {problem}; it holds the prices that the run uses",
        hint=f"restore the file, or use today's prices: {run.rebuild_command} --force",
    )


def keep(opened: Opened, prices: PriceBook) -> None:
    """Write down the prices of a run that keeps them, unless they already exist.

    Side effects: ``prices.json`` is written, whole and durable.
    """
    path = opened.run.prices_path
    if not is_kept(opened):
        return
    data = kept_prices.encode(prices.kept)
    if not path.exists() or read_bytes(path) != data:
        atomic.write_bytes(path, data)
