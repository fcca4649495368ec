"""From an item, an arm and a replicate to a request."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from promptrial.design.prompts import request_for, requests_of, task_message, texts_of
from promptrial.model import Item, Message, Part, Request, Sampling, TaskTemplates, ids
from promptrial.model.templates import DEFAULT_TEXTS, KINDS, written_choices
from tests.support.values import make_trial


def instructions(
    open_book: str = "P: {context}\nQ: {question}\nA:", closed_book: str = "Q: {question}\nA:"
) -> TaskTemplates:
    return TaskTemplates(open_book, closed_book)


def item(question: str = "Why?", context: str | None = None, name: str = "q1", **more: Any) -> Item:
    return Item(id=name, dataset="nq", question=question, answers=("x",), context=context, **more)


def test_a_closed_book_message_is_the_instruction_with_the_question() -> None:
    assert task_message(item(), instructions()) == "Q: Why?\nA:"


def test_an_open_book_message_has_passage_and_question_in_the_order_of_the_instruction() -> None:
    one = item(context="Because.")
    assert task_message(one, instructions()) == "P: Because.\nQ: Why?\nA:"
    assert task_message(one, instructions("{question} {context}")) == "Why? Because."


def test_an_empty_passage_is_still_an_open_book_question() -> None:
    assert task_message(item(context=""), instructions()) == "P: \nQ: Why?\nA:"


def test_braces_and_placeholders_in_the_data_are_unchanged() -> None:
    question, context = "{context} {question} {0} }{ {{x}}", "{question} {context} {} %s \\1"
    one = item(question, context)
    assert task_message(one, instructions("{context}|{question}")) == f"{context}|{question}"
    assert task_message(one, instructions("{question}|{context}")) == f"{question}|{context}"
    assert task_message(item(question), instructions()) == f"Q: {question}\nA:"


def test_other_braces_of_the_instruction_are_unchanged() -> None:
    assert task_message(item(), instructions(closed_book='Reply {"a": {question}} {x}')) == 'Reply {"a": Why?} {x}'


def test_a_request_has_the_arms_system_prompt_and_every_decoding_parameter() -> None:
    trial = make_trial(seed=11)
    request = request_for(item(context="Because."), trial, "treatment", 0.7, 2)
    assert request.id == ("nq", "q1", "treatment", "0.7", 2, "open")
    assert [(message.role, message.content) for message in request.messages] == [
        ("system", "Be accurate."),
        ("user", "P: Because.\nQ: Why?\nA:"),
    ]
    assert request.sampling == Sampling(0.7, 0.9, 40, 32, ("\n",), ids.request_seed(request.id, 11))


def test_closed_book_answers_have_their_own_token_limit() -> None:
    assert request_for(item(), make_trial(), "control", 0.0, 0).sampling.max_tokens == 16


def test_the_arms_differ_only_in_system_prompt_id_and_seed() -> None:
    control, treatment = (
        request_for(item(), make_trial(), condition, 0.0, 0) for condition in ("control", "treatment")
    )
    assert control.messages[1] == treatment.messages[1]
    assert control.messages[0] != treatment.messages[0]
    assert control.sampling.seed != treatment.sampling.seed


def all_requests(items: list[Item]) -> list[Request]:
    trial = make_trial(samples_per_item={"0.0": 3})
    part = Part(trial.slug, 0.0, "control", 1, 0, len(items), 3 * len(items))
    return list(requests_of(part, items, trial))


def test_the_replicates_of_an_item_are_adjacent_and_in_order() -> None:
    found = [
        (request.id.item_id, request.id.sample_index) for request in all_requests([item(name="b"), item(name="a")])
    ]
    assert found == [("b", 0), ("b", 1), ("b", 2), ("a", 0), ("a", 1), ("a", 2)]


def test_a_seed_depends_on_the_request_and_not_on_its_neighbours() -> None:
    items = [item(name=f"q{number}") for number in range(50)]
    forwards = {request.id: request.sampling.seed for request in all_requests(items)}
    backwards = {request.id: request.sampling.seed for request in all_requests(items[::-1])}
    assert forwards == backwards
    assert len(set(forwards.values())) == 150
    assert all(0 <= seed < 2**31 for seed in forwards.values())


def test_an_arm_uses_its_own_templates() -> None:
    trial = make_trial()
    control, treatment = trial.arms
    own = replace(treatment, templates=TaskTemplates("{context}{question}", "Own: {question}"))
    changed = replace(trial, arms=(control, own))
    assert request_for(item(), changed, "treatment", 0.0, 0).messages[1].content == "Own: Why?"
    assert request_for(item(), changed, "control", 0.0, 0) == request_for(item(), trial, "control", 0.0, 0)
    assert texts_of([changed]) == [
        "P: {context}\nQ: {question}\nA:", "Q: {question}\nA:", "{context}{question}", "Own: {question}",
        "You are careful.", "Be accurate.",
    ]  # fmt: skip


# --- choices and turns -----------------------------------------------------------------------------------------------


def test_the_packaged_templates_are_frozen_because_another_text_would_change_requests() -> None:
    assert tuple(DEFAULT_TEXTS) == KINDS
    assert {kind: hashlib.sha256(text.encode()).hexdigest()[:16] for kind, text in DEFAULT_TEXTS.items()} == {
        "open_book": "b6ead922e36c5526",
        "closed_book": "bf085a6e12c9d0e2",
        "open_book_choices": "14efafe3e01c660b",
        "closed_book_choices": "bf2b6bb1269cf4b0",
    }


def test_a_multiple_choice_message_lists_the_choices_with_letters() -> None:
    templates = TaskTemplates(
        "{context}|{question}", "{question}", "{context}|{question}|{choices}", "{choices}|{question}"
    )
    choices = ("six", "{question}", "two\nlines")
    written = "A. six\nB. {question}\nC. two\nlines"
    assert task_message(item(choices=choices), templates) == f"{written}|Why?"
    assert task_message(item(context="{choices}", choices=choices), templates) == f"{{choices}}|Why?|{written}"
    assert task_message(item(), templates) == "Why?"


def test_the_packaged_templates_ask_each_kind_of_item() -> None:
    packaged = TaskTemplates(**DEFAULT_TEXTS)
    assert task_message(item(), packaged) == "Why?"
    assert task_message(item(context="So."), packaged) == "Passage:\nSo.\n\nQuestion: Why?"
    choose = "A. a\nB. b\n\nAnswer with the letter of the correct choice."
    assert task_message(item(choices=("a", "b")), packaged) == f"Why?\n\n{choose}"
    assert task_message(item(context="So.", choices=("a", "b")), packaged) == (
        f"Passage:\nSo.\n\nQuestion: Why?\n\n{choose}"
    )


def test_26_choices_have_letters_and_27_are_refused() -> None:
    assert written_choices([*"abcdefghijklmnopqrstuvwxyz"]).splitlines()[-1] == "Z. z"
    with pytest.raises(ValueError, match="27 choices; a question may have at most 26"):
        written_choices([str(number) for number in range(27)])


def test_the_turns_of_a_conversation_are_between_system_prompt_and_question() -> None:
    turns = (Message("user", "Hi {question}"), Message("assistant", "Yes?"))
    request = request_for(item(messages=turns), make_trial(), "control", 0.0, 0)
    assert [(each.role, each.content) for each in request.messages] == [
        ("system", "You are careful."), ("user", "Hi {question}"), ("assistant", "Yes?"), ("user", "Q: Why?\nA:"),
    ]  # fmt: skip
    plain = request_for(item(), make_trial(), "control", 0.0, 0)
    assert (request.id, request.sampling) == (plain.id, plain.sampling)


def test_templates_of_choices_are_recorded_only_where_they_are_not_the_packaged_ones() -> None:
    assert list(instructions().recorded()) == ["open_book", "closed_book"]
    own = replace(instructions(), closed_book_choices="{question}{choices}")
    assert list(own.recorded()) == ["open_book", "closed_book", "closed_book_choices"]
