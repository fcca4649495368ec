"""The quick commands stay quick: they import no numeric, HTTP or engine library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from promptrial import registry

ROOT = Path(__file__).parents[2]
HEAVY = {
    "genai_prices",
    "httpx2",
    "numpy",
    "scipy",
    "pyarrow",
    "httpx",
    "xllamacpp",
    "rich",
    "polars",
    "pandas",
    "torch",
}
PROBE = """
import sys
from promptrial.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as exit_:
    code = exit_.code or 0
ours = {name for name in sys.modules if name.startswith("promptrial.")}
print("\\nMODULES", *sorted({name.partition(".")[0] for name in sys.modules} | ours))
sys.exit(code)
"""


def modules_of(*arguments: str, cwd: Path = ROOT) -> set[str]:
    """Return the top-level modules, and ours, that a command has imported by its end."""
    outcome = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return set(outcome.stdout.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["plan", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    assert not modules_of(*arguments) & {*HEAVY, "pydantic", "yaml"}


def test_plan_and_status_import_nothing_heavy_before_and_within_a_run(tmp_path: Path) -> None:
    flags = ["--experiments_dir", str(tmp_path), "--run_id", "quick"]
    assert not modules_of("plan", *flags) & HEAVY
    modules_of("run", *flags, "--to_step", "build", "--limit_items", "2")
    assert not modules_of("plan", *flags) & HEAVY
    assert not modules_of("run", *flags, "--resume", "--plan_only") & HEAVY
    assert not modules_of("status", *flags) & {*HEAVY, "pydantic", "promptrial.model.values"}


def test_a_command_exits_without_a_final_garbage_collection(tmp_path: Path) -> None:
    code = (
        "import atexit, gc; from promptrial.cli.main import entry_point; "
        "atexit.register(lambda: print('frozen', gc.get_freeze_count() > 0)); "
        f"entry_point(['list', '--experiments_dir', {str(tmp_path)!r}])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.splitlines()[-1] == "frozen True"


def test_the_registry_names_only_what_exists() -> None:
    tables = {
        "phase": registry.PHASES,
        "provider": registry.PROVIDERS,
        "dataset format": registry.DATASETS,
        "scorer": registry.SCORERS,
        "statistic": registry.STATISTICS,
    }
    for kind, table in tables.items():
        for name in table:
            assert registry.load(kind, name) is not None


def test_a_script_started_with_a_python_that_lacks_the_package_names_the_command_that_sets_it_up() -> None:
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); import scripts.run_all"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 1
    assert "make setup" in outcome.stderr


@pytest.mark.parametrize("how", [["-m", "scripts.run_all"], ["scripts/run_all.py"], ["-m", "promptrial", "run"]])
def test_the_program_starts_the_same_way_from_every_entry_point(how: list[str]) -> None:
    outcome = subprocess.run(
        [sys.executable, *how, "--only_step", "nonsense"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 2
    assert "prepare, build, submit, poll, parse, score, stats, costs, report" in outcome.stderr
