"""What stands before a cue of a choice: whether it begins its line, and whether it is about no choice at all."""

from __future__ import annotations

import pytest

from promptrial.scoring.choice_cues import STATEMENT, is_of_none, is_title, refutes

CUE = "Final answer:"


@pytest.mark.parametrize(
    ("before", "is_one"),
    [
        ("", True),
        ("**", True),
        ("It is large.\n", True),
        ("It is large.\n**", True),
        ("It is large.\n\n## ", True),
        ("\n", True),
        ("the ", True),
        ("**B**\nMy ", True),
        ("Her ", False),
        ("It is large. ", False),
        ("**B** My ", False),
        ("x" * 500 + "\n", True),
        ("x" * 500 + " ", False),
    ],
)
def test_a_cue_is_a_title_if_only_marks_and_an_article_precede_it_on_its_line(before: str, *, is_one: bool) -> None:
    text = f"{before}{CUE}** B"
    assert is_title(text, len(before)) is is_one


@pytest.mark.parametrize(
    ("text", "is_none"),
    [
        ("Look at each option: A", True),
        ("Which answer is B?", True),
        ("All in all the answer is B", False),
        ("No, the answer is B", False),
        ("Look at each option: A." + " So it is so." * 30 + " The answer is B", True),
    ],
)
def test_a_cue_is_of_no_choice_where_what_stands_just_before_it_says_so(text: str, *, is_none: bool) -> None:
    found = STATEMENT.search(text)
    assert found is not None
    assert is_of_none(text, found.start()) is is_none


@pytest.mark.parametrize(
    ("sentence", "denies"),
    [("B is not right", True), ("is it B?", True), ("so B", False), ("B, because A is not", False),
     ("not B, because it is large", True)],
)  # fmt: skip
def test_a_sentence_denies_where_it_does_so_before_its_reason(sentence: str, *, denies: bool) -> None:
    assert refutes(sentence) is denies
