"""What is known of models before anything is asked of them: server, key, context, price, limits. Spends nothing.

Every server is asked on a thread of its own, for so long and no longer: one that hangs delays no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.config.providers import ProviderConfig
from promptrial.config.tree import KeyPath
from promptrial.costs.price_book import PriceBook
from promptrial.costs.price_words import price_said
from promptrial.documents.cost_report import Price
from promptrial.engine.serving import shown_address
from promptrial.errors import NoSuchModelError, PromptrialError
from promptrial.model import ModelSpec
from promptrial.model.instances import Connection, Instance
from promptrial.providers.base import BatchProvider
from promptrial.providers.capabilities import ChecksNames, Shown, TellsContext, TellsModels
from promptrial.providers.http_outcomes import RejectedError

__all__ = ["KeyState", "ModelFacts", "Surroundings", "look_at"]

KeyState = Literal["not needed", "missing", "set", "accepted", "refused"]
_QUICK: Final = Connection(connect_s=5.0, read_s=10.0)
_LOCKED_OUT: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model.

    Attributes
    ----------
    model : ModelSpec
    instance : Instance
        The server as it is configured.
    key : KeyState
        Whether the server takes a key, the environment has it, and the server was seen to take it.
    found : bool or None
        Whether the model is there; None if that is not known.
    context_length : int or None
        In tokens; None if it is not stated.
    price : Price or None
        None if nobody knows it. ``price_said`` says what it is and where it is from, or how to give it one.
    problem : str
        Why it could not be asked, or not be found; empty if nothing is wrong.
    """

    model: ModelSpec
    instance: Instance
    key: KeyState
    found: bool | None = None
    context_length: int | None = None
    price: Price | None = None
    price_said: str = ""
    problem: str = ""
    address: str = ""
    """Where it is asked, as it may be shown."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where servers, prices and keys are looked up, and what takes secrets out of messages."""

    providers: Mapping[str, ProviderConfig]
    prices: PriceBook
    env: Mapping[str, str]
    redact: Callable[[str], str]
    placeholders: Mapping[KeyPath, str] = field(default_factory=dict)


def look_at(models: Iterable[ModelSpec], around: Surroundings, wait_s: float) -> list[ModelFacts]:
    """Ask the servers of models about them.

    Parameters
    ----------
    models : iterable of ModelSpec
    around : Surroundings
    wait_s : float
        How long all servers together are waited for, in seconds.

    Returns
    -------
    list of ModelFacts
        In the order of the models. That a server did not answer in time is a problem of its models.
    """
    known = [_known(model, around) for model in models]
    asked: dict[str, Future[dict[ModelSpec, ModelFacts]]] = {}
    for name in dict.fromkeys(facts.instance.name for facts in known):
        own = [facts for facts in known if facts.instance.name == name]
        asked[name] = _asking(own, around)
    wait(asked.values(), wait_s)
    late = f"no answer within {wait_s:g} s"
    return [
        answer.result()[facts.model] if (answer := asked[facts.instance.name]).done() else replace(facts, problem=late)
        for facts in known
    ]


def _known(model: ModelSpec, around: Surroundings) -> ModelFacts:
    """Return what is known of a model without asking anybody."""
    instance = instance_of(around.providers, model.provider)
    key: KeyState = "not needed"
    if instance.key:
        key = "set" if around.env.get(instance.key, "").strip() else "missing"
    address = shown_address(instance, around.placeholders, around.env)
    price = around.prices.of(model)
    return ModelFacts(model, instance, key, price=price, price_said=_price_said(around.prices, model), address=address)


def _price_said(prices: PriceBook, model: ModelSpec) -> str:
    if prices.of(model) is None and registry.load("provider", model.adapter).local:
        return "0, because it runs locally, unless `pricing` says otherwise"
    return price_said(prices, model)


def _asking(known: Sequence[ModelFacts], around: Surroundings) -> Future[dict[ModelSpec, ModelFacts]]:
    """Start to ask one server, on a thread that the process does not wait for at its end."""
    future: Future[dict[ModelSpec, ModelFacts]] = Future()

    def work() -> None:
        try:
            future.set_result(_asked(known, around))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: one server spoils nothing of another
            said = around.redact(f"unexpected error: {type(error).__name__}: {error}")
            future.set_result({facts.model: replace(facts, problem=said) for facts in known})

    threading.Thread(target=work, daemon=True).start()
    return future


def _asked(known: Sequence[ModelFacts], around: Surroundings) -> dict[ModelSpec, ModelFacts]:
    instance = known[0].instance
    kind: type[BatchProvider] = registry.load("provider", instance.adapter)
    if not (kind.local or instance.base_url or instance.key):
        return {facts.model: facts for facts in known}  # a person answers: there is nobody to ask
    connection = instance.connection
    quick = replace(
        connection, connect_s=connection.connect_s or _QUICK.connect_s, read_s=connection.read_s or _QUICK.read_s
    )
    try:
        provider = kind.open(around.env, replace(instance, connection=quick))
    except PromptrialError as error:
        return {facts.model: replace(facts, problem=_said(error, around)) for facts in known}
    with closing(provider):
        return {facts.model: _asked_of(provider, facts, around) for facts in known}


def _asked_of(provider: BatchProvider, facts: ModelFacts, around: Surroundings) -> ModelFacts:
    """Return what a server says about one model. A failed check raises nothing, and says nothing about other models."""
    try:
        if isinstance(provider, ChecksNames):
            provider.check_name(facts.model)
        provider.check(facts.model)
    except RejectedError as error:
        refused = error.status in _LOCKED_OUT and facts.key == "set"
        return replace(facts, key="refused" if refused else facts.key, problem=_said(error, around))
    except NoSuchModelError as error:
        return replace(
            facts, key=_key_state(facts, _shown(provider, facts.model)), found=False, problem=_said(error, around)
        )
    except PromptrialError as error:
        return replace(facts, problem=_said(error, around))
    shown = _shown(provider, facts.model)
    return replace(
        facts, key=_key_state(facts, shown), found=shown.model, context_length=_context(provider, facts.model)
    )


def _shown(provider: BatchProvider, model: ModelSpec) -> Shown:
    """Return what is proved of a model; without an answer to that, what is computed here is there, and no other."""
    if isinstance(provider, TellsModels):
        return provider.shown(model)
    return Shown(key=False, model=provider.local or None)


def _key_state(facts: ModelFacts, shown: Shown) -> KeyState:
    return "accepted" if facts.key == "set" and shown.key else facts.key


def _context(provider: BatchProvider, model: ModelSpec) -> int | None:
    try:
        return provider.context_length(model) if isinstance(provider, TellsContext) else None
    except PromptrialError:  # a number for people, which nothing depends on
        return None


def _said(error: PromptrialError, around: Surroundings) -> str:
    return around.redact(error.message if error.hint is None else f"{error.message} ({error.hint})")
