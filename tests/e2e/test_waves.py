"""A trial that is asked in waves: it stops once the rule allows it, asks nothing more, and says what it saved."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

import promptrial
from promptrial.model import Part, RequestId, Trial
from promptrial.phases import parse
from promptrial.phases.parsed import requests_of
from promptrial.phases.prepared import ItemKey
from promptrial.store.look_records import LOOKS_FILE
from tests.support.project import Project
from tests.support.waves import answering, asked, configured, files, looks, questions, significance

RULE = {"rule": "evalue", "looks": 5}


def overall(project: Project) -> dict[str, Any]:
    """Return the endpoint of the run over all items."""
    endpoint: dict[str, Any]
    (endpoint,) = [each for each in significance(project)["endpoints"] if each["scope"] == "overall"]
    return endpoint


@pytest.fixture
def large(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A run with an effect so large that the first wave shows it."""
    questions(project, 200)
    configured(project, RULE)
    answering(monkeypatch, 0.2, 0.8)
    return project


@pytest.fixture
def without(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A run without an effect, of three waves."""
    questions(project, 60)
    configured(project, RULE | {"looks": 3})
    answering(monkeypatch, 0.5, 0.5)
    return project


def test_a_large_effect_stops_the_trial_before_the_remaining_waves(large: Project) -> None:
    outcome = large.call("run", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    (look,) = looks(large)
    assert (look.decision, look.wave, look.items) == ("stop", 1, 40)
    assert sum(asked().values()) == 2 * 40
    endpoint, (row,) = overall(large), look.endpoints
    assert (endpoint["n_items"], endpoint["n_lost"]) == (40, 0)
    assert (endpoint["ci_low"], endpoint["ci_high"]) == (row.low, row.high)
    assert endpoint["ci_method"] == "confidence_sequence"
    assert endpoint["significant"]
    assert endpoint["ci_low"] <= 0.6 <= endpoint["ci_high"]
    first = outcome.prose.partition("Effects")[0]
    assert "Stopped after 40 of 200 questions: treatment.txt beats control.txt on exact match" in first
    assert "saved 0.0035 USD." in first  # 0.00088 USD for 40 of 200 questions, as the costs say
    details = next(large.run_root().glob("*/reports/details.md")).read_text()
    assert "Looks at the running trial: Exact match" in details
    assert "The rule ended the trial early. 40 of 200 items were asked, in 1 of 5 waves." in details
    assert "a single test is left as it is" not in details
    assert "Looks at the running trial" in (large.run_root() / "report.html").read_text()
    costs = json.loads(next(large.run_root().glob("*/results/costs.json")).read_text())
    assert costs["usd"] == pytest.approx(0.00088)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests were named for *parse* and for looks, each time."""
    named: list[int] = []

    def counted(part: Part, items: Sequence[ItemKey], trial: Trial) -> list[RequestId]:
        named.append(len(items))
        return requests_of(part, items, trial)

    monkeypatch.setattr(parse, "requests_of", counted)
    return named


def test_a_part_read_in_pieces_names_each_request_only_a_few_times(without: Project, named: list[int]) -> None:
    assert without.call("run", "--run_id", "r").code == 0
    assert sum(asked().values()) == 2 * 60
    read = 2 * (20 + 40 + 60) + 2 * 60  # at the looks after each wave, and by *parse*
    assert sum(named) == 2 * read  # once for the index of a part, and once piece by piece


def test_a_part_read_as_a_whole_names_each_request_once(project: Project, named: list[int]) -> None:
    assert project.run().code == 0
    assert sum(named) == sum(asked().values())


def test_a_stopped_trial_is_finished_follows_its_record_and_cannot_be_changed(large: Project) -> None:
    large.call("run", "--run_id", "r")
    (first,) = looks(large)
    before = {path: data for path, data in files(large.run_root()).items() if path not in {"run.log", ".state.lock"}}
    planned = large.call("plan", "--run_id", "r").out
    assert "nothing is left to ask: 80 requests are answered" in planned
    assert "looks at" not in planned
    outcome = large.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert "nothing was left to do" in outcome.err
    after = files(large.run_root())
    assert {path: data for path, data in after.items() if path in before} == before

    next(large.run_root().glob(f"*/results/{LOOKS_FILE}")).unlink()  # it is found again from the same answers
    assert large.call("resume", "r").code == 0
    (again,) = looks(large)
    assert (again.decision, again.endpoints, again.results) == (first.decision, first.endpoints, first.results)
    assert sum(asked().values()) == 2 * 40

    configured(large, RULE, scorers={"em": {"type": "exact_match"}, "length": {"type": "length"}})
    rescored = large.call("run", "--run_id", "r", "--resume")
    assert rescored.code == 0, rescored.err
    assert "its scorers have changed since look 1, which others decided" in rescored.prose

    configured(large, RULE | {"rule": "pocock"})
    refused = large.call("run", "--run_id", "r", "--resume", "--force")
    assert refused.code == 3
    assert "was looked at under its stopping rule" in refused.err


def test_without_an_effect_every_wave_is_asked_once(without: Project) -> None:
    outcome = without.call("run", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    assert [look.decision for look in looks(without)] == ["continue", "continue", "end"]
    assert set(asked().values()) == {1}
    assert sum(asked().values()) == 2 * 60
    assert overall(without)["n_items"] == 60
    assert "Stopped after" not in outcome.out
    configured(without, None)
    without.call("run", "--run_id", "whole", "--to_step", "score")
    for name in ("predictions.csv", "per_item_scores.csv"):  # as those of a run that asks everything at once
        (one,), (other,) = (without.run_root(run).glob(f"*/results/{name}") for run in ("r", "whole"))
        assert one.read_bytes() == other.read_bytes(), name


def test_a_plan_shows_the_looks_and_the_average_sample(without: Project) -> None:
    configured(without, {"rule": "obrien_fleming", "looks": 3})
    said = without.call("plan", "--run_id", "new").prose
    assert "looks at em under the rule obrien_fleming: 3, after 20, 40, 60 of 60 questions" in said
    assert "asked on average: 60 without a difference, 51 with one" in said
    two = without.call("plan", "--run_id", "new", "--temps", "0.0,0.7").prose
    assert "looks at em" in two
    assert "asked on average" not in two
    assert without.call("run", "--run_id", "new", "--to_step", "prepare").code == 0
    assert without.call("seal", "new").code == 0
    sealed = json.loads((without.run_root("new") / "analysis_plan.json").read_text())
    assert sealed["stopping"] == (
        "em is looked at after each of 3 waves under the rule obrien_fleming, at level 0.05 for all looks and "
        "contrasts together; a trial ends once a difference is shown"
    )
    assert "prepared/waves.json" in sealed["sample"]["files"]


def test_no_result_is_shown_before_the_looks_are_over(without: Project) -> None:
    """Only the steps up to submit were chosen, so that the second wave waits."""
    without.call("run", "--run_id", "r", "--to_step", "submit")
    outcome = without.call("run", "--run_id", "r", "--only_step", "poll")
    assert outcome.code == 0, outcome.err
    assert [look.decision for look in looks(without)] == ["continue"]
    (without.run_root() / "prepared" / "waves.json").unlink()  # no more is asked for that
    assert without.call("run", "--run_id", "r", "--only_step", "submit").code == 0
    assert sum(asked().values()) == 2 * 20
    assert without.call("run", "--run_id", "r", "--only_step", "prepare").code == 0
    for step in ("parse", "report"):
        refused = without.call("run", "--run_id", "r", "--only_step", step)
        assert refused.code != 0
        assert "needs" in refused.err
    assert not list(without.run_root().glob("*/results/significance.json"))
    (look,) = looks(without)
    for row in look.endpoints:
        shown = without.call("status", "r").out
        assert "wave 2 of 3 is being asked; looks taken: 1" in shown
        figure = re.escape(f"{100 * (row.estimate or 0):.1f}")
        assert row.estimate == 0 or not re.search(rf"(?<![\d:.]){figure}(?!\d)", shown), "no time of day either"


def test_unblinding_ends_the_trial_at_its_last_look_and_is_reported(without: Project) -> None:
    without.call("run", "--run_id", "r", "--to_step", "submit")
    without.call("run", "--run_id", "r", "--only_step", "poll")
    outcome = without.call("resume", "r", "--unblind")
    assert outcome.code == 0, outcome.err
    assert overall(without)["n_items"] == 20
    assert sum(asked().values()) == 2 * 20
    assert "its results were shown after look 1, before the rule had ended it" in outcome.prose
    again = without.call("resume", "r", "--unblind")
    assert again.code == 2
    assert "its looks are over" in again.err
    configured(without, None)
    plain = without.call("run", "--run_id", "plain", "--unblind")
    assert plain.code == 2
    assert "it is not asked in waves" in plain.err


def test_continuing_after_an_early_stop_is_possible_and_reported(large: Project) -> None:
    large.call("run", "--run_id", "r")
    stopped = promptrial.load_run(large.run_root()).verdict
    assert "unfinished" not in {each.kind for each in stopped.warnings}, "a trial that its rule has ended is whole"
    outcome = large.call("resume", "r", "--past_stop")
    assert outcome.code == 0, outcome.err
    assert [look.decision for look in looks(large)] == ["stop", "ask_more", "stop"]
    assert overall(large)["n_items"] == 80
    assert "more was asked after the rule had ended it at look 1" in outcome.prose


def test_a_run_in_waves_cannot_grow_nor_have_a_pilot(without: Project) -> None:
    refused = without.call("run", "--run_id", "p", "--pilot", "5")
    assert refused.code == 2
    assert "asked in waves" in refused.err
    without.call("run", "--run_id", "r", "--limit_items", "30")
    refused = without.call("run", "--run_id", "r", "--resume", "--limit_items", "60")
    assert refused.code == 3


def test_clusters_stay_whole_in_a_wave(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    questions(project, 60, cluster=6)
    configured(project, {"rule": "pocock", "waves": [15, 20]}, cluster=6)
    answering(monkeypatch, 0.5, 0.5)
    outcome = project.call("run", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    waves = json.loads((project.run_root() / "prepared" / "waves.json").read_text())
    assert waves["items"] == [18, 18, 24]
    assert waves["largest_cluster"] == 6
    rows = map(json.loads, (project.run_root() / "prepared" / "closed_book.jsonl").read_text().splitlines())
    assert len({(row["cluster"], wave) for row, wave in zip(rows, waves["wave_of"], strict=True)}) == 10
    assert [look.items for look in looks(project)] == [18, 36, 60]


def test_a_small_margin_ends_a_trial_for_futility(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    questions(project, 60)
    configured(project, {"rule": "evalue", "looks": 3, "futility": 0.9})
    answering(monkeypatch, 0.5, 0.5)
    outcome = project.call("run", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    assert looks(project)[-1].endpoints[0].reason == "futility"
    assert looks(project)[-1].decision == "stop"
    why = "Stopped for futility (a difference of 90 points or more is ruled out) after 20 of 60 questions: "
    assert why in outcome.prose
    assert why in next(project.run_root().rglob("report.md")).read_text()
    assert "No difference shown on exact match" in outcome.prose
