"""The small experiment that a soak runs: the sample experiment cut down, its commands, and its undisturbed run.

It keeps the sample's engine, questions and scorers, with short prompts, a short passage and four tokens an answer: a
run takes a few seconds, and most of them are the engine reading prompts. No interruption is known here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.crash_lab import RUN, portrait, wreck_problems

__all__ = ["HANGS_AFTER_S", "ROOT", "RUN_ID", "Experiment", "SoakError", "Undisturbed", "program", "said"]

ROOT: Final = Path(__file__).resolve().parents[2]
RUN_ID: Final = RUN.name.removeprefix("run_")
HANGS_AFTER_S: Final = 120
_FLAGS: Final = ("--limit_items", "3", "--parts_per_dataset", "2")
_TEXTS: Final = {
    "control.txt": "Be brief.\n",
    "treatment.txt": "Answer only if you are sure.\n",
    "open_book.txt": "Passage: {context}\nQuestion: {question}\nShort answer:\n",
    "closed_book.txt": "Q: {question}\nA:\n",
}


class SoakError(Exception):
    """The soak cannot begin: an undisturbed run does not do what it should."""


@dataclass(frozen=True)
class Undisturbed:
    """What a run ends with that nobody interrupts: path -> digest of its files, and how long it takes, in seconds."""

    portrait: dict[str, str]
    seconds: float


class Experiment:
    """The configuration, and the commands to run it in any folder.

    Parameters
    ----------
    root : Path
        An empty folder; every run refers to the configuration in it by the same path, so that their states match.
    """

    def __init__(self, root: Path) -> None:
        self._config = root / "config.yaml"
        for name, text in _TEXTS.items():
            (root / name).write_text(text)
        tree = _small(yaml.safe_load((ROOT / "config/eval_config.yaml").read_text()))
        passages = Path(tree["datasets"]["sample_open"]["path"])
        (root / "open_book.json").write_text(json.dumps(_first_sentence(json.loads(passages.read_text()))))
        tree["datasets"]["sample_open"]["path"] = "open_book.json"
        self._config.write_text(yaml.safe_dump(tree))

    def start(self, folder: Path, *, resume: bool) -> subprocess.Popen[bytes]:
        """Start a process that runs the experiment in a folder; ``said`` returns what it says on stderr.

        The process has a session of its own, so that an interrupt from the keyboard is not one of the experiment's.
        """
        words = ["scripts.run_all", "--config", str(self._config), *_FLAGS, *(["--resume"] if resume else [])]
        with (folder / f"said-{len(_all_said(folder)) + 1}").open("wb") as stderr:
            return subprocess.Popen(
                program(*words, folder=folder),
                cwd=ROOT,
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )

    def undisturbed(self, root: Path, side_by_side: int) -> Undisturbed:
        """Run the experiment as many times at once as rounds will be run, and return what all of them end with.

        Raises
        ------
        SoakError
            If one of them fails, or they differ.
        """
        folders = [root / f"undisturbed-{number}" for number in range(side_by_side)]
        with ThreadPoolExecutor(side_by_side) as pool:
            seconds = list(pool.map(self._whole_run, folders))
        portraits = [portrait(folder) for folder in folders]
        if any(other != portraits[0] for other in portraits):
            raise SoakError(f"undisturbed runs differ; look at {root}")
        return Undisturbed(portraits[0], sum(seconds) / len(seconds))

    def _whole_run(self, folder: Path) -> float:
        folder.mkdir()
        began = time.monotonic()
        code = self.start(folder, resume=False).wait(HANGS_AFTER_S)
        seconds = time.monotonic() - began
        if code != 0 or wreck_problems(folder, finished=True):
            raise SoakError(f"an undisturbed run ended with {code}: {said(folder)}")
        return seconds


def program(module: str, *words: str, folder: Path) -> list[str]:
    """Return the command of one of the program's modules for the run in a folder."""
    where = ["--experiments_dir", str(folder / RUN.parent), "--run_id", RUN_ID]
    return [sys.executable, "-m", module, *words, *where]


def said(folder: Path) -> str:
    """Return what the process that was started last in a folder said on stderr."""
    return _all_said(folder)[-1].read_text(errors="replace")


def _all_said(folder: Path) -> list[Path]:
    return sorted(folder.glob("said-*"))


def _environment() -> dict[str, str]:
    """Return the environment without what would change the experiment."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PROMPTRIAL_")}


def _small(tree: dict[str, Any]) -> dict[str, Any]:
    """Cut the sample experiment down to one open and three closed questions and the least of statistics."""
    for name, size in {"sample_open": 1, "sample_closed": 3}.items():
        source = tree["datasets"][name]
        source |= {"path": str((ROOT / "config" / source["path"]).resolve()), "size": size}
    tree["prompt_sets"] = {"short": {"control": "control.txt", "treatment": "treatment.txt"}}
    tree["sweep"]["prompt_sets"] = ["short"]
    tree["task_instructions"] = {"open_book": "open_book.txt", "closed_book": "closed_book.txt"}
    tree["max_new_tokens"] = {"open_book": 4, "closed_book": 4}
    tree["stats"] |= {"bootstrap_samples": 1000, "permutation_samples": 999}
    return tree


def _first_sentence(passages: dict[str, Any]) -> dict[str, Any]:
    """Cut SQuAD passages down to the first sentence of the first, with the questions whose answers are left."""
    article = passages["data"][0]
    first = article["paragraphs"][0]
    context = first["context"].partition(". ")[0] + "."
    questions = [
        question
        for question in first["qas"]
        if all(answer["answer_start"] + len(answer["text"]) <= len(context) for answer in question["answers"])
    ]
    return passages | {"data": [article | {"paragraphs": [{"context": context, "qas": questions}]}]}
