"""``promptrial analyze`` as a command: what it prints and writes, its exit codes, and how it answers typos."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from promptrial.cli.main import main
from promptrial.documents import significance
from tests.support.result_files import write_json_lines
from tests.support.schemas import validate

ROOT = Path(__file__).parents[2]
LONG = ROOT / "docs/examples/scores/long.csv"
WIDE = ROOT / "docs/examples/scores/wide.jsonl"
"""Without groups and clusters."""
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/schemas/analyze.schema.json").read_text())


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main(["analyze", *map(str, arguments)])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_verdict_comes_first_and_no_line_is_wider_than_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, LONG, "--binary", "--higher_is_better")
    assert code == 0
    assert out.startswith("new beats base on score: 68.3% against 40.0%, +28.3 points (95% CI ")
    assert max(map(len, out.splitlines())) <= 80
    assert "Mean over groups" in out
    assert "Effects by group, new minus base (exploratory)" in out
    assert "Scale inferred" not in out
    assert "Warning: Scale inferred: score is assumed to be 0 or 1" in " ".join(call(capsys, LONG)[1].split())


def test_out_holds_a_page_the_statistics_and_the_digests_of_what_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a/first", tmp_path / "second"
    for folder in (first, second):
        assert call(capsys, LONG, "--out", folder)[0] == 0
    names = sorted(path.name for path in first.iterdir())
    assert names == ["analysis.json", "report.html", "significance.json"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    found = json.loads((first / "analysis.json").read_text())
    validate(found, SCHEMA)
    assert found["inputs"] == [
        {"file": "long.csv", "format": "table", "size": LONG.stat().st_size,
         "sha256": hashlib.sha256(LONG.read_bytes()).hexdigest()}
    ]  # fmt: skip
    row = significance.decode((first / "significance.json").read_bytes()).endpoints[0]
    assert (row.compared.treatment, row.n_pairs) == ("treatment", 60)
    page = (first / "report.html").read_text()
    assert "is higher than base on score" in page
    assert "data-packed" in page
    assert str(tmp_path) not in page


def test_missing_scores_are_reported_without_a_temperature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["id,a,b"] + [f"{n},{n % 2},{'' if n < 20 else 1}" for n in range(60)]
    source = tmp_path / "scores.csv"
    source.write_text("\n".join(lines) + "\n")
    code, out, err = call(capsys, source, "--out", tmp_path / "made")
    assert code == 0, err
    assert "score, missing answers counted as failures: " in " ".join(out.split())
    assert "temperature" not in out
    assert "temperature 0" not in (tmp_path / "made" / "report.html").read_text()


def test_json_is_what_out_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, WIDE, "--json", "--out", tmp_path)
    assert out == (tmp_path / "analysis.json").read_text()


def test_the_results_of_a_run_are_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "significance.json").write_text("{}")
    code, out, err = call(capsys, WIDE, "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "so it was not written by an analysis" in err
    assert (tmp_path / "significance.json").read_text() == "{}"


def test_names_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PRIMARY", "acc"), ("ARMS", "base,new"), ("CONTROL", "new")):
        monkeypatch.setenv(f"PROMPTRIAL_{name}", value)
    code, out, err = call(capsys, WIDE)
    assert (code, err) == (0, "")
    assert out.startswith("base is lower than new on acc: ")


def test_a_gate_passes_or_the_exit_code_is_100(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, WIDE, "--binary", "--gate", "acc >= -0.05")[0] == 0
    code, out, err = call(capsys, LONG, "--binary", "--gate", "score >= -0.05; score@geography >= 0.2")
    assert code == 100
    assert "failed" in out
    assert err.startswith("gate score@geography >= 0.2, treatment vs control: failed: ")
    code, _, err = call(capsys, LONG, "--gate", "scor >= 0")
    assert (code, "did you mean 'score'?" in err) == (2, True)
    code, _, err = call(capsys, LONG, "--gate", "score@biology >= 0")
    assert (code, "known: dataset=chemistry, dataset=geography" in err) == (2, True)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.3])
def test_alpha_is_the_level_of_tests_and_intervals_alike(capsys: pytest.CaptureFixture[str], alpha: float) -> None:
    code, out, _ = call(capsys, LONG, "--binary", "--alpha", alpha, "--json")
    [row, *_] = json.loads(out)["significance"]["endpoints"]
    assert code == 0
    assert (row["p"] <= alpha) == row["significant"] == (row["ci_low"] > 0 or row["ci_high"] < 0)
    [sentence] = json.loads(out)["verdict"]["sentences"]
    assert f"({100 - 100 * alpha:g}% CI " in sentence
    assert "tested at level" not in sentence


def test_a_margin_needs_a_declared_scale(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, WIDE, "--margin", "0.05")
    assert code == 2
    assert "--margin needs a declared scale" in err
    assert "--binary" in err
    _, out, _ = call(capsys, WIDE, "--margin", "0.9", "--binary", "--control", "new", "--json")
    found = json.loads(out)["significance"]
    assert {each["hypothesis"] for each in found["tests"]} == {"difference", "equivalence"}
    assert call(capsys, WIDE, "--margin", "1", "--binary")[0] == 2
    assert "--binary and --range cannot be combined" in call(capsys, WIDE, "--range", "0:1", "--binary")[2]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--controll", "base"], "did you mean --control?"),
        (["--control", "bass"], "did you mean 'base'?"),
        (["--primary", "scor"], "did you mean 'score'?"),
        (["--item", "itm"], "did you mean 'item'?"),
        (["--format", "lmeval"], "did you mean 'lm_eval'?"),
        (["--duplicates", "men"], "did you mean 'mean'?"),
        (["--range", "1:0"], "expected the lowest and the highest score, such as 0:1"),
        (["--arms", "base"], "there is only one arm (base)"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    code, out, err = call(capsys, LONG, *typed)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_hostile_names_are_shown_and_have_no_effect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "<script>alert(1)</script>\x1b[31m"
    rows = [{"item": f"{bad}{n}", "arm": arm, "score": n % 2} for n in range(8) for arm in (bad, "new")]
    path = write_json_lines(tmp_path / "t.jsonl", rows)
    code, out, _ = call(capsys, path, "--out", tmp_path / "out")
    assert code == 0
    assert "\x1b" not in out
    page = (tmp_path / "out/report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page


def test_the_interval_of_the_mean_over_groups_stays_within_possible_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["id,group,a,b", "0,x,0,10", "1,x,0,10", "2,x,10,0", "3,y,0,10", "4,y,0,10", "5,y,10,10"]
    source = tmp_path / "scores.csv"
    source.write_text("\n".join(lines) + "\n")
    code, out, err = call(capsys, source, "--range", "0:10", "--control", "a", "--json")
    assert code == 0, err
    (row,) = json.loads(out)["groups"]
    assert row["difference"] == pytest.approx(5.0)
    assert row["difference"] + 2 * row["se"] > 10
    assert (row["ci_high"], row["reason"]) == (10.0, None)
    assert -10 <= row["ci_low"] < 0
