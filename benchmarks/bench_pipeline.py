"""Parse, score, stats, costs and report on synthetic answers: time, processor time, memory, ratios to bare decoding.

The answers are made from a seed: half of the items open-book with passages of about 120 words, four questions each,
half closed-book; words are drawn by Zipf's law from 20,000. Answers are right, partly right or wrong, and 8% decline.
Of the rows 0.1% occur twice, and as many lines are cut off. The yardstick decodes the same raw rows into typed
structs and does nothing else; it and the whole work take turns, and each figure is a median.

``bench_pipeline.py 10000 250000`` takes other sizes, ``--rounds 5`` more rounds, and ``--total`` leaves out the single
phases and the resumes. ``compare.py`` makes runs (``--make FOLDER``) and measures them (``--measure FOLDER``) with
another version of the program.

Resumes with nothing left are measured beside hashing all files of the run, which does nothing else. Growth is that of
the time for each answer and of the memory from each size to the next, and the slope of time against size, both as
logarithms, over all sizes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random  # noqa: TID251 - seeded synthetic data
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import yaml
from environment import environment_line
from processes import Taken, median_of, taken
from targets import Row, add_json_flag, report, row
from zipf_words import Texts

SIZES: Final = (50_000, 250_000)
PHASES: Final = {
    "parse": "*/results/predictions.*",
    "score": "*/results/per_item_scores.*",
    "stats": "*/results/significance.json",
    "costs": "*/results/costs.json",
    "report": "report.html",
}
"""Phase -> files that it makes: without them it is to do."""
BEFORE: Final = {
    "prepare": ("run", "--only_step", "prepare"),
    "build": ("run", "--only_step", "build"),
    "plan": ("plan",),
}
"""What is done before answers are asked for, and what looks at a run that is built -> the words of the command."""
RESUMES: Final = {"resume --verify": ("--resume", "--verify"), "resume": ("--resume",)}
"""Nothing is left then; the first also keeps digests for the second."""
ALL: Final = "parse to report"
"""With the number of processes that the program chooses: what ``compare.py`` measures."""
WAYS: Final[dict[str, tuple[str, ...]]] = {"one process": ("--workers", "1"), "two workers": ("--workers", "2")}
DECODING: Final = "bare decoding"
HASHING: Final = "bare hashing"
_SETTLED_S: Final = 2.5
"""Digests of files are kept that were computed two seconds after the last change of the file, or later."""
VOCABULARY: Final = 20_000
DECLINE: Final = 0.08
ODD: Final = 0.001
"""The share of rows that occur twice, and that of truncated lines."""
DECLINING: Final = (
    "I don't know.",
    "I don't know.",
    "Unanswerable",
    "I'm not sure.",
    "The passage does not say.",
    "I do not have enough information to answer that.",
    "Sorry, I can't find the answer in the passage.",
)
DECODE: Final = """
import resource, sys, time
from promptrial.providers.chat_rows import parse_chat_row
began, used = time.perf_counter(), time.process_time()
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        for line in file:
            try:
                parse_chat_row(line)
            except ValueError:
                pass
print(time.perf_counter() - began, time.process_time() - used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""
HASH = """
import hashlib, resource, sys, time
began, used = time.perf_counter(), time.process_time()
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        hashlib.file_digest(file, "sha256")
print(time.perf_counter() - began, time.process_time() - used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""
KINDS: Final = {
    "prepared questions": "prepared/*.jsonl",
    "requests": "batch_inputs/*/*.jsonl",
    "raw answers": "*/results/*/results.jsonl",
    "all answers in one file": "*/results/results_combined.jsonl",
    "predictions": "*/results/predictions.*",
    "scores": "*/results/per_item_scores.*",
    "report.html": "report.html",
}
"""What grows with the answers -> its files."""


def passage_text(texts: Texts) -> str:
    """Return a passage of about 120 words in sentences."""
    lengths = [texts.source.randint(8, 22) for _ in range(8)]
    return " ".join(f"{texts.draw(n).capitalize()}." for n in lengths)


def write_questions(folder: Path, items: int, texts: Texts) -> dict[str, list[str]]:
    """Write both question files; returns the accepted answers by item id (empty: unanswerable)."""
    gold: dict[str, list[str]] = {}
    source, paragraphs = texts.source, []
    for passage in range(items // 8):
        context = passage_text(texts)
        words = context.split()
        questions = []
        for index in range(4):
            item_id, start = f"o{passage}-{index}", source.randrange(len(words) - 4)
            answer = " ".join(words[start : start + source.randint(1, 4)])
            gold[item_id] = [] if index >= 2 else [answer]
            answers = [{"text": text, "answer_start": context.index(text)} for text in gold[item_id]]
            questions.append(
                {"id": item_id, "question": texts.draw(9), "answers": answers, "is_impossible": not answers}
            )
        paragraphs.append({"context": context, "qas": questions})
    squad = {"version": "v2.0", "data": [{"title": "synthetic", "paragraphs": paragraphs}]}
    (folder / "open.json").write_text(json.dumps(squad))
    with (folder / "closed.jsonl").open("w") as file:
        for index in range(items - 4 * len(paragraphs)):
            item_id = f"c{index}"
            gold[item_id] = [texts.draw(source.randint(1, 3)) for _ in range(source.randint(1, 4))]
            row = {"id": item_id, "question": texts.draw(9), "answers": gold[item_id]}
            file.write(json.dumps(row) + "\n")
    return gold


def write_trial(folder: Path, treatment: str, datasets: Mapping[str, Mapping[str, str]], **settings: object) -> Path:
    """Write prompts and the configuration, with these settings besides; returns its path."""
    for name, text in {
        "control.txt": "You are a careful assistant.",
        "treatment.txt": treatment,
        "open.txt": "{context}\n{question}",
        "closed.txt": "{question}",
    }.items():
        (folder / name).write_text(text)
    config = {
        "name": "bench",
        "models": {"synthetic": {"id": "smollm2-135m-instruct"}},
        "prompt_sets": {"bench": {"control": "control.txt", "treatment": "treatment.txt"}},
        "task_instructions": {"open_book": "open.txt", "closed_book": "closed.txt"},
        "datasets": datasets,
        **settings,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def answer_text(accepted: list[str], texts: Texts) -> str:
    """Return what a model might say."""
    source = texts.source
    if source.random() < DECLINE:
        return source.choice(DECLINING)
    kind = source.random()
    if kind < 0.4 and accepted:
        return source.choice(accepted)
    if kind < 0.6 and accepted:
        return f"It is the {accepted[0]} {texts.draw(4)}."
    return f"{texts.draw(source.randint(1, 12)).capitalize()}."


def answer_rows(
    requests: Path, gold: dict[str, list[str]], texts: Texts, more: Callable[[], str] = str
) -> Iterator[bytes]:
    """Yield a raw result row for each request of a part, and a few that occur twice or are truncated.

    ``more`` gives what each answer says besides: nothing, if it is not given.
    """
    from promptrial.model import ids

    source = texts.source
    for line in requests.open("rb"):
        wire = json.loads(line)["custom_id"]
        tokens = source.randint(150, 300)
        message = {"role": "assistant", "content": answer_text(gold[ids.wire_decode(wire).item_id], texts) + more()}
        response = {
            "id": f"chatcmpl-{wire}",
            "object": "chat.completion",
            "model": "synthetic",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 9, "total_tokens": tokens + 9},
        }
        row = json.dumps({"custom_id": wire, "response": response}, separators=(",", ":")).encode()
        yield row
        if source.random() < ODD:
            yield row
        if source.random() < ODD:
            yield row[: source.randrange(1, len(row))]


def make_run(
    folder: Path, answers: int, more_of: Callable[[str, Texts], Callable[[], str]] = lambda _part, _texts: str,
    **settings: object,
) -> list[str]:  # fmt: skip
    """Make a run whose results have all come in, with these settings besides; returns the flags that name it.

    ``more_of`` gives, for the name of a part, what each of its answers says besides.
    """
    texts = Texts(random.Random(20260101), VOCABULARY)  # noqa: S311 - not for secrets
    gold = write_questions(folder, answers // 2, texts)
    datasets = {
        "open_set": {"format": "squad_v2", "path": "open.json"},
        "closed_set": {"format": "custom", "path": "closed.jsonl"},
    }
    config = write_trial(folder, 'Reply exactly "I don\'t know." when unsure.', datasets, **settings)
    return answered_run(
        folder, config, lambda requests: answer_rows(requests, gold, texts, more_of(requests.stem, texts))
    )


def answered_run(folder: Path, config: Path, rows_of: Callable[[Path], Iterable[bytes]]) -> list[str]:
    """Make a run of a configuration whose results have all come in; returns the flags that name it.

    ``rows_of`` gives the raw result rows of a file of requests.
    """
    from promptrial.store import records
    from promptrial.store.atomic import AtomicFile
    from promptrial.store.part_records import FileRecord
    from promptrial.store.rundir import RunDir

    flags = ["--config", str(config), "--experiments_dir", str(folder), "--run_id", "bench"]
    subprocess.run([sys.executable, "-m", "promptrial", "run", *flags, "--to_step", "submit"], check=True,
                   capture_output=True)  # fmt: skip
    run = RunDir(folder, "bench")
    built = records.load(run.batch_inputs / "manifest.json", records.Manifest)
    slug = built.facts["parts"][0]["trial_slug"]
    trial = run.trial(slug)
    manifest = records.load(trial.manifest_path, records.TrialManifest)
    for built_part in built.facts["parts"]:
        name, path = built_part["part"], trial.part_results(built_part["part"])
        with AtomicFile(path) as file:
            for line in rows_of(trial.requests(name)):
                file.write(line + b"\n")
        manifest.parts[name] = msgspec.structs.replace(
            manifest.parts[name],
            status="downloaded",
            results=FileRecord(file.sha256(), file.size, built_part["rows"]),
        )
    records.save(trial.manifest_path, manifest)
    return flags


def flags_of(folder: Path) -> list[str]:
    """Return the flags that name the run in a folder."""
    return ["--config", str(folder / "config.yaml"), "--experiments_dir", str(folder), "--run_id", "bench"]


def decoding(folder: Path) -> Taken:
    """Return what bare decoding takes, without the start of Python and the imports."""
    return _bare(DECODE, sorted(folder.glob("run_bench/*/results/*/results.jsonl")))


def hashing(folder: Path) -> Taken:
    """Return what it takes to hash every file of a run, without the start of Python."""
    return _bare(HASH, sorted(path for path in folder.glob("run_bench/**/*") if path.is_file()))


def _bare(code: str, files: Iterable[Path]) -> Taken:
    command = [sys.executable, "-c", code, *map(str, files)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Taken(*map(float, printed.split()))


def disk(folder: Path) -> dict[str, int]:
    """Return how many bytes a run has of each kind of file."""
    run = folder / "run_bench"
    found = {kind: sum(path.stat().st_size for path in run.glob(pattern)) for kind, pattern in KINDS.items()}
    every = sum(path.stat().st_size for path in run.glob("**/*") if path.is_file())
    return {**found, "everything else": every - sum(found.values())}


def whole(folder: Path, flags: Iterable[str] = ()) -> Taken:
    """Return the cost of repeating the phases from *parse* to *report*."""
    for phase in PHASES:
        undo(folder, phase)
    run = ["-m", "promptrial", "run", *flags_of(folder), *flags]
    return taken([*run, "--from_step", "parse", "--to_step", "report"])


def before(folder: Path) -> dict[str, Taken]:
    """Return what it takes to make the requests of a run, in another folder."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        flags = ["--config", str(folder / "config.yaml"), "--experiments_dir", name, "--run_id", "bench"]
        return {step: taken(["-m", "promptrial", *words, *flags]) for step, words in BEFORE.items()}


def undo(folder: Path, phase: str) -> None:
    """Remove what a phase has made."""
    for path in folder.glob(f"run_bench/{PHASES[phase]}"):
        path.unlink()


def measure(folder: Path, rounds: int, *, by_phase: bool) -> dict[str, Taken]:
    """Return the medians of each step of a run. Single phases are done in one process."""
    found: dict[str, list[Taken]] = {}
    run = ["-m", "promptrial", "run", *flags_of(folder)]
    for _ in range(rounds):
        found.setdefault(DECODING, []).append(decoding(folder))
        for name, flags in WAYS.items():
            found.setdefault(name, []).append(whole(folder, flags))
        for phase in PHASES if by_phase else ():
            undo(folder, phase)
            found.setdefault(phase, []).append(taken([*run, "--only_step", phase, *WAYS["one process"]]))
        for name, each in before(folder).items() if by_phase else ():
            found.setdefault(name, []).append(each)
        if by_phase:
            threading.Event().wait(_SETTLED_S)
            found.setdefault(HASHING, []).append(hashing(folder))
            for name, flags in RESUMES.items():
                found.setdefault(name, []).append(taken([*run, *flags]))
    return {name: median_of(each) for name, each in found.items()}


def rows_of(answers: int, found: Mapping[str, Taken], machine: str) -> list[Row]:
    """Return the rows of one size."""
    rows, size = [], f"{answers:,} answers"
    for way in WAYS:
        ratio = found[way].wall / found[DECODING].wall
        rows += [
            row(f"{size}, {way}: time", found[way].wall, "s", machine, ratio=ratio),
            row(f"{size}, {way}: memory", found[way].megabytes, "MB", machine),
        ]
    for name in RESUMES:
        if name in found:
            ratio = found[name].wall / found[HASHING].wall
            rows.append(row(f"{size}, {name}: time", found[name].wall, "s", machine, ratio=ratio))
    return rows


def growth_rows(found: Mapping[int, Mapping[str, Taken]], machine: str) -> list[Row]:
    """Return how time for each answer and memory grow from each size to the next, and the slope over all sizes."""
    rows, sizes = [], sorted(found)
    for way in WAYS:
        for small, large in pairwise(sizes):
            before, after, said = found[small][way], found[large][way], f"{small:,} to {large:,} answers, {way}"
            ratio = after.wall / large / (before.wall / small)
            rows += [
                row(f"{said}: time per answer", 1e6 * after.wall / large, "us", machine, ratio=ratio),
                row(f"{said}: memory", after.megabytes, "MB", machine, ratio=after.megabytes / before.megabytes),
            ]
        if len(sizes) > 1:
            exponent = slope([(size, found[size][way].wall) for size in sizes])
            said = f"{sizes[0]:,} to {sizes[-1]:,} answers, {way}: log-log slope of time"
            rows.append(row(said, exponent, "", machine))
    return rows


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Return the least-squares slope of the logarithm of y against that of x."""
    xs, ys = ([math.log(value) for value in values] for values in zip(*points, strict=True))
    return statistics.linear_regression(xs, ys).slope


def print_table(answers: int, found: Mapping[str, Taken]) -> None:
    """Print the figures of one size; ratios are those of the median times."""
    base = found[DECODING]
    print(f"\n{answers:,} answers, load {os.getloadavg()[0]:.1f}")
    print(f"{'step':<20}{'wall s':>8}{'CPU s':>8}{'wall ratio':>12}{'CPU ratio':>11}{'peak MB':>9}")
    for name, each in found.items():
        ratios = f"{each.wall / base.wall:>12.1f}{each.processor / base.processor:>11.1f}"
        print(f"{name:<20}{each.wall:>8.2f}{each.processor:>8.2f}{ratios}{each.megabytes:>9.0f}", flush=True)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--total", action="store_true")
    add_json_flag(parser)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--measure", type=Path)
    return parser.parse_args()


def main() -> None:
    """Print a table for each size."""
    asked = arguments()
    if asked.make:
        make_run(asked.make, asked.sizes[0])
        return
    if asked.measure:
        once = {DECODING: decoding(asked.measure), ALL: whole(asked.measure)}
        print(json.dumps({name: each._asdict() for name, each in once.items()}))
        return
    line = environment_line("promptrial", "msgspec", "numpy", "pyarrow")
    print(line)
    print("each step is a process of its own: start-up and checking the run's digests are included")
    found: dict[int, dict[str, Taken]] = {}
    sizes: dict[int, dict[str, int]] = {}
    for answers in asked.sizes:
        with tempfile.TemporaryDirectory() as name:
            make_run(Path(name), answers)
            found[answers] = measure(Path(name), asked.rounds, by_phase=not asked.total)
            sizes[answers] = disk(Path(name))
        print_table(answers, found[answers])
        for kind, size in sizes[answers].items():
            print(f"{kind:<20}{size / answers:>8.0f} bytes an answer")
    rows = [each for answers, steps in found.items() for each in rows_of(answers, steps, line)]
    figures = {answers: {name: each._asdict() for name, each in steps.items()} for answers, steps in found.items()}
    report([*rows, *growth_rows(found, line)], line, asked.json, answers=figures, disk=sizes)


if __name__ == "__main__":
    main()
