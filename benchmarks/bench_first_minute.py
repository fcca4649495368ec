"""What ``promptrial try`` takes beyond the engine: from a CSV and two prompts to a verdict, against the engine alone.

The engine alone loads its model and answers the very requests of that run, in a process of its own; only that part is
timed there. The whole command is timed from outside, start-up included. Both take turns, so that a busy machine slows
them alike; medians are printed, of wall-clock time and of processor time. Exits with 1 above ``MOST_BEYOND_S``.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from environment import environment_line

from promptrial.model import ModelSpec
from promptrial.providers.base import PartPayload
from promptrial.providers.embedded import EmbeddedProvider
from promptrial.providers.request_rows import RequestRow, decode_request_row

ROUNDS = 5
QUESTIONS = 10
TOKENS = 16
MOST_BEYOND_S = 5.0
MODEL = ModelSpec("smollm2-135m", "smollm2-135m-instruct", "embedded")
SAMPLE = Path(__file__).resolve().parent.parent / "data/sample/closed_book.jsonl"


class Taken(NamedTuple):
    """Seconds of wall-clock time, and seconds of processor time of all threads."""

    wall: float
    cpu: float


def lay_out(folder: Path) -> None:
    """Write the questions and the prompts."""
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()[::20][:QUESTIONS]]
    lines = ["question,answer", *(f'"{row["question"]}","{row["answers"][0]}"' for row in rows)]
    (folder / "q.csv").write_text("\n".join(lines) + "\n")
    (folder / "A.txt").write_text("You are a helpful assistant.\n")
    (folder / "B.txt").write_text("Answer with one or two words.\n")


def whole_command(folder: Path, run_id: str) -> Taken:
    """Time the one command."""
    words = ["--control", "A.txt", "--treatment", "B.txt", "--questions", "q.csv", "--max_tokens", str(TOKENS)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "promptrial", "try", *words, "--run_id", run_id],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(time.perf_counter() - began, cpu)


def engine_alone(run: Path) -> Taken:
    """Time the engine in a process of its own on the requests of a run."""
    out = subprocess.run([sys.executable, __file__, str(run)], check=True, capture_output=True, text=True).stdout
    return Taken(*json.loads(out))


def requests_of(run: Path) -> Iterator[RequestRow]:
    """Yield the requests of a run."""
    for path in sorted(run.glob("batch_inputs/*/*.jsonl")):
        yield from map(decode_request_row, path.read_bytes().splitlines())


def answer(run: Path) -> None:
    """Print how long the engine takes for the requests of a run, its model being loaded included."""
    requests = list(requests_of(run))
    assert len(requests) == 2 * QUESTIONS  # noqa: S101 - else something else is measured
    before, began = time.process_time(), time.perf_counter()
    provider = EmbeddedProvider()
    payload = PartPayload("bench", "bench", MODEL, Path(), len(requests), 0, "", lambda: iter(requests))
    rows = list(provider.results(provider.submit(payload), payload))
    provider.close()
    assert len(rows) == len(requests)  # noqa: S101 - a benchmark stops where its figures would be wrong
    print(json.dumps([time.perf_counter() - began, time.process_time() - before]))


def report(whole: Sequence[Taken], engine: Sequence[Taken]) -> float:
    """Print the medians; return the median of what the command takes beyond the engine, in seconds."""
    print(f"{'':<16}{'whole command, s':>18}{'engine alone, s':>17}{'beyond it, s':>14}")
    beyond = 0.0
    for field in ("cpu", "wall"):
        times = [[getattr(each, field) for each in series] for series in (whole, engine)]
        beyond = statistics.median(one - other for one, other in zip(*times, strict=True))
        print(f"{field:<16}{statistics.median(times[0]):>18.2f}{statistics.median(times[1]):>17.2f}{beyond:>14.2f}")
    return beyond


def main() -> int:
    """Print the table; 1 if the command takes too long."""
    print(environment_line("promptrial", "xllamacpp") + f", load {os.getloadavg()[0]:.1f}")
    print(f"{QUESTIONS} questions, two prompts, at most {TOKENS} tokens; medians of {ROUNDS}")
    whole, engine = [], []
    with tempfile.TemporaryDirectory() as name:
        lay_out(folder := Path(name))
        for number in range(ROUNDS):
            whole.append(whole_command(folder, f"r{number}"))
            engine.append(engine_alone(folder / f"experiments/run_r{number}"))
    return 0 if report(whole, engine) <= MOST_BEYOND_S else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        answer(Path(sys.argv[1]))
    else:
        sys.exit(main())
