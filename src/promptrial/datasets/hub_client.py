"""The HTTP requests to the hub, and what its refusals mean. Which files are wanted and where they are kept is not here.

The token goes to the hub alone: not to another host that the hub redirects to, and into no message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from promptrial import __version__
from promptrial.datasets.hub_listing import HubFile, HubLocation, TreeEntry, files_of_split, hasher
from promptrial.errors import ConfigError, PermanentError, TransientError
from promptrial.runtime.http_environment import made_of_environment, require_usable_environment
from promptrial.store import atomic

if TYPE_CHECKING:
    import httpx

__all__ = ["HubSession", "hub_session"]

T = TypeVar("T")
_CHUNK: Final = 1 << 20
_MAX_PAGES: Final = 1000
_LOCAL_HINT: Final = "or download the file another way and use it as the data set's `path` (.parquet works too)"
_LATER: Final = f"try again later, {_LOCAL_HINT}"
_ADDRESS: Final = f"check the hub's address (HF_ENDPOINT), {_LOCAL_HINT}"


class _Revision(msgspec.Struct):
    sha: str


@dataclass(frozen=True, slots=True)
class HubSession:
    """The requests that one fetch makes."""

    client: httpx.Client
    endpoint: str
    token: str | None = field(repr=False)
    location: HubLocation

    def resolve(self) -> str:
        """Return the commit that the revision stands for now."""
        revision = quote(self.location.revision, safe="")
        url = f"{self.endpoint}/api/datasets/{self.location.repo}/revision/{revision}"
        what = f"look up revision {self.location.revision!r} of {self.location.repo}"
        return self._decoded(self._get(url, what).content, _Revision, what).sha

    def list_files(self, commit: str) -> tuple[HubFile, ...]:
        """Return the Parquet files of the split, all its shards, in order."""
        what = f"list the files of {self.location} at {commit[:12]}"
        url: str | None = (
            f"{self.endpoint}/api/datasets/{self.location.repo}/tree/{commit}/{quote(self.location.config)}"
        )
        entries: list[TreeEntry] = []
        for _ in range(_MAX_PAGES):
            if url is None:
                return files_of_split(self.location, entries)
            response = self._get(url, what)
            entries += self._decoded(response.content, list[TreeEntry], what)
            url = response.links.get("next", {}).get("url")
            if url is not None and _origin(url) != _origin(self.endpoint):
                raise PermanentError(f"could not {what}: the next page is on another server", hint=_ADDRESS)
        raise PermanentError(f"could not {what}: more than {_MAX_PAGES} pages", hint=_ADDRESS)

    def download(self, commit: str, file: HubFile, target: Path, progress: Callable[[int], None]) -> None:
        """Download one file; it appears under its name only when it is whole and matches its digest."""
        what = f"download {file.name} of {self.location} at {commit[:12]}"
        path = quote(f"{self.location.config}/{file.name}")
        url = f"{self.endpoint}/datasets/{self.location.repo}/resolve/{commit}/{path}"
        with _explained(what), self.client.stream("GET", url, headers=self._headers()) as response:
            _check_status(response, what)
            hops: list[httpx.Response] = [*response.history, response]
            told = next((hop.headers["x-repo-commit"] for hop in hops if "x-repo-commit" in hop.headers), commit)
            if told != commit:
                raise PermanentError(f"could not {what}: the hub sent commit {told[:12]!r} instead", hint=_LATER)
            with atomic.AtomicFile(target) as sink:
                digest = hasher(file)
                for chunk in response.iter_bytes(_CHUNK):
                    sink.write(chunk)
                    digest.update(chunk)
                    progress(sink.size)
                    if sink.size > file.size:
                        break
                _check_content(what, file, sink.size, digest.hexdigest())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _get(self, url: str, what: str) -> httpx.Response:
        with _explained(what):
            response = self.client.get(url, headers=self._headers())
            _check_status(response, what)
            return response

    @staticmethod
    def _decoded(content: bytes, kind: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise PermanentError(f"could not {what}: not a valid answer of the hub: {error}", hint=_ADDRESS) from error


@contextmanager
def hub_session(endpoint: str, token: str | None, timeout_s: float, location: HubLocation) -> Iterator[HubSession]:
    """Open the connection for one fetch.

    Raises
    ------
    ConfigError
        If a token would go over plain HTTP to another machine: anyone on the way could read it; or if the environment
        names a proxy or certificates that cannot be used.
    """
    import httpx

    if token and not _is_private(endpoint):
        raise ConfigError(
            "HF_TOKEN is not sent over plain HTTP to another machine, but HF_ENDPOINT is such an address",
            hint="use its https:// address, or unset HF_TOKEN if none is needed",
        )

    headers = {"User-Agent": f"promptrial/{__version__}", "Accept-Encoding": "identity"}
    require_usable_environment()
    with made_of_environment():
        client = httpx.Client(timeout=timeout_s, follow_redirects=True, headers=headers)
    with client:
        yield HubSession(client, endpoint.rstrip("/"), token, location)


def _check_content(what: str, file: HubFile, size: int, hexdigest: str) -> None:
    if size < file.size:
        raise TransientError(
            f"could not {what}: the download stopped after {size:,} of {file.size:,} bytes", hint=_LATER
        )
    if size > file.size:
        raise PermanentError(f"could not {what}: more than the {file.size:,} bytes that the hub lists", hint=_LATER)
    expected = file.digest.partition(":")[2]
    if hexdigest != expected:
        raise PermanentError(
            f"could not {what}: its digest is {hexdigest}, the hub lists {expected}; nothing was kept", hint=_LATER
        )


def _is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent to an address: HTTPS, or this machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _check_status(response: httpx.Response, what: str) -> None:
    status = response.status_code
    if status == 200:
        return
    problem = f"could not {what}: HTTP {status}"
    if status in {401, 403}:
        hint = f"set HF_TOKEN to a token that may read it, and accept its terms on the hub, {_LOCAL_HINT}"
        raise PermanentError(f"{problem}, not allowed", hint=hint)
    if status == 404:
        raise PermanentError(f"{problem}, not found", hint="check `repo`, `config`, `split` and `revision`")
    if status in {408, 425, 429} or status >= 500:
        raise TransientError(f"{problem}, busy or broken", hint=_LATER)
    raise PermanentError(problem, hint=_ADDRESS)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn the HTTP library's errors into ours. URLs are left out: after a redirect they carry a signature."""
    import httpx

    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise PermanentError(f"could not {what}: {error}", hint="check the hub's address (HF_ENDPOINT)") from error
    except httpx.HTTPError as error:
        detail = f"{type(error).__name__}: {error}"
        raise TransientError(
            f"could not {what}: {detail}", hint=f"try again when the network is up, {_LOCAL_HINT}"
        ) from error
