"""What ``analyze --json`` prints and ``analysis.json`` holds: what was read, how it was paired, what it shows.

Nothing is computed here.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.many_arms import ContrastName
from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Significance
from promptrial.documents.verdict import VerdictDocument
from promptrial.model.arms import ArmName

__all__ = ["Analysis", "AnalysisGate", "GroupMean", "Input", "Measure", "encode", "json_schema"]

SCHEMA_VERSION: Final = 1


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read: its name, or its place in the folder that was given; its format, bytes and SHA-256."""

    file: str
    format: str
    size: int
    sha256: str


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure: its name in ``significance``, whether it is primary and its scale was declared, and what it is.

    ``inferred`` says what the scale was inferred from, where it was not declared.
    """

    name: str
    primary: bool
    declared: Declaration
    inferred: str = ""


class GroupMean(msgspec.Struct, frozen=True, kw_only=True):
    """The means of a measure over groups, each of which counts the same, on the scale of the scores.

    ``means`` are those of both sides of the contrast over the pairs, control first; ``difference`` is the second minus
    the first. ``reason`` is set where there is no interval.
    """

    contrast: ContrastName
    measure: str
    n_groups: int
    n_pairs: int
    means: tuple[float, float]
    difference: float
    se: float | None
    df: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    p: float | None
    reason: str | None


class AnalysisGate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate on the treatment minus the control of a contrast, and how it was decided; as in ``compare --json``."""

    gate: str
    contrast: ContrastName
    measure: str
    subset: str
    alpha: float
    n_pairs: int
    difference: float | None
    limit: float | None
    p: float | None
    method: str | None
    passed: bool
    reason: str | None
    notes: tuple[str, ...] = ()


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document.

    ``arms`` is arm in ``significance`` -> its name in the files, control first. ``n_items`` are compared;
    ``n_differing`` more have one name but are not the same in all arms. ``notes`` say what was read and passed over.
    ``passed`` is whether every gate passed, null without one.
    """

    schema_version: Literal[1] = 1
    inputs: tuple[Input, ...]
    arms: dict[ArmName, str]
    measures: tuple[Measure, ...]
    n_items: int
    n_differing: int
    n_groups: int
    notes: tuple[str, ...]
    verdict: VerdictDocument
    significance: Significance
    groups: tuple[GroupMean, ...] = ()
    gates: tuple[AnalysisGate, ...] = ()
    passed: bool | None = None


def encode(document: Analysis) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(Analysis, f"promptrial analyze --json, schema_version {SCHEMA_VERSION}")
