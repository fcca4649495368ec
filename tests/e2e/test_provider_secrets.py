"""Keys and headers of servers: their values are never written, a new value is not a change, another host is refused."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from promptrial.care.doctor.sight import Sight
from promptrial.care.view.app import made_page
from promptrial.config.environment import remembered_secrets
from promptrial.config.loading import load_config
from promptrial.engine.session import Invocation
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings
from tests.support import emulator_responders
from tests.support.project import Project

KEY = "credentialwithnoprefix12345"
HEADER = "gatewayheadervalue67890"
QUICK = {
    "poll_interval_s": 0.005,
    "longest_poll_interval_s": 0.02,
    "settle_s": 0.1,
    "first_retry_s": 0.005,
    "outage_s": 2,
}


class Lab:
    """A project at an emulated OpenAI behind a gateway; neither variable is named like a secret."""

    def __init__(self, root: Path, url: str) -> None:
        self.project = Project.make(root)
        self.configure(url)

    def configure(self, url: str, more: dict[str, Any] | None = None, **entry: Any) -> None:
        server = {
            "type": "openai",
            "base_url": f"{url}/v1",
            "key": "MY_CREDENTIAL",
            "headers": {"X-Gateway-Auth": "${GATEWAY}"},
        }
        self.project.write_config(
            {
                "provider": "gateway",
                "providers": {"gateway": server | entry},
                "models": {"m1": {"id": "gpt-4o-mini"}},
                "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
                "task_instructions": {"closed_book": "closed.txt"},
                "limit_items": 4,
                "pricing": None,
                "execution": QUICK,
            }
            | (more or {})
        )

    def refusals(self) -> tuple[str, str]:
        """Require that a resume is refused as a change, and fails if it is forced; return what both say."""
        refused, forced = self.project.run("--resume"), self.project.run("--resume", "--force")
        assert (refused.code, forced.code) == (3, 1)
        return refused.err, forced.err

    def found(self, *texts: str) -> list[str]:
        """Return where a secret stands: files below the project, and texts."""
        secrets = [KEY, HEADER]
        files = [path for path in self.project.root.rglob("*") if path.is_file()]
        found = [str(path) for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]
        return found + [text for text in texts if any(secret in text for secret in secrets)]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setitem(RESPONDERS, "echo", "tests.support.emulator_responders:TellingResponder")
    monkeypatch.setattr(emulator_responders, "SECRET", f"{KEY} and {HEADER}")
    with EmulatorServer(tmp_path / "emulator", EmulatorSettings(key=KEY, responder="echo")) as running:
        yield running.url


@pytest.fixture
def lab(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Lab:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("MY_CREDENTIAL", KEY)
    monkeypatch.setenv("GATEWAY", HEADER)
    return Lab(root, server)


def test_neither_a_key_nor_a_header_is_written_to_disk(lab: Lab) -> None:
    outcome = lab.project.run()
    assert outcome.code == 0, outcome.err
    assert lab.found(outcome.out, outcome.err) == []
    shown = lab.project.call("config", "show", "--run_id", "r")
    planned = lab.project.call("plan", "--run_id", "r")
    for text in (shown.out, shown.err, planned.out, planned.err):
        assert lab.found(text) == []
    rows = b"".join(path.read_bytes() for path in lab.project.root.rglob("*.jsonl"))
    assert b"the key is [redacted] and [redacted], as" in rows
    assert "${GATEWAY}" in lab.project.run_root().joinpath("effective_config.yaml").read_text()


@pytest.mark.parametrize("verb", [("models",), ("config", "check"), ("run", "--run_id", "r")], ids=lambda verb: verb[0])
def test_a_key_that_is_refused_is_in_no_message(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    wrong = "anothercredential12345"
    monkeypatch.setenv("MY_CREDENTIAL", wrong)
    outcome = lab.project.call(*verb)
    assert verb[0] == "config" or outcome.code != 0
    assert wrong not in outcome.out + outcome.err
    assert lab.found(outcome.out, outcome.err) == []


def test_a_new_value_of_a_header_is_not_a_change_of_the_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lab.project.run("--to_step", "submit").code == 0
    monkeypatch.setenv("GATEWAY", "anewheadervalue24680")
    outcome = lab.project.run("--resume")
    assert outcome.code == 0, outcome.err


def test_another_host_is_a_change_and_cannot_be_forced(lab: Lab, tmp_path: Path) -> None:
    assert lab.project.run("--to_step", "submit").code == 0
    with EmulatorServer(tmp_path / "other", EmulatorSettings(key=KEY)) as other:
        lab.configure(other.url)
        refused, forced = lab.refusals()
    assert "providers.gateway.base_url" in refused
    assert "the engine is not the one that this trial was started with: api: 127.0.0.1:" in forced


def test_another_account_is_a_change_and_cannot_be_forced(lab: Lab, server: str) -> None:
    headers = {"X-Gateway-Auth": "${GATEWAY}"}
    lab.configure(server, headers=headers | {"OpenAI-Project": "proj_one"})
    assert lab.project.run("--to_step", "submit").code == 0
    lab.configure(server, headers=headers | {"OpenAI-Project": "proj_two"})
    refused, forced = lab.refusals()
    assert "OpenAI-Project" in refused
    assert "proj_one -> proj_two" in forced


def test_how_a_server_is_reached_may_change_at_a_resume(lab: Lab, server: str) -> None:
    assert lab.project.run("--to_step", "submit").code == 0
    lab.configure(server, timeout_s=7, max_jobs=1)
    outcome = lab.project.run("--resume")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("secret", ["MY_CREDENTIAL", "GATEWAY"])
@pytest.mark.parametrize("display", ["plain", "json"])
@pytest.mark.parametrize("trace", [None, "1"])
def test_a_key_in_the_exception_of_a_scorer_is_neither_shown_nor_written(
    lab: Lab, server: str, monkeypatch: pytest.MonkeyPatch, secret: str, display: str, trace: str | None
) -> None:
    if trace:
        monkeypatch.setenv("PROMPTRIAL_TRACEBACK", trace)
    code = f"import os\n\ndef told(answer: str) -> bool:\n    raise ValueError('with ' + os.environ[{secret!r}])\n"
    (lab.project.root / "config/measures.py").write_text(code)
    lab.configure(server, {"scorers": {"mine": {"type": "python", "file": "measures.py:told"}}})
    outcome = lab.project.run("--display", display)
    assert outcome.code == 1
    assert "ValueError: with [redacted]" in outcome.err
    looked = [lab.project.call(verb, "--run_id", "r") for verb in ("doctor", "status")]
    texts = [text for each in (outcome, *looked) for text in (each.out, each.err)]
    assert lab.found(*texts) == []
    assert any("with [redacted]" in text for text in texts[2:])


def test_output_of_a_scorer_is_shown_unchanged_and_not_stored(lab: Lab, server: str) -> None:
    code = "import os\n\ndef told(answer: str) -> bool:\n    print(os.environ['MY_CREDENTIAL'])\n    return True\n"
    (lab.project.root / "config/measures.py").write_text(code)
    lab.configure(server, {"scorers": {"mine": {"type": "python", "file": "measures.py:told"}}})
    outcome = lab.project.run()
    assert outcome.code == 0, outcome.err
    assert KEY in outcome.err
    assert lab.found(outcome.out) == []


@pytest.mark.parametrize("key", [KEY[:10] + "x9" * 8, "sk_" + "live4q7Xk2mP9vR4tY8nW"])
def test_a_key_pasted_into_the_configuration_is_never_repeated(lab: Lab, server: str, key: str) -> None:
    for entry in ({"key": key}, {"headers": {"X-Team": key}}):
        lab.configure(server, **entry)
        for verb in (("run", "--run_id", "r"), ("run", "--run_id", "r", "--dry_run"), ("plan",), ("models",)):
            outcome = lab.project.call(*verb)
            assert outcome.code == 2, outcome.out + outcome.err
            assert "eval_config.yaml:" in outcome.err
            assert key not in outcome.out + outcome.err
    assert not [path for path in lab.project.root.rglob("*.yaml") if path != lab.project.config]


def test_doctor_shows_an_error_without_keys_of_the_configuration(lab: Lab) -> None:
    load_config(lab.project.config, dict(os.environ))
    sight = Sight(
        RunDir(lab.project.root, "r"),
        Invocation(os.environ, SystemClock(), print),
        dict(os.environ),
        state=None,
        word="damaged",
        by=None,
        built=None,
        trials=(),
        repair="",
    )
    assert sight.said(UsageError(f"no {KEY}", hint=f"give {HEADER}")) == "no [redacted] (give [redacted])"


@pytest.mark.parametrize("kind", [ValueError, UsageError])
def test_an_error_page_of_view_contains_no_key(lab: Lab, kind: type[Exception]) -> None:
    def fail() -> Response:
        raise kind(f"no {KEY} and {HEADER}")

    load_config(lab.project.config, dict(os.environ))
    with ThreadPoolExecutor(1) as another:  # this thread may have the event loop of a browser
        page = bytes(another.submit(asyncio.run, made_page(fail)).result().body).decode()
    assert "no [redacted] and [redacted]" in page
    assert lab.found(page) == []


def test_a_command_forgets_the_secrets_of_the_command_before(lab: Lab) -> None:
    load_config(lab.project.config, dict(os.environ))
    assert {KEY, HEADER} <= remembered_secrets()
    lab.project.call("list")
    assert remembered_secrets() == frozenset()
