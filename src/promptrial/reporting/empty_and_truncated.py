"""Warnings about responses that hold no answer, and about answers that were cut off: by arm, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from promptrial.model.arms import ArmName, control_first
from promptrial.model.responses import NO_TEXT
from promptrial.reporting.cells import count, rate
from promptrial.reporting.tables.words import listing, reason_text

__all__ = ["WARNING_SHARE", "ArmResponses", "empty_reasons", "response_warnings"]

WARNING_SHARE: Final = 0.01
"""An arm is warned of when more than this share of its requests, or of its answers, is concerned."""


class ArmResponses(Protocol):
    """What came back for the requests of one arm.

    ``expected`` counts requests, ``empty`` responses without an answer, ``answered`` answers, and ``truncated`` the
    answers that were cut off at the token limit.
    """

    @property
    def expected(self) -> int: ...  # noqa: D102 - described above
    @property
    def answered(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def empty(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def truncated(self) -> int: ...  # noqa: D102 - as the class says


def response_warnings(arms: Mapping[ArmName, ArmResponses]) -> Iterator[str]:
    """Yield a sentence, without its capital, for each kind of which an arm has more than ``WARNING_SHARE``."""
    empty = _by_arm(arms, lambda arm: (arm.empty, arm.expected))
    if empty:
        yield (f"responses without an answer: {empty}. They count as missing, not as abstentions, and enter no score.")
    truncated = _by_arm(arms, lambda arm: (arm.truncated, arm.answered))
    if truncated:
        yield (
            f"answers cut off at the token limit: {truncated}. The text up to the limit is scored; max_new_tokens "
            "sets the limit."
        )


def empty_reasons(reasons: Mapping[str, int]) -> str:
    """Return why responses hold no answer, in words: ``3 reasoning alone, 1 filtered``."""
    return ", ".join(f"{count(reasons[code])} {reason_text(code)}" for code in NO_TEXT if reasons.get(code))


def _by_arm(arms: Mapping[ArmName, ArmResponses], share: Callable[[ArmResponses], tuple[int, int]]) -> str:
    """Return how many there are in each arm, if one has more than the share to warn of; otherwise nothing."""
    found = [(name, *share(arms[name])) for name in control_first(arms)]
    if not any(part > WARNING_SHARE * whole for _, part, whole in found):
        return ""
    return listing([_of_arm(name, part, whole) for name, part, whole in found])


def _of_arm(name: str, part: int, whole: int) -> str:
    share = f" ({rate(part / whole)})" if whole else ""
    return f"{count(part)} of {count(whole)}{share} in the {name} arm"
