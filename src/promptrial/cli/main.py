"""The program: picks the command, and turns every way of ending into an exit code and a sentence on stderr."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from promptrial import __version__
from promptrial.cli.options import Parser
from promptrial.errors import PromptrialError, StopRequested
from promptrial.runtime.events import Redactor, say_to_stderr

__all__ = ["COMMANDS", "build_parser", "entry_point", "main"]

COMMANDS: Final[dict[str, str]] = {
    "run": "promptrial.cli.run",
    "plan": "promptrial.cli.plan",
    "status": "promptrial.cli.status",
}
"""Verb -> module with ``SUMMARY``, ``configure(parser)`` and ``execute(args) -> int``."""

_EPILOG: Final = """exit codes:
  0 done, or nothing to do    1 a phase failed              2 bad usage or configuration
  3 cannot resume             4 another process runs it     5 stopped on request, resumable
  6 budget reached            130, 143 second SIGINT, SIGTERM
"""


def build_parser() -> Parser:
    """Return the parser of the whole program; imports only what the flags need."""
    parser = Parser(
        prog="promptrial",
        description="Controlled A/B trials of system prompts on language models.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"promptrial {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for verb, module_name in COMMANDS.items():
        module = importlib.import_module(module_name)
        sub = verbs.add_parser(verb, help=module.SUMMARY, description=module.DESCRIPTION, epilog=_EPILOG)
        module.configure(sub)
        sub.set_defaults(execute=module.execute)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code.

    Side effects: whatever the command does. An error is one sentence on stderr, without a traceback unless
    ``PROMPTRIAL_TRACEBACK`` is set, and never with a secret.
    """
    redact = Redactor(os.environ)
    try:
        args = build_parser().parse_args(arguments)
        code: int = args.execute(args)
    except StopRequested as stop:
        say_to_stderr(f"stopped ({stop}); go on with: {getattr(stop, 'resume_command', 'promptrial run --resume')}")
        return StopRequested.exit_code
    except PromptrialError as error:
        if os.environ.get("PROMPTRIAL_TRACEBACK"):
            raise
        say_to_stderr(redact(f"error: {error}"))
        return error.exit_code
    except BrokenPipeError:  # the reader of stdout went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def entry_point() -> None:
    """Run the program and end the process."""
    sys.exit(main())
