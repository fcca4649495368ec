"""Every command that the README tells a user to type works as written."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial.cli.main import main
from promptrial.config.presets import PRESETS
from promptrial.errors import MissingDependencyError
from promptrial.model import ModelSpec
from promptrial.providers.embedded_weights import check_installed, weights_path
from promptrial.registry import PHASES
from tests.support.llama_server import llama_server
from tests.support.project import Outcome, Project

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
OWN_SERVER = (ROOT / "docs/own_server.md").read_text()


def blocks(section: str, kind: str, page: str = README) -> list[str]:
    """Return the blocks of a kind (``sh``, ``text``) in a section of a page."""
    text = page.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(section: str, page: str = README) -> list[str]:
    """Return the commands of a section, without the comments behind them."""
    lines = [line for block in blocks(section, "sh", page) for line in block.splitlines()]
    return [line.partition("#")[0].strip() for line in lines if line.strip()]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Return what runs a command of the program in this process, with runs kept in a temporary folder."""

    def run(command: str, experiments: Path, cwd: Path = ROOT, **more: str) -> Outcome:
        name, *words = shlex.split(command)
        assert name == "promptrial"
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            for variable, value in {"PROMPTRIAL_EXPERIMENTS_DIR": str(experiments), **more}.items():
                patch.setenv(variable, value)
            return Project(cwd).call(*words)

    return run


def make(words: str, experiments: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, with runs kept in a temporary folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PROMPTRIAL_EXPERIMENTS_DIR": str(experiments), **more}
    return subprocess.run(["make", *words.split()], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_five_commands_work_in_the_order_of_the_page(program: Callable[..., Outcome], tmp_path: Path) -> None:
    assert len(commands("Plan, run, resume")) == 5
    for command in commands("Plan, run, resume"):
        outcome = program(command, tmp_path)
        assert outcome.code == 0, f"{command}\n{outcome.err}"
    assert (tmp_path / "run_first/aggregate_report.md").exists()


def test_every_section_with_commands_is_tested() -> None:
    tested = commands("Plan, run, resume") + commands("The first minute")
    assert len(re.findall(r"^```sh$", README, re.MULTILINE)) == 2
    assert all(command.startswith("promptrial ") for command in tested)
    assert len(re.findall(r"^```sh$", OWN_SERVER, re.MULTILINE)) == 1


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_first_minute_goes_from_a_file_and_two_prompts_to_a_verdict(
    program: Callable[..., Outcome], tmp_path: Path
) -> None:
    header, row = blocks("The first minute", "text")[1].splitlines()
    rows = "".join(f"{row.partition('?')[0]} ({n})?{row.partition('?')[2]}\n" for n in range(11))
    (tmp_path / "questions.csv").write_text(f"{header}\n{rows}")
    (tmp_path / "A.txt").write_text("Answer with one word.\n")
    (tmp_path / "B.txt").write_text("Answer with the name alone.\n")
    first, *others = commands("The first minute")
    outcome = program(first, tmp_path / "experiments", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "Effects, treatment.txt minus control.txt" in outcome.out
    for command in others:
        outcome = program(command, tmp_path / "experiments", tmp_path, PROMPTRIAL_LIMIT_ITEMS="1")
        assert outcome.code == 0, f"{command}\n{outcome.err}"


@pytest.mark.timeout(200)
def test_the_commands_for_any_model_do_what_the_page_says(program: Callable[..., Outcome], tmp_path: Path) -> None:
    section = README.split("\n## Any model\n", 1)[1].split("\n## ", 1)[0]
    init, models, run = re.findall(r"^    (promptrial .*?)\s*#", section, re.MULTILINE)
    (tmp_path / "config").symlink_to(ROOT / "config")
    outcome = program(init, tmp_path / "experiments", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "ANTHROPIC_API_KEY is not set" in outcome.out
    outcome = program(models, tmp_path / "experiments", tmp_path)
    assert outcome.code == 1, outcome.err
    assert "key      ANTHROPIC_API_KEY: missing" in outcome.out
    outcome = program(run, tmp_path / "experiments", tmp_path, PROMPTRIAL_LIMIT_ITEMS="2")
    assert outcome.code == 0, outcome.err
    assert "Warning (dry run): all" in outcome.out


@pytest.mark.engine
def test_the_engine_package_serves_a_file_as_the_page_shows() -> None:
    (block,) = blocks("Start", "python", OWN_SERVER)
    weights = weights_path(ModelSpec("small", "smollm2-135m-instruct", "embedded"))
    program = block.replace("qwen3-8b.gguf", str(weights)).replace("8080", "0")
    # A server of the engine that is ended before it serves waits for itself forever.
    serves = "urllib.request.urlopen(server.listening_address + '/health'); print(server.listening_address); input("
    served = f"import urllib.request\n{program.replace('input(', serves)}"
    done = subprocess.run([sys.executable, "-c", served], input="\n", capture_output=True, text=True, check=True)
    assert "http://127.0.0.1:" in done.stdout


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_two_commands_reach_a_verdict_on_a_manually_started_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At another port than the page's, which may be taken here; that the program asks at that one is compared."""
    started = blocks("Start", "text", OWN_SERVER)[0].split()
    port, model = started[started.index("--port") + 1], started[started.index("-m") + 1]
    preset = PRESETS["llamacpp"]
    assert preset.base_url == f"http://127.0.0.1:{port}/v1"
    setup, command = commands("Start", OWN_SERVER)
    assert make(f"-n {setup.removeprefix('make ')}", tmp_path).returncode == 0
    program, *words = shlex.split(command)
    assert program == ".venv/bin/promptrial"
    monkeypatch.chdir(ROOT)
    with llama_server(name=model) as url:
        flags = ["--base_url", url, "--experiments_dir", str(tmp_path), "-n", "2", "--max_tokens", "4"]
        assert main([*words, *flags]) == 0
    assert "Effects, " in capsys.readouterr().out


def test_the_readme_and_the_program_name_the_same_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError) as missing:
        check_installed(with_model=True)
    assert blocks("The first minute", "text")[0].strip() == missing.value.hint


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_make_demo_runs_a_trial_and_shows_its_result(tmp_path: Path) -> None:
    outcome = make("demo", tmp_path, PROMPTRIAL_LIMIT_ITEMS="1")
    assert outcome.returncode == 0, outcome.stderr
    assert "Token F1" in outcome.stdout
    assert "report.md" in outcome.stdout
    said = [line for line in outcome.stdout.splitlines() if not line.startswith("make[")]
    assert said[-1].endswith("report.html")


def test_the_first_two_commands_of_the_readme_are_make_targets() -> None:
    opening = README.split("\n## ", 1)[0]
    assert re.findall(r"^    (make \w+)", opening, re.MULTILINE) == ["make demo", "make test"]
    for target in ("demo", "test", "check", "smoke", "plan", "bench", "setup", "clean"):
        if target in README or target in ("demo", "test"):
            outcome = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
            assert outcome.returncode == 0, outcome.stderr


def test_the_readme_names_the_nine_phases_in_order() -> None:
    assert "  ".join(PHASES) in README


def test_the_links_of_the_readme_have_targets() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_rows_that_the_page_of_question_files_shows_are_rows_that_the_program_reads(tmp_path: Path) -> None:
    page = (ROOT / "docs/questions.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith('{"id"')]
    assert all(json.loads(row)["id"] for row in rows)
    from promptrial.datasets.custom import FORMAT

    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(rows) + "\n")
    assert [item.type for item in FORMAT.read(path, "own")] == ["closed", "open"]
