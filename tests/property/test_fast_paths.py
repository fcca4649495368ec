"""Each fast path gives what its plain twin gives, value by value, whatever the text."""

from __future__ import annotations

import math
import re
import tempfile
import unicodedata
from array import array
from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptrial.model import Item, ids
from promptrial.phases import row_index
from promptrial.phases.row_index import RowIndex, lines_at
from promptrial.phases.stats import _kind
from promptrial.reporting.page.items import _encoded, _safe
from promptrial.scoring.base import Panel, ScoringSettings, load_scorers, prepare_answer, prepare_gold, worst_scores
from promptrial.scoring.characters import _cut, has_unspaced, split_unspaced
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import RULES
from promptrial.scoring.support import _IN_NUMBER, _form, _form_of_any, _words, claim_words

HOSTILE: Final = [
    *(
        "the",
        "an",
        "a",
        "I",
        "don't",
        "know.",
        "Unanswerable",
        "1,500",
        "3.14",
        "d'Arc's",
        "the-king`s",
        "\u2019s",
        "'S",
    ),
    *(
        "**",
        "_",
        "-",
        "\\",
        '"',
        "\n",
        "\r",
        "\t",
        "\x00",
        "\x1b",
        "\x7f",
        "\x85",
        "\u200b",
        "\u200e",
        "\u202e",
        "\u2028",
    ),
    *("\ufeff", "\ud800", "e\u0301", "\xe9", "\xdf", "\u0149", "\ufb01", "\u03a3", "\u03c2", "\u0130", "\u0661\u0662"),
    *("\u738b", "\u5049\u3002", "\u304b\u306a", "\u0e44\u0e17\u0e22", "\uc11c\uc6b8", "\U0001f600", "\uff0b"),
]
TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(HOSTILE), max_size=12).map(" ".join),
    st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join),
)
ITEMS = st.builds(
    Item,
    id=st.just("q"),
    dataset=st.just("d"),
    question=TEXTS,
    answers=st.lists(TEXTS, max_size=3).map(tuple),
    context=st.none() | TEXTS,
    is_unanswerable=st.booleans(),
    choices=st.lists(st.just("yes"), max_size=1).map(tuple),
)


def same(one: object, other: object) -> bool:
    return repr(one) == repr(other)  # of floats too: NaN, and the sign of 0


@given(st.lists(TEXTS, max_size=6))
def test_words_are_cut_together_as_they_are_one_by_one(words: list[str]) -> None:
    plain = [token for word in words for token in (_cut(word) if has_unspaced(word) else [word])]
    assert split_unspaced(iter(words)) == plain


@given(TEXTS)
@example("the king`s 1,500 'S men's_x")
def test_a_claim_in_ascii_has_the_words_of_any_claim(text: str) -> None:
    assert claim_words(text) == _words(_form_of_any(text))
    assert _form(text) == _form_of_any(text)


@given(st.text("019.,a ", max_size=12))
@example("1,500.0,5 .1 1. ,2")
def test_separators_within_numbers_are_found_quickly_where_they_stand(text: str) -> None:
    assert _IN_NUMBER.sub("", text) == re.sub(r"(?<=\d)[.,](?=\d)", "", text)


def test_each_character_of_ascii_is_parted_as_any_character() -> None:
    for code in range(128):
        text = f"x{chr(code)}y{chr(code)}s 1{chr(code)}2"
        assert claim_words(text) == _words(_form_of_any(text)), unicodedata.name(chr(code), hex(code))


@given(st.dictionaries(TEXTS, st.lists(TEXTS | st.none() | st.integers(0, 9), max_size=3), max_size=3))
@example({"a": ["\\u001b", "\\", "\b", "\f", '"', "/"]})
def test_items_of_a_page_are_escaped_whether_or_not_that_is_found_to_be_needed(value: dict[str, Any]) -> None:
    assert _encoded(value) == msgspec.json.encode(_safe(value))


@given(ITEMS)
def test_the_worst_scores_of_the_default_pack_depend_on_the_kind_of_an_item_alone(item: Item) -> None:
    answers, unanswerable, context, choices = _kind(item)
    other = Item(
        id="other", dataset="other", question="", answers=("x",) * answers, is_unanswerable=unanswerable,
        context="y" if context else None, choices=("z",) * choices,
    )  # fmt: skip
    scorers = load_scorers()
    assert same(worst_scores(item, scorers), worst_scores(other, scorers))


@given(st.lists(st.tuples(ITEMS, TEXTS), max_size=5), st.sampled_from(list(RULES.values())))
def test_scores_by_column_are_those_of_answers_one_by_one(pairs: list[tuple[Item, str]], rules: Any) -> None:
    panel = Panel(load_scorers())
    given_ = [(prepare_gold(item, rules, ScoringSettings()), Response(text)) for item, text in pairs]
    plain = [tuple(panel._score(panel._rows, gold, prepare_answer(gold, each))) for gold, each in given_]
    assert same(panel.score_all(given_), plain)


def test_scores_are_floats_without_a_negative_zero() -> None:
    scores = Panel(load_scorers()).score(
        prepare_gold(Item(id="q", dataset="d", question="?", answers=("a b",)), "custom", ScoringSettings()),
        Response("c"),
    )
    assert all(isinstance(score, float) and math.copysign(1, score) == 1 for score in scores)


@given(TEXTS.filter(lambda text: text.isprintable()) | st.text(alphabet="aZ09-_.", max_size=20))
@example("_-")
@example("--__")
@example("")
def test_an_item_id_is_escaped_whole_as_it_is_character_by_character(text: str) -> None:
    assert ids._escape(text) == ids._SPECIAL.sub(ids._escape_one, text)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=9), st.randoms(use_true_random=False), st.integers(0, 40))
def test_rows_that_are_read_together_are_those_read_one_by_one(lines: list[bytes], source: Any, largest: int) -> None:
    starts = [sum(map(len, lines[:at])) for at in range(len(lines))]
    chosen = [source.choice([None, *range(len(lines))]) for _ in range(12)]
    index = RowIndex(
        array("q", [-1 if at is None else starts[at] for at in chosen]),
        array("q", [0 if at is None else len(lines[at]) for at in chosen]),
        set(),
    )
    with tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(b"".join(lines))
        file.flush()
        patch.setattr(row_index, "_READ_TOGETHER", 5)
        patch.setattr(row_index, "_LARGEST_BLOCK", largest)
        found = list(lines_at(file, index, range(1, 12)))
    assert found == [b"" if at is None else lines[at] for at in chosen[1:]]
