"""Work in other processes: this process hands out tasks, and the results come back in order.

Who does the tasks is a crew, one for each entry of ``registry.EXECUTORS``. The crew here are worker processes of this
machine. A worker is the interpreter that runs this module. It gets tasks on its standard input and answers on its
standard output, so it ends when this process does, however that ends. It is not a copy of this process (no fork):
threads and locks of libraries stay whole, and no file of the user's runs again. It gets no key: its environment holds
only what is listed here.

A worker that fails, for whatever reason, loses nothing: this process does the task itself, and raises what that raises.
If that goes well, it says once why the worker failed.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWorking
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import IO, Any, Final, Generic, NamedTuple, Protocol, TypeVar

from promptrial import registry
from promptrial.config.environment import is_secret_variable
from promptrial.errors import in_one_sentence
from promptrial.runtime import memory
from promptrial.runtime.arrow import settle_without_pandas
from promptrial.runtime.program import bare_environment

__all__ = [
    "WorkerFailedError",
    "Workers",
    "cores",
    "in_order",
    "made_without_collection",
    "one_line",
    "worker_environment",
]

_LOOK_EVERY_S: Final = 0.1
_ENDS_WITHIN_S: Final = 2.0
"""How long a process whose pipe is closed may take to end, before its exit code is given up."""
_LONGEST_REASON: Final = 300
_KEPT: Final = ("ARROW_", "DYLD_", "LD_", "MALLOC_", "MKL_", "NPY_", "OMP_", "OPENBLAS_", "PYTHON")
"""How the variables begin that a worker gets besides those of any program: of Python, the linker and libraries."""
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class Workers(NamedTuple):
    """Who does the tasks.

    Parameters
    ----------
    n : int
        How many tasks are done at once; below 2 this process does everything.
    executor : str
        A name of ``registry.EXECUTORS``.
    address : str, optional
        Of the Ray cluster; without it, one is started on this machine for as long as there are tasks.
    lock : Path, optional
        The lock file of the run whose folder tasks read. Workers on other machines check by it that theirs is the same
        folder; it need not exist.
    """

    n: int
    executor: str = "processes"
    address: str | None = None
    lock: Path | None = None


class Crew(Protocol):
    """Does tasks in other processes. It is made of what makes that which does a task, and of ``Workers``."""

    def ask(self, task: Any, /) -> Future[Any]:  # noqa: ANN401 - whatever can be pickled
        """Hand out a task; its result raises ``WorkerFailedError`` if nobody could do it."""
        ...

    def close(self) -> None:
        """End what was started; what is not done yet is no longer wanted."""
        ...


class WorkerFailedError(Exception):
    """A worker has died, or could not do a task; the text says why."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker, made from that of this process.

    There is no key in it; a worker finds modules where this process does, and keeps as little memory.

    Examples
    --------
    >>> kept = worker_environment({"PATH": "/bin", "OMP_NUM_THREADS": "1", "OPENAI_API_KEY": "sk-1"})
    >>> sorted(kept)
    ['ARROW_DEFAULT_MEMORY_POOL', 'MALLOC_MMAP_THRESHOLD_', 'OMP_NUM_THREADS', 'PATH', 'PYTHONPATH']
    """
    kept = {name: value for name, value in env.items() if name.startswith(_KEPT) and not is_secret_variable(name)}
    return {**bare_environment(env), **memory.VARIABLES, **kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def one_line(error: BaseException) -> str:
    r"""Return what an error says, in one line of bounded length, for a person.

    Examples
    --------
    >>> one_line(ValueError("not\na number")), one_line(EOFError())
    ('ValueError: not a number', 'EOFError')
    """
    return in_one_sentence(error)[:_LONGEST_REASON]


def made_without_collection(make: Callable[[], Callable[[_Task], _Result]]) -> Callable[[_Task], _Result]:
    """Make what does tasks, and turn the collection of cycles off: a process for nothing else needs none.

    It takes a fifth of the time, and what a task leaves has no cycles worth collecting.
    """
    do = make()
    gc.freeze()
    gc.disable()
    return do


def in_order(
    make: Callable[[], Callable[[_Task], _Result]],
    tasks: Iterable[_Task],
    workers: Workers,
    check_stop: Callable[[], None],
    warn: Callable[[str], None],
) -> Iterator[_Result]:
    """Yield the result of each task, in the order of the tasks.

    Parameters
    ----------
    make : callable
        Makes what does a task, once in each process. It, the tasks and the results can be pickled.
    tasks : iterable
        At most one more than there are workers is ahead of the results, which bounds the memory.
    workers : Workers
    check_stop : callable
        Raises if a stop was asked for; called while results are waited for.
    warn : callable
        Told once why a worker failed, if this process could do its task. It takes out secrets.
    """
    if workers.n < 2:
        yield from map(make(), tasks)
        return
    crew: Crew = registry.load("executor", workers.executor)(make, workers)
    with closing(crew):
        here = _Here(make, warn)
        waiting: deque[tuple[_Task, Future[_Result]]] = deque()
        for task in tasks:
            waiting.append((task, crew.ask(task)))
            if len(waiting) > workers.n:
                yield _result(*waiting.popleft(), here, check_stop)
        while waiting:
            yield _result(*waiting.popleft(), here, check_stop)


class _Here(Generic[_Task, _Result]):
    """Stands for this process, which does the tasks that workers could not do."""

    def __init__(self, make: Callable[[], Callable[[_Task], _Result]], warn: Callable[[str], None]) -> None:
        self._make = make
        self.warn = warn
        self._do: Callable[[_Task], _Result] | None = None
        self._has_warned = False

    def do(self, task: _Task, failure: WorkerFailedError) -> _Result:
        """Do a task. An error that is raised here too says itself what is wrong, and needs no warning."""
        if self._do is None:
            self._do = self._make()
        result = self._do(task)
        if not self._has_warned:
            self.warn(f"a worker failed ({failure}): this process does its tasks itself")
            self._has_warned = True
        return result


def _result(
    task: _Task, asked: Future[_Result], here: _Here[_Task, _Result], check_stop: Callable[[], None]
) -> _Result:
    """Return the result of a task, which this process does if a worker failed."""
    while True:
        check_stop()
        try:
            return asked.result(timeout=_LOOK_EVERY_S)
        except StillWorking:
            continue
        except WorkerFailedError as failure:
            return here.do(task, failure)


class Processes:
    """Worker processes of this machine."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]], workers: Workers) -> None:
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        with ExitStack() as stack:
            self._threads = stack.enter_context(ThreadPoolExecutor(workers.n))
            for _ in range(workers.n):
                self._idle.put(stack.enter_context(closing(_Worker(make))))
            self._opened = stack.pop_all()

    def ask(self, task: object) -> Future[Any]:
        """Hand out a task."""
        return self._threads.submit(self._ask, task)

    def _ask(self, task: object) -> Any:  # noqa: ANN401 - whatever the task gives
        worker = self._idle.get()  # there are as many as threads
        try:
            return worker.ask(task)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the processes at once."""
        self._opened.close()


class _Worker:
    """One process, which does one task at a time."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=worker_environment(os.environ),
            start_new_session=True,  # an interrupt from the keyboard is for this process alone
        )  # fmt: skip
        self._first: list[object] = [make]

    def ask(self, task: object) -> Any:  # noqa: ANN401 - whatever the task gives
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - both are pipes
        try:
            first = [pickle.dumps(each, pickle.HIGHEST_PROTOCOL) for each in self._first]
            for each in (*first, task):
                pickle.dump(each, stdin, pickle.HIGHEST_PROTOCOL)
            self._first.clear()
            stdin.flush()
            is_done, result = pickle.load(stdout)  # noqa: S301 - from a process of ours
        except Exception as error:  # a process that was killed may leave half an answer
            raise WorkerFailedError(self._reason(error)) from error
        if not is_done:
            raise WorkerFailedError(result)
        return result

    def _reason(self, error: Exception) -> str:
        """Return why no answer came: mostly, the process has ended and closed its pipes."""
        if isinstance(error, EOFError | OSError | pickle.UnpicklingError):
            with suppress(subprocess.TimeoutExpired):
                return f"its process ended with code {self._process.wait(_ENDS_WITHIN_S)}"
        return one_line(error)

    def close(self) -> None:
        """End the process at once; what it was doing is no longer wanted."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not flushed cannot be
                pipe.close()  # type: ignore[union-attr]  # opened with pipes


def _work(tasks: IO[bytes], results: IO[bytes]) -> None:
    """Do tasks, and end with an EOFError when there are no more. First comes a pickle of what makes that which does."""
    pickled = pickle.load(tasks)  # noqa: S301 - from the process that began this one
    do: Callable[[Any], Any] | None = None
    while True:
        task = pickle.load(tasks)  # noqa: S301 - likewise
        try:
            if do is None:
                do = made_without_collection(pickle.loads(pickled))  # noqa: S301 - likewise
            answer = True, do(task)
        except Exception as error:  # noqa: BLE001 - the process that asked does it again, and says what is wrong
            answer = False, one_line(error)
        pickle.dump(answer, results, pickle.HIGHEST_PROTOCOL)
        results.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not a result
    settle_without_pandas()
    with suppress(EOFError):
        _work(sys.stdin.buffer, results)
