"""Tasks in Ray: on this machine, or on all machines of a cluster.

This process, the program, never speaks to Ray: it starts one that does (``ray_driver``), and that one's tasks are done
by workers of Ray (``ray_node``). The driver gets tasks and answers as a worker process does, and no key. Both are bytes
to Ray, which decides where a task runs, and runs it again if a worker or its node is lost. A task that Ray gives up is
done by this process, as all are once the driver has died.
"""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, Final

from promptrial.errors import PhaseFailedError
from promptrial.runtime.events import Redactor
from promptrial.runtime.fingerprint import fingerprint
from promptrial.runtime.ray_driver import Order
from promptrial.runtime.ray_node import Answer, Job, digest_of_lock
from promptrial.runtime.workers import WorkerFailedError, Workers, worker_environment

__all__ = ["RayTasks"]

_DRIVER: Final = "from promptrial.runtime.ray_driver import serve; serve()"
_CONNECT_S: Final = 120
"""How long Ray may take to start or to be reached."""
_END_S: Final = 15
"""How long Ray may take to end before it is killed."""
_DEAD_WITHIN_S: Final = 5
"""How long the driver may take to end once it has closed its pipe."""
_END_OF_STDERR: Final = 4096
_OF_THIS_MACHINE: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # whatever the system, this binds Ray to the loopback address
    "RAY_AUTH_MODE": "token",  # or every user of this machine could run code as this one
}
_HINT: Final = "fix the cause and resume, or resume with --executor processes: the results are the same"


class RayTasks:
    """Tasks of Ray; a crew."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]], workers: Workers) -> None:
        lock = workers.lock and workers.lock.absolute()
        job = pickle.dumps(Job(pickle.dumps(make), Path.cwd(), lock, digest_of_lock(lock)))
        settings = _settings(workers.address, os.environ)
        self._redact = Redactor(settings)
        with ExitStack() as stack:
            temporary = None if workers.address is not None else Path(stack.enter_context(_folder_for_ray()))
            self._stderr = stack.enter_context(TemporaryFile())
            self._driver = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-P", "-c", _DRIVER],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr,
                env=worker_environment(os.environ) | settings,
                start_new_session=True,  # an interrupt from the keyboard is for this process alone
            )  # fmt: skip
            stack.callback(self._end_driver)
            self._sender, self._reader = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
            order = Order(workers.n, workers.address, temporary, _CONNECT_S, fingerprint(), job)
            self._sender.submit(self._send, order)
            self._refusal: Future[str] = self._reader.submit(self._receive)
            self._opened = stack.pop_all()

    def ask(self, task: object) -> Future[Any]:
        """Hand out a task."""
        self._sender.submit(self._send, pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
        return self._reader.submit(self._result)

    def close(self) -> None:
        """End the driver, and Ray if the driver started it: seconds, and 15 at most."""
        self._opened.close()

    def _end_driver(self) -> None:
        threads = self._sender, self._reader
        for each in threads:
            each.shutdown(wait=False, cancel_futures=True)
        self._driver.terminate()
        try:
            self._driver.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        for each in threads:
            each.shutdown()
        for pipe in (self._driver.stdin, self._driver.stdout):
            with suppress(OSError):  # what was not flushed cannot be
                pipe.close()  # type: ignore[union-attr]  # opened with pipes

    def _send(self, message: object) -> None:
        with suppress(OSError):  # then no answer comes
            pickle.dump(message, self._driver.stdin, pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]  # opened with pipes
            self._driver.stdin.flush()  # type: ignore[union-attr]  # opened with pipes

    def _receive(self) -> Any:  # noqa: ANN401 - text first, then each an Answer
        try:
            return pickle.load(self._driver.stdout)  # type: ignore[arg-type]  # noqa: S301 - from a process of ours
        except Exception as error:  # a process that was killed may leave half an answer
            raise WorkerFailedError(self._how_it_ended()) from error

    def _how_it_ended(self) -> str:
        """Return why the driver answers no more, with the last line that it or Ray wrote to its standard error."""
        try:
            code = self._driver.wait(_DEAD_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "the process that speaks to Ray no longer answers"
        if code == -signal.SIGALRM:
            said = f"it did not answer within {_CONNECT_S} s"
        else:
            said = f"the process that speaks to Ray ended with code {code}"
        descriptor = self._stderr.fileno()
        start = max(0, os.fstat(descriptor).st_size - _END_OF_STDERR)
        lines = os.pread(descriptor, _END_OF_STDERR, start).decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return self._redact(f"{said}: {last}" if last else said)

    def _result(self) -> Any:  # noqa: ANN401 - whatever the task gives
        try:
            refusal = self._refusal.result()
        except WorkerFailedError as error:
            raise PhaseFailedError(f"Ray: {error}", hint=_HINT) from error
        answer = Answer("refused", reason=refusal) if refusal else self._receive()
        if answer.kind == "refused":
            raise PhaseFailedError(f"Ray: {self._redact(answer.reason)}", hint=_HINT)
        if answer.kind == "failed":
            raise WorkerFailedError(self._redact(answer.reason))
        return pickle.loads(answer.value)  # noqa: S301 - from a worker of ours


def _folder_for_ray() -> TemporaryDirectory[str]:
    """Return the folder of Ray on this machine. The driver removes it too, for the case that this process is killed."""
    return TemporaryDirectory(prefix="pt-ray-", dir="/tmp", ignore_cleanup_errors=True)


def _settings(address: str | None, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Ray reads: those of the user for a cluster of the user's, else our own."""
    if address is None:
        return {**_OF_THIS_MACHINE, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {name: value for name, value in env.items() if name.startswith("RAY_")}
