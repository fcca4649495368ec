"""The page about Python: its code runs as written, and its table names the attributes of a run."""

import re
from pathlib import Path

import pytest

import promptrial
from tests.support.project import Project

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_code_of_the_page_runs(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    assert project.config.is_file()
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the project's own page
    assert "run mine in experiments/run_mine" in capsys.readouterr().out


def test_each_name_of_the_table_is_an_attribute_of_a_run() -> None:
    names = re.findall(r"^\| `run\.(\w+)(?:\(FILE, \.\.\.\))?` \|", PAGE.read_text(), re.MULTILINE)
    assert len(names) == 7
    assert all(hasattr(promptrial.Run, name) or name in promptrial.Run.__dataclass_fields__ for name in names)
