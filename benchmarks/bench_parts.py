"""Runs of many parts: what ``status``, ``plan`` and a resume with nothing left take, and what each part costs to ask.

Every part has one request. The first table is of runs whose results have all come in. In the second the emulator, a
process of its own, answers each part as a batch: processor time of the program and bytes that it writes, beyond those
of the smallest run, for each part and for each event of a job (a line of the journal). ``bench_parts.py 100 1000``
takes other numbers of parts for the first table, ``--asked 2 100 400`` for the second; ``--asked`` alone leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import random  # noqa: TID251 - seeded synthetic data
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench_pipeline import answer_rows, answered_run, flags_of, write_questions, write_trial
from environment import environment_line
from processes import Taken, taken
from targets import Row, add_json_flag, report, row
from zipf_words import Texts

PARTS: Final = (100, 1_000, 10_000)
ASKED: Final = (2, 100, 1_000)
DATASETS: Final = {
    "open_set": {"format": "squad_v2", "path": "open.json"},
    "closed_set": {"format": "custom", "path": "closed.jsonl"},
}
KEY: Final = "emulator-key"
RUN: Final = """
import json, sys, time
from promptrial.cli.main import main
from promptrial.store.journal import Journal
events, append = 0, Journal.append
def counted(self, event):
    global events
    events += 1
    append(self, event)
Journal.append = counted
assert main(sys.argv[1:]) == 0
written = dict(line.split(": ") for line in open("/proc/self/io").read().splitlines())["wchar"]
print("\\nFIGURES", time.process_time(), written, events)
"""


class Looked(NamedTuple):
    """What commands take on a run whose results have all come in, and the bytes of its records."""

    status: Taken
    plan: Taken
    resume: Taken
    manifests: int


class Asked(NamedTuple):
    """What a run takes up to poll: processor seconds, bytes written, events in journals, and bytes of its records."""

    processor: float
    written: float
    events: float
    manifests: int


def texts_of(seed: int) -> Texts:
    """Return made-up words."""
    return Texts(random.Random(seed), 2_000)  # noqa: S311 - not for secrets


def manifests(folder: Path) -> int:
    """Return the bytes of all records of a run."""
    run = folder / "run_bench"
    return sum(path.stat().st_size for name in ("*manifest.json", "run_state.json") for path in run.rglob(name))


def looked_at(parts: int) -> Looked:
    """Look at a run of so many parts whose results have all come in."""
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
        return Looked(status, plan, resume, manifests(folder))


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Run the emulator as a process of its own; yields its address."""
    command = [sys.executable, "-m", "promptrial", "emulator", "--state", str(folder), "--port", "0", "--key", KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.terminate()


def asked(parts: int) -> Asked:
    """Return what a run of so many parts takes, up to poll."""
    with tempfile.TemporaryDirectory() as name, emulator(Path(name) / "emulator") as url:
        folder, texts = Path(name), texts_of(2)
        rows = ({"id": f"q{at}", "question": texts.draw(9), "answers": [texts.draw(2)]} for at in range(parts // 2))
        (folder / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = {
            "provider": "bench",
            "providers": {"bench": {"type": "openai", "base_url": f"{url}/v1", "key": "BENCH_KEY"}},
            "models": {"m": {"id": "gpt-4o-mini"}},
            "lines_per_part": 1,
            "execution": {"max_concurrent_jobs": 64, "poll_interval_s": 0.1, "longest_poll_interval_s": 0.5},
        }
        config = write_trial(folder, "Reply briefly.", {"closed_set": DATASETS["closed_set"]}, **settings)
        flags = ["--config", str(config), "--experiments_dir", str(folder), "--run_id", "bench"]
        command = [sys.executable, "-c", RUN, "run", *flags, "--to_step", "poll", "--display", "none"]
        env = {**os.environ, "BENCH_KEY": KEY, "PROMPTRIAL_YES": "1"}
        printed = subprocess.run(
            command, env=env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ).stdout
        size = manifests(folder)
    processor, written, events = map(float, printed.rpartition("FIGURES ")[2].split())
    return Asked(processor, written, events, size)


def looked_rows(parts: int, found: Looked, machine: str) -> list[Row]:
    """Return the rows of a run whose results have all come in."""
    said = f"{parts:,} parts"
    return [
        row(f"{said}, status", found.status.wall, "s", machine),
        row(f"{said}, plan", found.plan.wall, "s", machine),
        row(f"{said}, resume", found.resume.wall, "s", machine),
        row(f"{said}, records of a part", found.manifests / parts, "bytes", machine),
    ]


def beyond(base: tuple[int, Asked], parts: int, found: Asked) -> dict[str, float]:
    """Return what each part and each event of a job takes beyond the smallest run."""
    more, before = parts - base[0], base[1]
    events = found.events - before.events
    return {
        "processor ms a part": 1e3 * (found.processor - before.processor) / more,
        "KB a part": (found.written - before.written) / more / 1e3,
        "events a part": events / more,
        "processor ms an event": 1e3 * (found.processor - before.processor) / events,
        "KB an event": (found.written - before.written) / events / 1e3,
    }


def asked_rows(found: Mapping[int, Asked], machine: str) -> list[Row]:
    """Return how the cost of an event grows from the second smallest run to the largest."""
    first, *rest = sorted(found)
    if len(rest) < 2:
        return []
    small, large = (beyond((first, found[first]), parts, found[parts]) for parts in (rest[0], rest[-1]))
    said = f"{rest[0]:,} to {rest[-1]:,} parts, a job event"
    time, written = "processor ms an event", "KB an event"
    return [
        row(f"{said}: time", large[time], "ms", machine, ratio=large[time] / small[time]),
        row(f"{said}: bytes written", large[written], "KB", machine, ratio=large[written] / small[written]),
    ]


def print_looked(sizes: Sequence[int]) -> dict[int, Looked]:
    """Print the table of runs whose results have all come in."""
    print(f"processor seconds, load {os.getloadavg()[0]:.1f}")
    print(f"{'parts':>10}{'status':>10}{'plan':>10}{'resume':>10}{'peak MB':>10}")
    found = {}
    for parts in sizes:
        found[parts] = each = looked_at(parts)
        times = "".join(f"{step.processor:>10.2f}" for step in (each.status, each.plan, each.resume))
        print(f"{parts:>10,}{times}{each.resume.megabytes:>10.0f}", flush=True)
    return found


def print_asked(sizes: Sequence[int]) -> dict[int, Asked]:
    """Print the table of what each part costs to ask."""
    first, *rest = sorted(sizes)
    found = {first: asked(first)}
    for parts in rest:
        found[parts] = asked(parts)
        each = beyond((first, found[first]), parts, found[parts])
        print(
            f"{parts:>10,} parts asked: " + ", ".join(f"{value:.3g} {what}" for what, value in each.items()), flush=True
        )
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", type=int, default=PARTS)
    parser.add_argument("--asked", nargs="*", type=int, default=ASKED)
    add_json_flag(parser)
    wanted = parser.parse_args()
    line = environment_line("promptrial")
    print(line)
    looked = print_looked(wanted.parts)
    found = print_asked(wanted.asked) if wanted.asked else {}
    rows = [each for parts, one in looked.items() for each in looked_rows(parts, one, line)]
    details = {parts: each._asdict() for parts, each in found.items()}
    report([*rows, *asked_rows(found, line)], line, wanted.json, asked=details)


if __name__ == "__main__":
    main()
