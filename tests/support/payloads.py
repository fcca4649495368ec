"""Parts as adapters get them: request rows in a file, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptrial.model import ModelSpec
from promptrial.providers.base import PartPayload
from promptrial.providers.request_rows import decode_request_row
from promptrial.store import jsonl

__all__ = ["part_of"]


def part_of(path: Path, lines: Iterable[bytes], model: ModelSpec, key: str, **changes: Any) -> PartPayload:
    """Write rows into a file and return them as a part; unless told otherwise its requests go by the key of its job."""
    rows = [*lines]
    path.write_bytes(b"".join(line + b"\n" for line in rows))
    digest = jsonl.digest(path)
    made = PartPayload(
        key=key,
        dataset_key=key,
        model=model,
        path=path,
        rows=len(rows),
        size=digest.size,
        sha256=digest.sha256,
        requests=lambda: (decode_request_row(line) for line in jsonl.lines(path)),
    )
    return replace(made, **changes)
