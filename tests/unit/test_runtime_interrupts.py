"""A signal outside of a run ends the program with its own code, wherever it comes, and says one word."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import os, signal, sys
from promptrial.runtime.interrupts import *

def strike():
    os.kill(os.getpid(), int(sys.argv[1]))

class Dies:
    def __del__(self):
        strike()

{setting}()
try:
    {body}
    print("went on")
except Terminated:
    print("cleaned up, terminated")
except KeyboardInterrupt:
    print("cleaned up, interrupted")
"""
SIGNALS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]


def ended(folder: Path, setting: str, body: str, number: int) -> tuple[int, str, str]:
    (folder / "striking.py").write_text("import os, sys\nos.kill(os.getpid(), int(sys.argv[1]))\n")
    child = folder / "child.py"
    child.write_text(CHILD.format(setting=setting, body=body))
    command = [sys.executable, str(child), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_a_command_cleans_up_after_a_signal(tmp_path: Path, number: int, code: int, word: str) -> None:
    del code
    assert ended(tmp_path, "raise_on_signals", "strike()", number) == (0, f"cleaned up, {word}\n", "")


@pytest.mark.parametrize("body", ["import striking", "__import__('striking')", "Dies()"])
@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_a_signal_during_an_import_or_a_destructor_ends_the_process_immediately(
    tmp_path: Path, body: str, number: int, code: int, word: str
) -> None:
    assert ended(tmp_path, "raise_on_signals", body, number) == (code, "", f"{word}\n")


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_a_signal_before_the_command_ends_the_process_immediately(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    assert ended(tmp_path, "end_on_signals", "strike()", number) == (code, "", f"{word}\n")


def test_another_error_in_a_destructor_is_reported_as_usual(tmp_path: Path) -> None:
    code, out, err = ended(tmp_path, "raise_on_signals", "Dies.__del__ = lambda _: 1 / 0; Dies()", signal.SIGINT)
    assert (code, out) == (0, "went on\n")
    assert "ZeroDivisionError" in err
