"""Settings of judges: which are taken, to both ends of what is allowed, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from promptrial.config.typed import SettingsError, typed
from promptrial.errors import ScoreError
from promptrial.scoring.types.judge import Judge
from promptrial.scoring.types.pairwise_judge import PairwiseJudge

EXAMPLE = {"question": "Why?", "answer": "Because.", "reason": "short", "score": 1}
PAIR = {"question": "Why?", "answer_a": "Because.", "answer_b": "No.", "reason": "it says why", "winner": "A"}


def settings(**changes: Any) -> dict[str, Any]:
    return {"model": "m", "rubric": "Be fair."} | changes


@pytest.mark.parametrize("kind", [Judge, PairwiseJudge])
@pytest.mark.parametrize(
    "changes", [{"max_tokens": 1}, {"max_tokens": 100_000}, {"temperature": 0.0}, {"temperature": 2.0}]
)
def test_what_is_allowed_is_taken_to_both_ends(kind: type, changes: dict[str, Any]) -> None:
    found: Any = typed(kind, settings(**changes))
    assert {name: getattr(found, name) for name in changes} == changes


@pytest.mark.parametrize("kind", [Judge, PairwiseJudge])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": ""}, "`model` is missing: the alias of a model in `models`"),
        ({"max_tokens": 0}, "`max_tokens` is 0; allowed: 1 to 100,000"),
        ({"max_tokens": 100_001}, "`max_tokens` is 100001; allowed: 1 to 100,000"),
        ({"temperature": -0.1}, "`temperature` is -0.1; allowed: 0 to 2"),
        ({"temperature": 2.1}, "`temperature` is 2.1; allowed: 0 to 2"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(kind: type, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        typed(kind, settings(**changes))
    assert said in error.value.problem


@pytest.mark.parametrize(("scale", "scores"), [([0, 1], 2), ([-3, 3], 7), ([1, 1000], 1000)])
def test_a_scale_goes_from_a_lower_to_a_higher_score_with_both_ends(scale: list[int], scores: int) -> None:
    allowed = typed(Judge, settings(scale=scale)).allowed
    assert (allowed[0], allowed[-1], len(allowed)) == (*scale, scores)


@pytest.mark.parametrize("scale", [[1, 1], [2, 1], [0, 1000]])
def test_a_scale_of_one_score_or_too_many_is_refused(scale: list[int]) -> None:
    with pytest.raises(SettingsError) as error:
        typed(Judge, settings(scale=scale))
    assert f"`scale` is {scale}; allowed: from a lower to a higher whole number" in error.value.problem


@pytest.mark.parametrize(("score", "is_allowed"), [(0, False), (1, True), (5, True), (6, False)])
def test_an_example_has_a_score_of_the_scale(score: int, *, is_allowed: bool) -> None:
    given = settings(scale=[1, 5], examples=[EXAMPLE | {"answer": "b" * 50, "score": score}])
    if is_allowed:
        assert typed(Judge, given).examples[0].score == score
        return
    with pytest.raises(SettingsError) as error:
        typed(Judge, given)
    assert f"the example '{'b' * 40}' has the score {score}, off the scale" in error.value.problem


@pytest.mark.parametrize("winner", ["A", "B", "tie", "C", ""])
def test_an_example_of_a_pair_has_a_winner_or_none(winner: str) -> None:
    given = settings(examples=[PAIR | {"winner": winner}])
    if winner in {"A", "B", "tie"}:
        assert typed(PairwiseJudge, given).examples[0].winner == winner
        return
    with pytest.raises(SettingsError) as error:
        typed(PairwiseJudge, given)
    assert f"an example has the winner {winner!r}; allowed: A, B, tie" in error.value.problem


@pytest.mark.parametrize(("scale", "kind"), [([0, 1], "binary"), ([3, 4], "binary"), ([0, 2], "continuous")])
def test_two_scores_are_a_binary_scale_and_more_a_continuous_one(scale: list[int], kind: str) -> None:
    declared = typed(Judge, settings(scale=scale)).said_of("is_polite")
    assert (declared.label, declared.scale, declared.range) == ("Is polite", kind, tuple(scale))
    assert declared.meaning == "What score does the judge m give by the rubric?"
    assert typed(Judge, settings(label="Tone")).said_of("is_polite").label == "Tone"


def test_settings_alone_judge_nothing() -> None:
    alone: Any = typed(Judge, settings())
    with pytest.raises(ScoreError, match=r"the judge m is asked by the phase \*score\* alone"):
        alone.score(None, None)
