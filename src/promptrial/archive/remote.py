"""Archives at an address (``s3://bucket/prefix``, ``gs://``, whatever fsspec knows): one object, or a tree of them.

An object appears whole or not at all. Of a tree the manifest is written last: without it nothing there is an archive,
and writing the same paths again goes on where an interrupted write left off. Keys come from the environment, and are
taken out of whatever a vendor's library says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit, urlunsplit

from promptrial.archive.contents import Content
from promptrial.archive.manifest import DIGEST, MANIFEST, PACKED
from promptrial.archive.packing import CHUNK, Member, pack, require_zstd, unpack
from promptrial.archive.places import Place
from promptrial.errors import MissingDependencyError, PromptrialError, UsageError

__all__ = ["remote_place"]

_S3: Final = {
    "key": ("AWS_ACCESS_KEY_ID",),
    "secret": ("AWS_SECRET_ACCESS_KEY",),
    "token": ("AWS_SESSION_TOKEN",),
    "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
}
"""What a ``.env`` may hold for s3, which the library itself looks for in the environment alone."""
_TOGETHER: Final = 64
"""Objects that are sent at a time, by file systems that can."""
_EXTRAS: Final = {"s3": "'promptrial[s3]'", "gs": "gcsfs", "gcs": "gcsfs"}


def remote_place(url: str, env: Mapping[str, str]) -> Place:
    """Return the place at an address: one object if it ends in ``.tar.zst``, else a tree.

    Raises
    ------
    UsageError
        If the address is of a kind that nobody knows, or names no place.
    MissingDependencyError
        If a package is needed that is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "the fsspec package, which opens remote archives, is not installed",
            hint="pip install 'promptrial[archive]'",
        ) from error
    parts, shown = urlsplit(url), _shown(url)
    scheme = parts.scheme
    options = {name: value for name, names in _S3.items() if (value := next(filter(None, map(env.get, names)), None))}
    options = options if scheme in {"s3", "s3a"} else {}
    try:
        # What others change meanwhile must be seen, so no listing is kept.
        system, path = url_to_fs(url, skip_instance_cache=True, use_listings_cache=False, **options)
    except ImportError as error:
        raise MissingDependencyError(
            f"{shown}: {scheme}:// needs a package that is not installed",
            hint=f"pip install {_EXTRAS.get(scheme, f'the package that fsspec needs for {scheme}://')}",
        ) from error
    except ValueError as error:
        raise UsageError(f"{shown}: unknown kind of address", hint="s3://bucket/name, gs://bucket/name") from error
    if not path.strip("/"):
        raise UsageError(f"{shown}: gives no path in a bucket", hint=f"{shown.rstrip('/')}/NAME")
    secrets = [parts.netloc.rpartition("@")[0], parts.password, parts.query, *options.values()]
    store = _Store(system, path.rstrip("/"), shown, tuple(filter(None, secrets)))
    if not parts.path.endswith(PACKED):
        return _Tree(store)
    require_zstd()
    return _Object(store)


def _shown(url: str) -> str:
    """Return an address without a password and without a query, which may be a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _Store:
    """One address in a file system of fsspec, whose errors are explained and hold no key."""

    def __init__(self, system: Any, path: str, shown: str, secrets: tuple[str, ...]) -> None:  # noqa: ANN401 - untyped
        self.system = system
        self.path = path
        self.shown = shown
        self._secrets = secrets

    @contextmanager
    def explained(self) -> Iterator[None]:
        try:
            yield
        except PromptrialError:
            raise
        except Exception as error:  # noqa: BLE001 - each vendor's library has errors of its own
            text = f"{type(error).__name__}: {error}"
            for secret in self._secrets:
                text = text.replace(secret, "[redacted]")
            raise PromptrialError(
                f"{self.shown}: {text}", hint="check the address and your access to it, then run the same command again"
            ) from None

    def at(self, path: str) -> str:
        return f"{self.path}/{path}"

    def open(self, path: str) -> BinaryIO:
        file: BinaryIO = self.system.open(path, "rb")
        return file


class _Object:
    """One packed object."""

    def __init__(self, store: _Store) -> None:
        self._store = store
        self.shown = store.shown

    def occupied(self, _ours: Collection[str]) -> bool:
        with self._store.explained():
            return bool(self._store.system.exists(self._store.path))

    def write(self, top: str, contents: Iterable[Content]) -> None:
        """Pack into a temporary file, then send that: a stream that breaks off might be taken for a whole object."""
        with tempfile.TemporaryDirectory(prefix="promptrial-archive-") as folder:
            packed = Path(folder) / "packed"
            with packed.open("wb") as file:
                pack(top, contents, file)
            with self._store.explained():
                self._store.system.put_file(str(packed), self._store.path)

    def members(self) -> Iterator[Member]:
        with self._store.explained(), self._store.open(self._store.path) as file:
            yield from unpack(file, self.shown)

    def withdraw(self) -> str:
        with self._store.explained():
            self._store.system.rm_file(self._store.path)
        return "removed"


class _Tree:
    """A tree of objects."""

    def __init__(self, store: _Store) -> None:
        self._store = store
        self.shown = store.shown
        self._written: tuple[str, ...] = ()

    def occupied(self, ours: Collection[str]) -> bool:
        there = set(self._paths())
        return MANIFEST in there or not there <= set(ours)

    def write(self, _top: str, contents: Iterable[Content]) -> None:
        manifest, *rest = contents
        with self._store.explained():
            for at in range(0, len(rest), _TOGETHER):
                self._put(rest[at : at + _TOGETHER])
            self._put([manifest])

    def _put(self, contents: Sequence[Content]) -> None:
        self._written += tuple(content.path for content in contents)
        made = {self._store.at(each.path): each.source for each in contents if isinstance(each.source, bytes)}
        files = {self._store.at(each.path): str(each.source) for each in contents if isinstance(each.source, Path)}
        if made:
            self._store.system.pipe(made)
        if files:  # both as lists, so that no name is taken for a pattern
            self._store.system.put(list(files.values()), list(files))

    def members(self) -> Iterator[Member]:
        there = set(self._paths())
        for path in [MANIFEST, DIGEST, *sorted(there - {MANIFEST, DIGEST})]:
            if path in there:
                yield Member(path, self._chunks(path))

    def withdraw(self) -> str:
        """Remove the manifest first, and then whatever else was written."""
        with self._store.explained():
            for path in (MANIFEST, *(path for path in self._written if path != MANIFEST)):
                self._store.system.rm_file(self._store.at(path))
        return "removed"

    def _paths(self) -> Iterator[str]:
        with self._store.explained():
            found = self._store.system.find(self._store.path)
        yield from (name.removeprefix(f"{self._store.path}/") for name in found if name != self._store.path)

    def _chunks(self, path: str) -> Iterator[bytes]:
        with self._store.explained(), self._store.open(self._store.at(path)) as file:
            yield from iter(lambda: file.read(CHUNK), b"")
