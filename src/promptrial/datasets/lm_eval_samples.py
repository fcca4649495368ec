"""Logged samples of lm-evaluation-harness (``samples_*.jsonl``): the question is what ``doc`` holds, in its own layout.

A document of another known layout is read as that one, any other by its columns; one without a gold gets ``target``.
What a model answered is not read. A document that occurs for several filters, equal and under one ``doc_id``, is
read once.

References
----------
EleutherAI's lm-evaluation-harness, ``--log_samples``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial import registry
from promptrial.datasets.base import DatasetFormat, Placed, Reading, no_other_reader
from promptrial.datasets.columns import NAMES, WELL_KNOWN, fold
from promptrial.datasets.custom import items_of_table
from promptrial.datasets.heads import ROWS
from promptrial.datasets.layout import Layout
from promptrial.datasets.place import SEE_FORMATS
from promptrial.datasets.recognising import recognise_rows
from promptrial.datasets.shapes import Scalar, Variant
from promptrial.datasets.table import Row, Table, open_table
from promptrial.datasets.type_words import in_words
from promptrial.datasets.value_texts import text_of

__all__ = ["FORMAT"]


class _Sample(msgspec.Struct):
    doc_id: Scalar
    doc: dict[str, Any]
    target: Any
    arguments: Any


def _table_items(path: Path, dataset: str, reading: Reading) -> Placed:
    table = open_table(path, reading.encoding, NAMES, reading.sheet)
    first = [row for _, row in islice(_documents(table, Reading()), ROWS)]
    if not first:
        return
    found = recognise_rows(path, first, table.words, reading.columns)
    inner: DatasetFormat = registry.load("dataset format", found.format)
    if inner.layout is None:
        with_gold = replace(table, _read=partial(_samples, table, reading, _with_target))
        yield from items_of_table(with_gold, dataset, reading)
        return
    reading.note(f"each `doc` is in the format {found.format}")
    yield from inner.layout.items(_documents(table, reading), dataset, reading)


def _documents(table: Table, reading: Reading) -> Iterator[Row]:
    return _samples(table, reading, lambda sample: sample.doc)


def _with_target(sample: _Sample) -> dict[str, Any]:
    """Return a document with its gold: its own, or the target."""
    has_gold = any(fold(name) in WELL_KNOWN["answers"] for name in sample.doc)
    return sample.doc if has_gold else {**sample.doc, "target": sample.target}


def _samples(table: Table, reading: Reading, content: Callable[[_Sample], dict[str, Any]]) -> Iterator[Row]:
    """Yield what is read of each sample, once where it occurs for several filters: under one id, and equal."""
    seen: set[tuple[Scalar, bytes]] = set()
    repeated = 0
    for place, row in table.rows():
        try:
            sample = msgspec.convert(row, _Sample)
        except msgspec.ValidationError as error:
            raise place.error(f"not a logged sample: {in_words(error)}", hint=SEE_FORMATS) from error
        doc = content(sample)
        known = (sample.doc_id, sha256(text_of(doc).encode()).digest())
        if known in seen:
            repeated += 1
        else:
            seen.add(known)
            yield place, doc
    if repeated:
        reading.say(f"samples of a question under another filter, read once: {repeated}")


FORMAT: Final = DatasetFormat(
    name="lm_eval_samples",
    type=None,
    hub=None,
    table_items=_table_items,
    layout=Layout(
        "lm-evaluation-harness samples (`samples_*.jsonl`): `doc`, `doc_id`, `target`, `arguments`",
        (Variant(_Sample, no_other_reader),),
        takes_columns=True,
        orders_choices=True,  # those of TruthfulQA's documents
    ),
)
