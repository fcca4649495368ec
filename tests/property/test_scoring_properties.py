"""What holds of scores whatever the texts are."""

# ruff: noqa: RUF001 - quote marks of every kind

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.model import Item
from promptrial.scoring.aggregate import summarize_replicates
from promptrial.scoring.base import ScoringSettings, load_scorers, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import NQ_OPEN, SQUAD_V1, SQUAD_V2, TRIVIAQA, EvaluationRules, without_articles
from promptrial.scoring.panel import score_answer
from promptrial.scoring.refusals import is_abstention, refusal_form
from promptrial.scoring.support import has_share
from promptrial.scoring.types.exact_match import exact_match
from promptrial.scoring.types.token_f1 import token_f1
from promptrial.scoring.types.unsupported import Unsupported
from tests.reference.official_evaluation import NORMALIZERS, official_scores

Casing = Callable[[str], str]

words = st.sampled_from(
    ["the", "a", "an", "Rollo", "duke", "O'Neil", "O’Neil", "–", "the–", "a\u0301", "New_York", "1066", "!", "É", "\n"]
)
phrases = st.lists(words, max_size=8).map(" ".join)
texts = st.one_of(phrases, st.text(max_size=30))
rules = st.sampled_from([SQUAD_V2, SQUAD_V1, NQ_OPEN, TRIVIAQA])
refusals = st.sampled_from(
    [
        "I don't know.",
        "I do not know the answer",
        "Unanswerable",
        "The passage does not say.",
        "I’m not sure",
        "No answer",
    ]
)


@given(texts, st.lists(texts, max_size=4), rules)
def test_em_and_f1_equal_the_official_evaluation(prediction: str, golds: list[str], rule: EvaluationRules) -> None:
    ours = exact_match(prediction, golds, rule), token_f1(prediction, golds, rule)
    assert ours == official_scores(rule.name, golds, prediction)


@given(texts, rules)
def test_normalisation_equals_the_official_one(text: str, rule: EvaluationRules) -> None:
    assert rule.normalize(text) == NORMALIZERS[rule.name](text)


@given(phrases, rules)
def test_normalising_twice_changes_nothing(text: str, rule: EvaluationRules) -> None:
    once = rule.normalize(text)
    assert rule.normalize(once) == once


@given(
    st.lists(
        st.text(st.characters(exclude_characters="_", exclude_categories=["Z", "C"]), min_size=1).filter(str.split)
    )
)
def test_removing_articles_word_by_word_equals_the_scripts_regular_expression(parts: list[str]) -> None:
    split = " ".join(parts).split()
    assert without_articles(split) == re.sub(r"\b(a|an|the)\b", " ", " ".join(split)).split()


@given(texts, texts, rules)
def test_f1_is_symmetric_and_between_zero_and_one(one: str, other: str, rule: EvaluationRules) -> None:
    forward = token_f1(one, [other], rule)
    assert 0 <= forward <= 1
    assert forward == pytest.approx(token_f1(other, [one], rule), abs=1e-15)


@given(texts, st.lists(texts, min_size=1, max_size=4), rules)
def test_an_exact_match_has_an_f1_of_one_unless_it_has_no_token(
    prediction: str, golds: list[str], rule: EvaluationRules
) -> None:
    if exact_match(prediction, golds, rule) == 1 and rule.tokens(prediction):
        assert token_f1(prediction, golds, rule) == 1


@given(phrases, st.lists(phrases, min_size=1, max_size=4), phrases, rules)
def test_one_more_accepted_answer_never_lowers_a_score(
    prediction: str, golds: list[str], another: str, rule: EvaluationRules
) -> None:
    kept = [gold for gold in golds if rule.tokens(gold)]  # without one, SQuAD's rules stand for "no answer"
    if kept:
        assert exact_match(prediction, [*kept, another], rule) >= exact_match(prediction, kept, rule)
        assert token_f1(prediction, [*kept, another], rule) >= token_f1(prediction, kept, rule)


@given(phrases, texts, rules)
def test_support_is_the_share_of_tokens_in_the_passages_token_set(
    answer: str, passage: str, rule: EvaluationRules
) -> None:
    tokens, passage_tokens = rule.tokens(answer), set(rule.tokens(passage))
    expected = sum(token in passage_tokens for token in tokens) / len(tokens) if tokens else 1.0
    assert has_share(tokens, rule.haystack(passage), expected)
    assert expected == 1 or not has_share(tokens, rule.haystack(passage), math.nextafter(expected, 1))


@given(
    refusals,
    st.sampled_from([str.lower, str.upper, str.title, str.capitalize, str.swapcase]),
    st.sampled_from("'’‘`´"),
    st.sampled_from(["", "'", '"', "“", "`", "**", "_", " ", "\n"]),
    st.sampled_from(["", ".", "!", "…", "..", " .", "\n"]),
)
def test_casing_quotes_and_punctuation_never_make_a_refusal_an_answer(
    refusal: str,
    casing: Casing,
    apostrophe: str,
    wrapper: str,
    trailer: str,
) -> None:
    text = re.sub("['’]", apostrophe, casing(refusal))
    assert is_abstention(f"{wrapper}{text}{wrapper}{trailer}")


@given(st.one_of(texts, refusals), st.sampled_from([str.lower, str.upper, str.title]))
def test_an_ascii_text_is_an_abstention_in_every_casing_or_in_none(text: str, casing: Casing) -> None:
    ascii_text = text.encode("ascii", "ignore").decode()
    assert is_abstention(casing(ascii_text)) == is_abstention(ascii_text)


@given(
    refusals,
    st.sampled_from(["Paris", "Rollo", "1066", "it is Paris"]),
    st.sampled_from([" ", ", ", ". ", ": ", "; ", "\n"]),
)
def test_a_refusal_with_an_answer_before_or_after_it_is_an_answer(refusal: str, answer: str, joint: str) -> None:
    assert not is_abstention(f"{refusal}{joint}{answer}")
    assert not is_abstention(f"{answer}{joint}{refusal}")


@given(st.text(max_size=40))
def test_the_ascii_and_unicode_paths_to_the_normal_form_agree(text: str) -> None:
    ascii_text = text.encode("ascii", "ignore").decode()
    # A zero-width space is deleted from the form, and sends the text the Unicode way.
    assert refusal_form(ascii_text + "\u200b") == refusal_form(ascii_text)


@given(texts, st.lists(phrases, max_size=3), st.none() | phrases, st.sampled_from(["exact", "overlap"]))
def test_scores_are_shares_or_missing_and_missing_depends_only_on_the_item(
    text: str, answers: list[str], context: str | None, strategy: str
) -> None:
    item = Item(id="i", dataset="d", question="q", answers=tuple(answers), context=context, is_unanswerable=not answers)
    gold = prepare_gold(item, "squad_v2", ScoringSettings())
    scorers = load_scorers() | {"unsupported_rate": Unsupported(strategy)}  # type: ignore[arg-type]
    scores = score_answer(gold, Response(text), scorers)
    assert all(math.isnan(score) or 0 <= score <= 1 for score in scores)
    assert [not math.isnan(score) for score in scores] == [scorer.applies(item) for scorer in scorers.values()]
    by_name = dict(zip(scorers, scores, strict=True))
    if by_name["abstain_rate"]:
        assert by_name["em"] == by_name["f1"] == float(not answers)
        assert not by_name["unsupported_rate"] > 0
        assert not by_name["false_answer_rate"] > 0


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=2), min_size=1, max_size=6))
def test_a_mean_is_within_the_range_of_its_replicates(samples: list[list[float]]) -> None:
    summary = summarize_replicates(samples, 2)
    assert summary.n_samples == len(samples)
    for column, mean in zip(zip(*samples, strict=True), summary.means, strict=True):
        assert min(column) - 1e-15 <= mean <= max(column) + 1e-15
