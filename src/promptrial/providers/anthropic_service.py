"""Where Anthropic's API is asked, in which version, and what is recorded of that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from promptrial.errors import ConfigError
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.access import service_of
from promptrial.providers.anthropic_messages import API_VERSION
from promptrial.providers.http_service import Service

__all__ = [
    "PRESET",
    "VERSION_HEADER",
    "anthropic_service",
    "fingerprint",
    "is_version",
    "version_of",
]

PRESET: Final = "anthropic"
VERSION_HEADER: Final = "anthropic-version"
_VERSION: Final = re.compile(r"[A-Za-z0-9._-]+")
_TELLING_HEADERS: Final = {"anthropic-beta": "beta", "anthropic-workspace-id": "workspace"}
"""Headers that say what is asked, or for whom, and what their values are called on record."""


def is_version(text: str) -> bool:
    """Tell whether a text may be a version of the API: it appears in commands for people, too."""
    return _VERSION.fullmatch(text) is not None


def version_of(instance: Instance) -> str:
    """Return the version of the API that an instance asks for.

    Raises
    ------
    ConfigError
        If it cannot be one.
    """
    version = instance.option("api_version", API_VERSION)
    if not is_version(version):
        raise ConfigError(
            f"providers.{instance.name}.api_version: {version!r} is not a version", hint=f"write it as {API_VERSION!r}"
        )
    return version


def anthropic_service(env: Mapping[str, str], instance: Instance) -> Service:
    """Return the API of an instance; each call says the version.

    Raises
    ------
    ConfigError
        As ``service_of``, and if a header names another version.
    """
    service = service_of(instance, env)
    for name, _ in service.headers:
        if name.lower() == VERSION_HEADER:
            raise ConfigError(
                f"providers.{instance.name}.headers.{name}: the version of the API is set by another key",
                hint=f"write `api_version:` in `providers.{instance.name}`, and remove the header",
            )
    return replace(service, plain_headers=((VERSION_HEADER, version_of(instance)),))


def fingerprint(model: ModelSpec, service: Service, name: str) -> dict[str, str | int | float | bool]:
    """Return the model's name, where it is served, the version and what else headers ask for; and: there is no seed."""
    version = dict(service.plain_headers)[VERSION_HEADER]
    headers = {name.lower(): value for name, value in service.headers}
    told = {label: headers[name] for name, label in _TELLING_HEADERS.items() if name in headers}
    return {
        "provider": name,
        "model": model.shown_id,
        "api": service.place,
        "api_version": version,
        "seed": "not accepted by this API",
        **told,
    }
