"""Responses that hold no answer, and answers that were cut off, as parsing counted them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptrial.care.doctor.document import Finding, Kind
from promptrial.care.doctor.sight import Sight
from promptrial.errors import CorruptRecordError
from promptrial.phases.parsed import ArmCounts, ParseReport
from promptrial.reporting.empty_and_truncated import empty_reasons
from promptrial.store import records

__all__ = ["response_findings"]


def response_findings(sight: Sight) -> Iterator[Finding]:
    """Yield a note for each arm of each parsed trial that has empty or truncated answers.

    Answers are never bought again because of what they say, so nothing is prescribed.
    """
    for slug in sight.trials:
        path = sight.run.trial(slug).results / "parse_report.json"
        try:
            report = records.load(path, ParseReport)
        except (OSError, CorruptRecordError):  # not parsed yet, or damaged, which its receipt tells
            continue
        for name, arm in report.arms.items():
            yield from _of_arm(sight, path, name, arm)


def _of_arm(sight: Sight, path: Path, name: str, arm: ArmCounts) -> Iterator[Finding]:
    if arm.empty:
        yield _note(
            sight,
            "empty_answers",
            path,
            f"{arm.empty} of {arm.expected} responses of the {name} arm hold no answer "
            f"({empty_reasons(arm.errors)}); they count as missing, and are not asked again",
        )
    if arm.truncated:
        yield _note(
            sight,
            "truncated_answers",
            path,
            f"{arm.truncated} of {arm.answered} answers of the {name} arm were cut off at the token limit; the text "
            "up to the limit is scored (max_new_tokens sets the limit)",
        )


def _note(sight: Sight, kind: Kind, path: Path, meaning: str) -> Finding:
    return Finding(kind=kind, severity="note", file=sight.run.relative(path), meaning=meaning, command=None)
