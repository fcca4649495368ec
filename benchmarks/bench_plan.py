"""How long a plan of 10,000 questions takes: they are drawn from 20,000 JSON lines, or all of a SQuAD file.

Their requests are sized and quoted.

Wall time and processor time are medians of repeated runs, each with the start of the interpreter. The target is one of
wall time; the ratio is that of the processor time to ``python -c pass``, which says least of what else the machine
does. Each first run counts for nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from environment import environment_line
from processes import Taken, median_of, taken
from targets import Row, add_json_flag, report, row

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


BARE = "python -c pass"


def median_taken(arguments: Sequence[str], folder: Path) -> Taken:
    """Return the medians of a Python process."""
    return median_of([taken(arguments, cwd=folder) for _ in range(RUNS + 1)][1:])


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


def rows_of(found: Mapping[str, Taken], machine: str) -> Iterator[Row]:
    """Yield the rows of what was measured: the bare Python, and plans by provider and format."""
    bare = found[BARE]
    for name, each in found.items():
        work = name if name == BARE else f"plan of {ITEMS:,} questions, {name}"
        yield row(work, each.wall, "s", machine, ratio=each.processor / bare.processor)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json_flag(parser)
    asked = parser.parse_args()
    machine = environment_line("promptrial")
    print(machine)
    prompts = ROOT / "config" / "prompts"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {BARE: median_taken(["-c", "pass"], folder)}
        files = write_questions(folder)
        for provider, model in MODELS.items():
            for format_, path in files.items():
                config = folder / f"{provider}_{format_}.yaml"
                values = {"provider": provider, "model": model, "prompts": prompts, "format": format_, "path": path}
                config.write_text(CONFIG.format(**values, size=ITEMS))
                plan = ["-m", "promptrial", "plan", "--config", str(config)]
                found[f"{provider}, {format_}"] = median_taken(plan, folder)
    report(list(rows_of(found, machine)), machine, asked.json)


if __name__ == "__main__":
    main()
