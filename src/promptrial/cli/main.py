"""The program: picks the command, and turns every way of ending into an exit code and a sentence on stderr."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from promptrial import __version__
from promptrial.cli.options import Parser
from promptrial.config.environment import environment
from promptrial.documents.files import NotARegularFileError
from promptrial.errors import (
    ActionNeeded,
    ConfigError,
    Detached,
    PromptrialError,
    ReaderGoneError,
    StopRequested,
    UsageError,
)
from promptrial.runtime.events import Redactor
from promptrial.runtime.interrupts import Terminated, end_on_signals, raise_on_signals
from promptrial.runtime.terminal import say_to_stderr

__all__ = ["COMMANDS", "Command", "build_parser", "entry_point", "main"]


_MOST_STEPS: Final = 40
_RESUME: Final = "promptrial run --run_id RID --resume"
_OUT_OF_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OF_THE_WRONG_KIND: Final = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP)
_NOT_ALLOWED: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ETXTBSY)


class Command(NamedTuple):
    """A verb: its module (with ``DESCRIPTION``, ``configure(parser)`` and ``execute(args) -> int``) and its summary."""

    module: str
    summary: str


COMMANDS: Final[dict[str, Command]] = {
    "demo": Command("promptrial.cli.demo", "run a real trial on the embedded model: no key, no network, no files"),
    "try": Command("promptrial.cli.try_prompts", "compare prompts on your questions, without a configuration"),
    "init": Command("promptrial.cli.init", "write a configuration for a trial of your own"),
    "run": Command("promptrial.cli.run", "run an experiment, or resume one"),
    "resume": Command("promptrial.cli.resume", "resume a run by its id, also a run of an older tool"),
    "plan": Command("promptrial.cli.plan", "show what a run would do, phase by phase; changes nothing"),
    "config": Command("promptrial.cli.config", "show a configuration with every default, or check it"),
    "models": Command("promptrial.cli.models", "list the models, and whether their servers can be asked"),
    "power": Command("promptrial.cli.power", "say what a trial can show, and how many questions a difference needs"),
    "stop": Command("promptrial.cli.stop", "ask a run to stop; it can be resumed"),
    "status": Command("promptrial.cli.status", "show the progress of a run"),
    "list": Command("promptrial.cli.list", "show every run at a glance"),
    "doctor": Command("promptrial.cli.doctor", "find what is wrong with a run, and the commands that fix it"),
    "audit": Command("promptrial.cli.audit", "audit the prompts of a configuration: tokens, costs, lengths, refusals"),
    "compare": Command("promptrial.cli.compare", "compare two runs, and gate one on the other"),
    "archive": Command("promptrial.cli.archive", "archive a finished run, so that it can be verified later"),
    "verify": Command("promptrial.cli.verify", "check every file of an archive"),
    "unarchive": Command("promptrial.cli.unarchive", "restore a run from its archive"),
    "emulator": Command("promptrial.cli.emulator", "emulate vendors' APIs on this machine, at no cost"),
    "smoke": Command("promptrial.cli.smoke", "stop dry runs at chosen points, resume them, and compare"),
}

_EPILOG: Final = """exit codes:
  0 done, or nothing to do    1 a phase failed              2 bad usage or configuration
  3 cannot resume             4 another process runs it     5 stopped on request, resumable
  6 reserved: cost cap        100 a check failed            130, 143 second SIGINT, SIGTERM
"""


def build_parser(verb: str | None = None) -> Parser:
    """Return the parser of the program, with the flags of one verb; the modules of the other verbs are not imported."""
    parser = Parser(
        prog="promptrial",
        description="Controlled A/B trials of system prompts on language models.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"promptrial {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for name, command in COMMANDS.items():
        if name != verb:
            verbs.add_parser(name, help=command.summary)
            continue
        module = importlib.import_module(command.module)
        sub = verbs.add_parser(name, help=command.summary, description=module.DESCRIPTION, epilog=_EPILOG)
        module.configure(sub)
        sub.set_defaults(execute=module.execute)
    return parser


class _Ending(NamedTuple):
    """The exit code, and whether the process ends without waiting for its threads."""

    code: int
    at_once: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code.

    Side effects: as those of the command; see ``_ending``.
    """
    return _ending(arguments).code


def _ending(arguments: Sequence[str] | None = None) -> _Ending:
    """Run the program, and turn each way in which it may end into an exit code.

    Side effects: whatever the command does. An error is one sentence on stderr, with a traceback only if
    ``PROMPTRIAL_TRACEBACK`` is set, and never with a secret.
    """
    args = argparse.Namespace()
    try:
        words = _words(sys.argv[1:] if arguments is None else arguments)
        args = build_parser(next((word for word in words if word in COMMANDS), None)).parse_args(words)
        code: int = args.execute(args)
    except StopRequested as stop:
        say_to_stderr(_how_to_resume(stop))
        return _Ending(stop.exit_code, at_once=isinstance(stop, Detached))
    except Terminated:  # before or after a run, which has handlers of its own
        say_to_stderr("terminated")
        return _Ending(128 + signal.SIGTERM)
    except KeyboardInterrupt:
        say_to_stderr("interrupted")
        return _Ending(128 + signal.SIGINT)
    except ReaderGoneError as gone:
        return _Ending(gone.exit_code)
    except Exception as error:  # noqa: BLE001 - the process edge: each becomes a sentence and an exit code
        say_to_stderr(_redactor()(_sentence(error, getattr(args, "experiments_dir", None))))
        return _Ending(_code(error))
    return _Ending(code)


def _how_to_resume(stop: StopRequested) -> str:
    """Return why a run stopped and the command that resumes it, after what a person has to do for that."""
    resume = f"resume it with: {stop.resume_command or _RESUME}"
    if not isinstance(stop, ActionNeeded):
        return f"stopped ({stop}); {resume}"
    steps, left = stop.steps[:_MOST_STEPS], len(stop.steps) - _MOST_STEPS
    lines = [f"stopped: {stop}", *steps, *([f"# and {left} more like these"] if left > 0 else [])]
    return "\n  ".join(lines) + f"\nthen {resume}"


def _words(arguments: Sequence[str]) -> list[str]:
    """Return the words of the command line, where ``help VERB`` asks for the help of a verb.

    Side effects: without a word, the help is printed, and the program ends as it does for bad usage.
    """
    if not arguments:
        build_parser().print_help()
        raise SystemExit(UsageError.exit_code)
    return [*arguments[1:], "--help"] if arguments[0] == "help" else [*arguments]


def _code(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # as given, by a flag or the configuration
        return UsageError.exit_code
    return error.exit_code if isinstance(error, PromptrialError) else 1


def _sentence(error: Exception, experiments: Path | None) -> str:
    """Return what to say of an error, after its traceback if that is asked for.

    A full disk does not say in which file it was met; then the folder of the runs is named.
    """
    trace = "".join(traceback.format_exception(error)) if os.environ.get("PROMPTRIAL_TRACEBACK") else ""
    if isinstance(error, PromptrialError):
        return f"{trace}error: {error}"
    if isinstance(error, OSError) and error.strerror:
        named = error.filename if isinstance(error.filename, str | bytes) else experiments
        return f"{trace}error: {f'{os.fsdecode(named)}: ' if named else ''}{error.strerror}{_remedy(error)}"
    return f"{trace}unexpected error: {type(error).__name__}: {error} (set PROMPTRIAL_TRACEBACK=1 for a traceback)"


def _remedy(error: OSError) -> str:
    """Return what to do about a disk or a file system that refuses; nothing is lost by it."""
    if error.errno in _OUT_OF_ROOM:
        return (
            "\n  next: free some space, then run the same command again; continue a run that has started with --resume"
        )
    if error.errno in _NOT_ALLOWED:
        return (
            "\n  next: make it writable (or close the program that uses it), then run the same command again; "
            "continue a run that has started with --resume"
        )
    if error.errno in _OF_THE_WRONG_KIND or isinstance(error, NotARegularFileError):
        return (
            "\n  next: see what is there and move it away, then run the same command again; "
            "continue a run that has started with --resume"
        )
    return ""


def _redactor() -> Redactor:
    """Return what takes secrets out; a ``.env`` that cannot be read has none that could have been used."""
    try:
        return Redactor(environment(os.environ, Path.cwd()))
    except (ConfigError, OSError):
        return Redactor(os.environ)


def entry_point(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end the process.

    Side effects: sets signal handlers; see ``runtime.interrupts``.
    """
    raise_on_signals()
    try:
        code, at_once = _ending(arguments)
    finally:
        end_on_signals()
    if at_once:  # a request may still be in flight on another thread, and is not waited for
        os._exit(code)
    sys.exit(code)
