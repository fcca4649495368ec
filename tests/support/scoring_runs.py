"""What tests of own scorers look at after a run: its score table, and which phases ran."""

from __future__ import annotations

import csv
import json
from typing import Final

from tests.support.project import Project

__all__ = ["SCORING", "done", "phases_run", "rows"]

SCORING: Final = ["score", "stats", "costs", "report"]
"""The phases that run again where only the scoring has changed."""


def rows(own: Project) -> list[dict[str, str]]:
    """Return the score table of the only trial."""
    with (own.trial_folder() / "results/per_item_scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def phases_run(own: Project) -> list[str]:
    """Return the phases that the last command ran."""
    log = [json.loads(line) for line in (own.run_root() / "run.log").read_text().splitlines()]
    last = max(place for place, event in enumerate(log) if event["event"] == "begin")
    return [event["phase"] for event in log[last:] if event["event"] == "phase"]


def done(own: Project, *flags: str) -> None:
    """Run, or resume, to the end."""
    outcome = own.run(*flags)
    assert outcome.code == 0, outcome.err
