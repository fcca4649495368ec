"""Scorers that are programs: bound to the run that allows them, and run batch by batch within their limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.config.code import program_digest
from promptrial.config.commands import program_path
from promptrial.config.scorers import ScorerConfig
from promptrial.documents.printable import escaped
from promptrial.errors import ConfigError, ScoreError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.program import Ended, Limits, bare_environment, run_program
from promptrial.scoring.contract import Scorer
from promptrial.scoring.types.command import MAX_REPLY_BYTES, Command, ProgramScorer

__all__ = ["program_scorer"]

_SPARE_BYTES: Final = 64_000
_NAME_IT: Final = "resume with --config FILE, the configuration in the folder of the program"


def program_scorer(
    name: str,
    entry: ScorerConfig,
    command: Command,
    folder: Path,
    check_stop: Callable[[], None],
) -> Scorer:
    """Return a command as a scorer that can be run.

    Parameters
    ----------
    name : str
        The scorer, as messages name it.
    entry : ScorerConfig
        Its entry; the digest in it is what was allowed to run.
    command : Command
        Its settings.
    folder : Path
        The folder of the configuration.
    check_stop : callable
        Raises if a stop was asked for.

    Raises
    ------
    ConfigError
        If the program or its files are not what they were when the configuration was read.
    """
    env = bare_environment(os.environ)
    try:
        found = program_digest(folder, command.command, command.files, env)
        path = program_path(folder, command.command[0], env)
    except ConfigError as error:
        raise ConfigError(f"scorer {name}: {error.message}", hint=_NAME_IT) from None
    if found != entry.sha256:
        raise ConfigError(
            f"scorer {name}: the files of the command {command.command[0]} have changed since the run was started "
            f"(SHA-256 {entry.sha256})",
            hint=_NAME_IT,
        )
    argv = (path, *command.command[1:])
    return ProgramScorer(name, command, _Program(name, command, argv, folder, env, check_stop))


@dataclass(frozen=True)
class _Program:
    """Starts the program of a command for a batch, and returns what it wrote."""

    name: str
    command: Command
    argv: tuple[str, ...]
    folder: Path
    env: dict[str, str]
    check_stop: Callable[[], None]

    def __call__(self, lines: Iterable[bytes], n: int) -> bytes:
        limits = Limits(self.command.time_limit_s, _SPARE_BYTES + n * MAX_REPLY_BYTES)
        try:
            ended = run_program(
                self.argv, self.folder, self.env, lines, limits, SystemClock().monotonic, self.check_stop
            )
        except OSError as error:
            raise self._failed(f"{self.argv[0]} cannot be started: {error.strerror}") from error
        problem = _problem(ended, limits, n)
        if problem is not None:
            raise self._failed(f"{problem}{_said(ended)}")
        return ended.stdout

    def _failed(self, problem: str) -> ScoreError:
        return ScoreError(
            f"scorer {self.name}: {problem}",
            hint="fix the program, or its time_limit_s, then resume the run; only score to report run again",
        )


def _problem(ended: Ended, limits: Limits, n: int) -> str | None:
    answers = f"{n:,} answer{'s' if n > 1 else ''}"
    if ended.took_too_long:
        return f"the program was killed: it took longer than {limits.seconds:g} seconds (time_limit_s) for {answers}"
    if ended.wrote_too_much:
        return f"the program was killed: its output exceeded {limits.stdout_bytes:,} bytes for {answers}"
    if ended.code < 0:
        return f"the program was killed by signal {-ended.code}, with {answers} to score"
    if ended.code > 0:
        return f"the program ended with exit code {ended.code}, with {answers} to score"
    return None


def _said(ended: Ended) -> str:
    """Return the end of what a program wrote to standard error, fit to be printed."""
    text = ended.stderr.decode(errors="replace").strip()
    lines = [escaped(line)[:300] for line in text.splitlines()[-5:]]
    return "\n  ".join(["; it wrote to standard error:", *lines]) if lines else "; it wrote nothing to standard error"
