"""``analysis_plan.json``: how a run will be analysed, as it was sealed before anything was asked. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas

__all__ = ["DIGEST_FILE", "PLAN_FILE", "AnalysisPlan", "decode", "differences", "digest_line", "encode", "json_schema"]

PLAN_FILE: Final = "analysis_plan.json"
DIGEST_FILE: Final = "analysis_plan.sha256"
"""The SHA-256 of the plan, as ``sha256sum --check`` reads it."""
_VERSION: Final = 1
_DIGEST: Final = 64
_SHOWN: Final = 12
_ABSENT: Final = object()


class AnalysisPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a run will be analysed. Texts and files are given by their SHA-256.

    ``sample`` says which questions are asked, ``trials`` what each arm asks of which model, ``scorers`` how answers are
    scored, ``analysis`` how effects are tested, ``exclusions`` what is left out, and ``stopping`` when asking ends.
    """

    schema_version: Literal[1] = 1
    run_id: str
    question: str
    sample: dict[str, Any]
    trials: dict[str, Any]
    scorers: dict[str, Any]
    analysis: dict[str, Any]
    exclusions: dict[str, Any]
    stopping: str


def encode(plan: AnalysisPlan) -> bytes:
    """Return the plan as indented JSON that ends in a newline; equal plans give equal bytes."""
    return schemas.encode(plan)


def decode(data: bytes) -> AnalysisPlan:
    """Read a plan back.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a plan of this version.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, _VERSION, PLAN_FILE)
    return msgspec.json.decode(data, type=AnalysisPlan)


def digest_line(data: bytes) -> bytes:
    """Return what is in ``analysis_plan.sha256``."""
    return f"{hashlib.sha256(data).hexdigest()}  {PLAN_FILE}\n".encode()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(AnalysisPlan, f"promptrial {PLAN_FILE}, schema_version {_VERSION}")


def differences(sealed: AnalysisPlan, now: AnalysisPlan) -> tuple[str, ...]:
    """Return in what a plan differs from the sealed one: ``analysis.alpha: sealed 0.05, now 0.01``, one line each."""
    return tuple(_differences(msgspec.to_builtins(sealed), msgspec.to_builtins(now), ""))


def _differences(sealed: object, now: object, at: str) -> Iterator[str]:
    if isinstance(sealed, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*sealed, *now]):
            yield from _differences(sealed.get(key, _ABSENT), now.get(key, _ABSENT), f"{at}.{key}" if at else str(key))
    elif sealed is _ABSENT:
        yield f"{at}: not in the sealed plan, now {_shown(now)}"
    elif now is _ABSENT:
        yield f"{at}: sealed {_shown(sealed)}, now missing"
    elif sealed != now:
        yield f"{at}: sealed {_shown(sealed)}, now {_shown(now)}"


def _shown(value: object) -> str:
    """Return a value as a person reads it: a digest by its first digits, a section by its keys."""
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, str) and len(value) == _DIGEST and not value.strip("0123456789abcdef"):
        return f"SHA-256 {value[:_SHOWN]}…"
    return msgspec.json.encode(value).decode()
