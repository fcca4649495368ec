"""Who asks Fireworks, where, and for which model: the environment and the configuration turned into resource names.

No call is made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

from promptrial.errors import ConfigError
from promptrial.model.instances import Instance
from promptrial.providers.access import service_of
from promptrial.providers.http_service import Service, is_loopback

__all__ = ["OWN_MODELS", "account_slug", "address_of", "api_path", "dataset_name", "model_name", "service"]

API_BASE: Final = "https://api.fireworks.ai"
_KEY: Final = "FIREWORKS_API_KEY"
_ACCOUNT: Final = "FIREWORKS_ACCOUNT_ID"
_BASE: Final = "FIREWORKS_API_BASE"
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MODEL: Final = re.compile(r"accounts/[A-Za-z0-9][\w-]*/models/[A-Za-z0-9][\w.@:-]*", re.ASCII)
_BARE_MODEL: Final = re.compile(r"[A-Za-z0-9][\w.@:-]*", re.ASCII)
OWN_MODELS: Final = "accounts/fireworks/models/"
_WHERE: Final = (
    "it is the NAME in the full names of your own models and data sets, accounts/NAME/..., which the web console shows"
)


def service(env: Mapping[str, str], instance: Instance) -> Service:
    """Return the API to call, with the key of the environment.

    Its address is the instance's, else that of ``FIREWORKS_API_BASE``, else Fireworks' own. The environment trusts the
    address that it gives with Fireworks' own key, and with no other.

    Raises
    ------
    ConfigError
        If the key is missing or cannot be one, or the address is none that a key may be sent to.
    """
    instance = replace(instance, key=instance.key or _KEY)
    if instance.base_url:
        if _ends_with_version(instance.base_url):
            raise ConfigError(f"providers.{instance.name}: its base_url ends with /v1, which is added to it")
        return service_of(instance, env)
    given = env.get(_BASE, "").strip()
    base = _checked_base(given or API_BASE)
    trusted = (urlsplit(base).hostname or "",) if given and instance.key == _KEY else ()
    return service_of(replace(instance, base_url=base, hosts=(*instance.hosts, *trusted)), env)


def address_of(env: Mapping[str, str]) -> str:
    """Return the address where no instance gives one; of a variable that holds none, the name."""
    given = env.get(_BASE, "").strip()
    try:
        return _checked_base(given) if given else API_BASE
    except ConfigError:
        return f"what {_BASE} says"


def account_slug(env: Mapping[str, str], instance: Instance) -> str:
    """Return the account's id: the instance's, else that of ``FIREWORKS_ACCOUNT_ID``.

    Raises
    ------
    ConfigError
        If it is missing, or is something else, such as an e-mail address.
    """
    said = f"providers.{instance.name}.account" if instance.account else _ACCOUNT
    given = instance.account or _needed(env, _ACCOUNT, f"the id of your Fireworks account ({_WHERE})")
    if "@" in given:
        raise ConfigError(f"{said} is an e-mail address; give the id of the account", hint=_WHERE)
    slug = given.removeprefix("accounts/").partition("/")[0]
    if not _SLUG.fullmatch(slug):
        raise ConfigError(f"{said} {given!r} is not an account id", hint=_WHERE)
    return slug


def api_path(account: str, collection: str, name: str = "", verb: str = "") -> str:
    """Return the path of a collection of the account or, given a name, of one thing in it and what to do with it."""
    path = f"/v1/accounts/{account}/{collection}"
    return f"{path}/{quote(name, safe='')}{verb}" if name else path


def dataset_name(account: str, dataset: str) -> str:
    """Return the full name of a dataset, as jobs want it."""
    return f"accounts/{account}/datasets/{dataset}"


def model_name(model_id: str) -> str:
    """Return the full name of a model: as it is if it is one, or that of Fireworks' own model of that name.

    Raises
    ------
    ConfigError
        If it names no model.
    """
    if _MODEL.fullmatch(model_id):
        return model_id
    if _BARE_MODEL.fullmatch(model_id):
        return f"{OWN_MODELS}{model_id}"
    problem = f"model {model_id!r}: not a valid name of a Fireworks model"
    if "deploy" in model_id.lower():
        problem = f"model {model_id!r}: this is a deployment; batches run on models, not on deployments"
    raise ConfigError(problem, hint="write accounts/NAME/models/MODEL, or only MODEL for a model of Fireworks")


def _needed(env: Mapping[str, str], name: str, what: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set; it holds {what}", hint=f"put {name}=... in .env, or export it")
    return value


def _checked_base(base: str) -> str:
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_base("is not an address") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _bad_base("is not an address")
    if parts.scheme == "http" and not is_loopback(host):
        raise _bad_base("starts with http:// and so would send the key unencrypted; only local addresses may be http")
    if parts.username is not None or parts.query or parts.fragment:
        raise _bad_base("holds more than a host and a path")
    if _ends_with_version(base):
        raise _bad_base("ends with /v1, which is added to it")
    return base.rstrip("/")


def _ends_with_version(base: str) -> bool:
    return urlsplit(base).path.rstrip("/").endswith("/v1")


def _bad_base(why: str) -> ConfigError:
    return ConfigError(f"{_BASE} {why}", hint=f"omit it to use {API_BASE}, or give such an address")
