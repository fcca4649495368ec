"""Answers that are counted, and billed, by the tokenizer of a real model, where words are counted otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from promptrial.model import Message, ModelSpec
from promptrial.providers.embedded_engine import Engine
from promptrial.providers.embedded_weights import BUILT_IN_MODEL, weights_path
from promptrial_emulator.responders.base import Answer, ChatRow, Choice, Refusal, Responder, content, in_step, limit_of

__all__ = ["TokenizedResponder"]

_MODEL: Final = ModelSpec("tokenizer", BUILT_IN_MODEL, "embedded")


class TokenizedResponder:
    """Another responder's answers with the token counts of SmolLM2: prompts in its chat template, answers as they are.

    An answer of more tokens than the request allows is cut at its last word that fits. The leading system message
    counts as cached. A request without messages keeps the counts that it has.

    Parameters
    ----------
    responder : Responder
        Who answers.

    Raises
    ------
    ConfigError, MissingDependencyError
        If the model is not installed.
    """

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._engine = Engine(weights_path(_MODEL))

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        """Yield the answers.

        Raises
        ------
        PromptrialError
            If it cannot answer at all.
        """
        for row, reply in in_step(rows, lambda row: row, lambda asked: self._responder.replies(model, asked)):
            yield self._counted(row, reply) if isinstance(reply, Answer) and row.messages else reply

    def close(self) -> None:
        """Free the model, and what the other responder holds."""
        self._engine.close()
        self._responder.close()

    def _counted(self, row: ChatRow, answer: Answer) -> Answer:
        messages = [_message(str(each.get("role", "user")), content(each)) for each in row.messages]
        limit = limit_of(row)
        cut = [self._cut(choice, limit) for choice in answer.choices]
        leading = messages[0].role == "system"
        return replace(
            answer,
            choices=tuple(choice for choice, _ in cut),
            prompt_tokens=len(self._engine.tokenize(self._engine.render(tuple(messages)), special=True)),
            completion_tokens=sum(tokens for _, tokens in cut),
            cached_tokens=self._tokens(messages[0].content) if leading else 0,
        )

    def _cut(self, choice: Choice, limit: int) -> tuple[Choice, int]:
        """Return a choice of at most so many tokens, and how many it has."""
        whole = self._tokens(choice.text or "")
        if whole <= limit:
            return choice, whole
        words = (choice.text or "").split()
        fits, tokens, too_many = 0, 0, len(words)
        while too_many - fits > 1:  # by halves
            middle = (fits + too_many) // 2
            taken = self._tokens(" ".join(words[:middle]))
            if taken <= limit:
                fits, tokens = middle, taken
            else:
                too_many = middle
        return replace(choice, text=" ".join(words[:fits]), finish_reason="length"), tokens

    def _tokens(self, text: str) -> int:
        return len(self._engine.tokenize(text, special=False)) if text else 0


def _message(role: str, text: str) -> Message:
    return Message(
        "system" if role in {"system", "developer"} else "assistant" if role == "assistant" else "user", text
    )
