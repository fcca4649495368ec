"""``promptrial audit``: as a user has it, on the shipped prompts and on prompts that fail its checks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import MissingDependencyError
from promptrial.providers.embedded import EmbeddedProvider
from tests.support.project import Project
from tests.support.schemas import validate

ROOT = Path(__file__).parents[2]
TREATMENT = 'Be accurate. If you do not know, reply exactly "I don\'t know."'


def audited(project: Project, *flags: str, code: int = 0) -> dict[str, Any]:
    outcome = project.call("audit", "--json", *flags)
    assert outcome.code == code, outcome.err
    document: dict[str, Any] = json.loads(outcome.out)
    validate(document, json.loads((ROOT / "docs" / "schemas" / "audit.schema.json").read_text()))
    assert document["passed"] == (code == 0)
    assert outcome.err.count("check failed: ") == len(document["problems"])
    return document


def with_filler(project: Project, text: str, **changes: Any) -> None:
    (project.root / "config" / "length_matched.txt").write_text(text + "\n")
    prompt_sets = {
        "default": {"control": "control.txt", "treatment": "treatment.txt"},
        "filler": {"control": "control.txt", "treatment": "length_matched.txt"},
    }
    project.write_config({"prompt_sets": prompt_sets, "sweep": None, **changes})


def test_an_audit_makes_no_run_and_asks_nothing(project: Project) -> None:
    before = {path.name for path in project.root.rglob("*")}
    document = audited(project)
    (model,) = document["models"]
    assert (model["model"], model["provider"], model["tokenizer"], model["exact"]) == ("m1", "fake", "m1's own", True)
    (main, other) = model["prompt_sets"]
    assert main["arms"]["control"]["tokens"] == 5
    assert main["more_tokens"] == len(TREATMENT.split()) - 5
    assert main["usd_per_1000_items"] == pytest.approx(main["more_tokens"] / 1000)
    assert other["prompt_set"] == "other"
    assert {path.name for path in project.root.rglob("*")} == before


def test_a_filler_of_the_wrong_length_fails_the_audit_and_one_of_the_right_length_passes(
    project: Project,
) -> None:
    with_filler(project, "Far too short.")
    document = audited(project, code=100)
    assert document["models"][0]["length_matches"][0]["passed"] is False
    text = project.call("audit")
    assert text.code == 100
    row = next(line for line in text.out.splitlines() if line.startswith("length_matched.txt"))
    assert row.split() == ["length_matched.txt", "3", "treatment.txt", "12", "0.250", "failed"]
    assert "Prompts of small: 1 check failed" in text.out
    assert "length_matched.txt has 3 tokens and treatment.txt 12 for m1" in text.err
    with_filler(project, " ".join(["word"] * 12))
    audited(project)
    assert "Prompts of small: all checks passed" in project.call("audit").out
    with_filler(project, " ".join(["word"] * 11))
    audited(project, code=100)
    audited(project, "--tolerance", "0.1")
    audited(project, "--match_to", "nonesuch", code=100)


@pytest.mark.parametrize("share", ["-0.1", "1", "much"])
def test_a_tolerance_must_be_a_share(project: Project, share: str) -> None:
    assert project.call("audit", f"--tolerance={share}").code == 2


def test_a_wrong_configuration_is_a_usage_error_and_not_a_failed_check(project: Project) -> None:
    (project.root / "config" / "treatment.txt").unlink()
    outcome = project.call("audit")
    assert outcome.code == 2
    assert "treatment.txt" in outcome.err
    assert project.call("audit", "--config", "nowhere.yaml").code == 2


def test_a_hosted_model_needs_no_key_and_without_any_tokenizer_there_is_a_named_estimate(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> int:
        raise MissingDependencyError("not installed")

    monkeypatch.setattr(EmbeddedProvider, "count_tokens", missing)
    monkeypatch.delenv("FIREWORKS_API_KEY", raising=False)
    with_filler(project, TREATMENT, provider="fireworks", pricing=None)
    document = audited(project, code=100)
    (model,) = document["models"]
    assert model["tokenizer"] == "none; estimated at 4 bytes per token"
    assert model["exact"] is False
    assert model["prompt_sets"][0]["arms"]["treatment"]["tokens"] == -(-len(TREATMENT) // 4)
    assert model["prompt_sets"][0]["usd_per_1000_items"] is None
    assert model["length_matches"][0]["passed"] is None
    assert "only an estimate" in document["problems"][0]


@pytest.mark.engine
def test_the_shipped_prompts_pass_under_the_embedded_tokenizer_and_the_documented_counts_hold(
    project: Project,
) -> None:
    for name in ("config", "data"):
        shutil.copytree(ROOT / name, project.root / "shipped" / name)
    document = audited(project, "--config", "shipped/config/eval_config.yaml")
    (model,) = document["models"]
    assert model["exact"]
    tokens = {each["prompt_set"]: each["arms"]["treatment"]["tokens"] for each in model["prompt_sets"]}
    assert tokens["default"] == tokens["length_matched_random"] == tokens["length_matched_best_practices"] == 320
    assert [match["passed"] for match in model["length_matches"]] == [True, True]
    hosted = audited(project, "--config", "shipped/config/eval_config.fireworks.yaml")["models"][0]
    assert hosted["tokenizer"] == "that of smollm2-135m-instruct, instead of the model's own"
    assert (hosted["exact"], hosted["prompt_sets"][0]["more_tokens"]) == (False, 301)
