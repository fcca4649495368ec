"""What answers report that they cost in tokens: counted once, when they arrive, and kept with the record of them.

A response is counted as the adapter reads it, so that the sums are those of the predictions. Nothing is priced here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from promptrial.jobs.answers import row_ids
from promptrial.model import Completion
from promptrial.store.part_records import BilledTokens

__all__ = ["count_billed", "difference", "larger", "with_unanswered"]


def count_billed(
    lines: Iterable[bytes], wanted: Iterable[str], parse_row: Callable[[bytes], Completion]
) -> BilledTokens:
    """Return what the rows that answer some requests report; the first row of each request counts.

    An error is billed if it reports usage, and otherwise costs nothing. A response that reports none counts as unknown.
    So does a row that cannot be read: one without an id, as long as there is a request that it may answer.

    Parameters
    ----------
    lines : iterable of bytes
        Rows as they came.
    wanted : iterable of str
        The wire ids of the requests.
    parse_row : callable
        Of the adapter; raises ``ValueError`` where a row cannot be read.
    """
    left, garbled = set(wanted), 0
    rows = prompt = completion = cached = cache_write = unknown = 0
    for line in lines:
        try:
            found = parse_row(line)
        except ValueError:
            wire_id = next(row_ids([line]), None)
            garbled += wire_id is None
            if wire_id in left:
                left.remove(wire_id)
                rows, unknown = rows + 1, unknown + 1
            continue
        if found.wire_id not in left:
            continue
        left.remove(found.wire_id)
        rows += 1
        prompt += found.prompt_tokens or 0
        completion += found.completion_tokens or 0
        cached += found.cached_tokens or 0
        cache_write += found.cache_write_tokens or 0
        unknown += found.error is None and (found.prompt_tokens is None or found.completion_tokens is None)
    garbled = min(garbled, len(left))
    return BilledTokens(
        rows=rows + garbled,
        prompt=prompt,
        completion=completion,
        cached=cached,
        cache_write=cache_write,
        unknown=unknown + garbled,
    )


def with_unanswered(billed: BilledTokens, requests: int | None) -> BilledTokens:
    """Return the tokens of requests of which those without a row may have been carried out, too."""
    missing = max(0, (requests or 0) - billed.rows)
    return msgspec.structs.replace(billed, rows=billed.rows + missing, unknown=billed.unknown + missing)


def larger(found: BilledTokens, before: BilledTokens | msgspec.UnsetType) -> BilledTokens | None:
    """Return what was counted now, unless more rows had been counted before: then None, as what came was billed."""
    if isinstance(before, msgspec.UnsetType) or found.answered >= before.answered:
        return found
    return None


def difference(billed: BilledTokens, kept: BilledTokens) -> BilledTokens:
    """Return what is billed beyond what was kept of it; no count is negative, nor more rows unknown than there are."""
    names = BilledTokens.__struct_fields__
    left = {name: max(0, getattr(billed, name) - getattr(kept, name)) for name in names}
    return BilledTokens(**left | {"unknown": min(left["unknown"], left["rows"])})
