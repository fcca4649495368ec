"""Faults of the emulator that affect jobs and their files: F9 to F12 and F15, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrial.model.responses import settle
from promptrial.providers.chat_rows import parse_chat_row
from promptrial_emulator.faults.answers import REASONING
from promptrial_emulator.faults.rules import FAULTS
from tests.support.emulator_client import EmulatorClient, chat_row, text_of
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]


class TestStates:
    @pytest.mark.parametrize(
        ("rule", "seen"),
        [
            ({"variant": "skipped"}, ["COMPLETED"]),
            ({"variant": "unknown"}, ["PENDING", "CREATING", "REBALANCING", "RUNNING", "COMPLETED"]),
            ({"variant": "unknown", "state": "JOB_STATE_NEW"}, ["PENDING", "CREATING", "NEW", "RUNNING", "COMPLETED"]),
            (
                {"variant": "repeated"},
                ["PENDING", "CREATING", "RUNNING", "PENDING", "CREATING", "RUNNING", "COMPLETED"],
            ),
            ({"variant": "slow", "factor": 2}, ["VALIDATING", *(["PENDING"] * 2), *(["CREATING"] * 2),
                                                *(["RUNNING"] * 2), "COMPLETED"]),
        ],
    )  # fmt: skip
    def test_f9_shows_unusual_sequences_of_states(
        self, emulator: EmulatorClient, rule: dict[str, Any], seen: list[str]
    ) -> None:
        emulator.fault("F9", "create_job", **rule)
        job = emulator.job()
        assert emulator.states(job) == seen
        assert len(emulator.results(job)) == 2

    @pytest.mark.parametrize(("state", "last"), [("", "RUNNING"), ("JOB_STATE_PENDING", "PENDING"), ("IDLE", "IDLE")])
    def test_f9_keeps_a_job_stuck_in_a_state(self, emulator: EmulatorClient, state: str, last: str) -> None:
        emulator.fault("F9", "create_job", variant="stuck", state=state)
        seen = emulator.states(emulator.job(), most=12)
        assert set(seen[4:]) == {last}

    def test_f9_ends_a_stuck_job_when_its_time_is_over(self, start: Start) -> None:
        own = start(clock="manual")
        dataset = own.dataset(4)
        own.advance(10)
        own.fault("F9", "create_job", variant="stuck")
        job = own.job(dataset)
        own.advance(86_399)
        assert own.states(job, most=1) == ["RUNNING"]
        own.advance(1)
        assert own.states(job) == ["EXPIRED"]
        assert len(own.results(job)) == 2


class TestEndings:
    @pytest.mark.parametrize("variant", ["expired", "early_stopped"])
    @pytest.mark.parametrize(("share", "rows"), [(0.0, 0), (0.25, 2), (1.0, 8)])
    def test_f10_ends_early_with_a_share_of_its_rows(
        self, emulator: EmulatorClient, variant: str, share: float, rows: int
    ) -> None:
        emulator.fault("F10", "create_job", variant=variant, share=share)
        job = emulator.job(emulator.dataset(8))
        assert emulator.states(job)[-1] == variant.upper()
        assert len(emulator.results(job)) == rows
        assert emulator.get_job(job).json()["jobProgress"]["outputRows"] == rows

    def test_f10_fails_with_a_message_and_without_output(self, emulator: EmulatorClient) -> None:
        emulator.fault("F10", "create_job", variant="failed", message="the node was lost")
        job = emulator.job()
        assert emulator.states(job)[-1] == "FAILED"
        assert emulator.get_job(job).json()["status"]["message"] == "the node was lost"
        assert emulator.get_dataset(f"out-{job}").status_code == 404

    @pytest.mark.parametrize("output", [False, True])
    def test_f10_cancelled_with_or_without_output(self, emulator: EmulatorClient, output: bool) -> None:
        emulator.fault("F10", "create_job", variant="cancelled", output=output)
        job = emulator.job(emulator.dataset(4))
        assert emulator.states(job)[-1] == "CANCELLED"
        if output:
            assert len(emulator.results(job)) == 2
        else:
            assert emulator.get_dataset(f"out-{job}").status_code == 404


class TestRows:
    def split(self, emulator: EmulatorClient, **rule: Any) -> tuple[list[bytes], list[bytes]]:
        """Run a job of four rows under a fault; return the lines of its two files."""
        emulator.fault("F11", "create_job", **rule)
        job = emulator.job(emulator.dataset(4))
        assert emulator.states(job)[-1] == "COMPLETED"
        return tuple(emulator.file(f"out-{job}", name).splitlines() for name in ("BIJOutputSet.jsonl", "error-data"))  # type: ignore[return-value]

    @pytest.mark.parametrize("code", [429, 500])
    @pytest.mark.parametrize("variant", ["code_message", "text", "in_response", "status_body"])
    def test_f11_makes_error_rows_of_each_shape(self, emulator: EmulatorClient, variant: str, code: int) -> None:
        good, bad = self.split(emulator, variant=variant, code=code)
        assert [json.loads(line)["custom_id"] for line in good] == ["r0", "r2"]
        rows = [json.loads(line) for line in bad]
        assert [row["custom_id"] for row in rows] == ["r1", "r3"]
        shape: dict[str, dict[str, Any]] = {
            "code_message": {"error": {"code": code, "message": "the request failed"}},
            "text": {"error": "the request failed"},
            "in_response": {"response": {"error": {"code": code, "message": "the request failed"}}},
            "status_body": {
                "response": {"status_code": code, "body": {"error": {"code": code, "message": "the request failed"}}}
            },
        }
        assert rows[0] == {"custom_id": "r1", **shape[variant]}

    def test_f11_makes_error_rows_without_an_id(self, emulator: EmulatorClient) -> None:
        _, bad = self.split(emulator, variant="no_id", share=1.0)
        assert [sorted(json.loads(line)) for line in bad] == [["error"]] * 4

    def test_f11_makes_error_rows_that_are_not_json(self, emulator: EmulatorClient) -> None:
        _, bad = self.split(emulator, variant="garbage", share=0.25)
        (line,) = bad
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)

    @pytest.mark.parametrize(
        ("variant", "content", "reason"),
        [
            ("empty", "", "stop"),
            ("null_content", None, "stop"),
            ("refusal", None, "stop"),
            ("content_filter", None, "content_filter"),
            ("tool_calls", None, "tool_calls"),
            ("reasoning_alone", None, "length"),
        ],
    )
    def test_f11_makes_empty_answers(
        self, emulator: EmulatorClient, variant: str, content: str | None, reason: str
    ) -> None:
        good, bad = self.split(emulator, variant=variant)
        assert (len(good), bad) == (4, [])
        choice = json.loads(good[1])["response"]["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (content, reason)
        assert ("refusal" in choice["message"]) == (variant == "refusal")
        assert text_of(json.loads(good[0]))

    def test_f11_truncates_answers(self, emulator: EmulatorClient) -> None:
        good, _ = self.split(emulator, variant="length", share=1.0)
        assert {parse_chat_row(line).finish_reason for line in good} == {"length"}

    def test_f11_sets_the_finish_reason_that_the_test_chooses(self, emulator: EmulatorClient) -> None:
        good, _ = self.split(emulator, variant="null_content", share=1.0, finish_reason="unheard_of")
        assert {parse_chat_row(line).finish_reason for line in good} == {"unheard_of"}

    @pytest.mark.parametrize("variant", ["reasoning_field", "reasoning_alone"])
    def test_f11_puts_reasoning_into_a_field(self, emulator: EmulatorClient, variant: str) -> None:
        good, _ = self.split(emulator, variant=variant)
        answers = [parse_chat_row(line) for line in good]
        assert [answer.reasoning for answer in answers] == [None, REASONING, None, REASONING]
        assert [answer.reasoning_tokens for answer in answers] == [
            None,
            len(REASONING.split()),
            None,
            len(REASONING.split()),
        ]
        usage = json.loads(good[1])["response"]["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]

    @pytest.mark.parametrize(
        ("variant", "begins", "has_answer"),
        [("think_tags", "<think>", True), ("think_end_tag", REASONING, True), ("think_unclosed", "<think>", False)],
    )
    def test_f11_puts_reasoning_between_tags(
        self, emulator: EmulatorClient, variant: str, begins: str, has_answer: bool
    ) -> None:
        good, _ = self.split(emulator, variant=variant, share=1.0)
        for line in good:
            settled = settle(parse_chat_row(line))
            assert text_of(json.loads(line)).startswith(begins)
            assert settled.reasoning == REASONING
            assert bool(settled.text) == has_answer

    def test_f11_makes_error_rows_that_were_billed(self, emulator: EmulatorClient) -> None:
        good, bad = self.split(emulator, variant="billed")
        assert (len(good), len(bad)) == (2, 2)
        row = parse_chat_row(bad[0])
        assert row.error == "500: the request failed"
        assert row.prompt_tokens is not None
        assert row.total_tokens == parse_chat_row(good[0]).total_tokens

    def test_f11_makes_invalid_usage(self, emulator: EmulatorClient) -> None:
        good, _ = self.split(emulator, variant="odd_usage", share=1.0)
        assert json.loads(good[0])["response"]["usage"]["completion_tokens"] == 2**63
        assert parse_chat_row(good[0]).completion_tokens is None


class TestFiles:
    def file(self, emulator: EmulatorClient, variant: str, rows: int = 6) -> bytes:
        emulator.fault("F12", "create_job", variant=variant)
        job = emulator.job(emulator.dataset(rows))
        emulator.states(job)
        return emulator.file(f"out-{job}")

    def ids(self, content: bytes) -> list[str | None]:
        return [json.loads(line).get("custom_id") for line in content.splitlines()]

    def test_f12_reorders_rows(self, emulator: EmulatorClient) -> None:
        found = self.ids(self.file(emulator, "shuffled"))
        assert found != [f"r{n}" for n in range(6)]
        assert sorted(map(str, found)) == [f"r{n}" for n in range(6)]

    def test_f12_repeats_a_row_with_the_same_content(self, emulator: EmulatorClient) -> None:
        lines = self.file(emulator, "duplicate_same").splitlines()
        assert (len(lines), lines[0] == lines[-1]) == (7, True)

    def test_f12_repeats_a_row_with_different_content(self, emulator: EmulatorClient) -> None:
        lines = self.file(emulator, "duplicate_different").splitlines()
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        assert first["custom_id"] == last["custom_id"] == "r0"
        assert text_of(first) != text_of(last)

    def test_f12_invents_rows_drops_rows_and_removes_ids(self, emulator: EmulatorClient) -> None:
        assert self.ids(self.file(emulator, "unknown_id"))[-1] == "never-asked"
        assert self.ids(self.file(emulator, "no_id"))[:2] == [None, "r1"]
        assert self.ids(self.file(emulator, "missing_rows")) == ["r0", "r2", "r4"]

    def test_f12_omits_the_first_row_or_every_row_but_counts_it(self, emulator: EmulatorClient) -> None:
        assert self.ids(self.file(emulator, "skipped_row")) == [f"r{n}" for n in range(1, 6)]
        assert self.file(emulator, "no_rows") == b""
        emulator.fault("F12", "create_job", variant="no_rows")
        job = emulator.job(emulator.dataset(4))
        assert emulator.states(job)[-1] == "COMPLETED"
        assert emulator.get_job(job).json()["jobProgress"]["totalProcessedRequests"] == 4

    def test_f12_adds_rows_of_requests_that_were_never_made(self, emulator: EmulatorClient) -> None:
        emulator.fault("F12", "create_job", variant="foreign_rows", rows=20)
        job = emulator.job(emulator.dataset(3))
        emulator.states(job)
        found = self.ids(emulator.file(f"out-{job}"))
        assert found[:3] == ["r0", "r1", "r2"]
        assert found[3:] == [f"never-asked-{n}" for n in range(20)]

    def test_f12_writes_every_kind_of_line_ending(self, emulator: EmulatorClient) -> None:
        plain = self.file(emulator, "duplicate_same").splitlines()[:-1]
        assert [line for line in self.file(emulator, "blank_lines").split(b"\n") if line.strip()] == plain
        assert b"\n\n" in self.file(emulator, "blank_lines")
        assert self.file(emulator, "crlf") == b"".join(line + b"\r\n" for line in plain)
        assert self.file(emulator, "bom") == b"\xef\xbb\xbf" + b"".join(line + b"\n" for line in plain)
        assert self.file(emulator, "no_final_newline") == b"\n".join(plain)

    def test_f12_tears_the_last_line(self, emulator: EmulatorClient) -> None:
        content = self.file(emulator, "torn_last_line")
        assert not content.endswith(b"\n")
        with pytest.raises(json.JSONDecodeError):
            json.loads(content.splitlines()[-1])

    def test_f12_writes_bytes_that_are_not_utf8(self, emulator: EmulatorClient) -> None:
        content = self.file(emulator, "invalid_utf8")
        with pytest.raises(UnicodeDecodeError):
            content.splitlines()[0].decode()
        assert self.ids(b"\n".join(content.splitlines()[1:]))[0] == "r1"

    def test_f12_writes_a_very_long_line(self, emulator: EmulatorClient) -> None:
        lines = self.file(emulator, "long_line").splitlines()
        assert len(lines[0]) > 5_000_000
        assert json.loads(lines[0])["custom_id"] == "r0"

    @pytest.mark.parametrize("variant", [*FAULTS["F12"].variants])
    def test_f12_applies_to_a_job_with_one_row_or_none(self, emulator: EmulatorClient, variant: str) -> None:
        self.file(emulator, variant, rows=1)
        emulator.fault("F12", "create_job", variant=variant)
        job = emulator.job(emulator.dataset([chat_row("bad", extra_body={})]))
        assert emulator.states(job)[-1] == "COMPLETED"
        assert emulator.file(f"out-{job}").strip(b"\n\xef\xbb\xbf") == b""


class TestCounts:
    @pytest.mark.parametrize("offset", [1, -2])
    def test_f15_shows_progress_that_does_not_match_the_file(self, emulator: EmulatorClient, offset: int) -> None:
        emulator.fault("F15", "create_job", offset=offset)
        job = emulator.job(emulator.dataset(4))
        assert len(emulator.results(job)) == 4
        progress = emulator.get_job(job).json()["jobProgress"]
        assert (progress["totalProcessedRequests"], progress["successfullyProcessedRequests"]) == (
            4 + offset,
            4 + offset,
        )
        assert progress["totalInputRequests"] == 4

    def test_f15_shows_an_example_count_that_does_not_match_the_file(self, emulator: EmulatorClient) -> None:
        emulator.fault("F15", "create_job", variant="example_count", offset=3)
        job = emulator.job(emulator.dataset(4))
        assert len(emulator.results(job)) == 4
        assert emulator.get_dataset(f"out-{job}").json()["exampleCount"] == "7"
