"""From an item, an arm and a replicate to the request that is sent. Pure; the only place that words a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptrial.config.schema import TaskInstructions
from promptrial.model import Condition, Item, Message, Part, Request, RequestId, Sampling, Trial, ids

__all__ = ["request_for", "requests_of", "task_message"]


def task_message(item: Item, instructions: TaskInstructions) -> str:
    """Return the user message: the task instruction with the question (and the passage) filled in.

    The placeholders are replaced in one pass over the template, so braces in a passage or a question stay as they are.
    """
    template = (instructions.closed_book if item.context is None else instructions.open_book).text
    pieces = template.split("{question}")
    filled = [piece.replace("{context}", item.context) if item.context is not None else piece for piece in pieces]
    return item.question.join(filled)


def request_for(
    item: Item, trial: Trial, condition: Condition, temp: float, sample_index: int, instructions: TaskInstructions
) -> Request:
    """Return one request with every decoding parameter written out and a seed of its own."""
    rid = RequestId(item.dataset, item.id, condition, repr(temp), sample_index, item.type)
    return Request(
        id=rid,
        messages=(
            Message("system", trial.prompts[condition].text),
            Message("user", task_message(item, instructions)),
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


def requests_of(part: Part, items: Sequence[Item], trial: Trial, instructions: TaskInstructions) -> Iterator[Request]:
    """Yield the requests of a part in order: its items (already cut to the part), each with all its replicates."""
    for item in items:
        for sample_index in range(trial.samples_per_item[repr(part.temp)]):
            yield request_for(item, trial, part.condition, part.temp, sample_index, instructions)
