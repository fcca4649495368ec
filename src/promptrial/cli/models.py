"""``promptrial models``: the models of a configuration, and whether their servers can be asked. Spends nothing."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from promptrial.cli.options import add_config
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import DEFAULT_CONFIG, environment
from promptrial.documents.printable import escaped
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result

if TYPE_CHECKING:
    from promptrial.care.model_facts import ModelFacts, Surroundings
    from promptrial.config.providers import ProviderConfig
    from promptrial.model import ModelSpec

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """List the models of a configuration: server, key, availability, context length, price and limits.

All servers are queried in parallel, for at most 30 seconds, at no cost. Without a configuration, name models as
PROVIDER/ID. The exit code is 1 if a model is not available."""
_WAIT_S: Final = 30.0


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("names", nargs="*", metavar="MODEL",
                        help=(
                            "a model in the configuration, or PROVIDER/ID (default: all in the configuration)"
                        ))  # fmt: skip
    add_config(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print what is known of each model; returns 1 if one cannot be asked.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    UsageError
        If a name is neither in the configuration nor PROVIDER/ID.
    """
    from promptrial.care.model_facts import look_at

    models, around = _asked_about(args, environment(os.environ, Path.cwd()))
    found = look_at(models, around, _WAIT_S)
    print_result(_as_json(found) if args.json else _as_text(found))
    return int(any(facts.problem for facts in found))


def _asked_about(args: argparse.Namespace, env: Mapping[str, str]) -> tuple[list[ModelSpec], Surroundings]:
    from promptrial.care.model_facts import Surroundings
    from promptrial.config.loading import load_config, placeholder_of_value
    from promptrial.config.secrets import secret_values
    from promptrial.design.trials import model_specs
    from promptrial.engine.kept_prices import list_book
    from promptrial.runtime.events import Redactor

    path, now = args.config or DEFAULT_CONFIG, SystemClock().now()
    if args.config is None and args.names and not path.exists():
        models = [_named(name, {}, {}) for name in args.names]
        return models, Surroundings({}, list_book({}, {}, models, env, now), env, Redactor(env))
    loaded = load_config(path, env, unused_may_lack=True)
    config, placeholders = loaded.experiment, loaded.placeholders
    redact = Redactor(env, placeholder_of_value(placeholders, env), secret_values(config.providers, placeholders, env))
    known = model_specs(config, placeholders, str(loaded.folder))
    models = [_named(name, known, config.providers) for name in args.names or known]
    prices = list_book(config.providers, config.pricing, models, env, now)
    return models, Surroundings(config.providers, prices, env, redact, placeholders)


def _named(name: str, known: Mapping[str, ModelSpec], providers: Mapping[str, ProviderConfig]) -> ModelSpec:
    """Return the model of an alias, or of PROVIDER/ID."""
    from promptrial.config.instances import address_needed, instance_of, known_instances
    from promptrial.config.short_forms import split_model
    from promptrial.model import ModelSpec

    if name in known:
        return known[name]
    servers = [each for each in known_instances(providers) if not address_needed(providers, each)]
    provider, id_ = split_model(name, {*servers})
    if not provider:
        aliases = f"; models of the configuration: {', '.join(known)}" if known else ""
        raise UsageError(
            f"{name}: no such model{aliases}", hint=f"give PROVIDER/ID with one of: {', '.join(sorted(servers))}"
        )
    return ModelSpec(name, id_, provider, adapter=instance_of(providers, provider).adapter)


def _as_text(found: list[ModelFacts]) -> str:
    return escaped("\n\n".join("\n".join(_lines(facts)) for facts in found)) + "\n"


def _lines(facts: ModelFacts) -> Iterator[str]:
    instance = facts.instance
    shown = facts.model.shown_id
    yield f"{facts.model.alias}: {shown} at {instance.name} ({instance.label}, adapter {instance.adapter})"
    for name, text in (
        ("address", facts.address),
        ("key", f"{instance.key}: {facts.key}" if instance.key else facts.key),
        (
            "model",
            {
                True: "found",
                False: "not found",
                None: "not checked (no key)" if facts.key == "missing" else "not known",
            }[facts.found],
        ),
        ("context", "" if facts.context_length is None else f"{facts.context_length:,} tokens"),
        ("price", facts.price_said),
        ("limits", ", ".join(f"{value:,} {name}" for name, value in _limits(facts).items())),
        ("problem", facts.problem.replace("\n", " ")),
    ):
        if text:
            yield f"  {name:<8} {text}"


def _limits(facts: ModelFacts) -> dict[str, int]:
    limits = facts.instance.limits
    named = {
        "jobs at once": limits.jobs,
        "requests in flight": limits.in_flight,
        "rows": limits.rows,
        "bytes": limits.size,
    }
    return {name: value for name, value in named.items() if value is not None}


def _as_json(found: list[ModelFacts]) -> str:
    values = [
        {
            "alias": facts.model.alias,
            "id": facts.model.shown_id,
            "provider": facts.instance.name,
            "adapter": facts.instance.adapter,
            "address": facts.address or None,
            "key_variable": facts.instance.key or None,
            "key": facts.key,
            "found": facts.found,
            "context_length": facts.context_length,
            "price": None if facts.price is None else msgspec.to_builtins(facts.price),
            "limits": _limits(facts),
            "problem": facts.problem or None,
        }
        for facts in found
    ]
    return json.dumps({"models": values}, indent=2) + "\n"
