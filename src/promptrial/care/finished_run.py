"""What ``run --json`` holds: typed values and their JSON Schema, and how a finished run is written down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.documents import schemas
from promptrial.documents.verdict import VerdictDocument
from promptrial.engine.invocation import Finished
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables.words import wording
from promptrial.reporting.verdict import Verdict, trial_verdict

__all__ = ["RunDocument", "TrialDocument", "run_document", "run_schema", "verdict_of"]

_VERSION: Final = 1


class TrialDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A trial with a report: its paths, and what it shows."""

    slug: str
    report: str
    significance: str
    verdict: VerdictDocument


class RunDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. ``archive`` is there where it was archived, and says where."""

    schema_version: Literal[1]
    run_id: str
    config_hash: str
    dry_run: bool
    folder: str
    trials: tuple[TrialDocument, ...]
    archive: dict[str, Any] | UnsetType = UNSET


def run_document(finished: Finished) -> RunDocument:
    """Return a run that was followed to its end as it is written down."""
    opened = finished.opened
    return RunDocument(
        schema_version=_VERSION,
        run_id=opened.run.run_id,
        config_hash=opened.configured.digest,
        dry_run=opened.dry_run,
        folder=str(opened.run.root),
        trials=tuple(_trial(finished, result) for result in finished.results),
    )


def verdict_of(result: TrialResult) -> Verdict:
    """Return the verdict of a trial whose scores are as its documents hold them."""
    with wording(result.facts.scorers):
        return trial_verdict(replace(result, significance=as_shares(result.significance)))


def _trial(finished: Finished, result: TrialResult) -> TrialDocument:
    trial = finished.opened.run.trial(result.facts.trial.slug)
    return TrialDocument(
        slug=trial.slug,
        report=str(trial.reports / "report.md"),
        significance=str(trial.results / "significance.json"),
        verdict=verdict_of(result).document(),
    )


def run_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(RunDocument, f"promptrial run --json, schema_version {_VERSION}")
