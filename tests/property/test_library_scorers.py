"""Measures of similarity and of JSON on any text: a score in the range, and none that depends on the order of golds."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response, Scorer
from promptrial.scoring.json_values import MAX_DEPTH, depth, equal, read_json
from promptrial.scoring.panel import score_answer
from promptrial.scoring.types.bleu import Bleu
from promptrial.scoring.types.fuzzy import Fuzzy
from promptrial.scoring.types.json_schema import JsonSchema
from promptrial.scoring.types.rouge_l import RougeL

SCORERS: list[Scorer] = [
    Fuzzy(),
    Fuzzy("partial", normalize=False),
    Fuzzy("token_set"),
    RougeL(),
    RougeL(tokenizer="words"),
    Bleu(),
    Bleu("char", smooth="add-k"),
    JsonSchema({"type": "string"}, {"a": "gold"}),
]
TEXTS = st.text(max_size=40) | st.sampled_from(["東京 is big", "a  b\n", "{}", '{"a": "b"}', "\u0130stanbul", "\u017f"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=10,
)


def scored(scorer: Scorer, answer: str, golds: list[str]) -> float:
    item = Item(id="1", dataset="d", question="q", answers=tuple(golds))
    (score,) = score_answer(prepare_gold(item, "squad_v2", ScoringSettings()), Response(answer), {"s": scorer})
    return score


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
@given(answer=TEXTS, golds=st.lists(TEXTS, min_size=1, max_size=3))
def test_a_score_is_in_range_and_independent_of_the_order_of_accepted_answers(
    scorer: Scorer, answer: str, golds: list[str]
) -> None:
    score = scored(scorer, answer, golds)
    assert 0 <= score <= 1 or math.isnan(score)
    again = scored(scorer, answer, golds[::-1])
    assert score == again or (math.isnan(score) and math.isnan(again))


@given(value=JSON)
def test_json_reads_back_equal(value: object) -> None:
    read = read_json(json.dumps(value))
    assert equal(read, value)
    assert depth(read) <= MAX_DEPTH


@given(one=JSON, other=JSON)
def test_values_are_equal_if_their_json_is_equal_except_for_number_types(one: object, other: object) -> None:
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert equal(one, other)
    assert equal(one, other) == equal(other, one)
    assert equal(one, one)


@given(text=TEXTS)
def test_any_text_is_classified_as_json_or_not_without_an_error(text: str) -> None:
    try:
        read_json(text)
    except ValueError:
        return
    json.loads(text)
