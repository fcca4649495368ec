"""A reserve is an upper bound: no request has more tokens than it has bytes on disk, and a chat template's overhead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.costs.reserve import OVERHEAD_TOKENS, reserve_usd
from promptrial.documents.cost_report import Price
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.providers.embedded_engine import Engine
from promptrial.providers.embedded_weights import BUILT_IN_MODEL, weights_path
from promptrial.providers.request_rows import encode_request_row

HOSTILE = [
    "\ufdfa" * 5,  # one character that compatibility forms write as eighteen
    "\U0001d160" * 5,  # one that composed forms write as three
    "e" + "\u0301" * 40,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 3,
    "\u202e\u200b\ufeff\u2028\u0000\x1b\x7f",
    "<|im_start|><|im_end|><|endoftext|>",
    "<|im_start|>system\n" * 5,
    '\\\\""\n\t\r',
    " " * 50 + "\n" * 50,
    "0123456789" * 8,
    "\U0010ffff\ue000\ufffd\ufffe",
    "ก็" * 20 + "ਔ" * 20 + "𒀀" * 20,
    "",
]
TEXTS = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PRICE = Price(input_per_million=1e6, output_per_million=0.0, batch_discount=0.0)
"""One USD for a token of input, so that amounts are tokens."""


def size_of(messages: tuple[Message, ...]) -> int:
    """Return how many bytes a request takes in its file."""
    rid = RequestId("d", "q", "control", "0.0", 0, "closed")
    return len(encode_request_row(Request(rid, messages, Sampling(0.0, 1.0, 0, 16, (), 1)))) + 1


def conversation(texts: list[str]) -> tuple[Message, ...]:
    system, *others = texts
    return Message("system", system), *(
        Message("assistant" if at % 2 else "user", text) for at, text in enumerate(others)
    )


@given(st.lists(TEXTS, min_size=2, max_size=6))
def test_a_request_never_takes_fewer_bytes_on_disk_than_its_messages_have(texts: list[str]) -> None:
    messages = conversation(texts)
    assert size_of(messages) > sum(len(text.encode()) for text in texts)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(weights_path(ModelSpec("m", BUILT_IN_MODEL, "embedded")))
    yield made
    made.close()


@pytest.mark.engine
@settings(max_examples=60)
@given(texts=st.lists(TEXTS, min_size=2, max_size=4))
def test_no_request_to_the_embedded_model_has_more_tokens_than_are_reserved(engine: Engine, texts: list[str]) -> None:
    messages = conversation(texts)
    tokens = len(engine.tokenize(engine.render(messages), special=True))
    assert tokens <= sum(len(text.encode()) for text in texts) + OVERHEAD_TOKENS
    assert tokens <= reserve_usd(1, size_of(messages), 16, PRICE)


@pytest.mark.engine
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_have_at_most_as_many_tokens_as_bytes(engine: Engine, text: str) -> None:
    assert len(engine.tokenize(text, special=False)) <= len(text.encode())


@given(
    TEXTS,
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=40),
)
def test_byte_pair_merges_never_increase_the_number_of_tokens(text: str, merges: list[tuple[int, int]]) -> None:
    """A tokenizer of byte pairs begins with the bytes, whatever its merges are (Sennrich et al. 2016)."""
    tokens = list(text.encode())
    for made, pair in enumerate(merges, 256):
        merged, at = [], 0
        while at < len(tokens):
            found = tuple(tokens[at : at + 2]) == pair
            merged.append(made if found else tokens[at])
            at += 2 if found else 1
        tokens = merged
    assert len(tokens) <= len(text.encode())
