"""Runs of many parts: what ``status``, ``plan`` and a resume with nothing left take, and what each part costs to ask.

Every part has one request. The first table is of runs whose results have all come in; the second of dry runs, in which
the emulator answers each part as a batch of its own: processor time (the emulator's included) and bytes written for
each part, beyond those of the smallest run. ``bench_parts.py 100 1000`` takes other numbers of parts for the
first table, ``--asked 100 400`` for the second.
"""

from __future__ import annotations

import argparse
import json
import os
import random  # noqa: TID251 - seeded synthetic data
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench_pipeline import answer_rows, answered_run, flags_of, write_questions, write_trial
from environment import environment_line
from processes import taken
from zipf_words import Texts

PARTS: Final = (100, 1_000, 10_000)
ASKED: Final = (2, 100, 1_000)
DATASETS: Final = {
    "open_set": {"format": "squad_v2", "path": "open.json"},
    "closed_set": {"format": "custom", "path": "closed.jsonl"},
}
DRY_RUN: Final = """
import resource, sys, time
from promptrial.cli.main import main
assert main(sys.argv[1:]) == 0
written = dict(line.split(": ") for line in open("/proc/self/io").read().splitlines())["wchar"]
print("\\nFIGURES", time.process_time(), written)
"""


def texts_of(seed: int) -> Texts:
    """Return made-up words."""
    return Texts(random.Random(seed), 2_000)  # noqa: S311 - not for secrets


def looked_at(parts: int) -> None:
    """Print the row of a run of so many parts whose results have all come in."""
    with tempfile.TemporaryDirectory() as name:
        folder, texts = Path(name), texts_of(1)
        gold = write_questions(folder, parts // 2, texts)
        config = write_trial(folder, "Reply briefly.", DATASETS, lines_per_part=1)
        answered_run(folder, config, lambda requests: answer_rows(requests, gold, texts))
        flags = flags_of(folder)
        status = taken(["-m", "promptrial", "status", *flags[2:]])
        plan = taken(["-m", "promptrial", "plan", *flags])
        taken(["-m", "promptrial", "run", *flags, "--resume"])
        resume = taken(["-m", "promptrial", "run", *flags, "--resume"])
    times = "".join(f"{each.processor:>10.2f}" for each in (status, plan, resume))
    print(f"{parts:>10,}{times}{resume.megabytes:>10.0f}", flush=True)


def asked(parts: int) -> tuple[float, float]:
    """Return processor seconds and bytes written of a dry run of so many parts, up to poll."""
    with tempfile.TemporaryDirectory() as name:
        folder, texts = Path(name), texts_of(2)
        rows = ({"id": f"q{at}", "question": texts.draw(9), "answers": [texts.draw(2)]} for at in range(parts // 2))
        (folder / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = {"provider": "openai", "models": {"m": {"id": "gpt-4o-mini"}}, "lines_per_part": 1}
        config = write_trial(folder, "Reply briefly.", {"closed_set": DATASETS["closed_set"]}, **settings)
        flags = ["--config", str(config), "--experiments_dir", str(folder), "--run_id", "bench", "--dry_run"]
        command = [sys.executable, "-c", DRY_RUN, "run", *flags, "--to_step", "poll", "--display", "none"]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seconds, written = printed.stdout.rpartition("FIGURES ")[2].split()
    return float(seconds), float(written)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", type=int, default=PARTS)
    parser.add_argument("--asked", nargs="*", type=int, default=ASKED)
    wanted = parser.parse_args()
    print(environment_line("promptrial"))
    print(f"processor seconds, load {os.getloadavg()[0]:.1f}")
    print(f"{'parts':>10}{'status':>10}{'plan':>10}{'resume':>10}{'peak MB':>10}")
    for parts in wanted.parts:
        looked_at(parts)
    if not wanted.asked:
        return
    base, *rest = [(parts, *asked(parts)) for parts in wanted.asked]
    print(f"\n{'asked':>10}{'ms a part':>12}{'KB a part':>12}")
    for parts, seconds, written in rest:
        more = parts - base[0]
        print(f"{parts:>10,}{1e3 * (seconds - base[1]) / more:>12.1f}{(written - base[2]) / more / 1e3:>12.1f}")


if __name__ == "__main__":
    main()
