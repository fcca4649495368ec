"""What holds for every type of scorer: scores in range for any text, the best one for an accepted answer, no error."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptrial import registry
from promptrial.model import Item
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import SQUAD_V2
from promptrial.scoring.refusals import is_abstention
from tests.support.scoring import item_of, score_of, scorer_of

OWN: Final[Mapping[str, list[dict[str, Any]]]] = {
    "includes": [{}, {"words": False}, {"normalize": False}, {"normalize": False, "words": False, "case": True}],
    "starts_with": [{}, {"words": False}, {"normalize": False}],
    "regex": [{"pattern": r"\w+", "case": False}],
    "choice": [{}, {"first": 0}],
    "numeric": [{}, {"decimal": ",", "percent": "exact"}, {"tolerance": 0.5, "relative": 0.1}],
    "length": [{}, {"unit": "characters", "cap": 5}, {"max": 3}, {"unit": "tokens", "direction": "lower"}],
}
CASES: Final = [(kind, settings) for kind, several in OWN.items() for settings in several]
IN_GOLD: Final = ["includes", "starts_with"]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="AB()*.,:%$-+/0123456789 \n\\{}eE½٣王", max_size=40),
    st.lists(st.sampled_from(["the answer is", "A", "(B)", "1,000", "no", "I", "\ud800", "\u200b", "```"])).map(
        " ".join
    ),
)


@pytest.mark.parametrize(("kind", "settings"), CASES)
@given(text=TEXTS, gold=TEXTS, choices=st.lists(TEXTS, max_size=4))
def test_any_text_scores_within_the_declared_range(
    kind: str, settings: dict[str, Any], text: str, gold: str, choices: list[str]
) -> None:
    scorer = scorer_of(kind, **settings)
    low, high = scorer.declared.range
    for item in (item_of(gold, choices=(gold, *choices)), item_of(), item_of(is_unanswerable=False)):
        score = score_of(scorer, item, Response(text, completion_tokens=len(text)))
        assert math.isnan(score) or low <= score <= high
        assert scorer.declared.scale == "continuous" or math.isnan(score) or score in (low, high)
        assert math.isnan(score) == (not scorer.applies(item))


@pytest.mark.parametrize("kind", [*IN_GOLD, "numeric"])
@pytest.mark.parametrize("rules", ["custom", "nq_open", "triviaqa", "squad_v2"])
@given(gold=TEXTS)
def test_an_accepted_answer_word_for_word_scores_best(kind: str, rules: str, gold: str) -> None:
    assume(gold.strip() and not is_abstention(gold))
    score = score_of(scorer_of(kind), item_of(gold), gold, rules)
    assert math.isnan(score) or score == 1


@given(gold=st.text(alphabet="cdfghklmnprstvwxz", min_size=3, max_size=12), place=st.integers(0, 3))
def test_the_text_of_the_right_choice_scores_best_and_that_of_another_worst(gold: str, place: int) -> None:
    others = ["oak", "elm", "yew"]
    choices = (*others[:place], gold, *others[place:])
    item = item_of(gold, choices=choices)
    assert score_of(scorer_of("choice"), item, gold) == 1
    assert score_of(scorer_of("choice"), item, f"I would say that it is {gold}.") == 1
    assert [score_of(scorer_of("choice"), item, other) for other in others] == [0, 0, 0]


@pytest.mark.parametrize("kind", IN_GOLD)
@given(gold=TEXTS, text=TEXTS)
def test_an_exact_match_is_accepted_by_other_scorers_and_a_start_is_an_inclusion(
    kind: str, gold: str, text: str
) -> None:
    item = item_of(gold)
    if SQUAD_V2.normalize(gold) and score_of(scorer_of("exact_match"), item, text) == 1:  # others go as written
        assert score_of(scorer_of(kind), item, text) == 1
    assert score_of(scorer_of("starts_with"), item, text) <= score_of(scorer_of("includes"), item, text)


@given(start=TEXTS, end=TEXTS, gold=st.sampled_from(["Berlin", "New York", "1806", "王伟"]))
def test_an_accepted_answer_separated_from_other_words_is_included(start: str, end: str, gold: str) -> None:
    text = f"{start} | {gold} | {end}"
    assume(not is_abstention(text))
    assert score_of(scorer_of("includes"), item_of(gold), text) == 1


def test_each_scorer_type_names_the_module_that_defines_it() -> None:
    for kind in registry.SCORERS:
        assert re.search(r"\n *References\n *-+\n *\S", registry.load("scorer", kind).__doc__), kind


def test_every_type_declares_the_worst_score_of_any_item() -> None:
    item = Item(id="1", dataset="d", question="?", answers=("8",), choices=("8", "9"), context="8")
    for kind, settings in CASES:
        scorer = scorer_of(kind, **settings)
        assert scorer.declared.range[0] <= scorer.worst(item) <= scorer.declared.range[1]
