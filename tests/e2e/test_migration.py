"""Runs of the predecessor are migrated, even with damaged files, and continue from there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import pytest

from promptrial.store import records
from promptrial.store.records import RunState, TrialManifest
from tests.support import older_runs
from tests.support.older_runs import SLUG
from tests.support.project import Outcome, Project
from tests.support.remembered import remember_pure_functions
from tests.support.skips import SHARED

RUNS: Final = ("v1", "v2", "real v1", "real v2")
"""Made-up runs in the formats of the older tool, and the real ones that these formats were read from."""
MADE: Final = ("predictions.csv", "per_item_scores.parquet", "significance.json", "costs.json")


@pytest.fixture
def copied(project: Project, request: pytest.FixtureRequest) -> Path:
    """An older run, as run ``old`` of the project, with its questions in the folder ``questions``."""
    return lay_out(project, getattr(request, "param", "v1"))


def lay_out(project: Project, run: str) -> Path:
    real, version = run.startswith("real"), run[-2:]
    if real and not older_runs.REAL.is_dir():
        pytest.skip(SHARED)
    root = project.run_root("old")
    older_runs.lay_out_run(root, version, real=real)
    older_runs.lay_out_prepared(project.root / "questions", real=real)
    return root


def resume(project: Project, *flags: str) -> Outcome:
    return project.call("resume", "old", "--prepared", str(project.root / "questions"), *flags)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in {"run.log", ".state.lock"}
    }


def made(root: Path) -> dict[str, str]:
    """Return the digests of what the phases make of the answers of the trial that an older tool had finished."""
    results = root / SLUG / "results"
    return {name: hashlib.sha256((results / name).read_bytes()).hexdigest() for name in MADE}


@pytest.mark.parametrize("copied", RUNS, indirect=True)
def test_a_plan_shows_what_exists_and_what_is_left_and_changes_nothing(project: Project, copied: Path) -> None:
    before = digests(copied)
    outcome = resume(project, "--plan_only", "--json")
    assert outcome.code == 0, outcome.err
    actions = {row["phase"]: row["action"] for row in json.loads(outcome.out)["phases"]}
    assert [name for name, action in actions.items() if action == "skip"] == ["prepare", "build", "submit", "poll"]
    assert digests(copied) == before
    assert "48 answers on disk (48 from parts)" in outcome.err
    assert "texts of the prompts were not recorded" in outcome.err


@pytest.mark.parametrize("copied", RUNS, indirect=True)
def test_a_migrated_run_continues_to_a_report_and_a_second_resume_changes_no_byte(
    project: Project, copied: Path
) -> None:
    outcome = resume(project, "--from_step", "parse")
    assert outcome.code == 0, outcome.err
    state = records.load(copied / "run_state.json", RunState)
    assert state.migrated is True
    assert {phase.status for phase in state.phases.values()} == {"completed"}
    manifest = records.load(copied / SLUG / "results/trial_manifest.json", TrialManifest)
    assert manifest.prompts["treatment"]["tokens"] == 554
    recorded = json.loads(next((copied / SLUG / "results").glob("trial_manifest.backup.*.json")).read_bytes())
    assert manifest.prompts["treatment"] == recorded["prompts"]["treatment"]
    assert isinstance(manifest.older, dict)
    assert "job_status" in manifest.older, "keys that have no place are kept"
    assert len(list((copied / SLUG / "results").glob("trial_manifest.backup.*.json"))) == 1
    report = (copied / SLUG / "reports/details.md").read_text()
    assert "| False answers      | control   |  66.7% |          12 | 100.0% |          8 |" in report, "rescored"
    before = digests(copied)
    again = project.call("resume", "old")
    assert again.code == 0, again.err
    assert "nothing was left to do" in again.err
    assert digests(copied) == before


@pytest.mark.parametrize("copied", ["v2", "real v2"], indirect=True)
def test_a_state_that_claims_missing_files_is_not_trusted(project: Project, copied: Path) -> None:
    state = json.loads((copied / "run_state.json").read_bytes())
    assert state["phases"]["report"]["status"] == "completed"
    outcome = resume(project, "--plan_only")
    for prompt_set in ("operational_only", "structure_without_content"):
        slug = f"gpt-oss-120b-{prompt_set}-tp1-tk50-mx1024-1024"
        assert f"{slug}: no answer is on disk" in outcome.err


def every_file() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "run"
        older_runs.lay_out_run(root, "v2")
        wanted = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name != ".state.lock"]
        return [path.relative_to(root).as_posix() for path in wanted if path.suffix != ".txt"]


@pytest.mark.parametrize("damage", ["delete", "garble"])
@pytest.mark.parametrize("copied", ["v2"], indirect=True)
@pytest.mark.parametrize("name", every_file())
def test_a_migrated_run_can_be_resumed_whatever_files_it_lost(
    project: Project, copied: Path, name: str, damage: str, whole: dict[str, str]
) -> None:
    path = copied / name
    path.unlink() if damage == "delete" else path.write_bytes(b"\x00{garbled")
    outcome = resume(project, "--to_step", "costs")
    assert outcome.code == 0, outcome.err
    parts_alone = "_p0" in name and name.endswith("results.jsonl")
    if parts_alone:  # the combined file and the table have the same answers
        assert "48 answers on disk (40 from parts, 8 from results_combined.jsonl)" in outcome.err
    if name != "effective_config.yaml":  # without it, prices are not known, nor how many samples were drawn
        assert made(copied)["predictions.csv"] == whole["predictions.csv"]
        assert made(copied) == whole


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an undamaged older run ends with."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        root = lay_out(Project(folder), "v2")
        outcome = resume(Project(folder), "--to_step", "costs")
        assert outcome.code == 0, outcome.err
        return made(root)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an older run that was migrated and carried on to its end."""
    folder = tmp_path_factory.mktemp("migrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        remember_pure_functions(patch)
        lay_out(Project(folder), "v1")
        assert resume(Project(folder)).code == 0
    return folder


@pytest.mark.parametrize("damage", ["delete", "garble"])
@pytest.mark.parametrize(
    "name",
    [
        "run_state.json",
        "effective_config.yaml",
        "prepared/manifest.json",
        "prepared/closed_book.jsonl",
        "batch_inputs/manifest.json",
        f"{SLUG}/results/trial_manifest.json",
        f"{SLUG}/results/t0_control_p001/results.jsonl",
        f"{SLUG}/results/predictions.parquet",
        f"{SLUG}/results/significance.json",
        f"{SLUG}/reports/report.md",
    ],
)
def test_a_migrated_run_that_loses_a_file_is_repaired_from_the_predecessors_files(
    project: Project, migrated: Path, name: str, damage: str
) -> None:
    shutil.copytree(migrated, project.root, dirs_exist_ok=True)
    copied = project.run_root("old")
    before = made(copied)
    path = copied / name
    path.unlink() if damage == "delete" else path.write_bytes(b"\x00{garbled")
    outcome = resume(project)
    assert outcome.code == 0, outcome.err
    assert made(copied) == before
    assert path.exists()
    assert "nothing was left to do" in project.call("resume", "old").err


def test_a_run_without_questions_says_where_to_name_them(project: Project, copied: Path) -> None:
    before = digests(copied)
    outcome = project.call("resume", "old")
    assert outcome.code == 3
    assert "--prepared" in outcome.err
    assert digests(copied) == before


def test_resuming_by_id_only_continues_a_run_of_our_own(project: Project) -> None:
    project.given_run("--to_step", "poll")
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert (project.run_root() / "aggregate_report.md").exists()
    assert project.call("resume").code == 2
    assert project.call("resume", "nowhere").code == 2


def answers_of(root: Path) -> list[dict[str, object]]:
    """Return the predictions of the finished trial, the control arm first."""
    return list(pq.read_table(root / SLUG / "results/predictions.parquet").to_pylist())


def rewrite(root: Path, content: str | None, finish_reason: str) -> None:
    """Let the first part of the control arm hold answers of a content, and nothing else hold its answers."""
    results = root / SLUG / "results"
    path = results / "t0_control_p01/results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        choice = {"message": {"content": content}, "finish_reason": finish_reason}
        row["response"]["body"]["choices"] = [choice]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("content", "finish_reason", "reason"),
    [(None, "length", "length"), ("", "stop", "empty"), ("<think>why", "length", "reasoning_only")],
)
def test_an_empty_answer_of_an_older_run_is_missing_and_not_an_abstention(
    project: Project, copied: Path, content: str | None, finish_reason: str, reason: str
) -> None:
    rewrite(copied, content, finish_reason)
    outcome = resume(project, "--from_step", "parse")
    assert outcome.code == 0, outcome.err
    report = json.loads((copied / SLUG / "results/parse_report.json").read_bytes())
    assert report["arms"]["control"]["errors"] == {reason: 8}
    assert (report["arms"]["control"]["answered"], report["arms"]["control"]["missing"]) == (16, 0)
    scores = pq.read_table(copied / SLUG / "results/per_item_scores.parquet").to_pylist()
    missing = [row for row in scores if row["n_samples"] == 0]
    assert {row["condition"] for row in missing} == {"control"}
    assert {row["abstain_rate"] for row in missing} == {None}
    assert f"{SLUG}: responses without an answer: 8 of 24 (33.3%) in the control arm" in outcome.err
    assert "Warning: responses without an answer: 8 of 24" in (copied / SLUG / "reports/details.md").read_text()


def test_reasoning_in_an_answer_of_an_older_run_is_kept_separately(project: Project, copied: Path) -> None:
    rewrite(copied, "<think>why</think>dummy", "stop")
    assert resume(project, "--from_step", "parse").code == 0
    rows = [row for row in answers_of(copied) if row.get("reasoning")]
    assert {(row["reasoning"], row["response_text"]) for row in rows} == {("why", "dummy")}
    assert len(rows) == 8


def test_an_older_table_with_odd_token_counts_loses_no_answer(project: Project, copied: Path) -> None:
    results = copied / SLUG / "results"
    for path in (*results.glob("t0_*_p0*/results.jsonl"), results / "results_combined.jsonl"):
        path.unlink()
    table = results / "predictions.csv"
    header, *lines = table.read_text().splitlines()
    counts = ["1.0,1.0,2.0", ",,", "nan,many,-2", "1.5,1e9,²", f"{10**400},1,2"]
    lines = [line.removesuffix("1,1,2") + counts[n % 5] for n, line in enumerate(lines)]
    table.write_text("\n".join([header, *lines]) + "\n")
    assert resume(project, "--from_step", "parse").code == 0
    rows = answers_of(copied)
    assert {row["response_text"] for row in rows} == {"dummy"}
    assert len(rows) == 48
    known = [(row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) for row in rows]
    assert set(known) == {(1, 1, 2), (None, None, None), (None, 1, 2)}
    costs = json.loads((results / "costs.json").read_bytes())
    assert costs["tokens_unknown"] == sum(None in tokens for tokens in known)


def test_the_status_of_a_migrated_run_counts_the_existing_answers(project: Project, copied: Path) -> None:
    results = copied / SLUG / "results"
    part = next(iter(sorted(results.glob("t*_p*/results.jsonl"))))
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:-3]))
    for name in ("results_combined.jsonl", "predictions.csv"):
        (results / name).unlink(missing_ok=True)
    assert resume(project, "--to_step", "parse").code == 0
    status = json.loads(project.call("status", "--run_id", "old", "--json").out)
    assert (status["rows"], status["expected_rows"]) == (141, 144), "of three trials"
    assert "141 of 144 answers" in project.call("status", "--run_id", "old").out


def test_a_garbled_manifest_of_an_older_run_is_not_used_as_a_backup(project: Project, copied: Path) -> None:
    results = copied / SLUG / "results"
    (results / "trial_manifest.json").write_bytes(b"\x00{garbled")
    (copied / "run_state.json").write_bytes(b"[")
    assert resume(project, "--to_step", "parse").code == 0
    assert not list(results.glob("trial_manifest.backup.*"))
    assert not list(copied.glob("run_state.backup.*"))
    assert (results / "trial_manifest.json.corrupt.1").read_bytes() == b"\x00{garbled"
    assert (copied / "run_state.json.corrupt.1").read_bytes() == b"["
    assert project.call("resume", "old").code == 0


@pytest.mark.parametrize("place", ["experiments", "else where"])
def test_a_plan_of_an_older_run_names_the_run_and_not_the_inspected_copy(
    project: Project, copied: Path, place: str
) -> None:
    flags: tuple[str, ...] = ()
    if place != "experiments":
        copied.parent.rename(project.root / place)
        flags = ("--experiments_dir", place)
    outcome = project.call("resume", "old", "--plan_only", *flags)
    assert outcome.code == 3
    flag = f" --experiments_dir '{place}'" if flags else ""
    assert f"{place}/run_old: the questions of this run are missing ({place}/run_old/prepared" in outcome.err
    assert f"give their folder: promptrial resume old{flag} --prepared path/to/prepared" in outcome.err
    assert tempfile.gettempdir() not in outcome.err.replace(str(project.root), "")
    said = resume(project, "--plan_only", *flags)
    assert (said.code, tempfile.gettempdir() in said.out + said.err) == (0, False)
