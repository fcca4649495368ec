"""The scripts for clusters on the page of batch files run, as far as they can without a cluster."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest
import yaml

from promptrial.config.providers import ProviderConfig
from promptrial.config.schema import ExperimentConfig
from promptrial.store import jsonl
from tests.support import fake_vllm
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/batch_files.md").read_text()
SLURM = ROOT / "docs/examples/batch_files.slurm"
JOB = ROOT / "docs/examples/batch_files.k8s.yaml"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that waits for the answers to four files."""
    monkeypatch.chdir(tmp_path)
    project = Project.make(tmp_path)
    settings = {"type": "batch_file", "folder": "requests"}
    project.write_config({"provider": "cluster", "providers": {"cluster": settings}, "pricing": {}})
    assert project.run("--to_step", "parse").code == 5
    return project.config.parent / "requests"


def shell(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = fake_vllm.install(folder.parent / "bin")
    return subprocess.run(words, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path, **env})


def script_of_the_job() -> str:
    (container,) = yaml.safe_load(JOB.read_text())["spec"]["template"]["spec"]["containers"]
    (script,) = container["args"]
    return str(script)


@pytest.mark.parametrize("script", [SLURM.read_text(), script_of_the_job()], ids=["slurm", "kubernetes"])
def test_the_scripts_are_bash(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "bash", "-"], input=script, text=True, check=True)


def test_the_job_array_answers_each_file_once_and_can_be_submitted_again(asked: Path) -> None:
    before: dict[str, int] = {}
    for _ in range(2):
        for index in range(5):
            ended = shell(asked, "bash", str(SLURM), str(asked), "m", SLURM_ARRAY_TASK_ID=str(index))
            assert ended.returncode == 0, ended.stderr
        found = {path.name: path.stat().st_mtime_ns for path in asked.glob("*.results.jsonl")}
        assert before in ({}, found)
        before = found
    for path in asked.glob("*.requests.jsonl"):
        assert jsonl.count(path) == jsonl.count(path.with_name(path.name.replace(".requests.", ".results.")))
    assert not list(asked.glob(".*"))


def test_a_task_whose_program_fails_leaves_nothing_behind(asked: Path) -> None:
    ended = shell(asked, "bash", str(SLURM), str(asked), "m", SLURM_ARRAY_TASK_ID="0", FAKE_VLLM_ROWS="none")
    assert ended.returncode != 0
    assert not list(asked.glob("*.results.jsonl"))
    assert not list(asked.glob(".*"))


def test_each_pod_of_the_job_answers_its_file(asked: Path) -> None:
    job = yaml.safe_load(JOB.read_text())
    assert (job["kind"], job["spec"]["completionMode"], job["spec"]["completions"]) == ("Job", "Indexed", 4)
    for index in range(4):
        words = (*job["spec"]["template"]["spec"]["containers"][0]["command"], script_of_the_job())
        ended = shell(asked, *words, FOLDER=str(asked), MODEL="m", JOB_COMPLETION_INDEX=str(index))
        assert ended.returncode == 0, ended.stderr
    assert len(list(asked.glob("*.results.jsonl"))) == 4


def test_the_example_is_a_configuration_of_files() -> None:
    tree = yaml.safe_load((ROOT / "docs/examples/batch_file.yaml").read_text())
    assert ProviderConfig.model_validate(tree["providers"]["cluster"]).type == "batch_file"
    assert set(tree) <= set(ExperimentConfig.model_fields)


def test_the_page_names_the_existing_keys_and_vendors() -> None:
    keys = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| `[a-z_].*?\|", PAGE, flags=re.MULTILINE)))
    assert {"folder", "written_for", "wait", "quiet_s", "max_rows", "max_bytes"} <= set(keys)
    (vendors, _) = get_args(ProviderConfig.model_fields["written_for"].annotation)
    assert all(f"`{name}`" in PAGE for name in get_args(vendors))
