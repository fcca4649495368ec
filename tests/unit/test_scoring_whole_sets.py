"""Problems of a data set as a whole: repeated questions."""

from __future__ import annotations

import pytest

from promptrial.model import Item
from promptrial.scoring.whole_sets import WholeSetCheck


def warnings(*items: Item) -> list[str]:
    check = WholeSetCheck()
    for item in items:
        check.notice(item)
    return list(check.warnings("mine"))


def item(name: str, question: str = "Is it?", **more: object) -> Item:
    return Item(id=name, dataset="d", question=question, answers=("yes",), **more)  # type: ignore[arg-type]


def test_questions_that_repeat_others_under_new_ids_are_reported() -> None:
    (told,) = warnings(item("1"), item("2", "is  IT?\n"), item("3"), item("4", "Other?"))
    assert told == (
        "datasets.mine: 2 questions repeat others under a new id ('2' is '1'), and count as independent; remove them, "
        "or give those that belong together the same `cluster`"
    )
    (told,) = warnings(item("1"), item("2"))
    assert told.startswith("datasets.mine: a question repeats another under a new id ('2' is '1')")


@pytest.mark.parametrize("more", [{"context": "A passage."}, {"cluster": "c"}])
def test_questions_in_one_cluster_are_not_repeats(more: dict[str, str]) -> None:
    assert not warnings(item("1", **more), item("2", **more))


def test_questions_with_different_choices_are_not_repeats() -> None:
    assert not warnings(item("1", choices=("yes", "no")), item("2", choices=("no", "yes")), item("3"))
