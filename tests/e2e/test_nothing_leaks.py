"""What must not be written down is nowhere on the disk: keys that a provider repeats, values of the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_run import ACCOUNT, KEY, experiment, leaks
from tests.support.project import Project

VALUES = {
    "X_NAME": "valueofname", "X_QUESTION": "valueofquestion", "X_MODEL": "valueofmodel", "X_PROMPT": "valueofprompt",
    "X_DATA": "valueofdata", "X_STOP": "valueofstop", "X_REFUSAL": "valueofrefusal", "X_FOLDER": "valueoffolder",
}  # fmt: skip


def test_a_key_repeated_by_a_provider_in_its_rows_is_not_written_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RESPONDERS, "echo", "tests.support.emulator_responders:TellingResponder")
    settings = EmulatorSettings(key=KEY, account=ACCOUNT, responder="echo")
    (tmp_path / "project").mkdir()
    with EmulatorServer(tmp_path / "emulator", settings) as server:
        client = EmulatorClient(server.url, key=KEY, account=ACCOUNT)
        hosted = experiment(tmp_path / "project", client, monkeypatch)
        outcome = hosted.project.run("--to_step", "report")
        client.close()
    assert leaks(tmp_path / "project", outcome.out, outcome.err) == []
    rows = b"".join(path.read_bytes() for path in (tmp_path / "project").rglob("results.jsonl"))
    assert b"the key is [redacted], as" in rows
    assert b"no access with [redacted]" in rows
    for line in rows.splitlines():
        json.loads(line)


@pytest.fixture
def from_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose configuration takes all that it may from the environment."""
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    config = project.root / "config"
    (config / "valueofprompt.txt").write_text("You are a careful assistant.\n")
    (config / "closed.jsonl").rename(config / "valueofdata.jsonl")
    project.write_config(
        {
            "name": "${X_NAME}", "question": "What of ${X_QUESTION}?", "models": {"m1": {"id": "vendor/${X_MODEL}"}},
            "prompt_sets": {"main": {"control": "${X_PROMPT}.txt", "treatment": "treatment.txt"}},
            "datasets": {
                "open_set": {"format": "squad_v2", "path": "open.json"},
                "closed_set": {"format": "custom", "path": "${X_DATA}.jsonl"},
            },
            "stop": ["${X_STOP}"], "scoring": {"extra_refusals": ["${X_REFUSAL}"]},
            "paths": {"experiments_dir": "${X_FOLDER}"}, "pricing": None,
        }
    )  # fmt: skip
    return project


def where(project: Project, run_id: str) -> dict[str, set[str]]:
    """Return the top folders and files of a run in which a value of the environment stands."""
    root = project.root / "valueoffolder" / f"run_{run_id}"
    found: dict[str, set[str]] = {}
    for path in (path for path in root.rglob("*") if path.is_file()):
        for name, value in VALUES.items():
            if value.encode() in path.read_bytes() or value in path.relative_to(root).as_posix():
                found.setdefault(name, set()).add(path.relative_to(root).parts[0])
    return found


def test_values_of_the_environment_are_only_in_the_requests(from_environment: Project) -> None:
    outcome = from_environment.run()
    assert outcome.code == 0, outcome.err
    assert where(from_environment, "r") == {"X_STOP": {"batch_inputs"}}


@pytest.mark.parametrize("content", [None, "", '{"id": 1}\n', "["])
def test_an_error_about_a_value_of_the_environment_is_logged_without_it(
    from_environment: Project, content: str | None
) -> None:
    questions = from_environment.root / "config" / "valueofdata.jsonl"
    questions.unlink()
    if content is not None:
        questions.write_text(content)
    outcome = from_environment.run()
    assert outcome.code == 2
    assert "valueofdata.jsonl" in outcome.err, "a person is told which file it is"
    assert where(from_environment, "r") == {}
    log = (from_environment.root / "valueoffolder/run_r/run.log").read_text()
    assert "config/${X_DATA}.jsonl" in log
