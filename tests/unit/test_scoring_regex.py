"""Regular expressions of the user's: what matches, what is refused, and how long it may take."""

from __future__ import annotations

import pytest

from promptrial.config.typed import SettingsError
from promptrial.errors import ScoreError
from promptrial.scoring.expressions import _said, compiled
from tests.support.processor_time import at_most
from tests.support.scoring import item_of, score_of, scorer_of


@pytest.mark.parametrize(
    ("settings", "answer", "score"),
    [
        ({"pattern": r"\d{4}"}, "born in 1806", 1),
        ({"pattern": r"^\d{4}$"}, "born in\n1806", 0),
        ({"pattern": r"^\d{4}$", "multiline": True}, "born in\n1806", 1),
        ({"pattern": "PARIS"}, "Paris", 0),
        ({"pattern": "PARIS", "case": False}, "Paris", 1),
        ({"pattern": "a.b"}, "a\nb", 0),
        ({"pattern": "a.b", "dotall": True}, "a\nb", 1),
        ({"pattern": r"\d+", "whole": True}, " 12 ", 1),
        ({"pattern": r"\d+", "whole": True}, "12 apples", 0),
        ({"pattern": r"(?i)über", "case": True}, "ÜBER", 1),
        ({"pattern": "."}, "I don't know.", 1),
        ({"pattern": "x"}, "\ud800x", 1),
        ({"pattern": "\ud800"}, "?", 0),
    ],
)
def test_a_configured_pattern_is_matched_against_every_answer(
    settings: dict[str, object], answer: str, score: float
) -> None:
    for item in (item_of("gold"), item_of(), item_of(is_unanswerable=False)):
        assert score_of(scorer_of("regex", **settings), item, answer) == score


def test_accepted_answers_can_be_patterns() -> None:
    scorer = scorer_of("regex", from_gold=True)
    item = item_of("Paris|Lutetia", r"\bCity of Light\b")
    assert [score_of(scorer, item, text) for text in ("Old Lutetia", "the City of Light.", "Rome")] == [1, 1, 0]
    assert score_of(scorer, item_of(), "I don't know.") == 1
    assert score_of(scorer, item_of("."), "I don't know.") == 0
    with pytest.raises(
        ScoreError, match=r"accepted answer of item '1' of d: 'C\+\+\+' is not a valid RE2 regular expression"
    ):
        score_of(scorer, item_of("C+++"), "C")


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(", "is not a valid RE2 regular expression: missing \\)"),
        ("(?=a)b", "look-around and back references are not supported"),
        ("(?<!a)b", "look-around and back references are not supported"),
        (r"(a)\1", "look-around and back references are not supported"),
        ("(?:(?:a{1,100}){1,100}){1,9}", "is not a valid RE2 regular expression"),
        (r"[\p{L}]{1000}" * 9, "pattern too large"),
        (r"[\p{L}]{100}", "pattern too large"),
        ("x" * 1001, "at most 1,000 characters; given: 1,001"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_when_it_is_read(pattern: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        scorer_of("regex", pattern=pattern)


def test_the_first_argument_of_an_error_says_what_is_wrong() -> None:
    assert [_said(error) for error in (ValueError(), ValueError(b"a", "b"), ValueError("c", "d"))] == ["", "a", "c"]


@pytest.mark.parametrize("settings", [{}, {"pattern": "a", "from_gold": True}, {"pattern": ""}])
def test_exactly_one_source_of_patterns_must_be_given(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="give either `pattern` or `from_gold: true`"):
        scorer_of("regex", **settings)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*a){20}b", r"^(\w+\s?)*$"])
def test_patterns_that_make_other_engines_hang_are_matched_quickly(pattern: str) -> None:
    with at_most(5):
        assert score_of(scorer_of("regex", pattern=pattern), item_of("x"), "a" * 50_000 + "!") == 0


def test_nothing_is_printed_about_a_pattern_that_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="missing"):
        compiled("((")
    assert capfd.readouterr() == ("", "")
