"""Damaged or refused files are reported, kept under another name and made again; nothing is asked twice."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml

from promptrial.engine import space
from promptrial.runtime.clock import SystemClock
from tests.support import fake_provider
from tests.support.project import Project

RESULTS = "m1-main-tp1-tk50-mx64-64/results"


def data_of(project: Project, run_id: str = "r") -> dict[str, str]:
    """Return the digests of what must be the same after any interruption."""
    mutable = ("run.log", "manifest.json", "run_state.json", ".state.lock")
    return {
        path: digest
        for path, digest in project.snapshot(run_id).items()
        if not path.endswith(mutable) and ".corrupt." not in path
    }


@pytest.mark.parametrize(
    "artifact",
    [
        "prepared/closed_book.jsonl",
        "batch_inputs/m1-main-tp1-tk50-mx64-64/t0_control_p001.jsonl",
        f"{RESULTS}/t0_control_p001/results.jsonl",
        f"{RESULTS}/predictions.parquet",
        f"{RESULTS}/per_item_scores.csv",
        f"{RESULTS}/significance.json",
        f"{RESULTS}/costs.json",
        "aggregate_report.md",
        "prepared/manifest.json",
        "batch_inputs/manifest.json",
        "multi_trial_manifest.json",
        f"{RESULTS}/trial_manifest.json",
        "run_state.json",
        "effective_config.yaml",
    ],
)
@pytest.mark.parametrize("damage", ["tear", "empty", "garble"])
def test_any_damaged_file_is_kept_under_another_name_and_made_again(
    project: Project, artifact: str, damage: str
) -> None:
    project.given_run()
    before = data_of(project)
    path = project.run_root() / artifact
    wreck = {"tear": path.read_bytes()[:-20], "empty": b"", "garble": b"\x00{garbled"}[damage]
    path.write_bytes(wreck)
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert path.with_name(f"{path.name}.corrupt.1").read_bytes() == wreck
    assert f"{path.name}.corrupt.1" in outcome.err
    assert data_of(project) == before
    assert "nothing was left to do" in project.run("--resume").err


@pytest.mark.parametrize(("stage", "digest"), [("poll", "kept"), ("poll", "none"), ("report", "none")])
@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("index", 2), ("start", 1), ("stop", 6), ("rows", 6), ("step", 1), ("condition", "gontrol"), ("temp", 1.0),
        ("trial_slug", "m1-main-tp1-tk50-mx64-65"), ("part", "t0_control_p002"), ("items", 8), ("requests", 15),
    ],
)  # fmt: skip
def test_one_changed_fact_about_the_parts_is_damage_and_loses_no_answer(
    project: Project, fact: str, value: object, stage: str, digest: str
) -> None:
    """Versions that kept no digest of the facts are held to what the facts and the receipt must agree in."""
    project.given_run()
    before = data_of(project)
    if stage == "poll":
        shutil.rmtree(project.run_root())
        project.given_run("--to_step", "poll")
    path = project.run_root() / "batch_inputs/manifest.json"
    change_fact(path, fact, value, forget_digest=digest == "none")
    changed = path.read_bytes()
    fake_provider.CALLS.clear()
    doctor = project.call("doctor", "r")
    assert (doctor.code, "batch_inputs/manifest.json" in doctor.out) == (100, True), doctor.out
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert path.with_name("manifest.json.corrupt.1").read_bytes() == changed
    assert not fake_provider.CALLS
    assert data_of(project) == before
    assert project.call("doctor", "r").code == 0


@pytest.mark.parametrize(("fact", "digest"), [("examples", "kept"), ("items", "kept"), ("items", "none")])
def test_a_changed_fact_about_the_questions_is_damage(project: Project, fact: str, digest: str) -> None:
    project.given_run()
    before, path = data_of(project), project.run_root() / "prepared/manifest.json"
    change_fact(path, fact, {"items": 8, "examples": {"closed": 1}}[fact], forget_digest=digest == "none")
    assert project.call("doctor", "r").code == 100
    outcome = project.run("--resume")
    assert (outcome.code, "prepared/manifest.json: damaged" in outcome.err) == (0, True), outcome.err
    assert data_of(project) == before


def change_fact(path: Path, fact: str, value: object, *, forget_digest: bool) -> None:
    """Change a fact of a manifest, or of the first part in it, and nothing that says so, unless that is forgotten."""
    document = json.loads(path.read_bytes())
    facts = document["facts"]
    (facts if fact in facts else facts["parts"][0])[fact] = value
    if forget_digest:
        del document["facts_sha256"]
    path.write_text(json.dumps(document, indent=2) + "\n")


@pytest.mark.parametrize("verb", ["run", "resume"])
@pytest.mark.parametrize("left", ["models", "prompt_sets", "task_instructions"])
def test_a_configuration_copy_truncated_at_any_key_is_not_taken_for_a_run_of_the_predecessor(
    project: Project, left: str, verb: str
) -> None:
    project.given_run()
    before, path = data_of(project), project.run_root() / "effective_config.yaml"
    text = path.read_text()
    path.write_text(text[: text.index(f"\n{left}:") + len(f"\n{left}:")] + "\n")
    outcome = project.run("--resume") if verb == "run" else project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert "predecessor" not in outcome.err
    assert data_of(project) == before


@pytest.mark.parametrize("which", [0, 1])
def test_either_of_two_trials_can_lose_its_manifest_without_loss(project: Project, which: int) -> None:
    project.given_run("--prompt_sets", "main,other")
    before = data_of(project)
    fake_provider.CALLS.clear()
    sorted(project.run_root().glob("*/results/trial_manifest.json"))[which].unlink()
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert not fake_provider.CALLS
    assert data_of(project) == before


def test_answers_are_not_parsed_with_damaged_questions(project: Project) -> None:
    project.given_run(run_id="whole")
    project.run("--to_step", "poll")
    questions = project.run_root() / "prepared/closed_book.jsonl"
    questions.write_bytes(questions.read_bytes().replace(b'"id"', b'"ie"', 1))
    outcome = project.run("--only_step", "parse")
    assert outcome.code == 1
    assert "parse is blocked (needs prepare: closed_book.jsonl damaged)" in outcome.err
    assert project.run("--only_step", "prepare").code == 0
    assert project.run("--resume").code == 0
    predictions = f"{RESULTS}/predictions.csv"
    assert (project.run_root() / predictions).read_bytes() == (project.run_root("whole") / predictions).read_bytes()


def test_an_artifact_remade_for_a_new_configuration_is_not_called_damaged(project: Project) -> None:
    project.given_run()
    (project.root / "config/treatment.txt").write_text("Something else.\n")
    assert project.run("--resume", "--force").code == 0
    assert not list(project.run_root().glob(f"{RESULTS}/*.corrupt.*"))


def test_a_damaged_line_of_the_journal_does_not_affect_the_other_lines(project: Project) -> None:
    def die(_: object) -> None:
        if fake_provider.CALLS.total() == 9:
            raise KeyboardInterrupt

    fake_provider.BEFORE_ROW.append(die)
    assert project.run().code == 130
    fake_provider.BEFORE_ROW.clear()
    journal = project.run_root() / RESULTS / "jobs.journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    journal.write_bytes(b"".join([*lines[:1], b"{garbled\n", *lines[1:]]))
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "jobs.journal.jsonl:2: damaged" in outcome.err
    assert (journal.parent / "jobs.journal.jsonl.corrupt.1").exists()
    assert max(fake_provider.CALLS.values()) == 1
    project.run(run_id="whole")
    assert (project.run_root() / RESULTS / "predictions.csv").read_bytes() == (
        project.run_root("whole") / RESULTS / "predictions.csv"
    ).read_bytes()


def test_too_little_disk_space_is_reported_before_a_phase_begins(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given_run("--to_step", "build")
    monkeypatch.setattr(space, "_free", lambda _folder: 1_000_000)
    outcome = project.run("--resume")
    assert outcome.code == 1
    assert "experiments/run_r: submit needs about 4.2 MB, and the disk has only 1.0 MB free" in outcome.err
    assert "promptrial run --run_id r --resume" in outcome.err
    assert not fake_provider.CALLS
    monkeypatch.undo()
    monkeypatch.chdir(project.root)


def test_a_folder_where_a_file_should_be_is_named(project: Project) -> None:
    project.given_run("--to_step", "poll")
    (project.run_root() / RESULTS / "predictions.csv").mkdir()
    outcome = project.run("--resume")
    assert outcome.code == 1
    assert f"{RESULTS}/predictions.csv" in outcome.err
    (project.run_root() / RESULTS / "predictions.csv").rmdir()
    assert project.run("--resume").code == 0


def test_a_clock_that_is_set_back_changes_no_byte_of_data(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.given_run(run_id="whole")
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 33 else None)
    assert project.run().code == 5
    fake_provider.BEFORE_ROW.clear()
    monkeypatch.setattr(SystemClock, "now", lambda _self: "1999-12-31T23:59:59.000000Z")
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert state["phases"]["poll"]["updated_at"].startswith("1999")
    assert {path for path in data_of(project) if not path.endswith((".md", ".html"))} == {
        path for path in data_of(project, "whole") if not path.endswith((".md", ".html"))
    }
    for path, digest in data_of(project, "whole").items():
        if not path.endswith((".md", ".html")):
            assert data_of(project)[path] == digest, path


def test_the_last_checkpoint_is_updated_part_by_part(project: Project) -> None:
    seen = []

    def look(_: object) -> None:
        seen.append(json.loads((project.run_root() / "run_state.json").read_text())["last_checkpoint"])

    fake_provider.BEFORE_ROW.append(look)
    project.run()
    assert [(mark["phase"], mark["resume_key"]) for mark in seen[:7]] == [("submit", None)] * 7
    assert (seen[7]["phase"], seen[7]["resume_key"]) == ("poll", "t0_control")
    assert (seen[-1]["phase"], seen[-1]["trial_slug"]) == ("poll", "m1-main-tp1-tk50-mx64-64")
    assert {mark["resume_key"] for mark in seen[8:]} == {"t0_control", "t0_treatment"}


# --- status ---------------------------------------------------------------------------------------------------------


def status(project: Project) -> dict[str, object]:
    outcome = project.call("status", "--run_id", "r", "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, object] = json.loads(outcome.out)
    return found


def progress_of(project: Project, phase: str) -> object:
    phases = status(project)["phases"]
    assert isinstance(phases, dict)
    return phases[phase]["progress"]


def test_status_shows_the_progress_of_each_phase(project: Project) -> None:
    project.given_run("--to_step", "build", "--prompt_sets", "main,other", "--no_sharing")
    assert progress_of(project, "submit") == {"done": 0, "total": 8, "unit": "parts"}
    seen = []
    fake_provider.BEFORE_ROW.append(lambda _: seen.append(progress_of(project, "poll")))
    project.run("--resume", "--to_step", "parse")
    assert seen[0] == {"done": 0, "total": 8, "unit": "parts"}
    assert seen[-1] == {"done": 7, "total": 8, "unit": "parts"}
    assert progress_of(project, "parse") == {"done": 2, "total": 2, "unit": "trials"}
    assert progress_of(project, "score") == {"done": 0, "total": 2, "unit": "trials"}


def test_a_process_without_a_recent_heartbeat_is_called_stalled(project: Project) -> None:
    seen = []

    def look(_: object) -> None:
        lock: Path = project.run_root() / ".state.lock"
        os.utime(lock, (time.time() - 3600,) * 2)
        seen.append(status(project)["status"])

    fake_provider.BEFORE_ROW.append(look)
    project.run("--to_step", "poll")
    assert "stalled" in seen


def test_watching_ends_when_no_process_works_on_the_run(project: Project) -> None:
    project.given_run()
    outcome = project.call("status", "--run_id", "r", "--watch", "--json")
    assert outcome.code == 0
    assert [json.loads(line)["status"] for line in outcome.out.splitlines()] == ["finished"]


# --- every record of what was asked is lost -------------------------------------------------------------------------

OWN_COPY = "effective_config.yaml"
OTHERS = [(), ("batch_inputs",), (OWN_COPY,), ("batch_inputs", OWN_COPY)]


def lose_every_record(project: Project, *others: str) -> None:
    """Remove the state, the manifests of all trials, and other files or folders of a run."""
    root = project.run_root()
    for path in (root / "run_state.json", *root.glob("*/results/trial_manifest.json"), *map(root.joinpath, others)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.mark.parametrize("others", OTHERS, ids=" and ".join)
def test_answers_without_any_other_record_still_identify_their_requests(
    project: Project, others: tuple[str, ...]
) -> None:
    project.given_run()
    before = data_of(project)
    lose_every_record(project, *others)
    fake_provider.CALLS.clear()
    outcome = project.call("resume", "r", *(("--force",) if OWN_COPY in others else ()))
    assert outcome.code == 0, outcome.err
    assert not fake_provider.CALLS
    assert data_of(project) == before


@pytest.mark.parametrize("others", OTHERS, ids=" and ".join)
def test_without_any_record_a_changed_prompt_is_asked_again_and_no_other(
    project: Project, others: tuple[str, ...]
) -> None:
    project.given_run()
    lose_every_record(project, *others)
    (project.root / "config/treatment.txt").write_text("Something else.\n")
    fake_provider.CALLS.clear()
    outcome = project.call("resume", "r", "--config", "config/eval_config.yaml", "--force")
    assert outcome.code == 0, outcome.err
    assert {name.split("-")[-4] for name in fake_provider.CALLS} == {"t"}


@pytest.mark.parametrize("lost", ["manifest", "every record"])
def test_answers_of_another_model_are_never_used(project: Project, lost: str) -> None:
    project.given_run()
    if lost == "manifest":
        next(project.run_root().glob("*/results/trial_manifest.json")).unlink()
    else:
        lose_every_record(project)
    config = yaml.safe_load((project.root / "config/eval_config.yaml").read_text())
    config["models"]["m1"]["id"] = "vendor/model-2"
    (project.root / "config/eval_config.yaml").write_text(yaml.safe_dump(config))
    fake_provider.CALLS.clear()
    outcome = project.call("resume", "r", "--config", "config/eval_config.yaml", "--force")
    assert outcome.code == 0, outcome.err
    assert {name.split("-")[-4] for name in fake_provider.CALLS} == {"c", "t"}


def test_the_digest_beside_answers_is_used_only_if_it_is_valid(project: Project) -> None:
    project.given_run()
    lose_every_record(project)
    for path in project.run_root().glob("*/results/*/asked.json"):
        path.write_text('{"request_sha256": "../../../away"}')
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert not list(project.root.rglob("*away*"))
