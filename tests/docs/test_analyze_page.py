"""The commands of docs/analyze.md print what the page shows, and its tables name what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.cli.main import main
from promptrial.comparison.elsewhere.formats import tables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/analyze.md").read_text()
COMMANDS = [found for found in re.findall(r"^promptrial (analyze .*)$", PAGE, re.MULTILINE) if "docs/examples" in found]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_does_what_the_page_says(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)) == 0
    out = capsys.readouterr().out
    assert re.match(r"new (beats|is higher than) base on ", out)
    if command == COMMANDS[0]:
        shown = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0]
        assert out.startswith(shown)


def test_every_format_is_on_the_page() -> None:
    assert len(COMMANDS) == 4
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == ["lm_eval", "inspect", "promptfoo", "helm", "table"]
    assert {*registry.RESULTS} == {"lm_eval", "inspect", "promptfoo", "helm", "table"}


def test_the_page_lists_the_column_names_that_are_recognised() -> None:
    for what, names in tables._USUAL.items():
        flag = "score" if what == "scores" else what
        (listed,) = re.findall(rf"^\| \w+ \| `--{flag}` \| (.*) \|$", PAGE, re.MULTILINE)
        assert re.findall(r"`([^`]+)`", listed) == [*names], what
