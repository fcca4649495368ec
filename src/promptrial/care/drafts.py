"""From what ``init`` and ``try`` are given to the files of a new configuration. Reads files, and writes none."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from promptrial.care.draft_inputs import check_unicode, read_prompt
from promptrial.care.question_keys import with_flags
from promptrial.config.draft import Draft, DraftModel, Fitting, configuration_text
from promptrial.config.environment import VARIABLE
from promptrial.config.sample import sample_folder
from promptrial.config.scorers import PRIMARY
from promptrial.documents.files import read_text
from promptrial.errors import DataError, UsageError
from promptrial.model.arms import PAIR, ArmName

if TYPE_CHECKING:
    from promptrial.config.loading import KeyPath, LoadedConfig

__all__ = ["CONFIG_NAME", "Given", "NewFiles", "new_files", "sample_prompts"]

CONFIG_NAME: Final = "eval_config.yaml"
_QUESTIONS: Final = PurePosixPath("questions.csv")
_SAMPLE_PROMPTS: Final = (f"{PAIR[0]}.txt", "operational_only.txt")
_SAMPLE_QUESTIONS: Final = ("cb_001", "cb_029", "cb_099", "cb_120", "cb_176")
"""Questions of the sample with one answer that everybody writes alike, from five topics."""
_WHY: Final = {
    "format": "detected; docs/questions.md",
    "columns": "which column holds what",
    "encoding": "of the file",
    "rules": "what exact match compares; docs/scoring.md",
    "scorers": "how each answer is scored; docs/scorers.md",
    PRIMARY[0]: "the endpoint on which the verdict is based",
    "max_new_tokens": "the maximum length of an answer",
    "stop": "texts at which an answer ends",
    "limit_items": "use at most this many questions",
}
"""The comments of keys that are filled in."""
MOST_COUNTED: Final = 1000
"""Up to how many questions are counted."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a new configuration is made from.

    Attributes
    ----------
    name : str
        The experiment's.
    model : DraftModel
        The path of its weights, if any, from the current folder.
    prompts : mapping
        Name of the arm -> the file of its prompt, or the text itself; the control first.
    questions : Path or None
        None for the five sample questions.
    top : mapping
        Further top-level keys.
    dataset : mapping
        Keys of the data set beside ``path``.
    """

    name: str
    model: DraftModel
    prompts: Mapping[ArmName, Path | str]
    questions: Path | None = None
    top: Mapping[str, object] = field(default_factory=dict)
    dataset: Mapping[str, object] = field(default_factory=dict)

    def names(self, *, copies: bool) -> list[PurePosixPath]:
        """Return the paths of the files that will be written, from the folder of the configuration.

        Parameters
        ----------
        copies : bool
            Whether prompts that are files are copied, and not referred to where they are.
        """
        prompts = [_prompt_name(arm) for arm, prompt in self.prompts.items() if copies or isinstance(prompt, str)]
        questions = [_QUESTIONS] if self.questions is None else []
        return [*prompts, *questions, PurePosixPath(CONFIG_NAME)]


@dataclass(frozen=True, slots=True)
class NewFiles:
    """The files of a new configuration and what was found in the questions.

    Attributes
    ----------
    files : mapping
        Path from the folder -> content; the configuration is the last.
    sentences : tuple of str
        What people should know of the questions.
    items : int
        How many questions there are, counted up to ``MOST_COUNTED``.
    """

    files: Mapping[PurePosixPath, bytes]
    sentences: tuple[str, ...]
    items: int


def new_files(folder: Path, given: Given, env: Mapping[str, str], *, shown: str, copies: bool) -> NewFiles:
    """Return the files of a new configuration, checked as a run would check them.

    Parameters
    ----------
    folder : Path
        Where they will be.
    given : Given
    env : mapping
        The environment.
    shown : str
        How the configuration is called in commands.
    copies : bool
        Whether prompts that are files are copied, and not referred to where they are.

    Raises
    ------
    PromptrialError
        If the questions cannot be read, or something given cannot be written in a configuration.
    """
    files: dict[PurePosixPath, bytes] = {}
    prompts: dict[str, str] = {}
    for arm, prompt in given.prompts.items():
        if isinstance(prompt, Path) and not copies:
            prompts[arm] = _from_folder(prompt, folder)
            continue
        text = read_prompt(prompt) if isinstance(prompt, Path) else prompt
        files[_prompt_name(arm)], prompts[arm] = f"{text.rstrip()}\n".encode(), str(_prompt_name(arm))
    questions = str(_QUESTIONS) if given.questions is None else _from_folder(given.questions, folder)
    if given.questions is None:
        files[_QUESTIONS] = _sample_questions()
    model = replace(given.model, path=_from_folder(Path(given.model.path), folder) if given.model.path else "")
    draft = Draft(given.name, model, prompts, questions, shown, given.top, given.dataset)
    try:
        found = _look_into(given, env)
    except DataError as error:
        raise with_flags(error) from error.__cause__
    text = configuration_text(draft, found.fitting)
    return NewFiles({**files, PurePosixPath(CONFIG_NAME): text.encode()}, found.sentences, found.items)


def _prompt_name(arm: ArmName) -> PurePosixPath:
    return PurePosixPath("prompts") / f"{arm}.txt"


def _from_folder(path: Path, folder: Path) -> str:
    """Return the path of a file from the folder of a configuration, which may not exist yet.

    Links in the way to both are followed, because ``..`` in a path leads out of where a folder really is.
    """
    real = Path(os.path.realpath(path.parent)) / path.name
    found = os.path.relpath(real, os.path.realpath(folder))
    check_unicode("the path of a file", found)
    if VARIABLE.search(found):
        raise UsageError(
            f"{path}: a configuration would read ${{...}} in this path as a variable", hint="rename the file"
        )
    return Path(found).as_posix()


@dataclass(frozen=True, slots=True)
class _Found:
    fitting: Fitting
    sentences: tuple[str, ...]
    items: int


def _look_into(given: Given, env: Mapping[str, str]) -> _Found:
    """Let a run's own checks read what was given, and decide what the configuration leaves open.

    A configuration in a temporary folder stands for the new one, so that nothing is written if anything is wrong. Its
    questions have the path that was typed, which is the one that messages should name.
    """
    from promptrial.engine.resolving import load_resolved

    with tempfile.TemporaryDirectory(prefix="promptrial-") as name:
        folder = Path(name)
        prompts = {}
        for arm, prompt in given.prompts.items():
            prompts[arm] = f"{arm}.txt"
            text = read_prompt(prompt) if isinstance(prompt, Path) else prompt
            (folder / prompts[arm]).write_text(text, encoding="utf-8")
        questions = given.questions or folder / "questions.csv"
        if given.questions is None:
            questions.write_bytes(_sample_questions())
        model = replace(given.model, path=os.path.abspath(given.model.path) if given.model.path else "")  # noqa: PTH100 - links are kept
        draft = Draft(given.name, model, prompts, str(questions), top=given.top, dataset=given.dataset)
        path = folder / CONFIG_NAME
        path.write_text(configuration_text(draft), encoding="utf-8")
        loaded, resolution = load_resolved(path, env, folder=Path())
        _check_models(loaded)
        items, said = _questions_read(loaded)
    return _Found(_fitting(resolution.values, items), (*resolution.sentences, *said), items)


def _questions_read(loaded: LoadedConfig) -> tuple[int, list[str]]:
    """Return how many questions there are, and what people should know of them, such as that a run refuses some."""
    from promptrial.engine.question_files import read_items
    from promptrial.phases.question_checks import QuestionChecks
    from promptrial.scoring.whole_sets import WholeSetCheck

    name, dataset = next(iter(loaded.experiment.datasets.items()))
    said: list[str] = []
    checks = QuestionChecks(loaded.experiment)
    items = list(islice(read_items(loaded, name, dataset, checks.notice, said.append), MOST_COUNTED + 1))
    said += WholeSetCheck.of(items).warnings(name)
    try:
        checks.refuse(name, items[:MOST_COUNTED])
    except DataError as error:
        said.append(f"a run that asks such a question is refused: {error}")
    return len(items), said


def _check_models(loaded: LoadedConfig) -> None:
    """Refuse a model that its provider cannot have; a key may still be missing."""
    from promptrial.design.trials import models_asked, trials_of
    from promptrial.engine.serving import misnamed

    trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
    problems = list(misnamed(models_asked(trials)))
    if problems:
        raise UsageError("\n".join(problems))


def _fitting(values: Mapping[KeyPath, object], items: int) -> Fitting:
    """Return what was decided as the sections of a configuration, with a few words for its comments."""
    tree: dict[Any, Any] = {}
    for at, value in values.items():
        branch = tree
        for key in at[:-1]:
            branch = branch.setdefault(key, {})
        branch[at[-1]] = value
    dataset: dict[str, object] = tree.pop("datasets", {}).get("questions", {})
    return Fitting(
        dataset, tree, _WHY, f"more than {MOST_COUNTED:,} questions" if items > MOST_COUNTED else f"{items} questions"
    )


def _sample_questions() -> bytes:
    """Return five questions of the sample as CSV, with one accepted answer each."""
    lines = read_text(sample_folder() / "data/sample/closed_book.jsonl").splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("question", "answer"))
    writer.writerows((rows[id_]["question"], rows[id_]["answers"][0]) for id_ in _SAMPLE_QUESTIONS)
    return out.getvalue().encode()


def sample_prompts() -> dict[ArmName, str]:
    """Return the texts of two prompts of the sample, for a configuration that is given none."""
    folder = sample_folder() / "config/prompts"
    return {arm: read_text(folder / name).rstrip() for arm, name in zip(PAIR, _SAMPLE_PROMPTS, strict=True)}
