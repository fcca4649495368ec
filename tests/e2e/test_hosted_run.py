"""Runs on hosted jobs, from the command to the predictions, against an emulator that is a process of its own.

What every fault does at every step, with kills, is the fault matrix's; here are whole runs as a user has them.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from promptrial.care import smoke_checks
from promptrial.errors import StopRequested
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.fireworks import FireworksProvider
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import EmulatorClient, jsonl
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import (
    ACCOUNT,
    KEY,
    MODEL,
    PROJECT,
    HostedProject,
    command,
    configuration,
    emulator_process,
    experiment,
    leaks,
)
from tests.support.project import Project

__all__ = ["hosted", "process"]

Start = Callable[..., HostedProject]


@pytest.fixture
def special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a project on an emulator with settings of its own, in this process."""
    stack = ExitStack()

    def begin(**settings: Any) -> HostedProject:
        known = EmulatorSettings(key=KEY, account=ACCOUNT, **settings)
        server = stack.enter_context(EmulatorServer(tmp_path.with_name(f"{tmp_path.name}-emulator"), known))
        client = EmulatorClient(server.url, key=KEY, account=ACCOUNT)
        stack.callback(client.close)
        return experiment(tmp_path, client, monkeypatch)

    with stack:
        yield begin


# --- the smoke test of orchestration ---------------------------------------------------------------------------------


def smoke(*flags: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "scripts.smoke_orchestration", "--n", "3", "--prompt_set", "operational_only"]
    return subprocess.run([*words, *flags], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=110)


@pytest.fixture(scope="module")
def smoked() -> Iterator[tuple[dict[str, Any], Path]]:
    """The result of the smoke test with every stop point, and the folder that it was told to keep."""
    outcome = smoke("--dry_run", "--json", "--keep")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    found = re.search(r"the runs are in (.+)", outcome.stderr)
    assert found is not None
    yield json.loads(outcome.stdout), Path(found.group(1))
    subprocess.run(["rm", "-r", found.group(1)], check=True)


def test_dry_runs_stopped_at_any_point_resume_to_the_bytes_of_an_uninterrupted_one(smoked: tuple[Any, Path]) -> None:
    report, _ = smoked
    assert report["ok"]
    assert [(run["stop_point"], run["exit_codes"]) for run in report["runs"]] == [
        ("none", [0]),
        ("post_build", [5, 0]),
        ("mid_submission", [5, 0]),
        ("mid_polling", [5, 0]),
        ("pre_parse", [5, 0]),
    ]
    for run in report["runs"]:
        assert (run["jobs"], run["intents"], run["rows"]) == (6, 6, 12)
        assert run["differences"] == run["problems"] == []


def test_the_smoke_test_detects_wrong_rows_jobs_states_and_files(
    smoked: tuple[Any, Path],
) -> None:
    _, folder = smoked
    good, run = RunDir(folder / "none", "smoke"), RunDir(folder / "post_build", "smoke")
    assert not [
        *smoke_checks.row_problems(run),
        *smoke_checks.shape_problems(run),
        *smoke_checks.differences(run, good),
    ]
    results = next(run.root.glob("*/results"))
    answers = results / "t0_control_p001" / "results.jsonl"
    first, rest = answers.read_bytes().split(b"\n", 1)
    answers.write_bytes(first + b"\n" + first + b"\n" + rest)
    (results / "predictions.csv").write_text("custom_id,other\n")
    (results / "costs.json").unlink()
    assert any("results of the parts: 1 rows too many" in text for text in smoke_checks.row_problems(run))
    assert any("costs.json is missing" in text for text in smoke_checks.shape_problems(run))
    assert {text.rpartition("/")[2] for text in smoke_checks.differences(run, good)} == {
        "results.jsonl differs",
        "predictions.csv differs",
        "costs.json is missing",
    }
    assert any("is completed, not" in text for text in smoke_checks.state_problems(run, "parse"))
    spent = smoke_checks.spending(good)
    assert not list(smoke_checks.spending_problems(spent, 6, 6))
    twice = smoke_checks.Spending((*spent.jobs, spent.jobs[0]), spent.intents, spent.parts)
    assert any("occurs 2 times" in text for text in smoke_checks.spending_problems(twice, 6, 6))
    foreign = smoke_checks.Spending(("x", *spent.jobs[1:]), spent.intents, spent.parts)
    assert list(smoke_checks.spending_problems(foreign, 6, 6)) == ["no intent names job x"]


def test_only_dry_runs_of_hosted_models_have_a_smoke_test(project: Project) -> None:
    outcome = project.call("smoke", "--n", "3")
    assert outcome.code == 2
    assert "the smoke test is always a dry run" in outcome.err
    assert "promptrial smoke --n 3 --prompt_set operational_only --dry_run" in outcome.err
    outcome = project.call("smoke", "--dry_run", "--config", str(project.config), "--prompt_set", "main")
    assert outcome.code == 2
    assert "answered locally" in outcome.err
    outcome = project.call("smoke", "--dry_run", "--config", str(project.config), "--prompt_set", "nonesuch")
    assert outcome.code == 2
    assert "nonesuch" in outcome.err


# --- many parts ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(
    process: EmulatorClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[HostedProject, list[str], int, str]]:
    """A run of 24 parts, four jobs at a time: the project, the parts in the order of their jobs, the most at a time."""
    with pytest.MonkeyPatch.context() as patch:
        hosted = experiment(tmp_path_factory.mktemp("undisturbed"), process, patch)
        process.fault("F9", "create_job", variant="slow", factor=8.0, count=-1)
        outcome = hosted.run("--parts_per_dataset", "12", "--max_concurrent_jobs", "4")
        assert outcome.code == 0, outcome.err
        hosted.paid_once()
        part_of = hosted.part_of()
        yield hosted, [part_of[job["id"]] for job in hosted.jobs()], hosted.in_flight(), outcome.err


def test_twenty_four_parts_use_at_most_four_jobs_at_a_time_and_the_arms_take_turns(
    undisturbed: tuple[HostedProject, list[str], int, str],
) -> None:
    hosted, order, most, said = undisturbed
    assert most == 4
    assert order == [f"t0_{arm}_p{n:03d}" for n in range(1, 13) for arm in ("control", "treatment")]
    assert pq.read_table(hosted.results() / "predictions.parquet").num_rows == 28
    assert not leaks(hosted.project.root, said)


def test_a_finished_run_that_is_resumed_asks_nothing_of_the_provider(
    undisturbed: tuple[HostedProject, list[str], int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted, *_ = undisturbed
    monkeypatch.chdir(hosted.project.root)
    before = hosted.project.snapshot()
    outcome = hosted.run("--resume")
    assert (outcome.code, "nothing was left to do" in outcome.err) == (0, True)
    changed = {name for name, digest in hosted.project.snapshot().items() if before.get(name) != digest}
    assert changed <= {"run.log", ".state.lock"}


SHARES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "429 on create": ("F1", "create_job", {"seconds": 0}),
    "429 on look": ("F1", "get_job", {"seconds": 0}),
    "500 on create": ("F2", "create_job", {"status": 500}),
    "503 on upload": ("F2", "upload", {"variant": "html"}),
    "503 on download": ("F2", "download", {}),
    "reset on create": ("F3", "create_job", {}),
    "reset on look": ("F3", "get_job", {}),
    "reset before create": ("F4", "create_job", {}),
    "reset before data set": ("F4", "create_dataset", {}),
    "created, then reset": ("F5", "create_job", {"variant": "reset"}),
    "created, then 500": ("F5", "create_job", {"variant": "error"}),
    "uploaded, then reset": ("F5", "upload", {"variant": "reset"}),
    "created, then a torn answer": ("F6", "create_job", {"variant": "truncated"}),
    "created, then an empty answer": ("F6", "create_job", {"variant": "empty"}),
    "a look that is no JSON": ("F6", "get_job", {"variant": "not_json"}),
    "a short answer": ("F6", "get_dataset", {"variant": "short_length"}),
    "a job that is hidden at first": ("F7", "create_job", {"delay_s": 120.0}),
    "a data set that is hidden at first": ("F7", "create_dataset", {"delay_s": 60.0}),
    "created late": ("F8", "create_job", {"variant": "error", "delay_s": 60.0}),
    "a data set created late": ("F8", "create_dataset", {"variant": "reset", "delay_s": 60.0}),
    "slow": ("F9", "create_job", {"variant": "slow"}),
    "skipped states": ("F9", "create_job", {"variant": "skipped"}),
    "unknown states": ("F9", "create_job", {"variant": "unknown"}),
    "repeated states": ("F9", "create_job", {"variant": "repeated"}),
    "shuffled": ("F12", "create_job", {"variant": "shuffled"}),
    "rows twice": ("F12", "create_job", {"variant": "duplicate_same"}),
    "foreign rows": ("F12", "create_job", {"variant": "unknown_id"}),
    "blank lines": ("F12", "create_job", {"variant": "blank_lines"}),
    "CRLF": ("F12", "create_job", {"variant": "crlf"}),
    "byte-order mark": ("F12", "create_job", {"variant": "bom"}),
    "no final newline": ("F12", "create_job", {"variant": "no_final_newline"}),
    **{
        f"download {variant}": ("F13", "download", {"variant": variant})
        for variant in ("short_length", "unfinished_chunk", "close_delimited", "gzip_cut", "empty")
    },
    "expired address": ("F14", "download", {"variant": "expired"}),
    "expired on the way": ("F14", "download", {"variant": "mid_transfer"}),
    "a clock that is off": ("F14", "get_download_endpoint", {"variant": "clock_skew"}),
    "wrong progress": ("F15", "create_job", {"variant": "progress"}),
    # Not every tenth: four jobs are looked at in a rhythm of five calls, and one of them would be hidden each time, as
    # if it were gone.
    "hidden jobs": ("F17", "get_job", {"variant": "hidden", "every": 11}),
    "no quota": ("F18", "create_job", {}),
}
USUAL = ("429 on look", "created, then reset", "created late", "download unfinished_chunk")


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in SHARES]
)
def test_with_a_tenth_of_the_calls_failing_each_part_is_paid_for_once_and_the_answers_are_the_same(
    hosted: HostedProject, undisturbed: tuple[HostedProject, list[str], int, str], name: str
) -> None:
    fault, operation, options = SHARES[name]
    hosted.emulator.fault(fault, operation, **{"every": 10, "count": -1, **options})
    outcome = hosted.run("--parts_per_dataset", "6" if name in USUAL else "12", "--max_concurrent_jobs", "4")
    assert outcome.code == 0, outcome.err
    assert hosted.emulator.fired()[0] >= 2
    hosted.paid_once()
    assert hosted.in_flight() <= 4
    assert hosted.table() == undisturbed[0].table()
    assert not leaks(hosted.project.root, outcome.out, outcome.err)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "variant"),
    [("F10", "expired"), ("F10", "early_stopped"), ("F12", "missing_rows"), ("F12", "no_id"), ("F11", "no_id")],
)
def test_if_a_tenth_of_the_jobs_omit_rows_only_those_rows_are_paid_for_again(
    hosted: HostedProject, undisturbed: tuple[HostedProject, list[str], int, str], fault: str, variant: str
) -> None:
    hosted.emulator.fault(fault, "create_job", variant=variant, every=10, count=-1)
    outcome = hosted.run("--parts_per_dataset", "12", "--max_concurrent_jobs", "4")
    assert outcome.code == 0, outcome.err
    assert Counter(job["id"] for job in hosted.jobs()) == Counter(each.key for each in hosted.intents())
    again = [job for job in hosted.jobs() if not job["id"].endswith("-a1")]
    assert 1 <= len(again) <= 4
    assert hosted.rows_bought() <= 28 + 8
    assert hosted.in_flight() <= 4
    ids, wanted = (each.table().column("custom_id") for each in (hosted, undisturbed[0]))
    assert ids == wanted


# --- a quota that is full --------------------------------------------------------------------------------------------


def test_a_run_with_a_full_quota_says_so_once_shows_as_waiting_and_continues_later(
    special: Start,
) -> None:
    hosted = special(quota=1)
    hosted.emulator.fault("F9", "create_job", variant="stuck")
    foreign = hosted.emulator.job()
    words = command("--to_step", "parse")
    with subprocess.Popen(words, cwd=hosted.project.root, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        said = []
        for line in iter(run.stderr.readline, ""):
            said.append(line)
            if "waiting for capacity" in line:
                break
        status = json.loads(hosted.project.call("status", "--run_id", "r", "--json").out)
        assert status["status"] == "waiting", status
        assert status["rows"] == 0
        assert len(hosted.jobs()) == 1
        hosted.emulator.http.delete(f"batchInferenceJobs/{foreign}").raise_for_status()
        said += run.stderr.readlines()
        assert run.wait(60) == 0, said
    assert sum("waiting for capacity:" in line for line in said) == 1
    assert any("in use: 1, quota: 1" in line for line in said)
    hosted.emulator.ledger()
    assert Counter(job["id"] for job in hosted.jobs()[1:]) == Counter(each.key for each in hosted.intents())
    assert json.loads(hosted.project.call("status", "--run_id", "r", "--json").out)["status"] == "incomplete"


# --- errors that are reported before anything is sent ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "code", "said"),
    [
        ("FIREWORKS_API_KEY", None, 2, "FIREWORKS_API_KEY is not set"),
        ("FIREWORKS_ACCOUNT_ID", None, 2, "FIREWORKS_ACCOUNT_ID is not set"),
        ("FIREWORKS_ACCOUNT_ID", "someone@example.com", 2, "FIREWORKS_ACCOUNT_ID is an e-mail address"),
        ("FIREWORKS_API_BASE", "http://api.example.com", 2, "would send the key unencrypted"),
        ("FIREWORKS_API_KEY", "fw_" + "anotherhostedrunsecret", 1, "FIREWORKS_API_KEY"),
        ("FIREWORKS_ACCOUNT_ID", "nobody", 1, "FIREWORKS_ACCOUNT_ID"),
    ],
)
def test_a_wrong_key_account_or_address_is_one_clear_error_and_nothing_is_uploaded(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, code: int, said: str
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    outcome = hosted.run()
    assert outcome.code == code, outcome.err
    errors = [line for line in outcome.err.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert said in outcome.err[outcome.err.index("error:") :]
    assert hosted.emulator.ledger() == []
    secret = value if variable.endswith("KEY") and value else KEY
    texts = [
        path.read_text(errors="replace")
        for path in (hosted.project.root / "experiments").rglob("*.*")
        if path.is_file()
    ]
    assert not [text for text in [*texts, outcome.out, outcome.err] if secret in text]
    assert not leaks(hosted.project.root, outcome.out, outcome.err)


def test_a_run_refused_for_a_wrong_key_continues_with_the_right_one(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", "fw_" + "mistyped")
    assert hosted.run().code == 1
    monkeypatch.setenv("FIREWORKS_API_KEY", KEY)
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()


def test_a_deployment_is_refused_as_a_model_before_anything_is_uploaded(hosted: HostedProject) -> None:
    models = {"m1": {"id": "accounts/x/deployedModels/y"}}
    hosted.project.write_config(configuration({"models": models}))
    outcome = hosted.run()
    assert outcome.code == 2, outcome.err
    assert "batches run on models, not on deployments" in outcome.err
    assert hosted.emulator.ledger() == []


@pytest.mark.parametrize("unsupported", ["invalid", "not_found"])
def test_a_model_without_batches_is_named_and_no_job_is_created(special: Start, unsupported: str) -> None:
    hosted = special(models=frozenset({"accounts/fireworks/models/other"}), unsupported=unsupported)
    outcome = hosted.run()
    assert outcome.code == 1
    assert "accounts/fireworks/models/small" in outcome.err
    assert hosted.jobs() == []
    if unsupported == "not_found":
        assert hosted.emulator.ledger() == [], "it is found out before anything is uploaded"
        assert outcome.err.count("error:") == outcome.err.count("Fireworks has no model") == 1


def test_a_model_is_looked_up_once_per_run_and_an_unclear_answer_does_not_stop_the_run(
    special: Start,
) -> None:
    hosted = special()  # with an emulator of its own: one that answers all tests forgets the oldest requests

    def looks() -> int:
        rows = hosted.emulator.plain.get(f"{hosted.emulator.url}/__emu/requests").json()["rows"]
        return sum(row["path"] == f"/v1/{MODEL}" for row in rows)

    before = looks()
    hosted.emulator.fault("F17", "get_model", variant="no_access")
    outcome = hosted.run("--prompt_sets", "main,other")
    assert outcome.code == 0, outcome.err
    assert looks() == before + 1


# --- one trial, one account and one address --------------------------------------------------------------------------


@pytest.mark.parametrize("submitted", ["some parts have jobs", "every part has a job"])
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FIREWORKS_ACCOUNT_ID", "accounts/other", f"account: {ACCOUNT} -> other"),
        ("FIREWORKS_API_BASE", "https://gateway.example/x", "api: 127.0.0.1:[0-9]+ -> gateway.example"),
        ("FIREWORKS_API_BASE", "http://127.0.0.1:9", "api: 127.0.0.1:[0-9]+ -> 127.0.0.1:9"),
    ],
)
def test_a_run_that_used_one_account_or_address_does_not_continue_with_another(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch, submitted: str, variable: str, value: str, said: str
) -> None:
    if submitted == "some parts have jobs":
        hosted.emulator.fault("F17", "create_job", variant="no_access", nth=3)
    hosted.run("--to_step", "submit")
    jobs = [job["id"] for job in hosted.jobs()]
    assert 2 <= len(jobs) <= 4
    with monkeypatch.context() as patch:
        patch.setenv(variable, value)
        outcome = hosted.run("--resume")
    assert outcome.code == 1
    assert re.search(f"the engine is not the one that this trial was started with: {said}", outcome.err)
    assert re.search("next: restore the settings .* new run with another --run_id", outcome.err)
    assert [job["id"] for job in hosted.jobs()] == jobs
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()


def test_a_run_that_returns_to_an_earlier_prompt_needs_the_engine_that_answered_it(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    control, treatment = (hosted.project.root / "config" / name for name in ("control.txt", "treatment.txt"))
    earlier = {path: path.read_text() for path in (control, treatment)}
    assert hosted.run().code == 0
    for path in earlier:
        path.write_text("Another prompt.\n")
    with emulator_process(tmp_path / "second") as second, monkeypatch.context() as patch:
        patch.setenv("FIREWORKS_API_BASE", second.url)
        assert hosted.run("--resume", "--force").code == 0, "no request to the first is left"
        for path, text in earlier.items():
            path.write_text(text)
        outcome = hosted.run("--resume", "--force")
        assert outcome.code == 1
        assert "the engine is not the one that this trial was started with: api: " in outcome.err
        assert len(second.ledger("create_job")) == 4
    outcome = hosted.run("--resume", "--force")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 4
    place = hosted.emulator.url.removeprefix("http://")
    assert {intent.engine["api"] for intent in hosted.intents() if intent.engine and intent.key in hosted.part_of()} > {
        place
    }
    assert [manifest.engine["api"] for manifest in hosted.manifests()] == [place]


def test_the_engine_of_a_trial_is_recorded_before_its_first_job_is_created(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, seen = FireworksProvider.submit, []

    def noted(provider: FireworksProvider, payload: PartPayload) -> JobRef:
        path = hosted.results() / "trial_manifest.json"
        seen.append(json.loads(path.read_bytes())["engine"])
        return submit(provider, payload)

    monkeypatch.setattr(FireworksProvider, "submit", noted)
    assert hosted.run().code == 0
    place = hosted.emulator.url.removeprefix("http://")
    assert seen[0] == {"provider": "fireworks", "model": MODEL, "account": ACCOUNT, "api": place}


def test_an_arm_answered_by_one_account_is_not_shared_with_a_trial_of_another_account(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hosted.run().code == 0
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "other")
    outcome = hosted.run("--prompt_sets", "main,other", "--resume", "--force")
    assert outcome.code == 1
    assert f"account: {ACCOUNT} -> other" in outcome.err
    assert len(hosted.jobs()) == 4


# --- kills -----------------------------------------------------------------------------------------------------------


def events(project: Project) -> str:
    """Return what is in the journals and manifests of a run, as text."""
    paths = project.run_root().glob("*/results/*")
    found = []
    for path in paths:
        if path.name in {"jobs.journal.jsonl", "trial_manifest.json"}:
            try:
                found.append(path.read_text())
            except FileNotFoundError:  # a journal is folded in, and removed
                continue
    return "".join(found)


MOMENTS: dict[str, Callable[[Project], bool]] = {
    "requests are being built": lambda project: (project.run_root() / "batch_inputs").exists(),
    "the first job is being asked for": lambda project: '"submitting"' in events(project),
    "some parts have jobs": lambda project: events(project).count('"submitted"') >= 2,
    "some answers are home": lambda project: any(project.run_root().glob("*/results/t0_*/results.jsonl")),
}


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A dry run that nobody interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        yield dry_project(tmp_path_factory.mktemp("dry"), patch, run=True)


def dry_project(root: Path, patch: pytest.MonkeyPatch, *, run: bool = False) -> Project:
    patch.chdir(root)
    for name in ("FIREWORKS_API_KEY", "FIREWORKS_ACCOUNT_ID", "FIREWORKS_API_BASE"):
        patch.delenv(name, raising=False)
    project = Project.make(root)
    project.write_config(configuration())
    if run:
        outcome = project.run(*DRY)
        assert outcome.code == 0, outcome.err
    return project


DRY = ("--dry_run", "--to_step", "parse", "--parts_per_dataset", "3")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_dry_run_that_was_killed_resumes_to_the_same_bytes_with_one_job_for_each_part(
    dry: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    project = dry_project(tmp_path, monkeypatch)
    with subprocess.Popen(command(*DRY), cwd=tmp_path, stderr=subprocess.DEVNULL) as run:
        end = time.monotonic() + 60
        while not MOMENTS[moment](project):
            assert run.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.002)
        run.kill()
        assert run.wait(20) == -signal.SIGKILL
    outcome = project.run(*DRY, "--resume")
    assert outcome.code == 0, outcome.err
    run_dir, whole = (RunDir(each.root / "experiments", "r") for each in (project, dry))
    assert list(smoke_checks.differences(run_dir, whole)) == []
    spent = smoke_checks.spending(run_dir)
    assert len(spent.jobs) == 6
    assert list(smoke_checks.spending_problems(spent, 6, 6)) == []


# --- arms that trials share ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "jobs"), [((), 3), (("--no_sharing",), 4)])
def test_a_control_arm_shared_by_two_trials_is_asked_once_unless_sharing_is_off(
    hosted: HostedProject, flags: tuple[str, ...], jobs: int
) -> None:
    outcome = hosted.run("--prompt_sets", "main,other", "--parts_per_dataset", "1", *flags)
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == jobs
    assert hosted.rows_bought() == jobs * 14
    tables = [pq.read_table(path) for path in sorted(hosted.project.run_root().glob("*/results/predictions.parquet"))]
    assert [table.num_rows for table in tables] == [28, 28]
    controls = [
        {row["custom_id"]: row["response_text"] for row in table.to_pylist() if row["condition"] == "control"}
        for table in tables
    ]
    assert controls[0] == controls[1]
    assert Counter(job["id"] for job in hosted.jobs()) == Counter({each.key for each in hosted.intents()})


# --- jobs that end otherwise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "said"), [("failed", "failed: out of luck"), ("cancelled", "was cancelled: no reason given")]
)
def test_a_failed_or_cancelled_job_is_reported_and_a_resume_repeats_only_its_part(
    hosted: HostedProject, variant: str, said: str
) -> None:
    hosted.emulator.fault("F10", "create_job", variant=variant, message="out of luck")
    outcome = hosted.run()
    assert outcome.code == 1
    assert re.search(rf"t0_control_p001: its job pt-r-\w+-a1 {said}", outcome.err)
    assert "1 of 4 parts failed" in outcome.err
    assert "--resume" in outcome.err
    assert json.loads(hosted.project.call("status", "--run_id", "r", "--json").out)["status"] == "failed"
    assert (len(hosted.jobs()), hosted.rows_bought()) == (4, 28)
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert [job["facts"]["rows"] for job in hosted.jobs()[4:]] == [7]
    assert [intent.status for intent in hosted.intents()][:2] == [variant, "downloaded"]
    assert pq.read_table(hosted.results() / "predictions.parquet").num_rows == 28


@pytest.mark.parametrize(("variant", "by_hand"), [("failed", False), ("cancelled", True)])
def test_an_output_left_unfinished_by_a_job_is_not_waited_for_forever(
    hosted: HostedProject, variant: str, by_hand: bool
) -> None:
    flags = ("--parts_per_dataset", "1")
    hosted.emulator.fault("F10", "create_job", variant=variant)
    assert hosted.run(*flags, "--to_step", "submit").code == 0
    job = hosted.jobs()[0]["id"]
    assert hosted.emulator.states(job)[-1] == variant.upper()
    hosted.emulator.post_dataset(f"{job}-out")
    if by_hand:
        folder = hosted.results() / "t0_control_p001"
        folder.mkdir(exist_ok=True)
        (built,) = (hosted.project.run_root() / "batch_inputs").glob("*/t0_control_p001.jsonl")
        ids = [json.loads(line)["custom_id"] for line in built.read_bytes().splitlines()]
        choice = {"index": 0, "message": {"role": "assistant", "content": "By hand."}, "finish_reason": "stop"}
        rows = ({"custom_id": wire_id, "response": {"choices": [choice]}} for wire_id in ids)
        (folder / "by hand.jsonl").write_bytes(jsonl(rows))
    outcome = hosted.run(*flags, "--resume")
    assert "is not responding properly" not in outcome.err
    assert outcome.code == (1 if variant == "failed" else 0), outcome.err
    outcome = hosted.run(*flags, "--resume")
    assert outcome.code == 0, outcome.err
    assert [job["facts"]["rows"] for job in hosted.jobs()] == [14, 14] + [14] * (not by_hand)
    assert pq.read_table(hosted.results() / "predictions.parquet").num_rows == 28


def test_finished_rows_of_an_expired_job_are_kept_and_only_the_others_are_paid_for_again(
    hosted: HostedProject,
) -> None:
    hosted.emulator.fault("F10", "create_job", variant="expired", share=0.5, output=True)
    outcome = hosted.run()
    assert outcome.code == 0, outcome.err
    kept = [int(found) for found in re.findall(r"(\d+) of 7 requests have no answer", outcome.err)]
    assert kept
    assert 0 < kept[0] < 7
    assert [job["facts"]["rows"] for job in hosted.jobs()[4:]] == [kept[0]]
    assert hosted.rows_bought() == 28 + kept[0]
    assert pq.read_table(hosted.results() / "predictions.parquet").num_rows == 28


def test_two_different_answers_to_a_request_are_an_error_of_that_request_and_stop_nothing(
    hosted: HostedProject,
) -> None:
    hosted.emulator.fault("F12", "create_job", variant="duplicate_different")
    outcome = hosted.run()
    assert outcome.code == 0, outcome.err
    assert "requests with two different answers: 1; they count as errors (conflicting_answers)" in outcome.err
    rows = hosted.table().to_pylist()
    assert len(rows) == 28
    (row,) = [row for row in rows if row["error"] is not None]
    assert (row["error"], row["response_text"]) == ("conflicting_answers: two rows answer it differently", None)
    report = json.loads((hosted.results() / "parse_report.json").read_bytes())
    assert report["arms"]["control"]["errors"] == {"conflicting_answers": 1}
    assert report["arms"]["control"]["answered"] == 13
    assert b"(said again)" in (hosted.results() / "quarantine.jsonl").read_bytes()
    hosted.paid_once()


def test_only_a_last_row_torn_at_the_provider_is_asked_again(hosted: HostedProject) -> None:
    hosted.emulator.fault("F12", "create_job", variant="torn_last_line")
    outcome = hosted.run()
    assert outcome.code == 0, outcome.err
    assert "the row counts as unanswered" in outcome.err
    assert [job["facts"]["rows"] for job in hosted.jobs()[4:]] == [1]
    assert pq.read_table(hosted.results() / "predictions.parquet").num_rows == 28


def test_lost_results_are_reported_with_their_price_and_paid_for_again_only_on_request(
    hosted: HostedProject,
) -> None:
    hosted.emulator.fault("F17", "get_download_endpoint", variant="vanished")
    outcome = hosted.run()
    assert outcome.code == 1
    assert "no longer has the results" in outcome.err
    assert re.search(
        r"ask these 7 requests again \(about [\d.e-]+ USD\): promptrial run .*--resume --rebuy", outcome.err
    )
    assert hosted.run("--resume").code == 1
    assert len(hosted.jobs()) == 4
    outcome = hosted.run("--resume", "--rebuy")
    assert outcome.code == 0, outcome.err
    assert [job["facts"]["rows"] for job in hosted.jobs()[4:]] == [7]


def test_if_a_download_is_impossible_the_commands_are_printed_and_manually_placed_files_are_used(
    hosted: HostedProject,
) -> None:
    flags = ("--parts_per_dataset", "1")
    hosted.emulator.fault("F2", "download", count=-1)
    outcome = hosted.run(*flags)
    assert outcome.code == 1
    names = [f"{job['id']}-out" for job in hosted.jobs()]
    for name in names:
        assert f"firectl dataset download {name} --output-dir " in outcome.err
        assert f"firectl download dataset {name} --output-dir " in outcome.err
    hosted.emulator.clear_faults()
    control, treatment = (hosted.emulator.file(name) for name in names)
    hosted.emulator.fault("F2", "download", count=-1)
    results = hosted.results()
    (results / "t0_control_p001" / "by hand.jsonl").write_bytes(control)
    with zipfile.ZipFile(results / "t0_treatment_p001" / "download.zip", "w") as archive:
        archive.writestr(f"dataset/{names[1]}/BIJOutputSet.jsonl", treatment)
    outcome = hosted.run(*flags, "--resume")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("taking the answers from files in") == 2
    assert pq.read_table(results / "predictions.parquet").num_rows == 28
    assert len(hosted.jobs()) == 2


# --- dry runs --------------------------------------------------------------------------------------------------------


def test_a_dry_run_stays_dry_when_it_is_resumed_without_the_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = dry_project(tmp_path, monkeypatch)
    assert project.run("--dry_run", "--to_step", "build").code == 0
    outcome = project.run("--resume", "--to_step", "parse")
    assert outcome.code == 0, outcome.err
    assert len(smoke_checks.spending(RunDir(tmp_path / "experiments", "r")).jobs) == 4


def test_a_real_run_cannot_be_resumed_as_a_dry_one(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "build").code == 0
    outcome = hosted.run("--dry_run", "--resume")
    assert outcome.code == 3
    assert "was started with real providers, and cannot continue as a dry run" in outcome.err
    assert hosted.emulator.ledger() == []
    assert not (hosted.project.run_root() / ".emulator").exists()


# --- a soft stop -----------------------------------------------------------------------------------------------------


def test_a_stop_sentinel_lets_jobs_in_flight_finish_and_a_resume_does_the_rest(
    hosted: HostedProject, undisturbed: tuple[HostedProject, list[str], int, str]
) -> None:
    flags = ("--parts_per_dataset", "12", "--max_concurrent_jobs", "4", "--to_step", "parse")
    hosted.emulator.fault("F9", "create_job", variant="slow", factor=8.0, count=-1)
    with subprocess.Popen(command(*flags), cwd=hosted.project.root, stderr=subprocess.PIPE) as run:
        while len(hosted.jobs()) < 6:
            assert run.poll() is None
            time.sleep(0.01)
        assert hosted.project.call("stop", "--run_id", "r").code == 0
        while not (state := json.loads((hosted.project.run_root() / "run_state.json").read_bytes()))["stop_requested"]:
            assert run.poll() is None, "a stop is on record while jobs in flight are still waited for"
            time.sleep(0.01)
        assert state["phases"]["submit"]["status"] == "in_progress"
        assert hosted.project.call("stop", "--run_id", "r", "--wait").code == 0
        assert run.wait(60) == StopRequested.exit_code
    submitted = len(hosted.jobs())
    assert 6 <= submitted < 24
    parts = [part.status for manifest in hosted.manifests() for part in manifest.parts.values()]
    assert parts.count("downloaded") == submitted
    outcome = hosted.run(*flags, "--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()
    assert hosted.predictions() == undisturbed[0].predictions()
