"""What an API of the emulator is, as data: its operations with their paths, and what faults may do to each of them.

Nothing is served here; how an API answers is in the package that ``make`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

__all__ = ["ANY", "Api", "OperationKind", "Trait"]

Trait = Literal[
    "applied",  # it changes or computes something, which stays done when the answer is lost
    "json",  # it answers with JSON
    "create",  # it makes an object that is looked for later
    "job",  # it makes a job, with which faults stay
    "answer",  # it has requests answered, at once or in a job
    "fireworks job",
    "anthropic job",
    "openai job",
    "row files",  # the rows of its job come in files
    "answer details",  # its answers name the model and count the tokens of each request
    "live",  # it answers one request at once
    "list",  # it answers with pages
    "read",  # it reads one object, which may have vanished
    "download",  # it answers with a file
    "signed",  # its URL is signed
    "signed download",
    "signs",  # it gives signed URLs
]
"""What a fault needs of an operation. One that only the jobs of one API know has a trait of its own."""
ANY: Final = None
"""A fault that fits every operation."""


class OperationKind(NamedTuple):
    """An operation: its method and path, and what faults may do to it."""

    method: str
    path: str
    traits: frozenset[Trait]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API.

    Attributes
    ----------
    name : str
        What fault rules call it.
    spoken : str
        What it is called by people.
    make : str
        ``module:attribute`` of a function ``(core) -> ApiParts``.
    operations : mapping
        By name; where one path can be taken for another, the one that goes first comes first.
    roots : tuple of str
        Below which paths this API refuses what is not an operation of any.
    prefixes : tuple of str
        What its paths may begin with.
    request_id : str
        The header that names each answer; empty: there is none.
    headers : tuple of str
        Where another API has the same path, this one is meant if a request has one of these headers; empty: if no
        other is.
    """

    name: str
    spoken: str
    make: str
    operations: Mapping[str, OperationKind]
    roots: tuple[str, ...]
    prefixes: tuple[str, ...] = ("",)
    request_id: str = ""
    headers: tuple[str, ...] = ()

    def meets(self, operation: str, trait: Trait | None) -> bool:
        """Whether a fault that needs a trait can be met by an operation; by one of another API it cannot."""
        return operation in self.operations and fits(trait, self.operations[operation].traits)


def fits(trait: Trait | None, traits: frozenset[Trait]) -> bool:
    """Whether a fault that needs a trait fits an operation that has some."""
    return trait is ANY or trait in traits
