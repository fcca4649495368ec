"""What a new configuration need not say: scorers, answer length, stop sequences and prices that fit it. Pure.

Only for a configuration that states no format of a question file (``engine.resolving``): all others keep the defaults
of ``config.schema``, which are part of their digests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from promptrial.config.sampling import MaxNewTokens
from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PRIMARY
from promptrial.scoring.normalize import CUSTOM, rules_for

if TYPE_CHECKING:
    from promptrial.design.fitting import Fitted

__all__ = ["Default", "gives", "local_prices", "scoring_defaults", "stop_sequences"]

KeyPath = tuple[str, ...]
FITTED: Final = "chosen for the questions"
LOCAL: Final = "answers are computed locally"
TEMPLATES: Final = "what the task templates put before a question"
_MOST_STOPS: Final = 4
_LONGEST_STOP: Final = 40


@dataclass(frozen=True, slots=True)
class Default:
    """The value of a key that the configuration does not give, and why it has it."""

    at: KeyPath
    value: object
    why: str


def gives(config: object, at: tuple[str | int, ...]) -> bool:
    """Tell whether a configuration itself gives a key, with a value that is not null."""
    value: Any = config
    for key in at:
        if isinstance(value, BaseModel):
            if key not in value.model_fields_set:
                return False
            value = getattr(value, str(key))
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return False
    return value is not None


def scoring_defaults(config: ExperimentConfig, found: Fitted) -> Iterator[Default]:
    """Yield scorers, primary endpoint, rules and answer length that fit the questions, where they are not given.

    Scorers that other keys name run too. Data sets with an official evaluation keep its rules.
    """
    primary = list(config.stats.primary) if gives(config, PRIMARY) else [found.primary]
    criterion = [] if config.costs.criterion is None else [config.costs.criterion.scorer]
    names = dict.fromkeys([*found.scorers, *primary, *config.stats.tost_margins, *criterion])
    settings = {"numeric": {"decimal": found.decimal}} if found.decimal != "." else {}
    yield Default(("scorers",), {name: settings.get(name, {}) for name in names}, FITTED)
    if not gives(config, PRIMARY):
        yield Default(PRIMARY, primary, FITTED)
    for name, dataset in config.datasets.items() if found.rules is not None else ():
        if dataset.rules is None and rules_for(dataset.known_format) is CUSTOM:
            yield Default(("datasets", name, "rules"), found.rules, FITTED)
    if found.skips and not gives(config, ("unscorable",)):
        yield Default(("unscorable",), "skip", FITTED)
    if found.max_new_tokens is not None and not gives(config, ("max_new_tokens",)):
        yield Default(("max_new_tokens",), dict.fromkeys(MaxNewTokens.model_fields, found.max_new_tokens), FITTED)


def stop_sequences(config: ExperimentConfig, is_local: Callable[[str], bool]) -> Iterator[Default]:
    """Yield where an answer ends: where the model continues with a question of its own, as small models do.

    Parameters
    ----------
    config : ExperimentConfig
    is_local : callable
        Whether the answers of a provider are computed on this machine. Hosted models get no stop sequence that nobody
        asked for: some of them refuse requests that have one.
    """
    hosted = [model for model in config.models.values() if not is_local(model.provider or config.provider)]
    found = dict.fromkeys(_before_questions(config))
    if found and not hosted and not gives(config, ("stop",)):
        yield Default(("stop",), [f"\n{text}" for text in list(found)[:_MOST_STOPS]], TEMPLATES)


def _before_questions(config: ExperimentConfig) -> Iterator[str]:
    """Yield what each template has on the line of the question, before it."""
    arms = [arm for prompt_set in config.prompt_sets.values() for arm in prompt_set.arms.values()]
    for instructions in (config.task_instructions, *(arm.task_instructions for arm in arms)):
        for template in {} if instructions is None else instructions.given.values():
            before = template.text.partition("{question}")[0].rpartition("\n")[2].strip()
            if 0 < len(before) <= _LONGEST_STOP:
                yield before


def local_prices(config: ExperimentConfig, is_local: Callable[[str], bool]) -> Iterator[Default]:
    """Yield a price of 0 for each model without a price whose answers are computed locally."""
    for alias, model in config.models.items():
        provider = model.provider or config.provider
        known = config.pricing[provider].models if provider in config.pricing else {}
        if is_local(provider) and not {alias, model.id} & known.keys():
            price = {"input_per_million": 0.0, "output_per_million": 0.0}
            yield Default(("pricing", provider, "models", alias), price, LOCAL)
