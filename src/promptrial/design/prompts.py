"""From an item, an arm and a replicate to the request that is sent. Pure; the only place that words a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from promptrial.model import Item, Message, Part, Request, RequestId, Sampling, TaskTemplates, Trial, ids
from promptrial.model.arms import ArmName

__all__ = ["request_for", "requests_of", "task_message", "texts_of"]


def task_message(item: Item, templates: TaskTemplates) -> str:
    """Return the user message: the template with the question (and the passage) filled in.

    The placeholders are replaced in one pass over the template, so braces in a passage or a question stay as they are.
    """
    template = templates.closed_book if item.context is None else templates.open_book
    pieces = template.split("{question}")
    filled = [piece.replace("{context}", item.context) if item.context is not None else piece for piece in pieces]
    return item.question.join(filled)


def texts_of(trials: Iterable[Trial]) -> list[str]:
    """Return each text that a request of these trials may begin with or be made of: templates and system prompts."""
    arms = [arm for trial in trials for arm in trial.arms]
    templates = [text for arm in arms for text in (arm.templates.open_book, arm.templates.closed_book)]
    return list(dict.fromkeys([*templates, *(arm.prompt.text for arm in arms)]))


def request_for(item: Item, trial: Trial, name: ArmName, temp: float, sample_index: int) -> Request:
    """Return one request of an arm, with every decoding parameter written out and a seed of its own."""
    arm = trial.arm(name)
    rid = RequestId(item.dataset, item.id, name, repr(temp), sample_index, item.type)
    return Request(
        id=rid,
        messages=(
            Message("system", arm.prompt.text),
            Message("user", task_message(item, arm.templates)),
        ),
        sampling=Sampling(
            temperature=temp,
            top_p=trial.top_p,
            top_k=trial.top_k,
            max_tokens=trial.max_new_tokens[item.type],
            stop=trial.stop,
            seed=ids.request_seed(rid, trial.seed),
        ),
    )


def requests_of(part: Part, items: Sequence[Item], trial: Trial) -> Iterator[Request]:
    """Yield the requests of a part in order: its items (already cut to the part), each with all its replicates."""
    for item in items:
        for sample_index in range(trial.samples_per_item[repr(part.temp)]):
            yield request_for(item, trial, part.condition, part.temp, sample_index)
