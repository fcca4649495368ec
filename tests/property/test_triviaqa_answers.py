"""The readable TriviaQA answers have exactly the normal forms of the official ground truths.

``normalize`` is written from the definition in ``evaluation/triviaqa_evaluation.py`` of the official repository.
"""

import json
import re
import string

from hypothesis import example, given
from hypothesis import strategies as st

from promptrial.datasets.triviaqa import accepted_answers
from tests.support.questions import made_up_file, real_file

PUNCTUATION = {*string.punctuation, "\u2018", "\u2019", "\u00b4", "`"}


def normalize(text: str) -> str:
    lowered = text.replace("_", " ").lower()
    spaced = "".join(" " if char in PUNCTUATION else char for char in lowered)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", spaced).split()).strip()


def forms(texts: list[str]) -> set[str]:
    return {normalize(text) for text in texts}


words = st.sampled_from(
    [
        "the",
        "The",
        "a",
        "AN",
        "Beatles",
        "beatles",
        "rock'n'roll",
        "U.S.",
        "u s",
        "\u2018a\u2019",
        "\u00c9a",
        "_",
        "-",
        "x",
    ]
)
texts = st.lists(words, max_size=4).map(" ".join) | st.text(max_size=6)
text_lists = st.lists(texts, max_size=5)


@given(texts, text_lists, text_lists, text_lists)
@example("The Beatles", ["beatles!"], ["beatles"], [])
@example("\u2018a\u2019", ["an\u2018a"], ["", "the"], [])
def test_exactly_the_official_normal_forms_are_accepted(
    value: str, aliases: list[str], normalized: list[str], human: list[str]
) -> None:
    answers = accepted_answers(value, aliases, normalized, human)
    official = [*normalized, *human]
    assert forms(answers) <= forms(official)
    assert forms(answers) >= forms([text for text in official if text.strip()])


@given(texts, text_lists)
def test_aliases_stay_readable_if_every_alias_has_its_normal_form_in_the_file(value: str, aliases: list[str]) -> None:
    readable = [text for text in (value, *aliases) if text.strip()]
    normalized = [normalize(text) for text in readable]
    answers = accepted_answers(value, aliases, normalized, [])
    assert forms(answers) | {""} == set(normalized) | {""}  # a blank alias may have no readable form
    plain = [text for text in readable if text.isascii()]
    assert [answer for answer in answers if answer in plain][: len(plain)] == plain


def test_every_generated_question_has_the_ground_truths_of_its_file() -> None:
    for entry in json.loads(made_up_file("triviaqa").read_bytes())["Data"]:
        answer = entry["Answer"]
        human = answer.get("HumanAnswers", [])
        answers = accepted_answers(answer["Value"], answer["Aliases"], answer["NormalizedAliases"], human)
        assert forms(answers) == {*answer["NormalizedAliases"], *forms(human)}


def test_the_official_sample_has_the_official_ground_truths() -> None:
    (entry,) = json.loads(real_file("triviaqa").read_bytes())["Data"]
    answer = entry["Answer"]
    answers = accepted_answers(answer["Value"], answer["Aliases"], answer["NormalizedAliases"], [])
    assert forms(answers) == set(answer["NormalizedAliases"])
    assert answers == [answer["Value"], *answer["Aliases"]]
