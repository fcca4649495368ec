"""What the environment says about proxies and certificates, looked at before an HTTP client is made of it.

The client's own errors about these variables repeat them, with the password that a proxy's address may hold, or name
nothing at all; and they come at the first call, when a run has started.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from promptrial.config.addresses import checked_proxy
from promptrial.errors import ConfigError

__all__ = ["made_of_environment", "require_usable_environment"]

_SCHEMES: Final = ("http", "https", "all")
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_SOCKS: Final = ("socks5://", "socks5h://")


def require_usable_environment(*, proxy: bool = True, certificates: bool = True) -> None:
    """Refuse variables that no client can be made from; a password in the address of a proxy is not repeated.

    Parameters
    ----------
    proxy, certificates : bool
        Whether the environment decides on these: a configuration may name its own.

    Raises
    ------
    ConfigError
        Naming the variable.
    """
    if proxy and any(name.lower().endswith("_proxy") for name in os.environ):
        from urllib.request import getproxies  # half of what a bare Python takes to start

        proxies = getproxies()
        if "*" not in [host.strip() for host in proxies.get("no", "").split(",")]:  # else none is used
            for scheme in filter(proxies.get, _SCHEMES):
                _check_proxy(f"{scheme}_proxy", proxies[scheme])
    if certificates:
        _check_certificates(os.environ)


@contextmanager
def made_of_environment() -> Iterator[None]:
    """Within the block a client is made of the environment; what else is wrong with that is said without its values.

    Raises
    ------
    ConfigError
        If none can be made.
    """
    import httpx

    try:
        yield
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConfigError(
            f"no HTTP client can be made of the environment ({type(error).__name__})",
            hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from None


def _check_proxy(name: str, value: str) -> None:
    shown = next((each for each in (name.upper(), name) if os.environ.get(each)), name.upper())
    if value.startswith(_SOCKS):
        if find_spec("socksio") is None:
            raise ConfigError(f"{shown} names a SOCKS proxy", hint="pip install socksio; or give an HTTP proxy")
        return
    try:
        checked_proxy(value if "://" in value else f"http://{value}")
    except ValueError as error:
        raise ConfigError(
            f"{shown}: {error}", hint=f"correct it, writing special characters of a password as %XX; or unset {shown}"
        ) from None


def _check_certificates(env: Mapping[str, str]) -> None:
    name = next(filter(env.get, _CERTIFICATES), None)  # the first decides
    if name == "SSL_CERT_FILE" and not Path(env[name]).is_file():
        raise _not_there(name, "a file that does not exist", env)
    if name == "SSL_CERT_DIR" and not any(Path(folder).is_dir() for folder in env[name].split(os.pathsep)):
        raise _not_there(name, "no folder that exists", env)


def _not_there(name: str, what: str, env: Mapping[str, str]) -> ConfigError:
    return ConfigError(f"{name} names {what}: {env[name]}", hint=f"correct or unset {name}")
