"""The vendors that the fault matrix looks at, as data: their API, what their calls are called, and what faults do.

A new one is one entry of ``VENDORS``; the cases, the laboratory and the verdict know no vendor's words.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow.parquet as pq

from promptrial.providers.anthropic_ids import Nonce
from promptrial_emulator.anthropic.api import ANTHROPIC as ANTHROPIC_API
from promptrial_emulator.api import Api
from promptrial_emulator.fireworks.api import FIREWORKS as FIREWORKS_API
from promptrial_emulator.openai.api import OPENAI as OPENAI_API
from tests.support.other_vendors import OTHER_VENDORS

__all__ = ["VENDORS", "MatrixVendor"]

Variants = Mapping[str, frozenset[str]]
"""Fault -> variants of it."""


@dataclass(frozen=True, kw_only=True)
class MatrixVendor:
    """A vendor.

    Parameters
    ----------
    provider : str
        The adapter that asks it.
    api : Api
        What the emulator speaks.
    model : str
    create, upload, get_upload, cancel : str
        The operations that create a job, store requests, look at stored requests, and stop a job.
    list_uploads : str
        The operation that lists stored requests, if there is one.
    reads : frozenset of str
        The operations that look at one thing.
    unmeasured : frozenset of str
        Operations that are about no part, and are not disturbed.
    key_of : callable
        Returns our key of a job from the facts of the ledger.
    mark_of : callable
        Returns from one of our keys what ``key_of`` returns of its job.
    names_of : callable
        Returns from an entry of the ledger and the emulator's state what else a path may call a job by.
    upload_of : callable
        Returns from an entry of the ledger what must be stored only once.
    refused : callable
        Returns from the emulator's state the jobs that it took and then had no room for, which are none.
    settled : callable
        Returns the rows of answers without the names that the vendor makes for each job.
    another_job : mapping
        Faults after which a job was lost, or has answered less than it was asked: another one is due, and no third.
    other_rows : mapping
        Faults after which the answers are not those of an undisturbed run, and rightly so.
    env : mapping
        Variables of the environment; ``{url}`` stands for the emulator's address.
    headers : mapping
        What a call needs besides the key.
    providers : mapping
        The section of that name of the configuration, with ``{url}`` in texts.
    """

    provider: str
    api: Api
    model: str
    create: str
    upload: str
    get_upload: str
    cancel: str
    list_uploads: str = ""
    reads: frozenset[str]
    unmeasured: frozenset[str] = frozenset()
    key_of: Callable[[Mapping[str, Any]], str]
    mark_of: Callable[[str], str] = lambda key: key
    names_of: Callable[[Mapping[str, Any], Mapping[str, Any]], set[str]]
    upload_of: Callable[[Mapping[str, Any]], str]
    refused: Callable[[Mapping[str, Any]], set[str]] = lambda _state: set()
    settled: Callable[[bytes], bytes] = lambda rows: rows
    another_job: Variants
    other_rows: Variants
    env: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.provider

    def variables(self, url: str) -> dict[str, str]:
        """Return the environment for an emulator at an address."""
        return {name: text.format(url=url) for name, text in self.env.items()}

    def section(self, url: str) -> dict[str, dict[str, str]]:
        """Return ``providers`` for an emulator at an address."""
        return {
            name: {key: text.format(url=url) for key, text in said.items()} for name, said in self.providers.items()
        }

    def cancel_path(self, job: str) -> tuple[str, str]:
        """Return the method and the path that stop a job, for the account of the matrix."""
        kind = self.api.operations[self.cancel]
        return kind.method, kind.path.replace("{account}", ACCOUNT).replace("{id}", job)


KEY: Final = "fw_" + "matrixsecret"
ACCOUNT: Final = "matrix"

_ANSWERS: Final = frozenset(
    {
        "refusal", "length", "empty", "null_content", "content_filter", "tool_calls", "reasoning_field",
        "reasoning_alone", "think_tags", "think_end_tag", "think_unclosed", "odd_usage",
        "other_model", "short_usage", "no_usage",
    }
)  # fmt: skip
_SPOILT: Final = frozenset({"duplicate_different", "invalid_utf8", "long_line"})
_SHORT: Final = frozenset({"no_id", "missing_rows", "torn_last_line", "skipped_row", "no_rows"})


_NONCE: Final = 8
_MESSAGE: Final = re.compile(rb"(msg|req)_[0-9a-f]+")
_NEW_EACH_TIME: Final = re.compile(rb'"(id":"batch_req_|request_id":"|created":|created_at":)[0-9a-f]+"?')


def _files_of(row: Mapping[str, Any], state: Mapping[str, Any]) -> set[str]:
    """Return the files of a batch of OpenAI's."""
    (batch,) = [each for each in state["batches"] if each["id"] == row["id"]]
    names = (batch[f"{kind}_file_id"] for kind in ("input", "output", "error"))
    return {name for name in names if name}


def _without_room(state: Mapping[str, Any]) -> set[str]:
    """Return the batches of OpenAI's that failed because too many tokens were waiting."""
    problems = {each["id"]: (each["errors"] or {}).get("data") or [] for each in state["batches"]}
    return {name for name, found in problems.items() if any(one["code"] == "token_limit_exceeded" for one in found)}


def _without_message_ids(table: bytes) -> bytes:
    """Return rows of answers without the ids of Anthropic's messages, which are others in another attempt."""
    if table.startswith(b"PAR1"):
        return repr(pq.read_table(io.BytesIO(table)).drop_columns("request_id").to_pylist()).encode()
    return _MESSAGE.sub(b"", table)


_FIREWORKS: Final = MatrixVendor(
    provider="fireworks",
    api=FIREWORKS_API,
    model="accounts/fireworks/models/small",
    create="create_job",
    upload="create_dataset",
    get_upload="get_dataset",
    cancel="delete_job",
    reads=frozenset({"get_dataset", "get_job", "get_download_endpoint", "download"}),
    unmeasured=frozenset({"get_model"}),
    key_of=lambda facts: str(facts["display_name"]),
    names_of=lambda row, _state: {str(row["facts"]["output_dataset"])},
    upload_of=lambda row: str(row["id"]),
    another_job={
        "F9": frozenset({"stuck"}),
        "F10": frozenset({"failed", "expired", "cancelled", "early_stopped"}),
        "F11": frozenset({"no_id", "garbage"}),
        "F12": _SHORT,
    },
    other_rows={
        "F11": _ANSWERS | {"code_message", "text", "in_response", "status_body", "billed"},
        "F12": _SPOILT,
    },
    env={"FIREWORKS_API_BASE": "{url}", "FIREWORKS_API_KEY": KEY, "FIREWORKS_ACCOUNT_ID": ACCOUNT},
)
_OPENAI: Final = MatrixVendor(
    provider="openai",
    api=OPENAI_API,
    model="gpt-4o-mini",
    create="create_batch",
    upload="upload",
    get_upload="get_file",
    cancel="cancel_batch",
    list_uploads="list_files",
    reads=frozenset({"get_file", "get_batch", "download"}),
    unmeasured=frozenset({"get_model"}),
    key_of=lambda facts: str(facts["metadata"]["promptrial_key"]),
    names_of=_files_of,
    upload_of=lambda row: str(row["facts"]["filename"]),
    refused=_without_room,
    settled=lambda rows: _NEW_EACH_TIME.sub(rb'"\1', rows),
    another_job={
        "F9": frozenset({"stuck"}),
        "F10": frozenset({"failed", "expired", "cancelled"}),
        "F11": frozenset(
            {"no_id", "garbage", "status_body", "batch_expired", "batch_cancelled", "status_zero", "no_body"}
        ),
        "F12": _SHORT,
    },
    other_rows={"F11": _ANSWERS, "F12": _SPOILT},
    env={"OPENAI_API_KEY": KEY},
    providers={"openai": {"type": "openai", "base_url": "{url}/v1"}},
)

_ANTHROPIC: Final = MatrixVendor(
    provider="anthropic",
    api=ANTHROPIC_API,
    model="claude-haiku-4-5",
    create="create_batch",
    upload="",
    get_upload="",
    cancel="cancel_batch",
    reads=frozenset({"get_batch", "results"}),
    unmeasured=frozenset({"get_model"}),
    key_of=lambda facts: str(facts["first_id"])[-_NONCE:],
    mark_of=lambda key: Nonce(key, tuple).sent("")[-_NONCE:],
    names_of=lambda _row, _state: set(),
    upload_of=lambda row: str(row["id"]),
    settled=_without_message_ids,
    another_job={
        "F9": frozenset({"stuck"}),
        "F10": frozenset({"failed", "expired", "cancelled"}),
        "F11": frozenset(
            {"no_id", "garbage", "errored", "errored_flat", "errored_no_id", "canceled_row", "expired_row"}
        ),
        "F12": _SHORT,
    },
    other_rows={
        "F11": _ANSWERS
        | {
            "status_body",
            "errored_text",
            "unknown_result",
            "stop_sequence",
            "context_window",
            "no_content",
            "two_blocks",
        },
        "F12": _SPOILT,
    },
    env={"ANTHROPIC_API_KEY": KEY},
    headers={"anthropic-version": "2023-06-01"},
    providers={"anthropic": {"type": "anthropic", "base_url": "{url}"}},
)

VENDORS: Final[Mapping[str, MatrixVendor]] = {
    "fireworks": _FIREWORKS,
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    **{name: replace(_FIREWORKS, provider=name) for name in OTHER_VENDORS},
}
"""By the name of their adapter."""
