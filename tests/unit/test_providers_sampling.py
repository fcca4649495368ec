"""Decoding parameters that a model or a live server does not take: refused where they were chosen, and said else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptrial.config.instances import preset_instance
from promptrial.errors import ConfigError
from promptrial.model import ModelSpec, Sampling
from promptrial.model.instances import Instance, RequestOptions
from promptrial.providers.openai_compatible import OpenAICompatibleProvider

SAMPLING = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=16, stop=(), seed=3)


def live(preset: str) -> Instance:
    return replace(preset_instance(preset), adapter="openai_compatible")


def check(preset: str, name: str = "m", options: dict[str, Any] | None = None, **changes: Any) -> str | None:
    model = ModelSpec("m", name, preset, adapter="openai_compatible", options=RequestOptions(**(options or {})))
    return OpenAICompatibleProvider.check_sampling(model, replace(SAMPLING, **changes), live(preset))


def test_a_server_that_accepts_every_sampler_gets_them_all() -> None:
    assert check("vllm", temperature=0.7, top_k=20) is None
    assert check("openai_compatible", top_k=20) is None


@pytest.mark.parametrize("preset", ["openai", "groq"])
def test_a_vendor_without_top_k_says_so_and_refuses_one_that_was_chosen(preset: str) -> None:
    assert "do not support top_k, so it is not sent" in (check(preset) or "")
    with pytest.raises(ConfigError, match="`top_k` is 20"):
        check(preset, top_k=20)


def test_a_live_reasoning_model_is_refused_at_its_vendor_and_accepted_elsewhere() -> None:
    with pytest.raises(ConfigError, match="accepts no temperature"):
        check("openai", "o3-mini")
    assert check("vllm", "o3-mini") is None


def test_a_sampler_left_to_the_server_cannot_also_be_chosen() -> None:
    assert "the vendor's defaults apply" in (check("vllm", options={"sampling": "provider_default"}) or "")
    with pytest.raises(ConfigError, match=r"`temps` is 0\.7"):
        check("vllm", options={"sampling": "provider_default"}, temperature=0.7)
