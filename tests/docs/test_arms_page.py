"""The page about arms: its example is a configuration that loads, with the arms that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from promptrial.config.loading import load_config
from promptrial.design.trials import trials_of
from tests.support import fake_provider
from tests.support.configs import base
from tests.support.project import Project

PAGE = Path(__file__).parents[2] / "docs" / "prompts.md"


def test_the_example_loads_with_the_arms_that_it_shows(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    example = yaml.safe_load(block[1])
    texts = {"plain_open.txt": "Plainly: {context} {question}", "open.txt": "{context} {question}"}
    for name in ("prompts/control.txt", "prompts/operational_only.txt", "plain_closed.txt", "closed.txt", *texts):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts.get(name, "{question}"))
    config = tmp_path / "eval.yaml"
    config.write_text(yaml.safe_dump(base() | example, sort_keys=False))
    (trial,) = trials_of(load_config(config, {}).experiment)
    assert [arm.name for arm in trial.arms] == ["control", "rules", "brief", "big", "plain"]
    assert [arm.model.alias for arm in trial.arms] == ["small", "small", "small", "other", "small"]
    assert trial.arm("brief").prompt.text == "Answer in one word."
    assert trial.arm("plain").templates != trial.arm("rules").templates


def test_a_resume_keeps_to_the_named_arms_until_all_are_asked_for_as_the_page_says(project: Project) -> None:
    page = " ".join(PAGE.read_text().split())
    assert "A resume without the flag keeps to them." in page
    assert "needs `--arms` with all names, or `--condition both`, and `--force`" in page
    assert project.run("--arms", "control", "--to_step", "poll").code == 0
    half = fake_provider.CALLS.total()
    assert project.run("--resume", "--to_step", "poll").code == 0
    assert fake_provider.CALLS.total() == half
    both = ("--resume", "--condition", "both", "--to_step", "poll")
    assert project.run(*both).code == 3
    outcome = project.run(*both, "--force")
    assert outcome.code == 0, outcome.err
    assert fake_provider.CALLS.total() == 2 * half
    assert set(fake_provider.CALLS.values()) == {1}
