"""Logs of each tool, as ``analyze`` reads them: items, arms, scores, what is missing, what is passed over."""

from __future__ import annotations

import base64
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptrial.comparison.elsewhere.analysing import AnalysisRequest, Analyzed, analyze
from promptrial.comparison.elsewhere.page import page_of
from promptrial.comparison.elsewhere.rows import Columns
from promptrial.comparison.elsewhere.scales import Declared
from promptrial.documents.analysis import Analysis
from promptrial.documents.significance import Endpoint, Wanted
from promptrial.errors import DataError, UsageError
from tests.support.result_files import (
    EVAL_HEADER,
    helm_run,
    inspect_json,
    inspect_samples,
    inspect_zip,
    lm_eval_samples,
    promptfoo_output,
    write_json_lines,
    zstd_zip,
)

BASE, NEW = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def analysed(*inputs: object, **options: object) -> Analyzed:
    return analyze(AnalysisRequest(inputs=tuple(map(str, inputs)), **options))  # type: ignore[arg-type]


def primary(found: Analysis) -> Endpoint:
    (row,) = [each for each in found.significance.endpoints if each.scope == "overall" and each.metric in
              found.significance.settings.primary]  # fmt: skip
    return row


def means(found: Analysis) -> tuple[float | None, float | None]:
    row = primary(found)
    return row.control.mean_paired, row.treatment.mean_paired


def refusal(kind: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


# --- lm-evaluation-harness ------------------------------------------------------------------------------------------


def test_samples_of_two_model_folders_are_compared_task_by_task(tmp_path: Path) -> None:
    for model, scores in (("org__base", BASE), ("org__new", NEW)):
        lm_eval_samples(tmp_path / model, scores, task="arc")
        lm_eval_samples(tmp_path / model, scores[:4], task="piqa")
    found = analysed(tmp_path).document
    assert found.arms == {"control": "org/base", "treatment": "org/new"}
    assert (found.n_items, found.n_groups) == (12, 2)
    assert list(means(found)) == pytest.approx([5 / 12, 9 / 12])
    assert [each.declared.label for each in found.measures] == ["acc", "acc_norm"]
    assert [each.format for each in found.inputs] == ["lm_eval"] * 4
    assert found.inputs[0].file == "org__base/samples_arc_2025-01-02T03-04-05.678901.jsonl"
    (of_groups,) = [each for each in found.groups if each.measure == "acc"]
    assert of_groups.difference == pytest.approx((3 / 8 + 1 / 4) / 2)


def test_each_filter_of_the_harness_is_a_measure(tmp_path: Path) -> None:
    for model, scores in (("base", BASE), ("new", NEW)):
        rows = [
            {
                "doc_id": number,
                "resps": [],
                "filtered_resps": [],
                "filter": name,
                "exact_match": score if strict else 1.0,
            }
            for number, score in enumerate(scores)
            for name, strict in (("strict-match", True), ("flexible-extract", False))
        ]
        write_json_lines(tmp_path / model / "samples_gsm8k_2025-01-02T03-04-05.1.jsonl", rows)
    found = analysed(tmp_path).document
    names = [(each.name, each.declared.label) for each in found.measures]
    assert names == [
        ("exact_match_strict_match", "exact_match,strict-match"),
        ("exact_match_flexible_extract", "exact_match,flexible-extract"),
    ]
    assert means(found) == (3 / 8, 6 / 8)


def test_documents_that_differ_under_one_number_are_not_compared(tmp_path: Path) -> None:
    lm_eval_samples(tmp_path / "base", BASE)
    path = lm_eval_samples(tmp_path / "new", NEW)
    path.write_text(path.read_text().replace('"hash0"', '"other"'))
    found = analysed(tmp_path).document
    assert (found.n_items, found.n_differing) == (7, 1)
    assert any("1 item of one name differ" in each.text for each in found.verdict.warnings)


def test_the_results_beside_the_samples_say_which_metrics_are_better_higher(tmp_path: Path) -> None:
    for model, scores in (("base", BASE * 8), ("new", NEW * 8)):
        lm_eval_samples(tmp_path / model, scores)
        (tmp_path / model / "results_2025-01-02T03-04-05.678901.json").write_text(
            json.dumps({"results": {}, "higher_is_better": {"arc": {"acc": True, "acc_norm": True}}})
        )
    assert analysed(tmp_path).document.verdict.findings[0].state == "better"


def test_pythons_nan_is_a_missing_score(tmp_path: Path) -> None:
    lm_eval_samples(tmp_path / "base", [float("nan"), *BASE[1:]])
    lm_eval_samples(tmp_path / "new", [*NEW[:-1], float("inf")])
    found = analysed(tmp_path).document
    assert primary(found).n_pairs == 6
    assert [each.text for each in found.verdict.warnings if each.kind == "unpaired"] == [
        "Not paired: 2 of 8 items have no pair (scored 1 in base alone, 1 in new alone); they are left out."
    ]


def test_metrics_that_are_lists_are_counted_and_not_read(tmp_path: Path) -> None:
    for model, scores in (("base", BASE), ("new", NEW)):
        lm_eval_samples(tmp_path / model, scores, metrics=["acc", "f1"], f1=[0, 1])
    assert "values of f1 that are no single number, not read: 16" in analysed(tmp_path).document.notes


def test_a_field_of_the_document_can_be_the_cluster(tmp_path: Path) -> None:
    for model, scores in (("base", BASE), ("new", NEW)):
        lm_eval_samples(tmp_path / model, scores)
    assert primary(analysed(tmp_path, columns=Columns(cluster="passage")).document).n_clusters == 3
    said = refusal(UsageError, lambda: analysed(tmp_path, columns=Columns(cluster="pasage")))
    assert "did you mean 'passage'?" in said


def test_folders_of_the_same_model_are_distinguished_by_their_arguments(tmp_path: Path) -> None:
    for argument, scores in (("before", BASE), ("after", NEW)):
        lm_eval_samples(tmp_path / argument / "org__model", scores)
    found = analysed(tmp_path / "before", tmp_path / "after").document
    assert [*found.arms.values()] == ["before", "after"]
    assert means(found) == (3 / 8, 6 / 8)


def test_a_second_run_of_a_task_in_one_folder_is_a_duplicate(tmp_path: Path) -> None:
    path = lm_eval_samples(tmp_path / "base", BASE)
    path.with_name("samples_arc_2026-01-01T00-00-00.0.jsonl").write_text(path.read_text())
    lm_eval_samples(tmp_path / "new", NEW)
    said = refusal(DataError, lambda: analysed(tmp_path))
    assert "has a second score of acc in the arm 'base'" in said
    assert "--duplicates mean" in said
    assert means(analysed(tmp_path, duplicates="first").document) == (3 / 8, 6 / 8)


# --- Inspect --------------------------------------------------------------------------------------------------------

LETTERS_BASE, LETTERS_NEW = ["C" if s else "I" for s in BASE], ["C" if s else "I" for s in NEW]


def test_logs_of_inspect_are_read_as_json_and_as_archives(tmp_path: Path) -> None:
    base = inspect_json(tmp_path / "base.json", inspect_samples(LETTERS_BASE))
    new = inspect_zip(tmp_path / "new.eval", inspect_samples(LETTERS_NEW), "m/new")
    found = analysed(base, new).document
    assert found.arms == {"control": "m/base", "treatment": "m/new"}
    assert means(found) == (3 / 8, 6 / 8)
    assert found.measures[0].declared.direction == "higher"


def test_an_archive_compressed_with_zstandard_is_read(tmp_path: Path) -> None:
    def members(model: str, letters: list[str]) -> dict[str, bytes]:
        header = {**EVAL_HEADER, "eval": {"task": "arith", "model": model}}
        samples = inspect_samples(letters)
        return {"header.json": json.dumps(header).encode(), "summaries.json": json.dumps(samples).encode()}

    base = zstd_zip(tmp_path / "base.eval", members("m/base", LETTERS_BASE))
    new = zstd_zip(tmp_path / "new.eval", members("m/new", LETTERS_NEW))
    assert means(analysed(base, new).document) == (3 / 8, 6 / 8)
    new.write_bytes(new.read_bytes().replace(b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe"))
    assert "is damaged" in refusal(DataError, lambda: analysed(base, new))


def test_an_unfinished_log_is_read_from_its_journal_and_reported(tmp_path: Path) -> None:
    base = inspect_zip(tmp_path / "base.eval", inspect_samples(LETTERS_BASE))
    new = inspect_zip(tmp_path / "new.eval", inspect_samples(LETTERS_NEW), "m/new", finished=False)
    header = json.dumps({**EVAL_HEADER, "status": "started", "eval": {"task": "arith", "model": "m/new"}})
    with zipfile.ZipFile(new, "a") as archive:
        archive.writestr("header.json", header)
    found = analysed(base, new).document
    assert means(found) == (3 / 8, 6 / 8)
    assert "new.eval: Inspect's status is 'started'; only the samples that it holds count" in found.notes


@pytest.mark.parametrize("was_scored", [True, False])
def test_epochs_are_replicates_and_failed_samples_are_missing(tmp_path: Path, was_scored: bool) -> None:
    samples = inspect_samples(LETTERS_BASE, epochs=2)
    samples[0]["error"] = {"message": "no answer"}
    if not was_scored:
        del samples[0]["scores"]
    base = inspect_json(tmp_path / "base.json", samples)
    new = inspect_json(tmp_path / "new.json", inspect_samples(LETTERS_NEW, epochs=2), "m/new")
    analyzed = analysed(base, new, columns=Columns(cluster="passage"))
    row = primary(analyzed.document)
    assert (row.scale, row.n_pairs, row.n_clusters) == ("graded", 8, 2)
    assert analyzed.table.n_samples.tolist() == [1, *[2] * 15]
    assert row.bounds.answers_missing == (1, 0)
    assert "samples that failed, missing: 1" in analyzed.document.notes


def test_values_that_are_objects_give_one_measure_per_key(tmp_path: Path) -> None:
    for name, letters in (("base", LETTERS_BASE), ("new", LETTERS_NEW)):
        samples = inspect_samples([{"right": letter, "note": "text"} for letter in letters])
        inspect_json(tmp_path / f"{name}.json", samples, f"m/{name}")
    found = analysed(tmp_path / "base.json", tmp_path / "new.json").document
    assert [each.declared.label for each in found.measures] == ["match.right"]
    assert "scores of match.note that are no numbers, not read: 16" in found.notes


def test_a_log_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = inspect_json(tmp_path / "base.json", inspect_samples(LETTERS_BASE), version=3)
    assert "a log of version 3; known are 1, 2" in refusal(DataError, lambda: analysed(path, path))


# --- promptfoo ------------------------------------------------------------------------------------------------------


def results(provider: str, prompt: str, scores: list[float]) -> list[tuple[str, str, int, bool]]:
    return [(provider, prompt, number, bool(score)) for number, score in enumerate(scores)]


def test_prompts_of_an_output_of_promptfoo_are_arms(tmp_path: Path) -> None:
    rows = [*results("openai:x", "short", BASE), *results("openai:x", "long, and kind", NEW)]
    found = analysed(promptfoo_output(tmp_path / "out.json", rows)).document
    assert [*found.arms.values()] == ["short", "long, and kind"]
    assert [each.declared.label for each in found.measures] == ["pass", "score", "tone"]
    assert means(found) == (3 / 8, 6 / 8)
    again = analysed(tmp_path / "out.json", first="long, and kind", arms=("long, and kind", "short")).document
    assert [*again.arms.values()] == ["long, and kind", "short"]


def test_providers_are_arms_where_there_is_one_prompt_and_pairs_where_there_are_more(tmp_path: Path) -> None:
    rows = [*results("a", "p", BASE), *results("b", "p", NEW)]
    assert [*analysed(promptfoo_output(tmp_path / "1.json", rows)).document.arms.values()] == ["a", "b"]
    more = [*rows, *results("b", "q", NEW)]
    found = analysed(promptfoo_output(tmp_path / "2.json", more)).document
    assert [*found.arms.values()] == ["a, p", "b, p", "b, q"]
    assert len(found.verdict.findings) == 2


def test_two_prompts_with_one_label_are_two_arms(tmp_path: Path) -> None:
    path = promptfoo_output(tmp_path / "out.json", [*results("a", "p", BASE), *results("a", "p", NEW)])
    output = json.loads(path.read_text())
    for row in output["results"]["results"][8:]:
        row |= {"promptIdx": 1, "provider": {"id": "a", "label": None}}
    path.write_text(json.dumps(output))
    found = analysed(path).document
    assert [*found.arms.values()] == ["a", "a (2)"]
    assert means(found) == (3 / 8, 6 / 8)


def test_a_failed_request_is_missing_and_not_wrong(tmp_path: Path) -> None:
    path = promptfoo_output(tmp_path / "out.json", [*results("a", "p", BASE), *results("b", "p", NEW)])
    output = json.loads(path.read_text())
    output["results"]["results"][1] |= {"failureReason": 2, "error": "429"}
    path.write_text(json.dumps(output))
    found = analysed(path).document
    assert primary(found).n_pairs == 7
    assert "tests whose request failed, missing: 1" in found.notes


def test_promptfoo_scores_that_are_not_numbers_are_counted(tmp_path: Path) -> None:
    rows = [*results("a", "p", BASE), *results("b", "p", NEW)]
    found = analysed(promptfoo_output(tmp_path / "out.json", rows, score={}, namedScores={"tone": [1]})).document
    assert [each.declared.label for each in found.measures] == ["pass"]
    assert "scores of tone that are no numbers, not read: 16" in found.notes


def test_an_archive_without_a_header_is_not_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json.bak", "{}")
    assert "not a log of Inspect" in refusal(DataError, lambda: analysed(path, path))


def test_repeated_tests_are_replicates(tmp_path: Path) -> None:
    rows = [*results("a", "p", BASE), *results("b", "p", NEW)]
    analyzed = analysed(promptfoo_output(tmp_path / "out.json", rows, repeat=2, vars={"q": "?"}))
    assert (len(analyzed.table.item_keys), set(analyzed.table.n_samples.tolist())) == (1, {8})


def test_promptfoo_lines_are_read_like_its_document(tmp_path: Path) -> None:
    rows = [*results("a", "p", BASE), *results("b", "p", NEW)]
    document = json.loads(promptfoo_output(tmp_path / "out.json", rows).read_text())
    lines = write_json_lines(tmp_path / "out.jsonl", document["results"]["results"])
    assert means(analysed(lines).document) == (3 / 8, 6 / 8)


def test_an_output_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = promptfoo_output(tmp_path / "out.json", results("a", "p", BASE), version=9)
    assert "an output of version 9; known are 2, 3" in refusal(DataError, lambda: analysed(path))


# --- texts for the page ----------------------------------------------------------------------------------------------


def shown(analyzed: Analyzed) -> list[dict[str, Any]]:
    """Return the items that the page holds."""
    items: list[dict[str, Any]] = value_in(analyzed)["items"]
    return items


def value_in(analyzed: Analyzed) -> dict[str, Any]:
    """Return what the script of the page reads."""
    packed = re.findall(r'data-packed data-trial="items">([^<]*)<', page_of(analyzed))[0]
    value: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return value


@pytest.mark.parametrize("wanted", ["higher", "lower"])
def test_the_page_knows_which_scores_are_better(tmp_path: Path, wanted: Wanted) -> None:
    rows = [*results("a", "p", BASE), *results("b", "p", NEW)]
    analyzed = analysed(promptfoo_output(tmp_path / "out.json", rows), declared=Declared(wanted=wanted))
    assert value_in(analyzed)["lower"] is (wanted == "lower")


def test_the_page_shows_questions_and_answers_where_logs_have_them(tmp_path: Path) -> None:
    rows = [*results("a", "p", BASE), *results("b", "p", NEW)]
    path = promptfoo_output(tmp_path / "out.json", rows, vars={"q": "Which?"}, response={"output": "<this>"})
    (item, *_) = shown(analysed(path, texts=True))
    assert (item["q"], [answers[0][0] for answers in item["a"]]) == ("Which?", ["<this>", "<this>"])
    samples = inspect_samples(LETTERS_BASE)
    samples[0]["input"] = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"text": "And?"}]}]
    logs = [inspect_json(tmp_path / f"{name}.json", samples, name) for name in ("m", "n")]
    (item, *_) = shown(analysed(*logs, texts=True))
    assert (item["q"], item["g"], item["a"][1][0][0]) == ("And?", ["x"], "x")
    for name, scores in (("base", BASE), ("new", NEW)):
        lm_eval_samples(tmp_path / name, scores, filtered_resps=[f"{name} says"])
    (item, *_) = shown(analysed(tmp_path / "base", tmp_path / "new", texts=True))
    assert (item["q"], item["g"], item["a"][0][0][0], item["a"][1][0][0]) == ("q0", ["A"], "base says", "new says")


def test_texts_are_shown_only_on_request_and_are_truncated_and_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, scores in (("base", BASE), ("new", NEW)):
        lm_eval_samples(tmp_path / name, scores, filtered_resps=["x" * 3000])
    (item, *_) = shown(analysed(tmp_path))
    assert (item["q"], item["g"], item["a"][0][0][0], item["a"][1][0][0]) == ("", [], "score 1", "score 1")
    (item, *_) = shown(analysed(tmp_path, texts=True))
    assert item["a"][0][0][0] == "x" * 2000 + "…"
    monkeypatch.setattr("promptrial.comparison.elsewhere.analysing._MOST_TEXT", 5000)
    analyzed = analysed(tmp_path, texts=True)
    assert [bool(each["q"]) for each in shown(analyzed)] == [True] * 3 + [False] * 5
    assert "Questions and answers are shown for 3 items" in page_of(analyzed)


# --- HELM -----------------------------------------------------------------------------------------------------------


def test_runs_of_helm_are_compared_scenario_by_scenario(tmp_path: Path) -> None:
    for model, scores in (("org/base", BASE), ("org/new", NEW)):
        helm_run(tmp_path / "runs", model, scores)
        helm_run(tmp_path / "runs", model, scores[:4], "mmlu:subject=law")
    found = analysed(tmp_path).document
    assert found.arms == {"control": "org/base", "treatment": "org/new"}
    assert (found.n_items, found.n_groups) == (12, 2)
    assert list(means(found)) == pytest.approx([5 / 12, 9 / 12])
    assert [each.declared.label for each in found.measures] == ["exact_match"]
    assert "instances that HELM perturbed, passed over: 24" in found.notes


def test_texts_of_helm_are_shown_beside_its_scores(tmp_path: Path) -> None:
    for model, scores in (("org/base", BASE), ("org/new", NEW)):
        path = helm_run(tmp_path, model, scores)
        state = {
            "instance": {"id": "id0", "input": {"text": "Which bone?"}, "references": [
                {"output": {"text": "femur"}, "tags": ["correct"]}, {"output": {"text": "ulna"}, "tags": []}]},
            "result": {"completions": [{"text": f"{model} says femur"}]},
        }  # fmt: skip
        path.with_name("scenario_state.json").write_text(json.dumps({"request_states": [state]}))
    analyzed = analysed(tmp_path, texts=True)
    (item, *_) = shown(analyzed)
    assert (item["q"], item["g"], item["a"][1][0][0]) == ("Which bone?", ["femur"], "org/new says femur")
    path.with_name("scenario_state.json").write_text("{")
    assert any(
        text.startswith("the texts of HELM are left out") for text in analysed(tmp_path, texts=True).document.notes
    )


def test_requests_of_helm_have_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "scenario_state.json"
    path.write_text('{"adapter_spec": {}, "request_states": []}')
    said = refusal(DataError, lambda: analysed(path))
    assert "no scores" in said
    assert "per_instance_stats.json" in said
