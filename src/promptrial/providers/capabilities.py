"""What only some sources of answers can do or know: one small Protocol each, and an adapter has those that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from promptrial.model import Message, ModelSpec, Sampling
from promptrial.model.completions import CompletionColumns
from promptrial.model.instances import Instance, Limits

__all__ = [
    "AnsweredByHand",
    "BoundsContext",
    "ChecksNames",
    "ChecksSampling",
    "CountsRequests",
    "FindsAddress",
    "HeedsStop",
    "LengthensRows",
    "LimitsJobs",
    "ReadsDownloads",
    "ReadsRowsTogether",
    "Shown",
    "TellsContext",
    "TellsModels",
]


@runtime_checkable
class HeedsStop(Protocol):
    """A source of answers whose calls may take long, and can end when a stop was asked for."""

    def heed(self, stop_asked: Callable[[], bool]) -> None:
        """Ask this function, from now on, whether a stop was asked for."""


@runtime_checkable
class ChecksNames(Protocol):
    """A source of answers that knows, without a key and without a call, which names no model of it can have."""

    @staticmethod
    def check_name(model: ModelSpec) -> None:
        """Refuse a model whose name can be none.

        Raises
        ------
        ConfigError
            Naming the model as the configuration does.
        """


@runtime_checkable
class ChecksSampling(Protocol):
    """A source of answers that knows, without a key and without a call, which decoding parameters a model takes."""

    @staticmethod
    def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str | None:
        """Refuse what was chosen and cannot be sent; return a sentence about what is not sent, if there is that to say.

        Raises
        ------
        ConfigError
            With what to write instead.
        """


@runtime_checkable
class LimitsJobs(Protocol):
    """A source of answers whose jobs have a largest size."""

    limits: ClassVar[Limits]
    """The most rows of a job, and the most bytes of its requests as ``row_overhead`` counts them; an instance may say
    others."""


@runtime_checkable
class LengthensRows(Protocol):
    """A source of answers that sends rows longer than the neutral ones."""

    @staticmethod
    def row_overhead(model: ModelSpec, instance: Instance) -> int:
        """Return by how many bytes a row is longer, at most, than the neutral one."""


@runtime_checkable
class FindsAddress(Protocol):
    """A source of answers whose address, where no configuration gives one, depends on the environment."""

    @staticmethod
    def address(env: Mapping[str, str]) -> str:
        """Return that address, without a user."""


@runtime_checkable
class AnsweredByHand(Protocol):
    """A source of answers whose jobs are run by people: nobody knows how long that takes."""

    by_people: ClassVar[bool]
    """True."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server was seen to do: whether it took the key, and whether it has a model; None if it did not say."""

    key: bool
    model: bool | None


@runtime_checkable
class TellsModels(Protocol):
    """A source of answers whose ``check`` may pass though nothing was proved, and that knows what was."""

    def shown(self, model: ModelSpec) -> Shown:
        """Return what ``check`` of this model has found out."""


@runtime_checkable
class TellsContext(Protocol):
    """A source of answers that knows how many tokens a model can read and write in one request."""

    def context_length(self, model: ModelSpec) -> int | None:
        """Return that number, or None if it is not stated. Nothing is spent.

        Raises
        ------
        PromptrialError
            If it cannot be asked for.
        """


@runtime_checkable
class BoundsContext(Protocol):
    """A source of answers that knows, without a key and without a call, a context that no model of it exceeds."""

    @staticmethod
    def largest_context() -> int:
        """Return how many tokens a request and its answer may have together."""


@runtime_checkable
class CountsRequests(Protocol):
    """A source of answers that has the tokenizer of its models in this process."""

    def count_request(self, model: ModelSpec, messages: tuple[Message, ...]) -> int | None:
        """Return how many tokens a request has, its chat template included; None if that takes too much to find out.

        Raises
        ------
        PromptrialError
            If the model cannot be loaded, or refuses the request.
        """


@runtime_checkable
class ReadsDownloads(Protocol):
    """A source of answers whose files, as a person downloads them, hold other rows than ``results`` gives."""

    @staticmethod
    def plain_rows(
        rows: Iterable[bytes], keys: Iterable[str], plain_ids: Callable[[], Iterable[str]]
    ) -> Iterator[bytes]:
        """Yield the rows of a downloaded file as ``results`` does.

        ``keys`` are those of the attempts that they may be of, and ``plain_ids`` returns the ids of all requests.
        """


@runtime_checkable
class ReadsRowsTogether(Protocol):
    """An adapter that reads many rows faster together than one by one."""

    @staticmethod
    def parse_rows(lines: Sequence[bytes]) -> CompletionColumns:
        """Read rows as ``parse_row`` does each, whose ``wire_id`` is the row's ``custom_id``; none of what it refuses.

        A class below that reads rows otherwise has to define this too.
        """
