"""May an instance be asked, where, and with which key: its address and variables turned into a ``Service``.

The key of a vendor goes to that vendor's hosts and to this machine; another host has to be trusted by name, in the
environment and not in a configuration file, which may come from somebody else. No call is made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from promptrial.config.addresses import is_among, is_host
from promptrial.errors import ConfigError
from promptrial.model.instances import Instance
from promptrial.providers.http_service import Service, Timeouts, is_loopback

__all__ = ["TRUSTED_HOSTS", "service_of", "timeouts_of"]

TRUSTED_HOSTS: Final = "PROMPTRIAL_TRUSTED_HOSTS"
"""The variable that names further hosts, with commas between them, that keys may be sent to."""


def service_of(instance: Instance, env: Mapping[str, str]) -> Service:
    """Return the API of an instance, with its key from the environment.

    Raises
    ------
    ConfigError
        If it has no address, or none that its key may be sent to, or the key is missing or cannot be one.
    """
    base = _checked_base(instance)
    key = _key(instance, env)
    secret = bool(key or instance.headers)
    host = urlsplit(base).hostname or ""
    if secret and not is_loopback(host):
        if base.startswith("http://"):
            raise _bad_base(instance, "starts with http:// and so would send the key unencrypted; use https://")
        if not _is_trusted(host, instance, env):
            raise ConfigError(
                f"providers.{instance.name}: {instance.key or 'its headers'} would be sent to {host}, which is not a "
                f"host of {instance.label}",
                hint=f"if you trust that host, put {TRUSTED_HOSTS}={host} in .env, or export it",
            )
    _check_proxy(instance, env, host)
    reached = instance.connection
    _check_certificates(instance)
    return Service(
        instance.label, base, key, instance.key if key else "", instance.auth, instance.headers, reached.proxy,
        reached.ca_file,
    )  # fmt: skip


def _check_certificates(instance: Instance) -> None:
    file = instance.connection.ca_file
    if file is not None:
        import ssl  # which most commands do without

        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:  # SSLError is one
            raise ConfigError(
                f"providers.{instance.name}.ca_file: {file}: cannot be read: {error.strerror or error}",
                hint="give a PEM file with the certificates to trust",
            ) from None


def _check_proxy(instance: Instance, env: Mapping[str, str], host: str) -> None:
    """Refuse a proxy that would read what is sent, or get a password of its own, unless it is trusted.

    It reads plain HTTP to this machine, and TLS that a file says to trust.
    """
    proxy = instance.connection.proxy
    if proxy is None:
        return
    if is_loopback(host):
        raise ConfigError(
            f"providers.{instance.name}.proxy: its server is local, and no proxy is used for it",
            hint="remove `proxy`",
        )
    parts = urlsplit(proxy)
    through = parts.hostname or ""
    if is_loopback(through) or _is_named(through, env):
        return
    why = f"its password would be sent to {through}" if parts.password is not None else ""
    if instance.connection.ca_file:
        why = f"with `ca_file`, the proxy {through} could read the key and all requests"
    if why:
        raise ConfigError(
            f"providers.{instance.name}.proxy: {why}",
            hint=f"if you trust that host, put {TRUSTED_HOSTS}={through} in .env, or export it",
        )


def timeouts_of(instance: Instance, usual: Timeouts | None = None) -> Timeouts:
    """Return how long its calls may take, where it says so, and else the usual times of its adapter."""
    usual, said = usual or Timeouts(), instance.connection
    read_s = said.read_s or usual.read_s
    return replace(
        usual,
        connect_s=said.connect_s or usual.connect_s,
        read_s=read_s,
        transfer_s=max(usual.transfer_s, read_s),
        call_s=max(usual.call_s, read_s),
    )


def _key(instance: Instance, env: Mapping[str, str]) -> str:
    if not instance.key:
        return ""
    key = env.get(instance.key, "").strip()
    if not key:
        raise ConfigError(
            f"{instance.key} is not set; it must hold an API key for {instance.label}",
            hint=f"put {instance.key}=... in .env, or export it",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(f"{instance.key} holds spaces or other characters that no key has", hint="copy the key again")
    return key


def _is_trusted(host: str, instance: Instance, env: Mapping[str, str]) -> bool:
    return is_among(host, instance.hosts) or _is_named(host, env)


def _is_named(host: str, env: Mapping[str, str]) -> bool:
    """Whether the environment names a host.

    Raises
    ------
    ConfigError
        If it does not, and names something that is not a host, and so stands for none.
    """
    named = [text for each in env.get(TRUSTED_HOSTS, "").split(",") if (text := each.strip().lower())]
    if is_among(host, named):
        return True
    wrong = [text for text in named if not is_host(text.removeprefix("."))]
    if wrong:
        raise ConfigError(
            f"{TRUSTED_HOSTS}: {wrong[0]!r} is not the name of a host",
            hint=(
                "write only names, without https://, port or path, such as gpu-box.example.com; a leading dot means "
                "every host below"
            ),
        )
    return False


def _checked_base(instance: Instance) -> str:
    try:
        parts = urlsplit(instance.base_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_base(instance, "is not an address") from None
    if not instance.base_url:
        raise _bad_base(instance, "is missing")
    if parts.scheme not in {"http", "https"} or not is_host(host):
        raise _bad_base(instance, "is not an address")
    if parts.username is not None or parts.query or parts.fragment:
        raise _bad_base(instance, "has more than a host and a path")
    return parts.geturl().rstrip("/")


def _bad_base(instance: Instance, why: str) -> ConfigError:
    return ConfigError(
        f"providers.{instance.name}: its base_url {why}",
        hint=f"write `providers: {{{instance.name}: {{type: ..., base_url: https://HOST/PATH}}}}`",
    )
