"""What a response is: an answer with its reasoning kept apart, or missing for a stated reason. Pure.

**Reasoning.** Where a provider has a field for reasoning, its adapter reads that field. What is between think tags
(``<think>`` or ``<thinking>``, in any case) in the text is reasoning too, by these rules:

* It runs from an opening tag to the next closing tag, or to the end of the text if none follows.
* A closing tag without an opening one ends reasoning that began with the text.
* An opening tag within reasoning is part of the reasoning. A text may hold several stretches of it.

**Missing answers.** A response without a visible character besides its reasoning is not an answer: nobody said "I do
not know". It is missing, with a reason that names what happened. A filtered answer is missing whatever was left of it.
An answer that was cut off and has text is an answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from promptrial.model import Completion
from promptrial.model.completions import CompletionColumns

__all__ = [
    "CUT",
    "NO_TEXT",
    "NoText",
    "ThinkTags",
    "error_code",
    "is_blank",
    "is_cut",
    "segments",
    "settle",
    "settle_many",
    "split_reasoning",
]

ThinkTags = Literal["separate", "as_answer"]
NoText = Literal["content_filter", "tool_calls", "refusal", "reasoning_only", "length", "empty"]

NO_TEXT: Final[dict[NoText, str]] = {
    "content_filter": "the provider filtered the answer",
    "tool_calls": "the model called a tool instead of answering",
    "refusal": "the provider refused without a text",
    "reasoning_only": "the response is reasoning alone",
    "length": "cut off at the token limit before any text",
    "empty": "the answer has no text",
}
"""Why a response that came back is not an answer: code -> what happened."""

_TAG: Final = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
CUT: Final = frozenset({"length", "max_tokens"})
"""How a response ends that was cut off at the token limit."""
_BY_FINISH_REASON: Final[dict[str, NoText]] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "refusal": "refusal",
}
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})


def error_code(error: str) -> str:
    """Return the code of an error, without the details that differ from row to row."""
    return error.partition(":")[0]


def settle(completion: Completion, think_tags: ThinkTags = "separate") -> Completion:
    """Return a completion as it is scored: reasoning apart from the text, and a response without an answer as missing.

    Parameters
    ----------
    completion : Completion
        As the provider gave it.
    think_tags : {"separate", "as_answer"}
        Whether text between think tags is reasoning, or part of the answer like any other text.

    Returns
    -------
    Completion
        One that has an error is returned as it is. Otherwise ``error`` is None and ``text`` has a visible character,
        or ``error`` begins with a code of ``NO_TEXT`` and a colon, and ``text`` is empty.

    Examples
    --------
    >>> cut = Completion("q", "<think>Let me see", "length", None, 9, 4, 13)
    >>> settle(cut).error
    'reasoning_only: the response is reasoning alone, cut off at the token limit'
    >>> settle(cut, "as_answer").text
    '<think>Let me see'
    """
    if completion.error is not None:
        return completion
    if think_tags == "separate" and "<" in completion.text and _TAG.search(completion.text):
        text, reasoning = split_reasoning(completion.text)
        known = [part for part in (completion.reasoning, reasoning) if part]
        completion = replace(completion, text=text, reasoning="\n".join(known) or None)
    if completion.finish_reason != "content_filter" and not is_blank(completion.text):
        return completion
    return replace(completion, text="", error=_why_missing(completion))


def settle_many(columns: CompletionColumns, think_tags: ThinkTags = "separate") -> list[int]:
    """Do what ``settle`` does of each completion, in place; few need more than a look.

    Returns
    -------
    list of int
        The places of responses that turned out to be no answers.
    """
    rows = zip(columns.text, columns.finish_reason, columns.error, strict=True)
    odd = [
        place
        for place, (text, finish_reason, error) in enumerate(rows)
        if error is None and ("<" in text or finish_reason == "content_filter" or is_blank(text))
    ]
    settled = {place: settle(columns.at(place), think_tags) for place in odd}
    for place, completion in settled.items():
        columns.put(place, completion)
    return [place for place, completion in settled.items() if completion.error is not None]


def split_reasoning(text: str) -> tuple[str, str]:
    r"""Return the answer and the reasoning of a text with think tags.

    Of each, the stretches are stripped of white space and joined by line breaks; those that are blank are left out. A
    text without a tag is returned as it is.

    Examples
    --------
    >>> split_reasoning("<think>The capital?</think>\n\nRome")
    ('Rome', 'The capital?')
    >>> split_reasoning("The capital?</think> Rome <thinking>sure")
    ('Rome', 'The capital?\nsure')
    >>> split_reasoning(" 1 < 2 ")
    (' 1 < 2 ', '')
    """
    parts = list(segments(text))
    if len(parts) == 1 and parts[0] == ("answer", text):
        return text, ""
    return _joined(parts, "answer"), _joined(parts, "reasoning")


Kind = Literal["answer", "reasoning", "tag"]


def segments(text: str) -> Iterator[tuple[Kind, str]]:
    """Yield the stretches of a text and what each is; put together again, they are the text."""
    tags = list(_TAG.finditer(text))
    inside, last_unopened = False, -1
    for number, tag in enumerate(tags):
        if tag[1] and not inside:
            last_unopened = number
        inside = not tag[1]
    # Up to a closing tag that nothing opened, everything is reasoning.
    inside, start = last_unopened >= 0, 0
    for number, tag in enumerate(tags):
        closes = bool(tag[1])
        if number < last_unopened or closes != inside:
            continue
        yield "reasoning" if inside else "answer", text[start : tag.start()]
        yield "tag", tag[0]
        inside, start = not closes, tag.end()
    yield "reasoning" if inside else "answer", text[start:]


def is_blank(text: str) -> bool:
    r"""Tell whether a text has no visible character: nothing but white space and characters that print nothing.

    Examples
    --------
    >>> is_blank(" \n\u200b"), is_blank("...")
    (True, False)
    """
    if text[:1].isalnum():  # nearly every answer
        return False
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


def is_cut(completion: Completion) -> bool:
    """Tell whether the response ended at the token limit."""
    return completion.finish_reason in CUT


def _why_missing(completion: Completion) -> str:
    code, detail = _code(completion), ""
    if code == "reasoning_only" and is_cut(completion):
        detail = ", cut off at the token limit"
    return f"{code}: {NO_TEXT[code]}{detail}"


def _code(completion: Completion) -> NoText:
    reason = completion.finish_reason or ""
    if reason == "content_filter":
        return "content_filter"
    if reason in _BY_FINISH_REASON:
        return _BY_FINISH_REASON[reason]
    if completion.reasoning or completion.reasoning_tokens:
        return "reasoning_only"
    return "length" if reason in CUT else "empty"


def _joined(parts: list[tuple[Kind, str]], kind: Kind) -> str:
    stretches = (text.strip() for found, text in parts if found == kind)
    return "\n".join(stretch for stretch in stretches if stretch)
