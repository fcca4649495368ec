"""Put each deliberate bug into a copy of the sources, and see that its tests fail: ``make mutants``.

``python -m tests.mutants.run_mutants [WORDS]`` runs those whose name holds the words. Exit 1 if a bug is not noticed,
or if its tests fail without it, and if no name holds the words.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.mutants.copied import copied_sources
from tests.mutants.mutants import MUTANTS, Mutant

ROOT: Final = Path(__file__).parents[2]


def main(words: str = "") -> int:
    """Run the mutants whose name holds ``words``; return the exit code."""
    chosen = [mutant for mutant in MUTANTS if words in mutant.name]
    if not chosen:
        print(f"no deliberate bug has {words!r} in its name")
        return 1
    needed = sorted({test for mutant in chosen for test in mutant.tests})
    with tempfile.TemporaryDirectory() as folder:
        copied_sources(Path(folder))
        if not _pass(Path(folder), needed):
            print("the tests fail without any mutant; make them pass first")
            return 1
        survived = [mutant.name for mutant in chosen if not _noticed(Path(folder), mutant)]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} deliberate bugs are noticed")
    return 1 if survived else 0


def _noticed(folder: Path, mutant: Mutant) -> bool:
    path = folder / "src/promptrial" / mutant.module
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        noticed = not _pass(folder, mutant.tests)
    finally:
        path.write_text(whole, encoding="utf-8")
    print(f"{'noticed     ' if noticed else 'NOT NOTICED '} {mutant.name}", flush=True)
    return noticed


def _pass(folder: Path, tests: list[str] | tuple[str, ...]) -> bool:
    """Return whether tests pass on the sources in ``folder``."""
    env = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    outcome = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if outcome.returncode not in (0, 1):  # neither passed nor failed: no test ran
        raise SystemExit(outcome.stdout + outcome.stderr)
    return outcome.returncode == 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
