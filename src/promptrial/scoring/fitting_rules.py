"""Which scorers fit which kind of golds and items: a table. ``design.fitting`` finds the kinds."""

# ruff: noqa: RUF001 - scripts of every kind

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["GOLD_RULES", "IN_ANY_TEXT", "ITEM_RULES", "LEAST_SHARE", "TRUTH_WORDS", "FittingRule"]

_LONG_ANSWER_TOKENS: Final = 256


@dataclass(frozen=True, slots=True)
class FittingRule:
    """What is measured where questions are of a kind.

    ``held`` follows "N of M questions have" in a sentence. ``scorers`` are columns, the first of them the
    primary endpoint where the kind is the most common. ``max_new_tokens`` is the limit of an answer, None for the
    default.
    """

    kind: str
    held: str
    scorers: tuple[str, ...]
    max_new_tokens: int | None = None


GOLD_RULES: Final = (
    FittingRule("choices", "choices", ("choice",)),
    FittingRule("letter", "a single letter or character as the answer", ("em",)),
    FittingRule("worked", "a worked answer whose last number counts", ("numeric",), _LONG_ANSWER_TOKENS),
    FittingRule("number", "a number as the answer", ("numeric", "em")),
    FittingRule("yes_no", "yes or no, true or false, as the answer", ("starts_with", "em")),
    FittingRule("short", "a short answer", ("includes", "em", "f1")),
    FittingRule("long", "a long answer", ("f1",), _LONG_ANSWER_TOKENS),
    FittingRule("no_gold", "no accepted answer", ("length",), _LONG_ANSWER_TOKENS),
)
"""One for each kind of gold. The most common kind counts, and each other that a quarter of such questions has. Numbers,
and yes and no, count as short answers too, where a quarter of all these are of another kind. A letter occurs in any
text, so ``includes`` is left out where letters count."""
IN_ANY_TEXT: Final = "includes"
"""What finds a letter in any text."""
TRUTH_WORDS: Final = frozenset[str]().union(
    ("yes", "no", "true", "false"),
    ("ja", "nein", "wahr", "falsch"),
    ("oui", "non", "vrai", "faux"),
    ("sí", "si", "verdadero", "falso"),
    ("sì", "vero"),
    ("sim", "não", "nao", "verdadeiro"),
    ("nee", "waar", "onwaar"),
    ("nej", "sant", "falskt", "kyllä", "ei"),
    ("tak", "nie", "prawda", "fałsz"),
    ("ano", "ne", "igen", "nem"),
    ("да", "нет", "правда", "ложь", "так", "ні"),
    ("ναι", "όχι"),
    ("evet", "hayır", "doğru", "yanlış"),
    ("نعم", "لا", "صح", "خطأ"),
    ("כן", "לא"),
    ("بله", "خیر"),
    ("हाँ", "हां", "नहीं"),
    ("có", "không", "ya", "tidak"),
    ("是", "否", "不是", "是的", "对", "错", "對", "錯", "不对", "不對", "正确", "错误", "正確", "錯誤"),
    ("はい", "いいえ"),
    ("예", "네", "아니요", "아니오"),
    ("ใช่", "ไม่ใช่"),
)
"""Yes and no, true and false, in usual languages and lower case. Many are within the other one, or in any text."""
ITEM_RULES: Final = (
    FittingRule("unanswerable", "no right answer", ("abstain_rate", "false_answer_rate")),
    FittingRule("passage", "a passage", ("unsupported_rate",)),
)
"""Added where any question is of this kind."""
LEAST_SHARE: Final = 0.25
"""The share of the questions with a gold that another kind than the most common one needs."""
