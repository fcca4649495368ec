"""Each fast path gives the same values as its plain counterpart, whatever the text."""

from __future__ import annotations

import math
import re
import tempfile
import unicodedata
from array import array
from typing import Any, Final

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptrial.model import Item, RequestId, ids
from promptrial.phases import row_index
from promptrial.phases.predictions import ANSWER_COLUMNS, answer_rows, answers_in
from promptrial.phases.row_index import RowIndex, lines_at
from promptrial.phases.stats import _kind
from promptrial.reporting.page.items import _encoded, _safe
from promptrial.scoring.aggregate import summarize_columns, summarize_replicates
from promptrial.scoring.base import Gold, PreparedAnswer, ScoringSettings, load_scorers, prepare_answer, prepare_gold
from promptrial.scoring.batches import prepare_answers, prepare_golds
from promptrial.scoring.characters import _cut, has_unspaced, split_unspaced
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import CUSTOM, RULES
from promptrial.scoring.panel import Panel, scores_one_by_one, worst_scores
from promptrial.scoring.refusals import are_abstentions, is_abstention
from promptrial.scoring.support import (
    _IN_NUMBER,
    Passage,
    _form,
    _form_of_any,
    _words,
    claim_of,
    claim_words,
    claims_of,
)
from promptrial.scoring.types.exact_match import ExactMatch
from promptrial.scoring.types.unsupported import Unsupported
from promptrial.store.tables import Column, _csv_lines, _guarded, _printable, _quoted, arrow_table

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
REFUSALS: Final = [
    "I don't know.",
    "I do*n't* `know`",
    "Unknown",
    "no comment",
    "No lo s\xe9.",
    "\u4e0d\u77e5\u9053",
    "Sorry, it does not say.",
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
def test_splitting_words_together_equals_splitting_one_by_one(words: list[str]) -> None:
    plain = [token for word in words for token in (_cut(word) if has_unspaced(word) else [word])]
    assert split_unspaced(iter(words)) == plain


@given(TEXTS)
@example("the king`s 1,500 'S men's_x")
def test_the_ascii_path_gives_the_words_of_the_general_path(text: str) -> None:
    assert claim_words(text) == _words(_form_of_any(text))
    assert _form(text) == _form_of_any(text)


@given(st.text("019.,a ", max_size=12))
@example("1,500.0,5 .1 1. ,2")
def test_separators_within_numbers_are_found_by_the_fast_path(text: str) -> None:
    assert _IN_NUMBER.sub("", text) == re.sub(r"(?<=\d)[.,](?=\d)", "", text)


def test_each_ascii_character_is_split_like_any_character() -> None:
    for code in range(128):
        text = f"x{chr(code)}y{chr(code)}s 1{chr(code)}2"
        assert claim_words(text) == _words(_form_of_any(text)), unicodedata.name(chr(code), hex(code))


@given(st.dictionaries(TEXTS, st.lists(TEXTS | st.none() | st.integers(0, 9), max_size=3), max_size=3))
@example({"a": ["\\u001b", "\\", "\b", "\f", '"', "/"]})
def test_items_of_a_page_are_escaped_with_and_without_the_fast_check(value: dict[str, Any]) -> None:
    assert _encoded(value) == msgspec.json.encode(_safe(value))


@given(ITEMS)
def test_the_worst_scores_of_the_default_pack_depend_only_on_the_kind_of_an_item(item: Item) -> None:
    answers, unanswerable, context, choices = _kind(item)
    other = Item(
        id="other", dataset="other", question="", answers=("x",) * answers, is_unanswerable=unanswerable,
        context="y" if context else None, choices=("z",) * choices,
    )  # fmt: skip
    scorers = load_scorers()
    assert same(worst_scores(item, scorers), worst_scores(other, scorers))


@given(st.lists(st.tuples(ITEMS, TEXTS), max_size=5), st.sampled_from(list(RULES.values())))
def test_scoring_by_column_equals_scoring_one_by_one(pairs: list[tuple[Item, str]], rules: Any) -> None:
    panel = Panel(load_scorers())
    given_ = [(prepare_gold(item, rules, ScoringSettings()), Response(text)) for item, text in pairs]
    plain = [tuple(scores_one_by_one(panel._measures, gold, prepare_answer(gold, each))) for gold, each in given_]
    assert same(panel.score_all(given_), plain)


@given(st.lists(st.tuples(ITEMS, TEXTS), max_size=5), st.sampled_from(["overlap", "exact"]))
def test_each_scorer_scores_many_answers_like_single_ones(pairs: list[tuple[Item, str]], strategy: Any) -> None:
    golds = [prepare_gold(item, "custom", ScoringSettings()) for item, _ in pairs]
    answers = [(gold, prepare_answer(gold, Response(text))) for gold, (_, text) in zip(golds, pairs, strict=True)]
    for scorer in (*load_scorers().values(), Unsupported(strategy)):
        assert same(list(scorer.score_many(answers)), [scorer.score(*each) for each in answers])


def test_a_subclass_with_its_own_score_method_scores_answer_by_answer() -> None:
    class Never(ExactMatch):
        def score(self, gold: Gold, answer: PreparedAnswer) -> float:
            del gold, answer
            return 0.0

    gold = prepare_gold(Item(id="q", dataset="d", question="?", answers=("a b",)), "custom", ScoringSettings())
    assert Panel({"never": Never(), "em": ExactMatch()}).score(gold, Response("a b")) == (0.0, 1.0)


@given(st.lists(TEXTS, max_size=6), st.sampled_from([*RULES.values(), CUSTOM]))
def test_normalising_texts_together_equals_normalising_each(texts: list[str], rules: Any) -> None:
    assert rules.words_of_each(texts) == [rules.words(text) for text in texts]


@given(st.lists(TEXTS, max_size=6))
@example(["\u0391\u03a3", "\u0391", "'", "s 1,", "5"])
def test_preparing_claims_together_equals_preparing_one_by_one(texts: list[str]) -> None:
    assert claims_of(texts) == [claim_of(text) for text in texts]


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=9), st.sampled_from([0.0, 0.2, 0.5, 0.6, 2 / 3, 1.0]))
@example(["a", "b", "c", "d", "d"], 0.6)
@example(["a", "c", "d"], 1 / 3)
def test_the_early_decision_on_a_share_of_words_equals_counting(words: list[str], least: float) -> None:
    share = sum(word in {"a", "b"} for word in words) / len(words) if words else 1.0
    assert Passage("b, a!").has_share(words, least) == (share >= least)


@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS, st.none() | st.just(-0.5)), max_size=5))
@example([("=1", "plain", None)])
@example([("a\x1b[2J", "b", None), ("\u202e", "\t\n", None)])
def test_csv_lines_written_together_equal_those_written_cell_by_cell(rows: list[tuple[Any, ...]]) -> None:
    table = arrow_table(
        [("a", "text"), ("b", "text"), ("n", "float")], [(*map(_whole, row[:2]), row[2]) for row in rows]
    )
    plain = [_printable(_guarded(column)) for column in table.columns]
    assert _csv_lines(table) == _quoted(pa.Table.from_arrays(plain, schema=table.schema))


@given(TEXTS, TEXTS)
@example("a the-b 1,5\x00x", "the b x 15 5")
def test_a_word_is_found_in_the_split_passage_exactly_if_it_is_one_of_its_words(text: str, other: str) -> None:
    passage = Passage(text)
    words = [*claim_words(text), *claim_words(other)]
    assert [f" {word} " in passage.parted for word in words] == [f" {word} " in passage.words for word in words]


@given(st.lists(TEXTS | st.sampled_from(REFUSALS), max_size=6), st.sampled_from([(), ("no comment",)]))
def test_checking_texts_together_finds_the_same_refusals_as_one_by_one(texts: list[str], extra: Any) -> None:
    assert are_abstentions(texts, extra) == [is_abstention(text, extra) for text in texts]


@given(st.lists(st.tuples(ITEMS, TEXTS | st.sampled_from(REFUSALS)), max_size=5))
def test_preparing_items_and_answers_together_equals_one_by_one(
    pairs: list[tuple[Item, str]],
) -> None:
    settings, rules = ScoringSettings(), [list(RULES.values())[at % 5] for at in range(len(pairs))]
    golds = [prepare_gold(item, each, settings) for (item, _), each in zip(pairs, rules, strict=True)]
    assert prepare_golds([(item, each) for (item, _), each in zip(pairs, rules, strict=True)], settings) == golds
    given_ = [(gold, Response(text)) for gold, (_, text) in zip(golds, pairs, strict=True)]
    assert prepare_answers(given_) == [prepare_answer(*each) for each in given_]


SCORES = st.lists(st.floats(0, 1) | st.just(math.nan), min_size=2, max_size=2)


@given(st.lists(st.lists(SCORES, max_size=4), max_size=5))
@example([[[0.1, 1.0]], [], [[0.2, math.nan]]])
@example([[], []])
def test_summarizing_replicates_together_equals_summarizing_each_item(items: list[list[list[float]]]) -> None:
    columns = [[scores[place] for each in items for scores in each] for place in range(2)]
    found = summarize_columns(columns, [len(each) for each in items])
    plain = [summarize_replicates(each, 2) for each in items]
    assert same([list(each) for each in found.means], [[row.means[place] for row in plain] for place in range(2)])
    assert same([list(each) for each in found.stds], [[row.stds[place] for row in plain] for place in range(2)])


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS | st.none() | st.just(""), st.none() | st.just("500")), max_size=5))
def test_reading_answers_by_column_equals_reading_row_by_row(cells: list[tuple[Any, ...]]) -> None:
    kept = [[_whole(cell) for cell in row] for row in cells]
    rows = [(*row[:2], "control", "0.0", *row[2:]) for row in kept]
    columns: list[Column] = [(name, "text") for name in ANSWER_COLUMNS]
    table, numbers = arrow_table(columns, rows), range(7, 7 + len(rows))
    assert [*answers_in(table, ANSWER_COLUMNS, numbers)] == [*answer_rows(zip(numbers, rows, strict=True))]


def _whole(text: str | None) -> str | None:
    """Return a text without lone surrogates, which no table has."""
    return None if text is None else text.replace("\ud800", "")


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
def test_escaping_an_item_id_at_once_equals_escaping_by_character(text: str) -> None:
    assert ids._escape(text) == ids._SPECIAL.sub(ids._escape_one, text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["d", "d_e"]), st.text(max_size=30) | st.just("a_b-c"), st.integers(0, 9)), max_size=5
    )
)
@example([("d", "a", 0), ("d", "b\n", 1)])
@example([("d", "", 0)])
@example([("d", "x" * 70, 0), ("d", "y", 0)])
def test_encoding_requests_together_gives_the_id_of_each(cells: list[tuple[str, str, int]]) -> None:
    requests = [RequestId(dataset, item, "control", "0.7", sample, "open") for dataset, item, sample in cells]
    assert ids.wire_encode_all(requests) == [ids.wire_encode(rid) for rid in requests]


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=9), st.randoms(use_true_random=False), st.integers(0, 40))
def test_reading_rows_together_equals_reading_one_by_one(lines: list[bytes], source: Any, largest: int) -> None:
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
