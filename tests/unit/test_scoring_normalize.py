"""Each official normaliser does what its script does, also where it goes about it differently."""

# ruff: noqa: RUF001 - quote marks of every kind

import re

import pytest

from promptrial.errors import ConfigError
from promptrial.scoring.normalize import CUSTOM, NQ_OPEN, SQUAD_V2, TRIVIAQA, rules_for, without_articles


def test_squad_deletes_ascii_punctuation_and_keeps_other_punctuation() -> None:
    assert SQUAD_V2.normalize("The U.S.A.'s “best” — so-called") == "usas “best” — socalled"


def test_squad_removes_articles_at_word_boundaries_other_than_spaces() -> None:
    assert SQUAD_V2.normalize("“The” theatre – a–the b") == "“ ” theatre – – b"


def test_squad_lowercases_before_removing_articles_and_after_removing_punctuation() -> None:
    assert SQUAD_V2.tokens("A.N. T-H-E other") == ["other"]


def test_triviaqa_makes_punctuation_underscores_and_curly_quotes_a_space() -> None:
    assert TRIVIAQA.normalize("Rock_’n’_Roll, O`Brien´s (the band)") == "rock n roll o brien s band"


def test_triviaqa_keeps_double_curly_quotes_and_dashes() -> None:
    assert TRIVIAQA.normalize("“a–b”") == "“ –b”"


def test_nq_open_compares_composed_and_decomposed_letters_as_equal_and_squad_does_not() -> None:
    assert NQ_OPEN.normalize("caf\u00e9") == NQ_OPEN.normalize("cafe\u0301")
    assert SQUAD_V2.normalize("caf\u00e9") != SQUAD_V2.normalize("cafe\u0301")


def test_a_lone_surrogate_is_kept() -> None:
    assert SQUAD_V2.tokens("the \ud800 end.") == ["\ud800", "end"]


@pytest.mark.parametrize("text", ["", " \n\t", "...", "The", "a an the"])
def test_a_text_of_articles_and_punctuation_has_no_token(text: str) -> None:
    assert SQUAD_V2.tokens(text) == []


def test_removing_articles_equals_the_regular_expression_of_the_scripts_with_control_characters_too() -> None:
    words = ["the", "\x00the", "a\x7fb", "an\u0301", "the\u200bend", "anthem", "–a", "ａ"]
    assert without_articles(words) == re.sub(r"\b(a|an|the)\b", " ", " ".join(words)).split()


@pytest.mark.parametrize(
    ("format_name", "rules"),
    [("squad_v2", SQUAD_V2), ("custom", CUSTOM), ("nq_open", NQ_OPEN), ("triviaqa", TRIVIAQA)],
)
def test_a_dataset_format_decides_the_rules(format_name: str, rules: object) -> None:
    assert rules_for(format_name) is rules


def test_an_unknown_format_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown dataset format 'trivia_qa'; did you mean 'triviaqa'\?"):
        rules_for("trivia_qa")


def test_a_haystack_has_each_token_between_spaces_and_no_other_word() -> None:
    haystack = SQUAD_V2.haystack("The river–the\nNile – isn't a  lake.")
    assert all(f" {token} " in haystack for token in ["river–", "nile", "–", "isnt", "lake"])
    assert not any(f" {token} " in haystack for token in ["river", "river–the", "isn", "is", "lak"])
