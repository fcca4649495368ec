"""Faults on demand: which there are, the rules that a test sets, and which of them a call meets.

A fault fits operations by what they do (their traits), whatever API they belong to.

How a fault looks on the wire is in ``replies`` and ``transfers``, and what it does to a job in ``fireworks.schedule``
and ``rows``; a fault that answers in place of a call can have a file of its own. A rule counts the calls to its
operation from the moment it was set; it and how often it has fired survive the emulator being killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

import msgspec

from promptrial.errors import UsageError
from promptrial_emulator.api import ANY, Api, Trait
from promptrial_emulator.database import Collection, Database

__all__ = ["FAULTS", "Fault", "FaultKind", "Faults", "Injected", "Rule"]


class FaultKind(NamedTuple):
    """A fault: what it is, its variants (the first that fits is the default), its options.

    A variant is listed with the trait that an operation needs to meet it.

    ``answer`` is ``module:attribute`` of a function ``(fault, error) -> response`` that answers in place of the
    call; empty for the faults that ``replies``, ``transfers`` and ``rows`` know.
    """

    summary: str
    variants: Mapping[str, Trait | None]
    options: Mapping[str, Any]
    answer: str = ""


def _each(trait: Trait | None, *variants: str) -> dict[str, Trait | None]:
    return dict.fromkeys(variants, trait)


FAULTS: Final[dict[str, FaultKind]] = {
    "F1": FaultKind("429", _each(ANY, "seconds", "date", "absent", "huge"), {"seconds": 2}),
    "F2": FaultKind("server error", _each(ANY, "json", "html"), {"status": 503}),
    "F3": FaultKind("reset before the request is read", _each(ANY, "reset"), {}),
    "F4": FaultKind(
        "request read, connection lost before it is applied", {"reset": ANY, "stall": "live"}, {}
    ),
    "F5": FaultKind("applied, then no answer", _each("applied", "reset", "stall", "error"), {"status": 500}),
    "F6": FaultKind(
        "applied, then a 200 that cannot be read", _each("json", "truncated", "short_length", "not_json", "empty"), {}
    ),
    "F7": FaultKind(
        "created, but not to be seen for a while",
        {"hidden": "create", "results": "anthropic job"},
        {"delay_s": 60.0},
    ),
    "F8": FaultKind(
        "applied after the client gave up",
        _each("create", "stall", "reset", "error"),
        {"delay_s": 60.0, "status": 504},
    ),
    "F9": FaultKind(
        "states of a job",
        _each("job", "slow", "stuck", "skipped", "unknown", "repeated"),
        {"factor": 10.0, "state": ""},
    ),
    "F10": FaultKind(
        "a job that ends otherwise, with a share of its rows",
        {**_each("job", "failed", "expired", "cancelled"), "early_stopped": "fireworks job"},
        {"share": 0.5, "output": False, "message": "the job was ended by a fault"},
    ),
    "F11": FaultKind(
        "rows that are errors or odd answers",
        _each("fireworks job", "code_message", "text", "in_response", "billed")
        | _each("row files", "status_body", "no_id", "garbage")
        | _each("openai job", "batch_expired", "batch_cancelled", "status_zero", "no_body")
        | _each("answer details", "other_model", "short_usage", "no_usage")
        | _each("answer", "refusal", "length", "empty", "null_content", "content_filter", "tool_calls",
                "reasoning_field", "reasoning_alone", "think_tags", "think_end_tag", "think_unclosed", "odd_usage")
        | _each("anthropic job", "errored", "errored_text", "errored_flat", "errored_no_id", "canceled_row",
                "expired_row", "unknown_result", "stop_sequence", "context_window", "no_content", "two_blocks"),
        {"share": 0.5, "code": 500, "finish_reason": ""},
    ),
    "F12": FaultKind(
        "the file of results",
        _each("job", "shuffled", "duplicate_same", "duplicate_different", "unknown_id", "no_id", "missing_rows",
              "blank_lines", "crlf", "bom", "no_final_newline", "torn_last_line", "invalid_utf8", "long_line",
              "skipped_row", "no_rows", "foreign_rows"),
        {"rows": 5000},
    ),
    "F13": FaultKind(
        "the transfer of a download",
        _each("download", "short_length", "unfinished_chunk", "close_delimited", "gzip_cut", "empty", "wrong_type",
              "redirect", "row_boundary", "dripped", "nested_gzip", "gzip_bomb"),
        {"at": 0.5, "location": "", "every_s": 0.05},
    ),
    "F14": FaultKind(
        "a signed URL that is too old",
        {"expired": "signed", "mid_transfer": "signed download", "clock_skew": "signs"},
        {},
    ),
    "F15": FaultKind(
        "counts and names that do not match the files",
        _each("job", "progress")
        | _each("fireworks job", "example_count")
        | _each("openai job", "failed_zero", "empty_ids", "empty_files"),
        {"offset": 1},
    ),
    "F16": FaultKind("pages of a list", _each("list", "repeated_token", "shift", "skip", "stale"), {"by": 1}),
    "F17": FaultKind(
        "an object or the access to it is gone", {"vanished": "read", "hidden": ANY, "no_access": ANY}, {}
    ),
    "F18": FaultKind(
        "no quota left",
        {"quota": "fireworks job", "token_limit": "openai job", "queue": "anthropic job"},
        {"in_use": 16, "limit": 90_000},
    ),
}  # fmt: skip


class Fault(msgspec.Struct, frozen=True):
    """A fault that a call meets: its name, its variant, and every option with its value."""

    name: str
    variant: str
    options: dict[str, Any]


_OF_A_JOB: Final = frozenset({"F9", "F10", "F11", "F12", "F15"})


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

    def of_a_job(self, *more: str) -> Injected:
        """Return those that stay with a job, and those of some other names."""
        return Injected([fault for fault in self.all() if fault.name in _OF_A_JOB or fault.name in more])


class Rule(msgspec.Struct, kw_only=True):
    """When a fault applies: to which calls of an operation, and how often it has been seen and has fired.

    ``api`` is the only one whose calls count; empty: those of every API that has such an operation.
    """

    id: str
    serial: int
    fault: str
    operation: str
    nth: int
    count: int
    every: int
    variant: str
    options: dict[str, Any]
    api: str = ""
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
    apis : mapping
        The APIs by name, whose operations rules may name.
    """

    def __init__(self, database: Database, apis: Mapping[str, Api]) -> None:
        self._database = database
        self._rules = Collection(database, "fault_rule", Rule)
        self._apis = apis

    def met(self, api: str, operation: str) -> Injected:
        """Count a call in every rule of its operation, and return the faults that it meets."""
        found = []
        for rule in self._rules.open():
            if rule.operation == operation and self._concerns(rule, api):
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

    def _concerns(self, rule: Rule, api: str) -> bool:
        return rule.api in ("", api) and self._apis[api].meets(
            rule.operation, FAULTS[rule.fault].variants[rule.variant]
        )

    def _rule(self, position: int, given: object) -> Rule:
        at = f"rule {position}"
        if not isinstance(given, dict):
            raise UsageError(f"{at}: expected an object")
        values = {"nth": 1, "count": 1, "every": 1, "variant": None, "api": "", **given}
        fault = _text(at, values, "fault", FAULTS)
        apis = [*self._apis.values()] if values["api"] == "" else [self._apis[_text(at, values, "api", self._apis)]]
        operation = _text(at, values, "operation", {name for api in apis for name in api.operations})
        kind = FAULTS[fault]
        if values["variant"] is None:
            values["variant"] = _default_variant(kind, operation, apis)
        variant = _text(at, values, "variant", kind.variants)
        if not _fits(kind, variant, operation, apis):
            fit = sorted({name for api in apis for name in api.operations if _fits(kind, variant, name, [api])})
            raise UsageError(f"{at}: {variant} of {fault} fits {', '.join(fit) or 'nothing'}, not {operation}")
        known = {"fault", "operation", "variant", "nth", "count", "every", "api"}
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
            api=values["api"],
            options=_options(at, kind, {key: value for key, value in given.items() if key not in known}),
        )


def _fits(kind: FaultKind, variant: str, operation: str, apis: Iterable[Api]) -> bool:
    return any(api.meets(operation, kind.variants[variant]) for api in apis)


def _default_variant(kind: FaultKind, operation: str, apis: Sequence[Api]) -> str:
    """Return the first variant that fits, or the very first if none does."""
    return next((each for each in kind.variants if _fits(kind, each, operation, apis)), next(iter(kind.variants)))


def _text(at: str, values: Mapping[str, Any], key: str, allowed: Mapping[str, object] | AbstractSet[str]) -> str:
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
