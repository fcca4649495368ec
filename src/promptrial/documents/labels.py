"""What ``agreement.json`` and ``label --read --json`` hold: how far measures agree with people and with each other.

Also the effects that people's labels correct. Nothing is computed here.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.documents import schemas
from promptrial.documents.many_arms import ContrastName
from promptrial.documents.verdict import WarningDocument
from promptrial.model.arms import ArmName

__all__ = [
    "Agreement",
    "ArmAgreement",
    "Coefficient",
    "CorrectedEffect",
    "JudgesAgreement",
    "LabelReport",
    "PairAgreement",
    "RaterAgreement",
    "RatersAgreement",
    "agreement_json_schema",
    "decode",
    "encode",
    "json_schema",
]

SCHEMA_VERSION: Final = 1


class Coefficient(msgspec.Struct, frozen=True, kw_only=True):
    """A coefficient of agreement: 1 is full agreement, 0 what chance gives; limits of its interval.

    ``reason`` says why something is null.
    """

    value: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str | None


class ArmAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far the measure agrees with people on the answers of an arm.

    Each label counts: an answer that two people labelled counts twice. ``mean_people`` and ``mean_measure`` are over
    the same labels. ``agreeing`` is the share of equal values.
    ``alpha`` is Krippendorff's, of nominal values for a binary measure and of interval values for a continuous one;
    ``kappa`` is Cohen's, and null for a continuous measure. ``values`` and ``table`` cross them for a binary measure:
    ``table[i][j]`` counts answers with ``values[i]`` by people and ``values[j]`` by the measure.
    """

    arm: ArmName
    n_labelled: int
    mean_people: float | None
    mean_measure: float | None
    agreeing: float | None
    kappa: Coefficient | None
    alpha: Coefficient
    values: tuple[float, ...]
    table: tuple[tuple[int, ...], ...]


class CorrectedEffect(msgspec.Struct, frozen=True, kw_only=True):
    """A difference as measured, and as people would find it, on the scale of the measure.

    All are over the items that every arm answered. ``measured*`` are those of ``significance.json`` where that effect
    is over the same items; where it is over more, ``n_left_out`` of them have no part in either.
    The others are the estimate of prediction-powered inference: from ``n_labelled`` items with labels of both arms, in
    ``labelled_clusters`` clusters, and the measure on ``n_others`` items. The label of an answer is the mean of those
    that people gave it. ``tuning`` is how much of the measure it uses, from 0 to 1. ``reason`` says why there is none.
    """

    contrast: ContrastName
    measured: float | None
    measured_low: float | None
    measured_high: float | None
    corrected: float | None
    ci_low: float | None
    ci_high: float | None
    tuning: float | None
    n_labelled: int
    labelled_clusters: int
    n_others: int
    reason: str | None
    n_left_out: int | UnsetType = UNSET


class RaterAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far the measure agrees with one person, over the answers of all arms.

    ``n_answers`` are in the person's sheet, and ``n_empty`` of them have no label.
    """

    rater: str
    n_answers: int
    n_empty: int
    n_labelled: int
    agreeing: float | None
    kappa: Coefficient | None
    alpha: Coefficient


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far two people, or two measures, agree on the ``n_answers`` that both rated.

    ``kappa`` is Cohen's, and null where scores are not binary.
    """

    first: str
    second: str
    n_answers: int
    agreeing: float | None
    kappa: Coefficient | None
    alpha: Coefficient


class RatersAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far people agree with each other: Krippendorff's alpha of all of them, and each pair.

    ``n_answers`` have labels of two people or more.
    """

    n_answers: int
    alpha: Coefficient
    pairs: tuple[PairAgreement, ...]


class JudgesAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far several measures of judges on one scale agree with each other, at a temperature.

    ``effective`` is how many judges whose errors are independent would err as little, on average over them, as these
    do. Their errors are known on ``n_labelled`` answers, by the labels that people gave for the measure ``labels_of``.
    ``reason`` says why it is null.
    """

    measures: tuple[str, ...]
    temperature: float
    confidence: float
    n_answers: int
    alpha: Coefficient
    pairs: tuple[PairAgreement, ...]
    labels_of: str | None
    n_labelled: int
    effective: float | None
    reason: str | None


class LabelReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of one or several people say about a measure of a trial at a temperature.

    ``n_answers`` counts the answers of all sheets, ``n_empty`` those without a label, and ``n_unmeasured`` labels of
    answers to which the measure does not apply. ``confidence`` is that of all intervals. ``between`` is there with two
    raters or more. ``warnings``, of the results that labels are compared with, and ``dry_run``, whether an emulator
    answered, are no part of ``agreement.json``.
    """

    schema_version: Literal[1] = 1
    run_id: str
    trial: str
    temperature: float
    measure: str
    confidence: float
    n_answers: int
    n_labels: int
    n_empty: int
    n_unmeasured: int
    arms: tuple[ArmAgreement, ...]
    effects: tuple[CorrectedEffect, ...]
    raters: tuple[RaterAgreement, ...]
    between: RatersAgreement | None
    warnings: tuple[WarningDocument, ...] | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """The document of a trial: what people's labels say about its measures, and how far its judges agree."""

    schema_version: Literal[1] = 1
    labels: tuple[LabelReport, ...]
    judges: tuple[JudgesAgreement, ...]

    def of(self, measure: str) -> LabelReport | None:
        """Return what labels say about a measure, at the first temperature that has any."""
        return next((each for each in self.labels if each.measure == measure and each.n_labels), None)


def encode(document: LabelReport | Agreement) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def decode(data: bytes) -> Agreement:
    """Read the document of a trial back.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a document of this version.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, SCHEMA_VERSION, "agreement.json")
    return msgspec.json.decode(data, type=Agreement)


def agreement_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of a trial, as published in ``docs/schemas``."""
    return schemas.json_schema(Agreement, f"promptrial agreement.json, schema_version {SCHEMA_VERSION}")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(LabelReport, f"promptrial label --read --json, schema_version {SCHEMA_VERSION}")
