"""Instances: what a name of a configuration comes to, what of it a run records, and which digests it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from promptrial import registry
from promptrial.config.effective import config_hash, to_yaml
from promptrial.config.instances import instance_of, known_instances, preset_instance
from promptrial.config.loading import load_config
from promptrial.config.presets import PRESETS
from promptrial.design.trials import asked_of, described_model, models_asked, trials_of
from promptrial.model.instances import Connection, Instance, Limits
from tests.support.configs import loaded, tree_of

AZURE = {"type": "azure", "base_url": "https://mine.openai.azure.com/openai/v1/"}


def instance(folder: Path, entry: dict[str, Any], env: dict[str, str] | None = None) -> Instance:
    config = loaded(folder, {"providers": {"mine": entry}}, env).experiment
    return instance_of(config.providers, "mine")


def recorded(folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    return tree_of(loaded(folder, changes))


class TestWhatANameComesTo:
    def test_an_entry_has_the_values_of_its_preset_unless_it_overrides_them(self, tmp_path: Path) -> None:
        found = instance(tmp_path, AZURE | {"key": "MY_AZURE_KEY", "max_rows": 7, "max_jobs": 2, "timeout_s": 5})
        assert found == Instance(
            name="mine",
            adapter="openai",
            label="Azure OpenAI",
            base_url="https://mine.openai.azure.com/openai/v1",
            key="MY_AZURE_KEY",
            hosts=(".openai.azure.com", ".services.ai.azure.com"),
            auth="api-key",
            connection=Connection(read_s=5.0),
            limits=Limits(jobs=2, rows=7),
            options=PRESETS["azure"].options,
        )

    @pytest.mark.parametrize(
        ("entry", "adapter"),
        [
            ({"type": "openai"}, "openai"),
            ({"type": "openai", "mode": "batch"}, "openai"),
            ({"type": "openai", "mode": "live"}, "openai_compatible"),
            ({"type": "anthropic", "mode": "live"}, "anthropic_live"),
            ({"type": "groq"}, "openai"),
            ({"type": "vllm"}, "openai_compatible"),
            ({"type": "batch_file"}, "batch_file"),
        ],
    )
    def test_type_and_mode_choose_the_adapter(self, tmp_path: Path, entry: dict[str, Any], adapter: str) -> None:
        assert instance(tmp_path, entry).adapter == adapter

    def test_keys_that_only_an_adapter_understands_become_its_options(self, tmp_path: Path) -> None:
        assert (
            instance(tmp_path, {"type": "anthropic", "api_version": "2023-06-01"}).option("api_version") == "2023-06-01"
        )
        assert instance(tmp_path, {"type": "batch_file", "folder": "out"}).option("folder") == "out"

    def test_a_well_known_key_is_sent_only_to_hosts_of_its_vendor(self, tmp_path: Path) -> None:
        stolen = instance(tmp_path, {"type": "groq", "key": "OPENAI_API_KEY"})
        assert stolen.hosts == ("api.openai.com",)
        assert instance(tmp_path, {"type": "groq", "key": "SECOND_GROQ"}).hosts == ("api.groq.com",)

    def test_a_configured_key_header_replaces_the_key(self, tmp_path: Path) -> None:
        entry = {"type": "openai", "headers": {"authorization": "Bearer ${T}"}}
        assert instance(tmp_path, entry, {"T": "abc"}).key == ""
        assert instance(tmp_path, entry | {"key": "K"}, {"T": "abc"}).key == "K"
        assert instance(tmp_path, {"type": "anthropic", "headers": {"X-API-Key": "${T}"}}, {"T": "abc"}).key == ""

    @pytest.mark.parametrize("name", PRESETS)
    def test_each_preset_is_a_complete_instance(self, name: str) -> None:
        found, preset = preset_instance(name), PRESETS[name]
        assert found.name == name
        assert found.adapter == (preset.batch or preset.live)
        assert (found.label, found.base_url, found.key, found.hosts) == (
            preset.label,
            preset.base_url,
            preset.key,
            preset.hosts,
        )

    def test_entries_of_the_configuration_override_presets_of_the_same_name(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, {"providers": {"openai": AZURE}}).experiment
        assert known_instances(config.providers)["openai"] == "azure"
        assert instance_of(config.providers, "openai").label == "Azure OpenAI"
        assert {*registry.PROVIDERS, *PRESETS} <= known_instances(config.providers).keys()

    def test_every_key_is_well_known_at_a_host_and_every_address_of_a_key_is_its_own(self) -> None:
        for name, preset in PRESETS.items():
            assert bool(preset.key) == bool(preset.hosts), name
            assert not preset.key or not preset.base_url or any(host in preset.base_url for host in preset.hosts), name


class TestWhatIsRecorded:
    def test_a_configuration_without_servers_records_none(self, tmp_path: Path) -> None:
        assert "providers" not in recorded(tmp_path, {})

    @pytest.mark.parametrize(
        "entry",
        [
            {"timeout_s": 5, "connect_timeout_s": 1},
            {"proxy": "http://proxy.example:3128"},
            {"ca_file": "ours.pem"},
            {"max_jobs": 3},
            {"mode": "batch"},
            {"base_url": "https://api.openai.com/v1"},
            {"key": "OPENAI_API_KEY"},
            {},
        ],
    )
    def test_connection_settings_and_explicit_defaults_do_not_change_the_hash(
        self, tmp_path: Path, entry: dict[str, Any]
    ) -> None:
        plain = recorded(tmp_path, {"provider": "openai"})
        assert recorded(tmp_path, {"provider": "openai", "providers": {"openai": {"type": "openai"} | entry}}) == plain
        named = recorded(tmp_path, {"provider": "mine", "providers": {"mine": {"type": "openai"}}})
        again = recorded(tmp_path, {"provider": "mine", "providers": {"mine": {"type": "openai"} | entry}})
        assert config_hash(again) == config_hash(named)
        assert named["providers"] == {"mine": {"type": "openai"}}

    @pytest.mark.parametrize(
        "entry",
        [
            {"mode": "live"},
            {"base_url": "https://eu.api.openai.com/v1"},
            {"key": "OTHER_KEY"},
            {"headers": {"OpenAI-Project": "p"}},
            {"max_rows": 10},
            {"max_bytes": 10_000},
        ],
    )
    def test_another_address_or_another_job_limit_changes_the_hash(self, tmp_path: Path, entry: dict[str, Any]) -> None:
        named = recorded(tmp_path, {"provider": "mine", "providers": {"mine": {"type": "openai"}}})
        again = recorded(tmp_path, {"provider": "mine", "providers": {"mine": {"type": "openai"} | entry}})
        assert config_hash(again) != config_hash(named)
        assert again["providers"]["mine"] == {"type": "openai"} | entry

    def test_a_server_that_no_model_uses_is_left_out(self, tmp_path: Path) -> None:
        assert recorded(tmp_path, {"providers": {"mine": AZURE}}) == recorded(tmp_path, {})

    def test_a_secret_placeholder_is_kept_unresolved_and_its_value_can_change(self, tmp_path: Path) -> None:
        entry = {"type": "vllm", "headers": {"Authorization": "Bearer ${T}"}, "proxy": "http://u:${P}@p.example:1"}
        changes = {"provider": "mine", "providers": {"mine": entry}}
        one, two = (loaded(tmp_path, changes, {"T": f"token{n}", "P": f"word{n}"}) for n in (1, 2))
        assert tree_of(one)["providers"]["mine"]["headers"] == {"Authorization": "Bearer ${T}"}
        assert tree_of(one) == tree_of(two)
        assert tree_of(one.with_values()) == tree_of(two.with_values()), "a new token is no drift"
        assert "token1" not in to_yaml(tree_of(one.with_values())).decode()

    def test_an_address_placeholder_is_kept_unresolved_and_its_value_cannot_change(self, tmp_path: Path) -> None:
        changes = {"provider": "mine", "providers": {"mine": {"type": "vllm", "base_url": "http://${H}/v1"}}}
        one, two = (loaded(tmp_path, changes, {"H": f"host{n}.example"}) for n in (1, 2))
        assert tree_of(one)["providers"]["mine"]["base_url"] == "http://${H}/v1"
        assert tree_of(one.with_values()) != tree_of(two.with_values())

    def test_recorded_servers_read_back_to_the_same_values(self, tmp_path: Path) -> None:
        entry = AZURE | {"headers": {"X-A": "${A}"}, "max_bytes": 9}
        tree = tree_of(loaded(tmp_path, {"provider": "mine", "providers": {"mine": entry}}, {"A": "1"}))
        (tmp_path / "run").mkdir()
        path = tmp_path / "run/effective_config.yaml"
        path.write_bytes(to_yaml(tree))
        assert yaml.safe_load(path.read_text()) == tree
        assert tree_of(load_config(path, {"A": "1"})) == tree


class TestOptionsOfAModel:
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "endpoint": "chat",
        "sampling": "explicit",
        "reasoning_effort": None,
        "thinking_budget": None,
        "cache_prompt": "off",
        "extra_body": {},
    }

    def test_default_options_change_neither_the_hash_nor_the_request(self, tmp_path: Path) -> None:
        spelled = loaded(tmp_path, {"models": {"m1": {"id": "vendor/model-1", **self.DEFAULTS}}})
        plain = loaded(tmp_path)
        assert tree_of(spelled) == tree_of(plain)
        (model,) = models_asked(trials_of(spelled.experiment))
        assert asked_of(model) == ["embedded", "vendor/model-1", None]
        assert described_model(model) == {
            "alias": "m1", "id": "vendor/model-1", "provider": "embedded", "path": None, "written_id": None
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("given", "known"),
        [
            ({"endpoint": "responses"}, {"endpoint": "responses"}),
            ({"sampling": "provider_default"}, {"sampling": "provider_default"}),
            ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
            ({"thinking_budget": 1024}, {"thinking_budget": 1024}),
            ({"cache_prompt": "1h"}, {"cache_prompt": "1h"}),
            ({"extra_body": {"b": 1, "a": [True]}}, {"extra_body": '{"a":[true],"b":1}'}),
        ],
    )
    def test_each_option_with_another_value_is_part_of_the_request(
        self, tmp_path: Path, given: dict[str, Any], known: dict[str, Any]
    ) -> None:
        config = loaded(tmp_path, {"models": {"m1": {"id": "vendor/model-1", **given}}})
        (model,) = models_asked(trials_of(config.experiment))
        assert asked_of(model) == ["embedded", "vendor/model-1", None, known]
        assert described_model(model)["options"] == known
        assert config_hash(tree_of(config)) != config_hash(recorded(tmp_path, {}))

    def test_another_server_of_the_same_adapter_is_named_with_it(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, {"provider": "mine", "providers": {"mine": AZURE}})
        (model,) = models_asked(trials_of(config.experiment))
        assert (model.provider, model.adapter, described_model(model)["adapter"]) == ("mine", "openai", "openai")
