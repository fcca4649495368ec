"""What is refused of models and servers before anything is asked."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from promptrial import registry
from promptrial.design.trials import models_asked, trials_of
from promptrial.engine.serving import misunderstood, require_understood, served
from promptrial.errors import ConfigError, ConfigProblemsError
from promptrial.model import ModelSpec, Trial
from promptrial.providers.embedded_weights import weights_path
from tests.support.configs import loaded
from tests.support.fake_provider import FakeProvider


class Talkative(FakeProvider):
    """An adapter that understands two options."""

    understands: ClassVar[frozenset[str]] = frozenset({"endpoint", "reasoning_effort"})


@pytest.fixture(autouse=True)
def _adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "openai", f"{__name__}:Talkative")
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")


def problems(folder: Path, **model: Any) -> list[str]:
    config = loaded(folder, {"models": {"m1": {"id": "x", **model}}}).experiment
    return list(misunderstood(config, models_asked(trials_of(config))))


def test_an_option_that_the_adapter_supports_is_accepted(tmp_path: Path) -> None:
    assert problems(tmp_path, provider="openai", endpoint="responses", reasoning_effort="low") == []


def test_each_unsupported_option_is_named_with_the_supported_ones(tmp_path: Path) -> None:
    found = problems(tmp_path, provider="openai", cache_prompt="1h", thinking_budget=9, endpoint="responses")
    assert found == [
        f"models.m1.{key}: OpenAI (openai) does not take this key; it takes: endpoint, reasoning_effort\n"
        "  next: remove it, or name another `provider`"
        for key in ("cache_prompt", "thinking_budget")
    ]


def test_a_vendor_can_lack_an_option_that_its_adapter_supports(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, provider="groq", endpoint="responses", reasoning_effort="low")
    assert found.startswith("models.m1.endpoint: Groq (openai) does not take this key; it takes: reasoning_effort\n")


def test_an_option_at_its_default_is_always_accepted(tmp_path: Path) -> None:
    assert problems(tmp_path, provider="fireworks", endpoint="chat", sampling="explicit", cache_prompt="off") == []


def test_a_run_is_refused_with_all_unsupported_options_together(tmp_path: Path) -> None:
    models = {"m1": {"id": "x", "provider": "fake", "sampling": "provider_default"}}
    models["m2"] = {"id": "y", "provider": "embedded", "extra_body": {"min_p": 0.1}}  # type: ignore[dict-item]
    config = loaded(tmp_path, {"models": models}).experiment
    trials: tuple[Trial, ...] = trials_of(config)
    with pytest.raises(ConfigProblemsError) as caught:
        require_understood(config, trials)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "models.m1.sampling",
        "models.m2.extra_body",
    ]


def test_each_remote_model_is_reported_with_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "openai", "promptrial.providers.openai:OpenAIProvider")
    models = {"m1": "mine/x", "m2": "llamacpp/y", "m3": "smollm2-135m-instruct", "m4": "fireworks/${M}"}
    servers = {
        "mine": {"type": "azure", "base_url": "https://a.openai.azure.com/openai/v1", "key": "MINE"},
        "llamacpp": {"type": "llamacpp", "base_url": "http://127.0.0.1:8080/${TENANT}/v1"},
    }
    env = {"M": "secret-model", "TENANT": "secret-tenant"}
    config = loaded(tmp_path, {"models": models, "providers": servers}, env)
    asked = models_asked(trials_of(config.experiment, config.placeholders))
    assert served(config, asked, env) == (
        "models.m1: x at mine (https://a.openai.azure.com/openai/v1), in batches, key MINE",
        "models.m2: y at llamacpp (http://127.0.0.1:8080/${TENANT}/v1), request by request",
        "models.m4: ${M} at fireworks (https://api.fireworks.ai), in batches, key FIREWORKS_API_KEY",
    )
    elsewhere = {"FIREWORKS_API_BASE": "http://127.0.0.1:8199"}
    assert "at fireworks (http://127.0.0.1:8199), in batches" in served(config, asked, elsewhere)[2]
    wrong = {"FIREWORKS_API_BASE": "https://user:password@h.example"}
    assert "at fireworks (what FIREWORKS_API_BASE says), in batches" in served(config, asked, wrong)[2]
    assert served(config, asked, env, dry_run=True)[0] == ("models.m1: x at mine (a local emulator), in batches")


@pytest.mark.parametrize(
    ("id_", "hint"),
    [
        ("opnai/gpt-4o", "'opnai' is neither in `providers` nor a provider; did you mean 'openai'?"),
        ("openai/gpt-4o", "write models.m1: {provider: openai, id: gpt-4o}"),
        ("gpt-4o", None),
    ],
)
def test_a_model_id_whose_prefix_is_not_a_provider_is_explained(id_: str, hint: str | None) -> None:
    with pytest.raises(ConfigError, match="has no model") as caught:
        weights_path(ModelSpec("m1", id_, "embedded"))
    assert (caught.value.hint is None) if hint is None else hint in str(caught.value.hint)
