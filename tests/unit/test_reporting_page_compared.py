"""Texts of a page compared by words: exact where they are short, and quick however long they are."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.reporting.page.compared import MOST_PAIRS, compared_words
from tests.support.processor_time import at_most

WORDS = [f"w{n}" for n in range(300)]
LIMIT_S = 2.0


def later(html: str) -> str:
    """Return the text without the words that are gone."""
    return unescape(re.sub(r"</?ins>", "", re.sub(r"<del>.*?</del>", "", html, flags=re.DOTALL)))


def earlier(html: str) -> str:
    """Return the text without the words that are new."""
    return unescape(re.sub(r"</?del>", "", re.sub(r"<ins>.*?</ins>", "", html, flags=re.DOTALL)))


def marked(html: str) -> int:
    return sum(len(words.split()) for words in re.findall(r"<(?:del|ins)>(.*?)</", html, flags=re.DOTALL))


def long_texts(n_words: int, line: int, words: list[str] = WORDS) -> tuple[str, str]:
    """Return a text of lines of so many words, and the same with every fiftieth word changed."""
    chosen = np.random.default_rng(1).choice(words, n_words).tolist()
    changed = [f"new{at}" if at % 50 == 7 else word for at, word in enumerate(chosen)]
    return in_lines(chosen, line), in_lines(changed, line)


def in_lines(words: list[str], line: int) -> str:
    return "\n".join(" ".join(words[at : at + line]) for at in range(0, len(words), line))


@pytest.mark.parametrize(
    ("before", "after", "html"),
    [
        ("be brief", "be brief", "be brief"),
        ("be brief now", "be clear now", "be <del>brief </del><ins>clear</ins> now"),
        ("be brief", "be", "be<del> brief</del>"),
        ("be brief", "was clear now", "<del>be brief </del><ins>was clear now</ins>"),
        ("be", "be brief", "be <ins>brief</ins>"),
        ("", "<b>", "<ins>&lt;b&gt;</ins>"),
        ("a\n  b", "a b", "a b"),
        ("", "", ""),
    ],
)
def test_new_and_gone_words_are_marked_and_spaces_are_not_compared(before: str, after: str, html: str) -> None:
    assert compared_words(before, after) == html


@pytest.mark.parametrize("line", [12, 10_000], ids=["lines", "one line"])
@pytest.mark.parametrize("n_words", [10_000, 40_000])
def test_only_the_changed_words_of_a_long_prompt_are_marked(n_words: int, line: int) -> None:
    before, after = long_texts(n_words, line)
    with at_most(LIMIT_S * n_words / 10_000):
        html = compared_words(before, after)
    assert later(html) == after
    assert earlier(html).split() == before.split()
    assert marked(html) == 2 * n_words // 50


@pytest.mark.parametrize("words", [["a"], ["a", "b"], WORDS[:20]], ids=["one", "two", "twenty"])
def test_no_text_makes_the_comparison_slow(words: list[str]) -> None:
    before, after = long_texts(10_000, 12, words)
    mixed = " ".join(np.random.default_rng(2).choice(words, 10_000))
    for other in (after, mixed, " ".join(reversed(before.split()))):
        with at_most(2 * LIMIT_S):
            html = compared_words(before, other)
        assert later(html) == other


def test_moved_words_are_marked_at_both_places() -> None:
    texts = [" ".join(f"{name}{n}" for n in range(300)) for name in "abc"]
    html = compared_words(" ".join(texts), " ".join([texts[0], texts[2], texts[1]]))
    assert marked(html) == 600
    assert html.startswith(texts[0])


def test_passages_with_too_many_pairs_of_words_are_marked_as_a_whole() -> None:
    side = int(MOST_PAIRS**0.5)
    for n, whole in ((side, False), (side + 2, True)):
        html = compared_words("x " + "a b " * (n // 2 - 1) + "y", "z " + "b a " * (n // 2 - 1) + "q")
        assert (marked(html) == 2 * n) == whole


_TEXT = st.lists(st.sampled_from(["a", "b", "c", "d<", " ", "\n", "  "]), max_size=60).map(" ".join)


@given(_TEXT, _TEXT, st.sampled_from([0, 20, MOST_PAIRS]))
def test_both_texts_can_be_recovered_from_the_comparison(before: str, after: str, most: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("promptrial.reporting.page.compared.MOST_PAIRS", most)
        html = compared_words(before, after)
    assert later(html) == after
    assert earlier(html).split() == before.split()
