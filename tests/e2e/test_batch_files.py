"""A run with request files ends with the commands to run, and a resume continues with the answers that they wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from promptrial import registry
from promptrial.store import jsonl
from tests.support import fake_vllm
from tests.support.project import Outcome, Project

QUICK = {"poll_interval_s": 0.005, "longest_poll_interval_s": 0.02, "settle_s": 0.05, "outage_s": 3.0}


@dataclass
class Files:
    """A project whose requests are files, and a program ``vllm`` that answers them."""

    project: Project
    path: str

    @property
    def folder(self) -> Path:
        return self.project.run_root() / "batch_files"

    def run(self, *flags: str) -> Outcome:
        return self.project.run(*flags, "--to_step", "parse")

    def configure(self, **options: Any) -> None:
        self.project.write_config(
            {
                "provider": "files",
                "providers": {"files": {"type": "batch_file", **options}},
                "pricing": {"files": {"models": {"m1": {"input_per_million": 1.0, "output_per_million": 2.0}}}},
                "execution": QUICK,
            }
        )

    def execute(self, commands: Sequence[str], **env: str) -> None:
        for command in commands:
            subprocess.run(command, shell=True, check=True, env={**os.environ, "PATH": self.path, **env})  # noqa: S602

    def table(self) -> Any:
        found = pq.read_table(self.project.trial_folder() / "results/predictions.parquet").sort_by("custom_id")
        return found.drop_columns(["request_id"])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.chdir(tmp_path)
    found = Files(Project.make(tmp_path), fake_vllm.install(tmp_path / "bin"))
    found.configure()
    return found


def commands_of(outcome: Outcome) -> list[str]:
    return re.findall(r"^  (vllm run-batch .*)$", outcome.err, flags=re.MULTILINE)


def test_a_run_ends_with_the_commands_to_run_and_a_resume_finishes_it_after_them(files: Files) -> None:
    first = files.run()
    assert first.code == 5
    commands = commands_of(first)
    assert len(commands) == 4
    assert "then resume it with: promptrial run --run_id r --resume" in first.err.replace("python -m ", "")
    again = files.run("--resume")
    assert (again.code, commands_of(again)) == (5, commands)
    files.execute(commands)
    assert files.run("--resume").code == 0
    assert len(files.table()) == 28
    assert "nothing was left to do" in files.run("--resume").err


def test_status_and_plan_say_what_the_run_waits_for(files: Files) -> None:
    files.run()
    status = files.project.call("status", "r").out
    assert "stopped" in status
    assert "4 jobs at files" in status
    waited = re.findall(r"waiting for (\S+jsonl)", status)
    assert sorted(set(waited)) == sorted(
        str(path).replace(".requests.", ".results.")
        for path in Path("experiments/run_r/batch_files").glob("*.requests.jsonl")
    )
    plan = files.project.call("plan", "--run_id", "r", "--to_step", "parse").prose
    assert f"waiting for {waited[0]}" in plan


def test_answers_from_before_a_crash_are_kept_and_the_rest_is_written_as_smaller_files(files: Files) -> None:
    commands = commands_of(files.run())
    files.execute(commands, FAKE_VLLM_ROWS="2")
    files.configure(quiet_s=0.001)
    second = files.run("--resume")
    assert second.code == 5
    smaller = commands_of(second)
    assert len(smaller) == 4
    assert all("-a2.requests.jsonl" in command for command in smaller)
    assert [jsonl.count(path) for path in sorted(files.folder.glob("*-a2.requests.jsonl"))] == [5] * 4
    files.execute(smaller)
    assert files.run("--resume").code == 0
    broken = files.table()
    files.execute(["rm -r experiments"])
    files.execute(commands_of(files.run()))
    assert files.run("--resume").code == 0
    assert files.table() == broken


def test_a_swapped_file_is_one_clear_error_and_swapping_it_back_fixes_it(files: Files) -> None:
    files.execute(commands_of(files.run()))
    one, other = sorted(files.folder.glob("*.results.jsonl"))[:2]
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    failed = files.run("--resume")
    assert failed.code == 1
    assert f"{one.relative_to(files.project.root)}:1: answers" in failed.err
    assert "which is not in this job" in failed.err
    assert "Traceback" not in failed.err
    one.write_bytes(kept)
    assert files.run("--resume").code == 0


def test_result_files_may_have_the_names_of_the_vendors_page(files: Files) -> None:
    files.configure(written_for="openai", folder="for the vendor")
    first = files.run()
    assert first.code == 5
    folder = files.project.root / "config" / "for the vendor"
    assert f"# upload config/for the vendor/{min(folder.glob('*.requests.jsonl')).name} at https://" in first.err
    for number, path in enumerate(sorted(folder.glob("*.requests.jsonl"))):
        files.execute([f"vllm run-batch -i '{path}' -o '{folder}/batch_{number}_output.jsonl' --model m"])
    assert files.run("--resume").code == 0
    assert len(files.table()) == 28


def test_a_run_that_waits_continues_as_soon_as_the_answers_exist(files: Files) -> None:
    files.configure(wait=True)
    script = (
        "while [ $(ls experiments/run_r/batch_files/*.job.json 2>/dev/null | wc -l) -lt 4 ]; do sleep 0.05; done; "
        "cd experiments/run_r/batch_files; for f in *.requests.jsonl; do "
        'vllm run-batch -i $f -o .tmp --model m && mv .tmp "${f%.requests.jsonl}.results.jsonl"; done'
    )
    with subprocess.Popen(script, shell=True, env={**os.environ, "PATH": files.path}) as person:  # noqa: S602
        outcome = files.run()
        person.wait(60)
    assert outcome.code == 0
    assert "waiting for experiments/run_r/batch_files/" in outcome.err
    assert len(files.table()) == 28


def test_a_dry_run_answers_the_files_itself_and_writes_to_no_folder_of_the_user(files: Files) -> None:
    files.configure(folder="mine")
    outcome = files.run("--dry_run")
    assert outcome.code == 0
    assert not (files.project.root / "config" / "mine").exists()
    assert len(list(files.folder.glob("*.results.jsonl"))) == 4
    (row, *_) = jsonl.lines(next(files.folder.glob("*.results.jsonl")))
    assert json.loads(row)["id"].startswith("vllm-")


def test_other_models_finish_before_the_run_stops_to_wait_for_a_person(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
    files.configure()
    tree = yaml.safe_load(files.project.config.read_text())
    tree["models"]["here"] = {"id": "vendor/model-2", "provider": "fake"}
    tree["sweep"]["models"] = ["m1", "here"]
    files.project.config.write_text(yaml.safe_dump(tree))
    outcome = files.run()
    assert (outcome.code, len(commands_of(outcome))) == (5, 4)
    here = next(path for path in files.project.run_root().iterdir() if path.name.startswith("here"))
    assert len([*here.glob("results/*/*results.jsonl"), *here.glob("results/*.jsonl")]) >= 4
