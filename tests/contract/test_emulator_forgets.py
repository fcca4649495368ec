"""An emulator told to forget everything is like one on an empty folder, also after a restart."""

from __future__ import annotations

from pathlib import Path

from promptrial_emulator.server import EmulatorServer
from tests.support.emulator_client import EmulatorClient, jsonl
from tests.support.emulator_fixtures import emulator, shared
from tests.support.openai_client import OpenAiClient

__all__ = ["emulator", "shared"]


def forget(client: EmulatorClient) -> None:
    reply = client.plain.delete(f"{client.url}/__emu/state")
    assert reply.status_code == 200
    assert (reply.json()["datasets"], reply.json()["jobs"], reply.json()["clock"]["seconds"]) == ([], [], 0.0)


def test_forgetting_removes_objects_faults_clock_and_ledger(emulator: EmulatorClient) -> None:
    job = emulator.job()
    emulator.results(job)
    emulator.fault("F8", "create_dataset", variant="error")
    assert emulator.post_dataset("late").status_code == 504
    emulator.fault("F1", "get_job", count=-1)
    forget(emulator)
    assert emulator.ledger() == []
    assert emulator.fired() == []
    assert emulator.get_job(job).status_code == 404
    emulator.advance(3600)
    assert emulator.get_dataset("late").status_code == 404
    assert emulator.ledger() == []


def test_forgotten_names_can_be_used_again_and_get_their_own_answers(emulator: EmulatorClient) -> None:
    found = []
    for text in ("What is it?", "Who was it?", "What is it?"):
        assert emulator.post_dataset("same").status_code == 200
        row = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": text}]}}
        assert emulator.http.post("datasets/same:upload", files={"file": ("in.jsonl", jsonl([row]))}).status_code == 200
        assert emulator.post_job("same", "same", outputDatasetId="out-same").status_code == 200
        found.append(emulator.results("same"))
        forget(emulator)
    assert found[0] == found[2] != found[1]


def test_a_running_job_is_forgotten_with_the_rest(emulator: EmulatorClient) -> None:
    job = emulator.job()
    emulator.advance(30)
    assert emulator.states(job, most=1) == ["RUNNING"]
    forget(emulator)
    assert emulator.get_job(job).status_code == 404
    assert emulator.results(emulator.job())


def test_files_and_batches_of_the_openai_api_are_forgotten_too(emulator: EmulatorClient) -> None:
    openai = OpenAiClient(emulator.url)
    before, running = openai.ended(2), openai.batch(2)
    forget(emulator)
    state = emulator.plain.get(f"{emulator.url}/__emu/state").json()
    assert (state["files"], state["batches"]) == ([], [])
    for path in (f"files/{before['output_file_id']}/content", f"batches/{running}"):
        assert openai.http.get(path).status_code == 404
    assert openai.ended(2)["status"] == "completed"
    openai.close()


def test_signed_urls_from_before_are_refused(emulator: EmulatorClient) -> None:
    job = emulator.job()
    emulator.states(job)
    urls = emulator.urls(f"out-{job}")
    forget(emulator)
    assert {emulator.plain.get(url).status_code for url in urls.values()} == {404}


def test_forgotten_objects_stay_forgotten_after_a_restart_and_leave_no_file(tmp_path: Path) -> None:
    with EmulatorServer(tmp_path) as server:
        client = EmulatorClient(server.url)
        client.results(client.job())
        assert list((tmp_path / "files").iterdir())
        forget(client)
        assert list((tmp_path / "files").iterdir()) == []
        client.close()
    with EmulatorServer(tmp_path) as server:
        client = EmulatorClient(server.url)
        assert client.plain.get(f"{server.url}/__emu/state").json()["jobs"] == []
        assert client.ledger() == []
        client.close()
