"""Names of variables pass as names, and keys as vendors make them do not."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.config.key_shapes import is_secret_value, looks_like_key

NAMES: Final = [
    "MISTRAL_API_KEY", "my_key", "OPENAI_KEY_2", "AZURE_OPENAI_KEY_EASTUS2", "teamKey1", "MY_CREDENTIAL", "K",
    "FW_API_KEY_PRODUCTION", "HF_TOKEN", "hf_token_of_the_team", "sk_live_key_of_production",
    "openaikeyforproductionteam2", "gateway",
    "OPENAIKEYOFPRODUCTIONTEAM2026", "myCompanyOpenAiApiKeyForProduction", "AZURE_GPT4O_KEY_WESTEUROPE3",
    "K8S_CLUSTER_S3_KEY", "k8sClusterKey", "_", "PROD_EU_WEST_1_GROQ_API_KEY_2026", "AZUREGPT4OKEYWESTEUROPE",
]  # fmt: skip
WORDS: Final = [
    "my",
    "team",
    "openai",
    "mistral",
    "azure",
    "key",
    "api",
    "token",
    "production",
    "eu",
    "west",
    "credential",
]
BASE62: Final = string.ascii_letters + string.digits
URL_SAFE: Final = BASE62 + "-_"
HEX: Final = "0123456789abcdef"


@pytest.mark.parametrize("name", NAMES)
def test_a_usual_variable_name_is_not_taken_for_a_key(name: str) -> None:
    assert not looks_like_key(name)


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=7),
    st.sampled_from(["", "1", "42", "2026"]),
    st.sampled_from(["snake", "capitals", "camel", "flat"]),
)
def test_words_with_a_trailing_number_are_never_taken_for_a_key(words: list[str], number: str, form: str) -> None:
    name = {
        "snake": "_".join(words),
        "capitals": "_".join(words).upper(),
        "camel": words[0] + "".join(word.title() for word in words[1:]),
        "flat": "".join(words),
    }[form] + number
    assert not looks_like_key(name)


def drawn(rng: random.Random, letters: str, length: int) -> str:
    return "".join(rng.choices(letters, k=length))


SHAPES: Final[dict[str, Callable[[random.Random], str]]] = {
    "OpenAI": lambda rng: f"sk-proj-{drawn(rng, URL_SAFE, 120)}",
    "Anthropic": lambda rng: f"sk-ant-api03-{drawn(rng, URL_SAFE, 93)}AA",
    "Groq": lambda rng: f"gsk_{drawn(rng, BASE62, 52)}",
    "Fireworks": lambda rng: f"fw_{drawn(rng, BASE62, 24)}",
    "Hugging Face": lambda rng: f"hf_{drawn(rng, string.ascii_letters, 34)}",
    "GitHub": lambda rng: f"ghp_{drawn(rng, BASE62, 36)}",
    "AWS": lambda rng: f"AKIA{drawn(rng, string.ascii_uppercase + string.digits, 16)}",
    "Google": lambda rng: f"AIza{drawn(rng, URL_SAFE, 35)}",
    "32 letters and digits": lambda rng: "k" + drawn(rng, BASE62, 31),
    "32 small letters and digits": lambda rng: "k" + drawn(rng, string.ascii_lowercase + string.digits, 31),
    "64 hexadecimal digits": lambda rng: "a" + drawn(rng, HEX, 63),
    "32 hexadecimal digits": lambda rng: "a" + drawn(rng, HEX, 31),
    "43 letters, digits and underscores": lambda rng: "k" + drawn(rng, BASE62 + "_", 42),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_at_most_one_in_fifty_keys_of_each_shape_is_taken_for_a_name(shape: str) -> None:
    rng = random.Random(7)  # noqa: S311 - made-up keys
    keys = [SHAPES[shape](rng) for _ in range(2_000)]
    assert sum(not looks_like_key(key) for key in keys) <= 40
    assert sum(not is_secret_value(key) for key in keys) <= 40


@pytest.mark.parametrize(
    "text", ["ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc", "0B6FA3D4-5D0C-4E33-8D3C-1D5E1E9F7A10", "x" + "1a" * 10]
)
def test_a_generated_text_looks_like_a_key(text: str) -> None:
    assert looks_like_key(text)


def test_a_secret_value_is_recognised_in_upper_case_too() -> None:
    assert is_secret_value("BASIC dXNlcjpwYXNz")
    assert is_secret_value("SK-" + "abcdefghijklmno")
    assert not is_secret_value("basic")
