"""A run whose sample grows: it asks the new items alone, and ends with the files that a fresh run of that size has."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import fake_provider
from tests.support.project import Outcome, Project

TRIALS = ("--prompt_sets", "main,other")
MADE_BEFORE = ("prepared/", "batch_inputs/", ".state.lock", "run.log", "run_state.json")
"""What does not have to be the same in a grown run and a fresh one, besides manifests and the parts themselves."""
WARNING = re.compile(rb"(- Warning: the sample grew |- \*\*Sample grew:|<li>[^\n]*<b>Sample grew:)[^\n]*\n")
PART = re.compile(r"/t0\w*_p\d+/")


@pytest.fixture(autouse=True)
def _count_calls() -> None:
    fake_provider.CALLS.clear()


def changed(project: Project, **changes: Any) -> None:
    """Edit the configuration file; None removes a key."""
    tree = yaml.safe_load(project.config.read_text())
    tree |= changes
    project.config.write_text(yaml.safe_dump({key: value for key, value in tree.items() if value is not None}))


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def results(root: Path) -> dict[str, bytes]:
    """Return every file that is made from *parse* on, but for manifests."""
    return {
        path: data
        for path, data in files(root).items()
        if not path.startswith(MADE_BEFORE)
        and not path.endswith("manifest.json")
        and not PART.search(path)
        and "/set_aside/" not in path
    }


def requests(root: Path) -> dict[str, bytes]:
    """Return the request file of every part."""
    return {path: data for path, data in files(root).items() if path.startswith("batch_inputs/") and "/t0" in path}


def lines(found: dict[str, bytes]) -> Counter[tuple[str, bytes]]:
    return Counter((name.split("/")[1], line) for name, data in found.items() for line in data.splitlines())


def state(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.run_root() / "run_state.json").read_text())
    return found


def grow(project: Project, *flags: str) -> Outcome:
    outcome = project.run("--resume", *flags)
    assert outcome.code == 0, outcome.err
    return outcome


def like_a_fresh_run(project: Project, *flags: str) -> None:
    """Require, of all that is asked and of all that is made from the answers, what a fresh run with these flags has.

    Only the warnings in reports that the run grew late may be more.
    """
    outcome = project.run(*flags, "--experiments_dir", "fresh")
    assert outcome.code == 0, outcome.err
    grown, fresh = project.run_root(), project.root / "fresh/run_r"
    assert len(results(fresh)) > 10
    assert {path: WARNING.sub(b"", data) for path, data in results(grown).items()} == results(fresh)
    assert lines(requests(grown)) == lines(requests(fresh))
    assert {path: data for path, data in files(grown).items() if path.startswith("prepared/")} == {
        path: data for path, data in files(fresh).items() if path.startswith("prepared/")
    }


def test_a_larger_limit_asks_only_the_new_items_and_needs_no_force(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "parse")
    first = requests(project.run_root())
    assert fake_provider.CALLS.total() == 2 * 4
    outcome = grow(project, "--limit_items", "4")
    assert "the sample grows (limit_items: 2 -> 4); no existing item is asked again" in outcome.err
    assert fake_provider.CALLS.total() == 2 * 8
    assert set(fake_provider.CALLS.values()) == {1}
    grown = requests(project.run_root())
    assert {name: grown[name] for name in first} == first
    assert sorted(Path(name).stem for name in grown.keys() - first.keys()) == [
        "t0_control_p003", "t0_control_p004", "t0_treatment_p003", "t0_treatment_p004",
    ]  # fmt: skip
    like_a_fresh_run(project, "--limit_items", "4")


def test_reports_name_exactly_the_growths_that_followed_statistics(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "score")
    pages = [project.run_root() / "aggregate_report.md", project.trial_folder() / "reports/details.md"]
    grow(project, "--limit_items", "3")
    assert not any(b"the sample grew" in page.read_bytes() for page in pages)
    grow(project, "--limit_items", "5")
    first, second = (
        "(open_set from 3 to 5 and closed_set from 3 to 5 items)",
        "(open_set from 5 to 6 and closed_set from 5 to 7 items)",
    )
    assert all(first in page.read_text() for page in pages)
    grow(project, "--limit_items", "7")
    assert all(page.read_text().index(first) < page.read_text().index(second) for page in pages)
    like_a_fresh_run(project, "--limit_items", "7")


def test_a_resume_without_the_flag_keeps_the_grown_size(project: Project) -> None:
    project.given_run("--limit_items", "2")
    grow(project, "--limit_items", "4")
    assert state(project)["overrides"] == {"limit_items": 4}
    before = files(project.run_root())
    assert "nothing was left to do" in grow(project).err
    after = files(project.run_root())
    assert {path for path in after if after[path] != before[path]} <= {"run.log", ".state.lock"}


def test_a_run_can_grow_twice_and_each_step_is_split_by_its_parts_setting(project: Project) -> None:
    changed(project, parts_per_dataset=None, lines_per_part=3)
    assert project.run("--limit_items", "1", "--to_step", "poll").code == 0
    first = requests(project.run_root())
    grow(project, "--limit_items", "3", "--to_step", "poll")
    second = requests(project.run_root())
    grow(project, "--limit_items", "7")
    third = requests(project.run_root())
    assert first.items() <= second.items() <= third.items()
    assert [len(found) for found in (first, second, third)] == [2, 2 + 2 * 2, 2 + 2 * 2 + 2 * 3]
    assert len(state(project)["growth"]) == 2
    assert set(fake_provider.CALLS.values()) == {1}
    like_a_fresh_run(project, "--limit_items", "7")


def test_the_file_of_the_configuration_may_make_it_grow_and_the_size_of_one_data_set(project: Project) -> None:
    datasets = yaml.safe_load(project.config.read_text())["datasets"]
    datasets["closed_set"]["size"] = 3
    changed(project, datasets=datasets, limit_items=4)
    assert project.run("--to_step", "poll").code == 0
    datasets["closed_set"]["size"] = 6
    changed(project, datasets=datasets)
    assert "datasets.closed_set.size: 3 -> 6" in grow(project, "--to_step", "poll").err
    changed(project, limit_items=None)
    assert "limit_items: 4 -> all" in grow(project).err
    assert set(fake_provider.CALLS.values()) == {1}
    assert fake_provider.CALLS.total() == 2 * (6 + 6)
    like_a_fresh_run(project)


def test_replicates_temperatures_and_shared_arms_grow(project: Project) -> None:
    changed(project, temps=[0.0, 0.7], samples_per_item={"0.0": 1, "0.7": 3})
    assert project.run(*TRIALS, "--limit_items", "2").code == 0
    grow(project, "--limit_items", "5")
    # Three arms are asked, for the control arm is the same in both trials.
    assert fake_provider.CALLS.total() == 3 * 2 * 5 * 4
    like_a_fresh_run(project, *TRIALS, "--limit_items", "5")


def test_three_arms_grow_and_an_arm_added_to_a_grown_run_asks_only_its_requests(project: Project) -> None:
    treatments = {"long": {"text": "Be accurate and complete."}, "short": {"text": "Be brief."}}
    changed(project, prompt_sets={"main": {"control": "control.txt", "treatments": treatments}})
    assert project.run("--limit_items", "2").code == 0
    grow(project, "--limit_items", "4")
    assert fake_provider.CALLS.total() == 3 * 8
    first = requests(project.run_root())
    treatments["third"] = {"text": "Answer in one word."}
    changed(project, prompt_sets={"main": {"control": "control.txt", "treatments": treatments}})
    grow(project, "--force")
    assert fake_provider.CALLS.total() == 4 * 8
    assert set(fake_provider.CALLS.values()) == {1}
    assert first.items() <= requests(project.run_root()).items()
    like_a_fresh_run(project, "--limit_items", "4")


def test_one_resume_can_grow_a_run_and_change_its_scoring(project: Project) -> None:
    project.given_run("--limit_items", "2")
    changed(project, scorers={"em": None, "f1": None})
    outcome = grow(project, "--limit_items", "4")
    assert "limit_items: 2 -> 4" in outcome.err
    assert "the scoring has changed" in outcome.err
    assert set(fake_provider.CALLS.values()) == {1}
    like_a_fresh_run(project, "--limit_items", "4")


def test_a_limit_above_the_number_of_items_takes_all_once_and_adds_nothing_later(project: Project) -> None:
    project.given_run("--limit_items", "7")
    grow(project, "--limit_items", "50")
    assert fake_provider.CALLS.total() == 2 * (6 + 8)
    grow(project, "--limit_items", "60")
    assert fake_provider.CALLS.total() == 2 * (6 + 8)
    assert set(fake_provider.CALLS.values()) == {1}


def test_a_run_can_grow_before_anything_is_asked_and_keeps_its_written_requests(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "build")
    first = requests(project.run_root())
    grow(project, "--limit_items", "4")
    assert first.items() <= requests(project.run_root()).items()
    like_a_fresh_run(project, "--limit_items", "4")


def test_before_requests_are_written_another_limit_is_not_a_growth(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "prepare")
    grow(project, "--limit_items", "4")
    assert "growth" not in state(project)
    assert len(requests(project.run_root())) == 4


def test_the_plan_says_how_much_is_new_and_changes_nothing(project: Project) -> None:
    changed(project, samples_per_item=3)
    assert project.run("--limit_items", "2", "--to_step", "poll").code == 0
    before = files(project.run_root())
    outcome = project.call("plan", "--run_id", "r", "--limit_items", "7")
    said = "the sample grows (limit_items: 2 -> 7): 9 new items, 54 new requests; no existing item is asked again"
    assert said in outcome.prose
    assert "submit   to do (re-asks only requests that changed)" in outcome.out
    assert "drifted" not in outcome.out
    assert said in project.run("--resume", "--plan_only", "--limit_items", "7").prose
    found = json.loads(project.call("plan", "--run_id", "r", "--limit_items", "7", "--json").out)
    assert found["growth"] == {
        "change": "limit_items: 2 -> 7", "items": 9, "requests": 54, "refused": "",
    }  # fmt: skip
    assert files(project.run_root()) == before
    (project.root / "config/closed.jsonl").unlink()
    outcome = project.call("plan", "--run_id", "r", "--limit_items", "7")
    assert "a resume would be refused: run r cannot grow, because its questions have changed" in outcome.prose


def test_the_plan_of_an_interrupted_growth_says_what_is_left(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "poll")
    grow(project, "--limit_items", "4", "--to_step", "prepare")
    assert "(limit_items: 2 -> 4): 4 new items, 8 new requests" in project.run("--resume", "--plan_only").prose
    grow(project, "--to_step", "build")
    plan = project.run("--resume", "--plan_only").out
    assert "submit   to do (4 of 8 parts left)" in plan
    assert "grows" not in plan


def test_a_growth_stopped_in_the_middle_is_resumed_without_the_flag(project: Project) -> None:
    project.given_run("--limit_items", "2")
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 13 else None)
    assert project.run("--resume", "--limit_items", "5").code == 5
    fake_provider.BEFORE_ROW.clear()
    assert 8 < fake_provider.CALLS.total() < 20
    assert "run r: stopped, " in project.call("status", "--run_id", "r").out
    grow(project)
    assert set(fake_provider.CALLS.values()) == {1}
    like_a_fresh_run(project, "--limit_items", "5")


@pytest.mark.parametrize("step", ["prepare", "build", "poll", "stats"])
def test_a_run_with_an_unfinished_growth_is_not_finished(project: Project, step: str) -> None:
    project.given_run("--limit_items", "2")
    assert "run r: finished" in project.call("status", "--run_id", "r").out
    grow(project, "--limit_items", "4", "--to_step", step)
    assert "run r: incomplete" in project.call("status", "--run_id", "r").out
    assert project.call("archive", "r").code != 0
    doctor = project.call("doctor", "r", "--json")
    assert doctor.code == 0, doctor.out
    grow(project)
    assert "run r: finished, 16 of 16 answers" in project.call("status", "--run_id", "r").out


@pytest.mark.parametrize("lost", ["run_state.json", "*/results/trial_manifest.json", "batch_inputs/manifest.json"])
def test_a_grown_run_that_loses_a_record_keeps_its_parts(project: Project, lost: str) -> None:
    project.given_run("--limit_items", "2")
    grow(project, "--limit_items", "4")
    before = requests(project.run_root())
    for path in project.run_root().glob(lost):
        path.unlink()
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert requests(project.run_root()) == before
    assert set(fake_provider.CALLS.values()) == {1}
    assert len(state(project)["growth"]) == 1
    like_a_fresh_run(project, "--limit_items", "4")


def test_the_growth_is_known_even_if_the_state_and_all_manifests_are_lost(project: Project) -> None:
    project.given_run("--limit_items", "2")
    grow(project, "--limit_items", "4")
    before = requests(project.run_root())
    for path in (project.run_root() / "run_state.json", *project.run_root().glob("*/results/trial_manifest.json")):
        path.unlink()
    outcome = project.call("resume", "r", "--config", str(project.run_root() / "effective_config.yaml"))
    assert outcome.code == 0, outcome.err
    assert requests(project.run_root()) == before


@pytest.mark.parametrize("key", ["datasets", "open_set"])
def test_a_grown_run_whose_own_copy_lacks_its_data_sets_is_rebuilt_from_the_file(project: Project, key: str) -> None:
    project.given_run("--limit_items", "2")
    grow(project, "--limit_items", "4")
    before, copy = requests(project.run_root()), project.run_root() / "effective_config.yaml"
    tree = yaml.safe_load(copy.read_text())
    (tree if key in tree else tree["datasets"])[key] = None
    copy.write_text(yaml.safe_dump(tree))
    assert "unexpected" not in project.call("plan", "--run_id", "r").err
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert requests(project.run_root()) == before


def test_a_grown_run_is_archived_restored_compared_and_grows_again(project: Project) -> None:
    project.given_run("--limit_items", "2")
    grow(project, "--limit_items", "3")
    assert project.run("--limit_items", "3", run_id="fresh").code == 0
    compared = project.call("compare", "r", "fresh")
    assert compared.code == 0, compared.err
    assert project.call("archive", "r", "--to", "kept").code == 0
    assert project.call("unarchive", "kept", "--run_id", "again").code == 0
    fake_provider.CALLS.clear()
    outcome = project.run("--resume", "--limit_items", "4", run_id="again")
    assert outcome.code == 0, outcome.err
    assert fake_provider.CALLS.total() == 2 * 2


def test_growth_after_a_forced_smaller_sample_asks_nothing_of_that_sample_again(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "poll")
    grow(project, "--limit_items", "3", "--to_step", "poll")
    grow(project, "--limit_items", "1", "--force", "--to_step", "poll")
    smaller = {name: data for name, data in requests(project.run_root()).items() if re.search("_p00[12]", name)}
    fake_provider.CALLS.clear()
    grow(project, "--limit_items", "2")
    assert smaller.items() <= requests(project.run_root()).items()
    assert fake_provider.CALLS.total() == 2 * 2
    like_a_fresh_run(project, "--limit_items", "2")


# --- what is no growth ------------------------------------------------------------------------------------------------


def test_a_smaller_limit_and_another_seed_are_drift(project: Project) -> None:
    project.given_run("--limit_items", "4", "--to_step", "poll")
    before = files(project.run_root())
    outcome = project.run("--resume", "--limit_items", "2")
    assert outcome.code == 3
    assert "limit_items: 4 -> 2" in outcome.err
    assert "a sample may grow, but not shrink" in outcome.err
    changed(project, seed=5)
    outcome = project.run("--resume", "--limit_items", "6")
    assert outcome.code == 3
    assert "seed: 20260101 -> 5" in outcome.err
    assert "limit_items" not in outcome.err
    assert files(project.run_root()) == before


def test_a_changed_question_file_stops_growth_before_anything_is_recorded(project: Project) -> None:
    project.given_run("--limit_items", "2")
    before = files(project.run_root())
    path = project.root / "config/closed.jsonl"
    original = path.read_text()
    path.write_text(original.replace("Question 1?", "Question one?"))
    for problem in ("is another file", "does not exist"):
        outcome = project.run("--resume", "--limit_items", "4")
        assert outcome.code == 3, outcome.err
        assert "run r cannot grow, because its questions have changed" in outcome.err
        assert f"config/closed.jsonl {problem}" in outcome.err
        assert "restore the files" in outcome.err
        path.unlink(missing_ok=True)
    after = files(project.run_root())
    assert {name for name in after if after[name] != before[name]} <= {"run.log", ".state.lock"}
    path.write_text(original)
    grow(project, "--limit_items", "4")
    like_a_fresh_run(project, "--limit_items", "4")


def test_a_changed_question_file_stops_growth_even_if_the_record_of_prepared_items_is_lost(project: Project) -> None:
    project.given_run("--limit_items", "2")
    (project.run_root() / "prepared/manifest.json").unlink()
    before = files(project.run_root())
    path = project.root / "config/closed.jsonl"
    original = path.read_text()
    path.write_text(original.replace("Question 1?", "Question one?"))
    outcome = project.run("--resume", "--limit_items", "4")
    assert outcome.code == 3, outcome.err
    assert "config/closed.jsonl is another file" in outcome.err
    outcome = project.run("--resume")
    assert outcome.code == 2, outcome.err
    assert "config/closed.jsonl is not the file that this run was prepared from" in outcome.err
    after = files(project.run_root())
    records = {"run.log", ".state.lock", "run_state.json", "m1-main-tp1-tk50-mx64-64/results/trial_manifest.json"}
    assert {name for name in after if after[name] != before[name]} <= records
    path.write_text(original)
    grow(project, "--limit_items", "4")
    assert set(fake_provider.CALLS.values()) == {1}
    like_a_fresh_run(project, "--limit_items", "4")


def test_a_run_does_not_grow_if_no_record_says_which_questions_it_was_prepared_from(project: Project) -> None:
    project.given_run("--limit_items", "2")
    for name in ("prepared", "batch_inputs"):
        (project.run_root() / name / "manifest.json").unlink()
    before = files(project.run_root())
    outcome = project.run("--resume", "--limit_items", "4")
    assert outcome.code == 3, outcome.err
    assert "run r cannot grow: there is no record of the question files that it was prepared from" in outcome.err
    assert "resume it with its current size" in outcome.err
    after = files(project.run_root())
    assert {name for name in after if after[name] != before[name]} <= {"run.log", ".state.lock"}
    grow(project)
    grow(project, "--limit_items", "4")
    assert set(fake_provider.CALLS.values()) == {1}
    like_a_fresh_run(project, "--limit_items", "4")


def test_steps_that_draw_no_items_refuse_a_larger_sample(project: Project) -> None:
    project.given_run("--limit_items", "2")
    outcome = project.run("--resume", "--from_step", "score", "--limit_items", "4")
    assert outcome.code == 2
    assert "the sample would grow (limit_items: 2 -> 4)" in outcome.err
    assert "growth" not in state(project)


def test_a_question_that_cannot_be_scored_stops_growth_before_anything_is_recorded(project: Project) -> None:
    rows = [{"id": f"q{n}", "question": f"Question {n}?", "answer": "Paris"} for n in range(6)]
    path = project.root / "config/mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"question": "question", "answers": "answer"}
    changed(project, datasets={"mine": {"format": "custom", "path": "mine.jsonl", "columns": columns}}, limit_items=2)
    assert project.run("--to_step", "prepare", run_id="first").code == 0
    drawn = (project.run_root("first") / "prepared/closed_book.jsonl").read_text()
    left_out = next(row for row in rows if f'"{row["id"]}"' not in drawn)
    left_out["answer"] = ""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.given_run()
    before, calls = files(project.run_root()), dict(fake_provider.CALLS)
    outcome = project.run("--resume", "--limit_items", "6")
    assert outcome.code == 2, outcome.err
    assert f"{left_out['id']!r}" in outcome.err
    assert "no gold answer" in outcome.err
    after = files(project.run_root())
    assert {name for name in after if after[name] != before[name]} <= {"run.log", ".state.lock"}
    assert project.call("status", "r").out.startswith("run r: finished")
    assert "nothing was left to do" in project.run("--resume").err
    assert project.call("doctor", "r").code == 0
    assert calls == fake_provider.CALLS
