"""``rechecked.json`` of a trial: how other runs scored the answers that are asked again instead of being taken over.

It is written before anything is taken over, since the other runs may be gone when the new answers are scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.errors import CorruptRecordError
from promptrial.store import atomic

__all__ = ["RECHECK_FILE", "OlderScore", "Rechecked", "RecheckedFrom", "read_rechecked", "write_rechecked"]

RECHECK_FILE: Final = "rechecked.json"


class OlderScore(msgspec.Struct, frozen=True, kw_only=True):
    """The mean scores of the older answers to an item at a temperature, by scorer; null where there is none."""

    item_key: str
    temp: str
    n_samples: int
    scores: dict[str, float | None]


class RecheckedFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What one trial of another run has: what made its scores, by scorer, and the answers planned by temperature."""

    run_id: str
    trial: str
    scorers: dict[str, Any]
    samples_per_item: dict[str, int]
    rows: tuple[OlderScore, ...]


class Rechecked(msgspec.Struct, frozen=True, kw_only=True):
    """The whole record: the arm, how many items of it were to be asked again, and what is known of them."""

    schema_version: int = 1
    arm: str
    items: int
    sources: tuple[RecheckedFrom, ...]


def read_rechecked(results: Path) -> Rechecked | None:
    """Read the record of a trial, given its folder of results; None where nothing was asked again.

    Raises
    ------
    CorruptRecordError
        If it is damaged.
    """
    path = results / RECHECK_FILE
    try:
        return msgspec.json.decode(read_bytes(path), type=Rechecked)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        hint = f"remove it; the report then says nothing of a drift: rm {path}"
        raise CorruptRecordError(f"{path}: damaged: {error}", hint=hint) from error


def write_rechecked(results: Path, record: Rechecked) -> None:
    """Write the record of a trial; durable on return."""
    atomic.make_folder(results)
    atomic.write_bytes(results / RECHECK_FILE, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
