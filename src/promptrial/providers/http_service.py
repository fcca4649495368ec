"""Where a vendor's API is, with which key, and how long its calls may take: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["Service", "Timeouts", "is_loopback"]


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
    """A vendor's API: its name for messages, address without a slash at the end, key, and where the key came from."""

    vendor: str
    base_url: str
    key: str = field(repr=False)
    key_variable: str

    @property
    def place(self) -> str:
        """The host, and the port if the address names one."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname or ''}:{parts.port}" if parts.port is not None else parts.hostname or ""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine by definition."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
