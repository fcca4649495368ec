"""Faults on demand: which there are, the rules that a test sets, and which of them a call meets.

How a fault looks on the wire is in ``replies`` and ``transfers``, and what it does to a job in ``fireworks.schedule``
and ``rows``; a fault that answers in the place of a call can have a file of its own. A rule counts the calls to its
operation from the moment it was set; it and how often it has fired survive the emulator being killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from promptrial.errors import UsageError
from promptrial_emulator.database import Collection, Database

__all__ = ["FAULTS", "Fault", "FaultKind", "Faults", "Injected", "Rule"]

_CREATES: Final = frozenset({"create_job", "create_dataset"})
_JOB: Final = frozenset({"create_job"})
_LISTS: Final = frozenset({"list_datasets", "list_jobs"})
_DOWNLOAD: Final = frozenset({"download"})
_SIGNED: Final = frozenset({"download", "put_signed"})
_ENDPOINTS: Final = frozenset({"get_download_endpoint", "get_upload_endpoint"})
_JSON: Final = frozenset(
    {"create_dataset", "upload", "get_upload_endpoint", "validate_upload", "get_dataset", "list_datasets",
     "delete_dataset", "get_download_endpoint", "create_job", "get_job", "list_jobs", "delete_job",
     "get_model"}
)  # fmt: skip
_APPLIED: Final = _JSON | {"put_signed"}
_READS: Final = frozenset({"get_dataset", "get_download_endpoint", "download", "get_job"})
_ANY: Final = None
_Operations = frozenset[str] | None


class FaultKind(NamedTuple):
    """A fault: what it is, its variants (the first is the default) with the operations they fit, its options.

    ``answer`` is ``module:attribute`` of a function ``(fault, error) -> response`` that answers in the place of the
    call; empty for the faults that ``replies``, ``transfers`` and ``rows`` know.
    """

    summary: str
    variants: Mapping[str, _Operations]
    options: Mapping[str, Any]
    answer: str = ""


def _each(operations: _Operations, *variants: str) -> dict[str, _Operations]:
    return dict.fromkeys(variants, operations)


FAULTS: Final[dict[str, FaultKind]] = {
    "F1": FaultKind("429", _each(_ANY, "seconds", "date", "absent", "huge"), {"seconds": 2}),
    "F2": FaultKind("server error", _each(_ANY, "json", "html"), {"status": 503}),
    "F3": FaultKind("reset before the request is read", _each(_ANY, "reset"), {}),
    "F4": FaultKind("request read, reset before it is applied", _each(_ANY, "reset"), {}),
    "F5": FaultKind("applied, then no answer", _each(_APPLIED, "reset", "stall", "error"), {"status": 500}),
    "F6": FaultKind(
        "applied, then a 200 that cannot be read", _each(_JSON, "truncated", "short_length", "not_json", "empty"), {}
    ),
    "F7": FaultKind("created, but not to be seen for a while", _each(_CREATES, "hidden"), {"delay_s": 60.0}),
    "F8": FaultKind(
        "applied after the client gave up",
        _each(_CREATES, "stall", "reset", "error"),
        {"delay_s": 60.0, "status": 504},
    ),
    "F9": FaultKind(
        "states of a job",
        _each(_JOB, "slow", "stuck", "skipped", "unknown", "repeated"),
        {"factor": 10.0, "state": ""},
    ),
    "F10": FaultKind(
        "a job that ends otherwise, with a share of its rows",
        _each(_JOB, "failed", "expired", "cancelled", "early_stopped"),
        {"share": 0.5, "output": False, "message": "the job was ended by a fault"},
    ),
    "F11": FaultKind(
        "rows that are errors or odd answers",
        _each(_JOB, "code_message", "text", "in_response", "status_body", "billed", "no_id", "garbage", "refusal",
              "length", "empty", "null_content", "content_filter", "tool_calls", "reasoning_field", "reasoning_alone",
              "think_tags", "think_end_tag", "think_unclosed", "odd_usage"),
        {"share": 0.5, "code": 500, "finish_reason": ""},
    ),
    "F12": FaultKind(
        "the file of results",
        _each(_JOB, "shuffled", "duplicate_same", "duplicate_different", "unknown_id", "no_id", "missing_rows",
              "blank_lines", "crlf", "bom", "no_final_newline", "torn_last_line", "invalid_utf8", "long_line",
              "skipped_row", "no_rows", "foreign_rows"),
        {"rows": 5000},
    ),
    "F13": FaultKind(
        "the transfer of a download",
        _each(_DOWNLOAD, "short_length", "unfinished_chunk", "close_delimited", "gzip_cut", "empty", "wrong_type",
              "redirect", "row_boundary", "dripped", "nested_gzip", "gzip_bomb"),
        {"at": 0.5, "location": "", "every_s": 0.05},
    ),
    "F14": FaultKind(
        "a signed URL that is too old",
        {"expired": _SIGNED, "mid_transfer": _DOWNLOAD, "clock_skew": _ENDPOINTS},
        {},
    ),
    "F15": FaultKind(
        "counts that do not match the files", _each(_JOB, "progress", "example_count"), {"offset": 1}
    ),
    "F16": FaultKind("pages of a list", _each(_LISTS, "repeated_token", "shift", "skip", "stale"), {"by": 1}),
    "F17": FaultKind(
        "an object or the access to it is gone", {"vanished": _READS, "hidden": _ANY, "no_access": _ANY}, {}
    ),
    "F18": FaultKind("no quota left", _each(_JOB, "quota"), {"in_use": 16}),
}  # fmt: skip


class Fault(msgspec.Struct, frozen=True):
    """A fault that a call meets: its name, its variant, and every option with its value."""

    name: str
    variant: str
    options: dict[str, Any]


class Injected:
    """The faults that one call meets, at most one of each name."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = {fault.name: fault for fault in reversed(faults)}

    def get(self, name: str, variant: str | None = None) -> Fault | None:
        """Return the fault of a name (and a variant), or None."""
        fault = self._faults.get(name)
        return fault if fault is not None and variant in (None, fault.variant) else None

    def all(self) -> list[Fault]:
        """Return every fault, for a job to keep."""
        return list(self._faults.values())


class Rule(msgspec.Struct, kw_only=True):
    """When a fault applies: to which calls of an operation, and how often it has been seen and has fired."""

    id: str
    serial: int
    fault: str
    operation: str
    nth: int
    count: int
    every: int
    variant: str
    options: dict[str, Any]
    seen: int = 0
    fired: int = 0

    @property
    def open(self) -> bool:
        """Whether it may fire again."""
        return self.count < 0 or self.fired < self.count

    def meets(self) -> bool:
        """Count a call, and tell whether the fault applies to it."""
        self.seen += 1
        hit = self.open and self.seen >= self.nth and (self.seen - self.nth) % self.every == 0
        self.fired += hit
        return hit


class Faults:
    """The rules of one emulator.

    Parameters
    ----------
    database : Database
    operations : frozenset of str
        The operations that rules may name.
    """

    def __init__(self, database: Database, operations: frozenset[str]) -> None:
        self._database = database
        self._rules = Collection(database, "fault_rule", Rule)
        self._operations = operations

    def met(self, operation: str) -> Injected:
        """Count a call in every rule of its operation, and return the faults that it meets."""
        found = []
        for rule in self._rules.open():
            if rule.operation == operation:
                if rule.meets():
                    found.append(Fault(rule.fault, rule.variant, rule.options))
                self._rules.put(rule)
        return Injected(found)

    def add(self, wanted: list[Any]) -> None:
        """Set rules, all or none of them.

        Raises
        ------
        UsageError
            If one is wrong; says which and what is allowed.
        """
        for rule in [self._rule(position, given) for position, given in enumerate(wanted)]:
            self._rules.put(rule)

    def rules(self) -> list[Rule]:
        """Return the rules in the order in which they were set."""
        return self._rules.all()

    def clear(self) -> None:
        """Forget every rule."""
        self._rules.clear()

    def _rule(self, position: int, given: object) -> Rule:
        at = f"rule {position}"
        if not isinstance(given, dict):
            raise UsageError(f"{at}: expected an object")
        values = {"nth": 1, "count": 1, "every": 1, "variant": None, **given}
        fault = _text(at, values, "fault", FAULTS)
        operation = _text(at, values, "operation", self._operations)
        kind = FAULTS[fault]
        if values["variant"] is None:
            values["variant"] = next(iter(kind.variants))
        variant = _text(at, values, "variant", kind.variants)
        fits = kind.variants[variant]
        if fits is not None and operation not in fits:
            raise UsageError(f"{at}: {variant} of {fault} fits {', '.join(sorted(fits))}, not {operation}")
        known = {"fault", "operation", "variant", "nth", "count", "every"}
        serial = self._database.next_number("fault_rules")
        return Rule(
            id=str(serial),
            serial=serial,
            fault=fault,
            operation=operation,
            nth=_whole(at, values, "nth"),
            count=_whole(at, values, "count", least=-1),
            every=_whole(at, values, "every"),
            variant=variant,
            options=_options(at, kind, {key: value for key, value in given.items() if key not in known}),
        )


def _text(at: str, values: Mapping[str, Any], key: str, allowed: Mapping[str, object] | frozenset[str]) -> str:
    value = values.get(key)
    if not isinstance(value, str) or value not in allowed:
        raise UsageError(f"{at}: {key} is {value!r}; allowed: {', '.join(sorted(allowed))}")
    return value


def _whole(at: str, values: Mapping[str, Any], key: str, least: int = 1) -> int:
    value = values[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{at}: {key} is {value!r}; allowed: whole numbers from {least}")
    return value


def _options(at: str, kind: FaultKind, given: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in given.items():
        if key not in kind.options:
            raise UsageError(f"{at}: unknown option {key!r}; allowed: {', '.join(kind.options) or 'none'}")
        default = kind.options[key]
        fits = isinstance(value, int | float) if isinstance(default, float) else type(value) is type(default)
        if not fits:
            raise UsageError(f"{at}: option {key} is {value!r}; expected something like {default!r}")
    return {**kind.options, **given}
