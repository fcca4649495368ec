"""A small experiment in a folder, and the program run on it in this process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from promptrial.cli.main import main
from tests.support import kept_runs

PASSAGES = {
    "tides": "The moon pulls the sea towards it, and the water rises in two bulges. A place passes both in a day.",
    "rust": "Iron rusts where it meets water and oxygen. Paint keeps both away from the metal.",
    "bread": "Yeast eats sugar in the dough and gives off gas. The gas makes the dough rise.",
}


def import_path() -> str:
    """Return the ``PYTHONPATH`` of a child that is to import what this process does, such as a mutant."""
    return os.pathsep.join(path for path in sys.path if path)


@dataclass(frozen=True)
class Outcome:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def prose(self) -> str:
        """What was printed on stdout, without line breaks: sentences are wrapped there."""
        return " ".join(self.out.split())


@dataclass(frozen=True)
class Project:
    """A folder with a configuration, prompts and questions."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Project:
        project = cls(root)
        (root / "config").mkdir()
        for name, text in {
            "control.txt": "You are a careful assistant.",
            "treatment.txt": 'Be accurate. If you do not know, reply exactly "I don\'t know."',
            "other.txt": "Be brief and accurate.",
            "open.txt": "Passage: {context}\nQuestion: {question}\nAnswer:",
            "closed.txt": "Question: {question}\nAnswer:",
        }.items():
            (root / "config" / name).write_text(text + "\n")
        project.write_questions()
        project.write_config({})
        return project

    def write_questions(self) -> None:
        paragraphs = [
            {
                "context": context,
                "qas": [
                    {"id": f"{name}-1", "question": f"What of {name}?", "is_impossible": False,
                     "answers": [{"text": context.split(". ")[0][:10].strip(), "answer_start": 0}]},
                    {"id": f"{name}-2", "question": f"Who found {name}?", "is_impossible": True, "answers": []},
                ],
            }
            for name, context in PASSAGES.items()
        ]  # fmt: skip
        squad = {"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}
        (self.root / "config" / "open.json").write_text(json.dumps(squad))
        closed = [{"id": f"c{n}", "question": f"Question {n}?", "answers": ["Paris", "1912"]} for n in range(8)]
        (self.root / "config" / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in closed))

    def write_config(self, changes: dict[str, Any]) -> None:
        config: dict[str, Any] = {
            "name": "small",
            "provider": "fake",
            "models": {"m1": {"id": "vendor/model-1"}},
            "prompt_sets": {
                "main": {"control": "control.txt", "treatment": "treatment.txt"},
                "other": {"control": "control.txt", "treatment": "other.txt"},
            },
            "task_instructions": {"open_book": "open.txt", "closed_book": "closed.txt"},
            "datasets": {
                "open_set": {"format": "squad_v2", "path": "open.json"},
                "closed_set": {"format": "custom", "path": "closed.jsonl"},
            },
            "parts_per_dataset": 2,
            "stats": {"bootstrap_samples": 1000, "permutation_samples": 999},
            "sweep": {"prompt_sets": ["main"]},
            "pricing": {"fake": {"models": {"m1": {"input_per_million": 1.0, "output_per_million": 2.0}}}},
        }
        config |= changes
        self.config.write_text(yaml.safe_dump({key: value for key, value in config.items() if value is not None}))

    @property
    def config(self) -> Path:
        return self.root / "config" / "eval_config.yaml"

    def run_root(self, run_id: str = "r") -> Path:
        return self.root / "experiments" / f"run_{run_id}"

    def call(self, *arguments: str) -> Outcome:
        """Run the program in this process."""
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            outcome = self.call_with_stderr(*arguments)
        return replace(outcome, err=err.getvalue())

    def call_with_stderr(self, *arguments: str) -> Outcome:
        """Run the program in this process, with the stderr that is there; the outcome has nothing of it."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                code = main(list(arguments))
            except SystemExit as exit_:
                code = exit_.code if isinstance(exit_.code, int) else 1
        return Outcome(code, out.getvalue(), "")

    def run(self, *flags: str, run_id: str = "r") -> Outcome:
        return self.call("run", "--run_id", run_id, *flags)

    def given_run(self, *flags: str, run_id: str = "r") -> Outcome:
        """Put a run that ended well here, for a test that begins with one: as ``run``, or as a copy (``kept_runs``)."""
        return kept_runs.given_run(self, flags, run_id)

    def trial_folder(self, run_id: str = "r") -> Path:
        return next(path.parent for path in sorted(self.run_root(run_id).glob("*/results")))

    def report(self, run_id: str = "r") -> str:
        """Return ``report.md`` of the first trial: the verdict, and what it rests on in short."""
        return (self.trial_folder(run_id) / "reports" / "report.md").read_text()

    def details(self, run_id: str = "r") -> str:
        """Return ``details.md`` of the first trial, which holds every table of it."""
        return (self.trial_folder(run_id) / "reports" / "details.md").read_text()

    def snapshot(self, run_id: str = "r") -> dict[str, str]:
        """Return path -> SHA-256 of every file of a run."""
        root = self.run_root(run_id)
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
