"""``promptrial compare`` on real runs: what it refuses, what it says, and which gates pass."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from promptrial import registry
from promptrial.engine import providers
from tests.support import fake_provider
from tests.support.project import Outcome, Project
from tests.support.schemas import validate

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / "compare.schema.json").read_text())
SLUG = "m1-main-tp1-tk50-mx64-64"


def compared(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    outcome = project.call("compare", *arguments, "--json")
    assert outcome.code == code, outcome.err
    document: dict[str, Any] = json.loads(outcome.out)
    validate(document, SCHEMA)
    return document


def refused(project: Project, *arguments: str) -> Outcome:
    outcome = project.call("compare", *arguments)
    assert outcome.code == 2, outcome.err
    assert not outcome.out
    return outcome


@pytest.fixture
def two(project: Project) -> Project:
    """Runs ``a`` and ``b``, which differ in the treatment prompt alone."""
    project.given_run(run_id="a")
    (project.root / "config" / "treatment.txt").write_text("Think twice, and be accurate.\n")
    project.given_run(run_id="b")
    return project


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_run_compared_with_itself_differs_in_nothing_and_passes_every_gate_with_a_margin(project: Project) -> None:
    project.given_run(run_id="a")
    gates = [
        flag
        for metric in registry.DEFAULT_PACK
        for gate in (f"{metric} >= -0.001", f"{metric} <= 0.001", f"{metric}@open >= -0.001")
        for flag in ("--gate", gate)
    ]
    found = compared(project, "a", "a", "--condition", "both", *gates)
    assert len(found["gates"]) == 2 * 3 * len(registry.DEFAULT_PACK)
    scored = [gate for gate in found["gates"] if gate["n_pairs"]]
    assert all(gate["passed"] and gate["difference"] == 0 for gate in scored)
    assert all(gate["metric"] == "em" or gate["n_pairs"] for gate in found["gates"])
    assert [pair["condition"] for pair in found["pairs"]] == ["control", "treatment"]
    for pair in found["pairs"]:
        assert pair["same_requests"] is True
        assert all(row["difference"] == 0 for row in pair["significance"]["endpoints"] if row["n_pairs"])
        assert [(row["n_fixed"], row["n_broken"]) for row in pair["changes"]] == [(0, 0)]
        assert pair["a"]["cost"] == pair["b"]["cost"]


def test_two_prompts_are_compared_over_all_items_and_nothing_is_written(two: Project) -> None:
    before = two.snapshot("a") | {f"b/{path}": digest for path, digest in two.snapshot("b").items()}
    found = compared(two, "a", "b")
    assert found["passed"] is None
    assert found["configuration"]
    (pair,) = found["pairs"]
    assert pair["same_requests"] is False
    assert pair["a"]["prompt_sha256"] != pair["b"]["prompt_sha256"]
    assert pair["items"] == {"common": 14, "changed": 0, "only_a": 0, "only_b": 0}
    em = next(row for row in pair["significance"]["endpoints"] if row["metric"] == "em")
    assert em["n_pairs"] == 14
    (changes,) = pair["changes"]
    assert em["difference"] == pytest.approx((changes["n_fixed"] - changes["n_broken"]) / 14)
    assert len(changes["fixed"]) == changes["n_fixed"]
    assert pair["significance"]["attrition"]["control"]["answered"] == 14
    costs = json.loads((two.trial_folder("b") / "results" / "costs.json").read_text())
    assert pair["b"]["cost"]["usd"] == costs["conditions"]["treatment"]["usd"]
    text = two.call("compare", "a", "b").out
    assert "Items that changed in Exact match" in text
    assert "prompt_sets.main.treatment" in text
    after = two.snapshot("a") | {f"b/{path}": digest for path, digest in two.snapshot("b").items()}
    assert after == before


def test_alpha_is_the_level_of_tests_and_intervals_alike(two: Project) -> None:
    [pair] = compared(two, "a", "b", "--alpha", "0.2")["pairs"]
    assert (pair["significance"]["settings"]["alpha"], pair["significance"]["settings"]["confidence"]) == (0.2, 0.8)
    for row in pair["significance"]["endpoints"]:
        if row["p"] is not None and row["ci_low"] is not None and row["ci_high"] is not None:
            assert (row["p"] <= 0.2) == (row["ci_low"] > 0 or row["ci_high"] < 0)
    assert "80% CI" in two.call("compare", "a", "b", "--alpha", "0.2").out


def test_exchanging_the_runs_negates_every_difference(two: Project) -> None:
    forward, backward = (compared(two, *order)["pairs"][0] for order in (("a", "b"), ("b", "a")))
    for one, other in zip(forward["significance"]["endpoints"], backward["significance"]["endpoints"], strict=True):
        assert one["metric"] == other["metric"]
        assert one["difference"] is other["difference"] or one["difference"] == pytest.approx(-other["difference"])
        assert one["p"] == other["p"]
    assert forward["changes"][0]["fixed"] == backward["changes"][0]["broken"]
    assert forward["changes"][0]["fixed"] or forward["changes"][0]["broken"], "the prompts make a difference"


def test_the_control_arm_of_both_sent_the_same_requests(two: Project) -> None:
    (pair,) = compared(two, "a", "b", "--condition", "control", "--gate", "f1 >= -0.01")["pairs"]
    assert pair["same_requests"] is True


@pytest.mark.parametrize(("name", "same"), [("account", True), ("api", False)])
def test_another_account_is_the_same_request_and_another_address_is_not(two: Project, name: str, same: bool) -> None:
    path = two.run_root("b") / SLUG / "results" / "trial_manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"engine": manifest["engine"] | {name: "other"}}))
    outcome = two.call("compare", "a", "b", "--condition", "control", "--gate", "f1 >= -0.01", "--json")
    assert json.loads(outcome.out)["pairs"][0]["same_requests"] is same


def test_the_requests_of_a_migrated_run_count_as_unknown(two: Project) -> None:
    path = two.run_root("b") / "run_state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"migrated": True}))
    gate = ("--condition", "control", "--gate", "f1 >= -0.01")
    assert compared(two, "a", "b", *gate, code=100)["pairs"][0]["same_requests"] is False
    assert compared(two, "b", "b", *gate)["pairs"][0]["same_requests"] is True


DIFFERING: list[tuple[str, dict[str, Any], str]] = [
    ("items", {"limit_items": 3}, "6 items are the same in both"),
    ("scorer", {"scoring": {"extra_refusals": ["no idea"]}}, "scoring.extra_refusals"),
    ("model", {"models": {"m1": {"id": "vendor/model-2"}}}, 'id: "vendor/model-1" -> "vendor/model-2"'),
    ("decoding", {"temps": [0.0, 0.7]}, "temps: [0.0] -> [0.0, 0.7]"),
    ("decoding", {"seed": 7}, "seed: 20260101 -> 7"),
    ("decoding", {"stop": ["END"]}, 'stop: [] -> ["END"]'),
    ("decoding", {"samples_per_item": 2}, "samples_per_item.0.0: 1 -> 2"),
]


@pytest.mark.parametrize(("aspect", "change", "said"), DIFFERING)
def test_runs_that_cannot_be_compared_are_refused_by_name_and_digest_unless_forced(
    project: Project, aspect: str, change: dict[str, Any], said: str
) -> None:
    project.given_run(run_id="a")
    project.write_config(change)
    project.given_run(run_id="b")
    outcome = refused(project, "a", "b", "--gate", "em >= -1")
    assert f"{aspect} differ" in outcome.err
    assert "SHA-256" in outcome.err
    assert said in outcome.err
    assert "--force" in outcome.err
    others = {"items", "scorer", "model", "decoding"} - {aspect}
    if "seed" not in change:  # a seed also chooses the items
        assert not [other for other in others if f"{other} differ" in outcome.err]
    found = compared(project, "a", "b", "--force")
    (pair,) = found["pairs"]
    assert aspect in pair["forced"]
    assert {each["aspect"]: each["same"] for each in pair["agreements"]}[aspect] is False
    assert f"compared despite a difference (--force): {aspect}" in project.call("compare", "a", "b", "--force").out
    em = next(row for row in pair["significance"]["endpoints"] if row["metric"] == "em")
    assert em["n_pairs"] == pair["items"]["common"] == (6 if aspect == "items" else 14)
    assert {row["temp"] for row in pair["significance"]["endpoints"]} == {0.0}


def test_an_item_whose_text_changed_is_not_paired(project: Project) -> None:
    project.given_run(run_id="a")
    closed = project.root / "config" / "closed.jsonl"
    closed.write_text(closed.read_text().replace("Question 3?", "Another question?"))
    project.given_run(run_id="b")
    assert "1 have the same id but differ" in refused(project, "a", "b").err
    (pair,) = compared(project, "a", "b", "--force")["pairs"]
    assert pair["items"] == {"common": 13, "changed": 1, "only_a": 0, "only_b": 0}


@pytest.mark.parametrize(("lost", "said"), [(range(10, 22), None), (range(8, 22), "0 of 10 (0.0%) for B")])
def test_missing_answers_are_those_of_the_items_compared(project: Project, lost: range, said: str | None) -> None:
    def asks(n: int, run: str) -> None:
        items = [{"id": f"c{at}", "question": f"Question {at}?", "answers": ["Paris", "1912"]} for at in range(n)]
        (project.root / "config/closed.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))
        project.write_config({"datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}}})
        assert project.run(run_id=run).code == 0

    fake_provider.FAILING.update(f"closed__set-c{at}-t-0-0-c" for at in lost)
    asks(40, "a")
    fake_provider.FAILING.clear()
    asks(10, "b")
    [pair] = compared(project, "a", "b", "--force")["pairs"]
    n_lost = sum(at < 10 for at in lost)
    a, b = (pair["significance"]["attrition"][side] for side in ("control", "treatment"))
    assert (a["expected"], a["answered"], a["missing"]) == (10, 10 - n_lost, n_lost)
    assert (b["expected"], b["answered"], b["missing"]) == (10, 10, 0)
    assert sum(a["reasons"].values()) == n_lost
    row = next(row for row in pair["significance"]["endpoints"] if row["metric"] == "em" and row["scope"] == "overall")
    assert (row["n_items"], row["n_pairs"]) == (10, 10 - n_lost)
    warnings = [each["text"] for each in pair["verdict"]["warnings"] if each["kind"] == "missing"]
    assert [said in each for each in warnings] == ([] if said is None else [True])


def test_runs_without_an_item_or_a_temperature_in_common_are_refused_even_by_force(project: Project) -> None:
    project.given_run(run_id="a")
    project.write_config({"temps": [0.7]})
    assert project.run(run_id="hot").code == 0
    assert "no temperature in common" in refused(project, "a", "hot", "--force").err
    for name in ("open.json", "closed.jsonl"):
        path = project.root / "config" / name
        path.write_text(path.read_text().replace("uestion", "uery").replace("What of", "What about"))
    closed = project.root / "config" / "closed.jsonl"
    closed.write_text(
        "".join(json.dumps({"id": f"d{n}", "question": "Why?", "answers": ["x"]}) + "\n" for n in range(3))
    )
    project.write_config({"datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}}})
    assert project.run(run_id="other").code == 0
    assert "no item is the same" in refused(project, "a", "other", "--force").err


def test_trials_are_matched_by_name_or_named(project: Project) -> None:
    project.given_run("--prompt_sets", "main,other", run_id="a")
    assert project.run("--prompt_sets", "other", run_id="b").code == 0
    other = SLUG.replace("main", "other")
    found = compared(project, "a", "b")
    assert [(pair["a"]["trial"], pair["b"]["trial"]) for pair in found["pairs"]] == [(other, other)]
    assert (found["unmatched_a"], found["unmatched_b"]) == ([SLUG], [])
    named = compared(project, "a", "a", "--trial_a", SLUG, "--trial_b", other, "--gate", "em >= -1")
    assert [(pair["a"]["trial"], pair["b"]["trial"]) for pair in named["pairs"]] == [(SLUG, other)]
    assert (named["gates"][0]["trial_a"], named["gates"][0]["trial_b"]) == (SLUG, other)
    assert project.run("--prompt_sets", "main", run_id="c").code == 0
    assert f"--trial_a {other} --trial_b {SLUG}" in refused(project, "b", "c").err
    assert "give both" in refused(project, "a", "b", "--trial_a", SLUG).err
    assert "its trials" in refused(project, "a", "b", "--trial_a", "nothing", "--trial_b", other).err


def test_a_trial_that_was_removed_from_a_run_is_ignored(two: Project) -> None:
    left = two.run_root("b") / "left-behind" / "results"
    left.mkdir(parents=True)
    (left / "trial_manifest.json").write_text("{}")
    found = compared(two, "a", "b")
    assert (len(found["pairs"]), found["unmatched_b"]) == (1, [])


def test_a_missing_or_unanalysed_run_is_refused_with_what_to_do(project: Project) -> None:
    project.given_run(run_id="a")
    assert "known runs: a" in refused(project, "a", "b").err
    assert project.run("--to_step", "score", run_id="b").code == 0
    assert "promptrial run --run_id b --resume" in refused(project, "a", "b").err
    assert project.run("--to_step", "stats", "--resume", run_id="b").code == 0
    assert compared(project, "a", "b")["pairs"][0]["b"]["cost"] is None
    assert project.run("--condition", "control", run_id="one").code == 0
    assert "has no treatment arm" in refused(project, "a", "one").err
    assert compared(project, "a", "one", "--condition", "control")["pairs"][0]["same_requests"] is True


@pytest.mark.parametrize(
    "name",
    [
        f"{SLUG}/results/per_item_scores.parquet",
        f"{SLUG}/results/significance.json",
        f"{SLUG}/results/costs.json",
        "prepared/open_book.jsonl",
        "effective_config.yaml",
    ],
)
def test_a_damaged_file_is_named_and_never_compared(project: Project, name: str) -> None:
    project.given_run(run_id="a")
    (project.run_root("a") / name).write_bytes(b"\xff{")
    outcome = project.call("compare", "a", "a")
    assert outcome.code == 1
    assert Path(name).name in outcome.err
    assert "promptrial run --run_id a --resume" in outcome.err


@pytest.mark.parametrize("gate", ["em > 0", "accuracy >= 0", "em >= 2", "em@nowhere >= 0", "em >= -0.01; f1"])
def test_a_bad_gate_is_a_usage_error_that_says_what_is_allowed(two: Project, gate: str) -> None:
    outcome = refused(two, "a", "b", "--gate", gate)
    assert ("closed_set" if "@" in gate else "2" if gate.endswith("2") else "abstain_rate") in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("flags", [("--alpha", "0.5"), ("--alpha", "x"), ("--junit", "x.xml")])
def test_other_bad_flags_are_usage_errors(two: Project, flags: tuple[str, ...]) -> None:
    refused(two, "a", "b", *flags)


def test_gates_may_come_from_the_environment(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTRIAL_GATE", "em >= -1; f1@closed <= 1")
    found = compared(two, "a", "b")
    assert [gate["gate"] for gate in found["gates"]] == ["em >= -1", "f1@closed <= 1"]


def test_a_gate_that_cannot_be_estimated_fails_and_says_so(two: Project) -> None:
    """Every answer to an unanswerable question is a false one here, so that nothing varies, and there are but three."""
    outcome = two.call("compare", "a", "b", "--gate", "false_answer_rate@closed <= 0.5")
    assert outcome.code == 100
    assert "not estimable" in outcome.err
    assert "failed" in outcome.out


def test_the_files_show_the_same_as_the_screen(two: Project) -> None:
    gates = ("--gate", "em >= -0.9", "--gate", "em >= 0.9", "--gate", "f1 <= 0.95")
    files = ("--junit", "out/gates.xml", "--markdown", "out/compare.md")
    outcome = two.call("compare", "a", "b", *gates, *files)
    assert outcome.code == 100
    suites = ET.fromstring((two.root / "out" / "gates.xml").read_bytes())  # noqa: S314 - our own
    assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "3", "1")
    cases = suites.findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == [
        f"{gate} (treatment, temp 0)" for gate in ("em >= -0.9", "em >= 0.9", "f1 <= 0.95")
    ]
    failures = [case.find("failure") for case in cases]
    assert [failure is not None for failure in failures] == [False, True, False]
    assert failures[1] is not None
    assert "lower limit" in (failures[1].text or "")
    page = (two.root / "out" / "compare.md").read_text()
    (sentence,) = compared(two, "a", "b")["pairs"][0]["verdict"]["sentences"]
    assert outcome.prose.startswith(sentence)
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert f"**{sentence}**" in page.replace("\\", "")
    assert "(dry run)" not in outcome.out
    assert "dry_run" not in json.loads((two.trial_folder("a") / "results" / "significance.json").read_text())
    assert page.startswith("# B, run b, compared with A, run a\n")
    assert "1 of 3 gates failed" in page
    assert "| em &gt;= 0.9 " in page
    assert "f1 <= 0.95 limits how much better B may be" in outcome.prose
    again = two.call("compare", "a", "b", *gates, *files)
    assert (again.out, page) == (outcome.out, (two.root / "out" / "compare.md").read_text())


def test_the_script_is_the_same_program(two: Project) -> None:
    command = [sys.executable, "-m", "scripts.compare_runs", "a", "b", "--gate", "em >= 1", "--experiments-dir"]
    outcome = subprocess.run(
        [*command, str(two.root / "experiments")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 100, outcome.stderr
    assert "gate em >= 1: failed" in outcome.stderr


def dry(project: Project, monkeypatch: pytest.MonkeyPatch, run_id: str, accuracy: float) -> None:
    """Make a dry run in which the oracle is right as often as said."""
    monkeypatch.setattr(providers, "_DRY_SETTINGS", replace(providers._DRY_SETTINGS, accuracy=accuracy, effect=0.0))
    outcome = project.run("--dry_run", run_id=run_id)
    assert outcome.code == 0, outcome.err


def test_gates_pass_and_fail_as_they_should_on_dry_runs_of_the_oracle(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = [{"id": f"c{n}", "question": f"Question {n}?", "answers": ["Paris"]} for n in range(120)]
    (project.root / "config" / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in closed))
    project.write_config({"provider": "fireworks", "pricing": None, "models": {"m1": {"id": "accounts/f/models/m"}}})
    for run_id, accuracy in (("base", 0.6), ("better", 0.8), ("worse", 0.4)):
        dry(project, monkeypatch, run_id, accuracy)
    gates = ("--gate", "em >= -0.05", "--gate", "em@closed >= -0.05", "--gate", "f1 >= -0.05")
    better = compared(project, "base", "better", *gates)
    assert better["passed"] is True
    assert {gate["method"] for gate in better["gates"]} <= {"exact_unconditional", "sign_flips", "sign_flips_score"}
    assert better["pairs"][0]["a"]["dry_run"] is True
    assert better["pairs"][0]["changes"][0]["n_broken"] == 0 < better["pairs"][0]["changes"][0]["n_fixed"]
    worse = compared(project, "base", "worse", *gates, code=100)
    assert worse["passed"] is False
    assert not any(gate["passed"] for gate in worse["gates"])
    assert all(gate["limit"] < -0.05 < 0.05 < (gate["p"] or 0) for gate in worse["gates"])
    assert compared(project, "base", "worse", "--gate", "em >= -0.5")["passed"] is True, "within a margin that wide"
    gated = project.call("compare", "base", "worse", "--gate", "em >= -0.9")
    assert gated.out.startswith("Dry run: B is worse than A on exact match: ")
    assert "Warning: Dry run: the answers in both runs came from an emulator; these figures say nothing" in gated.prose
    assert "dry run: all gates passed (1)" in gated.out
    assert re.search(r"^em >= -0.9 .* passed \(dry run, same requests\)$", gated.out, re.MULTILINE)
    for name in ("significance.json", "costs.json"):
        assert json.loads((project.trial_folder("base") / "results" / name).read_text())["dry_run"] is True
