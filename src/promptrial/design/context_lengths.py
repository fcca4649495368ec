"""Which requests are too long for their model, or may be: their tokens, and those of the answer, against its context.

Pure. How many tokens a text has is known to the model's tokenizer alone. A request is too long for certain only if it
would be so with a single token for each word: no tokenizer makes fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.costs.bands import Band
from promptrial.costs.characters import RequestSize, joined, size_of
from promptrial.costs.tokens import fewest_tokens, input_tokens
from promptrial.design.prompts import messages_of, task_message
from promptrial.model import Arm, Item, ModelSpec, TaskTemplates, Trial

__all__ = ["UNREMARKABLE", "LongRequest", "long_requests"]

_Key = tuple[str, TaskTemplates, ModelSpec, tuple[int, int]]

UNREMARKABLE: Final = 2048
"""Tokens that every model in use takes: nothing is said about requests that have no more, their answers included."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One item as it is sent to an arm: its tokens, and the most that its answer may have."""

    item: Item
    arm: Arm
    tokens: Band
    answer: int

    @property
    def most(self) -> float:
        return self.tokens.high + self.answer

    @property
    def fewest(self) -> int:
        return sum(fewest_tokens(message.content) for message in messages_of(self.item, self.arm))


@dataclass(frozen=True, slots=True)
class LongRequest:
    """The longest request to an arm about the items of a data set that were read.

    ``context`` is how many tokens the model takes in a request and its answer together, None where nobody knows.
    ``certain`` and ``possible`` are how many items of the ``read`` ones do not fit, and how many may not.
    """

    dataset: str
    arm: str
    model: str
    request: _Request
    context: int | None
    certain: int
    possible: int
    read: int

    @property
    def problem(self) -> str | None:
        """What to say where an item does not fit for certain."""
        if not self.certain:
            return None
        return (
            f"{self._item} does not fit: for {self.arm} it has at least {self.request.fewest:,} tokens, "
            f"{self._beside}{self._others(self.certain, 'are')}; shorten or remove it, lower `max_new_tokens`, or "
            "choose a model with a longer context"
        )

    @property
    def note(self) -> str | None:
        """What to say where an item may not fit, or where nobody knows whether it does."""
        tokens = self.request.tokens
        about = f"about {tokens.expected:,.0f} tokens ({tokens.low:,.0f} to {tokens.high:,.0f})"
        if self.context is None:
            return (
                f"{self._item} has the longest request to {self.arm}: {about}, its answer up to "
                f"{self.request.answer:,}; the context length of models.{self.model} is not known"
            )
        if self.certain or not self.possible:
            return None
        others = self._others(self.possible, "may be")
        return f"{self._item} may not fit: for {self.arm} it has {about}, {self._beside}{others}"

    @property
    def _item(self) -> str:
        return f"datasets.{self.dataset}: item {self.request.item.id!r}"

    @property
    def _beside(self) -> str:
        return f"its answer up to {self.request.answer:,}, but models.{self.model} takes {self.context:,} in total"

    def _others(self, count: int, verb: str) -> str:
        return f" ({count:,} of the {self.read:,} items read {verb} too long)" if count > 1 else ""


def long_requests(
    trials: Iterable[Trial],
    datasets: Mapping[str, Sequence[Item]],
    context_of: Callable[[ModelSpec], int | None],
) -> Iterator[LongRequest]:
    """Yield the longest request of each data set to each arm, where it may have more than ``UNREMARKABLE`` tokens.

    Arms that send the same to the same model are looked at once.

    Parameters
    ----------
    trials : iterable of Trial
    datasets : mapping
        The items of each data set that were read.
    context_of : callable
        Returns how many tokens a model takes in a request and its answer together; None where nobody knows.
    """
    seen: set[_Key] = set()
    sizes: dict[tuple[str, TaskTemplates], list[RequestSize]] = {}
    for trial in trials:
        for arm in map(trial.arm, trial.conditions):
            key = (
                arm.prompt.text,
                arm.templates,
                arm.model,
                (trial.max_new_tokens["open"], trial.max_new_tokens["closed"]),
            )
            if key in seen:
                continue
            seen.add(key)
            system = size_of([arm.prompt.text])
            for name, items in datasets.items():
                if (name, arm.templates) not in sizes:
                    sizes[name, arm.templates] = [_own_size(item, arm.templates) for item in items]
                own = zip(items, sizes[name, arm.templates], strict=True)
                requests = [_request(item, trial, arm, joined(system, size)) for item, size in own]
                if max((each.most for each in requests), default=0) > UNREMARKABLE:
                    named = f"the arm {arm.name} of {trial.slug}"
                    yield _longest(name, named, arm.model.alias, requests, context_of(arm.model))


def _longest(name: str, arm: str, model: str, requests: Sequence[_Request], context: int | None) -> LongRequest:
    possible = [] if context is None else [each for each in requests if each.most > context]
    certain = [] if context is None else [each for each in possible if each.fewest + each.answer > context]
    longest = max(certain or requests, key=lambda each: each.most)
    return LongRequest(name, arm, model, longest, context, len(certain), len(possible), len(requests))


def _own_size(item: Item, templates: TaskTemplates) -> RequestSize:
    """Return the size of all that is sent about an item but the system prompt."""
    return size_of([*(turn.content for turn in item.messages), task_message(item, templates)])


def _request(item: Item, trial: Trial, arm: Arm, sent: RequestSize) -> _Request:
    answer = trial.max_new_tokens[item.type] + (arm.model.options.thinking_budget or 0)
    return _Request(item, arm, input_tokens(sent).tokens, answer)
