"""The results of a run on terminals of 80 and 200 columns, without colours, and in a pipe: the verdict comes first."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from html import unescape
from typing import Any, Final

import pytest
from markdown_it import MarkdownIt

from tests.support.project import Project, import_path

PROGRAM: Final = """
import sys
from promptrial import registry
registry.PROVIDERS["fake"] = "tests.support.fake_provider:FakeProvider"
from promptrial.cli.start import entry_point
entry_point(["run", "--run_id", "r", "--resume", *sys.argv[1:]])
"""
_CODES: Final = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def finished(project: Project) -> Project:
    project.given_run()
    return project


def environment(**changed: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    return {**kept, "TERM": "xterm-256color", "PYTHONPATH": import_path(), **changed}


def at_a_terminal(columns: int, **changed: str) -> str:
    """Return what a finished run shows on stdout, a terminal of so many columns."""
    fd, program_end = pty.openpty()
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL, stdout=program_end, stderr=subprocess.PIPE,
        env=environment(**changed),
    ) as process:  # fmt: skip
        os.close(program_end)
        shown = b""
        while data := _read(fd):
            shown += data
        assert process.wait(60) == 0
    os.close(fd)
    return shown.decode().replace("\r\n", "\n")


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # the program has ended
        return b""


def in_a_pipe(*flags: str, **changed: str) -> str:
    command = [sys.executable, "-c", PROGRAM, *flags]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=True, env=environment(**changed), text=True
    ).stdout


@pytest.mark.usefixtures("finished")
def test_the_terminal_decides_how_wide_lines_are_and_how_much_the_table_holds() -> None:
    narrow, wide = (_CODES.sub("", at_a_terminal(columns)) for columns in (80, 200))
    assert 70 < max(map(len, narrow.splitlines())) <= 80
    assert 100 < max(map(len, wide.splitlines())) <= 200
    assert re.search(r"^Measure +Control +Treatment +Difference \(95% CI\) +Decision$", narrow, re.MULTILINE)
    assert re.search(r"CI\) +Pairs +Clusters +Adjusted p +Decision$", wide, re.MULTILINE)
    assert narrow.split() != wide.split()
    order = ["shown on exact match", "Warning (clusters)", "Measure", "Cost: ", "Spent: ", "Report: ", "Answers: "]
    places = [narrow.index(text) for text in [*order, "report.html"]]
    assert places == sorted(places)


@pytest.mark.usefixtures("finished")
def test_colours_are_used_only_on_a_terminal_and_can_be_turned_off() -> None:
    shown = at_a_terminal(80)
    assert "\x1b[33mWarning (clusters)" in shown
    plain = [at_a_terminal(80, NO_COLOR="1"), at_a_terminal(80, TERM="dumb"), in_a_pipe()]
    assert plain == [_CODES.sub("", shown)] * 3, "a pipe is 80 columns wide"
    assert "\x1b" not in plain[0]
    assert "Adjusted p" in in_a_pipe(COLUMNS="200")


def test_terminal_report_page_and_json_open_with_the_same_verdict(finished: Project) -> None:
    values: dict[str, Any] = json.loads(in_a_pipe("--json"))
    (trial,) = values["trials"]
    (sentence,) = trial["verdict"]["sentences"]
    (warning,) = trial["verdict"]["warnings"]
    terminal = in_a_pipe(COLUMNS="500").splitlines()
    assert sentence == terminal[2]
    assert terminal[4] == f"Warning (clusters): {warning['text'].partition(': ')[2]}"
    markdown = MarkdownIt("commonmark").render(finished.report())
    for page in (markdown, (finished.run_root() / "report.html").read_text()):
        shown = unescape(re.sub(r"<(style|script).*?</\1>|<[^>]+>", "", page, flags=re.DOTALL))
        text = " ".join(shown.split())
        assert text.index(sentence) < text.index(warning["text"].partition(": ")[2]) < text.rindex("Missing answers")
    assert sentence in (finished.run_root() / "aggregate_report.md").read_text().replace("**", "").replace("\\", "")
    assert trial["report"].endswith("reports/report.md")
    assert values["folder"] == "experiments/run_r"
