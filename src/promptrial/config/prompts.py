"""Reading the prompts and templates that a configuration names: texts, digests and what each has to hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.config.arms import ArmConfig, PromptConfig, PromptSetConfig, TaskInstructions
from promptrial.config.reading import read_named
from promptrial.config.schema import ExperimentConfig
from promptrial.config.tree import KeyPath, Lines, dotted, place
from promptrial.errors import ConfigError

__all__ = ["read_prompts"]

_TIMES: Final = ("nowhere", "exactly once")
_PLACEHOLDERS: Final = {
    "open_book": {"{context}": 1, "{question}": 1},
    "closed_book": {"{context}": 0, "{question}": 1},
}


def read_prompts(path: Path, experiment: ExperimentConfig, line_of: Lines, needed: set[str]) -> ExperimentConfig:
    """Return the configuration with the text and the digest of every prompt of the sets that are needed.

    Parameters
    ----------
    path : Path
        The configuration file, which relative paths start from.
    experiment : ExperimentConfig
    line_of : mapping
        Key path -> line.
    needed : set of str
        Names of prompt sets.

    Raises
    ------
    ConfigError
        Naming file, line and key.
    """
    reader = _Reader(path, line_of)
    sets = {
        name: reader.prompt_set(prompt_set, ("prompt_sets", name)) if name in needed else prompt_set
        for name, prompt_set in experiment.prompt_sets.items()
    }
    instructions = reader.instructions(experiment.task_instructions, ("task_instructions",))
    return experiment.model_copy(update={"prompt_sets": sets, "task_instructions": instructions})


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what stands at a key path of one file."""

    file: Path
    line_of: Lines

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
            update={kind: self.template(getattr(instructions, kind), kind, (*at, kind)) for kind in _PLACEHOLDERS}
        )

    def template(self, prompt: PromptConfig, kind: str, at: KeyPath) -> PromptConfig:
        read = self.prompt(prompt, at)
        counts = _PLACEHOLDERS[kind].items()
        wrong = [f"{field} {_TIMES[times]}" for field, times in counts if read.text.count(field) != times]
        if wrong and not read.lost:
            raise self.error(at, f"{read.label} must hold {' and '.join(wrong)}")
        return read

    def prompt(self, prompt: PromptConfig, at: KeyPath) -> PromptConfig:
        """Return a prompt with its text (a run's own copy of the configuration carries it) and a true digest."""
        if prompt.lost:
            return prompt
        named = self.file.parent / prompt.path
        try:
            read = prompt.with_text(prompt.text or read_named(named, "prompt"))
        except ConfigError as error:
            raise self.error(at, error.message) from None
        if not read.text.strip():
            raise self.error(at, f"{named if prompt.path else prompt.label} is empty")
        if prompt.sha256 not in {"", read.sha256}:
            raise self.error(
                at, f"the text of {prompt.label} has SHA-256 {read.sha256}, not {prompt.sha256} as given here"
            )
        return read

    def error(self, at: KeyPath, problem: str) -> ConfigError:
        return ConfigError(f"{place(self.file, self.line_of, at)}: {dotted(at)}: {problem}")
