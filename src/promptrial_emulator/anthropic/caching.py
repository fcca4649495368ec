"""The prompt cache: prefixes of a request that are written by the first that has them and read by later ones. Pure.

A prefix ends at a block with ``cache_control``. Tokens are words, and there is no smallest prefix, so that a test can
watch a cache with a short prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import msgspec

__all__ = ["Breakpoint", "CacheUse", "Prefixes", "SeenPrefixes", "breakpoints", "use_cache"]

_TTL_S: Final = {"5m": 300.0, "1h": 3600.0}
_SHORT: Final = "5m"


class Breakpoint(NamedTuple):
    """Where a prefix ends: its digest, its length in tokens, how long it is kept in seconds."""

    digest: str
    tokens: int
    ttl_s: float


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The input tokens of a request that were read from the cache, and those written, by how long they are kept."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0


class Prefixes(Protocol):
    """The prefixes that are cached now."""

    def has(self, digest: str) -> bool:
        """Whether a prefix is cached."""

    def add(self, digest: str, ttl_s: float) -> None:
        """Cache a prefix, or keep it for longer."""


class SeenPrefixes:
    """The prefixes of one batch, which all live until its end."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def has(self, digest: str) -> bool:
        """Whether a row before had the prefix."""
        return digest in self._seen

    def add(self, digest: str, ttl_s: float) -> None:  # noqa: ARG002 - a Prefixes
        """Note the prefix."""
        self._seen.add(digest)


def breakpoints(model: str, messages: Sequence[Mapping[str, Any]], automatic: object) -> list[Breakpoint]:
    """Return the ends of the prefixes of a request, the shortest first.

    Parameters
    ----------
    model : str
    messages : sequence
        The system message, if there is one, and the others.
    automatic : object
        The ``cache_control`` of the request itself, which stands for one at its last block.
    """
    blocks = [*_blocks(messages)]
    if isinstance(automatic, Mapping) and blocks:
        role, text, _ = blocks[-1]
        blocks[-1] = role, text, automatic
    found, tokens, digest = [], 0, hashlib.sha256(model.encode())
    for role, text, mark in blocks:
        digest.update(msgspec.json.encode((role, text)))
        tokens += len(text.split())
        if mark is not None:
            found.append(Breakpoint(digest.hexdigest(), tokens, _TTL_S[mark.get("ttl") or _SHORT]))
    return found


def _blocks(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Yield role, text and ``cache_control`` of each block."""
    for message in messages:
        said = message["content"]
        blocks: list[Mapping[str, Any]] = [{"text": said}] if isinstance(said, str) else said
        for block in blocks:
            yield message["role"], str(block.get("text", "")), block.get("cache_control")


def use_cache(prefixes: Prefixes, ends: Sequence[Breakpoint]) -> CacheUse:
    """Return what a request reads and writes, and cache its prefixes."""
    read = max((end.tokens for end in ends if prefixes.has(end.digest)), default=0)
    written = dict.fromkeys(_TTL_S.values(), 0)
    before = read
    for end in ends:
        if end.tokens > before:
            written[end.ttl_s] += end.tokens - before
            before = end.tokens
        prefixes.add(end.digest, end.ttl_s)
    return CacheUse(read, written[_TTL_S["5m"]], written[_TTL_S["1h"]])
