"""The process that speaks to Ray: it starts or joins Ray, hands out tasks and passes on what nodes answer.

``ray_workers`` starts it, and ``ray_node`` does the tasks. It is a process of its own because Ray changes
signal handlers, prints, and ends a process whose cluster is lost.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import pickle
import queue
import re
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from promptrial.runtime.fingerprint import Fingerprint
from promptrial.runtime.ray_node import Answer, do_task
from promptrial.runtime.workers import one_line

__all__ = ["Order", "serve"]

_RETRIES: Final = 3
"""How often Ray runs a task again whose worker or node was lost."""
_NODES_WITHIN_S: Final = 5
"""How long the nodes of a cluster may take to tell it of their cores."""
_IP: Final = re.compile(r"\bip=([0-9A-Fa-f.:]+)")
"""How the text of an error of Ray names the node."""


class Order(NamedTuple):
    """What this process is told first.

    Parameters
    ----------
    n : int
        How many tasks are done at once.
    address : str, optional
        Of the cluster.
    temporary : Path, optional
        Where Ray of this machine keeps its files; removed at the end. None for a cluster.
    connect_s : int
        This process ends by SIGALRM if Ray has not started or been reached by then.
    fingerprint : tuple
        That of the process that asks.
    job : bytes
        A pickle of a ``Job``, which another version of this program may be unable to read.
    """

    n: int
    address: str | None
    temporary: Path | None
    connect_s: int
    fingerprint: Fingerprint
    job: bytes


def serve() -> None:
    """Answer tasks in their order until standard input is closed, or SIGTERM comes.

    The first answer is text: why Ray cannot be used, empty if it can. Each further one is an ``Answer``.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what Ray prints is not an answer
    order: Order = pickle.load(tasks)  # noqa: S301 - from the process that began this one
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(order.connect_s)  # Ray tries for many minutes
        refusal = _connect(order)
        signal.alarm(0)
        _send(answers, refusal)
        if not refusal:
            _answer_tasks(order, tasks, answers)
    except BrokenPipeError:  # nobody waits for answers now
        pass
    finally:  # also if the process that asked was killed
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if (ray := sys.modules.get("ray")) is not None:
            ray.shutdown()
        if order.temporary is not None:
            shutil.rmtree(order.temporary, ignore_errors=True)


def _connect(order: Order) -> str:
    """Start Ray on this machine, or join a cluster; return why it cannot be used, empty if it can."""
    address = order.address
    try:
        import ray

        quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if address is None:
            ray.init(
                "local",
                num_cpus=order.n,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(order.temporary),
                **quiet,
            )
        else:
            if address != "auto":
                host, _, port = address.rpartition(":")
                socket.create_connection((host, int(port)), timeout=10).close()
            ray.init(address, **quiet)
        return _unusable(ray, address)
    except Exception as error:  # noqa: BLE001 - the process that asked raises it
        where = "started on this machine" if address is None else f"reached at {address}"
        return f"it cannot be {where}: {' '.join(str(error).split()) or repr(error)}"


def _unusable(ray: Any, address: str | None) -> str:  # noqa: ANN401 - a module without types
    """Return why tasks cannot be given to Ray though it is connected; empty if they can."""
    if address is None and (reachable := [host for host in _hosts(ray) if not _is_loopback(host)]):
        return f"it is bound to {reachable[0]}, where other machines may reach it, and not to the loopback address"
    wait = threading.Event().wait
    for _ in range(2 * _NODES_WITHIN_S):
        if ray.cluster_resources().get("CPU", 0) >= 1:
            return ""
        wait(0.5)
    return f"the cluster at {address} has no CPU for tasks: start a node with ray start --num-cpus N"


def _hosts(ray: Any) -> list[str]:  # noqa: ANN401 - likewise
    """Return the addresses to which Ray has bound its servers."""
    of_head, _, _ = ray.get_runtime_context().gcs_address.rpartition(":")
    return [of_head, *(node["NodeManagerAddress"] for node in ray.nodes())]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _answer_tasks(order: Order, tasks: IO[bytes], answers: IO[bytes]) -> None:
    import ray

    do = ray.remote(num_cpus=1, max_retries=_RETRIES, scheduling_strategy="SPREAD")(do_task).remote
    job, asked = ray.put(order.job), queue.SimpleQueue[Any]()
    ended = threading.Event()

    def submit() -> None:
        running: list[Any] = []
        try:
            while True:
                task = pickle.load(tasks)  # noqa: S301 - from the process that began this one
                if len(running) == order.n:
                    _, running = ray.wait(running, num_returns=1, fetch_local=False)
                running.append(do(order.fingerprint, job, task))
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
        except ray.exceptions.RayTaskError as error:
            answer = _answer_of(error, ray.exceptions.RayError)
        except ray.exceptions.RayError as error:  # what Ray gave up
            answer = Answer("failed", reason=one_line(error))
        _send(answers, answer)


def _answer_of(error: Any, of_ray: type[Exception]) -> Answer:  # noqa: ANN401 - RayTaskError
    """Return what became of a task whose function raised an error, or could not be loaded.

    ``do_task`` catches what a task raises, so an Exception says that this program cannot be run there; unless it is one
    ``of_ray``, for example of a task that was cancelled.
    """
    found = _IP.search(str(error))  # most errors of Ray have it nowhere else
    cause, where = error.cause, f"node {found[1]}" if found else "a node"
    if isinstance(cause, Exception) and not isinstance(cause, of_ray):
        return Answer("refused", reason=f"{where} cannot run promptrial as this machine does: {one_line(cause)}")
    return Answer("failed", reason=f"on {where}: {one_line(cause or error)}")


def _send(answers: IO[bytes], answer: str | Answer) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()
