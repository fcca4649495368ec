"""The program: picks the command, and turns every way of ending into an exit code and a sentence on stderr."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, cast

from promptrial import __version__
from promptrial.cli.parser import Parser, Verbs
from promptrial.cli.slips import before_verb
from promptrial.config.environment import forget_secrets
from promptrial.documents.files import NotARegularFileError
from promptrial.errors import (
    ActionNeeded,
    Detached,
    PromptrialError,
    ReaderGoneError,
    StopRequested,
    UsageError,
)
from promptrial.runtime import collector
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
    "demo": Command("promptrial.cli.demo", "run a real trial on the embedded model; needs no key, network or files"),
    "try": Command("promptrial.cli.try_prompts", "compare prompts on your own questions, without a configuration file"),
    "init": Command("promptrial.cli.init", "write a configuration file for your own trial"),
    "run": Command("promptrial.cli.run", "run an experiment, or resume one"),
    "resume": Command("promptrial.cli.resume", "resume a run by its name"),
    "plan": Command("promptrial.cli.plan", "show what a run would do and cost; changes nothing"),
    "config": Command("promptrial.cli.config", "check a configuration, or show it with all defaults"),
    "models": Command("promptrial.cli.models", "list models and check that their servers can be reached"),
    "power": Command(
        "promptrial.cli.power", "show the smallest difference a trial can detect, or how many questions it needs"
    ),
    "seal": Command(
        "promptrial.cli.seal", "record a run's analysis plan before any request is sent, or check the run against it"
    ),
    "stop": Command("promptrial.cli.stop", "stop a run; it can be resumed"),
    "status": Command("promptrial.cli.status", "show the progress of a run"),
    "show": Command("promptrial.cli.show", "show what each arm answered, item by item"),
    "view": Command("promptrial.cli.view", "show runs in a browser: progress, reports, and every item"),
    "label": Command(
        "promptrial.cli.label", "have people label answers, and adjust the measured effect with their labels"
    ),
    "report": Command(
        "promptrial.cli.report", "export the HTML report of a run, with or without the questions and answers"
    ),
    "list": Command("promptrial.cli.list", "list all runs"),
    "costs": Command("promptrial.cli.costs", "show what a run has spent, attempt by attempt"),
    "doctor": Command("promptrial.cli.doctor", "find problems with a run, and the commands that fix them"),
    "explain": Command("promptrial.cli.explain", "explain why a phase would run or be skipped"),
    "audit": Command("promptrial.cli.audit", "check the prompts of a configuration: tokens, cost, length, abstentions"),
    "compare": Command("promptrial.cli.compare", "compare two runs; can check limits (gates) like 'em >= -0.01'"),
    "aa": Command("promptrial.cli.aa", "compare the control of a run with itself, to count false alarms"),
    "analyze": Command("promptrial.cli.analyze", "analyse per-item results from another tool"),
    "archive": Command("promptrial.cli.archive", "archive a finished run, so that it can be verified later"),
    "verify": Command("promptrial.cli.verify", "check every file of an archive"),
    "unarchive": Command("promptrial.cli.unarchive", "restore a run from its archive"),
    "rm": Command("promptrial.cli.rm", "delete a run permanently; asks first"),
    "completion": Command("promptrial.cli.completion", "print the tab-completion script for your shell"),
    "emulator": Command("promptrial.cli.emulator", "run a local emulator of the providers' APIs, at no cost"),
    "smoke": Command(
        "promptrial.cli.smoke", "stop dry runs at predefined points, resume them, and compare the results"
    ),
}

_EPILOG: Final = """exit codes:
  0  done, or nothing to do         5    stopped on request; can be resumed
  1  a phase or a check failed      6    cost cap reached
  2  bad usage or configuration     100  gate, audit, seal or doctor not passed
  3  cannot resume                  130  ended by a second SIGINT
  4  in use by another process      143  ended by a second SIGTERM

Flags can also be written with hyphens: --run-id is the same as --run_id.
"""


def build_parser(*with_flags: str) -> Parser:
    """Return the parser of the program, with the flags of some verbs; the modules of the others are not imported."""
    parser = Parser(
        prog="promptrial",
        description="Controlled A/B trials of system prompts on language models.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"promptrial {__version__}")
    made = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser, action=Verbs)
    verbs = cast("Verbs", made)
    for name, command in COMMANDS.items():
        if name not in with_flags:
            verbs.add_name(name, command.summary)
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


def _ending(arguments: Sequence[str] | None = None, *, unattended: bool = False) -> _Ending:
    """Run the program, and turn each way in which it may end into an exit code.

    Side effects: whatever the command does. An error is one sentence on stderr, with a traceback only if
    ``PROMPTRIAL_TRACEBACK`` is set, and never with a secret.
    """
    args = argparse.Namespace()
    forget_secrets()
    try:
        words = _words(sys.argv[1:] if arguments is None else arguments)
        verb = next((word for word in words if word in COMMANDS), None)
        args = build_parser(*([verb] if verb else [])).parse_args(words)
        args.unattended = unattended
        code: int = args.execute(args)
    except StopRequested as stop:
        _say(args, _how_to_resume(stop), "warning")
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
        _say(args, _sentence(error, getattr(args, "experiments_dir", None)), "error")
        return _Ending(_code(error))
    return _Ending(code)


def _say(args: argparse.Namespace, text: str, level: str) -> None:
    """Say how a command ended, without secrets: a sentence, or the last event of a run whose display is ``json``."""
    from promptrial.runtime.clock import SystemClock
    from promptrial.runtime.events import redactor_of_errors

    text = redactor_of_errors()(text)
    if getattr(args, "display", None) != "json":
        say_to_stderr(text)
        return
    from promptrial.cli.progress import message_event, say_event

    say_event(message_event(SystemClock().now(), text, level))


def _how_to_resume(stop: StopRequested) -> str:
    """Return why a run stopped and the command that resumes it, after what a person has to do for that."""
    resume = f"resume it with: {stop.resume_command or _RESUME}"
    if not isinstance(stop, ActionNeeded):
        return f"stopped ({stop}); {resume}"
    steps, left = stop.steps[:_MOST_STEPS], len(stop.steps) - _MOST_STEPS
    lines = [f"stopped: {stop}", *steps, *([f"# and {left} more commands like these"] if left > 0 else [])]
    return "\n  ".join(lines) + f"\n{'then ' if stop.steps else ''}{resume}"


def _words(arguments: Sequence[str]) -> list[str]:
    """Return the words of the command line, where ``help VERB`` asks for the help of a verb.

    Side effects: without a word, the help is printed, and the program ends as it does for bad usage.

    Raises
    ------
    UsageError
        If a flag comes before the verb.
    """
    if not arguments:
        build_parser().print_help()
        raise SystemExit(UsageError.exit_code)
    if arguments[0] == "help":
        return [*arguments[1:], "--help"]
    slip = before_verb(arguments, COMMANDS)
    if slip is not None:
        raise slip
    return [*arguments]


def _code(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # as given, by a flag or the configuration
        return UsageError.exit_code
    return error.exit_code if isinstance(error, PromptrialError) else 1


def _sentence(error: Exception, experiments: Path | None) -> str:
    """Return what to say about an error, after its traceback if that is asked for.

    A full disk does not say in which file it was met; then the folder of the runs is named.
    """
    trace = _trace(error) if os.environ.get("PROMPTRIAL_TRACEBACK") else ""
    if isinstance(error, PromptrialError):
        return f"{trace}error: {error}"
    if isinstance(error, OSError) and error.strerror:
        named = error.filename if isinstance(error.filename, str | bytes) else experiments
        return f"{trace}error: {f'{os.fsdecode(named)}: ' if named else ''}{error.strerror}{_remedy(error)}"
    return f"{trace}unexpected error: {type(error).__name__}: {error} (set PROMPTRIAL_TRACEBACK=1 for a traceback)"


def _trace(error: Exception) -> str:
    import traceback  # most commands end without one

    return "".join(traceback.format_exception(error))


def _remedy(error: OSError) -> str:
    """Return what to do about a disk or a file system that refuses; nothing is lost by it."""
    if error.errno in _OUT_OF_ROOM:
        return (
            "\n  next: free some space, then run the same command again; if a run has started, continue it with "
            "--resume"
        )
    if error.errno in _NOT_ALLOWED:
        return (
            "\n  next: make it writable (or close the program that uses it), then run the same command again; if a "
            "run has started, continue it with --resume"
        )
    if error.errno in _OF_THE_WRONG_KIND or isinstance(error, NotARegularFileError):
        return (
            "\n  next: move the existing file or folder, then run the same command again; if a run has started, "
            "continue it with --resume"
        )
    return ""


def entry_point(arguments: Sequence[str] | None = None, *, unattended: bool = False) -> None:
    """Run the program and end the process; an ``unattended`` one never asks before it spends money.

    Side effects: sets signal handlers; see ``runtime.interrupts``.
    """
    raise_on_signals()
    try:
        code, at_once = _ending(arguments, unattended=unattended)
    finally:
        end_on_signals()
    if at_once:  # a request may still be in flight on another thread, and is not waited for
        os._exit(code)
    collector.freeze_collector()
    sys.exit(code)
