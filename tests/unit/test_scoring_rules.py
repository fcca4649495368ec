"""Which rules score a data set; accepted answers that normalise to nothing, or read as refusals."""

# ruff: noqa: RUF001 - punctuation of every script

from typing import get_args

import pytest

from promptrial import registry
from promptrial.config.datasets import RulesName
from promptrial.errors import ConfigError
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, accepted_answers, load_scorers, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import EXACT, NQ_OPEN, RULES, SQUAD_V1, SQUAD_V2, TRIVIAQA, EvaluationRules, rules_for
from promptrial.scoring.panel import score_answer
from tests.support.scoring import scorer_of


def scores(rules: str, golds: tuple[str, ...], text: str, tokens: str | None = None) -> dict[str, float]:
    item = Item(id="1", dataset="d", question="q", answers=golds, is_unanswerable=not golds)
    chosen = rules_for("custom", rules, tokens)  # type: ignore[arg-type]
    gold = prepare_gold(item, chosen, ScoringSettings())
    return dict(zip(registry.DEFAULT_PACK, score_answer(gold, Response(text), load_scorers()), strict=True))


def test_the_configuration_accepts_exactly_the_existing_rules() -> None:
    assert set(get_args(RulesName)) == set(RULES)


def test_chosen_rules_win_over_those_of_the_format_and_unknown_ones_are_refused() -> None:
    assert rules_for("custom", "exact") is EXACT
    assert rules_for("squad_v2", "squad_v1") is SQUAD_V1
    assert rules_for("nq_open", "squad_v2") is SQUAD_V2
    with pytest.raises(ConfigError, match="unknown rules 'squad'; did you mean 'squad_v"):
        rules_for("custom", "squad")


@pytest.mark.parametrize(
    ("rules", "golds", "text", "em", "f1"),
    [
        # Both normalise to nothing: 1.1 finds them equal and counts no token in common.
        ("squad_v1", ("A",), "the", 1, 0),
        ("squad_v1", ("The", "Paris"), "an", 1, 0),
        ("squad_v2", ("The", "Paris"), "an", 0, 0),
        ("squad_v2", ("The",), "an", 1, 1),
        ("nq_open", ("A+", "AB+"), "A", 1, 1),
        ("triviaqa", ("The The",), "the", 1, 0),
        ("exact", ("The The",), "the the", 0, 0),
        ("exact", ("The The",), " The  The\n", 1, 1),
        ("exact", ("O'Neil (actor)",), "O'Neil", 0, 2 / 3),
        ("squad_v1", ("Normans",), "the Normans.", 1, 1),
        ("letters", ("A",), "A", 1, 1),
        ("letters", ("A",), "(a).", 1, 1),
        ("letters", ("A",), "The", 0, 0),
        ("letters", ("A",), "...", 0, 0),
        ("letters", ("A",), "", 0, 0),
        ("letters", ("A",), "The answer is A", 0, 0),
        ("letters", ("B",), "The B.", 1, 1),
        ("letters", ("A", "the Normans"), "Normans", 1, 1),
        ("letters", ("+",), " +\n", 1, 1),
        ("letters", ("+",), "-", 0, 0),
        ("letters", (), "the", 0, 0),
    ],
)
def test_rules_score_as_their_official_script_does(
    rules: str, golds: tuple[str, ...], text: str, em: float, f1: float
) -> None:
    found = scores(rules, golds, text)
    assert (found["em"], found["f1"]) == pytest.approx((em, f1))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("gold", ["Unknown", "I don't know", "N/A", "No idea"])
def test_an_answer_that_equals_a_gold_is_right_even_if_it_reads_like_a_refusal(rules: str, gold: str) -> None:
    found = scores(rules, ("Paris", gold), gold)
    assert (found["em"], found["f1"], found["abstain_rate"]) == (1, 1, 0)
    assert scores(rules, ("Paris",), gold)["abstain_rate"] == 1


def test_a_refusal_never_equals_a_gold_that_normalises_to_nothing() -> None:
    for rules in ("squad_v1", "nq_open", "triviaqa"):
        assert scores(rules, ("A",), "Unknown.")["em"] == 0


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("text", ["the", "A.", "...", "I don't know.", "Paris", "unanswerable", "no"])
def test_exact_match_and_false_answers_agree_on_unanswerable_items(rules: str, text: str) -> None:
    found = scores(rules, (), text)
    assert found["em"] == 1 - found["false_answer_rate"]


@pytest.mark.parametrize("kind", ["includes", "starts_with"])
@pytest.mark.parametrize(("gold", "answer", "score"), [("A", "A.", 1), ("A", "A, as I said", 1), ("A", "a cat", 0)])
def test_the_rules_for_letters_search_for_a_letter_like_any_others(
    kind: str, gold: str, answer: str, score: float
) -> None:
    for rules in (rules_for("custom"), rules_for("custom", "letters")):
        prepared = prepare_gold(Item(id="1", dataset="d", question="q", answers=(gold,)), rules, ScoringSettings())
        assert score_answer(prepared, Response(answer), {"s": scorer_of(kind)}) == (score,)


def test_an_article_counts_as_the_null_prediction_of_an_unanswerable_item() -> None:
    found = scores("squad_v2", (), "the")
    assert (found["em"], found["f1"], found["false_answer_rate"]) == (1, 1, 0)


def test_custom_sets_count_characters_in_scripts_without_spaces_and_official_rules_do_not() -> None:
    item = Item(id="1", dataset="d", question="q", answers=("王伟",))
    found = {}
    for rules in (rules_for("custom"), rules_for("custom", "squad_v2"), rules_for("squad_v2", None, "characters")):
        gold = prepare_gold(item, rules, ScoringSettings())
        found[str(rules)] = score_answer(gold, Response("由王伟建。"), load_scorers())[:2]
    assert found == {"squad_v2, by character": (0, pytest.approx(2 / 3)), "squad_v2": (0, 0)}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("王伟。", ["王", "伟"]),
        ("GPT-4模型", ["gpt4", "模", "型"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("น้ำดี", ["น้", "ำ", "ดี"]),
        ("서울 특별시", ["서울", "특별시"]),
        ("（1822年）、春。", ["1822", "年", "春"]),
        ("模型Café。）", ["模", "型", "café"]),
        ("Café – naïve", ["café", "–", "naïve"]),
    ],
)
def test_characters_of_scripts_without_spaces_are_tokens_with_their_marks(text: str, tokens: list[str]) -> None:
    assert rules_for("custom").tokens(text) == tokens


def test_english_tokens_are_the_same_with_and_without_characters() -> None:
    text = "The Duke's Anglo-Norman army – in A.D. 1066 (“Hastings”)"
    assert rules_for("custom").tokens(text) == SQUAD_V2.tokens(text)
    assert rules_for("custom").haystack(text) == SQUAD_V2.haystack(text)


@pytest.mark.parametrize(("rules", "counts"), [(SQUAD_V2, False), (SQUAD_V1, True), (NQ_OPEN, True), (TRIVIAQA, True)])
def test_an_accepted_answer_without_a_token_counts_except_under_squad_2_rules(
    rules: EvaluationRules, *, counts: bool
) -> None:
    assert ("" in accepted_answers(("the", "Paris"), rules).normalized) is counts
