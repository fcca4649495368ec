"""What the costs phase adds up: right answers by how many were sampled, and unknown usage of answers alone."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import pytest

from promptrial.model import Completion
from tests.support import fake_provider
from tests.support.fake_provider import FakeProvider
from tests.support.project import Project


def finished(project: Project, **changes: Any) -> dict[str, Any]:
    project.write_config(changes)
    outcome = project.run("--to_step", "costs")
    assert outcome.code == 0, outcome.err
    document: dict[str, Any] = json.loads((project.trial_folder() / "results/costs.json").read_bytes())
    return document


def test_right_answers_are_counted_and_not_items(project: Project) -> None:
    arms = finished(project, samples_per_item=3, temps=[0.7])["conditions"]
    with (project.trial_folder() / "results/per_item_scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for arm in ("control", "treatment"):
        scored = [(float(row["em"]), int(row["n_samples"])) for row in rows if row["condition"] == arm]
        assert arms[arm]["correct"] == pytest.approx(sum(em * n for em, n in scored))
        assert arms[arm]["correct"] != pytest.approx(sum(em for em, _ in scored)), "the two differ in this trial"
        assert arms[arm]["correct"] == pytest.approx(round(arms[arm]["correct"]))


def test_an_error_row_without_usage_is_not_an_answer_of_unknown_usage(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = FakeProvider.parse_row

    def silent(line: bytes) -> Completion:
        row = parse(line)
        if row.error is None:
            return row
        return replace(row, prompt_tokens=None, completion_tokens=None, total_tokens=None)

    monkeypatch.setattr(FakeProvider, "parse_row", staticmethod(silent))
    monkeypatch.setattr(fake_provider, "FAILING", AllOfClosedQuestions())
    document = finished(project)
    assert document["answered"] == document["requests"] - 16
    assert document["tokens_unknown"] == 0
    assert document["usd"] is not None


class AllOfClosedQuestions:
    """Holds the wire id of every request of the closed-book set."""

    def __contains__(self, wire_id: str) -> bool:
        from promptrial.model import ids

        return ids.wire_decode(wire_id).type == "closed"

    def clear(self) -> None:
        pass
