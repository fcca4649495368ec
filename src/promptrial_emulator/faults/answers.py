"""Fault F11, the half that every API has: answers that say nothing, are cut, hold reasoning, or count tokens wrongly.

An answer is changed before its API words it, so that a variant means the same everywhere. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from promptrial_emulator.faults.rules import Fault
from promptrial_emulator.responders.base import Answer

__all__ = ["ODD_ANSWERS", "REASONING", "odd_answer"]

REASONING: Final = "Who is asked for here? It might be Paris. Or I do not know."
_REFUSAL: Final = "I can't help with that."
_CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
_Change = Callable[[Answer], Answer]


def odd_answer(answer: Answer, fault: Fault) -> Answer:
    """Return what becomes of a good answer; its first text alone is changed."""
    changed = ODD_ANSWERS[fault.variant](answer)
    reason = fault.options.get("finish_reason")
    return _first(changed, finish_reason=reason) if reason else changed


def _first(answer: Answer, **fields: Any) -> Answer:  # noqa: ANN401 - fields of Choice
    return replace(answer, choices=(replace(answer.choices[0], **fields), *answer.choices[1:]))


def _with(**fields: Any) -> _Change:  # noqa: ANN401 - fields of Choice
    return lambda answer: _first(answer, **fields)


def _around(pattern: str, **fields: Any) -> _Change:  # noqa: ANN401 - fields of Choice
    """Return what puts text around the answer, which stands for ``{}``."""
    return lambda answer: _first(answer, text=pattern.format(answer.choices[0].text), **fields)


def _reasoned(change: _Change) -> _Change:
    """Return a change that also charges for the reasoning."""
    tokens = len(REASONING.split())

    def changed(answer: Answer) -> Answer:
        paid = answer.completion_tokens + tokens
        return replace(change(answer), completion_tokens=paid, reasoning_tokens=tokens)

    return changed


ODD_ANSWERS: Final[dict[str, _Change]] = {
    "refusal": _with(text=None, refusal=_REFUSAL),
    "length": _with(finish_reason="length"),
    "empty": _with(text=""),
    "null_content": _with(text=None),
    "content_filter": _with(text=None, finish_reason="content_filter"),
    "tool_calls": _with(text=None, finish_reason="tool_calls", tool_calls=(_CALL,)),
    "reasoning_field": _reasoned(_with(reasoning=REASONING)),
    "reasoning_alone": _reasoned(_with(text=None, finish_reason="length", reasoning=REASONING)),
    "think_tags": _reasoned(_around(f"<think>\n{REASONING}\n</think>\n\n{{}}")),
    "think_end_tag": _reasoned(_around(f"{REASONING}\n</think>\n\n{{}}")),
    "think_unclosed": _reasoned(_around(f"<think>\n{REASONING}", finish_reason="length")),
    "odd_usage": lambda answer: replace(answer, prompt_tokens=-1, completion_tokens=2**63, odd_total="11"),
    "other_model": lambda answer: replace(answer, model="another-model"),
    "short_usage": lambda answer: replace(answer, prompt_tokens=answer.prompt_tokens // 4),
    "no_usage": lambda answer: replace(answer, counted=False),
}
"""By variant."""
