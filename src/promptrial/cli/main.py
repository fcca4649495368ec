"""The program: picks the command, and turns every way of ending into an exit code and a sentence on stderr."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from promptrial import __version__
from promptrial.cli.options import Parser
from promptrial.errors import PromptrialError, StopRequested
from promptrial.runtime.events import Redactor, say_to_stderr

__all__ = ["COMMANDS", "Command", "build_parser", "entry_point", "main"]


class Command(NamedTuple):
    """A verb: its module (with ``DESCRIPTION``, ``configure(parser)`` and ``execute(args) -> int``) and its summary."""

    module: str
    summary: str


COMMANDS: Final[dict[str, Command]] = {
    "run": Command("promptrial.cli.run", "run an experiment, or resume one"),
    "plan": Command("promptrial.cli.plan", "show what a run would do, phase by phase; changes nothing"),
    "status": Command("promptrial.cli.status", "show how far a run is"),
}

_EPILOG: Final = """exit codes:
  0 done, or nothing to do    1 a phase failed              2 bad usage or configuration
  3 cannot resume             4 another process runs it     5 stopped on request, resumable
  6 budget reached            130, 143 second SIGINT, SIGTERM
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code.

    Side effects: whatever the command does. An error is one sentence on stderr, without a traceback unless
    ``PROMPTRIAL_TRACEBACK`` is set, and never with a secret.
    """
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        args = build_parser(next((word for word in words if word in COMMANDS), None)).parse_args(words)
        code: int = args.execute(args)
    except StopRequested as stop:
        say_to_stderr(f"stopped ({stop}); go on with: {getattr(stop, 'resume_command', 'promptrial run --resume')}")
        return StopRequested.exit_code
    except PromptrialError as error:
        if os.environ.get("PROMPTRIAL_TRACEBACK"):
            raise
        from promptrial.config.loading import environment

        say_to_stderr(Redactor(environment(os.environ, Path.cwd()))(f"error: {error}"))
        return error.exit_code
    except BrokenPipeError:  # the reader of stdout went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def entry_point() -> None:
    """Run the program and end the process."""
    sys.exit(main())
