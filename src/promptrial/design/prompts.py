"""From an item, an arm and a replicate to the request that is sent. Pure; the only place that words a message."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from promptrial.model import Arm, Item, Message, Part, Request, RequestId, Sampling, TaskTemplates, Trial, ids
from promptrial.model.arms import ArmName
from promptrial.model.templates import written_choices

__all__ = [
    "Slots",
    "filled_in",
    "messages_of",
    "request_for",
    "requests_of",
    "samplings_of",
    "slots_of",
    "task_message",
    "texts_of",
]

_PLACEHOLDER: Final = re.compile(r"\{(?:question|context|choices)\}")


def task_message(item: Item, templates: TaskTemplates) -> str:
    """Return the user message: the template of the item's kind with question, passage and choices filled in.

    The placeholders are replaced in one pass over the template, so braces in what is filled in stay as they are.
    """
    values = filled_in(item)
    return _PLACEHOLDER.sub(lambda found: values.get(found[0], found[0]), templates.of(item.kind))


def filled_in(item: Item) -> dict[str, str]:
    """Return what stands for each placeholder in the message of an item."""
    values = {"{question}": item.question}
    if item.context is not None:
        values["{context}"] = item.context
    if item.choices:
        values["{choices}"] = written_choices(item.choices)
    return values


class Slots(NamedTuple):
    """A template apart: the text that every message of it has, and how often each placeholder is filled in."""

    text: str
    counts: Counter[str]


def slots_of(template: str, values: Collection[str]) -> Slots:
    """Return a template apart, given the placeholders that its items have a value for; others stay in the text.

    Examples
    --------
    >>> slots_of("Q: {question} A {choices}:", {"{question}"})
    Slots(text='Q:  A {choices}:', counts=Counter({'{question}': 1}))
    """
    counts = Counter(name for name in _PLACEHOLDER.findall(template) if name in values)
    return Slots(_PLACEHOLDER.sub(lambda found: "" if found[0] in values else found[0], template), counts)


def messages_of(item: Item, arm: Arm) -> tuple[Message, ...]:
    """Return all that is sent about an item: the system prompt, the turns before the question, the user message."""
    return (
        Message("system", arm.prompt.text),
        *item.messages,
        Message("user", task_message(item, arm.templates)),
    )


def texts_of(trials: Iterable[Trial]) -> list[str]:
    """Return each text that a request of these trials may begin with or be made of: templates and system prompts.

    The packaged templates of choices, which mandate no refusal, are left out.
    """
    arms = [arm for trial in trials for arm in trial.arms]
    templates = [text for arm in arms for text in arm.templates.recorded().values()]
    return list(dict.fromkeys([*templates, *(arm.prompt.text for arm in arms)]))


def request_for(item: Item, trial: Trial, name: ArmName, temp: float, sample_index: int) -> Request:
    """Return one request of an arm, with every decoding parameter written out and a seed of its own."""
    arm = trial.arm(name)
    rid = RequestId(item.dataset, item.id, name, repr(temp), sample_index, item.type)
    return Request(
        id=rid,
        messages=messages_of(item, arm),
        sampling=Sampling(
            temperature=temp,
            top_p=trial.top_p,
            top_k=trial.top_k,
            max_tokens=trial.max_new_tokens[item.type],
            stop=trial.stop,
            seed=ids.request_seed(rid, trial.seed),
        ),
    )


def samplings_of(trial: Trial) -> Iterator[Sampling]:
    """Yield the decoding parameters at each temperature, with the trial's seed and the largest limit of answers."""
    for temp in trial.temps:
        yield Sampling(temp, trial.top_p, trial.top_k, max(trial.max_new_tokens.values()), trial.stop, trial.seed)


def requests_of(part: Part, items: Sequence[Item], trial: Trial) -> Iterator[Request]:
    """Yield the requests of a part in order: its items (already cut to the part), each with all its replicates."""
    for item in items:
        for sample_index in range(trial.samples_per_item[repr(part.temp)]):
            yield request_for(item, trial, part.condition, part.temp, sample_index)
