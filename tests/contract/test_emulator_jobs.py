"""The job calls of the emulated Fireworks API, over HTTP: what is accepted, the states, the rows, what is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrial.providers.chat_rows import parse_chat_row
from tests.contract.test_emulator_datasets import refusal
from tests.support.emulator_client import MODEL, EmulatorClient, chat_row, jsonl, text_of
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]


class TestCreating:
    def test_a_job_has_the_id_of_the_query_and_full_names(self, emulator: EmulatorClient) -> None:
        dataset, name = emulator.dataset(), emulator.new()
        shown = emulator.post_job(name, dataset, outputDatasetId=f"accounts/emulator/datasets/o-{name}").json()
        assert shown["name"] == f"accounts/emulator/batchInferenceJobs/{name}"
        assert shown["inputDatasetId"] == f"accounts/emulator/datasets/{dataset}"
        assert shown["outputDatasetId"] == f"accounts/emulator/datasets/o-{name}"
        assert (shown["state"], shown["jobProgress"], shown["lifecycle"]) == ("JOB_STATE_VALIDATING", None, None)
        assert "id" not in shown
        assert shown["expireTime"] > shown["createTime"]

    def test_a_job_shows_what_was_requested_and_snake_case_is_accepted(self, emulator: EmulatorClient) -> None:
        name = emulator.new()
        parameters = {"max_tokens": "5", "temperature": 0.5, "topP": 1, "top_k": 40, "n": 1, "extraBody": '{"seed":1}'}
        body = {
            "model": MODEL, "input_dataset_id": emulator.dataset(), "output_dataset_id": f"o-{name}",
            "display_name": "D", "system_prompt": "Be brief.", "inference_parameters": parameters,
            "precision": "FP8", "max_job_duration": "43200s",
        }  # fmt: skip
        query = {"batch_inference_job_id": name}
        shown = emulator.http.post("batchInferenceJobs", params=query, json=body).json()
        assert shown["inferenceParameters"] == {
            "maxTokens": 5, "temperature": 0.5, "topP": 1, "topK": 40, "n": 1, "extraBody": '{"seed":1}',
        }  # fmt: skip
        assert (shown["displayName"], shown["systemPrompt"], shown["precision"]) == ("D", "Be brief.", "FP8")
        assert shown["maxJobDuration"] == "43200s"

    def test_without_ids_the_job_and_its_output_get_generated_ids(self, emulator: EmulatorClient) -> None:
        shown = emulator.post_job(None, emulator.dataset()).json()
        for key, folder in (("name", "batchInferenceJobs"), ("outputDatasetId", "datasets")):
            prefix, _, name = shown[key].rpartition("/")
            assert prefix == f"accounts/emulator/{folder}"
            assert name.startswith("bij-")
            assert len(name) == len("bij-xxxxxxxx")

    def test_a_vendor_that_names_its_jobs_ignores_requested_ids(self, start: Start) -> None:
        emulator = start(job_names="vendor")
        dataset, name = emulator.dataset(), emulator.new()
        made = [emulator.post_job(name, dataset, outputDatasetId=f"o-{name}", displayName=name) for _ in range(2)]
        assert [each.status_code for each in made] == [200, 200], "a second job of one id is another job"
        names = {each.json()[key].rpartition("/")[2] for each in made for key in ("name", "outputDatasetId")}
        assert len(names) == 4
        assert names.isdisjoint({name, f"o-{name}"})
        assert emulator.get_job(name).status_code == 404
        listed = emulator.http.get("batchInferenceJobs", params={"filter": f'displayName = "{name}"'}).json()
        assert [each["displayName"] for each in listed["batchInferenceJobs"]] == [name, name]

    def test_an_id_cannot_be_used_twice(self, emulator: EmulatorClient) -> None:
        name = emulator.job()
        assert refusal(emulator.post_job(name, emulator.dataset())) == (409, 6)
        assert len(emulator.ledger("create_job", name)) == 1

    def test_the_ledger_says_what_was_accepted(self, emulator: EmulatorClient) -> None:
        dataset = emulator.dataset(3)
        (upload,) = emulator.ledger("upload", dataset)
        (entry,) = emulator.ledger("create_job", emulator.job(dataset, displayName="intent 7"))
        assert entry["facts"]["input_sha256"] == [upload["facts"]["sha256"]]
        assert (entry["facts"]["model"], entry["facts"]["rows"]) == (MODEL, 3)
        assert (entry["facts"]["input_dataset"], entry["facts"]["display_name"]) == (dataset, "intent 7")
        assert entry["time"].startswith("2026-01-01T")

    def test_an_output_data_set_that_exists_or_is_promised_is_refused(self, emulator: EmulatorClient) -> None:
        dataset = emulator.dataset()
        first = emulator.job(dataset)
        for taken in (dataset, f"out-{first}"):
            reply = emulator.post_job(emulator.new(), dataset, outputDatasetId=taken)
            assert refusal(reply) == (400, 3)
            assert f"output dataset '{taken}' already exists" in reply.json()["message"]
        emulator.states(first)
        assert refusal(emulator.post_job(emulator.new(), dataset, outputDatasetId=f"out-{first}")) == (400, 3)

    @pytest.mark.parametrize(
        "spec",
        [
            {"model": ""}, {"model": "small"}, {"model": "accounts/fireworks/deployedModels/small"},
            {"inputDatasetId": ""}, {"inputDatasetId": "none"}, {"inputDatasetId": "accounts/other/datasets/x"},
            {"outputDatasetId": "Not An Id"}, {"inferenceParameters": {"extraBody": "[1]"}},
            {"inferenceParameters": {"extraBody": "{"}}, {"inferenceParameters": {"best_of": 2}},
            {"inferenceParameters": {"maxTokens": 1.5}}, {"precision": "FP3"}, {"maxJobDuration": "a day"}, {"url": 1},
        ],
    )  # fmt: skip
    def test_a_job_that_cannot_run_is_refused_with_code_3(self, emulator: EmulatorClient, spec: dict[str, Any]) -> None:
        name = emulator.new()
        assert refusal(emulator.post_job(name, emulator.dataset(), **spec)) == (400, 3)
        assert emulator.ledger("create_job", name) == []

    def test_a_data_set_that_is_not_ready_is_refused(self, emulator: EmulatorClient) -> None:
        name = emulator.new()
        emulator.post_dataset(name)
        assert refusal(emulator.post_job(emulator.new(), name)) == (400, 9)

    def test_no_more_jobs_run_than_the_quota_allows(self, start: Start) -> None:
        own = start(quota=2, clock="manual")
        dataset = own.dataset()
        own.advance(10)
        own.job(dataset)
        own.job(dataset)
        reply = own.post_job("third", dataset)
        assert refusal(reply) == (400, 3)
        assert reply.json()["message"] == (
            "invalid batch inference job: job-submission-count for account emulator, in use: 2, quota: 2"
        )
        own.advance(60)
        assert own.post_job("third", dataset).status_code == 200

    @pytest.mark.parametrize(("how", "status"), [("invalid", (400, 3)), ("not_found", (404, 5))])
    def test_an_unsupported_model_may_be_refused(self, start: Start, how: str, status: tuple[int, int]) -> None:
        own = start(models=frozenset({MODEL}), unsupported=how)
        assert own.states(own.job())[-1] == "COMPLETED"
        assert refusal(own.post_job("x", own.dataset(), model="accounts/a/models/other")) == status

    def test_an_unsupported_model_may_wait_until_its_time_is_up(self, start: Start) -> None:
        own = start(models=frozenset({MODEL}), clock="manual")
        dataset = own.dataset()
        own.advance(20)
        job = own.job(dataset, model="accounts/a/models/other")
        own.advance(23 * 3600)
        shown = own.get_job(job).json()
        assert (shown["state"], shown["waitingOnCapacity"]) == ("JOB_STATE_PENDING", True)
        own.advance(3600)
        assert own.states(job) == ["EXPIRED"]
        assert own.file(f"out-{job}") == b""


class TestStates:
    def test_each_call_takes_a_step_and_the_states_come_in_order(self, emulator: EmulatorClient) -> None:
        assert emulator.states(emulator.job()) == ["PENDING", "CREATING", "RUNNING", "COMPLETED"]

    def test_a_manual_clock_moves_only_when_told(self, start: Start) -> None:
        own = start(clock="manual")
        dataset = own.dataset()
        assert own.get_dataset(dataset).json()["state"] == "UPLOADING"
        own.advance(10)
        job = own.job(dataset)
        seen = []
        for _ in range(5):
            seen += own.states(job, most=2)
            own.advance(15)
        assert seen == ["VALIDATING"] * 2 + ["PENDING"] * 2 + ["CREATING"] * 2 + ["RUNNING"] * 2 + ["COMPLETED"]

    def test_times_and_counts_appear_as_the_job_progresses(self, start: Start) -> None:
        own = start(clock="manual")
        dataset = own.dataset(4)
        own.advance(10)
        job = own.job(dataset)
        own.advance(20)
        pending = own.get_job(job).json()
        assert (pending["jobProgress"], pending["waitingOnCapacity"]) == (None, True)
        assert pending["lifecycle"] == {
            "validatedTime": "2026-01-01T00:00:25.000000Z", "runStartTime": None, "endTime": None,
        }  # fmt: skip
        own.advance(33)
        assert own.get_job(job).json()["jobProgress"]["totalProcessedRequests"] == 2
        own.advance(60)
        done = own.get_job(job).json()
        assert done["lifecycle"]["endTime"] == done["updateTime"] == "2026-01-01T00:01:10.000000Z"
        progress = done["jobProgress"]
        assert (progress["percent"], progress["successfullyProcessedRequests"], progress["failedRequests"]) == (
            100,
            4,
            0,
        )
        assert progress["inputTokens"] > 0

    def test_the_total_is_the_count_given_when_the_data_set_was_created(self, emulator: EmulatorClient) -> None:
        job = emulator.job(emulator.dataset(3, count=1))
        emulator.states(job)
        progress = emulator.get_job(job).json()["jobProgress"]
        assert (progress["totalInputRequests"], progress["totalProcessedRequests"]) == (1, 3)

    def test_a_job_that_runs_out_of_time_expires_with_what_it_has(self, emulator: EmulatorClient) -> None:
        job = emulator.job(emulator.dataset(4), maxJobDuration="50s")
        assert emulator.states(job)[-1] == "EXPIRED"
        assert len(emulator.results(job)) == 2

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (b"{not json", "line 1"),
            (b"[1]", "must be an object"),
            (b'{"body":{"messages":[{"role":"user","content":"x"}]}}', "needs a custom_id"),
            (b'{"custom_id":"b"}', "needs a body"),
            (b'{"custom_id":"b","body":{}}', "messages or prompt_token_ids"),
            (b'{"custom_id":"b","body":{"messages":[]}}', "messages or prompt_token_ids"),
            (b'{"custom_id":"b","body":{"messages":["x"]}}', "must be an object"),
            (b'{"custom_id":"a","body":{"messages":[{"role":"user","content":"x"}]}}', "duplicate custom_id 'a'"),
            (b"[" * 100_000, "nested too deeply"),
        ],
    )
    def test_one_malformed_row_fails_the_whole_job(self, emulator: EmulatorClient, line: bytes, said: str) -> None:
        job = emulator.job(emulator.dataset(content=jsonl([chat_row("a")]) + line + b"\n"))
        assert emulator.states(job) == ["FAILED"]
        status = emulator.get_job(job).json()["status"]
        assert status["code"] == "INVALID_ARGUMENT"
        assert said in status["message"]
        assert refusal(emulator.get_dataset(f"out-{job}")) == (404, 5)
        assert refusal(emulator.http.get(f"datasets/out-{job}:getDownloadEndpoint")) == (404, 5)

    def test_a_data_set_without_rows_fails_the_job(self, emulator: EmulatorClient) -> None:
        job = emulator.job(emulator.dataset(content=b"\n\n"))
        assert emulator.states(job) == ["FAILED"]

    def test_a_deleted_job_cleans_up_and_is_gone(self, emulator: EmulatorClient) -> None:
        job = emulator.job()
        assert emulator.http.delete(f"batchInferenceJobs/{job}").json() == {}
        assert emulator.http.delete(f"batchInferenceJobs/{job}").status_code in (200, 404)
        assert refusal(emulator.get_job(job)) == (404, 5)
        assert len(emulator.ledger("delete_job", job)) == 1
        assert emulator.get_dataset(f"out-{job}").status_code == 404

    def test_a_deleted_job_passes_through_a_cleaning_up_state(self, start: Start) -> None:
        own = start(clock="manual")
        dataset = own.dataset()
        own.advance(10)
        job = own.job(dataset)
        own.http.delete(f"batchInferenceJobs/{job}")
        assert own.get_job(job).json()["state"] == "JOB_STATE_DELETING_CLEANING_UP"
        own.advance(15)
        assert own.get_job(job).status_code == 404

    def test_a_job_reads_what_it_was_given_although_the_data_set_is_deleted(self, emulator: EmulatorClient) -> None:
        dataset = emulator.dataset()
        job = emulator.job(dataset)
        emulator.http.delete(f"datasets/{dataset}")
        assert len(emulator.results(job)) == 2

    def test_jobs_are_listed_and_filtered(self, start: Start) -> None:
        own = start()
        first, second = own.job(displayName="one"), own.job(displayName="two")
        own.states(second)

        def listed(**query: Any) -> list[str]:
            page = own.http.get("batchInferenceJobs", params=query).json()
            return [each["name"].rpartition("/")[2] for each in page["batchInferenceJobs"]]

        assert listed() == [first, second]
        assert listed(orderBy="createTime desc", pageSize=1) == [second]
        assert listed(filter="displayName='one'") == [first]
        assert listed(filter="state=JOB_STATE_COMPLETED") == [first, second]
        assert listed(filter=f'name = "accounts/emulator/batchInferenceJobs/{second}"') == [second]


class TestRows:
    def test_a_row_of_the_output_is_the_completion_itself(self, emulator: EmulatorClient) -> None:
        job = emulator.job(emulator.dataset([chat_row("a", "Name the largest moon of Saturn please.")]))
        (row,) = emulator.results(job)
        assert sorted(row) == ["custom_id", "response"]
        assert row["response"]["object"] == "chat.completion"
        assert row["response"]["model"] == MODEL
        usage = row["response"]["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["prompt_tokens"] == 7
        assert usage["prompt_tokens_details"] == {"cached_tokens": 0}
        read = parse_chat_row(json.dumps(row).encode())
        assert (read.wire_id, read.finish_reason, read.error) == ("a", "stop", None)
        assert read.text.startswith("Name the largest moon of Saturn [")

    def test_the_same_request_is_answered_the_same_and_another_differently(self, emulator: EmulatorClient) -> None:
        rows = [chat_row("a", temperature=0.5)]
        texts = [
            text_of(emulator.results(job)[0])
            for job in (
                emulator.job(emulator.dataset(rows)),
                emulator.job(emulator.dataset([chat_row("zero"), *rows][1:])),
                emulator.job(emulator.dataset([chat_row("a", temperature=0.6)])),
                emulator.job(emulator.dataset(rows), model="accounts/a/models/other"),
            )
        ]
        assert texts[0] == texts[1]
        assert len(set(texts)) == 3

    def test_the_job_prompt_is_injected_only_where_a_row_has_none(self, emulator: EmulatorClient) -> None:
        own = chat_row("own")
        own["body"]["messages"].insert(0, {"role": "system", "content": "one two"})
        job = emulator.job(emulator.dataset([chat_row("none"), own]), systemPrompt="one two three")
        cached = {
            row["custom_id"]: row["response"]["usage"]["prompt_tokens_details"]["cached_tokens"]
            for row in emulator.results(job)
        }
        assert cached == {"none": 3, "own": 2}

    def test_a_job_prompt_cannot_be_combined_with_token_ids(self, emulator: EmulatorClient) -> None:
        dataset = emulator.dataset([{"custom_id": "a", "body": {"prompt_token_ids": [1, 2]}}])
        assert refusal(emulator.post_job(emulator.new(), dataset, systemPrompt="Be brief.")) == (400, 3)
        assert len(emulator.results(emulator.job(dataset))) == 1

    def test_job_parameters_are_for_rows_that_have_none(self, emulator: EmulatorClient) -> None:
        rows = [chat_row("job", "one two three four"), chat_row("row", "one two three four", max_tokens=3)]
        job = emulator.job(emulator.dataset(rows), inferenceParameters={"maxTokens": 2, "n": 2})
        found = {row["custom_id"]: row["response"]["choices"] for row in emulator.results(job)}
        assert [choice["message"]["content"] for choice in found["job"]] == ["one two"] * 2
        assert {choice["finish_reason"] for choice in found["job"]} == {"length"}
        assert found["row"][0]["message"]["content"] == "one two three"

    def test_extra_parameters_of_the_job_reach_the_model(self, emulator: EmulatorClient) -> None:
        dataset = emulator.dataset(1)
        plain, extra, other = (
            text_of(emulator.results(emulator.job(dataset, inferenceParameters={"extraBody": body}))[0])
            for body in ("", '{"seed": 1}', '{"seed": 2}')
        )
        assert len({plain, extra, other}) == 3

    def test_rows_that_cannot_be_asked_are_errors_in_error_data(self, emulator: EmulatorClient) -> None:
        rows = [chat_row("bad", extra_body={"a": 1}), chat_row("good"), chat_row("low", max_tokens=0)]
        job = emulator.job(emulator.dataset(rows))
        assert [row["custom_id"] for row in emulator.results(job)] == ["good"]
        errors = [json.loads(line) for line in emulator.file(f"out-{job}", "error-data").splitlines()]
        assert [(row["custom_id"], row["error"]["code"]) for row in errors] == [("bad", 400), ("low", 400)]
        assert "extra_body" in errors[0]["error"]["message"]
        progress = emulator.get_job(job).json()["jobProgress"]
        assert (progress["successfullyProcessedRequests"], progress["failedRequests"]) == (1, 2)
        assert emulator.states(job) == ["COMPLETED"]

    def test_the_output_data_set_names_its_job(self, emulator: EmulatorClient) -> None:
        job = emulator.job(emulator.dataset(3))
        emulator.states(job)
        shown = emulator.get_dataset(f"out-{job}").json()
        assert (shown["state"], shown["exampleCount"], shown["externalUrl"]) == ("READY", "3", "")
        assert shown["sourceJobName"] == f"accounts/emulator/batchInferenceJobs/{job}"
        assert shown["userUploaded"] is None


class TestContinuing:
    def expired(self, emulator: EmulatorClient) -> str:
        job = emulator.job(emulator.dataset(4), maxJobDuration="50s")
        assert emulator.states(job)[-1] == "EXPIRED"
        return job

    def test_only_what_is_unfinished_or_failed_is_run(self, emulator: EmulatorClient) -> None:
        first = self.expired(emulator)
        before = emulator.get_job(first).json()
        second = emulator.new("job")
        body = {"model": MODEL, "continuedFromJobName": before["name"], "outputDatasetId": f"out-{second}"}
        made = emulator.http.post("batchInferenceJobs", params={"batchInferenceJobId": second}, json=body)
        assert made.json()["inputDatasetId"] == before["inputDatasetId"]
        assert made.json()["continuedFromJobName"] == before["name"]
        done, rest = ([row["custom_id"] for row in emulator.results(job)] for job in (first, second))
        assert sorted(done + rest) == ["r0", "r1", "r2", "r3"]
        assert len(done) == len(rest) == 2

    def test_the_lineage_has_the_files_of_the_whole_chain(self, emulator: EmulatorClient) -> None:
        first = self.expired(emulator)
        name = emulator.get_job(first).json()["name"]
        dataset = emulator.get_job(first).json()["inputDatasetId"].rpartition("/")[2]
        second = emulator.job(dataset, continuedFromJobName=name)
        emulator.states(second)
        assert [*emulator.urls(f"out-{second}")] == [
            f"dataset/out-{second}/BIJOutputSet.jsonl", f"dataset/out-{second}/error-data",
        ]  # fmt: skip
        lineage = emulator.urls(f"out-{second}", downloadLineage="true")
        assert [*lineage] == [
            f"dataset/out-{job}/{file}" for job in (second, first) for file in ("BIJOutputSet.jsonl", "error-data")
        ]
        lines = [line for url in lineage.values() for line in emulator.plain.get(url).content.splitlines()]
        assert sorted(json.loads(line)["custom_id"] for line in lines) == ["r0", "r1", "r2", "r3"]

    @pytest.mark.parametrize("output", [False, True])
    def test_a_chain_continues_past_a_job_without_output(self, emulator: EmulatorClient, output: bool) -> None:
        first = self.expired(emulator)
        dataset = emulator.get_job(first).json()["inputDatasetId"].rpartition("/")[2]
        emulator.fault("F10", "create_job", variant="cancelled", share=0.5, output=output)
        second = emulator.job(dataset, continuedFromJobName=emulator.get_job(first).json()["name"])
        emulator.states(second)
        third = emulator.job(dataset, continuedFromJobName=emulator.get_job(second).json()["name"])
        assert len(emulator.results(third)) == (1 if output else 2)
        chain = {name.split("/")[1] for name in emulator.urls(f"out-{third}", downloadLineage="true")}
        assert chain == {f"out-{job}" for job in ((third, second, first) if output else (third, first))}

    def test_rows_that_a_fault_made_unreadable_are_run_again(self, emulator: EmulatorClient) -> None:
        emulator.fault("F12", "create_job", variant="bom")
        first = emulator.job(emulator.dataset(4), maxJobDuration="50s")
        emulator.states(first)
        shown = emulator.get_job(first).json()
        dataset = shown["inputDatasetId"].rpartition("/")[2]
        second = emulator.job(dataset, continuedFromJobName=shown["name"])
        assert [row["custom_id"] for row in emulator.results(second)] == ["r0", "r1", "r2"]

    def test_a_job_that_cannot_be_continued_is_refused(self, emulator: EmulatorClient) -> None:
        running = emulator.job()
        name = f"accounts/emulator/batchInferenceJobs/{running}"
        dataset = emulator.dataset()
        assert refusal(emulator.post_job(emulator.new(), dataset, continuedFromJobName=running)) == (400, 3)
        emulator.fault("F9", "create_job", variant="stuck")
        stuck = f"accounts/emulator/batchInferenceJobs/{emulator.job(dataset)}"
        assert refusal(emulator.post_job(emulator.new(), dataset, continuedFromJobName=stuck)) == (400, 9)
        emulator.states(running)
        assert refusal(emulator.post_job(emulator.new(), dataset, continuedFromJobName=name)) == (400, 3)
        assert refusal(emulator.post_job(emulator.new(), dataset, continuedFromJobName=name + "x")) == (404, 5)


class TestModels:
    @pytest.mark.parametrize(("unsupported", "status"), [("pending", 200), ("invalid", 200), ("not_found", 404)])
    def test_an_unsupported_model_is_404_only_if_configured_as_not_found(
        self, start: Start, unsupported: str, status: int
    ) -> None:
        own = start(models=frozenset({"accounts/fireworks/models/small"}), unsupported=unsupported)
        there = own.plain.get(f"{own.url}/v1/accounts/fireworks/models/small", headers=own.http.headers)
        assert there.json() == {
            "name": "accounts/fireworks/models/small",
            "displayName": "small",
            "state": "READY",
            "status": {"code": "OK", "message": ""},
        }
        other = own.plain.get(f"{own.url}/v1/accounts/anyone/models/other", headers=own.http.headers)
        assert other.status_code == status
        if status == 404:
            assert other.json()["code"] == 5

    def test_a_call_without_the_key_cannot_read_a_model(self, start: Start) -> None:
        own = start()
        assert own.plain.get(f"{own.url}/v1/accounts/fireworks/models/small").status_code == 403
