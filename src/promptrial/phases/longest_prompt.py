"""The most tokens that a prompt of a run can have, by the requests that are written or will be. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from promptrial.costs.reserve import OVERHEAD_TOKENS
from promptrial.design.prompts import filled_in, request_for, slots_of
from promptrial.model import Item, Trial
from promptrial.model.arms import ArmName
from promptrial.providers.request_rows import encode_request_row
from promptrial.store import jsonl
from promptrial.store.rundir import RunDir

__all__ = ["longest_planned", "longest_prompt"]


def longest_prompt(run: RunDir) -> int | None:
    """Return a number of tokens that no prompt of a run exceeds; None before its requests are written.

    No tokenizer makes more tokens of a text than it has UTF-8 bytes. The requests are read once for each version of
    their manifest.
    """
    try:
        stat = (run.batch_inputs / "manifest.json").stat()
    except FileNotFoundError:
        return None
    return _longest(run.batch_inputs, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _longest(folder: Path, _changed: int, _size: int) -> int | None:
    lengths = (len(line) for path in folder.glob("*/*.jsonl") for line in jsonl.lines(path))
    longest = max(lengths, default=None)
    return None if longest is None else longest + OVERHEAD_TOKENS


def longest_planned(trials: Iterable[Trial], items: Iterable[Item]) -> int | None:
    """Return a number of tokens that no prompt exceeds once requests are written; None without items."""
    kinds: dict[str, list[Item]] = {}
    for item in items:
        kinds.setdefault(item.kind, []).append(item)
    longest = [
        _longest_of(trial, arm, alike) for trial in trials for arm in trial.conditions for alike in kinds.values()
    ]
    return max(longest) + OVERHEAD_TOKENS if longest else None


def _longest_of(trial: Trial, arm: ArmName, items: Sequence[Item]) -> int:
    """Return the bytes of the longest request of an arm about items whose messages have one template."""
    texts = slots_of(trial.arm(arm).templates.of(items[0].kind), filled_in(items[0])).counts

    def size(item: Item) -> int:
        values = filled_in(item)
        turns = len(msgspec.json.encode(item.messages)) if item.messages else 0
        return turns + sum(count * len(msgspec.json.encode(values[name])) for name, count in texts.items())

    request = request_for(max(items, key=size), trial, arm, trial.temps[0], 0)
    return len(encode_request_row(request))
