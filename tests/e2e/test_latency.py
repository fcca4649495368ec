"""How long answers took: shown by arm where their servers say it, and nowhere else."""

from __future__ import annotations

import csv
import itertools
import statistics
from pathlib import Path

import msgspec
import pytest

from promptrial.providers.request_rows import RequestRow
from tests.support import fake_provider
from tests.support.page_reader import read_page
from tests.support.page_runs import small_project
from tests.support.project import Project


def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the treatment say how long it took; the control says it of its first answers alone."""
    seconds = itertools.count(1)

    def answer(row: RequestRow) -> bytes:
        number = next(seconds)
        says = "careful" not in row.body.messages[0].content or number < 6
        said = 0.125 * number if says else None
        return msgspec.json.encode(fake_provider._Row(row.custom_id, "Rome", tokens=5, seconds=said))

    monkeypatch.setattr(fake_provider, "answer", answer)


def told(project: Project) -> dict[str, list[float]]:
    """Return the seconds of each arm, from the table of predictions."""
    rows = [*csv.DictReader((project.trial_folder() / "results/predictions.csv").read_text().splitlines())]
    assert [*rows[0]][-1] == "latency_s", "it stands behind the columns that there were"
    return {
        arm: [float(row["latency_s"]) for row in rows if row["condition"] == arm and row["latency_s"]]
        for arm in ("control", "treatment")
    }


def test_the_median_and_the_95th_percentile_of_each_arm_are_those_of_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_project(tmp_path) as project:
        timed(monkeypatch)
        outcome = project.run()
        assert outcome.code == 0, outcome.err
        page, details = read_page((project.run_root() / "report.html").read_text()), project.details()
        seconds = told(project)
    found = {row["Arm"]: row for row in page.table("Latency")}
    assert 0 < len(seconds["control"]) < len(seconds["treatment"])
    assert set(found) == {"control", "treatment"}
    for arm, each in seconds.items():
        cuts = statistics.quantiles(each, n=20, method="inclusive")
        assert found[arm]["Answers with a time"] == str(len(each))
        assert float(found[arm]["Median"].removesuffix(" s")) == pytest.approx(statistics.median(each), rel=0.005)
        assert float(found[arm]["95th percentile"].removesuffix(" s")) == pytest.approx(cuts[-1], rel=0.005)
        assert found[arm]["Median"] in details.split("## Latency")[1]


def test_a_run_whose_servers_report_no_time_shows_none(tmp_path: Path) -> None:
    with small_project(tmp_path) as project:
        assert project.run().code == 0
        page = (project.run_root() / "report.html").read_text()
        header = (project.trial_folder() / "results/predictions.csv").read_text().splitlines()[0]
        assert "Latency" not in project.details()
    assert 'id="latency"' not in page
    assert "latency" not in header
