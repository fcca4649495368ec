"""Tasks in Ray: on this machine, or on all machines of a cluster.

This process never speaks to Ray. A process of its own does, which ``RayTasks`` starts: Ray changes signal handlers,
prints, and ends a process whose cluster is lost. It gets tasks and answers as a worker process does, and no key. Both
are bytes to Ray, which decides where a task runs, and runs it again if a worker or its node is lost. A task that Ray
gives up is done by the process that asked, as all are once the one that speaks to Ray has died.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import pickle
import platform
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import promptrial
from promptrial.errors import PhaseFailedError
from promptrial.runtime.workers import WorkerFailedError, Workers, one_line, worker_environment

__all__ = ["RayTasks", "serve"]

_BEGIN: Final = "from promptrial.runtime.ray_workers import serve; serve()"
_CONNECT_S: Final = 120
"""How long Ray may take to start or to be reached."""
_END_S: Final = 15
"""How long Ray may take to end before it is killed."""
_RETRIES: Final = 3
"""How often Ray runs a task again whose worker or node was lost."""
_OF_THIS_MACHINE: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # whatever the system, this binds Ray to the loopback address
    "RAY_AUTH_MODE": "token",  # or every user of this machine could run code as this one
}

_HINT: Final = "fix the cause and resume, or resume with --executor processes: the results are the same"
_READY, _DONE, _FAILED, _REFUSED = "ready", "done", "failed", "refused"
_Answer = tuple[str, Any]


class _Job(NamedTuple):
    """What all tasks have in common; ``make`` is a pickle, and ``digest`` that of the lock file."""

    make: bytes
    working_folder: str
    lock: Path | None
    digest: str
    version: str


class RayTasks:
    """Tasks of Ray; a crew."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]], workers: Workers) -> None:
        lock = workers.lock and workers.lock.absolute()
        job = _Job(pickle.dumps(make), os.getcwd(), lock, _digest(lock), promptrial.__version__)  # noqa: PTH109
        self._temporary = tempfile.mkdtemp(prefix="pt-ray-", dir="/tmp")  # the names of sockets must be short
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-P", "-c", _BEGIN],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=worker_environment(os.environ) | _settings(workers.address, os.environ),
            start_new_session=True,  # an interrupt from the keyboard is for this process alone
        )  # fmt: skip
        self._sender, self._reader = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._sender.submit(self._send, (workers.n, workers.address, self._temporary, _CONNECT_S, job))
        self._ready = self._reader.submit(self._receive)

    def ask(self, task: object) -> Future[Any]:
        """Hand out a task."""
        self._sender.submit(self._send, pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
        return self._reader.submit(self._answer)

    def close(self) -> None:
        """End the process, and Ray if it started it."""
        for threads in (self._sender, self._reader):
            threads.shutdown(wait=False, cancel_futures=True)
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for threads in (self._sender, self._reader):
            threads.shutdown()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not flushed cannot be
                pipe.close()  # type: ignore[union-attr]
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _send(self, message: object) -> None:
        with suppress(OSError):  # then no answer comes
            pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def _receive(self) -> _Answer:
        try:
            answer: _Answer = pickle.load(self._process.stdout)  # type: ignore[arg-type]  # noqa: S301 - from a process of ours
        except Exception:  # noqa: BLE001 - a process that was killed may leave half an answer
            return _FAILED, "the process that speaks to Ray has ended"
        return answer

    def _answer(self) -> Any:  # noqa: ANN401 - whatever the task gives
        kind, said = self._ready.result()
        if kind == _FAILED:
            raise PhaseFailedError(f"Ray: it did not start, or did not answer within {_CONNECT_S} s", hint=_HINT)
        kind, said = (kind, said) if kind == _REFUSED else self._receive()
        if kind == _REFUSED:
            raise PhaseFailedError(f"Ray: {said}", hint=_HINT)
        if kind == _FAILED:
            raise WorkerFailedError(said)
        return pickle.loads(said)  # noqa: S301 - from a worker of ours


def _settings(address: str | None, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Ray reads: those of the user for a cluster of the user's, else our own."""
    if address is None:
        return {**_OF_THIS_MACHINE, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {name: value for name, value in env.items() if name.startswith("RAY_")}


def serve() -> None:
    """Start or join Ray, and answer tasks in their order until standard input is closed, or SIGTERM comes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what Ray prints is no answer
    n, address, temporary, seconds, job = pickle.load(tasks)  # noqa: S301 - from the process that began this one
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)  # Ray tries for many minutes
        wrong = _connect(n, address, temporary)
        signal.alarm(0)
        _put(answers, (_REFUSED, wrong) if wrong else (_READY, None))
        if not wrong:
            _serve(n, job, tasks, answers)
    except BrokenPipeError:  # nobody waits for answers any more
        pass
    finally:  # also if the process that asked was killed
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if (ray := sys.modules.get("ray")) is not None:
            ray.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


def _connect(n: int, address: str | None, temporary: str) -> str:
    """Start Ray on this machine, or join a cluster; return what is wrong, empty if nothing is."""
    try:
        import ray

        quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if address is None:
            ray.init(
                "local", num_cpus=n, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=temporary, **quiet
            )
        else:
            if address != "auto":
                host, _, port = address.rpartition(":")
                socket.create_connection((host, int(port)), timeout=10).close()
            ray.init(address, **quiet)
    except Exception as error:  # noqa: BLE001 - the process that asked raises it
        where = "started on this machine" if address is None else f"reached at {address}"
        return f"it cannot be {where}: {' '.join(str(error).split()) or repr(error)}"
    return ""


def _serve(n: int, job: _Job, tasks: IO[bytes], answers: IO[bytes]) -> None:
    import ray

    do = ray.remote(num_cpus=1, max_retries=_RETRIES, scheduling_strategy="SPREAD")(_do).remote
    common, asked = ray.put(job), queue.SimpleQueue[Any]()
    ended = threading.Event()

    def submit() -> None:
        running: list[Any] = []
        try:
            while True:
                task = pickle.load(tasks)  # noqa: S301 - from the process that began this one
                if len(running) == n:
                    _, running = ray.wait(running, num_returns=1, fetch_local=False)
                running.append(do(common, task))
                asked.put(running[-1])
        except EOFError:  # no more are wanted
            pass
        finally:
            ended.set()
            asked.put(None)

    threading.Thread(target=submit, daemon=True).start()
    while (reference := asked.get()) is not None:
        while not ray.wait([reference], timeout=0.2)[0]:
            if ended.is_set():
                return
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayTaskError as error:  # the function itself could not be loaded
            answer = _REFUSED, f"a node cannot run promptrial: {error.cause!r}"
        except ray.exceptions.RayError as error:
            answer = _FAILED, one_line(error)
        _put(answers, answer)


def _put(answers: IO[bytes], answer: _Answer) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _do(job: _Job, task: bytes) -> _Answer:
    """Do a task, in a worker."""
    if said := _unlike_here(job):
        return _REFUSED, f"node {platform.node()} {said}"
    try:
        do = _made(job.make)
        return _DONE, pickle.dumps(do(pickle.loads(task)), pickle.HIGHEST_PROTOCOL)  # noqa: S301 - from the driver
    except Exception as error:  # noqa: BLE001 - the process that asked does it again, and says what is wrong
        return _FAILED, one_line(error)


@functools.cache
def _unlike_here(job: _Job) -> str:
    """Return in what this machine differs from the one that asks; empty if a task is the same here."""
    if job.version != promptrial.__version__:
        return f"has promptrial {promptrial.__version__}, and this machine has {job.version}"
    if job.lock is not None and not job.lock.parent.is_dir():
        return f"has no folder {job.lock.parent}; it must be shared by all nodes"
    if _digest(job.lock) != job.digest:
        return f"has another folder {job.lock and job.lock.parent} than this machine; it must be shared by all nodes"
    with suppress(OSError):  # paths that are relative start there
        os.chdir(job.working_folder)
    return ""


@functools.cache
def _made(make: bytes) -> Callable[[Any], Any]:
    made: Callable[[Any], Any] = pickle.loads(make)()  # noqa: S301 - from the driver
    return made


def _digest(path: Path | None) -> str:
    """Return the SHA-256 of a file, empty if it is not there."""
    if path is None:
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
