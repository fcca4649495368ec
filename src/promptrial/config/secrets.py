"""Secrets of a configuration: they are written `${VAR}`, and their values appear in nothing that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from promptrial.config.addresses import is_secret_name
from promptrial.config.environment import VARIABLE, is_secret_variable
from promptrial.config.key_shapes import is_secret_value, looks_like_key
from promptrial.config.presets import PRESETS
from promptrial.config.providers import ProviderConfig
from promptrial.config.tree import KeyPath

__all__ = ["hidden", "misplaced_secrets", "secret_values"]

_HIDDEN: Final = frozenset({"headers", "proxy"})
"""Keys of an entry of `providers` whose values may be secret."""
_NEXT: Final = "\n  next: write `${VARIABLE}` instead, and put VARIABLE=... in .env"
_NAMED: Final = ", such as `key: OPENAI_API_KEY`: its value is looked up when it is needed, and written nowhere"
_RENAME: Final = "\n  next: if it is not a secret, rename the variable"


def misplaced_secrets(
    providers: Mapping[str, ProviderConfig], placeholders: Mapping[KeyPath, str]
) -> Iterator[tuple[KeyPath, str]]:
    """Yield the key path of each secret that is where it must not, and what is wrong with it; without the secret.

    Parameters
    ----------
    providers : mapping
        The section of the configuration, variables filled in.
    placeholders : mapping
        Key path -> text with ``${VAR}``, for the values that hold one.
    """
    for name, entry in providers.items():
        yield from _written_out(name, entry, placeholders)
    keys = {entry.key for entry in providers.values() if entry.key}
    for at, text in placeholders.items():
        for variable in VARIABLE.findall(_outside_of_secrets(at, text)):
            if variable in keys or is_secret_variable(variable) or (at[0] == "providers" and is_secret_name(variable)):
                yield at, f"{variable} seems to hold a secret, which may be used only in `headers` or `key`{_RENAME}"
        if _is_hidden(at):
            for variable in VARIABLE.findall(text):
                owners = [preset for preset in PRESETS.values() if preset.key == variable]
                if owners and PRESETS[providers[str(at[1])].type] not in owners:
                    yield (
                        at,
                        f"{variable} is the key of {owners[0].label}, and must not be sent to another vendor{_RENAME}",
                    )


def _written_out(
    name: str, entry: ProviderConfig, placeholders: Mapping[KeyPath, str]
) -> Iterator[tuple[KeyPath, str]]:
    """Yield the secrets of an entry that are in the configuration themselves."""
    for header, value in entry.headers.items():
        at: KeyPath = ("providers", name, "headers", header)
        literal = VARIABLE.sub("", placeholders[at]).strip() if at in placeholders else value
        if is_secret_value(literal) or (is_secret_name(header) and at not in placeholders):
            yield at, f"a configuration must not contain a secret{_NEXT}"
    at = ("providers", name, "proxy")
    if entry.proxy and at not in placeholders:
        user = urlsplit(entry.proxy)
        if user.password is not None or looks_like_key(user.username or ""):
            yield at, f"a configuration must not contain a password{_NEXT}"
    at = ("providers", name, "account")
    if looks_like_key(entry.account or "") and at not in placeholders:
        yield at, f"a configuration must not contain a secret, and this looks like one{_NEXT}"
    at = ("providers", name, "key")
    if at in placeholders:
        yield at, f"write the name of the variable alone, without `${{}}`{_NAMED}"


def _outside_of_secrets(at: KeyPath, text: str) -> str:
    """Return the part of a value that is not a place for a secret: all of it, or what follows the user of a proxy."""
    if not _is_hidden(at):
        return text
    return text.rpartition("@")[2] if at[2] == "proxy" else ""


def secret_values(
    providers: Mapping[str, ProviderConfig], placeholders: Mapping[KeyPath, str], env: Mapping[str, str]
) -> frozenset[str]:
    """Return the values of the variables that hold keys of servers, or are in their headers and proxies."""
    names = {entry.key for entry in providers.values() if entry.key}
    for text in hidden(placeholders).values():
        names.update(VARIABLE.findall(text))
    return frozenset(env[name].strip() for name in names if env.get(name, "").strip())


def hidden(placeholders: Mapping[KeyPath, str]) -> dict[KeyPath, str]:
    """Return those texts with ``${VAR}`` that may hold a secret: another value of theirs changes nothing of a run."""
    return {at: text for at, text in placeholders.items() if _is_hidden(at)}


def _is_hidden(at: KeyPath) -> bool:
    return at[0] == "providers" and len(at) > 2 and at[2] in _HIDDEN
