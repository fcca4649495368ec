"""Where models are served, as values: an instance of an adapter, and what a model's requests say besides the sampling.

``config.instances`` makes them from the configuration; adapters are opened with them. No key appears in them: ``key``
is the name of the variable that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

__all__ = ["RUN_FOLDER", "Authentication", "Connection", "Instance", "Limits", "RequestOptions"]

RUN_FOLDER: Final = "run_folder"
"""The option that says in which folder a run is; it is added when an adapter is opened for a run."""

Authentication = Literal["bearer", "api-key", "x-api-key"]
"""How a key is sent: as ``Authorization: Bearer KEY``, or alone in the header of that name."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How a server is reached. None stands for the adapter's own choice.

    ``connect_s`` and ``read_s`` are the longest waits in seconds for a connection, and for the next bytes of an answer.
    ``proxy`` is the address of an HTTP proxy; without one, the environment says. ``ca_file`` is a PEM file with the
    certificates that are trusted, instead of the public ones.
    """

    connect_s: float | None = None
    read_s: float | None = None
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server is given at once. None stands for the adapter's own choice.

    ``jobs`` are those at work at the same time, ``in_flight`` the requests that are sent one by one; ``rows`` and
    ``size`` (bytes) are the most that one job may have.
    """

    jobs: int | None = None
    in_flight: int | None = None
    rows: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """An adapter with an address, under the name that a configuration gives it.

    Attributes
    ----------
    name : str
        What ``ModelSpec.provider`` says.
    adapter : str
        A name of ``registry.PROVIDERS``.
    label : str
        What the vendor or server is called in messages.
    base_url : str
        Where its API is; empty for the adapter's own address.
    key : str
        The variable of the environment that holds the key; empty if none is sent.
    hosts : tuple of str
        The hosts that the key may be sent to without more; an entry that begins with a dot stands for all hosts below.
    auth : Authentication
    account : str
        The account at the vendor, if one is stated; empty if its variable says.
    headers : tuple of (str, str)
        Sent with each call; a value may be secret.
    connection : Connection
    limits : Limits
    options : tuple of (str, str)
        What only its adapter understands.
    """

    name: str
    adapter: str
    label: str
    base_url: str = ""
    key: str = ""
    hosts: tuple[str, ...] = ()
    auth: Authentication = "bearer"
    account: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    connection: Connection = Connection()
    limits: Limits = Limits()
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str = "") -> str:
        """Return what only the adapter understands."""
        return dict(self.options).get(name, default)


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What a model is asked besides the messages and the sampling parameters; each default adds nothing to a request.

    Attributes
    ----------
    endpoint : {"chat", "responses"}
        Which API of OpenAI is asked.
    sampling : {"explicit", "provider_default"}
        Whether temperature, top_p, top_k and seed are sent, or left to the vendor.
    reasoning_effort : str, optional
    thinking_budget : int, optional
        The most tokens of thinking, of which the answer's limit is independent.
    cache_prompt : {"off", "5m", "1h"}
        For how long the system prompt is kept in the vendor's cache.
    extra_body : str
        A JSON object whose keys are added to each request, with sorted keys and no spaces; empty for none.
    """

    endpoint: Literal["chat", "responses"] = "chat"
    sampling: Literal["explicit", "provider_default"] = "explicit"
    reasoning_effort: str | None = None
    thinking_budget: int | None = None
    cache_prompt: Literal["off", "5m", "1h"] = "off"
    extra_body: str = ""

    def given(self) -> dict[str, Any]:
        """Return those that are not the default: what digests and records hold."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }
