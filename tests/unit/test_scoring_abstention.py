"""What is an abstention and what is an answer."""

# ruff: noqa: RUF001 - quote marks of every kind

import time

import pytest

from promptrial.scoring.refusals import _CORES, _NEGATIONS, is_abstention, refusal_form

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
def test_a_text_without_a_word_is_no_abstention(text: str) -> None:
    assert not is_abstention(text)


def test_the_mandated_refusal_is_recognised_with_its_punctuation_on_either_side() -> None:
    # An earlier tool stripped the full stop from the answer and not from the marker it looked for.
    assert is_abstention("I don't know")
    assert is_abstention("Declined.", extra_refusals=("declined",))
    assert is_abstention("declined", extra_refusals=("Declined.",))


def test_an_extra_refusal_counts_alone_beside_others_and_as_a_sentence_but_not_as_a_part() -> None:
    extra = ("Pass!", "Hors sujet. Désolé.")
    assert is_abstention("pass", extra)
    assert is_abstention("Sorry. Pass. I don't know.", extra)
    assert is_abstention("hors sujet… DÉSOLÉ", extra)
    assert not is_abstention("Khyber Pass", extra)
    assert not is_abstention("pass")


def test_an_extra_refusal_of_no_word_makes_nothing_a_refusal() -> None:
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


@pytest.mark.parametrize("example", _CORES)
def test_each_pattern_matches_the_example_that_it_stands_under(example: str) -> None:
    assert is_abstention(example)


@pytest.mark.parametrize("text", REFUSALS)
def test_each_refusal_has_a_word_that_lets_it_reach_the_patterns(text: str) -> None:
    assert _NEGATIONS & set(refusal_form(text).split())


def test_a_long_text_is_an_answer() -> None:
    assert is_abstention("I don't know. " * 20)
    assert not is_abstention("I don't know. " * 40)


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
def test_hostile_texts_are_judged_in_no_time(text: str) -> None:
    start = time.process_time()
    is_abstention(text[:400])
    assert time.process_time() - start < 0.25
