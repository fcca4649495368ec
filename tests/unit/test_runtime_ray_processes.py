"""The processes of Ray, without Ray: what a node refuses, what the driver finds, and what the program says."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptrial.errors import PhaseFailedError
from promptrial.runtime import fingerprint as prints
from promptrial.runtime import ray_driver, ray_node, ray_workers
from promptrial.runtime.fingerprint import fingerprint
from promptrial.runtime.ray_node import Answer, Job, digest_of_lock, do_task
from promptrial.runtime.workers import Workers, in_order

TEMPORARY = Path("/tmp")  # noqa: S108 - where Ray of this machine keeps its files
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _as_a_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let this process be a node for a while: one keeps what it has found, enters a folder, and collects no cycles."""
    monkeypatch.chdir(tmp_path)
    yield
    for kept in (ray_node._refusal, ray_node._what_does):
        kept.cache_clear()
    gc.unfreeze()
    gc.enable()


def nothing() -> None:
    """Ask for no stop."""


def no_warning(text: str) -> None:
    raise AssertionError(text)


def answer_to(text: str, folder: Path, **changed: Any) -> Answer:
    """Return what a node answers that is asked to make a number of a text."""
    lock = folder / ".state.lock"
    job = Job(pickle.dumps(partial(partial, int)), folder, lock, digest_of_lock(lock))._replace(**changed)
    return do_task(fingerprint(), pickle.dumps(job), pickle.dumps(text))


def test_a_node_does_a_task_without_collecting_cycles(tmp_path: Path) -> None:
    answer = answer_to("12", tmp_path)
    assert answer == Answer("done", pickle.dumps(12, pickle.HIGHEST_PROTOCOL))
    assert not gc.isenabled()


def test_a_node_says_why_a_task_failed(tmp_path: Path) -> None:
    answer = answer_to("two", tmp_path)
    assert answer.kind == "failed"
    assert answer.reason.startswith("ValueError: invalid literal")


def test_a_node_that_would_write_other_bytes_refuses_and_names_each_difference() -> None:
    other = {**dict(fingerprint()), "Python": "2.7", "code": "another", "numpy": "1.0", "abacus": "3.1"}
    answer = do_task(tuple(other.items()), b"of another version", pickle.dumps("1"))
    own = dict(fingerprint())
    assert answer.kind == "refused"
    assert answer.reason == (
        f"node {os.uname().nodename} has Python {own['Python']}, and this machine has 2.7; "
        f"has other code of promptrial than this machine; has numpy {own['numpy']}, and this machine has 1.0; "
        "has no abacus, and this machine has 3.1"
    )


def test_a_node_refuses_a_missing_or_different_folder(tmp_path: Path) -> None:
    for changed, why in (
        ({"lock": tmp_path / "none/.state.lock"}, f"has no folder {tmp_path}/none; it must be shared"),
        ({"lock_digest": "another"}, f"has another folder {tmp_path} than this machine; it must be shared"),
        ({"current_folder": tmp_path / "none"}, f"cannot enter {tmp_path}/none, where paths start: No such file"),
    ):
        answer = answer_to("1", tmp_path, **changed)
        assert answer.kind == "refused"
        assert answer.reason.startswith(f"node {os.uname().nodename} {why}")


def test_a_fingerprint_covers_the_libraries_for_tables_and_scorers() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {name.partition(">")[0] for name in extras["scorers"]} == {*prints._OF_SCORERS}
    assert {"Python", "promptrial", "code", "msgspec", "numpy", "pyarrow"} <= dict(fingerprint()).keys()


def test_a_fingerprint_covers_every_module_with_its_name(tmp_path: Path) -> None:
    found = {prints._digest_of_code(tmp_path)}
    for name, text in (("a.py", "1"), ("a.py", "2"), ("sub/b.py", ""), ("b.py", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        found.add(prints._digest_of_code(tmp_path))
    assert len(found) == 5
    (tmp_path / "a.pyc").write_text("no module")
    assert prints._digest_of_code(tmp_path) in found


def ray(host: str = "127.0.0.1", *, head: str = "127.0.0.1", cores: float = 1.0) -> SimpleNamespace:
    """Return what is asked of the module ``ray`` once it is connected."""
    return SimpleNamespace(
        nodes=lambda: [{"NodeManagerAddress": host}],
        get_runtime_context=lambda: SimpleNamespace(gcs_address=f"{head}:6379"),
        cluster_resources=lambda: {"CPU": cores} if cores else {},
    )


def test_local_ray_that_other_machines_can_reach_is_refused() -> None:
    assert ray_driver._unusable(ray(), None) == ""
    assert ray_driver._unusable(ray("::1", head="[::1]"), None) == ""
    for found in (ray("192.0.2.2"), ray(head="192.0.2.2")):
        assert ray_driver._unusable(found, None).startswith("it is bound to 192.0.2.2, where other machines may reach")
    assert ray_driver._unusable(ray("192.0.2.2", head="192.0.2.2"), "192.0.2.2:6379") == ""


def test_a_cluster_without_a_core_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_driver, "_NODES_WITHIN_S", 1)
    for cores in (0.0, 0.5):
        said = ray_driver._unusable(ray(cores=cores), "10.0.0.1:6379")
        assert said.startswith("the cluster at 10.0.0.1:6379 has no CPU for tasks")


def test_a_node_that_cannot_run_the_program_is_named_and_a_killed_task_is_not_blamed_on_it() -> None:
    class RayError(Exception):
        """Of Ray itself."""

    class RayTaskError(RayError):
        """Of a task of Ray."""

        cause: BaseException

    def answer(cause: BaseException, ip: str | None) -> tuple[str, str]:
        error = RayTaskError(f"ray::do_task() (pid=7, ip={ip})" if ip else "")
        error.cause = cause
        found = ray_driver._answer_of(error, RayError)
        return found.kind, found.reason

    refused = "cannot run promptrial as this machine does: ImportError: no promptrial"
    assert answer(ImportError("no promptrial"), "10.0.0.2") == ("refused", f"node 10.0.0.2 {refused}")
    assert answer(ImportError("no promptrial"), None) == ("refused", f"a node {refused}")
    assert answer(BaseException("odd"), "10.0.0.2") == ("failed", "on node 10.0.0.2: BaseException: odd")
    assert answer(RayError("cancelled"), None) == ("failed", "on a node: RayError: cancelled")


def said_of(monkeypatch: pytest.MonkeyPatch, driver: str, address: str | None = None) -> str:
    """Return the message if the driver process of Ray runs this code."""
    monkeypatch.setattr(ray_workers, "_DRIVER", driver)
    with pytest.raises(PhaseFailedError) as raised:
        list(in_order(partial(partial, abs), [1, 2], Workers(2, "ray", address), nothing, no_warning))
    assert "--executor processes" in str(raised.value.hint)
    return str(raised.value).partition("\n")[0]


def test_the_end_of_the_driver_is_reported_with_its_last_line_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret-of-mine-0123456789")
    code = "import os, sys; print('first'); print('no luck with', os.environ['RAY_AUTH_TOKEN'], file=sys.stderr)"
    ended = "Ray: the process that speaks to Ray ended with code"
    assert said_of(monkeypatch, f"{code}; sys.exit(7)", "h:1") == f"{ended} 7: no luck with [redacted]"
    assert said_of(monkeypatch, f"{code}; sys.exit(7)") == f"{ended} 7: no luck with [redacted]"
    assert said_of(monkeypatch, "raise SystemExit(3)") == f"{ended} 3"
    late = f"import os; os.kill(os.getpid(), {int(signal.SIGALRM)})"
    assert said_of(monkeypatch, late) == "Ray: it did not answer within 120 s"


def test_a_driver_that_cannot_start_leaves_nothing_and_a_cluster_gets_no_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, folders = {*TEMPORARY.glob("pt-ray-*")}, []

    def noted(*_: object, **__: object) -> None:
        folders.append({*TEMPORARY.glob("pt-ray-*")} - before)
        raise OSError("no processes left")

    monkeypatch.setattr(subprocess, "Popen", noted)
    for address, n in ((None, 1), ("10.0.0.1:6379", 0)):
        with pytest.raises(OSError, match="no processes left"):
            ray_workers.RayTasks(partial(partial, abs), Workers(2, "ray", address))
        assert len(folders.pop()) == n
    assert {*TEMPORARY.glob("pt-ray-*")} == before


def test_a_driver_without_ray_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = "import sys; sys.modules['ray'] = None; from promptrial.runtime.ray_driver import serve; serve()"
    assert "Ray: it cannot be started on this machine: import of ray halted" in said_of(monkeypatch, hidden)
