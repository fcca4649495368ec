"""What is an abstention and what is an answer."""

# ruff: noqa: RUF001 - quote marks of every kind

import json
import re
from pathlib import Path

import pytest

from promptrial.scoring import refusals
from promptrial.scoring.phrases import Speech
from promptrial.scoring.refusal_table import LANGUAGES, Language
from promptrial.scoring.refusals import is_abstention, refusal_form
from tests.support.processor_time import at_most

DATA = Path(__file__).parents[1] / "data/refusals"
LISTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DATA.glob("*.json"))}

REFUSALS = """\
I don't know.
I don’t know.
I DON´T KNOW
i do not know
**I don't know.**
"I don't know."
I don't know…
I really don't know.
I don't know the answer.
I don't know the answer to that question.
I don't know based on the passage
I don't know based on the given information.
I don't know, the passage doesn't say.
I don't know because the passage does not say.
I don't know. The passage does not say who won.
Sorry, I don't know.
I'm sorry, but I don't know the answer to the question.
I'm afraid I don't know.
Answer: I don't know
The answer is: unknown.
IDK
Unknown
unknown.
Unanswerable
Not answerable.
The question is unanswerable.
No answer.
No answer found
There is no answer in the passage.
N/A
I'm not sure
I am not sure about that.
Not sure.
Uncertain
I have no idea!
No idea
Insufficient information.
Not enough information to answer the question
There is not enough information in the passage to answer the question.
I don't have enough information to answer this question.
I cannot answer this question based on the passage.
I can't find the answer in the passage.
I am unable to answer.
Cannot be determined from the passage
It cannot be determined from the passage.
This question cannot be answered from the passage.
The answer is not in the passage.
The answer is not stated in the passage.
Not stated
Not mentioned in the text.
The passage does not say.
It doesn't say.
The passage does not say who won.
The passage doesn't provide enough information to answer the question.
The text does not mention the population of Norway.
The date of the battle is not mentioned in the passage.
According to the passage, the answer is unknown.
Unknown (not stated in the passage)
As an AI language model, I cannot answer.""".splitlines()

ANSWERS = """\
Unknown Pleasures
The Unknown
The Unknown Soldier
Unknown Mortal Orchestra
No Answer (film)
Don't Know Why
I Don't Know How to Love Him
I Don't Know Why
I don't know, but I think it is Paris
I don't know. Paris.
I don't know: Paris
I don't know Paris
I'm not sure, maybe Paris
Not sure, Paris
The passage does not say, but it was Paris
The passage does not say. It was Paris.
The passage does not say Paris
The passage does not mention the capital but it is Paris
The passage does not say who won, so it was probably Rollo
Paris. I don't know.
Paris (unknown)
The answer is Paris
I cannot answer Paris
Not in Kansas
Not Fade Away
No Country for Old Men
None
No
Nobody
no one
Nothing
Na
0
It doesn't have any.
He was not sure
I'm sorry.
Answer:
+1
❤
No evidence was found that he did it""".splitlines()


@pytest.mark.parametrize("text", REFUSALS)
def test_a_text_that_only_declines_is_an_abstention(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_a_text_that_says_anything_else_is_an_answer(text: str) -> None:
    assert not is_abstention(text)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "...", "—", "“”", "\u200b", "?!", "*" * 500])
def test_a_text_without_a_word_is_not_an_abstention(text: str) -> None:
    assert not is_abstention(text)


def test_the_mandated_refusal_is_recognised_with_its_punctuation_on_either_side() -> None:
    # An earlier tool stripped the full stop from the answer and not from the marker it looked for.
    assert is_abstention("I don't know")
    assert is_abstention("Declined.", extra_refusals=("declined",))
    assert is_abstention("declined", extra_refusals=("Declined.",))


def test_an_extra_refusal_counts_as_a_whole_sentence_but_not_as_part_of_one() -> None:
    extra = ("Pass!", "Hors sujet. Désolé.")
    assert is_abstention("pass", extra)
    assert is_abstention("Sorry. Pass. I don't know.", extra)
    assert is_abstention("hors sujet… DÉSOLÉ", extra)
    assert not is_abstention("Khyber Pass", extra)
    assert not is_abstention("pass")


def test_an_extra_refusal_without_a_word_has_no_effect() -> None:
    assert not is_abstention("Paris", ("", "."))


def test_a_text_without_a_word_is_an_abstention_where_the_configuration_says_so() -> None:
    assert is_abstention("-", ("—",))


def test_full_width_and_invisible_characters_do_not_hide_a_refusal() -> None:
    assert is_abstention("Ｉ ｄｏｎ＇ｔ ｋｎｏｗ．")
    assert is_abstention("I\u00a0don\u2019t\u200b know\ufeff")


def test_the_normal_form_separates_sentences_and_nothing_else() -> None:
    assert (
        refusal_form("Sorry!! I can’t say;\nthe text (above) | doesn't.") == "sorry\ni cant say\nthe text above doesnt"
    )


@pytest.mark.parametrize("text", [text for texts in LISTS.values() for text in texts["refusals"]])
def test_every_listed_refusal_is_an_abstention(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize("text", [text for texts in LISTS.values() for text in texts["answers"]])
def test_no_listed_answer_is_an_abstention(text: str) -> None:
    assert not is_abstention(text)


def test_the_lists_are_long_enough_to_be_meaningful() -> None:
    assert len(LISTS["own"]["refusals"]) >= 600
    assert len(LISTS["own"]["answers"]) >= 300


@pytest.mark.parametrize(
    ("sentence", "title"),
    [
        ("I don't know why.", "I Don't Know Why"),
        ("I don't know what it is.", "I Don't Know What It Is"),
        ("I can't find the way home.", "I Can't Find the Way Home"),
        ("No one knows who wrote it.", "No One Knows Who Wrote It"),
    ],
)
def test_a_refusal_with_free_words_in_title_case_is_an_answer(sentence: str, title: str) -> None:
    assert is_abstention(sentence)
    assert not is_abstention(title)


def test_capitals_alone_do_not_make_a_title() -> None:
    assert is_abstention("I DON'T KNOW WHO OWNED THE MILL.")


def test_an_answer_to_why_can_say_that_something_is_not_known() -> None:
    assert not is_abstention("Because there was not enough information.")
    assert is_abstention("I don't know, because there was not enough information.")


@pytest.mark.parametrize(
    "text",
    ["I don't know.</s>", "<answer>Unknown</answer>", "I don't know.<|im_end|>", "I don't know 🤷🏽‍♀️", "🤷", "- N/A"],
)
def test_markup_special_tokens_and_emoji_do_not_hide_a_refusal(text: str) -> None:
    assert is_abstention(text)


def test_an_english_label_can_precede_a_refusal_in_another_language() -> None:
    assert is_abstention("Final Answer: No lo sé.")
    assert is_abstention("Answer: Ich weiß es nicht")


def test_patterns_are_read_when_they_are_needed_and_by_language() -> None:
    for remembered in (refusals._is_refusal, refusals._abstains, refusals._book):
        remembered.cache_clear()
    assert not is_abstention("Paris")
    assert refusals._book.cache_info().currsize == 0
    assert is_abstention("Ik weet het niet.")
    assert refusals._book.cache_info().currsize == 2  # with the English labels


def test_a_long_text_is_an_answer() -> None:
    assert is_abstention("I don't know. " * 20)
    assert not is_abstention("I don't know. " * 40)
    assert [is_abstention(f"I don't know.{' ' * (letters - 13)}") for letters in (400, 401)] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "I don't know " * 30,
        "the passage does not say who " + "it " * 90,
        "the answer is not in the passage " * 12,
        "a is not stated in the passage " * 12 + "x",
        "in the passage " * 25 + "no",
        "no answer found to answer the question " * 9,
    ],
)
def test_hostile_texts_are_judged_quickly(text: str) -> None:
    with at_most(0.25):
        is_abstention(text[:400])


def test_a_sentence_is_split_at_most_three_times_and_otherwise_is_an_answer() -> None:
    text = (
        "it is not stated in the passage but I don't know as I cannot answer because I cannot answer so I cannot "
        "answer and it is not stated in the passage"
    )
    assert not is_abstention(text)
    assert is_abstention(text.partition(" so ")[0])


@pytest.mark.parametrize("joint", [" and ", ", ", ". ", ", and ", " because ", " (", "\n"])
def test_the_work_on_a_repetitive_text_is_bounded(joint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    class Counted(Speech):
        def __init__(self, words: list[str], committing: tuple[list[str], ...]) -> None:
            compared.append(len(words))
            super().__init__(words, committing)

    monkeypatch.setattr(refusals, "Speech", Counted)
    is_abstention(joint.join(["the text does not say who"] * 40)[:400])
    assert sum(compared) <= 60 * 80  # at most 60 comparisons with 80 words each


def simplest(phrase: str) -> str:
    """Return the shortest text that a phrase of the table matches: first choices, and nothing that may be left out."""
    while "[" in phrase or "(" in phrase:
        phrase = re.sub(r"\[[^\[\]()]*\]", " ", phrase)
        phrase = re.sub(r"\(([^\[\]()|]*)[^\[\]()]*\)", r" \1 ", phrase)
    return " ".join(phrase.replace("…", "zzz").split())


def written_out(language: Language, phrase: str) -> str:
    while "{" in phrase:
        phrase = re.sub(r"\{(\w+)\}", lambda match: f"({language.pieces[match[1]]})", phrase)
    return simplest(phrase)


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        (code, line)
        for code, language in LANGUAGES.items()
        for lines in (language.refusals, language.untitled)
        for line in lines.splitlines()
        if line
    ],
)
def test_every_phrase_of_the_table_matches_its_simplest_text(code: str, phrase: str) -> None:
    assert is_abstention(written_out(LANGUAGES[code], phrase))


def test_every_language_has_its_own_regrets() -> None:
    assert all(language.fillers for language in LANGUAGES.values())
