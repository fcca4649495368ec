"""The phase *prepare* on a CSV of questions, beside reading the file with pyarrow into Python rows: time, peak memory.

Two made-up files: ``question,answer``, whose ids are made from the content, and one with ids, passages and categories.
Each measurement is a process of its own, the kinds in turn; the first pass of a process is not counted. The result
is a JSON object: medians of wall time and processor time in seconds, their ratios, and peak memory in MB. Rows and
repeats may be given: ``bench_questions.py 250000 5``.
"""

from __future__ import annotations

import csv
import json
import random  # noqa: TID251 - seeded synthetic data
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import yaml
from environment import environment_line

ROWS, REPEATS, SAMPLE = 250_000, 5, 1000
WORDS = [f"{first}{last}" for first in ("mill", "river", "stone", "grain") for last in ("", "side", "work", "yard")]


def write_questions(path: Path, rows: int, *, wide: bool) -> None:
    """Write a CSV of made-up questions."""
    source = random.Random(20260101)  # noqa: S311 - not for secrets
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "question", "answer", "context", "category"] if wide else ["question", "answer"])
        for number in range(rows):
            asked = f"In which year was {' '.join(source.choices(WORDS, k=9))}, number {number}, built?"
            passage = " ".join(source.choices(WORDS, k=60)) + "."
            answer = str(source.randint(1000, 1999))
            group = source.choice(WORDS)
            writer.writerow([f"q{number}", asked, answer, passage, group] if wide else [asked, answer])


def prepare(path: Path, size: int | None) -> Callable[[], object]:
    """Return what runs the phase on a file."""
    from promptrial.config.loading import load_config
    from promptrial.phases.prepare import PHASE
    from promptrial.phases.services import Services
    from promptrial.phases.spec import RunSpec
    from promptrial.runtime.clock import SystemClock
    from promptrial.runtime.events import EventLog, Redactor
    from promptrial.runtime.stop import StopToken
    from promptrial.store.rundir import RunDir

    folder = path.parent
    for arm in ("control", "treatment"):
        (folder / f"{arm}.txt").write_text(f"You are the {arm}.")
    columns = {"question": "question", "answers": "answer"}
    config = {
        "name": "bench",
        "models": {"synthetic": {"id": "smollm2-135m-instruct"}},
        "prompt_sets": {"bench": {"control": "control.txt", "treatment": "treatment.txt"}},
        "datasets": {"mine": {"format": "custom", "path": path.name, "size": size, "columns": columns}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    loaded = load_config(folder / "config.yaml", {})
    run = RunDir(folder, "bench")
    run.prepared.mkdir(parents=True, exist_ok=True)
    spec = RunSpec(run, loaded.experiment, loaded.folder, "", ())
    events = EventLog(lambda: "", Redactor({}), lambda _text: None)

    def provider(_name: str) -> NoReturn:
        raise AssertionError("prepare asks no provider")

    services = Services(SystemClock(), StopToken(folder / "STOP"), events, provider, {})
    assert PHASE.run_whole is not None  # noqa: S101 - prepare works on the run as a whole
    whole = PHASE.run_whole
    return lambda: whole(spec, services)


def python_rows(path: Path) -> Callable[[], object]:
    """Return what reads a file with pyarrow into Python rows."""
    import pyarrow.csv

    return lambda: pyarrow.csv.read_csv(path).to_pylist()


def measure(kind: str, path: Path) -> dict[str, float]:
    """Run one kind twice in this process, and measure the second time."""
    if kind == "general":
        from unittest import mock

        mock.patch("promptrial.datasets.custom._LEAST", sys.maxsize).start()  # no file is so large
    work = python_rows(path) if kind == "pyarrow" else prepare(path, None if kind == "all" else SAMPLE)
    work()
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "wall_s": time.perf_counter() - wall,
        "processor_s": time.process_time() - processor,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def medians(path: Path, repeats: int) -> dict[str, Any]:
    """Return the medians of each kind, and their ratios to pyarrow."""
    drawn = f"prepare, {SAMPLE:,} drawn"
    kinds = {
        "pyarrow": "pyarrow",
        drawn: "sample",
        f"{drawn}, an item made of each row": "general",
        "prepare, all drawn": "all",
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for repeat in range(repeats):
        for name, kind in kinds.items():
            if kind in {"general", "all"} and repeat:
                continue  # one measurement of the slow kinds is enough
            ran = subprocess.run(
                [sys.executable, __file__, kind, str(path)], check=True, capture_output=True, text=True
            )
            found[name].append(json.loads(ran.stdout))
    table: dict[str, Any] = {
        name: {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
        for name, rows in found.items()
    }
    for name in list(kinds)[1:]:
        for key in ("wall_s", "processor_s"):
            table[name][f"ratio_{key[:-2]}"] = round(table[name][key] / table["pyarrow"][key], 2)
    return table


def main() -> None:
    """Print the environment, then one JSON object."""
    arguments = sys.argv[1:]
    if arguments and not arguments[0].isdigit():
        print(json.dumps(measure(arguments[0], Path(arguments[1]))))
        return
    rows, repeats = [*map(int, arguments), *(ROWS, REPEATS)[len(arguments) :]]
    print(environment_line("promptrial", "msgspec", "pyarrow"), file=sys.stderr)
    result: dict[str, Any] = {"rows": rows, "repeats": repeats}
    for name, wide in {"question,answer": False, "id,question,answer,context,category": True}.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "questions.csv"
            write_questions(path, rows, wide=wide)
            result[name] = {"file_mb": round(path.stat().st_size / 1e6, 1), **medians(path, repeats)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
