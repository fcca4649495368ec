"""How long a plan takes that draws 10,000 items of a larger file, sizes their requests and quotes them.

Wall time and processor time are medians of repeated runs, each with the start of the interpreter. The ratio is that
of the processor time to ``python -c pass``, which says least of what else the machine does. Python may keep what it
compiled, as in any installation: each first run counts for nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from environment import environment_line

RUNS = 11
ITEMS = 10_000
IN_THE_FILE = 20_000
WORDS = "the of a in to is was for on with by as that at from which an be this are were his had its".split()  # noqa: SIM905 - shorter
ROOT = Path(__file__).resolve().parent.parent
CONFIG = """
name: bench
provider: {provider}
models: {{m: {{id: {model}}}}}
prompt_sets:
  a: {{control: {prompts}/control.txt, treatment: {prompts}/operational_only.txt}}
  b: {{control: {prompts}/control.txt, treatment: {prompts}/treatment.txt}}
datasets: {{questions: {{format: {format}, path: {path}, size: {size}}}}}
pricing:
  {provider}: {{batch_discount: 0.5, models: {{m: {{input_per_million: 0.2, output_per_million: 0.6}}}}}}
"""
MODELS = {"fireworks": "accounts/fireworks/models/llama-v3p1-8b-instruct", "openai": "gpt-4o-mini"}


class Taken(NamedTuple):
    """Seconds of wall time and of processor time."""

    wall: float
    processor: float


def processor_s() -> float:
    """Return the processor time of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def taken(arguments: list[str], cwd: Path) -> Taken:
    """Return the median times of a Python process."""
    walls, processors = [], []
    command = [sys.executable, *arguments]
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=cwd, env=keeping, check=True, capture_output=True)
    for _ in range(RUNS):
        before, began = processor_s(), time.perf_counter()
        subprocess.run(command, cwd=cwd, env=keeping, check=True, capture_output=True)
        walls.append(time.perf_counter() - began)
        processors.append(processor_s() - before)
    return Taken(statistics.median(walls), statistics.median(processors))


def write_questions(folder: Path) -> dict[str, Path]:
    """Write the questions as JSON lines and as SQuAD 2.0, and return the files by format."""
    numbers = itertools.count()

    def text(length: int) -> str:
        return " ".join(WORDS[7 * next(numbers) % len(WORDS)] for _ in range(length))

    lines, rows = folder / "questions.jsonl", range(IN_THE_FILE)
    answered = [{"id": f"q{n}", "question": f"{text(9)} {n}?", "answers": [text(2)]} for n in rows]
    lines.write_text("".join(json.dumps(row) + "\n" for row in answered))
    squad, paragraphs = folder / "squad.json", []
    for start in range(0, ITEMS, 5):
        answers = [{"text": "the", "answer_start": 0}]
        asked = [
            {"id": f"s{n}", "question": f"{text(10)} {n}?", "answers": answers, "is_impossible": False}
            for n in range(start, start + 5)
        ]
        paragraphs.append({"context": f"the {text(120)}", "qas": asked})
    squad.write_text(json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}))
    return {"custom": lines, "squad_v2": squad}


def main() -> None:
    """Print the table."""
    print(environment_line("promptrial"))
    prompts = ROOT / "config" / "prompts"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = taken(["-c", "pass"], folder)
        print(f"{'plan of ' + format(ITEMS, ',') + ' items':<28}{'wall s':>8}{'CPU s':>8}{'ratio':>8}")
        print(f"{'python -c pass':<28}{base.wall:>8.3f}{base.processor:>8.3f}{1:>8.1f}")
        files = write_questions(folder)
        for provider, model in MODELS.items():
            for format_, path in files.items():
                config = folder / f"{provider}_{format_}.yaml"
                values = {"provider": provider, "model": model, "prompts": prompts, "format": format_, "path": path}
                config.write_text(CONFIG.format(**values, size=ITEMS))
                found = taken(["-m", "promptrial", "plan", "--config", str(config)], folder)
                label, ratio = f"{provider}, {format_}", found.processor / base.processor
                print(f"{label:<28}{found.wall:>8.3f}{found.processor:>8.3f}{ratio:>8.1f}")


if __name__ == "__main__":
    main()
