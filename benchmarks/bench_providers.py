"""What a run of 10,000 rows costs at each batch provider, emulator included, beside the same run at Fireworks.

Each run is a process of its own: ``promptrial run --dry_run --to_step parse``, whose emulator works in the same process
over real HTTP. The runs of all providers take turns, so that a busy machine is busy for each; CPU is that of the
process, user and system. Ends with 1 if a provider takes more than ``MOST`` times what Fireworks does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from environment import environment_line

ROWS = 10_000
RUNS = 3
MOST = 1.5
BASE = "fireworks"
MODELS = {BASE: "accounts/fireworks/models/small", "openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}
"""What is measured: provider -> a model of it."""
CONFIG = """\
name: bench
provider: {provider}
models: {{m1: {{id: {model}}}}}
prompt_sets: {{main: {{control: control.txt, treatment: treatment.txt}}}}
datasets: {{questions: {{format: custom, path: questions.jsonl}}}}
execution: {{poll_interval_s: 0.01, longest_poll_interval_s: 0.1}}
"""


class Taken(NamedTuple):
    """What one run took: seconds of CPU, seconds, and MiB of memory at its largest."""

    cpu_s: float
    wall_s: float
    memory: float


def write_experiment(folder: Path, provider: str) -> Path:
    """Write a configuration of two arms over half as many questions as rows, and return its path."""
    folder.mkdir()
    (folder / "control.txt").write_text("You are a careful assistant.\n")
    (folder / "treatment.txt").write_text('Be accurate. If you do not know, reply exactly "I don\'t know."\n')
    rows = (
        {"id": f"q{n}", "question": f"What is the name of place {n}?", "answers": [f"place {n}"]}
        for n in range(ROWS // 2)
    )
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "eval_config.yaml"
    path.write_text(CONFIG.format(provider=provider, model=MODELS[provider]))
    return path


def measure(config: Path, run_id: str) -> Taken:
    """Run the experiment once, from its questions to its predictions."""
    flags = ["--config", str(config), "--run_id", run_id, "--dry_run", "--to_step", "parse"]
    began = time.perf_counter()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [sys.executable, "-m", "promptrial", "run", *flags],
            cwd=config.parent, stdout=subprocess.DEVNULL, stderr=said,
        ) as process,
    ):  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"the run ended with {process.returncode}:\n{said.read().decode()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Taken(used.ru_utime + used.ru_stime, time.perf_counter() - began, used.ru_maxrss * unit / (1 << 20))


def main() -> int:
    """Print the table; return the exit code."""
    print(environment_line("promptrial", "httpx"))
    print(f"{ROWS:,} rows, medians of {RUNS} runs each, taken in turn")
    taken: dict[str, list[Taken]] = {name: [] for name in MODELS}
    with tempfile.TemporaryDirectory() as place:
        configs = {name: write_experiment(Path(place) / name, name) for name in MODELS}
        for number in range(RUNS):
            for name, config in configs.items():
                taken[name].append(measure(config, f"b{number}"))
    medians = {
        name: Taken(*(statistics.median(part) for part in zip(*found, strict=True))) for name, found in taken.items()
    }
    print(f"{'provider':<12}{'CPU s':>9}{'ratio':>8}{'wall s':>9}{'MiB':>7}")
    worst = 0.0
    for name, found in medians.items():
        ratio = found.cpu_s / medians[BASE].cpu_s
        worst = max(worst, ratio)
        print(f"{name:<12}{found.cpu_s:>9.2f}{ratio:>8.2f}{found.wall_s:>9.2f}{found.memory:>7.0f}")
    print(f"most: {worst:.2f} times {BASE}; allowed: {MOST:g}")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
