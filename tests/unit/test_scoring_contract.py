"""What every scorer has without saying so itself: which items it applies to, what is worst, one answer as a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from promptrial.documents.scorers import Declaration
from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import BatchScorer, Scorer
from promptrial.scoring.python_file import load_module, scorer_class

ITEM = Item(id="i", dataset="d", question="q", answers=("a",))
SAID = Declaration(label="L", meaning="?", scale="continuous", direction="higher", range=(1.0, 6.0))


@dataclass(frozen=True)
class Lengths(BatchScorer):
    """The length of each answer, and how many were asked for at once."""

    declared: Declaration = SAID

    def score_batch(self, answers: Sequence[tuple[Any, Any]]) -> Sequence[float]:
        return [float(len(answer)) for _, answer in answers]


def declared(direction: Any) -> Declaration:
    return Declaration(label="L", meaning="?", scale="continuous", direction=direction, range=(1.0, 6.0))


@pytest.mark.parametrize(("direction", "worst"), [("higher", 1.0), ("lower", 6.0)])
def test_the_worst_score_is_the_end_of_the_range_that_is_not_wanted(direction: Any, worst: float) -> None:
    assert Lengths(declared=declared(direction)).worst(ITEM) == worst


def test_without_a_direction_a_scorer_has_to_say_what_is_worst() -> None:
    with pytest.raises(ScoreError, match="Lengths declares no direction, and does not define the worst score of item"):
        Lengths(declared=declared(None)).worst(ITEM)


def test_one_answer_is_a_batch_of_its_own_and_many_are_scored_in_order() -> None:
    gold = prepare_gold(ITEM, "squad_v2", ScoringSettings())
    scorer: Any = Lengths()
    assert scorer.score(gold, "abc") == 3
    assert scorer.score_many([(gold, "a"), (gold, "abcd"), (gold, "")]) == [1, 4, 0]


def test_a_scorer_applies_to_items_that_have_what_it_needs() -> None:
    needs = Lengths(declared=Declaration(label="L", meaning="?", scale="binary", direction=None, needs=("passage",)))
    assert not needs.applies(ITEM)
    assert needs.applies(msgspec.structs.replace(ITEM, context="p"))
    assert Lengths().applies(ITEM)
    assert Lengths().gold_problem(ITEM) is None


CODE = """
from dataclasses import dataclass
from promptrial.documents.scorers import Declaration
from promptrial.scoring.contract import Scorer

@dataclass(frozen=True)
class Mine(Scorer):
    declared = Declaration(label="L", meaning="?", scale="binary", direction=None)
    def score(self, gold, answer):
        return 1.0

SCORER = Mine
"""


def test_the_class_that_a_file_calls_its_scorer_is_used() -> None:
    found = scorer_class("mine", "mine.py", CODE)
    assert issubclass(found, Scorer)
    assert found().score(None, None) == 1.0  # type: ignore[arg-type]
    assert load_module("mine", "mine.py", CODE).__file__ == "mine.py"


@pytest.mark.parametrize("last", ["SCORER = Mine()", "SCORER = int", "OTHER = Mine", "class SCORER(Scorer): pass"])
def test_a_file_without_a_scorer_that_is_a_class_of_its_own_is_refused(last: str) -> None:
    with pytest.raises(ScoreError) as error:
        scorer_class("mine", "mine.py", CODE.replace("SCORER = Mine", last))
    assert error.value.message == (
        "scorer mine: mine.py has no SCORER that is a dataclass derived from promptrial.scoring.contract.Scorer"
    )
    assert error.value.hint == (
        "docs/extending_scorers.md shows one; if a function scores, write `file: mine.py:FUNCTION`"
    )


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("import no_such_module_beside_it", "a scorer is one file: put everything it needs in that file"),
        ("1 / 0", "correct the file, then resume the run"),
        ("raise SystemExit(3)", "correct the file, then resume the run"),
    ],
)
def test_a_file_that_fails_is_named_with_what_to_do(code: str, hint: str) -> None:
    with pytest.raises(ScoreError, match=r"^scorer mine: mine\.py cannot be imported: ") as error:
        load_module("mine", "mine.py", code)
    assert (error.value.hint or "").startswith(hint)


def test_an_interruption_while_a_file_runs_is_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        load_module("mine", "mine.py", "raise KeyboardInterrupt")
