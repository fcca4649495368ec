"""The model's own tokenizer counts some of the requests where it is in this process; elsewhere nothing is asked."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from promptrial.costs.bands import Band
from promptrial.costs.characters import RequestSize
from promptrial.costs.tokens import input_tokens
from promptrial.design.plan import select_phases
from promptrial.design.prompts import messages_of
from promptrial.engine.opening import RunRequest
from promptrial.engine.previewing import preview
from promptrial.engine.session import Invocation
from promptrial.errors import MissingDependencyError
from promptrial.model import Arm, Item, Message, ModelSpec
from promptrial.phases.quoted import Quote
from promptrial.phases.services import Services
from promptrial.phases.tokenizing import tokenized_requests
from promptrial.providers.embedded import EmbeddedProvider
from promptrial.runtime.clock import FakeClock
from tests.support.project import Project
from tests.support.values import make_trial

ARM = replace(make_trial().arm("control"), model=ModelSpec("m", "any-model", "embedded", adapter="embedded"))


class Tokenizer:
    """Counts three tokens for each message and one for each word."""

    def __init__(self) -> None:
        self.asked = 0

    def count_request(self, _model: ModelSpec, messages: tuple[Message, ...]) -> int | None:
        self.asked += 1
        return sum(3 + len(message.content.split()) for message in messages)


def services(provider: object) -> Services:
    def opened(_name: str) -> object:
        if isinstance(provider, Exception):
            raise provider
        return provider

    return cast("Services", SimpleNamespace(provider=opened))


def items(count: int) -> list[Item]:
    return [Item(id=str(n), dataset="d", question="why " * (n // 10 + 1), answers=()) for n in range(count)]


def words(arm: Arm, asked: list[Item]) -> int:
    return sum(3 + len(message.content.split()) for item in asked for message in messages_of(item, arm))


def test_few_requests_are_all_counted_and_then_known() -> None:
    found = tokenized_requests(services(Tokenizer()), ARM, items(12))
    assert found is not None
    assert input_tokens(RequestSize(12, 24), tokenized=found) == (Band.exactly(words(ARM, items(12))), "tokenizer")


@pytest.mark.parametrize("count", [40, 41, 79, 1000])
def test_at_most_forty_of_many_requests_are_counted_spread_over_all(count: int) -> None:
    tokenizer = Tokenizer()
    found = tokenized_requests(services(tokenizer), ARM, items(count))
    assert found is not None
    assert count / 40 / 2 < tokenizer.asked == found.requests <= 40
    assert found.input / found.requests == pytest.approx(words(ARM, items(count)) / count, rel=0.1)


def test_a_remote_model_is_not_opened_for_counting() -> None:
    elsewhere = replace(ARM, model=ModelSpec("m", "gpt", "openai", adapter="openai"))
    assert tokenized_requests(services(AssertionError("nobody is asked")), elsewhere, items(3)) is None


def test_without_the_engine_there_is_no_count() -> None:
    assert tokenized_requests(services(MissingDependencyError("it is not installed")), ARM, items(3)) is None


def test_a_model_that_is_too_large_to_load_for_this_has_no_count() -> None:
    too_large: Any = SimpleNamespace(count_request=lambda _model, _messages: None)
    assert tokenized_requests(services(too_large), ARM, items(3)) is None


def quote_of(project: Project, input_rate: float) -> Quote:
    price = {"embedded": {"models": {"m1": {"input_per_million": input_rate, "output_per_million": 1.0}}}}
    project.write_config({"provider": "embedded", "models": {"m1": {"id": "smollm2-135m-instruct"}}, "pricing": price})
    request = RunRequest(project.run_root().parent, "r", config=project.config, plan_only=True, rebuild=True)
    invocation = Invocation({}, FakeClock(), lambda _text: None)
    found = preview(request, select_phases(None, None, None), invocation, quotes=True).quote
    assert found is not None
    return found


@pytest.mark.engine
def test_a_plan_counts_the_requests_to_an_embedded_model_whose_tokens_have_a_price(project: Project) -> None:
    for arm in quote_of(project, 1.0).arms:
        assert arm.input_tokens is not None
        assert arm.input_tokens.source == "tokenizer"
        assert arm.input_tokens.tokens.is_exact
        assert arm.requests.new == 14


def test_a_plan_of_free_requests_loads_no_model(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object) -> int:
        raise AssertionError("the model is loaded")

    monkeypatch.setattr(EmbeddedProvider, "count_request", loaded)
    for arm in quote_of(project, 0.0).arms:
        assert arm.input_tokens is not None
        assert arm.input_tokens.source == "default"
