"""Includes and starts_with: what counts as standing in an answer."""

# ruff: noqa: RUF001 - scripts of every kind

from __future__ import annotations

import pytest

from promptrial.config.typed import SettingsError
from promptrial.model import Item
from tests.support.scoring import item_of, score_of, scorer_of


@pytest.mark.parametrize(
    ("gold", "answer", "includes", "starts"),
    [
        ("Berlin", "The capital of Germany is Berlin", 1, 0),
        ("Berlin", "Berlin is the capital", 1, 1),
        ("Berlin", "**Berlin.**", 1, 1),
        ("Berlin", "the Berlin wall", 1, 1),  # articles are no words
        ("Berlin", "He is a Berliner", 0, 0),
        ("Berlin", "Berliner", 0, 0),
        ("Berlin", "Berlin-based firms", 1, 1),
        ("Berlin", "East-Berlin", 1, 0),
        ("Berlin", "Answer:Berlin", 1, 0),
        ("Berlin", "Munich/Berlin", 1, 0),
        ("Berlin", "Berlin—Germany’s capital", 1, 1),
        ("Berlin", "Berlin's mayor", 1, 1),
        ("Berlin", "BERLIN", 1, 1),
        ("New York", "in New  York City", 1, 0),
        ("New York", "York, New", 0, 0),
        ("8", "It has 8 legs.", 1, 0),
        ("8", "It has 18 legs, 80 eyes, 8.5 feet.", 0, 0),
        ("500", "about 1,500", 0, 0),
        ("yes", "Yes, because it is.", 1, 1),
        ("no", "Yes. There is no doubt.", 1, 0),  # a negation is not read: why starts_with is there
        ("no", "Nothing, know, note", 0, 0),
        ("no", "I do not know.", 0, 0),  # an abstention
        ("know", "I do not know.", 0, 0),
        ("王伟", "这座磨坊由王伟建造", 1, 0),
        ("王伟", "这座磨坊由王建造伟", 0, 0),
        ("กรุงเทพ", "เมืองหลวงคือกรุงเทพมหานคร", 1, 0),
        ("A+", "The blood type is A+", 1, 0),  # the rules leave nothing of it
        ("The", "The", 1, 1),
    ],
)
@pytest.mark.parametrize("rules", ["custom", "squad_v2", "nq_open"])
def test_an_accepted_answer_is_found_as_whole_words(
    gold: str, answer: str, includes: float, starts: float, rules: str
) -> None:
    item = item_of(gold)
    assert score_of(scorer_of("includes"), item, answer, rules) == includes
    assert score_of(scorer_of("starts_with"), item, answer, rules) == starts


@pytest.mark.parametrize("kind", ["includes", "starts_with"])
@pytest.mark.parametrize("rules", ["custom", "squad_v2", "nq_open", "triviaqa"])
@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("$1.5 million", "$15 million", 0), ("$1.5 million", "$1.5 million in all", 1), ("2.5 kg", "25 kg", 0),
        ("10.5%", "105%", 0), ("1.5", "15", 0), ("15", "1.5", 0), ("2", "2.0 of them", 1), ("1.5", "1.5.", 1),
        ("1,500", "1500 men", 1), ("1500", "1,500 men", 1), ("5", "-5", 0), ("-5", "5", 0), ("-5", "−5 °C", 1),
        ("5", "2.5", 0), ("8", "8.5 feet", 0), ("1914", "1914-1918", 1), ("2,5", "25", 0), ("5", "5.", 1),
    ],
)  # fmt: skip
def test_a_number_is_found_only_if_it_is_equal(kind: str, rules: str, gold: str, answer: str, score: float) -> None:
    assert score_of(scorer_of(kind), item_of(gold), answer, rules) == score


@pytest.mark.parametrize("rules", ["custom", "squad_v2", "nq_open", "triviaqa"])
@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1, 2, 3", "1,2,3"), ("1,2,3", "1, 2, 3"), ("January 1, 2000", "January 1,2000"), ("2020", "Am 12.05.2020."),
        ("(3, 4)", "The point is (3,4)."), ("(3,4)", "It is (3, 4)."), ("4", "(3,4)"), ("2,5", "about 2,5 kg (2,5)"),
        ("1941", "On December 7,1941."), ("1,000,000", "1 000 000"), ("1 000 000", "1,000,000 men"),
        ("1,500", "1 500 men"), ("1 500", "1 500"), ("2 eggs", "You need:\n-2 eggs\n-5 apples"), ("5", "-2 is\n-5 is"),
        ("1969", "Moon landing\n-1969"), ("24 hours", "A day\n–24 hours"), ("1.2.3", "version 1.2.3"),
        ("-5", "It is:\n-5"), ("-2 eggs", "You need:\n-2 eggs"), ("Python 3.10", "It is Python 3.10."),
    ],
)  # fmt: skip
def test_numbers_separated_only_by_marks_and_ambiguous_numbers_are_found(gold: str, answer: str, rules: str) -> None:
    assert score_of(scorer_of("includes"), item_of(gold), answer, rules) == 1


@pytest.mark.parametrize("rules", ["custom", "triviaqa"])
@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("Python 3.1", "It is Python 3.10."), ("3.10", "It is 3.1."), ("5", "It is:\n-5"), ("5", "-5 degrees"),
        ("3.1", "Section 3.1.2"), ("500,000", "1,500,000"), ("5", "1,5"), ("5", "1.5,2.5"), ("500", "(1,500)"),
        ("1,5", "15"), ("1.5", "1 500"),
    ],
)  # fmt: skip
def test_other_versions_and_parts_of_numbers_are_not_found(gold: str, answer: str, rules: str) -> None:
    assert score_of(scorer_of("includes"), item_of(gold), answer, rules) == 0


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("1, 2", "1,2"), ("1,2", "1, 2"), ("1, 2, 3", "1 2 3"), ("1941", "1941."), ("1,000", "1 000"), ("3-4", "3 4")],
)
def test_an_exact_match_is_included_unless_its_numbers_differ(gold: str, answer: str) -> None:
    item = item_of(gold)
    assert score_of(scorer_of("exact_match"), item, answer, "triviaqa") == 1
    assert score_of(scorer_of("includes"), item, answer, "triviaqa") == 1
    assert score_of(scorer_of("includes"), item_of("1.5"), "1 5", "triviaqa") == 0


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("1941", "On December 7,1941."), ("2020", "Am 12.05.2020 war es."), ("3", "[1,3]"), ("2 eggs", "For it:\n-2 eggs"),
     ("12.05.2020", "Am 12.05.2020."), ("1,2,3", "See 1,2,3.")],
)  # fmt: skip
def test_numbers_separated_only_by_marks_are_found_without_normalisation(gold: str, answer: str) -> None:
    assert score_of(scorer_of("includes", normalize=False), item_of(gold), answer) == 1


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("5", "2.5"), ("5", "5.5"), ("5", "1,5 or 5,000"), ("5", "at -5 °C"), ("1.5", "11.5"), ("$5", "$5.50")],
)
def test_a_number_is_not_found_inside_another_without_normalisation(gold: str, answer: str) -> None:
    assert score_of(scorer_of("includes", normalize=False), item_of(gold), answer) == 0
    assert score_of(scorer_of("includes", normalize=False), item_of(gold), f"{answer}: {gold}.") == 1


def test_partial_numbers_are_searched_without_equating_1_5_and_15() -> None:
    assert score_of(scorer_of("includes", words=False), item_of("1.5"), "115 kg") == 0
    assert score_of(scorer_of("includes", words=False), item_of("1.5"), "11.5 kg") == 1


def test_exact_match_and_unsupported_claims_keep_their_definitions() -> None:
    item = item_of("1.5", context="Revenue was 1.5 million.")
    assert score_of(scorer_of("exact_match"), item, "15") == 1
    assert score_of(scorer_of("unsupported"), item, "15 million") == 0


@pytest.mark.parametrize("kind", ["includes", "starts_with"])
def test_another_search_for_numbers_has_a_new_version_so_that_finished_runs_are_scored_again(kind: str) -> None:
    assert scorer_of(kind).declared.version == 3


def test_any_accepted_answer_counts_and_an_exact_match_is_included() -> None:
    item = item_of("Duke Rollo", "A+")
    for kind in ("includes", "starts_with"):
        assert score_of(scorer_of(kind), item, "Rollo") == 0
        assert score_of(scorer_of(kind), item, "Duke Rollo of Normandy") == 1
        assert score_of(scorer_of(kind), item, "A+", "nq_open") == 1


@pytest.mark.parametrize("kind", ["includes", "starts_with"])
def test_an_abstention_scores_as_exact_match_does(kind: str) -> None:
    scorer = scorer_of(kind)
    assert score_of(scorer, item_of("Unknown"), "Unknown") == 1
    assert score_of(scorer, item_of("Rollo"), "Unknown") == 0
    assert score_of(scorer, item_of(), "I don't know.") == 1
    assert score_of(scorer, item_of(), "Rollo") == 0
    assert score_of(scorer, item_of("x"), "Pass", refusals=("pass",)) == 0


def test_parts_of_words_count_if_whole_words_are_off() -> None:
    item = item_of("Berlin")
    assert score_of(scorer_of("includes", words=False), item, "He is a Berliner") == 1
    assert score_of(scorer_of("starts_with", words=False), item, "Berliner") == 1
    assert score_of(scorer_of("starts_with", words=False), item, "A Berliner") == 1  # the article is no word
    assert score_of(scorer_of("includes", words=False), item_of("The"), "Paris") == 0


@pytest.mark.parametrize(
    ("gold", "answer", "settings", "score"),
    [
        ("the End", "This is The  End.", {}, 1),
        ("the End", "This is The End.", {"case": True}, 0),
        ("The End", "This is The\nEnd.", {"case": True}, 1),
        ("a.b", "see a.b, then", {}, 1),
        ("a.b", "see ab", {}, 0),
        ("End", "Ending", {}, 0),
        ("End", "Ending", {"words": False}, 1),
        ("C++", "I like C++!", {}, 1),
        ("王", "小王伟", {}, 1),
        ("", "anything", {}, 0),
        ("5", "1 5 15", {}, 1),
        ("5", "15", {}, 0),
    ],
)
def test_texts_are_compared_unchanged_without_normalize(
    gold: str, answer: str, settings: dict[str, object], score: float
) -> None:
    item = Item(id="1", dataset="d", question="?", answers=(gold,))
    assert score_of(scorer_of("includes", normalize=False, **settings), item, answer) == score


def test_starts_with_checks_only_the_start_without_normalize() -> None:
    scorer = scorer_of("starts_with", normalize=False)
    assert score_of(scorer, item_of("No"), "  no, never") == 1
    assert score_of(scorer, item_of("No"), "Not so, no") == 0


def test_case_sensitivity_needs_unnormalised_texts() -> None:
    with pytest.raises(SettingsError, match="needs `normalize: false`"):
        scorer_of("includes", case=True)


def test_items_without_a_gold_are_left_out() -> None:
    item = item_of(is_unanswerable=False)
    assert str(score_of(scorer_of("includes"), item, "Berlin")) == "nan"


@pytest.mark.parametrize(
    ("gold", "answer", "includes", "starts"),
    [
        ("+", "+", 1, 1), ("+", " + ", 1, 1), ("+", "-", 0, 0), ("+", "?", 0, 0), ("+", "+ or -", 1, 1),
        ("+", "The sign is +.", 1, 0), ("<", "> ", 0, 0), ("A", "A", 1, 1), ("A", "a", 1, 1), ("A", "the", 0, 0),
        ("A", "the grade is A", 1, 0), ("A", "It is a cat", 0, 0), ("The", "An", 0, 0), ("-", "Berlin", 0, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [True, False])
def test_a_gold_that_normalises_to_nothing_is_searched_as_written(
    gold: str, answer: str, includes: float, starts: float, words: bool
) -> None:
    for kind, expected in (("includes", includes), ("starts_with", starts)):
        assert score_of(scorer_of(kind, words=words), item_of(gold), answer) == expected
        assert score_of(scorer_of(kind, words=words), item_of(gold, "Rome"), answer) == expected
