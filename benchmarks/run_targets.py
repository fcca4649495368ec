"""Runs every benchmark of the table of targets, one after the other, and prints the table: what ``make bench`` does.

``--large`` runs those that take long or need much disk (``make bench-large``). Each writes its rows into the folder of
``--keep``; the table is made of all files there, so that after both commands it is complete. A benchmark that fails
does not stop the others, and leaves no rows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

import targets

HERE: Final = Path(__file__).resolve().parent
KEPT: Final = HERE.parent / "build" / "bench"
QUICK: Final = {
    "startup": ("bench_startup.py",),
    "plan": ("bench_plan.py",),
    "pipeline": ("bench_pipeline.py", "50000", "250000"),
    "parts": ("bench_parts.py", "100", "1000", "10000", "--asked", "2", "100", "1000"),
    "kernels": ("bench_kernels.py",),
    "kernels_f1": ("bench_kernels.py", "--scores", "f1"),
    "embedded": ("bench_embedded.py", "--cores"),
    "live": ("bench_live.py",),
}
LARGE: Final = {
    "large_pipeline": ("bench_pipeline.py", "10000", "50000", "250000", "1000000"),
    "large_parts": ("bench_parts.py", "100", "--asked", "2", "100", "10000"),
    "large_results_file": ("bench_results_file.py", "--gigabytes", "5"),
}
"""File of rows -> command. Files are read as they were written: of rows with the same work the newest counts."""


def main() -> int:
    """Run them; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--keep", type=Path, default=KEPT, metavar="FOLDER")
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, (script, *flags) in (LARGE if asked.large else QUICK).items():
        file = asked.keep / f"{name}.json"
        file.unlink(missing_ok=True)  # rows of an earlier version are not shown as those of this one
        print(f"\n== {script} {' '.join(flags)}", flush=True)
        command = [sys.executable, str(HERE / script), *flags, "--json", str(file)]
        if subprocess.run(command, check=False).returncode:
            failed.append(script)
    print("\n== all rows", flush=True)
    targets.print_files(sorted(asked.keep.glob("*.json"), key=lambda file: file.stat().st_mtime))
    for script in failed:
        print(f"failed: {script}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
