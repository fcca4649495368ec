"""How many tokens models take, as far as that is known without a call, and what a check says of longer requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrial.config.loading import load_config
from promptrial.design.trials import models_asked, trials_of
from promptrial.engine.checking import Checked, check_run
from promptrial.engine.contexts import known_context
from promptrial.engine.resolving import load_resolved
from promptrial.providers.embedded_engine import N_CTX
from tests.support.project import Project


def with_model(project: Project, provider: str | dict[str, Any], name: str) -> None:
    here: dict[str, Any] = {"provider": provider} if isinstance(provider, str) else {
        "provider": "here", "providers": {"here": provider},
    }  # fmt: skip
    project.write_config({**here, "models": {"m1": {"id": name}}, "pricing": None})


@pytest.mark.parametrize(
    ("provider", "name", "context"),
    [
        ("openai", "gpt-4o-mini", 128_000),
        ("anthropic", "claude-3-5-haiku-latest", 200_000),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", 131_072),
        ("openai", "gpt-of-nobody", None),
        ({"type": "ollama"}, "gpt-4o-mini", None),
        ({"type": "openai", "base_url": "https://models.example.com/v1"}, "gpt-4o-mini", None),
        ("embedded", "smollm2-135m-instruct", N_CTX),
    ],
    ids=str,
)
def test_the_known_context_applies_to_the_vendor_and_not_to_a_self_hosted_server(
    project: Project, provider: str | dict[str, Any], name: str, context: int | None
) -> None:
    with_model(project, provider, name)
    config = load_config(project.config, {}).experiment
    (model,) = models_asked(trials_of(config))
    assert known_context(config, {}, model) == context


def checked(project: Project) -> Checked:
    loaded, resolution = load_resolved(project.config, {}, {}, wrong_files=[])
    trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
    return check_run(loaded, trials, {}, resolution)


def test_a_check_names_requests_that_are_too_long_and_notes_those_that_may_be(project: Project) -> None:
    with_model(project, "openai", "gpt-4")
    rows = [
        {"id": "long", "question": "What of it?", "context": "some words " * 6000, "answers": ["x"]},
        {"id": "short", "question": "Why?", "context": "some words", "answers": ["x"]},
    ]
    (project.root / "config" / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = checked(project)
    said = [text for text in found.problems if "does not fit" in text]
    assert len(said) == 2
    assert said[0].startswith("datasets.closed_set: item 'long' does not fit: for the arm control of m1-main")
    assert "models.m1 takes 8,192 in total" in said[0]
    rows[0]["context"] = "some words " * 3000
    (project.root / "config" / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = checked(project)
    assert not any("does not fit" in text for text in found.problems)
    assert sum("item 'long' may not fit" in text for text in found.notes) == 2
    with_model(project, {"type": "ollama"}, "gpt-4")
    assert sum("the context length of models.m1 is not known" in text for text in checked(project).notes) == 2
