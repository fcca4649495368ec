"""Which scorers fit the questions of a file."""

import re
import unicodedata
from collections.abc import Iterable

import pytest

from promptrial import registry
from promptrial.design.fitting import Survey, fitted, survey
from promptrial.model import Item
from promptrial.scoring.fitting_rules import GOLD_RULES, ITEM_RULES, TRUTH_WORDS
from tests.support.scoring import score_of, scorer_of


def item(number: int, answers: Iterable[str] = (), **fields: object) -> Item:
    return Item(id=f"q{number}", dataset="mine", question="Why?", answers=tuple(answers), **fields)  # type: ignore[arg-type]


def kind_of(*answers: str, **fields: object) -> dict[str, int]:
    return dict(survey([item(1, answers, **fields)]).kinds)


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("mercury", "short"),
        ("the Treaty of Westphalia", "short"),
        ("王伟", "short"),
        ("8", "number"),
        ("-3.5", "number"),
        ("$1,200.50", "number"),
        ("3/4", "number"),
        ("45%", "number"),
        ("1 000", "number"),
        ("8 legs", "short"),
        ("2,5", "number"),
        ("1.234.567", "number"),
        ("1e5", "number"),
        ("1 1/2", "number"),
        ("20.", "number"),
        ("1.2.3", "short"),
        ("1,2,3", "short"),
        ("2020-05-01", "short"),
        ("1, 2, 3", "short"),
        ("12 / 3 = 4 an hour, and 4 * 5 = 20.\n#### 20", "worked"),
        ("She sells 9 eggs at 2 dollars each, so that she makes 9 * 2 = $18", "worked"),
        ("First we add the apples and then the pears, so the answer is 72.", "worked"),
        ("Iron rusts where it meets water and oxygen, and paint keeps both of them away.", "long"),
        ("The mill was built beside the river by two brothers from the town in 1822", "long"),
        ("x" * 81, "long"),
        ("9 * 2 = 18\n#### 18", "worked"),
        ("#### 18", "worked"),
        ("9 * 2 = 18", "short"),
        ("yes", "yes_no"),
        ("No.", "yes_no"),
        ("TRUE", "yes_no"),
        ("no one", "short"),
        ("是", "yes_no"),
        ("否。", "yes_no"),
        ("不是", "yes_no"),
        ("はい", "yes_no"),
        ("아니요", "yes_no"),
        ("Nein", "yes_no"),
        ("Faux.", "yes_no"),
        ("Si\u0301", "yes_no"),
        ("не\u0442", "yes_no"),
        ("não", "yes_no"),
        ("نعم", "yes_no"),
        ("A", "letter"),
        ("(b)", "letter"),
        ("C.", "letter"),
        ("**D**", "letter"),
        ("H", "letter"),
        ("y", "letter"),
        ("王", "letter"),
        ("Я", "letter"),
        ("+", "short"),
        ("A+", "short"),
        ("AB", "short"),
    ],
)
def test_a_gold_is_of_one_kind(gold: str, kind: str) -> None:
    assert kind_of(gold) == {kind: 1}


@pytest.mark.parametrize(
    ("golds", "primary", "decimal"),
    [
        (["1 000", "25", "12 500"], "numeric", "."),
        (["1,000", "25", "12,500"], "numeric", "."),
        (["1.5", "1,000"], "numeric", "."),
        (["2,5", "7"], "numeric", ","),
        (["2,5", "1.234"], "numeric", ","),
        (["2,5", "1,234"], "numeric", ","),
        (["1.234.567", "7"], "numeric", ","),
        (["0,125"], "numeric", ","),
        (["0.125", "1.234"], "numeric", "."),
        (["1.234", "12.500"], "includes", "."),
        (["2,5", "2.5"], "includes", "."),
        (["12 / 3 = 4 an hour for five long hours or more\n#### 2,5"], "numeric", ","),
        (["12 / 3 = 4 an hour for five long hours or more\n#### 1.250"], "f1", "."),
        (["12 / 3 = 4 an hour for five long hours or more\n#### 1 000"], "f1", "."),
    ],
)
def test_numbers_are_compared_only_where_their_decimal_mark_is_plain(
    golds: list[str], primary: str, decimal: str
) -> None:
    found = fitted(survey(item(place, [gold]) for place, gold in enumerate(golds)))
    assert (found.primary, found.decimal) == (primary, decimal)


@pytest.mark.parametrize(
    "gold", ["1 000", "2,5", "1.234.567", "1,234", "$1,200.50", "1e5", "-3.5", "1'000", "12 345 678,9", "0,125"]
)
def test_every_gold_number_chosen_for_numeric_scores_right_as_written_and_no_part_of_it_does(gold: str) -> None:
    found = fitted(survey([item(1, [gold])]))
    assert found.primary == "numeric"
    scorer = scorer_of("numeric", decimal=found.decimal)
    question = item(1, [gold])
    assert score_of(scorer, question, gold) == 1
    assert score_of(scorer, question, f"It is {gold.replace(' ', '')}.") == 1
    for part in re.findall("[0-9]+", gold):
        assert part == gold or score_of(scorer, question, part) == 0


def test_a_sentence_says_why_numbers_are_not_compared_and_which_decimal_mark_they_have() -> None:
    unclear = fitted(survey([item(1, ["2,5"]), item(2, ["2.5"])])).sentences
    assert any("decimal" in each and "numeric" in each for each in unclear)
    comma = fitted(survey([item(1, ["2,5"])])).sentences
    assert "the decimal mark of the accepted numbers is a comma" in comma


@pytest.mark.parametrize(
    ("golds", "wrong"),
    [
        (["B", "A", "C"], "A closer look shows that it is D."),
        (["是", "否"], "不对"),
        (["是", "否"], "不是"),
        (["王", "李"], "国王与李子"),
        (["ja", "nein"], "Das kann ich nicht sagen, ja oder nein?"),
    ],
)
def test_a_chosen_scorer_gives_no_credit_for_a_gold_inside_another_text(golds: list[str], wrong: str) -> None:
    found = fitted(survey(item(place, [gold]) for place, gold in enumerate(golds)))
    assert "includes" not in found.scorers
    for gold in golds:
        assert score_of(scorer_of(found.primary.replace("em", "exact_match")), item(1, [gold]), wrong) == 0
        assert score_of(scorer_of(found.primary.replace("em", "exact_match")), item(1, [gold]), f"{gold}.") == 1


@pytest.mark.parametrize(
    ("kinds", "rules"),
    [({"letter": 10}, "letters"), ({"letter": 4, "short": 6}, "letters"), ({"letter": 1, "short": 9}, None)],
)
def test_single_letters_get_rules_that_do_not_treat_a_as_an_article(kinds: dict[str, int], rules: str | None) -> None:
    found = fitted(Survey(10, kinds))
    assert found.rules == rules
    assert any("`letters`" in each for each in found.sentences) is (rules is not None)


def test_letters_as_accepted_answers_are_reported_to_need_choices() -> None:
    assert any("`choices`" in each and "`choice`" in each for each in fitted(survey([item(1, ["B"])])).sentences)
    assert not any("`choices`" in each for each in fitted(survey([item(1, ["mercury"])])).sentences)


def test_words_for_yes_and_no_are_compared_in_lower_case() -> None:
    assert {unicodedata.normalize("NFC", word).casefold() for word in TRUTH_WORDS} == TRUTH_WORDS


def test_one_short_accepted_answer_makes_a_gold_short() -> None:
    assert kind_of("Because it is much too heavy for the wind to lift it", "too heavy") == {"short": 1}


def test_a_gold_is_yes_or_no_only_if_all_its_accepted_answers_are() -> None:
    assert kind_of("yes", "true") == {"yes_no": 1}
    assert kind_of("yes", "it is") == {"short": 1}


@pytest.mark.parametrize("gold", ["9 * 2 = 18\n#### 18", "#### 1.250", "Half of it is 2,500.\n#### 2,500"])
def test_a_format_with_worked_solutions_is_measured_only_by_numbers(gold: str) -> None:
    found = fitted(survey([item(1, [gold])]), ["numeric"])
    assert (found.scorers, found.primary, found.max_new_tokens) == (("numeric",), "numeric", 256)


def test_choices_take_precedence_over_what_their_texts_look_like() -> None:
    assert kind_of("8", choices=("6", "8", "10")) == {"choices": 1}


def test_choices_without_a_right_one_have_no_gold() -> None:
    assert kind_of(choices=("6", "8")) == {"no_gold": 1}


def test_an_unanswerable_question_with_a_passage_counts_as_both_but_not_as_a_kind_of_gold() -> None:
    assert kind_of(context="The mill.", is_unanswerable=True) == {"unanswerable": 1, "passage": 1}


@pytest.mark.parametrize(
    ("kinds", "scorers", "primary"),
    [
        ({"short": 10}, ("includes", "em", "f1"), "includes"),
        ({"choices": 10}, ("choice",), "choice"),
        ({"worked": 10}, ("numeric",), "numeric"),
        ({"number": 10}, ("numeric", "em"), "numeric"),
        ({"yes_no": 10}, ("starts_with", "em"), "starts_with"),
        ({"yes_no": 6, "short": 4}, ("includes", "em", "f1", "starts_with"), "includes"),
        ({"yes_no": 1, "short": 9}, ("includes", "em", "f1"), "includes"),
        ({"yes_no": 5, "number": 5}, ("includes", "em", "f1", "numeric", "starts_with"), "includes"),
        ({"yes_no": 9, "short": 1}, ("starts_with", "em"), "starts_with"),
        ({"yes_no": 8, "unanswerable": 2},
         ("starts_with", "em", "abstain_rate", "false_answer_rate"), "starts_with"),
        ({"letter": 10}, ("em",), "em"),
        ({"letter": 4, "short": 6}, ("em", "f1"), "em"),
        ({"letter": 6, "short": 4}, ("em", "f1"), "em"),
        ({"letter": 1, "short": 9}, ("includes", "em", "f1"), "includes"),
        ({"letter": 5, "yes_no": 5}, ("em", "starts_with"), "em"),
        ({"letter": 5, "choices": 5}, ("choice", "em"), "choice"),
        ({"long": 10}, ("f1",), "f1"),
        ({"no_gold": 10}, ("length",), "length"),
        ({"short": 5, "unanswerable": 5, "passage": 10},
         ("includes", "em", "f1", "abstain_rate", "false_answer_rate", "unsupported_rate"), "includes"),
        ({"unanswerable": 10}, ("abstain_rate", "false_answer_rate"), "abstain_rate"),
        ({"short": 6, "number": 4}, ("includes", "em", "f1", "numeric"), "includes"),
        ({"short": 9, "number": 1}, ("includes", "em", "f1"), "includes"),
        ({"number": 5, "short": 5}, ("includes", "em", "f1", "numeric"), "includes"),
        ({"number": 7, "short": 3}, ("includes", "em", "f1", "numeric"), "includes"),
        ({"number": 8, "short": 2}, ("numeric", "em"), "numeric"),
        ({"long": 4, "worked": 4, "choices": 2}, ("numeric", "f1"), "numeric"),
    ],
)  # fmt: skip
def test_scorers_follow_the_kinds_of_questions_and_the_most_common_one_has_the_primary(
    kinds: dict[str, int], scorers: tuple[str, ...], primary: str
) -> None:
    found = fitted(Survey(10, kinds))
    assert (found.scorers, found.primary) == (scorers, primary)


def test_the_scorers_of_a_format_come_first_with_the_column_names_of_the_default_pack() -> None:
    found = fitted(Survey(4, {"short": 4}), ["exact_match", "numeric"])
    assert (found.scorers, found.primary) == (("em", "numeric", "includes", "f1"), "em")
    assert found.sentences[0] == "the format asks for em, numeric"


def test_a_quarter_of_the_golds_is_enough_for_another_kind_and_less_is_not() -> None:
    assert "numeric" in fitted(Survey(8, {"short": 6, "number": 2})).scorers
    assert "numeric" not in fitted(Survey(9, {"short": 7, "number": 2})).scorers


@pytest.mark.parametrize(
    ("kinds", "skips"),
    [
        ({"short": 10}, False),
        ({"choices": 10}, False),
        ({"no_gold": 10}, False),
        ({"short": 9, "no_gold": 1}, False),
        ({"choices": 9, "short": 1}, False),
        ({"short": 5, "number": 5}, False),
        ({"short": 6, "no_gold": 4}, True),
        ({"choices": 6, "short": 4}, True),
        ({"choices": 9, "unanswerable": 1}, True),
        ({"short": 9, "unanswerable": 1}, False),
    ],
)
def test_scorers_skip_questions_that_lack_what_they_need_only_where_many_do(kinds: dict[str, int], skips: bool) -> None:
    """A few of them are more likely a mistake, and are refused by name."""
    assert fitted(Survey(10, kinds)).skips is skips


def test_the_token_limit_is_higher_if_golds_are_worked_solutions_long_or_absent() -> None:
    limits = {rule.kind: fitted(Survey(1, {rule.kind: 1})).max_new_tokens for rule in GOLD_RULES}
    assert limits == {
        "choices": None,
        "letter": None,
        "worked": 256,
        "number": None,
        "yes_no": None,
        "short": None,
        "long": 256,
        "no_gold": 256,
    }


def test_each_applied_rule_is_reported_in_one_sentence() -> None:
    assert fitted(Survey(3, {"short": 2, "unanswerable": 1, "passage": 3})).sentences == (
        "includes, em, f1 (2 of 3 questions have a short answer)",
        "abstain_rate, false_answer_rate (1 of 3 questions has no right answer)",
        "unsupported_rate (3 of 3 questions have a passage)",
    )


def test_every_rule_names_scorers_and_no_two_rules_share_a_kind() -> None:
    rules = [*GOLD_RULES, *ITEM_RULES]
    assert len({rule.kind for rule in rules}) == len(rules)
    assert all(rule.scorers for rule in rules)


def test_every_scorer_of_a_rule_is_known_and_needs_no_optional_package() -> None:
    for rule in (*GOLD_RULES, *ITEM_RULES):
        for name in rule.scorers:
            assert not registry.load("scorer", registry.scorer_type(name)).libraries, name
