"""A data set is reported if nearly all its right choices have the same letter."""

from __future__ import annotations

import pytest

from promptrial.model import Item
from promptrial.scoring.letters import LetterCheck


def said(*answers: str) -> list[str]:
    """Return the messages for questions with the choices a to d and these right ones; none for no choices."""
    check = LetterCheck()
    for number, answer in enumerate(answers):
        choices = ("a", "b", "c", "d") if answer else ()
        check.notice(Item(id=f"{number}", dataset="d", question="Q?", answers=tuple(answer), choices=choices))
    return list(check.warnings("mine"))


def test_all_right_choices_with_one_letter_are_reported_with_what_to_do() -> None:
    (sentence,) = said(*"bbbbb")
    assert sentence == (
        "datasets.mine: the right choice is B in all 5 questions with choices, so a model that always answers B scores "
        "100%; mix the choices in the file"
    )


def test_nearly_all_right_choices_with_one_letter_are_reported_too() -> None:
    (sentence,) = said(*["a"] * 38, "b", "c")
    assert "the right choice is A in 38 of 40 questions" in sentence
    assert "scores 95%" in sentence


@pytest.mark.parametrize(
    "answers", [(), ("",) * 9, tuple("bbbb"), tuple("aaaaab"), ("a",) * 18 + ("b",), ("a",) * 37 + ("b",) * 3]
)
def test_fewer_or_mixed_letters_are_not_reported(answers: tuple[str, ...]) -> None:
    assert said(*answers) == []


def test_a_question_with_several_right_choices_has_no_letter() -> None:
    assert said(*["a"] * 5, "ab") == []
    assert "in 19 of 20" in said(*["a"] * 19, "ab")[0]
    assert said(*["ab"] * 30) == []


def test_questions_without_choices_do_not_count() -> None:
    assert "in all 5 questions" in said("", *"ccccc", "")[0]
