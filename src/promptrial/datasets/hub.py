"""Fetching a data set's Parquet files from the hub at one commit, checked and kept in a cache folder. Not reading them.

A revision such as ``main`` is resolved to a commit once; everything is then listed and downloaded at that commit, and
the caller records it, so that a run never sees two versions of its questions. Each file is checked against the size
and digest in the hub's listing, on download and again when it is taken from the cache; a cache that holds all of them
is used without the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from promptrial.datasets.base import HubDefaults
from promptrial.datasets.hub_client import HubSession, hub_session
from promptrial.datasets.hub_listing import COMMIT, DEFAULT_REVISION, HubFile, HubLocation, is_intact
from promptrial.documents.files import read_bytes
from promptrial.errors import ConfigError, PermanentError
from promptrial.store import atomic

__all__ = ["HUB_ENDPOINT", "Hub", "HubFile", "HubLocation", "HubSource", "locate"]

HUB_ENDPOINT: Final = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HubSource:
    """What was fetched: the commit to record, and the local files in the order of their shards."""

    location: HubLocation
    commit: str
    files: tuple[HubFile, ...]
    folder: Path

    @property
    def paths(self) -> list[Path]:
        """The local files, ready for ``DatasetFormat.placed``."""
        return [self.folder / file.name for file in self.files]


class _Listing(msgspec.Struct):
    """The hub's listing of one split at one commit, as kept in the cache."""

    schema_version: int
    files: tuple[HubFile, ...]


def locate(
    defaults: HubDefaults | None,
    *,
    repo: str,
    config: str | None = None,
    split: str = "validation",
    revision: str | None = None,
) -> HubLocation:
    """Complete what the configuration says with the defaults of its format.

    Raises
    ------
    ConfigError
        If a name is not possible, or ``config`` is left out for a repository other than the format's own.
    """
    if config is None:
        if defaults is None or repo != defaults.repo:
            known = f"; only {defaults.repo} has a default here" if defaults else ""
            raise ConfigError(f"hub: `config` is needed for {repo!r}{known}")
        config = defaults.config
    return HubLocation(repo, config, split, revision or DEFAULT_REVISION)


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub, or a mirror of it.

    Parameters
    ----------
    cache : Path
        Where files are kept, by repository, commit and configuration.
    endpoint : str
        Base URL.
    token : str, optional
        For gated or private data sets.
    timeout_s : float
        For connecting and for each wait for more bytes.
    """

    cache: Path
    endpoint: str = HUB_ENDPOINT
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0

    def fetch(
        self,
        location: HubLocation,
        *,
        commit: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> HubSource:
        """Return the files of a location, from the cache if it holds them, else from the hub.

        Parameters
        ----------
        location : HubLocation
        commit : str, optional
            The commit that an earlier call returned; then the revision is not looked up again.
        progress : callable, optional
            Called with the bytes done and the bytes in all; may raise to stop.

        Raises
        ------
        TransientError
            If the hub cannot be reached, is busy, or breaks off.
        ConfigError
            If the token would go over plain HTTP to another machine.
        PermanentError
            If it has no such data, refuses, or sends bytes that do not match its listing.

        Side effects: writes to the cache folder.
        """
        if commit is None and COMMIT.fullmatch(location.revision):
            commit = location.revision
        if commit is not None and (source := self._cached(location, commit)):
            return source
        with hub_session(self.endpoint, self.token, self.timeout_s, location) as session:
            commit = commit or session.resolve()
            folder = self._folder(location, commit)
            files = session.list_files(commit)
            source = HubSource(location, commit, files, folder)
            _download_missing(session, source, progress or (lambda _done, _total: None))
        listing = _Listing(schema_version=1, files=files)
        atomic.write_bytes(self._listing_path(location, commit), msgspec.json.encode(listing))
        return source

    def cached(self, location: HubLocation, commit: str | None = None) -> HubSource | None:
        """Return what the cache holds of a location whole; the hub is not asked.

        Parameters
        ----------
        location : HubLocation
        commit : str, optional
            The commit that is wanted. Without one, and where the revision is none, the one that was fetched last.
        """
        if commit is None and not COMMIT.fullmatch(location.revision):
            listings = self.cache.glob(f"{_repository(location)}/*/{location.config}/{location.split}.listing.json")
            newest = max(listings, key=lambda path: path.stat().st_mtime_ns, default=None)
            commit = None if newest is None else newest.parents[1].name
        wanted = commit or location.revision
        return self._cached(location, wanted) if COMMIT.fullmatch(wanted) else None

    def _folder(self, location: HubLocation, commit: str) -> Path:
        if not COMMIT.fullmatch(commit):
            raise PermanentError(
                f"{location}: not a commit of the hub: {commit[:60]!r}", hint="check the hub's address (HF_ENDPOINT)"
            )
        return self.cache / _repository(location) / commit / location.config

    def _listing_path(self, location: HubLocation, commit: str) -> Path:
        return self._folder(location, commit) / f"{location.split}.listing.json"

    def _cached(self, location: HubLocation, commit: str) -> HubSource | None:
        """Return what the cache holds if that is everything and intact. A damaged cache is as good as none."""
        try:
            listing = msgspec.json.decode(read_bytes(self._listing_path(location, commit)), type=_Listing)
        except (FileNotFoundError, msgspec.DecodeError, RecursionError):
            return None
        source = HubSource(location, commit, listing.files, self._folder(location, commit))
        intact = all(is_intact(path, file) for path, file in zip(source.paths, source.files, strict=True))
        return source if intact and listing.schema_version == 1 else None


def _repository(location: HubLocation) -> str:
    return location.repo.replace("/", "--")


def _download_missing(session: HubSession, source: HubSource, progress: Callable[[int, int], None]) -> None:
    total = sum(file.size for file in source.files)
    done = 0
    for file, path in zip(source.files, source.paths, strict=True):
        if not is_intact(path, file):
            session.download(source.commit, file, path, partial(_add, progress, done, total))
        done += file.size
        progress(done, total)


def _add(progress: Callable[[int, int], None], before: int, total: int, size: int) -> None:
    progress(before + size, total)
