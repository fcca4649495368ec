"""Every command on the pages of docs is one that the program takes: its verb and its flags are there.

The pages name runs, buckets and folders that nobody has, so that their commands cannot be run; those of README and
EXPERIMENT_WORKFLOW are, by tests of their own.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from promptrial.cli.main import COMMANDS, build_parser

ROOT = Path(__file__).parents[2]
_COMMAND = re.compile(r"^(?:\$ |    )?promptrial (.*)$", re.MULTILINE)


def _commands() -> list[tuple[str, str]]:
    pages = sorted(page for page in (ROOT / "docs").glob("*.md") if not page.name.startswith("cli"))
    return [(page.name, found) for page in pages for found in _COMMAND.findall(page.read_text())]


@pytest.mark.parametrize(("page", "command"), _commands())
def test_every_command_of_a_page_is_accepted_by_the_program(page: str, command: str) -> None:
    words = shlex.split(command.replace("...", ""), comments=True)
    assert words[0] in COMMANDS, page
    build_parser(words[0]).parse_args(words)


def test_there_are_commands_on_the_pages() -> None:
    assert len(_commands()) >= 10
