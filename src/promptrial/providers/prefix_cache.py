"""How the prompt cache of a local engine is used without letting it change an answer. Knows no engine.

An engine's cache saves evaluating a prefix that the prompt before had too. But floating-point sums depend on how a
prompt is cut into batches, and the engine would cut at the first token that differs from whatever it answered before.
So every prompt has a grid of its own: the end of its stem (all that is before the last message's text: the system
prompt), and every ``BLOCK`` tokens before and after that. Tokens are only ever evaluated in blocks of that grid, and
the cache is cut back to a line of the grid before each answer. What is kept has then been computed from the same
tokens in the same batches as if it were computed from scratch, and the answer has the same bytes whatever came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, Protocol

from promptrial.errors import PermanentError
from promptrial.model import Sampling

__all__ = ["BLOCK", "Answer", "PrefixCache", "Prompt", "Slot", "common_length", "keep_length"]

BLOCK: Final = 8
"""Tokens evaluated in one batch. A finer grid keeps more of what prompts share; down to this one it costs no time."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as the model reads it; its first ``stem`` tokens are what comes before the last message's text."""

    tokens: tuple[int, ...]
    stem: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine made of a prompt; ``reused`` is how many of its tokens it did not evaluate again."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    reused: int


class Slot(Protocol):
    """An engine with one sequence, which it evaluates in batches of ``BLOCK`` tokens.

    With ``reuse`` it keeps the longest prefix that it shares with the prompt before; without, it starts from nothing.
    """

    def evaluate(self, tokens: tuple[int, ...], *, reuse: bool) -> int:
        """Make ``tokens`` the content of the sequence; return how many were kept."""

    def complete(
        self, tokens: tuple[int, ...], sampling: Sampling, *, reuse: bool, schema: dict[str, Any] | None = None
    ) -> Answer:
        """Answer a prompt; with ``schema``, by JSON that fits it."""


def common_length(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many leading tokens (or characters) two prompts share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def keep_length(held: Prompt | None, prompt: Prompt) -> int:
    """Return how many tokens of ``held``, the prompt in the cache, may stand for the start of ``prompt``; 0 if none.

    It is the last line of the grid that both prompts have in common, and the grids are the same only if the stems
    are. The last token of either is left out: it is evaluated again, for what the model says after it.
    """
    if held is None or prompt.stem == 0 or held.tokens[: held.stem] != prompt.tokens[: prompt.stem]:
        return 0
    shared = min(common_length(held.tokens, prompt.tokens), len(held.tokens) - 1, len(prompt.tokens) - 1)
    return prompt.stem + (shared - prompt.stem) // BLOCK * BLOCK


class PrefixCache:
    """One slot and the knowledge of what it holds. Not for use by two threads at a time."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._held: Prompt | None = None
        self._can_cut = True

    def keep_length(self, prompt: Prompt) -> int:
        """Return how many tokens of a prompt this slot could keep."""
        return keep_length(self._held, prompt)

    def answer(self, prompt: Prompt, sampling: Sampling, schema: dict[str, Any] | None = None) -> Answer:
        """Answer a prompt with the bytes that a fresh engine would give; with ``schema``, by JSON that fits it.

        A model whose memory cannot be cut back (a recurrent one) shows at its first prompt, by evaluating it from
        scratch; it is then made to do so for every prompt.

        Raises
        ------
        PermanentError
            If the engine kept another prefix than it was brought to hold: its answer would not be repeatable.
        """
        kept = self._bring_to(prompt) if prompt.stem > 0 and self._can_cut else 0
        self._held = None  # unknown until the answer is there, should the engine refuse
        answer = self._slot.complete(prompt.tokens, sampling, reuse=kept > 0, schema=schema)
        _check(answer.reused, kept)
        self._held = prompt if kept > 0 else None
        return answer

    def _bring_to(self, prompt: Prompt) -> int:
        """Make the slot hold the start of a prompt and nothing that comes next in it; return how much, 0 if it cannot.

        A token that does not come next cuts off what the slot holds beyond; one is evaluated because the engine
        evaluates at least one.
        """
        kept = keep_length(self._held, prompt)
        self._held = None  # unknown until the answer is there, should anything go wrong on the way
        anew = kept == 0
        if anew:
            kept = prompt.stem
            self._slot.evaluate((*prompt.tokens[:kept], 0), reuse=False)
        other = 1 if prompt.tokens[kept] == 0 else 0
        reused = self._slot.evaluate((*prompt.tokens[:kept], other), reuse=True)
        if anew and reused == 0:
            self._can_cut = False
            return 0
        _check(reused, kept)
        return kept


def _check(reused: int, kept: int) -> None:
    if reused != kept:
        raise PermanentError(f"the engine kept {reused} tokens of a prompt instead of {kept}")
