"""Files of requests are written once and whole, and files of answers are believed only as far as they can be."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import AlreadyThereError, ConfigError, PermanentError, ResultsGoneError
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import RUN_FOLDER, Instance, RequestOptions
from promptrial.providers.base import JobRef, JobState, JobStatus, PartPayload
from promptrial.providers.batch_file import BatchFileProvider
from promptrial.providers.request_rows import encode_request_row
from promptrial.runtime.clock import FakeClock
from promptrial.store import jsonl
from promptrial.store.downloads import MAX_LINE
from tests.support.payloads import part_of

MODEL = ModelSpec("small", "org/small", "files", adapter="batch_file")
KEY = "pt-trial-0123456789abcdef-a1"


def answer(name: str, text: str = "Paris", model: str = "org/small", **row: Any) -> dict[str, Any]:
    body = {
        "id": f"chatcmpl-{name}",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
    }
    response = {"status_code": 200, "request_id": f"vllm-batch-{name}", "body": body}
    return {"id": f"vllm-{name}", "custom_id": name, "response": response, "error": None} | row


def vllm_error(name: str, status: int = 400) -> dict[str, Any]:
    return answer(
        name,
        response={"status_code": status, "request_id": "vllm-batch-1", "body": None},
        error={"message": "too long", "type": "BadRequestError", "code": status},
    )


def not_carried_out(name: str, status: int | None = None) -> dict[str, Any]:
    if status is not None:
        return vllm_error(name, status)
    return answer(name, response=None, error={"code": "batch_expired", "message": "not carried out"})


@dataclass
class Desk:
    """A folder with one job of five requests, and the adapter that looks at it."""

    folder: Path
    clock: FakeClock
    provider: BatchFileProvider
    sources: Path

    def payload(self, key: str = KEY, names: Iterable[int] = range(5), model: ModelSpec = MODEL) -> PartPayload:
        sampling = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=4, stop=(), seed=1)
        lines = [
            encode_request_row(
                Request(RequestId("d", f"q{n}", "control", "0.0", 0, "closed"), (Message("user", f"{n}?"),), sampling)
            )
            for n in names
        ]
        return part_of(self.sources / f"{key}.jsonl", lines, model, key)

    def job(self, key: str = KEY, names: Iterable[int] = range(5), model: ModelSpec = MODEL) -> JobRef:
        return self.provider.submit(self.payload(key, names, model))

    def put(self, name: str, rows: Iterable[dict[str, Any] | bytes], *, age_s: float = 0.0, end: bytes = b"\n") -> Path:
        path = self.folder / name
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(end.join(lines) + end)
        self.quiet_for(path, age_s)
        return path

    def quiet_for(self, path: Path, seconds: float) -> None:
        """Set the clock to a number of seconds after the last change of a file, which the system alone can tell."""
        stat = path.stat()
        self.clock.advance(max(stat.st_mtime, stat.st_ctime) + seconds - self.clock.timestamp())

    def status(self, key: str = KEY) -> JobStatus:
        return self.provider.status(JobRef(key))

    def results(self, key: str = KEY, names: Iterable[int] = range(5)) -> list[str]:
        rows = self.provider.results(JobRef(key), self.payload(key, names))
        return [self.provider.parse_row(row).wire_id for row in rows]


def ids(*numbers: int) -> list[str]:
    return [f"d-q{n}-c-0-0-c" for n in numbers]


ALL = ids(0, 1, 2, 3, 4)


def provider(folder: Path | None, clock: FakeClock | None = None, **options: str) -> BatchFileProvider:
    instance = Instance("files", "batch_file", "the batch file", options=tuple(options.items()))
    return BatchFileProvider(instance, folder, clock=clock)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    clock = FakeClock()
    (tmp_path / "sources").mkdir()
    folder = tmp_path / "batch_files"
    return Desk(folder, clock, provider(folder, clock), tmp_path / "sources")


class TestStrangeThingsInTheFolder:
    def test_a_huge_file_of_something_else_is_not_read_into_memory(self, desk: Desk) -> None:
        desk.job()
        whole = json.dumps(answer(ALL[0], text="x" * MAX_LINE)).encode()  # only who reads all of it sees a row
        desk.put("a_film.jsonl", [whole])
        assert desk.status().state is JobState.BY_HAND

    def test_a_record_that_is_not_a_regular_file_is_not_waited_for(self, desk: Desk) -> None:
        desk.job()
        record = desk.folder / f"{KEY}.job.json"
        record.unlink()
        os.mkfifo(record)
        with pytest.raises(PermanentError, match="is not a record of a job"):
            desk.status()


class TestWriting:
    def test_a_job_is_a_file_of_requests_and_a_record(self, desk: Desk) -> None:
        job = desk.job()
        assert job.output == str(desk.folder / f"{KEY}.results.jsonl")
        assert sorted(path.name for path in desk.folder.iterdir()) == [f"{KEY}.job.json", f"{KEY}.requests.jsonl"]
        rows = [json.loads(line) for line in jsonl.lines(desk.folder / f"{KEY}.requests.jsonl")]
        assert [row["custom_id"] for row in rows] == ALL
        assert {row["url"] for row in rows} == {"/v1/chat/completions"}
        assert {row["body"]["model"] for row in rows} == {"org/small"}

    def test_a_job_is_found_again_and_never_written_twice(self, desk: Desk) -> None:
        assert desk.provider.find(desk.payload()) is None
        job = desk.job()
        assert provider(desk.folder).find(desk.payload()) == job
        with pytest.raises(AlreadyThereError):
            desk.job()

    def test_a_kill_between_the_file_and_its_record_leaves_no_job(self, desk: Desk) -> None:
        desk.job()
        (desk.folder / f"{KEY}.job.json").unlink()
        assert desk.provider.find(desk.payload()) is None
        assert desk.status().state is JobState.MISSING
        assert desk.job().name == KEY

    def test_files_for_a_vendor_have_its_parameters_and_name_what_is_left_out(self, desk: Desk) -> None:
        for_openai = provider(desk.folder, written_for="openai")
        for_openai.check(MODEL)
        for_openai.submit(desk.payload())
        (body, *_) = [json.loads(line)["body"] for line in jsonl.lines(desk.folder / f"{KEY}.requests.jsonl")]
        assert body.keys() == {"model", "messages", "max_completion_tokens", "temperature", "top_p", "seed"}
        assert for_openai.fingerprint(MODEL)["sampling"] == "temperature top_p seed"

    def test_a_chosen_parameter_that_cannot_be_sent_is_refused(self) -> None:
        sampling = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=4, stop=(), seed=1)
        instance = Instance("files", "batch_file", "the batch file", options=(("written_for", "openai"),))
        assert "do not support top_k, so it is not sent" in str(
            BatchFileProvider.check_sampling(MODEL, sampling, instance)
        )
        with pytest.raises(ConfigError, match="OpenAI's chat completions do not support top_k"):
            BatchFileProvider.check_sampling(MODEL, replace(sampling, top_k=40), instance)
        for_vllm = Instance("files", "batch_file", "the batch file")
        assert BatchFileProvider.check_sampling(MODEL, replace(sampling, top_k=40), for_vllm) is None

    @pytest.mark.parametrize("written_for", ["vllm", "groq", "openai", "azure"])
    def test_the_responses_api_is_refused_if_the_vendor_does_not_support_it(self, desk: Desk, written_for: str) -> None:
        model = replace(MODEL, options=RequestOptions(endpoint="responses"))
        files = provider(desk.folder, written_for=written_for)
        if written_for in {"openai", "azure"}:
            files.check(model)
        else:
            with pytest.raises(ConfigError, match="responses API"):
                files.check(model)

    def test_the_folder_is_that_of_the_instance_or_inside_the_run(self, tmp_path: Path) -> None:
        for options, place in (
            ({RUN_FOLDER: str(tmp_path / "run_r")}, tmp_path / "run_r/batch_files"),
            ({RUN_FOLDER: str(tmp_path / "run_r"), "folder": str(tmp_path / "own")}, tmp_path / "own"),
        ):
            instance = Instance("files", "batch_file", "the batch file", options=tuple(options.items()))
            BatchFileProvider.open({}, instance).check(MODEL)
            assert place.is_dir()

    def test_without_a_run_and_a_folder_nothing_is_written(self) -> None:
        with pytest.raises(ConfigError, match="its files need a folder"):
            provider(None).check(MODEL)

    def test_a_dry_run_does_not_use_the_folder_of_the_instance(self, desk: Desk) -> None:
        options = (("folder", str(desk.folder)), ("written_for", "vllm"))
        instance, env = BatchFileProvider.emulated(
            Instance("files", "batch_file", "the batch file", options=options), "http://127.0.0.1:9", "k", "a"
        )
        assert dict(instance.options) == {"written_for": "vllm"}
        BatchFileProvider.open(env, instance).close()

    def test_a_rehearsal_elsewhere_is_refused(self) -> None:
        with pytest.raises(ConfigError):
            BatchFileProvider.open({"PROMPTRIAL_BATCH_FILE_EMULATOR": "https://example.org"})


class TestWaiting:
    def test_a_job_without_answers_waits_for_a_person_with_the_exact_command(self, desk: Desk) -> None:
        desk.job()
        status = desk.status()
        assert (status.state, status.patient) == (JobState.BY_HAND, False)
        assert status.message == f"waiting for {desk.folder / KEY}.results.jsonl"
        (step,) = status.steps
        requests, results = desk.folder / f"{KEY}.requests.jsonl", desk.folder / f"{KEY}.results.jsonl"
        assert shlex.split(step) == [
            "vllm", "run-batch", "-i", str(requests), "-o", str(results), "--model", "org/small",
        ]  # fmt: skip

    @pytest.mark.parametrize("written_for", ["openai", "vllm"])
    def test_a_folder_name_cannot_inject_a_command_into_the_instructions(
        self, tmp_path: Path, written_for: str
    ) -> None:
        odd = provider(tmp_path / "a\ntouch evil", FakeClock(), written_for=written_for)
        (tmp_path / "sources").mkdir()
        job = odd.submit(Desk(tmp_path, FakeClock(), odd, tmp_path / "sources").payload())
        (step,) = odd.status(job).steps
        words = shlex.split(step, comments=True)
        assert "touch" not in words
        assert words == [] or f"{tmp_path}/a\ntouch evil/{KEY}.requests.jsonl" in words

    def test_for_an_upload_page_the_instructions_name_the_page_and_the_result_file(self, desk: Desk) -> None:
        desk.job()
        (step,) = provider(desk.folder, desk.clock, written_for="openai").status(JobRef(KEY)).steps
        for text in (str(desk.folder / f"{KEY}.requests.jsonl"), "https://platform.openai.com/batches", "error files"):
            assert text in step

    def test_a_job_that_may_wait_says_so(self, desk: Desk) -> None:
        desk.job()
        assert provider(desk.folder, desk.clock, wait="True").status(JobRef(KEY)).patient

    def test_a_file_that_answers_every_request_is_ready_immediately(self, desk: Desk) -> None:
        desk.job()
        desk.put(f"{KEY}.results.jsonl", [answer(name) for name in reversed(ALL)])
        assert desk.status().state is JobState.READY
        assert sorted(desk.results()) == ALL

    def test_an_incomplete_file_counts_as_in_progress_until_it_is_stable(self, desk: Desk) -> None:
        desk.job()
        path = desk.put(f"{KEY}.results.jsonl", [answer(name) for name in ALL[:3]], age_s=599)
        working = desk.status()
        assert working.state is JobState.WORKING
        assert "3 of 5 requests have answers" in working.message
        desk.quiet_for(path, 600)
        assert desk.status().state is JobState.EXPIRED
        assert desk.results() == ALL[:3]

    def test_a_copy_with_a_preserved_time_counts_from_when_it_was_copied(self, desk: Desk) -> None:
        desk.job()
        path = desk.put(f"{KEY}.results.jsonl", [answer(name) for name in ALL[:3]])
        os.utime(path, (path.stat().st_mtime - 3600,) * 2)
        desk.quiet_for(path, 10)
        assert desk.status().state is JobState.WORKING

    def test_the_time_until_a_file_is_stable_can_be_configured(self, desk: Desk) -> None:
        desk.job()
        desk.put(f"{KEY}.results.jsonl", [answer(ALL[0])], age_s=2)
        assert provider(desk.folder, desk.clock, quiet_s="2.0").status(JobRef(KEY)).state is JobState.EXPIRED

    def test_an_empty_file_is_not_an_answer(self, desk: Desk) -> None:
        desk.job()
        desk.put(f"{KEY}.results.jsonl", [], age_s=5000)
        assert desk.status().state is JobState.BY_HAND

    def test_a_file_that_ends_within_a_line_waits_and_reports_the_place(self, desk: Desk) -> None:
        desk.job()
        whole = json.dumps(answer(ALL[1])).encode()
        path = desk.put(f"{KEY}.results.jsonl", [answer(ALL[0]), whole[:40]])
        path.write_bytes(path.read_bytes().rstrip(b"\n"))
        desk.quiet_for(path, 5000)
        status = desk.status()
        assert status.state is JobState.BY_HAND
        assert f"{path}:2: is cut off in the middle of a line; 1 of 5" in status.message
        assert "delete that line" in status.steps[0]

    def test_line_endings_byte_order_marks_blank_lines_and_a_missing_last_newline_are_accepted(
        self, desk: Desk
    ) -> None:
        desk.job()
        lines = [json.dumps(answer(name)).encode() for name in ALL]
        body = b"\xef\xbb\xbf" + b"\r\n\r\n".join(lines)
        (desk.folder / f"{KEY}.results.jsonl").write_bytes(body)
        assert desk.status().state is JobState.READY
        assert desk.results() == ALL


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["{}.results.jsonl", "{}_output.jsonl", "{}-results.jsonl", "out of {}.jsonl", "{}.requests_output.jsonl"],
    )
    def test_a_file_name_that_contains_the_key_is_enough(self, desk: Desk, name: str) -> None:
        desk.job()
        desk.put(name.format(KEY), [answer(each) for each in ALL])
        assert desk.status().state is JobState.READY

    def test_files_with_vendor_names_are_matched_by_their_answers(self, desk: Desk) -> None:
        desk.job()
        desk.job("pt-trial-fedcba9876543210-a1", range(5, 9))
        desk.put("batch_68a_output.jsonl", [answer(each) for each in ALL[:4]])
        desk.put("batch_68a_error.jsonl", [vllm_error(ALL[4])])
        desk.put("batch_68b_output.jsonl", [answer(each) for each in ids(5, 6, 7, 8)])
        assert desk.status().state is JobState.READY
        assert sorted(desk.results()) == ALL
        assert desk.results("pt-trial-fedcba9876543210-a1", range(5, 9)) == ids(5, 6, 7, 8)

    def test_a_file_that_could_answer_two_jobs_is_refused_with_the_name_to_use(self, desk: Desk) -> None:
        desk.job()
        desk.job("pt-other-fedcba9876543210-a1")
        desk.put("batch_68a_output.jsonl", [answer(each) for each in ALL])
        with pytest.raises(PermanentError, match="may answer") as caught:
            desk.status()
        assert f"{KEY}.results.jsonl" in str(caught.value.hint)

    def test_the_file_of_the_tenth_attempt_is_not_taken_for_that_of_the_first(self, desk: Desk) -> None:
        desk.job()
        desk.job(f"{KEY}0", range(3))
        desk.put(f"{KEY}0.results.jsonl", [answer(each) for each in ALL[:3]])
        assert desk.status().state is JobState.BY_HAND
        assert desk.status(f"{KEY}0").state is JobState.READY

    def test_a_later_attempt_has_its_own_answers(self, desk: Desk) -> None:
        desk.job()
        desk.put(f"{KEY}.results.jsonl", [answer(each) for each in ALL[:3]])
        second = KEY[:-1] + "2"
        desk.job(second, (3, 4))
        desk.put("batch_68b_output.jsonl", [answer(each) for each in ALL[3:]], age_s=700)
        assert desk.status().state is JobState.EXPIRED
        assert desk.results(second, (3, 4)) == ALL[3:]

    def test_errors_of_one_attempt_never_answer_the_next(self, desk: Desk) -> None:
        desk.job()
        desk.put("batch_1_output.jsonl", [answer(each) for each in ALL[:3]])
        desk.put("batch_1_error.jsonl", [not_carried_out(each) for each in ALL[3:]])
        assert desk.status().state is JobState.READY
        second = KEY[:-1] + "2"
        desk.job(second, (3, 4))
        waiting = desk.status(second)
        assert (waiting.state, waiting.message) == (
            JobState.BY_HAND, f"waiting for {desk.folder / second}.results.jsonl"
        )  # fmt: skip
        assert sorted(desk.results()) == ALL[:3]  # the first attempt keeps its files
        desk.put("batch_2_output.jsonl", [answer(each) for each in ALL[3:]])
        assert desk.status(second).state is JobState.READY
        assert desk.results(second, (3, 4)) == ALL[3:]

    def test_files_of_an_earlier_run_in_the_folder_neither_answer_nor_block_a_later_one(self, desk: Desk) -> None:
        desk.job()
        desk.put("batch_1_output.jsonl", [answer(each) for each in ALL])
        assert desk.status().state is JobState.READY
        later = "pt-other-fedcba9876543210-a1"
        desk.job(later)
        assert desk.status(later).state is JobState.BY_HAND
        assert sorted(desk.results()) == ALL
        desk.put(f"{later}.results.jsonl", [answer(each, "London") for each in ALL])
        assert desk.status(later).state is JobState.READY
        assert sorted(desk.results()) == ALL

    def test_a_file_placed_before_its_job_exists_answers_it(self, desk: Desk) -> None:
        desk.folder.mkdir(exist_ok=True)
        desk.put("batch_1_output.jsonl", [answer(each) for each in ALL])
        desk.job()
        assert desk.status().state is JobState.READY

    def test_an_old_file_is_recognised_by_its_content_and_a_replaced_one_is_new(self, desk: Desk) -> None:
        desk.job()
        mixed = [not_carried_out(ALL[4], 429), *(answer(each) for each in ALL[:4])]
        path = desk.put("output.jsonl", mixed)
        second = KEY[:-1] + "2"
        desk.job(second, (4,))
        path.rename(desk.folder / "renamed.jsonl")
        assert desk.status(second).state is JobState.BY_HAND
        desk.put("renamed.jsonl", [answer(ALL[4])])
        assert desk.status(second).state is JobState.READY

    def test_a_late_error_file_does_not_consume_the_next_attempt(self, desk: Desk) -> None:
        desk.job()
        desk.put("batch_1_output.jsonl", [answer(each) for each in ALL[:3]], age_s=700)
        second = KEY[:-1] + "2"
        desk.job(second, (3, 4))
        desk.put("batch_1_error.jsonl", [not_carried_out(each) for each in ALL[3:]])
        waiting = desk.status(second)
        assert waiting.state is JobState.BY_HAND
        assert "none of the 2 requests in its files of answers succeeded" in waiting.message
        assert f"{second}.requests.jsonl" in waiting.steps[0]
        desk.put("batch_2_output.jsonl", [answer(each) for each in ALL[3:]])
        assert desk.results(second, (3, 4)) == ALL[3:]

    def test_the_record_of_a_first_attempt_has_no_new_key(self, desk: Desk) -> None:
        desk.folder.mkdir()
        desk.put("early.jsonl", [answer(ALL[0])])
        desk.job()
        assert json.loads((desk.folder / f"{KEY}.job.json").read_bytes()).keys() == {
            "key", "dataset_key", "model", "rows", "sha256", "cancelled", "schema_version"
        }  # fmt: skip

    def test_files_without_answers_are_left_alone(self, desk: Desk) -> None:
        desk.job()
        desk.put("notes.jsonl", [b"hello"])
        (desk.folder / "folder.jsonl").mkdir()
        assert desk.status().state is JobState.BY_HAND


class TestRows:
    def test_errors_of_vllm_are_final_and_in_the_same_file(self, desk: Desk) -> None:
        desk.job()
        desk.put(f"{KEY}.results.jsonl", [*(answer(each) for each in ALL[:4]), vllm_error(ALL[4])])
        assert desk.status().state is JobState.READY
        rows = list(desk.provider.results(JobRef(KEY), desk.payload()))
        assert desk.provider.parse_row(rows[-1]).error == "400: too long"

    @pytest.mark.parametrize(
        "row",
        [
            {"response": None, "error": {"code": "batch_expired", "message": "m"}},
            {"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None},
            {"response": {"status_code": 500, "body": None}, "error": {"message": "m", "code": 500}},
        ],
    )
    def test_a_request_that_was_not_executed_is_left_out_and_asked_again(self, desk: Desk, row: dict[str, Any]) -> None:
        desk.job()
        desk.put(f"{KEY}.results.jsonl", [*(answer(each) for each in ALL[:4]), answer(ALL[4], **row)])
        assert desk.status().state is JobState.READY
        assert desk.results() == ALL[:4]

    def test_the_same_file_twice_counts_once(self, desk: Desk) -> None:
        desk.job()
        for name in (f"{KEY}.results.jsonl", f"{KEY}.results (1).jsonl"):
            desk.put(name, [answer(each) for each in ALL])
        assert desk.results() == ALL

    def test_two_answers_to_one_request_are_refused_with_both_places(self, desk: Desk) -> None:
        desk.job()
        first = desk.put(f"{KEY}.output.jsonl", [answer(each) for each in ALL])
        second = desk.put(f"{KEY}.results.jsonl", [answer(ALL[1], "Rome")])
        with pytest.raises(PermanentError) as caught:
            desk.status()
        assert f"{second}:1: answers '{ALL[1]}' differently from {first}:2" in caught.value.message

    def test_the_file_of_another_part_is_refused(self, desk: Desk) -> None:
        desk.job()
        path = desk.put(f"{KEY}.results.jsonl", [answer(each) for each in ids(5, 6)])
        with pytest.raises(PermanentError) as caught:
            desk.status()
        assert caught.value.message.startswith(f"{path}:1: answers 'd-q5-c-0-0-c', which is not in this job")

    def test_the_file_of_another_models_part_is_refused(self, desk: Desk) -> None:
        desk.job()
        desk.job("pt-other-fedcba9876543210-a1", model=replace(MODEL, id="org/large"))
        desk.put(f"{KEY}.results.jsonl", [answer(each, model="org/large") for each in ALL])
        with pytest.raises(PermanentError, match="was answered by org/large"):
            desk.status()

    @pytest.mark.parametrize("line", [b"garbage", b'{"no": "id"}', b"\xff\xfe", b"[" * 5000])
    def test_a_line_that_is_not_a_row_is_refused_with_file_and_line(self, desk: Desk, line: bytes) -> None:
        desk.job()
        path = desk.put(f"{KEY}.results.jsonl", [answer(ALL[0]), line, answer(ALL[1])])
        with pytest.raises(PermanentError) as caught:
            desk.status()
        assert caught.value.message.startswith(f"{path}:2: is not a row of answers")
        assert caught.value.hint

    def test_requests_that_were_edited_are_refused(self, desk: Desk) -> None:
        desk.job()
        path = desk.folder / f"{KEY}.requests.jsonl"
        path.write_bytes(path.read_bytes().replace(b'"max_tokens":4', b'"max_tokens":9'))
        with pytest.raises(PermanentError, match="was changed after it was written"):
            desk.status()

    def test_missing_request_files_are_named_with_what_to_do(self, desk: Desk) -> None:
        desk.job()
        (desk.folder / f"{KEY}.requests.jsonl").unlink()
        with pytest.raises(PermanentError, match="no longer exists") as caught:
            desk.status()
        assert "--rebuy" in str(caught.value.hint)

    def test_results_that_vanish_are_gone(self, desk: Desk) -> None:
        desk.job()
        with pytest.raises(ResultsGoneError):
            desk.results()

    def test_a_damaged_record_is_named(self, desk: Desk) -> None:
        desk.job()
        (desk.folder / f"{KEY}.job.json").write_text("{")
        with pytest.raises(PermanentError, match=r"\.job\.json: is not a record"):
            desk.status()


def test_a_cancelled_job_takes_its_requests_away(desk: Desk) -> None:
    job = desk.job()
    desk.provider.cancel(job)
    desk.provider.cancel(job)
    assert not (desk.folder / f"{KEY}.requests.jsonl").exists()
    assert desk.status().state is JobState.CANCELLED
