"""What is printed is safe to show, whatever it names; streams may be closed, full, or of another encoding."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from promptrial.documents.printable import escaped
from tests.support.project import Project
from tests.support.skips import UNSHARE

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b[2Jred\x9b31m\u202egnp.exe\u2066\x7f\x07"
SHOWN = r"\u001b[2Jred\u009b31m\u202egnp.exe\u2066\u007f\u0007"
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LONG_RUN = ("run", "--config", str(ROOT / "config/eval_config.yaml"), "--to_step", "build", "--limit_items", "2")


def shell(command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which ``$P`` is the program."""
    program = f"{sys.executable} -m promptrial"
    return subprocess.run(
        ["bash", "-c", command.replace("$P", program)], cwd=cwd, capture_output=True, check=False, timeout=60,
        env={**os.environ, **env},
    )  # fmt: skip


# --- what is printed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--experiments_dir", HOSTILE),
        ("plan", "--config", HOSTILE),
        ("run", f"--{HOSTILE}"),
        ("run", "--temps", HOSTILE),
        ("verify", HOSTILE),
        ("status", "--run_id", HOSTILE),
    ],
)
def test_names_from_flags_are_shown_escaped(project: Project, arguments: tuple[str, ...]) -> None:
    outcome = project.call(*arguments)
    said = outcome.out + outcome.err
    assert not DANGEROUS.search(said)
    assert SHOWN in said or repr(HOSTILE)[1:-1] in said


def test_names_and_values_of_a_configuration_are_shown_escaped(project: Project) -> None:
    for change in ({HOSTILE: 1}, {"name": HOSTILE}, {"prompt_sets": {"main": {"control": HOSTILE, "treatment": "t"}}}):
        project.write_config(change)
        outcome = project.call("plan")
        assert outcome.code == 2
        assert not DANGEROUS.search(outcome.err)
        assert "red" in outcome.err


def test_a_file_in_a_folder_with_a_hostile_name_is_shown_escaped_in_text_and_json(project: Project) -> None:
    there = ("--experiments_dir", HOSTILE)
    assert project.run(*there, "--to_step", "build").code == 0
    for verb in (("list",), ("status", "--run_id", "r"), ("plan", "--run_id", "r"), ("doctor", "r")):
        outcome = project.call(*verb, *there)
        assert not DANGEROUS.search(outcome.out + outcome.err), verb
        outcome = project.call(*verb, *there, "--json")
        assert not DANGEROUS.search(outcome.out + outcome.err), verb
        json.loads(outcome.out)


def test_escaped_json_is_the_same_json() -> None:
    value = {"a": HOSTILE, "b": "é\t\n"}
    assert json.loads(escaped(json.dumps(value, ensure_ascii=False, indent=1))) == value


def test_the_script_in_an_archive_escapes_names(tmp_path: Path) -> None:
    script = tmp_path / "verify.py"
    shutil.copyfile(ROOT / "src/promptrial/archive/verify.py", script)
    (tmp_path / "archive_manifest.json").write_text('{"files": []}')
    (tmp_path / HOSTILE).write_text("")
    said = subprocess.run([sys.executable, script], capture_output=True, check=False, timeout=60).stdout.decode()
    assert f"extra {SHOWN}\n" in said
    assert not DANGEROUS.search(said)


# --- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["list", "list --json", "--help", "--version", "run --help"])
@pytest.mark.parametrize(
    ("redirection", "why"), [(">&-", "is closed"), (">/dev/full", "No space left on device"), (">&- <&-", "is closed")]
)
def test_an_unprintable_result_is_one_sentence_and_exit_1(
    tmp_path: Path, command: str, redirection: str, why: str
) -> None:
    ended = shell(f"$P {command} {redirection}", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith("error: standard output")
    assert why in ended.stderr.decode()
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&- <&-"])
def test_messages_that_cannot_be_printed_do_not_change_the_exit_code(tmp_path: Path, redirection: str) -> None:
    ended = shell(f"$P list {redirection}", tmp_path)
    assert (ended.returncode, ended.stdout.split()[:2]) == (0, [b"0", b"runs"])
    assert shell(f"$P status --run_id none {redirection}", tmp_path).returncode == 2
    assert shell(f"$P --nonsense {redirection}", tmp_path).returncode == 2


def test_a_run_with_closed_streams_does_not_write_its_output_into_its_files(tmp_path: Path) -> None:
    flags = " ".join((*LONG_RUN, "--run_id", "r"))
    assert shell(f"$P {flags} >&- 2>&- <&-", tmp_path).returncode == 1
    state = json.loads((tmp_path / "experiments/run_r/run_state.json").read_bytes())
    assert state["phases"]["build"]["status"] == "completed"
    assert shell("$P status --run_id r", tmp_path).returncode == 0


def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    ended = shell("set -o pipefail; $P --help | true", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_characters_that_a_terminal_cannot_show_are_escaped(tmp_path: Path, env: dict[str, str]) -> None:
    ended = shell("mkdir é→ü && $P list --experiments_dir é→ü", tmp_path, **env)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii()
    ended = shell("$P status --run_id none --experiments_dir é→ü", tmp_path, **env)
    assert ended.returncode == 2
    assert ended.stderr.isascii()
    assert ended.stderr.startswith(b"error: no run none in ")


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000])
def test_a_path_that_is_too_long_is_one_sentence_and_exit_2(project: Project, name: str) -> None:
    for arguments in (
        ("plan", "--config", name), ("list", "--experiments_dir", name), ("run", "--experiments_dir", name),
        ("verify", name), ("unarchive", name), ("emulator", "--state", name),
        ("status", "--run_id", "r", "--experiments_dir", name),
    ):  # fmt: skip
        outcome = project.call(*arguments)
        assert outcome.code == 2, arguments[0]
        assert outcome.err.count("error: ") == 1
        assert "File name too long" in outcome.err


# --- signals --------------------------------------------------------------------------------------------------------

STARTING = """
import sys
sys.modules["promptrial.cli.main"] = None  # found by the import below as something slow
import builtins, signal, time
usual = builtins.__import__
def slow(name, *rest):
    if name == "promptrial.cli.main":
        print("importing", flush=True)
        time.sleep(60)
    return usual(name, *rest)
builtins.__import__ = slow
from promptrial.cli.start import entry_point
entry_point(["list"])
"""


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, b"interrupted\n"), (signal.SIGTERM, 143, b"terminated\n")]
)
def test_a_signal_while_the_program_starts_ends_it_without_a_traceback(
    tmp_path: Path, number: signal.Signals, code: int, said: bytes
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTING], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"importing\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, said)


def wait_until_caught(pid: int, number: signal.Signals) -> None:
    """Wait until a process handles a signal: before that the system ends the process."""
    bit, status = 1 << (number - 1), Path(f"/proc/{pid}/status")
    while not int(next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))[7:], 16) & bit:
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_moment_of_a_quick_command_leaves_no_traceback(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    for tenths in range(3, 15, 3):
        process = subprocess.Popen(
            [sys.executable, "-m", "promptrial", *LONG_RUN, "--run_id", f"r{tenths}"], cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_until_caught(process.pid, number)
        time.sleep(tenths / 10)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode in {0, 5, code}, err
        assert b"Traceback" not in err
        assert b"Exception ignored" not in err


def test_a_signal_during_interpreter_shutdown_does_not_change_the_exit_code(tmp_path: Path) -> None:
    probe = """
import os, signal
from promptrial.runtime.interrupts import end_on_signals, keep_exit_code

class Last:
    def __del__(self, kill=os.kill, pid=os.getpid(), numbers=(signal.SIGINT, signal.SIGTERM)):
        for number in numbers:
            kill(pid, number)

last = Last()
end_on_signals()
keep_exit_code()
raise SystemExit(5)
"""
    ended = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, check=False, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (5, b"")


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    probe = "from promptrial.runtime.interrupts import *; end_on_signals(); raise_on_signals(); "
    probe += "from promptrial.runtime.stop import *; import signal\n"
    probe += "with stop_on_signals(StopToken(), print): print([signal.getsignal(n) is signal.SIG_IGN for n in (2, 15)])"
    (tmp_path / "probe.py").write_text(probe)
    for trap, expected in (("'' INT", b"[True, False]"), ("'' TERM", b"[False, True]"), ("- INT", b"[False, False]")):
        ended = shell(f"trap {trap}; exec {sys.executable} probe.py", tmp_path)
        assert ended.stdout.strip() == expected, ended.stderr


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_unshare(), reason=UNSHARE)
def test_the_first_process_of_a_container_obeys_sigterm_while_it_starts(tmp_path: Path) -> None:
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", STARTING], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as outside:  # fmt: skip
        assert outside.stdout is not None
        assert outside.stdout.readline() == b"importing\n"
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        _, err = outside.communicate(timeout=30)
    assert (outside.returncode, err) == (143, b"terminated\n")
