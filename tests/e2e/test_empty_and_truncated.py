"""Responses that hold no answer, that were cut off, and that hold reasoning: from the provider's rows to the report."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq
import pytest
import yaml

from promptrial.documents.significance import Significance
from promptrial_emulator.faults.answers import REASONING
from tests.support.doctor import findings
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject, configuration

__all__ = ["hosted", "process"]

N: Final = 14
"""Requests of an arm."""
ARMS: Final = ("control", "treatment")

EMPTY: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "empty": ("empty", {}),
    "null": ("empty", {"variant": "null_content"}),
    "length": ("length", {"variant": "null_content", "finish_reason": "length"}),
    "filtered": ("content_filter", {"variant": "content_filter"}),
    "filtered with text": ("content_filter", {"variant": "length", "finish_reason": "content_filter"}),
    "tool call": ("tool_calls", {"variant": "tool_calls"}),
    "refusal without text": ("refusal", {"variant": "null_content", "finish_reason": "refusal"}),
    "reasoning field alone": ("reasoning_only", {"variant": "reasoning_alone"}),
    "unclosed think tag": ("reasoning_only", {"variant": "think_unclosed"}),
}


def spoil(hosted: HostedProject, **fault: Any) -> None:
    """Let every job's rows (all of them, if no share is given) be of a variant of F11."""
    hosted.emulator.fault("F11", "create_job", **{"variant": "empty", "share": 1.0, "count": -1, **fault})


def report_of(hosted: HostedProject, run_id: str = "r") -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((hosted.results(run_id) / "parse_report.json").read_bytes())
    return parsed


def costs_of(hosted: HostedProject, run_id: str = "r") -> dict[str, Any]:
    costs: dict[str, Any] = json.loads((hosted.results(run_id) / "costs.json").read_bytes())
    return costs


def first_screen(hosted: HostedProject) -> str:
    """Return what the report says before its second heading."""
    text = hosted.project.details()
    return text.split("\n## ")[1]


def scored(hosted: HostedProject, column: str = "n_samples") -> list[Any]:
    return list(pq.read_table(hosted.results() / "per_item_scores.parquet").column(column).to_pylist())


@pytest.mark.parametrize("case", EMPTY)
def test_a_response_without_an_answer_is_missing_and_not_an_abstention(hosted: HostedProject, case: str) -> None:
    reason, fault = EMPTY[case]
    spoil(hosted, **fault)
    outcome = hosted.run("--to_step", "report")
    assert outcome.code == 0, outcome.err
    rows = hosted.table().to_pylist()
    assert {(row["error"] or "").partition(":")[0] for row in rows} == {reason}
    assert {row["response_text"] for row in rows} == {None}
    assert set(scored(hosted)) == {0}
    assert set(scored(hosted, "abstain_rate")) == {None}, "nobody said that they do not know"
    arm = report_of(hosted)["arms"]["control"]
    assert (arm["answered"], arm["missing"], arm["empty"], arm["errors"]) == (0, 0, N, {reason: N})
    assert "responses without an answer: 14 of 14 (100.0%) in the control arm and 14 of 14 (100.0%)" in outcome.err
    assert outcome.out.index("Warning (missing answers): 14 of 14 (100.0%) for") < outcome.out.index("Effects, ")
    assert "Warning: responses without an answer: 14 of 14 (100.0%) in the control arm" in first_screen(hosted)
    significance = msgspec.json.decode((hosted.results() / "significance.json").read_bytes(), type=Significance)
    assert {(arm.empty, arm.missing) for arm in significance.attrition.values()} == {(N, N)}
    assert hosted.rows_bought() == 2 * N, "nothing is bought again for what it says"


def test_responses_without_an_answer_were_paid_for(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "costs", run_id="whole").code == 0
    spoil(hosted)
    assert hosted.run("--to_step", "costs", "--no_sharing").code == 0
    whole, empty = costs_of(hosted, "whole"), costs_of(hosted)
    assert (whole["answered"], empty["answered"]) == (2 * N, 0)
    assert empty["total_tokens"] == whole["total_tokens"] > 0
    assert empty["usd"] == whole["usd"] > 0
    assert empty["tokens_unknown"] == 0


def test_failed_requests_keep_the_tokens_they_were_billed_for(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "costs", run_id="whole").code == 0
    spoil(hosted, variant="billed")
    assert hosted.run("--to_step", "costs").code == 0
    whole, failed = costs_of(hosted, "whole"), costs_of(hosted)
    assert report_of(hosted)["arms"]["control"]["errors"] == {"500": N}
    assert report_of(hosted)["arms"]["control"]["empty"] == 0
    assert (failed["answered"], failed["total_tokens"], failed["usd"]) == (0, whole["total_tokens"], whole["usd"])


def test_invalid_usage_is_unknown_and_the_answers_count(hosted: HostedProject) -> None:
    spoil(hosted, variant="odd_usage", share=0.5)
    outcome = hosted.run("--to_step", "report")
    assert outcome.code == 0, outcome.err
    odd = [row for row in hosted.table().to_pylist() if row["prompt_tokens"] is None]
    assert len(odd) == report_of(hosted)["rows"] // 2 - 2
    assert all(row["response_text"] and row["total_tokens"] is None for row in odd)
    costs = costs_of(hosted)
    assert (costs["answered"], costs["tokens_unknown"]) == (2 * N, len(odd))
    assert "at least" in first_screen(hosted)


@pytest.mark.parametrize("variant", ["reasoning_field", "think_tags", "think_end_tag"])
def test_reasoning_is_kept_separate_from_the_answer_and_not_scored(hosted: HostedProject, variant: str) -> None:
    assert hosted.run("--to_step", "score", run_id="plain").code == 0
    spoil(hosted, variant=variant)
    outcome = hosted.run("--to_step", "report")
    assert outcome.code == 0, outcome.err
    rows, plain = hosted.table().to_pylist(), hosted.table("plain").to_pylist()
    assert [row["response_text"] for row in rows] == [row["response_text"] for row in plain]
    assert {row["reasoning"] for row in rows} == {REASONING}
    assert {row["reasoning_tokens"] for row in rows} == {len(REASONING.split())}
    assert "reasoning" not in plain[0]
    scores = [hosted.results(run_id) / "per_item_scores.csv" for run_id in ("r", "plain")]
    assert scores[0].read_bytes() == scores[1].read_bytes()
    assert REASONING.encode() in (hosted.results() / "results_combined.jsonl").read_bytes()
    page = hosted.project.details()
    assert "reasoning (kept, but not scored): 14 in the control arm and 14 in the treatment arm" in page


def test_a_model_can_be_configured_to_score_text_between_think_tags(hosted: HostedProject) -> None:
    models = configuration()["models"]
    models["m1"]["think_tags"] = "as_answer"
    hosted.project.write_config(configuration({"models": models}))
    spoil(hosted, variant="think_tags")
    assert hosted.run().code == 0
    rows = hosted.table().to_pylist()
    assert all(row["response_text"].startswith(f"<think>\n{REASONING}\n</think>") for row in rows)
    assert {row.get("reasoning") for row in rows} == {None}


def test_reasoning_that_first_appears_late_restarts_the_table_without_loss(hosted: HostedProject) -> None:
    assert hosted.run(run_id="plain").code == 0
    spoil(hosted, variant="think_tags", share=0.3, nth=4, count=1)
    assert hosted.run("--no_sharing").code == 0
    rows, plain = hosted.table().to_pylist(), hosted.table("plain").to_pylist()
    assert [row["response_text"] for row in rows] == [row["response_text"] for row in plain]
    assert sum(row["reasoning"] is not None for row in rows) == 2
    assert list(hosted.results().glob(".*.tmp")) == []
    assert (hosted.results() / "results_combined.jsonl").read_bytes().count(b"\n") == 2 * N
    assert report_of(hosted)["arms"]["treatment"]["answered"] == N


def test_the_treatment_of_think_tags_is_recorded_only_if_it_is_not_the_default(
    hosted: HostedProject,
) -> None:
    def written() -> dict[str, Any]:
        assert hosted.run("--to_step", "build", run_id=f"r{len(runs)}").code == 0
        runs.append(yaml.safe_load((hosted.project.run_root(f"r{len(runs)}") / "effective_config.yaml").read_text()))
        return runs[-1]

    runs: list[dict[str, Any]] = []
    models = configuration()["models"]
    default = written()
    hosted.project.write_config(configuration({"models": {"m1": {**models["m1"], "think_tags": "separate"}}}))
    assert written() == default
    assert "think_tags" not in default["models"]["m1"]
    hosted.project.write_config(configuration({"models": {"m1": {**models["m1"], "think_tags": "as_answer"}}}))
    assert written()["models"]["m1"]["think_tags"] == "as_answer"


def test_a_vendors_refusal_text_is_the_answer(hosted: HostedProject) -> None:
    spoil(hosted, variant="refusal")
    assert hosted.run("--to_step", "score").code == 0
    assert {row["response_text"] for row in hosted.table().to_pylist()} == {"I can't help with that."}
    assert set(scored(hosted)) == {1}


def test_truncated_answers_are_scored_counted_and_warned_about(hosted: HostedProject) -> None:
    spoil(hosted, variant="length", share=0.25)
    outcome = hosted.run("--to_step", "report")
    assert outcome.code == 0, outcome.err
    arms = report_of(hosted)["arms"]
    assert {(arms[name]["answered"], arms[name]["truncated"], arms[name]["empty"]) for name in ARMS} == {(N, 2, 0)}
    said = "answers cut off at the token limit: 2 of 14 (14.3%) in the control arm and 2 of 14 (14.3%)"
    assert said in outcome.err
    assert "Warning (answers cut off): 2 of 14 (14.3%) for control.txt and 2 of 14 (14.3%) for" in outcome.prose
    assert f"Warning: {said}" in first_screen(hosted)
    assert set(scored(hosted)) == {1}


def test_the_doctor_lists_empty_and_truncated_answers_and_finds_nothing_to_fix(hosted: HostedProject) -> None:
    spoil(hosted, variant="length", share=0.25, nth=1, count=1)
    spoil(hosted, variant="reasoning_alone", share=0.3, nth=4, count=1)
    assert hosted.run("--to_step", "report").code == 0
    (cut,) = findings(hosted.project, "truncated_answers")
    (empty,) = findings(hosted.project, "empty_answers")
    assert (cut["severity"], cut["command"], empty["severity"], empty["command"]) == ("note", None, "note", None)
    assert "1 of 14 answers of the control arm were cut off at the token limit" in cut["meaning"]
    assert "2 of 14 responses of the treatment arm hold no answer (2 reasoning only)" in empty["meaning"]
    assert hosted.project.call("doctor", "r").code == 0


def test_a_report_of_complete_answers_has_no_warning(hosted: HostedProject) -> None:
    outcome = hosted.run("--to_step", "report")
    assert "Warning" not in first_screen(hosted)
    for kind in ("missing answers", "answers cut off", "unequal losses"):
        assert f"Warning ({kind})" not in outcome.out
    assert "cut off" not in outcome.err
    assert findings(hosted.project) == []
