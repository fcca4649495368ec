"""The emulator as something that runs: its life in a thread or a process, kills, restarts, the clock, the ledger."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptrial.cli.main import main
from promptrial.errors import (
    CorruptRecordError,
    DiskSpaceError,
    MissingDependencyError,
    NewerVersionError,
    PromptrialError,
    RunLockedError,
    UsageError,
)
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings
from tests.support import emulator_responders
from tests.support.emulator_client import EmulatorClient, chat_row, jsonl
from tests.support.emulator_fixtures import Start, emulator, shared, start
from tests.support.openai_client import OpenAiClient, chat_body, ok

__all__ = ["emulator", "shared", "start"]


def state(client: EmulatorClient) -> Any:
    return client.plain.get(f"{client.url}/__emu/state").json()


class Child:
    """The command in a process of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "promptrial", "emulator", "--state", str(folder), *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.client = EmulatorClient(line.split()[-1])

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.close()
        return code

    def close(self) -> None:
        self.client.close()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Children that are killed at the end, unless they have ended."""
    started: list[Child] = []
    yield started
    for child in started:
        if child.process.poll() is None:
            child.end(signal.SIGKILL)
        child.close()


class TestRestart:
    def test_a_restart_keeps_state_ledger_and_faults(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path) as server:
            before = EmulatorClient(server.url)
            done = before.job()
            results = before.results(done)
            waiting = before.job(displayName="waiting")
            before.fault("F2", "get_job", nth=2)
            before.get_job(waiting)
            seen, ledger, rules = state(before), before.ledger(), before.plain.get(f"{server.url}/__emu/faults").json()
            before.close()
        with EmulatorServer(tmp_path) as server:
            after = EmulatorClient(server.url)
            assert (state(after), after.ledger()) == (seen, ledger)
            assert after.plain.get(f"{server.url}/__emu/faults").json() == rules
            assert after.get_job(waiting).status_code == 503, "the rule has counted on"
            assert after.results(done) == results
            assert after.states(waiting)[-1] == "COMPLETED"
            after.close()

    def test_a_signed_url_outlives_a_restart_on_the_same_port(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path) as server:
            before = EmulatorClient(server.url)
            name = before.dataset()
            (url,) = before.urls(name).values()
            before.close()
        with EmulatorServer(tmp_path, EmulatorSettings(port=int(server_port(url)))):
            assert httpx.get(url).status_code == 200

    def test_rows_that_were_being_answered_are_answered_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(RESPONDERS, "echo", "tests.support.emulator_responders:GatedResponder")
        emulator_responders.GATE.clear()
        emulator_responders.BEGUN.clear()
        server = EmulatorServer(tmp_path, EmulatorSettings(patience_s=0.05))
        before = EmulatorClient(server.start())
        job = before.job(before.dataset(5))
        assert before.states(job, most=8)[-1] == "RUNNING", "rows that take long keep their job so"
        assert emulator_responders.BEGUN.wait(20)
        before.close()
        threading.Timer(0.3, emulator_responders.GATE.set).start()
        server.stop()
        assert not [path for path in (tmp_path / "files").iterdir() if path.name.startswith("job-")]
        with EmulatorServer(tmp_path) as again:
            after = EmulatorClient(again.url)
            assert [row["custom_id"] for row in after.results(job)] == [f"r{n}" for n in range(5)]
            assert len(after.ledger("create_job")) == 1
            after.close()

    def test_two_emulators_never_share_a_folder(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path), pytest.raises(RunLockedError, match="another emulator works here"):
            EmulatorServer(tmp_path).start()

    @pytest.mark.parametrize(
        ("code", "kind", "said"),
        [
            (sqlite3.SQLITE_BUSY, RunLockedError, "another emulator works here"),
            (sqlite3.SQLITE_FULL, DiskSpaceError, "the disk is full"),
            (sqlite3.SQLITE_IOERR_WRITE, PromptrialError, "cannot be used: disk I/O error"),
            (sqlite3.SQLITE_CANTOPEN, PromptrialError, "cannot be used: disk I/O error"),
        ],
    )
    def test_only_a_held_lock_means_that_another_emulator_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], said: str
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = code
            raise error

        monkeypatch.setattr(sqlite3, "connect", fail)
        with pytest.raises(PromptrialError, match=said) as caught:
            EmulatorServer(tmp_path).start()
        assert type(caught.value) is kind
        assert kind is RunLockedError or "another emulator" not in str(caught.value)

    @pytest.mark.parametrize("path", ["/__emu/clock", "/v1/accounts/emulator/datasets", "/"])
    def test_a_page_of_another_site_is_refused(self, tmp_path: Path, path: str) -> None:
        with EmulatorServer(tmp_path) as server:
            port = server.url.rpartition(":")[2]
            for headers in (
                {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1.evil.example:{port}"},
                {"Sec-Fetch-Site": "cross-site"}, {"Origin": ""},
            ):  # fmt: skip
                assert httpx.post(server.url + path, headers=headers).status_code == 403, headers
                assert httpx.get(server.url + path, headers=headers).status_code == 403, headers
            assert httpx.get(server.url, headers={"Host": "evil.example"}).status_code == 400
            for headers in ({}, {"Origin": server.url}, {"Origin": f"http://localhost:{port}"}):
                assert httpx.get(f"{server.url}/__emu/clock", headers=headers).status_code == 200
            assert httpx.get(f"{server.url}/__emu/clock").json()["seconds"] == 0

    @pytest.mark.parametrize("jump", ["1e300", "1e18", "-1", "true", "1e999", "NaN", "3155760001"])
    def test_an_absurd_clock_jump_is_refused(self, tmp_path: Path, jump: str) -> None:
        with EmulatorServer(tmp_path) as server:
            clock = f"{server.url}/__emu/clock"
            assert httpx.post(clock, content=f'{{"advance": {jump}}}').status_code == 400
            assert httpx.post(clock, json={"advance": 3_155_760_000}).json()["seconds"] == 3_155_760_000
            assert httpx.post(clock, json={"advance": 1}).status_code == 400
            client = EmulatorClient(server.url)
            assert client.post_dataset("late").status_code == 200, "the clock stands still at its end"
            client.close()

    def test_a_file_that_is_not_a_state_is_named_and_kept(self, tmp_path: Path) -> None:
        (tmp_path / "emulator.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
        with pytest.raises(CorruptRecordError, match=r"emulator\.sqlite: not the state of an emulator"):
            EmulatorServer(tmp_path).start()
        assert (tmp_path / "emulator.sqlite").read_bytes().startswith(b"not a database")

    def test_a_state_of_another_version_is_refused(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path):
            pass
        connection = sqlite3.connect(tmp_path / "emulator.sqlite")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(NewerVersionError, match="made by a newer version"):
            EmulatorServer(tmp_path).start()


def server_port(url: str) -> str:
    return url.split("/")[2].rpartition(":")[2]


class TestKilled:
    def test_after_a_kill_exactly_the_completed_answers_exist(self, tmp_path: Path, children: list[Child]) -> None:
        child = Child(tmp_path)
        children.append(child)
        dataset = child.client.dataset(3)
        job = child.client.job(dataset)
        child.client.fault("F5", "create_job", variant="stall")
        child.client.http.timeout = httpx.Timeout(20, read=0.3)
        with pytest.raises(httpx.ReadTimeout):
            child.client.post_job("unanswered", dataset, outputDatasetId="out-unanswered")
        child.client.get_job(job)
        seen, ledger = state(child.client), child.client.ledger()
        assert child.end(signal.SIGKILL) == -signal.SIGKILL

        again = Child(tmp_path)
        children.append(again)
        assert (state(again.client), again.client.ledger()) == (seen, ledger)
        assert len(again.client.ledger("create_job")) == 2
        assert again.client.post_job("unanswered", dataset).status_code == 409
        for name in (job, "unanswered"):
            assert [row["custom_id"] for row in again.client.results(name)] == ["r0", "r1", "r2"]

    def test_files_batches_and_live_answers_of_the_openai_api_survive_too(
        self, tmp_path: Path, children: list[Child]
    ) -> None:
        children.append(Child(tmp_path))
        before = OpenAiClient(children[0].client.url)
        done, running = before.ended(3), before.batch(4)
        before.fault("F8", "upload", variant="error", delay_s=3600)
        assert before.post_file(b"{}\n", "late.jsonl").status_code == 504
        for _ in range(3):
            ok(before.http.post("chat/completions", json=chat_body()))
        before.fault("F2", "list_files", count=2)
        assert before.http.get("files").status_code == 503
        rows = before.content(done["output_file_id"])
        seen, ledger = state(children[0].client), before.ledger()
        before.close()
        assert children[0].end(signal.SIGKILL) == -signal.SIGKILL

        children.append(Child(tmp_path))
        again = OpenAiClient(children[1].client.url)
        assert (state(children[1].client), again.ledger()) == (seen, ledger)
        assert len(again.ledger("chat_completion")) == 3
        assert again.content(done["output_file_id"]) == rows
        assert again.states(running)[-1] == "completed"
        assert sorted(again.rows(again.get_batch(running)["output_file_id"])) == ["r0", "r1", "r2", "r3"]
        assert [again.http.get("files").status_code for _ in range(2)] == [503, 200]
        again.advance(3600)
        assert "late.jsonl" in {file["filename"] for file in ok(again.http.get("files"))["data"]}
        again.close()

    def test_after_a_kill_at_any_moment_each_acknowledged_job_exists_once(
        self, tmp_path: Path, children: list[Child]
    ) -> None:
        accepted: set[str] = set()
        for round_ in range(3):
            child = Child(tmp_path)
            children.append(child)
            child.client.post_dataset(f"in-{round_}")
            child.client.post_upload(f"in-{round_}", jsonl([chat_row("a")]))
            killer = threading.Timer(0.05 + 0.1 * round_, child.process.kill)
            killer.start()
            accepted |= self.create_until_it_dies(child.client, round_)
            killer.join()
        last = Child(tmp_path)
        children.append(last)
        created = [row["id"] for row in last.client.ledger("create_job")]
        assert len(created) == len(set(created))
        assert accepted <= set(created)
        assert len(set(created) - accepted) <= 3, "one at the most was not answered before each kill"
        assert {name for name in created if last.client.get_job(name).status_code != 200} == set()

    def create_until_it_dies(self, client: EmulatorClient, round_: int) -> set[str]:
        accepted: set[str] = set()
        for number in range(10_000):
            name = f"job-{round_}-{number}"
            try:
                reply = client.post_job(name, f"in-{round_}", outputDatasetId=f"out-{name}")
            except httpx.TransportError:
                return accepted
            assert reply.status_code == 200, reply.text
            accepted.add(name)
        raise AssertionError("the emulator was not killed")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_it_in_order(self, tmp_path: Path, children: list[Child], number: int) -> None:
        child = Child(tmp_path)
        children.append(child)
        assert child.client.post_dataset("d").status_code == 200
        assert child.end(number) == 0


class TestServer:
    def test_the_emulator_can_be_started_and_stopped_repeatedly(self, tmp_path: Path) -> None:
        server = EmulatorServer(tmp_path)
        server.stop()
        url = server.start()
        assert server.start() == server.url == url
        server.stop()
        server.stop()
        with pytest.raises(PromptrialError, match="not running"):
            _ = server.url
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        assert server.start()
        server.stop()

    def test_the_server_does_not_change_the_signal_handlers(self, tmp_path: Path) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with EmulatorServer(tmp_path):
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    def test_silent_connections_do_not_prevent_the_end(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path) as server:
            client = EmulatorClient(server.url)
            client.fault("F5", "create_dataset", variant="stall")
            waiting = threading.Thread(target=pytest.raises, args=(httpx.TransportError, client.post_dataset, "d"))
            waiting.start()
            while not client.ledger("create_dataset"):
                pass
        waiting.join(10)
        assert not waiting.is_alive()
        client.close()

    @pytest.mark.parametrize("path", ["/v1/accounts/emulator/datasets", "/v1/accounts/emulator/datasets/d:upload"])
    def test_a_client_that_disconnects_in_the_middle_changes_nothing(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str], path: str
    ) -> None:
        with EmulatorServer(tmp_path) as server:
            client = EmulatorClient(server.url)
            client.post_dataset("d")
            before = client.ledger()
            with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
                connection.sendall(
                    f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer emulator-key\r\n"
                    "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n".encode()
                )
            assert client.ledger() == before
            client.close()
        assert capfd.readouterr() == ("", "")
        assert list((tmp_path / "files").iterdir()) == []

    def test_the_server_listens_only_on_this_machine(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path) as server:
            port = int(server.url.rpartition(":")[2])
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            with socket.socket() as elsewhere:
                elsewhere.bind(("127.0.0.2", port))  # it would be taken if the emulator had every address

    def test_a_port_that_is_taken_is_named(self, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path / "a") as server:
            port = int(server.url.rpartition(":")[2])
            with pytest.raises(UsageError, match=f"cannot listen on port {port}"):
                EmulatorServer(tmp_path / "b", EmulatorSettings(port=port)).start()

    @pytest.mark.parametrize("package", ["uvicorn", "python_multipart"])
    def test_a_missing_package_says_how_to_install_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingDependencyError, match=rf"{package}\n  next: pip install 'promptrial\[emulator\]'"):
            EmulatorServer(tmp_path).start()

    def test_many_calls_at_once_are_each_applied_once(self, emulator: EmulatorClient) -> None:
        names = [emulator.new("many") for _ in range(40)]
        threads = [threading.Thread(target=emulator.post_dataset, args=(name,)) for name in names for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(emulator.ledger("create_dataset", name)) for name in names] == [1] * 40


class TestClock:
    def test_only_api_calls_advance_the_clock(self, start: Start) -> None:
        own = start(clock_step_s=11)
        before = own.plain.get(f"{own.url}/__emu/clock").json()
        assert before == {"now": "2026-01-01T00:00:00.000000Z", "seconds": 0.0, "mode": "step"}
        own.ledger()
        own.http.get("datasets", headers={"Authorization": "no"})
        (url,) = own.urls(own.dataset()).values()
        own.plain.get(url)
        assert own.plain.get(f"{own.url}/__emu/clock").json()["seconds"] == 33

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"advance": -1}', b'{"advance": "1"}', b"{"])
    def test_the_clock_never_goes_back(self, emulator: EmulatorClient, body: bytes) -> None:
        assert emulator.plain.post(f"{emulator.url}/__emu/clock", content=body).status_code == 400

    def test_steps_and_manual_advances_of_the_clock_can_be_combined(self, start: Start) -> None:
        own = start()
        job = own.job()
        own.advance(60)
        assert own.states(job) == ["COMPLETED"]


class TestCommand:
    def test_the_first_line_names_the_address_and_flags_take_effect(
        self, tmp_path: Path, children: list[Child]
    ) -> None:
        child = Child(tmp_path, "--key", "k", "--account", "me", "--quota", "1", "--clock", "manual", "--seed", "3")
        children.append(child)
        client = EmulatorClient(child.client.url, key="k", account="me")
        dataset = client.dataset()
        client.advance(10)
        client.job(dataset)
        assert "quota: 1" in client.post_job("second", dataset).json()["message"]
        assert child.client.http.get("datasets").status_code == 403
        client.close()

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--responder", "oracle"], "--responder oracle needs --questions DIR"),
            (["--port", "70000"], "expected a port from 0 to 65535"),
            (["--accuracy", "1.5"], "expected a number from 0 to 1"),
            (["--effect", "nan"], "expected a number"),
            (["--clock_step", "-1"], "expected seconds"),
            (["--quota", "0"], "expected a whole number from 1"),
            (["--responder", "parrot"], "invalid choice"),
        ],
    )
    def test_an_invalid_flag_exits_with_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
    ) -> None:
        try:
            code = main(["emulator", "--state", str(tmp_path), *flags])
        except SystemExit as ended:
            code = int(ended.code or 0)
        assert code == 2
        assert said in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_in_use_exits_with_4(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with EmulatorServer(tmp_path):
            assert main(["emulator", "--state", str(tmp_path)]) == 4
        assert "another emulator works here" in capsys.readouterr().err

    def test_the_program_imports_the_server_only_when_needed(self) -> None:
        probe = (
            "import sys, promptrial.cli.main as m; m.build_parser('emulator');"
            "print(sorted({'starlette', 'uvicorn', 'sqlite3', 'numpy', 'pydantic'} & set(sys.modules)))"
        )
        env = {key: value for key, value in os.environ.items() if not key.startswith("PROMPTRIAL_")}
        found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env)
        assert found.stdout.strip() == "[]"
