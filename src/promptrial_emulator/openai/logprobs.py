"""How likely each token of a chat completion was: numbers that depend on the answer alone. Tokens are words. Pure."""

from __future__ import annotations

from typing import Any, Final

from promptrial_emulator.responders.base import Choice, fraction

__all__ = ["MOST_ALTERNATIVES", "logprobs_of"]

MOST_ALTERNATIVES: Final = 20
_LEAST_LIKELY: Final = -2.0
_APART: Final = -1.0


def logprobs_of(choice: Choice, mark: str, alternatives: int) -> dict[str, Any]:
    """Return the natural logarithms of the tokens' probabilities, each with so many alternatives, itself the first."""
    words = (choice.text or "").split()
    return {"content": [_token(word, number, mark, alternatives) for number, word in enumerate(words)], "refusal": None}


def _token(word: str, number: int, mark: str, alternatives: int) -> dict[str, Any]:
    likely = _LEAST_LIKELY * fraction(mark, number)
    others = [(word if rank == 0 else f"{word}~{rank}", likely + _APART * rank) for rank in range(alternatives)]
    return {**_one(word, likely), "top_logprobs": [_one(*other) for other in others]}


def _one(word: str, logprob: float) -> dict[str, Any]:
    return {"token": word, "logprob": logprob, "bytes": [*word.encode()]}
