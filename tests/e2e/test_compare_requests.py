"""What ``promptrial compare`` takes for the same model and the same requests: all that is sent, and how it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fake_provider import FakeProvider
from tests.support.project import Project

GATE = ("--condition", "control", "--gate", "f1 >= -0.01")
MODEL = {"id": "vendor/model-1"}
DIFFERING: list[tuple[str, dict[str, Any], str]] = [
    ("model", {"reasoning_effort": "high"}, 'reasoning_effort: "low" -> "high"'),
    ("model", {"reasoning_effort": None}, 'reasoning_effort: "low" -> missing'),
    ("model", {"thinking_budget": 2048}, "thinking_budget: missing -> 2048"),
    ("model", {"endpoint": "responses"}, 'endpoint: missing -> "responses"'),
    ("model", {"extra_body": {"presence_penalty": 0.5}}, "extra_body: missing -> "),
    ("model", {"think_tags": "as_answer"}, 'think_tags: missing -> "as_answer"'),
    ("decoding", {"sampling": "provider_default"}, 'sampling: missing -> "provider_default"'),
]


@pytest.fixture(autouse=True)
def _sends_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        FakeProvider,
        "understands",
        frozenset({"endpoint", "sampling", "reasoning_effort", "thinking_budget", "cache_prompt", "extra_body"}),
    )


def given(project: Project, run_id: str, **options: object) -> None:
    """Make a run whose model has some options besides a low effort; None takes one away."""
    model = {**MODEL, "reasoning_effort": "low", **options}
    project.write_config({"models": {"m1": {key: value for key, value in model.items() if value is not None}}})
    project.given_run(run_id=run_id)


def compared(project: Project, *flags: str, code: int) -> dict[str, Any]:
    outcome = project.call("compare", "a", "b", *GATE, *flags, "--json")
    assert outcome.code == code, outcome.err
    document: dict[str, Any] = json.loads(outcome.out)
    return document


@pytest.mark.parametrize(("aspect", "options", "said"), DIFFERING)
def test_models_with_different_request_options_are_refused_and_never_called_the_same(
    project: Project, aspect: str, options: dict[str, Any], said: str
) -> None:
    given(project, "a")
    given(project, "b", **options)
    refused = project.call("compare", "a", "b", *GATE)
    assert refused.code == 2
    assert f"{aspect} differs" in refused.err
    assert said in refused.err
    forced = compared(project, "--force", code=100)
    assert forced["pairs"][0]["forced"] == [aspect]
    assert forced["pairs"][0]["same_requests"] is False
    assert forced["gates"][0]["method"] != "same_requests"


def test_an_arm_with_its_own_model_is_compared_by_the_options_of_that_model(project: Project) -> None:
    for run_id, effort in (("a", "low"), ("b", "high")):
        models = {"m1": MODEL, "own": {"id": "vendor/model-2", "reasoning_effort": effort}}
        sets = {"main": {"control": "control.txt", "treatment": {"prompt": "treatment.txt", "model": "own"}}}
        project.write_config({"models": models, "prompt_sets": sets, "sweep": {"models": ["m1"]}})
        project.given_run(run_id=run_id)
    assert 'reasoning_effort: "low" -> "high"' in project.call("compare", "a", "b").err
    assert compared(project, code=0)["pairs"][0]["same_requests"] is True


def test_another_lifetime_of_the_prompt_cache_makes_different_requests_to_the_same_model(project: Project) -> None:
    given(project, "a")
    given(project, "b", cache_prompt="5m")
    assert compared(project, code=100)["pairs"][0]["same_requests"] is False


@pytest.mark.parametrize(("entry", "same"), [({"headers": {"x-beta": "on"}}, False), ({"account": "other"}, True)])
def test_different_headers_are_different_requests_and_a_different_account_is_not(
    project: Project, entry: dict[str, Any], same: bool
) -> None:
    given(project, "a")
    given(project, "b")
    config = project.run_root("b") / "effective_config.yaml"
    config.write_text(config.read_text() + json.dumps({"providers": {"fake": {"type": "fake", **entry}}})[1:-1] + "\n")
    assert compared(project, code=0 if same else 100)["pairs"][0]["same_requests"] is same


def test_an_id_from_the_environment_is_compared_as_it_was_sent(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id, model in (("a", "vendor/one"), ("b", "vendor/two")):
        monkeypatch.setenv("MODEL", model)
        project.write_config({"models": {"m1": {"id": "${MODEL}"}}})
        assert project.run(run_id=run_id).code == 0
    assert compared(project, code=100)["pairs"][0]["same_requests"] is False


def test_a_run_of_an_earlier_version_without_recorded_options_is_compared_by_its_texts(
    project: Project,
) -> None:
    given(project, "a")
    given(project, "b")
    path = project.trial_folder("b") / "results" / "trial_manifest.json"
    manifest = json.loads(path.read_text())
    for prompt in manifest["prompts"].values():
        del prompt["asked_with"]
    path.write_text(json.dumps(manifest))
    assert compared(project, code=0)["pairs"][0]["same_requests"] is True
