"""Answers that a vendor leaves out, shows late, or loses: what a run buys, how it ends, and which command settles it.

Each fault is the emulator's, and the ledger says how many jobs were created. Whatever is wrong, to give the doctor's
commands until there is none left comes to an end.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq
import pytest

from promptrial.store import records
from promptrial.store.records import TrialManifest
from tests.support.doctor import examined
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import QUICK, HostedProject, configuration

__all__ = ["hosted", "process"]

PARTS: Final = 4
ROWS: Final = 28
_ROUNDS: Final = 10
"""How often the doctor may be asked before it must have nothing left to say."""


def answered(hosted: HostedProject) -> int:
    """Return how many requests of the run have an answer."""
    rows = pq.read_table(hosted.results() / "predictions.parquet").to_pylist()
    return sum(row["error"] is None for row in rows)


def follow_the_doctor(hosted: HostedProject) -> list[str]:
    """Give the doctor's first command until it has none, as a person would; return the commands that were given."""
    given: list[str] = []
    for _ in range(_ROUNDS):
        found = [each for each in examined(hosted.project)["findings"] if each["severity"] != "note"]
        if not found:
            return given
        command = next(each["command"] for each in found if each["command"])
        given.append(command)
        for piece in command.split(" && "):
            words = shlex.split(piece)
            if words[0] == "promptrial":
                hosted.project.call(*words[1:])
            else:
                subprocess.run(piece, shell=True, cwd=hosted.project.root, check=True)  # noqa: S602 - as a user would
    raise AssertionError(f"still something to repair after {given}: {found}")


# --- the five faults -------------------------------------------------------------------------------------------------


def test_a_row_that_the_vendor_always_omits_ends_as_unanswered(hosted: HostedProject) -> None:
    hosted.emulator.fault("F12", "create_job", variant="skipped_row", count=-1)
    outcome = hosted.run()
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 3 * PARTS
    assert [job["facts"]["rows"] for job in hosted.jobs()].count(1) == 2 * PARTS
    assert answered(hosted) == ROWS - PARTS
    reasons = {part.reason for manifest in hosted.manifests() for part in manifest.parts.values()}
    assert reasons == {"1 of 7 requests have no answer: the results of 3 jobs have no row for them"}
    assert follow_the_doctor(hosted) == []


def test_a_completed_job_without_rows_is_reported_with_its_price_and_ends_as_unanswered(hosted: HostedProject) -> None:
    hosted.emulator.fault("F12", "create_job", variant="no_rows", count=-1)
    outcome = hosted.run()
    assert outcome.code == 1
    assert re.search(
        r"has an empty output file; 0 of 7 rows were received, every time .*ask these 7 requests again", outcome.err
    )
    assert re.search(r"about [0-9.e-]+ USD\): promptrial run --run_id r --resume --rebuy", outcome.err)
    assert len(hosted.jobs()) == PARTS
    given = follow_the_doctor(hosted)
    assert given == ["promptrial run --run_id r --resume --rebuy"]
    assert len(hosted.jobs()) == 3 * PARTS
    assert answered(hosted) == 0


@pytest.mark.parametrize("end", ["completed", "expired"])
@pytest.mark.parametrize("variant", ["empty", "row_boundary"])
def test_one_empty_or_truncated_download_causes_no_new_job(hosted: HostedProject, end: str, variant: str) -> None:
    if end == "expired":
        hosted.emulator.fault("F10", "create_job", variant="expired", share=1.0, count=-1)
    for nth in (1, 4):
        hosted.emulator.fault("F13", "download", variant=variant, nth=nth)
    outcome = hosted.run()
    assert outcome.code == 0, outcome.err
    assert hosted.emulator.fired().count(1) >= 2
    hosted.paid_once()
    assert answered(hosted) == ROWS


@pytest.mark.parametrize("end", ["completed", "expired"])
def test_an_output_hidden_longer_than_the_wait_is_not_paid_for_again_without_permission(
    hosted: HostedProject, end: str
) -> None:
    if end == "expired":
        hosted.emulator.fault("F10", "create_job", variant="expired", share=1.0, count=-1)
    hosted.emulator.fault("F17", "get_download_endpoint", variant="hidden", count=-1)
    for flags in ((), ("--resume",)):
        outcome = hosted.run(*flags)
        assert outcome.code == 1
        assert "no longer has the results" in outcome.err
        assert "--resume --rebuy" in outcome.err
        assert len(hosted.jobs()) == PARTS
    found = [each for each in examined(hosted.project)["findings"] if each["severity"] != "note"]
    assert {each["command"] for each in found} == {"promptrial run --run_id r --resume --rebuy"}
    hosted.emulator.clear_faults()
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()
    assert answered(hosted) == ROWS


def forget_the_job(hosted: HostedProject, part: str = "t0_control_p001") -> str:
    """Let a run have no record that a job was created, nor its answers, and the vendor no longer the job."""
    path = hosted.results() / "trial_manifest.json"
    manifest = records.load(path, TrialManifest)
    known = manifest.parts[part]
    lost: dict[str, Any] = {"status": "submitting", "job": None, "results": None}
    intent = msgspec.structs.replace(known.intents[0], **lost)
    manifest.parts[part] = msgspec.structs.replace(known, intents=(intent,), **lost)
    records.save(path, manifest)
    for file in (hosted.results() / part).iterdir():
        file.unlink()
    for file in hosted.results().glob(f"{part}_*"):
        file.unlink()
    key = str(known.job)
    hosted.emulator.http.delete(f"batchInferenceJobs/{key}")
    while hosted.emulator.get_job(key).status_code != 404:
        pass
    return key


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_answers_of_a_deleted_job_are_fetched_from_its_output(hosted: HostedProject, by_hand: bool) -> None:
    assert hosted.run().code == 0
    before = answered(hosted)
    kept = (hosted.results() / "t0_control_p001" / "results.jsonl").read_bytes()
    key = forget_the_job(hosted)
    if by_hand:
        folder = hosted.results() / "t0_control_p001" / "dataset" / f"{key}-out"
        folder.mkdir(parents=True)
        (folder / "BIJOutputSet.jsonl").write_bytes(kept)
        hosted.emulator.http.delete(f"datasets/{key}-out").raise_for_status()
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == PARTS
    assert answered(hosted) == before == ROWS
    assert follow_the_doctor(hosted) == []


# --- whatever is wrong, the doctor's commands settle it ---------------------------------------------------------------


def _always(fault: str, operation: str, **options: Any) -> Callable[[HostedProject], None]:
    return lambda hosted: hosted.emulator.fault(fault, operation, count=-1, **options)


def _once(fault: str, operation: str, **options: Any) -> Callable[[HostedProject], None]:
    return lambda hosted: hosted.emulator.fault(fault, operation, **options)


WRECKS: Final[dict[str, Callable[[HostedProject], None]]] = {
    "no rows": _always("F12", "create_job", variant="no_rows"),
    "a row left out": _always("F12", "create_job", variant="skipped_row"),
    "no rows once": _once("F12", "create_job", variant="no_rows"),
    "torn": _always("F12", "create_job", variant="torn_last_line"),
    "foreign rows": _always("F12", "create_job", variant="foreign_rows", rows=3000),
    "expired with nothing": _always("F10", "create_job", variant="expired", share=0.0),
    "expired with half": _always("F10", "create_job", variant="expired", share=0.5),
    "stopped early": _always("F10", "create_job", variant="early_stopped", share=0.3),
    "cancelled": _always("F10", "create_job", variant="cancelled"),
    "failed": _always("F10", "create_job", variant="failed"),
    "failed once": _once("F10", "create_job", variant="failed"),
    "output gone": _once("F17", "get_download_endpoint", variant="vanished"),
    "file gone": _once("F17", "download", variant="vanished"),
    "job gone": _once("F17", "get_job", variant="vanished", nth=6),
    "packed twice": _always("F13", "download", variant="nested_gzip"),
    "a bomb": _always("F13", "download", variant="gzip_bomb"),
    "garbage": _always("F11", "create_job", variant="garbage", share=0.5),
    "truncated": _always("F13", "download", variant="short_length"),
    "led elsewhere": _always("F13", "download", variant="redirect", location="http://example.org/rows"),
    "refused": _always("F2", "get_download_endpoint", status=400),
    "gone for good": _always("F2", "download", status=410),
    "ended without a length": _always("F13", "download", variant="close_delimited", at=1.0),
}


@pytest.mark.parametrize("name", WRECKS)
def test_following_the_doctor_ends_with_a_healthy_run(hosted: HostedProject, name: str) -> None:
    hosted.project.write_config(configuration({"execution": {**QUICK, "outage_s": 0.5}}))  # some last forever
    WRECKS[name](hosted)
    hosted.run("--to_step", "report")
    follow_the_doctor(hosted)
    assert len(hosted.jobs()) <= 4 * PARTS
    assert hosted.run("--resume", "--to_step", "report").code == 0
    assert examined(hosted.project)["healthy"]


@pytest.mark.parametrize("lost", ["answers here and there", "answers here", "everything of a part"])
def test_following_the_doctor_on_a_finished_run_ends_with_a_healthy_run(hosted: HostedProject, lost: str) -> None:
    assert hosted.run("--to_step", "report").code == 0
    if lost == "everything of a part":
        forget_the_job(hosted)
    else:
        for file in (hosted.results() / "t0_control_p001").iterdir():
            file.unlink()
    if lost == "answers here and there":
        hosted.emulator.fault("F17", "get_download_endpoint", variant="vanished")
    follow_the_doctor(hosted)
    assert len(hosted.jobs()) == PARTS + (lost == "answers here and there")
    assert answered(hosted) == ROWS
