"""Which choice an answer names: one table of answers for each rule, and what no rule may take for a letter."""

# ruff: noqa: RUF001 - quotes and marks of every kind

from __future__ import annotations

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.config.typed import SettingsError
from promptrial.scoring.choosing import chosen
from tests.reference.choice_extraction import extracted_letter
from tests.support.processor_time import at_most
from tests.support.scoring import item_of, score_of, scorer_of

LEGS = ("6", "8", "10", "12")
CITIES = ("Paris", "London", "New York", "York")
WORDS = ("a sheep", "a goat", "I think", "none of these", "Vitamin C", "A", "B")

NAMES_B = [
    "B", "b", "(B)", "(b)", "[B]", "B.", "B)", "B,", "B:", "**B**", "*B*", "`B`", '"B"', "“B”", "<B>",
    "**B.**", " B \n",
    "Ｂ", "（B）", "B。", "B</s>", "Option B", "option (b)", "Choice B.", "Letter B", "8", "8.", "2", "(2)", "Option 2",
    "The answer is B", "The answer is B.", "the answer is (b)", "The answer is: B", "Answer: B", "answer: b.",
    "ANSWER: B",
    "Answer: (B) 8", "**Answer:** B", "**Answer: B**", "Answer:\n\nB", "### Answer\nB", "Answer - B", "Answer (B)",
    "answer=B", '{"answer": "B"}', "Final answer: B", "The final answer is **B**.",
    "The correct answer is option B: 8",
    "So the correct choice is (B).", "The best answer is B.",
    'The answer should be "B"', "The answer is definitely B)",
    "The answer is B, because spiders have 8 legs.", "The answer is B because 6 is for insects.", "The answer is 8.",
    "The answer is option 2", "My answer is **B) 8**", "\\boxed{B}", "$\\boxed{\\text{B}}$",
    "Thus \\boxed{\\mathrm{B}}.",
    "Option B is correct.", "I believe B is right, A is not.", "Option A is wrong. The answer is B.",
    "The answer: B. The others are wrong: A, C.", "The answer is A. No: the answer is B.",
    "B. 8", "B) 8", "(B) 8", "B: 8", "B - 8", "**B. 8**", "- B. 8", "Let me see.\nB. 8\nThat is it.",
    "B\nBecause it has neither 6 nor 10.", "6? No.\n\nB", "A. 6\nB. 8\nC. 10\n\nThe answer is B", "A. 6\nB. 8\n\nB",
    "A spider has 8 legs.", "It has 8, I am sure.", "I would go with B", "It's B!", "Choose B", "The right one is B",
    "I think it is B", "Die richtige Antwort ist B.", "Antwort: B", "La respuesta es B",
    "答案是B", "答案：B。", "正解はBです",
]  # fmt: skip
NAMES_NONE = [
    "", "...", "eight legs", "E", "The answer is E", "(E)", "99", "0", "A or B", "Both A and B", "A/B",
    "A & B", "A, B",
    "B or A", "(A) or (B)", "The answer is A or B", "The answer is B and C.", "Answer: A, B", "(a) no (b) yes",
    "A. 6\nB. 8", "A. 6\nB. 8\nC. 10\nD. 12", "6 or 8",
    "C? No, B",
    "A spider has many legs.", "Answer: A spider is no insect", "The answer is a spider", "A", "I", "I am sure.",
    "So do I.", "I do not like it", "C-section", "B+", "C++", "C#", "B's", "AB", "B2", "Q&A is over", "a b c",
    "vitamin D3",
]  # fmt: skip


@pytest.mark.parametrize("answer", NAMES_B)
def test_the_listed_answers_name_the_second_choice(answer: str) -> None:
    assert chosen(answer, LEGS) == 1


@pytest.mark.parametrize("answer", [answer for answer in NAMES_NONE if answer != "A"])
def test_the_listed_answers_name_no_choice_or_several(answer: str) -> None:
    assert chosen(answer, LEGS) is None


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("A", 0), ("a", 0), ("I choose A.", 0), ("It is A", 0), ("A - 6", 0), ("the answer is a.", 0),
        ("Option A", 0),
        ("Answer: A because it has", 0), ("The answer is A, 6.", 0), ("(A) 6", 0), ("I believe A is right", 0),
        ("**A**", 0),
    ],
)  # fmt: skip
def test_an_a_that_is_not_an_article_is_a_letter(answer: str, place: int) -> None:
    assert chosen(answer, LEGS) == place


ROCKS = ("basalt", "granite", "marble", "slate")


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("The answer is B, a type of rock.", 1), ("Answer: C, a metamorphic rock", 2),
        ("The answer is C and a fine one.", 2), ("The answer is D, I think.", 3), ("The answer is D and I am sure.", 3),
        ("The correct answer is C, A is wrong.", 2), ("The answer is C, and B is not.", 2),
        ("The answer is B. A and C are wrong.", 1), ("The answer is B & a bit", 1),
        ("The answer is B or a rock", 1),
        ("The answer is C, B would be an igneous rock", 2), ("The answer is B and A.", None),
        ("The answer is B, A", None), ("The answer is B and C is also right", None), ("The answer is B, (a)", None),
        ("The answer is B or A, I think.", None),
    ],
)  # fmt: skip
def test_a_letter_after_the_named_one_counts_only_if_it_is_a_choice(answer: str, place: int | None) -> None:
    assert chosen(answer, ROCKS) == place


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("The answer is not A.", None), ("The answer is not B", None), ("It is not (C).", None),
        ("Not option d.", None), ("Not B.", None),
        ("The answer is NOT A.", None), ("Neither A nor B, C", 2),
        ("The answer isn't A.", None), ("The answer is neither A nor B.", None), ("It cannot be B, it's not B", None),
        ("It could not be A.", None), ("A is wrong.", None), ("Option B is incorrect.", None), ("B isn't right.", None),
        ("A is not.", None), ("The answer is not B but C", 2), ("The answer is not B, but rather C", 2),
        ("The answer isn't A. It's B.", 1), ("The answer is D rather than A", 3), ("I choose D instead of (A).", 3),
        ("The answer is A.\n\nThe answer is not C.", 0), ("The answer is C. The answer is not slate.", 2),
        ("(A) is wrong, (B) is right", 1), ("A and B are wrong, C is what remains", 2),
        ("The answer is not granite.", None), ("It is not granite but slate.", 3), ("It isn't granite.", None),
        ("The answer is slate, not granite.", 3), ("Neither granite nor marble, so slate", 3),
        ("B is not a metamorphic rock", 1), ("I am not sure, B", 1), ("The answer is not a metal but (d)", 3),
    ],
)  # fmt: skip
def test_a_choice_that_is_denied_is_not_named(answer: str, place: int | None) -> None:
    assert chosen(answer, ROCKS) == place


def test_a_denial_within_the_text_of_a_choice_is_part_of_it() -> None:
    choices = ("A is wrong", "not B", "neither", "B")
    assert [chosen(text, choices) for text in (*choices, "The answer is not B.", "Answer: A is wrong")] == [
        0, 1, 2, 1, 1, 0
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("choices", "answer", "place"),
    [
        (CITIES, "New York", 2), (CITIES, "It is New York.", 2), (CITIES, "York", 3),
        (CITIES, "York, not New York", 3),
        (CITIES, "paris", 0), (CITIES, "It is Paris, the capital.", 0), (CITIES, "Paris or London", None),
        (CITIES, "A. London", 0), (CITIES, "Londoners", None), (CITIES, "The answer is London", 1),
        (WORDS, "A sheep", 0), (WORDS, "The answer is a sheep.", 0), (WORDS, "Answer: A goat", 1),
        (WORDS, "Sheep", 0),
        (WORDS, "I think", 2), (WORDS, "Vitamin C", 4), (WORDS, "It lacks vitamin C.", 4),
        (WORDS, "none of these", 3),
        (WORDS, "A", 0), (WORDS, "B", 1),
        (("1", "2", "3"), "3", 2), (("3", "2", "1"), "3", 0), (("3", "2", "1"), "The answer is 1", 2),
        (("3", "2", "1"), "Option 4", None), (("same", "same"), "same", 0), (("王伟", "李白"), "是王伟建造的", 0),
        (tuple(string.ascii_lowercase), "I", 8), (tuple("abcdefghi"), "The answer is I.", 8), ((), "A", None),
    ],
)  # fmt: skip
def test_the_longest_matching_choice_text_is_found_first(
    choices: tuple[str, ...], answer: str, place: int | None
) -> None:
    assert chosen(answer, choices) == place


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("The answer is B. The answer is not A. A or C.", 1),
        ("The answer is B. A or C. The answer is not clear.", 1),
        ("The answer is B. A or C. The answer is unclear.", None),
        ("The answer is B. Answer: maybe. A or C.", None),
    ],
)
def test_the_last_statement_counts_and_a_denial_keeps_the_earlier_statement(answer: str, place: int | None) -> None:
    assert chosen(answer, LEGS) == place


ALIKE = [
    ("5", "-5", "+5"), ("1.5", "15", "150", "0.15"), (".5", "5", "-.5"), ("p > 0.05", "p < 0.05", "p = 0.05"),
    ("(2, 3)", "(-2, 3)", "(2, -3)", "(-2, -3)"), ("x^2 + 1", "x^2 - 1", "x^{2} * 1"), ("10%", "10", "$10"),
    ("C", "C++", "C#"), ("AA", "Aa", "aa"), ("> 3", "< 3", "≥ 3"), ("[0, 1]", "(0, 1)", "[0, 1)"), ("2x", "2 x", "-2x"),
    ("a + b", "a - b", "a * b"), ("5 apples", "-5 apples", "5", "-5"), ("1,000", "1.000", "-1,000"),
]  # fmt: skip


@pytest.mark.parametrize("choices", ALIKE)
def test_choices_that_differ_only_in_symbols_or_case_are_distinguished(
    choices: tuple[str, ...],
) -> None:
    for place, text in enumerate(choices):
        for form in ("{}", "{}.", " {} ", "**{}**", "The answer is {}.", "The answer is **{}**.", "\\boxed{{{}}}",
                     "Because of that.\n\n{}", "<answer>{}</answer>", "Therefore, {}."):  # fmt: skip
            answer = form.format(text)
            if text not in {"C"} | {"A", "a"}:
                assert chosen(answer, choices) == place, answer


@pytest.mark.parametrize(
    ("choices", "answer", "place"),
    [
        (("5", "10"), "-5", None), (("5", "10"), "The answer is -5.", None), (("5", "10"), "The answer is .5", None),
        (("1.5", "2.5"), "15", None), (("1.5", "2.5"), "The answer is 25.", None), (("1.5", "2.5"), "1.50", 0),
        (("1,500", "2,500"), "1500", 0), (("5", "-5"), "−5", 1), (("5", "-5"), "It is −5, I think.", 1),
        (("5", "-5"), "It is 5, not -5.", 0), (("5", "-5"), "5 or -5", None), (("5", "-5"), "+5", 0),
        (("5", "+5"), "5", 0), (("5", "+5"), "+5", 1),
        (("(2, 3)", "(-2, 3)"), "\\boxed{(-2,3)}", 1), (("(2, 3)", "(-2, 3)"), "(2,-3)", None),
        (("x^2 + 1", "x^2 - 1"), "It is x^2+1.", 0), (("x^2 + 1", "x^2 - 1"), "x^2 * 1", None),
        (("x^2 + 1", "x^2 - 1"), "The answer is x^2 - 1 because x^2 + 2 is not.", 1),
        (("x^2 + 1", "x^2 - 1"), "x squared minus 1", None),
        (("p > 0.05", "p < 0.05"), "The correct statement is P<0.05.", 1), (("$10", "10%"), "10", None),
        (("$10", "10%"), "€10", None), (("$2", "2%"), "2", None), (("5", "5%"), "The answer is $5$", 0),
        (("AA", "Aa"), "It is Aa.", 1), (("AA", "Aa"), "aa", None), (("Paris", "PARIS"), "paris", None),
        (("5", "-5", "six"), "It is six.", 2), (("5 apples", "-5 apples", "5"), "They are 5 apples", 0),
        (("same", "same"), "The answer is same", 0), (("a sheep", "sheep"), "a sheep", 0),
    ],
)  # fmt: skip
def test_an_answer_that_fits_several_choices_with_the_same_words_names_none(
    choices: tuple[str, ...], answer: str, place: int | None
) -> None:
    assert chosen(answer, choices) == place


CAPITALS = ("Paris", "London", "Berlin", "Madrid")
LETTERED = "A. Paris is in France.\nB. London is in England.\nC. Berlin is in Germany.\nD. Madrid is in Spain.\n\n"
PARAGRAPHS = (
    "**A. Paris**\nIt is in France.\n\n**B. London**\nIt is in England.\n\n**C. Berlin**\nNo.\n\n**D. Madrid**\nNo.\n\n"
)
BULLETS = "- Paris is in France.\n- London is in England.\n- Berlin is in Germany.\n- Madrid is in Spain.\n\n"
INTRODUCTIONS = [
    "I'll think step by step.", "Let's look at the options:", "Let's look at each option:",
    "Let's evaluate each answer choice:", "Let me go through every choice:", "Consider each answer:",
    "Each of the answer choices. Every possible answer:", "Let's go option by option:", "We need the right answer:",
    "Which option is in England?", "Which of these answers? The first option:", "Let me check whether the answer is A.",
    "If option A is correct, we are done.", "No option is obvious.",
]  # fmt: skip
ENDINGS = [
    "{letter}", "**{letter}**", "**{letter}. {text}**", "{letter}) {text}", "<answer>{letter}</answer>",
    "<answer>\n{letter}\n</answer>", "<final>{text}</final>", "<answer>{text}</answer>", "Correct: {letter}",
    "**Final:** {letter}", "Result: {text}", "So the answer is {letter}.", "Therefore, {letter}.", "I choose {letter}.",
    "Therefore, the correct one is {letter}.", "So it is {text}.", "Thus ({letter}).", "I'd go with {letter}.",
    "Hence, option {letter} is right.", "In conclusion, option ({letter}) {text} is in England.", "So {letter} fits.",
]  # fmt: skip


@pytest.mark.parametrize("listed", [LETTERED, PARAGRAPHS, BULLETS])
@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_a_sentence_about_all_options_is_not_a_statement_and_the_last_line_decides(
    introduction: str, listed: str
) -> None:
    for place, text in enumerate(CAPITALS):
        for ending in ENDINGS:
            last = ending.format(letter="ABCD"[place], text=text)
            assert chosen(f"{introduction}\n{listed}{last}", CAPITALS) == place, last
    assert chosen(f"{introduction}\n{listed}", CAPITALS) is None


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("The correct answer is:\n\nA. Paris\n\nExplanation:\nB. London is in England.", 0),
        ("**Final answer:**\nA. Paris\n\nB. London is in England.", None),
        ("**Final answer:**\nA. Paris\nIt is in France.\nB. London is in England.", 0),
        ("Answer:\nB. London\nC. Berlin", 1), ("My final choice:\n- Paris, since it is\n", 0),
        ("Answer: B\n\n" + LETTERED, 1), ("Answer: B\n\n" + LETTERED + "So D is a capital as well.", 1),
        ("All things considered, the answer is B.", 1), ("No, the answer is B", 1), ("After all the answer is B", 1),
        (f"{LETTERED}B. London is in England, so B.", 1), (f"{LETTERED}{LETTERED}", None),
        ("A. Paris\nA: wrong\nB. London\nB: right", None),
        ("Wrong answer: A. Correct answer: B", 1), ("The correct answer is:\nA. Paris\nB. London", None),
        ("A. Paris. It is in France.", 0), ("B. London. A. Paris is wrong.", 1),
        ("A) Paris: no. B) London: yes.", None),
        ("A. Paris is in France. B. London is in England. C. Berlin. Therefore, B.", 1),
        ("Wir prüfen jede Antwort:\n" + LETTERED + "Daher B.", 1),
        ("Examinons chaque option:\n" + LETTERED + "Donc B.", 1),
        ("我们来看每个答案：\n" + LETTERED + "所以选B。", 1), ("The incorrect option is C.", 2),
    ],
)  # fmt: skip
def test_a_statement_above_a_list_is_one(answer: str, place: int | None) -> None:
    assert chosen(answer, CAPITALS) == place


@pytest.mark.parametrize(
    "ending",
    [
        "", LETTERED, "Therefore, B is wrong.", "So Paris is out.", "So is it B?", "Thus it cannot be B.",
        "So B and C remain.", "Hence Paris and London.", "Incorrect: B", "Not correct: B", "So a city is in Spain.",
        "- Madrid is in Spain, so D.", "4. Madrid, so D", "<answer></answer>",
        "Finally, D. Madrid is in Spain.", "So D is in Spain.", "Option D: Madrid is in Spain, so D.",
        "**Choice D.** So D",
        "<answer>B</answer> or <b>", "I choose none.",
    ],
)  # fmt: skip
def test_a_last_line_without_a_choice_or_within_a_list_decides_nothing(ending: str) -> None:
    expected = 1 if ending.startswith("<answer>B") else None
    assert chosen(f"Let's look at each option:\n{LETTERED}{ending}", CAPITALS) == expected


def test_the_first_number_may_be_zero() -> None:
    assert chosen("1", ("x", "y")) == 0
    assert chosen("1", ("x", "y"), first=0) == 1
    assert chosen("0", ("x", "y"), first=0) == 0
    with pytest.raises(SettingsError, match="first is 2"):
        scorer_of("choice", first=2)


DIFFERS = {
    "The answer is B and C.", "Answer: A, B", "The answer is A or B", "A or B", "Both A and B", "A/B", "A & B",
    "A, B",
    "B or A", "(A) or (B)", "A. 6\nB. 8", "A. 6\nB. 8\nC. 10\nD. 12", "C? No, B",
    "A spider has many legs.", "Answer: A spider is no insect", "Answer: A spider has eight legs.", "C-section", "B+",
    "C++", "C#", "B's", "Q&A is over", "A",
}  # fmt: skip
"""Answers from which the reference takes a letter and the scorer none: several, articles, parts of words."""


WRONG = {"The answer: B. The others are wrong: A, C.", "I believe B is right, A is not.", "A spider has 8 legs."}
"""Answers from which the reference takes another letter than the one that they name."""


def test_the_scorer_agrees_with_regular_expressions_whenever_they_find_one_letter() -> None:
    compared = 0
    for answer in NAMES_B:
        letter = extracted_letter(answer, len(LEGS))
        if letter is not None and answer not in WRONG:
            assert letter == "B", answer
            compared += 1
    assert compared > 50
    taken = {answer for answer in NAMES_NONE if extracted_letter(answer, len(LEGS)) is not None}
    assert taken - DIFFERS == set()


@given(
    st.integers(0, 3), st.sampled_from(["{}", "({})", "{}.", "The answer is {}.", "Answer: ({})", "So, \\boxed{{{}}}"])
)
def test_each_letter_is_found_in_each_form(place: int, form: str) -> None:
    assert chosen(form.format(string.ascii_uppercase[place]), CITIES) == place


@given(st.text(max_size=200), st.lists(st.text(max_size=10), max_size=26).map(tuple))
def test_any_text_names_an_existing_choice_or_none(text: str, choices: tuple[str, ...]) -> None:
    place = chosen(text, choices)
    assert place is None or 0 <= place < len(choices)


@pytest.mark.parametrize(
    "hostile",
    [
        "A",
        "answer is ",
        "(A",
        "(A) ",
        "A and ",
        "answer: the ",
        "\n",
        "A. ",
        "*",
        "option ",
        "\\boxed{",
        "答案是",
        " ",
        "_",
        "each answer: ",
        "each answer:\nA. ",
        "so ",
        "I choose ",
        "- 6\n",
        "<answer>",
        "any one ",
        "A. x\n",
    ],
)
def test_hostile_texts_take_linear_time(hostile: str) -> None:
    with at_most(10):
        chosen(hostile * (60_000 // len(hostile)), LEGS)


def test_the_right_choice_scores_one_and_items_without_choices_are_left_out() -> None:
    scorer = scorer_of("choice")
    item = item_of("8", "10", choices=LEGS)
    assert [score_of(scorer, item, text) for text in ("B", "c", "A", "A or B", "I don't know.")] == [1, 1, 0, 0, 0]
    assert math.isnan(score_of(scorer, item_of("8"), "B"))
    unanswerable = item_of(choices=LEGS)
    assert (score_of(scorer, unanswerable, "I don't know."), score_of(scorer, unanswerable, "B")) == (1, 0)


def test_changed_rules_have_a_new_version_so_that_finished_runs_are_scored_again() -> None:
    assert scorer_of("choice").declared.version == 5


def test_a_choice_that_reads_as_a_refusal_is_a_choice() -> None:
    scorer = scorer_of("choice")
    choices = ("the miller", "the baker", "Cannot be determined")
    for text in ("Cannot be determined", "The answer is: cannot be determined.", "C", "It cannot be determined."):
        assert score_of(scorer, item_of("Cannot be determined", choices=choices), text) == 1, text
        assert score_of(scorer, item_of("the baker", choices=choices), text) == 0, text
    assert score_of(scorer, item_of("the baker", choices=choices), "I don't know.") == 0
