"""The audit of an experiment's prompts: tokens, what longer arms cost, lengths that must match, refusals. Pure.

Who counts tokens is up to the caller, as with costs. What is asked of a model, and whether a run exists, has no part in
it: the texts, the prices and the settings of the scorer decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from promptrial.config.arms import ArmConfig, PromptConfig, PromptSetConfig
from promptrial.config.schema import ExperimentConfig
from promptrial.costs.prices import price_for, usd
from promptrial.design.trials import model_specs
from promptrial.documents.audit import (
    Arm,
    AuditDocument,
    Gold,
    How,
    LengthMatch,
    ModelAudit,
    PromptSetAudit,
    Refusal,
)
from promptrial.errors import SelfTestError
from promptrial.model.arms import ArmName, contrasts_of
from promptrial.scoring import selftest
from promptrial.scoring.base import ScoringSettings
from promptrial.scoring.refusals import is_abstention

__all__ = ["Counter", "audit", "estimated_tokens", "refusals_in"]

_ITEMS: Final = 1000
FILLER: Final = "length_matched"
"""What the name of a prompt file (or of a prompt set, for its contrasts) holds that must be as long as another."""
_BYTES_PER_TOKEN: Final = 4
_ROUNDING: Final = 1e-6
"""Tokens; 0.29 x 100 is a little less than 29 in floating point."""
_QUOTED: Final = re.compile(r"[\"“]([^\"“”\n]*\w[^\"“”\n]*)[\"”]")
_LABEL: Final = re.compile(r"^[\w ]{1,30}: ")


@dataclass(frozen=True, slots=True)
class Counter:
    """How tokens are counted for a model: by what, whether that is its own tokenizer, and whether it is one at all."""

    name: str
    count: Callable[[str], int]
    exact: bool
    estimate: bool = False


def audit(
    config: ExperimentConfig,
    counters: Mapping[str, Counter],
    settings: ScoringSettings,
    *,
    golds: Sequence[Gold] = (),
    others: Sequence[str] = (),
    tolerance: float = 0.02,
    match_to: str = "default",
) -> AuditDocument:
    """Audit every prompt set for every model.

    Parameters
    ----------
    config : ExperimentConfig
        With the texts of its prompts.
    counters : mapping
        Alias of a model -> how its tokens are counted.
    settings : ScoringSettings
    golds : sequence of Gold
        Accepted answers that read as refusals.
    others : sequence of str
        Problems of the questions.
    tolerance : float
        By what share the length of a filler may differ.
    match_to : str
        The prompt set whose first contrast has the prompt that fillers of other sets have to match.
    """
    models = tuple(_of_model(config, alias, counters, tolerance, match_to) for alias in config.models)
    refusals = tuple(_refusals(config, settings))
    problems = (*_length_problems(models, tolerance), *_selftest_problems(refusals, settings), *others)
    return AuditDocument(
        schema_version=1,
        experiment=config.name,
        requests_per_item=_requests_per_item(config),
        tolerance=tolerance,
        models=models,
        refusals=refusals,
        passed=not problems,
        problems=problems,
        golds=tuple(golds),
    )


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has where there is no tokenizer: one for every four bytes, as plans reckon.

    Examples
    --------
    >>> estimated_tokens("Be accurate."), estimated_tokens("")
    (3, 0)
    """
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


# --- tokens and what they cost ----------------------------------------------------------------------------------------


def _of_model(
    config: ExperimentConfig, alias: str, counters: Mapping[str, Counter], tolerance: float, match_to: str
) -> ModelAudit:
    counter = counters[alias]
    sets = {
        name: tuple(_contrasts(config, alias, counters, name, prompt_set))
        for name, prompt_set in config.prompt_sets.items()
    }
    return ModelAudit(
        model=alias,
        provider=config.models[alias].provider or config.provider,
        tokenizer=counter.name,
        exact=counter.exact,
        prompt_sets=tuple(each for contrasts in sets.values() for each in contrasts),
        length_matches=tuple(_matches(sets, counter, tolerance, match_to)),
    )


def _contrasts(
    config: ExperimentConfig, alias: str, counters: Mapping[str, Counter], name: str, prompt_set: PromptSetConfig
) -> Iterator[PromptSetAudit]:
    """Yield the contrasts of a prompt set; an arm with a model of its own is counted and priced by that."""
    arms = {
        arm: _arm(place, each.prompt, counters[each.model or alias]) for arm, each, place in _placed(name, prompt_set)
    }
    for second, first in contrasts_of(tuple(arms)):
        pair = (first, second)
        before, after = (arms[arm].tokens for arm in pair)
        yield PromptSetAudit(
            prompt_set=name,
            arms={arm: arms[arm] for arm in pair},
            more_tokens=None if before is None or after is None else after - before,
            usd_per_1000_items=_more_usd(
                config, [(prompt_set.arms[arm].model or alias, arms[arm].tokens) for arm in pair]
            ),
        )


def _more_usd(config: ExperimentConfig, arms: Sequence[tuple[str, int | None]]) -> float | None:
    """Return what the second arm (model, tokens) costs more than the first in 1,000 items; None without a price."""
    (model, before), (other, after) = arms
    if before is None or after is None:
        return None
    if model == other:
        return _usd(config, model, after - before)
    first, second = _usd(config, model, before), _usd(config, other, after)
    return None if first is None or second is None else second - first


def _usd(config: ExperimentConfig, alias: str, tokens: int) -> float | None:
    price = price_for(config.pricing, model_specs(config)[alias])
    return None if price is None else usd(tokens * _ITEMS * _requests_per_item(config), 0, price)


def _placed(name: str, prompt_set: PromptSetConfig) -> Iterator[tuple[ArmName, ArmConfig, str]]:
    """Yield the arms of a prompt set, each with its key in the configuration."""
    for arm, each in prompt_set.arms.items():
        yield arm, each, ".".join(("prompt_sets", name, *prompt_set.place(arm)))


def _arm(place: str, prompt: PromptConfig, counter: Counter) -> Arm:
    tokens = None if prompt.lost else counter.count(prompt.text)
    return Arm(file=prompt.path or place, sha256=prompt.sha256, tokens=tokens)


def _requests_per_item(config: ExperimentConfig) -> int:
    return sum(config.replicates(temp) for temp in config.temps)


# --- lengths that must match ------------------------------------------------------------------------------------------


def _matches(
    sets: Mapping[str, Sequence[PromptSetAudit]], counter: Counter, tolerance: float, match_to: str
) -> Iterator[LengthMatch]:
    """Yield one comparison for each filler: a first arm's with the second, a second arm's with that of ``match_to``."""
    wanted = next(iter(sets.get(match_to, ())), None)
    to = None if wanted is None else _second(wanted)
    for name, contrasts in sets.items():
        for each in contrasts:
            first, second = each.arms.values()
            if _is_filler(first):
                yield _match(first, second, counter, tolerance)
            elif _is_filler(second) or FILLER in name:
                yield _match(second, to, counter, tolerance)


def _second(contrast: PromptSetAudit) -> Arm:
    return tuple(contrast.arms.values())[1]


def _is_filler(arm: Arm) -> bool:
    return FILLER in PurePath(arm.file).stem


def _match(filler: Arm, to: Arm | None, counter: Counter, tolerance: float) -> LengthMatch:
    tokens, wanted = filler.tokens, None if to is None else to.tokens
    ratio, passed = None, None
    if tokens is not None and wanted:
        ratio = tokens / wanted
        near = abs(tokens - wanted) <= tolerance * wanted + _ROUNDING
        passed = None if counter.estimate else near
    return LengthMatch(
        filler=filler.file,
        to="" if to is None else to.file,
        tokens=tokens,
        to_tokens=wanted,
        ratio=ratio,
        passed=passed,
    )


def _length_problems(models: Iterable[ModelAudit], tolerance: float) -> Iterator[str]:
    for model in models:
        for match in model.length_matches:
            if match.passed:
                continue
            if not match.to:
                yield f"{match.filler}: there is no prompt set to compare its length with; give one with --match_to"
            elif match.passed is None:
                why = "its text is not recorded" if match.ratio is None else "there is no tokenizer, only an estimate"
                yield f"{match.filler}: it is not known whether it is as long as {match.to} for {model.model}: {why}"
            else:
                yield (
                    f"{match.filler} has {match.tokens} tokens and {match.to} {match.to_tokens} for {model.model} "
                    f"({model.tokenizer}): they differ by more than {tolerance:.1%}"
                )


# --- refusals ---------------------------------------------------------------------------------------------------------


def refusals_in(text: str, extra_refusals: tuple[str, ...] = ()) -> Iterator[tuple[str, How]]:
    r"""Yield every refusal in a text, once, and how it is written there.

    Examples
    --------
    >>> list(refusals_in('Q: Who?\nA: I do not know.\nReply exactly "I don\'t know."'))
    [("I don't know.", 'mandated'), ('I do not know.', 'line')]
    """
    mandated = selftest.mandated_refusals(text)
    yield from ((words, "mandated") for words in mandated)
    quoted = [words for match in _QUOTED.finditer(text) if is_abstention(words := match[1].strip(), extra_refusals)]
    yield from ((words, "quoted") for words in dict.fromkeys(quoted) if words not in mandated)
    lines = (_LABEL.sub("", line.strip()) for line in text.splitlines() if line.strip())
    found = dict.fromkeys(line for line in lines if any(map(str.isalnum, line)) and is_abstention(line, extra_refusals))
    yield from ((words, "line") for words in found)


def _refusals(config: ExperimentConfig, settings: ScoringSettings) -> Iterator[Refusal]:
    for file, text in _texts(config).items():
        for words, how in refusals_in(text, settings.extra_refusals):
            recognised = how != "mandated" or _is_recognised(words, settings)
            yield Refusal(file=file, text=words, how=how, recognised=recognised)


def _texts(config: ExperimentConfig) -> dict[str, str]:
    """Return the text of each file, or key of the configuration, that a request may hold a text of."""
    found = dict(_prompts(config))
    return {place: prompt.text for place, prompt in found.items() if not prompt.lost}


def _prompts(config: ExperimentConfig) -> Iterator[tuple[str, PromptConfig]]:
    sections = {"task_instructions": config.task_instructions}
    for name, prompt_set in config.prompt_sets.items():
        for _, arm, place in _placed(name, prompt_set):
            yield arm.prompt.path or place, arm.prompt
            if arm.task_instructions is not None:
                sections[f"{place}.task_instructions"] = arm.task_instructions
    for place, section in sections.items():
        for kind, template in section.given.items():
            yield template.path or f"{place}.{kind}", template


def _is_recognised(words: str, settings: ScoringSettings) -> bool:
    return all(is_abstention(variant, settings.extra_refusals) for variant in selftest.variants(words))


def _selftest_problems(refusals: Iterable[Refusal], settings: ScoringSettings) -> Iterator[str]:
    """Yield what the build phase would be stopped by."""
    mandated = dict.fromkeys(refusal.text for refusal in refusals if refusal.how == "mandated")
    found = []
    for each in [[words] for words in mandated] or [[]]:
        try:
            selftest.run(each, settings)
        except SelfTestError as error:
            found.append(f"{error.message}; {error.hint}")
    yield from dict.fromkeys(found)
