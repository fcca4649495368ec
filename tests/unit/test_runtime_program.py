"""A program of the user's: what it gets, and how it ends when it does not do as it should."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from promptrial.errors import StopRequested
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.program import Ended, Limits, bare_environment, run_program

PATIENT = Limits(60, 100_000)


def ran(
    code: str,
    lines: Iterable[bytes] = (),
    limits: Limits = PATIENT,
    check_stop: Callable[[], None] = lambda: None,
    folder: Path = Path(),
) -> Ended:
    words = [sys.executable, "-ISc", code]
    env = bare_environment(os.environ)
    return run_program(words, folder, env, lines, limits, SystemClock().monotonic, check_stop)


def lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_program_reads_lines_and_its_output_is_returned() -> None:
    ended = ran("import sys; [print(line.strip()[::-1]) for line in sys.stdin]", [b"abc\n", b"def\n"])
    assert ended == Ended(0, b"cba\nfed\n", b"")


def test_both_pipes_can_be_full_at_the_same_time() -> None:
    """More than any pipe holds is written before anything is read, in both directions."""
    code = "import sys; sys.stdout.write('x' * 3_000_000); sys.stdout.flush(); print(len(sys.stdin.read()))"
    ended = ran(code, (b"y" * 99 + b"\n" for _ in range(30_000)), Limits(60, 10_000_000))
    assert ended.code == 0
    assert ended.stdout == b"x" * 3_000_000 + b"3000000\n"


def test_a_program_that_sleeps_is_killed_when_its_time_is_over() -> None:
    ended = ran("import time; print(1, flush=True); time.sleep(600)", limits=Limits(0.5, 100))
    assert ended.took_too_long
    assert ended.code == -9


def test_a_program_that_writes_endlessly_is_killed_and_its_output_is_limited() -> None:
    ended = ran("while True: print('x' * 10_000)", limits=Limits(60, 50_000))
    assert ended.wrote_too_much
    assert len(ended.stdout) == 50_000


def test_only_the_end_of_endless_standard_error_is_kept() -> None:
    code = "import sys\nfor n in range(20_000): print('x' * 1000, n, file=sys.stderr)\nsys.exit(3)"
    ended = ran(code)
    assert ended.code == 3
    assert len(ended.stderr) <= 4_000
    assert ended.stderr.endswith(b" 19999\n")


def test_closing_the_input_early_is_not_an_error() -> None:
    code = "import os; os.close(0); print('done')"
    ended = ran(code, (b"x" * 1000 + b"\n" for _ in range(10_000)))
    assert (ended.code, ended.stdout) == (0, b"done\n")


def gone(pid: int) -> bool:
    """Whether a process has ended, which may need a moment after it was killed."""
    for _ in range(5000):
        if not lives(pid):
            return True
        os.sched_yield()
    return False


def test_a_surviving_child_process_is_neither_waited_for_nor_left_running() -> None:
    code = "import os, time\nchild = os.fork()\nif child: print(child, flush=True)\nelse: time.sleep(600)\n"
    ended = ran(code, limits=Limits(30, 1000))
    assert ended.code == 0
    assert not ended.took_too_long
    assert gone(int(ended.stdout))


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("raised", [StopRequested, KeyboardInterrupt, Stopped])
def test_a_stop_kills_the_program_and_its_children(raised: type[BaseException], tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = (
        "import os, time\n"
        "child = os.fork()\n"
        f"if child: open({str(note)!r} + '.part', 'w').write(f'{{os.getpid()}} {{child}}'); "
        f"os.rename({str(note)!r} + '.part', {str(note)!r})\n"
        "time.sleep(600)\n"
    )

    def check() -> None:
        if note.exists():
            raise raised

    with pytest.raises(raised):
        ran(code, check_stop=check)
    program, child = map(int, note.read_text().split())
    assert gone(program)
    assert gone(child)


def test_the_program_gets_no_key_no_proxy_and_no_relative_folder_on_its_path() -> None:
    env = {
        "PATH": f"/usr/bin:.:bin:{os.defpath}", "HOME": "/home/u", "LANG": "C.UTF-8", "LC_ALL": "C", "TZ": "UTC",
        "FIREWORKS_API_KEY": "k", "OPENAI_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "k", "HTTPS_PROXY": "http://u:p@h",
        "LD_PRELOAD": "x.so", "PYTHONPATH": "x", "PROMPTRIAL_TRUSTED_HOSTS": "h",
    }  # fmt: skip
    kept = bare_environment(env)
    assert set(kept) == {"PATH", "HOME", "LANG", "LC_ALL", "TZ"}
    assert all(os.path.isabs(folder) for folder in kept["PATH"].split(os.pathsep))  # noqa: PTH117 - text


def test_the_environment_of_the_program_is_exactly_what_is_given() -> None:
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE', '__CF_USER_TEXT_ENCODING'}))"
    words = [sys.executable, "-ISc", code]
    ended = run_program(words, Path(), {"TZ": "UTC"}, (), PATIENT, SystemClock().monotonic, lambda: None)
    assert ended.stdout == b"['TZ']\n"


def test_no_shell_interprets_the_arguments(tmp_path: Path) -> None:
    words = [sys.executable, "-ISc", "import sys; print(sys.argv[1])", "$(touch x); *"]
    ended = run_program(words, tmp_path, {}, (), PATIENT, SystemClock().monotonic, lambda: None)
    assert ended.stdout == b"$(touch x); *\n"
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_cannot_be_started_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no program")
    (tmp_path / "x").chmod(0o755)
    with pytest.raises(OSError, match="Exec format error"):
        run_program([str(tmp_path / "x")], tmp_path, {}, (), PATIENT, SystemClock().monotonic, lambda: None)
