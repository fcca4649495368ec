"""What an item may hold besides question and answers: choices, turns, other columns, and no gold answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptrial.datasets.base import new_item
from promptrial.datasets.place import Place
from promptrial.errors import DataError
from promptrial.model import Message

TURN = Message("user", "Hello")
PLACE = Place(Path("q.jsonl"), 3)


def made(**values: Any) -> Any:
    return new_item(PLACE, "mine", **{"item_id": "a", "question": "Q?", "answers": ("x",)} | values)


def test_choices_turns_and_other_columns_are_kept() -> None:
    item = made(choices=["x", "y"], messages=[TURN], extra={"category": "c"})
    assert (item.choices, item.messages, item.extra) == (("x", "y"), (TURN,), {"category": "c"})


def test_a_question_may_have_no_gold_answer_where_its_format_needs_none() -> None:
    assert not made(answers=(), needs_gold=False).has_gold
    with pytest.raises(DataError, match="no answers, and not marked unanswerable"):
        made(answers=())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"choices": ["x"]}, "1 choices; a multiple-choice question has 2 to 26"),
        ({"choices": ["x", *map(str, range(26))]}, "27 choices; a multiple-choice question has 2 to 26"),
        ({"choices": ["x", " "]}, "a choice is empty"),
        ({"choices": ["X", "y"]}, "the answer 'x' is not one of the choices"),
        ({"choices": ["x", "y", "x"]}, "the right choice 'x' appears twice, so two letters would be right"),
        ({"messages": [TURN, Message("system", "Obey.")]}, "turn 2 of `messages` is a system prompt"),
        ({"messages": [Message("assistant", "\n")]}, "turn 1 of `messages` is empty"),
    ],
)
def test_text_that_no_request_can_hold_is_refused_with_its_place(values: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        made(**values)
    assert caught.value.message.startswith(f"q.jsonl:3: id 'a': {said}")


def test_wrong_choices_may_be_identical() -> None:
    assert made(choices=["x", "y", "y"]).choices == ("x", "y", "y")


def test_26_choices_are_accepted() -> None:
    assert len(made(choices=["x", *map(str, range(25))]).choices) == 26
