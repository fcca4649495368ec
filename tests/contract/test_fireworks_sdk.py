"""The vendor's own SDK drives the emulator; our client makes the same calls and reads the same from the answers.

That the SDK, its types checked strictly, takes the emulator for its API is evidence that the emulator is faithful; that
our client makes the SDK's calls is evidence that it would meet the real API. ``make sdk`` installs the SDK.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.model import Completion, ModelSpec, Sampling
from promptrial.providers.base import JobRef, JobStatus, PartPayload
from promptrial.providers.fireworks import FireworksProvider
from promptrial.providers.fireworks_wire import STATES, Dataset, Job, job_status, last_segment
from promptrial.providers.http_service import Service
from promptrial_emulator.server import EmulatorServer
from tests.support.emulator_client import EmulatorClient
from tests.support.skips import SDK
from tests.support.vendor_sdk import (
    PINNED,
    ROWS,
    differing,
    distinct,
    installed,
    make_payload,
    requests_seen,
    run_sdk,
    told,
)

pytestmark = pytest.mark.skipif(not installed("fireworks"), reason=SDK)

KEY, ACCOUNT = "emulator-key", "emulator"
MODEL = ModelSpec("small", "accounts/fireworks/models/small", "fireworks")
SAMPLING = Sampling(temperature=0.7, top_p=0.9, top_k=40, max_tokens=16, stop=("\n",), seed=3)
ENDED = "COMPLETED"

HEADERS = {
    "accept": "the SDK names JSON; the API has nothing else to offer",
    "accept-encoding": "a gzip body that is cut short is no error to the library, so ours asks for a plain one",
    "content-type": "the SDK names JSON on DELETE too, where there is no body to speak of",
}
"""The headers about content in which the calls differ, and why. Method, path, query and JSON have no difference."""

UNDECLARED = {
    "Dataset": {"encryptionState"},
    "BatchInferenceJob": {
        "expireTime", "lifecycle", "maxJobDuration", "placement", "systemPrompt", "waitingOnCapacity",
    },
}  # fmt: skip
"""Fields that were seen in answers of the live API, and so are the emulator's, but that the SDK does not declare."""

UNSENT = {
    "Dataset": {"evalProtocol", "evaluationResult", "splitted", "transformed"},
    "BatchInferenceJob": set[str](),
}
"""Fields that the SDK declares and the emulator leaves out: those of fine-tuning and evaluation, which it lacks."""


def sdk(url: str, scenario: str, payload: PartPayload) -> subprocess.CompletedProcess[str]:
    """Have the SDK do something, in another folder than that of our own package ``fireworks``."""
    plan = {
        "scenario": scenario, "account": ACCOUNT, "model": payload.model.id, "dataset": payload.dataset_key,
        "job": payload.key, "requests": str(payload.path), "rows": payload.rows,
    }  # fmt: skip
    env = {"FIREWORKS_BASE_URL": url, "FIREWORKS_API_KEY": KEY, "FIREWORKS_ACCOUNT_ID": ACCOUNT}
    return run_sdk("fireworks_sdk_child.py", plan, env, payload.path.parent)


@dataclass(frozen=True)
class Ours:
    """What our client made of a part."""

    ready: list[bool]
    absent: JobRef | None
    job: JobRef
    statuses: list[JobStatus]
    lines: list[bytes]
    completions: list[Completion]


def ours(url: str, payload: PartPayload, multipart_limit: int) -> Ours:
    """Do for a part what the queue does, from the check to the end."""
    api = Service("Fireworks", url, KEY, "FIREWORKS_API_KEY")
    with closing(FireworksProvider(api, ACCOUNT, multipart_limit=multipart_limit)) as provider:
        provider.check(payload.model)
        ready = [provider.stage(payload).ready for _ in range(2)]
        absent = provider.find(payload)
        job = provider.submit(payload)
        statuses = [provider.status(job)]
        while len(statuses) < 20 and statuses[-1].state.value == "working":
            statuses.append(provider.status(job))
        lines = [*provider.results(job, payload)]
        provider.cancel(job)
        return Ours(ready, absent, job, statuses, lines, [provider.parse_row(line) for line in lines])


@dataclass(frozen=True)
class Sides:
    """The same work by both, each on an emulator of its own, and the requests that the emulators saw."""

    theirs: dict[str, Any]
    ours: Ours
    seen_theirs: list[dict[str, Any]]
    seen_ours: list[dict[str, Any]]
    payload: PartPayload


@contextmanager
def emulated(folder: Path) -> Iterator[EmulatorClient]:
    with EmulatorServer(folder) as server, closing(EmulatorClient(server.url)) as client:
        yield client


@pytest.fixture(scope="module", params=["form", "signed"])
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    folder = tmp_path_factory.mktemp(request.param)
    payload = make_payload(folder, MODEL, SAMPLING)
    with emulated(folder / "theirs") as client:
        theirs, seen_theirs = told(sdk(client.url, request.param, payload)), requests_seen(client.url)
    with emulated(folder / "ours") as client:
        limit = 0 if request.param == "signed" else payload.size
        found, seen_ours = ours(client.url, payload, limit), requests_seen(client.url)
    return Sides(theirs, found, seen_theirs, seen_ours, payload)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[EmulatorClient]:
    with emulated(tmp_path / "state") as client:
        yield client


def call(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a request asks; a signed URL asks whatever its signer put into it."""
    if row["path"].startswith("/storage/"):
        return row["method"], "a signed URL of " + last_segment(row["path"]), (), None
    return row["method"], row["path"], tuple(map(tuple, row["query"])), msgspec.json.encode(row["json"], order="sorted")


class TestCalls:
    def test_the_sdk_is_the_pinned_one(self, sides: Sides) -> None:
        assert sides.theirs["version"] == PINNED["fireworks-ai"]

    def test_both_clients_make_the_same_calls_in_the_same_order(self, sides: Sides) -> None:
        theirs, mine = distinct(sides.seen_theirs, call), distinct(sides.seen_ours, call)
        assert [*mine] == [*theirs]
        methods = [each[0] for each in mine]
        assert methods[0] == "GET", "the check of the account"
        assert (methods.count("POST"), methods[-1]) == (4 if "PUT" in methods else 3, "DELETE")

    def test_bodies_that_are_not_json_have_the_same_number_of_bytes(self, sides: Sides) -> None:
        sizes = [
            {each: row["bytes"] for each, row in distinct(rows, call).items() if row["bytes"] and row["json"] is None}
            for rows in (sides.seen_theirs, sides.seen_ours)
        ]
        assert sizes[0] == sizes[1]
        assert len(sizes[0]) == 1
        assert min(sizes[0].values()) >= sides.payload.size

    def test_content_headers_differ_only_as_listed(self, sides: Sides) -> None:
        theirs, mine = distinct(sides.seen_theirs, call), distinct(sides.seen_ours, call)
        both = [each for each in theirs.keys() & mine.keys() if not each[1].startswith("a signed URL")]
        pairs = ((about_content(theirs[each]), about_content(mine[each])) for each in both)
        assert differing(pairs) == HEADERS.keys()
        different = [each for each in mine if each[0] != "DELETE" and typed(theirs[each]) != typed(mine[each])]
        assert different == [], "the type of a body is the same wherever there is one"

    def test_a_signed_upload_sends_the_headers_that_were_signed(self, sides: Sides) -> None:
        size = sides.payload.size
        signed = {"content-type": "application/octet-stream", "x-goog-content-length-range": f"{size},{size}"}
        for row in [*sides.seen_theirs, *sides.seen_ours]:
            if row["method"] == "PUT":
                assert {name: row["headers"].get(name) for name in signed} == signed


def about_content(row: dict[str, Any]) -> dict[str, str]:
    """Return the headers about content, of the request and of the wanted answer."""
    wanted = {name: value for name, value in row["headers"].items() if name.startswith(("accept", "content-enc"))}
    return wanted | {"content-type": typed(row)}


def typed(row: dict[str, Any]) -> str:
    """Return the type of a body without the boundary of a form, which is drawn."""
    return str(row["headers"].get("content-type", "")).partition(";")[0]


class TestAnswers:
    def test_both_clients_read_data_sets_alike(self, sides: Sides) -> None:
        theirs = sides.theirs["datasets"]
        for each in theirs:
            mine, read = msgspec.convert(each["sent"], Dataset), each["read"]
            assert (mine.name, mine.state, mine.rows) == (read["name"], read["state"], int(read["example_count"]))
            assert (mine.status["message"], mine.refusal) == (read["status"]["message"], None)
        assert last_segment(theirs[0]["read"]["name"]) == sides.payload.dataset_key
        assert [each["read"]["state"] for each in theirs] == ["UPLOADING", "READY", "READY"]
        assert sides.ours.ready[-1] is True

    def test_both_clients_read_jobs_alike(self, sides: Sides) -> None:
        for each in sides.theirs["jobs"]:
            mine, read = msgspec.convert(each["sent"], Job), each["read"]
            names = ("name", "state", "model", "input_dataset_id")
            assert [getattr(mine, name) for name in names] == [read[name] for name in names]
            assert mine.status["message"] == read["status"]["message"]
            assert job_status(mine).state is STATES[read["state"].removeprefix("JOB_STATE_")]
        last = sides.theirs["jobs"][-1]["read"]
        job = JobRef(last_segment(last["name"]), last_segment(last["output_dataset_id"]))
        assert (sides.ours.absent, sides.ours.job) == (None, job)
        assert [sides.theirs[name]["status"] for name in ("no job", "no dataset")] == [404] * 2

    def test_the_sdk_reads_the_model_that_our_check_looks_for(self, sides: Sides) -> None:
        model = sides.theirs["model"]["read"]
        assert (model["name"], model["state"]) == (sides.payload.model.id, "READY")

    def test_both_clients_see_the_same_states_of_the_job(self, sides: Sides) -> None:
        words = [each["read"]["state"].removeprefix("JOB_STATE_") for each in sides.theirs["jobs"]]
        assert words[0] == "VALIDATING"
        assert words[-1] == ENDED
        states = dict.fromkeys(STATES[word] for word in words)
        assert [*dict.fromkeys(status.state for status in sides.ours.statuses)] == [*states]

    def test_both_clients_get_the_same_rows_and_read_the_same_answers(self, sides: Sides) -> None:
        files = sides.theirs["files"]
        assert [*files] == [f"dataset/pt-1-a1-out/{name}" for name in ("BIJOutputSet.jsonl", "error-data")]
        assert sides.ours.lines == [line.encode() for text in files.values() for line in text.splitlines()]
        assert len(sides.ours.lines) == ROWS
        for mine, theirs in zip(sides.ours.completions, sides.theirs["completions"], strict=True):
            assert {name: getattr(mine, name) for name in theirs} == theirs
            assert mine.error is None
            assert mine.text

    def test_the_sdk_declares_all_fields_of_the_emulator_except_those_listed(self, sides: Sides) -> None:
        for kind, answers in (("Dataset", sides.theirs["datasets"]), ("BatchInferenceJob", sides.theirs["jobs"])):
            for each in answers:
                assert (set(each["undeclared"]), set(each["unsent"])) == (UNDECLARED[kind], UNSENT[kind])


class TestTheSdkAlone:
    """What our client never asks for, and what the SDK makes of a refusal."""

    def test_lists_are_read_page_by_page_and_deleted_objects_are_gone(
        self, emulator: EmulatorClient, tmp_path: Path
    ) -> None:
        found = told(sdk(emulator.url, "paging", make_payload(tmp_path, MODEL, SAMPLING)))
        assert found["datasets"] == [f"pt-1-{number}" for number in range(5)]
        assert found["jobs"] == [f"job-{number}" for number in range(5)]
        assert found["pages"] == [["job-4", "job-3"], ["job-2", "job-1"], ["job-0"]]
        assert found["filtered"] == ["job-3"]
        assert found["masked"] == {
            "name": f"accounts/{ACCOUNT}/batchInferenceJobs/job-1",
            "displayName": "job-1",
        }
        assert found["left"] == []
        assert len(emulator.ledger("delete_dataset")) == 5

    def test_refusals_raise_the_error_classes_of_the_sdk(self, emulator: EmulatorClient, tmp_path: Path) -> None:
        found = told(sdk(emulator.url, "refusals", make_payload(tmp_path, MODEL, SAMPLING)))
        assert {name: (each["class"], each["status"]) for name, each in found.items() if name != "version"} == {
            "dataset twice": ("ConflictError", 409),
            "job twice": ("ConflictError", 409),
            "output twice": ("BadRequestError", 400),
            "input not ready": ("BadRequestError", 400),
            "never made": ("NotFoundError", 404),
            "bad key": ("PermissionDeniedError", 403),
            "no count": ("BadRequestError", 400),
        }
        assert len(emulator.ledger("create_job")) == 1

    def test_the_types_of_the_sdk_refuse_an_answer_that_is_not_of_the_api(
        self, emulator: EmulatorClient, tmp_path: Path
    ) -> None:
        emulator.fault("F9", "create_job", variant="unknown")
        outcome = sdk(emulator.url, "form", make_payload(tmp_path, MODEL, SAMPLING))
        assert outcome.returncode != 0
        assert "APIResponseValidationError" in outcome.stderr
