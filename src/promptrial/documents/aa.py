"""What an A/A check found: an arm against itself, many times. Typed rows and their JSON Schema; nothing is computed."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.verdict import WarningDocument
from promptrial.model.arms import ArmName

__all__ = ["AACheck", "AAEndpoint", "AAGate", "AAResult", "AATrial", "Alarms", "encode", "json_schema"]

SCHEMA_VERSION: Final = 1
AASource = Literal["replicates", "second_ask"]


class Alarms(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the splits gave a false alarm: ``n`` of ``of``, the share, and its exact (Clopper-Pearson) interval.

    All but the counts are null where no split could be tested.
    """

    n: int
    of: int
    rate: float | None
    ci_low: float | None
    ci_high: float | None


class AAEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A primary endpoint at a temperature, over all splits.

    ``method`` is the statistic whose p-value decides. Each side has ``answers_per_side`` answers of an item, and
    ``answers_planned`` are those of each arm of the trial. ``alarms`` counts p-values of at most alpha. ``tenths`` has
    how many p-values lie in (0, 0.1], (0.1, 0.2], ... (0.9, 1]; ``commonest`` is the share of the splits that have the
    most common p-value. ``p_too_small`` is that of the one-sided Kolmogorov-Smirnov test of "p-values are no smaller
    than uniform ones"; null for the score test, whose p-values smooth counts. ``p_uniform`` is that of the two-sided
    test, null where more than 1% of the splits have the same p-value.

    ``noise_floor`` is the quantile, at ``confidence``, of the absolute difference between the sides, on the scale of
    the scores; ``noise_floor_planned`` is an estimate of the same with ``answers_planned`` answers on each side, by the
    square root of their number. ``largest`` is the largest absolute difference. ``all_equal``: no split has any
    difference in any pair. ``difference`` and ``p`` are those of two asks as they were made, null for replicates.
    ``reason`` is set where no split could be tested.
    """

    metric: str
    temp: float
    method: str
    n_pairs: int
    n_clusters: int
    answers_per_side: int
    answers_planned: int
    alarms: Alarms
    tenths: tuple[int, ...]
    commonest: float | None
    p_too_small: float | None
    p_uniform: float | None
    noise_floor: float | None
    noise_floor_planned: float | None
    largest: float | None
    all_equal: bool
    difference: float | None = None
    p: float | None = None
    reason: str | None = None


class AAResult(msgspec.Struct, frozen=True, kw_only=True):
    """An arm against itself: ``splits`` random splits of its answers into two sides, clusters whole.

    ``source`` says what is compared: ``replicates`` of ``arm``, or its answers and those to a ``second_ask``, the arm
    ``other``. ``verdict`` counts the splits in which any primary endpoint has a p-value of at most ``alpha`` after
    Holm's correction over all of them, as a trial with one treatment would report a difference.
    """

    source: AASource
    arm: ArmName
    other: ArmName | None
    splits: int
    seed: int
    alpha: float
    confidence: float
    endpoints: tuple[AAEndpoint, ...]
    verdict: Alarms


class AAGate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate over all splits at a temperature.

    Nothing changed between the sides. A gate that grants a margin therefore gives a false alarm where it ``fails``,
    and one that asks for an improvement where it ``passes``.
    """

    gate: str
    temp: float
    alarm: Literal["fails", "passes"]
    alarms: Alarms
    reason: str | None = None


class AATrial(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: the check, and what gates did. ``reason`` is set where the trial has nothing to split.

    ``warnings`` say which answers it is about, where those are not all that the run has by now.
    """

    trial: str
    result: AAResult | None
    gates: tuple[AAGate, ...]
    reason: str | None = None
    warnings: tuple[WarningDocument, ...] = ()


class AACheck(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document. ``dry_run``: an emulator answered, so that no figure says anything about a model."""

    schema_version: Literal[1]
    run_id: str
    dry_run: bool
    trials: tuple[AATrial, ...]


def encode(document: AACheck) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(AACheck, f"promptrial aa --json, schema_version {SCHEMA_VERSION}")
