"""Variables of the environment of which no HTTP client can be made: named at the start, never repeated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptrial.errors import ConfigError
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.runtime.http_environment import made_of_environment, require_usable_environment
from tests.support.project import Project

PASSWORD = "hunter2" + "secretpw"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def opened(**service: Any) -> None:
    HttpClient(Service("Vendor", "https://vendor.example", "k" * 9, "VENDOR_KEY", **service)).close()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        f"http://user:{PASSWORD}/x@127.0.0.1:9",
        f"http://user:{PASSWORD}#x@127.0.0.1:9",
        f"htps://user:{PASSWORD}@127.0.0.1:9",
        f"http://user:{PASSWORD}@127.0.0.1:port",
        f"user:{PASSWORD}@ proxy",
    ],
)
def test_an_invalid_proxy_is_refused_with_its_variable_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        opened()
    assert caught.value.message.startswith(f"{name}: expected the address of an HTTP proxy")
    assert PASSWORD not in f"{caught.value} {caught.value.hint}"
    opened(proxy="http://proxy.example:3128")


@pytest.mark.parametrize("value", ["http://proxy.example:3128", "https://u:p%2Fq@proxy.example", "proxy.example:3128"])
def test_a_valid_proxy_is_accepted(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    opened()
    with made_of_environment():
        httpx.Client().close()


def test_a_socks_proxy_is_refused_with_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    with pytest.raises(ConfigError, match="ALL_PROXY names a SOCKS proxy") as caught:
        opened()
    assert "pip install socksio" in str(caught.value.hint)


@pytest.mark.parametrize("value", ["*", "localhost, *"])
def test_a_proxy_used_for_no_host_is_not_checked(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setenv("NO_PROXY", value)
    opened()


def test_at_least_one_of_several_certificate_folders_must_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'none'}{os.pathsep}{tmp_path}")
    opened()
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'none'}{os.pathsep}{tmp_path / 'nor_this'}")
    with pytest.raises(ConfigError, match="SSL_CERT_DIR names no folder that exists"):
        opened()


@pytest.mark.parametrize(
    ("name", "what"),
    [("SSL_CERT_FILE", "names a file that does not exist"), ("SSL_CERT_DIR", "names no folder that exists")],
)
def test_missing_certificates_are_refused_with_their_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, what: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=f"{name} {what}"):
        opened()
    opened(ca_file="own.pem")
    monkeypatch.setenv(name, str(tmp_path if name == "SSL_CERT_DIR" else Path(__file__)))
    opened()


def test_any_other_unusable_value_is_reported_without_showing_it() -> None:
    with (
        pytest.raises(ConfigError, match=r"no HTTP client can be made of the environment \(ValueError\)") as caught,
        made_of_environment(),
    ):
        raise ValueError(PASSWORD)
    assert PASSWORD not in f"{caught.value} {caught.value.hint}"
    require_usable_environment()


def test_a_plan_reports_an_unusable_value_and_a_run_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k" * 20)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}/x@127.0.0.1:9")
    project = Project.make(tmp_path)
    project.write_config({"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": None})
    outcomes = {name: project.call(name, "--config", str(project.config)) for name in ("plan", "run")}
    assert {name: outcome.code for name, outcome in outcomes.items()} == {"plan": 0, "run": 2}
    for outcome in outcomes.values():
        assert "HTTPS_PROXY: expected the address of an HTTP proxy" in outcome.out + outcome.err
        assert PASSWORD not in outcome.out + outcome.err
    assert not (tmp_path / "experiments").exists()
