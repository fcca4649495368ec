"""Margins and criteria beyond the scale of their scores are refused before anything is asked, with what to write."""

from __future__ import annotations

import pytest

from tests.support.project import Project

LENGTH = {"em": {"type": "exact_match"}, "length": {"type": "length"}}
POINTS = "give a margin in units of the score, below 1: for 5 points write 0.05"


def refusals(project: Project, config: dict[str, object]) -> list[str]:
    """Return what the check and the run say of a configuration that both refuse."""
    project.write_config({"scorers": LENGTH, "stats": {"primary": ["em"]}} | config)
    found = [project.call("config", "check"), project.call("run", "--run_id", "r", "--yes")]
    assert [outcome.code for outcome in found] == [2, 2], found
    assert not list(project.run_root("r").rglob("*.jsonl")), "nothing was prepared, and nothing asked"
    return [" ".join((outcome.out + outcome.err).split()) for outcome in found]


@pytest.mark.parametrize("margin", [1, 5])
def test_an_equivalence_margin_as_wide_as_the_scale_is_refused(project: Project, margin: float) -> None:
    for said in refusals(project, {"stats": {"primary": ["em"], "tost_margins": {"em": margin}}}):
        assert f"stats.tost_margins.em: {margin} is as wide as the scale of em, 0 to 1, or wider" in said
        assert POINTS.replace("5 points write 0.05", f"{margin} points write {margin / 100:g}") in said


def test_a_futility_margin_as_wide_as_the_scale_is_refused(project: Project) -> None:
    for said in refusals(project, {"stopping": {"rule": "evalue", "looks": 2, "futility": 5}}):
        assert "stopping.futility: 5 is as wide as the scale of em, 0 to 1, or wider" in said
        assert POINTS in said


@pytest.mark.parametrize(
    ("bound", "problem"),
    [
        ({"at_least": 50}, "at_least: 50 is outside the scale of em, 0 to 1: no answer would be good"),
        ({"at_most": -1}, "at_most: -1 is outside the scale of em, 0 to 1: no answer would be good"),
        ({"at_least": -1}, "at_least: -1 is outside the scale of em, 0 to 1: every answer would be good"),
        ({"at_most": 2}, "at_most: 2 is outside the scale of em, 0 to 1: every answer would be good"),
    ],
)
def test_a_criterion_of_costs_outside_the_scale_is_refused(
    project: Project, bound: dict[str, object], problem: str
) -> None:
    for said in refusals(project, {"costs": {"criterion": {"scorer": "em"} | bound}}):
        assert f"costs.criterion.{problem}" in said


def test_the_scorers_own_scale_decides_and_a_bound_within_it_is_accepted(project: Project) -> None:
    bounds = {
        "scorers": LENGTH,
        "stats": {"primary": ["em", "length"], "tost_margins": {"length": 5, "em": 0.999}},
        "costs": {"criterion": {"scorer": "length", "at_most": 50}},
        "stopping": {"rule": "none", "futility": 5},
    }
    project.write_config(bounds)
    checked = project.call("config", "check")
    assert checked.code == 0, checked.out
    project.write_config(bounds | {"stopping": {"rule": "evalue", "looks": 2, "futility": 5, "endpoint": "length"}})
    assert project.call("config", "check").code == 0


def with_own_scorer(project: Project) -> dict[str, object]:
    """Write a scorer of its own, of a scale from 0 to 10, and a configuration that uses it; return that."""
    (project.root / "config/own.py").write_text(
        "from dataclasses import dataclass\nfrom promptrial.scoring.contract import Declaration, Scorer\n\n\n"
        "@dataclass(frozen=True)\nclass Own(Scorer):\n    declared = Declaration(\n"
        "        label='Own', meaning='m', scale='continuous', direction='higher', range=(0.0, 10.0)\n    )\n"
        "    def score(self, gold, answer):\n        return 5.0\n\n\nSCORER = Own\n"
    )
    config: dict[str, object] = {
        "scorers": {"own": {"type": "python", "file": "own.py"}},
        "stats": {"primary": ["own"]},
    }
    project.write_config(config)
    return config


def test_the_scale_of_a_scorer_class_in_a_file_is_known_once_its_code_runs(project: Project) -> None:
    config = with_own_scorer(project)
    project.write_config(config | {"stats": {"primary": ["own"], "tost_margins": {"own": 10}}})
    assert project.call("config", "check").code == 0
    outcome = project.call("run", "--run_id", "r", "--yes")
    assert outcome.code == 2, outcome.err
    assert "stats.tost_margins.own: 10 is as wide as the scale of own, 0 to 10, or wider" in outcome.err
    project.write_config(config | {"stats": {"primary": ["own"], "tost_margins": {"own": 0.5}}})
    assert project.call("run", "--run_id", "r", "--resume", "--force").code == 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stats": {"tost_margins": {"em": 5}}}, "stats.tost_margins.em: 5 is as wide as the scale of em"),
        ({"costs": {"criterion": {"scorer": "em", "at_least": 50}}}, "costs.criterion.at_least: 50 is outside"),
        ({"limit_items": 2, "stats": {"tost_margins": {"em": 5}}}, "stats.tost_margins.em: 5 is as wide"),
    ],
)
def test_a_resume_with_a_bound_outside_the_scale_is_refused_and_changes_nothing(
    project: Project, change: dict[str, object], problem: str
) -> None:
    project.write_config({"limit_items": 1})
    assert project.run().code == 0
    before = project.snapshot() | {"run.log": ""}
    project.write_config({"limit_items": 1} | change)
    outcome = project.run("--resume", "--force")
    assert outcome.code == 2, outcome.err
    assert problem in " ".join(outcome.err.split())
    assert project.snapshot() | {"run.log": ""} == before


def test_a_run_that_lost_its_state_refuses_bounds_outside_the_scale_too(project: Project) -> None:
    assert project.run().code == 0
    (project.run_root() / "run_state.json").unlink()
    before = project.snapshot() | {"run.log": ""}
    project.write_config({"costs": {"criterion": {"scorer": "em", "at_least": 50}}})
    outcome = project.call("resume", "r", "--config", str(project.config), "--force")
    assert outcome.code == 2, outcome.err
    assert "at_least: 50 is outside the scale of em" in " ".join(outcome.err.split())
    assert project.snapshot() | {"run.log": ""} == before


def test_costs_of_a_run_without_its_state_refuse_a_criterion_outside_the_scale_of_a_scorer_class(
    project: Project,
) -> None:
    config = with_own_scorer(project)
    assert project.run().code == 0
    (project.run_root() / "run_state.json").unlink()
    project.write_config(config | {"costs": {"criterion": {"scorer": "own", "at_least": 50}}})
    outcome = project.call("resume", "r", "--config", str(project.config), "--force")
    assert outcome.code == 2, outcome.err
    assert "outside the scale of own, 0 to 10" in " ".join(outcome.err.split())


@pytest.mark.parametrize(
    "change",
    [{"stats": {"tost_margins": {"own": 10}}}, {"costs": {"criterion": {"scorer": "own", "at_least": 50}}}],
)
def test_a_bound_outside_the_scale_of_a_scorer_class_is_refused_even_if_nothing_is_scored_again(
    project: Project, change: dict[str, object]
) -> None:
    config = with_own_scorer(project)
    assert project.run().code == 0
    project.write_config(config | {"stats": {"primary": ["own"]}, **change})
    outcome = project.run("--resume", "--force")
    assert outcome.code == 2, outcome.err
    assert "the scale of own, 0 to 10" in " ".join(outcome.err.split())
