"""Requests that are too long for their model: certain where words alone are too many, else possible or unknown."""

from __future__ import annotations

import pytest

from promptrial.design.context_lengths import UNREMARKABLE, LongRequest, long_requests
from promptrial.model import Item, ModelSpec
from promptrial.model.instances import RequestOptions
from tests.support.values import make_trial

SHORT = Item(id="short", dataset="d", question="Why?", answers=())
TRIAL = make_trial()


def passage(name: str, words: int, word: str = "word") -> Item:
    return Item(id=name, dataset="d", question="Why?", answers=(), context=" ".join([word] * words))


def found(items: list[Item], context: int | None, **changes: object) -> list[LongRequest]:
    return list(long_requests([make_trial(**changes)], {"set": items}, lambda _model: context))


def test_an_item_with_more_words_than_the_context_is_a_problem_in_each_arm() -> None:
    control, treatment = found([SHORT, passage("long", 5000), passage("longer", 6000)], 4096)
    assert control.problem == (
        "datasets.set: item 'longer' does not fit: for the arm control of m1-main it has at least 6,007 tokens, its "
        "answer up to 32, but models.m1 takes 4,096 in total (2 of the 3 items read are too long); shorten or remove "
        "it, lower `max_new_tokens`, or choose a model with a longer context"
    )
    assert control.note is None
    assert treatment.problem is not None
    assert "the arm treatment of m1-main" in treatment.problem


def test_an_item_too_long_only_at_the_upper_estimate_is_a_note() -> None:
    control, _ = found([passage("long", 3000)], 4096)
    assert control.problem is None
    assert control.note is not None
    assert control.note.startswith(
        "datasets.set: item 'long' may not fit: for the arm control of m1-main it has about 3,3"
    )
    assert control.note.endswith("its answer up to 32, but models.m1 takes 4,096 in total")
    control, _ = found([passage("long", 3000), SHORT, passage("as-long", 3000)], 4096)
    assert control.note is not None
    assert control.note.endswith("4,096 in total (2 of the 3 items read may be too long)")


def test_the_answer_and_its_thinking_need_room_too() -> None:
    items = [passage("long", 3000)]
    limits = {"open": 1200, "closed": 16}
    assert all(each.problem is None for each in found(items, 4096))
    assert all(each.problem is not None for each in found(items, 4096, max_new_tokens=limits))
    fits = [passage("fits", 1500)]
    assert all(each.note is None for each in found(fits, 4096))
    assert all(each.note is not None for each in found(fits, 4096, max_new_tokens=limits))
    thinking = ModelSpec("m1", "m1", "fake", options=RequestOptions(thinking_budget=1200))
    assert all(each.problem is not None for each in found(items, 4096, model=thinking))


def test_if_the_context_is_unknown_the_longest_request_is_reported() -> None:
    control, _ = found([SHORT, passage("long", 3000), passage("shorter", 2900)], None)
    assert control.problem is None
    assert control.note is not None
    assert control.note.startswith("datasets.set: item 'long' has the longest request to the arm control of m1-main")
    assert control.note.endswith("the context length of models.m1 is not known")


def test_requests_that_fit_every_model_cause_no_lookup() -> None:
    def asked(_model: ModelSpec) -> int:
        raise AssertionError("nobody needs to know")

    items = [SHORT, passage("p", 500)]
    assert UNREMARKABLE == 2048
    assert not list(long_requests([TRIAL], {"set": items, "empty": []}, asked))


def test_a_request_that_fits_causes_no_message() -> None:
    assert [(each.problem, each.note) for each in found([passage("long", 3000)], 128_000)] == [(None, None)] * 2


def test_arms_with_identical_requests_are_reported_once() -> None:
    items = [passage("long", 6000)]
    twice = list(long_requests([make_trial(), make_trial(slug="again")], {"set": items}, lambda _model: 4096))
    assert len(twice) == 2


@pytest.mark.parametrize("text", [" " * 30_000, "\n\n" * 9_000, "= " * 2_000 + "-" * 20_000])
def test_whitespace_and_separator_lines_are_never_certainly_too_long(text: str) -> None:
    """A tokenizer may have one token for many of them."""
    item = Item(id="odd", dataset="d", question="Why?", answers=(), context=text)
    assert all(each.problem is None and each.note for each in found([item], 4096))


def test_chinese_text_is_certainly_too_long_only_beyond_four_characters_per_token() -> None:
    def item(characters: int) -> Item:
        return Item(id="zh", dataset="d", question="?", answers=(), context="水" * characters)

    assert all(each.problem is None for each in found([item(16_000)], 4096))
    assert all(each.problem is not None for each in found([item(16_600)], 4096))
