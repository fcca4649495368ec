"""Four treatments against one control on the emulator, end to end: the best one is found, and everyone says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrial.documents import significance
from promptrial.documents.many_arms import Ranking
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.e2e.test_arms import of_set
from tests.support.project import Project

MODEL = "accounts/fireworks/models/small"
EFFECTS = (("terse", 0.25), ("cot", 0.2), ("plain", 0.0), ("filler_length_matched", -0.1))
ITEMS = 300


@pytest.fixture
def served(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project of five arms whose answers come from an oracle that knows how good each is."""
    rows = [{"id": f"q{at}", "question": f"Question {at}?", "answers": [f"answer {at}"]} for at in range(ITEMS)]
    (project.config.parent / "many.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for name, _ in EFFECTS:
        (project.config.parent / f"{name}.txt").write_text(f"Answer in the way of {name}.")
    of_set(
        project,
        {"control": "control.txt", "treatments": {name: f"{name}.txt" for name, _ in EFFECTS}},
        provider="fireworks",
        models={"m1": {"id": MODEL}},
        datasets={"many": {"format": "custom", "path": "many.jsonl"}},
        execution=dict.fromkeys(("poll_interval_s", "settle_s", "quota_wait_s", "first_retry_s"), 0.02),
        stats={"trend": ["filler_length_matched", "plain", "cot", "terse"]},
        pricing=None,
    )
    settings = EmulatorSettings(
        responder="oracle",
        questions=RunDir(project.root / "experiments", "r").prepared,
        accuracy=0.5,
        abstention=0.05,
        effects=EFFECTS,
        seed=3,
    )
    with EmulatorServer(tmp_path / "state", settings) as server:
        monkeypatch.setenv("FIREWORKS_API_BASE", server.url)
        monkeypatch.setenv("FIREWORKS_API_KEY", settings.key)
        monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", settings.account)
        yield project


@pytest.mark.slow
def test_the_best_of_four_treatments_is_found_and_named_everywhere(served: Project) -> None:
    done = served.run()
    assert done.code == 0, done.err
    results = served.trial_folder() / "results"
    document = significance.decode((results / "significance.json").read_bytes())
    assert isinstance(document.rankings, tuple)
    [ranking] = document.rankings
    assert isinstance(ranking, Ranking)
    assert "terse" in ranking.best
    assert len(ranking.best) <= 2
    assert {each.arm: each.mean for each in ranking.arms}["terse"] == pytest.approx(0.75, abs=0.08)
    sentence = "is best on exact match (95% confidence)"
    assert sentence in done.prose
    assert sentence in (served.trial_folder() / "reports" / "report.md").read_text()
    assert sentence in (served.run_root() / "report.html").read_text()
    assert sentence in served.run("--resume", "--json").out
    assert isinstance(document.trends, tuple)
    assert document.trends[0].significant
    details = (served.trial_folder() / "reports" / "details.md").read_text()
    assert "filler_length_matched.txt is a filler" in details
