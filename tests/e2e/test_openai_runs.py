"""Whole runs on OpenAI's batches, from the command to the report, against an emulator in this process."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings, OpenAiSettings
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_run import QUICK
from tests.support.project import Project

KEY = "sk-" + "wholerunsecret"


class Lab:
    """A project at an emulator: five questions, one part for each of two arms."""

    def __init__(self, root: Path, client: EmulatorClient) -> None:
        self.project = Project.make(root)
        self.emulator = client
        self.configure({})

    def configure(self, model: Mapping[str, Any], **changes: Any) -> None:
        self.project.write_config(
            {
                "provider": "openai",
                "providers": {"openai": {"type": "openai", "base_url": f"{self.emulator.url}/v1"}},
                "models": {"m1": {"id": "gpt-4o-mini", **model}},
                "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
                "task_instructions": {"closed_book": "closed.txt"},
                "limit_items": 5,
                "parts_per_dataset": 1,
                "pricing": {"openai": {"models": {"m1": {"input_per_million": 1.0, "output_per_million": 2.0}}}},
                "execution": QUICK,
                **changes,
            }
        )

    def run(self, *flags: str, run_id: str = "r") -> str:
        outcome = self.project.run(*flags, run_id=run_id)
        assert outcome.code == 0, outcome.out + outcome.err
        return outcome.out + outcome.err

    def batches(self) -> list[dict[str, Any]]:
        """Return what the ledger says of each batch."""
        return [row["facts"] for row in self.emulator.ledger("create_batch")]

    def manifest(self, run_id: str = "r") -> TrialManifest:
        run = RunDir(self.project.root / "experiments", run_id)
        found = run.trial(self.project.trial_folder(run_id).name).load_manifest()
        assert found is not None
        return found

    def predictions(self, run_id: str = "r") -> list[dict[str, Any]]:
        path = self.project.trial_folder(run_id) / "results" / "predictions.parquet"
        return list(pq.read_table(path).sort_by("custom_id").to_pylist())

    def costs(self, run_id: str = "r") -> dict[str, Any]:
        path = self.project.trial_folder(run_id) / "results" / "costs.json"
        found = json.loads(path.read_text())
        return {name: value for name, value in found.items() if name != "run_id"}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lab]]:
    stack = ExitStack()

    def begin(**settings: Any) -> Lab:
        server = stack.enter_context(EmulatorServer(tmp_path / "emulator", EmulatorSettings(key=KEY, **settings)))
        client = EmulatorClient(server.url, key=KEY)
        stack.callback(client.close)
        root = tmp_path / "project"
        root.mkdir()
        monkeypatch.chdir(root)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        return Lab(root, client)

    with stack:
        yield begin


def test_a_dry_run_goes_from_the_configuration_to_the_report_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    project = Project.make(tmp_path)
    project.write_config({"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": None})
    outcome = project.run("--dry_run")
    assert outcome.code == 0, outcome.out + outcome.err
    assert list(project.run_root().rglob("report.md"))
    rows = pq.read_table(project.trial_folder() / "results" / "predictions.parquet").to_pylist()
    assert len(rows) == 2 * (6 + 8)
    assert all(row["response_text"] for row in rows)


def test_a_run_pays_for_each_part_once_and_writes_no_key(start: Callable[..., Lab]) -> None:
    lab = start()
    said = lab.run()
    assert [batch["rows"] for batch in lab.batches()] == [5, 5]
    assert all(row["response_text"] and row["error"] is None for row in lab.predictions())
    engine = lab.manifest().engine
    assert (engine["provider"], engine["endpoint"], engine["sampling"]) == (
        "openai", "/v1/chat/completions", "temperature top_p seed",
    )  # fmt: skip
    found = [path for path in lab.project.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert not found
    assert KEY not in said
    assert "nothing was left to do" in lab.run("--resume")


def test_the_answers_of_a_60_percent_complete_expired_batch_are_kept_and_the_rest_is_resubmitted_once(
    start: Callable[..., Lab],
) -> None:
    lab = start()
    lab.run(run_id="whole")
    lab.emulator.fault("F10", "create_batch", variant="expired", share=0.6, nth=1, count=1)
    lab.run(run_id="cut")
    whole, cut = lab.batches()[:2], lab.batches()[2:]
    assert [batch["rows"] for batch in whole] == [5, 5]
    assert sorted(batch["rows"] for batch in cut) == [2, 5, 5]
    files = {row["id"]: row for row in lab.emulator.ledger("upload")}
    assert len(files) == 5, "each file was uploaded once"
    parts = lab.manifest("cut").parts
    assert sorted(len(part.intents) for part in parts.values()) == [1, 2]
    (first, second) = next(part.intents for part in parts.values() if len(part.intents) == 2)
    assert (first.rows, second.rows) == (5, 2)
    assert first.results is not None
    assert second.results is not None
    assert (first.results.rows, second.results.rows) == (3, 2), "nothing that was answered was asked again"
    assert _without_request_ids(lab.predictions("cut")) == _without_request_ids(lab.predictions("whole"))
    assert lab.costs("cut") == lab.costs("whole")


def _without_request_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "request_id"} for row in rows]


def test_a_run_waits_for_quota_at_the_vendor_and_each_part_is_answered_once(start: Callable[..., Lab]) -> None:
    lab = start()
    lab.emulator.fault("F18", "create_batch", variant="token_limit", nth=1, count=3)
    said = lab.run()
    assert "waiting for capacity" in said
    assert "failed" not in said
    assert all(row["response_text"] for row in lab.predictions())
    assert [len(part.intents) for part in lab.manifest().parts.values()] == [1, 1]
    assert len(lab.emulator.ledger("upload")) == 2, "a file that is there is not uploaded again"


def test_a_batch_that_exceeds_the_remaining_quota_waits_for_the_other_batch_to_end(
    start: Callable[..., Lab],
) -> None:
    lab = start(openai=OpenAiSettings(enqueued_tokens=200))
    lab.run()
    assert Counter(row["condition"] for row in lab.predictions()) == {"control": 5, "treatment": 5}


@pytest.mark.parametrize("variant", ["reset", "error", "stall"])
def test_a_create_that_was_applied_but_unanswered_leaves_one_batch_for_each_intent(
    start: Callable[..., Lab], variant: str
) -> None:
    lab = start()
    lab.configure({}, providers={
        "openai": {"type": "openai", "base_url": f"{lab.emulator.url}/v1", "timeout_s": 0.5},
    })  # fmt: skip
    lab.emulator.fault("F5", "create_batch", variant=variant, nth=1, count=1)
    lab.run()
    keys = [batch["metadata"]["promptrial_key"] for batch in lab.batches()]
    assert sorted(keys) == sorted(intent.key for part in lab.manifest().parts.values() for intent in part.intents)
    assert len(keys) == 2


def test_a_create_that_was_not_applied_is_fenced_and_repeated_as_another_attempt(
    start: Callable[..., Lab],
) -> None:
    lab = start()
    lab.emulator.fault("F4", "create_batch", nth=1, count=1)
    lab.run()
    assert len(lab.batches()) == 2
    assert len(lab.emulator.ledger("delete_file")) == 1
    statuses = [[intent.status for intent in part.intents] for part in lab.manifest().parts.values()]
    assert sorted(statuses) == [["downloaded"], ["expired", "downloaded"]]


def test_requests_that_vanish_before_their_batch_is_created_are_uploaded_again(start: Callable[..., Lab]) -> None:
    lab = start()
    lab.emulator.fault("F17", "get_file", variant="vanished", api="openai")
    said = lab.run()
    assert "No such File object" in said
    assert "its requests are sent again" in said
    assert [batch["rows"] for batch in lab.batches()] == [5, 5]
    ledgers = [part.ledger for part in lab.manifest().parts.values()]
    assert sorted([intent.status for intent in ledger] for ledger in ledgers) == [
        ["downloaded"],
        ["expired", "downloaded"],
    ]


def test_a_run_can_use_the_responses_api(start: Callable[..., Lab]) -> None:
    lab = start()
    lab.configure({"endpoint": "responses", "sampling": "provider_default", "reasoning_effort": "low"})
    lab.run()
    assert {batch["endpoint"] for batch in lab.batches()} == {"/v1/responses"}
    assert all(row["response_text"] and row["finish_reason"] == "stop" for row in lab.predictions())
    assert lab.manifest().engine["sampling"] == "provider_default"


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ({"id": "o3-mini"}, {}, "accepts no temperature"),
        ({}, {"top_k": 40}, "do not support top_k, but `top_k` is 40"),
        ({"endpoint": "responses"}, {"stop": ["END"]}, "do not support stop sequences"),
        ({"extra_body": {"messages": []}}, {}, "may not hold 'messages'"),
        ({"thinking_budget": 1000}, {}, "does not take this key"),
    ],
)
def test_parameters_that_the_vendor_refuses_are_an_error_before_anything_is_sent(
    start: Callable[..., Lab], model: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    lab = start()
    lab.configure(model, **changes)
    checked = lab.project.call("config", "check", "--config", str(lab.project.config))
    assert checked.code == 2
    assert said in checked.out + checked.err
    outcome = lab.project.run()
    assert outcome.code != 0
    assert said in outcome.err
    assert lab.emulator.ledger() == []


def test_config_check_names_the_parameters_that_are_not_sent(start: Callable[..., Lab]) -> None:
    lab = start()
    checked = lab.project.call("config", "check", "--config", str(lab.project.config))
    assert checked.code == 0, checked.err
    assert "models.m1: OpenAI's chat completions do not support top_k, so it is not sent" in checked.out + checked.err


def test_a_file_that_fails_validation_is_one_clear_error(start: Callable[..., Lab]) -> None:
    lab = start(openai=OpenAiSettings(rows=4))
    outcome = lab.project.run()
    assert outcome.code == 1
    assert "too_many_tasks" in outcome.err
    assert "lines_per_part" in outcome.err
    assert json.dumps(KEY) not in outcome.err


def test_manually_downloaded_files_answer_exactly_the_requests_they_contain(start: Callable[..., Lab]) -> None:
    lab = start()
    lab.emulator.fault("F10", "create_batch", variant="expired", share=0.6, nth=1, count=1)
    lab.emulator.fault("F2", "download", count=-1)
    outcome = lab.project.run("--to_step", "parse")
    assert outcome.code == 1
    said = outcome.out + outcome.err
    commands = [line.strip() for line in said.splitlines() if line.strip().startswith("curl")]
    assert len(commands) >= 2
    assert KEY not in said
    lab.emulator.clear_faults()
    _fetch(lab, commands)
    lab.emulator.fault("F2", "download", nth=1, count=3)
    lab.run("--resume")
    assert all(row["response_text"] for row in lab.predictions())
    assert sorted(batch["rows"] for batch in lab.batches()) == [2, 5, 5]


def _fetch(lab: Lab, commands: list[str]) -> None:
    """Do what the commands of curl do: look a batch up, and write its files where they say."""
    for command in commands:
        (address,) = re.findall(r"https?://\S+/batches/\w+", command)
        batch = lab.emulator.http.get(address).json()
        name = batch["output_file_id" if "_output.jsonl" in command else "error_file_id"]
        if name:
            content = lab.emulator.http.get(f"{lab.emulator.url}/v1/files/{name}/content").content
            Path(shlex.split(command)[-1]).write_bytes(content)
