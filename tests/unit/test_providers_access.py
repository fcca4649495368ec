"""Where a key may go: hosts, plain HTTP, proxies, certificates; and what a service shows of its secrets."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import pytest

from promptrial.config.instances import instance_of, preset_instance
from promptrial.config.presets import PRESETS
from promptrial.config.providers import ProviderConfig
from promptrial.errors import ConfigError
from promptrial.model import ModelSpec
from promptrial.model.instances import Connection, Instance
from promptrial.providers.access import TRUSTED_HOSTS, service_of, timeouts_of
from promptrial.providers.anthropic_service import anthropic_service, fingerprint
from promptrial.providers.fireworks_account import account_slug
from promptrial.providers.fireworks_account import service as fireworks_service
from promptrial.providers.http_service import Timeouts

KEY = "sk-" + "theonlykeythereis"
ENV = {"THE_KEY": KEY}
OURS = Instance(
    "mine", "openai", "Vendor", base_url="https://api.vendor.example/v1", key="THE_KEY",
    hosts=("api.vendor.example", ".vendor-cloud.example"),
)  # fmt: skip
KEYLESS = replace(OURS, key="")


def refused(instance: Instance, env: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        service_of(instance, ENV if env is None else env)
    assert KEY not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "base",
    [
        "https://api.vendor.example/v1",
        "https://API.Vendor.Example/v1",
        "https://api.vendor.example:8443",
        "https://mine.vendor-cloud.example/openai/v1",
        "http://127.0.0.1:8000/v1",
        "http://localhost:8000/v1",
        "http://[::1]:8000/v1",
    ],
)
def test_a_key_goes_to_the_hosts_of_its_vendor_and_to_this_machine(base: str) -> None:
    assert service_of(replace(OURS, base_url=base), ENV).key == KEY


@pytest.mark.parametrize(
    "base",
    [
        "https://vendor.example/v1",
        "https://api.vendor.example.evil.example/v1",
        "https://evil-api.vendor.example/v1",
        "https://vendor-cloud.example/v1",
        "https://evilvendor-cloud.example/v1",
        "https://127.0.0.1.evil.example/v1",
    ],
)
def test_any_other_host_must_be_trusted_by_name(base: str) -> None:
    host = base.split("/")[2]
    error = refused(replace(OURS, base_url=base))
    assert f"THE_KEY would be sent to {host}, which is not a host of Vendor" in error.message
    assert f"{TRUSTED_HOSTS}={host} in .env" in str(error.hint)
    for named in (host, f"other.example, {host.upper()} ,"):
        assert service_of(replace(OURS, base_url=base), {**ENV, TRUSTED_HOSTS: named}).key == KEY
    refused(replace(OURS, base_url=base), {**ENV, TRUSTED_HOSTS: f"x{host}"})


@pytest.mark.parametrize("wrong", ["https://other.example", "other.example:443", "other.example/v1", "*.example"])
def test_an_invalid_host_is_not_trusted_and_is_named(wrong: str) -> None:
    other = replace(OURS, base_url="https://other.example/v1")
    error = refused(other, {**ENV, TRUSTED_HOSTS: f"a.example,{wrong}"})
    assert error.message == f"{TRUSTED_HOSTS}: {wrong!r} is not the name of a host"
    assert service_of(other, {**ENV, TRUSTED_HOSTS: f"{wrong},other.example"}).key == KEY
    assert service_of(OURS, {**ENV, TRUSTED_HOSTS: wrong}).key == KEY


def test_a_domain_is_trusted_with_a_dot_before_it() -> None:
    deep = replace(OURS, base_url="https://a.b.corp.example/v1")
    assert service_of(deep, {**ENV, TRUSTED_HOSTS: ".corp.example"}).key == KEY
    refused(deep, {**ENV, TRUSTED_HOSTS: "corp.example"})


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
@pytest.mark.parametrize("secret", [OURS, replace(KEYLESS, headers=(("X-A", KEY),))], ids=["key", "header"])
def test_plain_http_to_another_machine_is_refused_even_if_trusted(secret: Instance, scheme: str) -> None:
    plain = replace(secret, base_url=f"{scheme}://api.vendor.example/v1")
    error = refused(plain, {**ENV, TRUSTED_HOSTS: "api.vendor.example"})
    assert "would send the key unencrypted" in error.message


def test_a_header_needs_a_trusted_host_too() -> None:
    error = refused(replace(KEYLESS, headers=(("X-A", KEY),), base_url="https://other.example/v1"))
    assert "its headers would be sent to other.example" in error.message


def test_without_key_and_headers_any_address_is_allowed() -> None:
    assert service_of(replace(KEYLESS, base_url="http://gpu-box:8000/v1/"), {}).base_url == "http://gpu-box:8000/v1"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_is_named_with_what_to_do(value: str | None) -> None:
    error = refused(OURS, {} if value is None else {"THE_KEY": value})
    assert error.message.startswith("THE_KEY is not set")
    assert "THE_KEY=... in .env" in str(error.hint)


@pytest.mark.parametrize("value", [f"{KEY} x", f"{KEY}\x07", f"{KEY}é", f"{KEY}\n{KEY}"])
def test_a_value_that_cannot_be_a_key_is_refused_without_showing_it(value: str) -> None:
    assert "THE_KEY holds spaces or other characters" in refused(OURS, {"THE_KEY": value}).message


@pytest.mark.parametrize(
    "base",
    ["", "vendor", "ftp://x", "https://", "https://x:p", "https://u:p@x", "https://x?a=b", "https://x#a",
     "https://evil.example\\.vendor-cloud.example/v1", "https://evil.example%2f.vendor-cloud.example/v1",
     "https://.vendor-cloud.example/v1"],
)  # fmt: skip
def test_an_invalid_address_is_refused(base: str) -> None:
    assert "providers.mine: its base_url" in refused(replace(OURS, base_url=base)).message


def test_a_server_on_this_machine_is_asked_without_a_proxy() -> None:
    local = replace(OURS, base_url="http://127.0.0.1:8000/v1", connection=Connection(proxy="http://evil.example:1"))
    assert "providers.mine.proxy: its server is local" in refused(local).message


def test_the_password_of_a_proxy_is_sent_only_to_a_trusted_host() -> None:
    secret = replace(KEYLESS, connection=Connection(proxy="http://u:pw@p.corp.example:1"))
    error = refused(secret)
    assert error.message == "providers.mine.proxy: its password would be sent to p.corp.example"
    for named in ("p.corp.example", ".corp.example"):
        assert service_of(secret, {TRUSTED_HOSTS: named}).proxy
    assert service_of(replace(secret, connection=Connection(proxy="http://u:pw@localhost:1")), {}).proxy


def test_a_configured_proxy_with_configured_certificates_needs_a_trusted_host(tmp_path: Path) -> None:
    ca_file = certificates(tmp_path)
    both = replace(OURS, connection=Connection(proxy="http://proxy.example:3128", ca_file=ca_file))
    assert "the proxy proxy.example could read the key" in refused(both).message
    for trusted in ("proxy.example", ".example"):
        assert service_of(both, {**ENV, TRUSTED_HOSTS: trusted}).ca_file == ca_file
    assert service_of(replace(OURS, connection=Connection(proxy="http://proxy.example:3128")), ENV).proxy
    assert service_of(replace(OURS, connection=Connection(ca_file=ca_file)), ENV).ca_file


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_certificates_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ours.pem"
    if content is not None:
        path.write_text(content)
    error = refused(replace(OURS, connection=Connection(ca_file=str(path))))
    assert f"providers.mine.ca_file: {path}: cannot be read" in error.message


def test_secrets_are_neither_in_representations_nor_in_messages() -> None:
    given = replace(OURS, headers=(("X-A", "headersecret1"),), connection=Connection(proxy="http://u:pw@127.0.0.1:1"))
    service = service_of(given, ENV)
    for text in (repr(service), repr(given)):
        assert not [secret for secret in (KEY, "headersecret1", "u:pw") if secret in text]
    assert service.without_secrets(f"no {KEY} and headersecret1") == "no [key] and [header]"


def test_short_values_and_plain_words_of_headers_are_left_in_messages() -> None:
    headers = (("X-N", "4"), ("X-Title", "context"), ("X-Token", "opensesame"), ("X-Tenant", "acme-17"))
    service = service_of(replace(OURS, headers=headers), ENV)
    said = "maximum context length is 4096 tokens, opensesame of acme-17"
    assert service.without_secrets(said) == "maximum context length is 4096 tokens, [header] of [header]"


def test_a_given_header_replaces_ours_in_any_case() -> None:
    given = replace(OURS, headers=(("AUTHORIZATION", "Basic abc"), ("X-A", "b")))
    assert service_of(given, ENV).own_headers == {"AUTHORIZATION": "Basic abc", "X-A": "b"}


def test_the_anthropic_version_is_not_an_instance_header_and_other_headers_are_recorded() -> None:
    plain = preset_instance("anthropic")
    env = {"ANTHROPIC_API_KEY": KEY, TRUSTED_HOSTS: "api.anthropic.com"}
    with pytest.raises(ConfigError, match=r"headers\.Anthropic-Version") as caught:
        anthropic_service(env, replace(plain, headers=(("Anthropic-Version", "2026-10-21"),)))
    assert "api_version" in str(caught.value.hint)
    model = ModelSpec("m", "claude", "anthropic")
    asked = anthropic_service(env, replace(plain, headers=(("Anthropic-Beta", "b-1"),)))
    assert fingerprint(model, asked, "anthropic")["beta"] == "b-1"
    assert "beta" not in fingerprint(model, anthropic_service(env, plain), "anthropic")


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.key])
@pytest.mark.parametrize("other", sorted({preset.key for preset in PRESETS.values() if preset.key}))
def test_the_well_known_key_of_a_vendor_is_not_sent_to_another_vendor(name: str, other: str) -> None:
    preset = PRESETS[name]
    address = {"base_url": "https://mine.openai.azure.com/openai/v1"} if name == "azure" else {}
    instance = instance_of({"x": ProviderConfig.model_validate({"type": name, "key": other, **address})}, "x")
    env = {other: KEY}
    open_service = fireworks_service if name == "fireworks" else lambda env, instance: service_of(instance, env)
    if preset.key == other:
        assert open_service(env, instance).key == KEY
        return
    for more in ({}, {"FIREWORKS_API_BASE": "https://gateway.example"}):
        with pytest.raises(ConfigError, match=f"{other} would be sent to"):
            open_service(env | more, instance)


def test_timeouts_have_their_defaults_unless_the_instance_overrides_them() -> None:
    assert timeouts_of(OURS) == Timeouts()
    slow = timeouts_of(replace(OURS, connection=Connection(connect_s=1, read_s=900)))
    assert (slow.connect_s, slow.read_s, slow.call_s, slow.transfer_s) == (1, 900, 900, 900)
    assert timeouts_of(replace(OURS, connection=Connection(read_s=1))).call_s == Timeouts().call_s


class TestFireworks:
    ENV: Final = {"FIREWORKS_API_KEY": KEY, "FIREWORKS_ACCOUNT_ID": "me", "OTHER": "fw_another_key"}
    PLAIN = Instance("fireworks", "fireworks", "Fireworks", key="FIREWORKS_API_KEY", hosts=("api.fireworks.ai",))

    def test_a_configured_address_must_be_trusted_and_one_from_the_environment_is(self) -> None:
        with pytest.raises(ConfigError, match=r"FIREWORKS_API_KEY would be sent to evil\.example"):
            fireworks_service(self.ENV, replace(self.PLAIN, base_url="https://evil.example"))
        env = self.ENV | {"FIREWORKS_API_BASE": "https://gateway.example"}
        assert fireworks_service(env, self.PLAIN).base_url == "https://gateway.example"
        with pytest.raises(ConfigError, match=r"evil\.example"):
            fireworks_service(env, replace(self.PLAIN, base_url="https://evil.example"))

    def test_an_instance_has_its_own_key_account_headers_and_connection(self) -> None:
        own = replace(
            self.PLAIN, key="OTHER", account="accounts/second", headers=(("X-A", "b"),),
            connection=Connection(proxy="http://p.example:1"),
        )  # fmt: skip
        service = fireworks_service(self.ENV, own)
        assert (service.key, service.key_variable, service.proxy) == ("fw_another_key", "OTHER", "http://p.example:1")
        assert service.own_headers == {"Authorization": "Bearer fw_another_key", "X-A": "b"}
        assert account_slug(self.ENV, own) == "second"

    def test_an_invalid_configured_account_is_named_by_its_key(self) -> None:
        with pytest.raises(ConfigError, match=r"providers\.fireworks\.account is an e-mail address"):
            account_slug(self.ENV, replace(self.PLAIN, account="me@x.example"))

    def test_the_api_version_is_not_part_of_the_address(self) -> None:
        with pytest.raises(ConfigError, match="its base_url ends with /v1"):
            fireworks_service(self.ENV, replace(self.PLAIN, base_url="https://api.fireworks.ai/v1"))


def certificates(folder: Path) -> str:
    """Write the certificates that the HTTP library trusts, as a file of one's own."""
    path = folder / "ours.pem"
    trusted = httpx.create_ssl_context().get_ca_certs(binary_form=True)
    path.write_text("".join(map(ssl.DER_cert_to_PEM_cert, trusted)))
    return str(path)
