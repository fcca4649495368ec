"""Ray gives the bytes of one process, also after a worker, a node or the program is killed; no secret reaches it.

``make ray`` installs it and runs these tests. Each starts Ray, which takes seconds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from promptrial.errors import PhaseFailedError, StopRequested
from promptrial.phases import parse_parts
from promptrial.runtime import ray_workers
from promptrial.runtime.fingerprint import fingerprint
from promptrial.runtime.workers import Workers, in_order
from tests.support.project import Project
from tests.support.ray_tasks import DyingParser, OnlyHere, Recorder
from tests.support.sharing import FILES, answer_all, made
from tests.support.skips import RAY
from tests.unit.test_phases_run_spec import opened_run

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason=RAY),
    pytest.mark.timeout(600),
]

ROOT = Path(__file__).parents[2]
TEMPORARY = Path("/tmp")  # noqa: S108 - where Ray of this machine keeps its files
PRIVATE = "sk-of-mine-0123456789"
CLUSTER = """
import logging, sys
from ray.cluster_utils import Cluster
cores = int(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, "include_dashboard": False})
second = cluster.add_node(num_cpus=cores)
cluster.wait_for_nodes()
(raylet,) = second.all_processes["raylet"]
print("nodes", cluster.address, raylet.process.pid, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def nothing() -> None:
    """Ask for no stop."""


def no_warning(text: str) -> None:
    raise AssertionError(text)


def processes() -> dict[int, str]:
    """Return the command of each process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def of_ray() -> dict[int, str]:
    """Return the processes of clusters that the program has started."""
    return {number: command for number, command in processes().items() if "/pt-ray-" in command}


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Nothing of Ray is left behind, neither processes nor files."""
    home = Path.home() / ".ray"
    folders, had_home = {*TEMPORARY.glob("pt-ray-*")}, home.exists()

    def left() -> list[str]:
        others = [str(folder) for folder in folders]
        commands = [command for command in of_ray().values() if not any(other in command for other in others)]
        return commands + [str(folder) for folder in {*TEMPORARY.glob("pt-ray-*")} - folders]

    yield
    until = time.monotonic() + 60
    while left() and time.monotonic() < until:
        time.sleep(0.1)
    assert left() == []
    assert home.exists() == had_home


@pytest.fixture
def answered(project: Project) -> Project:
    answer_all(project)
    return project


def told(project: Project, name: str, text: str = "") -> Path:
    """Tell workers what to do."""
    deaths = project.run_root().parent / "deaths"
    deaths.mkdir(exist_ok=True)
    (deaths / name).write_text(text)
    return deaths


def test_results_come_in_order_although_one_of_two_workers_is_killed(tmp_path: Path) -> None:
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), sys.excepthook
    numbers = [1, 2, 3, -4, 5, 6, 7, 8, 9]
    found = list(in_order(partial(Recorder, tmp_path), numbers, Workers(2, "ray"), nothing, no_warning))
    assert [number for number, _ in found] == numbers
    assert (tmp_path / "death-4").exists()
    assert os.getpid() not in {pid for _, pid in found}, "Ray did the task again"
    assert len({pid for _, pid in found}) >= 2
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), sys.excepthook) == handlers
    assert "ray" not in sys.modules


def test_an_exception_of_a_task_is_raised_in_the_caller() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_order(partial(partial, int), ["1", "two", "3"], Workers(2, "ray"), nothing, no_warning))


def test_local_ray_gets_no_key_and_listens_only_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", PRIVATE)
    monkeypatch.setenv("MY_SERVER", PRIVATE)
    tasks = [Path("/proc/self/environ")] * 3
    shared = in_order(partial(partial, Path.read_text), tasks, Workers(2, "ray"), nothing, no_warning)
    assert isinstance(shared, Generator)
    with closing(shared) as read:
        of_worker = next(read)
        numbers = {*of_ray(), *children(os.getpid())}
        daemons = [number for number, command in of_ray().items() if "core/src/ray/" in command]
        environments = {number: Path(f"/proc/{number}/environ").read_text() for number in numbers}
        ports = listening(numbers)
    assert len(daemons) >= 2, "those that are Ray: gcs_server, raylet"
    assert not [each for each in (of_worker, *environments.values()) if PRIVATE in each]
    assert all("RAY_USAGE_STATS_ENABLED=0" in environments[number].split("\0") for number in daemons)
    assert ports
    assert {address for address, _ in ports} <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert 8265 not in {port for _, port in ports}, "the dashboard is off"


def children(number: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(text.rpartition(")")[2].split()[1])
    own = [each for each, parent in parents.items() if parent == number]
    return own + [further for each in own for further in children(each)]


def listening(numbers: set[int]) -> set[tuple[str, int]]:
    """Return the addresses and ports on which processes listen."""
    sockets = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                address, _, port = fields[1].partition(":")
                sockets[f"socket:[{fields[9]}]"] = address, int(port, 16)
    found = set()
    for number in numbers:
        for path in Path(f"/proc/{number}/fd").glob("*"):
            try:
                target = str(path.readlink())
            except OSError:
                continue
            if target in sockets:
                found.add(sockets[target])
    return found


def test_a_stop_ends_ray_while_a_task_runs() -> None:
    asked = []

    def stop() -> None:
        asked.append(1)
        if len(asked) > 100:
            raise StopRequested("stopped")

    found = in_order(partial(partial, time.sleep), [3600.0, 3600.0], Workers(2, "ray"), stop, no_warning)
    with pytest.raises(StopRequested):
        next(found)


def test_a_run_survives_the_death_of_the_ray_driver(tmp_path: Path) -> None:
    def tasks() -> Iterator[int]:
        yield from range(4)
        (driver,) = [number for number, command in processes().items() if "ray_driver import serve" in command]
        os.kill(driver, signal.SIGKILL)
        yield from range(4, 9)

    warnings: list[str] = []
    found = list(in_order(partial(Recorder, tmp_path), tasks(), Workers(2, "ray"), nothing, warnings.append))
    assert warnings == [
        "a worker failed (the process that speaks to Ray ended with code -9): this process does its tasks itself"
    ]
    assert [number for number, _ in found] == [*range(9)]
    assert os.getpid() in {pid for _, pid in found}


def test_a_node_without_the_folder_or_with_another_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = partial(in_order, partial(partial, abs), [1, 2], check_stop=nothing, warn=no_warning)
    node = os.uname().nodename
    with pytest.raises(PhaseFailedError, match=f"node {node} has no folder {tmp_path}/none; it must be shared"):
        list(shared(workers=Workers(2, "ray", None, tmp_path / "none/.state.lock")))
    (tmp_path / ".state.lock").write_text("this run")
    workers = Workers(2, "ray", None, tmp_path / ".state.lock")
    assert list(shared(workers=workers)) == [1, 2]
    with monkeypatch.context() as patch:
        patch.setattr(ray_workers, "digest_of_lock", lambda _path: "another")
        with pytest.raises(PhaseFailedError, match=f"node {node} has another folder {tmp_path} than this machine"):
            list(shared(workers=workers))
    own = dict(fingerprint())
    monkeypatch.setattr(ray_workers, "fingerprint", lambda: (*{**own, "promptrial": "0.0", "numpy": "1.0"}.items(),))
    with pytest.raises(PhaseFailedError) as raised:
        list(shared(workers=workers))
    assert f"node {node} has promptrial {own['promptrial']}, and this machine has 0.0; " in str(raised.value)
    assert f"has numpy {own['numpy']}, and this machine has 1.0" in str(raised.value)


def test_a_library_that_workers_lack_is_reported_and_its_tasks_run_locally() -> None:
    warnings: list[str] = []
    shared = in_order(OnlyHere(os.getpid(), "made"), range(4), Workers(2, "ray"), nothing, warnings.append)
    assert list(shared) == [*range(4)]
    assert warnings == ["a worker failed (ImportError: no library here): this process does its tasks itself"]


def test_a_ray_cluster_reachable_from_other_machines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {name: value for name, value in ray_workers._OF_THIS_MACHINE.items() if "CLUSTER" not in name}
    monkeypatch.setattr(ray_workers, "_OF_THIS_MACHINE", settings)
    with pytest.raises(PhaseFailedError, match=r"it is bound to \d+\.\d+\.\d+\.\d+, where other machines may reach it"):
        list(in_order(partial(partial, abs), [1, 2], Workers(2, "ray"), nothing, no_warning))


@pytest.mark.parametrize("listens", [False, True], ids=["nobody listens", "something else listens"])
def test_a_wrong_address_is_an_error_that_names_it(listens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "_CONNECT_S", 8)
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        if listens:
            other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(PhaseFailedError) as raised:
            list(in_order(partial(partial, abs), [1, 2], Workers(2, "ray", address), nothing, no_warning))
    wanted = "it did not answer within 8 s" if listens else f"it cannot be reached at {address}: "
    assert wanted in str(raised.value)
    assert "--executor processes" in str(raised.value.hint)


def test_two_ray_workers_write_the_same_bytes_as_one_process_although_one_dies(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, services = opened_run(answered)
    results = answered.trial_folder() / "results"
    alone = made(spec, services, results, workers=1)
    assert made(spec, services, results, workers=2) == alone
    with monkeypatch.context() as patch:
        answers: list[object] = []
        patch.setattr(ray_workers.RayTasks, "_result", counted(answers))
        assert made(spec, services, results, workers=2, executor="ray") == alone
    assert len(answers) > 10, "Ray did them"
    deaths = told(answered, "worker")
    monkeypatch.setattr(parse_parts, "PartParser", DyingParser)
    assert made(spec, services, results, workers=2, executor="ray") == alone
    assert (deaths / "worker.done").exists()


def counted(answers: list[object]) -> Callable[[ray_workers.RayTasks], object]:
    """Return the method that returns an answer of Ray, which is noted."""
    plain = ray_workers.RayTasks._result

    def answer(self: ray_workers.RayTasks) -> object:
        found = plain(self)
        answers.append(found)
        return found

    return answer


@contextmanager
def cluster(*modules: str, cores: int = 1) -> Iterator[tuple[str, str]]:
    """Start a cluster of two nodes, each with so many cores; yield its address, and the process of the second node.

    Its nodes find modules where this process does, if ``modules`` names no folders.
    """
    env = {**os.environ, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0",
           "PYTHONPATH": os.pathsep.join(modules or filter(None, sys.path))}  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER, str(cores)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env,
    ) as nodes:  # fmt: skip
        assert nodes.stdin is not None
        assert nodes.stdout is not None
        line = next(line for line in nodes.stdout if line.startswith("nodes "))
        _, address, raylet = line.split()
        yield address, raylet
        nodes.stdin.close()
        nodes.stdout.read()


def test_killing_one_of_two_nodes_loses_nothing(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    of_cluster(monkeypatch)
    spec, services = opened_run(answered)
    results = answered.trial_folder() / "results"
    alone = made(spec, services, results, workers=1)
    monkeypatch.setattr(parse_parts, "PartParser", DyingParser)
    with cluster() as (address, raylet):
        ray = partial(made, spec, services, results, workers=2, executor="ray", ray_address=address)
        assert ray() == alone
        assert list(in_order(partial(partial, abs), [-1, -2], Workers(2, "ray", "auto"), nothing, no_warning)) == [1, 2]
        deaths = told(answered, "node", raylet)
        assert ray() == alone
        assert (deaths / "node.done").exists()
        assert int(raylet) not in processes() or "raylet" not in processes()[int(raylet)]


def of_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables by which Ray finds the cluster of a test."""
    for name, value in {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}.items():
        monkeypatch.setenv(name, value)


def test_nodes_that_lack_the_program_are_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_cluster(monkeypatch)
    (tmp_path / "promptrial").mkdir()
    (tmp_path / "promptrial/__init__.py").touch()
    with cluster(str(tmp_path)) as (address, _), pytest.raises(PhaseFailedError) as raised:
        list(in_order(partial(partial, abs), [1, 2], Workers(2, "ray", address), nothing, no_warning))
    assert re.search(r"node \d+\.\d+\.\d+\.\d+ cannot run promptrial as this machine does: ", str(raised.value))


def test_a_cluster_without_a_core_is_an_error_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    of_cluster(monkeypatch)
    with cluster(cores=0) as (address, _), pytest.raises(PhaseFailedError, match="has no CPU for tasks"):
        list(in_order(partial(partial, abs), [1, 2], Workers(2, "ray", address), nothing, no_warning))


def program(project: Project, *flags: str) -> subprocess.Popen[str]:
    """Start the program with two workers of Ray, in the folder of a project."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OPENAI_API_KEY": PRIVATE}
    command = [sys.executable, "-m", "tests.support.ray_tasks", "run", "--run_id", "r", "--resume", "--executor", "ray",
               "--workers", "2", *flags]  # fmt: skip
    return subprocess.Popen(
        command, cwd=project.root, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["kill", "term", "int"])
def test_a_run_killed_or_stopped_while_ray_works_resumes_to_the_same_bytes(
    answered: Project, number: signal.Signals
) -> None:
    results = answered.trial_folder() / "results"
    deaths = told(answered, "wait")
    with program(answered) as run:
        wait_for(deaths / "waits")
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
    assert run.returncode == (-9 if number == signal.SIGKILL else 5), err
    assert not (results / "predictions.csv").exists()
    (deaths / "wait").unlink()
    with program(answered, "--json") as run:
        out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    json.loads(out)
    assert "ray" not in err.lower().replace("--executor ray", "").replace("array", ""), "Ray prints nothing"
    assert PRIVATE not in err
    by_ray = {name: (results / name).read_bytes() for name in FILES}
    spec, services = opened_run(answered)
    assert made(spec, services, results, workers=1) == by_ray
