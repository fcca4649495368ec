"""The page on large runs: its tables follow from the slopes, and its job files are ones that the program takes."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from promptrial.cli.main import COMMANDS, build_parser
from promptrial.errors import ConfigError, CostCapReached, ResumeError, StopRequested, UsageError
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
SLURM = ROOT / "docs/examples/run.slurm"
JOB: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docs/examples/run.k8s.yaml").read_text(encoding="utf-8"))
POD = JOB["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
NOTES_ITS_WORDS = """#!/bin/bash
printf '%s\\n' "$@" > "$NOTED"
"""
WAITS_FOR_A_SIGNAL = """#!/bin/bash
trap 'exit 5' TERM
: > "$NOTED"
while :; do read -rt 0.05 < /dev/zero || true; done
"""


def environment(folder: Path, program: str) -> dict[str, str]:
    """Return an environment in which ``promptrial`` is a program of the test."""
    path = folder / "bin" / "promptrial"
    path.parent.mkdir()
    path.write_text(program)
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "NOTED": str(folder / "noted")}


def words_of_the_script(folder: Path, *more: str) -> list[str]:
    env = environment(folder, NOTES_ITS_WORDS) | {"SLURM_CPUS_PER_TASK": "2"}
    subprocess.run(["bash", str(SLURM), "a trial.yaml", "night", "runs", *more], env=env, check=True)
    return (folder / "noted").read_text().splitlines()


def test_the_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(SLURM)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(SLURM)], check=True)


def test_the_program_accepts_the_command_of_the_script(tmp_path: Path) -> None:
    verb, *words = words_of_the_script(tmp_path, "--max_cost_usd", "20")
    assert verb in COMMANDS
    found = build_parser(verb).parse_args([verb, *words])
    assert (found.config, found.run_id, found.workers, found.yes) == (Path("a trial.yaml"), "night", 2, True)
    assert (found.experiments_dir, found.max_cost_usd) == (Path("runs"), 20)


def test_without_a_run_the_script_names_what_is_missing() -> None:
    ended = subprocess.run(["bash", str(SLURM), "c.yaml"], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "give the name of the run" in ended.stderr


def test_a_signal_to_the_job_reaches_the_program_and_its_exit_code_is_that_of_the_job(tmp_path: Path) -> None:
    env = environment(tmp_path, WAITS_FOR_A_SIGNAL)
    with subprocess.Popen(["bash", str(SLURM), "c.yaml", "night", str(tmp_path)], env=env) as job:
        end = time.monotonic() + 20
        while not (tmp_path / "noted").exists() and time.monotonic() < end:
            time.sleep(0.01)
        job.send_signal(signal.SIGTERM)
        assert job.wait(20) == 5


def test_the_program_accepts_the_arguments_of_the_pod() -> None:
    words: list[str] = CONTAINER["command"] + CONTAINER["args"]
    program = words.pop(0)
    assert program == "promptrial"
    found = build_parser(words[0]).parse_args(words)
    (mount,) = CONTAINER["volumeMounts"]
    for path in (found.config, found.experiments_dir):
        assert path.is_relative_to(mount["mountPath"])
    assert str(found.workers) == CONTAINER["resources"]["requests"]["cpu"]
    assert [volume["name"] for volume in POD["volumes"]] == [mount["name"]]


def test_the_job_runs_one_pod_at_a_time_and_gives_up_if_a_retry_would_not_help() -> None:
    assert (JOB["apiVersion"], JOB["kind"]) == ("batch/v1", "Job")
    assert (JOB["spec"]["parallelism"], JOB["spec"]["completions"]) == (1, 1)
    assert POD["restartPolicy"] == "Never", "podFailurePolicy needs it"
    ignored, failing = JOB["spec"]["podFailurePolicy"]["rules"]
    assert (ignored["action"], ignored["onPodConditions"]) == ("Ignore", [{"type": "DisruptionTarget"}])
    assert failing["onExitCodes"]["containerName"] == CONTAINER["name"]
    final = {error.exit_code for error in (UsageError, ConfigError, ResumeError, StopRequested, CostCapReached)}
    assert set(failing["onExitCodes"]["values"]) == final


def test_the_same_command_starts_a_run_and_continues_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project.make(tmp_path)
    settings = {"type": "batch_file", "folder": "requests"}
    project.write_config({"provider": "cluster", "providers": {"cluster": settings}, "pricing": {}})
    words = words_of_the_script(tmp_path, "--to_step", "build")
    flags = words[words.index("--workers") :]
    assert "--resume" not in flags
    for said in ("build: running", "nothing was left to do"):
        ended = project.run(*flags)
        assert ended.code == 0, ended.err
        assert said in ended.err


def test_commands_on_the_page_name_files_that_exist() -> None:
    named = re.findall(r"`(docs/examples/\S+|benchmarks/\S+\.py)`", PAGE)
    assert {"docs/examples/run.slurm", "docs/examples/run.k8s.yaml"} <= set(named)
    assert all((ROOT / name).is_file() for name in named)
    for line in re.findall(r"^sbatch .*$", PAGE, re.MULTILINE):
        assert shlex.split(line)[1] == SLURM.name


def tables() -> Any:
    spec = importlib.util.spec_from_file_location("scaling_tables", ROOT / "docs/scaling_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_extrapolated_figures_are_on_the_line_through_the_measurements() -> None:
    module = tables()
    slopes = {
        "phases": {
            "parse": {"megabytes": {"fixed": 200.0, "per_million": 1.0}},
            "stats": {"megabytes": {"fixed": 100.0, "per_million": 900.0}},
            "costs": {"megabytes": {"fixed": 150.0, "per_million": 0.0}},
        }
    }
    assert module.memory_gb(slopes["phases"]["stats"], 100_000_000) == pytest.approx(90.1)
    assert module.answers_within(slopes["phases"]["stats"], 1.0) == pytest.approx(1_000_000)
    assert module.answers_within(slopes["phases"]["costs"], 1.0) == float("inf")
    assert module.first_bottleneck(slopes) == "stats"


def test_parts_are_split_per_arm_within_the_limits_of_the_vendor() -> None:
    module = tables()
    assert module.parts(50_000, 100_000_000) == 2_000
    assert module.parts(50_000, 100_001) == 4
    assert module.rows_of_a_part("openai", 700) == 50_000
    assert module.rows_of_a_part("openai", 10_000) == 20_000
    assert module.rows_of_a_part("anthropic", 700) == 100_000
    assert module.rows_of_a_part("groq", 10_000) == 10_000
    assert module.rows_of_a_part("fireworks", 1_000) == 500_000


def test_the_page_says_at_which_sizes_its_figures_were_measured() -> None:
    small, large = tables().measured()["answers"]
    assert f"Measured at {small:,} and {large:,} answers" in PAGE
    assert small < large
