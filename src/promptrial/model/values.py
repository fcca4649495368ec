"""The frozen values that every module speaks in, as names of ``promptrial.model``: no more than small properties.

Values that are on disk as JSON rows are ``msgspec.Struct`` (decoded straight into typed objects, at
about 2 microseconds a row); the others are dataclasses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Literal, NamedTuple

import msgspec

from promptrial.model.arms import ArmName, contrasts_of
from promptrial.model.instances import RequestOptions
from promptrial.model.part_names import part_name, resume_key, temperature_label
from promptrial.model.templates import ItemKind, TaskTemplates

__all__ = [
    "Arm",
    "Completion",
    "Item",
    "ItemType",
    "Message",
    "ModelSpec",
    "Part",
    "Prompt",
    "Request",
    "RequestId",
    "Sampling",
    "TaskTemplates",
    "Trial",
    "temperature_label",
]

ItemType = Literal["open", "closed"]


class Message(msgspec.Struct, frozen=True):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # holds texts: no cycles to look for
    """One question.

    ``answers`` holds the accepted answers (aliases). It is empty for an unanswerable question, and for one without a
    gold answer (``has_gold`` tells them apart). ``context`` is the passage of an open-book question and None for a
    closed-book one. ``cluster`` is set only where the source groups items itself; otherwise items that share a passage
    form a cluster (see ``cluster_id``).

    ``choices`` are the texts of a multiple-choice question in order; its accepted answers are among them. ``messages``
    are the turns of a conversation before the question. ``extra`` holds the other columns of the source, as text.
    """

    id: str
    dataset: str
    question: str
    answers: tuple[str, ...]
    context: str | None = None
    is_unanswerable: bool = False
    cluster: str | None = None
    choices: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    extra: dict[str, str] = {}

    @property
    def has_gold(self) -> bool:
        """Whether it is known which answers are right: some are accepted, or it is known that there is none."""
        return bool(self.answers) or self.is_unanswerable

    @property
    def kind(self) -> ItemKind:
        """Which template its user message has."""
        if self.choices:
            return "closed_book_choices" if self.context is None else "open_book_choices"
        return "closed_book" if self.context is None else "open_book"

    @property
    def type(self) -> ItemType:
        """``open`` when the question comes with a passage, else ``closed``."""
        return "closed" if self.context is None else "open"


class RequestId(NamedTuple):
    """What one request is: an item, an arm, a temperature and a replicate.

    ``temp`` is the temperature as Python writes it (``0.0``, ``0.7``), so the canonical text is exact.
    """

    dataset: str
    item_id: str
    condition: ArmName
    temp: str
    sample_index: int
    type: ItemType


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every decoding parameter of one request, none left to a provider's default."""

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    stop: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a model: its identity, the messages and the decoding parameters."""

    id: RequestId
    messages: tuple[Message, ...]
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Completion:
    """A provider's answer to one request, in the same shape for every provider.

    ``wire_id`` is the id that went over the wire. ``error`` is None for an answer; otherwise it names the reason
    and ``text`` is empty. Token counts are None where the provider did not say; ``cached_tokens``, which were read from
    a cache, and ``cache_write_tokens``, which were written to it, are part of the prompt's, ``reasoning_tokens`` of the
    completion's. ``reasoning`` is what the model wrote before it answered, as far as it was given apart from the text.
    ``model`` is what an answer calls its model, where it does so. ``latency_s`` are the seconds that the server says it
    took; they are no part of what two rows say alike.
    """

    wire_id: str
    text: str
    finish_reason: str | None
    request_id: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None = None
    error: str | None = None
    reasoning: str | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    model: str | None = field(default=None, compare=False)
    latency_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as the configuration names it: ``alias`` is ours, ``id`` is the provider's.

    ``written_id`` is the id as it is in the file where that holds ``${VAR}``; whatever is kept names the model by
    ``shown_id``, so that a value of the environment is never written down. ``path`` starts from ``folder``, which is
    where the configuration is: no part of what the model is, and so left out of every digest.

    ``provider`` names the instance that serves it, and ``adapter`` the one of the registry that speaks to it: the same
    name, if nothing else is given.
    """

    alias: str
    id: str
    provider: str
    path: str | None = None
    written_id: str | None = None
    folder: str = field(default="", compare=False)
    adapter: str = ""
    options: RequestOptions = RequestOptions()  # noqa: RUF009 - it cannot change

    def __post_init__(self) -> None:
        if not self.adapter:
            object.__setattr__(self, "adapter", self.provider)

    @property
    def weights(self) -> str | None:
        """The path from the current folder."""
        return None if self.path is None else os.path.join(self.folder, self.path)  # noqa: PTH118 - kept as text

    @property
    def shown_id(self) -> str:
        """The id that may be written down."""
        return self.id if self.written_id is None else self.written_id


@dataclass(frozen=True, slots=True)
class Prompt:
    """A system prompt: its text and the SHA-256 of its UTF-8 bytes."""

    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a trial, all that it may differ in: the system prompt, the model, the templates of user messages."""

    name: ArmName
    prompt: Prompt
    model: ModelSpec
    templates: TaskTemplates


@dataclass(frozen=True, slots=True)
class Trial:
    """Arms and decoding parameters: one comparison.

    ``arms`` are those of the prompt set, in its order; ``conditions`` names those that are run, in the order of their
    parts. ``model`` answers every arm that has none of its own. ``judges`` are the models that judge its answers: no
    part of what is asked of the arms, and so of no digest.
    """

    slug: str
    model: ModelSpec
    prompt_set: str
    arms: tuple[Arm, ...]
    temps: tuple[float, ...]
    samples_per_item: dict[str, int]
    top_p: float
    top_k: int
    max_new_tokens: dict[ItemType, int]
    stop: tuple[str, ...]
    seed: int
    conditions: tuple[ArmName, ...]
    judges: tuple[ModelSpec, ...] = field(default=(), compare=False)

    def arm(self, name: ArmName) -> Arm:
        """Return the arm of this name."""
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def arms_run(self) -> tuple[ArmName, ...]:
        """The names of the arms that are run, in the order of results, which is that of the prompt set."""
        return tuple(arm.name for arm in self.arms if arm.name in self.conditions)

    @property
    def prompts(self) -> dict[ArmName, Prompt]:
        """The system prompt of every arm."""
        return {arm.name: arm.prompt for arm in self.arms}

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """The models of the arms that are run, each once."""
        return tuple(dict.fromkeys(self.arm(name).model for name in self.conditions))

    @property
    def own_models(self) -> dict[ArmName, ModelSpec]:
        """The models of those arms that have another than the trial's."""
        return {arm.name: arm.model for arm in self.arms if arm.model != self.model}

    def alike(self) -> Iterator[tuple[ArmName, ArmName]]:
        """Yield each two arms that are run and differ in their names alone, as the arms of an A/A trial do."""
        arms = [self.arm(name) for name in self.arms_run]
        for one, other in combinations(arms, 2):
            if (one.prompt.text, one.model, one.templates) == (other.prompt.text, other.model, other.templates):
                yield one.name, other.name

    @property
    def second_asks(self) -> tuple[ArmName, ...]:
        """The arms that ask exactly what the arm asks that they are compared with."""
        alike = {*self.alike()}
        return tuple(each.sides[1] for each in contrasts_of(self.arms_run) if each.sides in alike)

    @property
    def is_aa(self) -> bool:
        """Whether it compares an arm with nothing but itself."""
        return 0 < len(self.second_asks) == len(contrasts_of(self.arms_run))


@dataclass(frozen=True)
class Part:
    """One shard of a resume key: items ``start`` to ``stop``, one arm, one temperature.

    Positions count within the items that a step of growth added, in prepared order; a run that never grew has step 0
    alone (see ``design.growth``).
    """

    trial_slug: str
    temp: float
    condition: ArmName
    index: int
    start: int
    stop: int
    rows: int = field(default=0)
    step: int = 0

    @property
    def resume_key(self) -> str:
        """Temperature and arm: ``t07_short``."""
        return resume_key(self.temp, self.condition)

    @cached_property
    def name(self) -> str:
        """Resume key and number: ``t07_short_p001``. Kept, because it is used all the time (so there are no slots)."""
        return part_name(self.temp, self.condition, self.index)
