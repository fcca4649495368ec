"""The notation of refusals: what its signs mean, and that matching never tries anything twice."""

import pytest

from promptrial.scoring.phrases import Speech, Vocabulary

BOOK = Vocabulary({"source": "the (passage|text)", "basis": "[based] on {source}"}, words=str.split, most_free=3)


def matches(phrases: str, text: str, committing: tuple[list[str], ...] = ()) -> bool:
    speech = Speech(text.split(), committing)
    return bool(BOOK.phrases(phrases).match(speech, 1) & speech.end)


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("not known", "not known", True),
        ("not known", "not", False),
        ("not known", "not known here", False),
        ("[still] not known", "still not known", True),
        ("[still] not known", "not known", True),
        ("[still|yet] (not known|unknown)", "yet unknown", True),
        ("[still|yet] (not known|unknown)", "still yet unknown", False),
        ("(|still) unknown", "unknown", True),
        ("unknown {basis}", "unknown based on the text", True),
        ("unknown {basis}", "unknown on the passage", True),
        ("unknown {basis}", "unknown the passage", False),
        ("… is unknown", "the year is unknown", True),
        ("… is unknown", "is unknown", False),
        ("… is unknown", "one two three four is unknown", False),
        ("who …", "who was it", True),
    ],
)
def test_a_phrase_matches_the_texts_it_describes(phrase: str, text: str, *, expected: bool) -> None:
    assert matches(phrase, text) is expected


def test_a_line_is_a_phrase_and_one_line_must_match() -> None:
    assert matches("unknown\n\nnot known\n", "not known")
    assert not matches("unknown\n\nnot known\n", "known")


def test_free_words_never_match_the_beginning_of_an_answer() -> None:
    committing = (["but"], ["it", "was"])
    assert matches("who …", "who it seems was", committing)
    assert not matches("who …", "who won but Bo", committing)
    assert not matches("who …", "who it was", committing)


def test_a_match_can_begin_at_several_positions() -> None:
    speech = Speech(["sorry", "sorry", "unknown"])
    assert BOOK.phrases("unknown").match(speech, 0b111) == speech.end == 0b1000


@pytest.mark.parametrize("phrase", ["(a", "a)", "[a", "a]", "(a]"])
def test_brackets_that_do_not_match_are_an_error(phrase: str) -> None:
    with pytest.raises(ValueError, match="bracket"):
        BOOK.phrases(phrase)


def test_an_unknown_piece_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        BOOK.phrases("{nothing}")


def test_the_work_does_not_grow_with_the_number_of_possible_matches() -> None:
    book = Vocabulary({}, words=str.split, most_free=100)
    phrases = book.phrases("[a|a a] " * 30 + "… … … … b")
    calls = 0

    class Counted(Speech):
        def places(self, words: object) -> int:
            nonlocal calls
            calls += 1
            return super().places(words)  # type: ignore[arg-type]

    speech = Counted(["a"] * 80)
    assert not phrases.match(speech, 1) & speech.end
    assert calls < 1000
