"""A whole probe: which provider and model, what it may cost, and the file in which its answers are kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from promptrial import __version__, registry
from promptrial.config.instances import instance_of, known_instances
from promptrial.config.schema import ExperimentConfig
from promptrial.costs.price_book import PriceBook
from promptrial.costs.prices import usd
from promptrial.documents.probe import ProbeAnswer, ProbeDocument
from promptrial.engine.kept_prices import list_book
from promptrial.errors import UsageError
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.access import timeouts_of
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.providers.probe_desk import Desk, Probe
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import Redactor
from promptrial.store import atomic

__all__ = ["Planned", "plan_probe", "run_probe"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A probe that can begin: whom it asks, and the most that it may have to pay for.

    ``usd`` is about what it costs; None where the model has no price.
    """

    instance: Instance
    service: Service
    model: ModelSpec
    rows: int
    usd: float | None

    def __str__(self) -> str:
        cost = "at an unknown price" if self.usd is None else f"about {self.usd:.2g} USD"
        key = f" with the key of {self.service.key_variable}" if self.service.key_variable else ""
        asked = f"at most {self.rows} short requests to {self.model.shown_id} at {self.service.place}"
        return f"this sends {asked}{key}, {cost}"


def plan_probe(
    config: ExperimentConfig | None, name: str, model: str | None, env: Mapping[str, str], at: str | None = None
) -> Planned:
    """Return what a probe would ask. Makes no call.

    Parameters
    ----------
    config : ExperimentConfig or None
        Where instances, models and prices are looked up; presets are known without one.
    name : str
        An instance or a preset.
    model : str or None
        An alias of the configuration or the vendor's id; by default the first model of that provider.
    env : mapping
    at : str, optional
        The time in UTC for which a price is looked up; without it, only those of the configuration are known.

    Raises
    ------
    UsageError
        If there is no such provider, none that can be probed, or no model.
    ConfigError
        If its key is missing.
    """
    providers = {} if config is None else config.providers
    known = known_instances(providers)
    if name not in known:
        raise UsageError(f"--probe: unknown provider {name!r}{registry.near_misses(name, known)}")
    instance = instance_of(providers, name)
    if instance.adapter not in registry.PROBES:
        can = ", ".join(each for each in known if instance_of(providers, each).adapter in registry.PROBES)
        raise UsageError(f"--probe: {name} has no batches to test", hint=f"providers that can be tested: {can}")
    spec = _model(config, instance, model)
    kind: type[Probe] = registry.load("probe", instance.adapter)
    pricing = {} if config is None else config.pricing
    prices = list_book(providers, pricing, [spec], env, at) if at else PriceBook(pricing)
    price = prices.of(spec)
    asked, answered = kind.tokens
    cost = None if price is None else usd(kind.rows * asked, kind.rows * answered, price)
    return Planned(instance, kind.service(env, instance), spec, kind.rows, cost)


def _model(config: ExperimentConfig | None, instance: Instance, model: str | None) -> ModelSpec:
    models = {} if config is None else config.models
    own = {} if config is None else {
        alias: each.id for alias, each in models.items() if (each.provider or config.provider) == instance.name
    }  # fmt: skip
    if model is None and not own:
        raise UsageError(f"--probe {instance.name}: no model of it is configured", hint="name one with --model ID")
    alias = next(iter(own)) if model is None else model
    return ModelSpec(alias, own.get(alias, alias), instance.name, adapter=instance.adapter)


def run_probe(
    planned: Planned,
    env: Mapping[str, str],
    clock: Clock,
    out: Path,
    say: Callable[[ProbeAnswer], None],
    deadline_s: float = 7200.0,
) -> ProbeDocument:
    """Ask all questions, and keep each answer as soon as it is found.

    Parameters
    ----------
    planned : Planned
    env : mapping
        Secrets in it appear in no answer.
    clock : Clock
    out : Path
        The file; it is written at once and again with each answer.
    say : callable
        Called with each answer.
    deadline_s : float
        How long batches are waited for.

    Raises
    ------
    PermanentError
        If the first batch cannot be made.
    """
    document = ProbeDocument(
        version=__version__,
        provider=planned.instance.name,
        adapter=planned.instance.adapter,
        api=planned.service.place,
        model=planned.model.shown_id,
        began=clock.now(),
        answers=[],
    )

    def keep(answer: ProbeAnswer) -> None:
        document.answers.append(answer)
        _save(out, document)
        say(answer)

    _save(out, document)
    with closing(HttpClient(planned.service, timeouts_of(planned.instance))) as http:
        desk = Desk(
            http, clock, f"probe-{secrets.token_hex(6)}", Redactor(env, more=planned.service.secrets), keep, deadline_s
        )
        kind: type[Probe] = registry.load("probe", planned.instance.adapter)
        kind.open(desk, env, planned.instance, planned.model).ask()
    document.ended = clock.now()
    _save(out, document)
    return document


def _save(out: Path, document: ProbeDocument) -> None:
    atomic.write_bytes(out, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
