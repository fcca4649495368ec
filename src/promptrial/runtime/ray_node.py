"""A worker of Ray, on any node: it does a task, if this machine would make the same bytes as the one that asks.

Ray loads this module in a process of its own for each core. The other two processes are those of ``ray_driver``, which
speaks to Ray, and of ``ray_workers``, which is the program. Nothing here imports Ray.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from promptrial.documents.files import read_bytes
from promptrial.runtime.fingerprint import Fingerprint, differences, fingerprint
from promptrial.runtime.workers import made_without_collection, one_line

__all__ = ["Answer", "Job", "digest_of_lock", "do_task"]


class Job(NamedTuple):
    """What all tasks have in common.

    Parameters
    ----------
    make : bytes
        A pickle of what makes that which does a task.
    current_folder : Path
        Where paths that are relative start.
    lock : Path, optional
        The lock file of the run whose folder tasks read.
    lock_digest : str
        Its SHA-256 where it is asked from; empty if it does not exist.
    """

    make: bytes
    current_folder: Path
    lock: Path | None
    lock_digest: str


class Answer(NamedTuple):
    """What became of a task: ``value`` is a pickle of its result; ``reason`` says why there is none.

    A task that ``failed`` is done by the process that asked. One that was ``refused`` ends the phase: this or another
    node could make other bytes of it.
    """

    kind: Literal["done", "failed", "refused"]
    value: bytes = b""
    reason: str = ""


def do_task(wanted: Fingerprint, job: bytes, task: bytes) -> Answer:
    """Do a task.

    Parameters
    ----------
    wanted : tuple
        The fingerprint of the process that asks. It is compared first: another version may be unable to read a job.
    job, task : bytes
        Pickles, of a ``Job`` and of what it does.
    """
    if refusal := "; ".join(differences(wanted, fingerprint())) or _refusal(job):
        return Answer("refused", reason=f"node {platform.node()} {refusal}")
    try:
        result = _what_does(job)(pickle.loads(task))  # noqa: S301 - from the driver
        return Answer("done", pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
    except Exception as error:  # noqa: BLE001 - the process that asked does it again, and says what is wrong
        return Answer("failed", reason=one_line(error))


@functools.cache
def _refusal(pickled: bytes) -> str:
    """Return how the folders of this machine differ from those of the one that asks; empty if they are the same.

    Side effects: changes to the folder where the program was started.
    """
    job: Job = pickle.loads(pickled)  # noqa: S301 - from the driver
    if job.lock is not None and not job.lock.parent.is_dir():
        return f"has no folder {job.lock.parent}; it must be shared by all nodes"
    if job.lock is not None and digest_of_lock(job.lock) != job.lock_digest:
        return f"has another folder {job.lock.parent} than this machine; it must be shared by all nodes"
    try:
        os.chdir(job.current_folder)
    except OSError as error:
        return f"cannot enter {job.current_folder}, where paths start: {error.strerror}; it must be shared by all nodes"
    return ""


@functools.cache
def _what_does(pickled: bytes) -> Callable[[Any], Any]:
    job: Job = pickle.loads(pickled)  # noqa: S301 - from the driver
    return made_without_collection(pickle.loads(job.make))  # noqa: S301 - likewise


def digest_of_lock(path: Path | None) -> str:
    """Return the SHA-256 of a run's lock file; empty if it does not exist."""
    try:
        return "" if path is None else hashlib.sha256(read_bytes(path)).hexdigest()
    except OSError:
        return ""
