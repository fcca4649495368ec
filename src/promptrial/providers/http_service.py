"""Where a vendor's API is, with which key, and how long its calls may take: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from promptrial.config.addresses import is_secret_name
from promptrial.model.instances import Authentication

__all__ = ["Service", "Timeouts", "is_loopback"]

_LEAST_SECRET: Final = 6
"""The minimum length of a secret, in characters: a shorter text occurs in many messages by chance."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, for bytes to arrive or to leave, and for a free connection.

    ``transfer_s`` takes the place of ``read_s`` where a file comes or goes: storage may take its time.

    ``call_s`` is for a whole call, however many bytes arrive in it. A file has ``file_s``, and one second more for each
    ``least_rate`` bytes that have moved. Once a stop is noticed, an upload ends; a download has ``stopping_s`` left.
    """

    connect_s: float = 10.0
    read_s: float = 20.0
    transfer_s: float = 120.0
    write_s: float = 60.0
    pool_s: float = 60.0
    call_s: float = 60.0
    file_s: float = 600.0
    least_rate: float = 8192.0
    stopping_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """A vendor's API: its name for messages, address without a slash at the end, key, and where the key came from.

    An empty key is not sent. ``auth`` says in which header it goes, ``headers`` what else goes with each call: their
    values may be secret; those of ``plain_headers`` are not. ``proxy`` and ``ca_file`` are those of
    ``model.instances.Connection``.
    """

    vendor: str
    base_url: str
    key: str = field(repr=False)
    key_variable: str
    auth: Authentication = "bearer"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    plain_headers: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> str:
        """The host, and the port if the address names one."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname or ''}:{parts.port}" if parts.port is not None else parts.hostname or ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must appear in no message: the key, and the values of headers except for short ones and plain words."""
        values = (value for name, value in self.headers if len(value) >= _LEAST_SECRET and _may_be_secret(name, value))
        return tuple(text for text in (self.key, *values) if text)

    @property
    def own_headers(self) -> dict[str, str]:
        """The headers that go to the vendor's own address alone; one that is given takes the place of ours.

        Names are the same in capitals and in small letters.
        """
        own = ("Authorization", f"Bearer {self.key}") if self.auth == "bearer" else (self.auth, self.key)
        sent = (*((own,) if self.key else ()), *self.plain_headers, *self.headers)
        return dict({name.lower(): (name, value) for name, value in sent}.values())

    def without_secrets(self, text: str) -> str:
        """Return a text without any secret in it."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "[key]" if secret == self.key else "[header]")
        return text

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def _may_be_secret(header: str, value: str) -> bool:
    return is_secret_name(header) or not value.isalpha()


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine by definition."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
