"""Reading the prompts and templates that a configuration names: texts, digests and what each has to hold."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.config.arms import ArmConfig, PromptConfig, PromptSetConfig, TaskInstructions
from promptrial.config.placeholders import missing_placeholders, unknown_placeholders
from promptrial.config.reading import read_named
from promptrial.config.schema import ExperimentConfig
from promptrial.config.tree import KeyPath, Lines, dotted, place
from promptrial.errors import ConfigError
from promptrial.model.templates import ALWAYS_RECORDED, DEFAULT_TEXTS, ItemKind, is_recorded

__all__ = ["read_prompts"]

_SHOWN: Final = 60
_WINDOWS: Final = re.compile(r"[A-Za-z]:[\\/]|[^/\s]*\\[^/\s]*$")


def read_prompts(
    path: Path, experiment: ExperimentConfig, line_of: Lines, needed: set[str], problems: list[str]
) -> ExperimentConfig:
    """Return the configuration with the text and the digest of every prompt of the sets that are needed.

    A text that cannot be read, or is wrong, is left out.

    Parameters
    ----------
    path : Path
        The configuration file, which relative paths start from.
    experiment : ExperimentConfig
    line_of : mapping
        Key path -> line.
    needed : set of str
        Names of prompt sets.
    problems : list of str
        Gets a line for each problem, naming file, line and key.
    """
    reader = _Reader(path, line_of, problems)
    sets = {
        name: reader.prompt_set(prompt_set, ("prompt_sets", name)) if name in needed else prompt_set
        for name, prompt_set in experiment.prompt_sets.items()
    }
    instructions = reader.instructions(experiment.task_instructions, ("task_instructions",))
    instructions = _filled(instructions)
    return experiment.model_copy(update={"prompt_sets": sets, "task_instructions": instructions})


def _filled(instructions: TaskInstructions) -> TaskInstructions:
    """Return the instructions of an experiment as they are recorded."""
    texts = {kind: each for kind, each in instructions.given.items() if is_recorded(kind, each.text)}
    packaged = {kind: PromptConfig(text=DEFAULT_TEXTS[kind]).with_text(DEFAULT_TEXTS[kind]) for kind in ALWAYS_RECORDED}
    return TaskInstructions(**(packaged | texts))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what is at a key path of one file, and gathers what is wrong; a text that is wrong is left out."""

    file: Path
    line_of: Lines
    problems: list[str]

    def prompt_set(self, prompt_set: PromptSetConfig, at: KeyPath) -> PromptSetConfig:
        arms = {name: self.arm(arm, (*at, *prompt_set.place(name))) for name, arm in prompt_set.arms.items()}
        return prompt_set.with_arms(arms)

    def arm(self, arm: ArmConfig, at: KeyPath) -> ArmConfig:
        own = arm.task_instructions
        return arm.model_copy(
            update={
                "prompt": self.prompt(arm.prompt, at),
                "task_instructions": own and self.instructions(own, (*at, "task_instructions")),
            }
        )

    def instructions(self, instructions: TaskInstructions, at: KeyPath) -> TaskInstructions:
        return instructions.model_copy(
            update={kind: self.template(each, kind, (*at, kind)) for kind, each in instructions.given.items()}
        )

    def template(self, prompt: PromptConfig, kind: ItemKind, at: KeyPath) -> PromptConfig:
        """Return a template with its text. One that is with its digest is on record, and was taken before."""
        read = self.prompt(prompt, at)
        if read.lost or not read.text.strip():
            return read
        wrong = missing_placeholders(kind, read.text)
        unknown = [] if prompt.text and prompt.sha256 else unknown_placeholders(kind, read.text)
        problems = [*([f"must hold {' and '.join(wrong)}"] if wrong else []), *unknown]
        if problems:
            self.add(at, f"{read.label} {'; '.join(problems)}")
        return read

    def prompt(self, prompt: PromptConfig, at: KeyPath) -> PromptConfig:
        """Return a prompt with its text (a run's own copy of the configuration carries it) and a true digest."""
        if prompt.lost:
            return prompt
        named = self.file.parent / prompt.path
        try:
            read = prompt.with_text(prompt.text or read_named(named, "prompt"))
        except ConfigError as error:
            self.add(at, mistaken_path(prompt.path) or error.message)
            return prompt
        if not read.text.strip():
            self.add(at, f"{named if prompt.path else prompt.label} is empty")
        if prompt.sha256 not in {"", read.sha256}:
            self.add(at, f"the text of {prompt.label} has SHA-256 {read.sha256}, not {prompt.sha256} as given here")
        return read

    def add(self, at: KeyPath, problem: str) -> None:
        self.problems.append(f"{place(self.file, self.line_of, at)}: {dotted(at)}: {problem}")


def mistaken_path(path: str) -> str | None:
    r"""Return what is wrong with the path of a file that cannot be read, if it is not a path of this system; else None.

    Examples
    --------
    >>> mistaken_path("prompts/brief.txt")
    >>> mistaken_path("Be brief.")
    "there is no file 'Be brief.'; if this is the text itself, write {text: ...}"
    """
    shown = repr(path if len(path) <= _SHOWN else f"{path[:_SHOWN]}...")
    if _WINDOWS.match(path) and os.sep == "/":
        return f"there is no file {shown}; write / between folders, and a path relative to the folder of this file"
    if any(letter.isspace() for letter in path):
        return f"there is no file {shown}; if this is the text itself, write {{text: ...}}"
    return None
