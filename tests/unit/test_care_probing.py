"""A probe asks each vendor what its documents leave open, pays for a few rows, and keeps no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from promptrial.care.probing import Planned, plan_probe, run_probe
from promptrial.config.instances import known_instances
from promptrial.config.loading import load_config
from promptrial.config.schema import ExperimentConfig
from promptrial.errors import ConfigError, PermanentError, UsageError
from promptrial.providers.probe_desk import Desk, Reply, order_found
from promptrial.runtime.clock import FakeClock
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import EmulatorClient
from tests.support.project import Outcome, Project

KEY = "sk-" + "probesecret"
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "fireworks": "llama-v3p1-8b-instruct"}
ENV = {
    "OPENAI_API_KEY": KEY,
    "ANTHROPIC_API_KEY": KEY,
    "FIREWORKS_API_KEY": KEY,
    "FIREWORKS_ACCOUNT_ID": "emulator",
}


@dataclass
class Lab:
    """An emulator, and a project whose instances lead to it."""

    project: Project
    emulator: EmulatorClient

    @property
    def config(self) -> ExperimentConfig:
        return load_config(self.project.config, ENV, {}).experiment

    def plan(self, vendor: str, **env: str) -> Planned:
        return plan_probe(self.config, f"my_{vendor}", None, {**ENV, **env})

    def probe(self, vendor: str, env: dict[str, str] | None = None, deadline_s: float = 600.0) -> dict[str, str]:
        out = self.project.root / f"{vendor}.json"
        asked = self.plan(vendor, **(env or {}))
        document = run_probe(asked, {**ENV, **(env or {})}, FakeClock(), out, lambda _: None, deadline_s)
        kept = json.loads(out.read_bytes())
        assert kept["ended"] == document.ended
        assert KEY not in out.read_text()
        return {each["name"]: each["found"] for each in kept["answers"]}

    def bought(self) -> int:
        ledger = [row for row in self.emulator.ledger() if row["operation"] in {"create_job", "create_batch"}]
        return sum(row["facts"]["rows"] for row in ledger)


def lab_at(root: Path, url: str) -> Lab:
    project = Project.make(root)
    bases = {"openai": f"{url}/v1", "anthropic": url, "fireworks": url}
    project.write_config(
        {
            "provider": "my_openai",
            "models": {name: {"id": model, "provider": f"my_{name}"} for name, model in MODELS.items()},
            "providers": {f"my_{name}": {"type": name, "base_url": base} for name, base in bases.items()},
            "pricing": {"my_openai": {"models": {"openai": {"input_per_million": 1.0, "output_per_million": 2.0}}}},
            "sweep": {"models": ["openai"], "prompt_sets": ["main"]},
        }
    )
    return Lab(project, EmulatorClient(url, key=KEY))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    with EmulatorServer(tmp_path_factory.mktemp("emulator"), EmulatorSettings(key=KEY)) as server:
        yield server


@pytest.fixture
def lab(server: EmulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.chdir(tmp_path)
    found = lab_at(tmp_path, server.url)
    found.emulator.plain.delete(f"{server.url}/__emu/state").raise_for_status()
    yield found
    found.emulator.close()


class TestAnswers:
    def test_openai(self, lab: Lab) -> None:
        found = lab.probe("openai")
        assert found["one_row"].startswith(
            "completed, counts {'total': 1, 'completed': 1, 'failed': 0}; output_file_id"
        )
        assert "duplicate_custom_id" in found["duplicate_ids"]
        assert found["list_order"] == "newest first"
        assert "HTTP 404" in found["create_from_deleted_file"]
        assert "'status_code': 400" in found["error_rows"]
        assert found["custom_id_limit"].startswith("completed")
        assert "batch_cancelled" in found["results_after_cancel"]
        assert found["delete_input_file"].startswith("completed")
        assert found["idempotency_key"] == "no: two batches"
        assert lab.emulator.plain.get(f"{lab.emulator.url}/__emu/state").json()["files"] == []

    def test_anthropic(self, lab: Lab) -> None:
        found = lab.probe("anthropic")
        assert "'type': 'succeeded'" in found["one_row"]
        assert "Duplicate custom_id" in found["duplicate_ids"]
        assert "{1,64}" in found["custom_id_limit"]
        assert "'type': 'errored'" in found["error_rows"]
        assert "not supported with anthropic-version 2026-10-21" in found["sampler_fields"]
        assert "'type': 'canceled'" in found["results_after_cancel"]
        assert (found["list_order"], found["visible_at_once"]) == ("newest first", "accepted")

    def test_fireworks(self, lab: Lab) -> None:
        found = lab.probe("fireworks")
        assert found["one_row"].startswith("JOB_STATE_COMPLETED")
        assert found["duplicate_job"].startswith("HTTP 409 (6)")
        assert found["duplicate_dataset"].startswith("HTTP 409 (6)")
        assert found["existing_output"].startswith("HTTP 400 (3)")
        assert "duplicate custom_id" in found["duplicate_ids"]
        assert "'code': 400" in found["mixed_job"]
        assert "1 to 63" in found["id_limit"]
        assert found["list_order"] == "oldest first"
        assert {"parameter_precedence", "delete_input", "results_after_cancel", "reuse_after_delete"} <= found.keys()

    @pytest.mark.parametrize("vendor", MODELS)
    def test_the_probe_sends_no_more_rows_than_announced_and_keeps_no_answer(self, lab: Lab, vendor: str) -> None:
        found = lab.probe(vendor)
        assert "Answer with the one word" not in str(found)
        assert 0 < lab.bought() <= lab.plan(vendor).rows

    @pytest.mark.parametrize("vendor", MODELS)
    def test_each_finding_names_the_calls_it_is_based_on(self, lab: Lab, vendor: str) -> None:
        lab.probe(vendor)
        for answer in json.loads((lab.project.root / f"{vendor}.json").read_text())["answers"]:
            assert answer["calls"], answer["name"]
            assert all(call["call"] and call["said"] for call in answer["calls"])


class TestFaults:
    def test_a_batch_whose_file_was_deleted_is_followed_and_cleaned_up_too(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call, kept = Desk.call, list[str]()

        def keeps_the_first(desk: Desk, method: str, path: str, **more: Any) -> Reply:
            if method == "DELETE" and not kept:
                kept.append(path)
                return Reply(200)
            return call(desk, method, path, **more)

        monkeypatch.setattr(Desk, "call", keeps_the_first)
        assert "accepted" in lab.probe("openai")["create_from_deleted_file"]
        assert lab.bought() == lab.plan("openai").rows
        state = lab.emulator.plain.get(f"{lab.emulator.url}/__emu/state").json()
        assert [file["id"] for file in state["files"]] in ([], [kept[0].rpartition("/")[2]])

    @pytest.mark.parametrize("vendor", ["openai", "anthropic"])
    def test_an_interrupted_probe_leaves_no_running_job(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch, vendor: str
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        asked, call = list[str](), Desk.call

        def noted(desk: Desk, method: str, path: str, **more: Any) -> Reply:
            asked.append(f"{method} {path}")
            return call(desk, method, path, **more)

        monkeypatch.setattr(Desk, "until", interrupted)
        monkeypatch.setattr(Desk, "call", noted)
        with pytest.raises(KeyboardInterrupt):
            lab.probe(vendor)
        made = [row["facts"] for row in lab.emulator.ledger() if row["operation"] == "create_batch"]
        last = asked[asked.index(next(each for each in reversed(asked) if each.startswith("GET "))) :]
        assert sum(each.endswith("/cancel") for each in last) == len(made)
        if vendor == "openai":
            files = lab.emulator.plain.get(f"{lab.emulator.url}/__emu/state").json()["files"]
            assert [file for file in files if file["purpose"] == "batch"] == []

    @pytest.mark.parametrize("vendor", MODELS)
    def test_a_wrong_key_ends_the_probe_at_the_first_call(self, lab: Lab, vendor: str) -> None:
        wrong = {f"{vendor.upper()}_API_KEY": "sk-" + "wrongsecret"}
        with pytest.raises(PermanentError, match="could not start") as caught:
            lab.probe(vendor, wrong)
        assert f"{vendor.upper()}_API_KEY" in str(caught.value.hint)
        assert "wrongsecret" not in str(caught.value) + (lab.project.root / f"{vendor}.json").read_text()
        assert lab.bought() == 0

    @pytest.mark.parametrize(("vendor", "nth"), [("openai", 6), ("anthropic", 6)])
    def test_an_unanswered_create_is_reported_and_not_repeated(self, lab: Lab, vendor: str, nth: int) -> None:
        lab.emulator.fault("F5", "create_batch", api=vendor, nth=nth)
        found = lab.probe(vendor)
        assert "it may have succeeded" in found["error_rows"]
        assert lab.emulator.fired() == [1]
        assert found["one_row"]

    def test_a_batch_that_never_ends_is_abandoned_after_the_deadline(self, tmp_path: Path) -> None:
        (tmp_path / "lab").mkdir()
        with EmulatorServer(tmp_path / "state", EmulatorSettings(key=KEY, clock="manual")) as server:
            lab = lab_at(tmp_path / "lab", server.url)
            found = lab.probe("anthropic", deadline_s=20.0)
            lab.emulator.close()
        assert found["one_row"] == "not ended: in_progress"

    def test_malformed_bodies_are_reported_and_not_trusted(self, lab: Lab) -> None:
        lab.emulator.fault("F6", "list_batches", api="openai")
        assert lab.probe("openai")["list_order"]


class TestPlanning:
    def test_the_probe_announces_what_it_sends_where_with_which_key_and_at_what_cost(self, lab: Lab) -> None:
        text = str(lab.plan("openai"))
        assert text.startswith("this sends at most 11 short requests to gpt-4o-mini at 127.0.0.1:")
        assert text.endswith("with the key of OPENAI_API_KEY, about 0.00057 USD")
        assert "at an unknown price" in str(lab.plan("anthropic"))

    def test_a_preset_needs_a_model_but_no_configuration(self) -> None:
        assert plan_probe(None, "openai", "gpt-4o-mini", ENV).model.id == "gpt-4o-mini"
        assert plan_probe(None, "openai", "gpt-4o-mini", ENV).usd is None
        listed = plan_probe(None, "openai", "gpt-4o-mini", ENV, "2026-11-29T09:00:00.000000Z")
        assert listed.usd is not None
        assert 0 < listed.usd < 0.01
        with pytest.raises(UsageError, match="no model of it") as caught:
            plan_probe(None, "openai", None, ENV)
        assert "--model" in str(caught.value.hint)

    def test_an_unknown_provider_or_one_without_batches_is_refused(self) -> None:
        with pytest.raises(UsageError, match="did you mean 'openai'"):
            plan_probe(None, "opnai", "m", ENV)
        with pytest.raises(UsageError, match="has no batches") as caught:
            plan_probe(None, "ollama", "m", ENV)
        assert {"openai", "azure", "groq", "anthropic", "fireworks"} <= set(
            str(caught.value.hint).replace(",", "").split()
        )
        assert "ollama" in known_instances({})

    def test_without_a_key_the_probe_does_not_start(self) -> None:
        with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
            plan_probe(None, "openai", "m", {})


@pytest.mark.usefixtures("asks")
class TestCommand:
    @pytest.fixture(autouse=True)
    def _env(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in ENV.items():
            monkeypatch.setenv(name, value)

    def run(self, lab: Lab, *flags: str) -> Outcome:
        return lab.project.call("doctor", "--probe", "my_anthropic", *flags)

    def test_without_a_terminal_and_permission_the_probe_sends_nothing(self, lab: Lab) -> None:
        outcome = self.run(lab)
        assert outcome.code == 2
        assert "at most 10 short requests" in outcome.err
        assert "--yes" in outcome.err
        assert lab.emulator.ledger() == []

    def test_the_probe_prints_its_findings_and_saves_them_beside_the_runs(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("promptrial.cli.probe.SystemClock", FakeClock)
        outcome = self.run(lab, "--yes")
        assert outcome.code == 0, outcome.err
        (path,) = Path("experiments").glob("probe_my_anthropic_*.json")
        assert str(path) in outcome.out
        assert "In which order are batches listed?\n    newest first" in outcome.out
        assert KEY not in outcome.out + outcome.err + path.read_text()

    def test_an_existing_file_is_never_overwritten(self, lab: Lab, tmp_path: Path) -> None:
        kept = tmp_path / "kept.json"
        kept.write_text("mine")
        outcome = self.run(lab, "--yes", "--out", str(kept))
        assert (outcome.code, kept.read_text()) == (2, "mine")

    def test_a_refusal_at_the_terminal_sends_nothing(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        class Terminal:
            def isatty(self) -> bool:
                return True

            def readline(self) -> str:
                return "n\n"

        monkeypatch.setattr("sys.stdin", Terminal())
        outcome = self.run(lab)
        assert outcome.code == 2
        assert "nothing was sent" in outcome.err
        assert lab.emulator.ledger() == []


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (["b", "a"], "newest first"),
        (["a", "x", "b"], "oldest first"),
        (["a"], "1 of the 2 just made are listed"),
    ],
)
def test_the_order_of_a_list_is_determined_from_just_created_batches(listed: list[Any], found: str) -> None:
    assert order_found(["a", "b"], listed) == found


def test_the_page_of_doctor_names_every_question_of_the_probe() -> None:
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    assert "doctor --probe" in page
