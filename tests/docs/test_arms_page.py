"""The page about arms: its example is a configuration that loads, with the arms that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from promptrial.config.loading import load_config
from promptrial.design.trials import trials_of
from tests.support.configs import base

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
