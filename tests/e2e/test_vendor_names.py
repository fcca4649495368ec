"""Whole runs at vendors that name their jobs themselves: lost records are found again, nothing is paid for twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrial import registry
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.doctor import examined, findings
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_run import ACCOUNT, KEY, HostedProject, experiment
from tests.support.other_vendors import OTHER_VENDORS, NoLookup, OwnNames


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    settings = EmulatorSettings(key=KEY, account=ACCOUNT, job_names="vendor")
    with EmulatorServer(tmp_path_factory.mktemp("emulator"), settings) as server:
        client = EmulatorClient(server.url, KEY, ACCOUNT)
        yield client
        client.close()


@pytest.fixture(params=OTHER_VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def hosted(vendor: str, emulator: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostedProject:
    kind = OTHER_VENDORS[vendor]
    monkeypatch.setitem(registry.PROVIDERS, vendor, f"{kind.__module__}:{kind.__name__}")
    price = {"models": {"m1": {"input_per_million": 1.0, "output_per_million": 2.0}}}
    return experiment(tmp_path, emulator, monkeypatch, {"provider": vendor, "pricing": {vendor: price}})


only_searchable = pytest.mark.parametrize("vendor", [OwnNames.name])
only_without_lookup = pytest.mark.parametrize("vendor", [NoLookup.name])


def lose_manifest(hosted: HostedProject) -> None:
    (hosted.results() / "trial_manifest.json").unlink()


def named_once(hosted: HostedProject) -> None:
    """Require one accepted job for each intent, under the name that the vendor gave it."""
    accepted = Counter((job["facts"]["display_name"], job["id"]) for job in hosted.jobs())
    assert accepted == Counter((each.key, each.job) for each in hosted.intents())
    assert set(accepted.values()) == {1}
    assert all(key != name for key, name in accepted)


def test_a_run_with_vendor_names_finishes_and_resumes_have_nothing_to_do(hosted: HostedProject) -> None:
    outcome = hosted.project.run()
    assert outcome.code == 0, outcome.err
    named_once(hosted)
    calls = len(hosted.emulator.ledger())
    for _ in range(2):
        assert hosted.project.run("--resume").code == 0
    assert len(hosted.emulator.ledger()) == calls
    assert examined(hosted.project)["healthy"]


@pytest.mark.parametrize("step", ["submit", "poll"])
def test_jobs_are_found_again_by_the_files_beside_the_results_if_their_record_is_lost(
    hosted: HostedProject, step: str
) -> None:
    assert hosted.run("--to_step", step).code == 0
    lose_manifest(hosted)
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    named_once(hosted)
    assert len(hosted.jobs()) == 4


@only_searchable
def test_without_the_files_beside_the_results_jobs_are_searched_for_by_our_key(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "poll").code == 0
    lose_manifest(hosted)
    for path in hosted.results().glob("*_job.json"):
        path.unlink()
    for path in hosted.results().glob("t0_treatment_p001/results*.jsonl"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 4
    assert len(hosted.table()) == hosted.rows_bought()


def asked_twice(hosted: HostedProject) -> Path:
    """Let the first part be asked in two jobs; then lose its manifest and what the first job had answered."""
    hosted.emulator.fault("F10", "create_job", variant="expired", share=0.5, output=True)
    assert hosted.run("--parts_per_dataset", "1").code == 0
    assert len(hosted.jobs()) == 3
    lose_manifest(hosted)
    folder = hosted.results() / "t0_control_p001"
    (folder / "results.a1.jsonl").unlink()
    return folder


@only_searchable
def test_answers_of_an_earlier_job_that_no_record_names_are_searched_for_and_not_paid_for_again(
    hosted: HostedProject,
) -> None:
    folder = asked_twice(hosted)
    outcome = hosted.run("--resume", "--parts_per_dataset", "1")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 3
    assert (folder / "results.a1.jsonl").exists()


@only_without_lookup
def test_without_a_lookup_lost_jobs_are_paid_for_again_only_with_permission(hosted: HostedProject) -> None:
    asked_twice(hosted)
    outcome = hosted.run("--resume", "--parts_per_dataset", "1")
    assert outcome.code == 1
    assert "--rebuy" in outcome.err
    assert len(hosted.jobs()) == 3
    outcome = hosted.run("--resume", "--rebuy", "--parts_per_dataset", "1")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 4


@only_without_lookup
def test_a_lost_create_answer_parks_the_part_and_doctor_says_so(hosted: HostedProject) -> None:
    hosted.emulator.fault("F5", "create_job", variant="reset")
    for flags in ((), ("--resume",), ("--resume",)):
        assert hosted.run("--parts_per_dataset", "1", *flags).code == 1
    assert len(hosted.jobs()) == 2
    (found,) = findings(hosted.project, "unknown_intent")
    assert "waiting: it is not known whether job" in found["meaning"]
    assert found["command"].endswith("--rebuy")


def test_doctor_names_a_superseded_job_as_the_vendor_does(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    (hosted.project.root / "config" / "treatment.txt").write_text("Something else.\n")
    assert hosted.run("--resume", "--force").code == 0
    names = {job["id"] for job in hosted.jobs()}
    found = findings(hosted.project, "superseded_job")
    assert len(found) == 2
    for each in found:
        name = each["meaning"].split()[1]
        assert name in names
        assert each["command"] == f"firectl batch-inference-job delete {name} -a {ACCOUNT}"


def test_the_file_beside_the_results_names_the_job_and_our_key(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    said = [json.loads(path.read_text()) for path in sorted(hosted.results().glob("*_job.json"))]
    assert Counter((each["key"], each["name"]) for each in said) == Counter(
        (job["facts"]["display_name"], job["id"]) for job in hosted.jobs()
    )
