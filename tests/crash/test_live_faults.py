"""Every fault of the emulated live endpoint, crossed with the adapter and the queue: no answer is lost or made up.

The faults are the emulator's own table, so that a new one that a live call can meet joins by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.instances import preset_instance
from promptrial.errors import PhaseFailedError
from promptrial.jobs.queue import QueueManager
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.work import PartWork
from promptrial.model import Completion, ModelSpec
from promptrial.model.instances import Connection, Limits
from promptrial.model.units import RUN
from promptrial.providers.openai_compatible import OpenAICompatibleProvider
from promptrial.runtime.clock import FakeClock, SystemClock
from promptrial.runtime.events import EventLog, Redactor
from promptrial.runtime.progress import NoProgress
from promptrial.runtime.retry import Backoff
from promptrial.runtime.stop import StopToken
from promptrial.store import jsonl
from promptrial_emulator.faults.rules import FAULTS
from promptrial_emulator.openai.api import OPENAI
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_provider import Lab, Vendor, answered_ids, asked_ids, statuses

KEY = "sk-" + "livefaults"
OPERATION = "chat_completion"
ROWS = 6
MET = [
    (fault, variant)
    for fault, kind in FAULTS.items()
    for variant, trait in kind.variants.items()
    if OPENAI.meets(OPERATION, trait)
]
"""The faults that can affect a live call."""
ODD_ANSWERS = [(fault, variant) for fault, variant in MET if fault == "F11"]
FAILURES = [(fault, variant) for fault, variant in MET if fault not in {"F11", "F17"}]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    folder = tmp_path_factory.mktemp("emulator")
    with EmulatorServer(folder, EmulatorSettings(key=KEY)) as server:
        client = EmulatorClient(server.url, key=KEY)
        yield client
        client.close()


class Trial:
    """Both arms of a few questions, asked live at the emulator."""

    def __init__(self, root: Path, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
        quick = Backoff(first_s=0.002, longest_s=0.02, longest_asked_s=0.02)
        monkeypatch.setattr(QueueSettings, "backoff", property(lambda _self: quick))
        instance, env = OpenAICompatibleProvider.emulated(preset_instance("openai"), emulator.url, KEY, "")
        instance = replace(instance, connection=Connection(read_s=0.4), limits=Limits(in_flight=4))
        self.provider = OpenAICompatibleProvider.open(env, instance)
        self.said: list[str] = []
        lab = Lab(root, Vendor(FakeClock()))
        model = ModelSpec("m", "gpt-x", "openai", adapter="openai_compatible")
        self.work = [replace(each, provider=lambda: self.provider, model=model) for each in lab.work(rows=ROWS)]
        for manifest in lab.manifests.values():
            manifest.hosted = False

    def complete(self, **settings: Any) -> None:
        clock = SystemClock()
        events = EventLog(clock.now, Redactor({}), self.said.append)
        queue = QueueManager(
            self.work, clock, events, StopToken(), settings=QueueSettings(**{"outage_s": 20.0, **settings})
        )
        with NoProgress().task("poll", RUN, None) as task:
            queue.submit(task)
            queue.collect(task)

    def answers(self) -> list[Completion]:
        return [replace(self.provider.parse_row(row), request_id=None) for each in self.work for row in _sealed(each)]


def _sealed(work: PartWork) -> Iterator[bytes]:
    return jsonl.lines(work.folder.part_results(work.part.name))


@pytest.fixture
def trial(tmp_path: Path, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    emulator.clear_faults()
    made = Trial(tmp_path, emulator, monkeypatch)
    yield made
    made.provider.close()
    emulator.clear_faults()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, emulator: EmulatorClient) -> list[Completion]:
    with pytest.MonkeyPatch.context() as patch:
        made = Trial(tmp_path_factory.mktemp("undisturbed"), emulator, patch)
        emulator.clear_faults()
        made.complete()
        made.provider.close()
        return made.answers()


def test_the_cases_cover_every_kind_of_fault() -> None:
    assert {"F1", "F2", "F3", "F4", "F5", "F6"} <= {fault for fault, _ in FAILURES}
    assert len(ODD_ANSWERS) > 10


@pytest.mark.parametrize(("fault", "variant"), FAILURES)
def test_a_call_that_fails_a_few_times_is_retried_and_every_answer_is_unchanged(
    trial: Trial, emulator: EmulatorClient, undisturbed: list[Completion], fault: str, variant: str
) -> None:
    emulator.fault(fault, OPERATION, variant=variant, nth=3, count=3)
    trial.complete()
    assert statuses(trial.work) == ["downloaded"] * 2
    assert trial.answers() == undisturbed
    assert all(answered_ids(each) == asked_ids(each) for each in trial.work)
    assert sum(emulator.fired()) == 3


@pytest.mark.parametrize(("fault", "variant"), [("F1", "seconds"), ("F2", "html"), ("F6", "not_json")])
def test_an_outage_longer_than_the_limit_leaves_the_remaining_requests_to_a_resume(
    trial: Trial, emulator: EmulatorClient, undisturbed: list[Completion], fault: str, variant: str
) -> None:
    emulator.fault(fault, OPERATION, variant=variant, nth=5, count=-1)
    with pytest.raises(PhaseFailedError, match="requests have no answer"):
        trial.complete(outage_s=0.3)
    emulator.clear_faults()
    trial.complete()
    assert trial.answers() == undisturbed


@pytest.mark.parametrize(("fault", "variant"), ODD_ANSWERS)
def test_a_malformed_answer_is_kept_as_received_and_not_requested_again(
    trial: Trial, emulator: EmulatorClient, fault: str, variant: str
) -> None:
    before = len(emulator.ledger(OPERATION))
    emulator.fault(fault, OPERATION, variant=variant, count=-1)
    trial.complete()
    assert len(emulator.ledger(OPERATION)) - before == 2 * ROWS
    assert all(answered_ids(each) == asked_ids(each) for each in trial.work)
    assert len(trial.answers()) == 2 * ROWS


def test_the_name_of_another_model_and_a_truncated_prompt_are_reported(trial: Trial, emulator: EmulatorClient) -> None:
    emulator.fault("F11", OPERATION, variant="other_model", count=-1)
    trial.complete()
    assert sum("was requested, but" in text for text in trial.said) == 1
