"""Who answers the rows: the oracle keeps its promised shares, and the embedded model answers behind the API."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import ConfigError, DataError
from promptrial.model import RequestId, ids
from promptrial.model.arms import ArmName
from promptrial.scoring.refusals import is_abstention
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, in_step
from promptrial_emulator.responders.echo import EchoResponder
from promptrial_emulator.responders.oracle import ABSTENTION, OracleResponder
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import MODEL, EmulatorClient, jsonl, text_of
from tests.support.emulator_fixtures import Start, start

__all__ = ["start"]

N = 2000
LONG_ID = "a very long id indeed: " + "x" * 80


def write_questions(folder: Path, number: int = N) -> None:
    """Write open questions, the second half of them unanswerable, and one closed question with a long id."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"q{n}",
            "dataset": "squad",
            "question": f"{n}?",
            "context": f"passage {n // 4}",
            "answers": [f"a{n}", f"b{n}"] if n < number else [],
            "is_unanswerable": n >= number,
        }
        for n in range(2 * number)
    ]
    (folder / "open_book.jsonl").write_bytes(jsonl(rows))
    closed = {"id": LONG_ID, "dataset": "trivia", "question": "?", "answers": ["gold"]}
    (folder / "closed_book.jsonl").write_bytes(jsonl([closed]))


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    write_questions(folder)
    return folder


def request_row(item: str, condition: ArmName = "control", *, sample: int = 0, temp: str = "0.0", **body: Any) -> Any:
    """Return the input row of a question."""
    rid = RequestId("squad", item, condition, temp, sample, "open")
    return {
        "custom_id": ids.wire_encode(rid),
        "body": {"messages": [{"role": "user", "content": "?"}], "max_tokens": 64, **body},
    }


def texts(settings: EmulatorSettings, rows: Iterable[Any], model: str = MODEL) -> list[str]:
    """Return what the oracle answers."""
    asked = (ChatRow(row["custom_id"], row["body"]["messages"], row["body"]) for row in rows)
    found = []
    for reply in OracleResponder(settings).replies(model, asked):
        assert isinstance(reply, Answer)
        found.append(reply.choices[0].text or "")
    return found


def settings_of(questions: Path, **more: Any) -> EmulatorSettings:
    return EmulatorSettings(responder="oracle", questions=questions, **more)


def right(found: list[str]) -> list[bool]:
    return [text in (f"a{n}", f"b{n}") for n, text in enumerate(found)]


class TestOracle:
    @pytest.mark.parametrize(("accuracy", "abstention"), [(0.7, 0.1), (0.4, 0.5), (0.0, 0.2), (1.0, 0.0)])
    def test_the_shares_are_those_requested(self, questions: Path, accuracy: float, abstention: float) -> None:
        found = texts(settings_of(questions, accuracy=accuracy, abstention=abstention), map(request_row, items()))
        shares = [sum(right(found)) / N, sum(text == ABSTENTION for text in found) / N]
        assert shares == pytest.approx([accuracy, abstention], abs=0.045)
        if accuracy == 1:
            assert all(right(found))

    def test_the_effect_is_added_for_the_treatment_and_pairs_are_correlated(self, questions: Path) -> None:
        settings = settings_of(questions, accuracy=0.5, effect=0.2)
        arms = [
            right(texts(settings, (request_row(item, arm) for item in items())))
            for arm in ("control", "treatment")
        ]  # fmt: skip
        control, treatment = (sum(arm) / N for arm in arms)
        assert (control, treatment) == pytest.approx((0.5, 0.7), abs=0.045)
        both = sum(map(all, zip(*arms, strict=True))) / N
        assert both > control * treatment + 0.05
        assert both < control, "and not all of the draw is shared"

    def test_differences_are_correlated_within_a_passage_and_not_between_passages(self, questions: Path) -> None:
        settings = settings_of(questions, accuracy=0.5)
        control, treatment = (
            right(texts(settings, (request_row(item, arm) for item in items()))) for arm in ("control", "treatment")
        )
        difference = [b - a for a, b in zip(control, treatment, strict=True)]

        def product(distance: int) -> float:
            """The mean product of the differences of two questions, so many places apart."""
            return sum(difference[n] * difference[(n + distance) % N] for n in range(0, N, 4)) / (N / 4)

        assert product(1) == pytest.approx(0.067, abs=0.045), "what the shares of the variance come to"
        assert product(1) > 0.02
        assert product(4) == pytest.approx(0, abs=0.045)

    def test_the_attempt_suffix_of_an_id_does_not_change_the_answer(self, questions: Path) -> None:
        rows = [*map(request_row, items())]
        tagged = [{**row, "custom_id": row["custom_id"] + "-abcdef27"} for row in rows]
        settings = settings_of(questions)
        assert texts(settings, tagged) == texts(settings, rows)

    def test_each_replicate_is_drawn_independently(self, questions: Path) -> None:
        settings = settings_of(questions, accuracy=0.5)
        first, second = (
            right(texts(settings, (request_row(item, sample=sample) for item in items()))) for sample in (0, 1)
        )
        agreeing = sum(a == b for a, b in zip(first, second, strict=True)) / N
        assert 0.55 < agreeing < 0.95

    def test_unanswerable_questions_are_left_unanswered_as_often_as_others_are_right(self, questions: Path) -> None:
        asked = (request_row(f"q{n}") for n in range(N, 2 * N))
        found = texts(settings_of(questions, accuracy=0.8), asked)
        assert sum(text == ABSTENTION for text in found) / N == pytest.approx(0.8, abs=0.04)

    def test_the_abstention_text_counts_as_an_abstention_and_a_wrong_answer_does_not(self, questions: Path) -> None:
        assert is_abstention(ABSTENTION)
        found = texts(settings_of(questions, accuracy=0.0, abstention=0.0), map(request_row, items()))
        assert not any(map(is_abstention, found))
        assert len(set(found)) == N

    def test_answers_depend_only_on_seed_model_and_request(self, questions: Path) -> None:
        rows = [request_row(item) for item in itertools.islice(items(), 300)]
        plain = texts(settings_of(questions), rows)
        assert texts(settings_of(questions), rows[::-1]) == plain[::-1]
        assert texts(settings_of(questions, seed=1), rows) != plain
        assert texts(settings_of(questions), rows, "accounts/a/models/other") != plain

    def test_each_choice_is_drawn_independently(self, questions: Path) -> None:
        rows = [request_row(item, n=5) for item in itertools.islice(items(), 50)]
        asked = (ChatRow(row["custom_id"], row["body"]["messages"], row["body"]) for row in rows)
        replies = [*OracleResponder(settings_of(questions, accuracy=0.5)).replies(MODEL, asked)]
        assert {len(reply.choices) for reply in replies if isinstance(reply, Answer)} == {5}
        assert any(len({choice.text for choice in reply.choices}) > 2 for reply in replies if isinstance(reply, Answer))

    def test_a_question_is_found_by_its_hashed_id_too(self, questions: Path) -> None:
        wire = ids.wire_encode(RequestId("trivia", LONG_ID, "control", "0.7", 0, "closed"))
        row = {"custom_id": wire, "body": {"messages": [{"role": "user", "content": "?"}]}}
        assert LONG_ID not in wire
        assert texts(settings_of(questions, accuracy=1.0), [row]) == ["gold"]

    def test_a_missing_folder_is_an_error_immediately(self) -> None:
        with pytest.raises(ConfigError, match="needs prepared questions"):
            OracleResponder(EmulatorSettings())

    def test_a_damaged_file_is_named_with_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "closed_book.jsonl").write_text('{"id": "a", "dataset": "d", "answers": []}\n{"id": 3}\n')
        with pytest.raises(DataError, match=r"closed_book\.jsonl:2: not a prepared question"):
            texts(settings_of(tmp_path), [request_row("a")])


def items() -> Iterable[str]:
    return (f"q{n}" for n in range(N))


class TestOracleBehindTheApi:
    def test_questions_can_be_added_and_changed_after_the_start(self, start: Start, tmp_path: Path) -> None:
        folder = tmp_path / "prepared"
        own = start(responder="oracle", questions=folder, accuracy=1.0)
        write_questions(folder, 3)
        first = own.results(own.job(own.dataset([request_row("q0")])))
        write_questions(folder, 6)
        second = own.results(own.job(own.dataset([request_row("q5")])))
        assert text_of(first[0]) in ("a0", "b0")
        assert text_of(second[0]) in ("a5", "b5")

    def test_without_questions_the_job_fails_and_says_why(
        self, start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        own = start(responder="oracle", questions=tmp_path / "nowhere")
        job = own.job(own.dataset([request_row("q0")]))
        assert own.states(job)[-1] == "FAILED"
        assert "no prepared questions in" in own.get_job(job).json()["status"]["message"]
        assert f"job {job}: no prepared questions" in capfd.readouterr().err

    def test_a_responder_that_raises_fails_only_its_own_job(
        self, start: Start, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def breaks(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        own = start()
        first = own.job()
        monkeypatch.setattr(EchoResponder, "replies", breaks)
        assert own.states(first)[-1] == "FAILED"
        assert "ZeroDivisionError: a bug" in capfd.readouterr().err
        monkeypatch.undo()
        assert own.states(own.job())[-1] == "COMPLETED"

    def test_a_request_without_a_known_question_is_an_error_row(self, start: Start, questions: Path) -> None:
        own = start(responder="oracle", questions=questions, accuracy=1.0)
        unknown = request_row("never-seen")
        rows = [{**request_row("q1"), "custom_id": "free text"}, request_row("q2"), unknown]
        job = own.job(own.dataset(rows))
        assert [text_of(row) in ("a2", "b2") for row in own.results(job)] == [True]
        errors = [json.loads(line) for line in own.file(f"out-{job}", "error-data").splitlines()]
        assert [row["custom_id"] for row in errors] == ["free text", unknown["custom_id"]]
        assert "does not know the question" in errors[0]["error"]["message"]


class TestInStep:
    @pytest.mark.parametrize("ahead", [1, 3, 100])
    def test_replies_match_their_rows_however_far_requests_are_read_ahead(self, ahead: int) -> None:
        def answer(requests: Any) -> Any:
            while batch := [*itertools.islice(requests, ahead)]:
                yield from (f"<{request}>" for request in batch)

        def ask(row: int) -> int | Refusal:
            return Refusal(400, "third") if row % 3 == 0 else row

        for size in range(8):
            found = [*in_step(range(size), ask, answer)]
            expected = [(row, Refusal(400, "third") if row % 3 == 0 else f"<{row}>") for row in range(size)]
            assert found == expected


@pytest.mark.engine
class TestEmbedded:
    def test_the_real_model_repeats_its_answer(self, start: Start) -> None:
        own = start(responder="embedded", patience_s=60.0)
        rows = [
            {"custom_id": "hi", "body": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8,
                                         "temperature": 0}},
            {"custom_id": "odd", "body": {"messages": [{"role": "critic", "content": "?"}]}},
            {"custom_id": "two", "body": {"messages": [{"role": "user", "content": "?"}], "n": 2}},
        ]  # fmt: skip
        dataset = own.dataset(rows)
        first, second = (self.answered(own, dataset) for _ in range(2))
        assert first == second
        (row,), errors = first
        assert row["response"]["model"] == MODEL
        assert row["response"]["usage"]["completion_tokens"] <= 8
        assert text_of(row)
        assert [row["custom_id"] for row in errors] == ["odd", "two"]

    def answered(self, own: EmulatorClient, dataset: str) -> Any:
        job = own.job(dataset)
        results = own.results(job)
        return results, [json.loads(line) for line in own.file(f"out-{job}", "error-data").splitlines()]
