"""Items that lack what a scorer needs: counted, and refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.documents.scorers import Need
from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.phases.needs import LackCheck, lack_facts
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer

NEEDS: dict[str, tuple[Need, ...]] = {"em": ("gold",), "f1": ("gold",), "length": (), "choice": ("gold", "choices")}


def item(name: str, *answers: str, choices: tuple[str, ...] = (), unanswerable: bool = False) -> Item:
    return Item(id=name, dataset="d", question="Q?", answers=answers, choices=choices, is_unanswerable=unanswerable)


ITEMS = [item("a", "x"), item("b"), item("c", unanswerable=True), item("e")]


def refused(items: list[Item], drawn: list[Item], *scorers: str) -> tuple[str, str] | None:
    check = LackCheck({name: NEEDS[name] for name in scorers})
    for number, each in enumerate(items, 2):
        check.notice(f"q.csv:{number}:", each)
    try:
        check.check("mine", drawn)
    except DataError as error:
        return error.message, error.hint or ""
    return None


def test_scorers_that_need_a_gold_answer_refuse_by_name_the_items_without_one() -> None:
    message, hint = refused(ITEMS, ITEMS, "em", "length", "f1") or ("", "")
    assert message == (
        "datasets.mine: 2 of 4 questions have no gold answer, and em, f1 need one; the first: q.csv:3: id 'b'"
    )
    assert "`unscorable: skip`" in hint
    assert "docs/questions.md#questions-without-a-gold-answer" in hint


def test_only_items_that_were_drawn_count() -> None:
    message, _ = refused(ITEMS, [ITEMS[3], ITEMS[0]], "em") or ("", "")
    assert message == "datasets.mine: 1 of 2 questions has no gold answer, and em needs one; the first: q.csv:5: id 'e'"
    assert refused(ITEMS, [ITEMS[0], ITEMS[2]], "em") is None, "an unanswerable question has a gold: that none is right"


def test_the_first_named_item_is_the_first_in_the_file_whatever_the_drawing_order() -> None:
    assert "the first: q.csv:3: id 'b'" in (refused(ITEMS, ITEMS[::-1], "em") or ("",))[0]


def test_scorers_that_need_no_gold_answer_refuse_nothing() -> None:
    assert refused(ITEMS, ITEMS, "length") is None


def test_scorers_that_need_choices_refuse_items_without_them() -> None:
    mixed = [item("a", "x", choices=("x", "y")), item("b", "x")]
    message, hint = refused(mixed, mixed, "choice") or ("", "")
    assert (
        message == "datasets.mine: 1 of 2 questions has no choices, and choice needs them; the first: q.csv:3: id 'b'"
    )
    assert "#choices" in hint


def test_items_with_gold_answers_and_without_choices_record_no_needs() -> None:
    assert lack_facts([ITEMS[0], ITEMS[2]]) == {}
    assert lack_facts([*ITEMS, item("m", "x", choices=("x", "y"))]) == {"without_gold": 2, "with_choices": 1}


@pytest.mark.parametrize(
    ("needs", "applies"),
    [((), [True, True, True]), (("gold",), [True, False, True]), (("choices",), [False, False, True])],
)
def test_a_scorer_applies_to_items_that_have_what_it_needs(needs: tuple[Need, ...], applies: list[bool]) -> None:
    class Own(Scorer):
        declared = Declaration(label="o", meaning="o", scale="binary", direction="higher", needs=needs)

        def score(self, gold: Gold, answer: PreparedAnswer) -> float:
            raise NotImplementedError

    items = [item("a", "x"), item("b"), item("c", "x", choices=("x", "y"))]
    assert [Own().applies(each) for each in items] == applies


@pytest.mark.parametrize("need", ["gold", "choices"])
def test_the_page_named_in_a_refusal_exists(need: str) -> None:
    page = (Path(__file__).parents[2] / "docs/questions.md").read_text()
    anchors = {
        line.removeprefix("## ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("## ")
    }
    every = [item("a", "x")] if need == "choices" else [item("a")]
    _, hint = refused(every, every, "choice") or ("", "")
    assert hint.rpartition("#")[2].rstrip(")") in anchors
