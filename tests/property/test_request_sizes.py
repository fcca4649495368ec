"""The size of requests that are not written is exactly that of the requests that *build* writes."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from promptrial.costs.characters import RequestSize, size_of
from promptrial.design.prompts import requests_of
from promptrial.model import Arm, Item, Message, ModelSpec, Part, Prompt, TaskTemplates, Trial
from promptrial.model.templates import DEFAULT_TEXTS
from promptrial.phases.sizing import Members, part_bytes, request_size
from promptrial.providers.request_rows import encode_request_row

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TEMPLATES = st.one_of(
    TEXTS,
    st.sampled_from(["Q: {question}", "{context} {question} {context}", "{choices}\n{question}", '{question}"{other}']),
)
MODEL = ModelSpec("m", "vendor/m", "fake")


@st.composite
def items(draw: st.DrawFn) -> Item:
    choices = draw(st.sampled_from([(), ("yes", 'no "'), ("1", "2", "3é")]))
    return Item(
        id=draw(st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60)),
        dataset=draw(st.sampled_from(["set", "a_b"])),
        question=draw(TEXTS),
        answers=(),
        context=draw(st.none() | TEXTS),
        choices=choices,
        messages=tuple(Message("assistant", text) for text in draw(st.lists(TEXTS, max_size=2))),
    )


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    prompt = draw(TEXTS)
    texts = {kind: draw(TEMPLATES) for kind in DEFAULT_TEXTS}
    arm = Arm("treatment", Prompt(prompt, "0" * 64), MODEL, TaskTemplates(**texts))
    temp = draw(st.sampled_from([0.0, 0.7]))
    return Trial(
        slug="t", model=MODEL, prompt_set="p", arms=(arm,), temps=(temp,),
        samples_per_item={repr(temp): draw(st.integers(1, 3))},
        top_p=1.0, top_k=50, max_new_tokens={"open": 64, "closed": 7}, stop=draw(st.sampled_from([(), ("\n",)])),
        seed=draw(st.integers(0, 2**31)), conditions=("treatment",),
    )  # fmt: skip


@given(trials(), st.lists(items(), min_size=1, max_size=6))
def test_counted_bytes_and_characters_equal_those_of_the_requests(trial: Trial, held: list[Item]) -> None:
    (temp,) = trial.temps
    part = Part("t", temp, "treatment", 1, 0, len(held), len(held) * trial.samples_per_item[repr(temp)])
    requests = list(requests_of(part, held, trial))
    members = Members(held)
    assert part_bytes(members, trial, part) == sum(len(encode_request_row(each)) + 1 for each in requests)
    sent = reduce(RequestSize.plus, (size_of(turn.content for turn in each.messages) for each in requests))
    assert request_size(members, trial, part) == sent
