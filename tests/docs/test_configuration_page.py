"""The page about the configuration: the minimal one that it begins with runs on the embedded model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from promptrial.config.loading import load_config
from promptrial.errors import ConfigError
from tests.support.project import Project

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture
def minimal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a folder with the example of the page and the files that it names."""
    block = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.yaml").write_text(block[1])
    (tmp_path / "control.txt").write_text("You are careful.\n")
    (tmp_path / "treatment.txt").write_text("Answer in one word.\n")
    (tmp_path / "questions.csv").write_text("question,answer\nWhat is the capital of France?,Paris\n")
    return Project(tmp_path)


@pytest.mark.engine
def test_the_minimal_configuration_runs_to_its_report_and_resumes_with_nothing_to_do(minimal: Project) -> None:
    outcome = minimal.call("run", "--config", "trial.yaml", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    assert "primary endpoint: includes" in outcome.err
    assert "Cost: 0 USD" in outcome.out
    assert (minimal.trial_folder() / "reports" / "report.md").exists()
    (minimal.root / "questions.csv").unlink()
    again = minimal.call("run", "--config", "trial.yaml", "--run_id", "r", "--resume")
    assert (again.code, "nothing was left to do" in again.err) == (0, True), again.err


@pytest.mark.parametrize("action", ["show", "check"])
def test_the_commands_of_the_page_accept_the_minimal_configuration(minimal: Project, action: str) -> None:
    outcome = minimal.call("config", action, "--config", "trial.yaml")
    assert outcome.code == 0, outcome.out + outcome.err
    assert f"promptrial config {action} --config trial.yaml\n" in PAGE.read_text()


def test_no_key_of_the_minimal_configuration_can_be_left_out(minimal: Project) -> None:
    text = (minimal.root / "trial.yaml").read_text()
    for key in yaml.safe_load(text):
        less = {name: value for name, value in yaml.safe_load(text).items() if name != key}
        (minimal.root / "less.yaml").write_text(yaml.safe_dump(less))
        with pytest.raises(ConfigError, match=f"{key}: this key is required"):
            load_config(minimal.root / "less.yaml", {})
