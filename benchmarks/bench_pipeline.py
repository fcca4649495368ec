"""Parse, score, stats, costs and report on synthetic answers: wall time, peak memory, ratio to bare decoding.

The answers are made from a seed: half of the items open-book with passages of about 120 words, four questions each,
half closed-book; answers are right, partly right, wrong or refusals. The yardstick decodes the same raw rows into typed
structs and does nothing else. Sizes may be given as arguments: ``bench_pipeline.py 10000 250000``.
"""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - seeded synthetic data
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml
from environment import environment_line

SIZES = (10_000, 50_000, 250_000)
PHASES = ("parse", "score", "stats", "costs", "report")
ROOT = Path(__file__).resolve().parent.parent
WORDS = [
    f"{first}{last}" for first in ("ba", "ke", "mo", "tu", "ri", "sol") for last in ("n", "rat", "lim", "det", "vo")
]
DECODE = """
import sys, time
from promptrial.providers.chat_rows import parse_chat_row
began = time.perf_counter()
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        for line in file:
            parse_chat_row(line)
print(time.perf_counter() - began)
"""


def phrase(source: random.Random, words: int) -> str:
    """Return made-up words."""
    return " ".join(source.choices(WORDS, k=words))


def write_questions(folder: Path, items: int, source: random.Random) -> dict[str, list[str]]:
    """Write both question files; returns the accepted answers by item id (empty: unanswerable)."""
    gold: dict[str, list[str]] = {}
    paragraphs = []
    for passage in range(items // 8):
        context = phrase(source, 120)
        words = context.split()
        questions = []
        for index in range(4):
            item_id, start = f"o{passage}-{index}", source.randrange(110)
            answer = " ".join(words[start : start + source.randint(1, 4)])
            gold[item_id] = [] if index >= 2 else [answer]
            answers = [{"text": text, "answer_start": context.index(text)} for text in gold[item_id]]
            questions.append(
                {"id": item_id, "question": phrase(source, 9), "answers": answers, "is_impossible": not answers}
            )
        paragraphs.append({"context": context, "qas": questions})
    squad = {"version": "v2.0", "data": [{"title": "synthetic", "paragraphs": paragraphs}]}
    (folder / "open.json").write_text(json.dumps(squad))
    with (folder / "closed.jsonl").open("w") as file:
        for index in range(items - 4 * len(paragraphs)):
            item_id = f"c{index}"
            gold[item_id] = [phrase(source, source.randint(1, 3)) for _ in range(source.randint(1, 4))]
            row = {"id": item_id, "question": phrase(source, 9), "answers": gold[item_id]}
            file.write(json.dumps(row) + "\n")
    return gold


def write_project(folder: Path) -> Path:
    """Write the configuration; returns its path."""
    for name, text in {
        "control.txt": "You are a careful assistant.",
        "treatment.txt": 'Reply exactly "I don\'t know." when unsure.',
        "open.txt": "{context}\n{question}",
        "closed.txt": "{question}",
    }.items():
        (folder / name).write_text(text)
    config = {
        "name": "bench",
        "models": {"synthetic": {"id": "smollm2-135m-instruct"}},
        "prompt_sets": {"bench": {"control": "control.txt", "treatment": "treatment.txt"}},
        "task_instructions": {"open_book": "open.txt", "closed_book": "closed.txt"},
        "datasets": {
            "open_set": {"format": "squad_v2", "path": "open.json"},
            "closed_set": {"format": "custom", "path": "closed.jsonl"},
        },
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def answer_rows(requests: Path, gold: dict[str, list[str]], source: random.Random) -> Iterator[bytes]:
    """Yield a raw result row for each request of a part."""
    from promptrial.model import ids

    for line in requests.open("rb"):
        wire = json.loads(line)["custom_id"]
        accepted = gold[ids.wire_decode(wire).item_id]
        kind = source.random()
        if kind < 0.25:
            text = "I don't know."
        elif kind < 0.6 and accepted:
            text = source.choice(accepted)
        elif kind < 0.8 and accepted:
            text = f"It is the {accepted[0]} {phrase(source, 4)}."
        else:
            text = phrase(source, source.randint(1, 12))
        tokens = source.randint(150, 300)
        response = {
            "id": f"chatcmpl-{wire}",
            "object": "chat.completion",
            "model": "synthetic",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 9, "total_tokens": tokens + 9},
        }
        yield json.dumps({"custom_id": wire, "response": response}, separators=(",", ":")).encode()


def make_run(folder: Path, answers: int) -> list[str]:
    """Make a run whose results have all come in; returns the flags that name it."""
    from promptrial.store import records
    from promptrial.store.atomic import AtomicFile
    from promptrial.store.rundir import RunDir

    source = random.Random(20260101)  # noqa: S311 - not for secrets
    gold = write_questions(folder, answers // 2, source)
    flags = ["--config", str(write_project(folder)), "--experiments_dir", str(folder), "--run_id", "bench"]
    subprocess.run([sys.executable, "-m", "promptrial", "run", *flags, "--to_step", "submit"], check=True,
                   capture_output=True)  # fmt: skip
    run = RunDir(folder, "bench")
    built = records.load(run.batch_inputs / "manifest.json", records.Manifest)
    slug = built.facts["parts"][0]["trial_slug"]
    trial = run.trial(slug)
    manifest = records.load(trial.manifest_path, records.TrialManifest)
    for row in built.facts["parts"]:
        name, path = row["part"], trial.part_results(row["part"])
        with AtomicFile(path) as file:
            for line in answer_rows(trial.requests(name), gold, source):
                file.write(line + b"\n")
        manifest.parts[name] = msgspec.structs.replace(
            manifest.parts[name],
            status="downloaded",
            results=records.FileRecord(file.sha256(), file.size, row["rows"]),
        )
    records.save(trial.manifest_path, manifest)
    return flags


def measured(arguments: list[str]) -> tuple[float, float]:
    """Run a Python process; returns its wall time in seconds and its peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(error.decode())
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def bench(answers: int) -> None:
    """Print the table of one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags = make_run(folder, answers)
        raw = [str(path) for path in folder.glob("run_bench/*/results/*/results.jsonl")]
        base = statistics.median(
            float(subprocess.run([sys.executable, "-c", DECODE, *raw], check=True, capture_output=True).stdout)
            for _ in range(3)
        )
        print(f"\n{answers:,} answers, bare decoding {base:.2f} s")
        print(f"{'step':<22}{'wall s':>8}{'ratio':>8}{'peak MB':>9}")
        run = ["-m", "promptrial", "run", *flags]
        for phase in PHASES:
            wall, peak = measured([*run, "--only_step", phase])
            print(f"{phase:<22}{wall:>8.2f}{wall / base:>8.1f}{peak:>9.0f}")
        for path in folder.glob("run_bench/*/results/predictions.*"):
            path.unlink()
        wall, peak = measured([*run, "--from_step", "parse", "--to_step", "report"])
        print(f"{'all five, one process':<22}{wall:>8.2f}{wall / base:>8.1f}{peak:>9.0f}")


def main() -> None:
    """Print a table for each size."""
    print(environment_line("promptrial", "msgspec", "numpy", "pyarrow"))
    print("each step is a process of its own: start-up and checking the run's digests are included")
    for answers in [int(size) for size in sys.argv[1:]] or SIZES:
        bench(answers)


if __name__ == "__main__":
    main()
