"""Who asks Fireworks, where, and for which model: the environment and the configuration turned into resource names.

No call is made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote, urlsplit

from promptrial.errors import ConfigError, PromptrialError
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.http_outcomes import RejectedError
from promptrial.providers.http_service import Service, is_loopback

__all__ = [
    "API_BASE",
    "HiddenNames",
    "account_slug",
    "api_path",
    "as_environment",
    "dataset_name",
    "model_name",
    "service",
]

API_BASE: Final = "https://api.fireworks.ai"
_KEY: Final = "FIREWORKS_API_KEY"
_ACCOUNT: Final = "FIREWORKS_ACCOUNT_ID"
_BASE: Final = "FIREWORKS_API_BASE"
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MODEL: Final = re.compile(r"accounts/[A-Za-z0-9][\w-]*/models/[A-Za-z0-9][\w.@:-]*", re.ASCII)
_BARE_MODEL: Final = re.compile(r"[A-Za-z0-9][\w.@:-]*", re.ASCII)
_OWN_MODELS: Final = "accounts/fireworks/models/"
_WHERE: Final = (
    "it is the NAME in the full names of your own models and data sets, accounts/NAME/..., which the web console shows"
)


def as_environment(env: Mapping[str, str], instance: Instance) -> Mapping[str, str]:
    """Return an environment in whose three variables stands what an instance says of key, account and address."""
    said = {_KEY: env.get(instance.key or _KEY, ""), _ACCOUNT: instance.account, _BASE: instance.base_url}
    return {**env, **{name: value for name, value in said.items() if value}}


def service(env: Mapping[str, str]) -> Service:
    """Return the API to call, with the key of the environment.

    Raises
    ------
    ConfigError
        If the key is missing or cannot be one, or the address is none that a key may be sent to.
    """
    key = _needed(env, _KEY, "an API key of your Fireworks account")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(f"{_KEY} holds spaces or other characters that no key has", hint="copy the key again")
    base = env.get(_BASE, "").strip() or API_BASE
    return Service("Fireworks", _checked_base(base), key, _KEY)


def account_slug(env: Mapping[str, str]) -> str:
    """Return the account's id.

    Raises
    ------
    ConfigError
        If it is missing, or is something else, such as an e-mail address.
    """
    given = _needed(env, _ACCOUNT, f"the id of your Fireworks account ({_WHERE})")
    if "@" in given:
        raise ConfigError(f"{_ACCOUNT} is an e-mail address; the id of the account is needed", hint=_WHERE)
    slug = given.removeprefix("accounts/").partition("/")[0]
    if not _SLUG.fullmatch(slug):
        raise ConfigError(f"{_ACCOUNT} {given!r} is not an account id", hint=_WHERE)
    return slug


def api_path(account: str, collection: str, name: str = "", verb: str = "") -> str:
    """Return the path of a collection of the account or, given a name, of one thing in it and what to do with it."""
    path = f"/v1/accounts/{account}/{collection}"
    return f"{path}/{quote(name, safe='')}{verb}" if name else path


def dataset_name(account: str, dataset: str) -> str:
    """Return the full name of a dataset, as jobs want it."""
    return f"accounts/{account}/datasets/{dataset}"


def model_name(model_id: str) -> str:
    """Return the full name of a model: as it stands if it is one, or that of Fireworks' own model of that name.

    Raises
    ------
    ConfigError
        If it names no model.
    """
    if _MODEL.fullmatch(model_id):
        return model_id
    if _BARE_MODEL.fullmatch(model_id):
        return f"{_OWN_MODELS}{model_id}"
    problem = f"model {model_id!r}: no model of Fireworks has such a name"
    if "deploy" in model_id.lower():
        problem = f"model {model_id!r}: this is a deployment; batches run on models, not on deployments of one"
    raise ConfigError(problem, hint="write accounts/NAME/models/MODEL, or MODEL alone for one of Fireworks' own")


class HiddenNames:
    """Names of models that came from the environment: whatever is said names the model as the configuration does.

    Fireworks repeats the name in its own words, so that it is looked for in these, too.
    """

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Return a text without these names."""
        for name in sorted(self._shown, key=len, reverse=True):
            shown = self._shown[name].replace("\\", "\\\\")  # as a pattern's replacement is written
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", shown, text)
        return text

    @contextmanager
    def kept(self, model: ModelSpec) -> Iterator[None]:
        """Keep a model's name, from now on, out of what is said, and out of the errors of this block."""
        if model.written_id is not None:
            last = model.id.rpartition("/")[2]
            self._shown |= {name: model.shown_id for name in (model.id, f"{_OWN_MODELS}{model.id}", last) if name}
        try:
            yield
        except PromptrialError as error:
            self._hide(error)
            raise

    def _hide(self, error: BaseException | None) -> None:
        while isinstance(error, PromptrialError):
            error.message = self(error.message)
            error.args = (error.message,)
            if isinstance(error, RejectedError):
                error.detail = self(error.detail)
            error = error.__cause__ or error.__context__


def _needed(env: Mapping[str, str], name: str, what: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set; it holds {what}", hint=f"put {name}=... into .env, or export it")
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
        raise _bad_base("starts with http:// and so would send the key unencrypted; this machine alone may be http")
    if parts.username is not None or parts.query or parts.fragment:
        raise _bad_base("holds more than a host and a path")
    if parts.path.rstrip("/").endswith("/v1"):
        raise _bad_base("ends with /v1, which is added to it")
    return base.rstrip("/")


def _bad_base(why: str) -> ConfigError:
    return ConfigError(f"{_BASE} {why}", hint=f"leave it out for {API_BASE}, or give such an address")
