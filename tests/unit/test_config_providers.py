"""The section `providers`: what an entry may say, what is refused with file, line and key, and what stays secret."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.addresses import is_secret_name
from promptrial.config.presets import KEYS_OF, PRESETS
from promptrial.config.providers import ProviderConfig
from promptrial.config.secrets import secret_values
from tests.support.configs import base, complaint, loaded

SECRET = "sk-" + "verysecretindeed1"


def refused(folder: Path, entry: dict[str, Any], env: dict[str, str] | None = None) -> str:
    return complaint(folder, base() | {"providers": {"mine": entry}}, env)


@pytest.mark.parametrize(
    ("entry", "key", "said"),
    [
        ({}, "providers.mine.type", "this key is required"),
        ({"type": "opnai"}, "providers.mine.type", "unknown type of provider 'opnai'; did you mean 'openai'?"),
        (
            {"type": "vllm", "mode": "batch"},
            "providers.mine.mode",
            "vllm has no API for this mode; omit `mode`, for live",
        ),
        ({"type": "fireworks", "mode": "live"}, "providers.mine.mode", "omit `mode`, for batch"),
        ({"type": "openai", "mode": "both"}, "providers.mine.mode", "must be 'batch' or 'live'"),
        (
            {"type": "azure"},
            "providers.mine",
            "azure needs `base_url`, such as https://RESOURCE.openai.azure.com/openai/v1",
        ),
        (
            {"type": "openai_compatible"},
            "providers.mine",
            "openai_compatible needs `base_url`, such as http://127.0.0.1:8000/v1",
        ),
        (
            {"type": "openai", "api_version": "2023-06-01"},
            "providers.mine.api_version",
            "not a key of openai; its keys: base_url, key",
        ),
        ({"type": "anthropic", "account": "me"}, "providers.mine.account", "not a key of anthropic"),
        ({"type": "anthropic", "folder": "x"}, "providers.mine.folder", "not a key of anthropic"),
        ({"type": "anthropic", "max_in_flight": 2}, "providers.mine.max_in_flight", "not a key of anthropic"),
        (
            {"type": "anthropic", "mode": "live", "max_rows": 2},
            "providers.mine.max_rows",
            "not a key of anthropic with `mode: live`",
        ),
        (
            {"type": "embedded", "key": "SOME_KEY"},
            "providers.mine.key",
            "not a key of embedded; its keys: none but `type`",
        ),
        (
            {"type": "batch_file", "base_url": "https://x.example"},
            "providers.mine.base_url",
            "not a key of batch_file; its keys: folder, written_for",
        ),
        ({"type": "vllm", "url": "http://x"}, "providers.mine.url", "unknown key; did you mean 'base_url'?"),
        (
            {"type": "vllm", "base_url": "localhost:8000"},
            "providers.mine.base_url",
            "expected an address such as https://HOST/v1",
        ),
        ({"type": "vllm", "base_url": "ftp://x.example"}, "providers.mine.base_url", "expected an address"),
        ({"type": "vllm", "base_url": "http://x:port/v1"}, "providers.mine.base_url", "expected an address"),
        ({"type": "vllm", "base_url": "http://x\\.y.example"}, "providers.mine.base_url", "expected an address"),
        ({"type": "vllm", "base_url": "http://x%2f.y.example"}, "providers.mine.base_url", "expected an address"),
        ({"type": "vllm", "base_url": "http://a b/v1"}, "providers.mine.base_url", "expected an address"),
        (
            {"type": "vllm", "base_url": f"http://me:{SECRET}@x/v1"},
            "providers.mine.base_url",
            "must not contain a user or password",
        ),
        (
            {"type": "vllm", "base_url": f"http://x/v1?key={SECRET}"},
            "providers.mine.base_url",
            "remove everything from ? or #",
        ),
        ({"type": "openai", "key": SECRET}, "providers.mine.key", "not the key itself"),
        (
            {"type": "vllm", "proxy": "proxy.example:3128"},
            "providers.mine.proxy",
            "expected the address of an HTTP proxy",
        ),
        (
            {"type": "vllm", "proxy": f"http://me:{SECRET}@p.example:1"},
            "providers.mine.proxy",
            "a configuration must not contain a password",
        ),
        (
            {"type": "vllm", "base_url": "http://h.example:1/v1/chat/completions/"},
            "providers.mine.base_url",
            "does not include the path of a call: write http://h.example:1/v1",
        ),
        (
            {"type": "anthropic", "base_url": "https://h.example/v1/messages"},
            "providers.mine.base_url",
            "write https://h.example/v1",
        ),
        ({"type": "vllm", "timeout_s": 0}, "providers.mine.timeout_s", "greater than 0"),
        ({"type": "vllm", "timeout_s": 1e12}, "providers.mine.timeout_s", "less than or equal to 86400"),
        ({"type": "vllm", "timeout_s": True}, "providers.mine.timeout_s", "expected a number"),
        ({"type": "vllm", "max_in_flight": 0}, "providers.mine.max_in_flight", "greater than or equal to 1"),
        ({"type": "vllm", "headers": f"X-Api-Key: {SECRET}"}, "providers.mine.headers", "expected keys and values"),
        ({"type": "vllm", "headers": {"A B": "x"}}, "providers.mine.headers", "'A B' is not the name of a header"),
        (
            {"type": "vllm", "headers": {"X-A": f"{SECRET}\n"}},
            "providers.mine.headers",
            "characters that a header must not have",
        ),
        ({"type": "vllm", "headers": {"X-A": "1", "x-a": "2"}}, "providers.mine.headers", "given twice"),
        ({"type": "vllm", "headers": {"Host": "evil.example"}}, "providers.mine.headers", "belongs to the connection"),
        (
            {"type": "vllm", "headers": {"Authorization": f"Bearer {SECRET}"}},
            "providers.mine.headers.Authorization",
            "a configuration must not contain a secret\n  next: write `${VARIABLE}`",
        ),
        (
            {"type": "vllm", "headers": {"Ocp-Apim-Subscription-Key": SECRET}},
            "providers.mine.headers.Ocp-Apim-Subscription-Key",
            "must not contain a secret",
        ),
        (
            {"type": "vllm", "headers": {"x-auth-token": SECRET}},
            "providers.mine.headers.x-auth-token",
            "must not contain a secret",
        ),
        ({"type": "vllm", "headers": {"Cookie": SECRET}}, "providers.mine.headers.Cookie", "must not contain a secret"),
        (
            {"type": "vllm", "headers": {"X-Team": "sk-proj-" + "0123456789abcdef"}},
            "providers.mine.headers.X-Team",
            "must not contain a secret",
        ),
    ],
)
def test_a_wrong_entry_is_refused_with_file_line_and_key(
    tmp_path: Path, entry: dict[str, Any], key: str, said: str
) -> None:
    found = refused(tmp_path, entry)
    assert found.startswith("FILE:")
    assert f": {key}: " in found.partition("\n")[0]
    assert said in found
    assert SECRET not in found


PASTED = "q7Xk2mP9" + "vR4tY8nW3bL6"


@pytest.mark.parametrize(
    ("entry", "key", "said"),
    [
        ({"type": "openai", "key": PASTED}, "providers.mine.key", "not the key itself\n  next: put the key in .env"),
        ({"type": "openai", "key": "K" + "0123456789abcdef" * 2}, "providers.mine.key", "separate its words with _"),
        ({"type": "vllm", "headers": {"X-Team": PASTED}}, "providers.mine.headers.X-Team", "write `${VARIABLE}`"),
        (
            {"type": "vllm", "headers": {"X-Team": f"{PASTED} ${{WHO}}"}},
            "providers.mine.headers.X-Team",
            "must not contain a secret",
        ),
        (
            {"type": "vllm", "headers": {"X-Id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}},
            "providers.mine.headers.X-Id",
            "must not contain a secret",
        ),
        (
            {"type": "vllm", "proxy": f"http://{PASTED}@p.example:1"},
            "providers.mine.proxy",
            "a configuration must not contain a password",
        ),
        ({"type": "fireworks", "account": PASTED}, "providers.mine.account", "must not contain a secret"),
        ({"type": PASTED}, "providers.mine.type", "unknown type of provider '[redacted]'"),
        ({"type": "openai", "mode": PASTED}, "providers.mine.mode", "must be 'batch' or 'live'"),
        (PASTED, "providers.mine", "given: '[redacted]'"),
    ],
)
def test_a_key_that_is_pasted_into_an_entry_is_refused_with_file_line_and_key_and_not_repeated(
    tmp_path: Path, entry: Any, key: str, said: str
) -> None:
    found = refused(tmp_path, entry, {"WHO": "us"})
    assert f": {key}: " in found.partition("\n")[0]
    assert re.match(r"FILE:\d+: ", found)
    assert said in found
    for secret in (PASTED, "0123456789abcdef", "3f2504e0"):
        assert secret not in found


@pytest.mark.parametrize("variable", ["MINE", "MY_CREDENTIAL"])
def test_a_placeholder_given_as_a_variable_name_is_refused_without_its_value(tmp_path: Path, variable: str) -> None:
    found = refused(tmp_path, {"type": "openai", "key": f"${{{variable}}}"}, {variable: "onlyletters"})
    assert "providers.mine.key: " in found
    assert "onlyletters" not in found


@pytest.mark.parametrize(
    "value",
    ["a trial", "2023-06-01", "v1.24.3", "prompt-caching-2024-07-31,output-128k-2025-02-19", "https://example.com/trials",
     "org-" + "aB3" * 8, "proj_" + "aB3" * 8, "team-eu-2", "application/json; charset=utf-8", "true", "123456789012"],
)  # fmt: skip
def test_a_header_of_plain_words_dates_versions_and_accounts_may_be_written_out(tmp_path: Path, value: str) -> None:
    entry = {"type": "vllm", "headers": {"X-Who": value}}
    assert loaded(tmp_path, {"providers": {"mine": entry}}).experiment.providers["mine"].headers == {"X-Who": value}


def test_all_wrong_entries_are_named_together(tmp_path: Path) -> None:
    providers = {"one": {"type": "azure"}, "two": {"type": "vllm", "mode": "batch"}}
    found = complaint(tmp_path, base() | {"providers": providers})
    assert "providers.one: azure needs" in found
    assert "providers.two.mode: vllm has no API" in found


def test_an_address_that_takes_a_secret_from_the_environment_is_refused(tmp_path: Path) -> None:
    entry = {"type": "vllm", "base_url": "https://x.example/${OPENAI_API_KEY}"}
    found = refused(tmp_path, entry, {"OPENAI_API_KEY": SECRET})
    assert "providers.mine.base_url: OPENAI_API_KEY seems to hold a secret" in found
    assert SECRET not in found


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "HF_TOKEN", "db_password", "MY_OWN"])
@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("models.m1", {"models": {"m1": "x-${VAR}"}}),
        ("models.m1.id", {"models": {"m1": {"id": "${VAR}"}}}),
        ("models.m1.extra_body.user.0", {"models": {"m1": {"id": "x", "extra_body": {"user": ["${VAR}"]}}}}),
        ("providers.fireworks.account", {"providers": {"fireworks": {"account": "${VAR}"}}}),
        ("providers.anthropic.api_version", {"providers": {"anthropic": {"api_version": "${VAR}"}}}),
        ("providers.two.proxy", {"providers": {"two": {"type": "vllm", "proxy": "http://${VAR}.evil.example:1"}}}),
        ("datasets.questions.path", {"datasets": {"questions": {"format": "custom", "path": "${VAR}"}}}),
        ("prompt_sets.main.control.path", {"prompt_sets": {"main": {"control": {"path": "${VAR}"}, "treatment": "x"}}}),
        ("stop.0", {"stop": ["${VAR}"]}),
        ("paths.archive_dir", {"paths": {"archive_dir": "s3://evil/${VAR}"}}),
    ],
)
def test_a_secret_of_the_environment_is_refused_wherever_it_could_be_sent(
    tmp_path: Path, variable: str, key: str, changes: dict[str, Any]
) -> None:
    changes = json.loads(json.dumps(changes).replace("VAR", variable))
    changes["providers"] = {"mine": {"type": "vllm", "key": "MY_OWN"}} | changes.get("providers", {})
    found = complaint(tmp_path, base() | changes, {variable: "theonlysecret"})
    assert f": {key}: {variable} seems to hold a secret, which may be used only in `headers` or `key`" in found
    assert "theonlysecret" not in found


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "azure", "base_url": "https://evil.openai.azure.com/v1", "headers": {"X-A": "${OPENAI_API_KEY}"}},
        {"type": "vllm", "proxy": "http://u:${OPENAI_API_KEY}@p.example:1"},
    ],
)
def test_the_key_of_a_vendor_is_refused_as_a_header_of_another(tmp_path: Path, entry: dict[str, Any]) -> None:
    found = refused(tmp_path, entry, {"OPENAI_API_KEY": SECRET})
    assert "OPENAI_API_KEY is the key of OpenAI, and must not be sent to another vendor" in found
    own = {"type": "openai", "headers": {"Authorization": "Bearer ${OPENAI_API_KEY}"}}
    assert loaded(tmp_path, {"providers": {"mine": own}}, {"OPENAI_API_KEY": SECRET})


def test_a_variable_not_named_like_a_secret_is_allowed_anywhere(tmp_path: Path) -> None:
    changes = {"models": {"m1": "${TOKENIZER}"}, "stop": ["${AUTHOR}"]}
    assert loaded(tmp_path, changes, {"TOKENIZER": "a", "AUTHOR": "b"}).experiment.models["m1"].id == "a"


def test_a_vendor_that_needs_an_address_cannot_be_named_without_an_entry(tmp_path: Path) -> None:
    found = complaint(tmp_path, base() | {"provider": "azure"})
    assert "provider: azure needs an entry in `providers` with its `base_url`" in found
    found = complaint(tmp_path, base() | {"models": {"m1": {"id": "x", "provider": "openai_compatible"}}})
    assert "models.m1.provider: openai_compatible needs an entry in `providers`" in found


def test_an_entry_under_the_name_of_a_preset_needs_no_type(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"providers": {"openai": {"mode": "live"}}, "provider": "openai"}).experiment
    assert config.providers["openai"] == ProviderConfig(type="openai", mode="live")


def test_a_secret_header_is_taken_from_the_environment(tmp_path: Path) -> None:
    entry = {"type": "vllm", "headers": {"Authorization": "Bearer ${MINE}", "X-Title": "a trial"}}
    config = loaded(tmp_path, {"providers": {"mine": entry}}, {"MINE": SECRET})
    assert config.experiment.providers["mine"].headers["Authorization"] == f"Bearer {SECRET}"
    assert secret_values(config.experiment.providers, config.placeholders, {"MINE": SECRET}) == {SECRET}


def test_the_secrets_of_a_configuration_are_its_keys_and_the_values_in_headers_and_proxies(tmp_path: Path) -> None:
    entry = {
        "type": "vllm",
        "key": "MY_OWN",
        "headers": {"X-A": "${A}"},
        "proxy": "http://u:${B}@p.example:1",
        "base_url": "http://${C}/v1",
    }
    env = {"MY_OWN": "one\n", "A": "two", "B": "three", "C": "host.example", "D": "none"}
    config = loaded(tmp_path, {"providers": {"mine": entry}}, env)
    assert secret_values(config.experiment.providers, config.placeholders, env) == {"one", "two", "three"}


def test_a_certificate_file_is_searched_for_beside_the_configuration(tmp_path: Path) -> None:
    entry = {"type": "vllm", "ca_file": "tls/ours.pem"}
    config = loaded(tmp_path, {"providers": {"mine": entry, "other": {"type": "groq"}}}).experiment
    assert config.providers["mine"].ca_file == str(tmp_path / "tls/ours.pem")
    assert list(config.providers) == ["mine", "other"]


def test_the_table_of_keys_names_keys_that_exist_and_each_key_belongs_to_an_adapter() -> None:
    keys = ProviderConfig.model_fields.keys() - {"type", "mode"}
    assert frozenset().union(*KEYS_OF.values()) == keys
    assert {adapter for each in PRESETS.values() for adapter in (each.batch, each.live) if adapter} == KEYS_OF.keys()


@pytest.mark.parametrize(
    "name", ["Authorization", "Proxy-Authorization", "api-key", "X-Session-Id", "Set-Cookie", "X-Amz-Signature"]
)
def test_a_header_named_like_a_secret_is_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["HTTP-Referer", "X-Title", "OpenAI-Organization", "anthropic-beta"])
def test_a_header_that_identifies_the_user_is_not_secret(name: str) -> None:
    assert not is_secret_name(name)
