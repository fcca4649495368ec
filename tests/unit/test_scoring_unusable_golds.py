"""Accepted answers that a scorer cannot use are refused before anything is asked."""

from __future__ import annotations

import pytest

from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.scoring.contract import Scorer
from promptrial.scoring.golds import UnusableGolds
from promptrial.scoring.types.exact_match import ExactMatch
from promptrial.scoring.types.json_schema import JsonSchema
from promptrial.scoring.types.regex import Regex


def item(name: str, *answers: str) -> Item:
    return Item(id=name, dataset="d", question="Q?", answers=answers, is_unanswerable=not answers)


@pytest.mark.parametrize(
    ("scorer", "answers", "problem"),
    [
        (Regex(from_gold=True), ("C[+]{2}",), None),
        (Regex(from_gold=True), (), None),
        (Regex(from_gold=True), ("fine", "C++"), "'C++' is not a valid RE2 regular expression: bad repetition"),
        (Regex(pattern="x"), ("C++",), None),
        (JsonSchema(), ("Bonn",), None),
        (JsonSchema(fields={"city": "gold"}), ("Bonn",), None),
        (JsonSchema(fields={"city": "gold.city"}), ('{"city": null}',), None),
        (JsonSchema(fields={"city": "gold.city"}), (), None),
        (
            JsonSchema(fields={"all": "gold", "city": "gold.city"}),
            ('{"city": "Bonn"}', '{"town": "Bonn"}'),
            '`fields` wants gold.city, which the accepted answer \'{"town": "Bonn"}\' does not have',
        ),
        (
            JsonSchema(fields=("city",)),
            ("Bonn",),
            "`fields` wants gold.city, but the accepted answer 'Bonn' is not JSON",
        ),
        (ExactMatch(), ("C++",), None),
    ],
)
def test_a_scorer_says_what_is_wrong_with_any_accepted_answer(
    scorer: Scorer, answers: tuple[str, ...], problem: str | None
) -> None:
    found = scorer.gold_problem(item("a", *answers))
    assert found is None if problem is None else str(found).startswith(problem)


def test_unusable_golds_among_the_drawn_questions_are_counted_and_the_first_is_named() -> None:
    items = [item("a", "C++"), item("b", "x"), item("c", "(", ")"), item("d", "+")]
    golds = UnusableGolds({"em": ExactMatch(), "pat": Regex(from_gold=True)})
    for line, each in enumerate(items, 2):
        golds.notice(f"q.csv:{line}:", each)
    golds.check("mine", ["b"])
    with pytest.raises(DataError) as caught:
        golds.check("mine", ["d", "c", "b"])
    assert caught.value.message.startswith(
        "datasets.mine: 2 of 3 questions have accepted answers that pat cannot use; the first: q.csv:4: id 'c': '(' is"
    )
    assert "correct them in the question file" in (caught.value.hint or "")


def test_items_that_a_scorer_leaves_out_are_not_checked() -> None:
    golds = UnusableGolds({"pat": Regex(from_gold=True)})
    golds.notice("q.csv:2:", Item(id="a", dataset="d", question="Q?", answers=()))
    golds.check("mine", ["a"])
