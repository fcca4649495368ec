"""A clear first answer stays whatever its explanation names; a real conclusion wins over the reasoning before it."""

# ruff: noqa: RUF001 - marks of every kind

from __future__ import annotations

import pytest

from promptrial.scoring.choosing import chosen
from tests.support.processor_time import at_most

CAPITALS = ("Paris", "London", "Berlin", "Madrid")
GASES = ("Carbon dioxide", "Oxygen", "Nitrogen", "Helium")
FOUR = ("5", "6", "7", "8")
FIRST_LINES = [
    "B", "(B)", "B.", "**B**", "b)", "Option B", "{text}", "**{text}**", "{text}.", "B. {text}", "B) {text}",
    "(B) {text}", "B: {text}", "B - {text}", "**B. {text}**", "**B**: {text}", "Option B: {text}", "Choice B) {text}.",
    "{text} (B)", "B ({text})", "### B. {text}", "<answer>B</answer>",
]  # fmt: skip
EXPLANATIONS = [
    "The question is about another one, so {letter} fails.", "Therefore {letter} refers to another country.",
    "It is older, so {other} is used up.", "He served first, so {other} became the next one.",
    "It is the reverse process, hence {other}, which keeps the number, does the rest.", "Thus {other} had been there.",
    "So {other}, the capital of another country, comes second.", "{other} → another country", "x => {other}",
    "It lies elsewhere → {letter} and D lie elsewhere.", "(I say {letter} belongs to another.)", "So {other}.",
    "I would say {other} comes second.", "I chose it over {other}.", "The best museum is {other}'s.",
    "I'd go with {other} if the question asked for another.", "I'd pick {letter} if it asked for another.",
    "So {letter}, however, is another.", "In conclusion, {letter} is in another country.", "So {letter} is wrong.",
    "Why:\nA. Not this one.\nC. Nor this, so {other} is out.",
    "The others:\n- A is no good.\n- Thus {letter} is neither.",
]  # fmt: skip


@pytest.mark.parametrize("first_line", FIRST_LINES)
@pytest.mark.parametrize("choices", [CAPITALS, GASES, ("mitosis", "meiosis", "budding", "no division")])
def test_a_clear_first_answer_counts_whatever_its_explanation_names(choices: tuple[str, ...], first_line: str) -> None:
    for gap in ("\n", "\n\n", "\n\nExplanation:\n", "\n\nIt is what was asked for. "):
        for explanation in EXPLANATIONS:
            said = explanation.format(letter="C", other=choices[0])
            answer = f"{first_line.format(text=choices[1])}{gap}{said}"
            assert chosen(answer, choices) == 1, answer


@pytest.mark.parametrize("first_line", ["B", "B. 6", "B) 6", "**6**", "6"])
@pytest.mark.parametrize(
    "explanation",
    [
        "There were 8 and 2 left, so 8 - 2 remain.",
        "8 - 2 => 8 minus two",
        "So 8 less 2.",
        "8 - 2 = 6, thus 8 was more.",
    ],
)
def test_a_clear_first_number_counts_whatever_its_explanation_computes(first_line: str, explanation: str) -> None:
    assert chosen(f"{first_line}\n\n{explanation}", FOUR) == 1


REASONING = [
    "London is larger, and Paris is older.", "Let me think. A lies in France, and D in Spain.",
    "A. Paris is in France.\nB. London is in England.\nC. Berlin is in Germany.\nD. Madrid is in Spain.",
    "A. Paris\nB. London\nC. Berlin\nD. Madrid", "- Paris\n- London\n- Berlin\n- Madrid",
    "Paris\nLondon\nBerlin\nMadrid",
    "**A. Paris**\nNo.\n\n**B. London**\nNo.\n\n**C. Berlin**\nYes.\n\n**D. Madrid**\nNo.",
    "B) London looks right at first, but the question is about Germany.", "The wall was built in 1961.",
    "B or C?", "B? No, that is in England.",
]  # fmt: skip
CONCLUSIONS = [
    "It lies in Germany, so the answer is C.", "Therefore, C.", "I choose C", "Final answer: C", "So it is C.",
    "Therefore, Berlin.", "Hence Berlin is the right one.", "So C is correct.", "Thus, option C (Berlin).",
    "So C fits.",
    "So Berlin (C).", "Therefore C, because the wall was there.", "So Berlin, since Paris is in France.", "=> C",
    "Thus C: Berlin.", "I'd go with C, as it lies in Germany.", "I choose Berlin.", "Final: Berlin", "Correct: C",
    "Hence (C) Berlin.", "So I pick C over B.", "So, C, I think.", "Therefore, **C. Berlin**",
    "So Berlin must be right.", "So C, Berlin.", "So it's Berlin, clearly.",
    "So C is the only one.", "So Berlin (C), then.",
    "Therefore it's Berlin, which is in Germany.", "所以选C。", "因此，C是正确的。", "Daher C.", "Donc C.",
    "In conclusion, option (C) Berlin is in Germany.", "So Berlin fits best.", "→ **C**", "So C — Berlin.",
]  # fmt: skip


@pytest.mark.parametrize("reasoning", REASONING)
def test_a_conclusion_wins_unless_the_text_begins_with_a_bare_choice(reasoning: str) -> None:
    for conclusion in CONCLUSIONS:
        for gap in ("\n", "\n\n"):
            answer = f"{reasoning}{gap}{conclusion}"
            assert chosen(answer, CAPITALS) == 2, answer


@pytest.mark.parametrize("first_line", [line for line in FIRST_LINES if "<answer>" not in line])
@pytest.mark.parametrize(
    "conclusion",
    ["Final answer: C", "It lies in Germany, so the answer is C.", "I choose C.", "I choose Berlin, as it is there.",
     "Final: C", "Correct: C. Berlin", "C", "**Berlin**", "I pick C because it lies in Germany."],
)  # fmt: skip
def test_a_first_answer_gives_way_to_one_that_is_stated_or_chosen_at_the_end(first_line: str, conclusion: str) -> None:
    assert chosen(f"{first_line.format(text='London')}\n\nNo, wait.\n\n{conclusion}", CAPITALS) == 2


@pytest.mark.parametrize(
    "ending",
    [
        "So Berlin belongs to another country.", "So C fails.", "Thus C refers to Germany.", "Hence Berlin and so on.",
        "So Berlin became the capital.", "So C, the capital of Germany, comes second.", "So C (Berlin) comes second.",
        "Therefore Berlin is the opposite.", "It is large, so C would be in Germany.", "So Berlin, however, is large.",
        "I would say Berlin comes second.", "B → C", "So C as well as B.", "So C - 2",
        "So Paris, London.", "So Berlin is just a city.", "So C is one of the capitals.", "So Berlin, then London.",
    ],
)  # fmt: skip
def test_a_sentence_that_says_something_else_about_a_choice_is_not_a_conclusion(ending: str) -> None:
    listed = "A. Paris is in France.\nB. London is in England.\nC. Berlin is in Germany.\nD. Madrid is in Spain."
    assert chosen(f"Let me see.\n{listed}\n\n{ending}", CAPITALS) is None


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("A) Paris, because option B) London is in England.", 0),
        ("A. Paris is the capital of France, whereas B. London is in England.", 0),
        ("A: Paris. Unlike B: London, it lies on the Seine.", 0),
        ("A) Paris, because B) London is in England and C) Berlin is in Germany.", 0),
        ("A) Paris B) London C) Berlin D) Madrid", None), ("A) Paris, B) London", None),
        ("A. Paris is old. B. London is large. C. Berlin is new.", None), ("A: no; B: yes", None),
        ("A) Paris B) London C) Berlin D) Madrid. Therefore, B.", 1), ("A) Paris.\n\nNot as B) London.", 0),
        ("A) Paris: no. B) London: yes.", None),
    ],
)  # fmt: skip
def test_a_second_letter_in_a_line_makes_a_list_only_if_nothing_joins_it(answer: str, place: int | None) -> None:
    assert chosen(answer, CAPITALS) == place


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("The best answer is:\nA) Paris\n\nB) London is wrong.", 0),
        ("The best answer is:\nA) Paris\n\nB) London is in England.", 0),
        ("The answer is:\nA) Paris\nB) London is wrong.", 0), ("Answer:\nA) Paris\n\nB) London is not the capital.", 0),
        ("The answer is:\nA. Paris\nB. London", None), ("Answer:\nA. Paris\nB. London is in England", None),
    ],
)  # fmt: skip
def test_a_colon_opens_a_list_only_if_its_second_item_is_near_and_not_denied(answer: str, place: int | None) -> None:
    assert chosen(answer, CAPITALS) == place


OTHERS = "A. Paris is in France\nC. Berlin is in Germany\nD. Madrid is in Spain\n"


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        (f"B. London\n{OTHERS}A. Paris is thus out", 1), (f"B. London\n{OTHERS}", 1), (f"B. London\n\n{OTHERS}", 1),
        ("A. Paris - no\nB. London - yes\nC. Berlin - no\nD. Madrid - no\nA. was tempting", None),
        ("A. Paris\nB. London\nC. Berlin\nD. Madrid\nA. Paris is thus out", None),
        ("A. Paris\nB. London\nC. Berlin\nD. Madrid\nB. London", 1), ("A. Paris\nB. London", None),
        ("B. London\nC. Berlin", None), ("Paris\nLondon\nThese are capitals.", None),
    ],
)  # fmt: skip
def test_a_first_line_is_an_answer_unless_it_is_the_first_item_of_a_list(answer: str, place: int | None) -> None:
    assert chosen(answer, CAPITALS) == place


AMOUNTS = ("10%", "20%", "$10", "10")


@pytest.mark.parametrize("form", ["{}", "The answer is {}.", "\\boxed{{{}}}", "Therefore, {}.", "The result is {}."])
@pytest.mark.parametrize(
    ("amount", "place"),
    [
        ("10\\%", 0), ("$10\\%$", 0), ("10\\,\\%", 0), ("$20\\%$", 1), ("\\$10", 2), ("$\\$10$", 2), ("$10", 2),
        ("$10$", 3), ("$$10$$", 3), ("10", 3), ("\\(10\\%\\)", 0), ("\\(10\\)", 3),
    ],
)  # fmt: skip
def test_a_number_in_tex_is_the_same_choice_as_without_tex(form: str, amount: str, place: int) -> None:
    assert chosen(form.format(amount), AMOUNTS) == place


def test_a_choice_text_that_begins_like_a_letter_is_matched_as_a_whole() -> None:
    keys = ("C major", "A minor", "D minor", "D major")
    for place, key in enumerate(keys):
        for ending in (
            "So {}, because it has no sharps.",
            "Therefore, {}.",
            "I choose {}, as it is.",
            "So {} is right.",
        ):
            assert chosen(f"C major? D minor?\n\n{ending.format(key)}", keys) == place, (key, ending)


def test_choices_in_tex_are_compared_without_tex_too() -> None:
    for choices in (("10\\%", "$10$", "\\$10"), ("$10\\%$", "$10$", "$\\$10$")):
        for place, plain in enumerate(("10%", "10", "$10")):
            assert [chosen(text, choices) for text in (plain, choices[place])] == [place, place], choices


def test_a_number_before_a_tex_command_is_another_number() -> None:
    assert chosen("It is 10\\pi, I think.", AMOUNTS) is None
    assert chosen("It is 10\\text{ or so}, I think.", AMOUNTS) == 3


@pytest.mark.parametrize(
    "hostile", ["so B (", "so B,", "A) x B) ", "B. London\n", "London\n", "\\$", "so London ", "so ("]
)
def test_hostile_explanations_take_linear_time(hostile: str) -> None:
    with at_most(10):
        chosen("B. London\n" + hostile * (60_000 // len(hostile)), CAPITALS)
        chosen("x " + hostile * (60_000 // len(hostile)), CAPITALS)
