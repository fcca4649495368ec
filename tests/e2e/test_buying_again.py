"""Settings of a resume that would buy answers again, a stop in the middle of a transfer, and calls that fail once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from promptrial.jobs import answers
from promptrial.jobs.hosted import HostedPart
from promptrial.phases import submit
from promptrial.providers import access
from promptrial.providers.http_service import Timeouts
from promptrial.runtime.stop import SOFTLY
from promptrial.store.rundir import RunDir
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import MODEL, HostedProject, configuration
from tests.support.project import import_path

__all__ = ["hosted", "process"]

TO_PARSE = ("--to_step", "parse")
_UNBUFFERED = """
from promptrial.cli.start import entry_point
from promptrial.store import atomic

def drain(file, drain=atomic.AtomicFile._drain):
    drain(file)
    if not file._file.closed:
        file._file.flush()

atomic._BUFFER, atomic.AtomicFile._drain = 1, drain
entry_point()
"""
"""The program, with each row of a small file on the disk as soon as it comes, as those of large files are."""
TRIALS = ("--prompt_sets", "main,other", "--parts_per_dataset", "1")


# --- settings that would buy again ------------------------------------------------------------------------------------


def test_no_sharing_on_a_resume_says_what_it_would_cost_and_needs_leave(hosted: HostedProject) -> None:
    hosted.emulator.fault("F2", "download", count=-1)
    assert hosted.run(*TRIALS, "--max_concurrent_jobs", "8").code == 1
    assert len(hosted.jobs()) == 3
    hosted.emulator.clear_faults()
    outcome = hosted.run(*TRIALS, "--no_sharing", "--resume")
    assert outcome.code == 2
    assert (
        "--no_sharing would ask again requests that another trial of this run has asked: 14 requests (about "
        in outcome.err
    )
    assert " USD), in m1-" in outcome.err
    assert "--resume --rebuy" in outcome.err
    assert len(hosted.jobs()) == 3
    outcome = hosted.run(*TRIALS, "--resume")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 3


def test_no_sharing_needs_leave_also_where_a_job_may_have_been_created(hosted: HostedProject) -> None:
    hosted.emulator.fault("F17", "get_job", variant="no_access", count=-1)
    assert hosted.run(*TRIALS).code == 1
    assert {(intent.status, intent.job) for intent in hosted.intents()} == {("submitting", None)}
    hosted.emulator.clear_faults()
    outcome = hosted.run(*TRIALS, "--no_sharing", "--resume")
    assert outcome.code == 2, outcome.err
    assert "requests that another trial of this run has asked" in outcome.err
    outcome = hosted.run(*TRIALS, "--resume")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 3


def test_with_leave_it_buys_them(hosted: HostedProject) -> None:
    assert hosted.run(*TRIALS, "--to_step", "submit").code == 0
    assert len(hosted.jobs()) == 3
    outcome = hosted.run(*TRIALS, "--no_sharing", "--resume", "--rebuy")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 4


def test_a_run_that_was_started_without_sharing_resumes_without_leave(hosted: HostedProject) -> None:
    hosted.emulator.fault("F18", "create_job", count=1, nth=4)
    hosted.emulator.fault("F2", "create_job", status=500, nth=4, count=-1)
    outcome = hosted.run(*TRIALS, "--no_sharing")
    hosted.emulator.clear_faults()
    outcome = hosted.run(*TRIALS, "--no_sharing", "--resume")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 4


@pytest.mark.parametrize("flags", [("--parts_per_dataset", "2"), ("--limit_items", "5")])
def test_requests_that_are_cut_or_selected_differently_by_force_need_leave_when_their_prompts_are_the_same(
    hosted: HostedProject, flags: tuple[str, str]
) -> None:
    assert hosted.run("--parts_per_dataset", "1").code == 0
    jobs = len(hosted.jobs())
    changed = {"--parts_per_dataset": "1", flags[0]: flags[1]}
    words = [word for pair in changed.items() for word in pair]
    outcome = hosted.run(*words, "--resume", "--force")
    assert outcome.code == 2, outcome.err
    assert "all of them would be asked again: " in outcome.err
    assert " USD), in m1-" in outcome.err
    assert "--resume --rebuy" in outcome.err
    assert len(hosted.jobs()) == jobs
    outcome = hosted.run(*words, "--resume", "--force", "--rebuy")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) > jobs


def test_another_prompt_asks_something_else_and_needs_no_leave(hosted: HostedProject) -> None:
    assert hosted.run("--parts_per_dataset", "1").code == 0
    jobs = len(hosted.jobs())
    (hosted.project.config.parent / "treatment.txt").write_text("Be brief.")
    outcome = hosted.run("--parts_per_dataset", "1", "--resume", "--force")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == jobs + 1


class Killed(BaseException):
    """What no handler of the program expects."""


@pytest.mark.parametrize("moment", ["put aside", "described", "asked"])
def test_another_prompt_needs_no_leave_wherever_a_kill_met_the_resume_that_began_to_ask_it(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    assert hosted.run().code == 0
    bought = hosted.rows_bought()
    (hosted.project.root / "config/treatment.txt").write_text("Something else.\n")
    where, name = {
        "put aside": (answers, "make_ready"),
        "described": (submit, "_describe"),
        "asked": (HostedPart, "_adopt_earlier_job"),
    }[moment]
    real = getattr(where, name)

    def last(*arguments: Any) -> None:
        real(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(where, name, last)
        with pytest.raises(Killed):
            hosted.run("--resume", "--force")
    outcome = hosted.run("--resume", "--force")
    assert outcome.code == 0, outcome.err
    assert hosted.rows_bought() == bought + bought // 2


def test_a_dry_run_pays_nothing_and_needs_no_leave(hosted: HostedProject) -> None:
    assert hosted.run("--parts_per_dataset", "1", "--dry_run").code == 0
    outcome = hosted.run("--parts_per_dataset", "2", "--dry_run", "--resume", "--force")
    assert outcome.code == 0, outcome.err


# --- calls ------------------------------------------------------------------------------------------------------------


def test_one_404_to_the_check_of_the_account_is_asked_again_and_a_second_is_believed(hosted: HostedProject) -> None:
    hosted.emulator.fault("F17", "list_jobs", variant="hidden", count=2)
    outcome = hosted.run()
    assert outcome.code == 1
    assert "has no account" in outcome.err
    assert hosted.jobs() == []
    hosted.emulator.clear_faults()
    hosted.emulator.fault("F17", "list_jobs", variant="hidden", count=1)
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()


def test_a_stop_is_noticed_while_a_file_comes_and_the_resume_fetches_it(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "Timeouts", partial(Timeouts, stopping_s=0.3))
    hosted.emulator.fault("F13", "download", variant="dripped", every_s=0.2, count=-1)
    sentinel = RunDir(hosted.project.root / "experiments", "r").sentinel_path
    timer = threading.Timer(4.0, lambda: sentinel.write_bytes(SOFTLY))
    timer.start()
    outcome = hosted.run()
    timer.join()
    assert outcome.code == 5, outcome.err
    assert "a stop was asked for" in outcome.err
    hosted.emulator.clear_faults()
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()


def test_a_kill_with_half_of_a_file_on_the_disk_costs_nothing(hosted: HostedProject) -> None:
    hosted.emulator.fault("F13", "download", variant="dripped", every_s=0.001, count=-1)
    words = [sys.executable, "-c", _UNBUFFERED, "run", "--run_id", "r"]
    said = hosted.project.root / "said"
    env = os.environ | {"PYTHONPATH": import_path()}
    with said.open("wb") as errors, subprocess.Popen(words, cwd=hosted.project.root, env=env, stderr=errors) as run:
        while not (half := [path for path in hosted.project.run_root().rglob(".*.draft.jsonl.*.tmp") if len_of(path)]):
            assert run.poll() is None, said.read_text()
            time.sleep(0.01)
        run.kill()
    assert run.returncode == -signal.SIGKILL
    assert any(len_of(path) for path in half), "rows that came are there, and nothing says that they are whole"
    hosted.emulator.clear_faults()
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()
    assert not any(path.exists() for path in half)


def len_of(path: Path) -> int:
    """Return the size of a file, which may go away at any time."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_an_arm_whose_name_begins_like_another_is_not_taken_for_it(hosted: HostedProject) -> None:
    """Parts of ``rules_plus`` were paid for and its prompt changes; those of ``rules`` were never asked."""
    arms = {"rules": {"text": "Follow the rules."}, "rules_plus": {"text": "Follow all rules."}}

    def configure(treatments: dict[str, Any]) -> None:
        hosted.project.write_config(
            configuration({"prompt_sets": {"main": {"control": "control.txt", "treatments": treatments}}})
        )

    configure(arms)
    assert hosted.run("--arms", "control,rules_plus", *TO_PARSE).code == 0
    configure(arms | {"rules_plus": {"text": "Follow each rule."}})
    outcome = hosted.run("--condition", "both", "--resume", "--force", *TO_PARSE)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("change", ["templates", "model"])
def test_an_arm_with_other_templates_or_another_model_asks_something_else_and_needs_no_leave(
    hosted: HostedProject, change: str
) -> None:
    own = {"open_book": {"text": "{context} {question}"}, "closed_book": {"text": "{question}"}}
    models = {"models": {"m1": {"id": MODEL}, "m2": {"id": MODEL}}, "sweep": {"models": ["m1"]}}

    def configure(arm: dict[str, Any]) -> None:
        prompt_set = {"control": "control.txt", "treatments": {"a": {"prompt": "treatment.txt"} | arm}}
        hosted.project.write_config(configuration(models | {"prompt_sets": {"main": prompt_set}}))

    configure({"task_instructions": own})
    assert hosted.run(*TO_PARSE).code == 0
    jobs = len(hosted.jobs())
    other = own | {"closed_book": {"text": "Briefly: {question}"}}
    configure({"task_instructions": other} if change == "templates" else {"task_instructions": own, "model": "m2"})
    outcome = hosted.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == jobs + {"templates": 2, "model": 0}[change]


@pytest.mark.parametrize(
    "change",
    [
        {"models": {"m1": {"id": f"{MODEL}-2"}}},
        {"task_instructions": {"open_book": {"text": "{context} {question}"}, "closed_book": {"text": "{question}"}}},
        {"stop": ["\n\n"]},
    ],
    ids=["model", "templates", "stop"],
)
def test_a_trial_that_asks_something_else_in_all_arms_needs_no_leave(
    hosted: HostedProject, change: dict[str, Any]
) -> None:
    models = {"models": {"m1": {"id": MODEL}}}
    hosted.project.write_config(configuration(models))
    assert hosted.run(*TO_PARSE).code == 0
    jobs = len(hosted.jobs())
    hosted.project.write_config(configuration(models | change))
    outcome = hosted.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 2 * jobs


def test_a_record_of_an_earlier_version_that_does_not_say_how_an_arm_was_asked_keeps_the_need_of_leave(
    hosted: HostedProject,
) -> None:
    assert hosted.run("--parts_per_dataset", "1", *TO_PARSE).code == 0
    path = hosted.results() / "trial_manifest.json"
    record = json.loads(path.read_text())
    for entry in record["prompts"].values():
        del entry["asked_with"]
    path.write_text(json.dumps(record))
    outcome = hosted.run("--parts_per_dataset", "2", "--resume", "--force", *TO_PARSE)
    assert outcome.code == 2, outcome.err
    assert "all of them would be asked again: " in outcome.err
