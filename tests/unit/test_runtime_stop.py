"""Stopping: set once, by a sentinel, a call or a signal; noticed soon; never mistaken for an error."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from promptrial.errors import StopRequested
from promptrial.runtime.clock import FakeClock, SystemClock
from promptrial.runtime.stop import DETACH, SOFTLY, StopToken, beside_the_work, stop_on_signals

CHILD = """
import sys, time
from pathlib import Path
from promptrial.errors import Detached, StopRequested
from promptrial.runtime.stop import StopToken, beside_the_work, stop_on_signals
token = StopToken(Path(sys.argv[1]))
sys.excepthook = lambda kind, error, trace: sys.exit(getattr(error, "exit_code", 1))
with stop_on_signals(token, lambda text: print(text, flush=True)):
    print("ready", flush=True)
    {body}
print("done", token.reason, flush=True)
"""


def child(body: str, sentinel: Path) -> subprocess.Popen[str]:
    """Start a process that handles signals and runs ``body``; returns once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(body=body), str(sentinel)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


# --- the token ------------------------------------------------------------------------------------------------------


def test_a_token_is_set_once_and_keeps_the_first_reason() -> None:
    token = StopToken()
    assert not token.is_set()
    token.set("first")
    token.set("second")
    assert token.is_set()
    assert token.reason == "first"


def test_a_stop_is_reported_once_by_the_first_reader_and_not_by_the_requester(tmp_path: Path) -> None:
    token = StopToken(tmp_path / "STOP_REQUESTED")
    told: list[str] = []
    token.on_notice = told.append
    assert not token.is_set()
    token.set("SIGTERM", wake=False)
    assert told == []
    assert token.is_set()
    with pytest.raises(StopRequested):
        token.check()
    assert told == ["SIGTERM"]


def test_a_check_raises_only_after_a_stop_and_not_an_exception_subclass() -> None:
    token = StopToken()
    token.check()
    token.set("asked")
    with pytest.raises(StopRequested, match="asked") as caught:
        token.check()
    assert not isinstance(caught.value, Exception)
    assert caught.value.exit_code == 5


def test_a_sentinel_sets_the_token_permanently(tmp_path: Path) -> None:
    sentinel = tmp_path / "STOP_REQUESTED"
    token = StopToken(sentinel)
    assert not token.is_set()
    sentinel.touch()
    assert token.is_set()
    assert token.reason == "STOP_REQUESTED file found"
    sentinel.unlink()
    assert token.is_set()


def test_a_wait_without_a_stop_lasts_its_time_and_says_so() -> None:
    clock = FakeClock()
    token = StopToken(clock=clock)
    assert token.wait(10) is False
    assert clock.monotonic() == pytest.approx(10)
    assert token.wait(0) is False
    assert token.wait(-1) is False
    assert clock.monotonic() == pytest.approx(10)


def test_a_wait_after_a_stop_takes_no_time() -> None:
    clock = FakeClock()
    token = StopToken(clock=clock)
    token.set("x")
    assert token.wait(10) is True
    assert clock.monotonic() == 0


def test_a_wait_looks_at_the_sentinel_at_least_every_second(tmp_path: Path) -> None:
    class Clock(FakeClock):
        def advance(self, seconds: float) -> None:
            assert seconds <= 1
            super().advance(seconds)
            if self.monotonic() >= 3:
                (tmp_path / "STOP").touch()

    clock = Clock()
    assert StopToken(tmp_path / "STOP", clock).wait(3600) is True
    assert clock.monotonic() <= 4


def test_a_waiting_thread_is_woken_immediately() -> None:
    class Endless(SystemClock):
        """Its waits end when they are woken, and by no time."""

        def wait(self, event: threading.Event, seconds: float) -> bool:  # noqa: ARG002 - those of a clock
            waits.set()
            return event.wait()

    waits, woken = threading.Event(), []
    token = StopToken(clock=Endless())
    waiter = threading.Thread(target=lambda: woken.append(token.wait(30)), daemon=True)
    waiter.start()
    waits.wait()
    token.set("x")
    waiter.join(60)
    assert woken == [True]


# --- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_a_stop_and_says_what_will_happen(tmp_path: Path, number: signal.Signals) -> None:
    process = child("token.wait(3600)", tmp_path / "STOP")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    said, done = out.splitlines()
    assert said.startswith(f"{number.name}: stopping after the current requests")
    assert done == f"done {number.name}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_the_process_immediately(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = child("time.sleep(60)", tmp_path / "STOP")
    assert process.stdout is not None
    process.send_signal(number)
    process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert "done" not in out


def test_the_two_signals_can_be_different(tmp_path: Path) -> None:
    process = child("time.sleep(60)", tmp_path / "STOP")
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_a_second_signal_is_not_swallowed_by_broad_handlers(tmp_path: Path) -> None:
    body = """
    for _ in range(60):
        try:
            time.sleep(1)
        except Exception:
            pass
"""
    process = child(body, tmp_path / "STOP")
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


@pytest.mark.timeout(20)
def test_a_signal_that_arrives_while_the_token_is_being_waited_on_does_not_hang_the_process() -> None:
    token = StopToken()
    with stop_on_signals(token, lambda _text: None), vars(token._event)["_cond"]:
        signal.raise_signal(signal.SIGINT)  # Event.wait holds this lock for a moment on its way in and out
    assert token.is_set()
    assert token.reason == "SIGINT"


def test_a_signal_in_the_middle_of_a_write_to_stderr_still_asks_for_a_stop() -> None:
    def say(_text: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    token = StopToken()
    with stop_on_signals(token, say):
        signal.raise_signal(signal.SIGTERM)
    assert token.is_set()


def test_the_previous_handlers_are_restored_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with suppress(KeyError), stop_on_signals(StopToken(), print):
        assert signal.getsignal(signal.SIGINT) not in before
        raise KeyError
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_nothing_is_changed() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with stop_on_signals(StopToken(), print):
                assert signal.getsignal(signal.SIGINT) is before
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            failures.append(error)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


# --- beside the work ------------------------------------------------------------------------------------------------


def test_a_sentinel_that_says_now_interrupts_whatever_the_main_thread_does(tmp_path: Path) -> None:
    body = """
    with beside_the_work(token, lambda: None, 1):
        try:
            time.sleep(3600)
        except Exception:
            pass
"""
    process = child(body, tmp_path / "STOP")
    (tmp_path / "STOP").write_bytes(DETACH)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "done" not in out


def test_a_soft_sentinel_interrupts_nothing(tmp_path: Path) -> None:
    process = child("beside_the_work(token, lambda: None, 1).__enter__(); time.sleep(1.2)", tmp_path / "STOP")
    (tmp_path / "STOP").write_bytes(SOFTLY)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out.startswith("done")


def test_the_heartbeat_starts_immediately_and_ends_with_the_work() -> None:
    beats: list[float] = []
    with beside_the_work(StopToken(), lambda: beats.append(time.monotonic()), 0.5):
        assert len(beats) == 1
        end = time.monotonic() + 20
        while len(beats) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(beats) >= 3
    assert not [thread for thread in threading.enumerate() if thread.name == "beside the work"]


def test_the_first_signal_prints_how_to_continue() -> None:
    said: list[str] = []
    with stop_on_signals(StopToken(), said.append, "promptrial run --run_id r --resume"):
        signal.raise_signal(signal.SIGINT)
    assert len(said) == 1
    assert said[0].startswith("SIGINT: stopping after the current requests; the same signal again stops immediately")
    assert said[0].endswith(", then resume with: promptrial run --run_id r --resume")
