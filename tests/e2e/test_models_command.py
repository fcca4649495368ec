"""``promptrial models``: what it says of models at each vendor, and of servers that fail."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptrial import registry
from promptrial.care.model_facts import ModelFacts, Surroundings, look_at
from promptrial.config.instances import instance_of
from promptrial.config.providers import ProviderConfig
from promptrial.costs.price_book import PriceBook
from promptrial.model import ModelSpec
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.configs import PROMPTS
from tests.support.fake_provider import FakeProvider
from tests.support.http_scripted import ScriptedServer, reply, scripted

KEY = "sk-" + "modelscommandsecret"
PRICE = {"input_per_million": 0.15, "output_per_million": 0.6}
HOSTED = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "FIREWORKS_API_KEY")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmulatorServer(tmp_path_factory.mktemp("emulator"), EmulatorSettings(key=KEY, account="me")) as server:
        yield server.url


def servers(url: str) -> dict[str, Any]:
    return {
        "openai": {"base_url": f"{url}/v1"},
        "anthropic": {"base_url": url},
        "fireworks": {"base_url": url, "account": "me", "max_jobs": 3},
    }


def write(folder: Path, url: str, models: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> None:
    for name, text in PROMPTS.items():
        (folder / name).write_text(text)
    config = {
        "providers": servers(url) | dict(more or {}),
        "models": models,
        "prompt_sets": {"main": {"control": "control.txt", "treatment": "treatment.txt"}},
        "datasets": {"questions": "questions.csv"},
        "pricing": {"openai": {"batch_discount": 0.5, "models": {"gpt": PRICE}}},
    }
    if "gpt" not in models:
        del config["pricing"]
    (folder / "eval.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


MODELS = {
    "gpt": "openai/gpt-4o-mini",
    "claude": "anthropic/claude-haiku",
    "llama": "fireworks/accounts/fireworks/models/small",
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in HOSTED:
        monkeypatch.setenv(name, KEY)
    return tmp_path


def call(*words: str) -> tuple[int, str, str]:
    from tests.support.project import Project

    outcome = Project(Path.cwd()).call("models", *words)
    return outcome.code, outcome.out, outcome.err


def test_models_of_several_vendors_are_listed_with_what_is_known_of_each(desk: Path, emulator: str) -> None:
    write(desk, emulator, MODELS)
    code, out, err = call("--config", "eval.yaml", "--json")
    assert out, err
    found = {each["alias"]: each for each in json.loads(out)["models"]}
    assert (code, err) == (0, "")
    assert list(found) == list(MODELS)
    assert {each["key"] for each in found.values()} == {"accepted"}
    assert {each["found"] for each in found.values()} == {True}
    assert [each["provider"] for each in found.values()] == ["openai", "anthropic", "fireworks"]
    assert found["gpt"]["address"] == f"{emulator}/v1"
    assert found["gpt"]["price"] == {"input_per_million": 0.15, "output_per_million": 0.6, "batch_discount": 0.5}
    assert found["claude"]["context_length"]
    assert found["llama"]["limits"] == {"jobs at once": 3}


def test_the_text_output_has_a_few_lines_per_model(desk: Path, emulator: str) -> None:
    write(desk, emulator, {"gpt": MODELS["gpt"]})
    code, out, _ = call("--config", "eval.yaml")
    assert code == 0
    assert out.splitlines() == [
        "gpt: gpt-4o-mini at openai (OpenAI, adapter openai)",
        f"  address  {emulator}/v1",
        "  key      OPENAI_API_KEY: accepted",
        "  model    found",
        "  price    0.15 USD in, 0.6 USD out, per million tokens, 50% off (`pricing`)",
    ]


def test_every_failure_is_one_line_and_affects_nothing_else(
    desk: Path, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_KEY", "sk-" + "wrongwrongwrongwrong")
    more = {
        "locked": {"type": "openai", "base_url": f"{emulator}/v1", "key": "WRONG_KEY"},
        "keyless": {"type": "groq", "base_url": f"{emulator}/v1", "key": "UNSET_VARIABLE"},
        "away": {"type": "vllm", "base_url": "http://127.0.0.1:9/v1"},
        "elsewhere": {"type": "openai", "base_url": "https://elsewhere.example/v1"},
    }
    models = {"gpt": MODELS["gpt"], **{name: f"{name}/some-model" for name in more}}
    write(desk, emulator, models, more)
    code, out, err = call("--config", "eval.yaml", "--json")
    assert out, err
    found = {each["alias"]: each for each in json.loads(out)["models"]}
    assert (code, err) == (1, "")
    assert found["gpt"]["problem"] is None
    assert found["locked"]["key"] == "refused"
    assert found["keyless"]["key"] == "missing"
    assert "UNSET_VARIABLE is not set" in found["keyless"]["problem"]
    assert "no connection" in found["away"]["problem"]
    assert "would be sent to elsewhere.example" in found["elsewhere"]["problem"]
    assert {each["found"] for each in found.values()} == {True, None}
    assert KEY not in out
    assert "wrongwrong" not in out
    shown = call("--config", "eval.yaml")[1].split("\n\n")
    assert "  model    not checked (no key)" in next(each for each in shown if each.startswith("keyless:"))
    assert "  model    not known" in next(each for each in shown if each.startswith("away:"))


@pytest.mark.usefixtures("desk")
def test_models_can_be_named_without_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    code, out, _ = call("openai/gpt-4o-mini")
    assert code == 1
    assert "OPENAI_API_KEY is not set" in out


def test_a_model_of_the_configuration_is_named_by_its_alias_or_by_its_server(desk: Path, emulator: str) -> None:
    write(desk, emulator, MODELS, {"mine": {"type": "openai", "base_url": f"{emulator}/v1"}})
    code, out, _ = call("claude", "mine/gpt-4o-mini", "--config", "eval.yaml", "--json")
    assert code == 0, out
    assert [(each["alias"], each["id"]) for each in json.loads(out)["models"]] == [
        ("claude", "claude-haiku"),
        ("mine/gpt-4o-mini", "gpt-4o-mini"),
    ]


def test_a_batch_file_provider_is_not_queried_and_writes_no_file(desk: Path) -> None:
    write(
        desk, "http://127.0.0.1:9", {"qwen": "batch_file/Qwen/Qwen2.5-7B-Instruct"}, {"batch_file": {"folder": "made"}}
    )
    code, out, err = call("--config", "eval.yaml")
    assert (code, err) == (0, "")
    assert "model    not known" in out
    assert not (desk / "made").exists()


def test_an_unknown_name_is_a_usage_error(desk: Path, emulator: str) -> None:
    write(desk, emulator, MODELS)
    code, _, err = call("nope", "--config", "eval.yaml")
    assert code == 2
    assert err.startswith("error: nope: no such model; models of the configuration: gpt, claude, llama\n")


def test_listing_models_spends_nothing(desk: Path, emulator: str) -> None:
    import httpx

    write(desk, emulator, MODELS)
    call("--config", "eval.yaml")
    ledger = httpx.get(f"{emulator}/__emu/ledger").json()
    assert ledger == {"rows": []}


def test_an_unexpected_error_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_provider: FakeProvider, model: ModelSpec) -> None:
        raise RuntimeError(f"no idea about {model.id}")

    monkeypatch.setattr(FakeProvider, "check", broken)
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
    (found,) = look_at([ModelSpec("m", "x", "fake")], Surroundings({}, PriceBook(), {}, str), 5)
    assert found.problem == "unexpected error: RuntimeError: no idea about x"


def test_a_server_that_never_answers_is_waited_for_only_up_to_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        providers = {"slow": ProviderConfig(type="vllm", base_url=url)}
        model = ModelSpec("m", "x", "slow", adapter="openai_compatible")
        (found,) = look_at([model], Surroundings(providers, PriceBook(), {}, str), 0.3)
    assert found.problem == "no answer within 0.3 s"
    assert found.found is None


@pytest.fixture
def vendor() -> Iterator[ScriptedServer]:
    with scripted() as server:
        yield server


def seen(vendor: ScriptedServer, type_: str, model: str = "x", **entry: Any) -> ModelFacts:
    entry = {"type": type_, "base_url": f"{vendor.url}/v1", "key": "THE_KEY"} | entry
    providers = {"mine": ProviderConfig(**entry)}
    spec = ModelSpec("m", model, "mine", adapter=instance_of(providers, "mine").adapter)
    (found,) = look_at([spec], Surroundings(providers, PriceBook(), {"THE_KEY": KEY}, str), 20)
    return found


LIST = reply(200, b'{"object": "list", "data": [{"id": "x"}, {"id": "y"}]}')


@pytest.mark.parametrize(
    ("type_", "model", "key", "there"),
    [
        ("openrouter", "x", "set", True),
        ("vllm", "x", "set", True),
        ("together", "x", "accepted", True),
        ("groq", "y", "accepted", True),
    ],
)
def test_a_public_list_of_models_does_not_prove_the_key(
    vendor: ScriptedServer, type_: str, model: str, key: str, there: bool
) -> None:
    vendor.on("GET", "/v1/models", LIST)
    vendor.on("GET", "/health", reply(200, b"{}"))
    found = seen(vendor, type_, model, **({"mode": "live"} if type_ == "groq" else {}))
    assert (found.key, found.found, found.problem) == (key, there, "")


@pytest.mark.parametrize("type_", ["openrouter", "together", "openai_compatible"])
def test_a_server_without_a_list_of_models_leaves_it_open_whether_a_model_exists(
    vendor: ScriptedServer, type_: str
) -> None:
    vendor.on("GET", "/v1/models", reply(404, b"{}"))
    found = seen(vendor, type_)
    assert (found.key, found.found, found.problem) == ("set", None, "")


@pytest.mark.parametrize(
    ("type_", "answer", "there"),
    [
        ("openai", reply(200, b"{}"), True),
        ("openai", reply(404, b'{"error": {"code": "not_found"}}'), None),
        ("azure", reply(200, b"{}"), None),
        ("azure", reply(404, b'{"error": {"code": "404"}}'), None),
    ],
)
def test_a_deployment_is_looked_up_by_its_name_and_not_in_a_list(
    vendor: ScriptedServer, type_: str, answer: Any, there: bool | None
) -> None:
    vendor.on("GET", "/v1/batches", reply(200, b'{"data": []}'))
    vendor.on("GET", "/v1/models/gpt-4o-mini", answer)
    found = seen(vendor, type_, "gpt-4o-mini")
    assert (found.key, found.found, found.problem) == ("accepted", there, "")


def test_an_address_is_shown_with_its_variables_unresolved(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANT", "secret-tenant")
    monkeypatch.setenv("FIREWORKS_API_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "me")
    mine = {"mine": {"type": "vllm", "base_url": "http://127.0.0.1:9/${TENANT}/v1"}, "fireworks": {"max_jobs": 2}}
    write(desk, "http://127.0.0.1:9", {"m": "mine/x", "llama": MODELS["llama"]}, mine)
    for words in ((), ("--json",)):
        _, out, err = call("--config", "eval.yaml", *words)
        assert "http://127.0.0.1:9/${TENANT}/v1" in out
        assert "secret-tenant" not in out + err
    assert [each["address"] for each in json.loads(out)["models"]][1] == "http://127.0.0.1:9"
