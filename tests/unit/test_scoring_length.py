"""Length: units, bounds, and where the scale ends."""

from __future__ import annotations

import pytest

from promptrial.config.typed import SettingsError
from promptrial.errors import ScoreError
from promptrial.scoring.contract import Response
from promptrial.scoring.panel import worst_scores
from tests.support.scoring import item_of, score_of, scorer_of

ITEM = item_of("x")


@pytest.mark.parametrize(
    ("unit", "response", "length"),
    [
        ("words", "It's 3.5 km - or more!", 5),
        ("words", "I don't know.", 3),
        ("words", "王伟建造。", 4),
        ("words", "...", 0),
        ("characters", "  Paris.\n", 6),
        ("characters", "王伟", 2),
        ("tokens", Response("Paris", completion_tokens=12), 12),
        ("tokens", Response("Paris", completion_tokens=12, reasoning_tokens=10), 12),
    ],
)
def test_each_unit_measures_the_recorded_answer(unit: str, response: str | Response, length: float) -> None:
    assert score_of(scorer_of("length", unit=unit), ITEM, response) == length
    assert score_of(scorer_of("length", unit=unit), item_of(is_unanswerable=False), response) == length


def test_longer_answers_count_as_the_cap() -> None:
    assert score_of(scorer_of("length"), ITEM, "word " * 2000) == 1000
    assert score_of(scorer_of("length", cap=3), ITEM, "a b c d") == 3
    assert scorer_of("length", unit="characters").declared.range == (0, 10_000)
    assert scorer_of("length", unit="tokens").declared.needs == ("response",)


@pytest.mark.parametrize(
    ("settings", "scores"),
    [
        ({"max": 2}, [1, 1, 0]),
        ({"min": 2}, [0, 1, 1]),
        ({"min": 2, "max": 2}, [0, 1, 0]),
        ({"max": 0}, [0, 0, 0]),
    ],
)
def test_bounds_make_the_length_score_binary(settings: dict[str, object], scores: list[float]) -> None:
    scorer = scorer_of("length", **settings)
    assert (scorer.declared.scale, scorer.declared.direction) == ("binary", "higher")
    assert [score_of(scorer, ITEM, text) for text in ("one", "one two", "one two three")] == scores


def test_the_length_question_is_worded_with_its_bounds() -> None:
    asked = [
        scorer_of("length", **settings).declared.meaning
        for settings in ({}, {"max": 50}, {"min": 5}, {"min": 5, "max": 1500, "unit": "characters"})
    ]
    assert asked == [
        "How many words does the answer have, 1,000 at most?",
        "Does the answer have at most 50 words?",
        "Does the answer have at least 5 words?",
        "Does the answer have 5 to 1,500 characters?",
    ]


def test_a_missing_answer_has_the_worse_end_or_zero_length() -> None:
    lengths = {
        "neither": scorer_of("length"),
        "shorter": scorer_of("length", direction="lower", cap=9),
        "longer": scorer_of("length", direction="higher"),
        "within": scorer_of("length", max=5),
    }
    assert worst_scores(ITEM, lengths) == (0, 9, 0, 0)


def test_tokens_that_the_provider_did_not_count_are_an_error_that_says_so() -> None:
    with pytest.raises(ScoreError, match="the provider did not say how many tokens the answer to item '1' of d has"):
        score_of(scorer_of("length", unit="tokens"), ITEM, "Paris")


@pytest.mark.parametrize(
    "settings",
    [
        {"unit": "lines"},
        {"min": 5, "max": 4},
        {"min": -1},
        {"max": 5, "cap": 9},
        {"max": 5, "direction": "lower"},
        {"cap": 0},
        {"cap": 10**10},
        {"direction": "up"},
    ],
)
def test_incompatible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        scorer_of("length", **settings)
