"""The ids of many questions at once: ``content_id`` of columns, and the SHA-256 of each of many texts."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from promptrial.datasets.blocks import are_filled, joined, values_of
from promptrial.datasets.content_ids import asked_text

__all__ = ["HASH", "content_ids", "sha256_of"]

HASH: Final = 32
"""The number of bytes of a SHA-256."""


def content_ids(questions: pa.BinaryArray, passages: pa.BinaryArray | None) -> pa.BinaryArray:
    """Return ``content_id`` of each of many questions without choices and turns."""
    hashes = np.frombuffer(sha256_of(_asked_texts(questions, passages)), np.uint8).reshape(-1, HASH)
    digits = np.frombuffer(hashes[:, :8].tobytes().hex().encode(), np.uint8).reshape(-1, 16)
    ids = np.insert(digits, 0, ord("q"), axis=1)
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(17), len(ids), [None, pa.py_buffer(ids)])
    return fixed.cast(pa.binary())


def _asked_texts(questions: pa.BinaryArray, passages: pa.BinaryArray | None) -> pa.BinaryArray:
    """Return ``asked_text`` of each question."""
    columns = [questions] if passages is None else [questions, passages]
    if any(_needs_escapes(column) for column in columns):
        asked = [text.decode() for text in questions.to_numpy(zero_copy_only=False)]
        told = [] if passages is None else [text.decode() for text in passages.to_numpy(zero_copy_only=False)]
        rows = zip(asked, told or [""] * len(asked), strict=True)
        return pa.array([asked_text(question, passage or None) for question, passage in rows])
    if passages is None:
        return joined(b'["', questions, b'",null,[],[]]')
    quoted = pc.if_else(pa.array(are_filled(passages)), joined(b'"', passages, b'"'), pa.scalar(b"null", pa.binary()))
    return joined(b'["', questions, b'",', quoted, b",[],[]]")


def _needs_escapes(texts: pa.BinaryArray) -> bool:
    """Whether JSON writes some character of the texts otherwise than as it is."""
    values = values_of(texts)
    return b'"' in values or b"\\" in values or bool((np.frombuffer(values, np.uint8) < ord(" ")).any())


def sha256_of(texts: pa.BinaryArray) -> bytes:
    """Return the SHA-256 of each text, one after the other."""
    sha256 = hashlib.sha256
    return b"".join([sha256(text).digest() for text in texts.to_numpy(zero_copy_only=False)])
